"""Laws of the pages: self-contained, escaped, honest, and the published one silent about the input."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from write_job import RUN, Job, make_job

from tamis.core.record import Bar, ClassSizes
from tamis.core.types import DatasetProfile, Findings, wilson
from tamis.write.pictures import bars, class_sizes, level_meter
from tamis.write.report import render_datasheet, render_report
from tamis.write.wording import percent, shown_name, visible

ALLOWED = frozenset(
    {"html", "head", "meta", "title", "style", "script", "body", "header", "main", "section", "nav", "footer", "h1", "h2", "h3", "p"}
    | {"a", "div", "span", "strong", "code", "bdi", "i", "br", "ol", "ul", "li", "dl", "dt", "dd", "details", "summary"}
    | {"table", "caption", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "svg", "g", "rect", "line", "text"}
)
VOID = {"meta", "br"}


class Page(HTMLParser):
    """Elements, attributes, balance and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.scripts if self.open and self.open[-1] in {"script", "style"} else self.text).append(data)


def report(job: Job, *, published: bool = True) -> str:
    """The internal page."""
    return render_report(job.plan, job.profile, job.findings, job.verdict, job.manifest() if published else None, RUN)


def pages(job: Job) -> list[str]:
    """Every page there is of a job."""
    return [report(job), report(job, published=False), render_datasheet(job.manifest())]


HOSTILE = {
    "id": "<script>alert(1)</script>",
    "name": '"><img src=x onerror=alert(1)>',
    "email": "\u202egnp.exe\u2066\x00\x1b[31m",
    "zip": "x" * 10_000,
    "plan": "{{ 7*7 }}{% raw %}",
    "note": "</title></style></svg><b>",
    "joined": "line\nbreak",
    "job": "__proto__",
    "area": "🧪 é",
    "spent": " ",
}


def test_hostile_names_are_text_and_nothing_else() -> None:
    """Names with HTML, templates, control and direction characters add no element, attribute or invisible character to any page."""
    plain = [[tag for tag, _ in Page(html).tags] for html in pages(make_job(table="t"))]
    for html, tags in zip(pages(make_job(HOSTILE, table="t")), plain, strict=True):
        page = Page(html)
        assert [tag for tag, _ in page.tags] == tags
        assert {tag for tag, _ in page.tags} <= ALLOWED
        assert not any(name.startswith("on") or name == "style" for _, attributes in page.tags for name in attributes)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]", html)
        assert "x" * 60 not in html
        text = "".join(page.text)
        assert "<script>alert(1)</script>" in text
        assert "{{ 7*7 }}" in text
        assert "⟨U+202E⟩" in text


def test_pages_need_nothing_from_elsewhere(job: Job) -> None:
    """No URL, no import, no event handler; one style and one script whose digests are the only ones the policy of the page allows."""
    for html in pages(job):
        page = Page(html)
        assert not re.search(r"https?:|//[a-z]|url\(|@import|src=", html)
        assert all(attributes.get("href", "#").startswith("#") for _, attributes in page.tags)  # type: ignore[union-attr]
        assert [tag for tag, _ in page.tags].count("script") == 1
        policy = next(a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy")
        for element in ("style", "script"):
            body = re.search(rf"<{element}>(.*?)</{element}>", html, re.DOTALL)
            assert body is not None
            assert "sha256-" + base64.b64encode(hashlib.sha256(body[1].encode()).digest()).decode() in str(policy)


def test_pages_are_accessible(job: Job) -> None:
    """Language, title, one h1, unbroken heading levels, scoped header cells, named pictures, links that arrive, keyboard scrolling."""
    for html in pages(job):
        tags = Page(html).tags
        assert ("html", {"lang": "en"}) in tags
        levels = [int(tag[1]) for tag, _ in tags if re.fullmatch(r"h[1-6]", tag)]
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
        assert all("scope" in attributes for tag, attributes in tags if tag == "th")
        assert all(attributes.get("aria-label") for tag, attributes in tags if tag == "svg")
        assert all(attributes.get("tabindex") == "0" for tag, attributes in tags if attributes.get("class") == "scroll")
        ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        assert {str(attributes["href"])[1:] for tag, attributes in tags if tag == "a"} <= set(ids)


def test_every_picture_has_a_title(job: Job) -> None:
    """A screen reader hears what each SVG shows: its first child is a title."""
    html = report(job)
    assert html.count("<svg") > 10
    assert html.count("<svg") == len(re.findall(r"<svg [^>]*><title>[^<]+</title>", html))


def test_the_verdict_comes_first_and_tells_stopped_from_published() -> None:
    """The first heading is the verdict in one sentence; a failed gate reads 'Nothing was published'."""
    assert "<h1>This release was published" in report(make_job())
    failed = report(make_job(failing=True), published=False)
    assert "<h1>Nothing was published: 1 of 4 gates failed.</h1>" in failed
    assert failed.count('class="big"') == report(make_job()).count('class="big"') == 5


def test_small_counts_are_never_shown(job: Job) -> None:
    """Counts from 1 to k - 1 read '<k' everywhere: hits, rows, pictures, and sums that would give one away."""
    text = "".join(Page(report(job)).text)
    assert "<5 of 4\u202f000 distinct values match" in text
    assert "2 of 4\u202f000" not in text
    assert "<5 rows were suppressed." in text
    assert "≤135" in text
    assert "132" not in text
    assert "<5 rows" in text


def test_evidence_carries_its_interval(job: Job) -> None:
    """Hits are shown with their denominator and the 95 % Wilson interval."""
    low, high = wilson(7_812, 8_000)
    said = f"7\u202f812 of 8\u202f000 distinct values match; 95\u202f% interval {percent(low)} to {percent(high)}"
    assert said in "".join(Page(report(job)).text)


def test_the_datasheet_has_no_before_figures_and_no_times(job: Job) -> None:
    """The published page says what the manifest says: no evidence, no exact suppressed counts, no person, host, time or before-figure."""
    html = render_datasheet(job.manifest())
    text = "".join(Page(html).text)
    for word in (
        "8421",
        "8\u202f421",
        "7\u202f812",
        "Before",
        "before:",
        "129",
        "d.ortiz",
        "etl-3",
        "2026",
        "confidence",
        "clerk",
        "secret",
    ):
        assert word not in text, word
    assert html == render_datasheet(job.manifest())
    assert "remains personal data (pseudonymized)" in html


def test_no_page_claims_anonymity() -> None:
    """'anonymous' occurs only as 'not anonymous'."""
    for job in (make_job(), make_job(keyed=False)):
        for html in pages(job):
            assert not re.search(r"(?<!not )anonymous", html)


def test_limits_are_said(job: Job) -> None:
    """Free text, unknown columns, single cells, sampling, persons and other data are each named when they apply."""
    text = "".join(Page(report(job)).text)
    about_columns = (
        "Free text",
        "Unrecognized columns that leave",
        "Personal data in single cells",
        "Sampled detection",
        "Estimated counts",
    )
    about_the_rest = ("Who a person is", "Tables without a group check", "What others know", "Your own expectations", "Rows left out")
    assert [heading for heading in (*about_columns, *about_the_rest) if heading not in text] == []


def test_a_bare_run_renders(job: Job) -> None:
    """No profile, no findings, no diffs, no gates, no run facts: the page is still whole."""
    nothing = dict.fromkeys(("diffs", "gates", "measures", "suites", "classes_before", "classes_after"), ())
    verdict = job.verdict.model_copy(update=nothing)
    html = render_report(job.plan, DatasetProfile(tables=()), Findings(findings=()), verdict, None, {})
    assert "No gate was set." in html
    Page(html)


def test_a_wide_table_stays_a_page(job: Job) -> None:
    """500 columns: under 3 MB, and the cards start closed."""
    table = job.plan.tables[0]
    columns = tuple(table.columns[i % 12].model_copy(update={"name": f"c{i}"}) for i in range(500))
    plan = job.plan.model_copy(update={"tables": (table.model_copy(update={"columns": columns}),)})
    diffs = tuple(job.verdict.diffs[i % 12].model_copy(update={"column": f"c{i}"}) for i in range(500))
    html = render_report(plan, job.profile, job.findings, job.verdict.model_copy(update={"diffs": diffs}), None, RUN)
    assert len(html) < 3_000_000
    assert not re.search(r'<details class="card" id="c\d+" open', html)


@given(st.text(max_size=300))
def test_visible_text_hides_nothing_and_is_bounded(text: str) -> None:
    """No control, format, surrogate or unassigned character survives; length is bounded; printable text stays as it is."""
    shown = visible(text, 50)
    assert len(shown) <= 50
    assert shown.isprintable() or all(c.isprintable() or c.isspace() for c in shown)
    shown.encode()
    if text.isprintable() and len(text) <= 50:
        assert shown == text
    assert shown_name(text)


@given(
    st.lists(st.builds(Bar, label=st.text(max_size=30), share=st.floats(0, 1)), max_size=60),
    st.integers(0, 10**7),
    st.integers(2, 20),
)
def test_pictures_are_well_formed_whatever_the_shares(values: list[Bar], rows: int, k: int) -> None:
    """Any labels and shares give one balanced SVG without negative sizes; no bars, no picture."""
    svg = bars(values, title="t", rows=rows, k=k, top=max((bar.share for bar in values), default=0.0), tone="before")
    assert bool(svg) == bool(values)
    Page(svg)
    assert not re.search(r'(width|height)="-', svg)
    Page(level_meter(3, 200))


@pytest.mark.parametrize("present", ["before", "after", "both"])
def test_class_pictures_stand_alone(present: str) -> None:
    """Group sizes are drawn when only one side is known, and for an empty table."""
    sizes = ClassSizes(
        table="t", quasi_identifiers=("a",), unit=None, rows=0, classes=0, k=0, average=0, unique_rows=0, below_k=0, sizes=(("1", 0),)
    )
    Page(class_sizes(sizes if present != "after" else None, sizes if present != "before" else None, k=5))
    assert class_sizes(None, None, k=5) == ""

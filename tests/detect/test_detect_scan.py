"""Every value is looked at, and the result equals Presidio's."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest
from detect_frames import as_table
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.core.types import Table
from tamis.detect.scan import GROUP_ROWS, ScanHit, luhn, scan_columns
from tamis.detect.text import PhoneEngine, Searcher, plain, presidio_engine, recognizers
from tamis.detect.values import luhn_card
from tamis.read import read_table


def _table(values: list[object], name: str = "x") -> Table:
    return as_table("t", pl.DataFrame({name: values}, strict=False))


def _by_name(table: Table, **options: object) -> dict[str, ScanHit]:
    return {hit.recognizer: hit for hit in scan_columns(table, [0], **options).get(0, ())}  # type: ignore[arg-type]


def _everyday(seed: int, n: int) -> list[object]:
    """Texts of many kinds, some with what Presidio finds."""
    rng = random.Random(seed)
    domains = ["example.com", "exämple.de", "nowhere.invalid", "x"]
    makers = [
        lambda: f"order {rng.randrange(10**7)} shipped",
        lambda: f"mail {rng.choice(['jane', 'joão', 'иван'])}.{rng.randrange(99)}@{rng.choice(domains)}",
        lambda: f"{rng.randrange(10**15, 10**16)}",
        lambda: f"{rng.choice(['4111 1111 1111 1111', '4111111111111112', '5500-0000-0000-0004', '٤111111111111111'])} paid",
        lambda: f"+{rng.choice([1, 44, 49, 33, 55])} {rng.randrange(10**9, 10**10)}",
        lambda: f"({rng.randrange(200, 999)}) {rng.randrange(200, 999)}-{rng.randrange(1000, 9999)}",
        lambda: f"{rng.randrange(256)}.{rng.randrange(300)}.{rng.randrange(256)}.1 and fe80::{rng.randrange(999)}",
        lambda: f"{rng.randrange(100, 999)}-{rng.randrange(10, 99)}-{rng.randrange(1000, 9999)}",
        lambda: f"{rng.randrange(10**7, 10**8)}{rng.choice('TRWAGMYFPDXBNJZSQVHLCKE')}",
        lambda: f"{rng.randrange(10**10, 10**11)}",
        lambda: rng.choice(["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32", "DE89370400440532013001", "de89370400440532013000"]),
        lambda: rng.choice(
            ["RSSMRA85T10A562S", "131052-308T", "QQ 12 34 56 C", "AB123456C", "00:1B:44:11:3A:B7", "S1234567D", "ABCPE1234F"]
        ),
        lambda: f"2024-0{rng.randrange(1, 10)}-1{rng.randrange(10)} 10:2{rng.randrange(10)}",
        lambda: rng.choice(["", " ", "www.example.org/x", "plain words only", "3.14", "1640", "ſ12345678K", "a@b", "12.12.12", "東京 12"]),
    ]
    return [rng.choice(makers)() if rng.random() > 0.05 else None for _ in range(n)]


@pytest.mark.parametrize("seed", [1, 2])
def test_findings_equal_presidio_on_every_value(seed: int):
    """For each recognizer of the named list: the cells with a hit are those in which Presidio's recognizer, run on every cell, has one."""
    values = _everyday(seed, 1500)
    ours = _by_name(_table(values))
    for one in recognizers():
        engine = presidio_engine(one.name)
        entities = list(engine.supported_entities)
        hits = [v for v in values if isinstance(v, str) and any(r.score >= 0.3 for r in engine.analyze(v, entities, None) or ())]
        found = ours.get(one.name)
        assert (found.rows if found else 0, found.distinct if found else 0) == (len(hits), len(set(hits))), one.name
        assert found is None or found.exact


@given(st.text(alphabet="0123456789+()-/ .xa,٣５", max_size=30))
def test_the_phone_engine_is_presidios(text: str):
    """Our phone engine reports the spans and scores of Presidio's recognizer."""
    theirs = presidio_engine("PhoneRecognizer").analyze(text, ["PHONE_NUMBER"], None)
    assert sorted((r.start, r.end, r.score) for r in theirs) == [tuple(hit) for hit in PhoneEngine().analyze(text)]


def test_one_cell_in_many_is_found_and_located(tmp_path: Path):
    """One phone, one e-mail address and one card number in harmless text are found in one pass, with their row groups."""
    _planted(tmp_path, 60_000, 7_000)


@pytest.mark.slow
def test_one_cell_in_a_million_is_found_and_located(tmp_path: Path):
    """The same in a million rows."""
    _planted(tmp_path, 1_000_000, 100_000)


def _planted(folder: Path, rows: int, size: int) -> None:
    planted = {
        int(rows * 0.31): "reach me at +44 20 7946 0958 please",
        int(rows * 0.55): "mail to jane.roe@example.com thanks",
        int(rows * 0.92): "paid with 4111 1111 1111 1111 today",
    }
    row = pl.int_range(rows, eager=True)
    notes = pl.concat_str(pl.lit("order "), row * 7919 % 10_000_019, pl.lit(" left the house "), row % 97, pl.lit(" days late"))
    frame = pl.DataFrame({"row": row}).select(
        pl.col("row").replace_strict(list(planted), list(planted.values()), default=notes, return_dtype=pl.String).alias("notes")
    )
    frame.write_parquet(folder / "notes.parquet", row_group_size=size)
    table = read_table("notes", [folder / "notes.parquet"])
    assert sum(table.source.row_groups) == rows
    found = {h.recognizer: h for h in scan_columns(table, [0], telling=True)[0]}
    places = [place // size for place in planted]
    for name, place in zip(("PhoneRecognizer", "EmailRecognizer", "CreditCardRecognizer"), places, strict=True):
        assert (found[name].told_rows, found[name].locations) == (1, ((place, 1),))
    assert len(found) == 3


def test_without_row_groups_places_are_ranges_of_rows():
    """Formats without row groups have ranges of a hundred thousand rows."""
    values: list[object] = ["harmless"] * (2 * GROUP_ROWS + 5)
    values[GROUP_ROWS] = values[2 * GROUP_ROWS] = "a.b@example.com"
    assert _by_name(_table(values))["EmailRecognizer"].locations == ((1, 1), (2, 1))


def test_above_the_limit_a_sample_and_the_written_form_speak_and_say_so():
    """Too many candidates: not exact, cells counted by form and check digits, a sample of candidates judged."""
    cards = [f"4{i:014d}" for i in range(3000)]
    cards = [c + str(next(d for d in range(10) if luhn_card(c + str(d)))) for c in cards]
    wrong = [c[:-1] + str((int(c[-1]) + 1) % 10) for c in cards]
    hit = _by_name(_table([*cards, *wrong]), limit=100)["CreditCardRecognizer"]
    assert (hit.exact, hit.distinct, hit.rows, hit.candidates) == (False, None, 3000, 200)
    assert 60 < hit.confirmed < 140


@settings(max_examples=12, deadline=None)
@given(st.permutations(list(range(400))), st.integers(1, 90))
def test_results_do_not_depend_on_the_order_of_rows(order: list[int], limit: int):
    """Any order of the rows gives the same counts and the same sample, on both sides of the limit."""
    values = [f"user{i % 130}@example.com" if i % 3 else f"call +49 30 9018{i % 50:02}" for i in range(400)]

    def counts(rows: list[object]) -> list[tuple[object, ...]]:
        phones = [one for one in recognizers() if one.name in ("PhoneRecognizer", "EmailRecognizer")]
        found = scan_columns(_table(rows), [0], phones, limit=limit).get(0, ())
        return [(h.recognizer, h.rows, h.distinct, h.candidates, h.confirmed, h.exact) for h in found]

    assert counts([values[i] for i in order]) == counts(list(values))


def test_long_cells_are_read_whole():
    """Personal data anywhere in a cell of megabytes is found, at the seams of the windows too."""
    for place in (99_990, 98_500, 1_500_000):
        text = "x " * (place // 2) + "jane@example.com" + " y" * 50_000
        spans = next(one for one in recognizers() if one.name == "EmailRecognizer").find(text)
        assert [text[s.start : s.end] for s in spans] == ["jane@example.com"]
    assert _by_name(_table(["a" * 2_000_000, "b\0c jane@example.com"]))["EmailRecognizer"].rows == 1


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("４１１１ １１１１ １１１１ １１１１", "CreditCardRecognizer"),
        ("4111\u20111111\u20111111\u20111111", "CreditCardRecognizer"),
        ("4111\u00a01111\u00a01111\u00a01111", "CreditCardRecognizer"),
        ("+44\u202f20\u202f7946\u202f0958", "PhoneRecognizer"),
        ("＋４４ ２０ ７９４６ ０９５８", "PhoneRecognizer"),
        ("jane＠example．com", "EmailRecognizer"),
        ("jörg@bücher.example.de", "EmailRecognizer"),
    ],
)
def test_full_width_digits_and_unicode_spaces_hide_nothing(text: str, name: str):
    """Unicode's other digits, spaces and hyphens are read as what they stand for; the text keeps its length."""
    assert len(plain(text)) == len(text)
    assert _by_name(_table(["harmless", text]), telling=True)[name].told_rows == 1


def test_integers_are_looked_at_for_card_numbers():
    """A card number stored as an integer among small numbers is found; running numbers are no findings."""
    hit = _by_name(_table([*range(1000), 4111111111111111]), telling=True)
    assert {name: h.told_rows for name, h in hit.items()} == {"CreditCardRecognizer": 1}
    assert _by_name(_table(list(range(10**6, 10**6 + 500)))) == {}


@pytest.mark.parametrize("values", [[], [None, None], ["", " "], [0.5, float("nan")], [True, None]])
def test_columns_with_nothing_to_find(values: list[object]):
    """No rows, nulls, blanks and other types have no hits."""
    assert _by_name(_table(values)) == {}


def test_a_recognizer_without_prefilter_sees_every_value():
    """What cannot be expressed for polars looks at all distinct values."""
    seen: list[str] = []

    def works():
        return lambda text: seen.append(text) or []

    own = Searcher("own", "PERSON", None, "yes", 0.0, works)
    assert scan_columns(_table(["a", "b", "b", None]), [0], [own]) == {}
    assert sorted(seen) == ["a", "b"]


@given(st.lists(st.integers(0, 10**18)))
def test_luhn_on_series_is_luhn_on_each(numbers: list[int]):
    """The vectorized check digit is that of the definition."""
    texts = pl.Series([str(n) for n in numbers], dtype=pl.String)

    def one(text: str) -> bool:
        return sum(sum(divmod(int(d) * (1 + i % 2), 10)) for i, d in enumerate(reversed(text))) % 10 == 0

    assert luhn(texts).to_list() == [one(text) for text in texts]

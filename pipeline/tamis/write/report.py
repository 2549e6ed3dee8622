"""Pages for people: report.html (internal, with before-figures) and datasheet.html (published, from the manifest alone).

One self-contained file each: styles inline, nothing fetched, readable without script; a content security policy with the digests of
the page's own style and script forbids everything else. Every text passes `visible` and HTML escaping, whatever a column is called.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from tamis.core.plan import ColumnPlan, Plan, TablePlan
from tamis.core.record import ClassSizes, ColumnDiff, GateResult, Manifest, Measure, Verdict
from tamis.core.types import ColumnProfile, DatasetProfile, Evidence, Finding, Findings, wilson
from tamis.write import pictures
from tamis.write.attacks import attack_views
from tamis.write.combinations import combinations_view
from tamis.write.exposed import exposure_view
from tamis.write.limits import unknowns
from tamis.write.manifest import round_up, status_sentence
from tamis.write.quality import quality_views
from tamis.write.wording import action_sentence, band, count, fate, number, percent, shown_name, visible

if TYPE_CHECKING:
    import jinja2

_FATES = {
    "kept": "Leaves as it is",
    "coarsened": "Leaves, made coarser",
    "redacted": "Leaves, masked inside",
    "replaced": "Leaves replaced",
    "withheld": "Does not leave",
}
_ROLES = {
    "direct": "identifies a person",
    "quasi": "identifies in combination",
    "sensitive": "private attribute",
    "none": "not personal",
    "unknown": "unknown",
}
_SOURCES = {
    "name": "the column's name",
    "pattern": "a pattern",
    "presidio": "Presidio",
    "checksum": "a checksum",
    "dictionary": "a name list",
    "cardinality": "the number of distinct values",
    "type": "the data type",
    "context": "the columns around it",
    "policy": "the policy",
}


def render_report(
    plan: Plan,
    profile: DatasetProfile,
    findings: Findings,
    verdict: Verdict,
    manifest: Manifest | None,
    run: Mapping[str, Any],
) -> str:
    """The internal report as one HTML page. `manifest` is None when nothing was published.

    `run` may hold: run_id, started (text), seconds, person, host, tamis (version), stages ((name, seconds), …), notes (sentences),
    suppressed (table to rows), rows_dropped (table to rows). Aggregates only; counts below k read '<k'.
    """
    k = plan.privacy.k
    columns = list(_column_views(plan, profile, findings, verdict))
    return _render(
        "report.html",
        k=k,
        plan=plan,
        run=run,
        manifest=manifest,
        published=manifest is not None and not verdict.failed and verdict.passed,
        sentence=_verdict_sentence(verdict, manifest),
        status=status_sentence(plan, verdict),
        figures=_figures(plan, profile, verdict, manifest, run),
        columns=columns,
        fates=[(word, title, [view for view in columns if view["fate"] == word]) for word, title in _FATES.items()],
        groups=[
            _group_view(table, verdict, run, k) | {"sets": combinations_view(profile.singling(table.name), k)} for table in plan.tables
        ],
        quality=quality_views(plan, verdict),
        attacks=attack_views(verdict),
        gates=[_gate_view(result) for result in verdict.gates],
        measures=_measures_view(verdict.measures, k),
        suites=verdict.suites,
        unknowns=list(unknowns(plan, profile, findings, verdict, run)),
    )


def render_datasheet(manifest: Manifest) -> str:
    """The published description of a release as one HTML page: from the manifest alone, so it can say no more than that says."""
    columns = [
        {
            "table": table.name,
            "column": column,
            "released": column.released,
            "from": [name for name in column.derived_from if name != column.name],
        }
        for table in manifest.tables
        for column in table.columns
    ]
    return _render(
        "datasheet.html",
        manifest=manifest,
        k=manifest.k,
        columns=columns,
        rows=sum(table.rows for table in manifest.tables),
        gates=[_gate_view(result) for result in manifest.gates],
        measures=_measures_view(manifest.measures, manifest.k),
    )


# --------------------------------------------------------------------------------------------------------------------- the engine


def _render(template: str, **view: Any) -> str:
    environment = _environment()
    style, script = (environment.get_template(name).render() for name in ("page.css", "page.js"))
    from markupsafe import Markup

    return environment.get_template(template).render(
        **view,
        style=Markup(style),  # noqa: S704  # our own files, not data
        script=Markup(script),  # noqa: S704
        csp=_policy(style, script),
    )


def _policy(style: str, script: str) -> str:
    """Content security policy: this style and this script, nothing else, from nowhere else."""
    allowed = [("style-src", style), ("script-src", script)]
    own = [f"{kind} '{_source_hash(text)}'" for kind, text in allowed]
    return "; ".join(["default-src 'none'", *own, "base-uri 'none'", "form-action 'none'"])


def _environment() -> jinja2.Environment:
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tamis.write", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_seen,
    )
    environment.filters |= {
        "name": lambda name: Markup("<bdi>{}</bdi>").format(shown_name(name)),
        "number": number,
        "percent": percent,
        "band": band,
        "count": count,
        "svg": Markup,  # pictures.py escapes its labels
    }
    environment.globals |= {"fates_in_words": _FATES, "roles_in_words": _ROLES}
    return environment


def _seen(value: Any) -> Any:
    """Plain text on its way to the page: nothing invisible passes; markup of ours does."""
    return visible(value) if type(value) is str else value


def _source_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# ---------------------------------------------------------------------------------------------------------------------- the verdict


def _verdict_sentence(verdict: Verdict, manifest: Manifest | None) -> str:
    fatal, warned = verdict.failed, [gate for gate in verdict.gates if not gate.passed and gate.gate.severity == "warn"]
    total = len(verdict.gates)
    if fatal:
        return f"Nothing was published: {len(fatal)} of {total} gate{'s' if total != 1 else ''} failed."
    if not verdict.passed or manifest is None:
        return "Nothing was published: the checks did not pass."
    said = f"all {total} gates passed" if total > 1 else ("its gate passed" if total else "no gate was set")
    if warned:
        said = f"{len(warned)} of {total} gates warned" if total > 1 else "its gate warned"
    return f"This release was published: {said}."


def _figures(
    plan: Plan, profile: DatasetProfile, verdict: Verdict, manifest: Manifest | None, run: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    """The five figures: (value, what it is, what it compares to)."""
    k = plan.privacy.k
    every = [column for _, column in plan.walk()]
    kept = sum(fate(column) == "kept" for column in every)
    out = sum(column.released for column in every)
    before = sum(table.rows for table in profile.tables)
    left = sum(table.rows for table in manifest.tables) if manifest is not None else 0
    tables = f"{len(plan.tables)} table{'s' if len(plan.tables) != 1 else ''}"
    suppressed = run.get("suppressed")
    lost = sum(suppressed.values()) if suppressed is not None else None
    if suppressed and any(0 < rows < k for rows in suppressed.values()):
        lost_text = f"≤{number(round_up(lost or 0, k))}"  # the exact sum would give the small count away
    else:
        lost_text = "–" if lost is None else count(lost, k)
    groups = [classes for classes in verdict.classes_after if classes.quasi_identifiers]
    smallest = min((classes.k for classes in groups), default=None)
    passed = sum(gate.passed for gate in verdict.gates)
    return [
        (f"{out} of {len(every)}", "columns leave", f"{kept} as they are, {out - kept} changed"),
        (number(before), "rows came in", f"in {tables}")
        if manifest is None
        else (number(left), "rows leave", f"of {number(before)}, {tables}"),
        (
            lost_text,
            "rows suppressed",
            "not counted" if lost is None or not before else f"{percent(lost / before) if lost >= k or not lost else 'few'} of all rows",
        ),
        ("–" if smallest is None else count(smallest, k), "smallest group", f"k = {k} is required" if groups else "no group was checked"),
        (f"{passed} of {len(verdict.gates)}", "gates passed", _gates_figure(verdict)),
    ]


def _gates_figure(verdict: Verdict) -> str:
    failed, warned = len(verdict.failed), sum(not gate.passed and gate.gate.severity == "warn" for gate in verdict.gates)
    said = [f"{failed} failed"] if failed else []
    said += [f"{warned} warned"] if warned else []
    return ", ".join(said) or ("all that were set" if verdict.gates else "none was set")


# ------------------------------------------------------------------------------------------------------------------------- columns


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the columns, by (table, column)."""

    diffs: Mapping[tuple[str, str], ColumnDiff]
    profiles: Mapping[tuple[str, str], ColumnProfile]
    findings: Mapping[tuple[str, str], Finding]
    k: int


def _column_views(plan: Plan, profile: DatasetProfile, findings: Findings, verdict: Verdict) -> Iterator[dict[str, Any]]:
    known = _Known(
        {(diff.table, diff.column): diff for diff in verdict.diffs},
        {(table.name, column.name): column for table in profile.tables for column in table.columns},
        {(finding.table, finding.column): finding for finding in findings.findings},
        plan.privacy.k,
    )
    for index, (table, column) in enumerate(plan.walk()):
        yield _column_view(index, table, column, known)


def _column_view(index: int, table: str, column: ColumnPlan, known: _Known) -> dict[str, Any]:
    diff, found = known.diffs.get((table, column.name)), known.findings.get((table, column.name))
    evidence = column.evidence or (found.evidence if found else ())
    return {
        "index": index,
        "table": table,
        "name": column.name,
        "plan": column,
        "fate": fate(column),
        "role": _ROLES[column.role.value],
        "sentence": action_sentence(column),
        "pictures": _column_pictures(diff, known.k) if diff else [],
        "facts": list(_facts(column, diff, known.profiles.get((table, column.name)), known.k)),
        "evidence": [_evidence_sentence(piece, known.k) for piece in evidence],
        "stray": [_evidence_sentence(piece, known.k) for piece in (found.stray if found else ())],
        "confidence": found.confidence if found else None,
    }


def _column_pictures(diff: ColumnDiff, k: int) -> list[tuple[str, str]]:
    top = max((bar.share for bar in (*diff.before, *diff.after)), default=0.0)
    made = [
        (
            "Before",
            pictures.bars(diff.before, title=f"before: {shown_name(diff.column)}", rows=diff.rows_before, k=k, top=top, tone="before"),
        ),
        ("After", pictures.bars(diff.after, title=f"after: {shown_name(diff.column)}", rows=diff.rows_after, k=k, top=top, tone="after")),
    ]
    return [(caption, svg) for caption, svg in made if svg]


def _facts(column: ColumnPlan, diff: ColumnDiff | None, measured: ColumnProfile | None, k: int) -> Iterator[tuple[str, str, str]]:
    """(what, before, after)."""
    after = diff is not None and column.released
    none = "–"
    if diff is not None:
        left = _rate(diff.nulls_after, diff.rows_after, k) if after else none
        yield "Without a value", _rate(diff.nulls_before, diff.rows_before, k), left
        yield "Distinct values", band(diff.distinct_before, k), band(diff.distinct_after or 0, k) if after else none
        yield "Type", diff.type_before.value, diff.type_after.value if diff.type_after is not None and after else none
        if diff.shape_score is not None and after:
            yield "Shape preserved", none, percent(diff.shape_score)
    elif measured is not None:
        yield "Without a value", _rate(measured.null_rate, measured.rows, k), none
        yield "Distinct values", band(measured.distinct, k), none
        yield "Type", measured.type.value, column.output_type.value if column.released else none
    if measured is not None:
        if measured.rare_rows is not None:
            yield f"Rows with a value of fewer than {k}", count(measured.rare_rows, k), none
        if measured.constant:
            yield "Note", "the same value everywhere", none
        if measured.duplicate_of:
            yield "Note", f"same values as {shown_name(measured.duplicate_of)}", none
        if measured.determined_by:
            yield "Note", f"fixed by {shown_name(measured.determined_by)}", none


def _rate(share: float | None, rows: int, k: int) -> str:
    if share is None:
        return "–"
    return f"<{k} rows" if 0 < share * rows < k - 1e-9 else percent(share)


def _evidence_sentence(piece: Evidence, k: int) -> dict[str, str]:
    """Who says what: '412 of 10 000 distinct values match', with the interval where it tells nothing about fewer than k."""
    who = f"{_SOURCES[piece.source]} ({piece.rule})"
    said = ""
    if piece.hits is not None and piece.of:
        said = f"{count(piece.hits, k)} of {number(piece.of)} distinct values match"
        if piece.hits >= k or piece.hits == 0:
            low, high = wilson(piece.hits, piece.of)
            said += f"; 95{chr(0x202F)}% interval {percent(low)} to {percent(high)}"
    return {"who": who, "entity": piece.entity or "", "said": said, "note": piece.note}


# ------------------------------------------------------------------------------------------------------------------ groups, measures


def _group_view(table: TablePlan, verdict: Verdict, run: Mapping[str, Any], k: int) -> dict[str, Any]:
    before = [classes for classes in verdict.classes_before if classes.table == table.name]
    after = [classes for classes in verdict.classes_after if classes.table == table.name]
    lost = run.get("suppressed", {}).get(table.name)
    return {
        "table": table.name,
        "classes": table.classes,
        "pairs": [_pair_view(one, other, k) for one, other in zip_longest(before, after)],
        "levels": [
            (name, level, height, pictures.level_meter(level, height))
            for name, level in (table.classes.levels if table.classes else {}).items()
            for height in [table.classes.heights.get(name, level) if table.classes else level]
        ],
        "suppressed": None if lost is None else count(lost, k),
        "risk": exposure_view(
            next((one for one in verdict.exposure_before if one.table == table.name), None),
            next((one for one in verdict.exposure_after if one.table == table.name), None),
            k,
        ),
    }


def _pair_view(before: ClassSizes | None, after: ClassSizes | None, k: int) -> dict[str, Any]:
    named = after or before
    return {
        "before": _class_view(before, k),
        "after": _class_view(after, k),
        "names": named.quasi_identifiers if named else (),
        "unit": named.unit if named else None,
        "svg": pictures.class_sizes(before, after, k=k),
    }


def _class_view(classes: ClassSizes | None, k: int) -> dict[str, str] | None:
    if classes is None:
        return None
    return {
        "rows": number(classes.rows),
        "classes": number(classes.classes),
        "smallest": count(classes.k, k),
        "average": number(round(classes.average, 1)),
        "unique": count(classes.unique_rows, k),
        "below": count(classes.below_k, k),
    }


def _gate_view(result: GateResult) -> dict[str, Any]:
    gate = result.gate
    bounds = [f"at least {number(gate.min)}"] if gate.min is not None else []
    bounds += [f"at most {number(gate.max)}"] if gate.max is not None else []
    return {
        "measure": result.measure,
        "value": "not taken" if result.value is None else number(result.value),
        "bound": " and ".join(bounds),
        "passed": result.passed,
        "severity": gate.severity,
        "sentence": result.sentence,
    }


def _measures_view(measures: tuple[Measure, ...], k: int) -> list[tuple[str, list[dict[str, str]]]]:
    """Measures by family, in the order of their names."""
    families: dict[str, list[dict[str, str]]] = {}
    for measure in sorted(measures, key=lambda measure: measure.name):
        family, _, rest = measure.name.partition(".")
        word, _, place = rest.partition("@")
        low_high = measure.low is not None and measure.high is not None
        families.setdefault(family, []).append(
            {
                "word": word.replace("_", " "),
                "place": place,
                "value": number(measure.value),
                "interval": f"{number(measure.low or 0)} to {number(measure.high or 0)}" if low_high else "",
                "of": count(measure.of, k) if measure.of is not None else "",
                "note": measure.note,
                "internal": "internal" if measure.internal else "",
            }
        )
    return list(families.items())

"""What the tool does not know, said openly: the last chapter of the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tamis.core.actions import Redact, stable_domain
from tamis.core.errors import listed
from tamis.core.plan import Plan
from tamis.core.record import Verdict
from tamis.core.types import DatasetProfile, DataType, Findings, Role
from tamis.write.wording import shown_name

_SAMPLED = frozenset({"pattern", "presidio", "dictionary", "checksum"})


def unknowns(
    plan: Plan, profile: DatasetProfile, findings: Findings, verdict: Verdict, run: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """(heading, sentence) of every limit that applies to this run; names and counts only."""
    yield from _about_columns(plan, profile, findings)
    yield from _about_groups(plan, verdict)
    yield from _about_checks(plan, verdict)
    for table in plan.tables:
        for warning in table.warnings:
            yield f"Warning of the plan about {shown_name(table.name)}", warning
    for note in run.get("notes", ()):
        yield "How this run differed", str(note)
    if any(dropped for dropped in run.get("rows_dropped", {}).values()):
        yield "Rows left out on reading", "Some rows could not be read and were left out because the policy allows it."
    yield (
        "What others know",
        "Figures are about this data alone. A recipient may hold other data about the same people, or earlier releases of it.",
    )


def _about_columns(plan: Plan, profile: DatasetProfile, findings: Findings) -> Iterator[tuple[str, str]]:
    released = [(table, column) for table, column in plan.walk() if column.released]

    def named(chosen: list[tuple[str, str]]) -> str:
        return listed([f"{shown_name(table)}.{shown_name(column)}" for table, column in chosen])

    redacted = [(table, column.name) for table, column in released if isinstance(column.action, Redact)]
    if redacted:
        yield (
            "Free text",
            f"{named(redacted)}: only what has a recognizable form was found. Names, places and hints in words may remain.",
        )
    unknown = [(table, column.name) for table, column in released if column.role is Role.UNKNOWN]
    if unknown:
        yield "Unrecognized columns that leave", f"{named(unknown)}: the detectors could not say what these hold; a person decided."
    texts = [
        (table, column.name)
        for table, column in released
        if column.type in {DataType.TEXT, DataType.BINARY} and not type(column.action).masking and column.role is not Role.UNKNOWN
    ]
    if texts:
        yield "Text that leaves as it is", f"{named(texts)}: harmless as far as the detectors saw; they do not read meaning."
    stray = [
        (finding.table, finding.column)
        for finding in findings.findings
        if finding.stray and any((finding.table, finding.column) == (table, column.name) for table, column in released)
    ]
    if stray:
        yield (
            "Personal data in single cells",
            f"{named(stray)}: a few cells hold something personal, the column as a whole does not.",
        )
    measured = {(table.name, column.name): column for table in profile.tables for column in table.columns}
    sampled = [
        (finding.table, finding.column)
        for finding in findings.findings
        if (about := measured.get((finding.table, finding.column))) is not None
        and any(piece.source in _SAMPLED and piece.of is not None and piece.of < about.distinct for piece in finding.evidence)
    ]
    if sampled:
        yield (
            "Sampled detection",
            f"{named(sampled)}: the detectors looked at a part of the distinct values; see the intervals.",
        )
    rough = [key for key, column in measured.items() if not column.distinct_exact]
    if rough:
        yield "Estimated counts", f"{named(rough)}: distinct values are estimated (HyperLogLog), not counted."
    stable = [(table, column.name) for table, column in released if stable_domain(column.action)]
    if stable:
        yield "Joins with other releases", f"{named(stable)}: stable pseudonyms or fakes let whoever holds several releases join them."


def _about_groups(plan: Plan, verdict: Verdict) -> Iterator[tuple[str, str]]:
    if plan.privacy.unit is None:
        yield "Who a person is", "The policy names no column that identifies a person (privacy.unit): groups count rows, not persons."
    free = [table.name for table in plan.tables if table.classes is None or not table.classes.quasi_identifiers]
    if free:
        yield "Tables without a group check", f"{listed(free)}: no quasi-identifiers are named or left, so no k is claimed."
    cut = [table.name for table in plan.tables if table.classes is not None and not table.classes.search_complete]
    if cut:
        yield "Search cut short", f"{listed(cut)}: a better generalization may exist; the one chosen was checked."
    ordered = [table.name for table in plan.tables if table.keep_order]
    if ordered:
        yield "Row order", f"{listed(ordered)}: the input's order is kept and may itself tell something."
    if plan.tables and not verdict.classes_after:
        yield "Groups after", "No group sizes of the written files are in this report."


def _about_checks(plan: Plan, verdict: Verdict) -> Iterator[tuple[str, str]]:
    if not plan.gates:
        yield "Gates", "The policy sets no gates of its own."
    missing = [gate.measure for gate in verdict.gates if gate.value is None]
    if missing:
        yield "Measures not taken", f"{listed(missing)}: the figure could not be taken on this data."
    if not any(measure.name.startswith("attack.") for measure in verdict.measures):
        yield "Attacks", "No attack was simulated on this release."
    if not any(suite.kind == "user" for suite in verdict.suites):
        yield "Your own expectations", "No expectation suite of yours was given; only the built-in ones ran."
    failed = [f"{suite.name} ({suite.table})" for suite in verdict.suites if not suite.passed]
    if failed:
        yield "Suites that did not pass", f"{listed(failed)}."

"""Results for people in a terminal and for programs as JSON. Names, counts and codes; values never come this far."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from tamis.core.canonical import pretty_json
from tamis.core.errors import clean_name
from tamis.core.exposed import exposure_sentences
from tamis.core.listing import Listing
from tamis.core.plan import Plan, Status
from tamis.core.policy import Gate, Policy
from tamis.core.record import CheckStatus, Manifest, Release, Verdict, Verification
from tamis.core.types import DatasetProfile
from tamis.plan import explain_plan, level_sentence, model_sentence, search_sentence

if TYPE_CHECKING:
    from rich.console import Console


ROLE_STYLE = {"direct": "bold red", "quasi": "yellow", "sensitive": "magenta", "unknown": "bold", "none": "dim"}


def table_of(title: str, *headings: str) -> Any:
    """An empty table of rich with a title and headings; figures stand to the right."""
    from rich import box
    from rich.table import Table

    table = Table(title=clean_name(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        right = heading in {"nulls", "distinct", "conf.", "claimed", "found", "value", "weight", "unique", "combinations", "risk"}
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    return table


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")


# ---------------------------------------------------------------------------------------------------------------------------- plan


def plan_json(plan: Plan, output: Path | None) -> dict[str, Any]:
    """`tamis plan --json`: digest, what is open, a line per column."""
    return {
        "digest": plan.digest,
        "written": str(output) if output else None,
        "open": [f"{table}.{column.name}" for table, column in plan.open_columns],
        "warnings": [f"{table.name}: {warning}" for table in plan.tables for warning in table.warnings],
        "columns": [line._asdict() for line in explain_plan(plan)],
        "classes": {table.name: table.classes.model_dump(mode="json") for table in plan.tables if table.classes},
        "exposure": {table.name: table.exposure.model_dump(mode="json") for table in plan.tables if table.exposure},
    }


def plan_table(plan: Plan, console: Console) -> None:
    """One table per input table: every column, its action, the reason, who says so."""
    from rich.text import Text

    lines = explain_plan(plan)
    for table in plan.tables:
        shown = table_of(table.name, "column", "role", "entity", "action", "decided by", "reason")
        for line in (line for line in lines if line.table == table.name):
            decided = line.rule if line.status == Status.DECIDED else line.status.upper()
            style = "" if line.status == Status.DECIDED else "bold yellow"
            shown.add_row(
                clean_name(line.column, 40), Text(line.role, style=ROLE_STYLE[line.role]), line.entity, line.action,
                Text(decided, style=style), clean_name(line.reason, 200),
            )  # fmt: skip
        console.print(shown)
        if table.classes is not None:
            classes = table.classes
            names = ", ".join(clean_name(name, 30) for name in classes.quasi_identifiers)
            console.print(
                f"{model_sentence(classes)} on ({names}): {_count(classes.suppressed_rows)} rows suppressed, loss {classes.loss or 0:.3f} "
                f"({search_sentence(classes)})",
                markup=False,
            )
            if classes.levels:
                console.print(f"levels (0 is the value itself): {level_sentence(classes)}", markup=False)
        if table.exposure is not None:
            for sentence in exposure_sentences(table.exposure):
                console.print(f"  {sentence}", markup=False)


# ------------------------------------------------------------------------------------------------------------------------- release


def release_json(release: Release) -> dict[str, Any]:
    """`tamis run --json`: where things are, the verdict, the figures."""
    return {
        "release_id": release.release_id,
        "published": release.published,
        "path": str(release.path) if release.path else None,
        "manifest": str(release.manifest) if release.manifest else None,
        "report": str(release.report),
        "run": str(release.run_path),
        "plan_digest": release.plan_digest,
        "passed": release.verdict.passed,
        "gates": [gate.model_dump(mode="json") for gate in release.verdict.gates],
        "measures": {measure.name: measure.value for measure in release.verdict.measures if not measure.internal},
    }


def release_lines(release: Release, output: Path, console: Console) -> None:
    """The verdict first, then where to look."""
    verdict = release.verdict
    passed = sum(gate.passed for gate in verdict.gates)
    if release.published:
        console.print(f"passed     {passed} of {len(verdict.gates)} gates", style="bold green")
    else:
        console.print(f"FAILED     {len(verdict.failed)} of {len(verdict.gates)} gates; nothing was published", style="bold red")
    for gate in verdict.gates:
        if not gate.passed:
            word = "failed" if gate.gate.severity == "fail" else "warning"
            console.print(f"{word:<11}{clean_name(gate.sentence, 600)}", soft_wrap=True)
    for classes in verdict.classes_after:
        names = ", ".join(clean_name(name, 30) for name in classes.quasi_identifiers)
        console.print(f"k          {classes.k} in {clean_name(classes.table, 40)} on ({names})", soft_wrap=True)
    if release.published:
        console.print(f"release    {output / 'current'} → {release.release_id}", soft_wrap=True)
    else:
        console.print(f"quarantine {release.run_path / 'quarantine'}", soft_wrap=True)
    console.print(f"report     {release.report}", soft_wrap=True)


def verification_table(found: Verification, console: Console, *, full: bool = False) -> None:
    """What failed in full, the rest counted by kind; `full` lists every claim."""
    from rich.text import Text

    style = {CheckStatus.OK: "green", CheckStatus.FAILED: "bold red", CheckStatus.NOT_VERIFIABLE: "dim"}
    shown = table_of(f"release {found.release_id}", "claim", "status", "claimed", "found")
    for check in found.checks:
        if full or check.status is CheckStatus.FAILED or (check.status is CheckStatus.OK and check.name.startswith("risk.")):
            status = Text(check.status.value, style=style[check.status])
            shown.add_row(clean_name(check.name, 60), status, clean_name(check.claimed, 40), clean_name(check.found, 40))
    if not full:
        kinds: dict[tuple[str, CheckStatus], int] = {}
        for check in found.checks:
            kind = check.name.split(":")[0].split("@")[0].split(".")[0].strip()
            if check.status is not CheckStatus.FAILED and kind != "risk":
                kinds[kind, check.status] = kinds.get((kind, check.status), 0) + 1
        for (kind, state), count in sorted(kinds.items(), key=lambda item: (item[0][1] is not CheckStatus.OK, item[0][0])):
            shown.add_row(f"{kind} ({count})", Text(state.value, style=style[state]), "", "")
    console.print(shown)
    word = "authenticated" if found.authenticated else "consistent, not authenticated" if found.passed else "NOT what its manifest says"
    console.print(
        f"The release is {word}." + ("" if full else " Every claim: --verbose or --json."),
        style="bold green" if found.passed else "bold red",
    )


# --------------------------------------------------------------------------------------------------------------- gates and schemas


def gates_json() -> dict[str, Any]:
    """Measures with meanings, and the gates that hold when the policy names none."""
    from tamis.core.policy import Privacy
    from tamis.verify import default_gates, known_measures

    defaults: tuple[Gate, ...] = tuple(default_gates(Privacy()))
    return {"measures": dict(known_measures()), "defaults": [gate.model_dump(mode="json", exclude_none=True) for gate in defaults]}


def gates_table(console: Console) -> None:
    """Measures and default gates."""
    listed = gates_json()
    by_measure = {gate["measure"]: gate for gate in listed["defaults"]}
    shown = table_of("measures that gates may name", "measure", "default gate", "meaning")
    for name, meaning in listed["measures"].items():
        gate = by_measure.get(name, {})
        bound = " ".join(f"{word} {gate[word]:g}" for word in ("min", "max") if word in gate)
        shown.add_row(name, f"{bound} ({gate['severity']})" if gate else "", meaning)
    console.print(shown)


_DOCUMENTS: dict[str, type[BaseModel]] = {
    "policy.schema.json": Policy,
    "plan.schema.json": Plan,
    "profile.schema.json": DatasetProfile,
    "listing.schema.json": Listing,
    "verdict.schema.json": Verdict,
    "manifest.schema.json": Manifest,
}


def document_schemas() -> dict[str, str]:
    """JSON Schema (2020-12) of every document, as the text of the files in schemas/."""
    return {
        name: pretty_json(
            {"$schema": "https://json-schema.org/draft/2020-12/schema"}
            | model.model_json_schema(by_alias=True, mode="serialization" if model is Listing else "validation")
        )
        for name, model in _DOCUMENTS.items()
    }

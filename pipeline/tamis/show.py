"""Results for people in a terminal and for programs as JSON. Names, counts and codes; values never come this far."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter

from tamis.core.actions import ACTIONS, Action
from tamis.core.canonical import pretty_json
from tamis.core.errors import UsageError, clean_name, did_you_mean
from tamis.core.plan import Plan, Status
from tamis.core.policy import Gate, Policy
from tamis.core.record import CheckStatus, Manifest, Release, Verdict, Verification
from tamis.core.types import ColumnProfile, DatasetProfile, Evidence, Finding
from tamis.plan import explain_plan
from tamis.rules import Pack, list_packs, load_rules

if TYPE_CHECKING:
    from rich.console import Console

    from tamis.conductor.planning import Profiled

_ROLE_STYLE = {"direct": "bold red", "quasi": "yellow", "sensitive": "magenta", "unknown": "bold", "none": "dim"}


def _table(title: str, *headings: str) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(title=clean_name(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        right = heading in {"nulls", "distinct", "conf.", "claimed", "found", "value"}
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    return table


# ------------------------------------------------------------------------------------------------------------------------- profile


def evidence_json(evidence: Evidence) -> dict[str, Any]:
    """One piece of evidence with its Wilson interval."""
    out = evidence.model_dump(mode="json", exclude_none=True)
    if evidence.interval is not None:
        out["interval"] = [round(bound, 4) for bound in evidence.interval]
    return out


def profile_json(profiled: Profiled) -> dict[str, Any]:
    """`tamis profile --json`: per table and column the aggregates, role, entity, confidence and evidence."""
    tables = []
    for table in profiled.profile.tables:
        columns = []
        for column in table.columns:
            finding = profiled.findings.of(table.name, column.name)
            columns.append(
                column.model_dump(mode="json")
                | {
                    "uniqueness": round(column.uniqueness, 6),
                    "null_rate": round(column.null_rate, 6),
                    "role": finding.role.value,
                    "entity": finding.entity,
                    "confidence": finding.confidence,
                    "evidence": [evidence_json(evidence) for evidence in finding.evidence],
                    "stray": [evidence_json(evidence) for evidence in finding.stray],
                }
            )
        tables.append({"name": table.name, "rows": table.rows, "candidate_keys": list(table.candidate_keys), "columns": columns})
    return {"tables": tables, "foreign_keys": [key.model_dump(mode="json") for key in profiled.profile.foreign_keys]}


def profile_table(profiled: Profiled, console: Console) -> None:
    """One table per input table, a line per column."""
    from rich.text import Text

    for table in profiled.profile.tables:
        shown = _table(f"{table.name}: {_count(table.rows)} rows", "column", "type", "nulls", "distinct", "role", "entity", "conf.", "why")
        for column in table.columns:
            finding = profiled.findings.of(table.name, column.name)
            shown.add_row(
                clean_name(column.name, 40),
                column.type.value,
                _percent(column.null_rate),
                _distinct(column),
                Text(finding.role.value, style=_ROLE_STYLE[finding.role.value]),
                finding.entity or "",
                f"{finding.confidence:.2f}",
                why(column, finding),
            )
        console.print(shown)
    for key in profiled.profile.foreign_keys:
        console.print(
            f"{clean_name(key.table)}.{clean_name(key.column)} refers to {clean_name(key.parent_table)}.{clean_name(key.parent_column)}"
        )


def why(column: ColumnProfile, finding: Finding) -> str:
    """The strongest evidence in a few words."""
    parts = []
    if column.constant:
        parts.append("constant")
    if column.duplicate_of:
        parts.append(f"same as {clean_name(column.duplicate_of, 30)}")
    if column.determined_by:
        parts.append(f"determined by {clean_name(column.determined_by, 30)}")
    parts += [_evidence(evidence) for evidence in sorted(finding.evidence, key=lambda e: -abs(e.weight))[:2]]
    parts += [f"stray {evidence.entity or evidence.rule}: {_count(evidence.hits or 0)}" for evidence in finding.stray[:2]]
    return "; ".join(parts)


def _evidence(evidence: Evidence) -> str:
    counted = f": {_count(evidence.hits)} of {_count(evidence.of)}" if evidence.hits is not None and evidence.of else ""
    who = evidence.rule if ":" in evidence.rule else f"{evidence.source} {evidence.rule}"
    return f"{who}{counted}"


def _distinct(column: ColumnProfile) -> str:
    return ("" if column.distinct_exact else "≈") + _count(column.distinct)


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _percent(share: float) -> str:
    return "" if share == 0 else ("<0.1 %" if share < 0.001 else f"{share:.1%}".replace("%", " %"))


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
    }


def plan_table(plan: Plan, console: Console) -> None:
    """One table per input table: every column, its action, the reason, who says so."""
    from rich.text import Text

    lines = explain_plan(plan)
    for table in plan.tables:
        shown = _table(table.name, "column", "role", "entity", "action", "decided by", "reason")
        for line in (line for line in lines if line.table == table.name):
            decided = line.rule if line.status == Status.DECIDED else line.status.upper()
            style = "" if line.status == Status.DECIDED else "bold yellow"
            shown.add_row(
                clean_name(line.column, 40), Text(line.role, style=_ROLE_STYLE[line.role]), line.entity, line.action,
                Text(decided, style=style), clean_name(line.reason, 200),
            )  # fmt: skip
        console.print(shown)
        if table.classes is not None:
            classes = table.classes
            names = ", ".join(clean_name(name, 30) for name in classes.quasi_identifiers)
            how = "optimal" if classes.search_complete else "best found, search cut"
            console.print(
                f"k={classes.k} on ({names}): {_count(classes.suppressed_rows)} rows suppressed, loss {classes.loss or 0:.3f} "
                f"({how}, {classes.nodes_checked} nodes)"
            )


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
    shown = _table(f"release {found.release_id}", "claim", "status", "claimed", "found")
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


# --------------------------------------------------------------------------------------------------------------------------- rules


def _summary(kind: type[Action]) -> str:
    return (kind.__doc__ or "").split("\n\n", maxsplit=1)[0].replace("\n    ", " ")


def _action_json(name: str, kind: type[Action]) -> dict[str, Any]:
    parameters = {
        key: (field.description or "").replace("\n", " ")
        + (" (required)" if field.is_required() else f" (default: {field.get_default()})" if field.get_default() is not None else "")
        for key, field in kind.model_fields.items()
        if key not in {"action", "recode", "resolved", "model"}
    }
    return {
        "kind": "action", "name": name, "description": (kind.__doc__ or "").replace("\n    ", "\n"), "scope": kind.scope.value,
        "accepts": sorted(kind.accepts), "output": kind.output.value if kind.output else "the input's type", "masking": kind.masking,
        "keyed": kind.keyed, "parameters": parameters,
    }  # fmt: skip


def _all_packs(more: tuple[str, ...]) -> dict[str, Pack]:
    return {pack.name: pack for pack in load_rules((*list_packs(), *more), base=Path()).packs}


def rules_json(packs: tuple[str, ...]) -> dict[str, Any]:
    """Everything `tamis rules list` shows."""
    rules = load_rules(packs, base=Path())
    return {
        "actions": {name: _summary(kind) for name, kind in ACTIONS.items()},
        "packs": [{"name": pack.name, "description": pack.description} for pack in _all_packs(packs).values()],
        "entities": {name: {"role": entity.role.value, "description": entity.description} for name, entity in rules.entities.items()},
    }


def rules_table(packs: tuple[str, ...], console: Console) -> None:
    """Actions, packs and entities."""
    listed = rules_json(packs)
    shown = _table("actions", "name", "what it does")
    for name, summary in listed["actions"].items():
        shown.add_row(name, summary)
    console.print(shown)
    shown = _table("packs", "name", "what it does")
    for pack in listed["packs"]:
        shown.add_row(pack["name"], pack["description"])
    console.print(shown)
    shown = _table("entities", "name", "role", "what it is")
    for name, entity in listed["entities"].items():
        shown.add_row(name, entity["role"], entity["description"])
    console.print(shown)


def rule_json(name: str) -> dict[str, Any]:
    """One action, entity or pack."""
    if name in ACTIONS:
        return _action_json(name, ACTIONS[name])
    rules = load_rules((), base=Path())
    if name in rules.entities:
        return {"kind": "entity", "name": name} | _plain(rules.entities[name])
    packs = _all_packs(())
    if name in packs:
        return {"kind": "pack"} | _plain(packs[name])
    raise UsageError(
        "unknown_rule",
        f"There is no action, entity or pack '{clean_name(name)}'.",
        hint=did_you_mean(name, [*ACTIONS, *rules.entities, *packs]),
    )


def _plain(value: object) -> dict[str, Any]:
    return dict(TypeAdapter(type(value)).dump_python(value, mode="json"))


def rule_text(name: str) -> str:
    """The same for people."""
    shown = rule_json(name)
    lines = [f"{shown.pop('name')} ({shown.pop('kind')})", "", str(shown.pop("description", "")), ""]
    for key, value in shown.items():
        if isinstance(value, dict):
            lines.append(f"{key}:")
            lines += [f"  {inner}: {_phrase(detail)}" for inner, detail in value.items()]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines.append(f"{key}:")
            lines += [f"  - {_phrase(item)}" for item in value]
        else:
            lines.append(f"{key}: {_phrase(value)}")
    return "\n".join(lines)


def _phrase(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_phrase(inner)}" for key, inner in value.items() if inner not in ("", None, (), [], {}))
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


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
    shown = _table("measures that gates may name", "measure", "default gate", "meaning")
    for name, meaning in listed["measures"].items():
        gate = by_measure.get(name, {})
        bound = " ".join(f"{word} {gate[word]:g}" for word in ("min", "max") if word in gate)
        shown.add_row(name, f"{bound} ({gate['severity']})" if gate else "", meaning)
    console.print(shown)


_DOCUMENTS: dict[str, type[BaseModel]] = {
    "policy.schema.json": Policy,
    "plan.schema.json": Plan,
    "profile.schema.json": DatasetProfile,
    "verdict.schema.json": Verdict,
    "manifest.schema.json": Manifest,
}


def document_schemas() -> dict[str, str]:
    """JSON Schema (2020-12) of every document, as the text of the files in schemas/."""
    return {
        name: pretty_json(
            {"$schema": "https://json-schema.org/draft/2020-12/schema"} | model.model_json_schema(by_alias=True, mode="validation")
        )
        for name, model in _DOCUMENTS.items()
    }

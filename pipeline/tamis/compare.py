"""What differs between two plans, two releases, or a plan and a release: in sentences, the riskier ones first.

Both sides are brought to one view (what a manifest and a plan both know), so that any pair can be compared. No cell values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tamis.core.actions import is_resolved
from tamis.core.canonical import canonical_json
from tamis.core.errors import clean_name, listed
from tamis.core.plan import Plan, TablePlan
from tamis.core.record import Manifest, ManifestTable

Weight = Literal["riskier", "safer", "other"]
_ORDER: Mapping[Weight, int] = {"riskier": 0, "other": 1, "safer": 2}

_HIGHER_IS_BETTER = frozenset(
    {
        "risk.k", "risk.l", "risk.k_joined", "risk.k_releases", "utility.column_shapes", "utility.pair_trends", "suite.contract",
        "suite.user", "suite.utility",
    }
)  # fmt: skip
_STRENGTH = {
    "drop": 9, "synthesize": 7, "fake": 7, "redact": 5, "pseudonymize": 5, "shift_dates": 4, "generalize": 4, "suppress_rare": 2,
    "top_bottom_code": 1, "keep": 0,
}  # fmt: skip
"""how much an action hides of the original, roughly: decides whether a change is called riskier"""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: B against A."""

    weight: Weight
    table: str | None
    column: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class ColumnView:
    """A column as both a plan and a manifest know it."""

    action: str
    parameters: str | None
    """canonical JSON; None where it is not known"""
    role: str
    entity: str | None
    reason: str
    type: str | None


@dataclass(frozen=True, slots=True)
class TableView:
    """A table as both a plan and a manifest know it."""

    columns: Mapping[str, ColumnView]
    quasi_identifiers: tuple[str, ...]
    unit: str | None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class View:
    """One side of the comparison."""

    label: str
    purpose: str
    tables: Mapping[str, TableView]
    privacy: Mapping[str, Any]
    facts: Mapping[str, str]
    """policy, packs, versions, key: digests and names"""
    figures: Mapping[str, float] = field(default_factory=dict)
    gates: Mapping[str, str] = field(default_factory=dict)


def view_of_plan(plan: Plan) -> View:
    """A plan as a side of the comparison."""
    privacy = plan.privacy.model_dump(mode="json", exclude_none=True, exclude={"population"})
    figures: dict[str, float] = {}
    for table in plan.tables:
        if table.classes is not None and table.classes.loss is not None:
            figures[f"plan.loss@{table.name}"] = table.classes.loss
            figures[f"plan.suppressed_rows@{table.name}"] = table.classes.suppressed_rows
    gates = {gate.measure: canonical_json(gate.model_dump(mode="json", exclude_none=True)) for gate in plan.gates}
    facts = {"policy": plan.policy_digest, "key": plan.key_id or ""}
    facts |= {f"pack {name}": digest for name, digest in plan.packs.items()} | {f"version of {k}": v for k, v in plan.versions.items()}
    return View(
        f"plan {plan.digest[:12]}", plan.purpose, {table.name: _planned(table) for table in plan.tables}, privacy, facts, figures, gates
    )


def view_of_release(manifest: Manifest) -> View:
    """A release as a side of the comparison."""
    facts = {"policy": manifest.policy_digest, "key": manifest.key_id or ""}
    facts |= {f"pack {name}": digest for name, digest in manifest.packs.items()}
    facts |= {f"version of {name}": version for name, version in manifest.versions.items()}
    figures = {measure.name: measure.value for measure in manifest.measures if "." not in measure.name.partition("@")[2]}
    gates = {one.gate.measure: canonical_json(one.gate.model_dump(mode="json", exclude_none=True)) for one in manifest.gates}
    tables = {table.name: _released(table) for table in manifest.tables}
    privacy = {"k": manifest.k} | ({"l": manifest.l} if manifest.l is not None else {})
    return View(f"release {manifest.release_id[:12]}", manifest.purpose, tables, privacy, facts, figures, gates)


def _planned(table: TablePlan) -> TableView:
    columns = {
        column.name: ColumnView(
            column.action.action,
            canonical_json(column.action.model_dump(mode="json", exclude_none=True, exclude={"model"}))
            if is_resolved(column.action)
            else None,
            column.role.value,
            column.entity,
            column.reason,
            column.type.value,
        )
        for column in table.columns
    }
    quasi = table.classes.quasi_identifiers if table.classes else ()
    return TableView(columns, quasi, table.unit)


def _released(table: ManifestTable) -> TableView:
    columns = {
        column.name: ColumnView(column.action, None, column.role.value, column.entity, column.reason, None) for column in table.columns
    }
    return TableView(columns, table.quasi_identifiers, table.unit, table.rows)


def compare(a: View, b: View) -> tuple[Change, ...]:
    """Every difference of `b` against `a`: the riskier first, then in the order of tables and columns. Empty when there is none."""
    changes = [*_whole(a, b), *_figures(a, b), *_tables(a, b)]
    return tuple(sorted(changes, key=lambda change: _ORDER[change.weight]))


def _whole(a: View, b: View) -> Iterator[Change]:
    if a.purpose != b.purpose:
        yield Change("other", None, None, "the purpose is worded differently")
    for name in sorted(a.privacy.keys() & b.privacy.keys()):
        before, now = a.privacy[name], b.privacy[name]
        if before != now:
            weight: Weight = "other"
            if name in {"k", "l", "k_map"} and isinstance(before, int | float) and isinstance(now, int | float):
                weight = "riskier" if now < before else "safer"
            yield Change(weight, None, None, f"privacy.{name}: {before} → {now}")
    for name in sorted(set(a.gates) | set(b.gates)):
        before, now = a.gates.get(name), b.gates.get(name)
        if before != now and (before is None) == (now is None):
            yield Change("other", None, None, f"the gate on {clean_name(name)} is different: {before} → {now}")
    for name in sorted(set(a.facts) | set(b.facts)):
        before, now = a.facts.get(name, ""), b.facts.get(name, "")
        if before == now:
            continue
        if name.startswith("pack ") and not now:
            yield Change("riskier", None, None, f"{name} is no longer in force")
        elif name.startswith("pack ") and not before:
            yield Change("safer", None, None, f"{name} is now in force")
        elif name.startswith("version of "):
            yield Change("other", None, None, f"{name}: {before or 'none'} → {now or 'none'}")
        else:
            yield Change("other", None, None, f"{name} is different: {before[:12] or 'none'} → {now[:12] or 'none'}")


def _figures(a: View, b: View) -> Iterator[Change]:
    for name in sorted(a.figures.keys() & b.figures.keys()):
        before, now = a.figures[name], b.figures[name]
        if before == now:
            continue
        family, _, table = name.partition("@")
        risky = family.startswith(("risk.", "leak.", "attack."))
        worse = now < before if family in _HIGHER_IS_BETTER else now > before
        weight: Weight = "other" if not risky else "riskier" if worse else "safer"
        yield Change(weight, table or None, None, f"{clean_name(name, 160)}: {before:g} → {now:g}")


def _tables(a: View, b: View) -> Iterator[Change]:
    for name in [*a.tables, *(name for name in b.tables if name not in a.tables)]:
        if name not in b.tables:
            yield Change("safer", name, None, f"table '{clean_name(name)}' is gone")
        elif name not in a.tables:
            leaving = [column for column, one in b.tables[name].columns.items() if one.action != "drop"]
            said = f"table '{clean_name(name)}' is new; {len(leaving)} of its columns leave: {listed(leaving)}" if leaving else "is new"
            yield Change("riskier" if leaving else "other", name, None, said)
        else:
            yield from _columns(name, a.tables[name], b.tables[name])


def _columns(table: str, a: TableView, b: TableView) -> Iterator[Change]:
    gone = [name for name in a.quasi_identifiers if name not in b.quasi_identifiers and name in b.columns]
    leaving = [name for name in gone if b.columns[name].action != "drop"]
    if leaving:
        yield Change("riskier", table, None, f"no longer treated as quasi-identifiers and still released: {listed(leaving)}")
    if more := [name for name in b.quasi_identifiers if name not in a.quasi_identifiers]:
        yield Change("safer", table, None, f"now treated as quasi-identifiers: {listed(more)}")
    if a.unit != b.unit:
        said = f"persons are counted by {_named(b.unit)}, before by {_named(a.unit)}"
        yield Change("riskier" if b.unit is None else "other", table, None, said)
    if a.rows is not None and b.rows is not None and a.rows != b.rows:
        yield Change("other", table, None, f"rows released: {a.rows} → {b.rows}")
    for name in [*a.columns, *(name for name in b.columns if name not in a.columns)]:
        yield from _column(table, name, a.columns.get(name), b.columns.get(name))


def _named(column: str | None) -> str:
    return f"'{clean_name(column)}'" if column else "row"


def _column(table: str, name: str, a: ColumnView | None, b: ColumnView | None) -> Iterator[Change]:
    shown = f"'{clean_name(name)}'"
    if a is None or b is None:
        if b is None:
            yield Change("other", table, name, f"column {shown} is not there any more")
        elif b.action == "drop":
            yield Change("other", table, name, f"column {shown} is new and does not leave")
        else:
            yield Change("riskier", table, name, f"column {shown} is new and leaves: {b.action}")
        return
    if a.type is not None and b.type is not None and a.type != b.type:
        yield Change("other", table, name, f"{shown} is {b.type}, before {a.type}")
    if (a.role, a.entity) != (b.role, b.entity):
        said = f"{shown} is judged {b.role} ({b.entity or 'no entity'}), before {a.role} ({a.entity or 'no entity'})"
        yield Change("riskier" if b.role == "none" and a.role != "none" and b.action != "drop" else "other", table, name, said)
    if a.action != b.action:
        less = _STRENGTH.get(b.action, 0) - _STRENGTH.get(a.action, 0)
        newly = " and now leaves" if a.action == "drop" else ""
        weight: Weight = "riskier" if less < 0 else "safer" if less > 0 else "other"
        yield Change(weight, table, name, f"{shown}: {a.action} → {b.action}{newly}")
    elif a.parameters is not None and b.parameters is not None and a.parameters != b.parameters:
        yield Change("other", table, name, f"{shown}: {a.action} with other parameters")

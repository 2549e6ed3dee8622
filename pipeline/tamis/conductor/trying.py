"""Trying a plan before anything is written: how many rows would leave, which keys single people out, what would leak.

Everything is computed lazily on the plan's own actions; proxies are not needed for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import polars as pl

from tamis.conductor.applying import parents_first
from tamis.core.actions import Drop, Everything, Generalize, Synthesize
from tamis.core.plan import ColumnPlan, Plan, Status, TablePlan
from tamis.core.ports import KeyRing
from tamis.core.types import Role, Table
from tamis.transform import apply_table
from tamis.verify.joined import joined_risk, joined_roots
from tamis.verify.leak import scan_leaks
from tamis.verify.shapes import Shape, shapes_of_plan


def rows_lost(plan: Plan, tables: tuple[Table, ...], keyring: KeyRing, known: Mapping[str, pl.LazyFrame] | None = None) -> dict[str, float]:
    """Share of each table's rows that would be left out: small classes, and children of rows left out."""
    guarded = plan.privacy.l is not None or plan.privacy.t is not None
    lean = plan.model_copy(update={"tables": tuple(_classes_only(table, guarded) for table in plan.tables)})
    return {name: lost for name, (lost, _) in _applied(lean, tables, keyring, known).items()}


def above_limit(
    plan: Plan, tables: tuple[Table, ...], keyring: KeyRing, known: Mapping[str, pl.LazyFrame] | None = None
) -> tuple[str, ...]:
    """Tables that lose more rows than `max_suppressed` because rows of their parents are left out.

    `known` is the declared population by table. Costs nothing where no parent loses a row.
    """
    losing = {table.name for table in plan.tables if table.classes is not None and table.classes.suppressed_rows}
    affected = [table.name for table in plan.tables if losing & ancestors(plan, table.name)]
    if not affected:
        return ()
    lost = rows_lost(plan, tables, keyring, known)
    return tuple(name for name in affected if lost[name] > plan.privacy.max_suppressed)


def ancestors(plan: Plan, name: str) -> set[str]:
    """The tables whose rows take rows of this one with them."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for reference in plan.table(waiting.pop()).references:
            if reference.parent_table not in found | {name}:
                found.add(reference.parent_table)
                waiting.append(reference.parent_table)
    return found


def _classes_only(table: TablePlan, with_sensitive: bool) -> TablePlan:
    """The same table with only what decides which rows stay."""
    quasi = set(table.classes.quasi_identifiers) if table.classes else set()

    def needed(column: ColumnPlan) -> bool:
        sensitive = with_sensitive and column.role is Role.SENSITIVE and not isinstance(column.action, Synthesize)
        return column.name in quasi or sensitive

    columns = tuple(_decided(c if needed(c) else c.model_copy(update={"action": Drop()})) for c in table.columns)
    return table.model_copy(update={"columns": columns, "keep_order": None})


def _decided(column: ColumnPlan) -> ColumnPlan:
    """Trying decides nothing: what comes out are figures."""
    return column.model_copy(update={"status": Status.DECIDED})


def _applied(
    plan: Plan, tables: tuple[Table, ...], keyring: KeyRing, known: Mapping[str, pl.LazyFrame] | None = None
) -> dict[str, tuple[float, pl.LazyFrame]]:
    suppressed: dict[tuple[str, str], pl.Series] = {}
    by_name = {table.name: table for table in tables}
    out = {}
    for table in parents_first(plan.tables):
        population = (known or {}).get(table.name)
        done = apply_table(
            by_name[table.name], plan, keyring=keyring, scope="trial", spans=None, suppressed=suppressed, population=population
        )
        suppressed |= {(table.name, column): values for column, values in done.suppressed_keys.items()}
        released = {column.name for column in table.released}
        places = [place for place, name in enumerate(done.frame.collect_schema().names()) if name in released]
        lost = done.suppressed_rows / max(1, by_name[table.name].rows)
        out[table.name] = lost, done.frame.select(pl.nth(places)) if places else pl.LazyFrame()
    return out


# ---------------------------------------------------------------------------------------------------------- what a draft should not do


def objections(plan: Plan, tables: tuple[Table, ...], keyring: KeyRing) -> dict[tuple[str, str], str]:
    """(table, column) that the draft should drop, with the reason: what a run of this plan would stumble over.

    First columns of which nothing would be left, then classes that cannot be had, keys that single people out, leaks.
    """
    if found := dict(_nothing_left(plan)):
        return found
    without_proxies = _without_proxies(plan)
    applied = _applied(without_proxies, tables, keyring)
    if found := dict(_impossible(plan, {name: lost for name, (lost, _) in applied.items()})):
        return found
    after = {name: frame for name, (_, frame) in applied.items()}
    if found := dict(_keys_that_single_out(shapes_of_plan(without_proxies), after, plan)):
        return found
    before = {table.name: table for table in tables}
    return dict(_leaking(before, after, without_proxies))


def _without_proxies(plan: Plan) -> Plan:
    def lean(table: TablePlan) -> TablePlan:
        columns = tuple(_decided(c.model_copy(update={"action": Drop()}) if isinstance(c.action, Synthesize) else c) for c in table.columns)
        return table.model_copy(update={"columns": columns, "keep_order": None})

    return plan.model_copy(update={"tables": tuple(lean(table) for table in plan.tables)})


def _nothing_left(plan: Plan) -> Iterator[tuple[tuple[str, str], str]]:
    for table, column in plan.walk():
        if isinstance(column.action, Generalize) and isinstance(column.action.recode, Everything):
            yield (table, column.name), f"identifies in combination, and at k={plan.privacy.k} nothing would be left of it"


def _impossible(plan: Plan, lost: Mapping[str, float]) -> Iterator[tuple[tuple[str, str], str]]:
    """Of a table that loses too many rows of its own, the quasi-identifier that the search had to coarsen most."""
    for table in plan.tables:
        shape = table.classes
        if shape is None or lost[table.name] <= plan.privacy.max_suppressed or not shape.suppressed_rows:
            continue
        coarse = {name: shape.levels.get(name, 0) / max(1, shape.heights.get(name, 1)) for name in shape.quasi_identifiers}
        worst = max(coarse, key=lambda name: (coarse[name], name))
        yield (table.name, worst), f"identifies in combination, and with it k={plan.privacy.k} would cost too many rows"


def _keys_that_single_out(
    shapes: Mapping[str, Shape], after: Mapping[str, pl.LazyFrame], plan: Plan
) -> Iterator[tuple[tuple[str, str], str]]:
    """Keys are added one by one; those with which the joined record of some person is shared by fewer than k are left out."""

    def with_keys(kept: set[tuple[str, str]]) -> dict[str, Shape]:
        return {name: _with_keys(shape, {column for table, column in kept if table == name}) for name, shape in shapes.items()}

    def holds(kept: set[tuple[str, str]]) -> bool:
        chosen = with_keys(kept)
        return not joined_roots(chosen) or all(m.value >= plan.privacy.k or not m.of for m in joined_risk(after, chosen))

    edges = [(name, ref[0]) for name, shape in shapes.items() for ref in shape.references]
    if holds(set(edges)) or not holds(set()):
        return
    kept: set[tuple[str, str]] = set()
    for edge in edges:
        if holds(kept | {edge}):
            kept.add(edge)
        else:
            yield edge, "keys rows to a person, and the rows that share it would single that person out"


def _with_keys(shape: Shape, kept: set[str]) -> Shape:
    """The table without its other keys; one that is left out does not tell either which of its rows are one person's."""
    gone = {column for column, _, _ in shape.references} - kept
    references = tuple(reference for reference in shape.references if reference[0] in kept)
    hidden = shape.unit is not None and shape.unit in gone
    return replace(
        shape,
        references=references,
        domains=tuple(pair for pair in shape.domains if pair[0] not in gone),  # equal tokens join without a reference too
        unit=None if hidden else shape.unit,
        hidden_unit=shape.unit if hidden else shape.hidden_unit,
    )


def _leaking(before: Mapping[str, Table], after: Mapping[str, pl.LazyFrame], plan: Plan) -> Iterator[tuple[tuple[str, str], str]]:
    for measure in scan_leaks(before, after, plan):
        family, _, place = measure.name.partition("@")
        table, _, column = place.partition(".")
        if family == "leak.cells" and place and measure.value:
            yield (table, column), "holds values that identify persons elsewhere in these tables"

"""What this room needs to know of a released table, from a plan (before publishing) or a manifest (from the release alone)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tamis.core.actions import ACTIONS, Redact
from tamis.core.plan import ColumnPlan, Plan, TablePlan
from tamis.core.record import Manifest
from tamis.core.types import Role


@dataclass(frozen=True, slots=True)
class Shape:
    """Who can be singled out by what in one released table."""

    name: str
    quasi: tuple[str, ...]
    """released columns that identify in combination"""
    sensitive: tuple[str, ...]
    """released private attributes whose values are people's own (proxies are not)"""
    unit: str | None
    """released column that names a person"""
    hidden_unit: str | None
    """input column that names a person and is not released"""
    personal: bool
    """whether rows are people: the table had a column that identifies directly"""
    references: tuple[tuple[str, str, str], ...]
    """(column, parent table, parent column), both ends released"""


def quasi_identifiers(table: TablePlan) -> tuple[str, ...]:
    """Released quasi-identifiers: the ones the plan's classes are made of, else every released column of that role.

    Proxies, pseudonyms and redacted texts are left out of the second, as planning does: nobody knows a target's value in them.
    """
    if table.classes is not None:
        released = {column.name for column in table.released}
        return tuple(name for name in table.classes.quasi_identifiers if name in released)
    return tuple(
        column.name
        for column in table.released
        if column.role is Role.QUASI and not _proxied(column) and not isinstance(column.action, Redact)
    )


def sensitive_columns(table: TablePlan) -> tuple[str, ...]:
    """Released private attributes that are not proxies and not quasi-identifiers."""
    quasi = set(quasi_identifiers(table))
    return tuple(c.name for c in table.released if c.role is Role.SENSITIVE and c.name not in quasi and not _proxied(c))


def _proxied(column: ColumnPlan) -> bool:
    return type(column.action).keyed and column.action.action != "shift_dates"


def shapes_of_plan(plan: Plan) -> dict[str, Shape]:
    """Shapes of every table of a plan."""
    shapes = {}
    for table in plan.tables:
        released = {column.name for column in table.released}
        unit = _unit_of(table, plan)
        shapes[table.name] = Shape(
            name=table.name,
            quasi=quasi_identifiers(table),
            sensitive=sensitive_columns(table),
            unit=unit if unit in released else None,
            hidden_unit=unit if unit is not None and unit not in released else None,
            personal=any(column.role is Role.DIRECT for column in table.columns),
            references=tuple((ref.column, ref.parent_table, ref.parent_column) for ref in table.references),
        )
    return _with_both_ends(shapes, {table.name: {column.name for column in table.released} for table in plan.tables})


def _unit_of(table: TablePlan, plan: Plan) -> str | None:
    names = {column.name for column in table.columns}
    if table.classes is not None and table.classes.unit is not None:
        return table.classes.unit if table.classes.unit in names else None
    if plan.privacy.unit is not None:
        where, _, column = plan.privacy.unit.partition(".")
        if where == table.name and column in names:
            return column
    return None


def shapes_of_manifest(manifest: Manifest) -> dict[str, Shape]:
    """Shapes of every table of a release, as its manifest states them."""
    shapes = {}
    for table in manifest.tables:
        released = {column.name for column in table.columns if column.released}
        proxies = {c.name for c in table.columns if (kind := ACTIONS.get(c.action)) and kind.keyed and c.action != "shift_dates"}
        shapes[table.name] = Shape(
            name=table.name,
            quasi=tuple(name for name in table.quasi_identifiers if name in released),
            sensitive=tuple(name for name in table.sensitive if name in released - proxies - set(table.quasi_identifiers)),
            unit=table.unit if table.unit in released else None,
            hidden_unit=table.unit if table.unit is not None and table.unit not in released else None,
            personal=any(column.role is Role.DIRECT for column in table.columns),
            references=table.references,
        )
    return _with_both_ends(shapes, {table.name: {c.name for c in table.columns if c.released} for table in manifest.tables})


def _with_both_ends(shapes: Mapping[str, Shape], released: Mapping[str, set[str]]) -> dict[str, Shape]:
    def both(name: str, refs: Iterable[tuple[str, str, str]]) -> tuple[tuple[str, str, str], ...]:
        return tuple(ref for ref in refs if ref[0] in released[name] and ref[1] in released and ref[2] in released[ref[1]])

    return {name: replace(shape, references=both(name, shape.references)) for name, shape in shapes.items()}

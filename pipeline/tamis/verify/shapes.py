"""What this room needs to know of a released table, from a plan (before publishing) or a manifest (from the release alone)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from tamis.core.actions import ACTIONS, Redact, stable_domain
from tamis.core.plan import ColumnPlan, Plan, TablePlan
from tamis.core.policy import Privacy
from tamis.core.record import Manifest
from tamis.core.types import Role

_BY_OTHERS = ("person", "gender_from", "locale_from")
"""parameters with which a fake depends on more than its own value"""


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
    domains: tuple[tuple[str, str], ...] = ()
    """(released column, pseudonym domain): equal persons have equal tokens there in every table of the release"""
    stable: tuple[tuple[str, str], ...] = ()
    """those of `domains` whose tokens are the same in other releases"""


@dataclass(frozen=True, slots=True)
class Models:
    """The disclosure models that a release claims, as far as verifying needs them; fields as in `policy.Privacy`."""

    k: int = 2
    l: float | None = None
    diversity: str = "distinct"
    c: float | None = None
    t: float | None = None
    distance: str = "equal"
    k_map: int | None = None
    presence: tuple[float, float] | None = None
    population_size: int | None = None
    risk_threshold: float = 0.2

    @classmethod
    def of(cls, stated: Privacy | Manifest) -> Models:
        """The models stated by a policy or a manifest."""
        return cls(**{field.name: getattr(stated, field.name) for field in fields(cls)})


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
            domains=tuple(
                (column.name, f"{column.action.action}:{domain}")
                for column in table.released
                if (domain := _domain(column.action.action, column.action.model_dump(include={"domain", "unique", "kind", *_BY_OTHERS})))
            ),
            stable=tuple((column.name, domain) for column in table.released if (domain := stable_domain(column.action))),
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
            domains=tuple(
                (column.name, f"{column.action}:{domain}")
                for column in table.columns
                if column.released and (domain := _domain(column.action, column.parameters))
            ),
            stable=tuple(
                (column.name, domain)
                for column in table.columns
                if column.released and (domain := _stable_domain(column.action, column.parameters))
            ),
        )
    return _with_both_ends(shapes, {table.name: {c.name for c in table.columns if c.released} for table in manifest.tables})


def _stable_domain(action: str, parameters: Mapping[str, Any]) -> str | None:
    """As `core.actions.stable_domain`, of an action as a manifest states it."""
    if parameters.get("link") != "stable" or action not in ("pseudonymize", "fake"):
        return None
    fields = {word: value for word, value in parameters.items() if word in ("domain", "link", "kind", "person")}
    return stable_domain(ACTIONS[action].model_validate(fields))


def _domain(action: str, parameters: Mapping[str, Any]) -> str | None:
    """The domain in which an action maps equal values to equal ones and different values to different ones; None when it does not."""
    if action == "pseudonymize":
        return str(parameters.get("domain"))
    if action == "fake" and parameters.get("unique") and not any(parameters.get(word) for word in _BY_OTHERS):
        return str(parameters.get("domain") or parameters.get("kind"))
    return None


def _with_both_ends(shapes: Mapping[str, Shape], released: Mapping[str, set[str]]) -> dict[str, Shape]:
    def both(name: str, refs: Iterable[tuple[str, str, str]]) -> tuple[tuple[str, str, str], ...]:
        return tuple(ref for ref in refs if ref[0] in released[name] and ref[1] in released and ref[2] in released[ref[1]])

    return {name: replace(shape, references=both(name, shape.references)) for name, shape in shapes.items()}

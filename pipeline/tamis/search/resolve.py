"""Resolve a table's open actions on its data: levels (or cells) that satisfy the disclosure model, kept values, clip bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from tamis.core.actions import AnyAction, AsCell, AsIs, Everything, Generalize, Prefix, SuppressRare, TopBottomCode
from tamis.core.errors import PolicyError, clean_name
from tamis.core.plan import Alternative, Cell, Classes, ColumnPlan, TablePlan
from tamis.core.policy import Privacy
from tamis.core.ports import Progress
from tamis.core.types import Table, TableProfile
from tamis.search.ladders import Hierarchies, Hierarchy, stated_recode
from tamis.search.lattice import WORK, Found, find_node
from tamis.search.literals import clip_bounds, counted
from tamis.search.local import BUDGET, Cells, find_cells
from tamis.search.space import Asked, Space, build_space
from tamis.search.tuples import Node

_MOST_VALUES = 100_000


@dataclass(frozen=True, slots=True)
class Resolved:
    """What planning learned from a table's data."""

    actions: Mapping[str, AnyAction]
    classes: Classes | None
    warnings: tuple[str, ...] = ()
    space: Space | None = field(default=None, repr=False)
    """what was searched: for further searches on the same data; holds codes, is never written"""


def resolve_table(
    table: Table,
    plan: TablePlan,
    profile: TableProfile,
    privacy: Privacy,
    hierarchies: Hierarchies,
    progress: Progress | None = None,
    *,
    known: Mapping[str, Hierarchy] | None = None,
    population: pl.LazyFrame | None = None,
) -> Resolved:
    """Fill in every literal the plan of `table` leaves open (except proxy models).

    `known` are hierarchies that are used where they have nearly all values of a column; `population` has the quasi-identifiers under
    their names and in their types. Streams the table a few times; memory is that of the distinct quasi-identifier tuples.
    Raises PolicyError for a level that a column does not have.
    """
    actions: dict[str, AnyAction] = {}
    for column in plan.columns:
        resolved = _literal(table, column, profile, privacy.k, plan.unit, hierarchies)
        if resolved is not None:
            actions[column.name] = resolved
    if plan.classes is None:
        return Resolved({**actions, **_without_level(plan, actions)}, None)
    if progress is not None:
        progress.note(f"{clean_name(plan.name)}: ladders of {len(plan.classes.quasi_identifiers)} quasi-identifiers")
    space = build_space(Asked(table, plan, profile, actions, hierarchies, known or {}, population))
    if progress is not None:
        progress.note(f"{clean_name(plan.name)}: {privacy.recoding} search over {len(space.tuples.rows)} distinct combinations")
    search = _locally if privacy.recoding == "local" else _full_domain
    done = search(plan, space, privacy, progress)
    rest = _without_level(plan, {**actions, **done.actions})
    return replace(done, actions={**actions, **done.actions, **rest})


def pick_alternative(plan: TablePlan, resolved: Resolved, number: int) -> Resolved:
    """The same table at alternative `number` (from 1) of those that the search found. Raises PolicyError when there is none."""
    found = resolved.classes.alternatives if resolved.classes else ()
    if resolved.space is None or resolved.classes is None or not 1 <= number <= len(found):
        raise PolicyError(
            "no_such_alternative",
            f"Table '{clean_name(plan.name)}' has no alternative {number}: there are {len(found)}.",
            hint="tamis plan --explain lists them.",
        )
    picked, space = found[number - 1], resolved.space
    node = tuple(picked.levels[axis.column.name] - offset for axis, offset in zip(space.axes, space.offsets, strict=True))
    classes = resolved.classes.model_copy(
        update={
            "levels": picked.levels,
            "loss": picked.loss,
            "suppressed_rows": picked.suppressed_rows,
            "search_complete": resolved.classes.search_complete and picked.loss == resolved.classes.loss,
        }
    )
    levels = {axis.column.name: node[place] + space.offsets[place] for place, axis in enumerate(space.axes)}
    pinned = {name: action.model_copy(update={"level": levels[name]}) for name, action in _at_node(plan, space, node).items()}
    return replace(resolved, actions={**resolved.actions, **pinned}, classes=classes)


# ------------------------------------------------------------------------------------------------------------------------- literals


def _literal(
    table: Table, column: ColumnPlan, profile: TableProfile, k: int, unit: str | None, hierarchies: Hierarchies
) -> AnyAction | None:
    """The action with its literals; None where the search for levels decides, or nothing is open."""
    action = column.action
    match action:
        case SuppressRare():
            least = action.min_count or k
            values = action.values if action.values is not None else tuple(counted(table, column.name, unit, least)["value"].to_list())
            return action.model_copy(update={"min_count": least, "values": tuple(sorted(values)[:_MOST_VALUES])})
        case TopBottomCode() if not action.resolved:
            lower, upper = clip_bounds(table, column.name, action, k, unit)
            return action.model_copy(update={"lower": lower, "upper": upper, "resolved": True})
        case Generalize(to="auto", recode=Prefix(restricted=restricted)) if restricted:
            return None  # a pack says where the ladder begins
        case Generalize() if action.recode is None and action.to != "auto":
            levels = dict(hierarchies(action.hierarchy)) if action.to == "hierarchy" and action.hierarchy else None
            return action.model_copy(update={"recode": stated_recode(action, profile.column(column.name), levels)})
        case Generalize() if action.recode is not None:
            return action
        case _:
            return None


def _without_level(plan: TablePlan, actions: Mapping[str, AnyAction]) -> dict[str, AnyAction]:
    """`generalize: auto` on a column that is no quasi-identifier needs no level."""
    return {
        c.name: c.action.model_copy(update={"recode": c.action.recode or AsIs()})
        for c in plan.columns
        if isinstance(c.action, Generalize) and c.name not in actions
    }


# ---------------------------------------------------------------------------------------------------------------------- full domain


def _full_domain(plan: TablePlan, space: Space, privacy: Privacy, progress: Progress | None) -> Resolved:
    found = find_node(space.dimensions, space.tuples, limit=privacy.max_suppressed, budget=WORK, loss=privacy.loss, progress=progress)
    assert plan.classes is not None  # by the caller
    classes = plan.classes.model_copy(
        update={
            "recoding": "full-domain",
            "levels": _levels(space, found.node),
            "heights": _heights(space),
            "loss": round(found.loss, 6),
            "suppressed_rows": found.suppressed,
            "nodes_checked": found.checked,
            "search_complete": found.complete,
            "lower_bound": round(min(found.lower_bound, found.loss), 6),
            "alternatives": _alternatives(space, found),
            "ladders": dict(space.sensitive),
        }
    )
    left = {axis.column.name: axis.ladder.recodes[level] for axis, level in zip(space.axes, found.node, strict=True)}
    gone = [name for name, recode in left.items() if isinstance(recode, Everything)]
    warnings = _infeasible(plan, space, privacy, found.suppressed) if not found.feasible else ()
    if gone:
        named = ", ".join(repr(clean_name(name)) for name in gone)
        warnings = (*warnings, f"nothing is left of {named} at this k: drop it, or another column first")
    return Resolved(_at_node(plan, space, found.node), classes, warnings, space)


def _at_node(plan: TablePlan, space: Space, node: Node) -> dict[str, AnyAction]:
    """The actions of the columns whose level the search chose."""
    out: dict[str, AnyAction] = {}
    for axis, level in zip(space.axes, node, strict=True):
        action = plan.column(axis.column.name).action
        if isinstance(action, Generalize):
            out[axis.column.name] = action.model_copy(update={"recode": axis.ladder.recodes[level]})
    return out


def _levels(space: Space, node: Node) -> dict[str, int]:
    return {axis.column.name: level + low for axis, level, low in zip(space.axes, node, space.offsets, strict=True)}


def _heights(space: Space) -> dict[str, int]:
    return {axis.column.name: height for axis, height in zip(space.axes, space.heights, strict=True)}


def _alternatives(space: Space, found: Found) -> tuple[Alternative, ...]:
    return tuple(
        Alternative(
            levels=_levels(space, option.node),
            loss=round(option.loss, 6),
            suppressed_rows=option.suppressed,
            highest_risk=round(option.highest_risk, 6),
            average_risk=round(option.average_risk, 6),
        )
        for option in found.alternatives
    )


def _infeasible(plan: TablePlan, space: Space, privacy: Privacy, suppressed: int) -> tuple[str, ...]:
    names = ", ".join(clean_name(axis.column.name) for axis in space.axes)
    assert plan.classes is not None  # by the caller
    beside = [word for word in ("l", "t", "k_map", "presence") if getattr(plan.classes, word) is not None]
    model = f"k={privacy.k}" + (f" with {', '.join(beside)}" if beside else "")
    needs = f"{model} on ({names}) needs {suppressed} of {space.tuples.total} rows suppressed"
    return (f"{needs}, more than max_suppressed allows: generalize or drop one of them",)


# --------------------------------------------------------------------------------------------------------------------------- local


def _locally(plan: TablePlan, space: Space, privacy: Privacy, progress: Progress | None) -> Resolved:
    found = find_cells(space.dimensions, space.tuples, limit=privacy.max_suppressed, budget=BUDGET, progress=progress)
    assert plan.classes is not None  # by the caller
    classes = plan.classes.model_copy(
        update={
            "recoding": "local",
            "heights": _heights(space),
            "loss": round(found.loss, 6),
            "suppressed_rows": found.suppressed,
            "search_complete": False,
            "lower_bound": None,
            "ladders": {axis.column.name: axis.ladder.recodes for axis in space.axes} | dict(space.sensitive),
            "cells": _cells(space, found),
        }
    )
    actions: dict[str, AnyAction] = {}
    for axis in space.axes:
        action = plan.column(axis.column.name).action
        if isinstance(action, Generalize) and len(axis.ladder.recodes) > 1:
            actions[axis.column.name] = action.model_copy(update={"recode": AsCell()})
        elif isinstance(action, Generalize):  # one level for all
            actions[axis.column.name] = action.model_copy(update={"recode": axis.ladder.recodes[0]})
    warnings = () if found.feasible else _infeasible(plan, space, privacy, found.suppressed)
    return Resolved(actions, classes, warnings, space)


def _cells(space: Space, found: Cells) -> tuple[Cell, ...]:
    """Codes as texts. A label is that of a class of at least k persons, or of k persons of the table: it may stand in a plan."""
    texts: list[list[str | None]] = []
    only: list[dict[str, tuple[tuple[int, str | None], ...]]] = [{} for _ in found.levels]
    for place, axis in enumerate(space.axes):
        names = [_names(space, place, level) for level in range(len(axis.ladder.recodes))]
        named = zip(found.levels[:, place].tolist(), found.labels[:, place].tolist(), strict=True)
        texts.append([names[level][code] for level, code in named])
        at = found.only.dimension == place
        asked = (part[at].tolist() for part in (found.only.cell, found.only.level, found.only.label))
        for cell, level, code in zip(*asked, strict=True):
            before = only[cell].get(axis.column.name, ())
            only[cell][axis.column.name] = (*before, (level, names[level][code]))
    levels = found.levels.tolist()
    return tuple(Cell(levels=tuple(levels[i]), labels=tuple(own[i] for own in texts), only=only[i]) for i in range(len(levels)))


def _names(space: Space, place: int, level: int) -> dict[int, str | None]:
    """Label by code, of one level of one axis."""
    labels = pl.DataFrame({"code": space.dimensions[place].codes[level], "label": space.axes[place].texts(level)})
    first = labels.unique("code", keep="first", maintain_order=True)
    return dict(zip(first["code"].to_list(), first["label"].to_list(), strict=True))

"""Resolve a table's open actions on its data: ladders and the lattice, kept values, clip bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from tamis.core.actions import AnyAction, AnyRecode, AsIs, Everything, Generalize, SuppressRare, Synthesize, TopBottomCode
from tamis.core.errors import clean_name
from tamis.core.plan import Classes, ColumnPlan, TablePlan
from tamis.core.policy import Privacy
from tamis.core.ports import Progress
from tamis.core.types import DataType, Role, Table, TableProfile
from tamis.encoding import canonical, exact_column
from tamis.recode import recode_expression
from tamis.search.ladders import ladder, stated_recode
from tamis.search.lattice import Dimension, Found, Tuples, find_node

Hierarchies = Callable[[str], Mapping[str, tuple[str, ...]]]
"""name or path of a hierarchy to its levels per value"""

_MOST_VALUES = 100_000
_WORK = 60_000_000
"""tuples x nodes: bounds the time of the search; never the correctness"""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What planning learned from a table's data."""

    actions: Mapping[str, AnyAction]
    classes: Classes | None
    warnings: tuple[str, ...] = ()


def resolve_table(
    table: Table, plan: TablePlan, profile: TableProfile, privacy: Privacy, hierarchies: Hierarchies, progress: Progress | None = None
) -> Resolved:
    """Fill in every literal the plan of `table` leaves open (except proxy models).

    Streams the table a few times; memory is that of the distinct quasi-identifier tuples.
    """
    unit = plan.unit
    actions: dict[str, AnyAction] = {}
    warnings: list[str] = []
    for column in plan.columns:
        resolved = _literal(table, column, profile, privacy.k, unit, hierarchies)
        if resolved is not None:
            actions[column.name] = resolved
    if plan.classes is None:
        alone = {c.name: c for c in plan.columns if isinstance(c.action, Generalize) and c.name not in actions}
        actions.update({name: c.action.model_copy(update={"recode": AsIs()}) for name, c in alone.items()})
        return Resolved(actions, None)
    ladders = {name: _ladder(table, plan.column(name), actions, profile, privacy.k, unit) for name in plan.classes.quasi_identifiers}
    if progress is not None:
        progress.note(f"{clean_name(plan.name)}: lattice over {len(ladders)} quasi-identifiers")
    found, sizes = _search(table, plan, actions, ladders, privacy)
    for (name, recodes), level in zip(ladders.items(), found.node, strict=True):
        action = plan.column(name).action
        if isinstance(action, Generalize) and name not in actions:
            actions[name] = action.model_copy(update={"recode": recodes[level]})
    for column in plan.columns:  # generalize: auto on a column that is no quasi-identifier needs no level
        if isinstance(column.action, Generalize) and column.name not in actions:
            actions[column.name] = column.action.model_copy(update={"recode": AsIs()})
    if not found.feasible:
        warnings.append(
            f"k={privacy.k} on ({', '.join(clean_name(name) for name in ladders)}) needs {found.suppressed} of {sizes} rows suppressed, "
            f"more than max_suppressed allows: generalize or drop one of them"
        )
    gone = [name for (name, recodes), level in zip(ladders.items(), found.node, strict=True) if isinstance(recodes[level], Everything)]
    if gone:
        warnings.append(
            f"nothing is left of {', '.join(repr(clean_name(name)) for name in gone)} at this k: drop it, or another column first"
        )
    classes = plan.classes.model_copy(
        update={
            "levels": dict(zip(ladders, found.node, strict=True)),
            "heights": {name: len(recodes) - 1 for name, recodes in ladders.items()},
            "loss": round(found.loss, 6),
            "suppressed_rows": found.suppressed,
            "nodes_checked": found.checked,
            "search_complete": found.complete,
        }
    )
    return Resolved(actions, classes, tuple(warnings))


# ------------------------------------------------------------------------------------------------------------------------- literals


def _literal(
    table: Table, column: ColumnPlan, profile: TableProfile, k: int, unit: str | None, hierarchies: Hierarchies
) -> AnyAction | None:
    action = column.action
    match action:
        case SuppressRare():
            least = action.min_count or k
            stated = action.values
            values = (
                stated if stated is not None else tuple(value for value, persons in _counts(table, column.name, unit) if persons >= least)
            )
            return action.model_copy(update={"min_count": least, "values": tuple(sorted(values)[:_MOST_VALUES])})
        case TopBottomCode() if not action.resolved:
            lower, upper = _clip_bounds(table, column.name, action, k, unit)
            return action.model_copy(update={"lower": lower, "upper": upper, "resolved": True})
        case Generalize() if action.recode is None and action.to != "auto":
            levels = dict(hierarchies(action.hierarchy)) if action.to == "hierarchy" and action.hierarchy else None
            return action.model_copy(update={"recode": stated_recode(action, profile.column(column.name), levels)})
        case Generalize() if action.recode is not None:
            return action
        case _:
            return None


def _counts(table: Table, name: str, unit: str | None) -> list[tuple[str, int]]:
    """(canonical value, persons) sorted by value; a person is a row when there is no unit."""
    value = canonical(name, table.type_of(name)).alias("value")
    persons = pl.len() if unit is None else pl.col("unit").n_unique()
    columns = [value] if unit is None else [value, canonical(unit, table.type_of(unit)).alias("unit")]
    counted = table.frame.select(columns).filter(pl.col("value").is_not_null()).group_by("value").agg(persons.alias("persons"))
    frame = counted.sort("value").collect(engine="streaming")
    return list(zip(frame["value"].to_list(), frame["persons"].to_list(), strict=True))


def _clip_bounds(table: Table, name: str, action: TopBottomCode, k: int, unit: str | None) -> tuple[float | None, float | None]:
    """Stated bounds stay; open ones are the mean of the extremes on that side: of k persons, or of the stated share if that is more.

    A person counts once, with the smallest and the largest of his values; a person is a row when there is no unit. A column with
    values of fewer than 2k persons has no safe bound: its mean is both bounds, or zero where fewer than k persons have a value.
    """
    number = exact_column(name).cast(pl.Float64)
    value = pl.when(number.is_finite()).then(number).alias("v")  # infinities are clipped; they bound nothing
    person = pl.lit(None) if unit is None else canonical(unit, table.type_of(unit))
    frame = table.frame.select(value, person.alias("unit")).filter(pl.col("v").is_not_null())
    if unit is None:
        spans = frame.select(low="v", high="v")
    else:
        spans = frame.group_by("unit").agg(low=pl.col("v").min(), high=pl.col("v").max()).select("low", "high")
    present = int(spans.select(pl.len()).collect(engine="streaming").item())
    tail = max(k, int((action.share or 0.0) * present))
    if present < 2 * k:
        middle = (pl.col("low").sort().mean() + pl.col("high").sort().mean()) / 2
        bound = _six(float(spans.select(middle).collect().item())) if present >= k else 0.0
        return _in_order(action, bound, bound)
    lows, highs = pl.col("low").bottom_k(tail).sort().mean(), pl.col("high").top_k(tail).sort().mean()
    low, high = spans.select(lows, highs).collect().row(0)
    return _in_order(action, _six(float(low)), _six(float(high)))


def _in_order(action: TopBottomCode, low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """Stated bounds win; one that was found never lies beyond a stated one."""
    if action.lower is not None and action.upper is not None:
        return action.lower, action.upper
    if action.lower is not None:
        return action.lower, None if high is None else max(action.lower, high)
    if action.upper is not None:
        return None if low is None else min(action.upper, low), action.upper
    return low, high


def _six(value: float) -> float:
    return float(f"{value:.6g}")


# -------------------------------------------------------------------------------------------------------------------------- lattice


def _ladder(
    table: Table, column: ColumnPlan, actions: Mapping[str, AnyAction], profile: TableProfile, k: int, unit: str | None
) -> tuple[AnyRecode, ...]:
    """The levels the search may choose from; a column whose form is decided has one."""
    action = actions.get(column.name, column.action)
    if isinstance(action, Generalize):
        if action.recode is not None:
            return (action.recode,)
        measured = profile.column(column.name)
        counts = _counts(table, column.name, unit) if measured.type is DataType.TEXT else []
        levels = ladder(measured, counts, k)
        return levels if action.max_level is None else levels[: action.max_level + 1]
    return (AsIs(),)


def _released_form(column: ColumnPlan, actions: Mapping[str, AnyAction], recode: AnyRecode) -> pl.Expr:
    action = actions.get(column.name, column.action)
    match action:
        case SuppressRare():
            value = canonical(column.name, column.type)
            return pl.when(value.is_in(list(action.values or ()))).then(value)
        case TopBottomCode():
            return exact_column(column.name).clip(action.lower, action.upper)
        case _:
            expression = recode_expression(column.name, column.type, recode)
            return expression.fill_nan(None) if column.type is DataType.NUMBER and isinstance(recode, AsIs) else expression


def _search(
    table: Table, plan: TablePlan, actions: Mapping[str, AnyAction], ladders: Mapping[str, tuple[AnyRecode, ...]], privacy: Privacy
) -> tuple[Found, int]:
    classes = plan.classes
    assert classes is not None
    base = [
        _released_form(plan.column(name), actions, recodes[0]).alias(f"q{index}") for index, (name, recodes) in enumerate(ladders.items())
    ]
    unit = [canonical(classes.unit, table.type_of(classes.unit)).alias("unit")] if classes.unit else []
    guarded = _guarded(plan) if classes.l is not None else ()
    sensitive = [canonical(c.name, c.type).alias(f"s{index}") for index, c in enumerate(guarded)]
    selected = table.frame.select([*base, *unit, *sensitive])
    frame = selected.group_by(pl.all()).agg(pl.len().alias("rows")).collect(engine="streaming")
    dimensions, codes = [], []
    for index, (name, recodes) in enumerate(ladders.items()):
        dimension, of_tuple = _dimension(table, plan.column(name), actions, recodes, frame[f"q{index}"])
        dimensions.append(dimension)
        codes.append(of_tuple)
    tuples = Tuples(
        base=tuple(codes),
        rows=frame["rows"].cast(pl.Int64).to_numpy(),
        k=classes.k,
        persons=_codes(frame["unit"]) if unit else None,
        sensitive=tuple(_codes(frame[f"s{index}"]) for index in range(len(sensitive))),
        l=classes.l,
    )
    budget = int(np.clip(_WORK / max(1, frame.height), 60, 4000))
    return find_node(dimensions, tuples, limit=privacy.max_suppressed, budget=budget), tuples.total


def _guarded(plan: TablePlan) -> tuple[ColumnPlan, ...]:
    """Sensitive columns that leave with their own values: l-diversity is about these."""
    return tuple(column for column in plan.released if column.role is Role.SENSITIVE and not isinstance(column.action, Synthesize))


def _codes(series: pl.Series) -> np.ndarray:
    """Dense codes of values; null is a value."""
    return (
        (series.rank("dense").fill_null(0) if series.null_count() < len(series) else series.is_null().cast(pl.UInt32))
        .cast(pl.Int64)
        .to_numpy()
    )


def _dimension(
    table: Table, column: ColumnPlan, actions: Mapping[str, AnyAction], recodes: tuple[AnyRecode, ...], of_tuple: pl.Series
) -> tuple[Dimension, np.ndarray]:
    """Label codes per level for every base label, losses per level, and the base code of every tuple."""
    forms = [_released_form(column, actions, recode).alias(f"l{level}") for level, recode in enumerate(recodes)]
    values = (
        table.frame.group_by(exact_column(column.name)).agg(pl.len().alias("rows")).select([*forms, "rows"]).collect(engine="streaming")
    )
    base = values.group_by("l0").agg(
        *(pl.col(f"l{level}").first() for level in range(1, len(recodes))), pl.col("rows").sum(), pl.len().alias("leaves")
    )
    base = base.with_columns(pl.Series("code", np.arange(base.height), dtype=pl.Int64))
    total, leaves = int(base["rows"].sum()), int(base["leaves"].sum())
    codes, losses = [], []
    for level in range(len(recodes)):
        label = pl.Series(_codes(base[f"l{level}"]))
        penalty = base.with_columns(label.alias("label")).with_columns(pl.col("leaves").sum().over("label").alias("below"))
        weighted = float(((penalty["below"] - 1) * penalty["rows"]).sum())
        losses.append(round(weighted / max(1, total) / max(1, leaves - 1), 12))
        codes.append(label.to_numpy().astype(np.int64))
    lookup = pl.DataFrame({"l0": of_tuple}).join(base.select("l0", "code"), on="l0", how="left", nulls_equal=True, maintain_order="left")
    return Dimension(column.name, tuple(codes), tuple(losses)), lookup["code"].to_numpy()

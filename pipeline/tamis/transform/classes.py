"""Classes of the rows that are there, counted for the models: members, sensitive values, population."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from tamis.core.actions import Generalize, Keep, SuppressRare, Synthesize, TopBottomCode
from tamis.core.errors import PlanError, clean_name
from tamis.core.plan import Classes, ColumnPlan
from tamis.core.types import DataType, Role
from tamis.encoding import exact_column
from tamis.models import Codes, Criteria, Values, satisfying
from tamis.recode import recode_expression
from tamis.transform.code import clipped
from tamis.transform.generalize import generalized
from tamis.transform.local import CELL, takes_label, with_cells
from tamis.transform.suppress import frequent_only
from tamis.transform.work import Work

_CLASS, _UNIT, _VALUE, _COUNT = "__tamis_class", "__tamis_unit", "__tamis_value", "__tamis_count"


def judged(
    frame: pl.LazyFrame, work: Work, shape: Classes, keys: Sequence[str], population: pl.LazyFrame | None
) -> tuple[pl.DataFrame, pl.Series]:
    """The classes of `frame`, which has their labels as `keys`, and which of them satisfy the plan's criteria.

    Memory is that of the classes, and of their distinct sensitive values where a model is about these. Raises PlanError where a
    criterion needs a population and there is none.
    """
    criteria = Criteria.of(shape)
    member = None if shape.unit is None else work.text(shape.unit)
    classes = _members(frame, keys, member).collect(engine="streaming")
    if criteria.about_values:
        classes = classes.sort(keys)  # a fixed order, for equal sums of floats
    members = classes[_COUNT].cast(pl.Int64).to_numpy()
    labels = classes.select(keys)
    values = [_values(frame, work, shape, keys, column, labels) for column in _guarded(work, shape)] if criteria.about_values else []
    known = _known(labels, work, keys, shape, population) if criteria.about_population else None
    return labels, pl.Series(satisfying(criteria, members, values, known))


def _members(frame: pl.LazyFrame, keys: Sequence[str], member: pl.Expr | None) -> pl.LazyFrame:
    """Rows per combination of `keys`, or distinct members; two group-bys instead of `n_unique`, which would hold a set per class."""
    if member is None:
        return frame.select(keys).group_by(keys).agg(pl.len().alias(_COUNT))
    pairs = frame.select(*(pl.col(key) for key in keys), member.alias(_UNIT)).group_by([*keys, _UNIT]).agg()
    return pairs.group_by(keys).agg(pl.len().alias(_COUNT))


def _guarded(work: Work, shape: Classes) -> list[ColumnPlan]:
    """Sensitive columns that leave with their own values."""
    quasi = set(shape.quasi_identifiers)
    columns = (column for column in work.plan.released if column.role is Role.SENSITIVE)
    return [column for column in columns if column.name not in quasi and not isinstance(column.action, Synthesize)]


def _values(frame: pl.LazyFrame, work: Work, shape: Classes, keys: Sequence[str], column: ColumnPlan, labels: pl.DataFrame) -> Values:
    """Members per class and value of a sensitive column; null is a value and NaN is null."""
    inside = pl.col(work.released(column.name))
    value = pl.when(inside.is_not_nan()).then(inside) if work.floating(column.name) else inside
    member = None if shape.unit is None else work.text(shape.unit)
    wanted = [*(pl.col(key) for key in keys), value.alias(_VALUE), *([] if member is None else [member.alias(_UNIT)])]
    selected = frame.select(wanted)
    counted = _members(selected, [*keys, _VALUE], None if member is None else pl.col(_UNIT)).collect(engine="streaming")
    numbered = labels.with_row_index(_CLASS)
    joined = counted.join(numbered, on=list(keys), how="inner", nulls_equal=True)
    distinct = joined.select(_VALUE).unique().sort(_VALUE).with_row_index("code")  # null first
    codes = joined.select(_VALUE, _CLASS, _COUNT).join(distinct, on=_VALUE, how="left", nulls_equal=True).sort(_CLASS, "code")
    ordered = distinct[_VALUE].dtype not in (pl.String, pl.Boolean)
    return Values(
        _integers(codes[_CLASS]),
        _integers(codes["code"]),
        _integers(codes[_COUNT]),
        np.arange(len(distinct), dtype=np.int64) if ordered else None,
        _ancestors(distinct[_VALUE], shape, column.name),
    )


def _ancestors(values: pl.Series, shape: Classes, name: str) -> tuple[Codes, ...]:
    """Per level of the hierarchy the plan states for a sensitive column the ancestor of each value."""
    texts = pl.DataFrame({"value": values.cast(pl.String)})
    levels = [texts.select(recode_expression("value", DataType.TEXT, recode)).to_series() for recode in shape.ladders.get(name, ())]
    return tuple(_integers(level.rank("dense").fill_null(0)) for level in levels)


def _released(population: pl.LazyFrame, work: Work, shape: Classes) -> pl.LazyFrame:
    """The population's quasi-identifiers as they would be released, as `r…`.

    Raises PlanError for a quasi-identifier whose released values say nothing of the population (pseudonyms, shifted dates).
    """
    quasi = [work.plan.column(name) for name in shape.quasi_identifiers if work.plan.column(name).released]
    inside = population.select(exact_column(column.name).alias(work.given(column.name)) for column in quasi)
    inside = inside.with_columns(_alike(column, work).alias(work.released(column.name)) for column in quasi if not takes_label(column))
    inside = with_cells(inside, work)
    if CELL in inside.collect_schema():  # whom no cell covers is in no class
        inside = inside.filter(pl.col(CELL).is_not_null())
    return inside.select(work.released(column.name) for column in quasi)


def _alike(column: ColumnPlan, work: Work) -> pl.Expr:
    action = column.action
    match action:
        case Keep():
            return pl.col(work.given(column.name))
        case Generalize():
            return generalized(column, action, work)
        case SuppressRare():
            return frequent_only(column, action, work)
        case TopBottomCode():
            return clipped(column, action, work)
        case _:
            raise PlanError(
                "unmatched_population",
                f"The quasi-identifier '{clean_name(column.name)}' leaves as {action.action}: the population cannot be counted by it.",
                hint="Keep, generalize or drop it, or take k_map and presence out of the policy.",
            )


def _known(labels: pl.DataFrame, work: Work, keys: Sequence[str], shape: Classes, population: pl.LazyFrame | None) -> Codes:
    """Persons of the population per class."""
    if population is None:
        raise PlanError(
            "no_population",
            f"Table '{clean_name(work.plan.name)}' must be counted against a population (k_map, presence), and none was read.",
            hint="State privacy.population in the policy and plan again.",
        )
    released = [name for name in shape.quasi_identifiers if work.plan.column(name).released]
    types = labels.schema
    named = []
    for name, key in zip(released, keys, strict=True):
        inside = pl.col(work.released(name)).cast(types[key])
        named.append((pl.when(inside.is_not_nan()).then(inside) if work.floating(name) else inside).alias(key))
    counted = _released(population, work, shape).select(named).group_by(keys).agg(pl.len().alias(_COUNT))
    wanted = labels.lazy().with_row_index(_CLASS).join(counted, on=list(keys), how="left", nulls_equal=True)
    return _integers(wanted.collect(engine="streaming").sort(_CLASS)[_COUNT].fill_null(0))


def _integers(series: pl.Series) -> Codes:
    return series.cast(pl.Int64).to_numpy()

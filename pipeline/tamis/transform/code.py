"""Top and bottom coding: numbers beyond a bound become the bound."""

from __future__ import annotations

import math

import polars as pl

from tamis.core.actions import TopBottomCode
from tamis.core.plan import ColumnPlan
from tamis.core.types import DataType
from tamis.transform.work import Work

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def clipped(column: ColumnPlan, action: TopBottomCode, work: Work) -> pl.Expr:
    """Numbers of the column's type inside [lower, upper]; null and NaN are null.

    For integers the bounds move inward to integers; where none lies between them, both are the nearest one.
    """
    value = pl.col(work.given(column.name))
    if column.type is DataType.EMPTY:
        return value
    if column.type is DataType.INTEGER:
        return value.clip(*_whole_bounds(action.lower, action.upper))
    return value.fill_nan(None).clip(action.lower, action.upper)


def _whole_bounds(lower: float | None, upper: float | None) -> tuple[int | None, int | None]:
    if lower is not None and upper is not None and math.ceil(lower) > math.floor(upper):
        lower = upper = round((lower + upper) / 2)
    low = None if lower is None or lower <= _SMALLEST else min(math.ceil(lower), _LARGEST)
    high = None if upper is None or upper >= _LARGEST else max(math.floor(upper), _SMALLEST)
    return low, high

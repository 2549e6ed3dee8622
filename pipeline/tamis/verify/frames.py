"""Frames under safe names: whatever a column is called, inside this room it is `c0`, `c1`, …"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import polars_hash  # noqa: F401  # registers the `nchash` namespace

from tamis.core.types import DataType
from tamis.recode import exact_column


def picked(frame: pl.LazyFrame, names: Sequence[str]) -> pl.LazyFrame:
    """The columns `names` as `c0`, `c1`, … in that order; NaN is null, as everywhere in this room."""
    schema = frame.collect_schema()
    columns = []
    for index, name in enumerate(names):
        column = exact_column(name)
        columns.append((column.fill_nan(None) if schema[name].is_float() else column).alias(f"c{index}"))
    return frame.select(columns)


def compact(column: pl.Expr) -> pl.Expr:
    """Eight bytes that stand for a key: xxHash64 of its text, null stays null. In memory only, within one process.

    Among 10^7 keys two are taken for one with probability 3e-6; then a count of persons is one too low, never too high.
    """
    hashed: pl.Expr = column.cast(pl.String).nchash.xxhash64()  # type: ignore[attr-defined]
    return hashed


def row_count(frame: pl.LazyFrame) -> int:
    """Rows of a frame, 0 when it has no column."""
    return int(frame.select(pl.len()).collect(engine="streaming").item()) if frame.collect_schema().len() else 0


def logical_type(dtype: pl.DataType) -> DataType:  # one answer per type
    """What a type of a Parquet file is in our words."""
    if dtype.is_integer():
        return DataType.INTEGER
    if dtype.is_numeric():
        return DataType.NUMBER
    if isinstance(dtype, pl.Datetime):
        return DataType.DATETIME
    if dtype == pl.Date:
        return DataType.DATE
    if dtype == pl.Boolean:
        return DataType.BOOLEAN
    if dtype == pl.Time:
        return DataType.TIME
    if isinstance(dtype, pl.Duration):
        return DataType.DURATION
    if dtype == pl.Binary:
        return DataType.BINARY
    if dtype == pl.Null:
        return DataType.EMPTY
    return DataType.TEXT


def rounded(value: float) -> float:
    """Six digits: what is left of a sum does not depend on the order of its terms."""
    return round(float(value), 6) + 0.0

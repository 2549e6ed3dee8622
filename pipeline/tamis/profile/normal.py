"""The frame that profiling works on: safe column names, five physical types, NaN as null."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import polars.selectors as cs

from tamis.core.types import Column, DataType, Table
from tamis.profile.limits import Limits

TEMPORAL = frozenset({DataType.DATE, DataType.DATETIME, DataType.TIME, DataType.DURATION})
NUMERIC = frozenset({DataType.INTEGER, DataType.NUMBER})


@dataclass(frozen=True, slots=True)
class Facts:
    """What the first pass says of one column."""

    safe: str
    """name in the normal frame: polars gives names such as '^a$' or '*' a meaning of their own"""
    column: Column
    present: int
    """rows with a value (neither null nor NaN)"""
    estimate: int
    """upper guess of the distinct values: HyperLogLog for big tables, `present` for small ones"""
    size: int
    """bytes of all values"""


def normal_form(column: Column) -> pl.Expr:
    """One column as String, Int64, Int32, Float64 or Boolean such that equal values stay equal and different ones different.

    Dates and times become their integers, binary its hexadecimal text, NaN null and -0.0 zero.
    """
    value = cs.by_name(column.name).as_expr()
    if column.type in TEMPORAL:
        return value.to_physical()
    if column.type is DataType.BINARY:
        return value.bin.encode("hex")
    if column.type is DataType.NUMBER:
        return pl.when(value == 0).then(0.0).otherwise(value.fill_nan(None))
    return value


def normalize(table: Table) -> tuple[pl.LazyFrame, tuple[str, ...]]:
    """The table in normal form and the safe names `c0`, `c1`, … of its columns, in order."""
    safe = tuple(f"c{i}" for i in range(len(table.columns)))
    return table.frame.select([normal_form(c).alias(s) for c, s in zip(table.columns, safe, strict=True)]), safe


def first_pass(frame: pl.LazyFrame, table: Table, limits: Limits) -> tuple[int, tuple[Facts, ...]]:
    """Rows of the table, and facts of every column: one streaming pass."""
    names = [f"c{i}" for i in range(len(table.columns))]
    big = table.rows > limits.grouped_values
    wanted = [pl.len().cast(pl.Int64).alias("rows")]
    for name, column in zip(names, table.columns, strict=True):
        value = pl.col(name)
        wanted.append(value.count().cast(pl.Int64).alias(f"{name}.present"))
        if column.type in (DataType.TEXT, DataType.BINARY):
            wanted.append(value.str.len_bytes().cast(pl.Int64).sum().alias(f"{name}.bytes"))
        if big and column.type is not DataType.EMPTY:
            wanted.append(value.approx_n_unique().cast(pl.Int64).alias(f"{name}.distinct"))
    found = frame.select(wanted).collect(engine="streaming").row(0, named=True) if names else {"rows": table.rows}
    facts = []
    for name, column in zip(names, table.columns, strict=True):
        present = found[f"{name}.present"]
        estimate = min(present, found.get(f"{name}.distinct", present))
        facts.append(Facts(name, column, present, max(estimate, min(present, 1)), found.get(f"{name}.bytes", 8 * present) or 0))
    return found["rows"], tuple(facts)

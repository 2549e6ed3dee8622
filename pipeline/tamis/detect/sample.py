"""Bounded, order-independent samples of distinct values, and counts over whole columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
import polars.selectors as cs
import polars_hash as plh

from tamis.core.types import ColumnProfile, DataType, Table
from tamis.detect import weights as w

_MAX_CHARS = 2000
"""characters of a cell that are looked at in the sample"""
_MAX_HASH = 2**64 - 1
_FULL_SCAN_CHARS = 4000
_REPEATS = 4

SAMPLED = frozenset({DataType.TEXT, DataType.INTEGER, DataType.NUMBER, DataType.DATE, DataType.DATETIME})


@dataclass(frozen=True, slots=True)
class Sample:
    """Distinct values of one column as text (null-free, at most `SAMPLE`), in the order of a stable hash."""

    values: pl.Series
    complete: bool
    """every distinct value of the column is in here"""

    @property
    def size(self) -> int:
        """Distinct values looked at."""
        return len(self.values)


EMPTY = Sample(pl.Series("x", [], dtype=pl.String), True)


def column_frame(table: Table, index: int) -> pl.LazyFrame:
    """One column as `x`, selected by position: no name, however odd, is read as a pattern."""
    return table.frame.select(cs.by_index(index).alias("x"))


def take_sample(table: Table, index: int, profile: ColumnProfile, size: int = w.SAMPLE) -> Sample:
    """The `size` distinct values with the smallest xxh3-64 of their text: the same for any order or chunking of the rows.

    A threshold on the hash first keeps the set of distinct values small; when it was too strict the column is read again without.
    """
    if table.columns[index].type not in SAMPLED or profile.present == 0:
        return EMPTY
    text = pl.col("x")
    if table.columns[index].type == DataType.NUMBER:
        text = text.cast(pl.Float64).fill_nan(None)
    text = text.cast(pl.String)
    if profile.length_max is not None and profile.length_max > _MAX_CHARS:
        text = text.str.head(_MAX_CHARS)
    frame = column_frame(table, index)
    if table.columns[index].type != DataType.TEXT and profile.distinct * _REPEATS <= profile.present:
        frame = frame.unique(maintain_order=False)  # written out once per value
    hashed = frame.select(text).drop_nulls().with_columns(plh.col("x").nchash.xxh3_64().alias("h"))
    expected = max(profile.distinct, 1)
    limit = _MAX_HASH if expected <= 8 * size else int(_MAX_HASH * (4 * size / expected))
    while True:
        narrowed = hashed if limit == _MAX_HASH else hashed.filter(pl.col("h") <= pl.lit(limit, dtype=pl.UInt64))
        found = narrowed.unique(maintain_order=False).collect(engine="streaming")
        if len(found) >= size or limit == _MAX_HASH:
            break
        limit = _MAX_HASH
    complete = limit == _MAX_HASH and len(found) <= size
    return Sample(_plain_integers(found.sort("h", "x").head(size)["x"], table.columns[index].type), complete)


def _plain_integers(values: pl.Series, kind: DataType) -> pl.Series:
    """Whole numbers that a file with gaps made `12.0` are written `12`."""
    if kind == DataType.NUMBER and len(values) and values.str.ends_with(".0").all():
        return values.str.strip_suffix(".0")
    return values


def count_matches(table: Table, indices: list[int], patterns: Mapping[str, str]) -> dict[int, dict[str, int]]:
    """Rows of text columns in which each pattern occurs, over the whole table: {column index: {pattern id: rows}}.

    One pass with the union of the patterns; a second one, over the columns that had hits, tells the patterns apart.
    """
    if not indices or not patterns:
        return {}
    union = "|".join(f"(?:{pattern})" for pattern in patterns.values())

    def counted(wanted: list[int], named: Mapping[str, str]) -> dict[str, int]:
        exprs = [
            cs.by_index(i).str.head(_FULL_SCAN_CHARS).str.contains(pattern).sum().alias(f"{i}:{name}")
            for i in wanted
            for name, pattern in named.items()
        ]
        return table.frame.select(exprs).collect(engine="streaming").row(0, named=True)

    first = counted(indices, {"any": union})
    hit = [i for i in indices if first[f"{i}:any"]]
    if not hit:
        return {}
    told = counted(hit, patterns)
    return {i: {name: int(told[f"{i}:{name}"] or 0) for name in patterns} for i in hit}

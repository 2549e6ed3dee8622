"""Columns as small integers: equal values get equal codes, whatever the type. What is counted over several columns is counted on these.

Which code a value gets is an accident of the order of rows; nothing that leaves this room depends on it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import polars_hash  # noqa: F401  # registers the `nchash` namespace

Codes = npt.NDArray[Any]
Ids = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

_DIRECT = 1 << 24
"""integers within such a range are coded by their distance from the smallest"""
_SPACE = 1 << 62
_BINS = 1 << 22
_EXACT = 1 << 46
_FEW = 100_000
_HASHES = 1 << 64
_SKETCH = 16


@dataclass(frozen=True, slots=True)
class Coded:
    """One column: a code below `size` for every row, `null` being the code of missing values (None: there are none)."""

    codes: Codes
    size: int
    null: int | None


def encode(values: pl.Series) -> Coded:
    """Codes of a column in normal form (String, integers, Float64 without NaN, Boolean), in the smallest unsigned type."""
    raw, size = _dense(values)
    null = None
    if raw.null_count():
        null, size = size, size + 1
        raw = raw.fill_null(null)
    return Coded(raw.to_numpy().astype(_smallest(size), copy=False), size, null)


def _dense(values: pl.Series) -> tuple[pl.Series, int]:
    """Codes with nulls left in, and how many there are."""
    if values.dtype == pl.String:
        # A dictionary of its own: the shared one would number the values of all columns in one row.
        many = _ranks_of_many(values) if len(values) > _FEW else None
        coded = values.cast(pl.Categorical(pl.Categories.random())).to_physical() if many is None else many
    elif values.dtype == pl.Boolean:
        coded = values.cast(pl.UInt32)
    else:
        near = _decimals(values) if values.dtype == pl.Float64 else _distances(values) if values.dtype.is_integer() else None
        coded = values.rank("dense").cast(pl.UInt32) - 1 if near is None else near
    return coded, int(coded.max() or 0) + 1 if coded.null_count() < len(coded) else 0  # type: ignore[arg-type]


def _ranks_of_many(values: pl.Series) -> pl.Series | None:
    """Texts by the ranks of their hashes, which is fast where most differ; None where few do, or where two texts share a hash."""
    hashed = hashes(values)
    least = hashed[hashed < np.uint64(_HASHES // _SKETCH)]
    if len(np.unique(least)) * _SKETCH < _FEW:
        return None
    ranks = pl.select(pl.when(values.is_not_null()).then(pl.Series(hashed)).rank("dense").cast(pl.UInt32) - 1).to_series()
    places = ranks.fill_null(len(values)).to_numpy()
    some = np.zeros(len(values) + 1, dtype=np.uint32)  # for every rank a row that has it
    some[places] = np.arange(len(values), dtype=np.uint32)
    return ranks if values.eq_missing(values.gather(some[places])).all() else None


def _decimals(values: pl.Series) -> pl.Series | None:
    """Ranks of amounts with at most two decimals, told apart as whole numbers; None where they have more, or a large range."""
    present = values.drop_nulls().to_numpy()
    if not len(present) or not np.abs(present).max() < _EXACT:
        return None
    whole = np.rint(present * 100)  # numpy: polars divides by a constant by multiplying, which is not exact
    if not (whole / 100 == present).all():
        return None
    return _distances((values * 100).round().cast(pl.Int64))


def _distances(values: pl.Series) -> pl.Series | None:
    """Ranks of integers within a small range, without sorting them; None where the range is large."""
    low, high = values.min(), values.max()
    if not isinstance(low, int) or not isinstance(high, int) or high - low >= min(_DIRECT, 8 * len(values) + 64):
        return None
    offsets = values.cast(pl.Int64) - low
    seen = np.zeros(high - low + 1, dtype=np.int64)
    seen[offsets.drop_nulls().to_numpy()] = 1
    ranks = pl.Series(np.cumsum(seen) - 1, dtype=pl.UInt32)
    return ranks.gather(offsets)


def _smallest(size: int) -> type[np.unsignedinteger[Any]]:
    return np.uint8 if size <= 1 << 8 else np.uint16 if size <= 1 << 16 else np.uint32


def packed(columns: Sequence[Coded]) -> tuple[Ids, int]:
    """One id per row for the combination of its codes, below the second figure (at most 2^62): equal where all codes are equal."""
    ids, space = columns[0].codes.astype(np.int64), columns[0].size
    for column in columns[1:]:
        ids, space = extended(ids, space, column)
    return ids, space


def extended(ids: Ids, space: int, column: Coded) -> tuple[Ids, int]:
    """The ids of combinations with one more column; renumbered where they would not fit 62 bits."""
    if space * column.size > _SPACE:
        values, ids = np.unique(ids, return_inverse=True)
        ids, space = ids.astype(np.int64), len(values)
    return ids * column.size + column.codes, space * column.size


def group_sizes(ids: Ids, space: int, weights: Ids | None = None) -> Ids:
    """How many rows have each id that occurs, in order of ids; `weights` are rows per entry."""
    if not len(ids):
        return np.zeros(0, dtype=np.int64)
    if space <= max(_BINS, 2 * len(ids)):
        sizes = np.bincount(ids, minlength=space) if weights is None else np.bincount(ids, weights=weights, minlength=space)
        return sizes[sizes > 0].astype(np.int64)  # sums of integers below 2^53: exact
    if weights is None:
        return np.diff(_starts(_sorted(ids, space)), append=len(ids)).astype(np.int64)
    order = np.argsort(ids, kind="stable")
    return np.add.reduceat(weights[order], _starts(ids[order]))


def distinct_ids(ids: Ids, space: int) -> Ids:
    """The ids that occur, ascending."""
    if space <= max(_BINS, 2 * len(ids)):
        return np.flatnonzero(np.bincount(ids, minlength=space)).astype(np.int64)
    ordered = _sorted(ids, space)
    return ordered[_starts(ordered)].astype(np.int64)


def _sorted(ids: Ids, space: int) -> npt.NDArray[Any]:
    """Half the bytes sort in half the time."""
    return np.sort(ids.astype(np.uint32) if space <= 1 << 32 else ids)


def _starts(ordered: npt.NDArray[Any]) -> Ids:
    if not len(ordered):
        return np.zeros(0, dtype=np.int64)
    first = np.empty(len(ordered), dtype=bool)
    first[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return np.flatnonzero(first)


@dataclass(slots=True)
class CodeStore:
    """Codes of all rows, column by column as they are asked for; the ones used last are kept, within `most_bytes`."""

    frame: pl.LazyFrame
    """in normal form"""
    most_bytes: int
    _kept: OrderedDict[str, Coded] = field(default_factory=OrderedDict)
    _hashed: OrderedDict[str, Hashes] = field(default_factory=OrderedDict)

    def of(self, name: str) -> Coded:
        """The codes of one column of the normal frame."""
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        coded = encode(self.values(name))
        self._kept[name] = coded
        while len(self._kept) > 1 and sum(one.codes.nbytes for one in self._kept.values()) > self.most_bytes:
            self._kept.popitem(last=False)
        return coded

    def values(self, name: str) -> pl.Series:
        """The column itself."""
        return self.frame.select(pl.col(name)).collect(engine="streaming").to_series()

    def hashed(self, name: str) -> Hashes:
        """64 bits per row of a column; the ones asked for last are kept, within the same bound."""
        if name not in self._hashed:
            self._hashed[name] = hashes(self.values(name))
            while len(self._hashed) > 1 and sum(one.nbytes for one in self._hashed.values()) > self.most_bytes:
                self._hashed.popitem(last=False)
        self._hashed.move_to_end(name)
        return self._hashed[name]


def sample_rows(frame: pl.LazyFrame, columns: Sequence[tuple[str, int]], rows: int, size: int) -> pl.DataFrame:
    """About `size` rows of the normal frame, chosen by what is in them: the same ones whatever their order.

    `columns` are (name, estimated distinct values). Rows are taken by the smallest hash over the most varying columns, as many of them
    as are needed to tell rows apart; rows that are equal there are taken together. (Where that would be more than four times
    too many, by position: only in tables in which most rows are equal.) All rows where there are no more than `size`.
    """
    if rows <= size:
        return frame.collect(engine="streaming")
    anchors, spread = [], 1
    for name, distinct in sorted(columns, key=lambda one: -one[1])[:_ANCHORS]:
        anchors.append(name)
        spread *= max(distinct, 1)
        if spread > rows * rows:
            break
    mixed = mixed_hashes([hashes(frame.select(pl.col(name)).collect(engine="streaming").to_series()) for name in anchors])
    limit = np.partition(mixed, size - 1)[size - 1]
    chosen = np.flatnonzero(mixed <= limit)[: 4 * size]
    picked = pl.Series(chosen, dtype=pl.UInt32).implode()
    return frame.with_row_index("row").filter(pl.col("row").is_in(picked)).drop("row").collect(engine="streaming")


_ANCHORS = 12


def mixed_hashes(columns: Sequence[Hashes]) -> Hashes:
    """64 bits per row for the combination of the columns."""
    mixed = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        mixed = _scrambled(mixed * np.uint64(3) + column)
    return mixed


def hashes(values: pl.Series) -> Hashes:
    """64 bits per value of a column in normal form, the same on every machine; null has one of its own. Not secret, stored nowhere."""
    if values.dtype == pl.String:
        hashed: pl.Series = values.to_frame("v").select(pl.col("v").nchash.xxh3_64().fill_null(0)).to_series()  # type: ignore[attr-defined]
        texts: Hashes = hashed.to_numpy()
        return texts
    if values.dtype == pl.Float64:
        bits: Hashes = values.fill_null(np.nan).to_numpy().view(np.uint64)
        return _scrambled(bits)
    whole = values.cast(pl.Int64)
    mixed = _scrambled(whole.fill_null(0).to_numpy().view(np.uint64))
    marked: Hashes = mixed ^ whole.is_null().to_numpy().astype(np.uint64)
    return marked


def _scrambled(x: Hashes) -> Hashes:
    """The finalizer of SplitMix64 (Steele, Lea & Flood 2014, OOPSLA): a bijection of 64 bits."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))

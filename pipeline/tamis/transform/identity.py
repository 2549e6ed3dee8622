"""Row identity: what all per-row randomness and the released order come from.

The declared key where it is unique, else the canonical full row and the number of the occurrence among equal rows. Equal rows are
interchangeable, so which of them is the first makes no difference to the multiset of the output, whatever the input's order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import polars_hash  # noqa: F401  # registers the `nchash` namespace

from tamis.core.ports import KeyRing
from tamis.core.types import Column, DataType
from tamis.encoding import WORDS, canonical, row_text
from tamis.transform.work import Work

POSITION = "__tamis_position"
"""UInt32/UInt64 place of a row in the input: only inside this room"""
_OCCURRENCE = "__tamis_occurrence"
_ALL_WORDS = "__tamis_words"
_COUNTED = frozenset({DataType.TEXT, DataType.INTEGER, DataType.DATE, DataType.DATETIME})
"""types that keys have; approximate counts of others are not always to be had"""
_ABOUT_ALL = 0.95
"""HyperLogLog counts are off by a few percent"""


def with_identity(frame: pl.LazyFrame, work: Work) -> pl.LazyFrame:
    """Add the four `WORDS` to a frame with inside names and `POSITION`.

    Costs one pass over the key (or over the rows, without a unique key) with 8 bytes of memory per row, and 4 more per row while the
    frame lives where rows repeat. Words of two releases (scopes) or tables are unrelated.
    """
    use = f"row:{work.scope}:{work.plan.name}"
    key = [Column(work.given(name), work.kind(name)) for name in work.plan.key]
    if key and (_all_differ(frame, key) or _occurrences(_with_words(frame, key, work.keyring, use=use)) is None):
        return _with_words(frame, key, work.keyring, use=use)
    row = [Column(f"c{place}", column.type) for place, column in enumerate(work.plan.columns)]
    counted = Column(_OCCURRENCE, DataType.INTEGER)
    first = pl.lit(0, dtype=pl.UInt32).alias(_OCCURRENCE)
    repeats = None if _has_unique_column(frame, row) else _occurrences(_with_words(frame, row, work.keyring, use=use))
    number = first if repeats is None else _looked_up(repeats)
    return _with_words(frame.with_columns(number), [*row, counted], work.keyring, use=use).drop(_OCCURRENCE)


def _with_words(frame: pl.LazyFrame, columns: Sequence[Column], keyring: KeyRing, *, use: str) -> pl.LazyFrame:
    """As `encoding.with_row_words`, but by struct fields: an `unnest` would be computed even by queries that need no word."""

    def words(batch: pl.Series) -> pl.Series:
        return keyring.digest(batch, use=use).rename(dict(zip(("w0", "w1", "w2", "w3"), WORDS, strict=True))).to_struct(_ALL_WORDS)

    dtype = pl.Struct(dict.fromkeys(WORDS, pl.UInt64))
    words_column = row_text(columns).map_batches(words, return_dtype=dtype, is_elementwise=True).alias(_ALL_WORDS)
    fields = [pl.col(_ALL_WORDS).struct.field(word).alias(word) for word in WORDS]
    return frame.with_columns(words_column).with_columns(fields).drop(_ALL_WORDS)


def _has_unique_column(frame: pl.LazyFrame, row: Sequence[Column]) -> bool:
    """Whether the most varied column alone shows that no two rows are equal: far cheaper than comparing whole rows."""
    counts = frame.select(pl.len(), *(pl.col(column.name).approx_n_unique() for column in row if column.type in _COUNTED))
    counted = counts.collect(engine="streaming").row(0, named=True)
    rows = counted.pop("len")
    if not rows or not counted:
        return not rows
    likely = max(counted, key=lambda name: (counted[name], name))
    if counted[likely] < _ABOUT_ALL * rows:
        return False
    return _all_differ(frame, [column for column in row if column.name == likely])


def _all_differ(frame: pl.LazyFrame, columns: Sequence[Column]) -> bool:
    """Whether all rows differ on these columns, by an unkeyed 64-bit hash in memory: much cheaper than keyed words.

    Different hashes are different rows. Two equal ones prove nothing (3e-6 among 10 million different rows): then False.
    """
    text = canonical(columns[0].name, columns[0].type) if len(columns) == 1 else row_text(columns)
    hashes = frame.select(text.nchash.xxhash64()).collect(engine="streaming").to_series()  # type: ignore[attr-defined]
    if hashes.null_count() > 1:
        return False
    in_order = np.sort(hashes.drop_nulls().to_numpy())
    return not bool((in_order[1:] == in_order[:-1]).any())


def _looked_up(numbers: pl.Series) -> pl.Expr:
    def gather(places: pl.Series) -> pl.Series:
        return numbers.gather(places)

    return pl.col(POSITION).map_batches(gather, return_dtype=pl.UInt32, is_elementwise=True).alias(_OCCURRENCE)


def _occurrences(frame: pl.LazyFrame) -> pl.Series | None:
    """For each input position how many equal rows stand before it; None when no two rows are equal.

    Rows are compared by 64 keyed bits: among 10 million rows two different ones are taken for equal with probability 3e-6, and
    then only get other draws than in another input order.
    """
    words = frame.select(WORDS[0], POSITION).collect(engine="streaming")
    identity = words[WORDS[0]].to_numpy()
    in_order = np.sort(identity)
    if not bool((in_order[1:] == in_order[:-1]).any()):
        return None
    del in_order
    order = np.argsort(identity, kind="stable")
    ranked = identity[order]
    place = np.arange(len(ranked), dtype=np.int64)
    starts = np.concatenate(([True], ranked[1:] != ranked[:-1]))
    number = place - np.maximum.accumulate(np.where(starts, place, 0))
    numbers = np.empty(len(ranked), dtype=np.uint32)
    numbers[words[POSITION].to_numpy()[order].astype(np.int64)] = number
    return pl.Series(_OCCURRENCE, numbers)

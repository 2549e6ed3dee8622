"""Candidate keys and near-keys: columns, alone or up to three together, that tell rows apart.

The uniqueness of a column set is its distinct combinations without nulls over the rows; 1 makes a candidate key, at least 0.99 a
near-key (a key with errors in it, or two records of one person). Only minimal sets count: no part of a set is a key or near-key.

- Alone: candidate keys of any type; near-keys of text, integers and binary content (measurements are nearly unique by nature).
- Together: columns without nulls that are no floating-point numbers. Sets that would be unique among independent columns anyway are
  coincidences: with chance s_i that two different rows agree on column i, n (n - 1) / 2 * s_1 * s_2 ... equal pairs are expected, and that
  must be at least 9.2 (probability of none below 10^-4) and ten times what was found.
  With a part of uniqueness 0.9 or more only keys count.
Sets are refuted on some rows (exactly for keys, by estimate for near-keys) and the others counted on all rows; rows are chosen by
their content, and in the end as all rows of some values of the widest column, among which no equal pair is missed.
Combinations are counted by 64-bit hashes: different hashes are different rows, so a key is one beyond doubt; that two different rows
share a hash (n^2 / 2^65 expected pairs) could at most cost a near-key its last digit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import polars as pl

from tamis.core.types import DataType, KeySet
from tamis.profile.codes import Coded, CodeStore, Hashes, Ids, group_sizes, mixed_hashes, packed
from tamis.profile.columns import Measured
from tamis.profile.limits import Limits

NEAR = 0.99
_EXPECTED = 9.21
_TIMES = 10
_LOOK = 2_000
_ALMOST = 0.9
_WIDER = 8
"""a second look at so many times the rows: most coincidences show there"""
_NEVER_NEAR = frozenset(
    {DataType.NUMBER, DataType.DATE, DataType.DATETIME, DataType.TIME, DataType.DURATION, DataType.BOOLEAN, DataType.EMPTY}
)


def find_keys(
    measured: Sequence[Measured], repeated: frozenset[str], sample: Sequence[Coded], store: CodeStore, safe: Sequence[str], limits: Limits
) -> tuple[tuple[KeySet, ...], tuple[str, ...]]:
    """(keys, what was not examined). `repeated` are columns that say the same as an earlier one; `sample` is some rows of each column."""
    singles = list(_single_keys(measured))
    if not measured or measured[0].profile.rows < 2:
        return tuple(singles), ()
    taken = {key.columns[0] for key in singles} | repeated
    parts = [i for i, m in enumerate(measured) if m.profile.name not in taken and _can_be_part(m)]
    cut = []
    if len(parts) > limits.key_columns:
        parts = sorted(sorted(parts, key=lambda i: (-measured[i].profile.distinct, i))[: limits.key_columns])
        cut.append(f"composite keys were sought among the {limits.key_columns} columns with the most values")
    together, left = _composite_keys(measured, parts, sample, store, safe, limits)
    if left:
        cut.append(f"{left} possible composite keys were not counted")
    return (*singles, *together), tuple(cut)


def _single_keys(measured: Sequence[Measured]) -> Iterator[KeySet]:
    for m in measured:
        column = m.profile
        if not column.rows:
            continue
        share = min(1.0, column.distinct / column.rows)
        key = share == 1.0 and column.distinct_exact
        near = column.rows > 1 and share >= NEAR and column.type not in _NEVER_NEAR
        if key or near:
            yield KeySet(columns=(column.name,), uniqueness=round(share, 6), exact=column.distinct_exact)


def _can_be_part(m: Measured) -> bool:
    return not m.profile.nulls and not m.profile.constant and m.profile.type is not DataType.NUMBER and m.agreement > 0


def _composite_keys(
    measured: Sequence[Measured], parts: Sequence[int], sample: Sequence[Coded], store: CodeStore, safe: Sequence[str], limits: Limits
) -> tuple[list[KeySet], int]:
    rows = measured[0].profile.rows
    look = [Coded(column.codes[:_LOOK], column.size, column.null) for column in sample]
    blocks = [_Blocks(store, safe, size) for size in (limits.pair_sample, _WIDER * limits.pair_sample)]
    found: list[tuple[int, ...]] = []
    out, spent, left = [], 0, 0
    for size in (2, 3):
        for columns in combinations(parts, size):
            expected = rows * (rows - 1) / 2 * float(np.prod([_chance_of_a_pair(measured[i]) for i in columns]))
            if expected < _EXPECTED or any(set(known) <= set(columns) for known in found):
                continue
            # Next to a column that is nearly unique by itself, a near-key says nothing new.
            least = rows if any(measured[i].profile.uniqueness >= _ALMOST for i in columns) else NEAR * rows
            if float(np.prod([float(measured[i].profile.distinct) for i in columns])) < least:
                continue
            if len(group_sizes(*packed([look[i] for i in columns]))) < NEAR * len(look[0].codes):
                continue
            widest = max(columns, key=lambda i: (measured[i].profile.distinct, -i))
            if not all(_may_be_unique(block.of(widest, columns), rows, expected) for block in blocks if block.size < rows):
                continue
            if spent >= limits.verified_rows:
                left += 1
                continue
            spent += rows
            sizes = equal_rows(mixed_hashes([store.hashed(safe[i]) for i in columns]))
            pairs = float((sizes * (sizes - 1) / 2).sum())
            if len(sizes) >= least and pairs * _TIMES <= expected:
                found.append(columns)
                out.append(KeySet(columns=tuple(measured[i].profile.name for i in columns), uniqueness=round(len(sizes) / rows, 6)))
    return out, left


@dataclass(slots=True)
class _Blocks:
    """All rows of some values of a column: rows that are equal in a set with this column are all there, or none of them."""

    store: CodeStore
    safe: Sequence[str]
    size: int
    _chosen: dict[int, Ids] = field(default_factory=dict)

    def of(self, widest: int, columns: Sequence[int]) -> Hashes:
        """About `size` rows of these columns, whole values of the widest one."""
        if widest not in self._chosen:
            mixed = self.store.hashed(self.safe[widest])
            every = np.uint64(max(1, len(mixed) // self.size))
            self._chosen[widest] = np.flatnonzero((mixed >> np.uint64(32)) % every == 0)[: 4 * self.size]
        return mixed_hashes([self.store.hashed(self.safe[i])[self._chosen[widest]] for i in columns])


def _chance_of_a_pair(m: Measured) -> float:
    """Chance that two different rows agree on a column; `agreement` counts each row with itself, too."""
    rows = m.profile.rows
    return max(0.0, (m.agreement * rows - 1) / (rows - 1))


def _may_be_unique(some: Hashes, rows: int, expected: float) -> bool:
    """Whether some of the `rows` rows leave open that the set is a key or near-key and no coincidence."""
    sizes = equal_rows(some)
    pairs = float((sizes * (sizes - 1) / 2).sum()) * rows / max(1, len(some))
    return len(sizes) >= NEAR * len(some) and pairs * _TIMES <= 2 * expected


def equal_rows(hashed: Hashes) -> Ids:
    """How many rows have each hash."""
    ordered = pl.Series(hashed).sort().to_numpy()
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(ordered) else np.zeros(0, dtype=np.int64)
    return np.diff(starts, append=len(ordered)).astype(np.int64)

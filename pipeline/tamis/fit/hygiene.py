"""Hygiene before the fit: after it no value in the training rows belongs to fewer than k persons.

Numbers are microaggregated (Domingo-Ferrer and Mateo-Sanz 2002, IEEE TKDE 14:189): a value shared by at least k persons stays; the
others are replaced, in order, by means over groups of at least k persons. In each tail the outermost h = ceil(k / 2) persons do not
even enter the mean that replaces them, so that one huge value cannot be read back from a mean it dominates. Categories of fewer
than k persons are pooled. What this does not protect from: an attribute that all of k persons share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_STEPS_OF_INTEGERS = (1000.0, 500.0, 100.0, 50.0, 10.0, 5.0, 1.0)
_STEPS_OF_NUMBERS = (*_STEPS_OF_INTEGERS, 0.5, 0.25, 0.1, 0.05, 0.01, 1e-3, 1e-4, 1e-5, 1e-6)
_STEPS_OF_SECONDS = (86400.0, 3600.0, 60.0, 1.0)


@dataclass(frozen=True, slots=True)
class SafeNumbers:
    """Hygienic values in the order of the input, and which of them are values that at least k persons share."""

    values: Floats
    shared: Bools


def persons_per(groups: Ints, persons: Ints | None, size: int) -> Ints:
    """Distinct persons in each of `size` groups; rows when `persons` is None. `groups` and `persons` are codes from 0."""
    if persons is None or len(groups) == 0:
        return np.bincount(groups, minlength=size)
    width = int(persons.max()) + 1
    pairs = np.unique(groups * width + persons)
    return np.bincount(pairs // width, minlength=size)


def count_persons(persons: Ints | None, mask: Bools) -> int:
    """Distinct persons (rows when `persons` is None) among the rows of `mask`."""
    return int(mask.sum()) if persons is None else len(np.unique(persons[mask]))


def safe_numbers(values: Floats, persons: Ints | None, k: int) -> SafeNumbers:
    """Microaggregate finite values of at least 2k persons."""
    order = np.argsort(values, kind="stable")
    v = values[order]
    p = None if persons is None else persons[order]
    distinct, run = np.unique(v, return_inverse=True)
    shared = (persons_per(run.astype(np.int64), p, len(distinct)) >= k)[run]
    low, low_value = _tail(v, shared, p, k)
    high, high_value = _tail(-v[::-1], shared[::-1], None if p is None else p[::-1], k)
    if low + high > len(v):
        v = np.full(len(v), _middle(v, p, k))
    else:
        settled = shared.copy()
        if low:
            v[:low], settled[:low] = low_value, True
        if high:
            v[len(v) - high :], settled[len(v) - high :] = -high_value, True
        v = _microaggregate(v, settled, p, k)
    back = np.empty(len(v), dtype=np.int64)
    back[order] = np.arange(len(v))
    return SafeNumbers(v[back], shared[back])


def _reach(persons: Ints | None, rows: int, need: int) -> int | None:
    """How many rows from the start hold `need` distinct persons; None when there are not so many."""
    if persons is None:
        return need if need <= rows else None
    first = np.sort(np.unique(persons, return_index=True)[1])
    return int(first[need - 1]) + 1 if len(first) >= need else None


def _tail(v: Floats, shared: Bools, persons: Ints | None, k: int) -> tuple[int, float]:
    """Rows of the lower tail of sorted values and the value that replaces them: (0, nan) when the lowest value is shared."""
    if shared[0]:
        return 0, np.nan
    end = int(np.argmax(shared)) if shared.any() else len(v)
    outer = _reach(None if persons is None else persons[:end], end, -(-k // 2))
    if outer is not None:
        inner = _reach(None if persons is None else persons[outer:end], end - outer, k)
        if inner is not None:
            return outer + inner, float(np.mean(v[outer : outer + inner]))
    # Too few before the first shared value: they join it. Without any shared value the caller takes the middle.
    return (end, float(v[end])) if end < len(v) else (len(v) + 1, np.nan)


def _middle(v: Floats, persons: Ints | None, k: int) -> float:
    """Mean over the k persons (or more) around the median of sorted values."""
    for half in range(-(-k // 2), len(v) + 1):
        part = slice(max(0, len(v) // 2 - half), len(v) // 2 + half)
        if len(v[part]) >= k and (persons is None or len(np.unique(persons[part])) >= k):
            return float(np.mean(v[part]))
    return float(np.mean(v))


def _microaggregate(v: Floats, settled: Bools, persons: Ints | None, k: int) -> Floats:
    """Replace each stretch of unsettled sorted values by means of groups of at least k persons, or by its nearest neighbor."""
    open_rows = np.flatnonzero(~settled)
    if len(open_rows) == 0:
        return v
    starts = np.flatnonzero(np.diff(open_rows, prepend=-2) > 1)
    sizes = np.diff(np.append(starts, len(open_rows)))
    stretch = np.repeat(np.arange(len(starts)), sizes)
    position = np.arange(len(open_rows)) - np.repeat(starts, sizes)
    parts = np.maximum(1, sizes // k)
    inside = None if persons is None else persons[open_rows]
    while True:
        offsets = np.append(0, np.cumsum(parts))
        group = offsets[stretch] + position * parts[stretch] // sizes[stretch]
        thin = persons_per(group, inside, int(offsets[-1])) < k
        poor = np.unique(np.repeat(np.arange(len(parts)), parts)[thin])
        again = poor[parts[poor] > 1]
        if len(again) == 0:
            break
        parts[again] = np.maximum(1, parts[again] // 2)
    means = np.bincount(group, weights=v[open_rows]) / np.bincount(group)
    if len(poor):  # stretches of one group with fewer than k persons: their nearest settled neighbor
        before = v[open_rows[starts[poor]] - 1]
        after_row = open_rows[starts[poor] + sizes[poor] - 1] + 1
        after = v[np.minimum(after_row, len(v) - 1)]
        own = means[offsets[poor]]
        means[offsets[poor]] = np.where(own - before <= after - own, before, after)
    out = v.copy()
    out[open_rows] = means[group]
    return out


def grid_step(values: Floats, persons: Ints | None, k: int, *, whole: bool, seconds: bool) -> float | None:
    """The coarsest usual rounding grid that all but fewer than k persons (and fewer than 1 % of rows) keep; None when there is none."""
    steps = _STEPS_OF_SECONDS if seconds else _STEPS_OF_INTEGERS if whole else _STEPS_OF_NUMBERS
    for step in steps:
        scaled = values / step
        off = np.abs(scaled - np.rint(scaled)) > 1e-6 + 1e-12 * np.abs(scaled)
        if off.mean() < 0.01 and count_persons(persons, off) < k:
            return step
    return None


def pool_rare(codes: Ints, size: int, persons: Ints | None, k: int, limit: int) -> Ints:
    """Codes 0..size-1 (-1: null) to new codes by falling frequency; categories of fewer than k persons and beyond `limit` become -1.

    The map: `result[code]` is the new code.
    """
    present = codes >= 0
    rows = np.bincount(codes[present], minlength=size)
    enough = persons_per(codes[present], None if persons is None else persons[present], size) >= k
    ranked = sorted(np.flatnonzero(enough), key=lambda code: (-int(rows[code]), int(code)))[:limit]
    mapping = np.full(size, -1, dtype=np.int64)
    mapping[ranked] = np.arange(len(ranked))
    return mapping

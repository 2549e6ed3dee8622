"""Columns that repeat others: exact duplicates, and exact functional dependencies that are no coincidence.

A dependency X -> Y holds when every value of X goes with one value of Y (null counts as a value of Y; rows without X say nothing).
It is reported when it means something:
- X is neither a candidate key nor nearly one: at least 2 rows per value of X on average, and at most `determinant_values` values;
- X and Y both vary, and X is present in at least 90 % as many rows as Y;
- X has more distinct values than Y, or as many and stands earlier: so there is no circle, and of two columns that fix each other
  only the later one is reported;
- it would be unlikely among independent columns: two random rows agree on Y with chance s, the rows that repeat a value of X are
  rows(X) - distinct(X), and s to that power must be below 10^-4 (a flag set in three rows is "determined" by nearly everything).
Of several determinants the one with the fewest distinct values is named, of equals the earliest; a floating-point column only where
nothing else determines Y (measures fix much by being nearly unique).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from tamis.core.types import ColumnProfile, DataType
from tamis.profile.columns import Measured
from tamis.profile.limits import Limits
from tamis.profile.normal import Facts

_ROWS_PER_VALUE = 2.0
_COVER = 0.9
_COINCIDENCE = 1e-4


def find_duplicates(frame: pl.LazyFrame, facts: Sequence[Facts], measured: Sequence[Measured]) -> dict[str, str]:
    """Column to the first earlier column with exactly the same values and nulls; nothing in a table without rows.

    Only columns of one logical type whose aggregates all agree are compared.
    """
    alike: dict[ColumnProfile, list[int]] = defaultdict(list)
    for i, m in enumerate(measured):
        if m.profile.rows:
            # Shapes may come from samples that differ between equal columns.
            alike[m.profile.model_copy(update={"name": "", "shapes": ()})].append(i)
    found: dict[str, str] = {}
    for group in alike.values():
        remaining = group
        while len(remaining) > 1:
            first, others = remaining[0], remaining[1:]
            same = _equal(frame, facts[first].safe, [facts[i].safe for i in others])
            found.update({measured[i].profile.name: measured[first].profile.name for i in others if facts[i].safe in same})
            remaining = [i for i in others if facts[i].safe not in same]
    return found


def _equal(frame: pl.LazyFrame, first: str, others: Sequence[str]) -> set[str]:
    """Which of the other columns equal the first in every row; a glance at the head spares most full comparisons."""
    for look in (frame.head(1_000), frame):
        tests = [pl.col(first).eq_missing(pl.col(other)).all().alias(other) for other in others]
        verdict = look.select(tests).collect(engine="streaming").row(0, named=True)
        others = [other for other in others if verdict[other]]
        if not others:
            break
    return set(others)


def find_determinants(
    frame: pl.LazyFrame,
    rows: int,
    facts: Sequence[Facts],
    measured: Sequence[Measured],
    duplicates: Mapping[str, str],
    limits: Limits,
) -> dict[str, str]:
    """Column to the column that determines it, by the rules above; duplicates are left to `duplicate_of`."""
    tried = determining(measured, duplicates, limits)
    targets = {x: [y for y in targets_of(measured) if y != x and plausible(measured, x, y, duplicates)] for x in tried}
    if not any(targets.values()):
        return {}
    hopeless = _refuted(frame, rows, [facts[i].safe for i in range(len(facts))], targets, limits)
    found: dict[int, int] = {}
    for x in tried:
        open_targets = [y for y in targets[x] if y not in found and (x, y) not in hopeless]
        if open_targets:
            holds = _holds(frame, facts[x].safe, [facts[y].safe for y in open_targets])
            found.update({y: x for y in open_targets if facts[y].safe in holds})
    return {measured[y].profile.name: measured[x].profile.name for y, x in found.items()}


def determining(measured: Sequence[Measured], duplicates: Mapping[str, str], limits: Limits) -> list[int]:
    """Columns that may determine others, those with the fewest values first, floating-point columns last."""
    usable = [
        i
        for i, m in enumerate(measured)
        if m.grouped
        and m.profile.distinct_exact
        and 2 <= m.profile.distinct <= limits.determinant_values
        and m.profile.name not in duplicates
    ]
    order = sorted(usable, key=lambda i: (measured[i].profile.type is DataType.NUMBER, measured[i].profile.distinct, i))
    return [i for i in order if measured[i].profile.present >= _ROWS_PER_VALUE * measured[i].profile.distinct][: limits.determinants]


def targets_of(measured: Sequence[Measured]) -> list[int]:
    """Columns that may be determined: counted exactly, with more than one value."""
    return [i for i, m in enumerate(measured) if m.profile.distinct_exact and m.profile.distinct and not m.profile.constant]


def plausible(measured: Sequence[Measured], x: int, y: int, duplicates: Mapping[str, str]) -> bool:
    """Whether X -> Y would mean something if it held; from aggregates alone."""
    first, second = measured[x].profile, measured[y].profile
    if second.name in duplicates or first.present < _COVER * second.present:
        return False
    if (first.distinct, -x) < (second.distinct, -y) or first.type is DataType.EMPTY:
        return False
    agreement = measured[y].agreement
    return 0 < agreement < 1 and (first.present - first.distinct) * math.log(agreement) <= math.log(_COINCIDENCE)


def _refuted(
    frame: pl.LazyFrame, rows: int, names: Sequence[str], targets: Mapping[int, Sequence[int]], limits: Limits
) -> set[tuple[int, int]]:
    """Pairs that a few rows already disprove (which rows does not matter: the others are checked in full)."""
    involved = sorted({*targets, *(y for ys in targets.values() for y in ys)})
    place = {column: i for i, column in enumerate(involved)}
    every = max(1, rows // limits.dependency_sample)
    picked = [pl.col(names[i]) for i in involved]
    sample = frame.with_row_index("row").filter(pl.col("row") % every == 0).head(limits.dependency_sample).select(picked)
    ranked = sample.collect(engine="streaming").select(pl.all().rank("dense").fill_null(0).cast(pl.Int64))
    codes = ranked.to_numpy()
    refuted: set[tuple[int, int]] = set()
    for x, ys in targets.items():
        column = codes[:, place[x]]
        by_x = np.argsort(column, kind="stable")
        by_x = by_x[column[by_x] > 0]
        if not ys or not len(by_x):
            continue
        starts = np.flatnonzero(np.diff(column[by_x], prepend=-1))
        block = codes[by_x][:, [place[y] for y in ys]]
        differs = (np.minimum.reduceat(block, starts) != np.maximum.reduceat(block, starts)).any(axis=0)
        refuted.update((x, y) for y, wrong in zip(ys, differs, strict=True) if wrong)
    return refuted


def _holds(frame: pl.LazyFrame, x: str, ys: Sequence[str]) -> set[str]:
    """Which of the dependencies x -> y hold in every row with x: exact, one pass."""
    one_value = []
    for y in ys:
        value = pl.col(y)
        filled = (value.count() == 0) | ((value.null_count() == 0) & (value.min() == value.max()))
        one_value.append(filled.alias(y))
    groups = frame.filter(pl.col(x).is_not_null()).group_by(x).agg(one_value)
    verdict = groups.select([pl.col(y).all() for y in ys]).collect(engine="streaming").row(0, named=True)
    return {y for y in ys if verdict[y]}

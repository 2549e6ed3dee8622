"""Special uniques: persons told apart by few quasi-identifiers already.

Definitions. A minimal sample unique (MSU) of a record is a set of quasi-identifiers on which nobody else agrees with it, while on
every proper subset somebody does. A record with an MSU of few columns is a special unique (Elliot, Manning and Ford 2002, "A
computational algorithm for handling the special uniques problem", IJUFKS 10(5):493; Manning, Haglin and Keane 2008, "A recursive search
algorithm for statistical disclosure assessment", Data Mining and Knowledge Discovery 16(2):165, SUDA2).

- Score of a record: sum over its MSUs of size s of prod_{i=s}^{M} (q - i), with q columns and M the largest size looked at, less than q:
  the smaller the combination, the more supersets it makes unique. This is (q - s)! up to a factor that cancels in everything reported. A
  column's contribution: the share of all score that rests on MSUs with the column.
- DIS (Skinner and Elliot 2002, "A measure of disclosure risk for microdata", JRSS B 64(4):855): the probability that a unique match is
  right, f u_1 / (f u_1 + 2 (1 - f) u_2), with sampling fraction f, u_1 uniques and u_2 pairs among the classes. DIS-SUDA of a record: its
  score scaled so that the mean over the sample uniques is DIS, at most 1. The scaling is linear; sdcMicro's is by odds, so that single
  figures differ from its, and the order of records does not.

Every combination of a size is looked at or none: within a budget of (classes x combinations), the size reached is said.
What this does not protect from: an attacker who knows more columns, or who is content with a small group.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb, prod

import numpy as np
import numpy.typing as npt
import polars as pl

from tamis.verify.classes import Counted, Packed

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

MOST_COLUMNS = 3
BUDGET = 100_000_000
_DENSE = 4
"""counting by index instead of by hash while there are at most so many possible combinations per class"""


@dataclass(frozen=True, slots=True)
class Special:
    """What the search found."""

    share: float
    """share of persons with an MSU of at most `size` columns"""
    size: int
    complete: int
    """combinations of up to this size were all looked at"""
    contributions: tuple[float, ...]
    """per column the share of the score that rests on it"""
    dis: float
    dis_highest: float


def special_uniques(
    classes: Counted, fraction: float = 1.0, *, packed: Packed | None = None, size: int = MOST_COLUMNS, budget: int = BUDGET
) -> Special:
    """Search MSUs of up to `size` columns; `fraction` of the population was sampled (1: everybody)."""
    width, height = classes.keys.width, classes.keys.height
    size = min(size, width)
    score, contributions = np.zeros(height), np.zeros(width)
    flagged = np.zeros(height, dtype=bool)
    complete = size
    if (classes.members == 1).any():
        found, complete = minimal_uniques(classes, packed or Packed.of(classes.keys), size, budget)
        deepest = min(size, max(width - 1, 1))
        for columns, places in found.items():
            points = float(prod(width - i for i in range(len(columns), deepest + 1)) or 1)
            score[places] += points
            flagged[places] = True
            contributions[list(columns)] += points * len(places)
    total = float(score.sum())
    sizes, counts = classes.histogram()
    alone, pairs = int(counts[sizes == 1].sum()), int(counts[sizes == 2].sum())
    chance = fraction * alone + 2 * (1 - fraction) * pairs
    dis = fraction * alone / chance if chance else 0.0
    scaled = dis * alone / total if total else 0.0
    return Special(
        share=_persons(classes, flagged) / classes.persons if classes.persons else 0.0,
        size=size,
        complete=complete,
        contributions=tuple(float(value) for value in (contributions / total if total else contributions)),
        dis=dis,
        dis_highest=min(1.0, float(score.max(initial=0.0)) * scaled),
    )


def minimal_uniques(classes: Counted, packed: Packed, size: int, budget: int) -> tuple[dict[tuple[int, ...], Ints], int]:
    """Columns of each MSU to the classes that have it, and the size up to which the search is complete."""
    width, height = classes.keys.width, classes.keys.height
    found: dict[tuple[int, ...], Ints] = {}
    candidates = classes.members == 1
    spent = 0
    for of_size in range(1, size + 1):
        spent += comb(width, of_size) * height
        if spent > budget:
            return found, of_size - 1
        for columns in combinations(range(width), of_size):
            alone = _alone(classes, *packed.bounded_key(columns)) & candidates
            for fewer in range(1, of_size):
                for subset in combinations(columns, fewer):
                    if subset in found:
                        alone[found[subset]] = False
            if alone.any():
                found[columns] = np.flatnonzero(alone).astype(np.int64)
    return found, size


def _alone(classes: Counted, key: Ints, bound: int) -> Mask:
    """Classes whose members are one person among all classes with the same key, below `bound`."""
    if classes.pairs is None and bound <= _DENSE * len(key) + 1024:
        return np.asarray(np.bincount(key, weights=classes.members, minlength=bound)[key] == 1)
    alone = np.zeros(len(key), dtype=bool)
    if classes.pairs is None:
        given = pl.DataFrame({"k": key, "n": classes.members}).lazy().with_row_index("i")
        single = given.group_by("k").agg(pl.col("n").sum(), pl.col("i").first()).filter(pl.col("n") == 1).select("i").collect()
        alone[single["i"].to_numpy()] = True
        return alone
    person = pl.col("person").fill_null(0)
    given = classes.pairs.lazy().select("of", "person", k=pl.Series(key).gather(classes.pairs["of"]))
    groups = given.group_by("k").agg(one=person.min() == person.max(), of=pl.col("of")).filter("one").select(pl.col("of").explode())
    alone[groups.collect()["of"].drop_nulls().to_numpy()] = True
    return alone


def _persons(classes: Counted, flagged: Mask) -> int:
    if classes.pairs is None:
        return int(classes.members[flagged].sum())
    return int(classes.pairs["person"].filter(pl.Series(flagged).gather(classes.pairs["of"])).n_unique())

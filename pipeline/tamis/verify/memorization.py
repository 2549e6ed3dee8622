"""Memorization: do proxies say what their own person's row said, beyond what chance and the rest of the row explain?

Per column of proxies, on rows that what stays links (sides.linked_rows: an attacker who has the originals can link them too):

- own: share of proxies that equal their own row's original.
- own_chance: what chance gives. A proxy may depend on the columns that stay, and so does the original; what it must not depend on is
  the original itself. So: the mean over rows of P(original = this proxy | what stays of the row), by a decision tree that was grown on
  other rows (cross-fitted, leaves of 5 rows; frequencies in leaves are right on average on rows the tree has not seen, even where it
  split on noise); or, for numbers on a grid, from the distribution of what a straight prediction leaves, if that explains more.
- own_excess: lower end of the 99 % interval of own less own_chance, for equal values or (numbers fewer than 1 % share) for values nearer
  than half of 1 % of what a straight prediction leaves open, whichever is more, at least 0: what chance does not explain. Copied
  originals show here, and originals with noise added.

Over all modelled columns of a row together, as points (Gower's distance):

- closer: rows are divided at random into two halves; share of proxies of the first half whose closest original lies in that half. This
  is the holdout test of Platzer and Reutterer 2021 ("Holdout-based empirical assessment of mixed-type synthetic data", Frontiers in Big
  Data 4:679939): about 50 % unless proxies follow their own rows.
- near_copies: share of proxies that are closer to an original than 95 % of other originals are: 5 % at chance.
- distance_ratio: median of (distance to the closest)/(to the second closest original), NNDR (Lowe 2004; for tables Zhao et al. 2021,
  "CTAB-GAN", ACML): small where proxies sit on single originals.
- copies: share of released rows equal in all proxy columns to a combination that fewer than k original rows have. Not at 0 where values
  are few: read it beside own_excess.

What this does not protect from: rows that nothing links are not tested by own and closer; that the columns which stay determine a
sensitive one is a matter of attribute inference, not of memorization.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tamis.core.plan import TablePlan
from tamis.core.record import Measure
from tamis.core.types import Table, wilson
from tamis.verify.distances import Floats, Space
from tamis.verify.frames import rounded
from tamis.verify.sides import Side, in_any_order, linked_rows, recoded_sides, row_hash, sample_rows

Ints = NDArray[np.int64]
LINKED = 10_000
"""linked rows looked at per table"""
QUERIES, ORIGINALS = 1_000, 10_000
"""proxies whose distances are taken, originals on each side"""
FEWEST = 50
"""linked rows without which nothing is said of a column; of a table: `FEWEST_CLOSER`"""
FEWEST_CLOSER = 400
_CLASSES, _BINS, _FEATURES, _WORDS, _DIRECTIONS, _LEAF, _HEAVY, _SAME = 50, 20, 30, 8, 8, 5, 0.01, 1e-9
_ROWS_PER_COLUMN = 20
_Z95, _Z99 = 1.959964, 2.575829


def memorization(table: Table, after: pl.LazyFrame, plan: TablePlan, k: int) -> tuple[Measure, ...]:
    """All measures of one table: `memorization.…@table[.column]`; none where it has no proxies, or too few rows."""
    sides, left, right = recoded_sides(table, after, plan)
    if not any(side.proxy for side in sides):
        return ()
    modelled = [side for side in sides if side.modelled]
    found: list[Measure] = []
    linked = linked_rows(sides, left, right, LINKED)
    if linked is not None and linked.before.height >= FEWEST:
        found += own_values(plan.name, sides, linked.before, linked.after)
        if modelled and linked.before.height >= FEWEST_CLOSER:
            found.append(_closer(plan.name, modelled, linked.before, linked.after))
    if modelled:
        found += row_memorization(plan.name, modelled, left, right, k)
    return tuple(found)


# --------------------------------------------------------------------------------------------------------------------- own values


@dataclass(frozen=True, slots=True)
class OwnValues:
    """One column of proxies against their own originals."""

    rows: int
    equal: int
    chance: float
    excess: float


def own_values(name: str, sides: Sequence[Side], before: pl.DataFrame, after: pl.DataFrame) -> list[Measure]:
    """`memorization.own`, `own_chance` and `own_excess` of every proxy column of linked rows (row i of both frames is one row)."""
    given = _features([side for side in sides if not side.proxy][:_FEATURES], before)
    out = []
    for side in sides:
        if side.proxy and (one := own_value(side, before[side.alias], after[side.alias], given)) is not None:
            at = f"@{name}.{side.name}"
            low, high = wilson(one.equal, one.rows)
            own = one.equal / one.rows
            out += [
                Measure(name="memorization.own" + at, value=rounded(own), low=rounded(low), high=rounded(high), of=one.rows),
                Measure(name="memorization.own_chance" + at, value=rounded(one.chance), of=one.rows),
                Measure(name="memorization.own_excess" + at, value=rounded(one.excess), of=one.rows),
            ]
    return out


def own_value(side: Side, original: pl.Series, proxy: pl.Series, given: Floats) -> OwnValues | None:
    """Compare aligned values where both are there; None with fewer than `FEWEST` such rows."""
    there = (original.is_not_null() & proxy.is_not_null()).to_numpy()
    if there.sum() < FEWEST:
        return None
    old, new = original.filter(pl.Series(there)), proxy.filter(pl.Series(there))
    same = (old == new).to_numpy()
    given = given[there]
    if not side.modelled:  # an invented name depends on nothing: chance is how often persons share a name
        chance = _frequency(*_codes(old, new))
        return OwnValues(len(same), int(same.sum()), float(chance.mean()), max(0.0, _lower_end(same - chance)))
    # P(original = proxy | what stays) = P(its class | what stays) x its frequency inside the class
    exact = _codes(old, new)
    classes = _frequent(*exact)
    chance = _own_chance(_class_chances(classes[0], given), classes[1]) * _frequency(*exact, *classes)
    excess = max(0.0, _lower_end(same - chance))
    if side.ordered and len(np.unique(exact[0])) > _BINS:
        close = _Close.of(old.to_numpy(), new.to_numpy(), given)
        # Where values lie on a grid, what stays may tell them by order rather than one by one: the better guess counts as chance.
        gap = close.within(close.gap / 2, np.ones(len(same), dtype=np.bool_))
        if gap.chance.mean() > chance.mean():
            chance, excess = gap.chance, max(0.0, min(excess, _lower_end(same - gap.chance)))
        light = np.bincount(exact[0], minlength=int(exact[1].max()) + 1)[exact[1]] < _HEAVY * len(same)
        near = close.within(close.width, light)
        excess = max(excess, _lower_end(near.hits - near.chance))
    return OwnValues(len(same), int(same.sum()), float(chance.mean()), excess)


def _codes(old: pl.Series, new: pl.Series) -> tuple[Ints, Ints]:
    codes = pl.concat([old, new]).rank("dense").to_numpy().astype(np.int64) - 1
    return codes[: len(old)], codes[len(old) :]


def _frequency(old: Ints, new: Ints, old_class: Ints | None = None, new_class: Ints | None = None) -> Floats:
    """Per proxy the share of originals, of those in its class, that have its value; a value is in one class, or nearly so."""
    size = int(max(old.max(), new.max())) + 1
    counts = np.bincount(old, minlength=size)[new]
    if old_class is None or new_class is None:
        return counts / len(old)
    inside = np.bincount(old_class, minlength=int(max(old_class.max(), new_class.max())) + 1)[new_class]
    return np.minimum(1.0, counts / np.maximum(1, inside))


def _frequent(old: Ints, new: Ints) -> tuple[Ints, Ints]:
    """The most frequent values are classes of their own, the rest is one class."""
    counts = np.bincount(old, minlength=int(max(old.max(), new.max())) + 1)
    order = np.lexsort((np.arange(len(counts)), -counts))
    classes = np.full(len(counts), _CLASSES, dtype=np.int64)
    classes[order[:_CLASSES]] = np.arange(min(_CLASSES, len(counts)))
    return classes[old], classes[new]


@dataclass(frozen=True, slots=True)
class _Window:
    """Whether a proxy is near its own original, and how probable that is of any original given what stays."""

    hits: NDArray[np.bool_]
    chance: Floats


@dataclass(frozen=True, slots=True)
class _Close:
    """Numbers less what a prediction from what stays says of them: where that says nearly everything, near is nearer."""

    left: Floats
    drawn: Floats
    classes: Ints
    """quantile class of each original's remainder"""
    likely: Floats
    """(rows, classes): probability of each class given what stays"""
    gap: float
    """smallest distance of two different originals"""
    width: float
    """what counts as near: half of 1 % of the spread of remainders, or the same point of a grid"""

    @classmethod
    def of(cls, old: Floats, new: Floats, given: Floats) -> _Close:
        finite = old[np.isfinite(old)]
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
        old, new = np.clip(old, low, high), np.clip(new, low, high)
        said = np.empty(len(old))
        for learn, ask in _halves(len(old)):
            said[ask] = _predicted(old[:, None], given, learn)[ask, 0]
        left = old - said
        edges = np.unique(np.quantile(left, np.arange(1, _BINS) / _BINS))
        classes = np.searchsorted(edges, left, side="right")
        gaps = np.diff(np.unique(old))
        gaps = gaps[gaps > _SAME * (high - low)]  # errors of rounding are no grid
        gap = float(gaps.min()) if len(gaps) else 0.0
        five, ninety_five = np.quantile(left, (0.05, 0.95))
        width = max(gap / 2, float(ninety_five - five) / 200)
        return cls(left, new - said, classes, _class_chances(classes, given), gap, width)

    def within(self, width: float, asked: NDArray[np.bool_]) -> _Window:
        """Proxies within `width` of their own original, among the rows asked about; the others count as far."""
        chance = np.zeros(len(self.left))
        for place in range(self.likely.shape[1]):
            some = np.sort(self.left[self.classes == place])
            if len(some):
                inside = np.searchsorted(some, self.drawn + width, side="right") - np.searchsorted(some, self.drawn - width)
                chance += self.likely[:, place] * inside / len(some)
        return _Window((np.abs(self.left - self.drawn) <= width) * asked, chance * asked)


def _halves(rows: int) -> tuple[tuple[NDArray[np.bool_], NDArray[np.bool_]], ...]:
    """Every row is asked about once, by what was learned from the other half; the rows stand in no order of values."""
    even = np.arange(rows) % 2 == 0
    return (even, ~even), (~even, even)


def _predicted(wanted: Floats, given: Floats, learn: NDArray[np.bool_]) -> Floats:
    """Least squares with a little ridge, learned from some rows: predictions for all, (rows, wanted columns)."""
    middle, spread = given[learn].mean(axis=0), given[learn].std(axis=0)
    x = (given - middle) / np.where(spread > 0, spread, 1.0)
    mean = wanted[learn].mean(axis=0)
    square = x[learn].T @ x[learn] + 1e-3 * len(wanted) * np.eye(x.shape[1])
    predicted: Floats = mean + x @ np.linalg.solve(square, x[learn].T @ (wanted[learn] - mean))
    return predicted


def _class_chances(original: Ints, given: Floats) -> Floats:
    """(rows, classes): P(original's class | given), by trees grown on the other half of the rows.

    A tree splits parallel to the axes: it also gets straight predictions of the most frequent classes, where rows are many enough.
    """
    from sklearn.tree import DecisionTreeClassifier

    known, counts = np.unique(original, return_counts=True)
    some = known[np.argsort(-counts, kind="stable")[:_DIRECTIONS]]
    is_class = (original[:, None] == np.append(some, -1)[None, :]).astype(np.float64)
    is_class[:, -1] = original  # classes of numbers have an order
    straight = len(original) > _ROWS_PER_COLUMN * given.shape[1]
    out = np.zeros((len(original), int(original.max()) + 1))
    for learn, ask in _halves(len(original)):
        x = np.column_stack([given, _predicted(is_class, given, learn)]) if straight else given
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few rows for many classes: said by the interval
            tree = DecisionTreeClassifier(min_samples_leaf=_LEAF, random_state=0).fit(x[learn], original[learn])
        out[np.ix_(ask, tree.classes_)] = tree.predict_proba(x[ask])
    return out


def _own_chance(chances: Floats, proxy: Ints) -> Floats:
    """Per row the probability of the class of its proxy; 0 for a class that no original has."""
    place = proxy.clip(0, chances.shape[1] - 1)
    chance: Floats = np.where(place == proxy, np.take_along_axis(chances, place[:, None], axis=1)[:, 0], 0.0)
    return chance


def _features(sides: Sequence[Side], rows: pl.DataFrame) -> Floats:
    """What stays of a row as numbers: numbers as they are (between their 1 % and 99 % quantiles) and by rank, words by rank and, the

    frequent ones, as 0 or 1; missing values below everything by rank, in the middle as numbers.
    """
    columns = [np.zeros(rows.height)]
    for side in sides:
        values = rows[side.alias]
        columns.append(values.rank("dense").fill_null(0).to_numpy().astype(np.float64))
        if side.ordered:
            numbers = values.to_numpy().astype(np.float64)
            finite = numbers[np.isfinite(numbers)]
            if len(finite):
                numbers = np.clip(np.where(np.isnan(numbers), np.median(finite), numbers), *np.quantile(finite, (0.01, 0.99)))
                columns.append(numbers)
        else:
            frequent = values.drop_nulls().value_counts(sort=False, name="rows").sort("rows", side.alias, descending=[True, False])
            columns += [(values == word).fill_null(False).to_numpy().astype(np.float64) for word in frequent[side.alias].head(_WORDS)]
    return np.column_stack(columns)


def _lower_end(differences: Floats) -> float:
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    return float(differences.mean()) - _Z99 * error


# ---------------------------------------------------------------------------------------------------------------------- distances


def _closer(name: str, sides: Sequence[Side], before: pl.DataFrame, after: pl.DataFrame) -> Measure:
    """`memorization.closer@table`: linked rows, in no order of values, divided into two halves."""
    half = before.height // 2
    share, low, high, of = closer_share(
        sides, after.head(half).head(QUERIES), before.head(half).head(ORIGINALS), before.slice(half).head(min(half, ORIGINALS))
    )
    return Measure(name=f"memorization.closer@{name}", value=rounded(share), low=rounded(low), high=rounded(high), of=of)


def closer_share(
    sides: Sequence[Side], proxies: pl.DataFrame, training: pl.DataFrame, holdout: pl.DataFrame
) -> tuple[float, float, float, int]:
    """(share of proxies closer to a training row than to any holdout row, 95 % interval, proxies); ties count half.

    Training and holdout must have the same number of rows, at least two each. About 0.5 without memorization.
    """
    space = Space.of(sides, pl.concat([training, holdout]), proxies)
    points = space.points(proxies)
    near, far = (space.nearest(points, space.points(side))[0] for side in (training, holdout))
    wins = (near < far) + (near == far) / 2
    share = float(wins.mean())
    error = _Z95 * float(np.sqrt(max(share * (1 - share), 1e-12) / len(wins)))
    return share, max(0.0, share - error), min(1.0, share + error), len(wins)


def row_memorization(name: str, sides: Sequence[Side], before: pl.LazyFrame, after: pl.LazyFrame, k: int) -> list[Measure]:
    """`memorization.copies`, `near_copies` and `distance_ratio` of rows over these columns; needs no link between rows.

    `copies` looks at every row (16 bytes each), the others at samples of stated size.
    """
    names = [side.alias for side in sides]
    before, after = before.select(names), after.select(names)
    found = []
    if (copies := _copies(before, after, k)) is not None:
        low, high = wilson(*copies)
        share = copies[0] / copies[1]
        found.append(Measure(name=f"memorization.copies@{name}", value=rounded(share), low=rounded(low), high=rounded(high), of=copies[1]))
    if len(sides) < 2:  # on a line everything is close to something
        return found
    old = in_any_order(sample_rows(before, QUERIES + ORIGINALS))
    new = sample_rows(after, QUERIES)
    asked = min(QUERIES, old.height // 3)
    if asked < FEWEST or new.height < FEWEST:
        return found
    space = Space.of(sides, old, new)
    among = space.points(old.slice(asked))
    first, second = space.nearest(space.points(new), among)
    first_old, second_old = space.nearest(space.points(old.head(asked)), among)
    near = int((first < np.quantile(first_old, 0.05) * (1 - 1e-12)).sum())
    low, high = wilson(near, len(first))
    note = f"{len(first)} rows against {len(among)} originals"
    found.append(
        Measure(
            name=f"memorization.near_copies@{name}",
            value=rounded(near / len(first)),
            low=rounded(low),
            high=rounded(high),
            of=len(first),
            note=note,
        )
    )
    usual = rounded(_ratio(first_old, second_old))
    found.append(
        Measure(
            name=f"memorization.distance_ratio@{name}",
            value=rounded(_ratio(first, second)),
            of=len(first),
            note=f"{note}; among originals {usual:g}",
        )
    )
    return found


def _ratio(first: Floats, second: Floats) -> float:
    """Median of nearest over second nearest; two at the same place tell nothing apart: 1."""
    return float(np.median(np.divide(first, second, out=np.ones_like(first), where=second > 0)))


def _copies(before: pl.LazyFrame, after: pl.LazyFrame, k: int) -> tuple[int, int] | None:
    """(released rows with a combination of fewer than k original rows, released rows); rows of nulls only are left out."""
    hashes = []
    for frame in (before, after):
        some = frame.filter(pl.any_horizontal(pl.all().is_not_null()))
        hashes.append(some.select(row_hash([pl.all()])).collect(engine="streaming").to_series().to_numpy())
    if not len(hashes[1]):
        return None
    values, counts = np.unique(hashes[0], return_counts=True)
    return int(np.isin(hashes[1], values[counts < k]).sum()), len(hashes[1])

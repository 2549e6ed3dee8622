"""The state of a local recoding while it is searched: points in classes, and what a class must satisfy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from tamis.models import Criteria, Values, satisfying
from tamis.search.lattice import Tuples
from tamis.search.local_space import Codes, Floats, Nodes, Space

Mask = npt.NDArray[np.bool_]
_BOXES = 256


class Judge:
    """Which classes of points satisfy the criteria; what the table says of every point."""

    def __init__(self, tuples: Tuples, point: Codes, population: Codes | None) -> None:
        self.tuples = tuples
        self.point = point
        """point of each tuple row"""
        self.population = population
        """persons of the population with exactly the point's values: a class has at least their sum"""
        self.criteria = replace(tuples.criteria, reference="input")
        self.counted = tuples.persons is None and not tuples.criteria.about_values and not tuples.criteria.about_population
        """whether counts of rows are all there is to judge"""

    @cached_property
    def members(self) -> Floats:
        """Rows (persons) of each point; what a class has at most, if persons have several points."""
        count = int(self.point.max(initial=-1)) + 1
        if self.tuples.persons is None:
            return np.bincount(self.point, weights=self.tuples.rows, minlength=count).astype(np.float64)
        return _distinct(self.point, self.tuples.persons, count).astype(np.float64)

    def __call__(self, points: Codes, classes: Codes, count: int) -> Mask:
        """(count,): verdict on classes 0..count-1 that `points` are in; all other points are one more class, not judged."""
        if self.counted:
            return np.bincount(classes, weights=self.members[points], minlength=count) >= self.criteria.k
        known = None
        if self.population is not None:
            known = np.bincount(classes, weights=self.population[points], minlength=count).astype(np.int64)
        return self._judged(points, classes, count, known, self.criteria)

    def released(self, points: Codes, classes: Codes, count: int, population: Codes | None) -> Mask:
        """The verdict on a release of these classes, all other points suppressed; `population` are the persons in each class."""
        return self._judged(points, classes, count, population, self.tuples.criteria)

    def counts(self, points: Codes, classes: Codes, count: int) -> Codes:
        """Members of each class."""
        of, inside = self._rows(points, classes, count)
        persons = self.tuples.persons
        if persons is None:
            return np.bincount(of[inside], weights=self.tuples.rows[inside], minlength=count).astype(np.int64)
        return _distinct(of[inside], persons[inside], count)

    def _rows(self, points: Codes, classes: Codes, count: int) -> tuple[Codes, Mask]:
        """Class of each tuple row, `count` for those of other points; and which rows are in a class."""
        of_point = np.full(len(self.members), count, dtype=np.int64)
        of_point[points] = classes
        of = of_point[self.point]
        return of, of < count

    def _judged(self, points: Codes, classes: Codes, count: int, population: Codes | None, criteria: Criteria) -> Mask:
        members = np.append(self.counts(points, classes, count), 0)  # the others are no class that could be released
        known = None if population is None else np.append(population, 0)
        values = self._values(*self._rows(points, classes, count)) if criteria.about_values else []
        return satisfying(criteria, members, values, known)[:count]

    def _values(self, of: Codes, inside: Mask) -> list[Values]:
        if self.criteria.t is not None:  # nothing else compares with the rest of the table
            inside = np.ones(len(of), dtype=bool)
        of, persons = of[inside], self.tuples.persons
        number = self.tuples.rows[inside] if persons is None else persons[inside]
        values = []
        for column in self.tuples.sensitive:
            frame = pl.DataFrame({"c": of, "v": column.codes[inside], "n": number}).group_by("c", "v")
            counted = frame.agg(pl.col("n").sum() if persons is None else pl.col("n").n_unique()).sort("c", "v")
            classes, codes, counts = (counted[name].cast(pl.Int64).to_numpy() for name in ("c", "v", "n"))
            values.append(Values(classes, codes, counts, column.order, column.parents))
        return values


def _distinct(of: Codes, persons: Codes, count: int) -> Codes:
    pairs = pl.DataFrame({"c": of, "p": persons}).unique()["c"].to_numpy()
    return np.bincount(pairs, minlength=count).astype(np.int64)


class Budget:
    """Work that may still be done, in compared pairs of points; counts, not time, so that results do not depend on the machine."""

    def __init__(self, units: float) -> None:
        self.left = units

    def spend(self, units: float) -> None:
        """Count work done."""
        self.left -= units

    @property
    def over(self) -> bool:
        """Whether nothing more should be started."""
        return self.left <= 0


@dataclass(frozen=True, eq=False)
class Problem:
    """Points to put into classes: all of them, or some (`at` are their numbers in the judge's table)."""

    space: Space
    rows: Floats
    members: Floats
    k: int
    at: Codes
    judge: Judge
    budget: Budget
    public: Sequence[Nodes]
    """per dimension and leaf node the lowest label with at least k persons in the whole table: what a plan may name"""

    @property
    def size(self) -> int:
        """Number of points."""
        return len(self.rows)

    def part(self, points: Codes) -> Problem:
        """The same problem for some points."""
        return Problem(
            self.space.part(points), self.rows[points], self.members[points], self.k, self.at[points], self.judge, self.budget, self.public
        )

    def state(self, classes: Codes) -> State:
        """Figures of classes numbered 0..m-1; the array must not be changed afterwards."""
        for state in self.known:
            if state.classes is classes:
                return state
        hull = self.space.hull(classes)
        count = int(classes.max(initial=-1)) + 1
        rows = np.bincount(classes, weights=self.rows, minlength=count).astype(np.float64)
        members = rows if self.members is self.rows else np.bincount(classes, weights=self.members, minlength=count).astype(np.float64)
        state = State(classes, count, hull, self.space.cost(hull), rows, members)
        self.known[:] = [*self.known[-1:], state]
        return state

    @cached_property
    def known(self) -> list[State]:
        """The last states, which are asked for more than once."""
        return []

    @cached_property
    def covers(self) -> list[npt.NDArray[np.uint64] | None]:
        """Per dimension and node the points below it, as bits; None for a dimension of too many nodes."""
        return [
            None if tree.table is None else _bits(tree.above[tree.depth(np.arange(tree.size))][:, points] == np.arange(tree.size)[:, None])
            for tree, points in zip(self.space.trees, self.space.points, strict=True)
        ]

    def covered(self, boxes: Nodes) -> tuple[Codes, Codes]:
        """All pairs (box, point) where the box covers the point."""
        found: list[tuple[Codes, Codes]] = []
        for start in range(0, boxes.shape[1], _BOXES):
            common: npt.NDArray[np.uint64] | None = None
            for tree, points, table, nodes in zip(
                self.space.trees, self.space.points, self.covers, boxes[:, start : start + _BOXES], strict=True
            ):
                bits = table[nodes] if table is not None else _bits(tree.above[tree.depth(nodes)][:, points] == nodes[:, None])
                common = bits if common is None else np.bitwise_and(common, bits, out=common)
            assert common is not None  # there is a dimension
            words = np.flatnonzero(common)
            box, word = np.divmod(words, common.shape[1])
            bits = np.flatnonzero(np.unpackbits(common.ravel()[words].view(np.uint8), bitorder="little"))
            which, bit = np.divmod(bits, 64)
            found.append((box[which] + start, word[which] * 64 + bit))
        empty = np.zeros(0, dtype=np.int64)
        boxes_of, points_of = zip(*found, strict=True) if found else ((empty,), (empty,))
        return np.concatenate(boxes_of), np.concatenate(points_of)


def public_labels(space: Space, judge: Judge) -> list[Nodes]:
    """Per dimension and leaf node the lowest label of at least k persons of the table; the last node where there is none."""
    found = []
    everyone = np.arange(space.points.shape[1])
    for tree, points in zip(space.trees, space.points, strict=True):
        own = np.full(tree.size, tree.size - 1, dtype=np.int32)
        for level in range(len(tree.kept) - 1, -1, -1):
            members = judge.counts(everyone, tree.above[level][points].astype(np.int64), tree.size)
            above = tree.above[level]
            own = np.where((above >= 0) & (members[above] >= judge.criteria.k), above, own)
        found.append(own.astype(np.int32))
    return found


def _bits(table: Mask) -> npt.NDArray[np.uint64]:
    """Rows of booleans as 64-bit words."""
    width = -(-table.shape[1] // 64) * 8
    out = np.zeros((len(table), width), dtype=np.uint8)
    packed = np.packbits(table, axis=1, bitorder="little")
    out[:, : packed.shape[1]] = packed
    return out.view("<u8")


@dataclass(frozen=True, eq=False)
class State:
    """Classes and their figures: `hull` (dimensions, classes) of nodes; `cost` is the loss of one row."""

    classes: Codes
    count: int
    hull: Nodes
    cost: Floats
    rows: Floats
    members: Floats

    @property
    def loss(self) -> float:
        """Summed over rows."""
        return float((self.rows * self.cost).sum())

"""From boxes to cells: what stands when every row is given to the first cell that covers it, as the plan will."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tamis.cells import NONE, Conditions, first_cover
from tamis.search.lattice import Dimension
from tamis.search.local_classes import Mask, Problem
from tamis.search.local_space import FORBIDDEN, Codes, Regions


@dataclass(frozen=True, slots=True)
class Cells:
    """The classes, in the order in which they are tried: `levels` and `labels` are (cells, dimensions), labels as codes of the level."""

    levels: Codes
    labels: Codes
    loss: float
    """weighted mean over rows and quasi-identifiers; a suppressed row counts 1"""
    suppressed: int
    """rows that no cell covers"""
    classes: int
    feasible: bool
    """whether the suppressed rows stay within the limit"""
    members: Codes = field(repr=False)
    """rows (persons) of each cell"""
    assigned: Codes = field(repr=False)
    """cell of each tuple row, -1 for none"""
    only: Conditions = field(repr=False)
    """what cells ask beside their labels"""


def settle(problem: Problem, dimensions: Sequence[Dimension], base: Sequence[Codes], regions: Regions, allowed: int) -> Cells:
    """The boxes that satisfy the criteria under the assignment that the plan means; all figures are those of this assignment.

    `base` are the base codes of the points. A box that does not satisfy them is given up, the dearest first. What no box covers becomes
    one more cell, tried last, if that may be released; where it takes that to stay within the limit, it takes in the cells before it.
    """
    work = _Settling(problem, dimensions, base, regions)
    work.give_up()
    if work.uncovered.any():
        work.close(allowed)
    return work.cells(allowed)


class _Settling:
    def __init__(self, problem: Problem, dimensions: Sequence[Dimension], base: Sequence[Codes], regions: Regions) -> None:
        self.problem = problem
        self.codes = [dimension.codes for dimension in dimensions]
        self.base = base
        self.use(regions)

    def use(self, regions: Regions) -> None:
        """Try these regions: who is where, and which of them may be released."""
        self.regions = regions
        self.levels, self.labels = self._labels(regions)
        self.only = self._conditions(regions)
        self.of = first_cover(self.levels, self.labels, self.codes, self.base, self.only)
        self.fits = self._verdict()

    @property
    def uncovered(self) -> Mask:
        return np.asarray(self.of == NONE)

    @property
    def lost(self) -> float:
        return float(self.problem.rows[self.uncovered].sum())

    def _labels(self, regions: Regions) -> tuple[Codes, Codes]:
        named = [tree.named(nodes) for tree, nodes in zip(self.problem.space.trees, regions.boxes, strict=True)]
        levels, labels = zip(*named, strict=True)
        return np.stack(levels, axis=1), np.stack(labels, axis=1)

    def _conditions(self, regions: Regions) -> Conditions:
        level, label = np.zeros((2, len(regions.node)), dtype=np.int64)
        for d, tree in enumerate(self.problem.space.trees):
            at = regions.dimension == d
            level[at], label[at] = tree.named(regions.node[at])
        return Conditions(regions.cell, regions.dimension, level, label)

    def _verdict(self) -> Mask:
        judge, count = self.problem.judge, self.regions.count
        population = None
        if judge.tuples.population is not None:
            codes, persons = judge.tuples.population
            where = first_cover(self.levels, self.labels, self.codes, codes, self.only)
            population = np.bincount(where[where >= 0], weights=persons[where >= 0], minlength=count).astype(np.int64)
        inside = np.flatnonzero(~self.uncovered)
        return judge.released(inside, self.of[inside], count, population)

    def give_up(self) -> None:
        """Without the boxes that may not be released; few at a time, for what they held may let others stand."""
        while not self.fits.all():
            used = np.bincount(self.of[~self.uncovered], minlength=len(self.fits)) > 0
            bad = np.flatnonzero(used & ~self.fits)
            cost = self.problem.space.cost(self.regions.boxes[:, bad])
            worst = bad[np.lexsort((bad, -cost))[: max(1, len(bad) // 4)]]
            stay = used
            stay[worst] = False
            self.use(self.regions.where(stay))

    def close(self, allowed: int) -> None:
        """One more cell for what is uncovered, with as many of the last cells as it takes."""
        best = self.regions
        step = 0
        while True:
            count = max(0, best.count - step)
            self.use(best.first(count))
            points = np.flatnonzero(self.uncovered)
            last = self.problem.space.part(points).hull(np.zeros(len(points), dtype=np.int64))
            if self.problem.space.cost(last)[0] >= FORBIDDEN:
                break
            self.use(Regions.joined([best.first(count), Regions.of(last)]))
            if self.fits.all() and self.lost == 0:
                return
            if count == 0 or (step == 0 and self._lost_with(best) <= allowed):
                break
            step = max(1, 2 * step)
        self.use(best)

    def _lost_with(self, regions: Regions) -> float:
        self.use(regions)
        return self.lost

    def cells(self, allowed: int) -> Cells:
        """Figures of what is used now."""
        rows, count = self.problem.rows, self.regions.count
        inside = ~self.uncovered
        cost = self.problem.space.cost(self.regions.boxes)
        whole = max(1.0, rows.sum())
        loss = (float((cost[self.of[inside]] * rows[inside]).sum()) + self.lost) / whole
        members = self.problem.judge.counts(np.flatnonzero(inside), self.of[inside], count)
        of_row = self.of[self.problem.judge.point]
        return Cells(self.levels, self.labels, loss, round(self.lost), count, self.lost <= allowed, members, of_row, self.only)

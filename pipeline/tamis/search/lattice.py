"""The generalization lattice: which node reaches k with the least loss.

Definitions. n rows; for each quasi-identifier a ladder of levels; a node picks one level for each. A class is the set of rows with
equal labels; classes of fewer than k persons (or fewer than l distinct values of a sensitive column) are suppressed, at most
`limit` x n rows in all. Loss of a column at a level is its normalized certainty penalty (Xu et al. 2006, KDD): the mean over rows of
(leaves below the label - 1) / (distinct values - 1). Loss of a node is (1 - s) x mean column loss + s, with s the suppressed share.

Search. k-anonymity with suppression is monotone along the lattice (Samarati 2001; El Emam et al. 2009, OLA): a coarser node never
suppresses more. First a greedy walk gives a feasible node; then nodes are visited by ascending column loss, which is a lower bound of
their total loss, until it reaches the best total found: that node is the optimum. When the budget of nodes runs out first, the best
so far is returned with `complete=False`.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Codes = npt.NDArray[np.int64]
Node = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Dimension:
    """One quasi-identifier: `codes[level][base code]` is the label's code at that level; `losses[level]` in 0..1."""

    name: str
    codes: tuple[Codes, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Tuples:
    """Distinct tuples of base codes with their rows: `base` (dimensions, tuples). `members` are (tuple index, value code) pairs

    whose distinct values each class needs at least `least` of: persons for k, sensitive values for l.
    """

    base: tuple[Codes, ...]
    rows: Codes
    k: int
    persons: Codes | None = None
    """person code of each tuple row; None: every row is a person"""
    sensitive: tuple[Codes, ...] = ()
    l: int | None = None

    @property
    def total(self) -> int:
        """Rows in all."""
        return int(self.rows.sum())


@dataclass(frozen=True, slots=True)
class Found:
    """The node chosen and its figures."""

    node: Node
    loss: float
    suppressed: int
    checked: int
    complete: bool
    feasible: bool


def find_node(dimensions: Sequence[Dimension], tuples: Tuples, *, limit: float, budget: int) -> Found:
    """The node of least loss whose suppressed rows stay within `limit` x n; see the module's docstring."""
    search = _Search(dimensions, tuples, int(limit * tuples.total), budget)
    search.greedy()
    complete = search.best_first()
    node, loss, suppressed = search.best
    return Found(node, round(loss, 9), suppressed, search.checked, complete, suppressed <= search.allowed)


class _Search:
    def __init__(self, dimensions: Sequence[Dimension], tuples: Tuples, allowed: int, budget: int) -> None:
        self.dimensions = dimensions
        self.tuples = tuples
        self.allowed = allowed
        self.budget = budget
        self.seen: dict[Node, int] = {}
        self.top: Node = tuple(len(dimension.codes) - 1 for dimension in dimensions)
        self.best: tuple[Node, float, int] = (self.top, *self._figures(self.top))

    @property
    def checked(self) -> int:
        return len(self.seen)

    def column_loss(self, node: Node) -> float:
        return sum(d.losses[level] for d, level in zip(self.dimensions, node, strict=True)) / max(1, len(node))

    def suppressed(self, node: Node) -> int:
        if node not in self.seen:
            self.seen[node] = _suppressed_rows(self.dimensions, self.tuples, node)
        return self.seen[node]

    def _figures(self, node: Node) -> tuple[float, int]:
        gone = self.suppressed(node)
        share = gone / max(1, self.tuples.total)
        return (1 - share) * self.column_loss(node) + share, gone

    def _offer(self, node: Node) -> bool:
        loss, gone = self._figures(node)
        feasible = gone <= self.allowed
        best_node, best_loss, best_gone = self.best
        if feasible and (best_gone > self.allowed or (loss, sum(node), node) < (best_loss, sum(best_node), best_node)):
            self.best = (node, loss, gone)
        return feasible

    def _up(self, node: Node) -> list[Node]:
        return [(*node[:i], node[i] + 1, *node[i + 1 :]) for i in range(len(node)) if node[i] < self.top[i]]

    def _down(self, node: Node) -> list[Node]:
        return [(*node[:i], node[i] - 1, *node[i + 1 :]) for i in range(len(node)) if node[i] > 0]

    def greedy(self) -> None:
        """From the bottom, always the step that saves most rows per loss, until feasible; then back down where it stays so."""
        node: Node = (0,) * len(self.top)
        while not self._offer(node) and node != self.top and self.checked < self.budget:
            here, loss = self.suppressed(node), self.column_loss(node)
            node = max(self._up(node), key=lambda up: ((here - self.suppressed(up)) / (self.column_loss(up) - loss + 1e-9), up))
        moved = True
        while moved and self.checked < self.budget:
            feasible = [down for down in self._down(node) if self._offer(down)]
            moved = bool(feasible)
            node = min(feasible, key=lambda down: (self._figures(down)[0], down)) if feasible else node

    def best_first(self) -> bool:
        """Visit nodes by ascending column loss; True when the optimum is proven."""
        bottom: Node = (0,) * len(self.top)
        heap: list[tuple[float, Node]] = [(self.column_loss(bottom), bottom)]
        queued = {bottom}
        while heap:
            bound, node = heapq.heappop(heap)
            if self.best[2] <= self.allowed and bound >= self.best[1]:
                return True
            if node not in self.seen and self.checked >= self.budget:
                return False
            self._offer(node)
            for up in self._up(node):
                if up not in queued:
                    queued.add(up)
                    heapq.heappush(heap, (self.column_loss(up), up))
        return True


def _suppressed_rows(dimensions: Sequence[Dimension], tuples: Tuples, node: Node) -> int:
    classes = _class_codes([d.codes[level][base] for d, level, base in zip(dimensions, node, tuples.base, strict=True)], len(tuples.rows))
    count = int(classes.max()) + 1 if len(classes) else 0
    rows = np.bincount(classes, weights=tuples.rows, minlength=count).astype(np.int64)
    persons = rows if tuples.persons is None else _distinct_per_class(classes, tuples.persons, count)
    small = persons < tuples.k
    for values in tuples.sensitive if tuples.l is not None else ():
        small |= _distinct_per_class(classes, values, count) < (tuples.l or 1)
    return int(rows[small].sum())


def _class_codes(columns: Sequence[Codes], length: int) -> Codes:
    """Dense class numbers of the combinations of label codes; radix packing, re-densified before it could overflow 63 bits."""
    key = np.zeros(length, dtype=np.int64)
    size = 1
    for column in columns:
        radix = int(column.max()) + 1 if len(column) else 1
        if size * radix >= 2**62:
            key = _dense(key)
            size = int(key.max()) + 1
        key = key * radix + column
        size *= radix
    return _dense(key)


def _dense(key: Codes) -> Codes:
    return np.unique(key, return_inverse=True)[1].astype(np.int64)


def _distinct_per_class(classes: Codes, members: Codes, count: int) -> Codes:
    pairs = pl.DataFrame({"c": classes, "m": members}).unique()["c"].to_numpy()
    return np.bincount(pairs, minlength=count).astype(np.int64)

"""Labels as numbers: the trees of the quasi-identifiers, and the lowest common label of any values, for whole arrays at once.

A *node* is a label at a level of one dimension; a *box* is one node per dimension, an array (dimensions, ...) of node numbers. The
smallest box around two boxes is their join: per dimension the lowest level at which both carry the same label. Where a ladder has no
label for all values, a last node of penalty `FORBIDDEN` stands for "no common label": such a box may not be released.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tamis.search.lattice import Dimension

Codes = npt.NDArray[np.int64]
Nodes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

FORBIDDEN = 1e6
"""penalty of a box without a label: far above any loss, finite so that differences stay defined"""
_TABLE = 1200
"""nodes of a dimension up to which all pairs are tabulated"""


class Tree:
    """One dimension: nodes numbered level by level, `above[level][node]` the ancestor-or-self at that level or -1."""

    def __init__(self, dimension: Dimension, share: float) -> None:
        self.kept = _nested(dimension.codes)
        """levels of the ladder that coarsen the ones below; others cannot be levels of a tree and are not used"""
        codes = [dimension.codes[level] for level in self.kept]
        widths = [int(code.max(initial=-1)) + 1 for code in codes]
        starts = np.concatenate(([0], np.cumsum(widths))).astype(np.int64)
        self.size = int(starts[-1]) + 1
        self.leaf = (starts[0] + codes[0]).astype(np.int32)
        """node of each base code at the finest level"""
        self.level = np.repeat(np.arange(len(codes)), widths)
        self.label = np.concatenate([np.arange(width) for width in widths]).astype(np.int64)
        self.penalty = np.full(self.size, FORBIDDEN)
        self.above = np.full((len(codes) + 1, self.size), -1, dtype=np.int32)
        self.above[-1] = self.size - 1
        for low, code in enumerate(codes):
            penalties = dimension.penalties[self.kept[low]]
            worst = np.zeros(widths[low])
            np.maximum.at(worst, code, penalties)
            self.penalty[starts[low] : starts[low + 1]] = worst * share
            for high in range(low, len(codes)):
                self.above[high][starts[low] + code] = starts[high] + codes[high]
        self.table = self._joined(*np.meshgrid(np.arange(self.size), np.arange(self.size), indexing="ij")) if self.size <= _TABLE else None
        self.costs = None if self.table is None else self.penalty[self.table]

    def depth(self, nodes: npt.NDArray[np.integer]) -> Codes:
        """Kept level of nodes; the node that stands for no label is above all."""
        return np.asarray(np.append(self.level, len(self.kept))[nodes])

    def named(self, nodes: npt.NDArray[np.integer]) -> tuple[Codes, Codes]:
        """Level of the ladder, and label code there, of nodes that stand for labels."""
        return np.array(self.kept, dtype=np.int64)[self.level[nodes]], self.label[nodes]

    def join(self, one: Nodes, other: Nodes) -> Nodes:
        """Lowest common label of nodes."""
        return self._joined(one, other) if self.table is None else self.table[one, other]

    def cost(self, one: Nodes, other: Nodes) -> Floats:
        """Penalty of the join."""
        if self.costs is None:
            return self.penalty[self._joined(one, other)]
        at = one * np.int32(self.size)
        at += other
        return self.costs.ravel().take(at)

    def _joined(self, one: npt.NDArray[np.integer], other: npt.NDArray[np.integer]) -> Nodes:
        found = np.full(np.broadcast(one, other).shape, self.size - 1, dtype=np.int32)
        for level in range(len(self.above) - 2, -1, -1):
            left = self.above[level][one]
            found = np.where((left >= 0) & (left == self.above[level][other]), left, found)
        return found


def _nested(codes: Sequence[Codes]) -> list[int]:
    """Levels whose labels are unions of labels of every kept level below; the finest always is kept."""
    kept = [0]
    for level in range(1, len(codes)):
        below, here = codes[kept[-1]], codes[level]
        parent = np.full(int(below.max(initial=-1)) + 1, -1, dtype=np.int64)
        parent[below] = here
        if np.array_equal(parent[below], here):
            kept.append(level)
    return kept


class Space:
    """All dimensions, and the points (distinct combinations of base codes) in them; `points` is (dimensions, points) of leaf nodes."""

    def __init__(self, trees: Sequence[Tree], points: Nodes) -> None:
        self.trees = trees
        self.points = points

    @classmethod
    def of(cls, dimensions: Sequence[Dimension], base: Sequence[Codes]) -> Space:
        """Penalties are weighted so that the cost of a box is the loss of one of its rows."""
        whole = sum(dimension.weight for dimension in dimensions)
        trees = [Tree(dimension, dimension.weight / whole) for dimension in dimensions]
        return cls(trees, np.stack([tree.leaf[codes] for tree, codes in zip(trees, base, strict=True)]))

    def part(self, points: Codes) -> Space:
        """The same dimensions over some of the points."""
        return Space(self.trees, np.ascontiguousarray(self.points[:, points]))

    def join(self, one: Nodes, other: Nodes) -> Nodes:
        """Smallest boxes around pairs of boxes."""
        return np.stack([tree.join(a, b) for tree, a, b in zip(self.trees, one, other, strict=True)])

    def joint_cost(self, one: Nodes, other: Nodes) -> Floats:
        """Loss per row in the join of pairs of boxes."""
        total = self.trees[0].cost(one[0], other[0])
        for tree, a, b in zip(self.trees[1:], one[1:], other[1:], strict=True):
            total = total + tree.cost(a, b)
        return total

    def cost(self, boxes: Nodes) -> Floats:
        """Loss per row of each box."""
        return np.asarray(np.sum([tree.penalty[nodes] for tree, nodes in zip(self.trees, boxes, strict=True)], axis=0))

    def hull(self, classes: Codes) -> Nodes:
        """Smallest box of each class 0..m-1 (each has a point): pairs are joined until one box is left."""
        order = np.argsort(classes, kind="stable")
        boxes, of = self.points[:, order], classes[order]
        while len(of):
            place = places(of)
            if not place.any():
                break
            odd = np.flatnonzero(place % 2)
            boxes[:, odd - 1] = self.join(boxes[:, odd - 1], boxes[:, odd])
            stay = place % 2 == 0
            boxes, of = boxes[:, stay], of[stay]
        return boxes

    def others(self, classes: Codes) -> tuple[Nodes, npt.NDArray[np.bool_]]:
        """For each point the smallest box around the other points of its class, and whether there are any.

        Prefix and suffix joins by doubling: as many passes as the largest class has bits.
        """
        order = np.argsort(classes, kind="stable")
        of = classes[order]
        place = places(of)
        length = np.bincount(of)[of] if len(of) else of
        before, after = self.points[:, order].copy(), self.points[:, order].copy()
        step = 1
        while step <= place.max(initial=0):
            down, up = np.flatnonzero(place >= step), np.flatnonzero(place + step < length)
            lower, upper = self.join(before[:, down], before[:, down - step]), self.join(after[:, up], after[:, up + step])
            before[:, down], after[:, up] = lower, upper
            step *= 2
        boxes = self.points[:, order].copy()
        first, last = place == 0, place == length - 1
        inner, head, tail = np.flatnonzero(~first & ~last), np.flatnonzero(first & ~last), np.flatnonzero(~first & last)
        boxes[:, inner] = self.join(before[:, inner - 1], after[:, inner + 1])
        boxes[:, head], boxes[:, tail] = after[:, head + 1], before[:, tail - 1]
        found = np.empty_like(boxes)
        found[:, order] = boxes
        some = np.empty(len(of), dtype=bool)
        some[order] = length > 1
        return found, some


@dataclass(frozen=True, eq=False)
class Regions:
    """Boxes in an order of precedence, and conditions: where `cell` and `dimension` occur, the cell takes only the values below one of
    the nodes listed there. Sorted by dimension, then cell."""

    boxes: Nodes
    cell: Codes
    dimension: Codes
    node: Codes

    @classmethod
    def of(cls, boxes: Nodes) -> Regions:
        """Boxes without conditions."""
        return cls(boxes, *(np.zeros(0, dtype=np.int64),) * 3)

    @property
    def count(self) -> int:
        """Number of boxes."""
        return int(self.boxes.shape[1])

    def where(self, stay: npt.NDArray[np.bool_]) -> Regions:
        """Some of the boxes."""
        kept = stay[self.cell]
        number = np.cumsum(stay) - 1
        return Regions(self.boxes[:, stay], number[self.cell[kept]], self.dimension[kept], self.node[kept])

    def first(self, count: int) -> Regions:
        """The first `count` boxes."""
        return self.where(np.arange(self.count) < count)

    @staticmethod
    def joined(parts: Sequence[Regions]) -> Regions:
        """One after the other; at least one."""
        offsets = np.cumsum([0, *[part.count for part in parts]])
        cell = np.concatenate([part.cell + offset for part, offset in zip(parts, offsets[:-1].tolist(), strict=True)])
        dimension, node = (np.concatenate([getattr(part, name) for part in parts]) for name in ("dimension", "node"))
        order = np.lexsort((cell, dimension))
        return Regions(np.concatenate([part.boxes for part in parts], axis=1), cell[order], dimension[order], node[order])


def places(sorted_classes: Codes) -> Codes:
    """Position of each entry within its run of equal numbers."""
    if not len(sorted_classes):
        return sorted_classes
    starts = np.flatnonzero(np.append(True, sorted_classes[1:] != sorted_classes[:-1]))
    return np.arange(len(sorted_classes)) - np.repeat(starts, np.diff(np.append(starts, len(sorted_classes))))


def dense(classes: Codes) -> Codes:
    """The same classes, numbered 0..m-1 in the order of their numbers, which are no larger than a few times the number of points."""
    present = np.bincount(classes) > 0
    return (np.cumsum(present) - 1)[classes]

"""Branch and bound over boxes of the lattice, and the walks that give it a good start; see lattice.py."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from tamis.core.ports import Progress
from tamis.search.figures import Figures, Look
from tamis.search.grouping import Grouping, State
from tamis.search.tuples import Dimension, Node, Tuples

_OVERHEAD = 4_000
"""work of looking at a node however few classes it has"""
_TIE = 1e-12
_ANCHOR = 20_000
"""elements above which a box gets the state of its finest node to make the others from"""
_SHELF = 512
"""states kept, and elements kept in all, or twice the table's tuples if these are more"""
_SHELF_SIZE = 6_000_000
_SMALL = 20_000
"""nodes of a lattice that is branched at once: its own nodes soon are as good as those a walk finds"""
_NOWHERE = int(np.iinfo(np.int32).max)
_HUGE = int(np.iinfo(np.int64).max)
_WALKS = (0.3, 0.55, 0.75)
"""shares of the budget used up at most after each kind of walk: in a lattice too large to be searched they find more than branching"""


@dataclass(frozen=True, slots=True)
class Option:
    """A node that was looked at: its loss, what it suppresses and the risk that stays."""

    node: Node
    loss: float
    suppressed: int
    highest_risk: float
    """1 / members of the smallest class; 0 when nothing is left"""
    average_risk: float
    """classes / members"""


@dataclass(frozen=True, slots=True)
class Found:
    """The node chosen and its figures."""

    node: Node
    loss: float
    suppressed: int
    checked: int
    complete: bool
    """whether the node is proven to be the best (or, where it is not feasible, that no node is)"""
    feasible: bool
    """whether it suppresses no more than the limit"""
    lower_bound: float
    """no feasible node has a smaller loss"""
    alternatives: tuple[Option, ...] = ()
    """feasible nodes looked at that no other equals or beats in loss, suppressed rows and both risks together, by ascending loss:

    the first is the best node itself"""


class Search:
    """One search; its work is counted in elements grouped."""

    def __init__(
        self, dimensions: Sequence[Dimension], tuples: Tuples, allowed: int, budget: int, how: str, progress: Progress | None = None
    ) -> None:
        self.allowed = allowed
        self.budget = budget
        self.progress = progress
        self.work = 0
        self.grouping = Grouping(dimensions, tuples)
        self.figures = Figures(self.grouping, how, allowed)
        self.top: Node = tuple(len(dimension.codes) - 1 for dimension in dimensions)
        self.bottom: Node = (0,) * len(dimensions)
        self.shelf = _Shelf(self.grouping)
        self.seen: dict[Node, Look] = {}
        self.best = self.look(self.top)

    @property
    def spent(self) -> bool:
        """Whether the budget is used up."""
        return self.work >= self.budget

    def found(self, alternatives: int) -> Found:
        """Walk, branch, and report."""
        if math.prod(level + 1 for level in self.top) > _SMALL:
            self._walk()
        complete, bound = self._branch()
        if self.progress is not None:
            self.progress.note(f"{len(self.seen)} nodes of the lattice looked at, {'the best one proven' if complete else 'search cut'}")
        best = self.best if self.best.suppressed <= self.allowed else self.figures.look(self.shelf.state(self.best.node)[0], exact=True)
        feasible = best.suppressed <= self.allowed
        others = _front([look for look in self.seen.values() if look.suppressed <= self.allowed], alternatives)
        lower = best.loss if complete and feasible else min(bound, best.loss)
        return Found(best.node, best.loss, best.suppressed, len(self.seen), complete, feasible, lower, others)

    def look(self, node: Node) -> Look:
        """The figures of a node; remembers the best one."""
        known = self.seen.get(node)
        if known is not None:
            return known
        state, work = self.shelf.state(node)
        self.work += work + _OVERHEAD
        look = self.figures.look(state)
        self.seen[node] = look
        if len(self.seen) == 1 or self._key(look) < self._key(self.best):
            self.best = look
        return look

    def _key(self, look: Look) -> tuple[int, float, int, Node]:
        over = look.suppressed if look.suppressed > self.allowed else 0
        return over, round(look.loss, 12), sum(look.node), look.node

    # ------------------------------------------------------------------------------------------------------------------ walks

    def _walk(self) -> None:
        """A greedy way down from the top and one up from the bottom, descents from where each ends, then from beside the best.

        Where the table is so large that few looks at its finest nodes would use up the budget the second starts two levels below the
        end of the first; the state of that node serves all that are looked at around there.
        """
        down, up, kicks = (int(self.budget * share) for share in _WALKS)
        here = self._down_walk(down)
        near = tuple(max(0, level - 2) for level in here.node)
        if self.grouping.root.size > _ANCHOR:
            self.work += self.shelf.state(near)[1]
        self._descend(here, down)
        if self.work < up:
            affordable = 4 * len(near) * self.grouping.root.size < up - self.work
            self._descend(self._up_walk(self.bottom if affordable else near, up), up)
        self._kick(kicks)

    def _descend(self, here: Look, stop: int, pinned: int | None = None) -> Look:
        """The best neighbor, as long as it is better; with the level of one column pinned."""
        while self.work < stop:
            nearest = here
            for node in self._around(here.node):
                if self.work >= stop:
                    break
                if pinned is None or node[pinned] == here.node[pinned]:
                    nearest = min(nearest, self.look(node), key=self._key)
            if nearest is here:
                break
            here = nearest
        return here

    def _kick(self, stop: int) -> None:
        """Move the best node one level in one column, descend with that column pinned, then freely; until no column helps."""
        improved = True
        while improved and self.work < stop:
            before = self.best
            for node in [*self._steps(before.node, 1), *self._steps(before.node, -1)]:
                if self.work >= stop:
                    break
                pinned = next(i for i, (a, b) in enumerate(zip(node, before.node, strict=True)) if a != b)
                self._descend(self._descend(self.look(node), stop, pinned), stop)
            improved = self.best is not before

    def _up_walk(self, start: Node, stop: int) -> Look:
        """From a fine node, always the step that saves most rows per loss, until feasible and no step lowers the loss."""
        here = self.look(start)
        while here.node != self.top and self.work < stop:
            steps = [self.look(node) for node in self._steps(here.node, 1)]
            if here.suppressed <= self.allowed:
                better = min(steps, key=self._key)
                if self._key(better) >= self._key(here):
                    break
                here = better
            else:
                cost = self.figures.of_columns(here.node)
                here = max(steps, key=lambda up: self._gain(here, up, cost))
        return here

    def _gain(self, here: Look, up: Look, cost: float) -> tuple[float, Node]:
        return (here.suppressed - up.suppressed) / (self.figures.of_columns(up.node) - cost + 1e-9), up.node

    def _down_walk(self, stop: int) -> Look:
        """From the top, always the feasible step that gains most per row suppressed."""
        here = self.look(self.top)
        while here.node != self.bottom and self.work < stop:
            steps = [self.look(node) for node in self._steps(here.node, -1)]
            fits = [down for down in steps if down.suppressed <= self.allowed and self._key(down) < self._key(here)]
            if not fits:
                break
            here = max(fits, key=partial(_worth, here))
        return here

    def _steps(self, node: Node, by: int) -> list[Node]:
        moved = [(*node[:i], node[i] + by, *node[i + 1 :]) for i in range(len(node))]
        return [step for step in moved if all(0 <= level <= top for level, top in zip(step, self.top, strict=True))]

    def _around(self, node: Node) -> Iterator[Node]:
        """One step down or up, and one up with another down, as far as they could be better."""
        limit = self.best.loss if self.best.suppressed <= self.allowed else math.inf
        near = [*self._steps(node, -1), *self._steps(node, 1), *(swap for up in self._steps(node, 1) for swap in self._steps(up, -1))]
        for step in dict.fromkeys(near):
            if step != node and self.figures.of_columns(step) <= limit:
                yield step

    # ---------------------------------------------------------------------------------------------------------- branch and bound

    def _hopeless(self, bound: float, low: Node, look: Look) -> bool:
        """Whether no node of a box can be chosen."""
        if self.figures.monotone and look.removed > self.allowed:
            return True
        if self.best.suppressed > self.allowed:
            return False
        if bound > self.best.loss + _TIE:
            return True
        return bound >= self.best.loss - _TIE and (sum(low), low) >= (sum(self.best.node), self.best.node)

    def _branch(self) -> tuple[bool, float]:
        """Whether the best node is proven, and a bound below every node that was not looked at."""
        heap: list[tuple[float, int, Node, Node]] = []

        def push(low: Node, high: Node) -> None:
            look = self.look(high)
            bound = self.figures.bound(low, high, look)
            if low != high and not self._hopeless(bound, low, look):
                heapq.heappush(heap, (bound, sum(low), low, high))

        push(self.bottom, self.top)
        while heap:
            bound, _, low, high = heap[0]
            if self._hopeless(bound, low, self.seen[high]):
                heapq.heappop(heap)
                continue
            if self.spent:
                return False, bound
            heapq.heappop(heap)
            index, middle = self._cut(low, high)
            push((*low[:index], middle + 1, *low[index + 1 :]), high)
            finer = (*high[:index], middle, *high[index + 1 :])
            if (
                finer not in self.seen
                and self.shelf.nearest(finer).size > _ANCHOR
                and math.prod(b - a + 1 for a, b in zip(low, finer, strict=True)) > 2
            ):
                self.work += self.shelf.state(low)[1]
            push(low, finer)
        return True, math.inf

    def _worth_an_anchor(self, low: Node, high: Node) -> bool:
        """Whether the box has several nodes and each would cost much."""
        several = math.prod(b - a + 1 for a, b in zip(low, high, strict=True)) > 2
        return several and self.shelf.nearest(high).size > _ANCHOR

    def _cut(self, low: Node, high: Node) -> tuple[int, int]:
        """Cut off a box's coarsest level in the column where the losses of its ends lie farthest apart."""
        gaps = [
            (share * abs(means[b] - means[a]), -i) if a < b else (-1.0, -i)
            for i, (share, means, a, b) in enumerate(zip(self.figures.shares, self.figures.means, low, high, strict=True))
        ]
        index = -max(gaps)[1]
        return index, high[index] - 1


def _worth(here: Look, down: Look) -> tuple[float, Node]:
    """Loss saved per row suppressed."""
    return (here.loss - down.loss) / (max(0, down.suppressed - here.suppressed) + 1), down.node


class _Shelf:
    """States kept, to make coarser ones from: always from the smallest that serves."""

    def __init__(self, grouping: Grouping) -> None:
        self.grouping = grouping
        self.most = max(_SHELF_SIZE, 2 * grouping.root.size)
        self.kept: list[State | None] = [None] * _SHELF
        self.nodes = np.full((_SHELF, len(grouping.dimensions)), _NOWHERE, dtype=np.int32)
        self.sizes = np.full(_SHELF, _HUGE, dtype=np.int64)
        self.stamps = np.zeros(_SHELF, dtype=np.int64)
        self.clock = 0
        self.strict = all(grouping.nested)
        self.held = 0

    def state(self, node: Node) -> tuple[State, int]:
        """The state of a node, and the work it took."""
        source = self.nearest(node)
        work = self.grouping.cost(source, node)
        made = self.grouping.coarser(source, node)
        if made is not source:
            self._keep(made)
        return made, work

    def nearest(self, node: Node) -> State:
        served = np.asarray((self.nodes <= np.array(node, dtype=np.int32)).all(axis=1))
        if not self.strict:
            served &= np.array([state is not None and self.grouping.derivable(state.node, node) for state in self.kept])
        sizes = np.where(served, self.sizes, _HUGE)
        place = int(sizes.argmin())
        state = self.kept[place]
        if state is None or not served[place]:
            return self.grouping.root
        self._touch(place)
        return state

    def _touch(self, place: int) -> None:
        self.clock += 1
        self.stamps[place] = self.clock

    def _keep(self, state: State) -> None:
        if state.size * 2 > self.most:
            return
        while self.held + state.size > self.most:
            used = np.where(self.sizes < _HUGE, self.stamps, _HUGE)
            self._drop(int(used.argmin()))
        place = int(self.stamps.argmin())
        self._drop(place)
        self.kept[place] = state
        self.nodes[place] = state.node
        self.sizes[place] = state.size
        self.held += state.size
        self._touch(place)

    def _drop(self, place: int) -> None:
        state = self.kept[place]
        if state is not None:
            self.held -= state.size
        self.kept[place] = None
        self.nodes[place] = _NOWHERE
        self.sizes[place] = _HUGE
        self.stamps[place] = 0


def _front(looks: list[Look], most: int) -> tuple[Option, ...]:
    """Those that no other equals or beats in every figure, at most `most`: the best, and the rest evenly by rank of loss."""
    if not looks or most < 1:
        return ()
    looks = sorted(looks, key=lambda one: (round(one.loss, 12), one.suppressed, one.node))
    figures = np.array([(round(one.loss, 12), one.suppressed, one.highest_risk, one.average_risk) for one in looks])
    front: list[int] = []
    for index, figure in enumerate(figures):
        if not front or not (figures[front] <= figure).all(axis=1).any():
            front.append(index)
    chosen = front if len(front) <= most else [front[i] for i in sorted(set(np.linspace(0, len(front) - 1, most).round().astype(int)))]
    return tuple(
        Option(one.node, one.loss, one.suppressed, one.highest_risk, one.average_risk) for one in (looks[index] for index in chosen)
    )

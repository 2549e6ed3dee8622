"""Precedence: which changes of the classes may stand, and the order in which the cells are tried.

A row will belong to the first cell that covers it. So a point may stay in class B although class A covers it as well, if B is tried
before A: B *precedes* A. Or A is given a condition beside its labels: it takes only certain values of a quasi-identifier, those of its
own points, and not the point of B. What no condition can tell apart, for the point has a value of A's points on every quasi-identifier,
is a *firm* relation; firm relations that form a cycle (a knot) are resolved by other classes, all others by order and conditions.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from tamis.search.local_classes import Mask, Problem, State
from tamis.search.local_space import FORBIDDEN, Codes, Regions, dense


def accepted(problem: Problem, old: Codes, new: Codes, gaining: bool = False, firm: bool = False) -> Codes:
    """`new` without the changes that may not stand; `old` is a state that may. Both number classes 0..m-1.

    Changes that share a class stand or fall together; with `gaining` also those fail that gain nothing, with `firm` those that tie a
    knot which cannot be resolved.
    """
    before = problem.state(old)
    tries = _RESOLVE
    while True:
        after = problem.state(new)
        if after.count == before.count and np.array_equal(old, new):
            return new
        group_old, group_new = _changes(before, after, old, new)
        changed = _differs(group_old, group_new)
        bad = ~problem.judge(problem.at, new, after.count) | (after.cost >= FORBIDDEN)
        refused = np.zeros(len(changed), dtype=bool)
        if gaining:
            gain = np.bincount(group_old, weights=before.rows * before.cost, minlength=len(changed))
            gain -= np.bincount(group_new, weights=after.rows * after.cost, minlength=len(changed))
            refused |= gain <= 1e-9 * problem.rows.sum()
        refused[group_new[bad]] = True
        refused &= changed
        if not refused.any():
            if not firm:
                return new
            knots = _Knots(problem, after)
            if not knots.any:
                return new
            stuck = knots.tied
            if tries:
                new, failed = knots.reassigned()
                stuck = knots.with_any(failed)
                new = np.where(stuck[after.classes], after.classes, new)
                tries -= 1
            refused = _first_per_knot(knots.knot, stuck, group_new, changed, after)
            if not refused.any():
                if stuck.any():
                    return dense(new)  # not by these changes
                new = dense(new)
                continue
            group_of = group_new[after.classes]
        else:
            group_of = group_new[new]
        new = dense(np.where(refused[group_of], after.count + old, new))


_RESOLVE = 3
"""times that knots are resolved before changes in knots are taken back: resolving may tie others"""


def _first_per_knot(knot: Codes, stuck: Mask, group: Codes, changed: Mask, state: State) -> Mask:
    """Of the changes in each knot that cannot be resolved the one of the dearest class: without it the others may stand."""
    candidates = np.flatnonzero(stuck & changed[group])
    candidates = candidates[np.lexsort((candidates, -(state.cost * state.rows)[candidates]))]
    _, first = np.unique(knot[candidates], return_index=True)
    refused = np.zeros(len(changed), dtype=bool)
    refused[group[candidates[first]]] = True
    return refused


def _changes(before: State, after: State, old: Codes, new: Codes) -> tuple[Codes, Codes]:
    """Number of the change that each old and each new class is part of: classes that share a point are parts of one change."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    whole = before.count + after.count
    links = coo_array((np.ones(len(old), dtype=np.int8), (old, before.count + new)), shape=(whole, whole))
    label = connected_components(links, directed=False)[1].astype(np.int64)
    return label[: before.count], label[before.count :]


def _differs(group_old: Codes, group_new: Codes) -> Mask:
    """Which changes change anything: more than one old class becomes one new class of the same points."""
    count = int(group_old.max(initial=-1)) + 1
    olds, news = np.bincount(group_old, minlength=count), np.bincount(group_new, minlength=count)
    return np.asarray((olds != 1) | (news != 1))


# ------------------------------------------------------------------------------------------------------------------------ relations


@dataclass(frozen=True, eq=False)
class _Relations:
    """Pairs of a class (`box`) and a point of another class (`own`) that its labels cover."""

    box: Codes
    point: Codes
    own: Codes

    @classmethod
    def of(cls, problem: Problem, state: State) -> _Relations:
        box, point = problem.covered(state.hull)
        problem.budget.spend(len(box) / 8 + problem.size)
        own = state.classes[point]
        foreign = np.flatnonzero(box != own)
        return cls(box[foreign], point[foreign], own[foreign])

    def where(self, which: Codes | Mask) -> _Relations:
        return _Relations(self.box[which], self.point[which], self.own[which])

    def firm(self, problem: Problem, state: State) -> _Relations:
        """Those that no condition could undo."""
        left = self
        for d in range(len(problem.space.trees)):
            left = left.where(np.flatnonzero(_has(problem, state, d, left)))
        return left


def _has(problem: Problem, state: State, dimension: int, relations: _Relations) -> Mask:
    """Whether the class has the point's value on a dimension."""
    size = problem.space.trees[dimension].size
    values = problem.public[dimension][problem.space.points[dimension]].astype(np.int64)
    own, wanted = state.classes * size + values, relations.box * size + values[relations.point]
    if state.count * size <= _TABLE:
        table = np.zeros(state.count * size, dtype=bool)
        table[own] = True
        return np.asarray(table[wanted])
    keys = np.unique(own)
    return np.asarray(keys[np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)] == wanted)


_TABLE = 1 << 26
"""pairs of class and value that are tabulated"""


# ---------------------------------------------------------------------------------------------------------------------------- knots


def untied(problem: Problem, classes: Codes) -> Codes:
    """Classes without knots of firm relations; what cannot be resolved is joined, as far as labels allow that."""
    while True:
        state = problem.state(classes)
        if not state.count:
            return classes
        knots = _Knots(problem, state)
        if not knots.any:
            return classes
        new, failed = knots.reassigned()
        stuck = knots.with_any(failed)
        joined = _joined(problem, state, knots.knot, failed)
        loosened = np.where(stuck[classes], classes, new)
        if joined is None:
            return dense(loosened)
        classes = dense(joined[loosened])


class _Knots:
    """The knots of a state, and the attempt to resolve them.

    The classes of a knot are given an order, and each of its points goes to the first of them that has its values. No class grows by
    that, so that nothing outside changes; whether every class may stand then decides.
    """

    def __init__(self, problem: Problem, state: State) -> None:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        self.problem, self.state = problem, state
        self.firm = _Relations.of(problem, state).firm(problem, state)
        ends = (self.firm.own, self.firm.box)
        links = coo_array((np.ones(len(ends[0]), dtype=np.int32), ends), shape=(state.count, state.count))
        self.knot = np.asarray(connected_components(links, directed=True, connection="strong")[1], dtype=np.int64)
        self.tied: Mask = np.bincount(self.knot)[self.knot] > 1

    @property
    def any(self) -> bool:
        return bool(self.tied.any())

    def with_any(self, classes: Mask) -> Mask:
        """All classes of the knots that have one of these."""
        return np.asarray(self.tied & (np.bincount(self.knot[classes], minlength=self.state.count) > 0)[self.knot])

    def reassigned(self) -> tuple[Codes, Mask]:
        """Classes (numbers as before) with each knot by its best order, and which classes of knots may not stand then."""
        problem, state, knot, tied = self.problem, self.state, self.knot, self.tied
        within = self.firm.where(tied[self.firm.own] & (knot[self.firm.box] == knot[self.firm.own]))
        inside = np.flatnonzero(tied[state.classes])
        box = np.concatenate([within.box, state.classes[inside]])
        point = np.concatenate([within.point, inside])
        knots = int(knot.max()) + 1
        best = np.full(knots, np.inf)
        new, number = state.classes.copy(), np.arange(state.count)
        for keys in ((state.members, state.cost), (state.cost, state.members), (state.cost, -state.members)):
            order = np.lexsort((number, *keys))
            rank = np.empty(state.count, dtype=np.int64)
            rank[order] = number
            tried = np.full(problem.size, state.count)
            np.minimum.at(tried, point, rank[box])
            to = order[tried[inside]]
            size = np.bincount(to, weights=problem.members[inside], minlength=state.count)
            short = tied & (size > 0) & (size < problem.k)
            loss = np.bincount(knot[to], weights=problem.rows[inside] * state.cost[to], minlength=knots)
            loss += np.bincount(knot, weights=np.where(short, size, 0.0), minlength=knots)
            take = (loss < best)[knot[to]]
            best = np.minimum(best, loss)
            new[inside[take]] = to[take]
        filled = np.bincount(new, minlength=state.count) > 0
        return new, tied & filled & ~problem.judge(problem.at, new, state.count)


def _joined(problem: Problem, state: State, knot: Codes, bad: Mask) -> Codes | None:
    """New number of each class where one class of each stuck knot is joined with the one of its knot that this costs least."""
    joined = np.arange(state.count)
    one = np.flatnonzero(bad)
    one = one[np.unique(knot[one], return_index=True)[1]]
    for number in one.tolist():
        others = np.flatnonzero((knot == knot[number]) & (joined != number))
        joint = problem.space.joint_cost(np.repeat(state.hull[:, [number]], len(others), axis=1), state.hull[:, others])
        increase = (state.rows[number] + state.rows[others]) * joint - (state.rows * state.cost)[others]
        if joint[increase.argmin()] < FORBIDDEN:
            joined[number] = others[increase.argmin()]
    if bad.any() and np.array_equal(joined, np.arange(state.count)):
        return None
    return joined


# ---------------------------------------------------------------------------------------------------------------------------- order


def arranged(problem: Problem, state: State) -> tuple[Regions, Codes]:
    """The classes in an order by which, with the conditions, each point's first cover is its own class; and that order.

    Exact where there are no knots. The cheaper first where that leaves a choice; where the relations form a cycle, the class that needs
    to keep out the fewest points goes first.
    """
    relations = _Relations.of(problem, state)
    order = _order(state, relations, relations.firm(problem, state))
    rank = np.empty(state.count, dtype=np.int64)
    rank[order] = np.arange(state.count)
    wrong = relations.where(rank[relations.box] < rank[relations.own])
    told = np.stack([~_has(problem, state, d, wrong) for d in range(len(problem.space.trees))])
    loose = np.flatnonzero(told.any(axis=0))
    cell, dimension = _conditions(state.count, wrong.box[loose], told[:, loose])
    entries = [(np.zeros(0, dtype=np.int64),) * 3]
    for d, tree in enumerate(problem.space.trees):
        asked = np.zeros(state.count, dtype=bool)
        asked[cell[dimension == d]] = True
        inside = np.flatnonzero(asked[state.classes])
        values = problem.public[d][problem.space.points[d][inside]].astype(np.int64)
        keys = np.unique(state.classes[inside] * tree.size + values)
        cells, nodes = rank[keys // tree.size], keys % tree.size
        by_cell = np.lexsort((nodes, cells))
        entries.append((cells[by_cell], np.full(len(keys), d, dtype=np.int64), nodes[by_cell]))
    return Regions(state.hull[:, order], *(np.concatenate(part) for part in zip(*entries, strict=True))), order


def _order(state: State, relations: _Relations, hard: _Relations) -> Codes:
    """Topological by all relations while that is possible, then by the firm ones."""
    pairs, weight = np.unique(relations.own * state.count + relations.box, return_counts=True)
    first, second, firm = pairs // max(1, state.count), pairs % max(1, state.count), np.isin(pairs, hard.own * state.count + hard.box)
    waiting = np.bincount(second, weights=weight, minlength=state.count).astype(np.int64).tolist()
    blocked = np.bincount(second[firm], minlength=state.count).tolist()
    starts = np.searchsorted(first, np.arange(state.count + 1)).tolist()
    targets, firms, weights, cost = second.tolist(), firm.tolist(), weight.tolist(), state.cost.tolist()
    # Of the classes that nothing firm must precede, the one that the fewest points of others would have to be kept out of.
    ready = [(waiting[one], cost[one], one) for one in range(state.count) if not blocked[one]]
    heapq.heapify(ready)
    done = [False] * state.count
    order: list[int] = []
    while ready:
        asked, _, one = heapq.heappop(ready)
        if done[one] or asked != waiting[one]:
            continue
        done[one] = True
        order.append(one)
        for place in range(starts[one], starts[one + 1]):
            other = targets[place]
            waiting[other] -= weights[place]
            blocked[other] -= firms[place]
            if not blocked[other] and not done[other]:
                heapq.heappush(ready, (waiting[other], cost[other], other))
    left = sorted((one for one in range(state.count) if not done[one]), key=lambda one: (cost[one], one))
    return np.array([*order, *left], dtype=np.int64)


def _conditions(count: int, box: Codes, told: Mask) -> tuple[Codes, Codes]:
    """Pairs (class, dimension) of conditions that keep all these points out; in each class the most telling dimension first."""
    cells, dimensions = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    while len(box):
        votes = np.stack([np.bincount(box, weights=one, minlength=count) for one in told])
        best = votes.argmax(axis=0)
        asked = np.unique(box)
        cells.append(asked)
        dimensions.append(best[asked])
        rest = ~told[best[box], np.arange(len(box))]
        box, told = box[rest], told[:, rest]
    return np.concatenate(cells), np.concatenate(dimensions)

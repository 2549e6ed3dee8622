"""Changes that make classes of a local recoding cheaper; each function proposes many at once that share no class.

`merged` joins classes that are too small with near ones (agglomeration); `moved` sends single points to cheaper classes and dissolves
classes whose points are better off elsewhere; `carved` makes new classes of points that others can spare; `exchanged` lets a point
leave a class that cannot spare it and fills its place with another. Gains are exact for the change alone; what may stand is decided
afterwards. Only `active` points start a change.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tamis.search.local_classes import Mask, Problem, State
from tamis.search.local_near import Near
from tamis.search.local_space import FORBIDDEN, Codes, Floats, dense

_GAIN = 1e-7
"""smallest gain, in lost rows: below is rounding"""


def merged(problem: Problem, near: Near, classes: Codes, *, greed: float, noise: np.random.Generator | None = None) -> Codes:
    """Join classes that violate a criterion with near ones until none is left that has a near one.

    Pairs are taken by ascending increase of loss per (members of the smaller class) ** `greed`; noise varies that by a tenth.
    """
    while True:
        state = problem.state(classes)
        needy = ~problem.judge(problem.at, classes, state.count)
        points = np.flatnonzero(needy[classes])
        if not len(points):
            return classes
        one = np.repeat(classes[points], near.shape[1])
        other = classes[near[points].ravel()]
        pairs = np.unique((np.minimum(one, other) * state.count + np.maximum(one, other))[one != other])
        one, other = pairs // state.count, pairs % state.count
        joint = problem.space.joint_cost(state.hull[:, one], state.hull[:, other])
        problem.budget.spend(len(one) + len(points) * near.shape[1] / 4)
        fits = joint < FORBIDDEN
        one, other, joint = one[fits], other[fits], joint[fits]
        if not len(one):
            return classes
        increase = (state.rows[one] + state.rows[other]) * joint - (state.rows * state.cost)[one] - (state.rows * state.cost)[other]
        smaller = np.clip(np.minimum(state.members[one], state.members[other]), 1.0, problem.k)
        rank = increase / smaller**greed
        if noise is not None:
            rank = rank * np.exp(0.1 * noise.standard_normal(len(rank)))
        best = np.full(state.count, np.inf)
        np.minimum.at(best, one, rank)
        np.minimum.at(best, other, rank)
        wished = ((rank <= best[one]) | ~needy[one]) & ((rank <= best[other]) | ~needy[other])
        if not wished.any():  # rounding or noise: the best pair alone
            wished[int(rank.argmin())] = True
        one, other, rank = one[wished], other[wished], rank[wished]
        taken = apart(rank, (one, other), state.count)
        joined = np.arange(state.count)
        joined[other[taken]] = one[taken]
        classes = dense(joined[classes])


def moved(problem: Problem, near: Near, classes: Codes, active: Codes) -> Codes:
    """Single points into cheaper classes; then whole classes among the others."""
    state = problem.state(classes)
    leaving = _Leaving(problem, state, active)
    target, price = _entries(problem, near, state, active)
    gain = leaving.saved - price
    able = np.flatnonzero(leaving.spared & (gain > _GAIN))
    taken = able[apart(-gain[able], (classes[able], target[able]), state.count)]
    new = classes.copy()
    new[taken] = target[taken]
    touched = np.zeros(state.count, dtype=bool)
    touched[classes[taken]] = touched[target[taken]] = True
    gone = state.rows * state.cost - np.bincount(classes, weights=price, minlength=state.count)
    candidates = np.flatnonzero((gone > _GAIN) & ~touched)
    members, starts = _members(state)
    for one in candidates[np.argsort(-gone[candidates], kind="stable")].tolist():
        points = members[starts[one] : starts[one + 1]]
        if not touched[one] and not touched[target[points]].any():
            new[points] = target[points]
            touched[one] = touched[target[points]] = True
    return dense(new)


def carved(problem: Problem, near: Near, classes: Codes, active: Codes) -> Codes:
    """New classes: from each point on, near points that their classes can spare, as long as that lowers the loss."""
    state = problem.state(classes)
    spare = state.members[classes] - problem.members >= problem.k
    seeds = active[spare[active]]
    if not len(seeds):
        return classes
    asked = np.concatenate([seeds[:, None], near[seeds]], axis=1)
    of, members, rows = classes[asked], problem.members[asked], problem.rows[asked]
    chosen = np.zeros(asked.shape, dtype=bool)
    box = problem.space.points[:, seeds]
    size, weight, saved = (np.zeros(len(seeds)) for _ in range(3))
    best, upto = np.full(len(seeds), -np.inf), np.zeros(len(seeds), dtype=np.int64)
    problem.budget.spend(2 * asked.size)
    for j in range(asked.shape[1]):
        leaving = members[:, j].copy()
        for i in range(j):
            leaving += np.where(chosen[:, i] & (of[:, i] == of[:, j]), members[:, i], 0.0)
        spared = state.members[of[:, j]] - leaving >= problem.k
        if j:
            spared &= asked[:, j] != asked[:, 0]
        at = np.flatnonzero(spared)
        wider = problem.space.join(box[:, at], problem.space.points[:, asked[at, j]])
        gain = saved[at] + rows[at, j] * state.cost[of[at, j]] - (weight[at] + rows[at, j]) * problem.space.cost(wider)
        take = (size[at] < problem.k) | (gain > best[at])
        at, gain = at[take], gain[take]
        chosen[at, j] = True
        box[:, at] = wider[:, take]
        size[at] += members[at, j]
        weight[at] += rows[at, j]
        saved[at] += rows[at, j] * state.cost[of[at, j]]
        better = (size[at] >= problem.k) & (gain > best[at])
        best[at[better]], upto[at[better]] = gain[better], j
    chosen &= np.arange(asked.shape[1]) <= upto[:, None]
    new, touched, fresh = classes.copy(), np.zeros(state.count, dtype=bool), state.count
    places = np.flatnonzero(best > _GAIN)
    for place in places[np.argsort(-best[places], kind="stable")].tolist():
        points = asked[place][chosen[place]]
        if not touched[classes[points]].any():
            touched[classes[points]] = True
            new[points] = fresh
            fresh += 1
    return dense(new)


def exchanged(problem: Problem, near: Near, classes: Codes, active: Codes) -> Codes:
    """A point leaves a class that cannot spare it for a cheaper one, and another point takes its place.

    The other comes from a class that can spare it, or from the class the first one goes to.
    """
    state, space = problem.state(classes), problem.space
    leaving = _Leaving(problem, state, np.arange(problem.size))
    target, price = _entries(problem, near, state, active)
    gain = leaving.saved - price
    wish = np.flatnonzero((gain > _GAIN) & leaving.some & ~leaving.spared)
    if not len(wish):
        return classes
    which, other = _replacements(problem, near, state, wish)
    point = wish[which]
    own, to, of, size = classes[point], target[point], classes[other], problem.members
    swap = of == to
    room = np.where(swap, state.members[to] + size[point] - size[other], state.members[of] - size[other]) >= problem.k
    fits = (of != own) & leaving.some[other] & room & (state.members[own] - size[point] + size[other] >= problem.k)
    which, point, other, own, to, of, swap = (part[fits] for part in (which, point, other, own, to, of, swap))
    if not len(point):
        return classes
    problem.budget.spend(len(point))
    refilled = (state.rows[own] - problem.rows[point] + problem.rows[other]) * space.joint_cost(
        leaving.box[:, point], space.points[:, other]
    )
    value = gain[point] + leaving.saved[other] + (state.rows[own] - problem.rows[point]) * leaving.cost[point] - refilled
    both = np.flatnonzero(swap)
    there = (state.rows[to[both]] - problem.rows[other[both]] + problem.rows[point[both]]) * space.joint_cost(
        leaving.box[:, other[both]], space.points[:, point[both]]
    )
    losses = state.rows * state.cost
    value[both] = losses[own[both]] + losses[to[both]] - refilled[both] - there
    best = np.full(len(wish), -np.inf)
    np.maximum.at(best, which, value)
    good = np.flatnonzero((value >= best[which]) & (value > _GAIN))
    taken = good[apart(-value[good], (own[good], to[good], of[good]), state.count)]
    new = classes.copy()
    new[point[taken]] = to[taken]
    new[other[taken]] = own[taken]
    return dense(new)


def awake(near: Near, before: Codes, after: Codes) -> Codes:
    """Points for which something may have changed between two states: their class, or one near."""
    count = int(after.max(initial=-1)) + 1
    first = np.empty(count, dtype=np.int64)
    first[after] = np.arange(len(after))
    was = before[first][after]
    other = np.bincount(after, weights=before != was, minlength=count) > 0
    size_before, size_after = np.bincount(before, minlength=1), np.bincount(after, minlength=count)
    other |= size_before[before[first]] != size_after
    changed = other[after]
    return np.flatnonzero(changed | changed[near[:, :_AWAKE]].any(axis=1))


_AWAKE = 12


class _Leaving:
    """What happens to each point's class when the point leaves it; nothing is saved by points that are not asked about."""

    def __init__(self, problem: Problem, state: State, active: Codes) -> None:
        asked = np.zeros(state.count, dtype=bool)
        asked[state.classes[active]] = True
        at = np.flatnonzero(asked[state.classes])
        self.box, self.some = problem.space.points.copy(), np.zeros(problem.size, dtype=bool)
        self.box[:, at], self.some[at] = problem.space.part(at).others(dense(state.classes[at]))
        self.cost: Floats = np.where(self.some, problem.space.cost(self.box), 0.0)
        rest = state.rows[state.classes] - problem.rows
        self.saved: Floats = np.where(asked[state.classes], (state.rows * state.cost)[state.classes] - rest * self.cost, -np.inf)
        self.spared: Mask = (state.members[state.classes] - problem.members >= problem.k) | ~self.some
        problem.budget.spend(4 * len(at))


def _entries(problem: Problem, near: Near, state: State, active: Codes) -> tuple[Codes, Floats]:
    """For each point the near class that takes it in at the smallest increase of its loss, and that increase: inf if not active."""
    close = near[active]
    points = np.repeat(active, close.shape[1])
    to = state.classes[close.ravel()]
    joint = problem.space.joint_cost(problem.space.points[:, points], state.hull[:, to])
    problem.budget.spend(len(points))
    price = (state.rows[to] + problem.rows[points]) * joint - (state.rows * state.cost)[to]
    price[to == state.classes[points]] = np.inf
    table = price.reshape(close.shape)
    best = table.argmin(axis=1)
    at = np.arange(len(active))
    target, least = np.zeros(problem.size, dtype=np.int64), np.full(problem.size, np.inf)
    target[active], least[active] = to.reshape(close.shape)[at, best], table[at, best]
    return target, least


def _replacements(problem: Problem, near: Near, state: State, wish: Codes) -> tuple[Codes, Codes]:
    """(number in `wish`, point): points near to those that stay behind in the class of a wishing point."""
    members, starts = _members(state)
    count = np.diff(starts)[state.classes[wish]]
    which = np.repeat(np.arange(len(wish)), count)
    place = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    stay = members[starts[state.classes[wish]][which] + place]
    which, stay = which[stay != wish[which]], stay[stay != wish[which]]
    few = near[:, :_FILLERS]
    pairs = np.unique(np.repeat(which, few.shape[1]) * problem.size + few[stay].ravel())
    problem.budget.spend(len(which) * few.shape[1] / 4)
    return pairs // problem.size, pairs % problem.size


_FILLERS = 16


def _members(state: State) -> tuple[Codes, Codes]:
    """Points sorted by class, and where each class starts."""
    order = np.argsort(state.classes, kind="stable")
    return order, np.searchsorted(state.classes[order], np.arange(state.count + 1))


def apart(rank: Floats, touched: Sequence[Codes], count: int) -> Mask:
    """A selection of changes of which no two touch one class: in ascending rank, ties by position."""
    position = np.empty(len(rank), dtype=np.int64)
    position[np.argsort(rank, kind="stable")] = np.arange(len(rank))
    chosen, used = np.zeros(len(rank), dtype=bool), np.zeros(count, dtype=bool)
    alive = np.arange(len(rank))
    while len(alive):
        first = np.full(count, len(rank))
        for part in touched:
            np.minimum.at(first, part[alive], position[alive])
        wins = np.ones(len(alive), dtype=bool)
        for part in touched:
            wins &= first[part[alive]] == position[alive]
        chosen[alive[wins]] = True
        for part in touched:
            used[part[alive[wins]]] = True
        free = ~wins
        for part in touched:
            free &= ~used[part[alive]]
        alive = alive[free]
    return chosen

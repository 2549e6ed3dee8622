"""Near points: for each point those whose common label with it costs least. Approximate, deterministic.

Points are sorted by their labels at some nodes of the lattice: who stands side by side there shares those labels. From these first
neighbors, neighbors of neighbors are tried (Dong, Moses, Li 2011, WWW: nearest-neighbor descent).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tamis.search.local_classes import Budget
from tamis.search.local_space import Codes, Floats, Space

Near = npt.NDArray[np.int64]
"""(points, neighbors): numbers of points, the nearest first; the point itself where there are no more"""

_WINDOW = 5
_ORDERS = 14
_ROUNDS = 3
_JUMPS = 10
_CHUNK = 1 << 18
"""pairs compared at once"""


def near_points(space: Space, wanted: int, budget: Budget) -> Near:
    """Up to `wanted` near points of each point, by ascending loss of the common label."""
    count = space.points.shape[1]
    if count == 0:
        return np.zeros((0, 0), dtype=np.int64)
    if count <= 2 * wanted:
        everyone = np.broadcast_to(np.arange(count), (count, count))
        return nearest_of(space, everyone, min(wanted, max(1, count - 1)), budget)
    found = nearest_of(space, _side_by_side(space), wanted, budget)
    for _ in range(_ROUNDS):
        close = found[:, :_JUMPS]
        found = nearest_of(space, np.concatenate([found, close[close].reshape(count, -1)], axis=1), wanted, budget)
    return found


def _side_by_side(space: Space) -> Near:
    """Windows in several orders: each dimension in turn is told apart last, by its finest or by coarser labels."""
    dimensions, count = space.points.shape
    trees = space.trees
    windows: list[Near] = []
    offsets = np.array([step for step in range(-_WINDOW, _WINDOW + 1) if step])
    for turn in range(max(_ORDERS, dimensions)):
        # Keys of np.lexsort: the last is the most important. Coarse labels of all dimensions first, then the fine ones.
        rotated = [(turn * (1 + turn // dimensions) + step) % dimensions for step in range(dimensions)]
        keys = []
        for rank, d in enumerate(rotated):
            low = 0 if rank >= dimensions // 2 else min(1 + turn // dimensions, len(trees[d].kept) - 1)
            keys.append(trees[d].above[low][space.points[d]])
        fine = [space.points[d] for d in rotated]
        order = np.lexsort([*fine, *keys])
        place = np.empty(count, dtype=np.int64)
        place[order] = np.arange(count)
        windows.append(order[np.clip(place[:, None] + offsets, 0, count - 1)])
    return np.concatenate(windows, axis=1)


def near_some(space: Space, points: Codes, wanted: int, budget: Budget) -> Near:
    """Near points of a few points, exactly: all are compared. All other points have none."""
    count = space.points.shape[1]
    found = np.repeat(np.arange(count)[:, None], wanted, axis=1)
    everyone = np.broadcast_to(np.arange(count), (len(points), count))
    width = min(wanted, count)
    found[points, :width] = nearest_of(space, everyone, width, budget, points)
    return found


def nearest_of(space: Space, candidates: Near, wanted: int, budget: Budget, points: Codes | None = None) -> Near:
    """The best of the candidates of each point (or of these `points`); duplicates and the point itself do not count."""
    count, width = candidates.shape
    points = np.arange(count) if points is None else points
    budget.spend(candidates.size)
    best = np.empty((count, wanted), dtype=np.int64)
    step = max(1, _CHUNK // max(1, width))
    for start in range(0, count, step):
        some = np.sort(candidates[start : start + step], axis=1)
        here = points[start : start + len(some)]
        cost = _costs(space, here, some)
        cost[:, 1:][some[:, 1:] == some[:, :-1]] = np.inf
        cost[some == here[:, None]] = np.inf
        if wanted < width:
            top = np.sort(np.argpartition(cost, wanted - 1, axis=1)[:, :wanted], axis=1)
            some, cost = np.take_along_axis(some, top, axis=1), np.take_along_axis(cost, top, axis=1)
        rank = np.argsort(cost, axis=1, kind="stable")
        some, cost = np.take_along_axis(some, rank, axis=1), np.take_along_axis(cost, rank, axis=1)
        best[start : start + len(some)] = np.where(np.isfinite(cost), some, here[:, None])[:, :wanted]
    return best


def _costs(space: Space, here: Codes, some: Near) -> Floats:
    return space.joint_cost(np.repeat(space.points[:, here], some.shape[1], axis=1), space.points[:, some.ravel()]).reshape(some.shape)

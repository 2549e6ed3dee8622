"""A first local recoding: the nodes of the lattice by ascending loss, each takes the classes that satisfy the criteria at once.

In the order in which they are made, each point is in the first class that covers it: what an earlier class would have covered was
taken by it. What is left in the end are points alone.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from tamis.search.local_classes import Problem
from tamis.search.local_space import Codes

_NODES = 8_000
"""nodes of a lattice that are visited at most; larger lattices are sampled"""
_UNITS = 1_000
"""of the budget, per point, that the visit may use at most; it is not skipped"""


def first_classes(problem: Problem) -> Codes:
    """Classes 0..m-1 without cycles of precedence; the last ones are single points that no node could take."""
    keys, means = _keys(problem)
    radices = [int(levels[0].max(initial=0)) + 1 for levels in keys]
    whole = math.prod(radices) < 2**62
    left = np.arange(problem.size)
    classes = np.full(problem.size, -1, dtype=np.int64)
    made = 0
    floor = problem.budget.left - _UNITS * problem.size
    for node in _nodes(means):
        if not len(left) or problem.budget.left < floor:
            break
        problem.budget.spend(2 * len(left))
        key = keys[0][node[0]][left] if len(left) < problem.size else keys[0][node[0]].copy()
        for d in range(1, len(node)):
            part = keys[d][node[d]]
            key = _packed(key, part[left] if len(left) < problem.size else part, radices[d], whole)
        order = np.argsort(key, kind="stable")
        sorted_key = key[order]
        starts = np.flatnonzero(np.append(True, sorted_key[1:] != sorted_key[:-1]))
        large = np.add.reduceat(problem.members[left][order], starts) >= problem.k
        if not large.any():
            continue
        lengths = np.diff(np.append(starts, len(order)))
        number = np.where(np.repeat(large, lengths), np.repeat(np.cumsum(large) - 1, lengths), -1)
        inside = order[number >= 0]
        number = number[number >= 0]
        if not problem.judge.counted:
            problem.budget.spend(len(problem.judge.point))
            fits = problem.judge(problem.at[left[inside]], number, int(large.sum()))
            inside, number = inside[fits[number]], number[fits[number]]
            number = np.unique(number, return_inverse=True)[1].reshape(-1)
        if len(inside):
            classes[left[inside]] = made + number
            made += int(number.max()) + 1
            left = np.delete(left, inside)
    classes[left] = made + np.arange(len(left))
    return classes


def _keys(problem: Problem) -> tuple[list[list[Codes]], list[list[float]]]:
    """Per dimension and level: the label of each point (scaled to be added up where all fit into 62 bits), and the mean penalty."""
    keys: list[list[Codes]] = []
    means: list[list[float]] = []
    whole = max(1.0, problem.rows.sum())
    for tree, points in zip(problem.space.trees, problem.space.points, strict=True):
        nodes = [tree.above[level][points] for level in range(len(tree.kept))]
        keys.append([np.unique(one, return_inverse=True)[1].astype(np.int64).reshape(-1) for one in nodes])
        means.append([float((tree.penalty[one] * problem.rows).sum() / whole) for one in nodes])
    return keys, means


def _packed(key: Codes, part: Codes, radix: int, whole: bool) -> Codes:
    """Combined labels as one number; made dense before 63 bits would overflow."""
    if not whole and int(key.max(initial=0)) >= 2**62 // radix:
        key = np.unique(key, return_inverse=True)[1].astype(np.int64).reshape(-1)
    return key * radix + part


def _nodes(means: list[list[float]]) -> list[tuple[int, ...]]:
    """Nodes by ascending mean loss, ties by levels; a deterministic sample where there are too many."""
    heights = [len(levels) for levels in means]
    if math.prod(heights) <= _NODES:
        nodes = np.array(list(itertools.product(*[range(height) for height in heights])), dtype=np.int64)
    else:
        random = np.random.default_rng(0)
        shape = (_NODES, len(heights))
        level = (random.random(shape) * np.array(heights)).astype(np.int64)
        nodes = np.unique(np.where(random.random(shape) < random.random((_NODES, 1)), level, 0), axis=0)
        nodes = np.concatenate([nodes, np.array(heights)[None, :] - 1])
    cost = np.zeros(len(nodes))
    for d, levels in enumerate(means):
        cost += np.array(levels)[nodes[:, d]]
    return [tuple(nodes[one]) for one in np.lexsort([*nodes.T[::-1], np.round(cost, 12)])]

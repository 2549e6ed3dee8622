"""Large neighborhoods: all classes are grouped into regions of near classes, every region is divided anew, the better division stays.

(Shaw 1998, CP, LNCS 1520:417: large neighborhood search.) The regions are disjoint, so that all of them are one problem of moderate size.
"""

from __future__ import annotations

import numpy as np

from tamis.search.local_classes import Problem
from tamis.search.local_moves import awake, carved, exchanged, merged, moved
from tamis.search.local_near import Near, nearest_of
from tamis.search.local_order import accepted
from tamis.search.local_space import Codes, dense

_CLASSES = (4, 8, 5, 6)
"""classes of a region, in turn"""
_NEAR = 24
_GREED = (1.0, 1.5, 2.0, 1.2)


def redivided(problem: Problem, near: Near, classes: Codes, turn: int) -> Codes:
    """One pass over all regions; `turn` varies the regions and how they are divided."""
    random = np.random.default_rng(turn)
    region = _regions(near, classes, _CLASSES[turn % len(_CLASSES)], random)[classes]
    inside = np.flatnonzero(region >= 0)
    inside = inside[np.argsort(region[inside], kind="stable")]
    if not len(inside):
        return classes
    part = problem.part(inside)
    close = _within(part, region[inside])
    new = merged(part, close, np.arange(part.size), greed=_GREED[turn % len(_GREED)], noise=random if turn >= len(_GREED) else None)
    active = np.arange(part.size)
    for _ in range(_PASSES):
        start = new
        for change in (moved, moved, carved, exchanged):
            new = change(part, close, new, active)
        active = awake(close, start, new)
        if not len(active):
            break
    whole = classes + part.size
    whole[inside] = new
    return accepted(problem, classes, dense(whole), gaining=True, firm=True)


_PASSES = 4


def _regions(near: Near, classes: Codes, most: int, random: np.random.Generator) -> Codes:
    """Number of the region of each class, -1 for none: seeds in random order gather the nearest classes that are free."""
    count = int(classes.max(initial=-1)) + 1
    order = np.argsort(classes, kind="stable")
    starts = np.searchsorted(classes[order], np.arange(count + 1)).tolist()
    region = [-1] * count
    made = 0
    for seed in random.permutation(count).tolist():
        if region[seed] >= 0:
            continue
        points = order[starts[seed] : starts[seed + 1]]
        gathered = [seed]
        for other in dict.fromkeys(classes[near[points, :10].T.ravel()].tolist()):
            if other != seed and region[other] < 0:
                gathered.append(other)
                if len(gathered) == most:
                    break
        if len(gathered) > 1:
            for one in gathered:
                region[one] = made
            made += 1
    return np.array(region, dtype=np.int64)


def _within(part: Problem, region: Codes) -> Near:
    """Near points inside each point's region; the points are sorted by region. Of large regions only the next in order are compared."""
    starts = np.searchsorted(region, region)
    stops = np.searchsorted(region, region, side="right")
    width = int(min((stops - starts).max(initial=1), _WIDEST))
    first = np.clip(np.arange(len(region)) - width // 2, starts, np.maximum(starts, stops - width))
    candidates = np.minimum(first[:, None] + np.arange(width), (stops - 1)[:, None])
    return nearest_of(part.space, candidates, min(_NEAR, width), part.budget)


_WIDEST = 96

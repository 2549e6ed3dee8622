"""Local recoding: classes of their own levels, so that only what must be coarse is coarse.

Model. A cell is a box of labels, one per quasi-identifier, each on a level of its own. A row belongs to the first cell that covers it,
and carries the cell's labels; rows that no cell covers are suppressed. Every cell satisfies the criteria (models.py) under this
assignment. The loss of a row is the weighted mean of its labels' penalties (lattice.py); a suppressed row loses 1. This is
multidimensional recoding with overlapping regions (LeFevre et al. 2006, ICDE) chosen bottom-up (Xu et al. 2006, KDD), NP-hard to do
optimally (Meyerson and Williams 2004, PODS): what is found is good, not proven best.

Search. 1. The nodes of the lattice by ascending loss take what satisfies the criteria (local_start). 2. Points that no node could take
join near classes. 3. Points move, classes dissolve, are carved out and exchange points as long as that gains (local_moves), and groups
of near classes are divided anew (local_regions) until the budget is spent. 4. The classes are put into an order, with conditions where
labels alone would leave no order (local_order), and settled (local_settle). Steps 1, 2 and 4 are always done: a table whose size leaves
little budget per tuple gets the first result. Large tables are cut into blocks by the labels of their dimensions, each block is a
problem of its own.
Everything is counted, nothing timed: equal tables give equal cells, whatever the order of rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from tamis.core.ports import Progress
from tamis.search.lattice import Dimension, Tuples
from tamis.search.local_blocks import blocks
from tamis.search.local_classes import Budget, Judge, Problem, public_labels
from tamis.search.local_moves import awake, carved, exchanged, merged, moved
from tamis.search.local_near import Near, near_points, near_some
from tamis.search.local_order import accepted, arranged, untied
from tamis.search.local_regions import redivided
from tamis.search.local_settle import Cells, settle
from tamis.search.local_space import FORBIDDEN, Codes, Regions, Space
from tamis.search.local_start import first_classes

__all__ = ["BUDGET", "QUICK", "Cells", "find_cells"]

BUDGET = 100_000_000
"""compared pairs of points: the default, ten to fifteen seconds of one processor for tables of 15 000 distinct tuples and more"""
QUICK = 0
"""the budget of a first result: steps 1 and, where classes are still too small, 2"""
_MOST = 6_000
"""pairs per point that still gain"""
_LEAST = 1_000
"""pairs per point without which step 3 is not begun"""
_FEW = 400
"""points without a class that are compared with all others"""
_MERGES = 5
"""attempts to join what no node of the lattice could take"""
_BLOCK = 24_000
"""points of a block at most"""
_IDLE = 4
"""passes over the regions without a gain after which the search ends"""


def find_cells(
    dimensions: Sequence[Dimension], tuples: Tuples, *, limit: float, budget: int = BUDGET, progress: Progress | None = None
) -> Cells:
    """Cells of small loss for the tuples; rows are suppressed only where no cell can hold them (at most `limit` x n, else not `feasible`).

    `budget` bounds the work of improving a first result, in compared pairs of points: `QUICK` for none. Memory is that of the tuples
    and about 2 kB per distinct tuple of a block.
    """
    base, point = _points(tuples)
    judge = Judge(tuples, point, _population(tuples, base))
    rows = np.bincount(point, weights=tuples.rows, minlength=len(base[0])).astype(np.float64)
    members = rows if tuples.persons is None else judge.members
    space = Space.of(dimensions, base)
    units = float(min(budget, _MOST * len(rows)))
    problem = Problem(space, rows, members, tuples.criteria.k, np.arange(len(rows)), judge, Budget(units), public_labels(space, judge))
    regions = _searched(problem, progress) if len(rows) else Regions.of(space.points[:, :0])
    return settle(problem, dimensions, base, regions, math.floor(limit * tuples.total + 1e-9))


def _points(tuples: Tuples) -> tuple[list[Codes], Codes]:
    """Distinct combinations of base codes, sorted, and the one of each tuple row."""
    names = [f"d{d}" for d in range(len(tuples.base))]
    frame = pl.DataFrame(dict(zip(names, tuples.base, strict=True)))
    distinct = frame.unique().sort(names).with_row_index("p")
    joined = frame.join(distinct, on=names, how="left", maintain_order="left")
    return [distinct[name].to_numpy() for name in names], joined["p"].cast(pl.Int64).to_numpy()


def _population(tuples: Tuples, base: Sequence[Codes]) -> Codes | None:
    """Persons of the population with exactly the values of each point."""
    if tuples.population is None:
        return None
    names = [f"d{d}" for d in range(len(base))]
    codes, persons = tuples.population
    known = pl.DataFrame({**dict(zip(names, codes, strict=True)), "n": persons}).group_by(names).agg(pl.col("n").sum())
    points = pl.DataFrame(dict(zip(names, base, strict=True)))
    return points.join(known, on=names, how="left", maintain_order="left")["n"].fill_null(0).cast(pl.Int64).to_numpy()


# ------------------------------------------------------------------------------------------------------------------------- searching


def _searched(problem: Problem, progress: Progress | None) -> Regions:
    """Regions in an order of precedence, block by block, the rest last; only those that may be released."""
    if problem.size <= _BLOCK:
        return _regions(problem, progress)[0]
    done, rest = blocks(problem.space, _BLOCK)
    found: list[Regions] = []
    left: list[Codes] = []
    per_point = problem.budget.left / problem.size
    for place, points in enumerate(done):
        regions, lost = _regions(replace(problem.part(points), budget=Budget(per_point * len(points))), None)
        found.append(regions)
        left.append(points[lost])
        if progress is not None:
            progress.note(f"local recoding: block {place + 1} of {len(done)}")
    if rest:
        rest[-1] = np.concatenate([rest[-1], *left])
    else:
        rest = [np.concatenate(left)]
    parts = [replace(problem.part(points), budget=Budget(per_point * len(points))) for points in rest if len(points)]
    found.extend(_regions(part, None)[0] for part in parts)
    return Regions.joined(found)


def _regions(problem: Problem, progress: Progress | None) -> tuple[Regions, Codes]:
    """Regions that may be released, in an order of precedence, and the points that are in none."""
    classes = untied(problem, _classes(problem, progress))
    state = problem.state(classes)
    fits = problem.judge(problem.at, classes, state.count) & (state.cost < FORBIDDEN)
    regions, order = arranged(problem, state)
    return regions.where(fits[order]), np.flatnonzero(~fits[classes])


def _classes(problem: Problem, progress: Progress | None) -> Codes:
    classes = first_classes(problem)
    needy = ~problem.judge(problem.at, classes, int(classes.max(initial=-1)) + 1)
    missing = np.flatnonzero(needy[classes])
    improve = problem.budget.left >= _LEAST * problem.size
    if improve or len(missing) > _FEW:
        near = near_points(problem.space, _neighbors(problem.k), problem.budget)
    else:
        near = near_some(problem.space, missing, _neighbors(problem.k), problem.budget)
    for turn in range(_MERGES if len(missing) else 0):
        noise = np.random.default_rng(turn) if turn else None
        classes = accepted(problem, classes, merged(problem, near, classes, greed=1.5, noise=noise))
        if problem.judge(problem.at, classes, int(classes.max(initial=-1)) + 1).all():
            break
    if not improve:
        return classes
    classes = _polished(problem, near, untied(problem, classes), np.arange(problem.size))
    turn = idle = 0
    while not problem.budget.over and idle < _IDLE:
        before = problem.state(classes).loss
        divided = redivided(problem, near, classes, turn)
        classes = _polished(problem, near, divided, awake(near, classes, divided), passes=2)
        after = problem.state(classes).loss
        idle = 0 if after < before * (1 - 1e-9) else idle + 1
        turn += 1
        if progress is not None:
            progress.note(f"local recoding: pass {turn}, loss {after / max(1.0, problem.rows.sum()):.4f}")
    return classes


def _neighbors(k: int) -> int:
    return int(np.clip(4 * k, 24, 64))


def _polished(problem: Problem, near: Near, classes: Codes, active: Codes, passes: int = 12) -> Codes:
    """Small changes while they gain, starting from the active points."""
    loss = problem.state(classes).loss
    for _ in range(passes):
        if problem.budget.over or not len(active):
            break
        start = classes
        for change in (moved, moved, carved, exchanged):
            classes = accepted(problem, classes, change(problem, near, classes, active), gaining=True, firm=True)
        now = problem.state(classes).loss
        if now > loss * (1 - 1e-5):
            break
        loss, active = now, awake(near, start, classes)
    return classes

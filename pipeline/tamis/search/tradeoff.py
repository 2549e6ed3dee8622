"""What other demands would cost: loss and suppressed rows against k and against the suppression limit, from quick searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tamis.core.policy import Privacy
from tamis.search.lattice import WORK, find_node
from tamis.search.local import BUDGET, find_cells
from tamis.search.space import Space

KS = (2, 5, 10, 25, 50, 100)
LIMITS = (0.0, 0.01, 0.02, 0.05, 0.1)
_QUICK = 20
"""each point gets this part of a search's budget"""


@dataclass(frozen=True, slots=True)
class Point:
    """The best that was found for one demand."""

    k: int
    limit: float
    loss: float
    suppressed_rows: int
    feasible: bool
    """whether the demand can be met within the limit"""
    complete: bool
    """whether nothing better exists on these ladders"""


@dataclass(frozen=True, slots=True)
class TradeOff:
    """One table: loss by k at the policy's limit, and by limit at the policy's k. The ladders are those of the plan at its own k."""

    table: str
    rows: int
    by_k: tuple[Point, ...]
    by_limit: tuple[Point, ...]


def trade_off(table: str, space: Space, privacy: Privacy, *, ks: Sequence[int] = KS, limits: Sequence[float] = LIMITS) -> TradeOff:
    """Search again for other k and other limits, with the policy's k and limit among them; the rest of the model stays."""
    known: dict[tuple[int, float], Point] = {}

    def point(k: int, limit: float) -> Point:
        if (k, limit) not in known:
            known[k, limit] = _point(space, privacy, k, limit)
        return known[k, limit]

    by_k = tuple(point(k, privacy.max_suppressed) for k in sorted({*ks, privacy.k}))
    by_limit = tuple(point(privacy.k, limit) for limit in sorted({*limits, privacy.max_suppressed}))
    return TradeOff(table, space.tuples.total, by_k, by_limit)


def _point(space: Space, privacy: Privacy, k: int, limit: float) -> Point:
    tuples = replace(space.tuples, criteria=replace(space.tuples.criteria, k=k))
    if privacy.recoding == "local":
        cells = find_cells(space.dimensions, tuples, limit=limit, budget=BUDGET // _QUICK)
        return Point(k, limit, round(cells.loss, 6), cells.suppressed, cells.feasible, complete=False)
    found = find_node(space.dimensions, tuples, limit=limit, budget=WORK // _QUICK, loss=privacy.loss, alternatives=1)
    return Point(k, limit, round(found.loss, 6), found.suppressed, found.feasible, found.complete)

"""Loss and risk of a node, and what the loss of a whole box of nodes can at least be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tamis.models import Codes, least_removed, satisfying
from tamis.search.grouping import Grouping, State
from tamis.search.tuples import Dimension, FloatArray, Node


@dataclass(frozen=True, slots=True)
class Look:
    """A node that was looked at."""

    node: Node
    loss: float
    suppressed: int
    highest_risk: float
    """1 / members of the smallest class that stays; 0 when none does"""
    average_risk: float
    """classes / members of what stays"""
    removed: int
    """rows every finer node removes at least"""
    lacking: tuple[float, ...]
    """per column, as a share of all rows: what these still lack to a loss of 1"""


class Figures:
    """Losses of the columns of a table, and of its nodes."""

    def __init__(self, grouping: Grouping, how: str, allowed: int) -> None:
        tuples, dimensions = grouping.tuples, grouping.dimensions
        criteria = tuples.criteria
        self.allowed = allowed
        self.partial = criteria.partial
        self.grouping = grouping
        self.geometric = how == "geometric"
        self.total = max(1, tuples.total)
        whole = sum(dimension.weight for dimension in dimensions)
        self.shares = tuple(dimension.weight / whole for dimension in dimensions)
        rows = [np.bincount(base, weights=tuples.rows, minlength=len(d.codes[0])) for d, base in zip(dimensions, tuples.base, strict=True)]
        self.means = tuple(
            tuple(float(penalty @ own) / self.total for penalty in d.penalties) for d, own in zip(dimensions, rows, strict=True)
        )
        self._penalties = tuple(tuple(_by_label(d, level) for level in range(len(d.codes))) for d in dimensions)
        self._cheapest = tuple(tuple(_cumulated(penalty, own) for penalty in d.penalties) for d, own in zip(dimensions, rows, strict=True))
        self.monotone = all(grouping.nested)

    def merged(self, losses: Sequence[float]) -> float:
        """The loss of a node whose columns lose `losses`."""
        if self.geometric:
            return math.expm1(sum(share * math.log1p(loss) for share, loss in zip(self.shares, losses, strict=True)))
        return sum(share * loss for share, loss in zip(self.shares, losses, strict=True))

    def of_columns(self, node: Node) -> float:
        """The loss of a node that suppresses nothing."""
        return self.merged([means[level] for means, level in zip(self.means, node, strict=True)])

    def bound(self, low: Node, high: Node, look: Look) -> float:
        """What every node between `low` and `high` loses at least; `look` is that of `high`."""
        if not self.monotone:
            return self.merged([min(means[a : b + 1]) for means, a, b in zip(self.means, low, high, strict=True)])
        if look.removed > self.allowed:
            return math.inf
        if not look.removed:
            return self.of_columns(low)
        left, share = self.total - look.removed, look.removed / self.total
        losses = []
        for level, means, cheapest, lacking in zip(low, self.means, self._cheapest, look.lacking, strict=True):
            curve = cheapest[level]
            kept = 0.0 if curve is None else float(np.interp(left, *curve)) / self.total
            losses.append(max(share + kept, means[level] + lacking))
        return self.merged(losses)

    def look(self, state: State, *, exact: bool = False) -> Look:
        """The figures of a node; the loss of one that suppresses too much is infinite unless asked for."""
        grouping, criteria = self.grouping, self.grouping.tuples.criteria
        counts = grouping.counts(state)
        fits = satisfying(criteria, counts.members, counts.values, counts.population)
        gone = np.where(fits, 0, counts.rows)
        suppressed = int(gone.sum())
        if suppressed > self.allowed and not self.partial and not exact:
            return Look(state.node, math.inf, suppressed, 0.0, 0.0, suppressed, ())
        lost = self._lacking(state, gone)
        losses = [means[level] + lack for means, level, lack in zip(self.means, state.node, lost, strict=True)]
        least = gone
        if self.partial:
            persons = None if state.persons is None else counts.members
            least = least_removed(criteria, counts.rows, persons, counts.values, counts.population)
        removed = int(least.sum())
        members = counts.members[fits]
        return Look(
            state.node,
            self.merged(losses),
            suppressed,
            1 / int(members.min()) if len(members) else 0.0,
            len(members) / int(members.sum()) if len(members) else 0.0,
            removed,
            lost if least is gone else self._lacking(state, least),
        )

    def _lacking(self, state: State, removed: Codes) -> tuple[float, ...]:
        """Per column the sum over removed rows of 1 - penalty, as a share of all rows."""
        where = np.flatnonzero(removed)
        if not len(where):
            return (0.0,) * len(state.node)
        weights = removed[where].astype(np.float64)
        every = float(weights.sum()) / self.total
        words = [word[where] for word in state.classes.words]
        out = []
        for index, level in enumerate(state.node):
            penalty = self._penalties[index][level]
            if penalty is None:
                out.append(every)
            elif len(penalty) == 1:
                out.append(every * (1 - float(penalty[0])))
            else:
                out.append(every - float(penalty[self.grouping.layout.code(words, index)] @ weights) / self.total)
        return tuple(out)


def _by_label(dimension: Dimension, level: int) -> FloatArray | None:
    """Penalty by label code; None when there is none at this level."""
    codes, penalty = dimension.codes[level], dimension.penalties[level]
    if not penalty.any():
        return None
    out = np.zeros(int(codes.max(initial=0)) + 1)
    out[codes] = penalty
    return out


def _cumulated(penalty: FloatArray, rows: npt.NDArray[np.number]) -> tuple[FloatArray, FloatArray] | None:
    """Rows and penalties summed up from the cheapest row on: (0, 0), …; None when no row has any."""
    if not penalty.any():
        return None
    steps, of = np.unique(penalty, return_inverse=True)
    own = np.bincount(of, weights=rows)
    return np.concatenate(([0.0], np.cumsum(own))), np.concatenate(([0.0], np.cumsum(own * steps)))

"""The generalization lattice: which node satisfies the policy with the least loss.

Definitions. n rows; for each quasi-identifier a ladder of levels; a node picks one level for each. A class is the set of rows with
equal labels; the classes that violate a criterion (models.py) are suppressed, at most floor(`limit` x n) rows in all. The loss L_a of
column a is the mean over all rows of (leaves below the label - 1) / (leaves of the hierarchy - 1), its normalized certainty penalty
(Xu et al. 2006, KDD), where a suppressed row counts 1. The loss of a node is the weighted arithmetic mean of the L_a, or the weighted
geometric mean of 1 + L_a, less 1. Of equal losses (to 1e-12) the lower sum of levels wins, then the smaller node.

Search: branch and bound over boxes [lo, hi] of the lattice, the box of the least bound first. What a box's coarsest node must remove,
its every node must remove (`models.least_removed`): m rows. So in column a no node of the box loses less than lo_a does on its n - m
cheapest rows with m on top, nor less than lo_a does on all rows with what the rows removed from hi's classes still lack to 1. Boxes whose
bound is above the best loss, or that must remove more than the limit, hold nothing; the others are cut in two. Nothing is assumed of
the criteria beyond what `least_removed` proves: suppression is not monotone along the lattice for entropy, recursive, t and presence.
A greedy walk and a local search give the first incumbent. When the budget of work ends first the best so far is returned with
`complete=False`, and the least bound of the open boxes is a lower bound of every node's loss.

Cf. OLA (El Emam et al. 2009, JAMIA 16(5):670), Flash (Kohlmayer et al. 2012, PASSAT): predictive tagging of single nodes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from tamis.core.ports import Progress
from tamis.search.branch import Found, Option, Search
from tamis.search.tuples import Dimension, FloatArray, Node, Sensitive, Tuples

__all__ = ["Dimension", "FloatArray", "Found", "Node", "Option", "Sensitive", "Tuples", "find_node"]

WORK = 300_000_000
"""elements grouped: the default bound of a search, ten to twenty seconds of one processor"""


def find_node(
    dimensions: Sequence[Dimension],
    tuples: Tuples,
    *,
    limit: float,
    budget: int,
    loss: Literal["arithmetic", "geometric"] = "arithmetic",
    alternatives: int = 12,
    progress: Progress | None = None,
) -> Found:
    """The node of least loss whose suppressed rows stay within `limit` x n; see the module's docstring."""
    search = Search(dimensions, tuples, math.floor(limit * tuples.total + 1e-9), budget, loss, progress)
    return search.found(alternatives)

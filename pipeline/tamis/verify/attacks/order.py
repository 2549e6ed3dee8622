"""Linkage by position: does the place of a row in the written files (and so the file it is in) tell its place in the input?"""

from __future__ import annotations

import numpy as np
import polars as pl

from tamis.core.plan import TablePlan
from tamis.core.record import Measure
from tamis.core.types import Table
from tamis.verify.frames import rounded
from tamis.verify.sides import recoded_sides, row_hash

_FEWEST, _CLASSES = 50, 200_000


def order_linkage(table: Table, after: pl.LazyFrame, plan: TablePlan) -> list[Measure]:
    """`attack.order@table`: how well mean places of rows that look alike in the release go together before and after, 0 to 1.

    The absolute rank correlation (Spearman 1904) over combinations of what the release leaves of a row: 1 where the order was kept, also
    where some rows are missing; 0 where rows stand in an order of their own. The name is `attack.order_declared` where the plan keeps
    the order for a stated reason. Nothing with fewer than 50 combinations. All rows, 8 bytes each; at most 200 000 combinations.
    """
    sides, left, right = recoded_sides(table, after, plan)
    stays = [pl.col(side.alias) for side in sides if not side.proxy]
    if not stays:
        return []
    places = []
    for frame in (left, right):
        rows = frame.select(h=row_hash(stays)).with_row_index("place")
        found = rows.group_by("h").agg(pl.col("place").mean()).sort("h").head(_CLASSES)
        places.append(found.collect(engine="streaming"))
    both = places[0].join(places[1], on="h", suffix="_after").sort("h")
    if both.height < _FEWEST:
        return []
    ranks = [both[name].rank("average").to_numpy() for name in ("place", "place_after")]
    if min(float(side.std()) for side in ranks) == 0:
        return []
    value = abs(float(np.corrcoef(ranks[0], ranks[1])[0, 1]))
    error = 1.959964 / float(np.sqrt(both.height - 1))
    low, high = rounded(max(0.0, value - error)), rounded(min(1.0, value + error))
    name = "attack.order_declared" if plan.keep_order else "attack.order"
    note = "rank correlation of places over combinations of released values"
    return [Measure(name=f"{name}@{plan.name}", value=rounded(value), low=low, high=high, of=both.height, internal=True, note=note)]

"""Do references between released tables hold? Counted on the input and on the written files."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from tamis.core.plan import Plan
from tamis.core.record import Measure
from tamis.core.types import Table
from tamis.verify.frames import picked


def orphans(child: pl.LazyFrame, column: str, parent: pl.LazyFrame, parent_column: str) -> int:
    """Rows of `child` with a value in `column` that no row of `parent` has."""
    left = picked(child, [column]).select(pl.col("c0").cast(pl.String)).drop_nulls()
    right = picked(parent, [parent_column]).select(pl.col("c0").cast(pl.String)).drop_nulls().unique()
    return int(left.join(right, on="c0", how="anti").select(pl.len()).collect(engine="streaming").item())


def orphan_measures(before: Mapping[str, Table], after: Mapping[str, pl.LazyFrame], plan: Plan) -> list[Measure]:
    """`contract.orphans@table.column` for each reference whose both ends are released, and the same of the input (internal)."""
    measures = []
    for table in plan.tables:
        for ref in table.references:
            if ref.parent_table not in after or ref.column not in after[table.name].collect_schema():
                continue
            if ref.parent_column not in after[ref.parent_table].collect_schema():
                continue
            at = f"@{table.name}.{ref.column}"
            found = orphans(after[table.name], ref.column, after[ref.parent_table], ref.parent_column)
            was = orphans(before[table.name].frame, ref.column, before[ref.parent_table].frame, ref.parent_column)
            measures.append(Measure(name="contract.orphans" + at, value=found, verifiable=True))
            measures.append(Measure(name="contract.orphans_before" + at, value=was, internal=True))
    return measures

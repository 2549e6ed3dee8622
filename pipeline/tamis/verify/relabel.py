"""The labels that values of the input, or of a population, have in a release; used where the release alone does not say enough.

What a plan's recodings and cells mean is stated once, in recode.py and cells.py; nothing here depends on how they were chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from tamis.cells import Source, cell_label, cell_number
from tamis.core.actions import AsCell, AsIs, Generalize, SuppressRare, TopBottomCode
from tamis.core.plan import ColumnPlan, TablePlan
from tamis.core.types import DataType
from tamis.encoding import canonical, exact_column
from tamis.recode import recode_expression

CELL = "__tamis_cell"
"""Int32 number of a row's cell, null for none"""
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def relabelled(frame: pl.LazyFrame, plan: TablePlan, quasi: Sequence[str], *, unit: str | None = None) -> pl.LazyFrame:
    """Columns `c0`, `c1`, …: the released labels of the quasi-identifiers; and `person`, the column `unit`, where it is named.

    Of a table that is recoded locally only the rows that a cell covers.
    """
    frame = with_cells(frame, plan)
    if plan.classes is not None and plan.classes.recoding == "local":
        frame = frame.filter(pl.col(CELL).is_not_null())
    person = [] if unit is None else [exact_column(unit).alias("person")]
    return frame.select(*(label(plan.column(name), plan).alias(f"c{index}") for index, name in enumerate(quasi)), *person)


def with_cells(frame: pl.LazyFrame, plan: TablePlan) -> pl.LazyFrame:
    """Add `CELL`, the number of each row's cell, where the table is recoded locally; rows that no cell covers have none."""
    classes = plan.classes
    if classes is None or classes.recoding != "local":
        return frame
    sources = {}
    for name in classes.quasi_identifiers:
        column = plan.column(name)
        by_cell = isinstance(column.action, Generalize) and isinstance(column.action.recode, AsCell)
        value = exact_column(name) if by_cell else label(column, plan)
        kind, ladder = (column.type, classes.ladders[name]) if by_cell else (column.output_type, (AsIs(),))
        sources[name] = Source(value, kind, ladder)
    return frame.with_columns(cell_number(classes, sources).alias(CELL))


def label(column: ColumnPlan, plan: TablePlan) -> pl.Expr:
    """The released value of a column of a frame that went through `with_cells`."""
    match column.action:
        case Generalize(recode=AsCell()) if plan.classes is not None:
            return cell_label(plan.classes, column.name, pl.col(CELL))
        case Generalize(recode=recode) if recode is not None:
            return recode_expression(column.name, column.type, recode)
        case SuppressRare(values=values) if values is not None:
            text = canonical(column.name, column.type)
            value = text if column.type is DataType.TEXT else exact_column(column.name)
            return pl.when(text.is_in(list(values))).then(value)
        case TopBottomCode(lower=lower, upper=upper) if column.type is DataType.INTEGER:
            low = None if lower is None else max(math.ceil(lower), _SMALLEST)
            high = None if upper is None else min(math.floor(upper), _LARGEST)
            return exact_column(column.name).clip(low, high)
        case TopBottomCode(lower=lower, upper=upper) if column.type is DataType.NUMBER:
            return exact_column(column.name).fill_nan(None).clip(lower, upper)
        case _:
            return recode_expression(column.name, column.type, AsIs())

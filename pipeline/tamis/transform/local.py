"""Local recoding: every row gets the labels of its cell; rows without a cell leave with the small classes."""

from __future__ import annotations

import polars as pl

from tamis.cells import Source, cell_label, cell_number
from tamis.core.actions import AsCell, AsIs, Generalize
from tamis.core.errors import PlanError, clean_name
from tamis.core.plan import Classes, ColumnPlan
from tamis.transform.work import Work

CELL = "__tamis_cell"
"""Int32 number of a row's cell, null for none; never released"""


def with_cells(frame: pl.LazyFrame, work: Work) -> pl.LazyFrame:
    """Add `CELL` and the released columns that take their labels from cells; the other released columns are there already.

    Unchanged where the table is not recoded locally. Raises PlanError where a cell or a ladder of the plan is missing.
    """
    classes = work.plan.classes
    if classes is None or classes.recoding != "local":
        return frame
    _check(classes, work)
    sources = {name: _source(work.plan.column(name), classes, work) for name in classes.quasi_identifiers}
    frame = frame.with_columns(cell_number(classes, sources).alias(CELL))
    made = [
        cell_label(classes, column.name, pl.col(CELL)).alias(work.released(column.name))
        for column in work.plan.released
        if takes_label(column)
    ]
    return frame.with_columns(made)


def takes_label(column: ColumnPlan) -> bool:
    """Whether a column's released value is the label of its row's cell."""
    return isinstance(column.action, Generalize) and isinstance(column.action.recode, AsCell)


def _source(column: ColumnPlan, classes: Classes, work: Work) -> Source:
    """Labels of a generalized column come from what was given, those of any other from what is released."""
    if takes_label(column):
        return Source(pl.col(work.given(column.name)), column.type, classes.ladders[column.name])
    return Source(pl.col(work.released(column.name)), column.output_type, (AsIs(),))


def _check(classes: Classes, work: Work) -> None:
    released = {column.name for column in work.plan.released}
    heights = [len(classes.ladders.get(name, ())) for name in classes.quasi_identifiers]
    width = len(heights)
    fits = all(
        len(cell.levels) == len(cell.labels) == width
        and all(0 <= level < height for level, height in zip(cell.levels, heights, strict=True))
        and all(name in classes.quasi_identifiers for name in cell.only)
        and all(0 <= level < len(classes.ladders[name]) for name, asked in cell.only.items() for level, _ in asked)
        for cell in classes.cells
    )
    if not fits or not released.issuperset(classes.quasi_identifiers):
        raise PlanError(
            "broken_cells",
            f"The cells of table '{clean_name(work.plan.name)}' do not fit its quasi-identifiers.",
            hint="Make the plan again: tamis plan.",
        )

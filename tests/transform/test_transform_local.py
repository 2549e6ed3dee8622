"""Local recoding when it is applied: first cover, k on new data, the same rows whatever the batches."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transform_tables import classes, done, table_of

from tamis.core.actions import AsCell, AsIs, CategoryMap, Everything, Generalize, Keep, NumberBand
from tamis.core.errors import PlanError
from tamis.core.plan import Cell, Classes

LADDERS = {
    "age": (AsIs(), NumberBand(width=10), Everything()),
    "^job$": (AsIs(), CategoryMap(parents=(("nurse", "health"), ("doctor", "health"), ("smith", "craft")), other="OTHER"), Everything()),
    "sex": (AsIs(),),
}
CELLS = (
    Cell(levels=(0, 0, 0), labels=("30", "nurse", "f")),
    Cell(levels=(1, 0, 0), labels=("30-39", "nurse", "f"), only={"age": ((0, "31"), (0, "33"), (0, "41"))}),
    Cell(levels=(1, 1, 0), labels=("30-39", "health", "m"), only={"^job$": ((0, "nurse"), (1, "craft")), "age": ((1, "30-39"),)}),
    Cell(levels=(2, 0, 0), labels=("*", "nurse", "f"), only={"age": ((0, None), (0, "32"))}),
    Cell(levels=(0, 0, 0), labels=(None, None, "m")),
    Cell(levels=(2, 1, 0), labels=("*", "OTHER", None)),
    Cell(levels=(2, 2, 0), labels=("*", "*", "m")),
)
SCHEMA = {"age": pl.Int64, "^job$": pl.String, "sex": pl.String, "weight": pl.Float64}
ACTIONS = {"age": Generalize(recode=AsCell()), "^job$": Generalize(recode=AsCell()), "sex": Keep(), "weight": Keep()}
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(28, 41),
        st.sampled_from(["nurse", "doctor", "smith", "pilot", None]),
        st.sampled_from(["f", "m", None]),
        st.sampled_from([1.0, 2.5]),
    ),
    max_size=60,
)


def shape(k: int, cells: tuple[Cell, ...] = CELLS) -> Classes:
    """Classes of a locally recoded table."""
    return classes("age", "^job$", "sex", k=k).model_copy(update={"recoding": "local", "ladders": LADDERS, "cells": cells})


def labels_by_hand(row: tuple[object, ...]) -> tuple[str | None, ...] | None:
    """The definition: the labels of the first cell that covers the row and whose conditions it satisfies."""
    age, job, sex, _ = row
    band = None if age is None else f"{age // 10 * 10}-{age // 10 * 10 + 9}"  # type: ignore[operator]
    group = {"nurse": "health", "doctor": "health", "smith": "craft", None: None}.get(job, "OTHER")  # type: ignore[call-overload]
    own = ((None if age is None else str(age), band, "*"), (job, group, "*"), (sex,))
    for cell in CELLS:
        asked = [any(own[list(LADDERS).index(name)][level] == label for level, label in labels) for name, labels in cell.only.items()]
        if all(asked) and all(rungs[level] == label for rungs, level, label in zip(own, cell.levels, cell.labels, strict=True)):
            return cell.labels
    return None


@settings(max_examples=30, deadline=None)
@given(ROWS, st.integers(1, 4))
def test_rows_carry_the_labels_of_their_first_cell_and_k_holds_on_any_data(rows: list[tuple[object, ...]], k: int) -> None:
    """Whatever rows come: each carries its first cell's labels; rows without a cell and classes below k leave and are counted."""
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    out = done(table_of(frame), ACTIONS, classes=shape(k), keep_order="test")
    got = out.frame.collect(engine="streaming").sort("__tamis_order")
    expected = [labels_by_hand(row) for row in rows]
    sizes = Counter(expected)
    stay = [i for i, labels in enumerate(expected) if labels is not None and sizes[labels] >= k]
    assert got["__tamis_order"].to_list() == stay
    assert list(zip(*(got.get_column(name) for name in LADDERS), strict=True)) == [expected[i] for i in stay]
    assert got["weight"].to_list() == [rows[i][3] for i in stay]
    assert out.suppressed_rows == len(rows) - len(stay)


def test_the_schema_is_that_of_text_and_does_not_depend_on_rows() -> None:
    """Columns of cells are text before the first row is read; a column that is kept keeps its values and type."""
    out = done(table_of(pl.DataFrame(schema=SCHEMA)), ACTIONS, classes=shape(2))
    got = out.frame.collect(engine="streaming")
    assert [got.schema[name] for name in SCHEMA] == [pl.String, pl.String, pl.String, pl.Float64]
    assert got.is_empty()


def test_numbers_that_are_missing_are_null_to_cells() -> None:
    """NaN is null: both are in the cell whose label is the missing value, and finite numbers are not."""
    ladders = {"x": (AsIs(), Everything())}
    cells = (Cell(levels=(0,), labels=(None,)), Cell(levels=(0,), labels=("1.5",)))
    stated = classes("x", k=2).model_copy(update={"recoding": "local", "ladders": ladders, "cells": cells})
    frame = pl.DataFrame({"x": [None, float("nan"), 1.5, 1.5, 2.5]}, schema={"x": pl.Float64})
    out = done(table_of(frame), {"x": Generalize(recode=AsCell())}, classes=stated, keep_order="test")
    got = out.frame.collect().sort("__tamis_order")
    assert got["x"].to_list() == [None, None, "1.5", "1.5"]
    assert out.suppressed_rows == 1


def test_no_cells_release_nothing() -> None:
    """A plan without cells suppresses every row."""
    frame = pl.DataFrame({"age": [30, 31], "^job$": ["nurse", "nurse"], "sex": ["f", "f"], "weight": [1.0, 2.0]}, schema=SCHEMA)
    out = done(table_of(frame), ACTIONS, classes=shape(1, ()))
    assert out.frame.collect().is_empty()
    assert out.suppressed_rows == 2


@pytest.mark.parametrize(
    "cell",
    [
        Cell(levels=(0, 0), labels=("30", "nurse")),
        Cell(levels=(0, 3, 0), labels=("30", "x", "f")),
        Cell(levels=(0, 0, 0), labels=("30", "nurse", "f"), only={"weight": ((0, "1.0"),)}),
        Cell(levels=(0, 0, 0), labels=("30", "nurse", "f"), only={"age": ((3, "30"),)}),
    ],
)
def test_cells_that_do_not_fit_the_plan_are_errors(cell: Cell) -> None:
    """A cell without a label for every quasi-identifier, or with a level that no ladder has, is a PlanError and not another release."""
    frame = pl.DataFrame(schema=SCHEMA)
    with pytest.raises(PlanError) as caught:
        done(table_of(frame), ACTIONS, classes=shape(1, (cell,)))
    assert caught.value.code == "broken_cells"

"""Laws of resolved literals: what a plan stores is shared by k persons, however many rows one of them has."""

from __future__ import annotations

import polars as pl
import pytest

from tamis.core.actions import Action, SuppressRare, TopBottomCode
from tamis.core.plan import ColumnPlan, Status, TablePlan
from tamis.core.policy import Privacy
from tamis.core.types import Column, ColumnProfile, DataType, Role, SourceInfo, Table, TableProfile
from tamis.search import resolve_table


def _resolved(frame: pl.DataFrame, name: str, action: Action, unit: str | None) -> Action:
    kinds = {pl.String: DataType.TEXT, pl.Int64: DataType.INTEGER, pl.Float64: DataType.NUMBER}
    columns = tuple(Column(column, kinds[type(dtype)]) for column, dtype in frame.schema.items())
    table = Table("t", frame.lazy(), columns, frame.height, SourceInfo("frame"))
    plans = tuple(
        ColumnPlan(
            name=column.name, type=column.type, role=Role.NONE, action=action if column.name == name else SuppressRare(values=()),
            status=Status.DECIDED, rule="policy", reason="r",
        )
        for column in columns
    )  # fmt: skip
    profile = TableProfile(
        name="t", rows=frame.height, k=3,
        columns=tuple(
            ColumnProfile(name=c.name, type=c.type, rows=frame.height, nulls=0, distinct=9, distinct_exact=True) for c in columns
        ),
    )  # fmt: skip
    plan = TablePlan(name="t", columns=plans, unit=unit)
    return resolve_table(table, plan, profile, Privacy(k=3), lambda _: {}).actions[name]  # type: ignore[return-value]


PERSONS = pl.DataFrame({"who": ["a"] * 5 + ["b", "c", "d"], "what": ["own"] * 5 + ["common"] * 3})


def test_a_value_of_one_person_with_many_rows_is_not_kept() -> None:
    """Five rows of one person do not make a value frequent; without a unit they do."""
    by_person, by_row = (_resolved(PERSONS, "what", SuppressRare(), unit) for unit in ("who", None))
    assert isinstance(by_person, SuppressRare)
    assert isinstance(by_row, SuppressRare)
    assert by_person.values == ("common",)
    assert by_row.values == ("common", "own")


def test_the_extremes_of_one_person_are_no_bound() -> None:
    """One person's many extreme rows count once: the bound is the mean over k persons."""
    frame = pl.DataFrame({"who": ["rich"] * 9 + list("abcdef"), "pay": [9000.0] * 9 + [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]})
    action = _resolved(frame, "pay", TopBottomCode(), "who")
    assert isinstance(action, TopBottomCode)
    assert action.upper == pytest.approx((9000 + 60 + 50) / 3, rel=1e-5)
    assert action.lower == pytest.approx(20.0)


@pytest.mark.parametrize("values", [[777.5], [777.5, 777.5], []])
def test_fewer_than_k_values_give_no_bound_of_their_own(values: list[float]) -> None:
    """A mean of one value is the value: below k persons the bound is zero."""
    frame = pl.DataFrame({"pay": pl.Series([*values, None], dtype=pl.Float64)})
    action = _resolved(frame, "pay", TopBottomCode(), None)
    assert isinstance(action, TopBottomCode)
    assert (action.lower, action.upper) == (0.0, 0.0)

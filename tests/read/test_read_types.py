"""Logical types of text columns."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.core.errors import DataError
from tamis.read.infer import Judge
from tests.read.conftest import CANARY, types_of


def judged(values: list[str | None]) -> tuple[str, list[object]]:
    """Type and typed values of one column."""
    texts = pl.DataFrame({"c": pl.Series(values, dtype=pl.String)})
    judge = Judge(["c"], {})
    judge.see(texts)
    decision = judge.decide(["c"])[0]
    return decision.type.value, texts.select(decision.apply(pl.col("c"))).to_series().to_list()


@pytest.mark.parametrize(("values", "kind", "typed"), [
    (["1", None, "-20", "0"], "integer", [1, None, -20, 0]),
    (["1", "007"], "text", ["1", "007"]),
    (["00123", "04567"], "text", ["00123", "04567"]),
    (["+49", "1"], "text", ["+49", "1"]),
    ([" 1", "2"], "text", [" 1", "2"]),
    (["-0", "1"], "number", [0.0, 1.0]),
    (["999999999999999999"], "integer", [999999999999999999]),
    (["4111111111111111111"], "text", ["4111111111111111111"]),
    (["4111111111111111", "1.5"], "text", ["4111111111111111", "1.5"]),
    (["1.5", "4111111111111111"], "text", ["1.5", "4111111111111111"]),
    (["1.5", None, "-2", ".5", "1e5", "3."], "number", [1.5, None, -2.0, 0.5, 100000.0, 3.0]),
    (["01.5", "2"], "text", ["01.5", "2"]),
    (["1e999", "2.5"], "text", ["1e999", "2.5"]),
    (["1.5", "inf", "-Infinity"], "number", [1.5, float("inf"), float("-inf")]),
    (["Inf", "nan"], "text", ["Inf", "nan"]),
    (["true", "FALSE", None, "True"], "boolean", [True, False, None, True]),
    (["0", "1"], "integer", [0, 1]),
    (["true", "1"], "text", ["true", "1"]),
    (["2024-02-29", None], "date", [dt.date(2024, 2, 29), None]),
    (["2023-02-29", "2024-01-01"], "text", ["2023-02-29", "2024-01-01"]),
    (["2024/1/31"], "date", [dt.date(2024, 1, 31)]),
    (["31/12/2024", "1/2/2024"], "date", [dt.date(2024, 12, 31), dt.date(2024, 2, 1)]),
    (["12/31/2024", "1/2/2024"], "date", [dt.date(2024, 12, 31), dt.date(2024, 1, 2)]),
    (["31.12.2024"], "date", [dt.date(2024, 12, 31)]),
    (["1/2/2024", "3/4/2024"], "text", ["1/2/2024", "3/4/2024"]),
    (["31/12/2024", "12/31/2024"], "text", ["31/12/2024", "12/31/2024"]),
    (["2024-01-01", "2024-01-01 10:00"], "text", ["2024-01-01", "2024-01-01 10:00"]),
    (["2024-01-01 10:00", "2024-01-01T10:00:01.25"], "datetime", [dt.datetime(2024, 1, 1, 10), dt.datetime(2024, 1, 1, 10, 0, 1, 250000)]),
    (["2024-01-01T10:00:00Z", None, "2024-01-01 10:00:00.5+02:00"], "datetime",
     [dt.datetime(2024, 1, 1, 10), None, dt.datetime(2024, 1, 1, 8, 0, 0, 500000)]),
    (["2024-01-01 10:00:00 UTC", "2024-01-01 10:00-0530", "2024-01-01 10:00+01"], "datetime",
     [dt.datetime(2024, 1, 1, 10), dt.datetime(2024, 1, 1, 15, 30), dt.datetime(2024, 1, 1, 9)]),
    (["2024-01-01T10:00:00Z", "2024-01-01T10:00:00"], "text", ["2024-01-01T10:00:00Z", "2024-01-01T10:00:00"]),
    (["2024-01-01 25:00"], "text", ["2024-01-01 25:00"]),
    (["09:30", None, "10:00:01"], "time", [dt.time(9, 30), None, dt.time(10, 0, 1)]),
    (["9:30"], "text", ["9:30"]),
    (["1", "x", "2024-01-01"], "text", ["1", "x", "2024-01-01"]),
    ([None, None], "empty", [None, None]),
    ([], "empty", []),
])  # fmt: skip
def test_types(values: list[str | None], kind: str, typed: list[object]) -> None:
    """A column has a type only when every value is written canonically in it; nothing that matters is lost on the way."""
    assert judged(values) == (kind, typed)


VALUES = st.sampled_from(
    [
        "1",
        "007",
        "2.5",
        "1234567890123456",
        "true",
        "2024-01-01",
        "1/2/2024",
        "13/1/2024",
        "1/13/2024",
        "2024-01-01 10:00",
        "09:30",
        "x",
        "inf",
        None,
    ]
)


@given(values=st.lists(VALUES, max_size=12), cuts=st.lists(st.integers(0, 12), max_size=4), order=st.randoms())
def test_type_depends_on_values_only(values: list[str | None], cuts: list[int], order: object) -> None:
    """Neither the order of the rows nor the way they are cut into batches changes a type."""
    whole, _ = judged(values)
    shuffled = list(values)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    judge = Judge(["c"], {})
    edges = [0, *sorted(cuts), len(shuffled)]
    for start, end in pairwise(edges):
        judge.see(pl.DataFrame({"c": pl.Series(shuffled[start:end], dtype=pl.String)}))
    assert judge.decide(["c"])[0].type.value == whole


def test_ambiguous_dates_are_noted(load: Callable[..., object]) -> None:
    """Dates whose day and month cannot be told apart stay text, and the table says so."""
    table, _ = load("t.csv", "a,b\n1/2/2024,31/1/2024\n3/4/2024,1/1/2024\n")
    assert types_of(table) == {"a": "text", "b": "date"}
    assert len(table.source.notes) == 2


def test_null_spellings(load: Callable[..., object]) -> None:
    """Spelled nulls are null, quoted or not; NaN beside null is null by default and NaN where it is not a null spelling."""
    _, rows = load("t.csv", 'a,b\n1.5,NA\n"NULL",x\nNaN,"n/a"\n')
    assert rows.rows() == [(1.5, None), (None, "x"), (None, None)]
    _, rows = load("t.csv", "a,b\n1.5,x\nNaN,y\n-,z\n", nulls=("-",))
    assert rows["a"].is_nan().to_list() == [False, True, None]


def test_stated_types_win(load: Callable[..., object]) -> None:
    """A stated type is taken, more generously than an inferred one."""
    table, rows = load("t.csv", "a,b,c,d\n 007,+1.50,yes,1\n+8,2,N,2\n", types={"a": "integer", "b": "number", "c": "boolean", "d": "text"})
    assert rows.rows() == [(7, 1.5, True, "1"), (8, 2.0, False, "2")]
    assert types_of(table) == {"a": "integer", "b": "number", "c": "boolean", "d": "text"}


def test_stated_type_that_does_not_fit(load: Callable[..., object]) -> None:
    """A value that is not of a stated type is an error with column, count and first line, and without the value."""
    with pytest.raises(DataError, match="Column 'a' is stated as integer, but 2 values cannot be read as such, first in line 5") as caught:
        load("t.csv", f'a,b\n1,"x\ny"\n\n{CANARY},1\n{CANARY},2\n', types={"a": "integer"})
    assert CANARY not in str(caught.value) + repr(caught.value.attrs)
    with pytest.raises(DataError, match="cannot be told apart"):
        load("t.csv", "a\n1/2/2024\n", types={"a": "date"})
    with pytest.raises(DataError, match="Did you mean 'income'"):
        load("t.csv", "income\n1\n", types={"incom": "number"})

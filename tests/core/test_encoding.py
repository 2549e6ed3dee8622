"""Laws of the canonical encoding and of row identity."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.core.types import Column, DataType
from tamis.encoding import WORDS, canonical, row_text, with_row_words
from tamis.keys import MasterKey

KEY = MasterKey(bytes(range(32)))
CELLS = st.one_of(st.none(), st.text(max_size=6))


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=20))
def test_row_text_is_injective(rows: list[tuple[str | None, str | None]]) -> None:
    """Two rows have equal text only when their canonical values are equal: no separator can be forged."""
    frame = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String}, orient="row")
    columns = (Column("a", DataType.TEXT), Column("b", DataType.TEXT))
    out = frame.select(text=row_text(columns), a=canonical("a", DataType.TEXT), b=canonical("b", DataType.TEXT))
    assert out["text"].n_unique() == out.select("a", "b").n_unique()


def test_canonical_forms() -> None:
    """Text is NFC and trimmed, integers are digits, NaN is null, times are ISO."""
    frame = pl.DataFrame(
        {
            "t": [" e\u0301 ", None], "i": [7, None], "f": [1.5, float("nan")], "b": [True, None],
            "d": [dt.date(2024, 2, 29), None], "z": [dt.datetime(2024, 2, 29, 1, 2, 3, 4), None],
        }
    )  # fmt: skip
    kinds = dict(zip(frame.columns, ["text", "integer", "number", "boolean", "date", "datetime"], strict=True))
    out = frame.select(canonical(name, DataType(kind)) for name, kind in kinds.items())
    assert out.row(0) == ("é", "7", "1.5", "true", "2024-02-29", "2024-02-29T01:02:03.000004")
    assert out.row(1) == (None,) * 6


def test_names_that_look_like_patterns_are_names() -> None:
    """A column called '^a.*$' or '*' is that column and no other."""
    for name in ("^a.*$", "*"):
        frame = pl.DataFrame({name: ["x"], "ab": ["y"]})
        assert frame.select(canonical(name, DataType.TEXT)).to_dict(as_series=False) == {name: ["x"]}


@given(st.permutations(list(range(8))))
def test_row_words_do_not_depend_on_order(order: list[int]) -> None:
    """A row's words depend on the row and the key alone."""
    frame = pl.DataFrame({"a": [f"v{i}" for i in order], "n": order})
    words = with_row_words(frame.lazy(), (Column("a", DataType.TEXT), Column("n", DataType.INTEGER)), KEY, use="t").collect()
    alone = with_row_words(frame.filter(pl.col("n") == 3).lazy(), (Column("a", DataType.TEXT), Column("n", DataType.INTEGER)), KEY, use="t")
    assert words.filter(pl.col("n") == 3).select(WORDS).equals(alone.collect().select(WORDS))
    assert words.select(WORDS).n_unique() == 8


@pytest.mark.parametrize("length", [0, 1, 9, 1023, 1024, 5000])
def test_row_text_states_lengths_in_bytes(length: int) -> None:
    """`<bytes>:<value>` per value and `~` for null, whatever the length."""
    frame = pl.DataFrame({"a": ["é" * length, None], "^b$": ["x" * length, "y"]})
    columns = [Column("a", DataType.TEXT), Column("^b$", DataType.TEXT)]
    assert frame.select(text=row_text(columns))["text"].to_list() == [f"{2 * length}:{'é' * length},{length}:{'x' * length}", "~,1:y"]


def test_text_is_composed_in_place() -> None:
    """NFC of decomposed texts; plain ones and nulls stay, in their places."""
    frame = pl.DataFrame({"^a$": ["plain", "e\u0301", None, " x ", "\u212b"]})
    assert frame.select(t=canonical("^a$", DataType.TEXT))["t"].to_list() == ["plain", "é", None, "x", "Å"]

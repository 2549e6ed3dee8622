"""Laws of shape classes."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profile_tools import profiled, shuffled

from tamis.profile.limits import Limits
from tamis.profile.shapes import count_masks, mask, shape_of


def shapes(values: list[str | None]) -> list[str | None]:
    """The shape of each value."""
    masked = pl.DataFrame({"x": pl.Series(values, dtype=pl.String)}).select(mask(pl.col("x"))).to_series().to_list()
    return [None if m is None else shape_of(m) for m in masked]


CASES = {
    "01234": "9{5}",
    "AB-123": "A{2}-9{3}",
    "Ann": "Aa+",
    "Müller": "Aa+",
    "Ann Lee": "Aa+ Aa+",
    "McDonald": "Aa+Aa+",
    "USA": "A{3}",
    "GERMANY": "A+",
    "please call back": "a{+}",
    "Please call back": "Aa+ a{+}",
    "ann.lee@example.org": "a+.a+@a+.a+",
    "+49 (30) 123": "+9{2} (9{2}) 9{3}",
    "2024-01-31": "9{4}-9{2}-9{2}",
    "3f2a9c1b7e": "X+",
    "GB29NWBK6016": "A{2}9{2}A{4}9{4}",
    "日本語": "□+",
    "👩‍👩‍👧 ok": "□+ a+",
    "٣٤": "9{2}",
    "Иван": "Aa+",
    "a\tb\n": "a{+} ",
    "": "",
    "9" * 64: "9{64}",
    "9" * 65: "9{64}…",
    "{}+*^$": "{}+*^$",
}


@pytest.mark.parametrize(("value", "shape"), CASES.items(), ids=range(len(CASES)))
def test_shapes_of_known_values(value: str, shape: str) -> None:
    """Each documented class, on values where it can be checked by eye."""
    assert shapes([value]) == [shape]


@settings(max_examples=500, deadline=None)
@given(values=st.lists(st.none() | st.text(max_size=80), min_size=1, max_size=5))
def test_shapes_hold_no_letter_or_digit_of_the_data(values: list[str | None]) -> None:
    """A shape is made of the class letters A, a, X, of 9 with run lengths, of ASCII punctuation, space, □ and … only."""
    import re

    for value, shape in zip(values, shapes(values), strict=True):
        assert (value is None) == (shape is None)
        rest = re.sub(r"9\{\d+\}|A\{[1-4]\}|A?a\+|a\{\+\}|A\+|X\+|□\+", "", shape or "").removesuffix("…")
        assert re.fullmatch(r"[ -/:-@\[-`{-~]*", rest)


@settings(max_examples=100, deadline=None)
@given(digits=st.lists(st.integers(0, 9), min_size=1, max_size=60), others=st.lists(st.integers(0, 9), min_size=1, max_size=60))
def test_digit_runs_tell_their_length_only(digits: list[int], others: list[int]) -> None:
    """Two runs of digits have the same shape if and only if they are equally long."""
    one, two = shapes(["".join(map(str, digits)), "".join(map(str, others))])
    assert (one == two) == (len(digits) == len(others))


def test_shapes_of_few_rows_are_left_out() -> None:
    """Shapes are listed by frequency with their rows; those of fewer than k rows are not."""
    frame = pl.DataFrame({"x": ["123"] * 5 + ["45"] * 3 + ["a"] * 2 + ["Ab"] + [None]})
    assert profiled(frame, k=3).column("x").shapes == (("9{3}", 5), ("9{2}", 3))
    assert profiled(frame, k=2).column("x").shapes == (("9{3}", 5), ("9{2}", 3), ("a+", 2))


def test_shapes_do_not_depend_on_how_they_are_counted() -> None:
    """Grouped values and single rows give the same shapes; at most eight."""
    frame = pl.DataFrame({"x": ["1" * (i % 12 + 1) for i in range(400)] + [f"id{i}" for i in range(400)]})
    assert profiled(frame).column("x").shapes == profiled(frame, limits=Limits(grouped_values=5)).column("x").shapes
    assert len(profiled(frame).column("x").shapes) == 8


@pytest.mark.parametrize("alone", [True, False])
def test_shapes_of_many_rows_are_estimated_from_a_stable_sample(alone: bool) -> None:
    """The sample is near the truth, adds up to the rows, and does not depend on their order; alone or beside another column."""
    rows = 20_000
    frame = pl.DataFrame({"x": [f"{i:05d}" if i % 4 else f"n{i:05d}" for i in range(rows)], "y": range(rows)})
    limits = Limits(grouped_values=100, shape_rows=5_000, shape_sample=2_000)
    frame = frame.select("x") if alone else frame
    found = profiled(frame, k=5, limits=limits).column("x").shapes
    assert dict(found) == {"9{5}": pytest.approx(rows * 3 / 4, rel=0.1), "a+9{5}": pytest.approx(rows / 4, rel=0.2)}
    assert profiled(shuffled(frame, 1), k=5, limits=limits).column("x").shapes == found


@given(st.lists(st.text(alphabet="aBzÉß9٣ .-_\t☃中Ǆ'", max_size=70), max_size=30))
def test_masks_counted_in_two_steps_are_the_masks(values: list[str]) -> None:
    """Classing letters first and the rest on few texts gives the same masks and counts as classing every text in full."""
    frame = pl.DataFrame({"x": pl.Series(values, dtype=pl.String)})
    plain = frame.select(mask(pl.col("x")).alias("mask")).group_by("mask").agg(pl.len().cast(pl.Int64).alias("n"))
    found = count_masks(frame.lazy(), pl.col("x"), pl.lit(1, dtype=pl.Int64))
    assert found.sort("mask").rows() == plain.sort("mask").rows()


@given(st.text(alphabet="aBzÉß9٣ .-_\t☃中Ǆ'", max_size=70))
def test_the_order_of_classing_is_free(value: str) -> None:
    """The mask is that of the published definition: foreign signs, blanks, small letters, digits, capitals, in this order."""
    short = pl.lit(value).str.slice(0, 64)
    in_order = (
        short.str.replace_all(r"[^\p{Lu}\p{Ll}\p{Lt}\p{Nd}\s!-/:-@\[-`{-~]+", "□")
        .str.replace_all(r"\s+", " ")
        .str.replace_all(r"\p{Ll}+", "a")
        .str.replace_all(r"\p{Nd}", "9")
        .str.replace_all(r"[\p{Lu}\p{Lt}]", "A")
    )
    masked = pl.select(mask(pl.lit(value))).item().removesuffix("…")
    expected = pl.select(
        in_order.str.replace_all(r"[Aa9]*(?:[Aa]+9+[Aa]+9+[Aa]|9+[Aa]+9+[Aa]+9)[Aa9]*", "X")
        .str.replace_all(r"\ba(?: a)+\b", "w")
        .str.replace_all(r"A{5,}", "U")
    ).item()
    assert masked == expected.removesuffix("…")

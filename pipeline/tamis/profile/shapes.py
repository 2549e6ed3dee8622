"""Shape classes of text: what values look like with every letter and digit taken out.

Classes: `9{n}` a run of n digits, `a+` lower-case letters, `Aa+` a capitalized word, `A{n}` up to four capitals, `A+` more,
`a{+}` two or more lower-case words in a row, `X+` letters and digits that alternate four times or more (tokens, hashes),
`□+` everything that is neither a letter with case, nor a digit, nor ASCII punctuation (other scripts, emoji, controls). White
space becomes one space, ASCII punctuation stays, the empty text is the empty shape; values are cut after 64 characters, which `…`
shows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import polars as pl

_LONGEST = 64
_OTHER = r"[^\p{Lu}\p{Ll}\p{Lt}\p{Nd}\s!-/:-@\[-`{-~]+"
# In a mask the only letters and digits are the classes themselves: A a 9, then X (alternating), w (words), U (long capitals).
_ALTERNATING = r"[Aa9]*(?:[Aa]+9+[Aa]+9+[Aa]|9+[Aa]+9+[Aa]+9)[Aa9]*"
_RUNS = re.compile(r"Aa|A+|9+|[awUX□]")
_FIXED = {"Aa": "Aa+", "a": "a+", "w": "a{+}", "U": "A+", "X": "X+", "□": "□+"}


def mask(value: pl.Expr) -> pl.Expr:
    """The mask of a text: one letter per class, digits and capitals one by one. Null stays null."""
    return _rest(_letters(value), value.str.len_chars() > _LONGEST)


def count_masks(frame: pl.LazyFrame, value: pl.Expr, weight: pl.Expr) -> pl.DataFrame:
    """`mask`, `n`: the masks of a column and the sums of their weights.

    Letters and digits are classed first: of a million values few hundred are then left to be classed in full.
    """
    rough = frame.select(_letters(value).alias("rough"), (value.str.len_chars() > _LONGEST).alias("long"), weight.alias("n"))
    few = rough.group_by("rough", "long").agg(pl.col("n").sum()).collect(engine="streaming")
    return few.select(_rest(pl.col("rough"), pl.col("long")).alias("mask"), "n").group_by("mask").agg(pl.col("n").sum())


def _letters(value: pl.Expr) -> pl.Expr:
    """The beginning of a text with its letters and digits classed; the classes share no character, so that their order is free."""
    short = value.str.slice(0, _LONGEST)
    return short.str.replace_all(r"\p{Ll}+", "a").str.replace_all(r"\p{Nd}", "9").str.replace_all(r"[\p{Lu}\p{Lt}]", "A")


def _rest(rough: pl.Expr, long: pl.Expr) -> pl.Expr:
    classed = (
        rough.str.replace_all(_OTHER, "□")
        .str.replace_all(r"\s+", " ")
        .str.replace_all(_ALTERNATING, "X")
        .str.replace_all(r"\ba(?: a)+\b", "w")
        .str.replace_all(r"A{5,}", "U")
    )
    return pl.when(long).then(pl.concat_str(classed, pl.lit("…"))).otherwise(classed)


def shape_of(masked: str) -> str:
    """The shape class that a mask stands for."""
    return _RUNS.sub(lambda run: _FIXED.get(run[0]) or f"{run[0][0]}{{{len(run[0])}}}", masked)


def top_shapes(masks: Iterable[tuple[str, int]], *, k: int, most: int) -> tuple[tuple[str, int], ...]:
    """The `most` frequent shapes with at least k rows, most frequent first, ties by text."""
    shapes: Counter[str] = Counter()
    for masked, rows in masks:
        shapes[shape_of(masked)] += rows
    kept = sorted(((shape, rows) for shape, rows in shapes.items() if rows >= k), key=lambda item: (-item[1], item[0]))
    return tuple(kept[:most])

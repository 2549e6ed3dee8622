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
    short = value.str.slice(0, _LONGEST)
    classed = (
        short.str.replace_all(_OTHER, "□")
        .str.replace_all(r"\s+", " ")
        .str.replace_all(r"\p{Ll}+", "a")
        .str.replace_all(r"\p{Nd}", "9")
        .str.replace_all(r"[\p{Lu}\p{Lt}]", "A")
        .str.replace_all(_ALTERNATING, "X")
        .str.replace_all(r"\ba(?: a)+\b", "w")
        .str.replace_all(r"A{5,}", "U")
    )
    return pl.when(value.str.len_chars() > _LONGEST).then(pl.concat_str(classed, pl.lit("…"))).otherwise(classed)


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

"""Columns that say the same as an earlier one in another form, in every row.

- format: equal once letters are lower case, everything but letters and digits is gone (a leading minus stays), and leading zeros
  of plain digits and a trailing `.0` of whole numbers are too: 'Main St.' and 'MAIN ST', '00123' and 123, 12.0 and 12;
- recoding: one value here for one value there, exactly (see `dependencies`): 'male' and 1.
Null only equals null.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

import polars as pl

from tamis.core.types import DataType, Dependency
from tamis.profile.codes import hashes
from tamis.profile.columns import Measured

Equivalence = tuple[str, Literal["format", "recoding"]]

_LOOK = 300
_FORMS = frozenset({DataType.TEXT, DataType.INTEGER, DataType.NUMBER, DataType.BOOLEAN})


def find_equivalents(
    frame: pl.LazyFrame,
    safe: Sequence[str],
    measured: Sequence[Measured],
    duplicates: Mapping[str, str],
    dependencies: Sequence[Dependency],
    sample: pl.DataFrame,
) -> dict[str, Equivalence]:
    """Column to the first earlier column that says the same, and how; exact duplicates are left to `duplicate_of`."""
    found: dict[str, Equivalence] = {}
    usable = [
        i
        for i, m in enumerate(measured)
        if m.profile.type in _FORMS and m.profile.name not in duplicates and not m.profile.constant and m.profile.present
    ]
    for group in _alike(safe, measured, usable, sample):
        remaining = group
        while len(remaining) > 1:
            first, others = remaining[0], remaining[1:]
            same = _equal(frame, safe, measured, first, others)
            found |= {measured[i].profile.name: (measured[first].profile.name, "format") for i in same}
            remaining = [i for i in others if i not in same]
    place = {m.profile.name: i for i, m in enumerate(measured)}
    for dependency in dependencies:
        earlier, later = sorted((dependency.determinant, dependency.dependent), key=lambda name: place[name])
        if dependency.one_to_one and later not in duplicates:
            found.setdefault(later, (earlier, "recoding"))
    return found


def _alike(safe: Sequence[str], measured: Sequence[Measured], columns: Sequence[int], sample: pl.DataFrame) -> list[list[int]]:
    """Groups of columns that are equal in another form in some rows; a few rows part most of them."""
    groups = [list(columns)]
    for rows in (sample.head(_LOOK), sample):
        parted: list[list[int]] = []
        for group in groups:
            alike: dict[tuple[int, bytes], list[int]] = defaultdict(list)
            for i in group:
                column = measured[i].profile
                digest = hashes(rows.select(plain_form(safe[i], column.type)).to_series())
                alike[column.nulls, digest.tobytes()].append(i)
            parted += [members for members in alike.values() if len(members) > 1]
        groups = parted
    return groups


def _equal(frame: pl.LazyFrame, safe: Sequence[str], measured: Sequence[Measured], first: int, others: Sequence[int]) -> set[int]:
    own = plain_form(safe[first], measured[first].profile.type)
    tests = [own.eq_missing(plain_form(safe[i], measured[i].profile.type)).all().alias(safe[i]) for i in others]
    verdict = frame.select(tests).collect(engine="streaming").row(0, named=True)
    return {i for i in others if verdict[safe[i]]}


def plain_form(name: str, kind: DataType) -> pl.Expr:
    """A column of the normal frame as text without case, punctuation and leading zeros."""
    text = pl.col(name).cast(pl.String)
    if kind is DataType.NUMBER:
        text = text.str.strip_suffix(".0")
    minus = pl.when(text.str.contains(r"^\s*-\s*\d")).then(pl.lit("-")).otherwise(pl.lit(""))
    letters = text.str.to_lowercase().str.replace_all(r"[^\p{L}\p{M}\p{N}]+", "")
    digits = pl.when(letters.str.contains(r"^0+\d+$")).then(letters.str.strip_chars_start("0")).otherwise(letters)
    return pl.concat_str(minus, pl.when((digits == "") & (letters != "")).then(pl.lit("0")).otherwise(digits)).alias(name)

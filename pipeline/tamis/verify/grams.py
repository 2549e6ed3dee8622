"""Texts as hashes of their words and runs of words, for the leak scan; in numpy, batch by batch.

A run of n words has the hash of its words' 64-bit xxHashes folded by SplitMix64's finalizer, so that all runs of a batch cost a few
array operations. Hashes live in memory only and are compared within one process.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import polars_hash  # noqa: F401  # registers the `nchash` namespace
import pyarrow as pa
from numpy.typing import NDArray

from tamis.core.types import DataType
from tamis.recode import canonical_column

Hashes = NDArray[np.uint64]
MAX_WORDS = 4
BATCH_ROWS = 250_000
MIN_DIGITS = 7
BITS = 20.0
"""what a text must carry to be told from chance"""
NUMBER = r"[0-9](?:[ ./()\-\u{2010}-\u{2015}\u{a0}]{0,3}[0-9]){6,}"
"""seven digits or more, with or without separators"""
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)


def words(text: pl.Expr) -> pl.Expr:
    """Lower-case words (runs of letters, marks and digits) joined by single spaces."""
    return text.str.to_lowercase().str.replace_all(r"[^\p{L}\p{M}\p{N}]+", " ").str.strip_chars(" ")


@dataclass(frozen=True, slots=True)
class Counts:
    """Characters of each text of a batch of normalized texts."""

    digits: NDArray[np.int64]
    """ASCII digits"""
    letters: NDArray[np.int64]
    """everything else that is not a space"""
    wide: NDArray[np.int64]
    """of the letters: kana, Han, Hangul (U+3000 to U+DFFF, and beyond U+FFFF)"""


def counts(texts: pl.Series) -> Counts:
    """Count by UTF-8 bytes; no nulls allowed."""
    arrow = texts.to_arrow().cast(pa.large_string())
    if isinstance(arrow, pa.ChunkedArray):
        arrow = arrow.combine_chunks()
    offsets = np.frombuffer(arrow.buffers()[1], dtype=np.int64)[arrow.offset : arrow.offset + len(arrow) + 1] if len(arrow) else _EMPTY
    raw = np.frombuffer(arrow.buffers()[2] or b"", dtype=np.uint8)

    def per_text(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        total = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(mask, dtype=np.int64)])
        found: NDArray[np.int64] = total[offsets[1:]] - total[offsets[:-1]]
        return found

    digits = per_text((raw >= 48) & (raw <= 57))
    characters = per_text((raw & 0xC0) != 0x80)
    spaces = per_text(raw == 32)
    wide = per_text(((raw >= 0xE3) & (raw <= 0xED)) | (raw >= 0xF0))
    return Counts(digits, characters - digits - spaces, wide)


_EMPTY = np.zeros(1, dtype=np.int64)


def bits(texts: pl.Series) -> NDArray[np.float64]:
    """Estimated information of normalized texts: log2(10) per digit, 3 per letter, 7 per wide one; see `leak`."""
    return np.where(_one_character(texts), 0.0, _plain_bits(texts))


def _plain_bits(texts: pl.Series) -> NDArray[np.float64]:
    found = counts(texts)
    plain: NDArray[np.float64] = found.digits * math.log2(10) + (found.letters - found.wide) * 3.0 + found.wide * 7.0
    return plain


def _one_character(texts: pl.Series) -> NDArray[np.bool_]:
    """Texts of one repeated character."""
    same: NDArray[np.bool_] = texts.str.strip_chars(texts.str.head(1)).str.len_bytes().to_numpy() == 0
    return same


def is_distinctive(texts: pl.Series) -> pl.Series:
    """Whether raw texts carry at least `BITS`; null for null.

    Seven ASCII letters or digits are enough unless they are all the same: only the other texts are normalized and counted.
    """
    texts = texts.alias("v")
    sure = texts.str.contains(_SEVEN) & ~texts.str.contains_any(_SEVEN_EQUAL, ascii_case_insensitive=True)
    places = (~sure).arg_true()
    if not len(places):
        return sure
    normal = pl.DataFrame({"v": texts.gather(places)}).select(words(pl.col("v"))).to_series()
    return sure.scatter(places, pl.Series(bits(normal) >= BITS))


_SEVEN = r"(?:[0-9A-Za-z][^0-9A-Za-z]*){7}"
_SEVEN_EQUAL = [character * 7 for character in "0123456789abcdefghijklmnopqrstuvwxyz"]


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of `size` words that start at word number `place` (0 = first) of text number `row`; `of` words in that text."""

    size: int
    hashes: Hashes
    row: NDArray[np.int64]
    place: NDArray[np.int64]
    of: NDArray[np.int64]
    start: NDArray[np.int64]
    """number of the first word among all words of the batch"""
    left: NDArray[np.int64]
    """for each run of one word less: words from its start to the end of its text"""


def runs(texts: pl.Series) -> Iterator[Runs]:
    """All runs of 1 to `MAX_WORDS` words of normalized texts; no nulls allowed."""
    split = texts.str.split(" ")
    lengths = split.list.len().to_numpy().astype(np.int64)
    flat = split.explode() if len(split) else pl.Series([], dtype=pl.String)
    first = xxhash(flat)
    row = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    left = np.repeat(lengths, lengths) - place
    folded, start = first, np.arange(len(row))
    for size in range(1, MAX_WORDS + 1):
        rest = left[start]
        if size > 1:
            inside = rest >= size
            folded, start = folded[inside], start[inside]
            folded = _mixed(folded * _FACTORS[0] + first[start + size - 1])
        if not len(start):
            return
        yield Runs(size, folded, row[start], place[start], lengths[row[start]], start, rest)


def xxhash(texts: pl.Series) -> Hashes:
    """64-bit xxHash of each text; no nulls allowed."""
    hashed = pl.DataFrame({"v": texts}).select(pl.col("v").nchash.xxhash64())  # type: ignore[attr-defined]
    found: Hashes = hashed.to_series().to_numpy()
    return found


def whole(texts: pl.Series) -> Hashes:
    """Hash of texts of more than `MAX_WORDS` words as a whole."""
    return _mixed(xxhash(texts) ^ _FACTORS[1])


def _mixed(values: Hashes) -> Hashes:
    """The finalizer of SplitMix64 (Steele, Lea and Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * _FACTORS[1]
    values = (values ^ (values >> np.uint64(27))) * _FACTORS[2]
    mixed: Hashes = values ^ (values >> np.uint64(31))
    return mixed


@dataclass(frozen=True, slots=True)
class CellForms:
    """Every distinctive form in which cells may hold an original."""

    hashes: Hashes
    """sorted, distinct: whole cells, runs of words, numbers"""
    keywords: pl.Series
    """of each form that is no number its most telling word: a text that lacks all of them has none of those forms"""
    numbers: int
    """cells that hold a number of seven digits or more"""


def cell_forms(cells: pl.Series) -> CellForms:
    """The forms of a batch of cells. Forms below `BITS` are left out: every original that is looked for carries more."""
    frame = pl.DataFrame({"c": cells}).select(canonical_column("c", DataType.TEXT)).drop_nulls().unique()
    texts = frame.select(words(pl.col("c"))).to_series()
    texts = texts.filter(pl.Series(_plain_bits(texts) >= BITS, dtype=pl.Boolean))
    found, keywords = _distinctive_runs(texts)
    holds = frame.filter(pl.col("c").str.contains(NUMBER))
    digits = holds.select(pl.col("c").str.extract_all(NUMBER).explode().str.replace_all(r"[^0-9]", "")).to_series().drop_nulls()
    found += [xxhash(digits), xxhash(digits.filter(digits.str.len_bytes() > 10).str.tail(10))]
    return CellForms(distinct(np.concatenate(found)), keywords, holds.height)


def _distinctive_runs(texts: pl.Series) -> tuple[list[Hashes], pl.Series]:
    """Hashes of the runs and of the long texts as a whole, and the most telling word of each."""
    long = texts.filter(texts.str.count_matches(" ", literal=True) >= MAX_WORDS)
    flat = texts.str.split(" ").explode() if len(texts) else pl.Series([], dtype=pl.String)
    told = _plain_bits(flat)
    lone = np.where(_one_character(flat), 0.0, told)
    total, best = told, np.arange(len(flat))
    hashes, telling = [whole(long)], np.zeros(len(flat), dtype=np.bool_)
    for run in runs(texts):
        if run.size > 1:
            inside = run.left >= run.size
            total, best = total[inside], best[inside]
            last = run.start + run.size - 1
            total = total + told[last]
            best = np.where(told[last] > told[best], last, best)
        enough = (lone if run.size == 1 else total) >= BITS
        hashes.append(run.hashes[enough])
        telling[best[enough]] = True
    # A long text as a whole: any of its words will do, so the longest runs' ones and its first.
    firsts = long.str.extract("^([^ ]+)")
    return hashes, pl.concat([flat.filter(pl.Series(telling, dtype=pl.Boolean)), firsts]).unique()


def distinct(hashes: Hashes) -> Hashes:
    """Sorted and distinct (np.unique is ten times slower)."""
    ordered = np.sort(hashes)
    keep = np.ones(len(ordered), dtype=np.bool_)
    keep[1:] = ordered[1:] != ordered[:-1]
    return ordered[keep]

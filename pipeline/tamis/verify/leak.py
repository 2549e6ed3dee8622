"""Leak scan: do identifying originals of masked columns occur anywhere in the written files?

What is searched (decision 15): every distinct value of every directly identifying column whose originals must not leave, in four
forms: all its words; its first words when it has many; its digits when it has at least seven (with and without the country code);
the local part of an e-mail address. Words are maximal runs of letters and digits, in lower case, NFC.

Where: every released text and integer column of every table; whole cells, and all runs of up to four words in them, and every
number written with separators. Forms are compared by 64-bit xxHash: two different texts among 10^7 originals and 10^9 places are
taken for equal with probability 6e-4; hashes are in memory only. All rows of both sides are searched: first the forms of the
released cells are collected, then the originals are compared with them, and only the few that may be there are judged.
Cells of a pseudonymized column that look like tokens are not searched, unless an original looks like one: they are outputs of a
keyed function, in which nothing of the original is left.

Distinctive: at least 20 bits, by log2(10) per digit, 3 per letter (between Shannon's 1951 estimates of 4.1 for single letters and 2.3
in context of English) and 7 per Han, Hangul or kana character; separators and repeated characters count nothing. A column of
numbers that fills more than 1/64 of its range (serial numbers) and a value that more than 1 % of the rows (and more than 20 of
them) share are not distinctive. The rest is counted in `leak.short`.

What is a leak and what is chance:
- values that a person decided to release (they occur in a kept column) are not searched elsewhere; but a kept column that is not
  declared `role: direct` and holds more than a tenth (and at least five) of a column's originals is a copy of it: a leak;
- a fake may equal another person's name by chance: in faked columns hits are `leak.chance` unless they are more than half of the
  originals (a twentieth for kinds that hardly coincide, such as IBANs): then nothing was faked;
- digit strings: up to E + 4 sqrt(E) hits where chance alone gives E = cells with a number x the sum of 10^-length (Poisson).

What this does not find: values that were rewritten beyond these forms (initials, translations, typing errors, other alphabets).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from tamis.core.actions import Fake, Keep, Pseudonymize
from tamis.core.plan import ColumnPlan, Plan
from tamis.core.record import Measure
from tamis.core.types import DataType, Role, Table
from tamis.verify.frames import logical_type, picked
from tamis.verify.grams import BATCH_ROWS, Hashes, cell_forms, distinct
from tamis.verify.needles import Needles, Sieve, Source, find_needles, measure_sources

_COPY_SHARE, _COPY_LEAST = 0.1, 5
_FAKE_BOUND = {
    "person_name": 0.5, "first_name": 1.0, "last_name": 1.0, "city": 1.0, "company": 0.5, "job": 1.0, "postcode": 1.0,
    "street_address": 0.5, "address": 0.5, "username": 0.5,
}  # fmt: skip
"""share of a column's originals that may occur among fakes of a kind; 1: small lists, where all may; others 0.05"""
_PSEUDONYM = "^[a-z2-7]{26}$"
_HELD = 16_000_000
"""hashes of released forms that are held; beyond that the columns are read again"""

_Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Cells:
    """One released column that may hold originals."""

    frame: pl.LazyFrame
    """`c0`, without nulls"""
    held: Hashes | None
    """the forms of its cells, where they are few"""
    numbers: int
    """distinct cells that hold a number of seven digits or more"""


def scan_leaks(before: Mapping[str, Table], after: Mapping[str, pl.LazyFrame], plan: Plan) -> tuple[Measure, ...]:
    """`leak.cells@table.column` for each released column that may hold text, and the totals `leak.cells`, `.chance`, `.short`.

    `of` counts the distinct originals that are looked for.
    """
    sources = measure_sources(before, plan)
    sieve = Sieve()
    places = {
        (table, column.name): _collect(after[table], column, sources, sieve)
        for table, column in plan.walk()
        if table in after and column.name in after[table].collect_schema().names() and _may_hold_text(after[table], column)
    }
    needles = find_needles(before, sources, sieve)
    found = {place: (_search(cells, place, needles, sources), cells.numbers) for place, cells in places.items()}
    allowed = _allowed({place: hits for place, (hits, _) in found.items()}, plan, needles)
    searched = sum(source.distinct for source in sources)
    short = sum(source.short for source in sources)
    measures, leaks, chance = [], [pl.Series(dtype=pl.UInt64)], [pl.Series(dtype=pl.UInt64)]
    for (table, name), (hits, numbers) in found.items():
        bad, lucky = _judge(hits, plan.table(table).column(name), needles, allowed, numbers)
        leaks.append(bad)
        chance.append(lucky)
        measures.append(Measure(name=f"leak.cells@{table}.{name}", value=bad.n_unique(), of=searched))
    totals = [
        Measure(name="leak.cells", value=pl.concat(leaks).n_unique(), of=searched),
        Measure(name="leak.chance", value=pl.concat(chance).n_unique(), of=searched, internal=True),
        Measure(name="leak.short", value=short, of=searched + short, internal=True),
    ]
    return (*totals, *measures)


# ----------------------------------------------------------------------------------------------------------------------- haystack


def _may_hold_text(frame: pl.LazyFrame, column: ColumnPlan) -> bool:
    return logical_type(frame.collect_schema()[column.name]) in (DataType.TEXT, DataType.INTEGER)


def _collect(frame: pl.LazyFrame, column: ColumnPlan, sources: tuple[Source, ...], sieve: Sieve) -> _Cells:
    """Put the forms of a column's cells into the sieve."""
    cells = picked(frame, [column.name]).drop_nulls()
    tokens = isinstance(column.action, Pseudonymize) and not any(source.like_tokens for source in sources)
    if tokens:
        cells = cells.filter(~pl.col("c0").cast(pl.String).str.contains(_PSEUDONYM))
    held: list[Hashes] | None = [np.empty(0, dtype=np.uint64)]
    numbers = 0
    if any(source.distinct for source in sources):
        for part in _parts(cells, few=not tokens and _are_few(cells)):
            forms = cell_forms(part)
            sieve.add(forms)
            numbers += forms.numbers
            if held is not None:
                held.append(forms.hashes)
                held = held if sieve.size <= _HELD else None
    return _Cells(cells, None if held is None else distinct(np.concatenate(held)), numbers)


def _are_few(cells: pl.LazyFrame) -> bool:
    """Whether the distinct values are worth collecting before anything else."""
    return int(cells.select(pl.col("c0").approx_n_unique()).collect(engine="streaming").item() or 0) <= 4 * BATCH_ROWS


def _parts(cells: pl.LazyFrame, *, few: bool) -> Iterator[pl.Series]:
    """The cells as text in batches; the distinct ones where they are few."""
    text = pl.col("c0").cast(pl.String)
    if few:
        values = cells.unique().collect(engine="streaming").select(text).to_series()
        yield from (values.slice(start, BATCH_ROWS) for start in range(0, len(values), BATCH_ROWS))
        return
    for batch in cells.collect_batches(chunk_size=BATCH_ROWS, maintain_order=False, engine="streaming"):
        yield batch.select(text).to_series()


def _search(cells: _Cells, place: _Place, needles: Needles, sources: tuple[Source, ...]) -> pl.DataFrame:
    """Needles found in one released column (h, source, digits). A redacted column is not searched for its own cells."""
    own = [source.index for source in sources if source.whole_only and (source.table, source.column.name) == place]
    wanted = needles.forms.filter(~pl.col("source").is_in(own)) if own else needles.forms
    if not wanted.height:
        return wanted
    if cells.held is not None:
        return wanted.join(pl.DataFrame({"h": pl.Series(cells.held, dtype=pl.UInt64)}), on="h", how="semi")
    sought = distinct(wanted["h"].to_numpy())
    found = np.zeros(len(sought), dtype=np.bool_)
    for part in _parts(cells.frame, few=False):
        hashes = cell_forms(part).hashes
        at = np.minimum(np.searchsorted(sought, hashes), len(sought) - 1)
        found[at[sought[at] == hashes]] = True
    return wanted.join(pl.DataFrame({"h": pl.Series(sought[found], dtype=pl.UInt64)}), on="h", how="semi")


# ------------------------------------------------------------------------------------------------------------------------ judging


def _allowed(found: Mapping[tuple[str, str], pl.DataFrame], plan: Plan, needles: Needles) -> pl.Series:
    """Originals that occur in columns a person decided to keep, copies of a masked column excepted."""
    kept = [pl.Series("h", dtype=pl.UInt64)]
    for (table, name), hits in found.items():
        column = plan.table(table).column(name)
        if isinstance(column.action, Keep):
            kept.append(hits["h"] if column.role is Role.DIRECT else hits.filter(~_copied(hits, needles))["h"])
    return pl.concat(kept).unique()


def _copied(hits: pl.DataFrame, needles: Needles) -> pl.Expr:
    counts = hits.group_by("source").agg(pl.col("h").n_unique()).rows()
    copied = [source for source, n in counts if n >= _COPY_LEAST and n > _COPY_SHARE * needles.distinct.get(source, 0)]
    return pl.col("source").is_in(copied)


def _judge(hits: pl.DataFrame, column: ColumnPlan, needles: Needles, allowed: pl.Series, numbers: int) -> tuple[pl.Series, pl.Series]:
    """(leaked, explained by chance or decision) hashes of one released column."""
    if not hits.height:
        return hits["h"], hits["h"]
    bad = hits.filter(~pl.col("h").is_in(allowed.implode()))
    if isinstance(column.action, Keep):
        bad = bad.filter(_copied(hits, needles))
    elif isinstance(column.action, Fake):
        bound = _FAKE_BOUND.get(column.action.kind, 0.05)
        counts = bad.group_by("source").agg(pl.col("h").n_unique()).rows()
        unfaked = [source for source, n in counts if n > max(1.0, bound * needles.distinct.get(source, 0))]
        bad = bad.filter(pl.col("source").is_in(unfaked))
    if bad.height:
        bad = bad.filter(~_lucky_digits(bad, needles, numbers))
    leaked = bad["h"].unique()
    return leaked, hits.filter(~pl.col("h").is_in(leaked.implode()))["h"].unique()


def _lucky_digits(bad: pl.DataFrame, needles: Needles, numbers: int) -> pl.Expr:
    """Digit strings when there are no more of them than unrelated numbers would give."""
    observed = bad.filter(pl.col("digits") > 0)["h"].n_unique()
    expected = numbers * needles.chance_of_digits() if observed else 0.0
    return (pl.col("digits") > 0) & pl.lit(observed <= expected + 4 * math.sqrt(expected))

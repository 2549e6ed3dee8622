"""Leak scan: do identifying originals of masked columns occur anywhere in the written files?

What is searched (decision 15): every distinct value of every directly identifying column whose originals must not leave, in four
forms: all its words; its first words when it has many; its digits when it has at least seven (with and without the country code);
the local part of an e-mail address. Words are maximal runs of letters and digits, in lower case, NFC.

Where: every released text and integer column of every table; whole cells, and all runs of up to four words in them, and every
number written with separators. Forms are compared by 64-bit xxHash: two different texts among 10^7 originals and 10^9 places are
taken for equal with probability 6e-4; hashes are in memory only.

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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from tamis.core.actions import Fake, Keep, Redact, SuppressRare, TopBottomCode
from tamis.core.plan import ColumnPlan, Plan
from tamis.core.record import Measure
from tamis.core.types import DataType, Role, Table
from tamis.recode import canonical_column
from tamis.verify.frames import logical_type, picked
from tamis.verify.grams import BATCH_ROWS, MAX_WORDS, MIN_DIGITS, NUMBER, Hashes, cell_hashes, counts, runs, whole, words, xxhash

BITS = 20.0
_COPY_SHARE, _COPY_LEAST = 0.1, 5
_FAKE_BOUND = {
    "person_name": 0.5, "first_name": 1.0, "last_name": 1.0, "city": 1.0, "company": 0.5, "job": 1.0, "postcode": 1.0,
    "street_address": 0.5, "address": 0.5, "username": 0.5,
}  # fmt: skip
"""share of a column's originals that may occur among fakes of a kind; 1: small lists, where all may; others 0.05"""
_DENSE = 1 / 64


@dataclass(frozen=True, slots=True)
class _Source:
    """A masked column whose originals are searched for."""

    index: int
    table: str
    column: str
    whole_only: bool
    """free text: only the cell as a whole is an original"""


@dataclass(frozen=True, slots=True)
class _Needles:
    forms: pl.DataFrame
    """h (UInt64), source (UInt16), digits (length of a digit string, else 0)"""
    hashes: Hashes
    """all h, sorted and distinct"""
    distinct: Mapping[int, int]
    short: int


def scan_leaks(before: Mapping[str, Table], after: Mapping[str, pl.LazyFrame], plan: Plan) -> tuple[Measure, ...]:
    """`leak.cells@table.column` for each released column that may hold text, and the totals `leak.cells`, `.chance`, `.short`."""
    needles, sources = _collect_needles(before, plan)
    found = {
        (table, column.name): _search(after[table], column, needles, sources, table)
        for table, column in plan.walk()
        if table in after and column.name in after[table].collect_schema().names() and _may_hold_text(after[table], column)
    }
    allowed = _allowed({place: hits for place, (hits, _) in found.items()}, plan, needles)
    measures, leaks, chance = [], [pl.Series(dtype=pl.UInt64)], [pl.Series(dtype=pl.UInt64)]
    for (table, name), (hits, numbers) in found.items():
        bad, lucky = _judge(hits, plan.table(table).column(name), needles, allowed, numbers)
        leaks.append(bad)
        chance.append(lucky)
        measures.append(Measure(name=f"leak.cells@{table}.{name}", value=bad.n_unique(), of=len(needles.hashes)))
    searched = sum(needles.distinct.values())
    totals = [
        Measure(name="leak.cells", value=pl.concat(leaks).n_unique(), of=searched),
        Measure(name="leak.chance", value=pl.concat(chance).n_unique(), of=searched, internal=True),
        Measure(name="leak.short", value=needles.short, of=searched + needles.short, internal=True),
    ]
    return (*totals, *measures)


# ------------------------------------------------------------------------------------------------------------------------ needles


def _collect_needles(before: Mapping[str, Table], plan: Plan) -> tuple[_Needles, tuple[_Source, ...]]:
    sources: list[_Source] = []
    frames, distinct, short = [_no_forms()], {}, 0
    for table, column in plan.walk():
        if table not in before or not _must_not_leave(column):
            continue
        source = _Source(len(sources), table, column.name, isinstance(column.action, Redact))
        forms, known, rest = _needles_of(before[table], column, source)
        sources.append(source)
        frames.append(forms)
        distinct[source.index] = known
        short += rest
    forms = pl.concat(frames)
    return _Needles(forms, forms["h"].unique().sort().to_numpy(), distinct, short), tuple(sources)


def _no_forms() -> pl.DataFrame:
    return pl.DataFrame(schema={"h": pl.UInt64, "source": pl.UInt16, "digits": pl.UInt8})


def _must_not_leave(column: ColumnPlan) -> bool:
    """Direct columns whose action hides every original."""
    return column.role is Role.DIRECT and type(column.action).masking and not isinstance(column.action, SuppressRare | TopBottomCode)


def _needles_of(table: Table, column: ColumnPlan, source: _Source) -> tuple[pl.DataFrame, int, int]:
    """(forms, distinctive originals, other originals) of one column."""
    kind = table.type_of(column.name)
    if kind in (DataType.BINARY, DataType.EMPTY, DataType.BOOLEAN):
        return _no_forms(), 0, 0
    value = canonical_column(column.name, kind).alias("v")
    values = table.frame.select(value).drop_nulls().group_by("v").agg(n=pl.len().cast(pl.Int64)).collect(engine="streaming")
    if kind in (DataType.INTEGER, DataType.TEXT) and _is_dense(values.lazy(), kind):
        return _no_forms(), 0, values.height
    rare = values.filter(pl.col("n") <= max(20.0, 0.01 * table.rows)).to_series()
    forms, good = [_no_forms()], 0
    for start in range(0, len(rare), BATCH_ROWS):
        made, distinctive = _forms(rare.slice(start, BATCH_ROWS), source)
        forms.append(made)
        good += distinctive
    return pl.concat(forms), good, values.height - good


def _forms(originals: pl.Series, source: _Source) -> tuple[pl.DataFrame, int]:
    """(forms, distinctive originals) of a batch of originals."""
    batch = pl.DataFrame({"v": originals}).with_columns(w=words(pl.col("v")))
    batch = batch.filter(pl.Series(_bits(batch["w"]) >= BITS))
    texts = batch["w"]
    made = [_of_texts(texts, source, all_words_only=source.whole_only)]
    if not source.whole_only:
        local = batch.select(words(pl.col("v").str.extract(r"^([^@\s]+)@[^@\s]+$"))).to_series().drop_nulls()
        made.append(_of_texts(local.filter(pl.Series(_bits(local) >= BITS)), source, all_words_only=True))
        found = counts(texts)
        numeric = batch.filter(pl.Series((found.digits >= MIN_DIGITS) & (found.letters <= 4)))["w"].str.replace_all("[^0-9]", "")
        for digits in (numeric, numeric.filter(numeric.str.len_bytes() > 10).str.tail(10)):
            digits = digits.filter(pl.Series(_bits(digits) >= BITS))  # noqa: PLW2901  # the same digits, without the short ones
            made.append(_hashed(xxhash(digits), digits.str.len_bytes(), source))
    return pl.concat(made), batch.height


def _of_texts(texts: pl.Series, source: _Source, *, all_words_only: bool) -> pl.DataFrame:
    """Hashes of normalized texts: all words of short ones; long ones as a whole, and their first words."""
    made = []
    for run in runs(texts):
        every = (run.place == 0) & (run.of == run.size)
        begun = (run.place == 0) & (run.of > run.size) & (run.size == MAX_WORDS) & (not all_words_only)
        chosen = texts.gather(run.row[every | begun])
        begins = pl.Series(begun[every | begun])
        # What long texts begin with must itself be distinctive: 'the', 'dr' and 'a b c d' are not.
        head = chosen.str.extract(rf"^((?:[^ ]+ ){{{run.size - 1}}}[^ ]+)") if run.size > 1 else chosen
        enough = pl.Series(_bits(head) >= BITS) | ~begins
        only_digits = pl.select(pl.when(chosen.str.contains("^[0-9]+$")).then(chosen.str.len_bytes()).otherwise(0)).to_series()
        made.append(_hashed(run.hashes[every | begun], only_digits, source).filter(enough))
    long = texts.filter(texts.str.count_matches(" ", literal=True) >= MAX_WORDS)
    return pl.concat([_no_forms(), *made, _hashed(whole(long), pl.Series([0] * len(long), dtype=pl.UInt32), source)])


def _hashed(hashes: Hashes, digits: pl.Series, source: _Source) -> pl.DataFrame:
    return pl.DataFrame({"h": pl.Series(hashes, dtype=pl.UInt64), "digits": digits.clip(0, 255).cast(pl.UInt8)}).select(
        "h", pl.lit(source.index, dtype=pl.UInt16).alias("source"), "digits"
    )


def _bits(texts: pl.Series) -> np.ndarray:
    """Estimated information of normalized texts (see the top)."""
    found = counts(texts)
    bits = found.digits * math.log2(10) + (found.letters - found.wide) * 3.0 + found.wide * 7.0
    one_character = texts.str.strip_chars(texts.str.head(1)).str.len_bytes().to_numpy() == 0
    return np.where(one_character, 0.0, bits)


def _is_dense(values: pl.LazyFrame, kind: DataType) -> bool:
    """Whether a column of digit strings fills its range: serial numbers, of which any other column has some by chance."""
    number = pl.col("v").cast(pl.Int64, strict=False)
    figures = values.select(
        pl.len().alias("all"), number.count().alias("n"), number.min().alias("low"), number.max().alias("high")
    ).collect(engine="streaming")
    total, n, low, high = figures.row(0)
    if not n or n < total or (kind is DataType.TEXT and n < 2):
        return False
    return bool(n / (high - low + 1) > _DENSE) if n > 1 else False


# ----------------------------------------------------------------------------------------------------------------------- haystack


def _may_hold_text(frame: pl.LazyFrame, column: ColumnPlan) -> bool:
    return logical_type(frame.collect_schema()[column.name]) in (DataType.TEXT, DataType.INTEGER)


def _search(frame: pl.LazyFrame, column: ColumnPlan, needles: _Needles, sources: Iterable[_Source], table: str) -> tuple[pl.DataFrame, int]:
    """Needles found in one released column (h, source, digits), and its distinct cells that hold a number of seven digits or more.

    A redacted column is not searched for its own cells.
    """
    own = [s.index for s in sources if s.whole_only and (s.table, s.column) == (table, column.name)]
    wanted = needles.forms.filter(~pl.col("source").is_in(own)) if own else needles.forms
    if not wanted.height:
        return wanted, 0
    sought = needles.hashes
    cells = picked(frame, [column.name]).select(pl.col("c0").cast(pl.String))
    size = cells.select(pl.len().alias("n"), pl.col("c0").approx_n_unique().alias("distinct")).collect(engine="streaming")
    if size["distinct"].item() <= 4 * BATCH_ROWS:
        parts: Iterable[pl.Series] = [cells.unique().collect(engine="streaming").to_series()]
    else:
        starts = range(0, size["n"].item(), BATCH_ROWS)
        parts = (cells.slice(start, BATCH_ROWS).collect(engine="streaming").to_series() for start in starts)
    found, numbers = [pl.Series("h", dtype=pl.UInt64)], 0
    for part in parts:
        for start in range(0, len(part), BATCH_ROWS):
            some = part.slice(start, BATCH_ROWS)
            numbers += int(some.str.contains(NUMBER).sum())
            hashes = cell_hashes(some)
            # Both are sorted: the look-ups walk through memory in order.
            at = np.searchsorted(sought, hashes)
            hit = sought[np.minimum(at, len(sought) - 1)] == hashes
            found.append(pl.Series("h", hashes[hit], dtype=pl.UInt64))
    return wanted.join(pl.concat(found).unique().to_frame(), on="h", how="semi"), numbers


# ------------------------------------------------------------------------------------------------------------------------ judging


def _allowed(found: Mapping[tuple[str, str], pl.DataFrame], plan: Plan, needles: _Needles) -> pl.Series:
    """Originals that occur in columns a person decided to keep, copies of a masked column excepted."""
    kept = [pl.Series("h", dtype=pl.UInt64)]
    for (table, name), hits in found.items():
        column = plan.table(table).column(name)
        if isinstance(column.action, Keep):
            kept.append(hits["h"] if column.role is Role.DIRECT else hits.filter(~_copied(hits, needles))["h"])
    return pl.concat(kept).unique()


def _copied(hits: pl.DataFrame, needles: _Needles) -> pl.Expr:
    counts = hits.group_by("source").agg(pl.col("h").n_unique()).rows()
    copied = [source for source, n in counts if n >= _COPY_LEAST and n > _COPY_SHARE * needles.distinct.get(source, 0)]
    return pl.col("source").is_in(copied)


def _judge(hits: pl.DataFrame, column: ColumnPlan, needles: _Needles, allowed: pl.Series, numbers: int) -> tuple[pl.Series, pl.Series]:
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


def _lucky_digits(bad: pl.DataFrame, needles: _Needles, numbers: int) -> pl.Expr:
    """Digit strings when there are no more of them than unrelated numbers would give."""
    strings = needles.forms.filter(pl.col("digits") > 0).group_by("digits").len().rows()
    expected = numbers * sum(n * 10.0**-length for length, n in sorted(strings))
    observed = bad.filter(pl.col("digits") > 0)["h"].n_unique()
    return (pl.col("digits") > 0) & pl.lit(observed <= expected + 4 * math.sqrt(expected))

"""The originals that the leak scan looks for: which they are, and those whose forms occur in the release.

Originals are never held: a first pass counts them by 64-bit hashes, a second one compares the forms of each with a sieve of the
released forms. What falls through is no more than what is there and a few by chance (a sieve of 2^28 places, n / 2^28 of them taken);
the caller compares those exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import polars_hash  # noqa: F401  # registers the `nchash` namespace

from tamis.core.actions import Redact, SuppressRare, TopBottomCode
from tamis.core.plan import ColumnPlan, Plan
from tamis.core.types import DataType, Role, Table
from tamis.recode import canonical_column, exact_column
from tamis.verify.grams import (
    BATCH_ROWS,
    BITS,
    MAX_WORDS,
    MIN_DIGITS,
    CellForms,
    Hashes,
    bits,
    counts,
    is_distinctive,
    runs,
    whole,
    words,
    xxhash,
)

_DENSE = 1 / 64
_PLACES = 28
_MAX_KEYWORDS = 1_000
_LIKE_PSEUDONYM = "(?i)[a-z2-7]{26}"
_SEVEN_DIGITS, _FIVE_LETTERS = r"(?:[0-9][^0-9]*){7}", r"(?:[A-Za-z][^A-Za-z]*){5}"


@dataclass(frozen=True, slots=True)
class Source:
    """A masked column whose originals are searched for."""

    index: int
    table: str
    column: ColumnPlan
    kind: DataType
    whole_only: bool
    """free text: only the cell as a whole is an original"""
    distinct: int
    """distinctive originals"""
    short: int
    """other originals: too short, or too common"""
    common: pl.Series = field(repr=False)
    """hashes of values that many rows share"""
    like_tokens: bool
    """whether an original may look like a pseudonym"""


class Sieve:
    """The forms of all released cells: a hash that is not in it is nowhere in the release."""

    def __init__(self) -> None:
        self._seen = np.zeros(1 << _PLACES, dtype=np.bool_)  # pages that are never written take no memory
        self.size = 0
        self.keywords: set[str] | None = set()
        """words of which every original in the release has one; None: too many to be of use"""
        self.numbers = False

    def add(self, forms: CellForms) -> None:
        """Add the forms of a batch of cells."""
        self._seen[forms.hashes >> np.uint64(64 - _PLACES)] = True
        self.size += len(forms.hashes)
        self.numbers |= forms.numbers > 0
        if self.keywords is not None:
            few = len(forms.keywords) <= _MAX_KEYWORDS
            known = self.keywords | set(forms.keywords.to_list()) if few else None
            self.keywords = known if known is not None and len(known) <= _MAX_KEYWORDS else None

    def holds(self, hashes: Hashes) -> np.ndarray:
        """Whether each hash may be that of a released form."""
        found: np.ndarray = self._seen[hashes >> np.uint64(64 - _PLACES)]
        return found


@dataclass(frozen=True, slots=True)
class Needles:
    """Forms of originals that may be in the release."""

    forms: pl.DataFrame
    """h (UInt64), source (UInt16), digits (length of a digit string, else 0); distinct"""
    distinct: Mapping[int, int]
    """distinctive originals by source"""
    chance_of_digits: Callable[[], float]
    """probability that an unrelated number equals one of the digit strings among *all* originals (reads them again)"""


def measure_sources(before: Mapping[str, Table], plan: Plan) -> tuple[Source, ...]:
    """The columns whose originals must not leave, and how many they have."""
    sources: list[Source] = []
    for table, column in plan.walk():
        if table in before and _must_not_leave(column):
            sources.append(_measured(before[table], column, len(sources)))
    return tuple(sources)


def find_needles(before: Mapping[str, Table], sources: tuple[Source, ...], sieve: Sieve) -> Needles:
    """The forms of distinctive originals that the sieve holds."""
    frames = [_no_forms()]
    if sieve.size:
        for source in sources:
            for originals in _originals(before[source.table], source, _prefilter(sieve)):
                forms = _forms(_with_keywords(originals, sieve), source)
                frames.append(forms.filter(pl.Series(sieve.holds(forms["h"].to_numpy()), dtype=pl.Boolean)))
    forms = pl.concat(frames).unique()
    return Needles(forms, {source.index: source.distinct for source in sources}, lambda: _chance_of_digits(before, sources))


def _must_not_leave(column: ColumnPlan) -> bool:
    """Direct columns whose action hides every original."""
    return column.role is Role.DIRECT and type(column.action).masking and not isinstance(column.action, SuppressRare | TopBottomCode)


def _hash(value: pl.Expr) -> pl.Expr:
    """62 bits of a text; the last two are free."""
    hashed: pl.Expr = value.nchash.xxhash64()  # type: ignore[attr-defined]
    return hashed - hashed % 4


def _measured(table: Table, column: ColumnPlan, index: int) -> Source:
    """Count a column's originals; a column of serial numbers has none that is distinctive."""
    kind = table.type_of(column.name)

    def source(distinctive: int, short: int, common: Hashes, *, like_tokens: bool) -> Source:
        whole_only = isinstance(column.action, Redact)
        shared = pl.Series(common, dtype=pl.UInt64)
        return Source(index, table.name, column, kind, whole_only, distinctive, short, shared, like_tokens)

    nothing = np.empty(0, dtype=np.uint64)
    if kind in (DataType.BINARY, DataType.EMPTY, DataType.BOOLEAN):
        return source(0, 0, nothing, like_tokens=False)
    values = table.frame.select(canonical_column(column.name, kind).alias("v")).drop_nulls()
    marked = pl.col("v").map_batches(_marks, return_dtype=pl.UInt64, is_elementwise=True)
    keys = np.sort(values.select(_hash(pl.col("v")) + marked).collect(engine="streaming").to_series().to_numpy())
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))) if len(keys) else np.empty(0, dtype=np.int64)
    times, keys = np.diff(starts, append=len(keys)), keys[starts]
    like_tokens = bool((keys & _LOOKS).any())
    if kind in (DataType.INTEGER, DataType.TEXT) and _is_dense(values, len(keys)):
        return source(0, len(keys), nothing, like_tokens=like_tokens)
    common = times > max(20.0, 0.01 * table.rows)
    distinctive = int(((keys & _ENOUGH) > 0)[~common].sum())
    return source(distinctive, len(keys) - distinctive, keys[common] & ~(_ENOUGH | _LOOKS), like_tokens=like_tokens)


_ENOUGH, _LOOKS = np.uint64(1), np.uint64(2)


def _marks(texts: pl.Series) -> pl.Series:
    """Two bits per original: whether it is distinctive, and whether it may look like a pseudonym."""
    return is_distinctive(texts).cast(pl.UInt64) + texts.alias("v").str.contains(_LIKE_PSEUDONYM).cast(pl.UInt64) * 2


def _is_dense(values: pl.LazyFrame, distinct: int) -> bool:
    """Whether a column of digit strings fills its range: serial numbers, of which any other column has some by chance."""
    number = pl.col("v").cast(pl.Int64, strict=False)
    for some in (values.head(1_000), values):  # a glance tells most columns that hold anything else
        figures = some.select(pl.len(), number.count().alias("n"), number.min().alias("low"), number.max().alias("high"))
        rows, n, low, high = figures.collect(engine="streaming").row(0)
        if n < rows or not rows:
            return False
    return distinct > 1 and distinct / (high - low + 1) > _DENSE


def _prefilter(sieve: Sieve) -> pl.Expr | None:
    """Raw originals `v` that may have a form in the release; None: all.

    Other alphabets pass: their lower case may be one of the letters looked for.
    """
    if sieve.keywords is None:
        return None
    value = pl.col("v")
    may = value.str.len_bytes() != value.str.len_chars()
    if sieve.keywords:
        may = may | value.str.contains_any(sorted(sieve.keywords), ascii_case_insensitive=True)
    return may | (value.str.contains(_SEVEN_DIGITS) & ~value.str.contains(_FIVE_LETTERS)) if sieve.numbers else may


def _with_keywords(originals: pl.Series, sieve: Sieve) -> pl.Series:
    """The same question as `_prefilter` of originals in canonical form, now for every alphabet."""
    if sieve.keywords is None:
        return originals
    texts = originals.alias("v")
    may = texts.str.to_lowercase().str.contains_any(sorted(sieve.keywords)) if sieve.keywords else pl.repeat(False, len(texts), eager=True)
    return texts.filter(may | texts.str.contains(_SEVEN_DIGITS)) if sieve.numbers else texts.filter(may)


def _originals(table: Table, source: Source, wanted: pl.Expr | None) -> Iterator[pl.Series]:
    """The column's originals in batches, without those that many rows share; repeated ones may come again."""
    if not source.distinct:
        return
    values = table.frame.select(_raw(source).alias("v")).drop_nulls()
    if wanted is not None:
        values = values.filter(wanted)  # before the rest: hardly any is left
    if source.kind is DataType.TEXT:
        values = values.select(canonical_column("v", DataType.TEXT))
    if len(source.common):
        values = values.filter(~_hash(pl.col("v")).is_in(source.common.implode()))
    for batch in values.collect_batches(chunk_size=BATCH_ROWS, maintain_order=False, engine="streaming"):
        yield batch.to_series().unique()


def _raw(source: Source) -> pl.Expr:
    """Text as it is (its canonical form has the same letters and digits), everything else in its canonical form."""
    if source.kind is DataType.TEXT:
        return exact_column(source.column.name).cast(pl.String)
    return canonical_column(source.column.name, source.kind)


def _chance_of_digits(before: Mapping[str, Table], sources: tuple[Source, ...]) -> float:
    """Sum of 10^-length over the distinct digit strings of all originals."""
    numeric = pl.col("v").str.contains(_SEVEN_DIGITS) & ~pl.col("v").str.contains(_FIVE_LETTERS)
    frames = [_no_forms()]
    for source in sources:
        parts = _originals(before[source.table], source, numeric)
        frames += [_forms(originals, source).filter(pl.col("digits") > 0) for originals in parts]
    lengths = pl.concat(frames).unique().group_by("digits").len().rows()
    return float(sum(n * 10.0**-length for length, n in sorted(lengths)))


# -------------------------------------------------------------------------------------------------------------------------- forms


def _no_forms() -> pl.DataFrame:
    return pl.DataFrame(schema={"h": pl.UInt64, "source": pl.UInt16, "digits": pl.UInt8})


def _forms(originals: pl.Series, source: Source) -> pl.DataFrame:
    """Forms of the distinctive ones of a batch of originals."""
    batch = pl.DataFrame({"v": originals}).with_columns(w=words(pl.col("v")))
    batch = batch.filter(pl.Series(bits(batch["w"]) >= BITS, dtype=pl.Boolean))
    texts = batch["w"]
    made = [_of_texts(texts, source, all_words_only=source.whole_only)]
    if not source.whole_only:
        local = batch.select(words(pl.col("v").str.extract(r"^([^@\s]+)@[^@\s]+$"))).to_series().drop_nulls()
        made.append(_of_texts(local.filter(pl.Series(bits(local) >= BITS, dtype=pl.Boolean)), source, all_words_only=True))
        found = counts(texts)
        few_letters = pl.Series((found.digits >= MIN_DIGITS) & (found.letters <= 4), dtype=pl.Boolean)
        numeric = batch.filter(few_letters)["w"].str.replace_all("[^0-9]", "")
        for digits in (numeric, numeric.filter(numeric.str.len_bytes() > 10).str.tail(10)):
            digits = digits.filter(pl.Series(bits(digits) >= BITS, dtype=pl.Boolean))  # noqa: PLW2901  # the same digits, without the short ones
            made.append(_hashed(xxhash(digits), digits.str.len_bytes(), source))
    return pl.concat(made)


def _of_texts(texts: pl.Series, source: Source, *, all_words_only: bool) -> pl.DataFrame:
    """Hashes of normalized texts: all words of short ones; long ones as a whole, and their first words."""
    made = []
    for run in runs(texts):
        every = (run.place == 0) & (run.of == run.size)
        begun = (run.place == 0) & (run.of > run.size) & (run.size == MAX_WORDS) & (not all_words_only)
        chosen = texts.gather(run.row[every | begun])
        begins = pl.Series(begun[every | begun], dtype=pl.Boolean)
        # What long texts begin with must itself be distinctive: 'the', 'dr' and 'a b c d' are not.
        head = chosen.str.extract(rf"^((?:[^ ]+ ){{{run.size - 1}}}[^ ]+)") if run.size > 1 else chosen
        enough = pl.Series(bits(head) >= BITS, dtype=pl.Boolean) | ~begins
        only_digits = pl.select(pl.when(chosen.str.contains("^[0-9]+$")).then(chosen.str.len_bytes()).otherwise(0)).to_series()
        made.append(_hashed(run.hashes[every | begun], only_digits, source).filter(enough))
    long = texts.filter(texts.str.count_matches(" ", literal=True) >= MAX_WORDS)
    return pl.concat([_no_forms(), *made, _hashed(whole(long), pl.Series([0] * len(long), dtype=pl.UInt32), source)])


def _hashed(hashes: Hashes, digits: pl.Series, source: Source) -> pl.DataFrame:
    return pl.DataFrame({"h": pl.Series(hashes, dtype=pl.UInt64), "digits": digits.clip(0, 255).cast(pl.UInt8)}).select(
        "h", pl.lit(source.index, dtype=pl.UInt16).alias("source"), "digits"
    )

"""Every value is looked at: one streaming pass over whole columns, Presidio only where a value could hold something.

A row passes a test of kinds (digits, letters, ...), then the prefilter of each recognizer, all in polars. What is left is gathered as
distinct values with the place of their rows. A recognizer with at most 20 000 distinct candidates in a column judges them all: the result
equals Presidio's on every value. With more, a sample of candidates chosen by a stable hash settles what the column is, rows are counted by
the written form (and check digits of cards), and the result says so.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl
import polars.selectors as cs
import polars_hash  # noqa: F401  # registers the `nchash` namespace

from tamis.core.types import DataType, Table
from tamis.detect.kinds import Kinds, KindsOf, is_plain, needs
from tamis.detect.prefilter import union
from tamis.detect.text import ODD, PLAIN, Searcher, recognizers

LIMIT = 20_000
"""distinct candidates of one recognizer in one column that are all judged (decision 17)"""
FEW = 2_000
"""the same for numbers with check digits when only telling findings are asked for: one in ten passes by accident anyway"""
SAMPLE = 200
GROUP_ROWS = 100_000
"""rows of a range where the format has no row groups"""
_MAX_BYTES = 64_000_000
"""of the distinct candidates of one recognizer in one column; more than this counts as more than the limit"""
_BATCH_ROWS = 131_072
_CARD = "CreditCardRecognizer"
_LEAST_CARD = 10**12

LONG_NUMBER = r"(?:[\p{Nd}\x{11000}-\x{12000}][-+:.\s]?){9}"
LONG_NUMBERS = frozenset(
    {
        _CARD, "UsSsnRecognizer", "UsItinRecognizer", "NhsRecognizer", "DeTaxIdRecognizer", "PlPeselRecognizer", "SePersonnummerRecognizer",
        "AuMedicareRecognizer", "KrRrnRecognizer", "ThTninRecognizer", "TrNationalIdRecognizer", "InAadhaarRecognizer",
        "ZaIdNumberRecognizer",
    }
)  # fmt: skip
"""recognizers of the named list that find nothing without nine digits, at most a sign or a blank between two of them"""
GLUED = r"[\p{Nd}\x{11000}-\x{12000}]-?[a-zA-Z\x{130}\x{17F}\x{212A}]|[a-zA-Z\x{130}\x{17F}\x{212A}][\p{Nd}\x{11000}-\x{12000}]"
GLUED_CODES = frozenset(
    {
        "IbanRecognizer", "EsNifRecognizer", "EsNieRecognizer", "DeSocialSecurityRecognizer", "InPanRecognizer", "SgFinRecognizer",
        "UsMbiRecognizer",
    }
)  # fmt: skip
"""recognizers of the named list that find nothing where no letter stands beside a digit"""
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_B = r"(?-u:\b)"
FORMS: Mapping[str, str] = {
    _CARD: rf"{_B}(?:[3-6][0-9]{{3}}(?:[ -]?[0-9]{{4}}){{2}}[ -]?[0-9]{{1,7}}|3[47][0-9]{{2}}[ -]?[0-9]{{6}}[ -]?[0-9]{{5}}){_B}",
    "UsSsnRecognizer": (rf"{_B}(?:00[1-9]|0[1-9][0-9]|[1-57-8][0-9]{{2}}|6[0-57-9][0-9]|66[0-57-9])-(?:0[1-9]|[1-9][0-9])-[0-9]{{4}}{_B}"),
    "PhoneRecognizer": (
        rf"\+[1-9][0-9 ()./-]{{7,16}}[0-9]{_B}|\(?{_B}[0-9]{{3}}\)?[ .-]{{1,2}}[0-9]{{3}}[ .-][0-9]{{4}}{_B}"
        r"|\(0[0-9]{1,5}\) ?[0-9][0-9 /-]{4,12}"
    ),
    "IpRecognizer": rf"{_B}(?:{_OCTET}\.){{3}}{_OCTET}{_B}|(?i)(?:[0-9a-f]{{1,4}}:){{4,7}}:?[0-9a-f]{{1,4}}|[0-9a-f]{{2,4}}::[0-9a-f]",
    "UsItinRecognizer": rf"{_B}9[0-9]{{2}}-[5-9][0-9]-[0-9]{{4}}{_B}",
    "InPanRecognizer": rf"{_B}[A-Z]{{3}}[ABCFGHJLPT][A-Z][0-9]{{4}}[A-Z]{_B}",
    "SgFinRecognizer": rf"{_B}[STFGM][0-9]{{7}}[A-Z]{_B}",
    "EmailRecognizer": r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,}",
    "IbanRecognizer": rf"{_B}[A-Z]{{2}}[0-9]{{2}}(?: ?[A-Z0-9]{{4}}){{2,7}}(?: ?[A-Z0-9]{{1,3}})?{_B}",
    "MacAddressRecognizer": rf"{_B}(?i)(?:[0-9a-f]{{2}}[:-]){{5}}[0-9a-f]{{2}}{_B}",
}
"""how people write it: what is counted where there are too many candidates, and what a hit in a single cell must look like"""


@dataclass(frozen=True)
class ScanHit:
    """What one recognizer found in one column. Counts only."""

    recognizer: str
    entity: str
    rows: int
    """cells with a hit; of a written form where not exact"""
    distinct: int | None
    """distinct values with a hit; None where not exact"""
    candidates: int
    """distinct values that were judged: all that passed the prefilter where exact, else a sample of them"""
    confirmed: int
    """of the candidates: those in which the recognizer found something"""
    exact: bool
    """True: equal to the recognizer run on every value. False: counted by written form and check digits, confirmed on a sample"""
    told_rows: int
    """cells whose hit is believed by itself (see `Searcher.alone`)"""
    told: int
    """distinct values of those; among the sample where not exact"""
    formed: int
    """distinct candidates in the written form, hit or not"""
    chance: float = 0.0
    """share of harmless candidates that pass the recognizer's check by accident; 0 and 1: that says nothing here"""
    alone: str = "yes"
    """see `Searcher.alone`"""
    locations: tuple[tuple[int, int], ...] = ()
    """row group (or range of 100 000 rows), cells in it with a believed hit"""


def scan_columns(
    table: Table, indices: Sequence[int], chosen: Sequence[Searcher] | None = None, *, limit: int = LIMIT, telling: bool = False
) -> dict[int, tuple[ScanHit, ...]]:
    """Look at every value of text columns (of integers: for card numbers) in one streaming pass; {column index: hits}.

    `telling`: only hits that are believed in a single cell matter; values that do not have the written form are then not judged, and
    numbers with check digits have a lower limit. Without it the hits with `exact` equal those of the recognizer run on every value.
    The result does not depend on the order of rows but for `locations`.
    """
    searchers = tuple(recognizers() if chosen is None else chosen)
    wanted = [i for i in dict.fromkeys(indices) if table.columns[i].type in (DataType.TEXT, DataType.INTEGER)]
    if not wanted or not searchers:
        return {}
    gathering = {i: _gatherings(table, i, searchers, limit, telling=telling) for i in wanted}
    offset, places = 0, _Places(table)
    frame = table.frame.select([_text_of(table, i) for i in wanted])
    for batch in frame.collect_batches(chunk_size=_BATCH_ROWS, maintain_order=True, engine="streaming"):
        groups = places.of(offset, batch.height)
        offset += batch.height
        for i in wanted:
            _gather(batch[f"c{i}"], groups, gathering[i])
    return {i: hits for i in wanted if (hits := tuple(hit for one in gathering[i] if (hit := one.judged()) is not None))}


def group_sizes(table: Table) -> tuple[int, ...]:
    """Rows of each row group of a Parquet table, over its files in order; () where the format has none."""
    sizes = table.source.row_groups
    return sizes if sum(sizes) == table.rows else ()


class _Places:
    """The row group of every row."""

    def __init__(self, table: Table) -> None:
        sizes = group_sizes(table)
        self._ends = pl.Series(sizes, dtype=pl.Int64).cum_sum() if sizes else None

    def of(self, offset: int, rows: int) -> pl.Series:
        """Numbers of the groups of some rows in a row."""
        row = pl.int_range(offset, offset + rows, dtype=pl.Int64, eager=True)
        if self._ends is None:
            return (row // GROUP_ROWS).cast(pl.UInt32).alias("g")
        return self._ends.search_sorted(row, side="right").cast(pl.UInt32).alias("g")


def _text_of(table: Table, index: int) -> pl.Expr:
    value = cs.by_index(index).as_expr()
    if table.columns[index].type == DataType.INTEGER:
        value = pl.when(value >= _LEAST_CARD).then(value.cast(pl.String))
    return value.alias(f"c{index}")


def _gatherings(table: Table, index: int, searchers: Sequence[Searcher], limit: int, *, telling: bool) -> list[_Gathering]:
    if table.columns[index].type == DataType.INTEGER:
        searchers = [s for s in searchers if s.name == _CARD]
    if telling:
        searchers = [s for s in searchers if s.alone != "no"]
    made = [_Gathering(s, min(limit, FEW) if telling and s.alone == "chance" else limit, telling) for s in searchers]
    # What is found by a word before it needs nothing but letters, which prose is full of: all such words in one go.
    labelled = [one for one in made if one.gate is None and one.needs == {"letter"}]
    shared = union(one.must for one in labelled) if len(labelled) > 1 else None
    for one in labelled:
        one.gate = shared
    return made


def _gather(values: pl.Series, groups: pl.Series, gatherings: Sequence[_Gathering]) -> None:
    """Hand the rows that could hold something to each recognizer."""
    rows = pl.DataFrame([values.alias("v"), groups])
    rows = rows.filter(pl.col("v").is_not_null()) if values.null_count() else rows
    plain = is_plain(rows["v"])
    kinds = KindsOf(rows if plain else _with_plain(rows), plain=plain)
    wanted: dict[tuple[Kinds, str | None], list[_Gathering]] = defaultdict(list)
    for one in gatherings:
        wanted[one.needs, one.gate].append(one)
    for (needed, gate), members in wanted.items():
        some = kinds.rows(needed)
        if gate is not None and some.height:
            some = some.filter(_contains(gate, "p" in some.columns))
        _hand_out(some, members)


def _hand_out(rows: pl.DataFrame, gatherings: Sequence[_Gathering]) -> None:
    """To each recognizer the rows that pass its prefilter; all prefilters in one go, in parallel."""
    if not rows.height:
        return
    tests = [_contains(one.must, "p" in rows.columns).alias(str(i)) for i, one in enumerate(gatherings) if one.must is not None]
    passed = rows.select(tests)
    for i, one in enumerate(gatherings):
        if one.must is None:
            one.take(rows)
        elif passed[str(i)].any():
            one.take(rows.filter(passed[str(i)]))


def _with_plain(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the same text in plain characters as `p`, where they differ; no `p` where none does."""
    odd = rows["v"].str.contains(ODD)
    if not odd.any():
        return rows
    return rows.with_columns(pl.when(odd).then(pl.col("v").str.replace_many(dict(PLAIN))).otherwise(None).alias("p"))


@dataclass
class _Gathering:
    """The candidates of one recognizer in one column."""

    searcher: Searcher
    limit: int
    telling: bool
    over: bool = False
    height: int = 0
    patience: int = 0
    size: int = 0
    parts: list[pl.DataFrame] = field(default_factory=list)
    sample: pl.DataFrame | None = None
    """`h`, `v`: the candidates with the smallest hashes"""
    formed_rows: Counter[int] = field(default_factory=Counter)
    form: str | None = field(init=False, default=None)
    """the written form, where the recognizer has one"""
    must: str | None = field(init=False, default=None)
    """what a row must match to be taken: the prefilter, or the written form where nothing else would be believed"""
    gate: str | None = field(init=False, default=None)
    """what a row must match first, where several recognizers share such a condition"""
    needs: Kinds = field(init=False, default=frozenset())
    """kinds of characters that a row must hold"""

    def __post_init__(self) -> None:
        self.patience = 2 * self.limit
        self.form = FORMS.get(self.searcher.name)
        self.must = self.form if self.telling and self.searcher.alone == "form" and self.form is not None else self.searcher.prefilter
        self.needs = needs(self.must) if self.must is not None else frozenset()
        known = {one.name: one.prefilter for one in recognizers()}
        if self.searcher.prefilter is not None and known.get(self.searcher.name) == self.searcher.prefilter:
            self.gate = LONG_NUMBER if self.searcher.name in LONG_NUMBERS else GLUED if self.searcher.name in GLUED_CODES else None

    def take(self, passed: pl.DataFrame) -> None:
        """Add the rows of a batch that passed."""
        if self.over:
            self._sample(passed["v"])
            self._count_forms(passed.with_columns(pl.lit(1, dtype=pl.UInt32).alias("n")))
            return
        self.parts.append(passed.group_by("v", "g").agg(pl.len().alias("n")))
        self.height += self.parts[-1].height
        self.size += int(self.parts[-1]["v"].str.len_bytes().sum())
        if self.height > self.patience or self.size > 2 * _MAX_BYTES:
            self._compact()

    def _compact(self) -> None:
        merged = pl.concat(self.parts).group_by("v", "g").agg(pl.col("n").sum())
        self.parts, self.height = [merged], merged.height
        distinct = merged["v"].unique()
        self.size = int(distinct.str.len_bytes().sum())
        if len(distinct) <= self.limit and self.size <= _MAX_BYTES:
            self.patience = max(2 * self.limit, 2 * merged.height)  # few values in many groups: look again when it has doubled
            return
        self.over = True
        self._sample(distinct)
        self._count_forms(merged)
        self.parts = []

    def _sample(self, values: pl.Series) -> None:
        """Keep the candidates with the smallest hashes: the same for any order of rows."""
        hashed = pl.DataFrame({"v": values}).with_columns(pl.col("v").nchash.xxh3_64().alias("h"))  # type: ignore[attr-defined]
        if self.sample is not None and self.sample.height == SAMPLE:
            hashed = hashed.filter(pl.col("h") < self.sample["h"][-1])
        if hashed.height:
            known = [self.sample] if self.sample is not None else []
            self.sample = pl.concat([*known, hashed.select("h", "v")]).unique().sort("h", "v").head(SAMPLE)

    def _count_forms(self, rows: pl.DataFrame) -> None:
        if self.form is None:
            return
        formed = rows.filter(pl.col("v").str.contains(self.form))
        if self.searcher.name == _CARD and formed.height:
            formed = formed.filter(luhn(formed["v"].str.extract(f"({self.form})")))
        for group, n in formed.group_by("g").agg(pl.col("n").sum()).iter_rows():
            self.formed_rows[group] += n

    def judged(self) -> ScanHit | None:
        """The recognizer's word on the candidates; None when it finds nothing."""
        if not self.over and self.parts:
            self._compact()
        if self.over:
            return self._judged_by_sample()
        if not self.parts:
            return None
        rows = self.parts[0]
        candidates = rows["v"].unique().sort()
        hits = candidates.filter(pl.Series([self._finds(text) for text in candidates], dtype=pl.Boolean))
        if not len(hits):
            return None
        formed = self._in_form(candidates)
        told = hits if self.searcher.alone != "form" else self._in_form(hits)
        with_hits = rows.filter(pl.col("v").is_in(hits.implode()))
        believed = with_hits.filter(pl.col("v").is_in(told.implode()))
        places = believed.group_by("g").agg(pl.col("n").sum()).sort("g")
        return ScanHit(
            self.searcher.name,
            self.searcher.entity,
            rows=int(with_hits["n"].sum()),
            distinct=len(hits),
            candidates=len(candidates),
            confirmed=len(hits),
            exact=not (self.telling and self.searcher.alone == "form"),
            told_rows=int(believed["n"].sum()),
            told=len(told),
            formed=len(formed),
            chance=self.searcher.chance,
            alone=self.searcher.alone,
            locations=tuple((int(g), int(n)) for g, n in places.iter_rows()),
        )

    def _judged_by_sample(self) -> ScanHit | None:
        if self.sample is None:
            return None
        values = self.sample["v"]
        hits = values.filter(pl.Series([self._finds(text) for text in values], dtype=pl.Boolean))
        if not len(hits) and not self.formed_rows:
            return None
        formed, told = self._in_form(values), hits if self.searcher.alone != "form" else self._in_form(hits)
        rows = sum(self.formed_rows.values())
        return ScanHit(
            self.searcher.name,
            self.searcher.entity,
            rows=rows,
            distinct=None,
            candidates=len(values),
            confirmed=len(hits),
            exact=False,
            told_rows=rows,
            told=len(told),
            formed=len(formed),
            chance=self.searcher.chance,
            alone=self.searcher.alone,
            locations=tuple(sorted(self.formed_rows.items())),
        )

    def _finds(self, text: str) -> bool:
        return bool(self.searcher.find(text))

    def _in_form(self, values: pl.Series) -> pl.Series:
        if self.form is None:
            return values
        return values.filter(values.str.contains(self.form) | values.str.replace_many(dict(PLAIN)).str.contains(self.form))


def _contains(pattern: str, has_plain: bool) -> pl.Expr:
    found = pl.col("v").str.contains(pattern)
    return found | pl.col("p").str.contains(pattern).fill_null(value=False) if has_plain else found


def luhn(numbers: pl.Series) -> pl.Series:
    """Whether the digits of each text satisfy Luhn's check digit (ISO/IEC 7812-1 annex B); at most 19 digits count. Null is False."""
    digits = numbers.str.replace_all(r"[^0-9]", "").str.reverse()
    terms: list[pl.Expr] = []
    for place in range(19):
        digit = pl.col("d").str.slice(place, 1).cast(pl.Int32, strict=False).fill_null(0)
        terms.append(digit if place % 2 == 0 else 2 * digit - 9 * (digit > 4).cast(pl.Int32))
    valid = (pl.sum_horizontal(terms) % 10 == 0) & (pl.col("d").str.len_bytes() > 0)
    return pl.DataFrame({"d": digits}).select(valid.fill_null(value=False)).to_series()


def might_hold(values: pl.Series, chosen: Iterable[Searcher]) -> bool:
    """Whether one of a few values passes the prefilter of one of the recognizers."""
    rows = values.drop_nulls().alias("v").to_frame()
    plain = is_plain(rows["v"])
    kinds = KindsOf(rows if plain else _with_plain(rows), plain=plain)
    return any(_passes(kinds, searcher.prefilter) for searcher in chosen)


def _passes(kinds: KindsOf, prefilter: str | None) -> bool:
    some = kinds.rows(frozenset() if prefilter is None else needs(prefilter))
    return some.height > 0 and (prefilter is None or bool(some.select(_contains(prefilter, "p" in some.columns).any()).item()))

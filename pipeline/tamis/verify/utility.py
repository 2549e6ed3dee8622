"""What the release still says: distributions and dependencies of the written files against the input.

- shape of a column: 1 - Kolmogorov-Smirnov distance for numbers and dates (Kolmogorov 1933; SDMetrics KSComplement), over values
  that are not null; 1 - total variation distance for everything else (SDMetrics TVComplement), null being a category.
- trend of a pair: 1 - |r_before - r_after| / 2 of Pearson's r for two numbers (SDMetrics CorrelationSimilarity); else 1 - total
  variation of the two contingency tables, numbers cut at the deciles of the input (SDMetrics ContingencySimilarity).

A generalized column is compared with the recoded input: what is measured is what suppression and mistakes did, not the intended
coarsening. Dropped, pseudonymized, faked and redacted columns are not scored: their values are meant to be different.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import polars.selectors as cs
import polars_hash  # noqa: F401  # registers the `nchash` namespace
from numpy.typing import NDArray

from tamis.core.actions import Drop, Fake, Generalize, Pseudonymize, Redact
from tamis.core.plan import ColumnPlan, TablePlan
from tamis.core.record import Measure
from tamis.core.types import DataType, Table
from tamis.recode import exact_column, recode_expression
from tamis.verify.frames import rounded

_ORDERED = frozenset({DataType.INTEGER, DataType.NUMBER, DataType.DATE, DataType.DATETIME, DataType.DURATION, DataType.TIME})
_BUCKETS, _MANY_VALUES = 65_536, 200_000
SAMPLE = 50_000
"""rows of the samples that pairs are compared on"""
_MAX_PAIR_COLUMNS = 30
_MAX_CATEGORIES = 1_000
_ROW_HASH = "__tamis_row_hash"
_AT_ONCE = 1_000_000
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Scored:
    """A column that can be compared: where both sides stand, as `c<index>` of the comparable frames."""

    name: str
    ordered: bool
    index: int


def comparable(column: ColumnPlan) -> bool:
    """Whether before and after of a column can be compared."""
    return column.type not in (DataType.BINARY, DataType.EMPTY) and not isinstance(column.action, Drop | Pseudonymize | Fake | Redact)


def comparable_frames(table: Table, after: pl.LazyFrame, plan: TablePlan) -> tuple[tuple[Scored, ...], pl.LazyFrame, pl.LazyFrame]:
    """The columns that can be compared, and both sides in one space: generalized input is recoded, ordered values are numbers.

    The first side also has `h`, a hash of the values before recoding: see `sample_rows`.
    """
    scored: list[Scored] = []
    left, right = [], []
    original: list[pl.Expr] = []
    schema_before, schema_after = table.frame.collect_schema(), after.collect_schema()
    for column in plan.columns:
        name = column.name
        if name not in schema_after or not comparable(column):
            continue
        recode = column.action.recode if isinstance(column.action, Generalize) and column.output_type is DataType.TEXT else None
        ordered = column.type in _ORDERED and recode is None
        source = exact_column(name) if recode is None else recode_expression(name, column.type, recode)
        type_before = schema_before[name] if recode is None else pl.String()
        alias = f"c{len(scored)}"
        left.append(_in_space(source, type_before, ordered=ordered).alias(alias))
        right.append(_in_space(exact_column(name), schema_after[name], ordered=ordered).alias(alias))
        original.append(exact_column(name).to_physical() if schema_before[name].is_temporal() else exact_column(name))
        scored.append(Scored(name, ordered, len(scored)))
    given = table.frame
    if original:  # below the recoding, so that a filter on it comes before the recoding
        given = given.with_columns(_row_hash(original).alias(_ROW_HASH))
        left.append(pl.col(_ROW_HASH).alias("h"))
    return tuple(scored), given.select(left), after.select(right)


def _row_hash(columns: Sequence[pl.Expr]) -> pl.Expr:
    fields = [column.cast(pl.String).fill_null("\u0000") for column in columns]
    hashed: pl.Expr = pl.concat_str(fields, separator="\u0001").nchash.xxhash64()  # type: ignore[attr-defined]
    return hashed


def _in_space(column: pl.Expr, dtype: pl.DataType, *, ordered: bool) -> pl.Expr:
    """Ordered values as numbers (dates as days, times as microseconds), the others as text; NaN is null."""
    if not ordered:
        return (column.fill_nan(None) if dtype.is_float() else column).cast(pl.String)
    if isinstance(dtype, pl.Datetime):
        column = column.cast(pl.Datetime("us"))
    number = column.to_physical() if dtype.is_temporal() else column
    return number.cast(pl.Float64, strict=False).fill_nan(None)


# ------------------------------------------------------------------------------------------------------------------------- shapes


def column_shapes(name: str, scored: Sequence[Scored], before: pl.LazyFrame, after: pl.LazyFrame) -> tuple[Measure, ...]:
    """`utility.column_shapes@table.column` and `utility.null_delta@table.column` of every column that can be compared."""
    measures: list[Measure] = []
    for one in scored:
        column = f"c{one.index}"
        left, right = before.select(v=pl.col(column)), after.select(v=pl.col(column))
        score, nulls, rows = ordered_shape(left, right) if one.ordered else category_shape(left, right)
        at = f"@{name}.{one.name}"
        if score is not None:
            measures.append(Measure(name="utility.column_shapes" + at, value=rounded(score), of=rows))
        # With the released null rate this figure gives the one before: it stays in the run folder.
        measures.append(Measure(name="utility.null_delta" + at, value=rounded(nulls), of=rows, internal=True))
    return tuple(measures)


def ordered_shape(before: pl.LazyFrame, after: pl.LazyFrame) -> tuple[float | None, float, int]:
    """(1 - KS, change of the null rate, rows after) of two frames with one number column `v`; None when the input has no value."""
    old, rows_b = _sorted_values(before)
    new, rows_a = _sorted_values(after)
    delta = abs(_share(rows_a - len(new), rows_a) - _share(rows_b - len(old), rows_b))
    if not len(old) or not rows_a:
        return None, delta, rows_a
    if not len(new):
        return 0.0, delta, rows_a
    return 1.0 - max(_largest_gap(old, new), _largest_gap(new, old)), delta, rows_a


def _sorted_values(frame: pl.LazyFrame) -> tuple[NDArray[np.float64], int]:
    """The values of `v` that are there, sorted, and the rows: 8 bytes per row, where counts per value would take ten times that."""
    values = frame.select(pl.col("v")).collect(engine="streaming").to_series()
    return np.sort(values.drop_nulls().to_numpy()), len(values)


def _largest_gap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Largest distance of the two distribution functions at the points of the first."""
    last = np.flatnonzero(np.append(one[1:] != one[:-1], True))  # where a value occurs last, its share is reached
    largest = 0.0
    for start in range(0, len(last), _AT_ONCE):
        at = last[start : start + _AT_ONCE]
        gaps = (at + 1) / len(one) - np.searchsorted(other, one[at], side="right") / len(other)
        largest = max(largest, float(np.abs(gaps).max()))
    return largest


def category_shape(before: pl.LazyFrame, after: pl.LazyFrame) -> tuple[float | None, float, int]:
    """(1 - TV, change of the null rate, rows after) of two frames with one text column `v`; null is a category.

    Above 200 000 distinct values, hashed into 65 536 buckets: then the distance is a lower bound (data processing inequality).
    """
    many = before.select(pl.col("v").approx_n_unique()).collect(engine="streaming").item() > _MANY_VALUES
    if many:
        bucket = (pl.col("v").nchash.xxhash64() % _BUCKETS).alias("v")  # type: ignore[attr-defined]
        before, after = before.select(bucket), after.select(bucket)
    counts = _counts(before, after).collect(engine="streaming")
    rows_b, rows_a = int(counts["b"].sum()), int(counts["a"].sum())
    nulls_b, nulls_a = (int(value or 0) for value in counts.select(_null("b"), _null("a")).row(0))
    delta = abs(_share(nulls_a, rows_a) - _share(nulls_b, rows_b))
    if not rows_b or not rows_a or nulls_b == rows_b:
        return None, delta, rows_a
    distance = counts.select((pl.col("b") / rows_b - pl.col("a") / rows_a).abs().sum() / 2).item()
    return 1.0 - float(distance), delta, rows_a


def _counts(before: pl.LazyFrame, after: pl.LazyFrame) -> pl.LazyFrame:
    """Per value its rows before (`b`) and after (`a`)."""
    one, zero = pl.lit(1, dtype=pl.Int64), pl.lit(0, dtype=pl.Int64)
    both = pl.concat([before.select("v", b=one, a=zero), after.select("v", b=zero, a=one)])
    return both.group_by("v").agg(pl.col("b").sum(), pl.col("a").sum())


def _null(side: str) -> pl.Expr:
    return pl.col(side).filter(pl.col("v").is_null()).sum().alias(f"null_{side}")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


# -------------------------------------------------------------------------------------------------------------------------- pairs


def pair_trends(name: str, scored: Sequence[Scored], before: pl.LazyFrame, after: pl.LazyFrame) -> Measure | None:
    """`utility.pair_trends@table`: the mean over all pairs of at most 30 columns, on samples of at most 50 000 rows of each side.

    Columns with more than 1 000 categories are left out. None with fewer than two columns or no rows. `of` counts pairs.
    """
    chosen = scored[:_MAX_PAIR_COLUMNS]
    if len(chosen) < 2:
        return None
    names = [f"c{one.index}" for one in chosen]
    left, right = (sample_rows(side.select(cs.by_name(*names, "h", require_all=False)), SAMPLE) for side in (before, after))
    if not left.height or not right.height:
        return None
    columns = [side for one in chosen if (side := _PairColumn.of(one, left, right)) is not None]
    tried = [_pair(first, second) for first, second in itertools.combinations(columns, 2)]
    scores = [score for score in tried if score is not None]
    if not scores:
        return None
    note = f"on samples of {left.height} rows before and {right.height} after"
    return Measure(name=f"utility.pair_trends@{name}", value=rounded(float(np.mean(scores))), of=len(scores), note=note)


def sample_rows(frame: pl.LazyFrame, size: int) -> pl.DataFrame:
    """At most `size` rows, whatever the order of the rows: those with the smallest hash of (values, occurrence number).

    Rows that have a hash `h` of their own values already are chosen by that; then only the chosen ones are computed.
    """
    names = [name for name in frame.collect_schema().names() if name != "h"]
    hashed = frame if "h" in frame.collect_schema() else frame.with_columns(h=_row_hash([pl.col(name) for name in names]))
    hashes = np.sort(hashed.select("h").collect(engine="streaming").to_series().to_numpy())
    if len(hashes) <= size:
        return frame.select(names).collect(engine="streaming").sort(names)
    chosen = pl.DataFrame({"h": _smallest(hashes, size)}).group_by("h").agg(copies=pl.len())
    some = hashed.filter(pl.col("h").is_in(chosen["h"].implode())).collect(engine="streaming")
    rows = some.unique("h").join(chosen, on="h")
    return rows.select(pl.col(names).repeat_by("copies")).explode(names).sort(names)


def _smallest(hashes: NDArray[np.uint64], size: int) -> NDArray[np.uint64]:
    """Of sorted hashes the `size` ones with the smallest rank, a second hash of (hash, occurrence number)."""
    kept, ranks = np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.uint64)
    begun = 0
    for start in range(0, len(hashes), _AT_ONCE):
        part = hashes[start : start + _AT_ONCE]
        place = np.arange(start, start + len(part))
        first = np.append(start == 0 or hashes[start - 1] != part[0], part[1:] != part[:-1])
        begins = np.maximum.accumulate(np.where(first, place, begun))
        begun = int(begins[-1])
        kept = np.append(kept, part)
        ranks = np.append(ranks, _mixed(part + (place - begins).astype(np.uint64) * _GOLDEN))
        if len(kept) > size:
            best = np.argpartition(ranks, size)[:size]
            kept, ranks = kept[best], ranks[best]
    return kept


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of SplitMix64 (Steele, Lea and Flood 2014)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = words ^ (words >> np.uint64(31))
    return mixed


@dataclass(frozen=True, slots=True)
class _PairColumn:
    """One column of both samples: numbers (NaN for null) where ordered, and codes of its categories or deciles."""

    numbers: tuple[np.ndarray, np.ndarray] | None
    codes: tuple[np.ndarray, np.ndarray]
    size: int

    @classmethod
    def of(cls, one: Scored, left: pl.DataFrame, right: pl.DataFrame) -> _PairColumn | None:
        a, b = left[f"c{one.index}"], right[f"c{one.index}"]
        if one.ordered:
            numbers = _scaled(a.to_numpy().astype(float), b.to_numpy().astype(float))
            known = numbers[0][np.isfinite(numbers[0])]
            if not len(known):
                return None
            edges = np.unique(np.quantile(known, np.linspace(0.1, 0.9, 9)))
            codes = tuple(np.where(np.isnan(side), len(edges) + 1, np.searchsorted(edges, side, side="right")) for side in numbers)
            return cls(numbers, (codes[0], codes[1]), len(edges) + 2)
        both = pl.concat([a, b])
        ranks = both.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
        size = int(ranks.max()) + 1
        return cls(None, (ranks[: len(a)], ranks[len(a) :]), size) if size <= _MAX_CATEGORIES else None


def _scaled(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both within -1..1: neither rank nor correlation changes, and no square of a large number overflows."""
    finite = [np.abs(side[np.isfinite(side)]) for side in (a, b)]
    largest = max((float(side.max()) for side in finite if len(side)), default=0.0)
    return (a / largest, b / largest) if largest > 0 else (a, b)


def _pair(first: _PairColumn, second: _PairColumn) -> float | None:
    if first.numbers is not None and second.numbers is not None:
        left, right = (correlation(x, y) for x, y in zip(first.numbers, second.numbers, strict=True))
        return None if left is None or right is None else 1 - abs(left - right) / 2
    tables = []
    for x, y in zip(first.codes, second.codes, strict=True):
        counts = np.bincount(x * second.size + y, minlength=first.size * second.size)
        tables.append(counts / len(x))
    return 1 - float(np.abs(tables[0] - tables[1]).sum()) / 2


def correlation(x: np.ndarray, y: np.ndarray) -> float | None:
    """Pearson's r over the rows where both are finite; None where one of them does not vary."""
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < 2:
        return None
    x, y = x[both] - x[both].mean(), y[both] - y[both].mean()
    scale = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / scale if np.isfinite(scale) and scale > 0 else None


def summaries(per_table: Mapping[str, Sequence[Measure]]) -> tuple[Measure, ...]:
    """Means of the column scores: `utility.column_shapes@table` for each table and `utility.column_shapes` over all columns."""
    out, everything = [], []
    for table, measures in per_table.items():
        scores = [m.value for m in measures if m.name.startswith("utility.column_shapes@")]
        everything += scores
        if scores:
            out.append(Measure(name=f"utility.column_shapes@{table}", value=rounded(float(np.mean(scores))), of=len(scores)))
    if everything:
        out.append(Measure(name="utility.column_shapes", value=rounded(float(np.mean(everything))), of=len(everything)))
    return tuple(out)

"""What the release still says: distributions and dependencies of the written files against the input.

- shape of a column: 1 - Kolmogorov-Smirnov distance for numbers and dates (Kolmogorov 1933; SDMetrics KSComplement), over values
  that are not null; 1 - total variation distance for everything else (SDMetrics TVComplement), null being a category.

A generalized column is compared with the recoded input: what is measured is what suppression and mistakes did, not the intended
coarsening. Dropped, pseudonymized, faked and redacted columns are not scored: their values are meant to be different.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import polars_hash  # noqa: F401  # registers the `nchash` namespace
from numpy.typing import NDArray

from tamis.core.actions import Drop, Fake, Generalize, Pseudonymize, Redact
from tamis.core.plan import ColumnPlan, TablePlan
from tamis.core.record import Measure
from tamis.core.types import DataType, Table
from tamis.recode import exact_column
from tamis.verify.frames import rounded
from tamis.verify.relabel import label, with_cells
from tamis.verify.sides import ORDERED, in_space, row_hash

_BUCKETS, _MANY_VALUES = 65_536, 200_000
_ROW_HASH = "__tamis_row_hash"
_AT_ONCE = 1_000_000


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

    The first side also has `h`, a hash of the values before recoding: see `sides.sample_rows`.
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
        ordered = column.type in ORDERED and recode is None
        source = exact_column(name) if recode is None else label(column, plan)
        type_before = schema_before[name] if recode is None else pl.String()
        alias = f"c{len(scored)}"
        left.append(in_space(source, type_before, ordered=ordered).alias(alias))
        right.append(in_space(exact_column(name), schema_after[name], ordered=ordered).alias(alias))
        original.append(exact_column(name).to_physical() if schema_before[name].is_temporal() else exact_column(name))
        scored.append(Scored(name, ordered, len(scored)))
    given = with_cells(table.frame, plan)
    if original:  # below the recoding, so that a filter on it comes before the recoding
        given = given.with_columns(row_hash(original).alias(_ROW_HASH))
        left.append(pl.col(_ROW_HASH).alias("h"))
    return tuple(scored), given.select(left), after.select(right)


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

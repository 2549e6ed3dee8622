"""Before and after of every input column, for the report: aggregates only, and labels only where they may be shown.

A label is shown when the column's role is not direct, its text is kept, generalized, rare-suppressed, clipped or synthesized, and
the value has at least k rows on that side. All other values are bars by rank ('#1', '#2', …), and what is left is 'other'.
Edges of bins of numbers and dates come from the profile's k-safe bounds, rounded to a grid; the outer bins are open.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Mapping, Sequence

import polars as pl

from tamis.core.actions import Generalize, Keep, ShiftDates, SuppressRare, Synthesize, TopBottomCode
from tamis.core.plan import ColumnPlan, TablePlan
from tamis.core.record import Bar, ColumnDiff
from tamis.core.types import ColumnProfile, DataType, Role, Table, TableProfile
from tamis.verify.frames import logical_type, picked

BARS = 12
_MANY_VALUES = 200_000
_EXACT_ROWS = 200_000
_SHOWN = Keep | Generalize | SuppressRare | TopBottomCode | Synthesize | ShiftDates
_BINNED = frozenset({DataType.INTEGER, DataType.NUMBER, DataType.DATE, DataType.DATETIME})


def column_diffs(
    table: Table, after: pl.LazyFrame, plan: TablePlan, profile: TableProfile, k: int, scores: Mapping[str, float]
) -> tuple[ColumnDiff, ...]:
    """One `ColumnDiff` per input column, in order; `scores` are the shape scores by column name."""
    schema = after.collect_schema()
    known = {column.name: column for column in profile.columns}
    counted = _counted(after, [column.name for column in plan.columns if column.name in schema])
    rows_after = counted.pop("", (0, 0, 0))[0]
    diffs = []
    for column in plan.columns:
        measured = known.get(column.name)
        present = counted.get(column.name)
        before_bars, after_bars = _bars(table, after, column, measured, k, released=present is not None)
        diffs.append(
            ColumnDiff(
                table=plan.name,
                column=column.name,
                role=column.role,
                action=column.action.action,
                type_before=column.type,
                type_after=logical_type(schema[column.name]) if present is not None else None,
                rows_before=table.rows,
                rows_after=rows_after,
                nulls_before=round(measured.null_rate, 6) if measured else 0.0,
                nulls_after=round(present[1] / rows_after if rows_after else 0.0, 6) if present is not None else None,
                distinct_before=measured.distinct if measured else 0,
                distinct_after=present[2] if present is not None else None,
                before=before_bars,
                after=after_bars,
                shape_score=scores.get(column.name),
            )
        )
    return tuple(diffs)


def _counted(after: pl.LazyFrame, names: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """Per column (rows, nulls, distinct values; estimated above 200 000 rows); '' has the rows."""
    if not names:
        return {"": (int(after.select(pl.len()).collect(engine="streaming").item()) if after.collect_schema().len() else 0, 0, 0)}
    frame = picked(after, names)
    head = frame.select(pl.len(), pl.all().null_count().name.prefix("n_")).collect(engine="streaming")
    rows = int(head["len"].item())
    countable = [pl.col(f"c{i}") for i in range(len(names))]
    distinct = [c.drop_nulls().n_unique() if rows <= _EXACT_ROWS else c.approx_n_unique() - c.is_null().any() for c in countable]
    values = frame.select(distinct).collect(engine="streaming").row(0) if rows else (0,) * len(names)
    counts = {name: (rows, int(head[f"n_c{i}"].item()), int(values[i])) for i, name in enumerate(names)}
    return {**counts, "": (rows, 0, 0)}


def _bars(
    table: Table, after: pl.LazyFrame, column: ColumnPlan, profile: ColumnProfile | None, k: int, *, released: bool
) -> tuple[tuple[Bar, ...], tuple[Bar, ...]]:
    if profile is None or column.type in (DataType.BINARY, DataType.EMPTY):
        return (), ()
    shown = column.role is not Role.DIRECT and isinstance(column.action, _SHOWN)
    edges = _edges(profile) if column.type in _BINNED else None
    before = picked(table.frame, [column.name])
    left = _binned(before, edges, column.type) if edges else ()
    if column.type not in _BINNED:
        left = _ranked(before, k, labelled=shown, text_before=None, distinct=profile.distinct)
    if not released:
        return left, ()
    written = picked(after, [column.name])
    kind = logical_type(written.collect_schema()["c0"])
    if kind is column.type and column.type in _BINNED:
        return left, _binned(written, edges, column.type) if edges else ()
    same = column.type not in _BINNED and not isinstance(column.action, Generalize)
    order = tuple(bar.label for bar in left) if same else None
    right = _ranked(written, k, labelled=shown, text_before=order, distinct=None)
    return left, right if not isinstance(column.action, Generalize) else _in_reading_order(right)


# --------------------------------------------------------------------------------------------------------------- numbers and dates


def _edges(profile: ColumnProfile) -> tuple[float, ...] | None:
    """Inner edges on a rounded grid: numbers, or for dates days (a grid of years when the bounds are years)."""
    low, high = _number(profile.low), _number(profile.high)
    if low is None or high is None or not high > low:
        return None
    if isinstance(profile.low, str):  # years of dates
        years = range(int(low), int(high) + 1, max(1, math.ceil((high - low) / (BARS - 2))))
        return tuple(float((dt.date(min(max(year, 1), 9999), 1, 1) - dt.date(1970, 1, 1)).days) for year in years)[: BARS - 1]
    raw = (high - low) / (BARS - 2)
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= raw)
    if profile.type is DataType.INTEGER:
        step = max(1.0, math.ceil(step))
    start = math.floor(low / step) * step
    edges = [start + step * i for i in range(1, BARS)]
    return tuple(edge for edge in edges if edge < high + step)


def _number(bound: float | str | None) -> float | None:
    if bound is None:
        return None
    try:
        return float(bound) if not isinstance(bound, str) else float(bound[:4])
    except ValueError:
        return None


def _binned(frame: pl.LazyFrame, edges: tuple[float, ...] | None, kind: DataType) -> tuple[Bar, ...]:
    if not edges:
        return ()
    value = pl.col("c0")
    if kind in (DataType.DATE, DataType.DATETIME):
        value = value.cast(pl.Date).to_physical()
    number = value.cast(pl.Float64, strict=False)
    index = pl.sum_horizontal([(number >= edge).cast(pl.Int64) for edge in edges])
    counts = frame.select(b=pl.when(number.is_null()).then(None).otherwise(index)).group_by("b").agg(n=pl.len()).collect(engine="streaming")
    found = dict(counts.drop_nulls("b").rows())
    total = int(counts["n"].sum())
    labels = _labels(edges, kind)
    return tuple(Bar(label=label, share=round(found.get(i, 0) / total, 3)) for i, label in enumerate(labels)) if total else ()


def _labels(edges: tuple[float, ...], kind: DataType) -> list[str]:
    if kind in (DataType.DATE, DataType.DATETIME):
        shown = [str((dt.date(1970, 1, 1) + dt.timedelta(days=edge)).year) for edge in edges]
        between = [a if int(b) - int(a) == 1 else f"{a}–{int(b) - 1}" for a, b in itertools.pairwise(shown)]
    else:
        shown = [f"{edge:.6g}" for edge in edges]
        between = [f"{a}–{b}" for a, b in itertools.pairwise(shown)]
    return [f"< {shown[0]}", *between, f"≥ {shown[-1]}"]


# --------------------------------------------------------------------------------------------------------------------- categories


def _ranked(frame: pl.LazyFrame, k: int, *, labelled: bool, text_before: tuple[str, ...] | None, distinct: int | None) -> tuple[Bar, ...]:
    """The most frequent values as bars, in the order of `text_before` where it names them; the rest is 'other'."""
    if distinct is None:
        distinct = int(frame.select(pl.col("c0").approx_n_unique()).collect(engine="streaming").item())
    if distinct > _MANY_VALUES:
        return ()
    text = pl.col("c0").to_physical() if isinstance(frame.collect_schema()["c0"], pl.Duration) else pl.col("c0")
    values = frame.select(v=text.cast(pl.String)).group_by("v").agg(n=pl.len().cast(pl.Int64)).collect(engine="streaming")
    total, nulls = int(values["n"].sum()), int(values.filter(pl.col("v").is_null())["n"].sum())
    if not total:
        return ()
    top = values.drop_nulls("v").sort("n", "v", descending=[True, False])
    if labelled:
        top = top.filter(pl.col("n") >= k)
        wanted = [label for label in text_before or () if label not in ("other", "(null)")]
        if wanted:
            known = top.filter(pl.col("v").is_in(wanted))
            top = pl.concat([known, top.filter(~pl.col("v").is_in(wanted))])
    top = top.head(BARS - 2)
    labels = [_short(value) for value in top["v"]] if labelled else [f"#{rank}" for rank in range(1, top.height + 1)]
    bars = [Bar(label=label, share=round(n / total, 3)) for label, n in zip(labels, top["n"], strict=True)]
    rest = total - nulls - int(top["n"].sum())
    if rest:
        bars.append(Bar(label="other", share=round(rest / total, 3)))
    if nulls:
        bars.append(Bar(label="(null)", share=round(nulls / total, 3)))
    return tuple(bars)


def _short(value: str) -> str:
    return value if len(value) <= 40 else value[:39] + "…"


def _in_reading_order(bars: tuple[Bar, ...]) -> tuple[Bar, ...]:
    """Bands by their first number, everything else by its text; 'other' and nulls last."""

    def key(bar: Bar) -> tuple[int, float, str]:
        digits = bar.label.lstrip("<>=[ ")
        head = digits[: len(digits) - len(digits.lstrip("-0123456789."))]
        negative = head.startswith("-")
        number = head.lstrip("-").partition("-")[0]
        last = bar.label in ("other", "(null)")
        try:
            start = float(number) * (-1 if negative else 1)
        except ValueError:
            return (2 if last else 1), 0.0, bar.label
        return 0, start - (0.5 if bar.label.startswith("<") else 0.0), bar.label

    return tuple(sorted(bars, key=key))

"""Literals of single columns: values that stay, clip bounds, distinct values. Each is shared by k persons, or the mean of k extremes."""

from __future__ import annotations

import polars as pl

from tamis.core.actions import TopBottomCode
from tamis.core.types import Table
from tamis.encoding import canonical, exact_column
from tamis.recode import band_number

_QUANTILES = 256


def counted(table: Table, name: str, unit: str | None, least: int = 1) -> pl.DataFrame:
    """`value` (canonical text), `persons` and `rows` of the values that at least `least` persons share, by value.

    A person is a row when there is no unit.
    """
    value = canonical(name, table.type_of(name)).alias("value")
    if unit is None:
        grouped = table.frame.select(value).group_by("value").agg(rows=pl.len()).with_columns(persons=pl.col("rows"))
    else:
        # Two group-bys instead of n_unique, which would hold a set of persons per value.
        pairs = table.frame.select(value, canonical(unit, table.type_of(unit)).alias("unit")).group_by("value", "unit").agg(rows=pl.len())
        persons = pl.col("unit").is_not_null().sum() + pl.col("unit").is_null().any()
        grouped = pairs.group_by("value").agg(rows=pl.col("rows").sum(), persons=persons)
    frame = grouped.filter(pl.col("value").is_not_null(), pl.col("persons") >= least).select("value", "persons", "rows")
    return frame.sort("value").collect(engine="streaming")


def numbers(table: Table, name: str, unit: str | None, distinct: int, limit: int) -> pl.DataFrame:
    """`v` (finite numbers, ascending) and `persons`: the distinct values, or above `limit` of them 256 quantiles with equal shares."""
    number = exact_column(name).cast(pl.Float64)
    finite = pl.when(number.is_finite()).then(number)
    if distinct > limit:
        steps = [finite.quantile((i + 0.5) / _QUANTILES, "nearest").alias(f"q{i}") for i in range(_QUANTILES)]
        row = table.frame.select(finite.count().alias("rows"), *steps).collect(engine="streaming")
        share = int(row["rows"][0]) // _QUANTILES
        values = row.select(pl.exclude("rows")).transpose().to_series().alias("v").drop_nulls()
        return pl.DataFrame({"v": values}).group_by("v").agg(persons=pl.len().cast(pl.Int64) * share).sort("v")
    if unit is None:
        grouped = table.frame.select(v=finite).group_by("v").agg(persons=pl.len())
    else:
        pairs = table.frame.select(finite.alias("v"), canonical(unit, table.type_of(unit)).alias("unit")).unique()
        grouped = pairs.group_by("v").agg(persons=pl.len())
    return grouped.filter(pl.col("v").is_not_null()).with_columns(pl.col("persons").cast(pl.Int64)).sort("v").collect(engine="streaming")


def persons_between(table: Table, name: str, edges: tuple[float, ...], unit: str | None) -> list[int]:
    """Persons with a number below the first edge, between the edges, at or above the last."""
    band = band_number(exact_column(name), edges).alias("band")
    person = [] if unit is None else [canonical(unit, table.type_of(unit)).alias("unit")]
    rows = table.frame.select(band, *person).filter(pl.col("band").is_not_null())
    counts = (rows if unit is None else rows.unique()).group_by("band").agg(n=pl.len()).collect(engine="streaming")
    found = dict(zip(counts["band"].to_list(), counts["n"].to_list(), strict=True))
    return [found.get(i, 0) for i in range(len(edges) + 1)]


def clip_bounds(table: Table, name: str, action: TopBottomCode, k: int, unit: str | None) -> tuple[float | None, float | None]:
    """Stated bounds stay; open ones are the mean of the extremes on that side: of k persons, or of the stated share if that is more.

    A person counts once, with the smallest and the largest of his values; a person is a row when there is no unit. A column with
    values of fewer than 2k persons has no safe bound: its mean is both bounds, or zero where fewer than k persons have a value.
    """
    number = exact_column(name).cast(pl.Float64)
    value = pl.when(number.is_finite()).then(number).alias("v")  # infinities are clipped; they bound nothing
    person = pl.lit(None) if unit is None else canonical(unit, table.type_of(unit))
    frame = table.frame.select(value, person.alias("unit")).filter(pl.col("v").is_not_null())
    if unit is None:
        spans = frame.select(low="v", high="v")
    else:
        spans = frame.group_by("unit").agg(low=pl.col("v").min(), high=pl.col("v").max()).select("low", "high")
    present = int(spans.select(pl.len()).collect(engine="streaming").item())
    tail = max(k, int((action.share or 0.0) * present))
    if present < 2 * k:
        middle = (pl.col("low").sort().mean() + pl.col("high").sort().mean()) / 2
        bound = _six(float(spans.select(middle).collect().item())) if present >= k else 0.0
        return _in_order(action, bound, bound)
    lows, highs = pl.col("low").bottom_k(tail).sort().mean(), pl.col("high").top_k(tail).sort().mean()
    low, high = spans.select(lows, highs).collect().row(0)
    return _in_order(action, _six(float(low)), _six(float(high)))


def _in_order(action: TopBottomCode, low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """Stated bounds win; one that was found never lies beyond a stated one."""
    if action.lower is not None and action.upper is not None:
        return action.lower, action.upper
    if action.lower is not None:
        return action.lower, None if high is None else max(action.lower, high)
    if action.upper is not None:
        return None if low is None else min(action.upper, low), action.upper
    return low, high


def _six(value: float) -> float:
    return float(f"{value:.6g}")

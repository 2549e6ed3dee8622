"""Which columns a model has, and each of them as hygienic arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import polars.selectors as cs

from tamis.core.actions import Generalize, Keep, SuppressRare, Synthesize, TopBottomCode
from tamis.core.errors import PlanError, clean_name
from tamis.core.plan import ColumnPlan, TablePlan
from tamis.core.types import DataType, Role
from tamis.encoding import WORDS
from tamis.fit.hygiene import Bools, Floats, Ints, count_persons, grid_step, pool_rare, safe_numbers

UNIT = "__tamis_unit"
_NUMERIC = frozenset({DataType.INTEGER, DataType.NUMBER, DataType.DATE, DataType.DATETIME})
_CATEGORICAL = frozenset({DataType.TEXT, DataType.BOOLEAN})
_GIVEN_ACTIONS = (Keep, Generalize, TopBottomCode, SuppressRare)
_MAX_CATEGORIES = 2000
_MAX_GIVEN_CATEGORIES = 200
_HUGE = 1e150


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the training rows after hygiene.

    A number: `values` holds NaN where there is none, `shared` marks raw values of at least k persons. A category: `codes` holds -1
    for nulls and pooled values, `labels` the names of the others by falling frequency. Both None: nothing can be learned.
    """

    name: str
    type: DataType
    null_rate: float
    values: Floats | None = None
    shared: Bools | None = None
    step: float | None = None
    codes: Ints | None = None
    labels: tuple[str, ...] = ()
    pooled: float = 0.0
    """share of rows whose category was pooled"""
    note: str = ""

    @property
    def constant(self) -> bool:
        """Whether it carries no information about other columns."""
        if self.values is not None:
            present = self.values[~np.isnan(self.values)]
            return self.null_rate == 0 and bool(np.all(present == present[0]))
        return self.codes is None or (len(self.labels) + (self.null_rate > 0)) < 2


def target_plans(table: TablePlan) -> list[ColumnPlan]:
    """Columns to synthesize, in input order."""
    return [column for column in table.columns if isinstance(column.action, Synthesize)]


def given_plans(table: TablePlan, names: Sequence[str]) -> list[ColumnPlan]:
    """Released columns that may condition the targets: no keys, no references, no direct identifiers, no pseudonyms, no text."""
    keys = {*table.key, *(reference.column for reference in table.references)}
    if table.classes is not None and table.classes.unit is not None:
        keys.add(table.classes.unit)
    return [
        column
        for column in table.columns
        if isinstance(column.action, _GIVEN_ACTIONS)
        and column.role is not Role.DIRECT
        and column.name not in keys
        and column.name in names
        and column.output_type in _NUMERIC | _CATEGORICAL
    ]


def training_rows(frame: pl.LazyFrame, names: Sequence[str], max_rows: int) -> pl.DataFrame:
    """The `max_rows` rows with the smallest words, in the order of their words: the same rows in any input order."""
    present = frame.collect_schema().names()
    missing = [word for word in WORDS if word not in present]
    if missing:
        raise PlanError("no_row_words", "The rows have no keyed identity: the proxy model cannot choose its training rows.")
    wanted = [*dict.fromkeys([*names, *WORDS, *([UNIT] if UNIT in present else [])])]
    rows = frame.select(cs.by_name(*wanted)).bottom_k(max_rows, by=cs.by_name(*WORDS)).collect(engine="streaming")
    return rows.sort(cs.by_name(*WORDS), maintain_order=True)


def column_of(rows: pl.DataFrame, name: str) -> pl.Series:
    """A column by its exact name, under a harmless one: polars reads ^...$ as a pattern even in methods of series."""
    return rows.to_series(rows.columns.index(name)).alias("value")


def person_codes(rows: pl.DataFrame) -> Ints | None:
    """Codes of persons from 0; None without a unit column. Rows of no person count as one person: never too many."""
    if UNIT not in rows.columns:
        return None
    # Dense ranks of text do not depend on the order of rows; the ranks themselves never leave this function's callers.
    ranks = rows.get_column(UNIT).cast(pl.String).rank("dense").fill_null(0)
    return ranks.to_numpy().astype(np.int64)


def prepare(series: pl.Series, name: str, kind: DataType, persons: Ints | None, k: int) -> Column:
    """One column after hygiene."""
    present = series.is_not_null().to_numpy()
    empty = Column(name, kind, 1.0, note=f"fewer than {2 * k} values: sampled as null")
    if len(series) == 0 or count_persons(persons, present) < 2 * k or int(present.sum()) < 2 * k:
        return empty
    if kind in _CATEGORICAL:
        return _prepare_categories(series, name, kind, persons, k)
    if kind in _NUMERIC:
        return _prepare_numbers(series, name, kind, persons, k) or empty
    raise PlanError("cannot_synthesize", f"Column '{clean_name(name)}' is of a type that cannot be synthesized ({kind.value}).")


def _prepare_categories(series: pl.Series, name: str, kind: DataType, persons: Ints | None, k: int) -> Column:
    text = series.cast(pl.String)
    names = text.drop_nulls().unique().sort()
    lookup = pl.Series(np.arange(len(names)), dtype=pl.Int64)
    codes = text.replace_strict(names, lookup, default=-1, return_dtype=pl.Int64).fill_null(-1).to_numpy().astype(np.int64)
    mapping = np.append(pool_rare(codes, len(names), persons, k, _MAX_CATEGORIES), -1)
    pooled = float(np.mean((codes >= 0) & (mapping[codes] < 0)))
    safe = mapping[codes]
    labels = [""] * int(safe.max() + 1)
    for old in np.flatnonzero(mapping[:-1] >= 0):
        labels[mapping[old]] = names[int(old)]
    if not labels:
        return Column(name, kind, 1.0, pooled=pooled, note=f"no category of at least {k} persons: sampled as null")
    note = "rare categories pooled" if pooled else ""
    nulls = safe < 0
    if nulls.any() and count_persons(persons, nulls) < k:
        # Too few to be told: they take the place of other rows' values, in the keyed order of rows.
        safe = np.where(nulls, _filler(safe, ~nulls), safe)
        nulls = np.zeros_like(nulls)
    return Column(name, kind, float(nulls.mean()), codes=safe, labels=tuple(labels), pooled=pooled, note=note)


def _prepare_numbers(series: pl.Series, name: str, kind: DataType, persons: Ints | None, k: int) -> Column | None:
    raw = as_floats(series, kind)
    present = np.isfinite(raw)
    inside = None if persons is None else persons[present]
    if int(present.sum()) < 2 * k or count_persons(persons, present) < 2 * k:
        return None
    values = np.clip(raw[present], -_HUGE, _HUGE)
    seconds = kind is DataType.DATETIME
    step = grid_step(values, inside, k, whole=kind in {DataType.INTEGER, DataType.DATE}, seconds=seconds)
    if kind in {DataType.INTEGER, DataType.DATE}:
        step = step or 1.0
    safe = safe_numbers(values, inside, k)
    full, shared = np.full(len(raw), np.nan), np.zeros(len(raw), dtype=np.bool_)
    full[present], shared[present] = safe.values, safe.shared
    nulls = ~present
    if nulls.any() and count_persons(persons, nulls) < k:
        fill = _filler(np.arange(len(raw)), present)
        full, shared, nulls = full[fill], shared[fill], np.zeros_like(nulls)
    return Column(name, kind, float(nulls.mean()), values=full, shared=shared, step=step)


def as_floats(series: pl.Series, kind: DataType) -> Floats:
    """Numbers as they are, dates as days, datetimes as seconds since 1970; NaN for null."""
    if kind is DataType.DATE:
        series = series.cast(pl.Date).cast(pl.Int32)
    elif kind is DataType.DATETIME:
        series = series.dt.replace_time_zone(None).dt.cast_time_unit("us").to_physical().cast(pl.Float64) / 1e6
    return series.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)


def _filler(items: Ints, present: Bools) -> Ints:
    """`items`, where absent the item of a present row chosen evenly over the (keyed) order of rows."""
    source = np.flatnonzero(present)
    absent = np.flatnonzero(~present)
    out = items.copy()
    out[absent] = items[source[(np.arange(len(absent)) * len(source)) // max(1, len(absent))]]
    return out


def choose_given(given: list[Column], targets: list[Column], limit: int) -> tuple[list[Column], list[str]]:
    """The given columns that say most about any target, in input order, and sentences about those left out."""
    notes = []
    usable = []
    for column in given:
        if column.constant:
            continue
        if column.codes is not None and (len(column.labels) > _MAX_GIVEN_CATEGORIES or column.pooled > 0.5):
            notes.append(f"'{clean_name(column.name)}' is not used to condition: too many different values.")
            continue
        usable.append(replace(column, note=""))
    if len(usable) > limit:
        bins = {column.name: _bins(column) for column in [*usable, *targets]}
        strength = {
            column.name: max((_cramers_v(bins[column.name], bins[target.name]) for target in targets), default=0.0) for column in usable
        }
        best = sorted(strength, key=lambda name: -round(strength[name], 6))[:limit]
        left = len(usable) - limit
        usable = [column for column in usable if column.name in best]
        notes.append(f"{left} weakly associated columns are not used to condition the proxies.")
    return usable, notes


def _bins(column: Column, count: int = 20) -> Ints:
    """At most `count` + 1 codes from 0: nulls first, then categories (the rest as one) or equally filled bands."""
    if column.codes is not None:
        return np.minimum(column.codes, count - 1) + 1
    if column.values is None:
        return np.zeros(0, dtype=np.int64)
    present = ~np.isnan(column.values)
    edges = np.quantile(column.values[present], np.arange(1, count // 2) / (count // 2))
    return np.where(present, np.searchsorted(edges, np.where(present, column.values, 0.0), side="left") + 1, 0)


def _cramers_v(a: Ints, b: Ints) -> float:
    """Cramér's V with Bergsma's bias correction (Bergsma 2013, J. Korean Stat. Soc. 42:323)."""
    if len(a) == 0 or len(b) == 0:
        return 0.0
    rows, columns = int(a.max()) + 1, int(b.max()) + 1
    counts = np.bincount(a * columns + b, minlength=rows * columns).reshape(rows, columns).astype(np.float64)
    counts = counts[counts.sum(1) > 0][:, counts.sum(0) > 0]
    n, (r, c) = counts.sum(), counts.shape
    expected = counts.sum(1, keepdims=True) * counts.sum(0, keepdims=True) / n
    phi = float(((counts - expected) ** 2 / expected).sum() / n)
    phi = max(0.0, phi - (r - 1) * (c - 1) / (n - 1))
    side = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return float(np.sqrt(phi / side)) if side > 0 else 0.0

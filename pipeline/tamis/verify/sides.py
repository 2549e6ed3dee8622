"""Both sides of a table in one space: the input recoded as the release is, and the release, under names that are safe.

Ordered values are numbers, all others text, NaN is null. Columns whose released values say nothing of the originals by design (tokens,
shifted dates, redacted text, identifiers) have no such space; proxies (`Synthesize`, `Fake`) have one, but are not recoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import polars_hash  # noqa: F401  # registers the `nchash` namespace
from numpy.typing import NDArray

from tamis.core.actions import Fake, Generalize, Keep, SuppressRare, Synthesize, TopBottomCode
from tamis.core.plan import ColumnPlan, TablePlan
from tamis.core.types import DataType, Table
from tamis.encoding import canonical, exact_column
from tamis.verify.relabel import label, with_cells

ORDERED = frozenset({DataType.INTEGER, DataType.NUMBER, DataType.DATE, DataType.DATETIME, DataType.DURATION, DataType.TIME})
_NOTHING = frozenset({DataType.BINARY, DataType.EMPTY})
_AT_ONCE = 1_000_000
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Side:
    """One column: it is called `alias` in the frames of both sides."""

    name: str
    alias: str
    ordered: bool
    """numbers (Float64) in both frames; else text"""
    proxy: bool
    """the released value is drawn, not derived from the row's own"""
    modelled: bool
    """drawn by a proxy model (`Synthesize`), and so related to what stays"""


def recoded_sides(
    table: Table, after: pl.LazyFrame, plan: TablePlan, *, raw: bool = False
) -> tuple[tuple[Side, ...], pl.LazyFrame, pl.LazyFrame]:
    """The columns that have a space, the recoded input and the release in it; with `raw` also the input as it was, `raw_<alias>`."""
    sides: list[Side] = []
    left: list[pl.Expr] = []
    right: list[pl.Expr] = []
    schema_before, schema_after = table.frame.collect_schema(), after.collect_schema()
    for column in plan.columns:
        if column.name not in schema_after or not _has_space(column):
            continue
        alias, proxy = f"c{len(sides)}", isinstance(column.action, Synthesize | Fake)
        ordered = column.type in ORDERED and column.output_type is column.type
        own = schema_before[column.name]
        source = canonical(column.name, column.type) if isinstance(column.action, Fake) else exact_column(column.name)
        source = source if proxy else label(column, plan)
        left.append(in_space(source, own if ordered else pl.String(), ordered=ordered).alias(alias))
        right.append(in_space(exact_column(column.name), schema_after[column.name], ordered=ordered).alias(alias))
        if raw:
            left.append(in_space(exact_column(column.name), own, ordered=column.type in ORDERED).alias(f"raw_{alias}"))
        sides.append(Side(column.name, alias, ordered, proxy, isinstance(column.action, Synthesize)))
    return tuple(sides), with_cells(table.frame, plan).select(left), after.select(right)


def _has_space(column: ColumnPlan) -> bool:
    known = isinstance(column.action, Keep | Generalize | SuppressRare | TopBottomCode | Synthesize | Fake)
    return known and column.type not in _NOTHING


def in_space(column: pl.Expr, dtype: pl.DataType, *, ordered: bool) -> pl.Expr:
    """Ordered values as numbers (dates as days, times as microseconds), the others as text; NaN is null."""
    if not ordered:
        return (column.fill_nan(None) if dtype.is_float() else column).cast(pl.String)
    if isinstance(dtype, pl.Datetime):
        column = column.cast(pl.Datetime("us"))
    number = column.to_physical() if dtype.is_temporal() else column
    return number.cast(pl.Float64, strict=False).fill_nan(None)


# ------------------------------------------------------------------------------------------------------------------------ samples


def row_hash(columns: Sequence[pl.Expr]) -> pl.Expr:
    """xxHash64 of a row over these columns: in memory only, within one process."""
    fields = [column.cast(pl.String).fill_null("\u0000") for column in columns]
    hashed: pl.Expr = pl.concat_str(fields, separator="\u0001").nchash.xxhash64()  # type: ignore[attr-defined]
    return hashed


def sample_rows(frame: pl.LazyFrame, size: int) -> pl.DataFrame:
    """At most `size` rows, whatever the order of the rows: those with the smallest hash of (values, occurrence number).

    Rows that have a hash `h` of their own values already are chosen by that; then only the chosen ones are computed.
    """
    names = [name for name in frame.collect_schema().names() if name != "h"]
    hashed = frame if "h" in frame.collect_schema() else frame.with_columns(h=row_hash([pl.col(name) for name in names]))
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
        ranks = np.append(ranks, mixed(part + (place - begins).astype(np.uint64) * _GOLDEN))
        if len(kept) > size:
            best = np.argpartition(ranks, size)[:size]
            kept, ranks = kept[best], ranks[best]
    return kept


def mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of SplitMix64 (Steele, Lea and Flood 2014)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    out: NDArray[np.uint64] = words ^ (words >> np.uint64(31))
    return out


def in_any_order(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows in an order that has nothing to do with their values, and is the same in every run."""
    return rows[np.random.default_rng(0).permutation(rows.height)]


# -------------------------------------------------------------------------------------------------------------------------- links


@dataclass(frozen=True, slots=True)
class Linked:
    """Rows of the input and of the release that belong together: row i of one is row i of the other, in no order of values."""

    before: pl.DataFrame
    after: pl.DataFrame
    rows: int
    """released rows that can be linked so; the frames hold a sample of them"""


def linked_rows(sides: Sequence[Side], before: pl.LazyFrame, after: pl.LazyFrame, size: int) -> Linked | None:
    """Link rows that are alone, before and after, in what the release leaves of the row itself (everything but proxies).

    Whoever has the input can do the same; neither the key nor the order of rows is needed. None when nothing of a row stays.
    """
    stays = [pl.col(side.alias) for side in sides if not side.proxy]
    if not stays:
        return None
    both = [frame.with_columns(cell=row_hash(stays)) for frame in (before, after)]
    alone = [_alone(frame.select("cell").collect(engine="streaming").to_series().to_numpy()) for frame in both]
    cells = np.intersect1d(alone[0], alone[1], assume_unique=True)
    order = np.argsort(mixed(cells), kind="stable")[:size]
    chosen = pl.DataFrame({"cell": cells[order]}).with_row_index("place")
    return Linked(_in_order(both[0], chosen), _in_order(both[1], chosen), len(cells))


def _in_order(frame: pl.LazyFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    rows = frame.filter(pl.col("cell").is_in(chosen["cell"].implode())).collect(engine="streaming")
    return rows.join(chosen, on="cell").sort("place").drop("cell", "place")


def _alone(cells: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values, counts = np.unique(cells, return_counts=True)
    alone: NDArray[np.uint64] = values[counts == 1]
    return alone

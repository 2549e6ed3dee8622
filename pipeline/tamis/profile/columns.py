"""One column: counted value by value, or as sorted 64-bit keys, or (very big and far from unique) estimated."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import polars_hash  # noqa: F401  # registers the `nchash` namespace

from tamis.core.types import ColumnProfile, DataType
from tamis.profile.bounds import number_bounds, year_bounds
from tamis.profile.limits import Limits
from tamis.profile.normal import NUMERIC, Facts
from tamis.profile.shapes import count_masks, top_shapes
from tamis.profile.tally import Counts, Tally, six_digits

Shapes = tuple[tuple[str, int], ...]
Keys = npt.NDArray[np.int64] | npt.NDArray[np.uint64] | npt.NDArray[np.float64]

_ODD_SPACE = r"\s\s|^\s|\s$|[^\S ]"
_MOST_HASH = 2**64 - 1
_ORDERED = NUMERIC | {DataType.DATE, DataType.DATETIME}


@dataclass(frozen=True, slots=True)
class Measured:
    """A column profile and what other measures need besides."""

    profile: ColumnProfile
    grouped: bool
    """whether the distinct values are few enough to be collected"""
    agreement: float
    """chance that two random rows agree on this column, null being a value like any other"""


def measure_column(frame: pl.LazyFrame, rows: int, facts: Facts, anchor: str | None, k: int, limits: Limits) -> Measured:
    """Everything about one column of the normal frame. `anchor` is another column, as unlike from row to row as there is."""
    tally = Tally(k)
    text: dict[str, int | float | None] = {}
    shapes: Shapes = ()
    exact, counted, grouped = True, True, False
    kind = facts.column.type
    if facts.present:
        grouped = _can_group(facts, limits)
        unique = kind is DataType.TEXT and _is_nearly_unique(frame, facts, limits)
        if grouped and not unique and kind not in _ORDERED:
            values = frame.select(facts.safe).drop_nulls().group_by(facts.safe).agg(pl.len().cast(pl.Int64).alias("n"))
            counts = values.collect(engine="streaming")
            tally.add_counts(counts["n"].to_numpy())
            if kind is DataType.TEXT:
                text, shapes = _text_of_groups(counts, facts.safe, k, limits)
        else:
            exact, counted = _tally_keys(tally, frame, rows, facts, limits)
            if kind is DataType.TEXT:
                text = _lengths(frame.select(facts.safe).drop_nulls(), facts.safe, pl.lit(1, dtype=pl.Int64), facts.present)
                shapes = _shapes_of_rows(frame, facts, None if unique else anchor, k, limits)
    profile = _profile(rows, facts, tally, counted=counted, exact=exact)
    nulls = rows - facts.present
    agreement = (tally.sum_of_squares + nulls * nulls) / (rows * rows) if rows and counted else 0.0
    return Measured(profile.model_copy(update={**text, "shapes": shapes}), grouped, agreement)


def _can_group(facts: Facts, limits: Limits) -> bool:
    """Whether the distinct values fit the bounds on their number and bytes."""
    mean_bytes = facts.size / facts.present
    return facts.estimate <= limits.grouped_values and facts.estimate * mean_bytes <= limits.grouped_bytes


def _is_nearly_unique(frame: pl.LazyFrame, facts: Facts, limits: Limits) -> bool:
    """Whether a big text column hardly repeats: it is cheaper to sort its hashes than to collect its values.

    Estimated from the distinct hashes below a threshold (Bar-Yossef et al. 2002, RANDOM: distinct values by a hash threshold).
    """
    if facts.present <= limits.sketched_rows or facts.estimate < limits.near_unique * facts.present:
        return False
    share = max(1, facts.present // limits.sketched_rows)
    hashed = frame.select(hash_of(pl.col(facts.safe)).alias("h")).filter(pl.col("h") <= pl.lit(_MOST_HASH // share, dtype=pl.UInt64))
    distinct: int = hashed.select(pl.col("h").n_unique()).collect(engine="streaming").item()
    return distinct * share >= limits.near_unique * facts.present


def _profile(rows: int, facts: Facts, tally: Tally, *, counted: bool, exact: bool) -> ColumnProfile:
    kind = facts.column.type
    low: float | str | None = None
    high: float | str | None = None
    bounds = tally.kth() if kind in _ORDERED else None
    if bounds is not None and kind in NUMERIC:
        low, high = number_bounds(*bounds, integer=kind is DataType.INTEGER)
    elif bounds is not None:
        low, high = year_bounds(int(bounds[0]), int(bounds[1]), kind)
    numeric = kind in NUMERIC and facts.present > 0
    states = tally.distinct + (rows > facts.present)
    return ColumnProfile(
        name=facts.column.name,
        type=kind,
        rows=rows,
        nulls=rows - facts.present,
        distinct=tally.distinct,
        distinct_exact=exact,
        singletons=tally.singletons if counted else None,
        rare_values=tally.rare_values if counted else None,
        rare_rows=tally.rare_rows if counted else None,
        low=low,
        high=high,
        mean=tally.mean(exact=kind is DataType.INTEGER) if numeric else None,
        std=tally.std() if numeric else None,
        zeros=tally.zeros if numeric else None,
        constant=rows > 0 and states == 1,
    )


# ------------------------------------------------------------------------------------------------------------- counted by value


def _text_of_groups(counts: pl.DataFrame, name: str, k: int, limits: Limits) -> tuple[dict[str, int | float | None], Shapes]:
    text = _lengths(counts.lazy(), name, pl.col("n"), int(counts["n"].sum()))
    every = math.ceil(len(counts) / limits.shape_sample) if len(counts) > limits.shape_rows else 1
    rows = counts.lazy()
    if every > 1:  # frequent values as they are, of the others a stable sample, scaled up
        rare = pl.col("n") < every
        chosen = rows.filter(~rare | (hash_of(pl.col(name)) // 2**32 % every == 0))
        rows = chosen.with_columns(pl.when(rare).then(pl.col("n") * every).otherwise("n").alias("n"))
    masks = count_masks(rows, pl.col(name), pl.col("n"))
    shapes = top_shapes(masks.iter_rows(), k=k * every, most=limits.shapes)
    return text, shapes if every == 1 else _scaled(shapes, int(counts["n"].sum()), int(masks["n"].sum()))


def _lengths(frame: pl.LazyFrame, name: str, weight: pl.Expr, rows: int) -> dict[str, int | float | None]:
    """Lengths in characters and words (runs of non-space); sums of integers, so their order does not matter."""
    value = pl.col(name)
    chars = value.str.len_chars().cast(pl.Int64)
    found = frame.select(
        chars.min().alias("low"),
        chars.max().alias("high"),
        (chars * weight).sum().alias("chars"),
        value.str.contains(_ODD_SPACE).any().alias("odd"),
    ).collect(engine="streaming")
    low, high, chars_sum, odd = found.row(0)
    # Where blanks are single and between words, they need only be counted.
    words = value.str.count_matches(r"\S+") if odd else value.str.count_matches(" ", literal=True) + (value != "").cast(pl.UInt32)
    words_sum: int = frame.select((words.cast(pl.Int64) * weight).sum()).collect(engine="streaming").item()
    return {
        "length_min": low,
        "length_max": high,
        "length_mean": six_digits(chars_sum / rows),
        "words_mean": six_digits(words_sum / rows),
    }


# -------------------------------------------------------------------------------------------------------- counted as 64-bit keys


def _tally_keys(tally: Tally, frame: pl.LazyFrame, rows: int, facts: Facts, limits: Limits) -> tuple[bool, bool]:
    """Add a column with many values; (whether distinct is exact, whether every value was counted).

    Numbers and times are their own keys: exact. Text is hashed (xxh3, 64 bits): different hashes mean different values, so a column
    whose hashes all differ is exactly unique; where few hashes repeat, the values behind them are compared; where many do, the
    figures rest on the hashes (n^2 / 2^65 expected collisions) and count as an estimate.
    """
    passes = math.ceil(facts.present / limits.keys_per_pass)
    may_be_key = facts.present == rows and facts.estimate >= limits.near_unique * rows
    if passes > limits.passes and not may_be_key:
        tally.distinct = facts.estimate
        _tally_stream(tally, frame, facts)
        return False, False
    hashed = facts.column.type in (DataType.TEXT, DataType.BINARY)
    value = pl.col(facts.safe)
    key = hash_of(value) if hashed else value
    exact = True
    for part in range(passes):
        piece = frame.select(value).drop_nulls()
        if passes > 1:
            piece = piece.filter(hash_of(value.cast(pl.String)) // 2**32 % passes == part)
        keys = piece.select(key).collect(engine="streaming").to_series()
        if not hashed:  # a hash is unsigned; everything else is a number of its own
            keys = keys.cast(pl.Float64 if keys.dtype == pl.Float64 else pl.Int64)
        sorted_keys: Keys = keys.sort().to_numpy()
        del keys
        starts = (
            np.flatnonzero(np.concatenate(([True], sorted_keys[1:] != sorted_keys[:-1]))) if len(sorted_keys) else np.zeros(0, np.int64)
        )
        counts = np.diff(starts, append=len(sorted_keys)).astype(np.int64)
        values = sorted_keys[starts]
        del sorted_keys, starts
        if hashed:
            exact &= _tally_hashes(tally, piece, facts.safe, values, counts, limits)
        else:
            tally.add_counts(counts)
            if facts.column.type in _ORDERED:
                tally.add_numbers(values, counts)
    return exact, True


def _tally_hashes(tally: Tally, piece: pl.LazyFrame, name: str, hashes: Keys, counts: Counts, limits: Limits) -> bool:
    """Add text by its hashes; True where the result is exact."""
    repeated = hashes[counts > 1]
    if counts[counts > 1].sum() > limits.compared_rows:
        tally.add_counts(counts)
        return False
    if len(repeated):
        suspects = piece.filter(hash_of(pl.col(name)).is_in(pl.Series(repeated).implode()))
        true_counts = suspects.group_by(name).agg(pl.len().cast(pl.Int64).alias("n")).select("n").collect(engine="streaming")
        tally.add_counts(true_counts.to_series().to_numpy())
    tally.add_counts(counts[counts == 1])
    return True


def hash_of(value: pl.Expr) -> pl.Expr:
    """64 bits of a text, the same on every machine; not secret, and stored nowhere."""
    hashed: pl.Expr = value.nchash.xxh3_64()  # type: ignore[attr-defined]  # namespace of polars-hash
    return hashed


def _tally_stream(tally: Tally, frame: pl.LazyFrame, facts: Facts) -> None:
    """Moments and extremes of a column too big to be counted: order of summation is polars' own, hidden by the rounding."""
    if facts.column.type not in _ORDERED:
        return
    value = pl.col(facts.safe)
    finite = frame.select(value).drop_nulls()
    if facts.column.type is DataType.NUMBER:
        finite = finite.filter(value.is_finite())
    found = finite.select(
        pl.len().cast(pl.Int64).alias("n"),
        (value == 0).cast(pl.Int64).sum().alias("zeros"),
        value.mean().alias("mean"),
        value.std().alias("std"),
    ).collect(engine="streaming")
    lows = finite.bottom_k(tally.k, by=facts.safe).collect(engine="streaming").to_series().to_list()
    highs = finite.top_k(tally.k, by=facts.safe).collect(engine="streaming").to_series().to_list()
    n, zeros, mean, std = found.row(0)
    tally.adopt(n, zeros, mean, std, lows, highs)


# ----------------------------------------------------------------------------------------------------------------- shapes of rows


def _shapes_of_rows(frame: pl.LazyFrame, facts: Facts, anchor: str | None, k: int, limits: Limits) -> Shapes:
    """Shapes of a text column that was not grouped; from a sample where there are many rows.

    The sample is chosen by the hash of the value together with that of `anchor`: it does not depend on the order of rows, and
    a frequent value is not taken or left as a whole. Sampled rows are scaled up; a shape needs k rows in the sample itself.
    """
    value = pl.col(facts.safe)
    text = frame.filter(value.is_not_null())
    every = math.ceil(facts.present / limits.shape_sample) if facts.present > limits.shape_rows else 1
    if every > 1:
        row = value if anchor is None else pl.concat_str(value, pl.lit("|"), pl.col(anchor).cast(pl.String), ignore_nulls=True)
        text = text.filter(hash_of(row) // 2**32 % every == 0)
    masks = count_masks(text, value, pl.lit(1, dtype=pl.Int64))
    shapes = top_shapes(masks.iter_rows(), k=k, most=limits.shapes)
    return shapes if every == 1 or not len(masks) else _scaled(shapes, facts.present, int(masks["n"].sum()))


def _scaled(shapes: Shapes, rows: int, sampled: int) -> Shapes:
    return tuple((shape, round(n * rows / sampled)) for shape, n in shapes)

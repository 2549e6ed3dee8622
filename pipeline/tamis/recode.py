"""Recodings as expressions: the one meaning of every rung of a generalization ladder, shared by search and transform.

Every recoding is elementwise and its label depends on the value alone, so that a frame in any order, batch size or number of
partitions gets the same labels. Null stays null, except at the top of a ladder, where one label stands for all; NaN is null.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import assert_never

import polars as pl

from tamis.core.actions import (
    NUMERIC,
    TEMPORAL,
    AgeBand,
    AnyRecode,
    AsCell,
    AsIs,
    CategoryMap,
    DatePart,
    Everything,
    NumberBand,
    NumberCuts,
    Prefix,
)
from tamis.core.errors import PlanError, clean_name
from tamis.core.types import DataType
from tamis.encoding import canonical as canonical_column
from tamis.encoding import exact_column

__all__ = ["canonical_column", "exact_column", "recode_expression"]

_GRID_DIGITS = 12
"""decimals up to which the edges of bands are rounded to the grid a person wrote"""


def recode_expression(name: str, kind: DataType, recode: AnyRecode) -> pl.Expr:
    """The recoded column, named like the column; `kind` is its logical type, which the frame's column has.

    Text (String) for every recoding but `AsIs`, which gives the value itself. Raises PlanError where a recoding has no meaning for
    the type, e.g. a part of a date for a number, and for `AsCell`, which is no function of one value.
    """
    column = exact_column(name)
    if isinstance(recode, AsIs):
        return column.fill_nan(None).alias(name) if kind is DataType.NUMBER else column
    if kind is DataType.EMPTY and not isinstance(recode, Everything):
        return column.cast(pl.String)
    match recode:
        case NumberBand():
            _demand(kind in NUMERIC, name, kind, "bands of numbers")
            whole = kind is DataType.INTEGER and float(recode.width).is_integer() and float(recode.origin).is_integer()
            label = _integer_band(column, recode) if whole else _number_band(column, recode)
        case NumberCuts():
            _demand(kind in NUMERIC, name, kind, "bands of numbers")
            label = _between_cuts(column, recode, whole=kind is DataType.INTEGER)
        case DatePart():
            _demand(kind in TEMPORAL, name, kind, "parts of dates")
            label = _date_part(column, recode)
        case AgeBand():
            _demand(kind in TEMPORAL, name, kind, "age bands")
            label = _age_band(column, recode)
        case Prefix():
            label = _prefix(_zip_code(name, kind) if recode.restricted else canonical_column(name, kind), recode)
        case CategoryMap():
            label = _category(canonical_column(name, kind), recode)
        case Everything():
            # One label, absence included: at the top of its ladder a column splits no class.
            label = pl.when(column.is_null()).then(pl.lit("*")).otherwise(pl.lit("*"))
        case AsCell():
            raise PlanError(
                "local_recoding", f"What '{clean_name(name)}' becomes depends on the whole row (local recoding), not on its value alone."
            )
        case _:
            assert_never(recode)
    return label.cast(pl.String).alias(name)


def _demand(fits: bool, name: str, kind: DataType, what: str) -> None:
    if not fits:
        raise PlanError(
            "impossible_recoding",
            f"Column '{clean_name(name)}' is of type {kind.value}: it has no {what}.",
            hint="State another generalization for it in the policy, or read it as the type it is meant to be (read.types).",
        )


# ----------------------------------------------------------------------------------------------------------------------- numbers


def _integer_band(column: pl.Expr, recode: NumberBand) -> pl.Expr:
    """'30-39', with width 1 '30'; computed in 128 bits, so that the extremes of 64-bit integers do not wrap around."""
    value, width, origin = column.cast(pl.Int128), int(recode.width), int(recode.origin)
    start = (value - origin).floordiv(width) * width + origin
    end = start + (width - 1)
    if recode.lower is not None:  # bands that an open end cuts are named by what is left of them: labels never overlap
        start = pl.max_horizontal(start, pl.lit(-int(-recode.lower // 1), dtype=pl.Int128))
    if recode.upper is not None:
        end = pl.min_horizontal(end, pl.lit(-int(-recode.upper // 1) - 1, dtype=pl.Int128))
    start, end = start.cast(pl.String), end.cast(pl.String)
    label = pl.when(start == end).then(start).otherwise(start + pl.lit("-") + end)
    return _open_ends(column, recode, pl.when(value.is_not_null()).then(label))


def _number_band(column: pl.Expr, recode: NumberBand) -> pl.Expr:
    """'[0.5, 1)'. Edges are grid points rounded to the decimals of `width` and `origin`; a value always lies in its own band."""
    value = column.cast(pl.Float64).fill_nan(None)
    digits = min(_GRID_DIGITS, max(_decimals(recode.width), _decimals(recode.origin)))

    def edge(index: pl.Expr) -> pl.Expr:
        # Rounding scales by a power of ten: where that is not exact any more, the edge is left as computed.
        raw = index * recode.width + recode.origin
        return pl.when(raw.abs() < 2.0**53 / 10**digits).then(raw.round(digits)).otherwise(raw) + 0.0

    index = ((value - recode.origin) / recode.width).floor()
    # Division rounds: 0.3 / 0.1 is below 3. One step to either side puts the value between its edges.
    index = index + (value >= edge(index + 1)).cast(pl.Float64) - (value < edge(index)).cast(pl.Float64)
    start, end = edge(index), edge(index + 1)
    inside = (start <= value) & (value < end)
    if recode.lower is not None:
        start = pl.max_horizontal(start, pl.lit(recode.lower))
    if recode.upper is not None:
        end = pl.min_horizontal(end, pl.lit(recode.upper))
    band = pl.lit("[") + _decimal(start) + pl.lit(", ") + _decimal(end) + pl.lit(")")
    # Infinities, and numbers so large that the band is narrower than their precision, stand for themselves.
    single = pl.lit("[") + _decimal(value) + pl.lit(", ") + _decimal(value) + pl.lit("]")
    return _open_ends(value, recode, pl.when(inside).then(band).when(value.is_not_null()).then(single))


def _between_cuts(column: pl.Expr, recode: NumberCuts, *, whole: bool) -> pl.Expr:
    """'30-39' for integers between edges that are integers, else '[30, 40)'; '<30' and '>=90' at the ends."""
    edges = recode.edges
    whole = whole and all(edge.is_integer() for edge in edges)
    labels = [f"<{_shortest(edges[0])}"]
    for low, high in pairwise(edges):
        if whole:
            labels.append(_shortest(low) if high == low + 1 else f"{_shortest(low)}-{_shortest(high - 1)}")
        else:
            labels.append(f"[{_shortest(low)}, {_shortest(high)})")
    labels.append(f">={_shortest(edges[-1])}")
    band = band_number(column, edges)
    return band.replace_strict(list(range(len(labels))), labels, default=None, return_dtype=pl.String)


def band_number(column: pl.Expr, edges: Sequence[float]) -> pl.Expr:
    """How many edges a number reaches: 0 below the first, `len(edges)` from the last on; null for null and NaN."""
    value = column.cast(pl.Float64).fill_nan(None)
    reached = pl.lit(0, dtype=pl.UInt32)
    for edge in edges:
        reached = reached + (value >= edge).cast(pl.UInt32)
    return pl.when(value.is_not_null()).then(reached)


def _shortest(edge: float) -> str:
    """Shortest decimal text of an edge, without a trailing '.0'; '0' for both zeros."""
    return str(int(edge)) if edge.is_integer() and abs(edge) < 1e16 else repr(edge)


def _open_ends(value: pl.Expr, recode: NumberBand, label: pl.Expr) -> pl.Expr:
    if recode.upper is not None:
        label = pl.when(value >= recode.upper).then(pl.lit(">=") + _decimal(pl.lit(recode.upper))).otherwise(label)
    if recode.lower is not None:
        label = pl.when(value < recode.lower).then(pl.lit("<") + _decimal(pl.lit(recode.lower))).otherwise(label)
    return label


def _decimals(number: float) -> int:
    """Decimals of the shortest text of a number."""
    exponent = Decimal(repr(float(number))).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _decimal(value: pl.Expr) -> pl.Expr:
    """Shortest decimal text that reads back as the number, without a trailing '.0'; '0' for both zeros."""
    return (value + 0.0).cast(pl.String).str.strip_suffix(".0")


# ------------------------------------------------------------------------------------------------------------------ dates and text


def _date_part(column: pl.Expr, recode: DatePart) -> pl.Expr:
    year = column.dt.year()
    match recode.unit:
        case "year":
            return _year(year)
        case "day":
            return column.dt.strftime("%Y-%m-%d")
        case "month":
            return _year(year) + pl.lit("-") + column.dt.month().cast(pl.String).str.zfill(2)
        case "quarter":
            return _year(year) + pl.lit("-Q") + column.dt.quarter().cast(pl.String)
        case "5 years":
            return _years(year, 5)
        case "decade":
            return _years(year, 10)
        case _:
            assert_never(recode.unit)


def _years(year: pl.Expr, width: int) -> pl.Expr:
    start = year.floordiv(width) * width
    return _year(start) + pl.lit("-") + _year(start + (width - 1))


def _year(year: pl.Expr) -> pl.Expr:
    return year.cast(pl.String).str.zfill(4)


def _age_band(column: pl.Expr, recode: AgeBand) -> pl.Expr:
    """Completed years; who was born on 29 February completes a year on 1 March of common years. '<0' for dates after `as_of`."""
    as_of = recode.as_of
    birthday_ahead = (column.dt.month().cast(pl.Int32) * 100 + column.dt.day().cast(pl.Int32)) > as_of.month * 100 + as_of.day
    age = pl.lit(as_of.year, dtype=pl.Int32) - column.dt.year() - birthday_ahead.cast(pl.Int32)
    start = age.floordiv(recode.width) * recode.width
    end = pl.min_horizontal(start + (recode.width - 1), pl.lit(recode.top - 1, dtype=pl.Int32))
    shown, last = start.cast(pl.String), end.cast(pl.String)
    band = pl.when(start == end).then(shown).otherwise(shown + pl.lit("-") + last)
    ends = pl.when(age >= recode.top).then(pl.lit(f"{recode.top}+")).when(age < 0).then(pl.lit("<0"))
    return ends.when(age.is_not_null()).then(band)


def _prefix(text: pl.Expr, recode: Prefix) -> pl.Expr:
    """'123*'; zeros where the code begins like a restricted one."""
    label = pl.when(text.str.len_chars() <= recode.length).then(text).otherwise(text.str.head(recode.length) + pl.lit("*"))
    if recode.restricted:
        listed = pl.any_horizontal(text.str.starts_with(beginning) for beginning in recode.restricted)
        label = pl.when(listed).then(pl.lit("0" * recode.length)).otherwise(label)
    return label


def _zip_code(name: str, kind: DataType) -> pl.Expr:
    """US ZIP codes with the leading zeros that numbers and spreadsheets take away: five digits, or nine of ZIP+4.

    Text of other lengths is left as it is: three digits are a prefix already. What is no number of at most nine digits has no code.
    """
    if kind in NUMERIC:
        whole = exact_column(name).cast(pl.Int64, strict=False)
        digits = pl.when(whole.is_between(0, 999_999_999)).then(whole).cast(pl.String)
        return pl.when(digits.str.len_chars() <= 5).then(digits.str.zfill(5)).otherwise(digits.str.zfill(9))
    text = canonical_column(name, kind)
    return pl.when(text.str.contains(r"^[0-9]{4}(-[0-9]{4})?$")).then(pl.lit("0") + text).otherwise(text)


def _category(text: pl.Expr, recode: CategoryMap) -> pl.Expr:
    parents: dict[str, str] = {}
    for value, parent in recode.parents:
        parents.setdefault(unicodedata.normalize("NFC", value).strip(), parent)
    other = pl.lit(recode.other, dtype=pl.String)
    if not parents:
        return pl.when(text.is_not_null()).then(other)
    known = text.replace_strict(list(parents), list(parents.values()), default=other, return_dtype=pl.String)
    return pl.when(text.is_not_null()).then(known)

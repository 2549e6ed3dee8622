"""The written forms of values in text: which texts are integers, numbers, booleans, dates, times, and how each becomes its type.

A form is strict: a column has it only when every value does. What would not survive the round trip stays text: leading zeros, plus
signs, surrounding spaces, digit strings of more than 18 places, numbers whose whole part a double cannot hold (over 15 places).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from tamis.core.types import DataType

Check = Callable[[pl.Expr], pl.Expr]

_INTEGER = r"^(0|-?[1-9][0-9]{0,17})$"
_NUMBER = r"^-?((0|[1-9][0-9]{0,14})(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_SPECIAL = r"^([+-]?([iI]nf|INF|[iI]nfinity)|[nN]a[nN]|NAN)$"
_TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?$"
_CLOCK = r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
_NAIVE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}" + _CLOCK + "$"
_ZONE = r" ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)$"
_AWARE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}" + _CLOCK + _ZONE


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write values of a type. `matches` gives true or false for every text that is not null; `parse` the typed value."""

    type: DataType
    matches: Check
    parse: Check
    group: str = ""
    """forms of one group exclude each other: when more than one fits the whole column, none does"""


def _like(pattern: str) -> Check:
    return lambda text: text.str.contains(pattern)


def _and_parses(pattern: str, parse: Check) -> Check:
    return lambda text: text.str.contains(pattern) & parse(text).is_not_null()


def _as_integer(text: pl.Expr) -> pl.Expr:
    return text.cast(pl.Int64, strict=False)


def _as_number(text: pl.Expr) -> pl.Expr:
    return text.cast(pl.Float64, strict=False)


def _is_number(text: pl.Expr) -> pl.Expr:
    return (text.str.contains(_NUMBER) & _as_number(text).is_finite()) | text.str.contains(_SPECIAL)


def is_plain_number(text: pl.Expr) -> pl.Expr:
    """Whether a number is finite: a column of nothing but 'Inf' and 'nan' is text."""
    return text.str.contains(r"[0-9]")


def is_wide_integer(text: pl.Expr) -> pl.Expr:
    """Whether an integer has more places than a double holds, so that its column cannot be one of numbers."""
    return text.str.len_bytes() > text.str.starts_with("-").cast(pl.UInt32) + 15


def _as_boolean(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase() == "true"


def _dates(format_: str) -> Check:
    return lambda text: text.str.to_date(format_, strict=False)


def _date_form(pattern: str, format_: str, group: str = "") -> Form:
    parse = _dates(format_)
    return Form(DataType.DATE, _and_parses(pattern, parse), parse, group)


def _with_seconds(clock: pl.Expr) -> pl.Expr:
    return pl.when(clock.str.len_bytes() == 5).then(clock + ":00").otherwise(clock)


def _as_naive(text: pl.Expr) -> pl.Expr:
    whole = text.str.slice(0, 10) + "T" + _with_seconds(text.str.slice(11))
    return whole.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)


def _as_utc(text: pl.Expr) -> pl.Expr:
    clock = text.str.slice(11).str.replace(_ZONE, "")
    zone = text.str.extract(_ZONE, 1).str.replace("^(Z|UTC)$", "+0000").str.replace(":", "", literal=True)
    zone = pl.when(zone.str.len_bytes() == 3).then(zone + "00").otherwise(zone)
    whole = text.str.slice(0, 10) + "T" + _with_seconds(clock) + zone
    return (
        whole.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", strict=False).dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    )


def _as_time(text: pl.Expr) -> pl.Expr:
    return _with_seconds(text).str.to_time("%H:%M:%S%.f", strict=False)


FORMS: Mapping[str, Form] = {
    "integer": Form(DataType.INTEGER, _like(_INTEGER), _as_integer),
    "number": Form(DataType.NUMBER, _is_number, _as_number),
    "boolean": Form(DataType.BOOLEAN, _like("^(true|false|True|False|TRUE|FALSE)$"), _as_boolean),
    "date": _date_form(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "%Y-%m-%d"),
    "date y/m/d": _date_form(r"^[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}$", "%Y/%m/%d"),
    "date d/m/y": _date_form(r"^[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}$", "%d/%m/%Y", "/"),
    "date m/d/y": _date_form(r"^[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}$", "%m/%d/%Y", "/"),
    "date d.m.y": _date_form(r"^[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}$", "%d.%m.%Y", "."),
    "date m.d.y": _date_form(r"^[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}$", "%m.%d.%Y", "."),
    "date d-m-y": _date_form(r"^[0-9]{1,2}-[0-9]{1,2}-[0-9]{4}$", "%d-%m-%Y", "-"),
    "date m-d-y": _date_form(r"^[0-9]{1,2}-[0-9]{1,2}-[0-9]{4}$", "%m-%d-%Y", "-"),
    "datetime": Form(DataType.DATETIME, _and_parses(_NAIVE, _as_naive), _as_naive),
    "datetime utc": Form(DataType.DATETIME, _and_parses(_AWARE, _as_utc), _as_utc),
    "time": Form(DataType.TIME, _and_parses(_TIME, _as_time), _as_time),
}
"""forms that are recognized, the cheapest tests first"""

TEMPORAL = tuple(name for name, form in FORMS.items() if form.type in (DataType.DATE, DataType.DATETIME, DataType.TIME))


def _stated_integer(text: pl.Expr) -> pl.Expr:
    return text.str.strip_chars().str.strip_prefix("+").cast(pl.Int64, strict=False)


def _stated_number(text: pl.Expr) -> pl.Expr:
    return text.str.strip_chars().str.strip_prefix("+").cast(pl.Float64, strict=False)


def _stated_boolean(text: pl.Expr) -> pl.Expr:
    word = text.str.strip_chars().str.to_lowercase()
    return pl.when(word.is_in(["true", "t", "yes", "y", "1"])).then(True).when(word.is_in(["false", "f", "no", "n", "0"])).then(False)


def _parses(parse: Check) -> Check:
    return lambda text: parse(text).is_not_null()


STATED: Mapping[str, Mapping[str, Form]] = {
    "text": {},
    "integer": {"integer": Form(DataType.INTEGER, _parses(_stated_integer), _stated_integer)},
    "number": {"number": Form(DataType.NUMBER, _parses(_stated_number), _stated_number)},
    "boolean": {"boolean": Form(DataType.BOOLEAN, _parses(_stated_boolean), _stated_boolean)},
    "date": {name: form for name, form in FORMS.items() if form.type is DataType.DATE},
    "datetime": {name: form for name, form in FORMS.items() if form.type is DataType.DATETIME},
}
"""forms of a type that a person stated: more generous, since the decision is made"""

DTYPES: Mapping[DataType, pl.DataType] = {
    DataType.TEXT: pl.String(),
    DataType.INTEGER: pl.Int64(),
    DataType.NUMBER: pl.Float64(),
    DataType.BOOLEAN: pl.Boolean(),
    DataType.DATE: pl.Date(),
    DataType.DATETIME: pl.Datetime("us"),
    DataType.TIME: pl.Time(),
    DataType.DURATION: pl.Duration("us"),
    DataType.BINARY: pl.Binary(),
    DataType.EMPTY: pl.String(),
}
"""physical type of every logical one in `Table.frame`"""

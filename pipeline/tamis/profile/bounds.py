"""k-safe bounds: the k-th smallest and largest value, rounded outward to a grid of one hundredth of the range."""

from __future__ import annotations

import math
import sys
from fractions import Fraction

import polars as pl

from tamis.core.types import DataType

_SHARE = Fraction(1, 100)


def number_bounds(low: float, high: float, *, integer: bool) -> tuple[float, float]:
    """Bounds that hold `low` and `high`, on multiples of a step of 1, 2 or 5 times a power of ten.

    The step is the smallest such number of at least a hundredth of the range (of the magnitude where the range is zero), and at
    least 1 for integers. Computed in exact fractions: no overflow, and never rounded inward.
    """
    a, b = Fraction(low), Fraction(high)
    span = b - a or max(abs(a), abs(b))
    step = _nice(span * _SHARE) if span else Fraction(1)
    if integer:
        step = max(step, Fraction(1))
    return _outward(math.floor(a / step) * step, down=True), _outward(math.ceil(b / step) * step, down=False)


def year_bounds(low: int, high: int, kind: DataType) -> tuple[str, str]:
    """ISO years of two dates (days since 1970) or datetimes (microseconds since 1970); the year is the grid."""
    physical = pl.Series([low, high], dtype=pl.Int32 if kind is DataType.DATE else pl.Int64)
    years = physical.cast(pl.Date if kind is DataType.DATE else pl.Datetime("us")).dt.year().to_list()
    return _year(years[0]), _year(years[1])


def _year(year: int) -> str:
    return f"{year:04d}" if year >= 0 else f"-{-year:04d}"


def _nice(least: Fraction) -> Fraction:
    """The smallest 1, 2 or 5 times a power of ten that is at least `least` > 0."""
    power = len(str(least.numerator)) - len(str(least.denominator)) - 1
    base = Fraction(10) ** power
    while True:
        for factor in (1, 2, 5):
            if factor * base >= least:
                return factor * base
        base *= 10


def _outward(bound: Fraction, *, down: bool) -> float:
    """The nearest float on the outer side of an exact bound (the largest finite one where there is none)."""
    try:
        value = float(bound)
    except OverflowError:
        return math.copysign(sys.float_info.max, bound.numerator > 0 or -1)
    if down and Fraction(value) > bound:
        value = math.nextafter(value, -math.inf)
    if not down and Fraction(value) < bound:
        value = math.nextafter(value, math.inf)
    return min(max(value, -sys.float_info.max), sys.float_info.max) + 0.0

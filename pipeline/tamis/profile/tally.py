"""Counts of one column, added up from (values, counts) pairs that do not overlap, in a fixed order.

Sums run over sorted distinct values, never over rows: the same rows in any order give the same floating-point result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]


@dataclass(slots=True)
class Tally:
    """Running counts. `k` decides what is rare and how many extremes are kept."""

    k: int
    distinct: int = 0
    singletons: int = 0
    rare_values: int = 0
    rare_rows: int = 0
    sum_of_squares: int = 0
    """of counts: rows^2 times the chance that two random rows agree (64 bits are enough up to 3e9 rows)"""
    zeros: int = 0
    finite: int = 0
    """rows with a finite number"""
    _mean: float = 0.0
    _m2: float = 0.0
    _scale: int = 0
    """mean and squares are kept of values times 2^-scale, so that they cannot overflow"""
    _int_sum: int = 0
    _lows: list[int | float] = field(default_factory=list)
    _highs: list[int | float] = field(default_factory=list)

    def add_counts(self, counts: Counts) -> None:
        """Distinct values that occur so often."""
        rare = counts[counts < self.k]
        self.distinct += len(counts)
        self.singletons += int((counts == 1).sum())
        self.rare_values += len(rare)
        self.rare_rows += int(rare.sum())
        self.sum_of_squares += int(np.square(counts).sum())

    def add_numbers(self, values: npt.NDArray[Any], counts: Counts) -> None:
        """Distinct numbers, sorted ascending, and their counts; infinities are left out."""
        if values.dtype.kind == "f":
            keep = np.isfinite(values)
            values, counts = values[keep], counts[keep]
        if not len(values):
            return
        self.zeros += int(counts[values == 0].sum())
        self._add_moments(values, counts)
        self._lows = sorted(self._lows + _repeat(values, counts, self.k))[: self.k]
        self._highs = sorted(self._highs + _repeat(values[::-1], counts[::-1], self.k), reverse=True)[: self.k]

    def _add_moments(self, values: npt.NDArray[Any], counts: Counts) -> None:
        """Merge mean and sum of squared deviations (Chan, Golub and LeVeque 1983, The American Statistician 37:242)."""
        n = int(counts.sum())
        if values.dtype.kind in "iu":
            # Exact: high and low halves are summed apart, so that 64-bit sums cannot overflow below 2^31 rows per addition.
            self._int_sum += (int(((values >> 32) * counts).sum()) << 32) + int(((values & 0xFFFFFFFF) * counts).sum())
        scale = math.frexp(max(abs(float(values[0])), abs(float(values[-1]))))[1]
        scale = max(self._scale, scale) if self.finite else scale
        self._mean, self._m2 = math.ldexp(self._mean, self._scale - scale), math.ldexp(self._m2, 2 * (self._scale - scale))
        self._scale = scale
        scaled = np.ldexp(values.astype(np.float64), -scale)
        mean = float((scaled * counts).sum() / n)
        m2 = float((np.square(scaled - mean) * counts).sum())
        total = self.finite + n
        delta = mean - self._mean
        self._m2 += m2 + delta * delta * self.finite * n / total
        self._mean += delta * n / total
        self.finite = total

    def adopt(
        self, finite: int, zeros: int, mean: float | None, std: float | None, lows: list[int | float], highs: list[int | float]
    ) -> None:
        """Take over figures that were computed elsewhere; instead of `add_numbers`."""
        self.finite, self.zeros, self._scale = finite, zeros, 0
        self._mean, self._m2 = mean or 0.0, (std or 0.0) ** 2 * max(finite - 1, 0)
        self._int_sum = round(self._mean * finite) if math.isfinite(self._mean) else 0
        self._lows, self._highs = sorted(lows), sorted(highs, reverse=True)

    def mean(self, *, exact: bool) -> float | None:
        """Mean to 6 significant digits; None for fewer than k finite numbers. `exact`: integers, from their exact sum."""
        if self.finite < self.k:
            return None
        return six_digits(self._int_sum / self.finite if exact else _ldexp(self._mean, self._scale))

    def std(self) -> float | None:
        """Sample standard deviation (n - 1) to 6 significant digits; None for fewer than max(k, 2) finite numbers."""
        if self.finite < max(self.k, 2):
            return None
        return six_digits(_ldexp(math.sqrt(self._m2 / (self.finite - 1)), self._scale))

    def kth(self) -> tuple[int | float, int | float] | None:
        """The k-th smallest and the k-th largest finite number; None with fewer than 2k of them."""
        return (self._lows[-1], self._highs[-1]) if self.finite >= 2 * self.k else None


def _repeat(values: npt.NDArray[Any], counts: Counts, k: int) -> list[int | float]:
    """The first k of the values, each as often as it occurs."""
    head = values[:k]
    repeated: list[int | float] = np.repeat(head, np.minimum(counts[:k], k))[:k].tolist()
    return repeated


def _ldexp(value: float, scale: int) -> float:
    try:
        return math.ldexp(value, scale)
    except OverflowError:
        return math.inf


def six_digits(value: float) -> float | None:
    """Rounded to 6 significant digits; None for what JSON cannot say."""
    rounded = float(f"{value:.6g}")
    return (rounded + 0.0) if math.isfinite(rounded) else None

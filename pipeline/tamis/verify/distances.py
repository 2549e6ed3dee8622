"""Distances between records of numbers and categories, and the nearest one.

Gower's distance (Gower 1971, "A general coefficient of similarity and some of its properties", Biometrics 27(4):857): the mean over the
columns of |x - y| / range for numbers and of x != y for categories. The range is that between the 1 % and 99 % quantiles of the
originals, so that one extreme does not make all others alike, and a number's share is at most 1; two missing values agree, one does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tamis.verify.sides import Side

Floats = NDArray[np.float64]
_CELLS = 4_000_000
_FARTHEST = 1e300
"""infinity, so that two of them are at the same place"""


@dataclass(frozen=True, slots=True)
class Space:
    """Where records are points: fixed by the originals."""

    numbers: tuple[tuple[str, float], ...]
    """column and range"""
    words: tuple[tuple[str, pl.Series], ...]
    """column and its categories"""

    @classmethod
    def of(cls, sides: Sequence[Side], originals: pl.DataFrame, released: pl.DataFrame) -> Space:
        """The space of these columns of both frames."""
        numbers, words = [], []
        for side in sides:
            if side.ordered:
                numbers.append((side.alias, _range(originals[side.alias].to_numpy())))
            else:
                both = pl.concat([originals[side.alias], released[side.alias]])
                words.append((side.alias, both.drop_nulls().unique().sort()))
        return cls(tuple(numbers), tuple(words))

    def points(self, rows: pl.DataFrame) -> Floats:
        """(rows, columns): scaled numbers, NaN where missing, then the numbers of categories, -1 where missing."""
        out = [np.clip(rows[name].to_numpy().astype(np.float64) / scale, -_FARTHEST, _FARTHEST) for name, scale in self.numbers]
        for name, known in self.words:
            codes = rows[name].replace_strict(known, pl.Series(range(len(known)), dtype=pl.Int64), default=-1, return_dtype=pl.Int64)
            out.append(codes.to_numpy().astype(np.float64))
        return np.column_stack(out) if out else np.empty((rows.height, 0))

    def nearest(self, points: Floats, among: Floats) -> tuple[Floats, Floats]:
        """Per point the distances to the closest and to the second closest of `among`; at least two are needed."""
        first, second = np.empty(len(points)), np.empty(len(points))
        step = max(1, _CELLS // max(1, len(among)))
        for start in range(0, len(points), step):
            some = self._distances(points[start : start + step], among)
            rows, best = np.arange(len(some)), some.argmin(axis=1)
            first[start : start + step] = some[rows, best]
            some[rows, best] = np.inf
            second[start : start + step] = some.min(axis=1)
        return first, second

    def _distances(self, points: Floats, among: Floats) -> Floats:
        total = np.zeros((len(points), len(among)))
        for column in range(points.shape[1]):
            x, y = points[:, column, None], among[None, :, column]
            if column < len(self.numbers):
                apart = np.abs(x - y)
                np.minimum(apart, 1.0, out=apart)  # NaN stays
                none, missing = np.isnan(points[:, column]), np.isnan(among[:, column])
                apart[none] = ~missing
                apart[:, missing] = ~none[:, None]
                total += apart
            else:
                total += x != y
        total /= max(1, points.shape[1])
        return total


def _range(values: Floats) -> float:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 1.0
    low, high = np.quantile(finite, (0.01, 0.99))
    spread = float(high - low) or float(finite.max() - finite.min())
    return spread if np.isfinite(spread) and spread > 0 else 1.0

"""What the release still says of pairs of columns, on samples of both sides.

- trend of a pair: 1 - |r_before - r_after| / 2 of Pearson's r for two numbers (SDMetrics CorrelationSimilarity); else 1 - total
  variation of the two contingency tables, numbers cut at the deciles of the input (SDMetrics ContingencySimilarity).
- correlation delta: |r_before - r_after| of two numbers.
- mutual information delta: |I_before - I_after| of two columns' codes (categories; deciles of the input), each divided by the smaller
  of the two entropies of the input: 0 means that neither says anything of the other, 1 that one determines the other. I is corrected
  for the bias of small samples (Miller 1955, "Note on the bias of information estimates": +(m_x + m_y - m_xy - 1) / 2n with m cells
  that occur), so that a smaller release does not look more dependent.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import polars.selectors as cs

from tamis.core.record import Measure
from tamis.verify.frames import rounded
from tamis.verify.sides import sample_rows
from tamis.verify.utility import Scored

SAMPLE = 50_000
"""rows of the samples that pairs are compared on"""
_MAX_PAIR_COLUMNS = 30
_MAX_CATEGORIES = 1_000


def pair_measures(name: str, scored: Sequence[Scored], before: pl.LazyFrame, after: pl.LazyFrame) -> tuple[Measure, ...]:
    """`utility.pair_trends@table`, `correlation_delta` and `mutual_information_delta`: means over all pairs of at most 30 columns.

    Taken on samples of at most 50 000 rows of each side; columns with more than 1 000 categories are left out. Nothing with fewer than
    two columns or no rows. `of` counts pairs.
    """
    chosen = scored[:_MAX_PAIR_COLUMNS]
    if len(chosen) < 2:
        return ()
    names = [f"c{one.index}" for one in chosen]
    left, right = (sample_rows(side.select(cs.by_name(*names, "h", require_all=False)), SAMPLE) for side in (before, after))
    if not left.height or not right.height:
        return ()
    columns = [side for one in chosen if (side := _PairColumn.of(one, left, right)) is not None]
    pairs = list(itertools.combinations(columns, 2))
    note = f"on samples of {left.height} rows before and {right.height} after"
    found = {
        "pair_trends": [_trend(first, second) for first, second in pairs],
        "correlation_delta": [_correlation_delta(first, second) for first, second in pairs],
        "mutual_information_delta": [_information_delta(first, second) for first, second in pairs],
    }
    out = []
    for word, tried in found.items():
        scores = [score for score in tried if score is not None]
        if scores:
            out.append(Measure(name=f"utility.{word}@{name}", value=rounded(float(np.mean(scores))), of=len(scores), note=note))
    return tuple(out)


@dataclass(frozen=True, slots=True)
class _PairColumn:
    """One column of both samples: numbers (NaN for null) where ordered, and codes of its categories or deciles."""

    numbers: tuple[np.ndarray, np.ndarray] | None
    codes: tuple[np.ndarray, np.ndarray]
    size: int

    @classmethod
    def of(cls, one: Scored, left: pl.DataFrame, right: pl.DataFrame) -> _PairColumn | None:
        a, b = left[f"c{one.index}"], right[f"c{one.index}"]
        if one.ordered:
            numbers = _scaled(a.to_numpy().astype(float), b.to_numpy().astype(float))
            known = numbers[0][np.isfinite(numbers[0])]
            if not len(known):
                return None
            edges = np.unique(np.quantile(known, np.linspace(0.1, 0.9, 9)))
            codes = tuple(np.where(np.isnan(side), len(edges) + 1, np.searchsorted(edges, side, side="right")) for side in numbers)
            return cls(numbers, (codes[0], codes[1]), len(edges) + 2)
        both = pl.concat([a, b])
        ranks = both.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
        size = int(ranks.max()) + 1
        return cls(None, (ranks[: len(a)], ranks[len(a) :]), size) if size <= _MAX_CATEGORIES else None


def _scaled(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both within -1..1: neither rank nor correlation changes, and no square of a large number overflows."""
    finite = [np.abs(side[np.isfinite(side)]) for side in (a, b)]
    largest = max((float(side.max()) for side in finite if len(side)), default=0.0)
    return (a / largest, b / largest) if largest > 0 else (a, b)


def _trend(first: _PairColumn, second: _PairColumn) -> float | None:
    if first.numbers is not None and second.numbers is not None:
        delta = _correlation_delta(first, second)
        return None if delta is None else 1 - delta / 2
    shares = [counts / counts.sum() for counts in _contingency(first, second)]
    return 1 - float(np.abs(shares[0] - shares[1]).sum()) / 2


def _correlation_delta(first: _PairColumn, second: _PairColumn) -> float | None:
    if first.numbers is None or second.numbers is None:
        return None
    left, right = (correlation(x, y) for x, y in zip(first.numbers, second.numbers, strict=True))
    return None if left is None or right is None else abs(left - right)


def _information_delta(first: _PairColumn, second: _PairColumn) -> float | None:
    tables = [counts.reshape(first.size, second.size) for counts in _contingency(first, second)]
    least = min(_entropy(tables[0].sum(axis=axis)) for axis in (0, 1))
    if least <= 0:
        return None
    left, right = (min(1.0, max(0.0, mutual_information(counts) / least)) for counts in tables)
    return abs(left - right)


def _contingency(first: _PairColumn, second: _PairColumn) -> tuple[np.ndarray, np.ndarray]:
    """Rows per pair of codes, before and after."""
    left, right = (
        np.bincount(x * second.size + y, minlength=first.size * second.size) for x, y in zip(first.codes, second.codes, strict=True)
    )
    return left, right


def _entropy(counts: np.ndarray) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def mutual_information(counts: np.ndarray) -> float:
    """Of a contingency table, in nats, with Miller's correction."""
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    plain = _entropy(rows) + _entropy(columns) - _entropy(counts.ravel())
    cells = int((rows > 0).sum()) + int((columns > 0).sum()) - int((counts > 0).sum()) - 1
    return plain + cells / (2 * float(counts.sum()))


def correlation(x: np.ndarray, y: np.ndarray) -> float | None:
    """Pearson's r over the rows where both are finite; None where one of them does not vary."""
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < 2:
        return None
    x, y = x[both] - x[both].mean(), y[both] - y[both].mean()
    scale = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / scale if np.isfinite(scale) and scale > 0 else None

"""Marginals: normal scores of the training rows, families that fit, quantile knots."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tamis.core.proxy import CategoricalMarginal, NumericMarginal
from tamis.fit.columns import Column
from tamis.fit.hygiene import Floats, Ints

GOOD_FIT = 0.03
"""largest Kolmogorov-Smirnov distance at which a family stands for the data"""
_FAMILIES = ("beta", "norm", "gamma", "truncnorm", "uniform")
_RESOLUTION = 256
_TAIL = (0.0005, 0.001, 0.002)
_SAMPLE = 2000

Cdf = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Intervals:
    """The part of 0..1 that each row's value covers: ties cover what they share, distinct values one row's width."""

    low: Floats
    high: Floats

    def scores(self, rng: np.random.Generator) -> Floats:
        """Normal scores of uniform draws inside the intervals (the distributional transform, Rueschendorf 2009, JSPI 139:3921)."""
        from scipy.special import ndtri

        u = self.low + rng.random(len(self.low)) * (self.high - self.low)
        return np.asarray(ndtri(np.clip(u, 1e-7, 1 - 1e-7)))

    def reliability(self) -> float:
        """Variance of the mean normal score given the value, 0 to 1: what ties leave of the variance of the scores.

        For Gaussian copulas the correlation of scores drawn inside ties is that of the latent normals times this figure.
        """
        from scipy.special import ndtri

        def density(u: Floats) -> Floats:
            z = ndtri(np.clip(u, 1e-12, 1 - 1e-12))
            return np.asarray(np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi))

        mean = (density(self.low) - density(self.high)) / np.maximum(self.high - self.low, 1e-12)
        return float(np.clip(np.mean(mean * mean), 0.01, 1.0))


def intervals_of(values: Floats) -> Intervals:
    """Of numbers: from the share of rows below a value to the share of rows not above it."""
    order = np.sort(values)
    n = len(values)
    return Intervals(np.searchsorted(order, values, side="left") / n, np.searchsorted(order, values, side="right") / n)


def intervals_of_codes(codes: Ints, shares: Floats) -> Intervals:
    """Of ordered categories: `codes` index `shares`."""
    edges = np.append(0.0, np.cumsum(shares))
    return Intervals(edges[codes], edges[codes + 1])


def choose_family(values: Floats, step: float | None) -> tuple[str | None, float | None]:
    """The first univariate of SDV that fits the values well, with its distance; (None, smallest distance) when none does."""
    from sdv.single_table import GaussianCopulaSynthesizer

    ordered = np.sort(values)
    counts = np.unique(ordered, return_counts=True)[1]
    if len(counts) < 10 or counts[counts > len(ordered) / (2 * _RESOLUTION)].sum() > len(ordered) / 2:
        return None, None  # most rows share their value with many: masses tell them exactly, a family would smooth them
    thin = ordered[np.linspace(0, len(ordered) - 1, min(_SAMPLE, len(ordered))).round().astype(np.int64)]
    nearest = None
    for family in _FAMILIES:
        univariate = GaussianCopulaSynthesizer.get_distribution_class(family)()
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                univariate.fit(thin)
                distance = ks_distance(ordered, univariate.cdf, step)
        except Exception:  # noqa: BLE001, S112  # a family that cannot be fitted is not chosen; scipy raises whatever it likes
            continue
        if np.isfinite(distance) and (nearest is None or distance < nearest):
            nearest = distance
        if distance <= GOOD_FIT:
            return family, distance
    return None, nearest


def ks_distance(ordered: Floats, cdf: Cdf, step: float | None) -> float:
    """Kolmogorov-Smirnov distance between sorted data and the distribution that rounding to `step` makes of `cdf`."""
    distinct, counts = np.unique(ordered, return_counts=True)
    upto = np.cumsum(counts) / len(ordered)
    half = (step or 0.0) / 2
    above = np.asarray(cdf(distinct + half))
    below = np.asarray(cdf(distinct - half))
    return float(max(np.max(np.abs(above - upto)), np.max(np.abs(below - (upto - counts / len(ordered))))))


def numeric_marginal(
    column: Column, *, k: int, ppf: Cdf | None = None, family: str = "empirical", distance: float | None = None
) -> NumericMarginal:
    """The quantile function: of the fitted family between the hygienic extremes, or of the hygienic data."""
    values = column.values
    assert values is not None
    assert column.shared is not None
    present = ~np.isnan(values)
    order = np.argsort(values[present], kind="stable")
    ordered, shared = values[present][order], column.shared[present][order]
    if ppf is not None:
        at = np.unique(np.concatenate([np.arange(_RESOLUTION + 1) / _RESOLUTION, _TAIL, 1 - np.array(_TAIL)]))
        knots = np.clip(np.nan_to_num(np.asarray(ppf(np.clip(at, 1e-9, 1 - 1e-9))), nan=0.0), ordered[0], ordered[-1])
        knots[0], knots[-1] = ordered[0], ordered[-1]
    else:
        at, knots = _empirical(ordered, shared, k)
    knots = np.maximum.accumulate(_round(knots, float(ordered[-1] - ordered[0]), column.step))
    return NumericMarginal(
        column=column.name,
        type=column.type,
        null_rate=round(column.null_rate, 6),
        knots=tuple(knots.tolist()),
        at=tuple(np.round(at, 6).tolist()),
        step=column.step,
        family=family,
        fit_distance=None if distance is None else round(distance, 4),
        note=column.note,
    )


def _empirical(ordered: Floats, shared: np.ndarray, k: int) -> tuple[Floats, Floats]:
    """Points of the quantile function of sorted hygienic values: masses for frequent shared values, quantiles between them.

    Each step between masses covers at least k rows of values that are themselves shared by, or means over, k persons.
    """
    n = len(ordered)
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1.0) != 0)
    ends = np.append(starts[1:], n)
    mass = shared[starts] & (ends - starts >= max(k, n / (2 * _RESOLUTION)))
    at: list[Floats] = []
    knots: list[Floats] = []
    previous = 0
    for start, end in [*zip(starts[mass], ends[mass], strict=True), (n, n)]:
        if previous < start:
            width = start - previous
            steps = max(1, min(round(width / n * _RESOLUTION), width // k))
            along = np.arange(steps + 1) / steps
            at.append((previous + width * along) / n)
            knots.append(ordered[previous + np.rint((width - 1) * along).astype(np.int64)])
        if end > start:
            at.append(np.array([start, end]) / n)
            knots.append(ordered[[start, start]])
        previous = int(end)
    return np.concatenate(at), np.concatenate(knots)


def _round(knots: Floats, spread: float, step: float | None) -> Floats:
    """To the column's own grid, else to a power of ten of about a millionth of the range."""
    grid = step if step is not None else 10.0 ** np.floor(np.log10(spread * 1e-6)) if spread > 0 else None
    if grid is None or not np.isfinite(grid) or grid <= 0:
        return knots
    # Dividing by an exact power of ten keeps decimal grids short in JSON; -0.0 becomes 0.0.
    rounded = np.rint(knots / grid) * grid if grid >= 1 else np.rint(knots * np.rint(1 / grid)) / np.rint(1 / grid)
    return np.asarray(rounded) + 0.0


def categorical_marginal(column: Column, order: list[int]) -> CategoricalMarginal:
    """Categories in `order` (codes; -1 is the place of nulls)."""
    codes = column.codes
    assert codes is not None
    counts = np.bincount(codes + 1, minlength=len(column.labels) + 1) / len(codes)
    ranked = [code for code in order if code >= 0]
    return CategoricalMarginal(
        column=column.name,
        type=column.type,
        null_rate=round(column.null_rate, 6),
        categories=tuple(column.labels[code] for code in ranked),
        shares=tuple(round(float(counts[code + 1]), 6) for code in ranked),
        null_at=order.index(-1) if -1 in order else 0,
        note=column.note,
    )


def empty_marginal(column: Column) -> NumericMarginal | CategoricalMarginal:
    """The marginal of a column of which nothing can be learned: every value is null."""
    if column.type.value in {"text", "boolean"}:
        return CategoricalMarginal(column=column.name, type=column.type, null_rate=1.0, categories=(), shares=(), note=column.note)
    return NumericMarginal(column=column.name, type=column.type, null_rate=1.0, knots=(), family="none", note=column.note)

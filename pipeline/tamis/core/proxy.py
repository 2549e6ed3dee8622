"""A proxy model as data: what SDV learned, rounded and free of values of fewer than k persons."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tamis.core.types import DataType, Frozen


class NumericMarginal(Frozen):
    """A number (or a date as days, a datetime as seconds, since 1970) as a monotone quantile function.

    `knots` are values at equally spaced probabilities 0..1 (k-safe: each step covers at least k persons; the outermost are means
    of the k extremes). `step` is the rounding grid of the column (1 for integers).
    """

    kind: Literal["numeric"] = "numeric"
    column: str
    type: DataType
    null_rate: float
    knots: tuple[float, ...]
    step: float | None = None
    family: str = "empirical"
    """the univariate SDV chose, and whether it was used or replaced by the empirical distribution"""
    fit_distance: float | None = None
    """Kolmogorov-Smirnov distance between SDV's univariate and the data"""


class CategoricalMarginal(Frozen):
    """Categories of at least k persons with their shares; the pooled rest is sampled as null."""

    kind: Literal["categorical"] = "categorical"
    column: str
    type: DataType
    null_rate: float
    """nulls and pooled rare categories"""
    categories: tuple[str, ...]
    shares: tuple[float, ...]


AnyMarginal = Annotated[NumericMarginal | CategoricalMarginal, Field(discriminator="kind")]


class ProxyModel(Frozen):
    """A Gaussian copula over the targets and the columns they are conditioned on."""

    id: str
    table: str
    engine: str
    """e.g. 'sdv.GaussianCopulaSynthesizer 2.0.0'"""
    targets: tuple[str, ...]
    given: tuple[str, ...]
    marginals: tuple[AnyMarginal, ...]
    """given columns first, then targets, in the order of the correlation matrix"""
    correlation: tuple[tuple[float, ...], ...]
    rows_used: int
    k: int

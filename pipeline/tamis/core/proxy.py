"""A proxy model as data: what SDV learned, rounded and free of values of fewer than k persons.

A model is a Gaussian copula (Nelsen 2006, An Introduction to Copulas, 2nd ed., section 2.3): one marginal per dimension and the
correlation of the normal scores. A column takes one dimension, or two when it is numeric and has nulls: its value and its
nullness. Reading a model needs neither SDV nor torch.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tamis.core.types import DataType, Frozen


class NumericMarginal(Frozen):
    """A number (or a date as days, a datetime as seconds, since 1970) as a monotone quantile function.

    The function runs through the points (`at[i]`, `knots[i]`), straight in between: equal knots are one value that many share (a
    mass), equal probabilities with different knots are a gap. Every knot is a value of at least k persons, a mean over at least k
    persons, or comes from a fitted family inside such bounds. No knots: every value is null.
    """

    kind: Literal["numeric"] = "numeric"
    column: str
    type: DataType
    null_rate: float
    """share of rows without a value; where it is above 0 and below 1, a `NullMarginal` of the column follows"""
    knots: tuple[float, ...]
    at: tuple[float, ...] = ()
    """probabilities 0..1 of the knots; empty: equally spaced"""
    step: float | None = None
    """the rounding grid of the column (1 for integers and dates); None: no grid"""
    family: str = "empirical"
    """the univariate SDV fitted, when it was used; 'empirical' when the distribution of the data replaces it"""
    fit_distance: float | None = None
    """Kolmogorov-Smirnov distance between the best univariate and the data; None where none was tried"""
    note: str = ""

    @model_validator(mode="after")
    def _monotone(self) -> Self:
        if self.at and len(self.at) != len(self.knots):
            raise ValueError("a numeric marginal needs one probability per knot")
        if any(b < a for series in (self.knots, self.at) for a, b in pairwise(series)):
            raise ValueError("the knots of a numeric marginal must not decrease")
        return self


class CategoricalMarginal(Frozen):
    """Categories of at least k persons with their shares; the pooled rest is sampled as null.

    The categories, in order, and the nulls (before the category number `null_at`) divide the interval 0..1 by their shares; a
    category's normal score is that of a uniform draw inside its interval.
    """

    kind: Literal["categorical"] = "categorical"
    column: str
    type: DataType
    null_rate: float
    """nulls and pooled rare categories"""
    categories: tuple[str, ...]
    shares: tuple[float, ...]
    null_at: int = 0
    note: str = ""

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if len(self.categories) != len(self.shares) or not 0 <= self.null_at <= len(self.categories):
            raise ValueError("a categorical marginal needs one share per category and a place for nulls among them")
        return self


class NullMarginal(Frozen):
    """Whether a numeric column has no value: the lowest `null_rate` of the dimension are its nulls."""

    kind: Literal["null"] = "null"
    column: str
    null_rate: float


AnyMarginal = Annotated[NumericMarginal | CategoricalMarginal | NullMarginal, Field(discriminator="kind")]


class ProxyModel(Frozen):
    """A Gaussian copula over the targets and the columns they are conditioned on."""

    id: str
    table: str
    engine: str
    """e.g. 'sdv.GaussianCopulaSynthesizer 2.0.0'"""
    targets: tuple[str, ...]
    given: tuple[str, ...]
    marginals: tuple[AnyMarginal, ...]
    """given columns first, then targets, in the order of the correlation matrix; a column's nulls directly after its values"""
    correlation: tuple[tuple[float, ...], ...]
    calibrated: bool = True
    """whether the correlations of targets were corrected for ties, so that samples reach the correlation SDV learned"""
    rows_used: int
    k: int
    notes: tuple[str, ...] = ()
    """sentences for the reviewer: what was left out, pooled or replaced; names and counts only"""

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        size = len(self.marginals)
        if len(self.correlation) != size or any(len(row) != size for row in self.correlation):
            raise ValueError("the correlation matrix of a proxy model needs one row and one column per marginal")
        columns = tuple(dict.fromkeys(marginal.column for marginal in self.marginals))
        if columns != self.given + self.targets:
            raise ValueError("the marginals of a proxy model must be those of its given columns and its targets, in order")
        return self

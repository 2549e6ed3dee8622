"""Sample proxies: the conditional distribution of a fitted Gaussian copula, row by row, keyed.

For a row with normal scores g of its given columns the scores of the targets are normal with mean R_tg R_gg^-1 g and covariance
R_tt - R_tg R_gg^-1 R_gt (Anderson 2003, An Introduction to Multivariate Statistical Analysis, 3rd ed., theorem 2.5.1); their
quantiles in the targets' marginals are the proxies. A given value that is null, or that the model does not know, is left out of g:
the row is then conditioned on what it does have.

Randomness: 256 bits per row, HMAC-SHA-256 of the row's words under the model's use of the key; the numbers of a row are drawn from
them by SplitMix64 (Steele, Lea and Flood 2014, OOPSLA). A value therefore depends on the model, the key and the row alone, not on
chunks, order or threads; for the same reason every operation on rows is elementwise and in a fixed order, without matrix products.

What this does not protect from: a target that its given columns determine is sampled close to its value. The attacks of `verify`
measure that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from tamis.core.errors import PlanError, clean_name, listed
from tamis.core.ports import KeyRing
from tamis.core.proxy import AnyMarginal, CategoricalMarginal, NullMarginal, NumericMarginal, ProxyModel
from tamis.core.types import DataType
from tamis.encoding import WORDS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Uniforms = Callable[[int], Floats]

_DTYPES: dict[DataType, pl.DataType] = {
    DataType.TEXT: pl.String(),
    DataType.BOOLEAN: pl.Boolean(),
    DataType.INTEGER: pl.Int64(),
    DataType.NUMBER: pl.Float64(),
    DataType.DATE: pl.Date(),
    DataType.DATETIME: pl.Datetime("us"),
}
_EDGE = 1e-7
"""normal scores stay within about 5.2 standard deviations, as in SDV's copulas"""
_LARGEST_INTEGER = 2.0**63 - 1024
_MAX_GIVEN = 60
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def synthesize_columns(frame: pl.LazyFrame, model: ProxyModel, keyring: KeyRing) -> pl.LazyFrame:
    """`frame` with the model's target columns replaced (or added) by samples given the row's released columns.

    `frame` has the given columns as they are released and the four row words (`tamis.encoding.WORDS`); it streams. Values lie
    within the knots and categories of the model; types are Int64, Float64, Boolean, String, Date and Datetime in microseconds.

    Raises PlanError when a given column or the words are missing, or a given column has another type than the model.
    """
    schema = frame.collect_schema()
    missing = [name for name in (*model.given, *WORDS) if name not in schema]
    if missing:
        raise PlanError(
            "proxy_needs_columns",
            f"The proxy model of table '{clean_name(model.table)}' needs {listed(missing)}, which the rows lack.",
            hint="Make a new plan for this data.",
        )
    sampler = _Sampler.of(model, keyring)
    for marginal in model.marginals:
        if marginal.column in model.given and not isinstance(marginal, NullMarginal):
            _check_type(marginal, schema[marginal.column], model.table)
    inputs = [cs.by_name(word).alias(f"w{i}") for i, word in enumerate(WORDS)]
    inputs += [cs.by_name(name).alias(f"g{i}") for i, name in enumerate(model.given)]
    fields = {f"p{i}": marginal.type for i, marginal in enumerate(sampler.target_values)}
    result = pl.Struct({name: _DTYPES[kind] for name, kind in fields.items()})
    proxies = _free_name(schema.names())
    sampled = frame.with_columns(pl.struct(inputs).map_batches(sampler.sample, return_dtype=result, is_elementwise=True).alias(proxies))
    columns = [
        cs.by_name(proxies).as_expr().struct.field(f"p{i}").alias(marginal.column) for i, marginal in enumerate(sampler.target_values)
    ]
    return sampled.with_columns(columns).drop(cs.by_name(proxies))


def _free_name(taken: Sequence[str]) -> str:
    name = "__tamis_proxies"
    while name in taken:
        name += "_"
    return name


def _check_type(marginal: NumericMarginal | CategoricalMarginal, dtype: pl.DataType, table: str) -> None:
    match marginal.type:
        case DataType.DATE:
            fits = dtype == pl.Date
        case DataType.DATETIME:
            fits = dtype.base_type() == pl.Datetime
        case DataType.INTEGER | DataType.NUMBER:
            fits = dtype.is_numeric()
        case DataType.BOOLEAN:
            fits = dtype == pl.Boolean
        case _:
            fits = dtype.base_type() in {pl.String, pl.Categorical, pl.Enum}
    if not fits:
        raise PlanError(
            "proxy_other_type",
            f"Column '{clean_name(marginal.column)}' of table '{clean_name(table)}' is not {marginal.type.value}, as it was for the"
            " proxy model.",
            hint="Make a new plan for this data.",
        )


class _Weights(NamedTuple):
    """Conditional distribution for rows that know the same given dimensions: mean = slope @ scores, noise = factor @ normals."""

    slope: Floats
    factor: Floats


@dataclass(frozen=True, slots=True)
class _Sampler:
    """A model made ready: the batch function is `sample`. The key is reached through the key ring only."""

    model: ProxyModel
    keyring: KeyRing = field(repr=False)
    given: tuple[tuple[int, AnyMarginal], ...]
    """(number of the given column, marginal) per given dimension"""
    targets: tuple[AnyMarginal, ...]
    """marginal per target dimension"""
    target_values: tuple[NumericMarginal | CategoricalMarginal, ...]
    weights: dict[int, _Weights] = field(default_factory=dict, repr=False)
    """by the set of known given dimensions, as bits; filled as sets are met, always with the same figures"""

    @classmethod
    def of(cls, model: ProxyModel, keyring: KeyRing) -> _Sampler:
        numbers = {name: i for i, name in enumerate(model.given)}
        given = tuple((numbers[m.column], m) for m in model.marginals if m.column in numbers)
        targets = tuple(m for m in model.marginals if m.column not in numbers)
        if len(given) > _MAX_GIVEN:
            raise PlanError(
                "proxy_too_wide",
                f"The proxy model of table '{clean_name(model.table)}' has more than {_MAX_GIVEN} given dimensions.",
            )
        values = tuple(m for m in targets if not isinstance(m, NullMarginal))
        return cls(model, keyring, given, targets, values)

    def sample(self, batch: pl.Series) -> pl.Series:
        """Struct of words and given columns to struct of proxies."""
        from scipy.special import ndtr

        rows = batch.struct.unnest()
        uniforms = self._uniforms(rows)
        scores, known = self._scores(rows, uniforms)
        draws = len(self.given)
        latent = self._latent(scores, known, [_normal(uniforms(draws + i)) for i in range(len(self.targets))])
        columns: list[pl.Series] = []
        for marginal, z in zip(self.targets, latent, strict=True):
            u = np.asarray(ndtr(z))
            if isinstance(marginal, NullMarginal):
                value = columns[-1]
                absent = pl.Series(u < marginal.null_rate)
                columns[-1] = pl.select(pl.when(~absent).then(value)).to_series().cast(value.dtype).alias(value.name)
            else:
                columns.append(_values(marginal, u).alias(f"p{len(columns)}"))
        return pl.DataFrame(columns).to_struct(batch.name)

    def _uniforms(self, rows: pl.DataFrame) -> Uniforms:
        """Uniform numbers in (0, 1), 53 bits, by their number within the row."""
        text = rows.select(pl.concat_str([pl.col(f"w{i}").cast(pl.String) for i in range(4)], separator=" ")).to_series()
        digest = self.keyring.digest(text, use=f"synthesize:{self.model.id}")
        seeds = [digest.get_column(f"w{i}").to_numpy() for i in range(4)]

        def uniform(number: int) -> Floats:
            with np.errstate(over="ignore"):
                z = seeds[number % 4] + _GOLDEN * np.uint64(number // 4 + 1)
                z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
                z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
                z = z ^ (z >> np.uint64(31))
            return ((z >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53

        return uniform

    def _scores(self, rows: pl.DataFrame, uniforms: Uniforms) -> tuple[list[Floats], list[Bools]]:
        """Normal scores of the given dimensions and whether each is known."""
        scores: list[Floats] = []
        known: list[Bools] = []
        for draw, (number, marginal) in enumerate(self.given):
            column = rows.get_column(f"g{number}")
            match marginal:
                case NullMarginal():
                    there = column.is_not_null().to_numpy()
                    low, high = np.where(there, marginal.null_rate, 0.0), np.where(there, 1.0, marginal.null_rate)
                    sure = np.ones(len(there), dtype=np.bool_)
                case CategoricalMarginal():
                    low, high, sure = _category_interval(marginal, column)
                case NumericMarginal():
                    low, high, sure = _number_interval(marginal, _as_floats(column, marginal.type))
            scores.append(np.where(sure, _normal(low + uniforms(draw) * (high - low)), 0.0))
            known.append(sure)
        return scores, known

    def _latent(self, scores: list[Floats], known: list[Bools], normals: list[Floats]) -> list[Floats]:
        """Normal scores of the target dimensions; rows that know the same dimensions are computed together."""
        rows = len(normals[0])
        if all(sure.all() for sure in known):
            return _weighted(self._weights_of(2 ** len(known) - 1), scores, normals)
        pattern = np.zeros(rows, dtype=np.int64)
        for bit, sure in enumerate(known):
            pattern |= sure.astype(np.int64) << bit
        latent = [np.zeros(rows) for _ in normals]
        order = np.argsort(pattern, kind="stable")
        for part in np.split(order, np.flatnonzero(np.diff(pattern[order])) + 1):
            weights = self._weights_of(int(pattern[part[0]]))
            for out, z in zip(latent, _weighted(weights, [s[part] for s in scores], [e[part] for e in normals]), strict=True):
                out[part] = z
        return latent

    def _weights_of(self, pattern: int) -> _Weights:
        if pattern not in self.weights:
            correlation = np.array(self.model.correlation, dtype=np.float64).reshape(len(self.model.marginals), -1)
            sure = [i for i in range(len(self.given)) if pattern >> i & 1]
            inner, cross = correlation[np.ix_(sure, sure)], correlation[len(self.given) :, sure]
            slope = np.linalg.solve(inner, cross.T).T if sure else cross
            covariance = correlation[len(self.given) :, len(self.given) :] - slope @ cross.T
            full = np.zeros((len(self.targets), len(self.given)))
            full[:, sure] = slope
            # Nine digits: what linear algebra libraries agree on, whatever their order of summation.
            self.weights[pattern] = _Weights(np.round(full, 9), np.round(_cholesky(covariance), 9))
        return self.weights[pattern]


def _cholesky(covariance: Floats) -> Floats:
    """Lower factor; a covariance that rounding made indefinite gets a little more variance."""
    for extra in (0.0, 1e-9, 1e-6, 1e-4):
        try:
            return np.asarray(np.linalg.cholesky(covariance + extra * np.eye(len(covariance))))
        except np.linalg.LinAlgError:
            continue
    raise PlanError("proxy_not_definite", "The correlation matrix of a proxy model is not positive definite.", hint="Make a new plan.")


def _weighted(weights: _Weights, scores: list[Floats], normals: list[Floats]) -> list[Floats]:
    """Sums of products in a fixed order per row: a matrix product may sum differently from batch to batch."""
    out = []
    for i in range(len(normals)):
        z = weights.factor[i, i] * normals[i]
        for j in range(i):
            if weights.factor[i, j]:
                z = z + weights.factor[i, j] * normals[j]
        for j, score in enumerate(scores):
            if weights.slope[i, j]:
                z = z + weights.slope[i, j] * score
        out.append(z)
    return out


def _normal(u: Floats) -> Floats:
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(u, _EDGE, 1 - _EDGE)))


def _as_floats(column: pl.Series, kind: DataType) -> Floats:
    """Numbers as they are, dates as days, datetimes as seconds since 1970; NaN for null."""
    if kind is DataType.DATE:
        column = column.cast(pl.Int32)
    elif kind is DataType.DATETIME:
        column = column.dt.replace_time_zone(None).dt.cast_time_unit("us").to_physical().cast(pl.Float64) / 1e6
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _probabilities(marginal: NumericMarginal) -> Floats:
    return np.array(marginal.at) if marginal.at else np.linspace(0.0, 1.0, len(marginal.knots))


def _number_interval(marginal: NumericMarginal, values: Floats) -> tuple[Floats, Floats, Bools]:
    """Share of the distribution below each value and not above it; what is outside the knots lies at the end."""
    sure = np.isfinite(values)
    knots, at = np.array(marginal.knots), _probabilities(marginal)
    if len(knots) == 0:
        return np.zeros(len(values)), np.zeros(len(values)), np.zeros(len(values), dtype=np.bool_)
    x = np.clip(np.where(sure, values, knots[0]), knots[0], knots[-1])
    left, right = np.searchsorted(knots, x, side="left"), np.searchsorted(knots, x, side="right") - 1
    before = np.maximum(left - 1, 0)
    width = knots[left] - knots[before]
    share = np.where(width > 0, (x - knots[before]) / np.where(width > 0, width, 1.0), 1.0)
    low = at[before] + share * (at[left] - at[before])
    exact = knots[left] == x
    return np.where(exact, at[left], low), np.where(exact, at[right], low), sure


def _edges(marginal: CategoricalMarginal) -> Floats:
    """Bounds of the intervals of the categories, nulls included at their place."""
    widths = np.insert(np.array(marginal.shares, dtype=np.float64), marginal.null_at, marginal.null_rate)
    return np.append(0.0, np.cumsum(widths) / max(float(np.sum(widths)), 1e-12))


def _category_interval(marginal: CategoricalMarginal, column: pl.Series) -> tuple[Floats, Floats, Bools]:
    """Interval of each value; a value the model does not list was pooled with the nulls, and is unknown where there are none."""
    places = [i + (i >= marginal.null_at) for i in range(len(marginal.categories))]
    text = column.cast(pl.String)
    listed_values, targets = pl.Series(marginal.categories, dtype=pl.String), pl.Series(places, dtype=pl.Int64)
    place = text.replace_strict(listed_values, targets, default=marginal.null_at, return_dtype=pl.Int64).fill_null(marginal.null_at)
    index = place.to_numpy()
    edges = _edges(marginal)
    sure = np.ones(len(index), dtype=np.bool_) if marginal.null_rate > 0 else index != marginal.null_at
    return edges[index], edges[index + 1], sure


def _values(marginal: NumericMarginal | CategoricalMarginal, u: Floats) -> pl.Series:
    """Quantiles of the marginal in the column's type; nulls of categories included, those of numbers not."""
    dtype = _DTYPES[marginal.type]
    if isinstance(marginal, CategoricalMarginal):
        labels: list[str | None] = list(marginal.categories)
        labels.insert(marginal.null_at, None)
        index = np.searchsorted(_edges(marginal)[1:-1], u, side="right")
        text = pl.Series(labels, dtype=pl.String)
        values = (text == "true") if marginal.type is DataType.BOOLEAN else text
        return values.gather(pl.Series(index, dtype=pl.UInt32))
    if not marginal.knots:
        return pl.repeat(None, len(u), dtype=dtype, eager=True)
    x = _quantiles(marginal, u)
    match marginal.type:
        case DataType.NUMBER:
            return pl.Series(x, dtype=pl.Float64)
        case DataType.DATETIME:
            return pl.Series(np.rint(x * 1e6).astype(np.int64)).cast(dtype)
        case _:
            whole = np.rint(np.clip(x, -_LARGEST_INTEGER, _LARGEST_INTEGER)).astype(np.int64)
            return pl.Series(whole).cast(pl.Int32).cast(dtype) if marginal.type is DataType.DATE else pl.Series(whole)


def _quantiles(marginal: NumericMarginal, u: Floats) -> Floats:
    """The quantile function on the column's grid, never outside the knots."""
    knots, at = np.array(marginal.knots), _probabilities(marginal)
    if len(knots) == 1:
        return np.full(len(u), knots[0])
    i = np.clip(np.searchsorted(at, u, side="right") - 1, 0, len(knots) - 2)
    width = at[i + 1] - at[i]
    share = np.clip((u - at[i]) / np.where(width > 0, width, 1.0), 0.0, 1.0)
    x = knots[i] + share * (knots[i + 1] - knots[i])
    if marginal.step is not None:
        # Dividing by a whole number gives the nearest decimal: 0.29, not 0.29000000000000004.
        per = np.rint(1 / marginal.step)
        x = np.rint(x * per) / per if marginal.step < 1 else np.rint(x / marginal.step) * marginal.step
    return np.asarray(np.clip(x, knots[0], knots[-1]), dtype=np.float64)

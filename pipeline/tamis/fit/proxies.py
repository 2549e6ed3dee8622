"""Fit the proxy model of one table: hygiene, then SDV, then what it learned as data."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import polars as pl

from tamis.core.errors import PlanError, clean_name, listed
from tamis.core.plan import TablePlan
from tamis.core.ports import KeyRing, Progress
from tamis.core.proxy import AnyMarginal, NullMarginal, NumericMarginal, ProxyModel
from tamis.fit.columns import Column, choose_given, column_of, given_plans, person_codes, prepare, target_plans, training_rows
from tamis.fit.copula import Dimension, Learned, fit_copula, positive_definite, quiet_sdv
from tamis.fit.hygiene import Bools
from tamis.fit.marginals import (
    GOOD_FIT,
    categorical_marginal,
    choose_family,
    empty_marginal,
    intervals_of,
    intervals_of_codes,
    ks_distance,
    numeric_marginal,
)
from tamis.fit.order import order_categories

MAX_GIVEN = 12
_STRONGEST = 0.995


@dataclass(frozen=True, slots=True)
class _Part:
    """One dimension of the copula: a column's values or its nullness; `sdv` is None where nothing can be learned."""

    column: Column
    target: bool
    nullness: bool
    sdv: Dimension | None
    reliability: float = 1.0
    present: Bools | None = None
    """rows with a value; None: all"""
    distance: float | None = None
    order: tuple[int, ...] = ()


def fit_proxies(
    frame: pl.LazyFrame,
    table: TablePlan,
    *,
    model_id: str,
    keyring: KeyRing,
    k: int,
    max_rows: int = 50_000,
    progress: Progress | None = None,
) -> ProxyModel:
    """Learn the columns of `table` that are to be synthesized, given its released columns.

    `frame` holds the released values of given columns, the original typed values of targets, the four row words
    (`tamis.encoding.WORDS`) and optionally `__tamis_unit`, by which persons are then counted. At most `max_rows` rows with the
    smallest words are used, so that the order of rows does not matter. No value of fewer than `k` persons is in the result.
    Nulls of a category are a category; nulls of a number are a dimension of their own.

    Raises PlanError when there is nothing to synthesize, a target is missing, or SDV cannot fit.
    """
    with progress.stage("fit", table.name) if progress is not None else nullcontext():
        model = _fit(frame, table, model_id=model_id, keyring=keyring, k=k, max_rows=max_rows, calibrate=True)
        if progress is not None:
            progress.note(f"{len(model.targets)} columns from {model.rows_used} rows, given {len(model.given)} columns")
    return model


def _fit(frame: pl.LazyFrame, table: TablePlan, *, model_id: str, keyring: KeyRing, k: int, max_rows: int, calibrate: bool) -> ProxyModel:
    schema = frame.collect_schema().names()
    plans = target_plans(table)
    missing = [column.name for column in plans if column.name not in schema]
    if not plans or missing:
        raise PlanError(
            "nothing_to_synthesize",
            f"Table '{clean_name(table.name)}' has no column to fit a proxy model for."
            if not plans
            else f"Table '{clean_name(table.name)}': the rows for the proxy model lack {listed(missing)}.",
        )
    candidates = given_plans(table, schema)
    rows = training_rows(frame, [column.name for column in [*candidates, *plans]], max_rows)
    persons = person_codes(rows)
    targets = [prepare(column_of(rows, c.name), c.name, c.type, persons, k) for c in plans]
    given, notes = choose_given(
        [prepare(column_of(rows, c.name), c.name, c.output_type, persons, k) for c in candidates],
        [column for column in targets if not column.constant],
        MAX_GIVEN,
    )
    rng = np.random.Generator(np.random.PCG64(keyring.seed(f"fit:{model_id}")))
    with quiet_sdv():
        parts = _parts(given, targets, rng)
    learnable = [i for i, part in enumerate(parts) if part.sdv is not None]
    learned = None
    correlation = np.eye(len(parts))
    if learnable:
        learned = fit_copula([part.sdv for part in parts if part.sdv is not None], seed=keyring.seed(f"sdv:{model_id}"), table=table.name)
        correlation[np.ix_(learnable, learnable)] = learned.correlation
    correlation = positive_definite(_corrected(correlation, parts, calibrate=calibrate))
    notes += [f"'{clean_name(column.name)}': {column.note}." for column in targets if column.note]
    return ProxyModel(
        id=model_id,
        table=table.name,
        engine=learned.engine if learned is not None else "none: nothing could be learned",
        targets=tuple(column.name for column in targets),
        given=tuple(column.name for column in given),
        marginals=tuple(_marginal(part, learnable.index(i) if i in learnable else None, learned, k) for i, part in enumerate(parts)),
        correlation=tuple(tuple(row) for row in correlation.tolist()),
        calibrated=calibrate,
        rows_used=rows.height,
        k=k,
        notes=tuple(notes),
    )


def _parts(given: list[Column], targets: list[Column], rng: np.random.Generator) -> list[_Part]:
    names = frozenset(column.name for column in targets)
    learnable = [column for column in [*given, *targets] if column.values is not None or column.codes is not None]
    orders = order_categories(learnable, names)
    parts: list[_Part] = []
    for column in [*given, *targets]:
        target = column.name in names
        if column.values is not None:
            parts += _numeric_parts(column, target, rng)
        elif column.codes is not None:
            parts.append(_categorical_part(column, target, orders[column.name]))
        else:
            parts.append(_Part(column, target, nullness=False, sdv=None))
    return parts


def _numeric_parts(column: Column, target: bool, rng: np.random.Generator) -> list[_Part]:
    assert column.values is not None
    present = ~np.isnan(column.values)
    values = column.values[present]
    parts: list[_Part] = []
    if len(np.unique(values)) < 2:
        parts.append(_Part(column, target, nullness=False, sdv=None, present=present))
    else:
        family, distance = choose_family(values, column.step)
        ties = intervals_of(values)
        learned = values if family is not None else ties.scores(rng)
        # Rows without a value take part with an independent draw; `_corrected` takes its effect out again.
        full = rng.choice(learned, size=len(present))
        full[present] = learned
        reliability = 1.0 if family is not None else ties.reliability()
        parts.append(
            _Part(column, target, False, Dimension(full, family or "norm"), reliability, None if present.all() else present, distance)
        )
    if column.null_rate > 0:
        shares = np.array([column.null_rate, 1 - column.null_rate])
        codes = present.astype(np.int64)
        nulls = Dimension(np.array(["n", "v"], dtype=object)[codes], order=("n", "v"))
        parts.append(_Part(column, target, True, nulls, intervals_of_codes(codes, shares).reliability()))
    return parts


def _categorical_part(column: Column, target: bool, order: list[int]) -> _Part:
    assert column.codes is not None
    if column.constant:
        return _Part(column, target, nullness=False, sdv=None, order=tuple(order))
    place = np.zeros(len(column.labels) + 1, dtype=np.int64)
    place[np.array(order) + 1] = np.arange(len(order))
    codes = place[column.codes + 1]
    shares = np.bincount(codes, minlength=len(order)) / len(codes)
    words = tuple(f"v{i}" for i in range(len(order)))
    dimension = Dimension(np.array(words, dtype=object)[codes], order=words)
    return _Part(column, target, False, dimension, intervals_of_codes(codes, shares).reliability(), order=tuple(order))


def _corrected(correlation: np.ndarray, parts: list[_Part], *, calibrate: bool) -> np.ndarray:
    """SDV's correlation without what nulls and ties took from it.

    Nulls: a pair was diluted by the rows in which a value had to be drawn independently; it is divided by the share of the others.
    Ties: the score of a tied value is drawn inside the tie, which multiplies a correlation by the reliability of the scores
    (`Intervals.reliability`). That is right for given columns, whose scores are drawn likewise when sampling; the scores of
    targets are latent there, so theirs are divided by it.
    """
    out = correlation.copy()
    for i, one in enumerate(parts):
        for j, other in enumerate(parts[:i]):
            value = out[i, j]
            if one.column is other.column:
                value = 0.0  # a value says nothing about its own nullness
            masks = [part.present for part in (one, other) if part.present is not None]
            if masks:
                both = float(np.mean(np.logical_and.reduce(masks)))
                value = value / both if both >= 0.02 else 0.0
            if calibrate:
                value /= (one.reliability if one.target else 1.0) * (other.reliability if other.target else 1.0)
            out[i, j] = out[j, i] = float(np.clip(value, -_STRONGEST, _STRONGEST))
    return out


def _marginal(part: _Part, index: int | None, learned: Learned | None, k: int) -> AnyMarginal:
    column = part.column
    if part.nullness:
        return NullMarginal(column=column.name, null_rate=round(column.null_rate, 6))
    if column.codes is not None:
        return categorical_marginal(column, list(part.order))
    if column.values is None:
        return empty_marginal(column)
    if index is None or learned is None:
        return numeric_marginal(column, k=k, distance=part.distance)
    return _fitted_or_empirical(part, index, learned, k)


def _fitted_or_empirical(part: _Part, index: int, learned: Learned, k: int) -> NumericMarginal:
    """SDV's univariate where it fits the hygienic data, judged once more after SDV's own fit; else the data's distribution."""
    column = part.column
    assert column.values is not None
    if part.distance is None or part.distance > GOOD_FIT:
        return numeric_marginal(column, k=k, distance=part.distance)
    ordered = np.sort(column.values[~np.isnan(column.values)])
    with quiet_sdv():
        distance = ks_distance(ordered, learned.cdfs[index], column.step)
        if not distance <= GOOD_FIT:
            return numeric_marginal(column, k=k, distance=distance)
        family = learned.families[index].removesuffix("Univariate")
        return numeric_marginal(column, k=k, ppf=learned.ppfs[index], family=family, distance=distance)

"""The order of categories on the normal scale: the one in which they go along best with the other columns.

A copula has one correlation per pair of columns, so the order of categories decides how much of an association it can hold. This
is the first axis of homogeneity analysis (Gifi 1990, Nonlinear Multivariate Analysis) by alternating averages: the score of a
category is the mean, over its rows, of the other columns' scores weighted by their correlation with the column.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tamis.fit.columns import Column
from tamis.fit.hygiene import Floats, Ints
from tamis.fit.marginals import intervals_of

_ROUNDS = 5


def order_categories(columns: Sequence[Column], targets: frozenset[str]) -> dict[str, list[int]]:
    """For each categorical column its codes (and -1 for nulls where it has some) in order. Given columns look at targets only."""
    scores = {column.name: _start(column) for column in columns}
    categorical = [column for column in columns if column.codes is not None and not column.constant]
    for turn in range(_ROUNDS):
        for column in categorical:
            others = [scores[other.name] for other in columns if other is not column and (column.name in targets or other.name in targets)]
            codes = _codes(column)
            reference = _reference(scores[column.name], codes, others, first=turn == 0)
            if reference is not None:
                scores[column.name] = _standardize(_category_means(codes, reference)[codes])
    return {column.name: _ranked(column, scores[column.name]) for column in columns if column.codes is not None}


def _codes(column: Column) -> Ints:
    """Codes from 0, nulls first."""
    assert column.codes is not None
    return column.codes + 1


def _start(column: Column) -> Floats:
    from scipy.special import ndtri

    if column.codes is not None:
        return _standardize(-column.codes.astype(np.float64))
    assert column.values is not None
    present = ~np.isnan(column.values)
    out = np.zeros(len(present))
    covered = intervals_of(column.values[present])
    out[present] = ndtri(np.clip((covered.low + covered.high) / 2, 1e-7, 1 - 1e-7))
    return _standardize(out)


def _reference(own: Floats, codes: Ints, others: list[Floats], *, first: bool) -> Floats | None:
    """What the categories are averaged over: at first the one column they tell most about, then all by their correlation."""
    if not others:
        return None
    if first:
        told = [float(np.mean(_category_means(codes, other)[codes] ** 2)) for other in others]
        return others[int(np.argmax(np.round(told, 9)))]
    reference = np.zeros(len(own))
    for other in others:
        reference = reference + float(np.mean(own * other)) * other
    return reference


def _category_means(codes: Ints, values: Floats) -> Floats:
    counts = np.bincount(codes)
    return np.bincount(codes, weights=values) / np.maximum(counts, 1)


def _standardize(values: Floats) -> Floats:
    centered = values - np.mean(values)
    spread = float(np.sqrt(np.mean(centered * centered)))
    return centered / spread if spread > 1e-12 else np.zeros(len(values))


def _ranked(column: Column, scores: Floats) -> list[int]:
    """Codes by their score; equal scores by code, that is by falling frequency."""
    means = np.round(_category_means(_codes(column), scores), 9)
    present = [*([-1] if column.null_rate > 0 else []), *range(len(column.labels))]
    return sorted(present, key=lambda code: (float(means[code + 1]), code))

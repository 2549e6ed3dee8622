"""How much two columns tell about each other: one figure per pair, 0 (nothing) to 1.

- two categories: Cramér's V without bias (Bergsma 2013, J. Korean Stat. Soc. 42:323): phi2 = max(0, chi2/n - (r-1)(c-1)/(n-1)),
  r' = r - (r-1)^2/(n-1), V = sqrt(phi2 / min(r'-1, c'-1));
- a category and an ordered column: the correlation ratio of the ranks without bias, epsilon = sqrt(1 - (1 - eta2)(n-1)/(n-c)) (Kelley
  1935, PNAS 21:554);
- two ordered columns: the absolute correlation of their ranks (Spearman 1904, Am. J. Psychol. 15:72), ranks being taken within
  each column and ties sharing their mean rank.

Ordered are numbers, dates and times with more than two values; categories are text and booleans (and anything with two values) of at
most 100 values with at least five rows each on average. All figures are taken over rows in which both columns have a value (at least 30),
on rows chosen by their content; reported from 0.8 on, the strongest first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from tamis.core.types import Association, DataType
from tamis.profile.codes import Coded
from tamis.profile.columns import Measured
from tamis.profile.limits import Limits
from tamis.profile.normal import NUMERIC, TEMPORAL

Floats = npt.NDArray[np.float64]
Kind = Literal["category", "ordered"]

_STRONG = 0.8
_MOST = 100
_CATEGORIES = 100
_ROWS_PER_CATEGORY = 5
_ROWS = 30
_STILL = 1e-9
"""a share of the squares: less variation is rounding"""


def find_associations(
    measured: Sequence[Measured], leave_out: frozenset[str], sample: pl.DataFrame, coded: Sequence[Coded], limits: Limits
) -> tuple[tuple[Association, ...], tuple[str, ...]]:
    """(strong associations, what was not examined). `sample` holds some rows in normal form, `coded` their codes."""
    kinds = {i: kind for i, m in enumerate(measured) if m.profile.name not in leave_out and (kind := kind_of(m)) is not None}
    cut: tuple[str, ...] = ()
    if len(kinds) > limits.association_columns:
        kept = sorted(kinds, key=lambda i: (measured[i].profile.distinct, i))[: limits.association_columns]
        kinds = {i: kinds[i] for i in sorted(kept)}
        cut = (f"associations were measured among the {limits.association_columns} columns with the fewest values",)
    ordered = [i for i, kind in kinds.items() if kind == "ordered"]
    categories = [i for i, kind in kinds.items() if kind == "category"]
    ranks, here = _ranks(sample, ordered)
    found: list[tuple[float, int, int, Association]] = []

    def note(a: int, b: int, measure: Literal["cramers_v", "correlation_ratio", "spearman"], value: float, rows: int) -> None:
        if value >= _STRONG:
            i, j = min(a, b), max(a, b)
            names = measured[i].profile.name, measured[j].profile.name
            value = round(min(value, 1.0), 4)
            found.append((-value, i, j, Association(first=names[0], second=names[1], measure=measure, value=value, rows=rows)))

    for n, m, value, rows in _spearman(ranks, here):
        note(ordered[n], ordered[m], "spearman", value, rows)
    for n, a in enumerate(categories):
        for b in categories[n + 1 :]:
            note(a, b, "cramers_v", *cramers_v(coded[a], coded[b]))
        for m, value, rows in _correlation_ratios(coded[a], ranks, here):
            note(a, ordered[m], "correlation_ratio", value, rows)
    return tuple(one[3] for one in sorted(found, key=lambda one: one[:3])[:_MOST]), cut


def kind_of(measured: Measured) -> Kind | None:
    """Whether a column is a category or ordered; None for what is neither (keys, free text, constants)."""
    column = measured.profile
    if column.constant or column.distinct < 2 or column.type in (DataType.BINARY, DataType.EMPTY):
        return None
    if column.type in NUMERIC | TEMPORAL and column.distinct > 2:
        return "ordered"
    small = column.distinct <= _CATEGORIES and column.present >= _ROWS_PER_CATEGORY * column.distinct
    return "category" if small else None


def cramers_v(a: Coded, b: Coded) -> tuple[float, int]:
    """(V without bias, rows with both values); 0 for fewer than 30 rows or where one of them has one value there."""
    both = _present(a) & _present(b)
    rows = int(both.sum())
    if rows < _ROWS:
        return 0.0, rows
    ids = a.codes[both].astype(np.int64) * b.size + b.codes[both]
    table = np.bincount(ids, minlength=a.size * b.size).reshape(a.size, b.size).astype(np.float64)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    r, c = table.shape
    if min(r, c) < 2:
        return 0.0, rows
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / rows
    terms = np.sort(((table - expected) ** 2 / expected).ravel())  # sorted: the sum does not depend on the numbering of values
    phi2 = max(0.0, float(terms.sum()) / rows - (r - 1) * (c - 1) / (rows - 1))
    most = min(r - (r - 1) ** 2 / (rows - 1), c - (c - 1) ** 2 / (rows - 1)) - 1
    return (float(np.sqrt(phi2 / most)) if most > 0 else 0.0), rows


def _present(column: Coded) -> npt.NDArray[np.bool_]:
    return np.ones(len(column.codes), dtype=bool) if column.null is None else column.codes != column.null


def _ranks(sample: pl.DataFrame, columns: Sequence[int]) -> tuple[Floats, Floats]:
    """(ranks, presence) of the ordered columns, rows x columns; zero where there is no value.

    Ranks are doubled and centered: whole numbers, whose sums and products are exact in whatever order they are added.
    """
    names = sample.columns
    if not columns:
        return np.zeros((sample.height, 0)), np.zeros((sample.height, 0))
    frame = sample.select([pl.col(names[i]).rank("average").cast(pl.Float64) for i in columns])
    here = frame.select(pl.all().is_not_null().cast(pl.Float64)).to_numpy()
    return np.where(here > 0, 2 * frame.fill_null(0.0).to_numpy() - (here.sum(axis=0) + 1), 0.0), here


def _spearman(ranks: Floats, here: Floats) -> Iterator[tuple[int, int, float, int]]:
    """(column, column, |rho|, rows) of every pair with enough rows and variation."""
    n = here.T @ here
    sums, squares, products = ranks.T @ here, (ranks**2).T @ here, ranks.T @ ranks
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = squares / n - (sums / n) ** 2
        rho = np.abs((products / n - sums * sums.T / n**2) / np.sqrt(spread * spread.T))
        varies = spread > _STILL * squares / n
    for a, b in zip(*np.triu_indices(len(n), 1), strict=True):
        if n[a, b] >= _ROWS and varies[a, b] and varies[b, a]:
            yield int(a), int(b), float(rho[a, b]), int(n[a, b])


def _correlation_ratios(category: Coded, ranks: Floats, here: Floats) -> Iterator[tuple[int, float, int]]:
    """(ordered column, epsilon, rows) of every ordered column with enough rows and variation."""
    by_group = np.argsort(category.codes, kind="stable")
    by_group = by_group[_present(category)[by_group]]
    if not ranks.shape[1] or not len(by_group):
        return
    starts = np.flatnonzero(np.diff(category.codes[by_group].astype(np.int64), prepend=-1))
    own = ranks[by_group]
    counts, sums = np.add.reduceat(here[by_group], starts, axis=0), np.add.reduceat(own, starts, axis=0)
    rows, whole, squares, groups = counts.sum(axis=0), sums.sum(axis=0), (own**2).sum(axis=0), (counts > 0).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = squares - whole**2 / rows
        parts = np.sort(np.where(counts > 0, sums**2 / counts, 0.0), axis=0)  # sorted: their order is an accident
        eta2 = (parts.sum(axis=0) - whole**2 / rows) / total
        epsilon = np.sqrt(np.maximum(0.0, 1 - (1 - eta2) * (rows - 1) / (rows - groups)))
    for m in np.flatnonzero((rows >= _ROWS) & (groups >= 2) & (total > _STILL * squares)):
        yield int(m), float(epsilon[m]), int(rows[m])

"""Dependencies between two columns, exact and approximate, each with its error.

The error of X -> Y is g3 (Kivinen & Mannila 1995, Theor. Comput. Sci. 149:129): the least share of rows with a value of X that must go
for every value of X to be left with one value of Y (null counts as a value of Y). What X tells beyond the most frequent
value of Y is Goodman & Kruskal's lambda (1954, JASA 49:732): (1 - errors knowing X / errors not knowing it).

Reported are pairs that the rules of `redundancy` call plausible (X repeats, covers Y, has more values than Y or as many and stands
earlier) with g3 <= 0.05, lambda >= 0.5, and no coincidence: exact ones by the rule there; for approximate ones the chance that
independent rows agree so often with the first row of their group is at most exp(-m KL(q, p)) (Chernoff 1952), with m rows that
repeat a value of X, q their share in agreement, p the share of the most frequent Y; it must be below 10^-6.

Pairs are screened on rows chosen by their content (whole groups of X where X has many values, else any rows) and what is left is
counted on all rows; the figures are exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tamis.core.types import DataType, Dependency
from tamis.profile.codes import Coded, CodeStore, Ids, encode
from tamis.profile.columns import Measured
from tamis.profile.limits import Limits
from tamis.profile.redundancy import determining, plausible, targets_of

_MOST_ERROR = 0.05
_LEAST_LIFT = 0.5
_MARGIN = 0.02
_FEW = 2_000
_CHANCE = 1e-6
_GROUPS_PER_SAMPLE = 20
_BINS = 1 << 22


def find_dependencies(
    safe: Sequence[str],
    measured: Sequence[Measured],
    duplicates: Mapping[str, str],
    sample: Sequence[Coded],
    store: CodeStore,
    limits: Limits,
) -> tuple[tuple[Dependency, ...], tuple[str, ...]]:
    """(dependencies in the order of the dependent columns, what was not examined)."""
    pairs = _pairs(measured, duplicates, limits)
    cut = []
    if sum(map(len, pairs.values())) > limits.dependency_pairs:
        cut.append(f"dependencies were sought in the first {limits.dependency_pairs} pairs of columns, determinants with few values first")
        pairs = _first(pairs, limits.dependency_pairs)
    hopeful = [(x, y) for x, ys in pairs.items() if ys for y in _screened(safe, measured, x, ys, sample, store)]
    found: list[tuple[int, int, Dependency]] = []
    allowed = max(1, limits.verified_rows // max(1, measured[0].profile.rows)) if measured else 0
    if len(hopeful) > allowed:
        cut.append(f"{len(hopeful) - allowed} possible dependencies were not counted")
    for x, y in hopeful[:allowed]:
        names = measured[x].profile.name, measured[y].profile.name
        dependency = measure_dependency(store.of(safe[x]), store.of(safe[y]), names)
        if dependency is not None and is_reported(dependency, measured[x].profile.distinct):
            found.append((y, x, dependency))
    found.sort(key=lambda one: (one[0], one[2].g3, measured[one[1]].profile.distinct, one[1]))
    return tuple(dependency for _, _, dependency in found), tuple(cut)


def _pairs(measured: Sequence[Measured], duplicates: Mapping[str, str], limits: Limits) -> dict[int, list[int]]:
    """Determinant to plausible dependents; a floating-point column determines much by being nearly unique and is left out."""
    tried = [x for x in determining(measured, duplicates, limits) if measured[x].profile.type is not DataType.NUMBER]
    return {x: [y for y in targets_of(measured) if y != x and plausible(measured, x, y, duplicates)] for x in tried}


def _first(pairs: Mapping[int, list[int]], most: int) -> dict[int, list[int]]:
    out: dict[int, list[int]] = {}
    for x, ys in pairs.items():
        out[x] = ys[:most]
        most -= len(out[x])
    return out


def _screened(
    safe: Sequence[str], measured: Sequence[Measured], x: int, ys: Sequence[int], sample: Sequence[Coded], store: CodeStore
) -> Iterator[int]:
    """Dependents that some rows do not disprove."""
    profile = measured[x].profile
    rows = len(sample[x].codes)
    if rows < profile.rows and profile.distinct * _GROUPS_PER_SAMPLE > rows:
        every = np.uint64(max(1, profile.present // rows))
        here = store.values(safe[x]).is_not_null().to_numpy()
        chosen = np.flatnonzero(here & ((store.hashed(safe[x]) >> np.uint64(32)) % every == 0))
        columns = [encode(store.values(safe[i]).gather(chosen)) for i in (x, *ys)]
    else:
        columns = [sample[x], *(sample[y] for y in ys)]
    for y, column in zip(ys, columns[1:], strict=True):
        found = measure_dependency(columns[0], column, ("", ""))
        # None: one value of y in these rows. Few rows hold few values of y, whose most frequent one is then guessed well.
        told = found is None or found.rows < _FEW or found.lift >= _LEAST_LIFT / 2
        if found is None or (told and found.g3 <= _MOST_ERROR + _MARGIN + 3 * math.sqrt(_MOST_ERROR / found.rows)):
            yield y


def is_reported(dependency: Dependency, distinct: int) -> bool:
    """Whether the dependency says enough and is no coincidence; `distinct` values of the determinant."""
    if dependency.g3 > _MOST_ERROR or dependency.lift < _LEAST_LIFT:
        return False
    repeats = dependency.rows - distinct
    errors = dependency.g3 * dependency.rows
    if not errors:
        return True  # by the rules of `redundancy`
    likely = 1 - errors / (dependency.rows * (1 - dependency.lift)) if dependency.lift < 1 else 0.0
    agreeing = 1 - errors / repeats if repeats else 0.0
    return agreeing > likely and repeats * _divergence(agreeing, likely) >= -math.log(_CHANCE)


def _divergence(q: float, p: float) -> float:
    """Kullback-Leibler divergence of two coins, in nats."""
    first = q * math.log(q / p) if q > 0 and p > 0 else 0.0 if q <= 0 else math.inf
    second = (1 - q) * math.log((1 - q) / (1 - p)) if q < 1 and p < 1 else 0.0 if q >= 1 else math.inf
    return first + second


def measure_dependency(x: Coded, y: Coded, names: tuple[str, str]) -> Dependency | None:
    """g3 and lambda of x -> y over the rows with a value of x; None where there are none or y has one value there."""
    pairs, sizes = _pair_counts(x, y)
    group, value = pairs // y.size, pairs % y.size
    here = group != (-1 if x.null is None else x.null)
    group, value, sizes = group[here], value[here], sizes[here]
    if not len(group):
        return None
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    rows, right = int(sizes.sum()), int(np.maximum.reduceat(sizes, starts).sum())
    likeliest = int(np.bincount(value, weights=sizes).max())
    if likeliest == rows:
        return None
    gone = pairs[~here] % y.size
    together = not len(gone) or (len(gone) == 1 and gone[0] == y.null and y.null not in value)
    one_to_one = bool(together and len(group) == len(starts) == len(np.unique(value)))
    return Dependency(
        determinant=names[0],
        dependent=names[1],
        g3=(rows - right) / rows,
        lift=(right - likeliest) / (rows - likeliest),
        rows=rows,
        one_to_one=one_to_one,
    )


def _pair_counts(x: Coded, y: Coded) -> tuple[Ids, Ids]:
    """(x code * size of y + y code) of pairs that occur, ascending, and their rows."""
    ids = x.codes.astype(np.int64) * y.size + y.codes
    if x.size * y.size <= max(_BINS, 2 * len(ids)):
        counts = np.bincount(ids, minlength=x.size * y.size)
        present = np.flatnonzero(counts).astype(np.int64)
        return present, counts[present].astype(np.int64)
    values, counts = np.unique(ids, return_counts=True)
    return values, counts.astype(np.int64)

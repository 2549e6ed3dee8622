"""Disclosure models: which equivalence classes satisfy the policy.

A class is the set of rows whose quasi-identifiers carry equal labels. Every model is judged on counts alone, for all classes at once.
A *member* is a row or, where a column names persons, a person: a person with many rows counts once in a class, and once per class and
sensitive value. Null is a value of its own, of the quasi-identifiers as well as of the sensitive columns.

- k-anonymity: at least k members (Samarati 2001, IEEE TKDE 13(6):1010; Sweeney 2002, IJUFKS 10(5):557).
- l-diversity of every sensitive column (Machanavajjhala et al. 2007, ACM TKDD 1(1):3):
  distinct: at least l values; entropy: exp(-sum p ln p) >= l; recursive (c,l): r_1 < c (r_l + ... + r_m), counts in descending order.
- t-closeness (Li, Li, Venkatasubramanian 2007, ICDE): earth mover's distance between a class's distribution p of a sensitive column and
  the table's q is at most t; see `distances`.
- k-map (El Emam and Dankar 2008, JAMIA 15(5):627): at least k_map persons of the population share the labels.
- delta-presence (Nergiz, Atzori, Clifton 2007, SIGMOD): lower <= members / persons of the population <= upper.

Boundaries. A comparison that would hold in exact arithmetic holds here: figures within 1e-12 (relative) of a closed bound count as
having reached it. A class split 3 : 3 has exp(entropy) 2 and is entropy 2-diverse, whatever the last bit of the logarithms says.

What the reference q is. `reference="input"`: the distribution over all classes, the suppressed ones included (as in ARX).
`reference="release"`, the default: that, and the distribution over the classes that stay: what leaves can be checked from the release
alone. Suppression moves the second distribution, so classes farther than t from it are removed, the farthest first, until none is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tamis.core.plan import Classes

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_CLOSE = 1e-12
_AT_ONCE = 0.1
"""share of the classes too far from the release that one round removes: few rounds, and few classes removed in vain"""


@dataclass(frozen=True, slots=True)
class Criteria:
    """What every class of a release must satisfy; the fields mean what they mean in `policy.Privacy`."""

    k: int
    l: float | None = None
    diversity: Literal["distinct", "entropy", "recursive"] = "distinct"
    c: float | None = None
    t: float | None = None
    distance: Literal["equal", "ordered", "hierarchical"] = "equal"
    k_map: int | None = None
    presence: tuple[float, float] | None = None
    reference: Literal["input", "release"] = "release"
    """what t is measured against; see the module"""

    @classmethod
    def of(cls, stated: Classes) -> Criteria:
        """The criteria a plan states for a table."""
        return cls(
            k=stated.k,
            l=stated.l,
            diversity=stated.diversity,
            c=stated.c,
            t=stated.t,
            distance=stated.distance,
            k_map=stated.k_map,
            presence=stated.presence,
        )

    @property
    def about_values(self) -> bool:
        """Whether sensitive columns matter at all."""
        return self.l is not None or self.t is not None

    @property
    def partial(self) -> bool:
        """Whether a part of a class that violates them may satisfy them: true of entropy, recursive, t and presence."""
        return self.presence is not None or self.t is not None or (self.l is not None and self.diversity != "distinct")

    @property
    def about_population(self) -> bool:
        """Whether a population is needed."""
        return self.k_map is not None or self.presence is not None


@dataclass(frozen=True, slots=True)
class Values:
    """Members per class and value of one sensitive column: equally long arrays, one entry per combination that occurs, in any order.

    `order[value]` is the rank of a value, None where values have no order; `parents[level][value]` its ancestor at a level.
    """

    classes: Codes
    values: Codes
    counts: Codes
    order: Codes | None = None
    parents: tuple[Codes, ...] = ()


def satisfying(criteria: Criteria, members: Codes, sensitive: Sequence[Values] = (), population: Codes | None = None) -> Mask:
    """Which classes may leave: (classes,) of bool.

    `members` and `population` count the members and the persons of the population per class; a class unknown to the population has 0.
    """
    fits = enough(criteria, members, sensitive, population)
    for column in sensitive if criteria.about_values else ():
        fits &= _varied(criteria, column, len(members))
    if criteria.presence is not None:
        lower, upper = criteria.presence
        known = np.zeros_like(members) if population is None else population
        fits &= (known > 0) & (members >= lower * known * (1 - _CLOSE)) & (members <= upper * known * (1 + _CLOSE))
    return fits if criteria.t is None else _near(criteria, fits, sensitive)


def enough(criteria: Criteria, members: Codes, sensitive: Sequence[Values] = (), population: Codes | None = None) -> Mask:
    """Which classes satisfy what stays satisfied in every merge: k, k-map, distinct values.

    Entropy and recursive l-diversity imply at least ceil(l) (entropy) or l distinct values: necessary, and closed under merges.
    """
    fits = members >= criteria.k
    if criteria.k_map is not None:
        fits &= (np.zeros_like(members) if population is None else population) >= criteria.k_map
    if criteria.l is not None:
        least = np.ceil(criteria.l * (1 - _CLOSE))
        for column in sensitive:
            fits &= np.bincount(column.classes, minlength=len(members)) >= least
    return fits


def least_removed(
    criteria: Criteria, rows: Codes, persons: Codes | None = None, sensitive: Sequence[Values] = (), population: Codes | None = None
) -> Codes:
    """How many rows of each class every refinement of it must remove at least: (classes,), 0 to `rows`.

    A refinement splits classes and removes those of its own that violate a criterion. What is left of a class is then a union of
    classes that satisfy the criteria, and such a union satisfies them as well:
    - k, k-map, distinct values: more members, persons and values never hurt, so all of a class that has too few goes;
    - t, equal distance: the share of V = {p > q} in what is left is at most q(V) + t (the distance is convex);
    - entropy: concave, so what is left has entropy ln l at least, and no share above the largest pi that this allows
      (ln l <= h(pi) + (1 - pi) ln(m - 1), m values: Fano's inequality);
    - recursive: the tail r_l + ... + r_m only shrinks, so every count must fall below c x tail;
    - presence: the members left are at most upper x persons of the population.
    Where `persons` are counted (None: a row is a member) a person may be in several parts, and only the first holds.
    """
    gone = np.where(enough(criteria, rows if persons is None else persons, sensitive, population), 0, rows)
    if persons is not None:
        return gone
    if criteria.presence is not None and population is not None:
        gone = np.maximum(gone, np.ceil(rows - criteria.presence[1] * population - 1e-6).astype(np.int64))
    for column in sensitive:
        gone = np.maximum(gone, _least_of(criteria, column, rows))
    return np.minimum(gone, rows)


def _least_of(criteria: Criteria, column: Values, rows: Codes) -> Codes:
    classes, size = len(rows), np.maximum(rows, 1)
    least = np.zeros(classes)
    if criteria.t is not None and criteria.distance == "equal":
        whole: Floats = np.bincount(column.values, weights=column.counts).astype(np.float64)
        whole /= max(whole.sum(), 1.0)
        over = column.counts > whole[column.values] * size[column.classes]
        have = np.bincount(column.classes[over], weights=column.counts[over], minlength=classes)
        may = np.bincount(column.classes[over], weights=whole[column.values[over]], minlength=classes) + criteria.t
        least = np.where(may < 1, (have - may * size) / np.where(may < 1, 1 - may, 1), 0)
    if criteria.l is not None and criteria.diversity == "entropy":
        most = np.zeros(classes)
        np.maximum.at(most, column.classes, column.counts)
        share = _largest_share(float(np.log(criteria.l)), len(np.unique(column.values)))
        least = np.maximum(least, (most - share * size) / (1 - share))
    if criteria.l is not None and criteria.diversity == "recursive":
        _, rest = _most_and_rest(criteria, column, classes)
        top = np.maximum(np.ceil((criteria.c or 0.0) * rest * (1 + 1e-9)) - 1, 0)  # largest count strictly below c x tail
        excess = np.maximum(column.counts - top[column.classes], 0)
        least = np.maximum(least, np.bincount(column.classes, weights=excess, minlength=classes))
    return np.maximum(np.ceil(least - 1e-6), 0).astype(np.int64)


def _largest_share(entropy: float, values: int) -> float:
    """The largest share one of `values` values can have in a distribution of at least this entropy, rounded up; by bisection."""
    low, high = 1.0 / max(values, 1), 1.0 - 1e-9
    if values < 2:
        return high
    for _ in range(60):
        share = (low + high) / 2
        bound = -share * np.log(share) - (1 - share) * np.log1p(-share) + (1 - share) * np.log(values - 1)
        low, high = (share, high) if bound >= entropy else (low, share)
    return float(high)


def _varied(criteria: Criteria, column: Values, classes: int) -> Mask:
    """Entropy and recursive diversity; distinct is settled by `enough`."""
    if criteria.l is None or criteria.diversity == "distinct":
        return np.ones(classes, dtype=bool)
    sizes = np.bincount(column.classes, weights=column.counts, minlength=classes)
    if criteria.diversity == "entropy":
        logs = np.bincount(column.classes, weights=column.counts * np.log(column.counts), minlength=classes)
        sizes = np.maximum(sizes, 1.0)
        return np.asarray(np.log(sizes) - logs / sizes >= np.log(criteria.l) - _CLOSE)
    most, rest = _most_and_rest(criteria, column, classes)
    return np.asarray(most < (criteria.c or 0.0) * rest * (1 - _CLOSE))  # strict: a tie in exact arithmetic does not pass


def _most_and_rest(criteria: Criteria, column: Values, classes: int) -> tuple[Floats, Floats]:
    """Per class r_1 and r_l + ... + r_m of its counts in descending order."""
    order = np.lexsort((-column.counts, column.classes))
    of, counts = column.classes[order], column.counts[order]
    rank = np.arange(len(of)) - np.searchsorted(of, np.arange(classes))[of]
    rest = np.bincount(of, weights=np.where(rank >= int(criteria.l or 1) - 1, counts, 0), minlength=classes)
    most = np.bincount(of, weights=np.where(rank == 0, counts, 0), minlength=classes)
    return most.astype(np.float64), rest.astype(np.float64)


# ------------------------------------------------------------------------------------------------------------------------ closeness


def _near(criteria: Criteria, fits: Mask, sensitive: Sequence[Values]) -> Mask:
    """Classes within t of the reference, of those that fit otherwise."""
    bound = (criteria.t or 0.0) + _CLOSE
    for column in sensitive:
        fits = fits & (distances(criteria.distance, column, len(fits), np.ones(len(fits), dtype=bool)) <= bound)
    while criteria.reference == "release" and fits.any():
        apart = np.zeros(len(fits))
        for column in sensitive:
            apart = np.maximum(apart, np.where(fits, distances(criteria.distance, column, len(fits), fits), 0.0))
        far = np.flatnonzero(apart > bound)
        if not len(far):
            break
        worst = np.sort(apart[far])[-max(1, int(len(far) * _AT_ONCE))]
        fits = fits & (apart < worst)
    return fits


def distances(distance: Literal["equal", "ordered", "hierarchical"], column: Values, classes: int, among: Mask) -> Floats:
    """Earth mover's distance of each class's distribution p from q, the distribution over the classes `among`: (classes,), 0 to 1.

    m values, ranks 1..m, hierarchy of height H. Li et al. 2007, section 4:
    equal: sum over values of max(p - q, 0); ordered: 1/(m-1) sum over i of |sum over j <= i of (p_j - q_j)|; hierarchical: moving mass
    between two values costs height of their lowest common ancestor / H; the cheapest flow is the sum over inner nodes N of
    height(N)/H min(positive, negative excess of N's children).
    A column without an order (a hierarchy) is measured with the equal distance. A class without members is at distance 0.
    """
    inside = among[column.classes]
    of, counts = column.classes[inside], column.counts[inside].astype(np.float64)
    present, values = np.unique(column.values[inside], return_inverse=True)
    whole: Floats = np.bincount(values, weights=counts, minlength=len(present)).astype(np.float64)
    whole /= max(whole.sum(), 1.0)
    share = counts / np.maximum(np.bincount(of, weights=counts, minlength=classes), 1.0)[of]
    shares = _Shares(of, values, share, whole)
    if distance == "ordered" and column.order is not None:
        return _by_rank(shares, np.argsort(np.argsort(column.order[present], kind="stable"), kind="stable"), classes)
    tree = column.parents if distance == "hierarchical" else ()
    return _by_tree(shares, [level[present] for level in tree], classes)


@dataclass(frozen=True, slots=True)
class _Shares:
    """`share[i]`: what value `values[i]` is of class `classes[i]`; `whole[value]`: what it is of the reference, 0 of none."""

    classes: Codes
    values: Codes
    share: Floats
    whole: Floats


def _by_tree(shares: _Shares, parents: Sequence[Codes], classes: int) -> Floats:
    """Level by level; the equal distance is a tree whose root has all values as children.

    Of a node's children only those with members in the class can have an excess (p > q); its deficit follows from its own excess.
    """
    whole = shares.whole
    rooted = len(parents) > 0 and len(np.unique(parents[-1])) <= 1
    levels = [*parents] if rooted else [*parents, np.zeros(len(whole), dtype=np.int64)]
    total, below = np.zeros(classes), np.arange(len(whole))
    of, nodes, mass, reference = shares.classes, shares.values, shares.share, whole
    for height, level in enumerate(levels, start=1):
        width = int(level.max(initial=0)) + 1
        above = np.zeros(len(reference), dtype=np.int64)
        above[below] = level
        key, back = np.unique(of * width + above[nodes], return_inverse=True)
        positive = np.bincount(back, weights=np.maximum(mass - reference[nodes], 0.0), minlength=len(key))
        mass = np.bincount(back, weights=mass, minlength=len(key)).astype(np.float64)
        of, nodes, below = key // width, key % width, level
        reference = np.bincount(level, weights=whole, minlength=width).astype(np.float64)
        negative = positive - (mass - reference[nodes])
        total += np.bincount(of, weights=np.minimum(positive, negative), minlength=classes) * height / len(levels)
    return total


def _by_rank(shares: _Shares, rank_of: Codes, classes: int) -> Floats:
    """The sum of |P - Q| over ranks: P is constant between two values of a class, Q ascends, so each stretch has one crossing."""
    m = len(shares.whole)
    if not len(shares.classes):
        return np.zeros(classes)
    ranked = np.zeros(m)
    ranked[rank_of] = shares.whole
    upto = np.cumsum(ranked)
    sums = np.concatenate(([0.0], np.cumsum(upto)))
    rank = rank_of[shares.values]
    order = np.lexsort((rank, shares.classes))
    of, start, mass = shares.classes[order], rank[order], shares.share[order]
    first = np.append(True, of[1:] != of[:-1])
    last = np.append(first[1:], True)
    running = np.cumsum(mass)
    begin = np.flatnonzero(first)
    level = running - (running - mass)[begin][np.cumsum(first) - 1]
    stop = np.where(last, m, np.append(start[1:], m))
    cross = np.clip(np.searchsorted(upto, level), start, stop)
    area = (cross - start) * level - (sums[cross] - sums[start]) + (sums[stop] - sums[cross]) - (stop - cross) * level
    area = area + np.where(first, sums[start], 0.0)
    return np.asarray(np.bincount(of, weights=area, minlength=classes) / max(1, m - 1))

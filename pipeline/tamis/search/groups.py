"""Groups of categories: values are put together step by step, those first that lose least and resemble each other most.

Cost of joining groups A and B, with rows r, values (leaves) v and D values in all: (r_A v_B + r_B v_A) / D is what the loss of the
column rises by (its normalized certainty penalty, Xu et al. 2006, KDD); it is multiplied by their distance, a mean of

- words: 1 - shared words or beginnings, and
- company: the Hellinger distance of what the two occur together with in the other quasi-identifiers, averaged over them (groups that
  occur in the same company make larger classes together).

That is for one level per column: what is rare is joined first. With local recoding a row pays for the lowest group that holds all of its
class, and most pairs of rows are of frequent values: those are joined first, by the average linkage (r_A / v_A) (r_B / v_B) times their
likeness, 1 - distance (Dasgupta 2016, STOC; Moseley and Wang 2017, NIPS).

Agglomerative, so that the groups nest. Where an outer order of things is known (a hierarchy, a column that this one determines), values
are only joined within it until nothing is left to join there; where values have an order, only neighbors are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

OTHER = "OTHER"
_SHOWN = 3
_LONGEST = 48
_SHRINK = 0.62
"""each level has at most so many times the groups of the level below"""
_SHRINK_LOCAL = 0.85
_EACH = 8
"""local recoding: up to so many groups each join is a level"""
_SAME = 0.08
"""distance of groups that are alike in everything: never nothing, so that size counts always"""


@dataclass(frozen=True, slots=True)
class Unit:
    """What is never divided: one value, or values of which no single one may be named."""

    members: tuple[str, ...]
    """canonical values that are mapped with it; none for the pool of whatever is not listed"""
    rows: int
    leaves: int
    named: bool
    """the value is shared by k persons and may stand in a label"""
    parents: tuple[str | None, ...] = ()
    """per outer level its name there"""
    pool: bool = False
    """everything unlisted"""

    @property
    def name(self) -> str | None:
        """The value, where it may be named."""
        return OTHER if self.pool else self.members[0] if self.named else None


@dataclass(frozen=True, slots=True)
class Level:
    """One level: (label, places of its units) for every group."""

    groups: tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(slots=True)
class _Group:
    units: list[int]
    rows: float
    leaves: float
    first: int
    """smallest place: the order of ordered groups, and of ties"""
    company: Floats = field(repr=False)


def group_levels(
    units: Sequence[Unit], words: Floats, company: Floats, blocks: Sequence[int], *, ordered: bool, local: bool = False
) -> tuple[Level, ...]:
    """Levels of groups from fine to coarse, down to two groups, without the level of single units.

    `words[i, j]` is the distance of units by their words; `company[i]` the rows of unit i by what it occurs with, `blocks` the widths of
    the other columns in it. With `ordered` the units stand in their order; a pool stands last and is joined last.
    """
    outer = max((len(unit.parents) for unit in units), default=0)
    groups = [
        _Group([place], float(unit.rows), float(unit.leaves), place, company[place].astype(np.float64)) for place, unit in enumerate(units)
    ]
    levels: list[Level] = []
    last = float(len(groups))
    shrink = _SHRINK_LOCAL if local else _SHRINK
    for fence in [*range(outer), None]:
        while (pair := _cheapest(units, groups, words, blocks, fence, ordered=ordered, local=local)) is not None and (
            fence is not None or len(groups) > 2
        ):
            groups = _joined(groups, *pair)
            if len(groups) <= max(last * shrink, last - 1 if local and last <= _EACH else 0) and len(groups) > 1:
                levels.append(_level(units, groups))
                last = float(len(groups))
        if fence is not None and len(groups) > 1:
            levels.append(_level(units, groups))
            last = float(len(groups))
    if len(groups) == 2 and last > 2:
        levels.append(_level(units, groups))
    return tuple(level for place, level in enumerate(levels) if not place or len(level.groups) < len(levels[place - 1].groups))


def _cheapest(
    units: Sequence[Unit],
    groups: list[_Group],
    words: Floats,
    blocks: Sequence[int],
    fence: int | None,
    *,
    ordered: bool,
    local: bool,
) -> tuple[int, int] | None:
    """Places of the two groups to join next; None when nothing may be joined."""
    m = len(groups)
    if m < 2:
        return None
    rows, leaves = np.array([g.rows for g in groups]), np.array([g.leaves for g in groups])
    apart = _SAME + _distance(groups, words, blocks)
    if local:
        share = rows / np.maximum(leaves, 1.0)
        cost = -share[:, None] * share[None, :] * np.maximum(1.0 + 2 * _SAME - apart, _SAME)
    else:
        cost = (rows[:, None] * leaves[None, :] + rows[None, :] * leaves[:, None]) * apart
    allowed = np.triu(np.ones((m, m), dtype=bool), 1)
    if fence is not None:
        parent = np.unique([str((units[g.units[0]].parents or (None,) * (fence + 1))[fence]) for g in groups], return_inverse=True)[1]
        loose = np.array([not units[g.units[0]].parents or units[g.units[0]].parents[fence] is None for g in groups])
        allowed &= (parent[:, None] == parent[None, :]) & ~loose[:, None] & ~loose[None, :]
    if ordered:
        order = np.argsort([g.first for g in groups], kind="stable")
        beside = np.zeros((m, m), dtype=bool)
        beside[order[:-1], order[1:]] = beside[order[1:], order[:-1]] = True
        allowed &= beside
    if not allowed.any():
        return None
    cost = np.where(allowed, cost, np.inf)
    best = int(np.argmin(np.round(cost, 9)))
    return best // m, best % m


def _distance(groups: list[_Group], words: Floats, blocks: Sequence[int]) -> Floats:
    """(groups, groups): the mean of distance by words and by company; the one there is, where the other is missing."""
    m = len(groups)
    member = np.zeros((m, words.shape[0]))
    for place, group in enumerate(groups):
        member[place, group.units] = 1.0 / len(group.units)
    by_words = member @ words @ member.T
    if not blocks:
        return np.asarray(by_words)
    total, start = np.zeros((m, m)), 0
    counts = np.array([g.company for g in groups])
    for width in blocks:
        part = counts[:, start : start + width]
        root = np.sqrt(part / np.maximum(part.sum(axis=1, keepdims=True), 1.0))
        total += np.sqrt(np.clip(1.0 - root @ root.T, 0.0, 1.0))
        start += width
    return np.asarray((by_words + total / len(blocks)) / 2)


def _joined(groups: list[_Group], a: int, b: int) -> list[_Group]:
    one, two = groups[a], groups[b]
    both = _Group(
        sorted(one.units + two.units), one.rows + two.rows, one.leaves + two.leaves, min(one.first, two.first), one.company + two.company
    )
    return [both if place == a else group for place, group in enumerate(groups) if place != b]


# -------------------------------------------------------------------------------------------------------------------------- labels


def _level(units: Sequence[Unit], groups: list[_Group]) -> Level:
    """Labels of the groups: the name of an outer group that is whole, else the commonest names in it."""
    whole = _whole(units, groups)
    taken: set[str] = set()
    out = []
    for place, group in enumerate(groups):
        label = whole.get(place) or _label(units, group)
        while label in taken:
            label += "'"
        taken.add(label)
        out.append((label, tuple(group.units)))
    return Level(tuple(out))


def _whole(units: Sequence[Unit], groups: list[_Group]) -> dict[int, str]:
    """Groups that are exactly one outer group of some level: the finest name."""
    out: dict[int, str] = {}
    for outer in range(max((len(unit.parents) for unit in units), default=0)):
        of: dict[str, set[int]] = {}
        for place, unit in enumerate(units):
            if unit.parents and unit.parents[outer] is not None:
                of.setdefault(str(unit.parents[outer]), set()).add(place)
        sets = {frozenset(places): name for name, places in of.items()}
        for place, group in enumerate(groups):
            if (name := sets.get(frozenset(group.units))) is not None and len(group.units) > 1:
                out.setdefault(place, name)
    return out


def _label(units: Sequence[Unit], group: _Group) -> str:
    named = [units[place] for place in group.units if units[place].named and not units[place].pool]
    names = [_short(unit.members[0]) for unit in sorted(named, key=lambda unit: (-unit.rows, unit.members))]
    if not names and not any(units[place].pool for place in group.units):
        parents = units[group.units[0]].parents
        return f"{parents[0]} (rest)" if parents and parents[0] is not None else f"{OTHER} (rest)"
    shown = names[:_SHOWN] + ([f"+{len(names) - _SHOWN}"] if len(names) > _SHOWN else [])
    return " | ".join(shown + ([OTHER] if any(units[place].pool for place in group.units) else []))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


# ------------------------------------------------------------------------------------------------------------------------ likeness


def word_distances(names: Sequence[str | None]) -> Floats:
    """(names, names), 0 to 1: 1 - shared words / words of the shorter name, or 1 - common beginning / shorter name from four letters on.

    A unit without a name is at distance 1 of all.
    """
    m = len(names)
    out = np.ones((m, m))
    np.fill_diagonal(out, 0.0)
    words = [set(re.findall(r"\w+", (name or "").casefold())) - _FILLERS for name in names]
    plain = [re.sub(r"\W+", " ", (name or "").casefold()).strip() for name in names]
    for i in range(m):
        for j in range(i + 1, m):
            if names[i] is None or names[j] is None:
                continue
            out[i, j] = out[j, i] = 1.0 - max(_shared(words[i], words[j]), _beginning(plain[i], plain[j]))
    return out


_FILLERS = frozenset({"a", "an", "and", "the", "of", "or", "in", "with", "not", "de", "la", "und", "et", "y", "&"})


def _shared(one: set[str], two: set[str]) -> float:
    return len(one & two) / max(1, min(len(one), len(two))) * (0.5 + 0.5 * len(one & two) / max(1, len(one | two)))


def _beginning(one: str, two: str) -> float:
    length = 0
    for a, b in zip(one, two, strict=False):
        if a != b:
            break
        length += 1
    return length / max(len(one), len(two), 1) if length >= 4 else 0.0

"""Which combinations of columns single people out: minimal column sets, searched on all rows.

Definitions. The class of a person's row under a column set S is all rows that agree with it on S (null is a value like any other);
it is counted in persons: distinct values of the unit, or rows where there is none. A person is *below k* under S when one of their
rows is in a class of fewer than k persons, and S is *singling* when at least a share s of the persons is below k. Adding a column
splits classes and never joins them, so every superset of a singling set is singling: what matters are the *minimal* ones, of which no
proper subset is singling. For k = 2 and s = 1 they are the minimal unique column combinations (Abedjan et al. 2015, VLDB J. 24:557,
section 3); for one row instead of a share they are the minimal sample uniques of SUDA2 (Manning, Haglin & Keane 2008, Data Min.
Knowl. Discov. 16:165); `distinct_ratio` is that of Motwani & Xu 2007 (Efficient algorithms for masking and finding
quasi-identifiers).

Search. Level by level (Agrawal & Srikant 1994: a set is a candidate when all its parts are not singling), exact, with two bounds
that need no count: a class below k holds at most k - 1 persons, so a set with c combinations has at most (k - 1) c persons below k,
and c is at most the product of what is known of its parts; and a subset of a set that is not singling is not singling, which is
asked first of all columns together and of all quasi-identifiers together. What was counted is bounded by a budget of rows; a
search that ends early says how far it is complete.

Candidates are the columns that somebody could know of another: everything but direct identifiers, keys of rows (text and
integers that are nearly unique), free text, measures
(numbers of which most rows carry a value that fewer than k rows share: nobody knows them to the last digit) and columns that say
nothing or repeat an earlier one. Found quasi-identifiers are always candidates, whatever their values look like.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
import polars as pl

from tamis.core.ports import Progress
from tamis.core.types import ColumnProfile, DatasetProfile, DataType, Finding, Findings, QuasiSearch, QuasiSet, Role, Table, TableProfile
from tamis.profile.codes import Coded, Ids, distinct_ids, encode, extended, group_sizes, packed
from tamis.profile.limits import Limits
from tamis.profile.normal import normalize

_NEAR_KEY = 0.98
_TEXT_WORDS = 6.0
_MEASURE = 0.5
_SAMPLED = 50_000
_KEPT = 100
_MOST_OPEN = 200_000
"""candidate sets of one size; more are not listed"""

Columns = tuple[int, ...]


def find_quasi_sets(
    tables: Sequence[Table],
    profile: DatasetProfile,
    findings: Findings,
    *,
    units: Mapping[str, str],
    k: int,
    share: float = 0.05,
    budget: int | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> tuple[QuasiSearch, ...]:
    """The search in every table. `units` is table to the column whose values are the persons, where there is one.

    `share` is the least share of persons below k that makes a set singling (0 < share <= 1); `budget` bounds the rows counted over
    all sets of a table (None: that of the limits). The result does not depend on the order of rows.
    """
    limits = limits or Limits()
    limits = limits if budget is None else replace(limits, quasi_budget=budget)
    out = []
    for table in tables:
        if progress is not None:
            progress.note(f"{table.name}: combinations that single people out")
        found = {column.name: findings.of(table.name, column.name) for column in table.columns}
        out.append(_search_table(table, profile.table(table.name), found, units.get(table.name), k, share, limits))
    return tuple(out)


def _search_table(
    table: Table, profile: TableProfile, findings: Mapping[str, Finding], unit: str | None, k: int, share: float, limits: Limits
) -> QuasiSearch:
    names, left_out = choose_candidates(profile, findings, unit, limits)
    blank = QuasiSearch(table=table.name, unit=unit, persons=0, k=k, share=share, candidates=names, left_out=left_out)
    if not names or not profile.rows:
        return blank
    by_row = unit is not None and profile.column(unit).distinct == profile.rows  # one row per person: rows are counted
    people = _encode(table, names, None if by_row else unit)
    quasi = sum(findings[name].role is Role.QUASI for name in names)
    search = _Search(people, k, share * people.persons, quasi, limits)
    search.run()
    sets = [search.figures(columns) for columns in search.found]
    ranked = sorted(zip(search.found, sets, strict=True), key=lambda one: _rank(one[0], one[1], quasi))
    shown = [_quasi_set(columns, figures, names, quasi, people.persons) for columns, figures in ranked]
    every = tuple(range(quasi))
    return blank.model_copy(
        update={
            "persons": people.persons,
            "sets": tuple(shown[:_KEPT]),
            "found": len(shown),
            "whole": _quasi_set(every, search.figures(every), names, quasi, people.persons) if every else None,
            "complete_size": search.complete_size,
            "exhaustive": search.exhaustive,
            "counted": search.counted,
            "excluded": search.excluded,
            "open": search.open,
        }
    )


# ---------------------------------------------------------------------------------------------------------------- who could know what


def choose_candidates(
    profile: TableProfile, findings: Mapping[str, Finding], unit: str | None, limits: Limits
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """(candidates, reason to columns left out). Quasi-identifiers first, each part in the order of the table."""
    reasons: dict[str, list[str]] = defaultdict(list)
    chosen: list[ColumnProfile] = []
    for column in profile.columns:
        reason = "the person's key" if column.name == unit else _unknowable(column, findings[column.name].role)
        if reason:
            reasons[reason].append(column.name)
        else:
            chosen.append(column)
    # Where there are too many, those with the fewest values go last: they tell the least.
    place = {column.name: i for i, column in enumerate(profile.columns)}
    ranked = sorted(chosen, key=lambda c: (findings[c.name].role is not Role.QUASI, -c.distinct, place[c.name]))
    kept = {column.name for column in ranked[: limits.quasi_columns]}
    if over := [column.name for column in chosen if column.name not in kept]:
        reasons[f"more than {limits.quasi_columns} columns: those with the most values were searched"] = over
    names = [column.name for column in chosen if column.name in kept]
    names.sort(key=lambda name: (findings[name].role is not Role.QUASI, place[name]))
    return tuple(names), {reason: tuple(columns) for reason, columns in reasons.items()}


def _unknowable(column: ColumnProfile, role: Role) -> str | None:
    """Why nobody would know this column of another person, or why it adds nothing."""
    if column.type in (DataType.EMPTY, DataType.BINARY) or not column.present:
        return "no values to know"
    if column.constant:
        return "constant"
    if column.duplicate_of or column.equivalent_to:
        return "says the same as another column"
    if role is Role.DIRECT:
        return "identifies a person alone"
    if role is Role.QUASI:
        return None
    if column.type in (DataType.TEXT, DataType.INTEGER) and column.present > 1 and column.uniqueness >= _NEAR_KEY:
        return "a key of rows"
    if (column.words_mean or 0) > _TEXT_WORDS:
        return "free text"
    if column.type in (DataType.INTEGER, DataType.NUMBER, DataType.DURATION) and _is_measure(column):
        return "a measure, known to nobody to the last digit"
    return None


def _is_measure(column: ColumnProfile) -> bool:
    if column.rare_rows is None:
        return True  # too many values to count
    return column.rare_rows >= _MEASURE * column.present


# --------------------------------------------------------------------------------------------------------------------------- counting


@dataclass(frozen=True, slots=True)
class _People:
    """The rows that are counted: codes per column, and either rows per entry or the person of each entry."""

    columns: tuple[Coded, ...]
    persons: int
    weights: Ids | None = None
    who: Coded | None = None
    entries: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """What is counted of one column set."""

    below: int
    unique: int
    combinations: int
    pairs: int
    smallest: int


def _encode(table: Table, names: Sequence[str], unit: str | None) -> _People:
    frame, safe = normalize(table)
    place = {column.name: name for column, name in zip(table.columns, safe, strict=True)}

    def coded(name: str) -> Coded:
        return encode(frame.select(pl.col(place[name])).collect(engine="streaming").to_series())

    columns = tuple(coded(name) for name in names)
    who = coded(unit) if unit is not None else None
    rows = len(columns[0].codes)
    if who is not None and who.size == rows:
        who = None  # one row per person
    persons = rows if who is None else who.size
    return _folded(_People(columns, persons, None, who, rows))


def _folded(people: _People) -> _People:
    """The same with equal entries put together, where a look at some of them says that many are equal."""
    keyed = [*people.columns, *([people.who] if people.who else [])]
    if people.entries > _SAMPLED:
        step = people.entries // _SAMPLED
        some = [Coded(column.codes[::step], column.size, column.null) for column in keyed]
        if len(distinct_ids(*packed(some))) > len(some[0].codes) // 2:
            return people
    frame = pl.DataFrame({f"c{i}": column.codes for i, column in enumerate(keyed)})
    groups = frame.group_by(frame.columns).agg(pl.len().cast(pl.Int64).alias("n"))
    parts = [Coded(groups[f"c{i}"].to_numpy(), column.size, column.null) for i, column in enumerate(keyed)]
    if people.who is None:
        return _People(tuple(parts), people.persons, groups["n"].to_numpy(), None, groups.height)
    return _People(tuple(parts[:-1]), people.persons, None, parts[-1], groups.height)


def count_classes(ids: Ids, space: int, people: _People, k: int) -> Figures:
    """Figures of the column set that these ids number."""
    if people.who is None:
        sizes = group_sizes(ids, space, people.weights)
        small = sizes[sizes < k]
        return Figures(int(small.sum()), int((sizes == 1).sum()), len(sizes), people.persons, int(sizes.min()))
    pairs = distinct_ids(*extended(ids, space, people.who))
    person = pairs % people.who.size
    starts = np.flatnonzero(np.diff(pairs // people.who.size, prepend=-1))
    sizes = np.diff(starts, append=len(pairs)).astype(np.int64)
    of_pair = np.repeat(sizes, sizes)
    below = np.zeros(people.who.size, dtype=bool)
    alone = np.zeros(people.who.size, dtype=bool)
    below[person[of_pair < k]] = True
    alone[person[of_pair == 1]] = True
    return Figures(int(below.sum()), int(alone.sum()), len(sizes), len(pairs), int(sizes.min()))


# ----------------------------------------------------------------------------------------------------------------------------- search


@dataclass(slots=True)
class _Search:
    """Level by level over the antichain of minimal singling sets. Columns below `quasi` are quasi-identifiers."""

    people: _People
    k: int
    least: float
    """persons below k that make a set singling"""
    quasi: int
    limits: Limits
    found: list[Columns] = field(default_factory=list)
    counted: int = 0
    excluded: int = 0
    open: int = 0
    complete_size: int = 0
    exhaustive: bool = False
    _known: dict[Columns, Figures] = field(default_factory=dict)
    _most: dict[Columns, int] = field(default_factory=dict)
    """upper bound of the combinations of sets that are not singling"""
    _prefix: tuple[Columns, Ids, int] | None = None
    _spent: int = 0

    def run(self) -> None:
        """Find all minimal singling sets within the limits."""
        columns = len(self.people.columns)
        every = tuple(range(columns))
        if not self._is_singling(self.figures(every)):
            self.excluded, self.complete_size, self.exhaustive = 2**columns - 2, columns, True
            return
        harmless = self.quasi > 1 and not self._is_singling(self.figures(tuple(range(self.quasi))))
        level: list[Columns] = [(i,) for i in every]
        while level:
            size = len(level[0])
            if size > self.limits.quasi_size or len(level) > _MOST_OPEN:
                return
            alive = self._level(level, harmless=harmless)
            if alive is None:
                return
            self.complete_size = size
            level = _next_level(alive)
        self.complete_size, self.exhaustive = columns, True

    def figures(self, columns: Columns) -> Figures:
        """Count one set, once."""
        if columns not in self._known:
            self.counted += 1
            self._spent += self.people.entries
            self._known[columns] = count_classes(*self._ids(columns), self.people, self.k)
        return self._known[columns]

    def _is_singling(self, figures: Figures) -> bool:
        return figures.below >= self.least

    def _level(self, level: list[Columns], *, harmless: bool) -> list[Columns] | None:
        """The sets of one size that are not singling; None when the budget ended before all were examined."""
        alive = []
        # Sets of quasi-identifiers first: where the budget ends, they were examined.
        for n, columns in enumerate(sorted(level, key=lambda one: (self._others(one), one))):
            bound = self._bound(columns)
            if (harmless and columns[-1] < self.quasi) or (self.k - 1) * bound < self.least:
                self.excluded += 1
                self._most[columns] = bound
                alive.append(columns)
                continue
            if columns not in self._known and len(columns) > 1 and self._spent + self.people.entries > self.limits.quasi_budget:
                self.open = len(level) - n
                return None
            figures = self.figures(columns)
            if self._is_singling(figures):
                self.found.append(columns)
            else:
                self._most[columns] = figures.combinations
                alive.append(columns)
        return sorted(alive)

    def _others(self, columns: Columns) -> int:
        return sum(i >= self.quasi for i in columns)

    def _bound(self, columns: Columns) -> int:
        """At most so many combinations, from what is known of the parts."""
        if len(columns) == 1:
            return self.people.columns[columns[0]].size
        sizes = [self.people.columns[i].size for i in columns]
        bounds = [self._most[(*columns[:i], *columns[i + 1 :])] * size for i, size in enumerate(sizes)]
        return min(*bounds, self.people.entries)

    def _ids(self, columns: Columns) -> tuple[Ids, int]:
        """Ids of the combinations; those of the set without its last column are kept, because the next set often shares them."""
        coded = self.people.columns
        if len(columns) == 1:
            return packed([coded[columns[0]]])
        if self._prefix is None or self._prefix[0] != columns[:-1]:
            self._prefix = (columns[:-1], *packed([coded[i] for i in columns[:-1]]))
        return extended(self._prefix[1], self._prefix[2], coded[columns[-1]])


def _next_level(alive: Sequence[Columns]) -> list[Columns]:
    """Sets one column larger all of whose parts are alive; `alive` is sorted."""
    known = set(alive)
    by_prefix: dict[Columns, list[int]] = defaultdict(list)
    for columns in alive:
        by_prefix[columns[:-1]].append(columns[-1])
    out = []
    for prefix, lasts in by_prefix.items():
        for a, b in combinations(lasts, 2):
            union = (*prefix, a, b)
            if all((*union[:i], *union[i + 1 :]) in known for i in range(len(prefix))):
                out.append(union)
    return out


def _rank(columns: Columns, figures: Figures, quasi: int) -> tuple[int, int, int, Columns]:
    return sum(i >= quasi for i in columns), len(columns), -figures.below, columns


def _quasi_set(columns: Columns, figures: Figures, names: Sequence[str], quasi: int, persons: int) -> QuasiSet:
    return QuasiSet(
        columns=tuple(names[i] for i in columns),
        quasi=sum(i < quasi for i in columns),
        below_k=round(figures.below / persons, 6),
        unique=round(figures.unique / persons, 6),
        combinations=figures.combinations,
        distinct_ratio=round(figures.combinations / figures.pairs, 6),
        highest_risk=round(1 / figures.smallest, 6),
    )

"""Ladders of categories: from a hierarchy that knows the values, from columns they determine, from their order, from what they share."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tamis.core.actions import AnyRecode, AsIs, CategoryMap, Everything
from tamis.models import Codes
from tamis.search.groups import OTHER, Floats, Level, Unit, group_levels, word_distances
from tamis.search.ladders import FINE_LIMIT, Ladder

MOST_VALUES = 160
"""values that are grouped one by one; rarer ones share a group from the start (grouping costs the cube of it)"""


@dataclass(frozen=True, slots=True)
class Values:
    """The distinct values of a column beside what is known of them."""

    texts: Sequence[str | None]
    """canonical values; equal texts may stand there twice"""
    rows: Codes
    """of each"""
    company: Callable[[Codes, int], tuple[Floats, tuple[int, ...]]]
    """from (group per text, groups), -1 for none, to the rows of each group by what they occur with, and the widths of the columns"""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of values beforehand: ancestors by value, the finest first."""

    parents: Mapping[str, tuple[str, ...]]
    public: bool
    """a file that anyone may read: its values may be listed whether the data has them or not"""


def category_ladder(
    frequent: pl.DataFrame, values: Values, *, known: Known | None, order: Sequence[str] | None, pooled: bool, local: bool = False
) -> Ladder:
    """Rungs of a text column. `frequent` are the values of at least k persons: `value`, `persons`, `rows`, the only ones named.

    With `pooled` the finest rung is the frequent values, else the value itself. Order of preference: a stated order, a known hierarchy,
    an order that the words have, groups by likeness.
    """
    shown = frequent.sort(["persons", "value"], descending=[True, False]).head(MOST_VALUES)
    named = shown["value"].to_list()
    rows = dict(zip(named, shown["rows"].to_list(), strict=True))
    use = known if order is None and known is not None and any(known.parents.values()) else None
    ranked = None if use is not None else _ranked(named, order)
    units = _units(sorted(named) if ranked is None else ranked, rows, values, use)
    start = _start(frequent, values, use, pooled=pooled)
    if len(units) < 2:
        return Ladder((*start, Everything()))
    of = _unit_of(units, values.texts)
    company, blocks = values.company(of, len(units))
    levels = group_levels(units, word_distances([unit.name for unit in units]), company, blocks, ordered=ranked is not None, local=local)
    return Ladder((*start, *(_map(units, level) for level in levels), Everything()))


def _start(frequent: pl.DataFrame, values: Values, known: Known | None, *, pooled: bool) -> tuple[AnyRecode, ...]:
    """The value itself, then what is rare pooled; a hierarchy has a place for what is rare."""
    kept = sorted(frequent["value"].to_list())[:FINE_LIMIT]
    pool = CategoryMap(parents=tuple((value, value) for value in kept))
    if pooled:
        return (pool,)
    if known is not None or len(set(kept)) == len({text for text in values.texts if text is not None}):
        return (AsIs(),)
    return (AsIs(), pool)


def pool_rung(frequent: pl.DataFrame) -> CategoryMap:
    """The finest rung of a column with very many values: those of at least k persons stay."""
    return CategoryMap(parents=tuple((value, value) for value in sorted(frequent["value"].to_list())[:FINE_LIMIT]))


def _units(names: Sequence[str], rows: Mapping[str, int], values: Values, known: Known | None) -> list[Unit]:
    """A unit per frequent value, one per known group for what is rare in it, and the pool of everything else."""
    parents = known.parents if known is not None else {}
    units = [Unit((name,), rows[name], 1, named=True, parents=parents.get(name, ())) for name in names if name != OTHER]
    covered = set(names)
    rest: dict[tuple[str, ...], list[str]] = {}
    if known is not None and known.public:
        for value, above in known.parents.items():
            if value not in covered:
                rest.setdefault(above, []).append(value)
    there: dict[str, int] = {}
    for text, count in zip(values.texts, values.rows.tolist(), strict=True):
        if text is not None:
            there[text] = there.get(text, 0) + count
    for above, members in sorted(rest.items()):
        inside = [there[member] for member in members if member in there]
        units.append(Unit(tuple(sorted(members)), sum(inside), len(inside), named=False, parents=above))
        covered.update(members)
    loose = [count for text, count in there.items() if text not in covered or text == OTHER]
    if loose:
        units.append(Unit((), sum(loose), len(loose), named=False, pool=True))
    return units


def _unit_of(units: Sequence[Unit], texts: Sequence[str | None]) -> Codes:
    """Per text its unit; -1 for the missing value and where there is no pool."""
    place = {member: number for number, unit in enumerate(units) for member in unit.members}
    pool = next((number for number, unit in enumerate(units) if unit.pool), -1)
    return np.array([-1 if text is None else place.get(text, pool) for text in texts], dtype=np.int64)


def _map(units: Sequence[Unit], level: Level) -> CategoryMap:
    pairs = [(value, label) for label, places in level.groups for place in places for value in units[place].members]
    other = next((label for label, places in level.groups if any(units[place].pool for place in places)), OTHER)
    return CategoryMap(parents=tuple(sorted(pairs)), other=other)


# --------------------------------------------------------------------------------------------------------------------------- order

_SCALES = (
    ("none", "very low", "low", "medium low", "medium", "moderate", "average", "normal", "medium high", "high", "very high", "extreme"),
    ("none", "minimal", "mild", "moderate", "severe", "very severe", "critical"),
    ("never", "rarely", "seldom", "sometimes", "occasionally", "often", "usually", "very often", "always"),
    ("strongly disagree", "disagree", "somewhat disagree", "neutral", "undecided", "somewhat agree", "agree", "strongly agree"),
    ("very dissatisfied", "dissatisfied", "neutral", "satisfied", "very satisfied"),
    ("very poor", "poor", "fair", "average", "satisfactory", "good", "very good", "excellent", "outstanding"),
    ("xxs", "xs", "s", "m", "l", "xl", "xxl", "xxxl"),
    ("tiny", "very small", "small", "medium", "large", "very large", "huge"),
    ("intern", "trainee", "junior", "mid", "intermediate", "senior", "lead", "principal", "head", "director"),
    ("beginner", "elementary", "intermediate", "upper intermediate", "advanced", "proficient", "expert", "native"),
    ("hourly", "daily", "weekly", "biweekly", "monthly", "quarterly", "yearly", "annually"),
    ("bronze", "silver", "gold", "platinum", "diamond"),
    ("young", "youth", "adult", "middle aged", "senior", "elderly"),
    ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"),
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
)  # fmt: skip
_MOST_FORMS = 4


def _ranked(values: Sequence[str], order: Sequence[str] | None) -> list[str] | None:
    """The values from low to high: as stated, by a scale that has them all, or by the numbers in them; None where nothing orders them."""
    if order is not None:
        place = {value: rank for rank, value in enumerate(order)}
        return sorted(values, key=lambda value: (place.get(value, len(place)), value))
    if len(values) < 3:
        return None
    plain = {value: " ".join(re.findall(r"[^\W_]+", value.casefold())) for value in values}
    for scale in _SCALES:
        rank = {word: place for place, word in enumerate(scale)}
        if all(text in rank for text in plain.values()):
            return sorted(values, key=lambda value: (rank[plain[value]], value))
    return _by_number(values)


def _by_number(values: Sequence[str]) -> list[str] | None:
    """By the first number in each, where all have one and are written in a few forms ('9th grade', '<5', '10-19', '$25K')."""
    found = {value: re.search(r"\d+(?:[.,]\d+)*", value) for value in values}
    if not all(found.values()):
        return None
    forms = {re.sub(r"\d+(?:[.,]\d+)*(?:st|nd|rd|th)?", "#", value.casefold()) for value in values}
    if len(forms) > _MOST_FORMS or len(forms) * 2 > len(values):
        return None

    def rank(value: str) -> tuple[float, int, str]:
        text = found[value]
        number = float(re.sub(r"[.,](?=\d{3}(?:\D|$))", "", text.group()).replace(",", ".")) if text else 0.0
        first = value.strip()[:1]
        return number, -1 if first in "<≤" else 1 if first in ">≥" or value.rstrip().endswith("+") else 0, value

    try:
        return sorted(values, key=rank)
    except ValueError:
        return None

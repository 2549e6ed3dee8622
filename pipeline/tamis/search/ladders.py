"""Ladders: for a column, recodings from fine to coarse, each a function of the one before it (so that coarser never splits a class).

Method: full-domain generalization hierarchies (Samarati 2001, IEEE TKDE 13(6):1010-1027), built from the column itself. What a ladder
names is shared by at least k persons or comes from a hierarchy file, which is public; everything else is pooled.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tamis.core.actions import AgeBand, AnyRecode, AsIs, CategoryMap, DatePart, Everything, Generalize, NumberBand, NumberCuts, Prefix
from tamis.core.errors import PolicyError, clean_name
from tamis.core.plan import ColumnPlan
from tamis.core.types import ColumnProfile, DataType, Table
from tamis.search.bands import Counted, cut_levels
from tamis.search.literals import numbers, persons_between

Hierarchy = Mapping[str, tuple[str, ...]]
"""value to its ancestors, level 1 upwards"""
Hierarchies = Callable[[str], Hierarchy]
"""name or path of a hierarchy to it"""

FINE_LIMIT = 20_000
"""a column with more distinct values starts at its first band: the raw value is never a useful level there"""
_DEPTH = 5
_DEPTH_LOCAL = 8
"""halvings of numbers: 2^depth bands at most"""
_DATE_UNITS = ("month", "quarter", "year", "5 years", "decade")


@dataclass(frozen=True, slots=True)
class Ladder:
    """The rungs of one column, the finest first. `leaves` are the values of a stated hierarchy; without one the data's are counted."""

    recodes: tuple[AnyRecode, ...]
    leaves: tuple[str, ...] = ()
    stated: bool = False
    """the levels are a person's: none is left out because it changes nothing on this data"""


def plain_ladder(
    table: Table, column: ColumnPlan, action: Generalize, profile: ColumnProfile, k: int, unit: str | None, *, local: bool
) -> Ladder | None:
    """Rungs of numbers, dates and codes; None for categories, which need to be seen beside the other columns."""
    start: tuple[AnyRecode, ...] = () if profile.distinct > FINE_LIMIT else (AsIs(),)
    if isinstance(action.recode, Prefix) and action.recode.restricted:
        shorter = (action.recode.model_copy(update={"length": length}) for length in range(action.recode.length - 1, 0, -1))
        return Ladder((action.recode, *shorter, Everything()))
    match profile.type:
        case DataType.INTEGER if column.entity == "POSTCODE":
            longest = max(2, len(str(int(_number(profile.high) or 0))))
            return Ladder((AsIs(), *(NumberBand(width=10.0**power) for power in range(1, longest)), Everything()))
        case DataType.INTEGER | DataType.NUMBER:
            return Ladder((*start, *_cuts(table, profile, k, unit, local=local), Everything()))
        case DataType.DATE:
            return Ladder((*start, *(DatePart(unit=part) for part in _DATE_UNITS), Everything()))
        case DataType.DATETIME:
            return Ladder((*start, DatePart(unit="day"), *(DatePart(unit=part) for part in _DATE_UNITS), Everything()))
        case DataType.TEXT if action.order is None and (column.entity == "POSTCODE" or _cut_from_the_left(profile)):
            longest = profile.length_max or 1
            lengths = range(longest - 1, 0, -1) if longest <= 6 else range(longest - 1, 0, -max(1, longest // 5))
            return Ladder((*start, *(Prefix(length=length) for length in lengths), Everything()))
        case DataType.TEXT:
            return None
        case _:
            return Ladder((AsIs(), Everything()))


def file_ladder(name: str, hierarchy: Hierarchy) -> Ladder:
    """The levels of a hierarchy as its file has them; values that it does not list become OTHER, and the top is always '*'.

    Raises PolicyError for a hierarchy without levels.
    """
    height = max((len(levels) for levels in hierarchy.values()), default=0)
    if not height:
        raise PolicyError(
            "not_a_hierarchy", f"The hierarchy '{clean_name(name)}' has no levels.", hint="One row per value: value;level 1;…"
        )
    maps = [tuple(sorted((value, levels[level]) for value, levels in hierarchy.items())) for level in range(height)]
    rungs: list[AnyRecode] = [AsIs(), *(CategoryMap(parents=pairs) for pairs in maps)]
    if len({parent for _, parent in maps[-1]}) == 1:
        rungs.pop()
    return Ladder((*rungs, Everything()), leaves=tuple(sorted(hierarchy)), stated=True)


def level_range(levels: int, action: Generalize | None, name: str) -> tuple[int, int]:
    """The levels that a person left to the search, half-open: exactly one, or none above `max_level`. Raises PolicyError beyond the top."""
    if action is None or (action.level is None and action.max_level is None):
        return 0, levels
    if action.level is None:
        return 0, min(levels, (action.max_level or 0) + 1)
    if action.level >= levels:
        raise PolicyError(
            "no_such_level",
            f"'{clean_name(name)}' is to be generalized to level {action.level}, and its highest level is {levels - 1}.",
            hint="tamis plan --explain shows the levels.",
        )
    return action.level, action.level + 1


def stated_recode(action: Generalize, profile: ColumnProfile, levels: Hierarchy | None) -> AnyRecode:
    """What `generalize: {to: …}` means on this column; missing parameters get documented defaults."""
    match action.to:
        case "month" | "quarter" | "year" | "5 years" | "decade":
            return DatePart(unit=action.to)
        case "age":
            return AgeBand(as_of=action.as_of or _day_after(profile), width=int(action.width or 5))
        case "prefix":
            return Prefix(length=action.length or max(1, (profile.length_max or 3) - 2))
        case "band":
            width = action.width or nice_width(_span(profile) / 10)
            lower, upper = _open_ends(profile, width)
            return NumberBand(width=width, lower=lower, upper=upper)
        case "hierarchy":
            level = action.level if action.level is not None else 1
            pairs = [(value, names[min(level, len(names)) - 1] if level else value) for value, names in (levels or {}).items()]
            return CategoryMap(parents=tuple(sorted(pairs)))
        case _:
            return Everything()


def _cuts(table: Table, profile: ColumnProfile, k: int, unit: str | None, *, local: bool) -> tuple[NumberCuts, ...]:
    """Nested bands, the finest first. Counted again with persons: one with several values must not fill a band alone."""
    found = numbers(table, profile.name, unit, profile.distinct, FINE_LIMIT)
    whole = profile.type is DataType.INTEGER
    levels = cut_levels(
        Counted(found["v"].to_numpy(), found["persons"].to_numpy().astype(np.int64), whole),
        k,
        _DEPTH_LOCAL if local else _DEPTH,
        local=local,
    )
    if levels and (unit is not None or profile.distinct > FINE_LIMIT):
        levels = _filled(table, profile.name, levels, k, unit)
    return tuple(NumberCuts(edges=edges) for edges in dict.fromkeys(levels) if edges)


def _filled(table: Table, name: str, levels: Sequence[tuple[float, ...]], k: int, unit: str | None) -> tuple[tuple[float, ...], ...]:
    """The same levels without the edges that leave a band of fewer than k persons."""
    finest = levels[0]
    while finest:
        persons = persons_between(table, name, finest, unit)
        small = next((place for place, number in enumerate(persons) if number < k), None)
        if small is None:
            break
        beside = small if small == 0 or (small < len(finest) and persons[small - 1] > persons[small + 1]) else small - 1
        finest = tuple(edge for place, edge in enumerate(finest) if place != beside)
    return tuple(tuple(edge for edge in edges if edge in set(finest)) for edges in levels)


def nice_width(width: float) -> float:
    """The smallest 1, 2 or 5 times a power of ten that is not below `width` (> 0)."""
    power = 10.0 ** math.floor(math.log10(width) + 1e-9)
    return next((m * power for m in (1, 2, 5) if m * power >= width * (1 - 1e-9)), 10 * power)


def _span(profile: ColumnProfile) -> float:
    low, high = _number(profile.low), _number(profile.high)
    if low is None or high is None or high <= low:
        return 1.0
    return high - low


def _number(value: float | str | None) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _open_ends(profile: ColumnProfile, width: float) -> tuple[float | None, float | None]:
    """The k-safe bounds on the band grid: what lies outside shares one open band at each end."""
    low, high = _number(profile.low), _number(profile.high)
    lower = None if low is None else math.floor(low / width + 1e-9) * width
    upper = None if high is None else math.ceil(high / width - 1e-9) * width
    if lower is not None and upper is not None and upper <= lower:
        return None, None
    return lower, upper


def _day_after(profile: ColumnProfile) -> dt.date:
    year = int(profile.high) + 1 if isinstance(profile.high, str) and profile.high.lstrip("-").isdigit() else 2000
    return dt.date(min(max(year, 1), 9999), 1, 1)


def _cut_from_the_left(profile: ColumnProfile) -> bool:
    """Codes such as postcodes: short, no words, mostly digits, at least 3 long: a prefix is a region."""
    digits = sum(rows for shape, rows in profile.shapes if "9" in shape)
    shown = sum(rows for _, rows in profile.shapes)
    return 3 <= (profile.length_max or 0) <= 12 and (profile.words_mean or 9) < 2.5 and shown > 0 and digits > 0.8 * shown

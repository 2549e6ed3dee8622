"""Ladders: for a column, recodings from fine to coarse, each a function of the one before it (so that coarser never splits a class).

Method: full-domain generalization hierarchies (Samarati 2001, IEEE TKDE 13(6):1010-1027), built from the column itself.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

from tamis.core.actions import AgeBand, AnyRecode, AsIs, CategoryMap, DatePart, Everything, Generalize, NumberBand, Prefix
from tamis.core.types import ColumnProfile, DataType

_FINE_LIMIT = 20_000
"""a column with more distinct values starts at its first band: the raw value is never a useful level there"""
_DATE_UNITS = ("month", "quarter", "year", "5 years", "decade")
_COMMON_SHARE = 0.02


def ladder(profile: ColumnProfile, counts: Sequence[tuple[str, int]], k: int) -> tuple[AnyRecode, ...]:
    """Levels for `generalize: auto`. `counts` are (canonical value, persons) of a text column, else empty."""
    start: tuple[AnyRecode, ...] = () if profile.distinct > _FINE_LIMIT else (AsIs(),)
    match profile.type:
        case DataType.INTEGER | DataType.NUMBER:
            return (*start, *_bands(profile), Everything())
        case DataType.DATE | DataType.DATETIME:
            return (*start, *(DatePart(unit=unit) for unit in _DATE_UNITS), Everything())
        case DataType.TEXT if _cut_from_the_left(profile):
            longest = profile.length_max or 1
            lengths = range(longest - 1, 0, -1) if longest <= 6 else range(longest - 1, 0, -max(1, longest // 5))
            return (AsIs(), *(Prefix(length=length) for length in lengths), Everything())
        case DataType.TEXT:
            return (AsIs(), *_groups(counts, k), Everything())
        case _:
            return (AsIs(), Everything())


def stated_recode(action: Generalize, profile: ColumnProfile, levels: dict[str, tuple[str, ...]] | None) -> AnyRecode:
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


def _bands(profile: ColumnProfile) -> tuple[NumberBand, ...]:
    """Nested bands: each width a multiple of the one before (1, 5, 10, 50, 100 …), about 20 bands down to 2."""
    span = _span(profile)
    width = _decade_width(max(span / 20, 1.0 if profile.type is DataType.INTEGER else 0.0))
    if profile.type is DataType.INTEGER and width <= 1:
        width = 5.0 if span >= 8 else 2.0
    lower, upper = _open_ends(profile, width)
    out: list[NumberBand] = []
    while len(out) < 6 and (width <= span or not out):
        out.append(NumberBand(width=width, lower=lower, upper=upper))
        width *= 2 if _leading(width) == 5 else 5
    return tuple(out)


def _leading(width: float) -> int:
    return int(width / 10.0 ** math.floor(math.log10(width) + 1e-9) + 0.5)


def _decade_width(width: float) -> float:
    """The smallest 1 or 5 times a power of ten that is not below `width`."""
    power = 10.0 ** math.floor(math.log10(width) + 1e-9)
    return next((m * power for m in (1, 5) if m * power >= width * (1 - 1e-9)), 10 * power)


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


def _groups(counts: Sequence[tuple[str, int]], k: int) -> tuple[CategoryMap, ...]:
    """Values of fewer than k persons become OTHER; then those below 2 % of all."""
    total = sum(persons for _, persons in counts)
    out: list[CategoryMap] = []
    for least in (k, max(k, math.ceil(_COMMON_SHARE * total))):
        kept = tuple(sorted((value, value) for value, persons in counts if persons >= least))
        if kept and len(kept) < len(counts) and (not out or kept != out[-1].parents):
            out.append(CategoryMap(parents=kept))
    return tuple(out)

"""Names, numbers and actions in words, safe for any page: shared by manifest, report and datasheet."""

from __future__ import annotations

import unicodedata
from typing import assert_never

from tamis.core.actions import (
    AgeBand,
    AnyRecode,
    AsCell,
    AsIs,
    CategoryMap,
    DatePart,
    Drop,
    Everything,
    Fake,
    Generalize,
    Keep,
    NumberBand,
    NumberCuts,
    Prefix,
    Pseudonymize,
    Redact,
    ShiftDates,
    SuppressRare,
    Synthesize,
    TopBottomCode,
)
from tamis.core.plan import ColumnPlan

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_THIN = "\u202f"


def visible(text: str, limit: int = 2000) -> str:
    """Text in which nothing hides: control, direction-changing and unassigned characters become ⟨U+XXXX⟩; bounded length."""
    shown = "".join(f"⟨U+{ord(c):04X}⟩" if unicodedata.category(c) in _INVISIBLE else c for c in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def shown_name(name: str) -> str:
    """A table or column name for a page: visible, at most 48 characters; a blank one is said to be blank."""
    return visible(name, 48) if name.strip() else f"(blank name, {len(name)} characters)"


def number(value: float) -> str:
    """12345.678 as '12 345.68': thin spaces, integers whole, at most four significant decimals."""
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", _THIN)
    text = f"{value:,.2f}" if abs(value) >= 100 else f"{value:.4g}"
    return text.replace(",", _THIN)


def count(value: int, k: int) -> str:
    """A count of rows or values that may disclose: below k it reads '<k'."""
    return f"<{k}" if 0 < value < k else number(value)


def band(value: int, k: int) -> str:
    """A count as a 1-2-5 band: '0', '<5', '500–999'."""
    if value < k:
        return "0" if value == 0 else f"<{k}"
    if value < 10:
        return f"{k}–9"
    power = 10 ** (len(str(value)) - 1)
    step = next(step for step in (5, 2, 1) if value >= step * power)
    low, high = step * power, {1: 2, 2: 5, 5: 10}[step] * power - 1
    return f"{number(max(low, k))}–{number(high)}"


def percent(share: float) -> str:
    """A share as a percentage with one decimal where it matters; extremes are not rounded away."""
    if 0 < share < 0.001:
        return f"<0.1{_THIN}%"
    if 0.999 < share < 1:
        return f">99.9{_THIN}%"
    return f"{share * 100:.1f}".removesuffix(".0") + f"{_THIN}%"


def fate(column: ColumnPlan) -> str:
    """What becomes of a column, in one of five words: kept, coarsened, replaced, redacted, withheld."""
    match column.action:
        case Keep():
            return "kept"
        case Drop():
            return "withheld"
        case Generalize(recode=AsIs()):
            return "kept"
        case SuppressRare() | Generalize() | TopBottomCode():
            return "coarsened"
        case Redact():
            return "redacted"
        case Pseudonymize() | ShiftDates() | Fake() | Synthesize():
            return "replaced"
        case _:
            assert_never(column.action)


def action_sentence(column: ColumnPlan) -> str:
    """What is done to a column, in a sentence that repeats none of its values."""
    match column.action:
        case Keep():
            return "Leaves as it is."
        case Drop():
            return "Does not leave."
        case SuppressRare(min_count=least):
            return f"Values shared by fewer than {least or 'k'} are blanked; the frequent ones stay."
        case Generalize(recode=recode, to=to):
            return _recode_sentence(recode) if recode is not None else f"Made coarser ({to})."
        case TopBottomCode():
            return "Numbers beyond a lower and an upper bound are clipped to the bound."
        case Pseudonymize(link=link):
            joins = "Tokens join with other releases under the same key." if link == "stable" else "Tokens differ in every release."
            return f"Replaced by a keyed token; equal values get equal tokens. {joins}"
        case ShiftDates(days=days):
            return f"All dates of a person move by the same secret number of days (up to {days}); intervals stay exact."
        case Fake(kind=kind, person=person, link=link):
            equal = "all replacements of one person match" if person else "equal values get equal replacements"
            joins = " They are the same in other releases under the same key." if link == "stable" else ""
            return f"Replaced by an invented {kind.replace('_', ' ')}; {equal}.{joins}"
        case Synthesize():
            return "Replaced by values sampled from a model of the columns that stay."
        case Redact():
            return "Recognizable personal data inside the text is masked; the rest of the text stays."
        case _:
            assert_never(column.action)


def _recode_sentence(recode: AnyRecode) -> str:
    match recode:
        case AsIs():
            return "Leaves as it is: no coarser level is needed to reach k."
        case NumberBand(width=width):
            return f"Numbers become bands of width {number(width)}."
        case NumberCuts(edges=edges):
            return f"Numbers become {len(edges) + 1} bands between round edges."
        case DatePart(unit=unit):
            return f"Dates become their {unit}."
        case AgeBand(width=width, top=top):
            return f"Dates become age bands of {width} years, open from {top} on."
        case Prefix(length=length, restricted=restricted):
            zeros = f" Areas with too few inhabitants become {'0' * length} (45 CFR 164.514(b)(2)(i)(B))." if restricted else ""
            return f"Codes are cut to their first {length} character{'s' if length > 1 else ''}.{zeros}"
        case CategoryMap():
            return "Values become their broader category; what is not listed is pooled."
        case Everything():
            return "Every value becomes '*'."
        case AsCell():
            return "Becomes the label of its class: as fine as the class allows, so that levels differ from row to row."
        case _:
            assert_never(recode)

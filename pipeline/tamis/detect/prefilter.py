"""From a recognizer's regular expression to one that polars can run and that matches every text the recognizer could match in.

Presidio runs its patterns with the `regex` module, ignoring case. Rust's engine has no look-around and no back-references, and its
idea of a word differs outside ASCII. So assertions (word boundaries, anchors, look-around) are dropped, a back-reference becomes its
group once more, long counted repetitions lose their upper bound, a negated set becomes any character and each class is widened by
what the two engines disagree about. Every step only widens: a text without a match has no match of the original either.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from functools import lru_cache
from re import _constants as sre  # type: ignore[attr-defined]  # CPython's own parser of patterns; what it cannot read has no prefilter
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import polars as pl

_INLINE_FLAGS = re.compile(r"(?<!\\)\(\?[imsu]+\)")
_BEYOND_RE = re.compile(r"\{[0-9<=]*[idse]|\\[pPLmMXRhHKGN]|\(\?[|&RV]|\(\?[a-zA-Z]*[xLVbpefrw]+[):-]")
"""what the `regex` module reads differently from `re`: fuzzy matching, properties, branch resets, its own flags"""
_ANY = r"(?s:.)"
_WIDE = {
    sre.CATEGORY_DIGIT: r"\p{Nd}\x{11000}-\x{12000}",  # scripts whose digits one of the two engines may not know yet
    sre.CATEGORY_SPACE: r"\s\x1c-\x1f\x{180E}",
    sre.CATEGORY_WORD: r"0-9A-Za-z_\x{80}-\x{10FFFF}",
}
_MOST_REPEATS = 12
"""repetitions beyond this are left open: counters cost states"""
_LONGEST = 20_000


class _Untranslatable(Exception):
    """The pattern holds something that has no widening here."""


@lru_cache(maxsize=1024)
def superset(pattern: str) -> str | None:
    """A pattern for polars that is found in every text in which `pattern` is found, whatever the case; None when there is none.

    None also for patterns that CPython's `re` cannot parse, although the `regex` module could.
    """
    plain = _INLINE_FLAGS.sub("", pattern)
    if len(plain) > _LONGEST or _BEYOND_RE.search(plain):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            parsed = _parser.parse(plain)
            widened = "(?i)" + _sequence(parsed, {}, first=True)
    except (re.error, OverflowError, RecursionError, FutureWarning, DeprecationWarning, _Untranslatable):
        return None
    return widened if runs(widened) else None


def runs(pattern: str) -> bool:
    """Whether polars can run a pattern."""
    try:
        pl.Series([""], dtype=pl.String).str.contains(pattern)
    except pl.exceptions.PolarsError:
        return False
    return True


def union(patterns: Iterable[str | None]) -> str | None:
    """One pattern for all; None (look at everything) when one of them is None or the whole is too big to run."""
    given = tuple(patterns)
    if any(pattern is None for pattern in given):
        return None
    whole = "|".join(f"(?:{pattern})" for pattern in dict.fromkeys(given))
    return whole if runs(whole) else None


def _sequence(items: Any, groups: dict[int, str], *, first: bool = False) -> str:
    """The items one after another. `first`: nothing is matched before them, so that what must stand before can be asked for itself."""
    parts: list[str] = []
    for op, argument in items:
        ahead = first and not any(parts)
        if ahead and op is sre.ASSERT and argument[0] < 0:
            parts.append(f"(?:{_sequence(argument[1], groups, first=True)})")  # a text has the match only where this stands before it
        else:
            parts.append(_item(op, argument, groups, first=ahead))
    return "".join(parts)


def _item(op: Any, argument: Any, groups: dict[int, str], *, first: bool) -> str:  # one return per kind of node
    if op is sre.LITERAL:
        return f"[{_character(argument)}]"
    if op in (sre.ANY, sre.NOT_LITERAL):
        return _ANY
    if op is sre.IN:
        return _set(argument)
    if op is sre.BRANCH:
        return "(?:" + "|".join(_sequence(branch, groups, first=first) for branch in argument[1]) + ")"
    if op is sre.SUBPATTERN:
        number, _, _, inner = argument
        whole = f"(?:{_sequence(inner, groups, first=first and number is None)})"
        if number is not None:
            groups[number] = whole
        return whole
    if op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
        return _repeat(argument, groups)
    if op is sre.ATOMIC_GROUP:
        return f"(?:{_sequence(argument, groups)})"
    if op in (sre.AT, sre.ASSERT, sre.ASSERT_NOT):
        return ""
    if op is sre.GROUPREF:
        if argument not in groups:
            raise _Untranslatable
        return groups[argument]
    raise _Untranslatable


def _repeat(argument: Any, groups: dict[int, str]) -> str:
    least, most, inner = argument
    body = f"(?:{_sequence(inner, groups)})"
    if body == "(?:)":
        return ""
    if least > _MOST_REPEATS:
        return f"{body}{{{_MOST_REPEATS},}}"
    if most is sre.MAXREPEAT or most > _MOST_REPEATS:
        return f"{body}{{{least},}}"
    return f"{body}{{{least},{most}}}"


_DOTTED: Mapping[int, str] = {ord("i"): "iI\\x{130}\\x{131}", ord("I"): "iI\\x{130}\\x{131}"}
"""the `regex` module takes the dotted capital I for an i; Rust does not"""
_FIRST_WIDE = 0x80
_ANY_CASE = r"a-zA-Z\x{80}-\x{10FFFF}"
"""beyond ASCII the engines know different versions of Unicode, and so different pairs of cases"""


def _character(code: int) -> str:
    if code in _DOTTED:
        return _DOTTED[code]
    if code >= _FIRST_WIDE:
        return _ANY_CASE
    return chr(code) if chr(code).isalnum() else f"\\x{{{code:X}}}"


def _set(members: Any) -> str:
    parts = []
    for op, argument in members:
        if op is sre.LITERAL:
            parts.append(_character(argument))
        elif op is sre.RANGE:
            low, high = argument
            parts.append(f"\\x{{{low:X}}}-\\x{{{min(high, _FIRST_WIDE - 1):X}}}" if low < _FIRST_WIDE else _ANY_CASE)
            parts += [_ANY_CASE] if high >= _FIRST_WIDE else []
            parts += [dotted for code, dotted in _DOTTED.items() if low <= code <= high]
        elif op is sre.CATEGORY and argument in _WIDE:
            parts.append(_WIDE[argument])
        else:  # negated sets and classes
            return _ANY
    return f"[{''.join(dict.fromkeys(parts))}]"

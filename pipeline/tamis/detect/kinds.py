"""What a text must hold for a pattern to be found in it, told from the pattern alone: digits, letters, punctuation, a long word.

Kinds are those of ASCII, each with all characters beyond ASCII (in which widened patterns and the two regex engines differ). A test of
kinds costs a fraction of the patterns that it spares: numbers have no letters, prose has few digits and no long tokens.
"""

from __future__ import annotations

import re
import string
import warnings
from collections.abc import Mapping
from functools import lru_cache
from re import _constants as sre  # type: ignore[attr-defined]  # CPython's own parser of patterns; what it cannot read needs nothing
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Literal

import polars as pl

Kind = Literal["digit", "letter", "mark", "token"]
Kinds = frozenset[Kind]

TESTS: Mapping[Kind, str] = {
    "digit": r"[0-9]|[^\x00-\x7F]",
    "letter": r"[A-Za-z]|[^\x00-\x7F]",
    "mark": r"[!-/:-@\[-`{-~]|[^\x00-\x7F]",
    "token": r"[^ \t-\r]{16}",
}
"""for polars: found in every text that holds the kind"""
_NOT_PLAIN = r"[^A-Za-z \t\n\r]"
_BEYOND_ASCII = 0x80
_TOKEN = 16
_ALL: Kinds = frozenset({"digit", "letter", "mark"})
_NONE: Kinds = frozenset()
_RUST_ONLY = (("(?i)", ""), (r"(?-u:\b)", ""), (r"\p{Nd}", r"\d"))
_CODE = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")


@lru_cache(maxsize=1024)
def needs(pattern: str) -> Kinds:
    """Kinds that every match of a pattern for polars holds; none where the pattern cannot be read."""
    plain = pattern
    for theirs, ours in _RUST_ONLY:
        plain = plain.replace(theirs, ours)
    plain = _CODE.sub(lambda code: f"\\U{int(code[1], 16):08x}", plain)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found, longest, _ = _sequence(_parser.parse(plain))
    except (re.error, OverflowError, RecursionError, FutureWarning, DeprecationWarning):
        return _NONE
    return found | {"token"} if longest >= _TOKEN else found


_Needed = tuple[Kinds, int, bool]
"""kinds, the longest run of characters that are no white space, whether all of it is such a run"""


def _sequence(items: Any) -> _Needed:
    kinds, longest, run, solid = _NONE, 0, 0, True
    for op, argument in items:
        found, length, whole = _item(op, argument)
        kinds |= found
        run = run + length if whole else 0
        solid &= whole
        longest = max(longest, run, length)
    return kinds, longest, solid


def _item(op: Any, argument: Any) -> _Needed:
    if op is sre.LITERAL:
        return _members([(op, argument)])
    if op is sre.IN:
        return _members(argument)
    if op is sre.SUBPATTERN:
        return _sequence(argument[3])
    if op is sre.BRANCH:
        branches = [_sequence(branch) for branch in argument[1]]
        kinds = frozenset.intersection(*(kinds for kinds, _, _ in branches))
        return kinds, min(length for _, length, _ in branches), all(whole for _, _, whole in branches)
    if op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
        least, _, inner = argument
        kinds, length, whole = _sequence(inner)
        if not least:
            return _NONE, 0, whole
        return kinds, length * least if whole else length, whole
    return _NONE, 0, False


def _members(members: Any) -> _Needed:
    """One character of a set."""
    kinds = _ALL
    for op, argument in members:
        if op is sre.LITERAL:
            codes = range(argument, min(argument, _BEYOND_ASCII - 1) + 1)
        elif op is sre.RANGE:
            codes = range(argument[0], min(argument[1], _BEYOND_ASCII - 1) + 1)
        elif op is sre.CATEGORY and argument is sre.CATEGORY_DIGIT:
            codes = range(ord("0"), ord("9") + 1)
        else:
            return _NONE, 0, False
        for code in codes:
            kinds &= _kinds_of(chr(code))
            if chr(code) in " \t\n\x0b\x0c\r":
                return _NONE, 0, False
    return kinds, 1, True


def _kinds_of(character: str) -> Kinds:
    if character in string.digits:
        return frozenset({"digit"})
    if character in string.ascii_letters:
        return frozenset({"letter"})
    return frozenset({"mark"}) if character in string.punctuation else _NONE


def is_plain(texts: pl.Series) -> bool:
    """Whether all these texts are ASCII letters and blanks only."""
    return not texts.str.contains(_NOT_PLAIN).any()


class KindsOf:
    """Which kinds the rows of a batch (texts `v`) hold; each is looked for once, when first asked for. `plain`: see `is_plain`."""

    def __init__(self, rows: pl.DataFrame, *, plain: bool) -> None:
        self._rows = rows
        self._tests: dict[Kind, pl.Series] = {}
        self._found: dict[Kinds, pl.DataFrame] = {_NONE: rows}
        self._plain = plain

    def rows(self, wanted: Kinds) -> pl.DataFrame:
        """The rows that hold all these kinds."""
        if self._plain and wanted & {"digit", "mark"}:
            return self._rows.clear()
        if wanted not in self._found:
            holds = pl.Series([True]).new_from_index(0, self._rows.height)
            for kind in sorted(wanted):
                if kind not in self._tests:
                    self._tests[kind] = self._rows["v"].str.contains(TESTS[kind])
                holds &= self._tests[kind]
            self._found[wanted] = self._rows if holds.all() else self._rows.filter(holds)
        return self._found[wanted]

"""Errors are sentences: what, where, what to do next; with a code and an exit status; never a cell value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from enum import IntEnum

_SAID = re.compile(r"\w+\[(?P<code>\w+)\] (?P<message>.+)", re.DOTALL)


class ExitCode(IntEnum):
    """What the process says to the shell or the orchestrator."""

    OK = 0
    USAGE = 2
    """usage, policy, undecided columns, stale or unapproved plan, no key: a person must decide something"""
    GATE_FAILED = 3
    """a gate failed, or a release does not match its manifest"""
    DATA = 4
    """the data cannot be read as it is"""
    TRANSIENT = 5
    """disk full, locked: try again later"""


class TamisError(Exception):
    """Base of every error a user may see.

    `code` is a stable word for programs, `hint` the next step, `attrs` names, counts and codes — never a cell value.
    `transient` says whether the same call may succeed later without anybody changing anything.
    """

    exit_code: ExitCode = ExitCode.USAGE
    transient: bool = False

    def __init__(self, code: str, message: str, *, hint: str = "", **attrs: str | float | Sequence[str]) -> None:
        self.code = code
        self.message = message
        self.hint = hint
        self.attrs = attrs
        super().__init__(code, message, hint, attrs)

    def __str__(self) -> str:
        return f"{type(self).__name__}[{self.code}] {self.message}" + (f" {self.hint}" if self.hint else "")

    def __reduce__(self) -> tuple[object, ...]:  # survives process pools: keyword arguments are rebuilt
        return _rebuild, (type(self), self.code, self.message, self.hint, self.attrs)


def _rebuild(kind: type[TamisError], code: str, message: str, hint: str, attrs: dict[str, str | int | float | Sequence[str]]) -> TamisError:
    return kind(code, message, hint=hint, **attrs)


class UsageError(TamisError):
    """The call itself is wrong: arguments, options, paths to write to."""


class PolicyError(TamisError):
    """A policy, rule pack or plan document is not what it must be."""


class PlanError(TamisError):
    """The plan cannot be made or carried out: undecided columns, impossible actions, other data than it was made for."""


class KeyMaterialError(TamisError):
    """No key, or one that is too weak."""


class MissingExtra(TamisError):
    """An optional engine is not installed."""

    @classmethod
    def for_package(cls, package: str, *, extra: str, what: str) -> MissingExtra:
        """The one sentence about optional installs."""
        return cls("missing_extra", f"{what} needs {package}.", hint=f"Install: pip install 'tamis[{extra}]'.")


class GateFailed(TamisError):
    """A gate failed: nothing was published."""

    exit_code = ExitCode.GATE_FAILED


class TamperError(TamisError):
    """A release does not match its own manifest."""

    exit_code = ExitCode.GATE_FAILED


class DataError(TamisError):
    """The data cannot be read as it is; nothing was written."""

    exit_code = ExitCode.DATA


class TransientError(TamisError):
    """Disk full, locked, interrupted: the same call may succeed later."""

    exit_code = ExitCode.TRANSIENT
    transient = True


def listed(names: Iterable[str], limit: int = 8) -> str:
    """Names for a message: quoted, at most `limit`, the rest counted."""
    shown = [clean_name(name) for name in names]
    text = ", ".join(f"'{name}'" for name in shown[:limit])
    return text + (f" and {len(shown) - limit} more" if len(shown) > limit else "")


def clean_name(name: str, limit: int = 80) -> str:
    """A table, column or file name made safe for a terminal: no control or direction-changing characters, bounded length."""
    text = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in name)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`Did you mean 'x'? Known: …` for a word that is not one of the known ones."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return (f"Did you mean '{close[0]}'? " if close else "") + f"Known: {', '.join(known)}."

"""The journal: an append-only, hash-chained record of who planned, approved, applied, verified and revoked what.

One file, `STATE/journal.jsonl`, one entry a line in canonical JSON. Every entry holds the digest of the one before it (a linked
time-stamping chain, Haber and Stornetta 1991, J. Cryptology 3:99), and a signature where a signing key is given. History, exposure
ledger, catalog and audit are views of it. Entries hold names, codes, digests and figures; never a cell value.

What the chain alone finds: any changed, removed, inserted or reordered entry before the last one. A cut tail, or a chain that
somebody rebuilt from the start, is found only against a digest that is held elsewhere, or by the signatures of a trusted key.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import getpass
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from tamis.core.canonical import canonical_json, digest
from tamis.core.errors import TamperError, TransientError, UsageError, clean_name
from tamis.core.types import Frozen
from tamis.signing import Signer, signed_by

FILE = "journal.jsonl"
START = "0" * 64
"""what the first entry names as the digest before it"""

Event = Literal["planned", "approved", "applied", "refused", "verified", "revoked", "rolled_back", "exposed"]


class Entry(Frozen):
    """One thing that happened."""

    seq: int
    """0, 1, 2, … without gaps"""
    previous: str
    """digest of the entry before"""
    at: dt.datetime
    person: str
    host: str
    event: Event
    facts: Mapping[str, Any] = {}
    """digests, ids, names, figures"""
    public_key: str | None = None
    signature: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, signature included: the next entry names it."""
        return digest(self)

    @property
    def text(self) -> str:
        """What is signed: the canonical JSON of everything but the signature."""
        return canonical_json(self.model_dump(mode="json", exclude={"signature"}))


@dataclass(frozen=True, slots=True)
class Audit:
    """What checking a journal found."""

    entries: int
    head: str
    """digest of the last entry; `START` for an empty journal"""
    problems: tuple[str, ...]
    """sentences: which entry, what is wrong"""
    authenticated: bool
    """whether a trusted signature or a digest held elsewhere vouches for the whole chain up to the last entry"""
    signed: int
    """entries with a valid signature of a trusted key"""

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.problems


class Journal:
    """The journal of one state folder. Reading needs no lock; appending takes one."""

    __slots__ = ("path", "signer")

    def __init__(self, state: Path, signer: Signer | None = None) -> None:
        self.path = state / FILE
        self.signer = signer

    def __repr__(self) -> str:
        return f"Journal({str(self.path)!r})"

    def append(self, event: Event, facts: Mapping[str, Any], *, person: str | None = None) -> Entry:
        """Write one entry and flush it to the disk; the file is made (0600) when it is not there.

        A line that a killed process left unfinished is cut off first and the entry says so. Raises TamperError when the last entry
        cannot be read, TransientError `disk_full`, UsageError `cannot_write`.
        """
        with self._locked() as handle:
            torn = self._cut_unfinished(handle)
            last = self._last(handle)
            stated = dict(facts) | ({"unfinished_bytes_removed": torn} if torn else {})
            entry = Entry(
                seq=0 if last is None else last.seq + 1,
                previous=START if last is None else last.digest,
                at=dt.datetime.now(dt.UTC).replace(microsecond=0),
                person=person or person_now(),
                host=platform.node(),
                event=event,
                facts=stated,
                public_key=self.signer.public_key if self.signer else None,
            )
            if self.signer is not None:
                entry = entry.model_copy(update={"signature": self.signer.sign(entry.text)})
            self._write(handle, canonical_json(entry).encode() + b"\n")
            return entry

    def entries(self) -> Iterator[Entry]:
        """All entries, oldest first; none when there is no journal. Raises TamperError at a line that is no entry."""
        for number, line in enumerate(self._lines(), start=1):
            entry = _parsed(line)
            if entry is None:
                raise TamperError(
                    "broken_journal", f"Line {number} of the journal {self._shown} is no entry.", hint="Run: tamis audit verify"
                )
            yield entry

    def head(self) -> tuple[int, str]:
        """(entries, digest of the last one): what to hold elsewhere."""
        count, last = 0, START
        for entry in self.entries():
            count, last = count + 1, entry.digest
        return count, last

    def audit(self, *, head: str | None = None, public_keys: Sequence[str] = ()) -> Audit:
        """Check the whole chain.

        `head` is a digest held elsewhere: it must occur. `public_keys` (base64) are the trusted ones: every entry must be signed by
        one of them. The chain is authenticated up to a head that is held elsewhere, and beyond it by trusted signatures only.
        """
        trusted = frozenset(public_keys)
        problems: list[str] = []
        before, expected, count, signed, seen = START, 0, 0, 0, head == START
        for count, line in enumerate(self._lines(), start=1):
            entry = _parsed(line)
            if entry is None or canonical_json(entry) != line:
                problems.append(f"line {count} is no entry of a journal")
                before, expected = "", expected + 1
                continue
            if entry.seq != expected:
                problems.append(f"entry {count} is numbered {entry.seq}, {expected} was expected: entries are missing or moved")
            if before and entry.previous != before:
                problems.append(f"entry {count} does not follow the one before it: one of them was changed, removed or inserted")
            vouched = _vouched(entry, trusted)
            if vouched is False:
                problems.append(f"entry {count} ({entry.event}) has no valid signature of a trusted key")
            signed += vouched is True
            before, expected = entry.digest, entry.seq + 1
            seen = seen or before == head
        if head is not None and not seen:
            problems.append("the digest held elsewhere does not occur: entries at the end are gone, or the journal was rebuilt")
        vouched_for = seen and (head == before or (bool(trusted) and signed == count))
        return Audit(count, before or START, tuple(problems), authenticated=vouched_for and not problems, signed=signed)

    # ---------------------------------------------------------------------------------------------------------------- the file

    @property
    def _shown(self) -> str:
        return clean_name(str(self.path), 200)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        try:
            if not self.path.parent.exists():
                self.path.parent.mkdir(mode=0o700, parents=True)
                (self.path.parent / ".gitignore").write_text("*\n", encoding="ascii")  # internal figures: keep them out of repositories
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else "unknown reason"
            raise UsageError("cannot_write", f"The journal {self._shown} cannot be written ({reason}).", hint="Choose --state.") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)

    def _lines(self) -> Iterator[str]:
        """Whole lines without their end; a last line without one is still being written, or never was."""
        try:
            with self.path.open(encoding="utf-8", errors="replace", newline="\n") as file:
                for line in file:
                    if line.endswith("\n"):
                        yield line[:-1]
        except FileNotFoundError:
            return

    def _write(self, handle: int, line: bytes) -> None:
        os.lseek(handle, 0, os.SEEK_END)
        try:
            written = os.write(handle, line)
            os.fsync(handle)
        except OSError:
            written = -1
        if written != len(line):
            raise TransientError("disk_full", f"The journal {self._shown} could not be written.", hint="Free space, then run again.")

    @staticmethod
    def _cut_unfinished(handle: int) -> int:
        size = os.lseek(handle, 0, os.SEEK_END)
        if size == 0 or os.pread(handle, 1, size - 1) == b"\n":
            return 0
        end = _last_newline(handle, size)
        os.ftruncate(handle, end)
        return size - end

    def _last(self, handle: int) -> Entry | None:
        size = os.lseek(handle, 0, os.SEEK_END)
        if size == 0:
            return None
        start = _last_newline(handle, size - 1)
        entry = _parsed(os.pread(handle, size - 1 - start, start).decode("utf-8", errors="replace"))
        if entry is None:
            raise TamperError("broken_journal", f"The last line of the journal {self._shown} is no entry.", hint="Run: tamis audit verify")
        return entry


def _last_newline(handle: int, end: int) -> int:
    """Position after the last newline before `end`; 0 when there is none."""
    while end > 0:
        start = max(0, end - 65_536)
        found = os.pread(handle, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _parsed(line: str) -> Entry | None:
    with suppress(ValidationError, json.JSONDecodeError, ValueError):
        return Entry.model_validate_json(line)
    return None


def _vouched(entry: Entry, trusted: frozenset[str]) -> bool | None:
    """True: signed by a trusted key. False: it should be and is not, or its signature is wrong. None: nothing to say."""
    if entry.signature is not None and entry.public_key is not None:
        valid = signed_by(entry.text, public_key=entry.public_key, signature=entry.signature)
        if not valid:
            return False
        return True if entry.public_key in trusted else (False if trusted else None)
    return False if trusted or entry.signature is not None else None


def person_now() -> str:
    """The name of the person at the keyboard, as the system knows it."""
    with suppress(OSError, KeyError):
        return getpass.getuser()
    return "unknown"

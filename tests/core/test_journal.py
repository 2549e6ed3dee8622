"""The journal: every edit, gap and cut tail is found; what cannot be known is not claimed."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.core.errors import TamperError
from tamis.journal import START, Journal
from tamis.signing import Signer, write_new_signing_key


def _filled(state: Path, entries: int = 5, signer: Signer | None = None) -> Journal:
    journal = Journal(state, signer)
    for number in range(entries):
        journal.append("applied", {"release_id": f"r{number}"}, person="Ada")
    return journal


def test_an_untouched_journal_is_consistent_and_not_authenticated(tmp_path: Path) -> None:
    """Without a head held elsewhere nothing is claimed beyond consistency; with the right one it is authenticated."""
    journal = _filled(tmp_path)
    alone = journal.audit()
    assert (alone.passed, alone.authenticated, alone.entries) == (True, False, 5)
    assert journal.head() == (5, alone.head)
    assert journal.audit(head=alone.head).authenticated


def test_an_empty_journal_is_consistent(tmp_path: Path) -> None:
    """No file is an empty chain, whose head is the start."""
    assert Journal(tmp_path).audit(head=START).passed
    assert list(Journal(tmp_path).entries()) == []


@given(line=st.integers(0, 4), place=st.floats(0, 1, exclude_max=True), step=st.integers(1, 90))
def test_any_changed_character_is_found(line: int, place: float, step: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever character of whatever entry is replaced by another one, the audit against a held head fails."""
    journal = _filled(tmp_path_factory.mktemp("j"))
    head = journal.head()[1]
    lines = journal.path.read_text().splitlines()
    at = int(place * len(lines[line]))
    new = chr(33 + (ord(lines[line][at]) - 33 + step) % 94)
    lines[line] = lines[line][:at] + new + lines[line][at + 1 :]
    journal.path.write_text("\n".join(lines) + "\n")
    assert not journal.audit(head=head).passed


@pytest.mark.parametrize(
    ("forge", "needs_head"),
    [
        (lambda lines: lines[:2] + lines[3:], False),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], False),
        (lambda lines: [*lines, lines[-1]], False),
        (lambda lines: lines[1:], False),
        (lambda lines: lines[:-1], True),
        (lambda _: [], True),
    ],
    ids=["removed", "swapped", "repeated", "cut head", "cut tail", "emptied"],
)
def test_gaps_and_moves_are_found(forge: Callable[[list[str]], list[str]], needs_head: bool, tmp_path: Path) -> None:
    """Removed, moved and repeated entries break the chain; a cut tail is found against the head held elsewhere."""
    journal = _filled(tmp_path)
    head = journal.head()[1]
    journal.path.write_text("".join(f"{line}\n" for line in forge(journal.path.read_text().splitlines())))
    assert not journal.audit(head=head).passed
    assert journal.audit().passed is needs_head


def test_a_rebuilt_chain_is_found_by_signatures_and_by_the_head(tmp_path: Path) -> None:
    """Who rebuilds the whole chain has neither the trusted key nor the head that was held elsewhere."""
    signer, _ = write_new_signing_key(tmp_path / "key")
    journal = _filled(tmp_path / "a", signer=signer)
    head = journal.head()[1]
    good = journal.audit(head=head, public_keys=[signer.public_key])
    assert good.authenticated
    assert good.signed == 5
    forger, _ = write_new_signing_key(tmp_path / "forger")
    forged = _filled(tmp_path / "b", signer=forger)
    assert forged.audit().passed
    assert not forged.audit(public_keys=[signer.public_key]).passed
    assert not forged.audit(head=head).passed
    assert not _filled(tmp_path / "c").audit(public_keys=[signer.public_key]).passed


def test_entries_after_the_held_head_count_as_authenticated_only_when_signed(tmp_path: Path) -> None:
    """A head vouches for what is before it; what came later needs trusted signatures."""
    signer, _ = write_new_signing_key(tmp_path / "key")
    for folder, key in (("signed", signer), ("plain", None)):
        journal = _filled(tmp_path / folder, 2, key)
        head = journal.head()[1]
        journal.append("verified", {})
        found = journal.audit(head=head, public_keys=[signer.public_key] if key else [])
        assert found.passed
        assert found.authenticated is (key is not None)


def test_an_unfinished_line_is_cut_and_told(tmp_path: Path) -> None:
    """What a killed process left of a line is no entry; the next entry says that it was removed, and the chain holds."""
    journal = _filled(tmp_path, 2)
    with journal.path.open("a") as file:
        file.write('{"at": "2026')
    assert journal.audit().passed
    entry = journal.append("verified", {})
    assert (entry.seq, entry.facts["unfinished_bytes_removed"]) == (2, 12)
    assert journal.audit().passed


def test_a_broken_last_entry_is_not_built_upon(tmp_path: Path) -> None:
    """Appending to a journal whose last line is no entry is refused, and nothing is written."""
    journal = _filled(tmp_path, 2)
    journal.path.write_text(journal.path.read_text() + "nonsense\n")
    before = journal.path.read_bytes()
    with pytest.raises(TamperError, match="broken_journal"):
        journal.append("verified", {})
    assert journal.path.read_bytes() == before
    assert not journal.audit().passed


def _append_many(state: str) -> None:
    for _ in range(20):
        Journal(Path(state)).append("verified", {})


def test_processes_that_append_at_the_same_time_make_one_chain(tmp_path: Path) -> None:
    """Three processes that append together leave one gapless chain."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append_many, args=(str(tmp_path),)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    found = Journal(tmp_path).audit()
    assert (found.passed, found.entries) == (True, 60)


def test_the_file_is_for_the_owner_only(tmp_path: Path) -> None:
    """A journal is made with mode 0600, every line is canonical JSON."""
    journal = _filled(tmp_path / "new", 1)
    assert journal.path.stat().st_mode & 0o077 == 0
    assert json.loads(journal.path.read_text())["event"] == "applied"

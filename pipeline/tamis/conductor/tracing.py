"""What was made of what, and taking it back: questions to the catalog, and `revoke`."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tamis.catalog import Catalog, ReleaseRecord
from tamis.core.canonical import pretty_json
from tamis.core.errors import DataError, UsageError, clean_name
from tamis.journal import Journal
from tamis.read.origin import releases_of
from tamis.signing import Signer
from tamis.write.manifest import load_manifest
from tamis.write.stage import ReleaseStore


@dataclass(frozen=True, slots=True)
class Trace:
    """An answer: what was asked, in words, and the releases it concerns."""

    asked: str
    releases: tuple[ReleaseRecord, ...]
    descendants: tuple[ReleaseRecord, ...] = ()
    """made from one of `releases`"""
    columns: tuple[tuple[str, str, str, str, bool, tuple[str, ...]], ...] = ()
    """(release id, table, column, action, released, input columns it comes from)"""


@dataclass(frozen=True, slots=True)
class Revoked:
    """What one revocation did to one release."""

    release_id: str
    out: str
    found: bool
    """False: its folder is not where the journal says; it is marked in the journal all the same"""
    was_current: bool
    deleted: bool
    derived: bool
    """revoked because it was made from the one that was named"""


_KINDS = ("key", "plan", "policy", "pack", "version", "input")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def trace(question: str, *, state: str | Path) -> Trace:
    """Answer one question about the releases in the journal of `state`.

    `question` is a file (an output of tamis, or its copy), a SHA-256 of one, a release or run id (or its beginning), a column
    (`table.column` of the input), or `key:`, `plan:`, `policy:`, `pack:`, `version:`, `input:` with a value. Raises UsageError when
    nothing is known of it.
    """
    catalog = Catalog(Path(state))
    kind, _, value = question.partition(":")
    if kind in _KINDS and value:
        return _answer(catalog, f"releases that used {kind} {clean_name(value)}", catalog.using(kind, value))
    path = Path(question)
    if path.is_file():
        return _of_file(catalog, path)
    if _SHA256.fullmatch(question):
        found = catalog.using("sha256", question) or catalog.using("plan", question)
        return _answer(catalog, f"releases with a file (or plan) of SHA-256 {question[:12]}…", found)
    if "." in question and (found := catalog.using("column", question)):
        return _of_column(catalog, question, found)
    record = catalog.find(question)
    columns = tuple((record.release_id, *row) for row in catalog.columns(record.release_id))
    return Trace(f"release {record.release_id}", (record,), catalog.descendants(record.release_id), columns)


def _answer(catalog: Catalog, asked: str, found: tuple[ReleaseRecord, ...]) -> Trace:
    below = {record.release_id: record for one in found for record in catalog.descendants(one.release_id)}
    for record in found:
        below.pop(record.release_id, None)
    return Trace(asked, found, tuple(below.values()))


def _of_file(catalog: Catalog, path: Path) -> Trace:
    shown = clean_name(path.name)
    with path.open("rb") as file:
        sha = hashlib.file_digest(file, "sha256").hexdigest()
    if found := catalog.using("sha256", sha):
        return _answer(catalog, f"{shown} is a file of", found)
    ids: tuple[str, ...] = ()
    if path.suffix in {".parquet", ".pq"}:
        try:
            ids = releases_of([path])
        except DataError as error:  # revoked or damaged: what it says of itself is still the question
            if error.code != "revoked":
                raise
    known = tuple(record for record in catalog.releases() if record.release_id in ids)
    if known:
        return _answer(catalog, f"{shown} says that it belongs to (its bytes are not those of the release)", known)
    raise UsageError("unknown_file", f"No release in the journal holds {shown}.", hint="Name the state folder with --state.")


def _of_column(catalog: Catalog, question: str, found: tuple[ReleaseRecord, ...]) -> Trace:
    table, _, name = question.partition(".")
    rows = [
        (record.release_id, *row)
        for record in found
        for row in catalog.columns(record.release_id)
        if row[0] == table and (row[1] == name or name in row[4])
    ]
    answer = _answer(catalog, f"what became of {clean_name(question)}", found)
    return Trace(answer.asked, answer.releases, answer.descendants, tuple(rows))


def status(state: str | Path, outs: Sequence[Path] = ()) -> tuple[ReleaseRecord, ...]:
    """All releases the journal knows, oldest first; releases found in `outs` that no entry tells of are entered first."""
    catalog = Catalog(Path(state))
    unknown = [
        (out, load_manifest(out / release_id / "manifest.json")) for out in outs for release_id in reversed(ReleaseStore(out).releases())
    ]
    if unknown:
        catalog.enter_manifests(unknown)
    return catalog.releases()


def revoke_release(
    release: str, *, reason: str, state: str | Path, delete: bool = False, derived: bool = True, signer: Signer | None = None
) -> tuple[Revoked, ...]:
    """Revoke a release and, unless `derived` is False, everything that was made from it.

    The journal is written first; then each folder that is still there gets a tombstone (`REVOKED.json`) and loses `current`; with
    `delete` its data goes, its manifest stays. Raises UsageError for an unknown release or an empty reason.
    """
    if not reason.strip():
        raise UsageError("no_reason", "A revocation needs a reason.", hint='Say why: --reason "…"')
    folder = Path(state)
    catalog = Catalog(folder)
    named = catalog.find(release)
    if named.status == "refused":
        raise UsageError("not_published", f"The release {named.release_id} was never published: there is nothing to revoke.")
    others = [record for record in catalog.descendants(named.release_id) if record.status != "refused"] if derived else []
    ids = [named.release_id, *(record.release_id for record in others)]
    entry = Journal(folder, signer).append("revoked", {"release_ids": ids, "reason": clean_name(reason, 500), "deleted": delete})
    done = []
    for record in [named, *others]:
        tombstone = {
            "release_id": record.release_id,
            "revoked_at": entry.at.astimezone(dt.UTC).isoformat(timespec="seconds"),
            "reason": clean_name(reason, 500),
            "because_of": named.release_id,
        }
        out = Path(record.out)
        there = (out / record.release_id / "manifest.json").is_file()
        was_current = False
        if there:
            with ReleaseStore(out) as store:
                was_current = store.revoke(record.release_id, pretty_json(tombstone), delete=delete)
        done.append(Revoked(record.release_id, record.out, there, was_current, delete and there, record is not named))
    return tuple(done)

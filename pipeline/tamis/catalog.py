"""The catalog: a SQLite index over the journal that answers what was made of what, with which key, plan and packs.

`STATE/catalog.sqlite` holds nothing that the journal does not; it is brought up to date before every question and rebuilt from the
journal when it is lost, older than the code, or of another journal. Releases without a journal entry are entered from their
manifests.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tamis.core.canonical import digest
from tamis.core.errors import TransientError, UsageError, clean_name
from tamis.core.record import Manifest
from tamis.journal import START, Entry, Journal

FILE = "catalog.sqlite"
_SCHEMA_VERSION = 1
_TABLES = """
CREATE TABLE head (seq INTEGER, digest TEXT);
CREATE TABLE release (
  release_id TEXT PRIMARY KEY, run_id TEXT, out TEXT, at TEXT, person TEXT, status TEXT, reason TEXT,
  plan_digest TEXT, policy_digest TEXT, key_id TEXT, manifest_digest TEXT);
CREATE TABLE tab (release_id TEXT, name TEXT, input_id TEXT, rows INTEGER);
CREATE TABLE col (release_id TEXT, tab TEXT, name TEXT, action TEXT, released INTEGER);
CREATE TABLE origin (release_id TEXT, tab TEXT, name TEXT, source TEXT);
CREATE TABLE file (release_id TEXT, path TEXT, sha256 TEXT);
CREATE TABLE used (release_id TEXT, kind TEXT, name TEXT, value TEXT);
CREATE TABLE figure (release_id TEXT, measure TEXT, value REAL);
CREATE TABLE parent (release_id TEXT, parent TEXT);
CREATE INDEX by_input ON tab (input_id);
CREATE INDEX by_sha ON file (sha256);
CREATE INDEX by_parent ON parent (parent);
"""


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """One release as the catalog knows it."""

    release_id: str
    run_id: str
    out: str
    at: str
    person: str
    status: str
    """live | revoked | refused"""
    reason: str
    plan_digest: str
    policy_digest: str
    key_id: str
    parents: tuple[str, ...] = ()
    """releases that were among its inputs"""
    tables: Mapping[str, int] = field(default_factory=dict)
    """table to rows"""


class Catalog:
    """Questions to the index of one state folder."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self._journal = Journal(state)
        self._path = state / FILE

    def __repr__(self) -> str:
        return f"Catalog({str(self._path)!r})"

    # --------------------------------------------------------------------------------------------------------------- questions

    def releases(self, *, status: str | None = None) -> tuple[ReleaseRecord, ...]:
        """All releases, oldest first; only those of one status when it is given."""
        with self._open() as db:
            return tuple(self._records(db, "WHERE status = ?" if status else "", (status,) if status else ()))

    def find(self, word: str) -> ReleaseRecord:
        """The release whose release id or run id begins with `word`. Raises UsageError when there is none, or more than one."""
        with self._open() as db:
            rows = db.execute(
                "SELECT release_id FROM release WHERE substr(release_id, 1, ?) = ? OR substr(run_id, 1, ?) = ?",
                (len(word), word, len(word), word),
            ).fetchall()
            if len(rows) != 1:
                what = "no release" if not rows else f"{len(rows)} releases"
                raise UsageError(
                    "unknown_release", f"{what} in the journal of {self._shown} begin with '{clean_name(word)}'.", hint="Run: tamis status"
                )
            return next(self._records(db, "WHERE release_id = ?", (rows[0][0],)))

    def using(self, kind: str, value: str) -> tuple[ReleaseRecord, ...]:
        """Releases that used a thing: `input` (input id), `sha256` (an output file), `key`, `plan`, `policy`, `pack` or `version`

        (`name` or `name=value`), `column` (`table.column` of the input), `parent` (release id).
        """
        with self._open() as db:
            return tuple(self._records(db, f"WHERE release_id IN ({_USING[kind]})", _asked(kind, value)))

    def columns(self, release_id: str) -> tuple[tuple[str, str, str, bool, tuple[str, ...]], ...]:
        """(table, column, action, released, input columns it comes from) of one release."""
        with self._open() as db:
            origins: dict[tuple[str, str], list[str]] = {}
            for tab, name, source in db.execute("SELECT tab, name, source FROM origin WHERE release_id = ? ORDER BY rowid", (release_id,)):
                origins.setdefault((tab, name), []).append(source)
            rows = db.execute("SELECT tab, name, action, released FROM col WHERE release_id = ? ORDER BY rowid", (release_id,))
            return tuple((tab, name, action, bool(out), tuple(origins.get((tab, name), ()))) for tab, name, action, out in rows)

    def figures(self, release_id: str) -> dict[str, float]:
        """Measure to value of one release."""
        with self._open() as db:
            return dict(db.execute("SELECT measure, value FROM figure WHERE release_id = ? ORDER BY measure", (release_id,)))

    def used(self, release_id: str) -> dict[str, dict[str, str]]:
        """Packs and library versions of one release: kind to name to value."""
        with self._open() as db:
            out: dict[str, dict[str, str]] = {}
            for kind, name, value in db.execute(
                "SELECT kind, name, value FROM used WHERE release_id = ? ORDER BY kind, name", (release_id,)
            ):
                out.setdefault(kind, {})[name] = value
            return out

    def descendants(self, release_id: str) -> tuple[ReleaseRecord, ...]:
        """Every release that was made, directly or over others, from this one."""
        with self._open() as db:
            rows = db.execute(
                "WITH RECURSIVE down(id) AS (SELECT release_id FROM parent WHERE parent = ? "
                "UNION SELECT p.release_id FROM parent p JOIN down ON p.parent = down.id) SELECT id FROM down",
                (release_id,),
            ).fetchall()
            return tuple(record for (one,) in rows for record in self._records(db, "WHERE release_id = ?", (one,)))

    def revoked_among(self, release_ids: Sequence[str]) -> tuple[ReleaseRecord, ...]:
        """Those of the named releases that are revoked."""
        if not release_ids or not self._journal.path.exists():
            return ()
        asked = frozenset(release_ids)
        return tuple(record for record in self.releases(status="revoked") if record.release_id in asked)

    def enter_manifests(self, manifests: Sequence[tuple[Path, Manifest]]) -> int:
        """Enter releases that no journal entry tells of, from (OUT, manifest); returns how many were new."""
        with self._open() as db:
            known = {row[0] for row in db.execute("SELECT release_id FROM release")}
            new = [(out, manifest) for out, manifest in manifests if manifest.release_id not in known]
            for out, manifest in new:
                _enter_release(db, facts_of(manifest, out), at="", person="", status="live", run_id="")
            db.commit()
            return len(new)

    # ----------------------------------------------------------------------------------------------------------------- the index

    @property
    def _shown(self) -> str:
        return clean_name(str(self.state), 200)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        if not self.state.exists():
            with closing(sqlite3.connect(":memory:")) as empty:
                empty.executescript(_TABLES)
                yield empty
            return
        try:
            with closing(sqlite3.connect(self._path, timeout=30)) as db:
                self._path.chmod(0o600)
                self._bring_up_to_date(db)
                yield db
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise TransientError("locked", f"The catalog {self._shown} is in use.", hint="Run it again.") from None
            self._path.unlink(missing_ok=True)  # nothing is lost: the journal has it all
            raise TransientError(
                "broken_catalog", f"The catalog in {self._shown} was broken and was removed.", hint="Run it again."
            ) from None

    def _bring_up_to_date(self, db: sqlite3.Connection) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        head = db.execute("SELECT seq, digest FROM head").fetchone() if version == _SCHEMA_VERSION else None
        entries = list(self._journal.entries())
        if head is None or not _continues(entries, head):
            for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                db.execute(f"DROP TABLE {name}")
            db.executescript(_TABLES)
            db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
            head = (-1, START)
        for entry in entries[head[0] + 1 :]:
            _enter(db, entry)
        last = (entries[-1].seq, entries[-1].digest) if entries else (-1, START)
        db.execute("DELETE FROM head")
        db.execute("INSERT INTO head VALUES (?, ?)", last)
        db.commit()

    @staticmethod
    def _records(db: sqlite3.Connection, where: str, values: Sequence[Any]) -> Iterator[ReleaseRecord]:
        fields = "release_id, run_id, out, at, person, status, reason, plan_digest, policy_digest, key_id"
        asked = f"SELECT {fields} FROM release {where} ORDER BY at, rowid"  # noqa: S608  # `where` is one of ours
        for row in db.execute(asked, tuple(values)).fetchall():
            parents = tuple(one for (one,) in db.execute("SELECT parent FROM parent WHERE release_id = ? ORDER BY parent", (row[0],)))
            tables = dict(db.execute("SELECT name, rows FROM tab WHERE release_id = ? ORDER BY rowid", (row[0],)))
            yield ReleaseRecord(**dict(zip(fields.split(", "), row, strict=True)), parents=parents, tables=tables)


_USING = {
    "input": "SELECT release_id FROM tab WHERE input_id = ?",
    "sha256": "SELECT release_id FROM file WHERE sha256 = ?",
    "key": "SELECT release_id FROM release WHERE key_id = ?",
    "plan": "SELECT release_id FROM release WHERE substr(plan_digest, 1, length(?1)) = ?1",
    "policy": "SELECT release_id FROM release WHERE substr(policy_digest, 1, length(?1)) = ?1",
    "pack": "SELECT release_id FROM used WHERE kind = 'pack' AND name = ?1 AND (?2 = '' OR substr(value, 1, length(?2)) = ?2)",
    "version": "SELECT release_id FROM used WHERE kind = 'version' AND name = ?1 AND (?2 = '' OR value = ?2)",
    "column": "SELECT release_id FROM col WHERE tab = ?1 AND name = ?2 UNION SELECT release_id FROM origin WHERE tab = ?1 AND source = ?2",
    "parent": "SELECT release_id FROM parent WHERE parent = ?",
}


def _asked(kind: str, value: str) -> tuple[str, ...]:
    if kind in {"pack", "version"}:
        name, _, rest = value.partition("=")
        return name, rest
    if kind == "column":
        table, _, column = value.partition(".")
        return table, column
    return (value,)


def _continues(entries: Sequence[Entry], head: tuple[int, str]) -> bool:
    """Whether the index ends at an entry of this very journal."""
    seq, known = head
    if seq < 0:
        return True
    return seq < len(entries) and entries[seq].digest == known


def _enter(db: sqlite3.Connection, entry: Entry) -> None:
    facts = entry.facts
    match entry.event:
        case "applied" | "refused":
            status = "live" if entry.event == "applied" else "refused"
            _enter_release(db, facts, at=entry.at.isoformat(), person=entry.person, status=status, run_id=str(facts.get("run_id", "")))
        case "revoked":
            reason = str(facts.get("reason", ""))
            for release_id in facts.get("release_ids", ()):
                db.execute("UPDATE release SET status = 'revoked', reason = ? WHERE release_id = ?", (reason, str(release_id)))
        case _:
            return


def _enter_release(db: sqlite3.Connection, facts: Mapping[str, Any], *, at: str, person: str, status: str, run_id: str) -> None:
    release_id = str(facts["release_id"])
    if status == "refused" and db.execute("SELECT 1 FROM release WHERE release_id = ? AND status != 'refused'", (release_id,)).fetchone():
        return  # an earlier run of the same plan and data is out: a later failure does not make it go away
    for table in ("tab", "col", "origin", "file", "used", "figure", "parent"):
        db.execute(f"DELETE FROM {table} WHERE release_id = ?", (release_id,))  # noqa: S608  # our own words
    words = [str(facts.get(name) or "") for name in ("plan_digest", "policy_digest", "key_id", "manifest_digest")]
    db.execute(
        "INSERT OR REPLACE INTO release VALUES (?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?)",
        (release_id, run_id, str(facts.get("out", "")), at, person, status, *words),
    )
    for name, table in facts.get("tables", {}).items():
        db.execute("INSERT INTO tab VALUES (?, ?, ?, ?)", (release_id, name, table["input_id"], table["rows"]))
        db.executemany("INSERT INTO file VALUES (?, ?, ?)", [(release_id, path, sha) for path, sha in table["files"].items()])
        columns = table["columns"].items()
        rows = [(release_id, name, column, one["action"], int(one["released"])) for column, one in columns]
        db.executemany("INSERT INTO col VALUES (?, ?, ?, ?, ?)", rows)
        sources = [(release_id, name, column, source) for column, one in columns for source in one["from"]]
        db.executemany("INSERT INTO origin VALUES (?, ?, ?, ?)", sources)
    for kind in ("packs", "versions"):
        found = facts.get(kind, {}).items()
        db.executemany("INSERT INTO used VALUES (?, ?, ?, ?)", [(release_id, kind[:-1], name, str(value)) for name, value in found])
    db.executemany("INSERT INTO figure VALUES (?, ?, ?)", [(release_id, name, value) for name, value in facts.get("figures", {}).items()])
    db.executemany("INSERT INTO parent VALUES (?, ?)", [(release_id, str(one)) for one in facts.get("parents", ())])


def facts_of(manifest: Manifest, out: Path) -> dict[str, Any]:
    """What the journal holds of a release, as far as its manifest tells."""
    return {
        "release_id": manifest.release_id,
        "out": str(out.resolve()),
        "manifest_digest": digest(manifest),
        "plan_digest": manifest.plan_digest,
        "policy_digest": manifest.policy_digest,
        "packs": dict(manifest.packs),
        "key_id": manifest.key_id,
        "versions": dict(manifest.versions),
        "figures": {measure.name: measure.value for measure in manifest.measures if "." not in measure.name.partition("@")[2]},
        "tables": {
            table.name: {
                "input_id": table.input_id,
                "rows": table.rows,
                "files": {file.path: file.sha256 for file in table.files},
                "columns": {
                    column.name: {"action": column.action, "released": column.released, "from": list(column.derived_from)}
                    for column in table.columns
                },
            }
            for table in manifest.tables
        },
    }

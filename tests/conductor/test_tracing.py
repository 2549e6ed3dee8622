"""Trace and revoke: from any end of the thread to the other, and back."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from tests.conductor.small import KEY, Job

import tamis
from tamis.catalog import Catalog
from tamis.conductor.tracing import revoke_release, status, trace
from tamis.core.errors import DataError, ExitCode, UsageError
from tamis.journal import Journal

SECOND = {
    "version": 1,
    "purpose": "A second step over the first one's release",
    "privacy": {"k": 3, "max_suppressed": 0.2},
    "tables": {
        "people": {
            "columns": {
                "person": "drop",
                "area": {"keep": "the question is about areas", "role": "quasi"},
                "age": {"keep": "already in bands", "role": "quasi"},
            }
        }
    },
}


class Chain:
    """A release, and a second one made from it, in one journal."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "state"
        self.job = Job(folder)
        self.first = self.job.run(state=self.state)
        assert self.first.path is not None
        self.second = self.again()
        assert self.second.published

    def again(self) -> tamis.Release:
        """The second step."""
        assert self.first.path is not None
        return tamis.run_job(self.first.path / "people", SECOND, self.folder / "out2", state=self.state, key=lambda: KEY)


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    """A fresh chain of two releases."""
    return Chain(tmp_path)


def test_every_question_finds_its_release(chain: Chain) -> None:
    """By file, digest, id, run, input column, key, plan and library version the release is found; and what was made from it."""
    first, second = chain.first.release_id, chain.second.release_id
    assert chain.first.path is not None
    file = next(iter(sorted((chain.first.path / "people").iterdir())))
    manifest = json.loads((chain.first.path / "manifest.json").read_text())
    sha = manifest["tables"][0]["files"][0]["sha256"]
    for question in (str(file), sha, first, first[:8], chain.first.run_path.name, f"plan:{chain.first.plan_digest[:10]}"):
        found = trace(question, state=chain.state)
        assert [one.release_id for one in found.releases] == [first], question
        assert [one.release_id for one in found.descendants] == [second], question
    for question in (f"key:{manifest['key_id']}", "version:tamis", f"version:polars={pl.__version__}"):
        assert {one.release_id for one in trace(question, state=chain.state).releases} >= {second}
    dropped = trace("people.note", state=chain.state)
    assert [(row[0], row[3], row[4]) for row in dropped.columns] == [(first, "drop", False)]


def test_what_nobody_knows_is_said_so(chain: Chain, tmp_path: Path) -> None:
    """An unknown id, file or state folder is a UsageError, not an empty answer that looks like 'nothing was made of it'."""
    (tmp_path / "other.txt").write_text("x")
    for question in ("ffffffff", str(tmp_path / "other.txt"), "people.nothing"):
        with pytest.raises(UsageError):
            trace(question, state=chain.state)
    with pytest.raises(UsageError):
        trace(chain.first.release_id, state=tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_revoking_reaches_everything_made_from_it(chain: Chain) -> None:
    """The release and its descendant get tombstones, lose `current`, and are refused as input, by verify and by apply."""
    done = revoke_release(chain.first.release_id, reason="a leak", state=chain.state)
    assert [(one.release_id, one.derived, one.was_current) for one in done] == [
        (chain.first.release_id, False, True),
        (chain.second.release_id, True, True),
    ]
    assert {one.status for one in status(chain.state)} == {"revoked"}
    for release in (chain.first, chain.second):
        assert release.path is not None
        assert json.loads((release.path / "REVOKED.json").read_text())["because_of"] == chain.first.release_id
        with pytest.raises(DataError, match="revoked") as refused:
            tamis.verify_release(release.path)
        assert refused.value.exit_code is ExitCode.DATA
    with pytest.raises(DataError, match="revoked"):
        chain.again()
    with pytest.raises(DataError, match="revoked"):
        chain.job.run(state=chain.state)
    assert not (chain.folder / "out" / "current").exists()
    assert Journal(chain.state).audit().passed


def test_copies_of_a_revoked_release_are_refused_by_their_footer(chain: Chain, tmp_path: Path) -> None:
    """A Parquet file that was copied elsewhere still says which release it belongs to."""
    assert chain.first.path is not None
    copies = tmp_path / "copies" / "people"
    copies.mkdir(parents=True)
    for file in (chain.first.path / "people").iterdir():
        (copies / file.name).write_bytes(file.read_bytes())
    revoke_release(chain.first.release_id, reason="a leak", state=chain.state, derived=False)
    with pytest.raises(DataError, match="revoked"):
        tamis.run_job(copies, SECOND, chain.folder / "out3", state=chain.state, key=lambda: KEY)
    assert [one.status for one in status(chain.state)] == ["revoked", "live"]


def test_deleting_keeps_manifest_and_tombstone(chain: Chain) -> None:
    """With `delete` the data is gone and the record of it stays."""
    done = revoke_release(chain.second.release_id, reason="a leak", state=chain.state, delete=True)
    assert [one.deleted for one in done] == [True]
    assert chain.second.path is not None
    assert sorted(path.name for path in chain.second.path.iterdir()) == ["REVOKED.json", "manifest.json"]
    assert [one.status for one in status(chain.state)] == ["live", "revoked"]


def test_a_revocation_needs_a_reason_and_a_release(chain: Chain) -> None:
    """Without a reason, or for an unknown release, nothing is done and nothing is entered."""
    before = Journal(chain.state).head()
    with pytest.raises(UsageError, match="no_reason"):
        revoke_release(chain.first.release_id, reason=" ", state=chain.state)
    with pytest.raises(UsageError, match="unknown_release"):
        revoke_release("nothing", reason="x", state=chain.state)
    assert Journal(chain.state).head() == before


def test_the_catalog_is_a_view(chain: Chain) -> None:
    """Deleted or broken, the index is rebuilt from the journal and says the same."""
    before = status(chain.state)
    (chain.state / "catalog.sqlite").unlink()
    assert status(chain.state) == before
    (chain.state / "catalog.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(tamis.TamisError, match="broken_catalog"):
        status(chain.state)
    assert status(chain.state) == before


def test_releases_without_an_entry_are_entered_from_their_manifests(chain: Chain, tmp_path: Path) -> None:
    """With an empty journal the releases in OUT can still be traced by what their manifests say."""
    found = status(tmp_path / "fresh", [chain.folder / "out"])
    assert found == ()  # no state folder: nothing is made
    (tmp_path / "fresh").mkdir()
    found = status(tmp_path / "fresh", [chain.folder / "out", chain.folder / "out2"])
    assert {one.release_id for one in found} == {chain.first.release_id, chain.second.release_id}
    assert trace("people.age", state=tmp_path / "fresh").releases


def test_hostile_names_do_not_reach_the_index_as_code(tmp_path: Path) -> None:
    """Quotes, newlines and SQL in table and column names are data."""
    state = tmp_path / "state"
    hostile = 'a\'; DROP TABLE release; --\n"b"'
    table = {"input_id": "i", "rows": 1, "files": {"p": "s"}, "columns": {hostile: {"action": "keep", "released": True, "from": [hostile]}}}
    Journal(state).append("applied", {"release_id": "r1", "run_id": "x", "out": str(tmp_path), "tables": {hostile: table}})
    catalog = Catalog(state)
    assert [one.release_id for one in catalog.releases()] == ["r1"]
    assert catalog.columns("r1") == ((hostile, hostile, "keep", True, (hostile,)),)
    assert [one.release_id for one in catalog.using("column", f"{hostile}.{hostile}")] == ["r1"]

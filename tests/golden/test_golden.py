"""Golden cases: a policy and small inputs, and exactly what came of them last time somebody looked.

A case is a folder `<case>/`: `policy.yaml` with a comment that says what to look at, `data/*.csv`, and in `expected/` the plan, the
manifest and every released table. `make golden` rewrites `expected/` after an intended change; the diff is for a person to read.

Versions and licences of libraries are left out, and so are digests and sizes of Parquet files, which contain the writer's version.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.laws.world import KEY

import tamis
from tamis import Plan, Release
from tamis.core.canonical import pretty_json

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/policy.yaml"))
SLOW = {"redacted-text"}
"""loads Presidio"""
NOT_COMPARED = "not compared: depends on the versions of libraries"


def run(case: Path, out: Path) -> tuple[Plan, Release]:
    """Plan and apply a case; the plan without library versions, since they reach the tokens through its digest."""
    planned = tamis.build_plan(None, case / "policy.yaml")
    plan = Plan.model_validate_json(planned.model_copy(update={"versions": {}}).model_dump_json())
    data = [str(path) for path in sorted((case / "data").iterdir())]
    return plan, tamis.apply_plan(plan, data, out / "out", state=out / "state")


def stable_manifest(release: Release) -> str:
    """The manifest without what a new version of a library changes."""
    assert release.manifest is not None
    manifest: dict[str, Any] = tamis.Manifest.model_validate_json(release.manifest.read_text(encoding="utf-8")).model_dump(mode="json")
    manifest["versions"] = manifest["licences"] = {NOT_COMPARED: ""}
    for table in manifest["tables"]:
        for file in table["files"]:
            file["sha256"], file["bytes"] = NOT_COMPARED, 0
    return pretty_json(manifest)


def outcome(plan: Plan, release: Release) -> dict[str, str]:
    """Everything that is compared: file name to text."""
    assert release.path is not None, [result.sentence for result in release.verdict.failed]
    texts = {"plan.json": pretty_json(plan), "manifest.json": stable_manifest(release)}
    for table in plan.tables:
        frame = pl.read_parquet(sorted((release.path / table.name).glob("part-*.parquet")))
        texts[f"{table.name}.csv"] = frame.write_csv()
    return texts


def changed(name: str, before: str, now: str) -> str:
    """The difference as a diff, empty when there is none."""
    return "".join(difflib.unified_diff(before.splitlines(True), now.splitlines(True), f"expected/{name}", "now", n=2))


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name, marks=[pytest.mark.slow] if case.name in SLOW else []) for case in CASES]
)
def test_golden(case: Path, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same policy and input give the plan, the manifest and the rows that they gave before."""
    monkeypatch.setenv("TAMIS_KEY", KEY)
    found = outcome(*run(case, tmp_path))
    expected = case / "expected"
    if request.config.getoption("--update-golden"):
        expected.mkdir(exist_ok=True)
        for stale in set(expected.iterdir()) - {expected / name for name in found}:
            stale.unlink()
        for name, text in found.items():
            (expected / name).write_text(text, encoding="utf-8")
        return
    before = {path.name: path.read_text(encoding="utf-8") for path in expected.iterdir()}
    assert sorted(before) == sorted(found)
    changes = "".join(changed(name, before[name], found[name]) for name in sorted(found))
    assert not changes, f"what came out differs; if that is intended: make golden\n{changes}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden_is_small_and_explained(case: Path) -> None:
    """A reader can learn from a case: its policy opens with a comment, its tables have at most sixty rows, nothing else lies about."""
    assert (case / "policy.yaml").read_text(encoding="utf-8").startswith("# ")
    assert {path.name for path in case.iterdir()} - {"expected"} == {"policy.yaml", "data"}
    for path in (case / "data").iterdir():
        assert path.read_text(encoding="utf-8").count("\n") <= 61

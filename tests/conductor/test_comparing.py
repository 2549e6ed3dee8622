"""`diff`: what changed between two plans or releases, the riskier first, in sentences without values."""

from __future__ import annotations

import copy
from pathlib import Path

import polars as pl
import pytest
from tests.conductor.small import KEY, Job, people, policy

import tamis
from tamis.compare import compare, view_of_plan, view_of_release
from tamis.conductor.comparing import diff
from tamis.core.canonical import pretty_json
from tamis.core.errors import UsageError
from tamis.write.manifest import load_manifest


def _changes(a: tamis.Plan, b: tamis.Plan) -> list[tuple[str, str]]:
    return [(change.weight, change.sentence) for change in compare(view_of_plan(a), view_of_plan(b))]


def test_a_plan_does_not_differ_from_itself_nor_from_its_release(tmp_path: Path) -> None:
    """Nothing differs between a plan and itself; against its release only figures that one side has are compared, and none differs."""
    job = Job(tmp_path)
    plan, release = job.plan(), job.run()
    assert compare(view_of_plan(plan), view_of_plan(plan)) == ()
    assert release.manifest is not None
    assert compare(view_of_plan(plan), view_of_release(load_manifest(release.manifest))) == ()


def test_what_newly_leaves_is_riskier_and_comes_first(tmp_path: Path) -> None:
    """A column newly kept, a lower k, a lost quasi-identifier and a lost pack are riskier; the way back is safer."""
    job = Job(tmp_path)
    looser = policy(privacy={"k": 2, "max_suppressed": 0.2})
    columns = looser["tables"]["people"]["columns"]
    columns["note"] = {"keep": "wanted", "role": "none"}
    columns["area"] = {"keep": "the question is about areas", "role": "none"}
    a, b = job.plan(), job.plan(policy=looser)
    found = _changes(a, b)
    riskier = [sentence for weight, sentence in found if weight == "riskier"]
    assert "privacy.k: 3 → 2" in riskier
    assert "'note': drop → keep and now leaves" in riskier
    assert any("no longer treated as quasi-identifiers and still released: 'area'" in sentence for sentence in riskier)
    assert [weight for weight, _ in found[: len(riskier)]] == ["riskier"] * len(riskier)
    back = [sentence for weight, sentence in _changes(b, a) if weight == "safer"]
    assert "'note': keep → drop" in back
    assert "privacy.k: 2 → 3" in back


def test_new_and_missing_columns_are_named(tmp_path: Path) -> None:
    """A new column that leaves is riskier than one that does not; a missing one is said."""
    job = Job(tmp_path)
    wider = copy.deepcopy(job.policy)
    wider["tables"]["people"]["columns"] |= {"extra": "drop", "more": {"keep": "wanted", "role": "none"}}
    data = {"people": people().with_columns(pl.lit("x").alias("extra"), pl.lit("y").alias("more")), "visits": job.frames["visits"]}
    found = _changes(job.plan(), tamis.build_plan(data, wider, key=lambda: KEY))
    assert ("riskier", "column 'more' is new and leaves: keep") in found
    assert ("other", "column 'extra' is new and does not leave") in found


def test_releases_are_compared_by_their_figures(tmp_path: Path) -> None:
    """Between two releases k and other figures are compared, and a smaller k is riskier."""
    job = Job(tmp_path)
    first = job.run("one")
    second = job.run("two", policy=policy(privacy={"k": 2, "max_suppressed": 0.2}), data=job.frames | {"people": people(17)})
    assert first.path is not None
    assert second.published
    _, _, changes = diff(tmp_path / "one", tmp_path / "two")
    worse = [change for change in changes if change.weight == "riskier"]
    assert any(change.sentence.startswith("risk.k@people: ") for change in worse)
    (tmp_path / "plan.json").write_text(pretty_json(job.plan()))
    assert diff(first.path, tmp_path / "plan.json")[2] == ()


def test_what_is_neither_plan_nor_release_is_refused(tmp_path: Path) -> None:
    """An empty folder and an unknown name are UsageErrors."""
    with pytest.raises(UsageError):
        diff(tmp_path, tmp_path)
    with pytest.raises(UsageError):
        diff("nothing", tmp_path, state=tmp_path / "none")

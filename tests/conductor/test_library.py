"""The library as the README shows it: values in, frozen values out, nothing printed, nothing remembered."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pydantic import ValidationError
from tests.conductor.small import KEY, OTHER_KEY, POLICY, Job, content, people, policy

import tamis
from tamis.conductor import STAGES
from tamis.core.canonical import pretty_json
from tamis.core.errors import ExitCode, KeyMaterialError, PlanError, PolicyError, UsageError
from tamis.core.record import CheckStatus
from tamis.write.stage import ReleaseStore

# -------------------------------------------------------------------------------------------------------------------- shape


def test_every_exported_name_resolves() -> None:
    """`tamis.__all__` is what the package has, each name can be had, and another one is an AttributeError."""
    assert sorted(tamis.__all__) == tamis.__all__
    assert all(getattr(tamis, name) is not None for name in tamis.__all__)
    assert tamis.__version__
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = tamis.nothing_of_the_kind


def test_stages_are_the_rooms() -> None:
    """The conductor's order of the flow names every room folder once, and no other."""
    package = Path(tamis.__file__).parent
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    assert sorted(STAGES) == sorted(folders - {"core", "conductor", "rules", "adapters"})


# -------------------------------------------------------------------------------------------------------- data in, values out


def test_every_kind_of_data_gives_the_same_plan_and_release(tmp_path: Path) -> None:
    """DataFrame, LazyFrame, files and Path in a mapping: the same rows give the same plan digest and the same bytes."""
    job = Job(tmp_path)
    job.frames["people"].write_csv(tmp_path / "people.csv")
    job.frames["visits"].write_parquet(tmp_path / "visits.parquet")
    lazy = {name: frame.lazy() for name, frame in job.frames.items()}
    paths = [str(tmp_path / "people.csv"), tmp_path / "visits.parquet"]
    mixed = {"people": tmp_path / "people.csv", "visits": lazy["visits"]}
    assert len({job.plan(data=data).digest for data in (job.frames, lazy, paths, mixed)}) == 1
    assert content(job.run("frames")) == content(job.run("lazy", data=lazy)) == content(job.run("files", data=paths))


def test_a_single_frame_is_a_table_of_that_name(tmp_path: Path) -> None:
    """A frame without a name is the table 'table'."""
    profiled = tamis.profile_data(people())
    assert [table.name for table in profiled.profile.tables] == ["table"]
    assert profiled.profile.table("table").rows == 40


def test_no_data_is_an_error_with_a_next_step() -> None:
    """Neither data nor sources in the policy: said as a sentence."""
    with pytest.raises(UsageError, match=r"no data.*Name files") as caught:
        tamis.build_plan(None, policy(), key=lambda: KEY)
    assert caught.value.exit_code is ExitCode.USAGE


def test_results_are_frozen(done: Job) -> None:
    """Plan, verdict, manifest and release cannot be changed after the fact."""
    release = done.release
    assert release is not None
    plan = done.plan()
    for value, name in ((plan, "purpose"), (release.verdict, "passed"), (plan.table("people").column("note"), "action")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(value, name, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        release.path = None  # type: ignore[misc]


def test_inputs_are_not_changed(tmp_path: Path) -> None:
    """Frames and the policy mapping of the caller are afterwards what they were before."""
    job = Job(tmp_path)
    before = {name: frame.clone() for name, frame in job.frames.items()}
    job.run()
    assert job.policy == POLICY
    for name, frame in job.frames.items():
        assert_frame_equal(frame, before[name])


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The five verbs write no byte to standard output or standard error, and leave the working directory alone."""
    job, here = Job(tmp_path), sorted(Path().iterdir())
    tamis.profile_data(job.frames)
    job.apply(job.plan())
    tamis.verify_release(job.out)
    assert capfd.readouterr() == ("", "")
    assert sorted(Path().iterdir()) == here


def test_progress_is_told_and_not_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A caller's progress port hears of the stages, in the order of the flow."""

    class Heard:
        def __init__(self) -> None:
            self.stages: list[str] = []

        @contextmanager
        def stage(self, name: str, detail: str = "") -> Iterator[None]:
            self.stages.append(name)
            yield

        def note(self, text: str) -> None:
            """Nothing to keep."""

    heard = Heard()
    Job(tmp_path).run(progress=heard)
    first = list(dict.fromkeys(heard.stages))
    assert set(first) <= set(STAGES)
    assert first == ["read", "profile", "detect", "search", "plan", "transform", "write", "verify"]
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------------------------------------------------- plan and apply


def test_run_is_plan_and_apply(done: Job) -> None:
    """`run_job` gives byte for byte what `build_plan` and `apply_plan` give, under the same release id."""
    assert done.release is not None
    two_steps = done.apply(done.plan(), "two")
    assert two_steps.release_id == done.release.release_id
    assert two_steps.plan_digest == done.release.plan_digest
    assert content(two_steps) == content(done.release)


def test_a_plan_survives_json_and_is_the_same_from_a_file(done: Job) -> None:
    """A plan read back from its JSON has the same digest, and applying the file or the value gives the same release."""
    plan = done.plan()
    path = done.folder / "plan.json"
    path.write_text(pretty_json(plan), encoding="utf-8")
    again = tamis.Plan.model_validate_json(path.read_text(encoding="utf-8"))
    assert (again, again.digest) == (plan, plan.digest)
    assert content(done.apply(path, "from_file")) == content(done.apply(again, "from_value"))


def test_planning_changes_nothing(tmp_path: Path) -> None:
    """`build_plan` and `profile_data` write no file."""
    job = Job(tmp_path)
    job.plan()
    tamis.profile_data(job.frames)
    assert list(tmp_path.iterdir()) == []


def test_two_interleaved_jobs_do_not_know_of_each_other(tmp_path: Path) -> None:
    """No global state: planned and applied in turns, with other keys and policies, each job gives what it gives alone."""
    first, second = Job(tmp_path / "a"), Job(tmp_path / "b")
    second.policy = policy(privacy={"k": 2})
    second.frames["people"] = people(30)
    second.frames["visits"] = second.frames["visits"].filter(pl.col("person") < "p030")
    plans = first.plan(), tamis.build_plan(second.frames, second.policy, key=lambda: OTHER_KEY)
    mixed = second.apply(plans[1], "mixed", key=lambda: OTHER_KEY), first.apply(plans[0], "mixed")
    assert content(mixed[1]) == content(first.run("alone"))
    assert content(mixed[0]) == content(second.run("alone", key=lambda: OTHER_KEY))
    assert mixed[0].release_id != mixed[1].release_id


def test_another_key_is_refused(done: Job) -> None:
    """A plan is bound to the key it was made with: its tokens would not be the promised ones."""
    with pytest.raises(PlanError, match="was made with key") as caught:
        done.apply(done.plan(), "other_key", key=lambda: OTHER_KEY)
    assert caught.value.code == "other_key"
    assert not (done.folder / "other_key").exists()


def test_no_key_is_refused(done: Job) -> None:
    """Nothing falls back to no key, and a weak one is none."""
    with pytest.raises(KeyMaterialError, match="names no key"):
        tamis.build_plan(done.frames, done.policy)
    with pytest.raises(KeyMaterialError, match="too weak"):
        tamis.build_plan(done.frames, done.policy, key=lambda: b"secret")


def test_other_data_is_refused(done: Job) -> None:
    """A new column, a missing one, another type or a missing table: the sentence says which."""
    plan = done.plan()
    frames = done.frames
    wrong = {
        "new column": frames | {"people": frames["people"].with_columns(badge=pl.lit("x"))},
        "missing column": frames | {"people": frames["people"].drop("note")},
        "is text, planned as integer": frames | {"people": frames["people"].with_columns(pl.col("age").cast(pl.String) + "y")},
        "'visits' is missing": {"people": frames["people"]},
    }
    for said, data in wrong.items():
        with pytest.raises(PlanError, match=said) as caught:
            done.apply(plan, "refused", data=data)
        assert caught.value.code == "other_data"
    assert not (done.folder / "refused").exists()


def test_a_changed_role_makes_a_plan_stale(done: Job) -> None:
    """Same names and types, but a harmless column now holds e-mail addresses: what was decided about it does not hold any more."""
    mails = pl.Series("area", [f"person{i}@mail.example.org" for i in range(40)])
    with pytest.raises(PlanError, match=r"changed its nature.*people\.area was") as caught:
        done.apply(done.plan(), "stale", data=done.frames | {"people": done.frames["people"].with_columns(mails)})
    assert caught.value.code == "stale_plan"
    assert not (done.folder / "stale").exists()


def test_open_columns_are_refused(done: Job) -> None:
    """A plan may hold undecided columns; no verb applies it."""
    open_policy = policy()
    del open_policy["tables"]["people"]["columns"]["note"]
    plan = done.plan(policy=open_policy)
    assert [column.name for _, column in plan.open_columns] == ["note"]
    for attempt in (lambda: done.apply(plan, "open"), lambda: Job(done.folder).run("open", policy=open_policy)):
        with pytest.raises(PlanError, match=r"people\.note"):
            attempt()
    assert not (done.folder / "open").exists()


# --------------------------------------------------------------------------------------------------------- after the release


def test_verify_takes_out_or_a_release_folder(done: Job) -> None:
    """`verify_release` of OUT is that of its current release; both pass; without a signature nothing is authenticated."""
    assert done.release is not None
    assert done.release.path is not None
    of_out, of_folder = tamis.verify_release(done.out), tamis.verify_release(done.release.path)
    assert of_out == of_folder
    assert of_out.passed
    assert not of_out.authenticated
    assert of_out.release_id == done.release.release_id
    with pytest.raises(UsageError, match="no release"):
        tamis.verify_release(done.folder)


def test_verify_finds_an_altered_file(tmp_path: Path) -> None:
    """One changed row of a released file: the verification fails and names the file."""
    job = Job(tmp_path)
    release = job.run()
    assert release.path is not None
    file = next((release.path / "visits").glob("part-*.parquet"))
    pl.read_parquet(file).with_columns(pl.col("cost") + 1).write_parquet(file)
    found = tamis.verify_release(job.out)
    assert not found.passed
    assert any(check.status is CheckStatus.FAILED and "visits" in check.name for check in found.checks)


def test_the_same_job_again_is_the_same_release(tmp_path: Path) -> None:
    """Re-running replaces the release by itself: one id, the same bytes, one folder."""
    job = Job(tmp_path)
    first = content(job.run())
    again = job.run()
    assert content(again) == first
    assert [path.name for path in job.out.iterdir() if path.is_dir() and not path.is_symlink()] == [again.release_id]


def test_rollback_points_to_the_release_before(tmp_path: Path) -> None:
    """Of two releases the second is current; after a rollback the first one is, and verifies."""
    job = Job(tmp_path)
    first = job.run()
    second = job.run(policy=policy(purpose="Another purpose"))
    assert (job.out / "current").resolve().name == second.release_id != first.release_id
    with ReleaseStore(job.out) as store:
        assert store.rollback(None) == first.release_id
    assert tamis.verify_release(job.out).release_id == first.release_id


# -------------------------------------------------------------------------------------------------------------- gates and suites


def test_a_failed_gate_publishes_nothing(tmp_path: Path) -> None:
    """The release returned has no path and no manifest, says which gate failed, and the earlier release stays current."""
    job = Job(tmp_path)
    first = job.run()
    failed = job.run(policy=policy(gates=[{"measure": "utility.column_shapes", "min": 1.5}]))
    assert (failed.published, failed.path, failed.manifest) == (False, None, None)
    assert not failed.verdict.passed
    assert any("utility.column_shapes" in gate.sentence for gate in failed.verdict.failed)
    assert failed.report.is_file()
    assert (failed.run_path / "quarantine").is_dir()
    assert (job.out / "current").resolve().name == first.release_id


SUITE = """{"name": "mine", "expectations": [
  {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1, "max_value": 100}},
  {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "area", "value_set": ["north", "south"]}},
  {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "person", "regex": "^[a-z2-7]{26}$"}},
  {"type": "expect_column_value_lengths_to_be_between", "kwargs": {"column": "age", "min_value": 1, "max_value": 8}},
  {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "person"}},
  {"type": "expect_column_unique_value_count_to_be_between", "kwargs": {"column": "area", "min_value": 2, "max_value": %d}}
]}"""


@pytest.mark.parametrize(("most", "holds"), [(2, True), (1, False)])
def test_your_own_expectations_are_run(tmp_path: Path, most: int, holds: bool) -> None:
    """A Great Expectations suite of the user is judged on the released table; when an expectation fails, nothing is published."""
    (tmp_path / "expectations").mkdir()
    (tmp_path / "expectations" / "people.json").write_text(SUITE % most, encoding="utf-8")
    job = Job(tmp_path)
    release = job.run(policy=policy(expectations=str(tmp_path / "expectations")))
    suite = next(suite for suite in release.verdict.suites if suite.kind == "user")
    assert (suite.table, suite.expectations, suite.passed) == ("people", 6, holds)
    assert release.published == holds
    if not holds:
        assert suite.failed == ("expect_column_unique_value_count_to_be_between(area)",)
        assert any(gate.measure.startswith("suite.user") for gate in release.verdict.failed)
        assert not (job.out / "current").exists()


def test_a_suite_that_names_no_table_is_refused(tmp_path: Path) -> None:
    """A suite that would never run looks like one that passes: it is an error before anything is read in full."""
    (tmp_path / "poeple.json").write_text(SUITE % 2, encoding="utf-8")
    with pytest.raises(PolicyError, match=r"poeple\.json names no table"):
        Job(tmp_path).run(policy=policy(expectations=str(tmp_path)))

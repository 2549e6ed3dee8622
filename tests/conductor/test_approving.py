"""Approvals: a plan that wants them is applied with them only, and every byte of plan and approval counts."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conductor.small import KEY, Job, policy

import tamis
from tamis.conductor.approving import approvals_path, approve_plan, load_approvals, standing
from tamis.core.approval import Approval, Approvals
from tamis.core.canonical import pretty_json
from tamis.core.errors import PlanError, TamisError, UsageError
from tamis.core.plan import Plan
from tamis.core.policy import ApprovalRule
from tamis.documents import load_document
from tamis.journal import Journal
from tamis.signing import Signer, write_new_signing_key


def _written(job: Job, warnings: tuple[str, ...] = (), **rule: Any) -> Path:
    """A plan file that wants approvals."""
    plan = job.plan(policy=policy(approvals={"required": 1} | rule))
    if warnings:
        plan = plan.model_copy(update={"tables": (plan.tables[0].model_copy(update={"warnings": warnings}), *plan.tables[1:])})
    path = job.folder / "plan.json"
    path.write_text(pretty_json(plan))
    return path


def test_a_plan_that_wants_approval_is_applied_only_with_it(tmp_path: Path) -> None:
    """Unapproved it is refused and nothing is written; approved it is applied, and the run folder says by whom."""
    job = Job(tmp_path)
    path = _written(job)
    with pytest.raises(PlanError, match="unapproved"):
        job.apply(path)
    assert not (tmp_path / "out").exists()
    approve_plan(path, by="Ada", comment="read it")
    release = job.apply(path)
    assert release.published
    facts = json.loads((release.run_path / "run.json").read_text())
    assert [one["by"] for one in facts["approvals"]] == ["Ada"]
    assert [entry.event for entry in Journal(tmp_path / ".tamis").entries()] == ["approved"]
    assert [entry.event for entry in Journal(tmp_path / "out.state").entries()] == ["applied"]


def test_run_refuses_a_policy_that_wants_approvals(tmp_path: Path) -> None:
    """`run` plans and applies in one: nobody could have approved in between."""
    with pytest.raises(PlanError, match="needs_approval"):
        Job(tmp_path).run(policy=policy(approvals={"required": 1}))


def test_two_approvals_are_two_people(tmp_path: Path) -> None:
    """The same person twice counts once, however the name is written."""
    path = _written(Job(tmp_path), required=2)
    approve_plan(path, by="Ada")
    assert not approve_plan(path, by=" ada ")[1].sufficient
    assert approve_plan(path, by="Grace")[1].sufficient


def test_keys_that_count(tmp_path: Path) -> None:
    """Where the policy names keys, unsigned approvals, other keys and two names with one key do not count."""
    ada, ada_public = write_new_signing_key(tmp_path / "ada")
    eve, _ = write_new_signing_key(tmp_path / "eve")
    grace, _ = write_new_signing_key(tmp_path / "grace")
    path = _written(Job(tmp_path), required=2, keys=[str(ada_public), grace.public_key])
    approve_plan(path, by="Ada")
    approve_plan(path, by="Eve", signer=eve)
    approve_plan(path, by="Ada", signer=ada)
    found = approve_plan(path, by="Somebody", signer=ada)[1]
    assert (len(found.counted), len(found.ignored), found.sufficient) == (1, 2, False)
    assert approve_plan(path, by="Grace", signer=grace)[1].sufficient


def test_an_approval_grows_old(tmp_path: Path) -> None:
    """After the days the policy says, and before its own date, an approval does not count."""
    path = _written(Job(tmp_path), valid_days=10)
    approval, _ = approve_plan(path, by="Ada")
    plan = load_document(path, Plan)
    for days, counts in ((9, True), (11, False), (-1, False)):
        assert standing(plan, load_approvals(path), approval.at + dt.timedelta(days=days)).sufficient is counts


def test_warnings_must_be_acknowledged(tmp_path: Path) -> None:
    """An approval that does not acknowledge every warning is not enough; a fingerprint that is none of the plan's is refused."""
    path = _written(Job(tmp_path), warnings=("a b c", "d e f"))
    first = approve_plan(path, by="Ada")[1]
    assert len(first.unacknowledged) == 2
    with pytest.raises(UsageError, match="unknown_warning"):
        approve_plan(path, by="Ada", acknowledge=["0123456789ab"])
    one = approve_plan(path, by="Ada", acknowledge=[first.unacknowledged[0][0]])[1]
    assert [sentence for _, _, sentence in one.unacknowledged] == [first.unacknowledged[1][2]]
    assert approve_plan(path, by="Ada", acknowledge=["all"])[1].sufficient


def test_what_is_not_decided_cannot_be_approved(tmp_path: Path) -> None:
    """An undecided plan is no plan to approve: errors cannot be acknowledged."""
    job = Job(tmp_path)
    open_policy = policy(approvals={"required": 1}, unknown_columns="stop")
    del open_policy["tables"]["people"]["columns"]["note"]
    path = tmp_path / "plan.json"
    path.write_text(pretty_json(tamis.build_plan(job.frames, open_policy, key=lambda: KEY)))
    with pytest.raises(PlanError):
        approve_plan(path, by="Ada", acknowledge=["all"])
    assert not approvals_path(path).exists()


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Signer]:
    """A plan and its signed approval."""
    folder = tmp_path_factory.mktemp("signed")
    signer, public = write_new_signing_key(folder / "key")
    path = _written(Job(folder), keys=[str(public)])
    assert approve_plan(path, by="Ada", signer=signer)[1].sufficient
    return path, signer


@given(place=st.floats(0, 1, exclude_max=True), step=st.integers(1, 90), which=st.booleans())
@settings(max_examples=60)
def test_any_changed_character_takes_the_approval_away(
    place: float, step: int, which: bool, signed: tuple[Path, Signer], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever character of the plan or of its approval is replaced: the documents say the same as before, or the approval is void."""
    path, _ = signed
    texts = [path.read_text(), approvals_path(path).read_text()]
    text = texts[which]
    at = int(place * len(text))
    texts[which] = text[:at] + chr(33 + (ord(text[at]) - 33 + step) % 94) + text[at + 1 :]
    forged = tmp_path_factory.mktemp("forged") / "plan.json"
    forged.write_text(texts[0])
    approvals_path(forged).write_text(texts[1])
    try:
        plan, approvals = load_document(forged, Plan), load_approvals(forged)
    except TamisError:
        return
    same = plan == load_document(path, Plan) and approvals == load_approvals(path)
    assert standing(plan, approvals).sufficient is same


def test_approvals_of_other_plans_are_kept_and_do_not_count() -> None:
    """Planning again keeps the old approvals beside the new plan; they are named as approvals of another plan."""
    plan = Plan(
        purpose="p", policy_digest="0" * 64, privacy=tamis.Policy(purpose="p").privacy, tables=(), approvals=ApprovalRule(required=1)
    )
    other = Approval(plan_digest="1" * 64, by="Ada", at=dt.datetime.now(dt.UTC))
    found = standing(plan, Approvals(approvals=(other,)))
    assert not found.sufficient
    assert "another plan" in found.ignored[0]

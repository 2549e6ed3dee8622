"""What fakes keep of their originals is said by the plan; what they need and cannot have is a problem of the policy."""

from __future__ import annotations

import pytest

from tamis.core.actions import Action, Drop, Fake, Generalize, Keep
from tamis.core.plan import ColumnPlan, Plan, Status, TablePlan
from tamis.core.policy import Privacy
from tamis.core.types import DataType, Role
from tamis.plan.fakes import fake_problems, fake_warnings
from tamis.verify.shapes import shapes_of_plan


def columns(**actions: Action) -> tuple[ColumnPlan, ...]:
    """Decided text columns."""
    facts = {"type": DataType.TEXT, "role": Role.DIRECT, "status": Status.DECIDED, "rule": "policy", "reason": "test"}
    return tuple(ColumnPlan.model_validate({"name": name, "action": action, **facts}) for name, action in actions.items())


def test_neutral_fakes_need_no_warning() -> None:
    """A fake that keeps nothing, and one whose locale a person fixed, say nothing of an original."""
    assert not list(fake_warnings(columns(a=Fake(kind="email"), b=Fake(kind="city", locale="de_DE"), c=Keep())))


@pytest.mark.parametrize(
    ("asked", "word"),
    [({"locale": "keep"}, "language"), ({"gender_from": "name"}, "gender"), ({"format": "keep"}, "format"), ({"link": "stable"}, "joined")],
)
def test_what_is_kept_is_said(asked: dict[str, str], word: str) -> None:
    """Each kept trait is named as a kept quasi-identifier, stable fakes as joinable."""
    said = list(fake_warnings(columns(name=Fake.model_validate({"kind": "person_name", **asked}))))
    assert len(said) == 1
    assert word in said[0]
    assert ("quasi-identifier" in said[0]) == (word != "joined")


@pytest.mark.parametrize("fate", [Drop(), Generalize()])
def test_a_source_that_does_not_leave_is_said(fate: Action) -> None:
    """Fakes that show what a dropped or coarsened column says undo its removal: the plan says so; a kept column is no news."""
    fake = Fake(kind="person_name", gender_from="sex")
    assert any("'sex'" in one for one in fake_warnings(columns(name=fake, sex=fate)))
    assert not any("'sex'" in one for one in fake_warnings(columns(name=fake, sex=Keep())))


def test_columns_that_are_not_there_are_problems() -> None:
    """Every column a fake names must be one of its table and tell something."""
    action = Fake(kind="person_name", person="idd", gender_from="blob", locale="keep", locale_from="land")
    problems = list(fake_problems(action, "t.name", {"id": DataType.INTEGER, "blob": DataType.BINARY, "land": DataType.TEXT}))
    assert len(problems) == 2
    assert "'idd'" in problems[0]
    assert "'id'" in problems[0]
    assert "binary" in problems[1]


def test_stable_fakes_join_releases_and_fakes_by_person_are_no_domain() -> None:
    """Verification counts persons over releases where fakes are stable, and takes only fakes of the value itself for keys."""
    stated = TablePlan(
        name="t",
        columns=columns(
            a=Fake(kind="email", link="stable", unique=True),
            b=Fake(kind="email", person="c", unique=True),
            c=Fake(kind="username", unique=True),
        ),
    )
    shape = shapes_of_plan(Plan(purpose="p", policy_digest="0" * 64, privacy=Privacy(), tables=(stated,)))["t"]
    assert [name for name, _ in shape.stable] == ["a"]
    assert [name for name, _ in shape.domains] == ["a", "c"]

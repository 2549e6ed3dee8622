"""Personal data in single cells: what the plan makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tamis.core.actions import Drop, Keep, Redact
from tamis.core.errors import PlanError
from tamis.core.plan import Plan, Status
from tamis.core.policy import Policy
from tamis.core.types import ColumnProfile, DatasetProfile, DataType, Evidence, Finding, Findings, Role, TableProfile
from tamis.documents import parse_document
from tamis.plan import PlanInput, draft_plan
from tamis.plan.check import require_decided
from tamis.rules import load_rules

STRAY = Evidence(source="presidio", rule="stray:EmailRecognizer", entity="EMAIL_ADDRESS", hits=1, of=1000, locations=((3, 1),))


def _plan(text: str, role: Role = Role.UNKNOWN) -> Plan:
    column = ColumnProfile(name="status", type=DataType.TEXT, rows=1000, nulls=0, distinct=4, distinct_exact=True, words_mean=1.0)
    profile = DatasetProfile(tables=(TableProfile(name="t", rows=1000, columns=(column,), k=5),))
    finding = Finding(table="t", column="status", entity=None, role=role, confidence=0.6, stray=(STRAY,))
    policy = parse_document(f"purpose: p\nkey: env:K\n{text}", "p.yaml", Policy)
    return draft_plan(PlanInput(policy, load_rules((), base=Path()), profile, Findings(findings=(finding,)), key_id="k"))


@pytest.mark.parametrize("role", [Role.UNKNOWN, Role.NONE])
def test_a_column_with_strays_is_never_proposed_to_be_kept(role: Role):
    """Nobody decided: the proposal is to drop the column, and says what was found."""
    column = _plan("", role).tables[0].columns[0]
    assert isinstance(column.action, Drop)
    assert column.status is not Status.DECIDED
    assert "EMAIL_ADDRESS" in column.reason


@pytest.mark.parametrize("text", ["tables: {t: {columns: {status: {keep: the purpose needs it}}}}", "needed: [t.status]"])
def test_a_keep_that_does_not_know_of_strays_is_undecided(text: str):
    """`keep` and `needed` do not speak of single cells: the run stops until a person has seen them."""
    plan = _plan(text)
    assert plan.tables[0].columns[0].status is Status.UNDECIDED
    with pytest.raises(PlanError, match="status"):
        require_decided(plan)


def test_a_keep_that_accepts_strays_is_decided_and_warned_about():
    """`strays: accept` lets the column leave; the warning is bound into the plan."""
    plan = _plan("tables: {t: {columns: {status: {keep: the purpose needs it, strays: accept}}}}")
    table = plan.tables[0]
    assert isinstance(table.columns[0].action, Keep)
    assert table.columns[0].status is Status.DECIDED
    assert any("EMAIL_ADDRESS" in warning for warning in table.warnings)


def test_redaction_and_dropping_need_no_acknowledgement():
    """Actions that take the strays out are decided as they stand."""
    for action, kind in (("redact", Redact), ("drop", Drop)):
        column = _plan(f"tables: {{t: {{columns: {{status: {action}}}}}}}").tables[0].columns[0]
        assert isinstance(column.action, kind)
        assert column.status is Status.DECIDED


def test_places_of_strays_are_in_no_plan():
    """Row groups and counts of single cells are internal: the plan names entities only."""
    plan = _plan("tables: {t: {columns: {status: {keep: the purpose needs it, strays: accept}}}}")
    assert "locations" not in plan.model_dump_json()
    assert "locations" not in Evidence(source="name", rule="n").model_dump_json()

"""Laws of what a plan makes of sets that single people out, of dependencies and of associations."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tamis.core.actions import Drop, Generalize, Keep
from tamis.core.plan import Plan, Status
from tamis.core.policy import Policy
from tamis.core.types import (
    Association,
    ColumnProfile,
    DatasetProfile,
    DataType,
    Dependency,
    Finding,
    Findings,
    ForeignKey,
    QuasiSearch,
    QuasiSet,
    Role,
    TableProfile,
)
from tamis.documents import parse_document
from tamis.plan import PlanInput, draft_plan, draft_policy_text
from tamis.plan.units import unit_columns
from tamis.rules import load_rules

ROLES = {
    "id": Role.DIRECT,
    "zip": Role.QUASI,
    "job": Role.NONE,
    "shoe": Role.NONE,
    "ward": Role.NONE,
    "illness": Role.SENSITIVE,
    "town": Role.NONE,
}


def profile(*sets: tuple[str, ...], **fields: object) -> DatasetProfile:
    """A table of persons in which these sets single people out."""
    columns = tuple(
        ColumnProfile(
            name=name,
            type=DataType.TEXT,
            rows=1000,
            nulls=0,
            distinct=1000 if name == "id" else 20,
            distinct_exact=True,
            words_mean=1.0,
            length_max=9,
            length_min=3,
            determined_by="zip" if name == "town" else None,
        )
        for name in ROLES
    )
    table = TableProfile(name="people", rows=1000, columns=columns, candidate_keys=("id",), k=5, **fields)
    found = tuple(
        QuasiSet(
            columns=one, quasi=sum(ROLES[n] is Role.QUASI for n in one), below_k=0.31, unique=0.1, combinations=90, distinct_ratio=0.1,
            highest_risk=1.0,
        )
        for one in sets
    )  # fmt: skip
    search = QuasiSearch(table="people", unit=None, persons=1000, k=5, share=0.05, sets=found, found=len(found), candidates=tuple(ROLES))
    return DatasetProfile(tables=(table,), quasi_sets=(search,))


FINDINGS = Findings(findings=tuple(Finding(table="people", column=n, entity=None, role=r, confidence=0.9) for n, r in ROLES.items()))


def plan(measured: DatasetProfile, columns: str = "") -> Plan:
    """A draft plan under a policy that states these columns."""
    tables = f"tables: {{people: {{columns: {{{columns}}}}}}}\n" if columns else ""
    policy = parse_document(f"purpose: p\nkey: env:K\n{tables}", "p.yaml", Policy)
    return draft_plan(PlanInput(policy, load_rules((), base=Path()), measured, FINDINGS, key_id="k"))


def test_a_column_of_a_singling_set_is_proposed_as_a_quasi_identifier() -> None:
    """It is generalized with the others, the reason names them and the share; a column of no set stays as it was."""
    drafted = plan(profile(("zip", "job")))
    job, shoe = (drafted.table("people").column(name) for name in ("job", "shoe"))
    assert isinstance(job.action, Generalize)
    assert (job.role, job.detected, job.status, job.rule) == (Role.QUASI, Role.NONE, Status.PROPOSED, "proposal:singling")
    assert "'zip'" in job.reason
    assert "31.0 %" in job.reason
    assert isinstance(shoe.action, Keep)
    assert shoe.role is Role.NONE
    classes = drafted.table("people").classes
    assert classes is not None
    assert set(classes.quasi_identifiers) == {"zip", "job"}


def test_the_drafted_policy_says_the_same() -> None:
    """The entry of the draft states the role, so that the plan made from it has the same quasi-identifiers."""
    measured = profile(("zip", "job"))
    text = draft_policy_text(measured, FINDINGS, {}, accept=True)
    assert yaml.safe_load(text)["tables"]["people"]["columns"]["job"]["role"] == "quasi"
    policy = parse_document(text, "draft", Policy)
    drafted = draft_plan(PlanInput(policy, load_rules((), base=Path()), measured, FINDINGS, key_id="k"))
    classes = drafted.table("people").classes
    assert classes is not None
    assert "job" in classes.quasi_identifiers


@pytest.mark.parametrize(
    ("columns", "warned"),
    [
        ("job: {keep: y}, shoe: {keep: y}", True),
        ("job: {keep: y, role: quasi}, shoe: {keep: y}", True),
        ("job: {keep: y, role: quasi}, shoe: {keep: y, role: quasi}", False),
        ("job: {keep: y}, shoe: drop", False),
        ("job: {keep: y}, shoe: {generalize: {to: auto}, role: quasi}", False),
    ],
)
def test_kept_columns_that_single_people_out_are_warned_about(columns: str, warned: bool) -> None:
    """A set that is kept whole and is not whole among the quasi-identifiers; a dropped or generalized member breaks the set."""
    warnings = [text for text in plan(profile(("job", "shoe")), columns).table("people").warnings if "single out" in text]
    assert bool(warnings) == warned
    assert all("31.0 %" in text and "'shoe'" in text for text in warnings)


def test_withheld_columns_that_could_be_inferred_are_warned_about() -> None:
    """A kept column that fixes a dropped sensitive one, or goes with it, is named with the figure."""
    fixes = profile(dependencies=(Dependency(determinant="ward", dependent="illness", g3=0.03, lift=0.9, rows=990),))
    goes = profile(associations=(Association(first="illness", second="ward", measure="cramers_v", value=0.91, rows=1000),))
    for measured, figure in ((fixes, "97.0 %"), (goes, "0.91")):
        (warning,) = (t for t in plan(measured, "illness: drop, ward: {keep: y}").table("people").warnings if "inferred" in t)
        assert figure in warning
        assert "'ward'" in warning
        assert not [t for t in plan(measured, "illness: drop, ward: drop").table("people").warnings if "inferred" in t]
        assert not [t for t in plan(measured, "illness: {keep: y}, ward: {keep: y}").table("people").warnings if "inferred" in t]


def test_redundant_columns_say_by_what_and_how_surely() -> None:
    """The reason of a drop has the determinant and its figure."""
    exact = Dependency(determinant="zip", dependent="town", g3=0.0, lift=1.0, rows=1000, one_to_one=True)
    town = plan(profile(dependencies=(exact,))).table("people").column("town")
    assert isinstance(town.action, Drop)
    assert town.reason == "redundant: determined by 'zip' in all 1000 rows, one value for one value"


def test_persons_are_counted_where_their_key_is() -> None:
    """The unit's table and every table that refers to it, by the policy or by the data; nothing without a unit."""
    child = TableProfile(
        name="visits", rows=9, k=5, columns=tuple(
            ColumnProfile(name=n, type=DataType.TEXT, rows=9, nulls=0, distinct=3, distinct_exact=True) for n in ("who", "also")
        ),
    )  # fmt: skip
    key = ForeignKey(table="visits", column="who", parent_table="people", parent_column="id", contained=1.0)
    measured = DatasetProfile(tables=(*profile().tables, child), foreign_keys=(key,))
    nobody = Findings(
        findings=(
            *FINDINGS.findings,
            *(Finding(table="visits", column=n, entity=None, role=Role.NONE, confidence=1) for n in ("who", "also")),
        )
    )
    assert unit_columns(measured, nobody, "people.id", {}) == {"people": "id", "visits": "who"}
    assert unit_columns(measured, nobody, "people.id", {"visits.also": "people.id"}) == {"people": "id", "visits": "also"}
    assert unit_columns(measured, nobody, "people.gone", {}) == {}
    assert unit_columns(measured, nobody, None, {}) == {}

"""Laws of deciding: default-deny, the order of authority, and plans as values."""

from __future__ import annotations

from pathlib import Path

import pytest

from tamis.core.actions import ACTIONS, AsCell, AsIs, Drop, Everything, Generalize, Keep, Prefix, Pseudonymize, Synthesize
from tamis.core.errors import PlanError, PolicyError
from tamis.core.plan import Cell, Classes, ColumnPlan, Plan, Status
from tamis.core.policy import Policy
from tamis.core.types import ColumnProfile, DatasetProfile, DataType, Evidence, Finding, Findings, ForeignKey, Role, TableProfile
from tamis.documents import parse_document
from tamis.plan import PlanInput, draft_plan, draft_policy_text, explain_plan
from tamis.plan.check import require_consistent, require_decided
from tamis.plan.explain import action_in_words
from tamis.rules import load_rules

COLUMNS = {
    "id": (DataType.INTEGER, Role.DIRECT, "PERSON_ID", 100),
    "name": (DataType.TEXT, Role.DIRECT, "PERSON", 95),
    "born": (DataType.DATE, Role.QUASI, "DATE_OF_BIRTH", 90),
    "pay": (DataType.NUMBER, Role.SENSITIVE, "INCOME", 80),
    "plan": (DataType.TEXT, Role.NONE, None, 3),
    "odd": (DataType.TEXT, Role.UNKNOWN, None, 99),
}


def _profile() -> DatasetProfile:
    columns = tuple(
        ColumnProfile(
            name=name, type=kind, rows=100, nulls=0, distinct=distinct, distinct_exact=True, words_mean=1.0, length_max=9, length_min=3
        )
        for name, (kind, _, _, distinct) in COLUMNS.items()
    )
    people = TableProfile(name="people", rows=100, columns=columns, candidate_keys=("id",), k=5)
    child = TableProfile(
        name="visits",
        rows=300,
        k=5,
        columns=(ColumnProfile(name="pid", type=DataType.INTEGER, rows=300, nulls=0, distinct=80, distinct_exact=True),),
    )
    key = ForeignKey(table="visits", column="pid", parent_table="people", parent_column="id", contained=1.0)
    return DatasetProfile(tables=(people, child), foreign_keys=(key,))


def _findings() -> Findings:
    evidence = (Evidence(source="name", rule="n", weight=1.0),)
    own = [
        Finding(table="people", column=name, entity=entity, role=role, confidence=0.9, evidence=evidence)
        for name, (_, role, entity, _) in COLUMNS.items()
    ]
    return Findings(findings=(*own, Finding(table="visits", column="pid", entity="PERSON_ID", role=Role.DIRECT, confidence=0.9)))


def _plan(text: str = "") -> Plan:
    policy = parse_document(f"purpose: p\nkey: env:K\n{text}", "p.yaml", Policy)
    rules = load_rules(policy.packs, base=Path())
    return draft_plan(PlanInput(policy, rules, _profile(), _findings(), key_id="k"))


def test_every_column_is_in_the_plan_with_a_reason() -> None:
    """Nothing is skipped silently: each input column has one action, a reason and who says so."""
    plan = _plan()
    assert [column.name for column in plan.table("people").columns] == list(COLUMNS)
    assert all(column.reason and column.rule for _, column in plan.walk())


def test_a_detector_never_authorizes_keep() -> None:
    """Without a policy every column is open, and applying is refused with all of them named."""
    plan = _plan()
    assert len(plan.open_columns) == 7
    with pytest.raises(PlanError, match=r"7 columns await.*1 undecided, 6 only proposed.*people\.odd"):
        require_decided(plan)


def test_proposals_follow_roles() -> None:
    """Keys become pseudonyms, names go, quasi-identifiers are generalized, secrets synthesized, the unknown goes."""
    actions = {column.name: column.action for column in _plan().table("people").columns}
    assert actions == {
        "id": Pseudonymize(domain="people.id"), "name": Drop(), "born": Generalize(to="auto"),
        "pay": Synthesize(), "plan": Keep(), "odd": Drop(),
    }  # fmt: skip


def test_keys_of_one_person_share_a_domain() -> None:
    """A foreign key is proposed the domain of its parent, so that joins survive."""
    assert _plan().table("visits").column("pid").action == Pseudonymize(domain="people.id")


def test_the_policy_wins_and_is_the_only_one_to_decide() -> None:
    """An explicit action is decided; `needed` is keep; `unknown_columns: drop` drops the rest."""
    plan = _plan("needed: [people.plan]\nunknown_columns: drop\ntables: {people: {columns: {pay: {keep: asked for}}}}")
    people = plan.table("people")
    assert people.column("pay").action == Keep()
    assert people.column("plan").rule == "policy:needed"
    assert people.column("odd").action == Drop()
    assert plan.open_columns == ()
    require_decided(plan)


def test_proposed_entries_are_not_decided() -> None:
    """`proposed: true` keeps a column open until a person removes it."""
    plan = _plan("tables: {people: {columns: {pay: {drop: x, proposed: true}}}}")
    assert plan.table("people").column("pay").status is Status.PROPOSED


def test_a_pack_decides_only_what_it_protects() -> None:
    """A pack's actions count as decided and are never keep."""
    plan = _plan("packs: [contact, gdpr]")
    decided = [column for _, column in plan.walk() if column.status is Status.DECIDED]
    assert decided
    assert all(column.rule.startswith("pack:") and not isinstance(column.action, Keep) for column in decided)


def _of(name: str, kind: DataType, entity: str, text: str) -> ColumnPlan:
    """How one column of a table 'people' is decided."""
    column = ColumnProfile(name=name, type=kind, rows=100, nulls=0, distinct=50, distinct_exact=True, length_max=5)
    profile = DatasetProfile(tables=(TableProfile(name="people", rows=100, columns=(column,), k=5),))
    role = load_rules(()).entities[entity].role
    findings = Findings(findings=(Finding(table="people", column=name, entity=entity, role=role, confidence=0.9),))
    policy = parse_document(f"purpose: p\nkey: env:K\n{text}", "p.yaml", Policy)
    return draft_plan(PlanInput(policy, load_rules(policy.packs, base=Path()), profile, findings, key_id="k")).table("people").column(name)


@pytest.mark.parametrize(
    ("entity", "kind", "word"),
    [
        ("AGE", DataType.TEXT, "top_bottom_code takes integer, number and the column is text"),
        ("AGE", DataType.BOOLEAN, "top_bottom_code takes integer, number and the column is boolean"),
        ("EVENT_DATE", DataType.TEXT, "generalize to year takes date, datetime and the column is text"),
        ("EVENT_DATE", DataType.INTEGER, "generalize to year takes date, datetime and the column is integer"),
    ],
)
def test_what_a_pack_cannot_do_ends_in_a_drop(entity: str, kind: DataType, word: str) -> None:
    """A pack's action that the column's type does not take is replaced by drop, decided, under the same rule, and the reason says why."""
    column = _of("x", kind, entity, "packs: [hipaa-safe-harbor]")
    assert (column.action, column.status) == (Drop(), Status.DECIDED)
    assert column.rule.startswith("pack:hipaa-safe-harbor/")
    assert word in column.reason
    assert "45 CFR" in column.reason


def test_what_one_pack_refuses_no_other_pack_does() -> None:
    """With gdpr before hipaa-safe-harbor a key of persons would become a token, which the second one refuses: it is dropped."""
    assert _of("id", DataType.TEXT, "PERSON_ID", "packs: [gdpr]").action == Pseudonymize(domain="person")
    both = _of("id", DataType.TEXT, "PERSON_ID", "packs: [gdpr, hipaa-safe-harbor]")
    assert both.action == Drop()
    assert "'hipaa-safe-harbor' refuses pseudonymize" in both.reason


@pytest.mark.parametrize(
    "stated", ["", *(f"tables: {{people: {{columns: {{zip: {{generalize: {{to: {to}}}}}}}}}}}" for to in ("prefix", "auto"))]
)
def test_safe_harbor_knows_the_small_zip_areas(stated: str) -> None:
    """The list of areas is in the plan and its words, also for a stated prefix or `auto`; without the pack there is none."""
    column = _of("zip", DataType.TEXT, "POSTCODE", f"packs: [hipaa-safe-harbor]\n{stated}")
    assert isinstance(column.action, Generalize)
    assert isinstance(column.action.recode, Prefix)
    assert column.action.recode.length == 3
    assert {"036", "893"} <= set(column.action.recode.restricted)
    assert "000 where an area has too few inhabitants (45 CFR 164.514(b)(2)(i)(B))" in action_in_words(column.action)
    other = _of("zip", DataType.TEXT, "POSTCODE", "tables: {people: {columns: {zip: {generalize: {to: prefix, length: 3}}}}}")
    assert other.action == Generalize(to="prefix", length=3)


def test_a_year_of_something_that_is_no_date_is_refused() -> None:
    """A policy that asks for it gets a sentence before the first byte is read again."""
    with pytest.raises(PolicyError, match=r"generalize to year cannot be applied to people\.x: it is text.*takes date, datetime"):
        _of("x", DataType.TEXT, "EVENT_DATE", "tables: {people: {columns: {x: {generalize: {to: year}}}}}")


def test_a_stated_role_replaces_the_detectors() -> None:
    """`role:` in the policy changes the proposal and what counts as a quasi-identifier; the detector's word is kept beside."""
    column = _plan("tables: {people: {columns: {plan: {role: quasi}}}}").table("people").column("plan")
    assert (column.role, column.detected) == (Role.QUASI, Role.NONE)
    assert column.action == Generalize(to="auto")


def test_the_unit_reaches_child_tables() -> None:
    """Persons of a child table are counted by its foreign key."""
    tables = "{visits: {columns: {pid: {keep: x, role: quasi}}}, people: {columns: {id: {keep: x}}}}"
    text = f"privacy: {{unit: people.id}}\nreferences: {{visits.pid: people.id}}\ntables: {tables}"
    plan = _plan(text)
    assert plan.table("visits").classes is not None
    assert plan.table("visits").classes.unit == "pid"


BAD = {
    "tables: {peple: {columns: {}}}": "Did you mean 'people'?",
    "tables: {people: {columns: {nmae: drop}}}": "Did you mean 'name'?",
    "target: people.gone": "names no column",
    "tables: {people: {columns: {pay: {pseudonymize: {domain: a}}}}}": "cannot be applied to people.pay: it is number",
    "references: {visits.pid: people.plan}": "is not unique",
    "references: {visits.pid: people.id, people.id: visits.pid}": "go round in a circle",
    "tables: {people: {columns: {id: {pseudonymize: {domain: a}}, name: {pseudonymize: {domain: a}}}}}": "their keys can never be equal",
    "tables: {people: {columns: {born: {shift_dates: {subject: nobody}}}}}": "names no column as its subject",
    "packs: [hipaa-safe-harbor]\ntables: {people: {columns: {id: {pseudonymize: {domain: a}}}}}": "refused by the pack 'hipaa-safe-harbor'",
}


@pytest.mark.parametrize(("text", "expected"), BAD.items())
def test_a_policy_that_does_not_fit_is_refused_before_the_first_byte(text: str, expected: str) -> None:
    """Wrong names, types, circles and refused actions are sentences with what is known."""
    with pytest.raises(PolicyError) as caught:
        _plan(text)
    assert expected in str(caught.value)


def test_same_input_same_plan_bytes() -> None:
    """A plan is a value: made twice it has one digest, and it survives its JSON."""
    plan = _plan()
    assert plan.digest == _plan().digest == Plan.model_validate_json(plan.model_dump_json()).digest


def test_explain_and_actions_cover_each_other() -> None:
    """Every action has words, and every line of the explanation a reason."""
    assert {line.column for line in explain_plan(_plan())} >= set(COLUMNS)
    assert all(kind.__doc__ for kind in ACTIONS.values())


@pytest.mark.parametrize("accept", [True, False])
def test_the_drafted_policy_is_a_policy(accept: bool) -> None:
    """What `init` writes can be read, names every column, and is open exactly when it was not accepted."""
    text = draft_policy_text(_profile(), _findings(), {"people": ("people.csv",)}, accept=accept)
    policy = parse_document(text, "drafted.yaml", Policy)
    assert list(policy.tables["people"].columns) == list(COLUMNS)
    plan = draft_plan(PlanInput(policy, load_rules((), base=Path()), _profile(), _findings(), key_id="k"))
    assert (plan.open_columns == ()) == accept


def test_a_plan_with_broken_cells_is_refused() -> None:
    """Local recoding as data: a cell must fit the quasi-identifiers and their ladders, and a label of a cell needs cells."""
    as_cell = Generalize(recode=AsCell())
    whole = Classes(
        quasi_identifiers=("born",),
        k=5,
        recoding="local",
        ladders={"born": (AsIs(), Everything())},
        cells=(Cell(levels=(1,), labels=("*",)),),
    )
    broken = [
        whole.model_copy(update={"cells": (Cell(levels=(1, 0), labels=("*", "x")),)}),
        whole.model_copy(update={"cells": (Cell(levels=(2,), labels=("*",)),)}),
        whole.model_copy(update={"ladders": {}}),
        whole.model_copy(update={"recoding": "full-domain"}),
    ]

    def made(classes: Classes) -> Plan:
        plan = _plan("tables: {people: {columns: {born: {generalize: {to: auto}}}}}")
        tables = []
        for table in plan.tables:
            columns = tuple(c.model_copy(update={"action": as_cell}) if c.name == "born" else c for c in table.columns)
            own = {"columns": columns, "classes": classes} if table.name == "people" else {}
            tables.append(table.model_copy(update=own))
        return plan.model_copy(update={"tables": tuple(tables)})

    require_consistent(made(whole))
    for classes in broken:
        with pytest.raises(PlanError) as caught:
            require_consistent(made(classes))
        assert caught.value.code == "broken_plan"

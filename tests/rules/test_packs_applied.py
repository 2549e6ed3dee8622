"""Every rule of every pack is reachable and protects: tried on an invented table with a column of each kind."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tamis.conductor import build_plan, run_job
from tamis.core.actions import Drop, Generalize, Pseudonymize, Redact, Synthesize, TopBottomCode
from tamis.core.plan import ColumnPlan, Status
from tamis.core.policy import Policy
from tamis.core.types import ColumnProfile, DatasetProfile, DataType, Finding, Findings, Role, TableProfile
from tamis.plan.build import PlanInput, draft_plan
from tamis.rules import list_packs, load_rules

ROWS = 60
KEY = bytes(range(32)).hex()
RULES = load_rules(list_packs())


def column(entity: str, types: tuple[DataType, ...]) -> pl.Series:
    """Sixty invented values of a type in which the entity occurs; few different ones."""
    parts = [i % 6 for i in range(ROWS)]
    if DataType.DATE in types:
        return pl.Series(entity, [f"20{10 + part}-03-0{1 + part}" for part in parts]).str.to_date()
    if entity in ("AGE", "INCOME", "SALARY", "FINANCE", "WORK_PERFORMANCE"):
        return pl.Series(entity, [20 + 15 * part for part in parts])
    if entity == "POSTCODE":
        return pl.Series(entity, [["03601", "10001", "94110", "60601", "73301", "20500"][part] for part in parts])
    if entity == "CREDIT_CARD":
        return pl.Series(entity, [f"41111111111111{11 + part}" for part in parts])
    if DataType.NUMBER in types and DataType.TEXT not in types:
        return pl.Series(entity, [float(part) for part in parts])
    return pl.Series(entity, [f"{entity.lower()} value {'abcdef'[part]}" for part in parts])


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with a column per entity, named by it, and a key."""
    path = tmp_path_factory.mktemp("packs") / "people.parquet"
    columns = [column(name, entity.types) for name, entity in RULES.entities.items()]
    pl.DataFrame([pl.Series("row", range(ROWS)), *columns]).write_parquet(path)
    return path


def policy(pack: str, names: list[str], **more: object) -> dict[str, object]:
    """A policy that states what each column is and leaves the action to the pack."""
    stated = {name: {"entity": name, "role": RULES.entities[name].role.value} for name in names}
    return {
        "purpose": "test", "packs": [pack], "unknown_columns": "drop", "key": "env:K", "privacy": {"k": 2, "max_suppressed": 1.0},
        "tables": {"people": {"key": "row", "columns": {"row": "drop", **stated}}},
    } | more  # fmt: skip


@pytest.fixture(scope="module")
def profile() -> DatasetProfile:
    """What is known of the table: its columns and their types."""
    kinds = {pl.Date: DataType.DATE, pl.Int64: DataType.INTEGER, pl.Float64: DataType.NUMBER, pl.String: DataType.TEXT}
    columns = [column(name, entity.types) for name, entity in RULES.entities.items()]
    measured = tuple(
        ColumnProfile(name=one.name, type=kinds[type(one.dtype)], rows=ROWS, nulls=0, distinct=6, distinct_exact=True) for one in columns
    )
    key = ColumnProfile(name="row", type=DataType.INTEGER, rows=ROWS, nulls=0, distinct=ROWS, distinct_exact=True)
    return DatasetProfile(tables=(TableProfile(name="people", rows=ROWS, columns=(key, *measured), k=2),))


def decided(pack: str, profile: DatasetProfile, names: list[str]) -> dict[str, ColumnPlan]:
    """The plan's columns when each column of these entities is found to be what it is called."""
    stated = Policy.model_validate(policy(pack, names))
    findings = Findings(
        findings=tuple(
            Finding(table="people", column=one.name, entity=one.name, role=RULES.entities[one.name].role, confidence=1.0)
            if one.name in names
            else Finding(table="people", column=one.name, entity=None, role=Role.NONE, confidence=1.0)
            for one in profile.table("people").columns
        )
    )
    plan = draft_plan(PlanInput(stated, load_rules([pack]), profile, findings, key_id="k"))
    return {one.name: one for one in plan.table("people").columns}


@pytest.mark.parametrize("pack", list_packs())
def test_every_rule_of_every_pack_decides_in_a_plan(pack, profile):
    """A column of each entity that a pack names gets its rule's action, or leaves where its type cannot bear the action; none is kept."""
    rules = next(one.rules for one in RULES.packs if one.name == pack)
    columns = decided(pack, profile, sorted({entity for rule in rules for entity in rule.entities}))
    for rule in rules:
        for entity in rule.entities:
            column = columns[entity]
            assert column.rule == f"pack:{pack}/{rule.id}"
            assert rule.source in column.reason
            assert type(column.action) in (type(rule.resolved), Drop)
            assert column.status is Status.DECIDED


@pytest.mark.parametrize("pack", ["ccpa", "gdpr", "hipaa-expert", "hipaa-safe-harbor"])
def test_roles_are_decided_too(pack, profile):
    """What a pack says of a whole role holds for entities that it does not name."""
    rules = next(one.rules for one in RULES.packs if one.name == pack)
    named = {entity for rule in rules for entity in rule.entities}
    by_role = {rule.role: rule for rule in rules if rule.role is not None}
    names = [name for name, entity in RULES.entities.items() if name not in named and entity.role in by_role]
    columns = decided(pack, profile, names)
    assert {name: columns[name].rule for name in names} == {name: f"pack:{pack}/{by_role[RULES.entities[name].role].id}" for name in names}


def released(pack: str, table: Path, folder: Path, names: list[str]) -> pl.DataFrame:
    """What a release of these columns holds."""
    few = folder / "people.parquet"
    pl.read_parquet(table).select("row", *names).write_parquet(few)
    release = run_job([str(few)], policy(pack, names), folder / "out", state=folder / "state")
    assert release.path is not None, [failed.measure for failed in release.verdict.failed]
    return pl.read_parquet(release.path / "people" / "*.parquet")


def test_safe_harbor_in_a_release(table, tmp_path, monkeypatch):
    """Identifiers are gone; dates are years; ages end at 90; ZIP codes have three digits, 000 where few people live."""
    monkeypatch.setenv("K", KEY)
    names = ["PERSON", "EMAIL_ADDRESS", "FAX_NUMBER", "HEALTH_PLAN_ID", "DATE_OF_BIRTH", "EVENT_DATE", "AGE", "POSTCODE"]
    out = released("hipaa-safe-harbor", table, tmp_path, names)
    assert set(out.columns) == {"EVENT_DATE", "AGE", "POSTCODE"}
    assert set(out["EVENT_DATE"].drop_nulls()) <= {str(year) for year in range(2010, 2016)}
    assert out["AGE"].max() <= 90
    shown = set(out["POSTCODE"].drop_nulls())
    assert shown == {"000", "100*", "205*", "606*", "733*", "941*"}  # 036 is an area of 20 000 or fewer inhabitants


def test_truncated_card_numbers_in_a_release(table, tmp_path, monkeypatch):
    """The first six digits of a PAN stay, nothing else; with `pci-dss` the column leaves."""
    monkeypatch.setenv("K", KEY)
    out = released("pci-dss-truncated", table, tmp_path, ["CREDIT_CARD", "GENDER"])
    assert set(out["CREDIT_CARD"]) == {"411111*"}


def test_actions_of_packs_are_of_the_protective_kinds():
    """What packs do: drop, generalize, code, pseudonymize, synthesize or redact."""
    used = {type(rule.resolved) for pack in RULES.packs for rule in pack.rules}
    assert used <= {Drop, Generalize, TopBottomCode, Pseudonymize, Synthesize, Redact}


def test_safe_harbor_cites_all_eighteen_identifiers():
    """45 CFR 164.514(b)(2)(i)(A) to (R), each with a rule of its own."""
    pack = next(one for one in RULES.packs if one.name == "hipaa-safe-harbor")
    cited = {rule.source.removeprefix("164.514(b)(2)(i)") for rule in pack.rules}
    assert {f"({letter})" for letter in "ABCDEFGHIJKLMNOPQR"} <= cited


def test_gdpr_has_a_rule_for_each_special_category():
    """Art. 9(1) category by category, and Art. 10."""
    pack = next(one for one in RULES.packs if one.name == "gdpr")
    nine = [rule for rule in pack.rules if "9(1)" in rule.source]
    assert len(nine) == 7
    assert any("Art. 10" in rule.source for rule in pack.rules)


def test_a_pack_by_path_survives_plan_and_apply(table, tmp_path, monkeypatch):
    """A plan names packs and recognizer files as the policy did, so that `apply` finds them again; a changed file makes the plan stale."""
    from tamis.conductor import apply_plan
    from tamis.core.canonical import pretty_json
    from tamis.core.errors import PlanError

    monkeypatch.setenv("K", KEY)
    own = tmp_path / "own.yaml"
    own.write_text(
        "description: d\nsource: s\nrules: [{id: r, entities: [PERSON], action: {drop: {}}, description: d, source: s}]\n", encoding="utf-8"
    )
    staff = tmp_path / "staff.yaml"
    staff.write_text("- {name: Staff, supported_entity: STAFF, deny_list: [boss]}\n", encoding="utf-8")
    (tmp_path / "policy.yaml").write_text(
        "purpose: test\npacks: [./own.yaml]\nrecognizers: [staff.yaml]\nunknown_columns: drop\nkey: env:K\n"
        "tables: {people: {key: row, columns: {PERSON: {entity: PERSON, role: direct}, PLAN: drop, PRODUCT: {keep: needed}}}}\n",
        encoding="utf-8",
    )
    small = tmp_path / "people.parquet"
    pl.read_parquet(table).select("row", "PERSON", "PRODUCT").write_parquet(small)
    text = (tmp_path / "policy.yaml").read_text(encoding="utf-8").replace("PLAN: drop, ", "")
    (tmp_path / "policy.yaml").write_text(text, encoding="utf-8")
    plan = build_plan([str(small)], tmp_path / "policy.yaml")
    assert set(plan.packs) == {"./own.yaml", "staff.yaml"}
    (tmp_path / "plan.json").write_text(pretty_json(plan), encoding="utf-8")
    release = apply_plan(tmp_path / "plan.json", [str(small)], tmp_path / "out")
    assert release.path is not None
    assert "own.yaml" not in (release.path / "manifest.json").read_text(encoding="utf-8")
    staff.write_text("- {name: Staff, supported_entity: STAFF, deny_list: [clerk]}\n", encoding="utf-8")
    with pytest.raises(PlanError):
        apply_plan(tmp_path / "plan.json", [str(small)], tmp_path / "out2")


def test_redaction_uses_the_users_recognizers(tmp_path, monkeypatch):
    """What only the user's file recognizes is replaced in released text, with the label of its entity."""
    monkeypatch.setenv("K", KEY)
    (tmp_path / "staff.yaml").write_text(
        "- {name: Staff, supported_entity: STAFF, patterns: [{name: p, regex: '\\bS-[0-9]{4}\\b', score: 0.8}]}\n", encoding="utf-8"
    )
    (tmp_path / "policy.yaml").write_text(
        "purpose: test\nrecognizers: [staff.yaml]\nunknown_columns: drop\nkey: env:K\n"
        "tables: {notes: {key: row, columns: {row: drop, note: {redact: {}}}}}\n",
        encoding="utf-8",
    )
    notes = [f"the matter was settled by S-{1000 + i} on the phone" for i in range(20)]
    pl.DataFrame({"row": range(20), "note": notes}).write_parquet(tmp_path / "notes.parquet")
    release = run_job([str(tmp_path / "notes.parquet")], tmp_path / "policy.yaml", tmp_path / "out")
    assert release.path is not None
    assert set(pl.read_parquet(release.path / "notes" / "*.parquet")["note"]) == {"the matter was settled by <STAFF> on the phone"}

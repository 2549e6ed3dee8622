"""The rules folder and its loader."""

from __future__ import annotations

import pytest

from tamis.core.actions import ACTIONS, Drop, Generalize, Keep, TopBottomCode
from tamis.core.errors import PolicyError, UsageError
from tamis.core.types import Finding, Role
from tamis.rules import list_hierarchies, list_packs, load_hierarchy, load_rules, rules_folder


def finding(entity, role):
    """A finding of one column."""
    return Finding(table="t", column="c", entity=entity, role=role, confidence=1.0)


def test_everything_that_ships_loads():
    """Vocabulary, name rules, value sets, all packs and hierarchies are valid, and every rule names a known entity."""
    rules = load_rules(list_packs())
    assert rules_folder().is_dir()
    assert {"contact", "gdpr", "hipaa-expert", "hipaa-safe-harbor", "pci-dss"} <= set(list_packs())
    assert {rule.entity for rule in rules.names} | {s.entity for s in rules.value_sets} <= set(rules.entities)
    assert len({rule.id for rule in rules.names}) == len(rules.names)
    assert all(set(s.require) <= set(s.values) for s in rules.value_sets)
    assert all(load_hierarchy(name) for name in list_hierarchies())


def test_packs_only_protect():
    """No rule of any pack keeps a column."""
    assert not any(isinstance(rule.resolved, Keep) for pack in load_rules(list_packs()).packs for rule in pack.rules)


def test_digests_tell_packs_apart_and_are_stable():
    """The digest is that of the content: the same on every load, different for different packs."""
    first, second = load_rules(["gdpr", "contact"]), load_rules(["gdpr", "contact"])
    assert [p.digest for p in first.packs] == [p.digest for p in second.packs]
    assert len({p.digest for p in first.packs}) == 2
    assert first.digest == second.digest != load_rules(["gdpr"]).digest


def test_the_first_pack_that_speaks_wins_and_entity_comes_before_role():
    """Packs are asked in the policy's order; inside a pack the rule for the entity is more specific than that for the role."""
    person_id = finding("PERSON_ID", Role.DIRECT)
    _, rule, _ = load_rules(["gdpr"]).pack_action(person_id)
    assert rule == "pack:gdpr/person-keys"
    _, rule, _ = load_rules(["contact", "gdpr"]).pack_action(finding("EMAIL_ADDRESS", Role.DIRECT))
    assert rule == "pack:contact/electronic"
    _, rule, reason = load_rules(["contact", "gdpr"]).pack_action(finding("AGE", Role.QUASI))
    assert rule == "pack:gdpr/quasi"
    assert "2016/679" in reason
    assert load_rules(["contact"]).pack_action(finding("AGE", Role.QUASI)) is None
    assert load_rules(["gdpr"]).pack_action(finding(None, Role.NONE)) is None


def test_safe_harbor_says_year_ninety_and_three_digits():
    """45 CFR 164.514(b)(2): dates to the year, ages from 90 in one group, ZIP codes to three digits with the restricted list."""
    rules = load_rules(["hipaa-safe-harbor"])
    assert rules.pack_action(finding("EVENT_DATE", Role.QUASI))[0] == Generalize(to="year")
    assert rules.pack_action(finding("DATE_OF_BIRTH", Role.QUASI))[0] == Drop()  # its year tells ages over 89
    assert rules.pack_action(finding("AGE", Role.QUASI))[0] == TopBottomCode(upper=90)
    assert rules.pack_action(finding("POSTCODE", Role.QUASI))[0] == Generalize(to="prefix", length=3)
    assert len(rules.fact("restricted_zip3")) == 17
    assert all(len(prefix) == 3 for prefix in rules.fact("restricted_zip3"))


def test_safe_harbor_forbids_what_is_derived_from_identifiers():
    """Pseudonyms, shifted dates and redacted text are refused with the reason; the expert pack allows them."""
    rules, expert = load_rules(["hipaa-safe-harbor"]), load_rules(["hipaa-expert"])
    for name in ("pseudonymize", "shift_dates", "redact"):
        pack, reason = rules.forbidden(name)
        assert pack == "hipaa-safe-harbor"
        assert reason
        assert expert.forbidden(name) is None
    assert rules.forbidden(ACTIONS["drop"]()) is None


def test_an_unknown_pack_is_refused_with_the_likely_one():
    """The sentence names the pack that was likely meant."""
    with pytest.raises(UsageError, match="gdpr"):
        load_rules(["gdrp"])


PACK = "version: 1\ndescription: d\nsource: s\nrules:\n  - {id: r, %s, action: %s, description: d, source: s}\n"


@pytest.mark.parametrize(
    ("who", "action", "said"),
    [
        ("entities: [PERSON]", "{keep: because}", "protects"),
        ("entities: [PERSON]", "{dorp: {}}", "drop"),
        ("entities: [PERSON]", "{generalize: {to: yaer}}", "year"),
        ("entities: [PERSOM]", "{drop: {}}", "PERSON"),
        ("entities: [PERSON], role: direct", "{drop: {}}", "either"),
    ],
)
def test_a_wrong_pack_of_your_own_is_refused_with_a_sentence(tmp_path, who, action, said):
    """Packs by path, relative to the policy: keep, unknown actions, parameters and entities are refused."""
    (tmp_path / "own.yaml").write_text(PACK % (who, action), encoding="utf-8")
    with pytest.raises(PolicyError, match=said):
        load_rules(["./own.yaml"], base=tmp_path)


def test_a_pack_of_your_own_works(tmp_path):
    """A path relative to the policy's folder; the rule id carries the file's stem."""
    (tmp_path / "own.yaml").write_text(PACK % ("role: quasi", "{drop: {}}"), encoding="utf-8")
    assert load_rules(["./own.yaml"], base=tmp_path).pack_action(finding("AGE", Role.QUASI))[1] == "pack:own/r"


def test_hierarchies_nest_and_follow_m49():
    """One row per value, one column per level; countries by UN M49."""
    countries = load_rules([]).hierarchy("countries")
    assert countries["DE"] == ("Western Europe", "Europe", "*")
    assert countries["Kenya"] == countries["KEN"] == ("Eastern Africa", "Africa", "*")
    assert len({name for name in countries if len(name) == 2 and name.isupper() and name != "UK"}) == 249


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("value\na\n", "not_a_hierarchy"),
        ("v;a\nx;y;z\n", "ragged_hierarchy"),
        ("v;a\nx;y\nx;z\n", "repeated_value"),
        ("v;a;b\nx;g;1\ny;g;2\n", "levels_do_not_nest"),
    ],
)
def test_a_wrong_hierarchy_is_refused_without_its_values(tmp_path, text, code):
    """Errors name the row, never the value."""
    (tmp_path / "h.csv").write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        load_hierarchy("h.csv", tmp_path)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "text",
    ["a;x;*\nb;x;*\nc;y;*", "value;group;any\na;x;*\nb;x;*\nc;y;*\n", "letter;kind;all\r\na;x;*\r\nb;x;*\r\nc;y;*\r\n"],
    ids=["as ARX writes it, no final line break", "with our header", "with a header of one's own"],
)
def test_a_hierarchy_may_have_a_header(tmp_path, text):
    """ARX writes none, people write one: no value is lost to a header and no header becomes a value."""
    (tmp_path / "h.csv").write_bytes(text.encode())
    assert load_hierarchy("h.csv", tmp_path) == {"a": ("x", "*"), "b": ("x", "*"), "c": ("y", "*")}

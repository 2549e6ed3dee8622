"""`tamis rules list`, `show` and `test`; check digits."""

from __future__ import annotations

import json
import random

import pytest
from click.testing import CliRunner

from tamis.cli import cli
from tamis.conductor.rehearsing import LEAST, rehearse_rules
from tamis.core.errors import PolicyError, UsageError
from tamis.rules import checksum_named, list_packs, load_rules, recognizer_files


def run(*arguments: str):
    """The command line in this process."""
    return CliRunner().invoke(cli, list(arguments))


def test_everything_that_ships_passes_its_own_examples():
    """Each recognizer finds its examples and not its counter-examples, each name rule its phrases; every pack rule decides something."""
    found = rehearse_rules()
    assert [f"{one.id}: {one.problem}" for one in found.failures] == []
    assert found.rules["recognizers"] >= 140
    assert found.rules["packs"] == len(list_packs())


def test_each_recognizer_of_ours_has_id_source_and_examples():
    """An id of its own, a description, a source, at least three examples and three counter-examples."""
    ours = load_rules([]).recognizers
    assert len({one.id for one in ours}) == len(ours)
    for one in ours:
        assert one.description, one.id
        assert one.source, one.id
        assert min(len(set(one.examples)), len(set(one.counter_examples))) >= LEAST, one.id


def test_forty_countries_have_check_digits():
    """The country set: national numbers of at least forty countries whose validity python-stdnum decides."""
    ours = load_rules([]).recognizers
    assert len({one.country for one in ours if one.country and (one.checksum or "").startswith("stdnum.")}) >= 40
    assert {one.entity for one in ours} <= set(load_rules([]).entities)


@pytest.mark.parametrize("path", recognizer_files(), ids=lambda path: path.stem)
def test_a_file_can_be_tried_alone(path):
    """`tamis rules test national-ids` runs that file only."""
    found = rehearse_rules([path.stem])
    assert found.passed
    assert found.rules["recognizers"] >= 5
    assert found.rules["packs"] == 0


def test_chances_are_those_of_random_strings():
    """`chance` is the share of random digits that pass: checked by simulation where the form is digits only."""
    draw = random.Random(7)
    lengths = {r"\b[0-9]{9}\b": 9, r"\b[0-9]{10}\b": 10, r"\b[1-9][0-9]{10}\b": 11, r"\b(?:HR)?[0-9]{11}\b": 11, r"\b[0-9]{12}\b": 12}
    tried = 0
    for one in load_rules([]).recognizers:
        length = lengths.get(one.patterns[0].regex) if one.patterns else None
        if length is None or one.checksum is None or one.chance is None:
            continue
        check = checksum_named(one.checksum)
        share = sum(check(str(draw.randrange(10 ** (length - 1), 10**length))) for _ in range(3000)) / 3000
        assert abs(share - one.chance) < 0.03, one.id
        tried += 1
    assert tried >= 5


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("tamis.vin", "1M8GDM9AXKP042788", "1M8GDM9A1KP042788"),
        ("tamis.mrz", "L898902C36", "L898902C35"),
        ("tamis.dea", "AB1234563", "AB1234562"),
        ("tamis.npi", "1234567893", "1234567890"),
        ("stdnum.nl.bsn", "999999990", "999999991"),
    ],
)
def test_check_digits(name, right, wrong):
    """The published examples of each standard pass; with another check digit they do not; odd text never raises."""
    check = checksum_named(name)
    assert check(right)
    assert not check(wrong)
    for odd in ("", " ", "\x00", "٣" * 10, "x" * 10_000):
        assert not check(odd)


def test_unknown_check_digits_are_refused():
    """Only python-stdnum and ours; the sentence names the likely one."""
    with pytest.raises(PolicyError, match="check digits") as caught:
        checksum_named("tamis.vim")
    assert "tamis.vin" in (caught.value.hint or "")


def test_a_failing_example_is_named_by_id(tmp_path):
    """A user's file: exit 2, the rule's id and the example; a name rule, a value set and a shadowed pack rule fail as well."""
    own = tmp_path / "own.yaml"
    own.write_text(
        "description: d\nsource: s\n"
        "recognizers:\n"
        "  - {name: Staff, id: staff, supported_entity: STAFF, deny_list: [boss], examples: [clerk], counter_examples: [the boss]}\n"
        "names: [{id: desk, entity: STAFF, weight: 0.9, phrases: [desk], examples: [chair], counter_examples: [desk]}]\n"
        "values: [{id: halls, entity: STAFF, weight: 0.5, values: [red], require: [red], examples: [blue], counter_examples: [red]}]\n"
        "rules:\n"
        "  - {id: one, entities: [STAFF], action: {drop: {}}, description: d, source: s}\n"
        "  - {id: two, entities: [STAFF], action: {drop: {}}, description: d, source: s}\n",
        encoding="utf-8",
    )
    done = run("rules", "test", str(own))
    assert done.exit_code == 2
    for word in ("recognizer staff", "'clerk'", "'the boss'", "name desk", "'chair'", "values halls", "pack:own/two"):
        assert word in done.output
    told = json.loads(run("rules", "test", "--json", str(own)).output)
    assert not told["passed"]
    assert len(told["failures"]) == 7


def test_an_unknown_name_is_refused_with_the_likely_one():
    """Neither pack, nor file of recognizers, nor path."""
    with pytest.raises(UsageError) as caught:
        rehearse_rules(["national-id"])
    assert "national-ids" in (caught.value.hint or "")


def test_list_has_every_kind_and_can_be_filtered():
    """One entry per kind; `--kind` leaves that kind alone."""
    told = json.loads(run("rules", "list", "--json").output)
    assert set(told) == {"actions", "packs", "entities", "names", "values", "recognizers", "hierarchies"}
    assert all(told.values())
    assert set(json.loads(run("rules", "list", "--json", "-k", "packs").output)) == {"packs"}
    assert "de-idnr" in run("rules", "list", "-k", "recognizers").output


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("drop", "action"), ("EMAIL_ADDRESS", "entity"), ("gdpr", "pack"), ("gdpr/person-keys", "pack rule"),
        ("pack:hipaa-safe-harbor/zip", "pack rule"), ("names:email", "name rule"), ("gender_words", "value set"), ("de-idnr", "recognizer"),
        ("PhoneRecognizer", "recognizer"), ("countries", "hierarchy"),
    ],
)  # fmt: skip
def test_show_explains_by_id_or_name(name, kind):
    """Everything that a rule says, with its source and examples, for programs and for people."""
    told = json.loads(run("rules", "show", "--json", name).output)
    assert told["kind"] == kind
    assert f"({kind})" in run("rules", "show", name).output


def test_show_names_the_likely_rule():
    """A usage error with a suggestion."""
    done = run("rules", "show", "gdrp")
    assert done.exit_code == 2
    assert "gdpr" in done.output

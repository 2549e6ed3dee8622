"""Presidio's YAML format, read as it is; every key understood, or named in an error."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.core.errors import PolicyError, UsageError
from tamis.core.types import Role
from tamis.detect.recognizers import build_engines
from tamis.rules import load_rules

LIST = """
- name: Zip code Recognizer
  supported_language: de
  patterns:
    - {name: zip code (weak), regex: '(\\b\\d{5}(?:\\-\\d{4})?\\b)', score: 0.01}
  context: [zip, code]
  supported_entity: ZIP
- name: Titles recognizer
  supported_language: en
  supported_entity: TITLE
  deny_list: [Mr., Mrs., Dr.]
"""


def rules_of(folder: Path, text: str):
    """Rules with a file of the user's."""
    (folder / "own.yaml").write_text(text, encoding="utf-8")
    return load_rules([], recognizers=["own.yaml"], base=folder)


def engines_of(folder: Path, text: str):
    """The engines of a user's file."""
    rules = rules_of(folder, text)
    return build_engines([one for one in rules.recognizers if one.own], rules)


def refused(folder: Path, text: str) -> str:
    """The sentence with which a file is refused, on reading or on building."""
    with pytest.raises((PolicyError, UsageError)) as caught:
        engines_of(folder, text)
    return f"{caught.value} {caught.value.hint or ''}"


def registry(**keys: object) -> str:
    """A registry of one custom recognizer with these keys more."""
    one = {"name": "Staff", "supported_entity": "STAFF", "patterns": [{"name": "p", "regex": r"\bS[0-9]{4}\b", "score": 0.8}]}
    return yaml.safe_dump({"recognizers": [{key: value for key, value in (one | keys).items() if value is not None}]})


def found(engines, text: str) -> list[tuple[str, str]]:
    """Entities and texts found."""
    return [(span.entity, text[span.start : span.end]) for engine in engines for span in engine.find(text)]


def test_the_older_plain_list_works(tmp_path):
    """A list of recognizers without a registry around it, as in Presidio's documentation; weak patterns count beside their context."""
    engines = engines_of(tmp_path, LIST)
    assert found(engines, "Mrs. Example") == [("TITLE", "Mrs.")]
    assert found(engines, "12345") == []
    assert found(engines, "my zip code is 12345") == [("ZIP", "12345")]


@pytest.mark.parametrize("name", ["default_recognizers.yaml", "example_recognizers.yaml"])
def test_presidios_own_files_work_unchanged(name):
    """The registry files that Presidio ships load and build; what needs a language model or is switched off is said."""
    import presidio_analyzer

    path = Path(presidio_analyzer.__file__).parent / "conf" / name
    rules = load_rules([], recognizers=[str(path)])
    written = yaml.safe_load(path.read_text(encoding="utf-8"))["recognizers"]
    own = [one for one in rules.recognizers if one.own]
    assert len(own) + len(rules.notes) == len(written)
    assert {engine.recognizer.name for engine in build_engines(own, rules)} == {one.name for one in own}


def test_every_entity_of_presidio_is_a_word_of_ours():
    """No recognizer of Presidio finds something that the vocabulary has no word for."""
    import inspect

    from presidio_analyzer import predefined_recognizers as offered

    rules = load_rules([])
    kinds = [kind for name in dir(offered) if inspect.isclass(kind := getattr(offered, name))]
    named = [inspect.signature(kind.__init__).parameters.get("supported_entity") for kind in kinds]
    finds = {one.default for one in named if one is not None and isinstance(one.default, str)}
    assert len(finds) > 80
    assert {name for name in finds if rules.entity_of(name) is None} == set()


def test_what_a_file_finds_equals_what_presidio_finds(tmp_path):
    """The same spans and scores as Presidio's registry made from the same file."""
    from presidio_analyzer.recognizer_registry import RecognizerRegistryProvider

    text = registry(deny_list=["the boss"], deny_list_score=0.6, supported_language="en")
    (tmp_path / "presidio.yaml").write_text("supported_languages: [en]\nglobal_regex_flags: 26\n" + text, encoding="utf-8")
    theirs = RecognizerRegistryProvider(conf_file=tmp_path / "presidio.yaml").create_recognizer_registry().recognizers
    ours = engines_of(tmp_path, text)
    for sample in ("S1234 met s9999", "THE BOSS, S12345", "nothing", "xS1234 the  boss"):
        expected = {(hit.start, hit.end, hit.score) for one in theirs if one.name == "Staff" for hit in one.analyze(sample, ["STAFF"])}
        assert {(span.start, span.end, span.score) for engine in ours for span in engine.find(sample)} == expected


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet="S0123456789s -\n", max_size=30))
def test_equality_holds_for_any_text(tmp_path_factory, text):
    """Whatever the text: the spans of a custom recognizer are those of Presidio's PatternRecognizer."""
    from presidio_analyzer import Pattern, PatternRecognizer

    ours = engines_of(tmp_path_factory.mktemp("r"), registry())
    theirs = PatternRecognizer("STAFF", name="x", patterns=[Pattern("p", r"\bS[0-9]{4}\b", 0.8)]).analyze(text, ["STAFF"])
    assert [(s.start, s.end) for e in ours for s in e.find(text)] == sorted((hit.start, hit.end) for hit in theirs)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"supported_regions": ["US"]}, "supported_regions"),
        ({"denylist": ["x"]}, "deny_list"),
        ({"supported_language": "en", "supported_languages": ["de"]}, "either"),
        ({"supported_entities": ["A"]}, "either"),
        ({"patterns": [{"name": "p", "regex": "x"}]}, "required"),
        ({"patterns": [{"name": "p", "regex": "x", "score": 2}]}, "less than or equal to 1"),
        ({"patterns": [{"name": "p", "regex": "(", "score": 1}]}, "not a regular expression"),
        ({"patterns": None}, "predefined|no recognizer|Presidio has no"),
        ({"type": "custom", "patterns": None}, "patterns"),
        ({"type": "predefined"}, "own patterns"),
        ({"type": "magic"}, "custom"),
        ({"name": "IbanRecognizer"}, "IbanRecognizer"),
        ({"supported_languages": ["English"]}, "pattern"),
        ({"context": ["a"], "supported_languages": ["en", "de"]}, "one language"),
        ({"checksum": "stdnum.de.nothing"}, "check digits"),
        ({"checksum": "os.system"}, "pattern"),
    ],
)
def test_a_wrong_key_is_named(tmp_path, keys, said):
    """An unknown, misspelled or contradictory key is an error that names it; Presidio drops many of them without a word."""
    import re

    assert re.search(said, refused(tmp_path, registry(**keys)))


def test_keywords_of_predefined_classes_are_followed_or_refused(tmp_path):
    """`supported_regions` reaches the phone recognizer (Presidio's registry drops it); an unknown keyword is an error."""
    text = "recognizers:\n  - {name: PhoneRecognizer, type: predefined, supported_regions: [FR]}\n"
    assert engines_of(tmp_path, text)[0].works.supported_regions == ["FR"]
    assert "suported_regions" in refused(tmp_path, text.replace("supported_regions", "suported_regions"))
    assert "PhoneRecognizer" in refused(tmp_path, text.replace("PhoneRecognizer", "FoneRecognizer"))


def test_plain_names_in_a_registry_are_recognizers(tmp_path):
    """A recognizer given by its name alone is in force (Presidio's loader drops such items)."""
    assert found(engines_of(tmp_path, "recognizers: [UuidRecognizer]\n"), "6ba7b810-9dad-11d1-80b4-00c04fd430c8")


def test_what_is_not_in_force_is_said(tmp_path):
    """Switched off, another language, another country, a language model: each leaves a note with its reason."""
    rules = rules_of(
        tmp_path,
        "supported_languages: [en]\nsupported_countries: [us]\nrecognizers:\n"
        "  - {name: UsBankRecognizer, type: predefined, enabled: false}\n"
        "  - {name: SpacyRecognizer, type: predefined}\n"
        "  - {name: a, supported_entity: A, supported_language: es, deny_list: [x]}\n"
        "  - {name: b, supported_entity: B, country_code: de, deny_list: [x]}\n"
        "  - {name: PlPeselRecognizer, type: predefined}\n",
    )
    own = [one for one in rules.recognizers if one.own]
    assert [one.name for one in own] == ["PlPeselRecognizer"]
    assert build_engines(own, rules) == ()  # Polish, and only recognizers of the United States were asked for
    assert [word in note for word, note in zip(("enabled", "language model", "es", "de"), rules.notes, strict=True)] == [True] * 4


def test_recognizers_of_services_are_refused(tmp_path):
    """What would send texts to a service is an error, not a connection."""
    assert "connection" in refused(tmp_path, "recognizers:\n  - {name: AzureAILanguageRecognizer, type: predefined}\n")


def test_thresholds_and_allow_lists_are_followed(tmp_path):
    """Scores below the file's threshold, allowed texts and allowed expressions are no findings."""
    assert found(engines_of(tmp_path, registry()), "S1234 S0000") == [("STAFF", "S1234"), ("STAFF", "S0000")]
    assert found(engines_of(tmp_path, registry(score_thresholds={"STAFF": 0.9})), "S1234") == []
    assert found(engines_of(tmp_path, registry(allow_list=["S0000"])), "S1234 S0000") == [("STAFF", "S1234")]
    assert found(engines_of(tmp_path, registry(allow_list=["^S00"], allow_list_match="regex")), "S1234 S0000") == [("STAFF", "S1234")]


def test_context_is_whole_words(tmp_path):
    """'lic' in 'public' is no context; the word itself, or a word of the column's name, is."""
    weak = [{"name": "p", "regex": r"\b[0-9]{7}\b", "score": 0.1}]
    (engine,) = engines_of(tmp_path, registry(patterns=weak, context=["lic"]))
    assert engine.find("public 1234567") == []
    assert engine.find("lic 1234567")
    assert engine.find("1234567", near=("driver", "lic"))


def test_a_new_entity_becomes_a_word_and_is_direct_unless_said(tmp_path):
    """What only the user's recognizer finds joins the vocabulary; the safest role is the default."""
    assert rules_of(tmp_path, registry()).entities["STAFF"].role is Role.DIRECT
    assert rules_of(tmp_path, registry(role="quasi")).entities["STAFF"].role is Role.QUASI
    known = rules_of(tmp_path, registry(supported_entity="UK_NINO"))
    assert next(one.entity for one in known.recognizers if one.own) == "NATIONAL_ID"


def test_words_of_ones_own_join_ours(tmp_path):
    """One file may bring entities, name rules, value sets and an allow list beside recognizers; unknown entities are refused."""
    (tmp_path / "own.yaml").write_text(
        "entities: {BADGE: {role: direct, description: Badge, source: us}}\n"
        "names: [{id: badge, entity: BADGE, weight: 0.9, phrases: [badge no], examples: [BADGE_NO]}]\n"
        "values: [{id: halls, entity: BADGE, weight: 0.5, values: [red hall, blue hall], require: [red hall]}]\n"
        "allow_list: [S0000]\n",
        encoding="utf-8",
    )
    rules = load_rules(["./own.yaml"], base=tmp_path)
    assert rules.names[-1].id == "badge"
    assert rules.value_sets[-1].id == "halls"
    assert rules.allow_list == {"S0000"}
    (tmp_path / "own.yaml").write_text("names: [{id: a, entity: BAGDE, weight: 0.9, phrases: [x]}]\n", encoding="utf-8")
    with pytest.raises(PolicyError, match="BAGDE"):
        load_rules(["./own.yaml"], base=tmp_path)


def test_errors_name_line_and_path_also_in_a_plain_list(tmp_path):
    """The place of a mistake: file, line and path in the document."""
    assert "$.recognizers[1].deny_list_score (own.yaml:12)" in refused(tmp_path, LIST + "  deny_list_score: 7\n")


def test_the_digest_changes_with_a_recognizer(tmp_path):
    """A plan made with other recognizers is stale."""
    first = rules_of(tmp_path, registry()).packs[0]
    second = rules_of(tmp_path, registry(deny_list=["x"])).packs[0]
    assert first.digest != second.digest
    assert first.location == second.location == "own.yaml"

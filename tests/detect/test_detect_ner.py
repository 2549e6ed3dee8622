"""A configured NER model adds evidence; it is never downloaded."""

from __future__ import annotations

import socket

import polars as pl
import pytest
from detect_frames import as_table, measure

from tamis.core.errors import UsageError
from tamis.core.types import DatasetProfile, Role
from tamis.detect import detect_columns, load_ner
from tamis.rules import load_rules

RULES = load_rules([])
NAMES = [f"Qwilliam Zz{c}rtle" for c in "abcdefghijklmnopqrst"]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    """A real spaCy pipeline with an entity ruler: knows the names of an invented people."""
    import spacy

    nlp = spacy.blank("xx")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PER", "pattern": [{"TEXT": "Qwilliam"}, {"TEXT": {"REGEX": "^Zz"}}]}])
    folder = tmp_path_factory.mktemp("models") / "qwil"
    nlp.to_disk(folder)
    return folder


def found(frame: pl.DataFrame, ner: object) -> dict[str, object]:
    """Findings by column."""
    table = as_table("t", frame)
    findings = detect_columns([table], DatasetProfile(tables=(measure(table),)), RULES, ner=ner)
    return {f.column: f for f in findings.findings}


def test_a_model_adds_evidence_for_names_that_no_list_holds(model_folder, monkeypatch):
    """Unknown names become persons; the evidence names the model, with hits and denominator; no socket is opened."""
    monkeypatch.setattr(socket, "socket", None)
    frame = pl.DataFrame({"xyz": NAMES, "thing": [f"Brass {c}oupler" for c in "abcdefghijklmnopqrst"]})
    without, given = found(frame, None), found(frame, load_ner(f"spacy:{model_folder}"))
    assert without["xyz"].role != Role.DIRECT
    assert (given["xyz"].entity, given["xyz"].role) == ("PERSON", Role.DIRECT)
    assert [(e.rule, e.hits, e.of) for e in given["xyz"].evidence if e.rule.startswith("ner:")] == [("ner:spacy:qwil", 20, 20)]
    assert given["thing"].role == without["thing"].role


def test_a_model_finds_persons_inside_prose(model_folder):
    """Free text with names that only the model knows becomes direct."""
    texts = [f"the parcel {i} came late and {NAMES[i]} was not there to take it again" for i in range(20)]
    frame = pl.DataFrame({"said": texts})
    assert found(frame, None)["said"].role == Role.UNKNOWN
    assert found(frame, load_ner(str(model_folder)))["said"].role == Role.DIRECT


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("spacy:en_core_web_nothing", "ner_model_missing"),
        ("en_core_web_nothing", "ner_model_missing"),
        ("flair:x", "unknown_ner"),
        ("spacy:/no/such/folder", "ner_model_missing"),
    ],
)
def test_a_missing_model_is_a_sentence_and_no_download(name, code, monkeypatch):
    """Nothing is fetched: the model is on this machine or the run stops."""
    monkeypatch.setattr(socket, "socket", None)
    with pytest.raises(UsageError) as caught:
        load_ner(name)
    assert caught.value.code == code


def test_a_broken_model_is_a_sentence(tmp_path):
    """A folder that holds no model stops the run without a foreign traceback."""
    with pytest.raises(UsageError) as caught:
        load_ner(f"spacy:{tmp_path}")
    assert caught.value.code == "ner_model_broken"
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("kind", ["transformers", "gliner"])
def test_other_libraries_are_asked_for_by_name(kind, tmp_path):
    """Where the library is not installed the sentence says how to install it."""
    from importlib.util import find_spec

    expected = "ner_not_installed" if find_spec(kind) is None else "ner_model_broken"
    with pytest.raises(UsageError) as caught:
        load_ner(f"{kind}:{tmp_path}")
    assert caught.value.code == expected

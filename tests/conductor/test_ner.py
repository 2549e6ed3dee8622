"""A policy's NER model takes part in planning and in applying."""

from __future__ import annotations

import polars as pl
import pytest

from tamis.conductor import build_plan
from tamis.core.errors import UsageError
from tamis.core.types import Role

KEY = "0123456789abcdef0123456789abcdef"
NAMES = [f"Qwilliam Zz{c}rtle" for c in "abcdefghijklmnopqrst"]


def test_a_plan_says_with_which_model_it_was_made(tmp_path, monkeypatch):
    """The model of the policy sees names that no list holds, and the plan keeps its name for `apply`."""
    import spacy

    monkeypatch.setenv("TAMIS_KEY", KEY)
    nlp = spacy.blank("xx")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "PER", "pattern": [{"TEXT": "Qwilliam"}, {"TEXT": {"REGEX": "^Zz"}}]}])
    nlp.to_disk(tmp_path / "qwil")
    policy = {"purpose": "test", "key": "env:TAMIS_KEY", "ner": f"spacy:{tmp_path / 'qwil'}", "unknown_columns": "drop"}
    plan = build_plan({"t": pl.DataFrame({"xyz": NAMES})}, policy)
    assert plan.ner == policy["ner"]
    assert plan.tables[0].columns[0].role == Role.DIRECT


def test_a_model_that_is_not_there_stops_the_plan(monkeypatch):
    """A sentence, no download."""
    monkeypatch.setenv("TAMIS_KEY", KEY)
    with pytest.raises(UsageError, match="downloads none"):
        build_plan({"t": pl.DataFrame({"xyz": NAMES})}, {"purpose": "test", "key": "env:TAMIS_KEY", "ner": "en_core_web_nothing"})

"""Laws of the doorway: order, chunking, odd input, no values, no network."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import polars as pl
import pytest
from detect_frames import as_table, find, measure, people
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.core.types import DatasetProfile
from tamis.detect import detect_columns
from tamis.detect.sample import take_sample
from tamis.rules import load_rules

RULES = load_rules([])
ODD = ["", " ", "^x.*$", "*", "a.b", 'q"q', "new\nline", "<b>", "__proto__", "x" * 10_000, "\U0001f600", "h", "i", "any", "0:any"]


@given(st.permutations(range(40)), st.integers(1, 39))
@settings(max_examples=15, deadline=None)
def test_findings_do_not_depend_on_order_or_chunks(order, cut):
    """The same rows in another order and other chunks give the same findings."""
    frame = pl.DataFrame(
        {"name": people(40), "note": [f"call {i} me@x{i}.org please do not wait any longer" for i in range(40)], "n": list(range(40))}
    )
    mixed = frame[list(order)]
    mixed = pl.concat([mixed[:cut], mixed[cut:]], rechunk=False)
    assert find({"people": frame}, rules=RULES) == find({"people": mixed}, rules=RULES)


def test_the_sample_is_the_same_whatever_the_threshold_finds():
    """Distinct values with the smallest hashes: the prefilter on the hash only saves work, even with a wrong distinct count."""
    table = as_table("t", pl.DataFrame({"x": [f"v{i}" for i in range(30_000)]}))
    exact = measure(table).columns[0]
    wrong = exact.model_copy(update={"distinct": 3_000_000})
    assert take_sample(table, 0, exact).values.to_list() == take_sample(table, 0, wrong).values.to_list()


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_odd_names_and_hardly_any_rows(rows):
    """Names that look like patterns, markup or our own, with no, one or three rows: one finding each, in input order."""
    frame = pl.DataFrame({name: ["a@b.org", None, "ü"][:rows] for name in ODD}, schema=dict.fromkeys(ODD, pl.String))
    assert [column for _, column in find({"t": frame})] == ODD


def test_nulls_nan_and_one_column():
    """All-null columns, NaN beside null, a boolean column and a table with one column."""
    frame = pl.DataFrame(
        {"nothing": [None] * 6, "gap": [1.0, float("nan"), None, 2.0, 3.0, 4.5], "ok": [True, None, False, True, None, True]}
    )
    assert len(find({"t": frame})) == 3
    assert len(find({"t": frame.select("nothing")})) == 1


def test_huge_cells_and_control_characters():
    """A cell of a million characters and control characters neither crash nor slow the detector down."""
    find({"t": {"x": ["y" * 1_000_000, "\x00\x1b[2J", "\u202e", "ok"] * 5}})


def test_findings_hold_no_cell_value():
    """Planted strings occur nowhere in the findings."""
    canary = "Zyxwvut"
    frame = {
        c: [f"{canary}{i} {canary.lower()}@{canary}{i}.org +49 30 90182{i:03d}" for i in range(40)]
        for c in ("email", "name", "comment", "q")
    }
    text = json.dumps([f.model_dump(mode="json") for f in find({"people": frame}).values()])
    assert canary.lower() not in text.lower()


def test_evidence_counts_have_denominators():
    """Every hit count comes with what was looked at, and a 95 % interval."""
    evidence = find({"people": {"email": [f"u{i}@example.org" for i in range(40)]}})["people", "email"].evidence
    counted = [e for e in evidence if e.hits is not None]
    assert counted
    assert all(e.of and e.hits <= e.of and e.interval is not None for e in counted)


def test_no_network_and_nothing_printed(monkeypatch, capfd):
    """Detection, e-mail validation included, opens no socket and prints nothing."""

    def refuse(*_args, **_kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    find(
        {
            "people": {
                "mail": ["a.b@example.co.uk"] * 5 + [f"x{i}@example.org" for i in range(9)],
                "note": [f"long note {i} with words and a.b@example.co.uk" for i in range(14)],
            }
        }
    )
    assert capfd.readouterr() == ("", "")


def test_importing_the_room_imports_no_heavy_library():
    """Presidio, Faker, stdnum and spaCy come only when they are used."""
    heavy = "('presidio_analyzer', 'faker', 'stdnum', 'spacy', 'pandas', 'sdv')"
    code = f"import sys, tamis.detect, tamis.rules; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_progress_names_tables_only():
    """The progress port hears of tables and counts."""
    heard = []

    class Listener:
        def stage(self, name, detail=""):
            from contextlib import nullcontext

            heard.append((name, detail))
            return nullcontext()

        def note(self, text):
            heard.append(("note", text))

    table = as_table("people", pl.DataFrame({"email": ["a@b.org"]}))
    detect_columns([table], DatasetProfile(tables=(measure(table),)), RULES, progress=Listener())
    assert heard == [("detect", "people: 1 columns, 1 of them text")]

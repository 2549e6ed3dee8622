"""NDJSON and JSON arrays."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.core.errors import DataError
from tamis.core.policy import ReadOptions
from tamis.read import read_table
from tests.read.conftest import CANARY, types_of


def test_kinds_decide(load: Callable[..., object]) -> None:
    """Types follow JSON: quoted digits stay text, whole numbers are integers only when all are, quoted dates are dates."""
    lines = [
        {"id": "0012", "n": 1, "x": 1, "ok": True, "day": "2024-01-31", "mix": 1, "none": None, "at": "2024-01-01T10:00:00Z"},
        {"id": "7", "n": 2, "x": 2.5, "ok": False, "day": None, "mix": "a", "none": None, "at": None},
    ]
    table, rows = load("t.ndjson", "\n".join(map(json.dumps, lines)))
    assert list(types_of(table).values()) == ["text", "integer", "number", "boolean", "date", "text", "empty", "datetime"]
    assert rows.row(0) == ("0012", 1, 1.0, True, dt.date(2024, 1, 31), "1", None, dt.datetime(2024, 1, 1, 10))


def test_objects_are_flattened_and_lists_refused(load: Callable[..., object]) -> None:
    """Objects become dotted columns in order of appearance; lists, clashes and objects beside plain values are errors."""
    table, rows = load("t.jsonl", '{"b":{"y":{"z":1},"x":"q"},"a":null}\n{"c":2,"b":null}\n{"a":{"k":5}}\n')
    assert table.names == ("b.y.z", "b.x", "c", "a.k")
    assert rows.rows() == [(1, "q", None, None), (None, None, 2, None), (None, None, None, 5)]
    for text, code in (
        ('{"a":1}\n{"a":{"b":2}}\n', "mixed_objects"),
        ('{"a":{"b":[1]}}\n', "nested_lists"),
        ('{"a.b":1,"a":{"b":2}}\n', "column_clash"),
        ("{}\n{}\n", "no_columns"),
    ):
        with pytest.raises(DataError) as caught:
            load("t.ndjson", text)
        assert caught.value.code == code


def test_bad_lines(load: Callable[..., object]) -> None:
    """A line that is not one object is refused by number, or left out and counted when asked."""
    text = f'{{"a":1}}\n\n{{"a":"{CANARY}"\n[1]\n{{"a":3}}\n'
    with pytest.raises(DataError, match="Line 3 ") as caught:
        load("t.ndjson", text)
    assert CANARY not in str(caught.value)
    table, rows = load("t.ndjson", text, drop_bad_rows=True)
    assert rows["a"].to_list() == [1, 3]
    assert table.source.rows_dropped == 2


def test_arrays(load: Callable[..., object]) -> None:
    """An array of objects is read like lines; other documents are refused."""
    _, rows = load("t.json", json.dumps([{"a": i, "b": "x\n[{,"} for i in range(3)], indent=2))
    assert rows.rows() == [(i, "x\n[{,") for i in range(3)]
    for text in ("[1]", '[{"a":1}', '[{"a":1}]x', '[{"a":1},,{"a":2}]', '{\n"a": 1\n}'):
        with pytest.raises(DataError) as caught:
            load("t.json", text)
        assert caught.value.code == "bad_json"


def test_columns_that_appear_late(put: Callable[[str, str], Path], spool: Path) -> None:
    """A key that first appears after many blocks is a column of the whole table."""
    lines = [json.dumps({"a": i, "pad": "x" * 90}) for i in range(60_000)]
    path = put("t.ndjson", "\n".join([*lines, '{"late":true,"a":1.5}']))
    table = read_table("t", [path], ReadOptions(), spool=spool)
    rows = table.frame.collect()
    assert types_of(table) == {"a": "number", "pad": "text", "late": "boolean"}
    assert rows["late"].drop_nulls().to_list() == [True]
    assert rows.height == table.rows == 60_001
    assert len(table.hold) == 2


SCALAR = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(st.dictionaries(st.sampled_from(["a", "^b$", "*", "c d"]), SCALAR), min_size=1, max_size=6), escaped=st.booleans())
def test_round_trip_as_text(records: list[dict[str, object]], escaped: bool, tmp_path: Path) -> None:
    """Whatever a JSON writer writes comes back, escaped or not, null spellings as null."""
    keys = list(dict.fromkeys(key for record in records for key in record))
    if not keys:
        return
    path = tmp_path / "t.ndjson"
    path.write_text("\n".join(json.dumps(record, ensure_ascii=escaped) for record in records), encoding="utf-8")
    options = ReadOptions(types=dict.fromkeys(keys, "text"))
    table = read_table("t", [path], options)
    words = {True: "true", False: "false"}

    def text(value: object) -> str | None:
        shown = words[value] if isinstance(value, bool) else None if value is None else str(value)
        return None if shown in options.nulls else shown

    assert table.names == tuple(keys)
    assert table.frame.collect().rows() == [tuple(text(record.get(key)) for key in keys) for record in records]

"""The whole job on any small tables: it ends in a release that keeps its promises or in a refusal that says why, never otherwise."""

from __future__ import annotations

import datetime as dt
import json
import string
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

import tamis
from tamis.core.record import CheckStatus, Release
from tamis.keys import MasterKey

KEY = MasterKey(bytes(range(32)))
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""no shrinking: a job takes a second, hundreds of them would not end in time"""
ROWS = st.integers(0, 40)
PERSONS = [
    f"{first}{number} Quarzenbeck-{last}" for number, (first, last) in enumerate(zip("ABCDEFGHIJKLMNOP", "PONMLKJIHGFEDCBA", strict=True))
]
PEOPLE = {
    "full_name": PERSONS,
    "email": [f"qzb.{letter}{number}@mail.test" for number, letter in enumerate(string.ascii_lowercase)],
    "sex": ["m", "f"],
    "age": list(range(20, 60, 3)),
    "birth_date": [dt.date(1, 1, 1), dt.date(1950, 2, 28), dt.date(1984, 2, 29), dt.date(1999, 12, 31), dt.date(9999, 12, 31)],
    "zip": ["01234", "01235", "99999", "0", "AB1 2CD"],
    "city": ["Ulm", "Bonn", "Ürzig", "東京", ""],
    "diagnosis": ["asthma", "none", "flu", " flu"],
    "salary": [0.0, -0.0, 1e308, 123.45, float("nan"), float("inf"), -float("inf")],
    "note": ["ok", "called +4917699887766", "=1+1", "a\nb", "x" * 3000],
}
PLAIN = [
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 3),
    st.floats(width=64),
    st.booleans(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.timedeltas(min_value=dt.timedelta(days=-9999), max_value=dt.timedelta(days=9999)),
    st.binary(max_size=3),
    st.text(max_size=4),
    st.sampled_from(["a", "b"]),
    st.none(),
]
ODD_NAMES = ["^v.*$", "*", "a.b", "q'\"uote", "line\nbreak", "<script>", "__proto__", "😀", "len", "c0", " "]
DTYPES = {dt.date: pl.Date, dt.datetime: pl.Datetime("us"), dt.time: pl.Time, dt.timedelta: pl.Duration("us"), bytes: pl.Binary}


@st.composite
def frames(draw: st.DrawFn, key: str) -> pl.DataFrame:
    """A table with an id, some columns about people and some about anything."""
    rows = draw(ROWS)
    columns: dict[str, pl.Series] = {}
    if draw(st.booleans()):
        columns[key] = pl.Series([1000 + i for i in range(rows)], dtype=pl.Int64)
    for name in draw(st.lists(st.sampled_from(sorted(PEOPLE)), unique=True, max_size=5)):
        columns[name] = _series(draw(st.lists(st.none() | st.sampled_from(PEOPLE[name]), min_size=rows, max_size=rows)))
    for name in draw(st.lists(st.sampled_from(ODD_NAMES), unique=True, max_size=3)):
        columns[name] = _series(draw(st.lists(st.none() | draw(st.sampled_from(PLAIN)), min_size=rows, max_size=rows)))
    if not columns:
        columns["only"] = pl.Series([None] * rows)
    return pl.DataFrame(columns)


def _series(values: list[Any]) -> pl.Series:
    kind = next((type(value) for value in values if value is not None), None)
    return pl.Series(values, dtype=DTYPES.get(kind)) if kind in DTYPES else pl.Series(values)


REPLACED = frozenset({"drop", "pseudonymize", "fake", "redact", "synthesize"})


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, pl.DataFrame]:
    """One table, or two of which the second refers to the first."""
    people = draw(frames("person_id"))
    if "person_id" not in people.columns or draw(st.booleans()):
        return {"people": people}
    visits = draw(frames("visit_id"))
    known = [*people["person_id"].to_list(), None, 9]
    owners = draw(st.lists(st.sampled_from(known), min_size=visits.height, max_size=visits.height))
    return {"people": people, "visits": visits.with_columns(pl.Series("person_id", owners, dtype=pl.Int64))}


@st.composite
def policies(draw: st.DrawFn, text: str) -> dict[str, Any]:
    """The accepted draft; proxies (which need SDV) replaced, thresholds drawn, a few columns decided otherwise."""
    policy = yaml.safe_load(text)
    policy["privacy"]["k"] = draw(st.sampled_from([2, 3, 5]))
    policy["privacy"]["max_suppressed"] = draw(st.sampled_from([0.0, 0.05, 0.5, 1.0]))
    if draw(st.booleans()):
        policy["privacy"]["l"] = 2
    others: list[Any] = ["drop", {"generalize": {}}, {"keep": "the test wants it"}, "suppress_rare", "top_bottom_code"]
    others += [{"pseudonymize": {"domain": "d"}}, {"fake": {"kind": "city"}}, {"generalize": {}, "role": "quasi"}]
    for table in policy["tables"].values():
        for name, stated in table["columns"].items():
            if "synthesize" in stated:
                table["columns"][name] = draw(st.sampled_from(others[:3]))
            elif draw(st.integers(0, 5)) == 0 and not {"pseudonymize", "fake"} & set(stated):
                table["columns"][name] = draw(st.sampled_from(others))
    return policy


def check_release(world: dict[str, pl.DataFrame], out: Path, release: Release, policy: dict[str, Any]) -> None:
    """Recompute by brute force what the release claims."""
    manifest = json.loads((out / "current" / "manifest.json").read_text(encoding="utf-8"))
    k = policy["privacy"]["k"]
    hidden: set[str] = set()
    decided: set[str] = set()
    """what a person lets leave in its own form, in any table: the same value elsewhere is no secret"""
    texts: set[str] = set()
    for table in manifest["tables"]:
        before = world[table["name"]]
        files = [out / "current" / file["path"] for file in table["files"]]
        released = [column["name"] for column in table["columns"] if column["released"]]
        assert {column["name"] for column in table["columns"]} == set(before.columns)
        for column in table["columns"]:
            if before[column["name"]].dtype == pl.String:
                values = {value for value in before[column["name"]].to_list() if value and len(value) >= 8}
                if column["action"] in REPLACED:
                    hidden |= values if column["role"] == "direct" else set()
                else:
                    decided |= values
        if not released:
            assert not files
            continue
        after = pl.concat([pl.read_parquet(file) for file in files])
        assert after.columns == released
        assert after.height == table["rows"] <= before.height
        assert before.height - after.height <= table["changed_rows_rounded"]
        texts |= {
            str(value) for name in after.columns if after.schema[name] == pl.String for value in after[name].to_list() if value is not None
        }
        quasi = [name for name in table["quasi_identifiers"] if name in released]
        if quasi and after.height:
            assert min(_class_sizes(after, quasi, table["unit"] if table["unit"] in released else None).values()) >= k
    assert not (hidden - decided) & texts
    failed = [check for check in tamis.verify_release(out).checks if check.status is CheckStatus.FAILED]
    assert not failed
    assert release.manifest is not None


def _class_sizes(after: pl.DataFrame, quasi: list[str], unit: str | None) -> Counter[tuple[Any, ...]]:
    """Rows, or persons where there is a unit, per class; NaN is null."""
    members: dict[tuple[Any, ...], set[Any]] = defaultdict(set)
    for number, row in enumerate(after.iter_rows(named=True)):
        place = tuple(None if row[name] != row[name] else row[name] for name in quasi)
        members[place].add(row[unit] if unit else number)
    return Counter({place: len(found) for place, found in members.items()})


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(data=st.data())
def test_a_job_ends_in_a_true_release_or_in_a_refusal(data: st.DataObject) -> None:
    """Any small tables under a drafted and varied policy: a release that holds what it says, a failed gate, or a TamisError."""
    world = data.draw(worlds())
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        try:
            text, _ = tamis.draft_policy(world, accept=True)
            policy = data.draw(policies(text))
            release = tamis.run_job(world, policy, out, state=Path(folder) / "state", key=KEY)
        except tamis.TamisError as refusal:
            event(refusal.code)
            if refusal.code in ("unreadable", "cannot_transform"):  # the data is whole: something of ours failed
                raise
            assert not (out / "current").exists()
            return
        event("published" if release.published else "gate failed")
        if release.published:
            check_release(world, out, release, policy)
        else:
            assert release.verdict.failed
            assert not (out / "current").exists()

"""Hostile tables, names and policies through the whole library: a release or a sentence, nothing else. Each case once broke."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

import tamis
from tamis.core.errors import TamisError
from tamis.core.record import CheckStatus, Release
from tamis.core.types import DataType
from tamis.keys import MasterKey

KEY = MasterKey(bytes(range(32)))
KEY_TEXT = "tamis-key-v1:" + bytes(range(32)).hex()
NAMES = [
    " ",
    "^a.*$",
    "*",
    "a'b",
    'q"q',
    "a.b",
    "line\nbreak",
    "<script>x</script>",
    "__proto__",
    "x" * 10_000,
    "\u202egnp",
    "😀",
    "#",
    ": y",
]
ROWS = 60


def policy(columns: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A policy for the one table `t`."""
    return {"purpose": "p", "key": "env:K", "tables": {"t": {"columns": columns}}, **more}


def run(data: Any, stated: Any, folder: Path) -> Release:
    """Run the job; a release is checked again from its files."""
    release = tamis.run_job(data, stated, folder / "out", state=folder / "state", key=KEY)
    if release.published:
        assert [check for check in tamis.verify_release(folder / "out").checks if check.status is CheckStatus.FAILED] == []
    return release


def refusal(data: Any, stated: Any, folder: Path) -> TamisError:
    """The refusal of a job that must be refused; nothing is published."""
    with pytest.raises(TamisError) as refused:
        run(data, stated, folder)
    assert not (folder / "out" / "current").exists()
    return refused.value


def few_values(names: list[str]) -> pl.DataFrame:
    """Columns of four values each, all different from each other."""
    return pl.DataFrame({name: [f"v{(row * 7 + place) % 4}" for row in range(ROWS)] for place, name in enumerate(names)})


def test_a_draft_reads_back_whatever_the_columns_are_called(tmp_path: Path) -> None:
    """`init` writes YAML that means the same names, and the job releases them under exactly these names."""
    data = {"t": few_values(NAMES)}
    text, _ = tamis.draft_policy(data, accept=True)
    assert list(yaml.safe_load(text)["tables"]["t"]["columns"]) == NAMES
    (tmp_path / "policy.yaml").write_text(text, encoding="utf-8")
    release = run(data, tmp_path / "policy.yaml", tmp_path)
    assert release.path is not None
    assert set(pl.read_parquet(release.path / "t").columns) <= set(NAMES)


def test_a_mapping_is_a_policy_whatever_its_keys(tmp_path: Path) -> None:
    """Policies given as mappings take every name that a column can have; YAML's limits are not theirs."""
    stated = policy({name: {"keep": "why", "role": "none"} for name in NAMES})
    release = run({"t": few_values(NAMES)}, stated, tmp_path)
    assert release.path is not None
    assert pl.read_parquet(release.path / "t").columns == NAMES


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"t": few_values([""])}, "unnamed_columns"),
        ({"t": few_values(["\0n"])}, "bad_column_name"),
        ({"": few_values(["a"])}, "bad_table_name"),
        ({"..": few_values(["a"])}, "bad_table_name"),
        ({"a.b": few_values(["a"])}, "bad_table_name"),
        ({"t": 5}, "not_data"),
        (5, "not_data"),
        ([few_values(["a"])], "not_data"),
        ({}, "no_data"),
        ({"t": pl.DataFrame()}, "no_columns"),
        (pl.LazyFrame({"a": ["x"]}).select("zzz"), "unreadable"),
    ],
)
def test_what_is_no_table_is_refused_with_its_code(data: Any, code: str, tmp_path: Path) -> None:
    """Nameless columns and tables, and things that are no tables, end in a refusal, never in a foreign exception."""
    assert refusal(data, {"purpose": "p", "key": "env:K", "unknown_columns": "drop"}, tmp_path).code == code


@pytest.mark.parametrize("stated", [5, [], b"x", None])
def test_what_is_no_policy_is_refused(stated: Any, tmp_path: Path) -> None:
    """A policy of another type ends in a refusal with its code."""
    assert refusal({"t": few_values(["a"])}, stated, tmp_path).code == "not_a_policy"


def test_our_own_column_names_are_no_trap(tmp_path: Path) -> None:
    """A column called like our row identity may be dropped; released it is refused by name."""
    data = {"t": few_values(["__tamis_w0", "a"])}
    kept = {"keep": "why", "role": "none"}
    assert run(data, policy({"__tamis_w0": "drop", "a": kept}), tmp_path).published
    assert refusal(data, policy({"__tamis_w0": kept, "a": kept}), tmp_path / "other").code == "reserved_name"


@pytest.mark.parametrize("frame", [few_values(["a"]).head(0), pl.DataFrame({"a": [None] * 9, "b": [None] * 9}), few_values(["a"])])
def test_a_job_that_releases_nothing_says_so(frame: pl.DataFrame, tmp_path: Path) -> None:
    """Where every column of every table is dropped there is nothing to publish, and that is the sentence."""
    assert refusal({"t": frame}, {"purpose": "p", "key": "env:K", "unknown_columns": "drop"}, tmp_path).code == "nothing_released"


def test_one_withheld_table_does_not_stop_the_others(tmp_path: Path) -> None:
    """A table of which every column is dropped has no file; the release verifies."""
    stated = policy({"a": {"keep": "why", "role": "none"}}, unknown_columns="drop")
    assert run({"t": few_values(["a"]), "gone": few_values(["b", "c"])}, stated, tmp_path).published


@pytest.mark.parametrize("name", ["current", "CURRENT", "datasheet", " ", "a/b", "x" * 300, "ü😀", "a\nb", "-rf", "<b>", "~"])
def test_table_names_are_no_paths(name: str, tmp_path: Path) -> None:
    """Whatever a table is called, its files stay inside the release and beside nothing of ours."""
    stated = {"purpose": "p", "key": "env:K", "tables": {name: {"columns": {"a": {"keep": "why", "role": "none"}}}}}
    release = run({name: few_values(["a"])}, stated, tmp_path)
    assert release.path is not None
    assert {file.parent.parent for file in tmp_path.rglob("part-*.parquet")} == {release.path}


HOSTILE: dict[DataType, list[Any]] = {
    DataType.TEXT: ["Ann", "Bob", None, "x,y", "😀", ""],
    DataType.INTEGER: [1, 2, None, 2**63 - 1, -(2**63), 0],
    DataType.NUMBER: [1.5, float("nan"), None, float("inf"), -float("inf"), -0.0],
    DataType.BOOLEAN: [True, False, None],
    DataType.DATE: [dt.date(1, 1, 1), dt.date(9999, 12, 31), None],
    DataType.DATETIME: [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59), None],
    DataType.TIME: [dt.time(1), dt.time(23, 59), None],
    DataType.DURATION: [dt.timedelta(1), -dt.timedelta(2), None],
    DataType.BINARY: [b"a", b"\xff", None],
    DataType.EMPTY: [None],
}
PARAMETERS: list[dict[str, Any]] = [
    {"keep": "why"},
    {"suppress_rare": {}},
    {"generalize": {}},
    {"generalize": {"to": "band"}},
    {"generalize": {"to": "age"}},
    {"generalize": {"to": "quarter"}},
    {"generalize": {"to": "prefix", "length": 1}},
    {"top_bottom_code": {}},
    {"top_bottom_code": {"lower": 0}},
    {"top_bottom_code": {"share": 0.2}},
    {"pseudonymize": {"domain": "d"}},
    {"shift_dates": {"subject": "s"}},
    {"fake": {"kind": "email"}},
    {"fake": {"kind": "username", "unique": True}},
    {"redact": {}},
    {"redact": {"label": "token"}},
]


@pytest.mark.slow
@pytest.mark.parametrize("stated", PARAMETERS, ids=json.dumps)
@pytest.mark.parametrize("role", ["quasi", "none"])
def test_every_action_on_every_type(stated: dict[str, Any], role: str, tmp_path: Path) -> None:
    """Every action meets hostile values of every type: a release that verifies, a failed gate, or a refusal about the type."""
    for kind, values in HOSTILE.items():
        frame = pl.DataFrame({"s": [row // 2 for row in range(ROWS)], "x": values * (ROWS // len(values)), "z": ["a", "b"] * (ROWS // 2)})
        columns = {"s": {"pseudonymize": {"domain": "s"}}, "x": {**stated, "role": role}, "z": {"keep": "why", "role": "none"}}
        try:
            run({"t": frame}, policy(columns), tmp_path / kind.value)
        except TamisError as refused:
            if refused.code != "policy_does_not_fit":
                raise


def test_infinities_bound_nothing(tmp_path: Path) -> None:
    """Clip bounds come from finite values; an open bound never crosses a stated one; crossed stated bounds are refused."""
    frame = pl.DataFrame({"x": [1.5, float("inf"), -float("inf"), 3.0] * 15, "z": ["a"] * ROWS})
    keep = {"keep": "why", "role": "none"}
    release = run({"t": frame}, policy({"x": {"top_bottom_code": {}, "role": "none"}, "z": keep}), tmp_path)
    assert release.path is not None
    assert pl.read_parquet(release.path / "t")["x"].is_finite().all()
    crossing = policy({"x": {"top_bottom_code": {"lower": 100}, "role": "none"}, "z": keep})
    assert run({"t": frame}, crossing, tmp_path / "crossing").published
    crossed = policy({"x": {"top_bottom_code": {"lower": 5, "upper": 1}}, "z": keep})
    assert refusal({"t": frame}, crossed, tmp_path / "crossed").code == "invalid_document"


def family(persons: int = 200, heavy: int = 12) -> dict[str, pl.DataFrame]:
    """Persons of whom a few have a rare age and many visits."""
    ages = [30 if row % 2 else 40 for row in range(persons)]
    for row in range(4):
        ages[row] = 50 + row
    people = pl.DataFrame({"person_id": [f"P{row:05d}" for row in range(persons)], "age": ages})
    owners = [f"P{row:05d}" for row in range(persons) for _ in range(heavy if row < 4 else 1)]
    visits = pl.DataFrame({"person_id": owners, "kind": ["a" if row % 3 else "b" for row in range(len(owners))]})
    return {"people": people, "visits": visits}


FAMILY: dict[str, Any] = {
    "purpose": "p",
    "key": "env:K",
    "privacy": {"k": 5, "max_suppressed": 0.05, "unit": "people.person_id"},
    "references": {"visits.person_id": "people.person_id"},
    "tables": {
        "people": {"columns": {"person_id": {"pseudonymize": {"domain": "p"}}, "age": {"generalize": {}, "role": "quasi"}}},
        "visits": {"columns": {"person_id": {"pseudonymize": {"domain": "p"}}, "kind": {"keep": "why", "role": "none"}}},
    },
}


def test_planning_minds_the_children_of_suppressed_parents(tmp_path: Path) -> None:
    """Suppressing 2 % of persons would cost 20 % of visits: the plan generalizes further instead of failing its own gate."""
    release = run(family(), FAMILY, tmp_path)
    assert release.published
    share = next(m.value for m in release.verdict.measures if m.name == "utility.suppressed@visits")
    assert share <= 0.05


def test_a_person_table_without_quasi_identifiers_verifies(tmp_path: Path) -> None:
    """The manifest names the person of a table without quasi-identifiers, so that its joined risk can be recomputed."""
    stated = json.loads(json.dumps(FAMILY))
    stated["tables"]["people"]["columns"]["age"] = "drop"
    stated["tables"]["visits"]["columns"]["kind"] = {"keep": "why", "role": "quasi"}
    stated["privacy"]["max_suppressed"] = 1.0
    run(family(), {**stated, "gates": [{"measure": "risk.k_joined", "min": 0}]}, tmp_path)


def test_a_draft_does_not_propose_keys_that_single_people_out(tmp_path: Path) -> None:
    """Where the rows behind a key are unique to persons, `init --accept` proposes to drop the key, and the job passes its gates."""
    people = family()["people"]
    births = [dt.date(1950 + row % 40, 1 + row % 12, 1 + row % 28) for row in range(3 * people.height)]
    visits = pl.DataFrame({"person_id": people["person_id"].to_list() * 3, "birth_date": births})
    data = {"people": people, "visits": visits}
    text, _ = tamis.draft_policy(data, accept=True)
    (tmp_path / "policy.yaml").write_text(text, encoding="utf-8")
    assert run(data, tmp_path / "policy.yaml", tmp_path).published


EDITS: dict[str, Any] = {
    "quasi": lambda table: table["classes"].update(quasi_identifiers=["zzz"]),
    "unit": lambda table: table["classes"].update(unit="zzz"),
    "k": lambda table: table["classes"].update(k=1),
    "key": lambda table: table.update(key=["zzz"]),
    "twice": lambda table: table["columns"].append(table["columns"][0]),
    "reference": lambda table: table.update(references=[{"column": "age", "parent_table": "no", "parent_column": "x"}]),
    "recode": lambda table: table["columns"][0].update(action={"action": "generalize", "recode": {"kind": "number_band", "width": 1}}),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_plan_edited_by_hand_is_refused(edit: str, tmp_path: Path) -> None:
    """A plan that names what it does not have, or asks for less than its own k, is refused before anything is read into it."""
    data = family()
    plan = json.loads(tamis.build_plan(data, FAMILY, key=KEY).model_dump_json())
    EDITS[edit](next(table for table in plan["tables"] if table["name"] == "people"))
    (tmp_path / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    with pytest.raises(TamisError) as refused:
        tamis.apply_plan(tmp_path / "plan.json", data, tmp_path / "out", key=KEY)
    assert refused.value.code == "broken_plan"
    assert not (tmp_path / "out").exists()


# --------------------------------------------------------------------------------------------------------------------- command line


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a table and an accepted policy."""
    family()["people"].write_csv(tmp_path / "people.csv")
    text, _ = tamis.draft_policy(tmp_path / "people.csv", accept=True, sources={"people": ("people.csv",)})
    (tmp_path / "policy.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The real command line."""
    environment = {**os.environ, "TAMIS_KEY": KEY_TEXT}
    command = [sys.executable, "-m", "tamis", *arguments]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_ctrl_c_is_130_and_leaves_no_release(folder: Path) -> None:
    """An interrupted run says so in a sentence, exits with 130 and publishes nothing."""
    running = start(folder, "run", "-p", "policy.yaml", "-o", "out", "--verbose")
    assert running.stderr is not None
    assert running.stderr.readline()  # the first stage is done: it is at work
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    if running.returncode:  # else it was faster
        assert running.returncode == 130
        assert "Interrupted" in errors
        assert "Traceback" not in errors
        assert not (folder / "out" / "current").exists()


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["plan -p policy.yaml --explain", "profile people.csv", "profile people.csv --json"])
def test_a_reader_that_leaves_is_no_failure(arguments: str, folder: Path) -> None:
    """`tamis … | head -c 0` ends quietly with 0."""
    pipe = f"set -o pipefail; '{sys.executable}' -m tamis {arguments} | head -c 0"
    done = subprocess.run(
        ["bash", "-c", pipe],
        cwd=folder,
        env={**os.environ, "TAMIS_KEY": KEY_TEXT},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")

"""Great Expectations behind its door: value-free, offline, bounded, fail-closed."""

from __future__ import annotations

import datetime as dt
import json
import logging
import socket
import sys
import tempfile

import polars as pl
import pytest
from verify_made import plan_of, profile_of, table_plan

from tamis.core.actions import Drop, Generalize, Keep, NumberBand, Pseudonymize, SuppressRare, TopBottomCode
from tamis.core.errors import PolicyError
from tamis.core.record import Measure
from tamis.core.types import Role
from tamis.verify import expectations as door
from tamis.verify.contract import draft_suite
from tamis.verify.expectations import parse_suite, run_metrics_suite, run_suite

FRAME = pl.DataFrame(
    {
        "id": ["a" * 26, "b" * 26, "c" * 26],
        "n": [1, 2, 3],
        "x": [0.5, None, 2.5],
        "s": ["CANARY-1", "CANARY-2", None],
        "q\"'\n<b>": ["u", "v", "u"],
        "d": [dt.date(2020, 1, 1)] * 3,
        "nothing": pl.Series([None] * 3, dtype=pl.String),
    }
)
GOOD = [
    ("expect_table_row_count_to_equal", {"value": 3}),
    ("expect_table_row_count_to_be_between", {"min_value": 1, "max_value": 5}),
    ("expect_table_columns_to_match_ordered_list", {"column_list": FRAME.columns}),
    ("expect_table_column_count_to_equal", {"value": 7}),
    ("expect_column_to_exist", {"column": "n"}),
    ("expect_column_values_to_not_be_null", {"column": "n"}),
    ("expect_column_values_to_not_be_null", {"column": "x", "mostly": 0.5}),
    ("expect_column_values_to_be_null", {"column": "nothing"}),
    ("expect_column_values_to_be_unique", {"column": "n"}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["n", "x"]}),
    ("expect_column_values_to_match_regex", {"column": "id", "regex": "^[a-z2-7]{26}$"}),
    ("expect_column_values_to_be_in_set", {"column": "q\"'\n<b>", "value_set": ["u", "v"]}),
    ("expect_column_values_to_be_between", {"column": "x", "min_value": 0, "max_value": 3}),
    ("expect_column_value_lengths_to_equal", {"column": "id", "value": 26}),
    ("expect_column_mean_to_be_between", {"column": "n", "min_value": 2, "max_value": 2}),
    ("expect_column_quantile_values_to_be_between", {"column": "n", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[1, 3]]}}),
    (
        "expect_column_pair_values_a_to_be_greater_than_b",
        {"column_A": "n", "column_B": "x", "or_equal": True, "ignore_row_if": "either_value_is_missing"},
    ),
    ("expect_column_values_to_be_of_type", {"column": "n", "type_": "int64"}),
    ("expect_column_values_to_be_in_type_list", {"column": "s", "type_list": ["str"]}),
    ("expect_column_values_to_not_be_null", {"column": "s", "row_condition": "n<3", "condition_parser": "pandas"}),
]
BAD = [
    ("expect_table_row_count_to_equal", {"value": 4}),
    ("expect_table_columns_to_match_ordered_list", {"column_list": ["n"]}),
    ("expect_column_to_exist", {"column": "nope"}),
    ("expect_column_values_to_not_be_null", {"column": "s"}),
    ("expect_column_values_to_be_unique", {"column": "d"}),
    ("expect_column_values_to_be_in_set", {"column": "s", "value_set": ["x"]}),
    ("expect_column_values_to_be_in_set", {"column": "nope", "value_set": ["x"]}),
    ("expect_column_mean_to_be_between", {"column": "s", "min_value": 0}),
    ("expect_column_values_to_be_of_type", {"column": "n", "type_": "str"}),
    ("expect_no_such_thing", {"column": "n"}),
    ("expect_column_values_to_be_between", {"column": "n", "min_value": 9, "max_value": 1}),
    ("", {}),
]


def suite(entries):
    """Suite JSON."""
    return {"name": "mine", "expectations": [{"type": kind, "kwargs": kwargs} for kind, kwargs in entries], "meta": {}}


@pytest.fixture
def offline(monkeypatch):
    """No socket may be made."""

    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)


def test_a_users_suite_runs_as_it_is(offline):
    """Many types of expectations hold on a table they describe, offline, on any column name."""
    result = run_suite(suite(GOOD), FRAME.lazy(), table="t", kind="user")
    assert result.failed == ()
    assert result.passed
    assert result.expectations == len(GOOD)


def test_what_fails_or_cannot_run_has_failed_and_says_no_value(offline, capfd, caplog, tmp_path, monkeypatch):
    """Fail-closed; names of expectations and columns only; nothing printed, logged or written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with caplog.at_level(logging.DEBUG):
        result = run_suite(suite(BAD), FRAME.lazy(), table="t", kind="user")
    assert len(result.failed) == len(BAD)
    assert "expect_column_values_to_not_be_null(s)" in result.failed
    out = capfd.readouterr()
    assert "CANARY" not in result.model_dump_json() + caplog.text + out.out + out.err
    assert out.out + out.err == ""
    assert list(tmp_path.iterdir()) == []


def test_parts_give_the_same_answer(monkeypatch):
    """Row-by-row expectations see every part."""
    monkeypatch.setattr(door, "BATCH_ROWS", 1)
    more = [*GOOD, ("expect_column_values_to_be_between", {"column": "n", "max_value": 2})]
    result = run_suite(suite(more), FRAME.lazy(), table="t", kind="user")
    assert result.failed == ("expect_column_values_to_be_between(n)",)


def test_old_suites_run():
    """`expectation_type`, as Great Expectations wrote it before 1.0."""
    text = json.dumps(
        {"expectation_suite_name": "old", "expectations": [{"expectation_type": "expect_column_to_exist", "kwargs": {"column": "n"}}]}
    )
    assert run_suite(parse_suite(text, "t"), FRAME.lazy(), table="t", kind="user").passed


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"expectations": 3}', "CANARY"])
def test_what_is_no_suite_is_refused(text):
    """A sentence without the text."""
    with pytest.raises(PolicyError) as caught:
        parse_suite(text, "t")
    assert "CANARY" not in str(caught.value)


def test_metrics_are_judged_by_name():
    """A metrics expectation looks at its measure's row; no row fails."""
    expectation = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "value", "min_value": 0.9}}
    named = [{**expectation, "meta": {"measure": name}} for name in ("a.b@t.\"'", "a.c", "gone")]
    measures = [Measure(name="a.b@t.\"'", value=0.95), Measure(name="a.c", value=0.1)]
    result = run_metrics_suite({"name": "u", "expectations": named}, measures, table="metrics", kind="utility")
    assert result.failed == ("expect_column_values_to_be_between(a.c)", "expect_column_values_to_be_between(gone)")


def test_analytics_are_off():
    """The switch is set before the library is imported."""
    import os

    run_suite(suite([]), FRAME.lazy(), table="t", kind="user")
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
    assert "great_expectations" in sys.modules


BEFORE = pl.DataFrame(
    {"id": ["1", "2", "3"], "age": [31, 32, 40], "job": ["a", "a", "b"], "pay": [1.0, 2.0, 9.0], "ok": [True, False, True]}
)
AFTER = pl.DataFrame(
    {
        "id": ["a" * 26, "b" * 26, "c" * 26],
        "age": ["30-39"] * 2 + ["40-49"],
        "job": ["a", "a", None],
        "pay": [1.5, 2.0, 5.0],
        "ok": [True, False, True],
    }
)
PLAN = table_plan(
    "t",
    BEFORE,
    {
        "id": (Pseudonymize(domain="p"), Role.DIRECT),
        "age": (Generalize(to="band", width=10, recode=NumberBand(width=10)), Role.QUASI),
        "job": (SuppressRare(min_count=2, values=("a",)), Role.NONE),
        "pay": (TopBottomCode(lower=1.5, upper=5, resolved=True), Role.SENSITIVE),
        "ok": (Keep(), Role.NONE),
    },
    key=("id",),
)


def contract(after):
    """The drafted contract on a release."""
    return run_suite(draft_suite(PLAN, profile_of({"t": BEFORE}).tables[0], 3), after.lazy(), table="t", kind="contract")


def test_the_drafted_contract_holds_on_what_was_planned():
    """What the plan promises, and zero rows of it, pass."""
    assert contract(AFTER).failed == ()
    assert contract(AFTER.clear()).failed == ("expect_table_row_count_to_equal()",)


@pytest.mark.parametrize(
    ("broken", "failed"),
    [
        (AFTER.with_columns(id=BEFORE["id"]), "expect_column_values_to_match_regex(id)"),
        (AFTER.with_columns(id=pl.lit("a" * 26)), "expect_column_values_to_be_unique(id)"),
        (AFTER.with_columns(job=BEFORE["job"]), "expect_column_values_to_be_in_set(job)"),
        (AFTER.with_columns(pay=BEFORE["pay"]), "expect_column_values_to_be_between(pay)"),
        (AFTER.with_columns(ok=pl.lit(None, dtype=pl.Boolean)), "expect_column_values_to_not_be_null(ok)"),
        (AFTER.with_columns(ok=pl.lit("yes")), "expect_column_values_to_be_in_type_list(ok)"),
        (AFTER.select("age", "id", "job", "pay", "ok"), f"expect_table_columns_to_match_ordered_list({', '.join(AFTER.columns)})"),
    ],
)
def test_the_drafted_contract_sees_what_was_not_planned(broken, failed):
    """Each broken promise is named."""
    assert failed in contract(broken).failed


def test_dropped_columns_are_not_promised():
    """The contract speaks of released columns only."""
    frame = pl.DataFrame({"a": [1], "b": [2]})
    plan = plan_of(table_plan("t", frame, {"a": (Drop(), Role.DIRECT)}))
    assert "'a'" not in repr(draft_suite(plan.table("t"), profile_of({"t": frame}).tables[0], 1)["expectations"])

"""Laws of the manifest: complete, deterministic, and silent about the input."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from write_job import Job, make_job

from tamis.core.canonical import pretty_json
from tamis.core.errors import TamperError, UsageError
from tamis.core.record import Manifest, Measure
from tamis.write.manifest import build_manifest, library_versions, licences, load_manifest, round_up
from tamis.write.wording import band, count


def test_a_manifest_survives_the_round_trip_and_its_schema(job: Job, tmp_path: Path) -> None:
    """Written, read back: the same value; its JSON satisfies the JSON Schema that the type generates."""
    manifest = job.manifest()
    path = tmp_path / "manifest.json"
    path.write_text(pretty_json(manifest))
    assert load_manifest(path) == manifest
    jsonschema.validate(json.loads(path.read_text()), Manifest.model_json_schema())


def test_a_manifest_is_deterministic(job: Job) -> None:
    """Two builds give the same bytes, whatever the order of versions and measures."""
    turned = job.verdict.model_copy(update={"measures": job.verdict.measures[::-1]})
    assert pretty_json(Job(job.plan, job.profile, job.findings, turned).manifest()) == pretty_json(job.manifest())


def test_every_column_is_listed_with_what_it_depends_on(job: Job) -> None:
    """Lineage: own column, given columns of a synthesis, the subject of shifted dates; nothing for what does not leave."""
    columns = {column.name: column for column in job.manifest().tables[0].columns}
    assert list(columns) == [column.name for column in job.plan.tables[0].columns]
    assert columns["income"].derived_from == ("income", "plan_type")
    assert columns["joined"].derived_from == ("joined", "customer_id")
    assert columns["zip"].derived_from == ("zip",)
    assert columns["email"].derived_from == ()
    assert (columns["email"].released, columns["email"].type) == (False, None)
    assert not columns["plan_type"].masking


def test_no_before_figure_no_literal_and_no_exact_small_count_leaves(job: Job) -> None:
    """Internal measures, mapped values, kept value lists and exact suppressed counts are not in the manifest."""
    text = pretty_json(job.manifest())
    assert "unique_before" not in text
    assert "secret" not in text
    assert "clerk" not in text
    assert "8421" not in text
    table = job.manifest().tables[0]
    assert (table.changed_rows_rounded, table.rows_dropped_on_read) == (130, 5)
    parameters = {column.name: column.parameters for column in table.columns}
    assert parameters["area"]["recode"] == {"kind": "category_map", "values_listed": 12}
    assert parameters["job"] == {"min_count": 5}


def test_a_gate_on_an_internal_measure_says_only_whether_it_was_met(job: Job) -> None:
    """The figure and the sentence of such a gate stay internal."""
    measures = tuple(
        measure.model_copy(update={"internal": True}) if measure.name == "attack.linkage" else measure for measure in job.verdict.measures
    )
    manifest = Job(job.plan, job.profile, job.findings, job.verdict.model_copy(update={"measures": measures})).manifest()
    gate = next(gate for gate in manifest.gates if gate.measure == "attack.linkage")
    assert gate.value is None
    assert gate.passed
    assert "0.08" not in gate.sentence


@pytest.mark.parametrize("reason", ["412 of 10 000 distinct values match", "97.3 % are e-mails", "3 rows are odd", "12 out of 40"])
def test_reasons_that_quote_figures_of_the_input_are_replaced(job: Job, reason: str) -> None:
    """Evidence counts in a reason do not leave; the action's own sentence stands instead."""
    first = job.plan.tables[0].columns[0].model_copy(update={"reason": reason})
    table = job.plan.tables[0].model_copy(update={"columns": (first, *job.plan.tables[0].columns[1:])})
    plan = job.plan.model_copy(update={"tables": (table, job.plan.tables[1])})
    said = Job(plan, job.profile, job.findings, job.verdict).manifest().tables[0].columns[0].reason
    assert reason not in said
    assert said


def test_a_keyed_release_says_that_it_remains_personal_data() -> None:
    """Pseudonymized is personal data and is said so; without keyed actions only what was checked is claimed; nothing is 'anonymous'."""
    assert "remains personal data (pseudonymized)" in make_job().manifest().status
    unkeyed = make_job(keyed=False).manifest()
    assert "at least 5" in unkeyed.status
    assert "pseudonym" not in unkeyed.status
    for manifest in (make_job().manifest(), unkeyed):
        assert "anonymous" not in pretty_json(manifest).replace("not anonymous", "")


def test_figures_that_are_not_numbers_are_left_out(job: Job, tmp_path: Path) -> None:
    """NaN is no figure: the manifest stays valid JSON and loads again."""
    odd = Measure(name="utility.nothing", value=float("nan"))
    verdict = job.verdict.model_copy(update={"measures": (*job.verdict.measures, odd)})
    manifest = Job(job.plan, job.profile, job.findings, verdict).manifest()
    (tmp_path / "m.json").write_text(pretty_json(manifest))
    assert load_manifest(tmp_path / "m.json") == manifest


def test_a_missing_table_is_an_error(job: Job) -> None:
    """Every table of the plan has an outcome; a forgotten one is not silently left out."""
    with pytest.raises(KeyError):
        build_manifest(job.plan, job.verdict, release_id="r", tables={}, key_id=None, versions={}, licences={})


def test_damaged_manifests_are_refused_without_repeating_them(job: Job, tmp_path: Path) -> None:
    """Missing file: usage. Not JSON, a missing or a foreign key: tampering, said with the place and without the content."""
    path = tmp_path / "manifest.json"
    with pytest.raises(UsageError):
        load_manifest(path)
    whole = json.loads(pretty_json(job.manifest()))
    for damaged in ("{", "[]", json.dumps(whole | {"canary-1": 1}), json.dumps({key: whole[key] for key in whole if key != "tables"})):
        path.write_text(damaged)
        with pytest.raises(TamperError) as caught:
            load_manifest(path)
        assert caught.value.exit_code == 3
    path.write_text(json.dumps(whole | {"k": "canary-2"}))
    with pytest.raises(TamperError) as caught:
        load_manifest(path)
    assert "$.k" in str(caught.value)
    assert "canary-2" not in str(caught.value)


def test_versions_and_licences_come_from_what_is_installed() -> None:
    """Our direct dependencies with version and licence; SDV's licence is shown for what it is, and as a notice."""
    versions, terms = library_versions(), licences()
    assert {"tamis", "polars", "sdv", "presidio-analyzer", "great-expectations", "python"} <= versions.keys()
    assert versions.keys() - {"python"} == terms.keys()
    assert "BUSL" in terms["sdv"].upper() or "Business Source" in terms["sdv"]
    assert "mypy" not in versions
    assert any("Business Source License" in notice for notice in make_job().manifest().notices)


@given(st.integers(0, 10**9), st.integers(2, 50))
def test_blurred_counts_never_understate_and_never_say_a_small_count(value: int, k: int) -> None:
    """round_up is a multiple of k, at least the count, less than k above it; shown counts and bands below k read '<k'."""
    rounded = round_up(value, k)
    assert rounded % k == 0
    assert value <= rounded < value + k
    if 0 < value < k:
        assert count(value, k) == band(value, k) == f"<{k}"
    assert (count(value, k) == "0") == (value == 0)

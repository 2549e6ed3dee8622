"""The verdict on staged tables, and the re-check of a release."""

from __future__ import annotations

import json
import random

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verify_made import plan_of, release, table_plan, verdict

from tamis.core.actions import Drop, Generalize, Keep, NumberBand, Pseudonymize
from tamis.core.errors import PlanError
from tamis.core.plan import Reference
from tamis.core.policy import Gate
from tamis.core.record import CheckStatus
from tamis.core.types import Role
from tamis.verify import recheck_release, verify_tables

TOKENS = {i: "".join(random.Random(i).choices("abcdefghijklmnopqrstuvwxyz234567", k=26)) for i in range(12)}
NAMED = [f"Canary Person{chr(97 + i)}" for i in range(12)]
PEOPLE = pl.DataFrame(
    {
        "id": list(range(12)),
        "name": [f"Canary Person{chr(97 + i)}" for i in range(12)],
        "age": [30 + i for i in range(12)],
        "ill": ["x", "y"] * 6,
    }
)
VISITS = pl.DataFrame({"id": [i % 12 for i in range(24)], "code": ["p", "q"] * 12, "cost": [float(i) for i in range(24)]})
BAND = Generalize(to="band", width=10, recode=NumberBand(width=10))
REFERENCE = Reference(column="id", parent_table="people", parent_column="id")


def made_plan(**more):
    """A plan of two tables."""
    return plan_of(
        table_plan(
            "people",
            PEOPLE,
            {
                "id": (Pseudonymize(domain="p"), Role.DIRECT),
                "name": (Drop(), Role.DIRECT),
                "age": (BAND, Role.QUASI),
                "ill": (Keep(), Role.SENSITIVE),
            },
            quasi=("age",),
            unit="id",
            key=("id",),
        ),
        table_plan(
            "visits", VISITS, {"id": (Pseudonymize(domain="p"), Role.DIRECT), "code": (Keep(), Role.QUASI)}, references=(REFERENCE,)
        ),
        unit="people.id",
        **more,
    )


def tokens(frame):
    """The id column as tokens."""
    return frame.with_columns(pl.col("id").replace_strict(TOKENS, return_dtype=pl.String))


GONE = tokens(PEOPLE).filter(pl.col("age") < 40).select("id", age=pl.lit("30-39"), ill="ill")
AFTER = {"people": GONE, "visits": tokens(VISITS).join(GONE, on="id", how="semi")}
LOST = {"people": 2, "visits": 4}


def judged(after=None, plan=None, lost=None):
    """The verdict on the two tables."""
    return verdict({"people": PEOPLE, "visits": VISITS}, after or AFTER, plan or made_plan(), LOST if lost is None else lost)


def test_a_good_release_passes_with_every_figure():
    """Every family of measures is taken, every gate passes, nothing of the input is in the verdict's public part."""
    found = judged()
    assert found.passed, [r.sentence for r in found.gates if not r.passed]
    assert found.value("risk.k@people") == 10
    assert found.value("risk.l@people") == 2
    assert found.value("risk.k_joined@people") == 5
    assert found.value("leak.cells") == 0
    assert found.value("suite.contract") == 1
    assert found.value("contract.orphans@visits.id") == 0
    assert found.value("utility.suppressed@people") == pytest.approx(2 / 12, abs=1e-6)
    assert found.value("utility.pair_trends@visits") is not None
    assert {diff.column for diff in found.diffs} == {"id", "name", "age", "ill", "code", "cost"}
    assert "Canary" not in found.model_dump_json()
    assert all(m.internal for m in found.measures if "before" in m.name)


@pytest.mark.parametrize(
    ("after", "lost", "gate"),
    [
        ({**AFTER, "people": GONE.with_columns(age=pl.concat([pl.Series(["40-49"]), pl.Series(["30-39"] * 9)]))}, None, "risk.k"),
        ({**AFTER, "visits": AFTER["visits"].filter(pl.col("id") != TOKENS[3])}, {"people": 2, "visits": 6}, "risk.k_joined"),
        ({**AFTER, "people": GONE.with_columns(age=pl.lit("of Canary PERSONa"))}, None, "leak.cells"),
        (AFTER, {"people": 2, "visits": 0}, "suite.contract"),
        ({**AFTER, "visits": tokens(VISITS)}, {"people": 2}, "suite.contract"),
    ],
)
def test_a_bad_release_fails_at_its_gate(after, lost, gate):
    """Each planted fault fails the gate that is there for it."""
    found = judged(after, lost=lost)
    assert not found.passed
    assert gate in {result.gate.measure for result in found.failed}


def test_user_suites_and_metrics_suites_are_judged():
    """A user's failed expectation fails the release; a suite for no table fails; metrics can be judged."""
    one = {"expectations": [{"type": "expect_column_mean_to_be_between", "kwargs": {"column": "cost", "max_value": 100}}]}
    metrics = {"expectations": [{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "value"}}]}
    good = judged(plan=made_plan(suites={"visits": json.dumps(one), "metrics": json.dumps(metrics)}))
    assert good.passed
    assert good.value("suite.user") == 1
    assert not judged(plan=made_plan(suites={"nowhere": json.dumps(one)})).passed


def test_policy_gates_are_judged():
    """A policy's gate on l, and one on a measure that nothing has."""
    assert not judged(plan=made_plan(diversity=3)).passed
    assert not judged(plan=made_plan(gates=(Gate(measure="risk.k@nowhere", min=1),))).passed


def test_a_missing_table_is_a_sentence():
    """Nothing is judged half."""
    with pytest.raises(PlanError, match="'people'"):
        verify_tables({}, {}, made_plan(), None, suppressed_rows={})  # type: ignore[arg-type]


NAMES = ["^.*$", "__proto__", 'a "b".c', "x\ny", "🙂", "<script>", "c0", "n" * 10_000, "*", " "]
cells = st.sampled_from([None, "", "a", "b@c.de", "\u0000", "=1+1"])


@settings(max_examples=8, deadline=None)
@given(rows=st.lists(st.tuples(*[cells] * len(NAMES)), max_size=6))
@pytest.mark.slow
def test_hostile_names_and_values_are_judged(rows):
    """Any names, zero rows, nulls only: a verdict, never an exception."""
    frame = pl.DataFrame(rows, schema=dict.fromkeys(NAMES, pl.String), orient="row")
    what = {NAMES[0]: (Keep(), Role.QUASI), NAMES[1]: (Keep(), Role.DIRECT), NAMES[2]: (Drop(), Role.DIRECT)}
    plan = plan_of(table_plan("t", frame, what))
    found = verdict({"t": frame}, {"t": frame.select(pl.Series(n, frame[n]) for n in NAMES if n != NAMES[2])}, plan)
    assert found.value("suite.contract") == 1
    assert len(found.diffs) == len(NAMES)


def test_the_verdict_does_not_depend_on_row_order():
    """The same rows in another order give the same measures."""
    mixed = {name: frame.sample(fraction=1, shuffle=True, seed=4) for name, frame in AFTER.items()}
    assert judged(mixed).model_dump() == judged().model_dump()


# ------------------------------------------------------------------------------------------------------------------------- recheck


@pytest.fixture
def published(tmp_path):
    """A release folder and its manifest."""
    manifest = release(tmp_path / "r1", AFTER, made_plan(), judged())
    (tmp_path / "r1" / "manifest.json").write_text("{}")
    return tmp_path / "r1", manifest


def failed(folder, manifest):
    """Names of failed checks."""
    return [check.name for check in recheck_release(folder, manifest).checks if check.status is CheckStatus.FAILED]


def test_an_untouched_release_is_consistent(published):
    """Everything verifiable is recomputed and equal; the rest is said to be not verifiable."""
    result = recheck_release(*published)
    assert failed(*published) == []
    assert result.passed
    assert not result.authenticated
    by_name = {check.name: check for check in result.checks}
    for name in (
        "risk.k@people",
        "risk.l@people",
        "risk.k_joined@people",
        "suite.contract@people",
        "gate:risk.k@people",
        "contract.orphans@visits.id",
    ):
        assert by_name[name].status is CheckStatus.OK, name
    for name in ("leak scan", "attacks", "utility suite", "gate:leak.cells", "utility.column_shapes"):
        assert by_name[name].status is CheckStatus.NOT_VERIFIABLE


def test_a_changed_byte_is_found(published):
    """One bit of one file."""
    path = published[0] / "people" / "part-00001.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "sha256:people/part-00001.parquet" in failed(*published)


def test_a_missing_and_an_extra_file_are_found(published):
    """Fewer or more files than listed, hidden ones, folders and links included."""
    folder, manifest = published
    for extra in ("people/part-00002.parquet", "people/.hidden", "other.parquet", "visits/more/x"):
        (folder / extra).parent.mkdir(exist_ok=True)
        (folder / extra).write_text("")
        assert any(name.startswith("extra:") for name in failed(folder, manifest))
        (folder / extra).unlink()
    (folder / "visits" / "more").rmdir()
    (folder / "visits" / "part-00000.parquet").rename(folder.parent / "away.parquet")
    assert "sha256:visits/part-00000.parquet" in failed(folder, manifest)
    (folder / "visits" / "part-00000.parquet").symlink_to(folder.parent / "away.parquet")
    assert "sha256:visits/part-00000.parquet" in failed(folder, manifest)


def test_a_path_outside_the_release_is_refused(published):
    """A manifest cannot make us read elsewhere."""
    folder, manifest = published
    first = manifest.tables[0]
    for path in ("../away", "/etc/hostname", "people/../../x"):
        files = (first.files[0].model_copy(update={"path": path}), first.files[1])
        other = manifest.model_copy(update={"tables": (first.model_copy(update={"files": files}), manifest.tables[1])})
        assert f"sha256:{path}" in failed(folder, other)


def test_wrong_claims_are_found(published):
    """A k that is not so, a type, a row count, a release id, a broken contract."""
    folder, manifest = published
    measures = tuple(m.model_copy(update={"value": 11}) if m.name == "risk.k@people" else m for m in manifest.measures)
    assert "risk.k@people" in failed(folder, manifest.model_copy(update={"measures": measures}))
    none = tuple(m for m in manifest.measures if m.name != "risk.k@people")
    assert "risk.k@people" in failed(folder, manifest.model_copy(update={"measures": none}))
    assert any(name.startswith("release_id:") for name in failed(folder, manifest.model_copy(update={"release_id": "r2"})))
    first = manifest.tables[0].model_copy(update={"rows": 99})
    assert "rows@people" in failed(folder, manifest.model_copy(update={"tables": (first, manifest.tables[1])}))
    suites = {"people": {"name": "s", "expectations": [{"type": "expect_table_row_count_to_equal", "kwargs": {"value": 1}}]}}
    assert "suite.contract@people" in failed(folder, manifest.model_copy(update={"contract": suites}))
    gates = tuple(
        g.model_copy(update={"gate": Gate(measure="risk.k", min=99)}) if g.measure == "risk.k@people" else g for g in manifest.gates
    )
    assert "gate:risk.k@people" in failed(folder, manifest.model_copy(update={"gates": gates}))


def test_footers_that_tell_are_found(published):
    """Minimum and maximum of a masked column, and pandas metadata."""
    import hashlib

    folder, manifest = published
    listed = manifest.tables[0].files[0]
    arrow = pq.read_table(folder / listed.path)
    pq.write_table(arrow.replace_schema_metadata({b"tamis.release_id": b"r1", b"pandas": b"{}"}), folder / listed.path)
    data = (folder / listed.path).read_bytes()
    files = (listed.model_copy(update={"sha256": hashlib.sha256(data).hexdigest()}), manifest.tables[0].files[1])
    first = manifest.tables[0].model_copy(update={"files": files})
    names = failed(folder, manifest.model_copy(update={"tables": (first, manifest.tables[1])}))
    assert f"pandas metadata:{listed.path}" in names
    assert f"statistics of masked columns:{listed.path}" in names

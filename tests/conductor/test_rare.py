"""Laws of rare identifiers from policy to release: models, alternatives, local recoding, populations, the nightly increment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.conductor.small import KEY

import tamis
from tamis.conductor import plan_job
from tamis.core.actions import Generalize
from tamis.core.errors import PolicyError

QUASI = ("age", "job", "town")


def people(rows: int = 400, seed: int = 1) -> pl.DataFrame:
    """Ages, jobs, towns and an illness; some of each are rare."""
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "age": random.gamma(6, 7, rows).clip(0, 99).astype(np.int64),
            "job": random.choice(["cook", "clerk", "nurse", "driver", "smith"], rows, p=[0.4, 0.3, 0.2, 0.08, 0.02]),
            "town": random.choice(["north", "south", "east", "west"], rows),
            "illness": random.choice(["flu", "cold", "gout"], rows, p=[0.6, 0.3, 0.1]),
        }
    )


def policy(columns: dict[str, Any] | None = None, **privacy: Any) -> dict[str, Any]:
    """Three quasi-identifiers are generalized, the illness stays."""
    stated = {name: {"generalize": {"to": "auto"}, "role": "quasi"} for name in QUASI}
    stated["illness"] = {"keep": "the question", "role": "sensitive"}
    return {
        "version": 1,
        "purpose": "test",
        "privacy": {"k": 4, "max_suppressed": 0.1} | privacy,
        "tables": {"people": {"columns": stated | (columns or {})}},
    }


def plan(stated: dict[str, Any], frame: pl.DataFrame | None = None, **more: Any) -> tamis.Plan:
    """A plan for the frame."""
    return tamis.build_plan({"people": people() if frame is None else frame}, stated, key=lambda: KEY, **more)


def apply(made: tamis.Plan, frame: pl.DataFrame, folder: Path) -> tamis.Release:
    """Apply it to a frame."""
    return tamis.apply_plan(made, {"people": frame}, folder / "out", state=folder / "state", key=lambda: KEY)


def written(release: tamis.Release) -> pl.DataFrame:
    """The rows of the release."""
    assert release.path is not None, [gate.sentence for gate in release.verdict.failed]
    return pl.read_parquet(release.path / "people" / "*.parquet")


def figure(release: tamis.Release, name: str) -> float:
    """One measure of the verdict."""
    return {measure.name: measure.value for measure in release.verdict.measures}[name] or 0.0


def smallest(frame: pl.DataFrame) -> int:
    """Rows of the smallest class."""
    return int(frame.group_by(QUASI).len()["len"].min() or 0)  # type: ignore[arg-type]


def test_a_person_picks_an_alternative_and_the_plan_says_so() -> None:
    """The levels are pinned, the rule names the alternative, the figures are its own; the rest of the plan is the same."""
    plain = plan(policy())
    classes = plain.table("people").classes
    assert classes is not None
    assert len(classes.alternatives) > 2
    picked = plan(policy(), alternatives={"people": 3})
    table, option = picked.table("people"), classes.alternatives[2]
    assert table.classes is not None
    assert (table.classes.levels, table.classes.loss, table.classes.suppressed_rows) == (option.levels, option.loss, option.suppressed_rows)
    for name in QUASI:
        column = table.column(name)
        assert isinstance(column.action, Generalize)
        assert column.action.level == option.levels[name]
        assert column.rule == "policy+alternative:3"
    assert table.column("illness") == plain.table("people").column("illness")
    assert picked.digest != plain.digest
    with pytest.raises(PolicyError, match="no alternative 77"):
        plan(policy(), alternatives={"people": 77})
    with pytest.raises(PolicyError, match="no table 'persons'"):
        plan(policy(), alternatives={"persons": 1})


def test_the_trade_off_is_made_on_demand_only() -> None:
    """Curves cost searches: they are drawn where someone asks for them, and the plan does not depend on it."""
    without, curves = (plan_job({"people": people()}, policy(), key=lambda: KEY, trade_off=asked) for asked in (False, True))
    assert without.trade_offs == ()
    assert [curve.table for curve in curves.trade_offs] == ["people"]
    assert curves.plan.digest == without.plan.digest


@pytest.mark.parametrize(("recoding", "limit"), [("full-domain", 0.2), ("local", 0.6)])
def test_the_nightly_increment_keeps_k_under_an_old_plan(tmp_path: Path, recoding: str, limit: float) -> None:
    """New words, new places, numbers out of bounds: they become OTHER or are suppressed, and every class of the release has k.

    Local recoding fits its classes to the rows it was planned with: another night's rows fill fewer of them.
    """
    made = plan(policy(recoding=recoding, k=5, max_suppressed=limit))
    tonight = people(300, seed=2).with_columns(
        age=pl.when(pl.int_range(pl.len()) % 29 == 0).then(pl.lit(999)).otherwise("age"),
        job=pl.when(pl.int_range(pl.len()) % 31 == 0).then(pl.lit("astronaut")).otherwise("job"),
    )
    release = apply(made, tonight, tmp_path)
    out = written(release)
    assert smallest(out) >= 5
    assert "astronaut" not in out["job"].cast(pl.String).to_list()
    assert figure(release, "utility.suppressed@people") == pytest.approx(1 - out.height / 300, abs=1e-6)


def test_an_increment_that_loses_too_much_is_not_published(tmp_path: Path) -> None:
    """Classes below k are suppressed and counted, and the gate decides: another population needs another plan."""
    made = plan(policy(k=5, max_suppressed=0.05))
    random = np.random.default_rng(3)
    other = people(60, seed=4).with_columns(town=pl.Series(random.choice(["north", "south", "east", "west"], 60)), age=pl.int_range(20, 80))
    release = apply(made, other, tmp_path)
    assert not release.published
    assert any("utility.suppressed" in gate.measure for gate in release.verdict.failed)


def test_local_recoding_is_released_and_loses_less(tmp_path: Path) -> None:
    """Every class of the written file has k rows, nothing but labels of the ladders leaves, and l holds per class."""
    made = plan(policy(recoding="local", l=2))
    level = plan(policy(l=2))
    local, full = made.table("people").classes, level.table("people").classes
    assert local is not None
    assert full is not None
    assert (local.loss or 0) <= (full.loss or 0)
    out = written(apply(made, people(), tmp_path))
    assert smallest(out) >= 4
    assert int(out.group_by(QUASI).agg(pl.col("illness").n_unique())["illness"].min()) >= 2  # type: ignore[call-overload]
    allowed = {label for cell in local.cells for label in cell.labels}
    assert {label for name in QUASI for label in out[name].to_list()} <= allowed


def test_the_population_decides_with_k_map(tmp_path: Path) -> None:
    """Each released class matches k_map persons of a population that is read beside the table, under other names."""
    everyone = people(4000, seed=9).select(pl.col("age").alias("years"), "job", "town")
    everyone.write_csv(tmp_path / "everyone.csv")
    stated = policy(k=2, k_map=30, population={"source": str(tmp_path / "everyone.csv"), "columns": {"age": "years"}}, max_suppressed=0.3)
    made = plan(stated)
    release = apply(made, people(), tmp_path)
    assert figure(release, "risk.k_map@people") >= 30
    assert smallest(written(release)) >= 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"k_map": 5, "population": {"source": "nowhere.csv"}}, "population cannot be read"),
        ({"t": 0.3, "distance": "hierarchical"}, "needs a hierarchy of this sensitive"),
        ({"recoding": "local", "loss": "geometric"}, "weighs losses arithmetically"),
        ({"l": 2, "diversity": "recursive"}, "'c' and 'diversity: recursive' belong together"),
        ({"k_map": 5}, "belong together"),
    ],
)
def test_models_that_cannot_be_had_are_refused(change: dict[str, Any], said: str) -> None:
    """The sentence says what is missing, before anything is searched."""
    with pytest.raises(PolicyError, match=said):
        plan(policy(**change))


def test_a_population_without_a_quasi_identifier_is_refused(tmp_path: Path) -> None:
    """A missing column, and one of another type, are named."""
    people(50).select("job", pl.col("age").cast(pl.String).alias("age") + "y").write_csv(tmp_path / "p.csv")
    with pytest.raises(PolicyError) as caught:
        plan(policy(k_map=5, population={"source": str(tmp_path / "p.csv")}))
    assert "no column 'town'" in str(caught.value)
    assert "'age' is text" in str(caught.value)


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ({"to": "hierarchy"}, "names no hierarchy"),
        ({"to": "band", "hierarchy": "countries"}, "has no meaning with to: band"),
        ({"level": 1, "max_level": 2}, "state one of them"),
        ({"to": "band", "level": 1}, "'level' has no meaning"),
        ({"order": ["1", "2"]}, "'order' is for categories"),
    ],
)
def test_parameters_without_a_meaning_are_refused(action: dict[str, Any], said: str) -> None:
    """Contradicting parameters of generalize are an error and not ignored."""
    with pytest.raises(PolicyError, match=said):
        plan(policy({"age": {"generalize": action, "role": "quasi"}}))


def test_diversity_without_a_sensitive_column_is_said() -> None:
    """l protects what leaves; where nothing sensitive does, the plan says that it says nothing."""
    made = plan(policy({"illness": "drop"}, l=2))
    assert any("no sensitive column leaves" in warning for warning in made.table("people").warnings)

"""Local recoding from policy to release: what is published is k-anonymous, loses less than one node does, and is checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import tamis
from tamis.keys import MasterKey

KEY = MasterKey(bytes(range(32)))
QUASI = ["age", "job", "sex", "zip"]


def people(rows: int, seed: int) -> pl.DataFrame:
    """Skewed ages and jobs, a few areas."""
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "age": np.minimum(90, 18 + random.gamma(2.0, 10.0, rows)).astype(np.int64),
            "job": random.choice(["nurse", "doctor", "smith", "pilot", "clerk", "cook"], rows, p=[0.3, 0.2, 0.2, 0.05, 0.2, 0.05]),
            "sex": random.choice(["f", "m"], rows),
            "zip": [f"{code:05d}" for code in random.integers(10_000, 10_040, rows)],
            "score": random.integers(0, 9, rows),
        }
    )


def policy() -> dict[str, Any]:
    """Everything generalized as far as it takes, row by row."""
    columns: dict[str, Any] = {name: {"generalize": {"to": "auto"}, "role": "quasi"} for name in ("age", "job", "zip")}
    columns |= {"sex": {"keep": "needed", "role": "quasi"}, "score": {"keep": "needed", "role": "none"}}
    privacy = {"k": 5, "max_suppressed": 0.05, "recoding": "local"}
    return {"version": 1, "purpose": "Show local recoding", "privacy": privacy, "tables": {"people": {"columns": columns}}}


@pytest.mark.slow
def test_a_job_with_local_recoding_releases_classes_of_k_at_mixed_levels(tmp_path: Path) -> None:
    """The release has classes of at least k rows, labels of several levels in one column, and passes its own verification."""
    frame = people(600, 1)
    release = tamis.run_job({"people": frame}, policy(), tmp_path / "out", state=tmp_path / "state", key=KEY)
    assert release.published
    got = pl.read_parquet(tmp_path / "out" / "current" / "people" / "*.parquet")
    assert got.group_by(QUASI).len()["len"].min() >= 5
    assert len(got) >= 570
    assert got["age"].str.len_chars().n_unique() > 1
    assert got.schema["score"] == pl.Int64


@pytest.mark.slow
def test_the_same_cells_on_new_data_suppress_what_falls_below_k(tmp_path: Path) -> None:
    """The nightly increment: a plan's cells on other rows release no class below k, and no label that the plan does not have."""
    plan = tamis.build_plan({"people": people(600, 1)}, policy(), key=KEY)
    classes = plan.table("people").classes
    assert classes is not None
    known = {cell.labels for cell in classes.cells}
    loose = plan.model_copy(update={"privacy": plan.privacy.model_copy(update={"max_suppressed": 1.0}), "gates": ()})
    tamis.apply_plan(loose, {"people": people(300, 2)}, tmp_path / "out", state=tmp_path / "state", key=KEY)
    got = pl.read_parquet(tmp_path / "out" / "current" / "people" / "*.parquet")
    assert got.group_by(QUASI).len()["len"].min() >= 5
    order = [QUASI.index(name) for name in classes.quasi_identifiers]
    assert {tuple(row[i] for i in order) for row in got.select(QUASI).rows()} <= known

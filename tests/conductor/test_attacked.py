"""Attacks in a whole run: tried on a shadow release, said in manifest and report, refused loudly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.conductor.small import KEY

import tamis
from tamis.conductor.inputs import Silent, key_of, load_tables
from tamis.conductor.shadowing import make_shadows
from tamis.core.policy import ReadOptions
from tamis.write.manifest import load_manifest


def people(rows: int = 600) -> pl.DataFrame:
    """Ages, towns and an illness."""
    random = np.random.default_rng(1)
    return pl.DataFrame(
        {
            "age": random.integers(20, 80, rows),
            "town": random.choice(["north", "south"], rows),
            "illness": random.choice(["flu", "cold"], rows),
        }
    )


def policy(**more: Any) -> dict[str, Any]:
    """Bands of age, towns as they are, an illness that stays."""
    columns = {
        "age": {"generalize": {"to": "band", "width": 20}, "role": "quasi"},
        "town": {"keep": "the question", "role": "quasi"},
        "illness": {"keep": "the question", "role": "sensitive"},
    }
    return {"version": 1, "purpose": "test", "privacy": {"k": 4, "max_suppressed": 0.1}, "tables": {"people": {"columns": columns}}} | more


def run(frame: pl.DataFrame, folder: Path, **more: Any) -> tamis.Release:
    """Plan and apply."""
    return tamis.run_job({"people": frame}, policy(**more), folder / "out", state=folder / "state", key=lambda: KEY)


def test_a_run_attacks_its_release(tmp_path: Path) -> None:
    """Figures are in the manifest, before-figures are not; the report has a section; rows in another order give the same figures."""
    release = run(people(), tmp_path)
    assert release.manifest is not None
    taken = {measure.name: measure for measure in load_manifest(release.manifest).measures}
    assert taken["attack.run"].value == 1
    assert taken["attack.linkage@people"].value <= 1 / 4
    assert "attack.membership_model_original@people" not in taken
    assert "What do attackers get?" in release.report.read_text(encoding="utf-8")
    again = run(people().sample(fraction=1.0, shuffle=True, seed=3), tmp_path / "again")
    attacks = [[m for m in one.verdict.measures if m.name.startswith("attack.") and "order" not in m.name] for one in (release, again)]
    assert attacks[0] == attacks[1]


def test_forbidden_attacks_are_said_aloud(tmp_path: Path) -> None:
    """The manifest says that nothing was tried, and a gate warns."""
    release = run(people(), tmp_path, attacks={"run": False})
    assert release.manifest is not None
    manifest = load_manifest(release.manifest)
    assert [measure.value for measure in manifest.measures if measure.name.startswith("attack.")] == [0]
    assert [gate.measure for gate in manifest.gates if not gate.passed and gate.gate.severity == "warn"].count("attack.run") == 1


@pytest.mark.parametrize("limit", [1_000, 20_000])
def test_a_shadow_holds_out_persons_not_rows(limit: int) -> None:
    """All rows of a person are used or none is; rows know whose they are; a large table is sampled by whole classes."""
    frame = people(3_000).with_columns(who=pl.Series(np.arange(3_000) // 3))
    stated = policy(attacks={"rows": limit})
    stated["tables"]["people"]["columns"]["who"] = {"pseudonymize": {"domain": "person"}}
    stated["privacy"] |= {"unit": "people.who"}
    plan = tamis.build_plan({"people": frame}, stated, key=lambda: KEY)
    (table,) = load_tables({"people": frame}, lambda _: ReadOptions(), Silent(), {})
    (shadow,) = make_shadows(plan, {"people": table}, plan.tables, key_of(lambda: KEY, None, Path()), "s", {}).values()
    rows = shadow.table.frame.collect()
    used = set(rows.filter(pl.Series(shadow.member))["who"])
    assert not used & set(rows.filter(~pl.Series(shadow.member))["who"])
    assert 0.1 < 1 - len(used) / rows["who"].n_unique() < 0.3
    assert rows["town"][shadow.row].equals(shadow.released["town"])
    assert rows.height == 3_000 if limit > 3_000 else rows.height < 3_000

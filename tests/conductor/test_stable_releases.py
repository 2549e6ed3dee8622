"""Stable pseudonyms: every release is judged together with the live ones it can be joined to (decision 3)."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import tamis
from tamis.core.record import Measure, Release
from tamis.keys import MasterKey
from tamis.write.manifest import load_manifest

POLICY = {
    "purpose": "follow customers over time",
    "privacy": {"k": 2, "max_suppressed": 0.5},
    "tables": {
        "people": {
            "columns": {
                "id": {
                    "pseudonymize": {"domain": "person", "link": "stable"},
                    "reason": "a panel over time",
                    "role": "direct",
                },
                "town": {"keep": "needed", "role": "quasi"},
                "step": {"keep": "needed", "role": "none"},
            }
        }
    },
}


def night(towns: list[str], step: int) -> dict[str, pl.DataFrame]:
    """One night's table."""
    return {"people": pl.DataFrame({"id": [f"customer {i}" for i in range(len(towns))], "town": towns, "step": [step] * len(towns)})}


def test_a_second_release_that_singles_out_is_not_published(tmp_path: Path) -> None:
    """Each night is 2-anonymous; together they leave everybody alone, so the second does not leave."""
    out, key = tmp_path / "out", MasterKey(bytes(range(32)))
    first = tamis.run_job(night(["a", "a", "b", "b"], 1), POLICY, out, state=tmp_path / "state", key=key)
    assert first.published
    same = tamis.run_job(night(["a", "a", "b", "b"], 2), POLICY, out, state=tmp_path / "state", key=key)
    assert same.published
    other = tamis.run_job(night(["a", "b", "a", "b"], 3), POLICY, out, state=tmp_path / "state", key=key)
    assert [result.measure for result in other.verdict.failed] == ["risk.k_releases@people"]
    assert other.verdict.value("risk.k_joined@people") in (None, 2)
    newcomer = tamis.run_job(night(["a", "a", "b", "b", "b"], 4), POLICY, out, state=tmp_path / "state", key=key)
    assert [result.measure for result in newcomer.verdict.failed] == ["risk.k_releases@people"]
    assert all("k_releases" not in measure.name for measure in _published(first))


def _published(release: Release) -> list[Measure]:
    assert release.manifest is not None
    return list(load_manifest(release.manifest).measures)

"""A small job for the library: two frames, a policy as a value, a key as bytes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import polars as pl

import tamis

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))

POLICY: dict[str, Any] = {
    "version": 1,
    "purpose": "Show the library",
    "privacy": {"k": 3, "max_suppressed": 0.2},
    "references": {"visits.person": "people.person"},
    "tables": {
        "people": {
            "key": "person",
            "columns": {
                "person": {"pseudonymize": {"domain": "person"}},
                "area": {"keep": "the question is about areas", "role": "quasi"},
                "age": {"generalize": {"to": "band", "width": 20}, "role": "quasi"},
                "note": "drop",
            },
        },
        "visits": {
            "columns": {
                "person": {"pseudonymize": {"domain": "person"}},
                "cost": {"top_bottom_code": {}, "role": "none"},
            }
        },
    },
}


def policy(**changes: Any) -> dict[str, Any]:
    """The policy with some of its keys replaced."""
    return copy.deepcopy(POLICY) | changes


def people(rows: int = 40) -> pl.DataFrame:
    """Persons of two areas and three age bands."""
    return pl.DataFrame(
        {
            "person": [f"p{i:03d}" for i in range(rows)],
            "area": ["north" if i % 2 else "south" for i in range(rows)],
            "age": [20 + (i * 7) % 60 for i in range(rows)],
            "note": [f"remark {i}" for i in range(rows)],
        }
    )


def visits(rows: int = 60) -> pl.DataFrame:
    """Visits of the persons."""
    return pl.DataFrame({"person": [f"p{(i * 11) % 40:03d}" for i in range(rows)], "cost": [10.0 + i for i in range(rows)]})


class Job:
    """The frames, the policy and a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.frames: dict[str, Any] = {"people": people(), "visits": visits()}
        self.policy = policy()
        self.out = folder / "out"
        self.release: tamis.Release | None = None

    def plan(self, **more: Any) -> tamis.Plan:
        """Build the plan."""
        return tamis.build_plan(more.pop("data", self.frames), more.pop("policy", self.policy), key=lambda: KEY, **more)

    def apply(self, plan: Any, out: str = "out", **more: Any) -> tamis.Release:
        """Apply a plan (value or path)."""
        options = {"state": self.folder / f"{out}.state", "key": lambda: KEY} | more
        return tamis.apply_plan(plan, options.pop("data", self.frames), self.folder / out, **options)

    def run(self, out: str = "out", **more: Any) -> tamis.Release:
        """Plan and apply."""
        options = {"state": self.folder / f"{out}.state", "key": lambda: KEY} | more
        release = tamis.run_job(options.pop("data", self.frames), options.pop("policy", self.policy), self.folder / out, **options)
        self.release = release
        return release


def content(release: tamis.Release) -> dict[str, bytes]:
    """Bytes of every file of a release, by relative path."""
    assert release.path is not None, [gate.sentence for gate in release.verdict.failed]
    return {path.relative_to(release.path).as_posix(): path.read_bytes() for path in sorted(release.path.rglob("*")) if path.is_file()}

"""Attacks before and after: on the tables as they are, and on what `tamis init --accept` makes of them; and the time they take.

    python bench/attacks.py --tables FILE... [--target COLUMN]   attack figures of the originals and of the release, by table
    python bench/attacks.py --rows 1000000                       synthetic table: seconds of shadow release and attacks, and of a copy

Before: the same attacks on a shadow release in which every column is kept. Figures, intervals and gates are those of a run.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from tamis.conductor import build_plan, draft_policy
from tamis.conductor.applying import parents_first
from tamis.conductor.inputs import Silent, key_of, load_tables
from tamis.conductor.shadowing import make_shadows
from tamis.core.actions import Keep
from tamis.core.plan import Plan
from tamis.core.policy import Privacy, ReadOptions
from tamis.core.record import Measure
from tamis.core.types import DatasetProfile, Table
from tamis.keys import MasterKey
from tamis.verify.attacks import attack_tables
from tamis.verify.gates import judge


def say(text: str) -> None:
    """One line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def raw(plan: Plan) -> Plan:
    """The same plan with every column as it is, and nothing left out."""
    tables = tuple(
        table.model_copy(
            update={
                "columns": tuple(column.model_copy(update={"action": Keep()}) for column in table.columns),
                "classes": table.classes and table.classes.model_copy(update={"recoding": "full-domain", "k": 1}),
            }
        )
        for table in plan.tables
    )
    return plan.model_copy(update={"tables": tables, "privacy": plan.privacy.model_copy(update={"k": 1})})


def attacked(plan: Plan, tables: dict[str, Table], profile: DatasetProfile, key: MasterKey) -> tuple[list[Measure], float]:
    """Figures and seconds. The written files are stood in for by the shadow: positions are measured in a run."""
    begun = time.perf_counter()
    shadows = make_shadows(plan, tables, parents_first(plan.tables), key_of(key, None, Path()), "bench", {})
    some = {name: shadow.table for name, shadow in shadows.items()}
    used = plan.model_copy(update={"tables": tuple(table for table in plan.tables if table.name in shadows)})
    released = {name: shadow.released.lazy() for name, shadow in shadows.items()}
    return attack_tables(some, released, shadows, used, profile), time.perf_counter() - begun


def compare(file: Path, target: str | None) -> None:
    """One table: before and after, and the gates that do not hold after."""
    key = MasterKey(secrets.token_bytes(32))
    with tempfile.TemporaryDirectory() as folder:
        text, profiled = draft_policy([file], accept=True)
        policy = Path(folder) / "policy.yaml"
        policy.write_text(text + (f"\ntarget: {file.stem}.{target}\n" if target else ""), encoding="utf-8")
        plan = build_plan([file], policy, key=key)
        tables = {table.name: table for table in load_tables([file], lambda _: ReadOptions(), Silent(), {})}
        before, _ = attacked(raw(plan), tables, profiled.profile, key)
        after, seconds = attacked(plan, tables, profiled.profile, key)
    found = {measure.name: measure for measure in before}
    say(f"\n{file.stem}: {next(iter(tables.values())).rows} rows, attacks after: {seconds:.1f} s")
    for measure in sorted({*found, *(m.name for m in after)}):
        if "order" in measure or "_original" in measure:
            continue
        sides = [found.get(measure), next((m for m in after if m.name == measure), None)]
        shown = ["-" if m is None else f"{m.value:.3f} ({m.low:.3f} to {m.high:.3f}) of {m.of}" for m in sides]
        say(f"  {measure.removeprefix('attack.')[:50]:50} {shown[0]:32} -> {shown[1]}")
    failed = [r for r in judge((), plan.privacy, after, expected=frozenset()) if not r.passed and r.gate.measure.startswith("attack.")]
    say("  gates: " + (", ".join(f"{r.measure} {r.gate.severity}s" for r in failed if "order" not in r.measure) or "all hold"))


def speed(rows: int) -> None:
    """A table of persons with eight columns: seconds of attacks against those of a polars copy."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "age": rng.integers(18, 90, rows),
            "zip": rng.integers(1000, 9999, rows),
            "sex": rng.choice(["f", "m"], rows),
            "job": rng.choice([f"job {i}" for i in range(20)], rows),
            "pay": rng.normal(3000, 900, rows).round(2),
            "ill": rng.choice(["flu", "gout", "cold", "none"], rows),
            "visits": rng.poisson(3, rows),
            "score": rng.normal(size=rows),
        }
    )
    kept = {"keep": "bench"}
    columns = {name: dict(kept) for name in frame.columns} | {
        "age": {"generalize": {"to": "band", "width": 10}, "role": "quasi"},
        "zip": {"generalize": {"to": "band", "width": 1000}, "role": "quasi"},
        "sex": {**kept, "role": "quasi"},
        "ill": {**kept, "role": "sensitive"},
    }
    policy = {"version": 1, "purpose": "bench", "privacy": Privacy().model_dump(mode="json", exclude_none=True) | {"max_suppressed": 0.5}}
    policy["tables"] = {"people": {"columns": columns}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.parquet"
        frame.write_parquet(path)
        begun = time.perf_counter()
        pl.scan_parquet(path).sink_parquet(Path(folder) / "copy.parquet")
        copy = time.perf_counter() - begun
        key = MasterKey(secrets.token_bytes(32))
        plan = build_plan({"people": path}, policy, key=key)
        tables = {table.name: table for table in load_tables({"people": path}, lambda _: ReadOptions(), Silent(), {})}
        found, seconds = attacked(plan, tables, DatasetProfile(tables=()), key)
    say(f"{rows} rows: attacks {seconds:.1f} s, {seconds / copy:.0f} times a polars copy ({copy:.2f} s); {len(found)} figures")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", type=Path, default=[])
    parser.add_argument("--target")
    parser.add_argument("--rows", type=int, default=0)
    given = parser.parse_args()
    for file in given.tables:
        compare(file, given.target)
    if given.rows:
        speed(given.rows)


if __name__ == "__main__":
    main()

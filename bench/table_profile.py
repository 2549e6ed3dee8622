"""Speed and memory of what `tamis profile` says about several columns at once, as ratios to a plain scan of the same file.

    python bench/table_profile.py [--rows 1000000] [--json OUT]

Makes a table of 12 mixed columns (seeded), then measures in one process each: a streaming scan of all columns (null counts), the
single-column profile, what holds between columns (keys, dependencies, associations), and the search for column sets that single
people out. Ratios count; seconds are those of this machine. Peak memory is the resident set of the process that ran that stage last.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl


def make(path: Path, rows: int) -> None:
    """Persons with a key, quasi-identifiers, measures and a dependency (zip -> city)."""
    rng = np.random.default_rng(7)
    chunk = min(rows, 1_000_000)
    cities = pl.Series([f"City {i:03d}" for i in range(300)])
    parts = []
    for start in range(0, rows, chunk):
        n = min(chunk, rows - start)
        zips = (rng.pareto(1.2, n) * 120).astype(np.int64) % 9_000
        part = pl.DataFrame(
            {
                "person_id": pl.Series(np.arange(start, start + n)).cast(pl.String).str.zfill(10),
                "birth_date": pl.Series(rng.integers(-12_000, 14_000, n)).cast(pl.Int32).cast(pl.Date),
                "sex": pl.Series(["f", "m", "x"]).gather(rng.choice(3, n, p=[0.5, 0.49, 0.01])),
                "zip": (pl.Series(zips) + 10_000).cast(pl.String),
                "city": cities.gather(zips // 30),
                "job": pl.Series([f"job {i}" for i in range(400)]).gather(np.minimum(rng.geometric(0.02, n), 399)),
                "income": np.exp(rng.normal(10, 0.7, n)).round(2),
                "children": rng.poisson(1.1, n),
                "married": rng.random(n) < 0.5,
                "diagnosis": pl.Series([f"{chr(65 + i % 26)}{i:02d}" for i in range(90)]).gather(np.minimum(rng.geometric(0.06, n), 89)),
                "joined": pl.Series(rng.integers(15_000, 20_000, n)).cast(pl.Int32).cast(pl.Date),
                "visits": rng.negative_binomial(2, 0.1, n),
            }
        )
        piece = path.with_name(f"part-{start:012d}.parquet")
        part.write_parquet(piece)
        parts.append(piece)
    pl.scan_parquet(parts).sink_parquet(path)
    for piece in parts:
        piece.unlink()


def main() -> int:
    """Run and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.parquet"
        make(path, options.rows)
        found = measure(path)
    text = json.dumps(found, indent=2)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    print(text)  # a benchmark prints
    return 0


def measure(path: Path) -> dict[str, Any]:
    """All stages, in the order of the flow."""
    from tamis.conductor.inputs import Silent, load_tables
    from tamis.core.policy import ReadOptions
    from tamis.core.types import Finding, Findings, Role
    from tamis.profile import find_quasi_sets, profile_tables, tables

    def timed(work: Callable[[], Any]) -> tuple[Any, float]:
        start = time.perf_counter()
        return work(), time.perf_counter() - start

    _, scan = timed(lambda: pl.scan_parquet(path).null_count().collect(engine="streaming"))
    _, scan = timed(lambda: pl.scan_parquet(path).select(pl.all().approx_n_unique()).collect(engine="streaming"))
    (table,) = load_tables([str(path)], lambda _: ReadOptions(), Silent(), {})
    related = tables.__dict__["_related"]
    between: list[float] = []

    def clocked(*arguments: Any) -> Any:
        found, seconds = timed(lambda: related(*arguments))
        between.append(seconds)
        return found

    tables.__dict__["_related"] = clocked
    profile, whole = timed(lambda: profile_tables([table], k=5))
    tables.__dict__["_related"] = related
    roles = {"person_id": Role.DIRECT, "income": Role.SENSITIVE, "diagnosis": Role.SENSITIVE}
    roles |= dict.fromkeys(("children", "married", "joined", "visits"), Role.NONE)
    findings = Findings(
        findings=tuple(
            Finding(table=table.name, column=name, entity=None, role=roles.get(name, Role.QUASI), confidence=1.0) for name in table.names
        )
    )
    (search,), sets = timed(lambda: find_quasi_sets([table], profile, findings, units={}, k=5))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "rows": table.rows,
        "columns": len(table.columns),
        "scan_seconds": round(scan, 3),
        "profile_ratio": round(whole / scan, 1),
        "of_which_between_columns_ratio": round(sum(between) / scan, 1),
        "quasi_sets_ratio": round(sets / scan, 1),
        "quasi_sets_seconds": round(sets, 2),
        "between_columns_seconds": round(sum(between), 2),
        "search": {"candidates": len(search.candidates), "counted": search.counted, "excluded": search.excluded, "open": search.open,
                   "found": search.found, "statement": search.statement},
        "keys": len(profile.tables[0].keys),
        "dependencies": [[one.determinant, one.dependent, round(one.g3, 6)] for one in profile.tables[0].dependencies],
        "peak_mb": round(peak),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())

"""Cells per second of `tamis profile` on a mixed table, against Presidio's analyzer and against a plain polars scan.

    python bench/detection_speed.py [--rows 1000000] [--format parquet|csv] [--json OUT] [--keep FOLDER]
    python bench/detection_speed.py --planted 5000000      # one phone, e-mail address and card number in harmless text, by row group

All three run as processes of their own on the same file, start-up included:
- the scan reads every column with polars' streaming engine and takes of each what any profiler must: the count of values, an estimate of
  how many are distinct, and the extremes (of text: the total length);
- Presidio's `AnalyzerEngine` (no language model, default recognizers) looks at every cell of a stable sample of rows as text; its time
  for all cells is extrapolated from that, and called so;
- `tamis profile` is the whole command: every column measured, judged, and every text cell looked at. It counts what the scan only
  estimates, and holds what the scan does not look for: shapes, keys, dependencies, combinations, personal data inside cells.
On a machine shared with other work only the ratios mean something, that of processor seconds most.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from main_job import Measured, measure

BATCH = 250_000
COLUMNS = 12
TEXT = (
    "the order was late again and customer asked for refund parcel damaged box replaced under warranty call back next week "
    "no answer left message with neighbour paid by invoice second reminder sent address confirmed delivery moved to friday"
)
CITIES = (
    "Lyon",
    "Porto",
    "Graz",
    "Turku",
    "Leeds",
    "Ghent",
    "Bilbao",
    "Aarhus",
    "Brno",
    "Split",
    "Bergen",
    "Parma",
    "Tartu",
    "Cork",
    "Metz",
)

SCAN = """
import sys, polars as pl, polars.selectors as cs
path = sys.argv[1]
lf = pl.scan_parquet(path) if path.endswith(".parquet") else pl.scan_csv(path, infer_schema_length=10_000)
ordered = cs.numeric() | cs.temporal()
lf.select(pl.all().count().name.suffix(".n"), pl.all().approx_n_unique().name.suffix(".d"), ordered.min().name.suffix(".lo"),
          ordered.max().name.suffix(".hi"), cs.string().str.len_bytes().sum().name.suffix(".len")).collect(engine="streaming")
"""

PRESIDIO = """
import sys, time, json, polars as pl
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NoOpNlpEngine
import tldextract
from presidio_analyzer.predefined_recognizers import EmailRecognizer
offline = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, fallback_to_snapshot=True)
EmailRecognizer.validate_result = lambda self, text: bool(offline(text).top_domain_under_public_suffix)
path, rows = sys.argv[1], int(sys.argv[2])
lf = pl.scan_parquet(path) if path.endswith(".parquet") else pl.scan_csv(path, infer_schema_length=10_000)
frame = lf.head(rows * 50).collect().sample(rows, seed=1).cast(pl.String)
engine = AnalyzerEngine(nlp_engine=NoOpNlpEngine([{"lang_code": "en", "model_name": "no_op"}]), supported_languages=["en"])
engine.analyze("warm up", language="en")
start, cells = time.process_time(), 0
for name in frame.columns:
    for text in frame[name].drop_nulls():
        engine.analyze(text, language="en")
        cells += 1
print(json.dumps({"seconds": time.process_time() - start, "cells": cells}))
"""


def batches(rows: int, seed: int) -> Any:
    """The table in batches; batch i depends on (seed, i) only."""
    setup = np.random.default_rng([seed, 0])
    syllables = np.array(["ba", "ko", "li", "mar", "ne", "ro", "sa", "ti", "vel", "zu", "an", "der", "il", "os"], dtype=object)
    given = pl.Series(["".join(row).capitalize() for row in syllables[setup.integers(0, 14, (2_000, 2))]])
    family = pl.Series(["".join(row).capitalize() for row in syllables[setup.integers(0, 14, (20_000, 3))]])
    words = np.array(TEXT.split(), dtype=object)
    for index, start in enumerate(range(0, rows, BATCH)):
        rng = np.random.default_rng([seed, 1, index])
        n = min(BATCH, rows - start)
        ids = np.arange(start, start + n, dtype=np.int64) * 2_654_435_761 % 10_000_000_019
        first, last = given.gather(rng.integers(0, len(given), n)), family.gather(rng.integers(0, len(family), n))
        digits = rng.integers(1_000_000, 10_000_000, n)
        picked = [pl.Series(words[rng.integers(0, len(words), n)].tolist()) for _ in range(8)]
        frame = pl.DataFrame(
            {"customer_id": ids, "first": first, "last": last, "digits": digits, **{f"w{i}": w for i, w in enumerate(picked)}}
        )
        yield frame.select(
            "customer_id",
            pl.concat_str("first", pl.lit(" "), "last").alias("full_name"),
            pl.concat_str(pl.col("last").str.to_lowercase(), pl.lit("."), pl.col("digits"), pl.lit("@example.org")).alias("email"),
            pl.concat_str(pl.lit("+44 20 "), pl.col("digits")).alias("phone"),
            pl.Series("city", CITIES).gather(rng.integers(0, len(CITIES), n)),
            pl.Series("postcode", rng.integers(0, 40_000, n)).cast(pl.String).str.zfill(5),
            pl.Series("birth_date", np.datetime64("1940-01-01", "D") + rng.integers(0, 25_000, n).astype("timedelta64[D]")),
            pl.Series("order_no", rng.integers(0, 9_000_000, n))
            .cast(pl.String)
            .str.zfill(8)
            .str.replace(r"^(..)", "${1}-")
            .alias("order_no"),
            pl.Series("status", ["new", "paid", "sent", "returned"]).gather(rng.integers(0, 4, n)),
            pl.Series("amount", np.round(rng.gamma(2.0, 40.0, n), 2)),
            pl.Series("visits", rng.negative_binomial(2, 0.08, n).astype(np.int64)),
            pl.concat_str([f"w{i}" for i in range(8)], separator=" ").alias("notes"),
        )


def generate(rows: int, out: Path, seed: int = 20_261_124) -> None:
    """Write the table as Parquet (row groups of 250 000) or CSV."""
    frames = list(batches(rows, seed))
    whole = pl.concat(frames)
    if out.suffix == ".csv":
        whole.write_csv(out)
    else:
        whole.write_parquet(out, row_group_size=BATCH)


def bench(folder: Path, rows: int, kind: str, sample: int, repeats: int) -> dict[str, Any]:
    """Generate, scan, Presidio on a sample, profile; all figures as a plain document."""
    data, log = folder / f"mixed.{kind}", folder / "log.txt"
    generate(rows, data)
    scans = [measure([sys.executable, "-c", SCAN, str(data)], cwd=folder, log=log) for _ in range(repeats)]
    presidio_run = measure([sys.executable, "-c", PRESIDIO, str(data), str(sample)], cwd=folder, log=log)
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    if presidio_run.code or not lines:
        return {"error": "presidio failed", "exit": presidio_run.code}
    presidio = json.loads(lines[-1])
    command = [sys.executable, "-m", "tamis", "profile", str(data), "--json"]
    runs = [measure(command, cwd=folder, log=folder / "profile.json") for _ in range(repeats)]
    cells, scan, run = rows * COLUMNS, min(scans, key=lambda m: m.cpu), min(runs, key=lambda m: m.cpu)
    rate = presidio["cells"] / presidio["seconds"]
    return {
        "rows": rows,
        "columns": COLUMNS,
        "format": kind,
        "input_mb": round(data.stat().st_size / 1e6, 1),
        "scan": _figures(scan),
        "profile": _figures(run) | {"cells_per_second": round(cells / run.seconds), "cells_per_cpu_second": round(cells / run.cpu)},
        "presidio": {"sampled_cells": presidio["cells"], "cells_per_cpu_second": round(rate), "extrapolated_seconds": round(cells / rate)},
        "ratio_to_presidio": round(cells / rate / run.seconds),
        "ratio_to_presidio_cpu": round(cells / rate / run.cpu),
        "ratio_to_scan": round(run.seconds / scan.seconds, 1),
        "ratio_to_scan_cpu": round(run.cpu / scan.cpu, 1),
        "exit": [m.code for m in (*scans, *runs)],
        "machine": {
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2),
            "versions": {name: version(name) for name in ("tamis", "polars", "presidio-analyzer")},
        },
    }


def planted(folder: Path, rows: int) -> dict[str, Any]:
    """One telephone number, one e-mail address and one card number in `rows` of harmless text: found where they are, and how fast."""
    data, log, size = folder / "planted.parquet", folder / "planted.json", 250_000
    cells = {
        int(rows * 0.31): "reach me at +44 20 7946 0958 please",
        int(rows * 0.55): "mail to jane.roe@example.com thanks",
        int(rows * 0.92): "paid with 4111 1111 1111 1111 today",
    }
    words, rng = np.array(TEXT.split(), dtype=object), np.random.default_rng(7)
    with pq.ParquetWriter(data, pa.schema({"notes": pa.string()})) as writer:
        for start in range(0, rows, size):
            n = min(size, rows - start)
            picked = [pl.Series(words[rng.integers(0, len(words), n)].tolist()) for _ in range(7)]
            notes = pl.select(pl.concat_str([*picked, pl.Series(rng.integers(10**6, 10**8, n)).cast(pl.String)], separator=" ")).to_series()
            for row, text in cells.items():
                if start <= row < start + n:
                    notes = notes.set(pl.int_range(n, eager=True) == row - start, text)
            writer.write_table(pa.table({"notes": notes.to_arrow().cast(pa.string())}))
    command = [sys.executable, "-m", "tamis", "profile", str(data), "--json"]
    scan = measure([sys.executable, "-c", SCAN, str(data)], cwd=folder)
    run = measure(command, cwd=folder, log=log)
    column = json.loads(log.read_text(encoding="utf-8"))["tables"][0]["columns"][0] if run.code == 0 else {"stray": []}
    found = {piece["entity"]: [group for group, _ in piece.get("locations", [])] for piece in column["stray"]}
    expected = dict(zip(("PHONE_NUMBER", "EMAIL_ADDRESS", "CREDIT_CARD"), ([row // size] for row in cells), strict=True))
    return {
        "rows": rows, "found": found, "expected": expected, "ok": found == expected, "scan": _figures(scan), "profile": _figures(run),
        "ratio_to_scan_cpu": round(run.cpu / scan.cpu, 1),
    }  # fmt: skip


def _figures(measured: Measured) -> dict[str, Any]:
    return {"seconds": round(measured.seconds, 2), "cpu": round(measured.cpu, 2), "peak_mb": round(measured.peak_mb)}


def show(found: dict[str, Any]) -> None:
    """The small table."""
    print(f"{found['rows']:,} rows x {found['columns']} columns, {found['input_mb']} MB {found['format']}, load {found['machine']['load']}")
    print(f"{'':24}{'seconds':>10}{'CPU s':>10}{'peak MB':>10}")
    for name in ("scan", "profile"):
        part = found[name]
        print(f"{name:24}{part['seconds']:>10}{part['cpu']:>10}{part['peak_mb']:>10}")
    print(
        f"cells per second         {found['profile']['cells_per_second']:,} (per CPU second {found['profile']['cells_per_cpu_second']:,})"
    )
    told = found["presidio"]
    print(f"Presidio, {told['sampled_cells']:,} cells  {told['cells_per_cpu_second']:,} cells per CPU second")
    print(f"  all cells, extrapolated: {told['extrapolated_seconds']:,} s")
    print(f"ratio to Presidio        {found['ratio_to_presidio']} x faster (processor seconds: {found['ratio_to_presidio_cpu']} x)")
    print(f"ratio to the scan        {found['ratio_to_scan']} x (processor seconds: {found['ratio_to_scan_cpu']} x)")


def main(argv: list[str] | None = None) -> int:
    """Command line of this script; exit status 1 when a measured process failed."""
    parser = argparse.ArgumentParser(description="Measure the speed of `tamis profile`.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    parser.add_argument("--sample", type=int, default=300, help="rows whose cells Presidio looks at")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--planted", type=int, help="instead: find three cells in so many rows of harmless text")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="work in this folder and leave everything there")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="tamis-bench-") as folder:
        if options.keep is not None:
            options.keep.mkdir(parents=True, exist_ok=True)
        place = (options.keep or Path(folder)).resolve()
        if options.planted:
            three = planted(place, options.planted)
            print(json.dumps(three, indent=2))
            return 0 if three["ok"] else 1
        found = bench(place, options.rows, options.format, options.sample, options.repeats)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if "error" in found or any(found["exit"]):
        print("failed", file=sys.stderr)
        return 1
    show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())

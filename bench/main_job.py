"""The main job on a big table: wall time as a ratio to a streaming polars copy of the same file, and peak memory.

    python bench/main_job.py [--rows 10000000] [--json OUT] [--keep FOLDER]

Both are measured as processes of their own, start-up included; memory is the peak resident set that the kernel reports for
them (`os.wait4`). This process imports nothing heavy, because on Linux a child's peak starts at that of its parent. On a
machine shared with other work only the ratios mean something, that of processor seconds most.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

COPY = "import sys, polars as pl; pl.scan_parquet(sys.argv[1]).sink_parquet(sys.argv[2])"
POLICY = """\
version: 1
purpose: Benchmark of the main job
key: file:bench.key
unknown_columns: stop
privacy: {model: k-anonymity, k: 5, max_suppressed: 0.5}  # small tables have many small classes
tables:
  people:
    key: person_id
    columns:
      person_id:  {pseudonymize: {domain: person}}
      full_name:  drop
      email:      drop
      birth_date: {generalize: {to: year}}
      postcode:   {generalize: {to: prefix, length: 3}}
      sex:        {keep: the purpose needs it}
      income:     synthesize
      plan:       {keep: the purpose needs it}
      visits:     {keep: the purpose needs it}
      signup:     {generalize: {to: month}}
"""


class Measured(NamedTuple):
    """One process: seconds of wall time and of processor time, peak resident memory in MB, exit code."""

    seconds: float
    cpu: float
    peak_mb: float
    code: int


def measure(command: list[str], *, cwd: Path, log: Path | None = None) -> Measured:
    """Run a process to its end; its output goes to `log` (kept only to explain a failure)."""
    with (log or Path(os.devnull)).open("wb") as sink:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, stdout=sink, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)  # wait4 has reaped it
    unit = 1e6 if sys.platform == "darwin" else 1e3  # ru_maxrss is in bytes there, in kilobytes elsewhere
    return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit, process.returncode)


STAGE = re.compile(r"^(\S.*?)\s+([0-9]+\.[0-9]) s$")


def stages(log: Path) -> list[dict[str, Any]]:
    """Seconds of every stage, in the order they ended, from the lines of `tamis run --verbose` (an outer stage follows its inner ones)."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    found = [match for line in lines if (match := STAGE.match(line))]
    return [{"stage": " ".join(match[1].split()), "seconds": float(match[2])} for match in found]


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
    }
    if hasattr(os, "sysconf"):
        facts["memory_gb"] = round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1)
    facts["versions"] = {name: version(name) for name in ("tamis", "polars", "pyarrow", "numpy", "sdv")}
    return facts


def bench(folder: Path, rows: int, repeats: int) -> dict[str, Any]:
    """Generate, copy, run; all figures as a plain document."""
    facts = machine()
    data, policy, out, log = folder / "people.parquet", folder / "policy.yaml", folder / "out", folder / "run.log"
    maker = [sys.executable, str(Path(__file__).with_name("generate.py")), "--rows", str(rows), "--out", str(data)]
    generated = measure(maker, cwd=folder, log=log)
    if generated.code:
        return {"error": "generate.py failed", "exit": generated.code, "log": tail(log)}
    copies = [measure([sys.executable, "-c", COPY, str(data), str(folder / "copy.parquet")], cwd=folder) for _ in range(repeats)]
    best = min(copies)
    policy.write_text(POLICY, encoding="utf-8")
    (folder / "bench.key").unlink(missing_ok=True)
    made = measure([sys.executable, "-m", "tamis", "key", "new", "bench.key"], cwd=folder, log=log)
    if made.code:
        return {"error": "tamis key new failed", "exit": made.code, "log": tail(log)}
    command = [sys.executable, "-m", "tamis", "run", str(data), "-p", str(policy), "-o", str(out), "--verbose"]
    job = measure(command, cwd=folder, log=log)
    return {
        "rows": rows,
        "input_mb": round(data.stat().st_size / 1e6, 1),
        "generate_seconds": round(generated.seconds, 2),
        "copy": {
            "seconds": [round(c.seconds, 2) for c in copies],
            "best": round(best.seconds, 2),
            "cpu": round(best.cpu, 2),
            "peak_mb": round(best.peak_mb),
            "exit": best.code,
        },
        "run": {"seconds": round(job.seconds, 2), "cpu": round(job.cpu, 2), "peak_mb": round(job.peak_mb), "exit": job.code},
        "stages": [] if job.code else stages(log),
        "ratio": None if job.code else round(job.seconds / best.seconds, 2),
        "cpu_ratio": None if job.code else round(job.cpu / best.cpu, 2),
        "machine": facts,
        **({"log": tail(log)} if job.code else {}),
    }


def tail(log: Path, lines: int = 20) -> list[str]:
    """The last lines of a failed process (the data is invented: nothing in it is secret)."""
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]


def show(figures: dict[str, Any]) -> None:
    """The small table."""
    copy, run = figures["copy"], figures["run"]
    print(f"{figures['rows']:,} rows x 10 columns, {figures['input_mb']} MB Parquet, {figures['machine']['cores']} cores")
    print(f"{'':14}{'seconds':>10}{'ratio':>8}{'CPU s':>10}{'ratio':>8}{'peak MB':>10}{'exit':>6}")
    print(f"{'polars copy':14}{copy['best']:>10.2f}{1:>8.1f}{copy['cpu']:>10.2f}{1:>8.1f}{copy['peak_mb']:>10}{copy['exit']:>6}")
    ratio, cpu_ratio = figures["ratio"] or "failed", figures["cpu_ratio"] or "failed"
    print(f"{'tamis run':14}{run['seconds']:>10.2f}{ratio:>8}{run['cpu']:>10.2f}{cpu_ratio:>8}{run['peak_mb']:>10}{run['exit']:>6}")
    for entry in figures["stages"]:
        print(f"  {entry['stage'][:40]:40}{entry['seconds']:>8.1f}")


def main(argv: list[str] | None = None) -> int:
    """Command line of this script; exit status 1 when a measured process failed."""
    parser = argparse.ArgumentParser(description="Measure `tamis run` against a polars copy.")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=3, help="copies to take the best of")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave everything there")
    options = parser.parse_args(argv)
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
        figures = bench(options.keep.resolve(), options.rows, options.repeats)
    else:
        with tempfile.TemporaryDirectory(prefix="tamis-bench-") as folder:
            figures = bench(Path(folder), options.rows, options.repeats)
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    failed = "error" in figures or figures["run"]["exit"] or figures["copy"]["exit"]
    if "run" in figures:
        show(figures)
    for line in figures.get("log", []):
        print(f"  {line}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""What `make demo` shows: the main job on the sample, with the commands that anybody can type. Standard library only."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = ["sample_data/customers.csv", "sample_data/orders.parquet", "sample_data/tickets.ndjson"]
POLICY = "sample_data/policy.yaml"
OUT = "demo_out/release"
STATE = "demo_out/state"
KEY = "demo_out/demo.key"


def tamis(*arguments: str, key: str | None = None) -> int:
    """Show a command, run it in the repository's root, return its exit code. The key travels in the environment only."""
    print(f"\n$ {shlex.join(['tamis', *arguments])}", flush=True)
    environment = {**os.environ, **({"TAMIS_KEY": key} if key else {})}
    command = [sys.executable, "-m", "tamis", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode  # noqa: S603  # our own command, fixed arguments


def demo_key() -> str | None:
    """The demo's own key; made at the first run, because there is no such thing as a default key."""
    path = ROOT / KEY
    path.parent.mkdir(exist_ok=True)
    if not path.exists() and tamis("key", "new", KEY) != 0:
        return None
    print(f"\n$ export TAMIS_KEY=$(cat {KEY})")
    return path.read_text(encoding="ascii").strip()


def main() -> int:
    """Profile, then run; ends with where to look. The exit code is that of the first command that failed."""
    print("tamis on three tables of a made-up chain of clinics: customers, orders, support tickets (docs/sample-data.md).")
    key = demo_key()
    if key is None:
        return 2
    print("\n1. What is in there? Counts and shapes, no values.")
    if code := tamis("profile", *DATA):
        return code
    print(f"\n2. Decide, transform, verify, publish: what {POLICY} says, nothing else.")
    code = tamis("run", *DATA, "-p", POLICY, "-o", OUT, "--state", STATE, key=key)
    if code == 0:
        print("\nThe report is for a browser; the release holds Parquet files, manifest.json, datasheet.html. README.md goes on from here.")
    else:
        print(f"\nNothing was published (exit code {code}, see docs/exit-codes.md).")
    return code


if __name__ == "__main__":
    sys.exit(main())

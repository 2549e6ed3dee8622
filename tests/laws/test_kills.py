"""Law 4: killed at any moment, either the old release or the new one is there, whole."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

import polars as pl
import pytest

from tests.laws.world import LIGHT, World

KILLS = 36


@pytest.mark.full
@pytest.mark.timeout(1500)
def test_law_4_never_a_partial_release(tmp_path: Path) -> None:
    """Thirty-six SIGKILLs, half of them after staging has begun: the current release always verifies and nothing raw is left."""
    world = World(tmp_path, LIGHT)
    arguments = ("run", "data/people.csv", "data/visits.parquet", "-p", "policy.yaml", "-o", "out", "--state", "state")
    started = time.monotonic()
    world.run()
    duration = time.monotonic() - started
    chance = random.Random(11)
    good, survived, seen = world.current.name, 0, {world.current.name}
    for attempt in range(KILLS):
        # New data each time, so that a new release would replace the old one.
        world.people.with_columns(sex=pl.col("sex").shuffle(seed=attempt)).write_csv(world.data / "people.csv")
        process = subprocess.Popen(
            world.command(*arguments), cwd=world.folder, env=world.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if attempt % 2:
            deadline = time.monotonic() + 60
            while not list(world.out.glob(".staging-*")) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(chance.uniform(0, 0.6) ** 2)
        else:
            time.sleep(chance.uniform(0, duration))
        process.send_signal(signal.SIGKILL)
        survived += process.wait() == 0
        assert (world.out / "current").is_symlink()
        now = world.current
        assert (now / "manifest.json").is_file()
        if now.name != good:
            good = now.name
            world.tamis("verify", "out")
        seen.add(now.name)
    assert survived < KILLS
    world.run()
    world.tamis("verify", "out")
    assert list(world.out.glob(".staging-*")) == []
    assert list((world.folder / "tmp").rglob("*")) == []

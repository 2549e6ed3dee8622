"""One full run shared by the laws that only look at it."""

import pytest

from tests.laws.world import World


@pytest.fixture(scope="session")
def released(tmp_path_factory) -> tuple[World, str]:
    """A world after `tamis run --verbose`, and everything that was printed."""
    world = World(tmp_path_factory.mktemp("world"))
    done = world.run("--verbose")
    return world, done.stdout + done.stderr

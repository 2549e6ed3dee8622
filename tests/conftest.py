"""What all tests share."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# No test judges by the clock: a loaded machine is not a broken law.
# In CI the examples are the same every time; elsewhere they are new ones.
settings.register_profile("tamis", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ)
settings.load_profile("tamis")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` rewrites the expected files of tests/golden."""
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files after an intended change")

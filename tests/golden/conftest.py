"""The switch that rewrites golden files."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make golden` passes it."""
    parser.addoption("--update-golden", action="store_true", help="Rewrite the expected files of tests/golden.")

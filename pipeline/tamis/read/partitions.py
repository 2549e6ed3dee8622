"""Columns that folder names hold (Hive style): `year=2024/month=01/part-0.parquet`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

_NULL = "__HIVE_DEFAULT_PARTITION__"


def is_partition(folder: str) -> bool:
    """Whether a folder name is `key=value`."""
    key, equals, _ = folder.partition("=")
    return bool(equals and key)


def partitions_of(path: Path) -> tuple[tuple[str, str | None], ...]:
    """(column, value) of the `key=value` folders right above a file, outermost first. Values are text; the Hive null is None."""
    found: list[tuple[str, str | None]] = []
    for parent in path.parents:
        if not is_partition(parent.name):
            break
        key, _, value = parent.name.partition("=")
        found.append((unquote(key), None if value == _NULL else unquote(value)))
    return tuple(reversed(found))


def distinct_values(paths: Iterable[Path]) -> dict[str, list[str | None]]:
    """All values of each partition column."""
    values: dict[str, dict[str | None, None]] = {}
    for path in paths:
        for key, value in partitions_of(path):
            values.setdefault(key, {})[value] = None
    return {key: list(found) for key, found in values.items()}

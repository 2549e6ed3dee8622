"""Files to read, made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tamis.core.policy import ReadOptions
from tamis.core.types import Table
from tamis.read import read_table, reading

CANARY = "canary-7f3a9"


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Write a file below the test's folder."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for spools that no data file is in."""
    return tmp_path_factory.mktemp("spool")


@pytest.fixture
def load(put: Callable[[str, str | bytes], Path], spool: Path) -> Callable[..., tuple[Table, pl.DataFrame]]:
    """Write one file, read it, check what holds for every table, and give table and rows."""

    def read(name: str, content: str | bytes, **options: object) -> tuple[Table, pl.DataFrame]:
        table = read_table("t", [put(name, content)], ReadOptions.model_validate(options), spool=spool)
        with reading("t"):
            rows = table.frame.collect(engine="streaming")
        assert rows.height == table.rows
        assert tuple(rows.columns) == table.names
        assert list(spool.iterdir()) == []
        return table, rows

    return read


def types_of(table: Table) -> dict[str, str]:
    """Column names to logical types."""
    return {column.name: column.type.value for column in table.columns}

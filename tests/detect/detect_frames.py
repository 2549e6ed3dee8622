"""Tiny real frames for the detector, measured without the profile room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
import polars.selectors as cs

from tamis.core.types import Column, ColumnProfile, DatasetProfile, DataType, Finding, ForeignKey, SourceInfo, Table, TableProfile
from tamis.detect import detect_columns
from tamis.rules import Rules, load_rules


def data_type(dtype: pl.DataType) -> DataType:
    """Logical type of a polars type."""
    if dtype == pl.String:
        return DataType.TEXT
    if dtype.is_integer():
        return DataType.INTEGER
    if dtype.is_numeric():
        return DataType.NUMBER
    if dtype == pl.Date:
        return DataType.DATE
    if dtype == pl.Boolean:
        return DataType.BOOLEAN
    return DataType.EMPTY if dtype == pl.Null else DataType.DATETIME


def as_table(name: str, frame: pl.DataFrame) -> Table:
    """A frame as a table."""
    columns = tuple(Column(n, data_type(t)) for n, t in frame.schema.items())
    return Table(name, frame.lazy(), columns, frame.height, SourceInfo("frame"))


def measure(table: Table) -> TableProfile:
    """The aggregates that the detector reads."""
    frame = table.frame.collect()
    profiles, keys = [], []
    for i, column in enumerate(table.columns):
        values = frame.select(cs.by_index(i).alias("x"))["x"]
        values = values.fill_nan(None) if values.dtype.is_float() else values
        present = values.drop_nulls()
        words = present.str.count_matches(r"\S+").mean() if column.type == DataType.TEXT and len(present) else None
        lengths = present.str.len_chars().max() if column.type == DataType.TEXT and len(present) else None
        profiles.append(
            ColumnProfile(
                name=column.name,
                type=column.type,
                rows=len(values),
                nulls=values.null_count(),
                distinct=present.n_unique(),
                distinct_exact=True,
                words_mean=words,
                length_max=lengths,
                constant=present.n_unique() == 1,
            )
        )
        if len(values) and present.n_unique() == len(values):
            keys.append(column.name)
    return TableProfile(name=table.name, rows=table.rows, columns=tuple(profiles), candidate_keys=tuple(keys), k=5)


def find(
    frames: Mapping[str, Mapping[str, Sequence[object]] | pl.DataFrame], *, links: Sequence[ForeignKey] = (), rules: Rules | None = None
) -> dict[tuple[str, str], Finding]:
    """Findings by (table, column)."""
    tables = [as_table(n, f if isinstance(f, pl.DataFrame) else pl.DataFrame(f, strict=False)) for n, f in frames.items()]
    profile = DatasetProfile(tables=tuple(measure(t) for t in tables), foreign_keys=tuple(links))
    findings = detect_columns(tables, profile, rules or load_rules([]))
    return {(f.table, f.column): f for f in findings.findings}


def people(n: int) -> list[str]:
    """Names of persons."""
    given = ["Anna", "Thomas", "Maria", "James", "Robert", "Julia", "Peter", "Laura", "Daniel", "Sarah"]
    family = ["Smith", "Garcia", "Miller", "Johnson", "Martin", "Lopez", "Wilson", "Brown", "Davis"]
    return [f"{given[i % 10]} {family[(i // 10 + i) % 9]}" for i in range(n)]

"""Measure tables: aggregates of every column, keys, redundancies and references. No cell value leaves this room."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from tamis.core.ports import Progress
from tamis.core.types import DatasetProfile, Table
from tamis.profile.combinations import find_quasi_sets
from tamis.profile.limits import Limits
from tamis.profile.references import find_foreign_keys
from tamis.profile.tables import profile_table

__all__ = ["find_quasi_sets", "profile_tables"]


def profile_tables(tables: Sequence[Table], *, k: int, progress: Progress | None = None) -> DatasetProfile:
    """Profile all tables of a job: a few streaming passes each, in memory bounded by `Limits`; the order of rows does not matter.

    NaN counts as null; `rare_*`, bounds and shapes are taken at `k` rows. Table names must differ. Errors of the source that
    a frame reads from (a file removed meanwhile) pass through as polars raises them.
    """
    limits = Limits()
    with _stage(progress, "tables"):
        profiles = []
        for table in tables:
            if progress is not None:
                progress.note(f"{table.name}: {table.rows} rows, {len(table.columns)} columns")
            profiles.append(profile_table(table, k=k, limits=limits))
    with _stage(progress, "references"):
        foreign_keys, partial = find_foreign_keys(tables, profiles, limits)
    return DatasetProfile(tables=tuple(profiles), foreign_keys=foreign_keys, partial_references=partial)


def _stage(progress: Progress | None, detail: str) -> AbstractContextManager[None]:
    return nullcontext() if progress is None else progress.stage("profile", detail)

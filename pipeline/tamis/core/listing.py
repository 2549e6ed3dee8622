"""What `tamis profile --json` prints: the aggregates of every table, and what each column is."""

from __future__ import annotations

from pydantic import computed_field

from tamis.core.types import (
    Association,
    ColumnProfile,
    Dependency,
    Evidence,
    ForeignKey,
    Frozen,
    KeySet,
    QuasiSearch,
    Role,
)


class ListedEvidence(Evidence):
    """One piece of evidence, with its interval."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % Wilson interval of hits / of; null without a denominator."""
        found = super().interval
        return None if found is None else (round(found[0], 6), round(found[1], 6))


class ListedColumn(ColumnProfile):
    """One column: its aggregates and what it is."""

    role: Role
    entity: str | None
    confidence: float
    evidence: tuple[ListedEvidence, ...] = ()
    stray: tuple[ListedEvidence, ...] = ()
    """personal data in a few cells of an otherwise harmless column"""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def uniqueness(self) -> float:
        """Distinct values per row with a value, 0 to 1."""
        return round(super().uniqueness, 6)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def null_rate(self) -> float:
        """Share of rows without a value."""
        return round(super().null_rate, 6)


class ListedTable(Frozen):
    """One table: its columns in input order, and what holds between them."""

    name: str
    rows: int
    k: int
    """the k behind rare values, bounds and singling sets"""
    columns: tuple[ListedColumn, ...]
    candidate_keys: tuple[str, ...] = ()
    """single columns without nulls whose values are all distinct"""
    keys: tuple[KeySet, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    associations: tuple[Association, ...] = ()
    redundancy_cut: tuple[str, ...] = ()
    singling: QuasiSearch | None = None
    """column sets that single people out"""


class Listing(Frozen):
    """All tables."""

    tables: tuple[ListedTable, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    partial_references: tuple[ForeignKey, ...] = ()

"""The nouns of the flow: tables, what is measured of them, what was found in them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import polars as pl


class Frozen(BaseModel):
    """Base of every document: immutable, no unknown keys."""

    # docstrings below fields become the descriptions in schemas/ and in `tamis rules show`
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, ser_json_inf_nan="null", use_attribute_docstrings=True)


class DataType(StrEnum):
    """Logical types of columns, whatever the file format called them."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    """floating point or decimal"""
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    DURATION = "duration"
    BINARY = "binary"
    EMPTY = "empty"
    """only nulls"""


class Role(StrEnum):
    """What a column can do to a person."""

    DIRECT = "direct"
    """identifies a natural person alone"""
    QUASI = "quasi"
    """identifies in combination"""
    SENSITIVE = "sensitive"
    """a private attribute"""
    NONE = "none"
    UNKNOWN = "unknown"
    """the honest answer when evidence is thin; leads to review, never to passing through"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as read: its name and logical type."""

    name: str
    type: DataType


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """How a table was read. Counts and codes; no paths (they may be personal) and no values."""

    format: str
    """csv | parquet | ndjson | ipc | frame"""
    files: int = 1
    encoding: str | None = None
    delimiter: str | None = None
    rows_dropped: int = 0
    """rows that could not be read and were left out because the user explicitly allowed it"""
    notes: tuple[str, ...] = ()
    """sentences for the report, e.g. how nested columns were flattened"""


@dataclass(frozen=True, slots=True)
class Table:
    """One input table: a lazy frame and what is known of it before looking at values.

    `frame` has exactly `columns`, in order, cast to their logical types. `hold` keeps open whatever the frame reads from
    (an anonymous spool file): it must outlive the frame.
    """

    name: str
    frame: pl.LazyFrame
    columns: tuple[Column, ...]
    rows: int
    source: SourceInfo
    hold: tuple[object, ...] = field(default=(), repr=False, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    def type_of(self, name: str) -> DataType:
        """Logical type of a column; KeyError when there is none of that name."""
        return {column.name: column.type for column in self.columns}[name]


# ---------------------------------------------------------------------------------------------------------- what profile measures


class ColumnProfile(Frozen):
    """Aggregates of one column. No value of the column is in here; bounds are k-safe (see `low`)."""

    name: str
    type: DataType
    rows: int
    nulls: int
    """nulls and NaN"""
    distinct: int
    """distinct non-null values"""
    distinct_exact: bool
    """False: a HyperLogLog estimate"""
    singletons: int | None = None
    """values that occur exactly once; None where it was not counted"""
    rare_values: int | None = None
    """values that occur in fewer than k rows"""
    rare_rows: int | None = None
    """rows that carry such a value"""
    low: float | str | None = None
    high: float | str | None = None
    """k-safe bounds of numbers (number) and dates (ISO year): the k-th smallest and largest value, rounded outward to a
    grid of one hundredth of the range; None for text or with fewer than 2k values"""
    mean: float | None = None
    std: float | None = None
    zeros: int | None = None
    length_min: int | None = None
    length_max: int | None = None
    length_mean: float | None = None
    words_mean: float | None = None
    shapes: tuple[tuple[str, int], ...] = ()
    """the most frequent shape classes and their rows, e.g. ('9{5}', 9000), ('A a{+}', 40); shapes of fewer than k rows are left out"""
    constant: bool = False
    duplicate_of: str | None = None
    """an earlier column with exactly the same values"""
    determined_by: str | None = None
    """an earlier, less unique column that fixes this one's value (exact functional dependency)"""

    @property
    def present(self) -> int:
        """Rows with a value."""
        return self.rows - self.nulls

    @property
    def uniqueness(self) -> float:
        """Distinct values per row with a value, 0 to 1."""
        return min(1.0, self.distinct / self.present) if self.present else 0.0

    @property
    def null_rate(self) -> float:
        """Share of rows without a value."""
        return self.nulls / self.rows if self.rows else 0.0


class ForeignKey(Frozen):
    """`table.column` holds values of `parent_table.parent_column` (share of distinct values contained)."""

    table: str
    column: str
    parent_table: str
    parent_column: str
    contained: float


class TableProfile(Frozen):
    """Aggregates of one table."""

    name: str
    rows: int
    columns: tuple[ColumnProfile, ...]
    candidate_keys: tuple[str, ...] = ()
    """single columns without nulls whose values are all distinct"""
    k: int
    """the k behind `rare_values` and the k-safe bounds"""

    def column(self, name: str) -> ColumnProfile:
        """The profile of one column; KeyError when there is none."""
        return {column.name: column for column in self.columns}[name]


class DatasetProfile(Frozen):
    """Aggregates of all tables of a job."""

    tables: tuple[TableProfile, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()

    def table(self, name: str) -> TableProfile:
        """The profile of one table; KeyError when there is none."""
        return {table.name: table for table in self.tables}[name]


# ------------------------------------------------------------------------------------------------------------ what detect finds


class Evidence(Frozen):
    """One piece of evidence: who says what, with its denominator. Counts only."""

    source: Literal["name", "pattern", "presidio", "checksum", "dictionary", "cardinality", "type", "context", "policy"]
    rule: str
    """rule id or recognizer name"""
    entity: str | None = None
    hits: int | None = None
    of: int | None = None
    """distinct non-null values looked at"""
    weight: float = 0.0
    note: str = ""

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % Wilson interval of the hit rate; None without a denominator."""
        return wilson(self.hits, self.of) if self.hits is not None and self.of else None


class Finding(Frozen):
    """What a column is."""

    table: str
    column: str
    entity: str | None
    """a word of the documented vocabulary in rules/entities.yaml; None when nothing personal was recognized"""
    role: Role
    confidence: float
    evidence: tuple[Evidence, ...] = ()
    stray: tuple[Evidence, ...] = ()
    """personal data in a few cells of an otherwise harmless column"""


class Findings(Frozen):
    """All findings of a job, one per column of every table, in input order."""

    findings: tuple[Finding, ...]

    def of(self, table: str, column: str) -> Finding:
        """The finding of one column; KeyError when there is none."""
        return {(f.table, f.column): f for f in self.findings}[table, column]


def wilson(hits: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson score interval of a proportion (Wilson 1927, JASA 22:209); `n` > 0."""
    p = hits / n
    denominator = 1 + z * z / n
    middle = (p + z * z / (2 * n)) / denominator
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / denominator
    return max(0.0, middle - half), min(1.0, middle + half)

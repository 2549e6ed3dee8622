"""The nouns of the flow: tables, what is measured of them, what was found in them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

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
    parents: tuple[str, ...] = ()
    """releases of tamis that its files were taken from, by what the files say of themselves"""
    row_groups: tuple[int, ...] = ()
    """rows of each row group of Parquet files, in the order of the rows; () elsewhere"""


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
    locations: tuple[str, ...] = field(default=(), repr=False, compare=False)
    """absolute paths it was read from, for lineage events only: paths may be personal"""

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
    """a column that fixes this one's value (exact functional dependency); see `Dependency` for its figures"""
    equivalent_to: str | None = None
    """an earlier column that says the same in another form, row by row"""
    equivalence: Literal["format", "recoding"] | None = None
    """format: equal up to case, spaces, punctuation and leading zeros; recoding: one value here for one value there"""

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
    covered: float | None = None
    """share of the parent's values that are referred to"""


class KeySet(Frozen):
    """Columns that tell all rows apart, or nearly all; no part of them does (minimal)."""

    columns: tuple[str, ...]
    uniqueness: float
    """distinct combinations without nulls / rows; 1: a candidate key"""
    exact: bool = True
    """False: the figure rests on an estimated count"""


class Dependency(Frozen):
    """`determinant` fixes `dependent`, in all rows or in most."""

    determinant: str
    dependent: str
    g3: float
    """share of the rows with a determinant that must go for the dependency to hold (Kivinen & Mannila 1995); 0: exact"""
    lift: float
    """share of the errors of guessing the most frequent value that the determinant avoids (Goodman & Kruskal 1954, lambda); 1: all"""
    rows: int
    """rows with a determinant"""
    one_to_one: bool = False
    """exact in both directions"""


class Association(Frozen):
    """Two columns that tell much about each other without fixing each other."""

    first: str
    second: str
    measure: Literal["cramers_v", "correlation_ratio", "spearman"]
    value: float
    """0 to 1: V without bias (Bergsma 2013), the correlation ratio without bias, or the absolute rank correlation"""
    rows: int
    """rows with both values that were looked at"""


class TableProfile(Frozen):
    """Aggregates of one table."""

    name: str
    rows: int
    columns: tuple[ColumnProfile, ...]
    candidate_keys: tuple[str, ...] = ()
    """single columns without nulls whose values are all distinct"""
    k: int
    """the k behind `rare_values` and the k-safe bounds"""
    keys: tuple[KeySet, ...] = ()
    """candidate keys and near-keys of up to three columns; those of one column first"""
    dependencies: tuple[Dependency, ...] = ()
    associations: tuple[Association, ...] = ()
    redundancy_cut: tuple[str, ...] = ()
    """what was not compared because the table is too wide, in sentences; empty: everything was"""

    def column(self, name: str) -> ColumnProfile:
        """The profile of one column; KeyError when there is none."""
        return {column.name: column for column in self.columns}[name]


class QuasiSet(Frozen):
    """Columns that single persons out together; figures over all persons of the table (rows where there is no person key)."""

    columns: tuple[str, ...]
    """quasi-identifiers first, then what could be known too"""
    quasi: int
    """how many of the columns were found to be quasi-identifiers"""
    below_k: float
    """share of persons with a combination that fewer than k persons have"""
    unique: float
    """share of persons with a combination that nobody else has"""
    combinations: int
    """distinct combinations; null is a value like any other"""
    distinct_ratio: float
    """combinations / distinct (combination, person) pairs (Motwani & Xu 2007); 1: all persons are told apart"""
    highest_risk: float
    """1 / persons of the rarest combination"""


class QuasiSearch(Frozen):
    """The search for minimal column sets that single persons out in one table, and how far it went."""

    table: str
    unit: str | None
    """column whose values are the persons; None: every row is one"""
    persons: int
    k: int
    share: float
    """a set is singling when at least this share of persons has a combination that fewer than k persons have"""
    sets: tuple[QuasiSet, ...] = ()
    """minimal singling sets (no part of them is singling), ranked: sets of quasi-identifiers first, then small ones, then those that
    single out more"""
    found: int = 0
    """minimal singling sets found; `sets` holds the first of them"""
    whole: QuasiSet | None = None
    """all quasi-identifiers together"""
    candidates: tuple[str, ...] = ()
    """columns whose combinations were searched"""
    left_out: Mapping[str, tuple[str, ...]] = {}
    """reason to columns that were not"""
    complete_size: int = 0
    """every singling set of up to so many columns contains one of those found"""
    exhaustive: bool = True
    """no set of whatever size was left unexamined"""
    counted: int = 0
    """sets whose combinations were counted on all rows"""
    excluded: int = 0
    """sets that could not be singling by the number of their combinations, or because a larger set is not"""
    open: int = 0
    """sets of the last size that the budget left unexamined"""

    @property
    def statement(self) -> str:
        """How complete the search was, as a sentence."""
        if not self.candidates:
            return "no column that others could know"
        columns = f"{len(self.candidates)} columns"
        if self.exhaustive:
            return f"complete: all combinations of {columns} were examined"
        if self.open:
            return (
                f"cut by the budget: complete up to {self.complete_size} of {columns} at once, {self.open} sets of "
                f"{self.complete_size + 1} were left unexamined"
            )
        return f"complete up to {self.complete_size} of {columns} at once; larger sets were not examined"


class DatasetProfile(Frozen):
    """Aggregates of all tables of a job."""

    tables: tuple[TableProfile, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    partial_references: tuple[ForeignKey, ...] = ()
    """columns that look like references and whose values are only partly found in the parent; nothing rests on them"""
    quasi_sets: tuple[QuasiSearch, ...] = ()
    """one per table, once the roles of the columns are known"""

    def singling(self, table: str) -> QuasiSearch | None:
        """The search in one table; None before there was one."""
        return {search.table: search for search in self.quasi_sets}.get(table)

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
    locations: tuple[tuple[int, int], ...] = Field(default=(), exclude_if=lambda places: not places)
    """internal: (row group, cells in it) of personal data in single cells; ranges of 100 000 rows where the format has no row groups"""

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


class ColumnRisk(Frozen):
    """What one quasi-identifier adds: the figures of its table without it."""

    column: str
    highest: float
    """highest risk without the column"""
    average: float
    at_risk: float
    unique: float
    """share of persons alone without the column"""
    special: float = 0.0
    """share of the SUDA score of the table that rests on combinations with this column"""


class PopulationUniques(Frozen):
    """How many persons are alone in the population the data were drawn from, and how that was found out."""

    size: int
    """persons in the population"""
    basis: Literal["counted", "stated", "assumed", "sample"]
    """counted: in the population's own table; stated or assumed: its size; sample: the data are taken for everybody"""
    method: Literal["counted", "pitman", "zayatz", "sample"]
    uniques: float
    share: float
    """uniques / size; with a random sample also the expected share of the table's persons who are alone in the population"""
    pitman: float | None = None
    """the Pitman model's figure, None where it does not fit"""
    zayatz: float | None = None


class Exposure(Frozen):
    """Re-identification risk of one table on its quasi-identifiers; shares of persons, rows where no column names persons."""

    table: str
    quasi_identifiers: tuple[str, ...]
    unit: str | None
    persons: int
    classes: int
    threshold: float
    """persons with a risk above it (strictly) are at risk"""
    highest: float
    """prosecutor: the attacker knows that the target is in the data; 1 / persons of the smallest class"""
    average: float
    at_risk: float
    unique: float
    """share of persons who are alone in a class (sample uniques)"""
    marketer: float
    """expected share of right matches when everybody is matched"""
    journalist_highest: float
    """journalist: the attacker does not know who is in the data; equals prosecutor without a population"""
    journalist_average: float
    journalist_at_risk: float
    population: tuple[PopulationUniques, ...] = ()
    """the one that counts first; others show what other assumptions would give"""
    columns: tuple[ColumnRisk, ...] = ()
    special: float = 0.0
    """share of persons told apart by `special_size` quasi-identifiers or fewer (special uniques)"""
    special_size: int = 0
    """size of combinations looked at"""
    special_complete: int = 0
    """combinations of up to this size were all looked at"""
    dis: float = 0.0
    """probability that a unique match is a right one (Skinner and Elliot 2002)"""
    dis_highest: float = 0.0
    """largest DIS-SUDA score of a person"""


def wilson(hits: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson score interval of a proportion (Wilson 1927, JASA 22:209); `n` > 0."""
    p = hits / n
    denominator = 1 + z * z / n
    middle = (p + z * z / (2 * n)) / denominator
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / denominator
    return max(0.0, middle - half), min(1.0, middle + half)

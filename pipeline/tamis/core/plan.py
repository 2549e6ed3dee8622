"""The plan: what tamis decided, for every input column, as a frozen value with a digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Literal

from pydantic import Field

from tamis.core.actions import AnyAction, AnyRecode, Drop, is_resolved, output_type
from tamis.core.canonical import digest
from tamis.core.policy import ApprovalRule, AttackRule, Gate, Privacy, ReadOptions
from tamis.core.proxy import ProxyModel
from tamis.core.types import Column, DataType, Evidence, Exposure, Frozen, Role

PLAN_VERSION: Literal[1] = 1


class Status(StrEnum):
    """Whether a person has decided about a column."""

    DECIDED = "decided"
    """by the policy or by a pack the policy names"""
    PROPOSED = "proposed"
    """tamis proposes; nothing is applied until a person accepts it"""
    UNDECIDED = "undecided"
    """nobody decided and tamis has nothing safe to propose but dropping"""


class ColumnPlan(Frozen):
    """One column: what it is, what happens to it, and why."""

    name: str
    type: DataType
    role: Role
    detected: Role = Role.UNKNOWN
    """what the detector said; a plan is stale when it says something else of new data"""
    entity: str | None = None
    action: AnyAction
    status: Status
    rule: str
    """who says so: `policy`, `pack:<name>/<rule id>`, `default:<word>`, `proposal:<rule id>`"""
    reason: str
    evidence: tuple[Evidence, ...] = ()

    @property
    def released(self) -> bool:
        """Whether a column of this name is in the release."""
        return not isinstance(self.action, Drop)

    @property
    def output_type(self) -> DataType:
        """Logical type in the release."""
        return output_type(self.action, self.type)


class Alternative(Frozen):
    """Another node of the lattice that was looked at: what it would cost and leave. A reviewer may pick it."""

    levels: Mapping[str, int]
    loss: float
    suppressed_rows: int
    highest_risk: float
    """1 / persons of the smallest class (prosecutor)"""
    average_risk: float
    """classes / persons (marketer)"""


class Cell(Frozen):
    """A class of local recoding: per quasi-identifier a level of its ladder and the label there; at least k persons are in it.

    A row belongs to the first cell of the plan that covers all its values; rows that no cell covers are suppressed. A cell covers a
    value whose label at the cell's level is the cell's, and that satisfies the condition of `only`, where there is one.
    """

    levels: tuple[int, ...]
    labels: tuple[str | None, ...]
    """released text; None is the missing value"""
    only: Mapping[str, tuple[tuple[int, str | None], ...]] = Field(default={}, exclude_if=lambda only: not only)
    """conditions: of this quasi-identifier the cell takes only values that have one of these (level, label); what is released is
    `labels` all the same. They tell cells apart whose labels overlap; at least k persons of the table have each of these labels"""


class Classes(Frozen):
    """How the quasi-identifiers of a table reach k: the chosen node of the generalization lattice and its figures."""

    quasi_identifiers: tuple[str, ...]
    k: int
    l: float | None = None
    diversity: Literal["distinct", "entropy", "recursive"] = "distinct"
    c: float | None = None
    t: float | None = None
    distance: Literal["equal", "ordered", "hierarchical"] = "equal"
    k_map: int | None = None
    presence: tuple[float, float] | None = None
    unit: str | None = None
    """column whose distinct values are counted instead of rows"""
    recoding: Literal["full-domain", "local"] = "full-domain"
    levels: Mapping[str, int] = {}
    heights: Mapping[str, int] = {}
    loss: float | None = None
    """0 (nothing generalized) to 1, mean over quasi-identifiers (see search/lattice.py)"""
    suppressed_rows: int = 0
    """estimated on the data the plan was made with"""
    nodes_checked: int = 0
    search_complete: bool = True
    """whether the chosen node is proven to be the one of least loss"""
    lower_bound: float | None = None
    """no node has a smaller loss; equals `loss` where the search was complete"""
    alternatives: tuple[Alternative, ...] = ()
    """none of them is both better and safer than another; sorted by loss"""
    ladders: Mapping[str, tuple[AnyRecode, ...]] = {}
    """local recoding: the levels that `cells` refer to"""
    cells: tuple[Cell, ...] = ()
    """local recoding: the classes, in the order in which they are tried"""


class Reference(Frozen):
    """`column` of this table names rows of `parent_table`; rows whose parent was suppressed are suppressed too."""

    column: str
    parent_table: str
    parent_column: str


class TablePlan(Frozen):
    """One table: its columns in input order and its disclosure model."""

    name: str
    columns: tuple[ColumnPlan, ...]
    key: tuple[str, ...] = ()
    keep_order: str | None = None
    read: ReadOptions = ReadOptions()
    """how the table is read: part of the decision, since it fixes types and nulls"""
    unit: str | None = None
    """column that names persons: literals and models are safe for k of them, not for k rows"""
    classes: Classes | None = None
    exposure: Exposure | None = None
    """risk of the input the plan was made with; internal"""
    references: tuple[Reference, ...] = ()
    warnings: tuple[str, ...] = ()

    def column(self, name: str) -> ColumnPlan:
        """One column; KeyError when there is none."""
        return {column.name: column for column in self.columns}[name]

    @property
    def released(self) -> tuple[ColumnPlan, ...]:
        """Columns of the release, in order."""
        return tuple(column for column in self.columns if column.released)

    @property
    def fingerprint(self) -> str:
        """Schema fingerprint of the input: names and logical types, in order."""
        return schema_fingerprint(tuple(Column(column.name, column.type) for column in self.columns))


class Plan(Frozen):
    """Everything `apply` needs besides the data and the key; approved by its digest."""

    version: Literal[1] = PLAN_VERSION
    purpose: str
    target: str | None = None
    policy_digest: str
    packs: Mapping[str, str] = {}
    """pack name to digest of its content"""
    ner: str | None = None
    """the policy's model for names in text: columns are detected again with the same one"""
    privacy: Privacy
    gates: tuple[Gate, ...] = ()
    attacks: AttackRule = Field(default=AttackRule(), exclude_if=lambda rule: rule == AttackRule())
    approvals: ApprovalRule = ApprovalRule()
    key: str | None = None
    """where the key is (env:NAME, file:PATH); never the key"""
    key_id: str | None = None
    tables: tuple[TablePlan, ...]
    models: Mapping[str, ProxyModel] = {}
    suites: Mapping[str, str] = {}
    """the user's own expectation suites: table to canonical JSON"""
    versions: Mapping[str, str] = {}
    """tamis and the libraries whose version can change a decision"""

    def table(self, name: str) -> TablePlan:
        """One table; KeyError when there is none."""
        return {table.name: table for table in self.tables}[name]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON: what an approval approves."""
        return digest(self)

    @property
    def open_columns(self) -> tuple[tuple[str, ColumnPlan], ...]:
        """(table, column) of everything a person has still to decide."""
        return tuple((table, column) for table, column in self.walk() if column.status is not Status.DECIDED)

    @property
    def keyed(self) -> bool:
        """Whether any action needs the key: the release is then pseudonymous."""
        return any(type(column.action).keyed for _, column in self.walk())

    def walk(self) -> Iterator[tuple[str, ColumnPlan]]:
        """(table name, column) of every input column, in order."""
        for table in self.tables:
            for column in table.columns:
                yield table.name, column

    @property
    def unresolved(self) -> tuple[tuple[str, ColumnPlan], ...]:
        """(table, column) whose action planning has not finished."""
        return tuple((table, column) for table, column in self.walk() if not is_resolved(column.action))


def schema_fingerprint(columns: tuple[Column, ...]) -> str:
    """SHA-256 of names and logical types in order."""
    return digest([[column.name, column.type.value] for column in columns])

"""What a run says about itself: figures, verdict, manifest, release. Names, codes, counts; no cell values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from tamis.core.policy import Gate
from tamis.core.types import DataType, Exposure, Frozen, Role


class Measure(Frozen):
    """One figure. `name` is `family.name[@table[.column]]`."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    """95 % interval where the figure is an estimate"""
    of: int | None = None
    """denominator: rows, pairs, attempts"""
    verifiable: bool = False
    """whether the release alone is enough to recompute it"""
    internal: bool = False
    """a before-figure or a small count: stays in the run folder, never in the manifest"""
    note: str = ""


class GateResult(Frozen):
    """A gate and what came of it."""

    gate: Gate
    measure: str
    """the concrete measure judged"""
    value: float | None
    """None: the measure was not taken (which fails a `fail` gate)"""
    passed: bool
    sentence: str
    """which gate, what figure, what to change"""


class SuiteResult(Frozen):
    """One Great Expectations suite, judged; value-free."""

    name: str
    table: str
    kind: Literal["contract", "utility", "user"]
    passed: bool
    expectations: int
    failed: tuple[str, ...] = ()
    """'expect_column_values_to_not_be_null(customer_id)'"""


class Bar(Frozen):
    """One bar of a picture: a label that may be shown and a share of rows, 0 to 1."""

    label: str
    share: float


class ColumnDiff(Frozen):
    """Before and after of one column, for the report. Aggregates only; labels only where they may be shown."""

    table: str
    column: str
    role: Role
    action: str
    type_before: DataType
    type_after: DataType | None
    rows_before: int
    rows_after: int
    nulls_before: float
    nulls_after: float | None
    distinct_before: int
    distinct_after: int | None
    before: tuple[Bar, ...] = ()
    after: tuple[Bar, ...] = ()
    shape_score: float | None = None
    """1 - distance of the distributions where they are comparable"""


class ClassSizes(Frozen):
    """Equivalence classes of one table on its quasi-identifiers."""

    table: str
    quasi_identifiers: tuple[str, ...]
    unit: str | None
    rows: int
    classes: int
    k: int
    """smallest class"""
    average: float
    unique_rows: int
    """rows alone in their class"""
    below_k: int
    """rows in classes smaller than the policy's k"""
    sizes: tuple[tuple[str, int], ...] = ()
    """banded histogram: ('1', rows), ('2-4', rows), ('5-9', rows), ('10-49', rows), ('50+', rows)"""


class Verdict(Frozen):
    """May it leave? Every figure, every gate."""

    passed: bool
    measures: tuple[Measure, ...]
    gates: tuple[GateResult, ...]
    suites: tuple[SuiteResult, ...] = ()
    diffs: tuple[ColumnDiff, ...] = ()
    classes_before: tuple[ClassSizes, ...] = ()
    classes_after: tuple[ClassSizes, ...] = ()
    exposure_before: tuple[Exposure, ...] = ()
    exposure_after: tuple[Exposure, ...] = ()
    contract: Mapping[str, Any] = {}
    """table to the contract suite (Great Expectations JSON) that ran: it is published with the release"""

    def value(self, name: str) -> float | None:
        """The value of one measure, None when it was not taken."""
        return next((measure.value for measure in self.measures if measure.name == name), None)

    @property
    def failed(self) -> tuple[GateResult, ...]:
        """Gates that forbid publishing."""
        return tuple(result for result in self.gates if not result.passed and result.gate.severity == "fail")


class OutputFile(Frozen):
    """One Parquet file of the release."""

    path: str
    """relative to the release folder"""
    sha256: str
    bytes: int
    rows: int


class ManifestColumn(Frozen):
    """One released or withheld column, as the recipient may see it."""

    name: str
    role: Role
    entity: str | None
    action: str
    parameters: Mapping[str, Any] = {}
    masking: bool
    released: bool
    type: DataType | None
    derived_from: tuple[str, ...]
    """input columns that its values depend on"""
    reason: str


class ManifestTable(Frozen):
    """One table of the release."""

    name: str
    input_id: str
    """keyed id of the input's content (order and partitioning do not matter)"""
    rows: int
    changed_rows_rounded: int
    """rows suppressed, rounded to a multiple of k"""
    rows_dropped_on_read: int
    files: tuple[OutputFile, ...]
    columns: tuple[ManifestColumn, ...]
    quasi_identifiers: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    unit: str | None = None
    references: tuple[tuple[str, str, str], ...] = ()
    """(column, parent table, parent column) that hold inside the release"""


class Manifest(Frozen):
    """What the recipient gets beside the data; deterministic: no times, no people, no hosts."""

    version: Literal[1] = 1
    release_id: str
    status: str
    """the sentence about pseudonymity"""
    purpose: str
    plan_digest: str
    policy_digest: str
    packs: Mapping[str, str]
    key_id: str | None
    k: int
    l: float | None = None
    diversity: Literal["distinct", "entropy", "recursive"] = "distinct"
    c: float | None = None
    t: float | None = None
    distance: Literal["equal", "ordered", "hierarchical"] = "equal"
    k_map: int | None = None
    presence: tuple[float, float] | None = None
    population_size: int | None = None
    risk_threshold: float = 0.2
    tables: tuple[ManifestTable, ...]
    measures: tuple[Measure, ...]
    gates: tuple[GateResult, ...]
    suites: tuple[SuiteResult, ...]
    contract: Mapping[str, Any] = {}
    versions: Mapping[str, str]
    licences: Mapping[str, str]
    notices: tuple[str, ...] = ()


class CheckStatus(StrEnum):
    """What re-checking one claim of a release gave."""

    OK = "ok"
    FAILED = "failed"
    NOT_VERIFIABLE = "not verifiable from the release"


class Check(Frozen):
    """One claim re-checked by `verify`."""

    name: str
    status: CheckStatus
    claimed: str = ""
    found: str = ""


class Verification(Frozen):
    """What `tamis verify` found."""

    release_id: str
    checks: tuple[Check, ...]
    authenticated: bool = False
    """False without a signature: consistent, not authenticated"""

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all(check.status is not CheckStatus.FAILED for check in self.checks)


@dataclass(frozen=True, slots=True)
class Release:
    """What `apply_plan` and `run_job` return: where things are, the verdict, the figures."""

    release_id: str
    path: Path | None
    """the release folder; None when a gate failed"""
    run_path: Path
    """the internal run folder"""
    report: Path
    manifest: Path | None
    verdict: Verdict
    plan_digest: str

    @property
    def published(self) -> bool:
        """Whether the release is out."""
        return self.path is not None

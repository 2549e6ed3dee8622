"""The policy: what people write. YAML in; every default is the safe one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, cast, get_args

from pydantic import ConfigDict, Field, create_model, model_validator

from tamis.core.actions import ACTIONS, AnyAction, Generalize
from tamis.core.types import Frozen, Role

ColumnPath = Annotated[str, Field(pattern=r"^[^.]+\..+$")]
"""`table.column`; the table name has no dot"""


class ReadOptions(Frozen):
    """How a table is read when the defaults do not fit."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    encoding: str | None = None
    nulls: tuple[str, ...] = ("", "NULL", "null", "NA", "N/A", "n/a", "None", "nan", "NaN", "\\N")
    """cells that mean 'no value' in text formats"""
    drop_bad_rows: bool = False
    """leave out rows that cannot be read instead of refusing the file; they are counted in the manifest"""
    types: Mapping[str, Literal["text", "integer", "number", "boolean", "date", "datetime"]] = {}
    """columns of text formats whose type is stated instead of inferred"""


class Population(Frozen):
    """A table of the people the input was drawn from: what k-map and δ-presence are counted against. It is read, never released."""

    source: str
    """path, glob or folder, relative to the policy"""
    columns: Mapping[str, str] = {}
    """quasi-identifier to the population's column, where the names differ"""
    read: ReadOptions = ReadOptions()


class Privacy(Frozen):
    """The disclosure model of the release."""

    model_config = ConfigDict(allow_inf_nan=False)
    model: Literal["k-anonymity"] = "k-anonymity"
    k: Annotated[int, Field(ge=2)] = 5
    l: Annotated[float, Field(gt=1)] | None = None
    """diversity of each sensitive column in every equivalence class; how it is counted says `diversity`"""
    diversity: Literal["distinct", "entropy", "recursive"] = "distinct"
    """distinct: at least l values; entropy: exp of the entropy at least l; recursive: (c,l), the commonest value is not too common"""
    c: Annotated[float, Field(gt=0)] | None = None
    """recursive: the commonest value occurs less than c times as often as the l-th commonest and all rarer ones together"""
    t: Annotated[float, Field(gt=0, le=1)] | None = None
    """largest distance between the distribution of a sensitive column in a class and in the table (t-closeness)"""
    distance: Literal["equal", "ordered", "hierarchical"] = "equal"
    """ground distance of t: all values equally far; by rank (numbers and dates; text is compared as equal); by the column's hierarchy"""
    population: Population | None = None
    k_map: Annotated[int, Field(ge=2)] | None = None
    """every class of the release matches at least this many persons of the population"""
    presence: tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]] | None = None
    """δ-presence: bounds of the share of the population's matching persons that are in the release, for every class"""
    recoding: Literal["full-domain", "local"] = "full-domain"
    """full-domain: one level for a whole column; local: every class as fine as it can be, columns then mix levels"""
    loss: Literal["arithmetic", "geometric"] = "arithmetic"
    """how the losses of columns become one: their weighted mean, or the geometric mean of 1 + loss, less 1"""
    max_suppressed: Annotated[float, Field(ge=0, le=1)] = 0.05
    """share of rows of a table that may be suppressed to reach k"""
    unit: ColumnPath | None = None
    """the column that names a person; rows of one person count once"""
    population_size: Annotated[int, Field(ge=1)] | None = None
    """persons the input was drawn from, for the estimate of who is alone among them; without it the input is taken for everybody"""
    risk_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """a person whose risk is above this counts as at risk"""

    @model_validator(mode="after")
    def _models_are_whole(self) -> Self:
        if self.l is not None and self.diversity != "entropy" and not float(self.l).is_integer():
            raise ValueError(f"'l' counts values with diversity: {self.diversity}; write a whole number of at least 2")
        if (self.diversity == "recursive") != (self.c is not None):
            raise ValueError("'c' and 'diversity: recursive' belong together")
        if self.diversity != "distinct" and self.l is None:
            raise ValueError(f"'diversity: {self.diversity}' needs 'l'")
        if (self.k_map is not None or self.presence is not None) != (self.population is not None):
            raise ValueError("'population' and 'k_map' or 'presence' belong together")
        if self.presence is not None and self.presence[0] > self.presence[1]:
            raise ValueError("'presence' is [lower, upper], and lower must not be above upper")
        return self


class ApprovalRule(Frozen):
    """How many people must have approved a plan before it can be applied, and whose approval counts."""

    required: Annotated[int, Field(ge=0, le=20)] = 0
    """different people; 0: a plan may be applied without anybody's approval"""
    valid_days: Annotated[int, Field(ge=1)] = 90
    """an older approval no longer counts"""
    keys: tuple[str, ...] = ()
    """public keys (base64, or a PEM file relative to the policy) whose signatures count; none: unsigned approvals count too"""


class AttackRule(Frozen):
    """Whether a release is attacked before it is published, and on how many rows of a table."""

    run: bool = True
    """false: no attack is tried, and the release says so"""
    rows: Annotated[int, Field(ge=1_000, le=1_000_000)] = 20_000
    """rows of a table that are released again, without 20 % of the persons, to be attacked"""


class Gate(Frozen):
    """A figure the release must reach. `measure` is `family.name`, optionally `@table` or `@table.column`."""

    model_config = ConfigDict(allow_inf_nan=False)
    measure: Annotated[str, Field(pattern=r"^[a-z_]+\.[a-z_0-9]+(@.+)?$")]
    min: float | None = None
    max: float | None = None
    severity: Literal["fail", "warn"] = "fail"

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("a gate needs 'min' or 'max'")
        return self


class _ColumnPolicyBase(Frozen):
    role: Role | None = None
    """what this column is, when you know better than the detector"""
    entity: str | None = None
    reason: str | None = None
    """why; shown in plan and report"""
    proposed: bool = False
    """written by `tamis init`: not decided until a person removes this line (or `init --accept`)"""
    strays: Literal["accept"] | None = None
    """keep the column although personal data was found in single cells of it; without this such a `keep` is not decided"""

    if TYPE_CHECKING:  # fields of the dynamic subclass, one per action

        def __getattr__(self, name: str) -> Any: ...

    @model_validator(mode="after")
    def _at_most_one_action(self) -> Self:
        named = sorted(ACTIONS.keys() & self.model_fields_set)
        if len(named) > 1:
            raise ValueError(f"one action per column, not {len(named)}: {', '.join(named)}")
        action = self.action
        if action is not None and (word := self._parameter_as_reason()):
            raise ValueError(f"'{word}' is a parameter, not a reason: write {action.action}: {{to: {word}}}")
        if action is not None and action.action == "keep" and not self.why:
            raise ValueError("keep needs a reason, e.g. keep: the purpose needs it")
        if action is not None and getattr(action, "link", "") == "stable" and not self.reason:
            raise ValueError("link: stable makes releases joinable; say why with 'reason:'")
        return self

    def _parameter_as_reason(self) -> str | None:
        """`generalize: year` would be `auto` for the reason 'year': surely not what was meant."""
        text = self.generalize if "generalize" in self.model_fields_set else None
        choices = get_args(Generalize.model_fields["to"].annotation)
        return text if isinstance(text, str) and text in choices else None

    @property
    def action(self) -> AnyAction | None:
        """The action named, None when only the role is stated."""
        for name, kind in ACTIONS.items():
            if name in self.model_fields_set:
                stated = getattr(self, name)
                return cast("AnyAction", stated if isinstance(stated, kind) else kind())
        return None

    @property
    def why(self) -> str:
        """The reason stated, wherever it was written."""
        stated = [getattr(self, name) for name in ACTIONS if name in self.model_fields_set]
        return self.reason or next((value for value in stated if isinstance(value, str)), "")


def _field_of(name: str) -> tuple[Any, Any]:
    kind = ACTIONS[name]
    needs_parameters = any(field.is_required() for field in kind.model_fields.values())
    doc = (kind.__doc__ or "").split("\n", maxsplit=1)[0]
    annotation = kind | None if needs_parameters else kind | str | None
    return annotation, Field(default=None, description=doc)


ColumnPolicy: type[_ColumnPolicyBase] = create_model(
    "ColumnPolicy",
    __base__=_ColumnPolicyBase,
    __module__=__name__,
    __doc__="What to do with one column: at most one action, by name, with its parameters or (text) a reason.",
    **{name: _field_of(name) for name in ACTIONS},  # type: ignore[call-overload]  # field names known at run time only
)

ShortAction = Literal["drop", "suppress_rare", "generalize", "top_bottom_code", "synthesize", "redact"]
"""actions that need no parameters may be written as one word"""


class TablePolicy(Frozen):
    """What to do with one table."""

    source: str | tuple[str, ...] | None = None
    """path, glob or folder, relative to the policy; DATA on the command line overrides it"""
    key: str | tuple[str, ...] | None = None
    """column(s) that identify a row"""
    keep_order: str | None = None
    """keep the input's row order, for this reason; otherwise rows come out in a keyed order"""
    read: ReadOptions = ReadOptions()
    columns: Mapping[str, ColumnPolicy | ShortAction] = {}

    def of(self, column: str) -> _ColumnPolicyBase | None:
        """The statement about one column, None when there is none."""
        stated = self.columns.get(column)
        if stated is None or isinstance(stated, _ColumnPolicyBase):
            return stated
        return ColumnPolicy.model_validate({str(stated): {}})


class Policy(Frozen):
    """A minimization policy: purpose, what it needs, and what happens to the rest."""

    version: Literal[1] = 1
    purpose: Annotated[str, Field(min_length=1)]
    target: ColumnPath | None = None
    """the column a model will be trained to predict"""
    needed: tuple[ColumnPath, ...] = ()
    """columns the purpose needs as they are: the same as `keep`"""
    packs: tuple[str, ...] = ()
    """rule packs by name (from rules/packs/) or path"""
    recognizers: tuple[str, ...] = ()
    """files of recognizers in Presidio's YAML format, relative to the policy"""
    ner: str | None = None
    """a model for names in text that is on this machine: spacy:NAME, spacy:FOLDER, transformers:FOLDER or gliner:FOLDER"""
    key: str | None = None
    """where the key is: env:NAME or file:PATH; never the key itself"""
    unknown_columns: Literal["stop", "drop"] = "stop"
    """what happens to a column that neither the policy nor a pack decides"""
    privacy: Privacy = Privacy()
    tables: Mapping[str, TablePolicy] = {}
    references: Mapping[ColumnPath, ColumnPath] = {}
    """foreign keys, child to parent: orders.customer_id: customers.customer_id"""
    expectations: str | None = None
    """folder with your own Great Expectations suites (`<table>.json`), relative to the policy"""
    gates: tuple[Gate, ...] = ()
    attacks: AttackRule = Field(default=AttackRule(), exclude_if=lambda rule: rule == AttackRule())
    approvals: ApprovalRule = ApprovalRule()

    def of(self, table: str) -> TablePolicy:
        """The statements about one table; the empty ones when there are none."""
        return self.tables.get(table) or TablePolicy()


def split_path(path: str) -> tuple[str, str]:
    """`table.column` in two; only the first dot divides (columns may have dots)."""
    table, _, column = path.partition(".")
    return table, column

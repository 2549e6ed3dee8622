"""What may happen to a column. Every action declares itself once, here.

From this declaration come the policy's syntax and schema, `tamis rules list`, the plan's checks, the explanation and the
output types; `transform/apply.py` and `plan/explain.py` match on the union `AnyAction` and end in `assert_never`, so that a new
action cannot be forgotten in one of them.

Parameters a person may write and literals that planning resolves live in the same model: a resolved field left out by the
policy is None there and never None in a plan that can be applied. Resolved literals hold values of at least k persons, or bounds
rounded outward.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from tamis.core.types import DataType, Frozen

Level = Annotated[int, Field(ge=0)]


class Scope(StrEnum):
    """How much of the table an action must see for one row's result."""

    ROW = "row"
    """the row alone: may stream, may run per partition"""
    TABLE = "table"
    """the whole table"""


# --------------------------------------------------------------------------------------------------- recodings (of generalization)


class AsIs(Frozen):
    """Level 0 of a ladder: the value itself."""

    kind: Literal["as_is"] = "as_is"


class NumberBand(Frozen):
    """Half-open intervals of equal width from `origin`; text like '30-39' for integers, '[0.5, 1)' for numbers.

    `lower` and `upper` are the open ends: everything below becomes '<lower', everything at or above becomes '>=upper'.
    """

    kind: Literal["number_band"] = "number_band"
    width: Annotated[float, Field(gt=0)]
    origin: float = 0.0
    lower: float | None = None
    upper: float | None = None


class NumberCuts(Frozen):
    """Half-open intervals between stated edges: '30-39' for integers, '[0.5, 1)' for numbers; open at both ends, '<30' and '>=90'.

    Each interval holds values of at least k persons, so that an edge tells of nobody.
    """

    kind: Literal["number_cuts"] = "number_cuts"
    edges: Annotated[tuple[float, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if any(low >= high for low, high in pairwise(self.edges)):
            raise ValueError("'edges' must ascend")
        return self


class DatePart(Frozen):
    """Day '2024-03-09', month '2024-03', quarter '2024-Q1', year '2024', five years '2020-2024', decade '2020-2029'; all text."""

    kind: Literal["date_part"] = "date_part"
    unit: Literal["day", "month", "quarter", "year", "5 years", "decade"]


class AgeBand(Frozen):
    """Completed years between a date and `as_of`, in bands of `width` years, open at `top`: '30-34', '90+'; text."""

    kind: Literal["age_band"] = "age_band"
    as_of: dt.date
    width: Annotated[int, Field(gt=0)] = 5
    top: int = 90


class Prefix(Frozen):
    """The first `length` characters, the rest shown as one '*': '123*'; text. A value not longer than `length` stays whole.

    With `restricted` the codes are US ZIP codes, and those of sparsely populated areas become zeros, '000' (45 CFR
    164.514(b)(2)(i)(B)). A ZIP code that lost its leading zeros, as a number or as four digits of text, gets them back first:
    the first three characters of 3601 are not those of 03601.
    """

    kind: Literal["prefix"] = "prefix"
    length: Annotated[int, Field(ge=1)]
    restricted: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """beginnings of codes whose areas have so few inhabitants that they may not be told apart"""


class CategoryMap(Frozen):
    """Values to their parents; what is not listed becomes `other` (null when `other` is None); text."""

    kind: Literal["category_map"] = "category_map"
    parents: tuple[tuple[str, str], ...]
    other: str | None = "OTHER"


class Everything(Frozen):
    """The top of every ladder: the one label '*', for missing values too."""

    kind: Literal["everything"] = "everything"


class AsCell(Frozen):
    """Local recoding: the label of the row's cell in this column; which cell that is, the table's `classes` say. Text."""

    kind: Literal["as_cell"] = "as_cell"


AnyRecode = Annotated[
    AsIs | NumberBand | NumberCuts | DatePart | AgeBand | Prefix | CategoryMap | Everything | AsCell, Field(discriminator="kind")
]


# ------------------------------------------------------------------------------------------------------------------------- actions

ANY_TYPE = frozenset(DataType)
NUMERIC = frozenset({DataType.INTEGER, DataType.NUMBER})
TEMPORAL = frozenset({DataType.DATE, DataType.DATETIME})


class Action(Frozen):
    """Base: what every action declares of itself."""

    model_config = ConfigDict(allow_inf_nan=False)
    scope: ClassVar[Scope] = Scope.ROW
    accepts: ClassVar[frozenset[DataType]] = ANY_TYPE
    output: ClassVar[DataType | None] = None
    """logical type of the result; None: that of the input"""
    masking: ClassVar[bool] = True
    """whether the original value is hidden"""
    keyed: ClassVar[bool] = False
    """needs key material; the release is then pseudonymous at best"""


class Keep(Action):
    """Leave the column as it is. Needs a reason: only a person can say that a column may leave."""

    masking: ClassVar[bool] = False
    action: Literal["keep"] = "keep"


class Drop(Action):
    """Leave the column out of the release."""

    action: Literal["drop"] = "drop"


class SuppressRare(Action):
    """Null every value that fewer than `min_count` persons (rows without a unit) share; the frequent ones stay."""

    accepts: ClassVar[frozenset[DataType]] = frozenset({DataType.TEXT, DataType.INTEGER, DataType.BOOLEAN})
    action: Literal["suppress_rare"] = "suppress_rare"
    min_count: Annotated[int, Field(ge=2)] | None = None
    """default: the policy's k"""
    values: tuple[str, ...] | None = None
    """resolved: the values that stay (canonical text), each shared by at least `min_count`"""


class Generalize(Action):
    """Replace values by coarser ones: bands of numbers, parts of dates, age bands, prefixes of codes, parents of categories.

    `auto` lets planning choose the level that satisfies the privacy model with the least loss.
    """

    accepts: ClassVar[frozenset[DataType]] = ANY_TYPE - {DataType.BINARY, DataType.TIME, DataType.DURATION}
    output: ClassVar[DataType | None] = DataType.TEXT
    action: Literal["generalize"] = "generalize"
    to: Literal["auto", "band", "month", "quarter", "year", "5 years", "decade", "age", "prefix", "hierarchy"] = "auto"
    width: Annotated[float, Field(gt=0)] | None = None
    """band, age: the width of a band"""
    length: Annotated[int, Field(ge=1)] | None = None
    """prefix: characters that stay"""
    hierarchy: str | None = None
    """hierarchy, auto: its name in rules/hierarchies/ or a path to a CSV (one row per value, one column per level)"""
    level: Level | None = None
    """hierarchy, auto: exactly this level, 0 is the value itself"""
    as_of: dt.date | None = None
    """age: the day at which the age is taken; default: 1 January after the latest k-safe date of the column"""
    max_level: Level | None = None
    """auto: never coarser than this level"""
    order: Annotated[tuple[str, ...], Field(min_length=2)] | None = None
    """auto: the values from low to high, where their order is not plain from the words; only neighbors are put together"""
    weight: Annotated[float, Field(gt=0)] = 1.0
    """auto: how much a loss in this column counts; what the purpose needs most gets more than 1 and is generalized last"""
    recode: AnyRecode | None = None
    """resolved: exactly what is done"""


class TopBottomCode(Action):
    """Clip numbers at a lower and an upper bound, each stated or taken from the k extremes (their mean)."""

    accepts: ClassVar[frozenset[DataType]] = NUMERIC
    action: Literal["top_bottom_code"] = "top_bottom_code"
    lower: float | None = None
    upper: float | None = None
    share: Annotated[float, Field(gt=0, lt=0.5)] | None = None
    """share of rows in each tail that is coded; default: the k extremes of each side"""
    resolved: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ValueError("'lower' must not be above 'upper'")
        return self


class Pseudonymize(Action):
    """Replace a value by a keyed token (HMAC-SHA-256, 128 bits, 26 characters). Equal values of one domain get equal tokens.

    Scope `release`: tokens of two releases cannot be joined. `stable` joins across releases and needs a reason.
    """

    accepts: ClassVar[frozenset[DataType]] = ANY_TYPE - {DataType.BINARY, DataType.NUMBER, DataType.DURATION}
    output: ClassVar[DataType | None] = DataType.TEXT
    keyed: ClassVar[bool] = True
    action: Literal["pseudonymize"] = "pseudonymize"
    domain: Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z0-9_.-]+$")]
    link: Literal["release", "stable"] = "release"


class ShiftDates(Action):
    """Move all dates of a subject by the same keyed number of days; intervals within a subject stay exact."""

    accepts: ClassVar[frozenset[DataType]] = TEMPORAL
    keyed: ClassVar[bool] = True
    action: Literal["shift_dates"] = "shift_dates"
    subject: Annotated[str, Field(min_length=1)]
    """column of the same table that names the subject"""
    domain: Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z0-9_.-]+$")] = "subject"
    """dates of one subject move together in every table that names this domain"""
    days: Annotated[int, Field(ge=1, le=3650)] = 183
    """the shift is drawn from -days..+days without 0"""


def _unsaid(value: str | None) -> bool:
    """Defaults of the rarer parameters of a fake: left out of plans, whose digests then do not change with what nobody asked for."""
    return value in (None, "release", "neutral", "valid", "uniform")


class Fake(Action):
    """Replace an identifier by an invented one of the same kind; equal values of one domain get equal fakes.

    Neutral in locale, gender and length unless asked. `unique` keeps different values different (for keys). What a fake is asked to
    keep of its original is released: it counts as a kept quasi-identifier.
    """

    accepts: ClassVar[frozenset[DataType]] = ANY_TYPE - {DataType.BINARY, DataType.BOOLEAN, DataType.DURATION}
    output: ClassVar[DataType | None] = DataType.TEXT
    keyed: ClassVar[bool] = True
    action: Literal["fake"] = "fake"
    kind: Literal[
        "person_name", "first_name", "last_name", "email", "username", "phone", "street_address", "address", "city", "postcode",
        "company", "job", "url", "ip_address", "iban", "credit_card", "national_id",
    ]  # fmt: skip
    domain: Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z0-9_.-]+$")] | None = None
    """default: the kind; with `person`: person"""
    locale: Annotated[str, Field(pattern=r"^(keep|[a-z]{2}(_[A-Z]{2})?)$")] | None = None
    """keep: that of each value, by its script and words, or by `locale_from`"""
    locale_from: Annotated[str, Field(min_length=1)] | None = Field(default=None, exclude_if=_unsaid)
    """locale keep: the column of the same table that tells it: a name, a country, a locale code; default: the column itself"""
    gender_from: Annotated[str, Field(min_length=1)] | None = Field(default=None, exclude_if=_unsaid)
    """keep the gender that this column of the same table tells, in words or by a first name; it may be the column itself"""
    person: Annotated[str, Field(min_length=1)] | None = Field(default=None, exclude_if=_unsaid)
    """column of the same table that names the person: all fakes of one person match, the e-mail address the name"""
    link: Literal["release", "stable"] = Field(default="release", exclude_if=_unsaid)
    """stable: the same fakes in every release under this key; needs a reason"""
    unique: bool = False
    format: Literal["neutral", "keep"] = Field(default="neutral", exclude_if=_unsaid)
    """keep: length, separators, upper and lower case of each value, as far as reserved ranges allow"""
    checksum: Literal["valid", "broken"] = Field(default="valid", exclude_if=_unsaid)
    """broken: check digits are wrong on purpose, so that no system takes the value for a real one"""
    frequency: Literal["uniform", "natural"] = Field(default="uniform", exclude_if=_unsaid)
    """natural: names are as frequent as in Faker's lists, which for some locales are a census's"""

    @model_validator(mode="after")
    def _keeps_what_it_can(self) -> Self:
        named = {"person_name", "first_name", "last_name", "company", "email", "username"}
        if self.locale_from is not None and self.locale != "keep":
            raise ValueError("'locale_from' belongs to 'locale: keep'")
        if self.gender_from is not None and self.kind not in named - {"company"}:
            raise ValueError(f"'gender_from' has no meaning for a fake of kind {self.kind}")
        if self.frequency == "natural" and self.kind not in named:
            raise ValueError(f"'frequency: natural' is for names, not for a fake of kind {self.kind}")
        if self.checksum == "broken" and self.kind not in ("iban", "credit_card", "national_id"):
            raise ValueError(f"a fake of kind {self.kind} has no check digits that could be broken")
        return self

    @property
    def sources(self) -> Mapping[str, str]:
        """Parameter to the column of the same table it names."""
        named = {"person": self.person, "gender_from": self.gender_from, "locale_from": self.locale_from}
        return {word: column for word, column in named.items() if column is not None}


class Synthesize(Action):
    """Replace values by proxies sampled from a model that SDV fitted, given the columns that stay.

    Rare categories are pooled and extremes clipped before the fit; nothing of fewer than k persons can be read from the model.
    """

    accepts: ClassVar[frozenset[DataType]] = frozenset(
        {DataType.TEXT, DataType.INTEGER, DataType.NUMBER, DataType.BOOLEAN, DataType.DATE, DataType.DATETIME}
    )
    keyed: ClassVar[bool] = True
    action: Literal["synthesize"] = "synthesize"
    model: str | None = None
    """resolved: id of the proxy model in the plan"""


class Redact(Action):
    """Replace personal data inside free text by labels such as <EMAIL_ADDRESS>; the rest of the text stays.

    Without a configured NER model only what has a recognizable form is found: such text is not claimed clean.
    """

    accepts: ClassVar[frozenset[DataType]] = frozenset({DataType.TEXT})
    action: Literal["redact"] = "redact"
    entities: tuple[str, ...] | None = None
    """default: every entity of rules/entities.yaml that a recognizer finds"""
    label: Literal["entity", "token", "blank"] = "entity"
    """<ENTITY>, a keyed token per value, or nothing"""


AnyAction = Annotated[
    Keep | Drop | SuppressRare | Generalize | TopBottomCode | Pseudonymize | ShiftDates | Fake | Synthesize | Redact,
    Field(discriminator="action"),
]

ACTIONS: Mapping[str, type[Action]] = {
    "keep": Keep,
    "drop": Drop,
    "suppress_rare": SuppressRare,
    "generalize": Generalize,
    "top_bottom_code": TopBottomCode,
    "pseudonymize": Pseudonymize,
    "shift_dates": ShiftDates,
    "fake": Fake,
    "synthesize": Synthesize,
    "redact": Redact,
}


_PARTS_OF_DATES = frozenset({"month", "quarter", "year", "5 years", "decade", "age"})


def accepted_types(action: Action) -> frozenset[DataType]:
    """Logical types the action can be applied to, with the parameters it has: only a date has a year."""
    if isinstance(action, Generalize) and action.to in _PARTS_OF_DATES:
        return TEMPORAL | {DataType.EMPTY}
    if isinstance(action, Generalize) and action.to == "band":
        return NUMERIC | {DataType.EMPTY}
    return type(action).accepts


def stable_domain(action: Action) -> str | None:
    """The domain in which the action's results join with other releases; None when they do not."""
    match action:
        case Pseudonymize(link="stable"):
            return action.domain
        case Fake(link="stable"):
            return f"fake {action.domain or ('person' if action.person else action.kind)} {action.kind}"
        case _:
            return None


def is_resolved(action: Action) -> bool:
    """Whether planning has nothing left to fill in."""
    match action:
        case SuppressRare():
            return action.values is not None and action.min_count is not None
        case Generalize():
            return action.recode is not None
        case TopBottomCode():
            return action.resolved
        case Synthesize():
            return action.model is not None
        case _:
            return True


def output_type(action: Action, given: DataType) -> DataType:
    """Logical type of the released column."""
    as_it_is = isinstance(action, Generalize) and isinstance(action.recode, AsIs)
    found = given if as_it_is else type(action).output or given
    return DataType.TEXT if found is DataType.EMPTY else found  # files know no type without values

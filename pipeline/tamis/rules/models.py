"""What the rules folder and the files of a user may say, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from tamis.core.actions import ACTIONS, Action, AnyAction
from tamis.core.canonical import digest
from tamis.core.errors import clean_name, did_you_mean
from tamis.core.policy import ColumnPolicy
from tamis.core.types import DataType, Finding, Frozen, Role
from tamis.rules.hierarchies import load_hierarchy
from tamis.rules.recognizers import Recognizer, Registry

Word = Annotated[str, Field(min_length=1)]
RuleId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Weight = Annotated[float, Field(gt=0, le=1)]


class Entity(Frozen):
    """A word of the vocabulary: what a column of this kind does to a person, and in which logical types it plausibly occurs."""

    role: Role
    types: tuple[DataType, ...] = tuple(DataType)
    description: str
    source: str
    presidio: tuple[Word, ...] = ()
    """Presidio's names for the same thing, besides an equal one"""


class NameRule(Frozen):
    """What a column name says: phrases of normalized tokens (lower case, no accents, divided by blanks) that suggest an entity."""

    id: RuleId
    entity: Word
    weight: Weight
    phrases: tuple[Word, ...]
    contrary: tuple[Word, ...] = ()
    """words beside the phrase that turn it into something else"""
    about: Literal["any", "person", "table"] = "any"
    """person: not where table or column speak of things; table: only where the table is known to be about persons"""
    marks: bool = False
    """such a column makes its table a table about persons"""
    whole: bool = False
    """the phrase must be the whole name"""
    examples: tuple[Word, ...] = ()
    """column names that it must speak of, besides its phrases"""
    counter_examples: tuple[Word, ...] = ()
    """column names of which it must say nothing, or not enough"""

    @field_validator("phrases", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """One text with commas is the same list: a parser reads twenty thousand phrases ten times faster that way."""
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Words(Frozen):
    """Tokens with a meaning of their own inside a name."""

    id: tuple[Word, ...]
    neutral: tuple[Word, ...]
    other: tuple[Word, ...]
    head_first: tuple[Word, ...] = ()
    compounding: tuple[Word, ...] = ()
    """heads of compounds in languages that write them in one word: the beginning need not be known"""
    particles: tuple[Word, ...] = ()
    """small words that are left out when a name is read by its synonyms"""
    synonyms: Mapping[Word, tuple[Word, ...]] = {}
    """canonical word to the words that mean the same in some language or abbreviation"""


class Subjects(Frozen):
    """Words for what a table is about."""

    person: tuple[Word, ...]
    thing: tuple[Word, ...]
    event: tuple[Word, ...] = ()
    """what happens to persons or things: an order, a visit"""
    health: tuple[Word, ...] = ()
    """such a word says that the rows tell of the health of persons"""


class ValueSet(Frozen):
    """A closed vocabulary of values, written case-folded without accents and punctuation."""

    id: RuleId
    entity: Word
    weight: Weight
    values: tuple[Word, ...]
    require: tuple[Word, ...]
    """at least one of these must occur"""
    examples: tuple[Word, ...] = ()
    """cells that belong to it"""
    counter_examples: tuple[Word, ...] = ()
    """cells that do not"""


class PackRule(Frozen):
    """One rule of a pack: for these entities, or for this role, this protective action."""

    id: RuleId
    description: str
    source: str
    entities: tuple[Word, ...] = ()
    role: Role | None = None
    action: Mapping[str, Mapping[str, object] | str | None]
    """in the policy's syntax: `{generalize: {to: year}}`"""

    @model_validator(mode="after")
    def _speaks_of_one_thing(self) -> Self:
        if bool(self.entities) == (self.role is not None):
            raise ValueError("a pack rule names either 'entities' or a 'role'")
        return self

    @field_validator("action")
    @classmethod
    def _one_protective_action(cls, action: Mapping[str, Mapping[str, object] | str | None]) -> Mapping[str, object]:
        if len(action) != 1:
            raise ValueError("a pack rule names exactly one action")
        name = next(iter(action))
        if name not in ACTIONS:
            raise ValueError(f"unknown action '{clean_name(name)}'. {did_you_mean(name, ACTIONS)}")
        if not ACTIONS[name].masking:
            raise ValueError(f"a pack protects: '{name}' can only be said by a policy")
        return action

    @cached_property
    def resolved(self) -> AnyAction:
        """The action as a value; ValueError when its parameters are wrong."""
        name, parameters = next(iter(self.action.items()))
        stated = ColumnPolicy.model_validate({name: {} if parameters is None else parameters, "reason": self.description})
        action = stated.action
        assert action is not None
        return action

    @model_validator(mode="after")
    def _parameters_fit(self) -> Self:
        _ = self.resolved
        return self


class Forbid(Frozen):
    """An action that a pack refuses everywhere, with the reason."""

    action: str
    reason: Word

    @field_validator("action")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in ACTIONS:
            raise ValueError(f"unknown action '{clean_name(name)}'. {did_you_mean(name, ACTIONS)}")
        return name


class PackFile(Registry):
    """A file of rules: a policy pack, a registry of Presidio's recognizers, words of one's own, or all of it in one."""

    version: Literal[1] = 1
    description: str = ""
    source: str = ""
    rules: tuple[PackRule, ...] = ()
    forbids: tuple[Forbid, ...] = ()
    facts: Mapping[str, tuple[str, ...]] = {}
    """published lists that the pack's rules rest on, e.g. restricted_zip3"""
    entities: Mapping[Word, Entity] = {}
    """words beside those of rules/entities.yaml"""
    names: tuple[NameRule, ...] = ()
    values: tuple[ValueSet, ...] = ()
    allow_list: tuple[Word, ...] = ()
    """exact texts that no recognizer in force may report, e.g. the support line of one's own company"""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not any((self.rules, self.recognizers, self.names, self.values, self.entities, self.allow_list)):
            raise ValueError("it says nothing: one of 'rules', 'recognizers', 'names', 'values', 'entities', 'allow_list' is expected")
        for key in ("description", "source") if self.rules else ():
            if not getattr(self, key):
                raise ValueError(f"a pack of policy rules needs a '{key}'")
        for ids in ([rule.id for rule in self.rules], [rule.id for rule in self.names], [rule.id for rule in self.values]):
            repeated = next((one for one in ids if ids.count(one) > 1), None)
            if repeated is not None:
                raise ValueError(f"the rule id '{repeated}' occurs twice")
        return self


class Pack(Frozen):
    """A file of rules in force."""

    name: str
    location: str
    """as the policy names it: a name in rules/packs/ or a path"""
    digest: str = ""
    """sha256 of the pack's content"""
    description: str = ""
    source: str = ""
    rules: tuple[PackRule, ...] = ()
    forbids: tuple[Forbid, ...] = ()
    facts: Mapping[str, tuple[str, ...]] = {}
    entities: Mapping[str, Entity] = {}
    names: tuple[NameRule, ...] = ()
    values: tuple[ValueSet, ...] = ()
    recognizers: tuple[Recognizer, ...] = ()
    allow_list: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """recognizers of the file that are not in force, and why"""


class EntitiesFile(Frozen):
    """rules/entities.yaml."""

    version: Literal[1]
    entities: Mapping[Word, Entity]


class NamesFile(Frozen):
    """rules/names.yaml."""

    version: Literal[1]
    words: Words
    subjects: Subjects
    rules: tuple[NameRule, ...]


class ValuesFile(Frozen):
    """rules/values.yaml."""

    version: Literal[1]
    sets: tuple[ValueSet, ...]


class Rules(Frozen):
    """Everything the rules folder says, and the packs a policy asked for, in the policy's order."""

    entities: Mapping[str, Entity]
    words: Words
    subjects: Subjects
    names: tuple[NameRule, ...]
    value_sets: tuple[ValueSet, ...]
    packs: tuple[Pack, ...] = ()
    recognizers: tuple[Recognizer, ...] = ()
    """those of rules/recognizers/, then those of the user's files"""

    @cached_property
    def allow_list(self) -> frozenset[str]:
        """Exact texts that no recognizer may report, of all packs in force."""
        return frozenset(text for pack in self.packs for text in pack.allow_list)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What of the user's files is not in force, and why: nothing is left out silently."""
        return tuple(note for pack in self.packs for note in pack.notes)

    def entity_of(self, presidio_name: str) -> str | None:
        """The word of the vocabulary for an entity of Presidio; None when there is none."""
        return word_for(presidio_name, self.entities)

    def pack_action(self, finding: Finding) -> tuple[AnyAction, str, str] | None:
        """Action, rule id `pack:NAME/ID` and reason for a finding; None when no pack speaks of it.

        The first pack that speaks wins; inside a pack a rule for the entity comes before a rule for the role.
        """
        for pack in self.packs:
            by_entity = (rule for rule in pack.rules if finding.entity is not None and finding.entity in rule.entities)
            by_role = (rule for rule in pack.rules if rule.role == finding.role)
            rule = next(by_entity, None) if finding.role != Role.NONE or self._neutral(finding) else None
            rule = rule or next(by_role, None)
            if rule is not None:
                return rule.resolved, f"pack:{pack.name}/{rule.id}", f"{rule.description} ({pack.source}, {rule.source})"
        return None

    def _neutral(self, finding: Finding) -> bool:
        """Whether the entity itself has no role (keys of records): rules for it hold although the finding says `none`."""
        entity = self.entities.get(finding.entity or "")
        return entity is not None and entity.role == Role.NONE

    def forbidden(self, action: str | Action) -> tuple[str, str] | None:
        """Pack and reason when a pack in force refuses an action (by name or value) everywhere; None when it is allowed."""
        name = action if isinstance(action, str) else str(getattr(action, "action", ""))
        for pack in self.packs:
            for forbid in pack.forbids:
                if forbid.action == name:
                    return pack.name, forbid.reason
        return None

    def fact(self, name: str) -> tuple[str, ...]:
        """A published list of the packs in force (e.g. `restricted_zip3`), united; empty when no pack states it."""
        return tuple(sorted({value for pack in self.packs for value in pack.facts.get(name, ())}))

    def hierarchy(self, name: str, base: Path | None = None) -> dict[str, tuple[str, ...]]:
        """Value -> its ancestors, level 1 upwards. `name` is one of rules/hierarchies/ or a path to a CSV, relative to `base`.

        Raises UsageError when there is no such file, PolicyError when it is not a hierarchy.
        """
        return load_hierarchy(name, base)

    @cached_property
    def digest(self) -> str:
        """sha256 over all that decides findings and actions."""
        return digest(self)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Rules:
        """A copy that knows nothing of the digest of what it was copied from."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("digest", None)
        return copied


def word_for(presidio_name: str, entities: Mapping[str, Entity]) -> str | None:
    """The vocabulary's word for a name of Presidio: an equal one, or the entity that lists it."""
    if presidio_name in entities:
        return presidio_name
    return next((word for word, entity in entities.items() if presidio_name in entity.presidio), None)

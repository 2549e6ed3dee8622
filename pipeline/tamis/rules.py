"""Rules as data: the vocabulary of entities, column-name rules, value sets, policy packs, hierarchies.

They are YAML and CSV in `rules/` (the repository's folder, or `tamis/_data/rules` in a wheel), checked against the models below;
every error names the file, the line and the path in the document. A pack only ever protects: none can say `keep`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from tamis.core.actions import ACTIONS, Action, AnyAction
from tamis.core.canonical import digest
from tamis.core.errors import PolicyError, UsageError, clean_name, did_you_mean
from tamis.core.policy import ColumnPolicy
from tamis.core.types import DataType, Finding, Frozen, Role
from tamis.documents import load_document, read_text

Word = Annotated[str, Field(min_length=1)]
RuleId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Weight = Annotated[float, Field(gt=0, le=1)]


class Entity(Frozen):
    """A word of the vocabulary: what a column of this kind does to a person, and in which logical types it plausibly occurs."""

    role: Role
    types: tuple[DataType, ...] = tuple(DataType)
    description: str
    source: str


class NameRule(Frozen):
    """What a column name says: phrases of normalized tokens (lower case, no accents, divided by blanks) that suggest an entity."""

    id: RuleId
    entity: Word
    weight: Weight
    phrases: tuple[Word, ...]
    contrary: tuple[Word, ...] = ()
    """words beside the phrase that turn it into something else"""
    about: Literal["any", "person"] = "any"
    """person: only where table or column speak of persons"""
    marks: bool = False
    """such a column makes its table a table about persons"""
    whole: bool = False
    """the phrase must be the whole name"""


class Words(Frozen):
    """Tokens with a meaning of their own inside a name."""

    id: tuple[Word, ...]
    neutral: tuple[Word, ...]
    other: tuple[Word, ...]
    head_first: tuple[Word, ...] = ()


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


class Pack(Frozen):
    """A policy pack: protective rules with their legal source."""

    version: Literal[1] = 1
    name: str = ""
    digest: str = ""
    """sha256 of the pack's content"""
    description: str
    source: str
    rules: tuple[PackRule, ...]
    forbids: tuple[Forbid, ...] = ()
    facts: Mapping[str, tuple[str, ...]] = {}
    """published lists that the pack's rules rest on, e.g. restricted_zip3"""

    @model_validator(mode="after")
    def _unique_ids(self) -> Self:
        seen: set[str] = set()
        for rule in self.rules:
            if rule.id in seen:
                raise ValueError(f"the rule id '{rule.id}' occurs twice")
            seen.add(rule.id)
        return self


class _Entities(Frozen):
    version: Literal[1]
    entities: Mapping[Word, Entity]


class _Names(Frozen):
    version: Literal[1]
    words: Words
    subjects: Subjects
    rules: tuple[NameRule, ...]


class _Values(Frozen):
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


def rules_folder() -> Path:
    """The folder with our rules: inside the wheel, or the repository's in an editable install."""
    package = Path(__file__).resolve().parent
    shipped = package / "_data" / "rules"
    return shipped if shipped.is_dir() else package.parents[1] / "rules"


def list_packs() -> tuple[str, ...]:
    """Names of the packs that come with tamis, sorted."""
    return tuple(sorted(path.stem for path in (rules_folder() / "packs").glob("*.yaml")))


def list_hierarchies() -> tuple[str, ...]:
    """Names of the hierarchies that come with tamis, sorted."""
    return tuple(sorted(path.stem for path in (rules_folder() / "hierarchies").glob("*.csv")))


def load_rules(packs: Sequence[str] = (), *, base: Path | None = None) -> Rules:
    """Vocabulary, name rules, value sets and the named packs.

    A pack is a name in rules/packs/ or a path (absolute, or relative to `base`, the policy's folder).
    Raises UsageError for a pack that does not exist and PolicyError for a document that is not what it must be.
    """
    folder = rules_folder()
    entities = load_document(folder / "entities.yaml", _Entities)
    names = load_document(folder / "names.yaml", _Names)
    values = load_document(folder / "values.yaml", _Values)
    loaded = tuple(_load_pack(name, base, entities.entities) for name in dict.fromkeys(packs))
    return Rules(
        entities=entities.entities,
        words=names.words,
        subjects=names.subjects,
        names=names.rules,
        value_sets=values.sets,
        packs=loaded,
    )


def _load_pack(name: str, base: Path | None, entities: Mapping[str, Entity]) -> Pack:
    known = list_packs()
    if name in known:
        path, title = rules_folder() / "packs" / f"{name}.yaml", name
    elif _is_path(name):
        path = _resolve(name, base)
        title = path.stem
    else:
        raise UsageError(
            "unknown_pack",
            f"There is no rule pack '{clean_name(name)}'.",
            hint=f"{did_you_mean(name, known)} A path to a YAML file of your own works too.",
        )
    pack = load_document(path, Pack)
    for rule in pack.rules:
        for entity in rule.entities:
            if entity not in entities:
                raise PolicyError(
                    "unknown_entity",
                    f"{path.name}: rule '{rule.id}' names the entity '{clean_name(entity)}', which is not in rules/entities.yaml.",
                    hint=did_you_mean(entity, entities),
                )
    content = pack.model_copy(update={"name": title, "digest": ""})
    return content.model_copy(update={"digest": digest(content)})


def load_hierarchy(name: str, base: Path | None = None) -> dict[str, tuple[str, ...]]:
    """Value -> its ancestors from a CSV with `;`: a header, then one row per value and one column per level (as ARX writes them).

    Raises UsageError when there is no such file and PolicyError when rows differ in length, repeat a value, or levels do not nest.
    """
    known = list_hierarchies()
    if name in known:
        path = rules_folder() / "hierarchies" / f"{name}.csv"
    elif _is_path(name):
        path = _resolve(name, base)
    else:
        hint = f"{did_you_mean(name, known)} A path to a CSV works too."
        raise UsageError("unknown_hierarchy", f"There is no hierarchy '{clean_name(name)}'.", hint=hint)
    rows = [row for row in csv.reader(read_text(path).splitlines(), delimiter=";") if row]
    if not rows or len(rows[0]) < 2:
        raise PolicyError("not_a_hierarchy", f"{path.name}: a header with at least two columns, divided by ';', is expected.")
    width = len(rows[0])
    result: dict[str, tuple[str, ...]] = {}
    parents: list[dict[str, str]] = [{} for _ in range(width - 1)]
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != width:
            raise PolicyError("ragged_hierarchy", f"{path.name}: row {number} has {len(row)} columns, the header has {width}.")
        if row[0] in result:
            raise PolicyError("repeated_value", f"{path.name}: row {number} repeats a value of an earlier row.")
        for level in range(1, width - 1):
            if parents[level].setdefault(row[level], row[level + 1]) != row[level + 1]:
                hint = "Each group must belong to one group of the next level."
                raise PolicyError("levels_do_not_nest", f"{path.name}: row {number}, level {level} has two parents.", hint=hint)
        result[row[0]] = tuple(row[1:])
    return result


def _is_path(name: str) -> bool:
    return "/" in name or "\\" in name or name.endswith((".yaml", ".yml", ".csv", ".json"))


def _resolve(name: str, base: Path | None) -> Path:
    path = Path(name).expanduser()
    return path if path.is_absolute() or base is None else base / path

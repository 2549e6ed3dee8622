"""What a table is about, seen from its name and from all its columns together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tamis.core.types import DatasetProfile, DataType, TableProfile
from tamis.detect import weights as w
from tamis.detect.columns import ColumnFacts
from tamis.detect.names import subject_of
from tamis.detect.tokens import Lexicon, tokens_of

_CONTACT = frozenset({"FIRST_NAME", "LAST_NAME", "PERSON", "EMAIL_ADDRESS", "PHONE_NUMBER", "STREET_ADDRESS", "DATE_OF_BIRTH", "GENDER"})
_NOT_ONLY_PERSONS = frozenset({"GENDER", "AGE", "DATE_OF_BIRTH", "DATE_OF_DEATH", "HEALTH_CONDITION", "PERSON"})
_HEALTH = ("HEALTH_CONDITION", "MEDICATION", "GENETIC", "DISABILITY")


class About(StrEnum):
    """What a row of a table is."""

    PERSON = "person"
    """a person"""
    EVENT = "event"
    """something about a person: an order, a visit; the person is named by a key"""
    THING = "thing"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class TableContext:
    """What a table is about and why."""

    about: About
    health: bool
    """about the health of persons"""
    marks: tuple[str, ...]
    """entities of the columns that only tables about persons have"""
    person_keys: frozenset[str]
    """columns whose name says that they are keys of persons"""
    thing_named: bool
    """the table's own name is a word for things"""

    @property
    def personal(self) -> bool:
        """Whether its rows speak of persons."""
        return self.about in (About.PERSON, About.EVENT)


def read_context(name: str, facts: Sequence[ColumnFacts], lexicon: Lexicon) -> TableContext:
    """Decide from the table's name, the columns that mark persons, and the columns that name persons by key."""
    tokens = tokens_of(name, lexicon)
    named = subject_of(tokens, lexicon)
    marks = tuple(sorted({claim.entity for fact in facts for claim in fact.claims if claim.marks and not _of_a_thing(fact)}))
    weak = _weak_marks(facts)
    keys = frozenset(fact.column.name for fact in facts if fact.reading.person_key or _holds_person_keys(fact))
    about = About.UNKNOWN
    if named == "thing" and _speaks_of_persons(tokens, facts, marks, lexicon):
        about = About.PERSON
    elif named == "thing":
        about = About.THING
    elif named == "event":
        about = About.EVENT if marks or keys else About.UNKNOWN
    elif named == "person" or marks or len(weak) >= w.WEAK_MARKS or {"FIRST_NAME", "LAST_NAME"} <= weak:
        about = About.PERSON
    if about != About.PERSON and keys:
        about = About.EVENT if named != "thing" or marks else about
    health = _about_health(tokens, facts, lexicon) and (about in (About.PERSON, About.EVENT) or bool(keys))
    if health and about in (About.UNKNOWN, About.THING) and keys:
        about = About.EVENT
    return TableContext(about, health, marks, keys, named == "thing")


def _weak_marks(facts: Sequence[ColumnFacts]) -> frozenset[str]:
    """Kinds of contact data, names and birth dates that the values of whole columns suggest."""
    return frozenset(claim.entity for fact in facts for claim in fact.values if claim.entity in _CONTACT and not _of_a_thing(fact))


def _speaks_of_persons(tokens: Sequence[str], facts: Sequence[ColumnFacts], marks: Sequence[str], lexicon: Lexicon) -> bool:
    """Columns against a table's name: enough marks that only persons have, or some of these and others, or a person in the name as well."""
    own = len(_own_marks(facts))
    if own >= w.MARKS_AGAINST_THING or (own >= w.MARKS_AGAINST_THING - 1 and len(marks) > w.MARKS_AGAINST_THING):
        return True
    also = any(lexicon.is_in(token, lexicon.person) and not lexicon.is_in(token, lexicon.thing) for token in tokens)
    return also and len(marks) >= w.MARKS_AGAINST_THING


def _own_marks(facts: Sequence[ColumnFacts]) -> frozenset[str]:
    """Marks that contradict a table named for things: not what animals and firms have too, not the names of owners and managers."""
    return frozenset(
        claim.entity
        for fact in facts
        for claim in fact.claims
        if claim.marks and not _of_a_thing(fact) and claim.entity not in _NOT_ONLY_PERSONS and fact.reading.subject != "person"
    )


def _of_a_thing(fact: ColumnFacts) -> bool:
    return fact.reading.subject == "thing"


def _holds_person_keys(fact: ColumnFacts) -> bool:
    """A column called nothing but `patient` or `user` whose values are codes, not words."""
    if not fact.reading.bare_person or fact.column.type not in (DataType.TEXT, DataType.INTEGER) or fact.profile.distinct < w.FEW:
        return False
    if fact.column.type == DataType.INTEGER:
        return fact.profile.distinct >= 2 * w.UNKNOWN_DISTINCT
    return fact.looks.rate("has_digit") >= w.NEARLY_ALL and fact.looks.rate("word") >= w.NEARLY_ALL


def _about_health(tokens: Sequence[str], facts: Sequence[ColumnFacts], lexicon: Lexicon) -> bool:
    if any(lexicon.is_in(token, lexicon.health) for token in tokens):
        return True
    if any(fact.reading.health and (fact.reading.person_key or fact.reading.bare_person) for fact in facts):
        return True
    spoken = sum(any(claim.entity in _HEALTH and claim.weight >= w.ACCEPT for claim in fact.names) for fact in facts)
    return spoken >= w.HEALTH_COLUMNS


def foreign_person_keys(
    profile: DatasetProfile, contexts: Mapping[str, TableContext], facts: Mapping[str, Sequence[ColumnFacts]]
) -> dict[tuple[str, str], str]:
    """Columns that refer to the key of a table of persons: {(table, column): parent table}.

    Small integers are contained in each other by chance: a reference between integers also needs a name in common.
    """
    by_name = {(table, fact.column.name): fact for table, columns in facts.items() for fact in columns}
    found: dict[tuple[str, str], str] = {}
    for link in profile.foreign_keys:
        child, parent = by_name.get((link.table, link.column)), by_name.get((link.parent_table, link.parent_column))
        context = contexts.get(link.parent_table)
        if child is None or parent is None or context is None or context.about != About.PERSON or link.table == link.parent_table:
            continue
        if parent.profile.uniqueness < w.KEY_UNIQUENESS or child.profile.distinct < w.FEW:
            continue
        if any(claim.entity == "ROW_NUMBER" for claim in parent.names):
            continue
        if contexts[link.table].about == About.THING and child.profile.uniqueness >= w.KEY_UNIQUENESS:
            continue  # the key of a thing that happens to be one to one with persons
        if (child.column.type == DataType.TEXT and child.looks.rate("has_digit") >= w.HALF_FIT_BELOW) or _names_agree(child, parent):
            found[link.table, link.column] = link.parent_table
    return found


def _names_agree(child: ColumnFacts, parent: ColumnFacts) -> bool:
    plain = ("id", "key", "no", "nr", "num", "number", "code", "ids")
    return bool({t for t in child.reading.tokens if t not in plain} & {t for t in parent.reading.tokens if t not in plain}) or (
        child.reading.person_key is not None
    )


def is_candidate_key(table: TableProfile, column: str) -> bool:
    """Whether the column alone identifies rows."""
    return column in table.candidate_keys

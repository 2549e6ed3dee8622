"""From evidence to one verdict per column."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tamis.core.types import DataType, Evidence, Finding, Role
from tamis.detect import weights as w
from tamis.detect.calibrate import nothing_confidence, verdict_confidence
from tamis.detect.columns import ColumnFacts, strongest
from tamis.detect.context import About, TableContext
from tamis.detect.evidence import Claim
from tamis.rules import Rules

_KEY_TYPES = frozenset({DataType.TEXT, DataType.INTEGER})
_MEASURES = frozenset({DataType.INTEGER, DataType.NUMBER, DataType.BOOLEAN})
_SEVERITY = {Role.DIRECT: 0, Role.SENSITIVE: 1, Role.QUASI: 2, Role.UNKNOWN: 3, Role.NONE: 4}
_REACHABLE_ANYWHERE = frozenset({"EMAIL_ADDRESS"})
"""contact data that may be a person's even in a table about things"""
_PLACES = frozenset({"CITY", "STATE", "COUNTRY", "POSTCODE", "COORDINATE", "LOCATION"})
_NAMES = frozenset({"PERSON", "FIRST_NAME", "LAST_NAME"})
_MAX_EVIDENCE = 6


def judge(
    table: str, fact: ColumnFacts, context: TableContext, rules: Rules, *, parent: str | None, texts: Mapping[str, tuple[int, int]]
) -> Finding:
    """The finding of one column. `parent`: the table of persons its values refer to; `texts`: personal data found inside prose."""
    claims = [_in_context(claim, context) for claim in fact.claims if _holds(claim, fact, context)]
    claims += _context_claims(fact, context, parent, claims)
    by_entity: dict[str, list[Claim]] = {}
    for claim in claims:
        by_entity.setdefault(claim.entity, []).append(claim)
    if fact.is_prose and not _is_settled(by_entity) and not _is_address(fact):
        return _prose(table, fact, context, by_entity, texts)
    by_entity.pop("FREE_TEXT", None)
    totals = {entity: round(strongest(by_entity, entity), 4) for entity in by_entity}
    accepted = [entity for entity, total in totals.items() if total >= w.ACCEPT] or _accepted_together(totals, rules)
    if "OCCUPATION" in accepted and context.about == About.PERSON:
        accepted = [entity for entity in accepted if entity != "ORGANIZATION"]  # a person's firm is an employer
    if not accepted:
        return _unexplained(table, fact, context, by_entity)
    best = min(accepted, key=lambda entity: (-totals[entity], _SEVERITY[rules.entities[entity].role], entity))
    role, evidence = rules.entities[best].role, _shown(by_entity, first=best)
    if role == Role.NONE:
        confidence = _sure_of_nothing([piece for piece in evidence if piece.entity != best], fact, context)
    else:
        roles = {entity: rules.entities[entity].role for entity in by_entity}
        confidence = verdict_confidence(role, best, evidence, roles, personal=context.personal)
    return Finding(table=table, column=fact.column.name, entity=best, role=role, confidence=confidence, evidence=evidence)


def _sure_of_nothing(evidence: Sequence[Evidence], fact: ColumnFacts, context: TableContext) -> float:
    return nothing_confidence(
        evidence, personal=context.personal, about_things=context.about == About.THING, intelligible=fact.reading.intelligible
    )


def _in_context(claim: Claim, context: TableContext) -> Claim:
    """A qualified name counts for more where the table is about persons: whatever is qualified there is theirs."""
    if not claim.qualified or context.about != About.PERSON:
        return claim
    weight = round(min(0.9, claim.weight * w.QUALIFIED_IN_PERSON_TABLE), 4)
    return replace(claim, evidence=claim.evidence.model_copy(update={"weight": weight}))


def _accepted_together(totals: Mapping[str, float], rules: Rules) -> list[str]:
    """The strongest direct identifier where several kinds of it together reach the threshold (a name: first, last or full?)."""
    direct = {entity: total for entity, total in totals.items() if rules.entities[entity].role == Role.DIRECT and total >= w.MISFIT}
    if len(direct) < 2 or 1 - math.prod(1 - total for total in direct.values()) < w.ACCEPT:
        return []
    return [min(direct, key=lambda entity: (-direct[entity], entity))]


def _holds(claim: Claim, fact: ColumnFacts, context: TableContext) -> bool:
    """Whether a claim that needs a person has one: the name itself, the table, or, for names of persons, the values."""
    if not claim.about_person or fact.reading.subject == "person":
        return True
    if fact.reading.subject == "thing" and not claim.marks:
        return claim.entity in _REACHABLE_ANYWHERE
    match context.about:
        case About.PERSON | About.EVENT:
            return True
        case About.THING:
            return claim.entity in _REACHABLE_ANYWHERE
        case About.UNKNOWN:
            return not claim.about_table and claim.entity not in _PLACES and claim.entity not in _NAMES and claim.entity != "URL"


def _context_claims(fact: ColumnFacts, context: TableContext, parent: str | None, claims: Sequence[Claim]) -> Iterator[Claim]:
    """What follows from the table: keys of persons, references to them, values and dates in a table about health."""
    reading, profile = fact.reading, fact.profile
    named_record = any(claim.entity in ("RECORD_ID", "ROW_NUMBER") and claim.weight >= w.ACCEPT for claim in claims)
    formed = any(claim.evidence.source in ("pattern", "checksum") and claim.weight >= w.ACCEPT for claim in claims)
    if fact.kind in _KEY_TYPES:
        if parent is not None:
            yield _said("context", "reference:person", "PERSON_ID", w.FOREIGN_KEY, "its values are keys of a table of persons")
        elif reading.person_key and profile.distinct > 1:
            yield _said("name", "name:person_key", reading.person_key, w.PERSON_KEY, "a word for a person and a word for a key")
        elif reading.bare_person and fact.column.name in context.person_keys:
            yield _said("name", "name:person_word", "PERSON_ID", w.BARE_PERSON_WORD + 0.25, "a word for a person, values that are codes")
        elif _is_person_tables_key(fact, context) and not named_record and not formed:
            yield _said("cardinality", "key:person_table", "PERSON_ID", w.KEY_IN_PERSON_TABLE, "a key in a table of persons")
        elif reading.key_like and profile.uniqueness >= w.UNKNOWN_UNIQUENESS:
            yield _said("name", "name:key", "RECORD_ID", w.ACCEPT, "a word for a key")
    explained = any(claim.weight >= w.ACCEPT and claim.entity != "FREE_TEXT" for claim in claims)
    key = reading.key_like and profile.uniqueness >= w.UNKNOWN_UNIQUENESS
    if explained or key or profile.constant:
        return
    if _is_day(fact) and context.about == About.PERSON and not context.health:
        yield _said("context", "context:person_date", "EVENT_DATE", w.CONTEXT_PERSON_DATE, "an unexplained day in a table of persons")
    if not context.health:
        return
    if fact.column.type in (DataType.DATE, DataType.DATETIME):
        yield _said("context", "context:health_date", "EVENT_DATE", w.CONTEXT_DATE, "a date in a table about the health of persons")
    elif not fact.is_prose and (
        fact.column.type in _MEASURES or (fact.column.type == DataType.TEXT and profile.uniqueness < w.UNKNOWN_UNIQUENESS)
    ):
        note = "an unexplained column of a table about the health of persons"
        yield _said("context", "context:health_table", "HEALTH_CONDITION", w.CONTEXT_HEALTH, note)


def _is_day(fact: ColumnFacts) -> bool:
    """Days without a time of day: points in time are operational more often."""
    return fact.column.type == DataType.DATE or (
        fact.column.type == DataType.TEXT and fact.looks.years is not None and fact.looks.rate("word") > w.MOST
    )


def _is_person_tables_key(fact: ColumnFacts, context: TableContext) -> bool:
    """An id-like, nearly unique column of a table whose rows are persons; ids of things that stand in it are not meant."""
    return (
        context.about == About.PERSON
        and (fact.reading.key_like or _is_nameless_key(fact))
        and fact.reading.subject not in ("thing", "event")
        and fact.profile.present >= w.FEW
        and fact.profile.uniqueness >= w.KEY_UNIQUENESS
        and (fact.profile.words_mean or 1.0) <= 4
    )


def _is_nameless_key(fact: ColumnFacts) -> bool:
    """Integers or single words with digits, all different, under a header that says nothing, and of no other kind."""
    if not fact.reading.placeholder or fact.profile.uniqueness < 1 or any(claim.weight >= w.ACCEPT for claim in fact.values):
        return False
    coded = (
        fact.looks.rate("has_digit") >= w.NEARLY_ALL and fact.looks.rate("word") >= w.NEARLY_ALL and fact.looks.rate("date_like") < w.MOST
    )
    return fact.kind == DataType.INTEGER or (fact.kind == DataType.TEXT and coded and fact.looks.rate("decimal") < w.MOST)


def _said(source: str, rule: str, entity: str, weight: float, note: str) -> Claim:
    return Claim(Evidence(source=source, rule=rule, entity=entity, weight=round(weight, 4), note=note), entity)


def _is_address(fact: ColumnFacts) -> bool:
    """Addresses, whosever they are: streets bear the names of persons."""
    return any(claim.entity == "STREET_ADDRESS" and claim.weight >= w.ACCEPT for claim in fact.claims)


def _is_settled(by_entity: Mapping[str, list[Claim]]) -> bool:
    """Long text that is nevertheless of a known kind: addresses, user agents, names of persons."""
    kinds = ("STREET_ADDRESS", "USER_AGENT", "PERSON", "EMAIL_ADDRESS", "URL", "SECRET", "HEALTH_CONDITION", "OCCUPATION", "COORDINATE")
    return any(strongest(by_entity, entity) >= w.ACCEPT for entity in kinds)


def _prose(
    table: str, fact: ColumnFacts, context: TableContext, by_entity: Mapping[str, list[Claim]], texts: Mapping[str, tuple[int, int]]
) -> Finding:
    """Free text: direct when personal data were found in it, none where the table is about things, else a person must look."""
    found = tuple(
        Evidence(
            source="dictionary" if entity == "PERSON" else "presidio",
            rule=f"text:{entity}",
            entity=entity,
            hits=hits,
            of=of,
            weight=w.STRONG_PATTERN,
        )
        for entity, (hits, of) in sorted(texts.items())
    )
    shape = Evidence(
        source="cardinality", rule="shape:prose", entity="FREE_TEXT", weight=w.ACCEPT, note="many words per cell, many different cells"
    )
    convincing = any(hits >= 2 and hits >= 0.01 * of for hits, of in texts.values())
    if convincing:
        role = Role.DIRECT
    elif context.about == About.THING or (context.about == About.UNKNOWN and fact.reading.subject == "thing"):
        role = Role.NONE
    else:
        role = Role.UNKNOWN
    evidence = (*found, shape, *_shown(by_entity))[:_MAX_EVIDENCE]
    return Finding(
        table=table, column=fact.column.name, entity="FREE_TEXT", role=role, confidence=0.8 if convincing else w.ACCEPT, evidence=evidence
    )


def _unexplained(table: str, fact: ColumnFacts, context: TableContext, by_entity: Mapping[str, list[Claim]]) -> Finding:
    """Nothing reached the threshold: harmless kinds of columns are `none`; distinctive text that nothing explains is `unknown`."""
    profile = fact.profile
    distinctive = profile.distinct >= w.UNKNOWN_DISTINCT and profile.uniqueness >= w.UNKNOWN_UNIQUENESS
    evidence = _shown(by_entity)
    role, confidence = Role.NONE, _sure_of_nothing(evidence, fact, context)
    if (fact.column.type in (DataType.TEXT, DataType.BINARY) and distinctive and not _harmless(fact, context)) or _reads_as_nothing(
        fact, context
    ):
        role, confidence = Role.UNKNOWN, w.UNKNOWN_CONFIDENCE
    return Finding(table=table, column=fact.column.name, entity=None, role=role, confidence=confidence, evidence=evidence)


def _reads_as_nothing(fact: ColumnFacts, context: TableContext) -> bool:
    """Evidence is thin: the header says nothing, or nothing that is understood, in a table about persons; plain measures aside."""
    if context.about != About.PERSON or fact.profile.constant or fact.profile.present == 0:
        return False
    coded = fact.kind in (DataType.INTEGER, DataType.BOOLEAN, DataType.TEXT)
    return (fact.reading.placeholder or not fact.reading.intelligible) and coded and not _harmless(fact, context)


def _harmless(fact: ColumnFacts, context: TableContext) -> bool:
    """Texts of a table about things, and texts that are dates or plain decimals."""
    return (
        (context.about == About.THING and fact.reading.subject != "person")
        or fact.looks.rate("date_like") >= w.NEARLY_ALL
        or fact.looks.rate("decimal") >= w.NEARLY_ALL
    )


def _shown(by_entity: Mapping[str, list[Claim]], first: str | None = None) -> tuple[Evidence, ...]:
    """The strongest pieces of evidence, those for the verdict first."""
    pieces = [claim for claims in by_entity.values() for claim in claims if claim.weight > 0]
    pieces.sort(key=lambda claim: (claim.entity != first, -claim.weight, claim.evidence.rule))
    return tuple(claim.evidence for claim in pieces[:_MAX_EVIDENCE])

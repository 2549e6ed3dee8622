"""What the name of a column or table says."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tamis.detect import weights as w
from tamis.rules import NameRule, Rules

Subject = Literal["person", "thing", "event"]

_MAX_NAME = 200
"""characters of a name that are looked at"""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W_]+")
_DIGITS = re.compile(r"[0-9]+|[^\W0-9_]+")
_KEY_WORDS = frozenset({"id", "ids", "key", "sk", "pk", "fk", "uid", "uuid", "guid"})
_NOT_A_KEY = frozenset({"PERSON", "FIRST_NAME", "LAST_NAME", "FINANCE", "PRODUCT", "ORGANIZATION", "FREE_TEXT", "URL"})
"""the key of such a thing is not the thing: `loan_id` is no amount"""
_MIN_PART = 4
"""letters a part of a run-together word must have (id words may be shorter)"""


@dataclass(frozen=True, slots=True)
class NameClaim:
    """A rule says that a column of this name holds an entity."""

    rule: str
    entity: str
    weight: float
    about_person: bool = False
    """holds only where table or column speak of persons"""
    marks: bool = False
    """makes the table one about persons"""


@dataclass(frozen=True, slots=True)
class NameReading:
    """What one column name says."""

    tokens: tuple[str, ...]
    claims: tuple[NameClaim, ...] = ()
    subject: Subject | None = None
    """whom or what the words beside the match (or all words) speak of"""
    person_key: str | None = None
    """PERSON_ID or CUSTOMER_ID when the name is that of a person's key"""
    bare_person: bool = False
    """the name is nothing but a word for a person"""
    key_like: bool = False
    """ends in a word for keys"""
    health: bool = False
    flag: bool = False
    """starts with is/has"""


def fold(text: str) -> str:
    """Case-folded, without accents."""
    decomposed = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


@dataclass(frozen=True)
class Lexicon:
    """The words of rules/names.yaml, indexed."""

    by_first: dict[str, list[tuple[tuple[str, ...], NameRule]]] = field(repr=False)
    known: frozenset[str] = field(repr=False)
    id: frozenset[str]
    neutral: frozenset[str] = field(repr=False)
    other: frozenset[str] = field(repr=False)
    person: frozenset[str] = field(repr=False)
    thing: frozenset[str] = field(repr=False)
    health: frozenset[str] = field(repr=False)
    event: frozenset[str] = field(repr=False)
    starts: frozenset[str] = field(repr=False)
    """every word of a phrase as it is written there"""
    head_first: frozenset[str] = field(repr=False)

    @classmethod
    def of(cls, rules: Rules) -> Lexicon:
        """Index the name rules once per job."""
        by_first: dict[str, list[tuple[tuple[str, ...], NameRule]]] = {}
        known: set[str] = set()
        for rule in rules.names:
            for phrase in rule.phrases:
                tokens = tuple(fold(phrase).split())
                by_first.setdefault(_stem(tokens[0]), []).append((tokens, rule))
                known.update(tokens)
            known.update(fold(word) for phrase in rule.contrary for word in phrase.split())
        words, subjects = rules.words, rules.subjects
        own = (words.id, words.neutral, words.other, words.head_first, subjects.person, subjects.thing, subjects.health, subjects.event)
        sets = [frozenset(fold(word) for word in listed) for listed in own]
        known.update(*sets)
        identity, neutral, other, head_first, person, thing, health, event = sets
        return cls(
            by_first=by_first,
            known=frozenset(known),
            id=identity,
            neutral=neutral,
            other=other,
            head_first=head_first,
            person=person,
            thing=thing,
            health=health,
            event=event,
            starts=frozenset(word for rule in rules.names for phrase in rule.phrases for word in fold(phrase).split()),
        )

    def is_in(self, token: str, words: frozenset[str]) -> bool:
        """Membership that forgives an English plural."""
        return token in words or _stem(token) in words or f"{token}s" in words


def _stem(token: str) -> str:
    """Without an English plural."""
    if len(token) > 4 and token.endswith("ies"):
        return f"{token[:-3]}y"
    if len(token) > 4 and token.endswith(("ses", "xes", "ches", "shes")):
        return token[:-2]
    return token[:-1] if len(token) > 3 and token.endswith("s") and not token.endswith("ss") else token


def tokens_of(name: str, lexicon: Lexicon) -> tuple[str, ...]:
    """Tokens of a name: camelCase, snake_case, digits and run-together known words are divided; folded."""
    tokens: list[str] = []
    for word in _WORD.findall(_strip_marks(name[:_MAX_NAME])):
        folded = fold(word)
        if folded in lexicon.known:
            tokens.append(folded)
            continue
        for part in _CAMEL.sub(" ", word).split():
            piece = fold(part)
            if piece in lexicon.known:
                tokens.append(piece)
            else:
                for run in _DIGITS.findall(piece):
                    tokens.extend(_divide(run, lexicon))
    return tuple(tokens)


def _strip_marks(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _divide(word: str, lexicon: Lexicon) -> Sequence[str]:
    """Run-together words whose parts are all known: `custkey`, `dateofbirth`; the fewest parts win; else the word itself."""
    if word in lexicon.known or len(word) < 5 or not word.isalpha():
        return (word,)
    best: list[tuple[str, ...] | None] = [()] + [None] * len(word)
    for end in range(1, len(word) + 1):
        for start in range(end):
            before = best[start]
            part = word[start:end]
            if before is None or part not in lexicon.known:
                continue
            whole_enough = (
                len(part) >= _MIN_PART or (end == len(word) and part in lexicon.id and len(part) >= 2) or part in ("of", "zip", "day")
            )
            current = best[end]
            if whole_enough and (current is None or len(before) + 1 < len(current)):
                best[end] = (*before, part)
    return best[-1] or (word,)


def common_prefix(names: Iterable[Sequence[str]]) -> str | None:
    """A short first token that nearly all columns share (`c_name`, `c_phone`): the table's own prefix, which says nothing."""
    firsts = [tokens[0] for tokens in names if tokens]
    total = len(firsts)
    if total < 3:
        return None
    token, count = min(Counter(firsts).items(), key=lambda item: (-item[1], item[0]))
    return token if count >= 0.8 * total and len(token) <= 3 else None


def domain_prefix(names: Sequence[Sequence[str]]) -> str | None:
    """The two letters that CDISC SDTM puts before the variables of a domain (`AETERM`, `AESTDTC`), in a table with `USUBJID`."""
    singles = [tokens[0] for tokens in names if len(tokens) == 1]
    if "usubjid" not in singles:
        return None
    counts = Counter(token[:2] for token in singles if len(token) >= 4 and token.isalpha())
    if not counts:
        return None
    prefix, count = min(counts.items(), key=lambda item: (-item[1], item[0]))
    return prefix if count >= 2 else None


def name_pairs(names: Sequence[Sequence[str]]) -> frozenset[tuple[str, ...]]:
    """Beginnings that stand before both `first` and `last` (or `given` and `family`): `emp_first`, `emp_last` are a person's names."""
    found: set[tuple[str, ...]] = set()
    for one, other in (("first", "last"), ("given", "family")):
        starts = [{tuple(tokens[:-1]) for tokens in names if len(tokens) > 1 and tokens[-1] == word} for word in (one, other)]
        found |= starts[0] & starts[1]
    return frozenset(found)


def read_name(tokens: Sequence[str], lexicon: Lexicon) -> NameReading:
    """Claims of all rules whose phrase stands in the name, and the subject of the name."""
    tokens = tuple(tokens)
    matches = _matches(tokens, lexicon)
    claims: dict[str, NameClaim] = {}
    covered: set[int] = set()
    for start, phrase, rule in matches:
        strength = _strength(tokens, start, len(phrase), rule, lexicon)
        if strength <= 0:
            continue
        covered.update(range(start, start + len(phrase)))
        claim = NameClaim(
            f"name:{rule.id}",
            rule.entity,
            round(rule.weight * strength, 4),
            rule.about == "person",
            rule.marks and strength >= w.AT_THE_END,
        )
        if rule.id not in claims or claims[rule.id].weight < claim.weight:
            claims[rule.id] = claim
    ordered = tuple(sorted(claims.values(), key=lambda claim: (-claim.weight, claim.rule)))
    rest = [token for i, token in enumerate(tokens) if i not in covered and (token not in lexicon.neutral or token in lexicon.person)]
    person_key = _person_key(tokens, lexicon)
    return NameReading(
        tokens=tokens,
        claims=ordered,
        subject=subject_of(rest, lexicon),
        person_key=person_key,
        bare_person=len(tokens) == 1 and lexicon.is_in(tokens[0], lexicon.person),
        key_like=bool(tokens) and (tokens[-1] in lexicon.id or (len(tokens) > 1 and tokens[-1].isdigit() and tokens[-2] in lexicon.id)),
        health=any(lexicon.is_in(token, lexicon.health) for token in tokens),
        flag=bool(tokens) and tokens[0] in ("is", "has", "have", "own", "owns"),
    )


def _same(token: str, word: str, lexicon: Lexicon) -> bool:
    """Equal, or an English plural of each other where the plural is no word of its own (`genres` is not `genre`)."""
    return token == word or (token not in lexicon.starts and _stem(token) == _stem(word))


def _matches(tokens: tuple[str, ...], lexicon: Lexicon) -> list[tuple[int, tuple[str, ...], NameRule]]:
    """Phrases found, without those that lie inside a longer one."""
    found: list[tuple[int, tuple[str, ...], NameRule]] = []
    for start, token in enumerate(tokens):
        for phrase, rule in lexicon.by_first.get(_stem(token), ()):
            end = start + len(phrase)
            if end <= len(tokens) and all(_same(a, b, lexicon) for a, b in zip(tokens[start:end], phrase, strict=True)):
                found.append((start, phrase, rule))

    def inside(inner: tuple[int, tuple[str, ...], NameRule]) -> bool:
        return any(
            len(outer[1]) > len(inner[1]) and outer[0] <= inner[0] and outer[0] + len(outer[1]) >= inner[0] + len(inner[1])
            for outer in found
        )

    return [match for match in found if not inside(match)]


def _strength(tokens: tuple[str, ...], start: int, length: int, rule: NameRule, lexicon: Lexicon) -> float:
    """How much of a rule's weight the place of its phrase leaves."""
    before, after = tokens[:start], tokens[start + length :]
    rest = (*before, *after)
    if any(lexicon.is_in(token, frozenset(rule.contrary)) for token in rest):
        return 0.0
    if rule.whole and any(not token.isdigit() for token in rest):
        return 0.0
    weak = [token for token in after if not _neutral(token, lexicon)]
    if (weak and weak[-1] in lexicon.other) or (rule.entity in _NOT_A_KEY and any(token in _KEY_WORDS for token in after)):
        return w.OTHER_HEAD
    if weak and start == 0 and tokens[0] in lexicon.head_first:
        return w.ADJECTIVE_AFTER
    if weak:
        return w.UNKNOWN_AFTER
    if any(not _neutral(token, lexicon) for token in before):
        return w.UNKNOWN_AFTER if rule.id == "name" else w.AT_THE_END  # a `repo name` is nobody's name
    return w.WHOLE_NAME


def _neutral(token: str, lexicon: Lexicon) -> bool:
    return token.isdigit() or len(token) == 1 or token in lexicon.neutral or token in lexicon.id or lexicon.is_in(token, lexicon.person)


def subject_of(tokens: Sequence[str], lexicon: Lexicon) -> Subject | None:
    """The last word for a person, a thing or an event among the tokens; words for both persons and things count as neither."""
    for token in reversed(tokens):
        if lexicon.is_in(token, lexicon.event):
            return "event"
        person, thing = lexicon.is_in(token, lexicon.person), lexicon.is_in(token, lexicon.thing)
        if person != thing:
            return "person" if person else "thing"
    return None


def _person_key(tokens: tuple[str, ...], lexicon: Lexicon) -> str | None:
    """PERSON_ID or CUSTOMER_ID for a person word followed by an id word."""
    while tokens and tokens[-1].isdigit():
        tokens = tokens[:-1]
    if len(tokens) == 2 and tokens[0] in lexicon.id and tokens[1] not in lexicon.id:
        tokens = tokens[::-1]  # `id_cliente`, `numero client`
    if len(tokens) < 2 or tokens[-1] not in lexicon.id:
        return None
    stem = tokens[:-1]
    while len(stem) > 1 and stem[-1] in lexicon.id:
        stem = stem[:-1]
    if not lexicon.is_in(stem[-1], lexicon.person) or lexicon.is_in(stem[-1], lexicon.thing):
        return None
    return "CUSTOMER_ID" if _stem(stem[-1]) in ("customer", "cust", "client", "kunde", "cliente", "klant", "subscriber") else "PERSON_ID"

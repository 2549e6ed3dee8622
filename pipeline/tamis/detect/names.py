"""What the name of a column or table says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tamis.detect import weights as w
from tamis.detect.tokens import Index, Lexicon, canonical_tokens, stem
from tamis.rules import NameRule

Subject = Literal["person", "thing", "event"]

_KEY_WORDS = frozenset({"id", "ids", "key", "sk", "pk", "fk", "uid", "uuid", "guid"})
_NOT_A_KEY = frozenset({"PERSON", "FIRST_NAME", "LAST_NAME", "FINANCE", "PRODUCT", "ORGANIZATION", "FREE_TEXT", "URL"})
"""the key of such a thing is not the thing: `loan_id` is no amount"""

_KEYS_OF_PERSONS = frozenset({"account", "acct", "reference", "barcode", "hash", "token", "pseudonym"})
"""after a word for a person these name a key as well"""
_TIME_WORDS = frozenset({"year", "month", "day", "date"})
_PLACEHOLDERS = frozenset(
    {
        "col",
        "column",
        "var",
        "variable",
        "field",
        "feld",
        "spalte",
        "champ",
        "colonne",
        "columna",
        "kolumna",
        "kolonne",
        "sloupec",
        "sutun",
        "campo",
        "coluna",
        "colonna",
        "kolom",
        "f",
        "v",
        "c",
        "x",
        "unnamed",
    }
)


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
    about_table: bool = False
    """holds only where the table is known to be about persons: the word has too many other meanings"""
    qualified: bool = False
    """other words follow: more likely meant in a table about persons (`discapacidad reconocida`)"""


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
    intelligible: bool = True
    """at least one word is known"""
    placeholder: bool = False
    """no name at all: `col3`, `V7`, `feld2`, ``"""


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
    """Claims of all rules whose phrase stands in the name, as it is written or by its meaning, and the subject of the name."""
    tokens = tuple(tokens)
    claims: dict[str, NameClaim] = {}
    covered: set[int] = set()
    kept = [i for i, token in enumerate(tokens) if token not in lexicon.particles]
    meant = canonical_tokens(tokens, lexicon)
    read: list[tuple[tuple[str, ...], Sequence[int], Index, float]] = [(tokens, range(len(tokens)), lexicon.by_first, 1.0)]
    if meant != tokens:
        read.append((meant, kept, lexicon.by_meaning, w.BY_SYNONYM))
    for words, places, index, share in read:
        for start, phrase, rule in _matches(words, index, lexicon):
            if share < 1 and len(phrase) == 1 and not _telling(tokens[places[start]]):
                continue
            strength = _strength(words, start, len(phrase), rule, lexicon)
            if strength <= 0:
                continue
            covered.update(places[i] for i in range(start, start + len(phrase)))
            claim = NameClaim(
                f"name:{rule.id}",
                rule.entity,
                round(rule.weight * strength * share, 4),
                rule.about in ("person", "table"),
                rule.marks and strength >= w.AT_THE_END,
                rule.about == "table",
                strength == w.UNKNOWN_AFTER,
            )
            if rule.id not in claims or claims[rule.id].weight < claim.weight:
                claims[rule.id] = claim
    ordered = tuple(sorted(claims.values(), key=lambda claim: (-claim.weight, claim.rule)))
    rest = [token for i, token in enumerate(tokens) if i not in covered and (token not in lexicon.neutral or token in lexicon.person)]
    return NameReading(
        tokens=tokens,
        claims=ordered,
        subject=subject_of(rest, lexicon),
        person_key=_person_key(tokens, lexicon) or _person_key(meant, lexicon),
        bare_person=_is_bare_person(tokens, meant, lexicon),
        key_like=_is_key_like(tokens, lexicon) or _is_key_like(meant, lexicon),
        health=any(lexicon.is_in(token, lexicon.health) for token in (*tokens, *meant)),
        flag=bool(tokens) and tokens[0] in ("is", "has", "have", "own", "owns"),
        placeholder=_is_placeholder(tokens),
        intelligible=any(token in lexicon.known and (len(token) > 1 or not token.isascii()) for token in tokens),
    )


def _is_bare_person(tokens: Sequence[str], meant: Sequence[str], lexicon: Lexicon) -> bool:
    """A word for a person, alone or after words without a meaning of their own (`first_level_manager`)."""
    if not meant or any(token not in lexicon.neutral or token in lexicon.person for token in tokens[:-1]):
        return len(meant) == 1 and lexicon.is_in(meant[0], lexicon.person)
    return lexicon.is_in(meant[-1], lexicon.person) or lexicon.is_in(tokens[-1], lexicon.person)


def _telling(token: str) -> bool:
    """Two or three Latin letters alone can be anything (`mar`, `sal`)."""
    return len(token) > 3 or not token.isascii()


def _is_key_like(tokens: Sequence[str], lexicon: Lexicon) -> bool:
    while len(tokens) > 1 and tokens[-1] in ("value", "source", "text"):
        tokens = tokens[:-1]  # FHIR's `identifier.value`, OMOP's `person_source_value`
    return bool(tokens) and (tokens[-1] in lexicon.id or (len(tokens) > 1 and tokens[-1].isdigit() and tokens[-2] in lexicon.id))


def _is_placeholder(tokens: Sequence[str]) -> bool:
    """What tools write where a file has no header, and letters with a number."""
    words = [token for token in tokens if not token.isdigit()]
    if not words:
        return True
    if len(words) > 1 or len(tokens) == 1:
        return words == ["unnamed"]
    return len(words[0]) == 1 or words[0] in _PLACEHOLDERS


def _same(token: str, word: str, lexicon: Lexicon) -> bool:
    """Equal, or an English plural of each other where the plural is no word of its own (`genres` is not `genre`)."""
    return token == word or (token not in lexicon.starts and stem(token) == stem(word))


def _matches(tokens: tuple[str, ...], index: Index, lexicon: Lexicon) -> list[tuple[int, tuple[str, ...], NameRule]]:
    """Phrases found, without those that lie inside a longer one."""
    found: list[tuple[int, tuple[str, ...], NameRule]] = []
    for start, token in enumerate(tokens):
        for phrase, rule in index.get(stem(token), ()):
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
    if rule.whole and any(not token.isdigit() and len(token) > 1 for token in rest):
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
    return (
        lexicon.canon.get(token) in _TIME_WORDS
        or token.isdigit()
        or len(token) == 1
        or token in lexicon.neutral
        or token in lexicon.id
        or lexicon.is_in(token, lexicon.person)
    )


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
    if len(tokens) < 2 or (tokens[-1] not in lexicon.id and tokens[-1] not in _KEYS_OF_PERSONS):
        return None
    named = tokens[:-1]
    while len(named) > 1 and named[-1] in lexicon.id:
        named = named[:-1]
    if not lexicon.is_in(named[-1], lexicon.person) or lexicon.is_in(named[-1], lexicon.thing):
        return None
    return "CUSTOMER_ID" if stem(named[-1]) in ("customer", "cust", "client", "kunde", "cliente", "klant", "subscriber") else "PERSON_ID"

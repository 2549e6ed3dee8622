"""Column and table names as known words: divided, folded, spelled out, and read by their meaning in many languages."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from tamis.rules import NameRule, Rules

_MAX_NAME = 200
"""characters of a name that are looked at"""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_RUNS = re.compile(r"[0-9]+|[^0-9]+")
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})
Index = Mapping[str, Sequence[tuple[tuple[str, ...], NameRule]]]
"""phrases and their rules, by the stem of the first word"""
_VOWELS = re.compile(r"[aeiou]")
_DOUBLED = re.compile(r"(.)\1")
_MIN_PART = 4
"""letters a part of a run-together word must have (words for keys and abbreviations may be shorter)"""
_MAX_LEGACY = 10
"""letters of a name that is made of abbreviations (eight in old file systems, ten on the IBM i)"""
_LINKS = ("s", "n", "en", "es")
"""letters that German, Dutch and the Nordic languages put between the parts of a compound"""
_MIN_HEAD = 4
_MIN_TRUNCATED = 5
"""letters of a cut-off word; four (`mode`, `comp`) are a word of their own too often"""
_MIN_SKELETON = 4
_MIN_MISSPELT = 7


def fold(text: str) -> str:
    """Lower case, without accents, Latin letters with strokes and ligatures spelled out; other scripts stay as they are."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return "".join(c for c in decomposed if unicodedata.category(c)[0] != "M").casefold()


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
    whole_only: frozenset[str] = field(default=frozenset(), repr=False)
    """words that say something only as a whole name"""
    particles: frozenset[str] = field(default=frozenset(), repr=False)
    compounding: frozenset[str] = field(default=frozenset(), repr=False)
    """heads of German, Dutch, Nordic and Finnish compounds"""
    canon: Mapping[str, str] = field(default_factory=dict, repr=False)
    """a word of some language, or an abbreviation, to its canonical word"""
    by_meaning: dict[str, list[tuple[tuple[str, ...], NameRule]]] = field(default_factory=dict, repr=False)
    """the phrases by their meaning: of several words, or of one canonical word"""

    @classmethod
    def of(cls, rules: Rules) -> Lexicon:
        """The index of these rules; made once per process for rules of the same content."""
        return _lexicon(_SameRules(rules))

    @classmethod
    def made_from(cls, rules: Rules) -> Lexicon:
        """Index the name rules."""
        by_first: dict[str, list[tuple[tuple[str, ...], NameRule]]] = {}
        known: set[str] = set()
        anywhere: set[str] = set()
        for rule in rules.names:
            for phrase in rule.phrases:
                tokens = tuple(fold(phrase).split())
                by_first.setdefault(stem(tokens[0]), []).append((tokens, rule))
                (known if rule.whole else anywhere).update(tokens)
        starts = frozenset(known | anywhere)
        whole_only = frozenset(known - anywhere)
        known |= anywhere
        known.update(fold(word) for rule in rules.names for phrase in rule.contrary for word in phrase.split())
        words, subjects = rules.words, rules.subjects
        canon = {fold(word): fold(head) for head, listed in words.synonyms.items() for word in (*listed, head)}
        listed = (words.id, words.neutral, words.other, words.head_first, subjects.person, subjects.thing, subjects.health, subjects.event)
        sets = [frozenset(fold(word) for word in each) for each in listed]
        known.update(canon, *sets)
        identity, neutral, other, head_first, person, thing, health, event = sets
        particles = frozenset(fold(word) for word in words.particles)
        return cls(
            by_meaning=_by_meaning(by_first, canon, particles),
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
            starts=starts,
            whole_only=whole_only.difference(canon, *sets),
            particles=particles,
            compounding=frozenset(fold(word) for word in words.compounding),
            canon=canon,
        )

    def is_in(self, token: str, words: frozenset[str]) -> bool:
        """Membership that forgives an English plural."""
        return token in words or stem(token) in words or f"{token}s" in words

    @cached_property
    def abbreviations(self) -> Abbreviations:
        """Shortened and misspelt forms of the words that mean something."""
        return Abbreviations.of(self)


@dataclass(frozen=True, eq=False)
class _SameRules:
    """Rules, equal by content."""

    rules: Rules

    def __hash__(self) -> int:
        return hash(self.rules.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _SameRules) and self.rules.digest == other.rules.digest


@lru_cache(maxsize=4)
def _lexicon(same: _SameRules) -> Lexicon:
    return Lexicon.made_from(same.rules)


def _by_meaning(by_first: Index, canon: Mapping[str, str], particles: frozenset[str]) -> dict[str, list[tuple[tuple[str, ...], NameRule]]]:
    heads = frozenset(canon.values())
    found: dict[str, dict[tuple[tuple[str, ...], str], NameRule]] = {}
    for phrases in by_first.values():
        for phrase, rule in phrases:
            meant = tuple(canon.get(token, token) for token in phrase if token not in particles)
            if len(meant) > 1 or (len(phrase) == 1 and phrase[0] in heads):
                found.setdefault(stem(meant[0]), {})[meant, rule.id] = rule
    return {first: [(meant, rule) for (meant, _), rule in each.items()] for first, each in found.items()}


def stem(token: str) -> str:
    """Without an English plural."""
    if len(token) > 4 and token.endswith("ies"):
        return f"{token[:-3]}y"
    if len(token) > 4 and token.endswith(("ses", "xes", "ches", "shes")):
        return token[:-2]
    return token[:-1] if len(token) > 3 and token.endswith("s") and not token.endswith("ss") else token


@dataclass(frozen=True)
class Abbreviations:
    """Ways to write a word short: without vowels (`slry`), cut off (`provin`), or with one letter wrong (`adresss`, `telphone`).

    A form counts only where all words that it can stand for mean the same.
    """

    skeletons: Mapping[str, frozenset[str]] = field(repr=False)
    words: Sequence[str] = field(repr=False)
    """all of them, sorted: those that begin alike stand together"""
    ends: Mapping[str, Sequence[str]] = field(repr=False)
    """longer words by their first three and by their last three letters: one wrong letter leaves one of the two as it was"""
    meanings: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, lexicon: Lexicon) -> Abbreviations:
        """Index all words of five letters and more that have a meaning; those that count only as a whole name are not shortened."""
        meanings = {word: word for word in lexicon.known - lexicon.whole_only}
        for first, phrases in lexicon.by_first.items():
            for phrase, rule in phrases:
                if rule.whole:
                    continue
                if len(phrase) == 1:
                    meanings[phrase[0]] = rule.entity
                elif first == phrase[0]:
                    meanings.setdefault(first, rule.entity)
        meanings.update(lexicon.canon)
        words = sorted(word for word in meanings if len(word) >= 5 and word.isascii() and word.isalpha())
        skeletons: dict[str, set[str]] = {}
        ends: dict[str, list[str]] = {}
        for word in words:
            skeletons.setdefault(_skeleton(word), set()).add(word)
            if len(word) >= _MIN_MISSPELT and word in lexicon.starts:
                ends.setdefault(f"{word[:3]}*", []).append(word)
                ends.setdefault(f"*{word[-3:]}", []).append(word)
        return cls({key: frozenset(found) for key, found in skeletons.items()}, words, ends, meanings)

    def resolve(self, token: str) -> str | None:
        """The word that an unknown token stands for; None when there is none, or when it could mean several things."""
        if len(token) < _MIN_SKELETON or not token.isascii() or not token.isalpha():
            return None
        bare = _skeleton(token)
        vowels = len(_VOWELS.findall(token))
        shorter = [
            w
            for w in self.skeletons.get(bare, ())
            if len(token) >= 0.55 * len(w) and _is_within(token, w) and vowels < len(_VOWELS.findall(w))
        ]
        for found in (shorter, self._begun_with(token), self._misspelt(token)):
            if found:
                return self._only_meaning(found)
        return None

    def _begun_with(self, token: str) -> list[str]:
        if len(token) < _MIN_TRUNCATED:
            return []
        start = bisect_left(self.words, token)
        stop = bisect_left(self.words, f"{token}~", lo=start)
        return [word for word in self.words[start:stop] if len(word) > len(token) >= 0.45 * len(word)]

    def _misspelt(self, token: str) -> set[str]:
        if len(token) < _MIN_MISSPELT - 1:
            return set()
        near = (*self.ends.get(f"{token[:3]}*", ()), *self.ends.get(f"*{token[-3:]}", ()))
        return {word for word in near if _is_one_letter_off(token, word)}

    def _only_meaning(self, words: Iterable[str]) -> str | None:
        ordered = sorted(words, key=lambda word: (len(word), word))
        return ordered[0] if len({self.meanings.get(word, word) for word in ordered}) == 1 else None


def _skeleton(word: str) -> str:
    return word[0] + _DOUBLED.sub(r"\1", _VOWELS.sub("", word[1:]))


def _is_one_letter_off(token: str, word: str) -> bool:
    """One letter more, less or another."""
    if abs(len(token) - len(word)) > 1 or token == word:
        return False
    same = next((i for i, (a, b) in enumerate(zip(token, word, strict=False)) if a != b), min(len(token), len(word)))
    return token[same + (len(token) >= len(word)) :] == word[same + (len(word) >= len(token)) :]


def _is_within(short: str, word: str) -> bool:
    letters = iter(word)
    return all(c in letters for c in short)


# ------------------------------------------------------------------------------------------------------------------- division


def tokens_of(name: str, lexicon: Lexicon) -> tuple[str, ...]:
    """Tokens of a name: camelCase, snake_case, digits, compounds and run-together abbreviations are divided; folded."""
    tokens: list[str] = []
    for word in _words(unicodedata.normalize("NFC", name[:_MAX_NAME])):
        folded = fold(word)
        if folded in lexicon.known:
            tokens.append(folded)
            continue
        for part in _CAMEL.sub(" ", word).split():
            piece = fold(part)
            if piece in lexicon.known:
                tokens.append(piece)
            else:
                for run in _RUNS.findall(piece):
                    tokens.extend(_divide(run, lexicon))
    return tuple(tokens)


def _words(name: str) -> list[str]:
    """Runs of letters, digits and the marks that belong to letters (Indic vowel signs are no `\\w` for `re`)."""
    kept = "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in name)
    return kept.split()


def _divide(word: str, lexicon: Lexicon) -> Sequence[str]:
    """A word that is not known: its parts, else the word it abbreviates, else itself."""
    if word in lexicon.known or word.isdigit() or stem(word) in lexicon.known:
        return (word,)
    if _unspaced(word):
        parts = _parts(word, lexicon, lambda _, last: True)  # noqa: ARG005
        return parts or _head_last(word, lexicon, 2) or (word,)
    if not word.isascii():
        return _parts(word, lexicon, lambda part, _: len(part) >= _MIN_PART) or (word,)
    if (
        len(word) >= 5
        and word.isalpha()
        and (parts := _parts(word, lexicon, lambda part, last: _is_part(part, last=last, lexicon=lexicon)))
    ):
        return parts
    if 4 <= len(word) <= _MAX_LEGACY and word.isalpha():
        parts = _parts(word, lexicon, lambda part, last: _is_short_part(part, last=last, lexicon=lexicon))
        if parts and len(parts) <= 3 and (parts[-1] in _LEGACY_HEADS or parts[0] in _LEGACY_STARTS):
            return parts
    resolved = lexicon.abbreviations.resolve(word)
    if resolved is not None:
        return (resolved,)
    return (_head_last(word, lexicon, _MIN_HEAD) if word.isalpha() else None) or (word,)


def _head_last(word: str, lexicon: Lexicon, shortest: int) -> tuple[str, str] | None:
    """A compound of which only the head, at the end, is known: `hemadress`, `woonadres`, `自宅電話`.

    For Latin letters only heads from languages that write compounds in one word count: English words end in `nation` and `place`.
    """
    for start in range(1, len(word) - shortest + 1):
        head = word[start:]
        if (start >= 2 or not word.isascii()) and (
            head in lexicon.compounding if word.isascii() else head in lexicon.starts or head in lexicon.canon
        ):
            return word[:start], head
    return None


def _unspaced(word: str) -> bool:
    """Chinese, Japanese, Thai: written without blanks."""
    return any("぀" <= c <= "鿿" or "฀" <= c <= "๿" for c in word)


def _is_part(part: str, *, last: bool, lexicon: Lexicon) -> bool:
    return (
        len(part) >= _MIN_PART
        or (last and (part in lexicon.id or (len(part) == 3 and part in _LEGACY_HEADS)) and len(part) >= 2)
        or part in ("of", "zip", "day")
    )


def _is_short_part(part: str, *, last: bool, lexicon: Lexicon) -> bool:
    """Parts of legacy names: known words, synonyms of three letters, and at the end also of two (`NM`, `DT`, `CD`)."""
    if len(part) >= _MIN_PART:
        return True
    return (part in lexicon.canon or part in lexicon.id) and (len(part) == 3 or (len(part) == 2 and (last or part in _SHORT_HEADS)))


_LEGACY_HEADS = frozenset(
    {
        "nm",
        "nam",
        "nme",
        "dt",
        "dte",
        "dat",
        "cd",
        "cod",
        "no",
        "nr",
        "num",
        "nbr",
        "id",
        "yr",
        "ad",
        "adr",
        "tel",
        "ph",
        "phn",
        "inc",
        "sal",
        "sex",
        "lmt",
        "grp",
        "stat",
        "mail",
    }
)
_LEGACY_STARTS = frozenset(
    {
        "cus",
        "cust",
        "emp",
        "pat",
        "ptnt",
        "mbr",
        "stu",
        "stud",
        "fst",
        "lst",
        "mar",
        "tel",
        "geb",
        "brth",
        "nac",
        "adr",
        "addr",
        "vor",
        "nach",
    }
)
_SHORT_HEADS = frozenset({"pt", "kd", "ph", "st", "cr"})


def _parts(word: str, lexicon: Lexicon, is_allowed: Callable[[str, bool], bool]) -> tuple[str, ...] | None:
    """The fewest known parts a word is made of; letters that link compounds may stand between parts of four letters and more."""
    best: list[tuple[str, ...] | None] = [(), *([None] * len(word))]
    for end in range(1, len(word) + 1):
        for start in range(end):
            before, part = best[start], word[start:end]
            if before is None or part not in lexicon.known or not is_allowed(part, end == len(word)):
                continue
            for stop in (end, *(end + len(link) for link in _LINKS if len(part) >= _MIN_PART and word.startswith(link, end))):
                if stop == len(word) and stop != end:
                    continue
                current = best[stop]
                if current is None or len(before) + 1 < len(current):
                    best[stop] = (*before, part)
    return best[-1]


def canonical_tokens(tokens: Sequence[str], lexicon: Lexicon) -> tuple[str, ...]:
    """The same name by its meaning: synonyms replaced, particles left out."""
    return tuple(lexicon.canon.get(token, token) for token in tokens if token not in lexicon.particles)

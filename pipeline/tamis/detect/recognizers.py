"""Presidio's recognizers, built from the data of `rules/recognizers/` and of the user's files.

They are Presidio's own objects with Presidio's own behaviour: patterns with the registry's flags, deny lists, validation, thresholds,
allow lists. Two things differ, because no language model runs: the context enhancer compares whole words instead of lemmas, and the
suffix list behind e-mail addresses is the snapshot inside the package. Nothing here opens a connection.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tamis.core.errors import PolicyError, clean_name, did_you_mean, listed
from tamis.core.ports import Span
from tamis.rules import LOOSE_CHANCE, MIN_SCORE, Recognizer, Rules, checksum_named

_CONTEXT_WORDS = 5
"""words before a hit in which a context word raises its score, as in Presidio's LemmaContextAwareEnhancer"""
_CONTEXT_BONUS = 0.35
_CONTEXT_SCORE = 0.4
_OF_THE_FORMAT = frozenset({"self", "patterns", "context", "supported_language", "supported_entity", "supported_entities", "name"})
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Engine:
    """A recognizer with the Presidio object that does its work."""

    recognizer: Recognizer
    entity: str
    """the word of the vocabulary that its findings get"""
    works: Any

    def find(self, text: str, *, allow: Collection[str] = (), near: Sequence[str] = ()) -> list[Span]:
        """Spans with a score of at least MIN_SCORE and the file's thresholds, sorted; `near` are words that stand around the text.

        Context words before a hit, or among `near` (the words of the column's name), add 0.35 to a score, to at least 0.4.
        """
        found = self.works.analyze(text, self.works.supported_entities, None) or ()
        context = {word.casefold() for word in self.recognizer.context}
        around = {word.casefold() for word in near}
        spans = []
        for hit in found:
            if self._allowed(text[hit.start : hit.end], allow):
                continue
            score = float(hit.score)
            if context and 0 < score < 1 and _in_context(text[: hit.start], context, around):
                score = min(1.0, max(score + _CONTEXT_BONUS, _CONTEXT_SCORE))
            thresholds = self.recognizer.score_thresholds
            if score >= max(MIN_SCORE, thresholds.get(hit.entity_type, thresholds.get("default", 0.0))):
                spans.append(Span(hit.start, hit.end, self.entity, round(score, 4)))
        return sorted(spans)

    def _allowed(self, found: str, allow: Collection[str]) -> bool:
        listed_here = self.recognizer.allow_list
        if found in allow:
            return True
        if self.recognizer.allow_list_match == "exact":
            return found in listed_here
        import regex  # type: ignore[import-untyped]

        return any(regex.search(expression, found, flags=self.recognizer.regex_flags) for expression in listed_here)


def _in_context(before: str, context: set[str], around: set[str]) -> bool:
    """Whether a context word, or a phrase of several, is among the last words before a hit or around the text."""
    words = [word.casefold() for word in _WORD.findall(before[-200:])][-_CONTEXT_WORDS:]
    if context & around or context & set(words):
        return True
    spoken, surrounding = f" {' '.join(words)} ", f" {' '.join(sorted(around))} "
    return any(f" {' '.join(_WORD.findall(phrase))} " in text for phrase in context if " " in phrase for text in (spoken, surrounding))


def build_engines(recognizers: Iterable[Recognizer], rules: Rules) -> tuple[Engine, ...]:
    """An engine for each recognizer; those of countries that the user's file leaves out (`supported_countries`) have none.

    Importing Presidio takes about 1.6 s, once per process. Raises PolicyError for a class that Presidio does not have, a keyword that the
    class does not know, a country that is not the class's, or check digits that do not exist.
    """
    return tuple(engine for recognizer in recognizers if (engine := _built(recognizer, rules)) is not None)


def _built(recognizer: Recognizer, rules: Rules) -> Engine | None:
    if recognizer.class_name is None:
        works = _pattern_recognizer(recognizer)
    else:
        kind = _class_named(recognizer)
        if _left_out(recognizer, kind):
            return None
        works = _predefined(recognizer, kind)
    works.global_regex_flags = recognizer.regex_flags
    finds = works.supported_entities[0] if works.supported_entities else ""
    return Engine(recognizer, recognizer.entity or rules.entity_of(finds) or finds, works)


def _pattern_recognizer(recognizer: Recognizer) -> Any:
    from presidio_analyzer import Pattern, PatternRecognizer

    _require_free_name(recognizer)
    patterns = [Pattern(name=p.name, regex=p.regex, score=p.score) for p in recognizer.patterns]
    built = PatternRecognizer(
        supported_entity=recognizer.presidio_entity or recognizer.entity,
        name=recognizer.name,
        supported_language=recognizer.language,
        patterns=patterns,
        deny_list=list(recognizer.deny_list) or None,
        context=list(recognizer.context) or None,
        deny_list_score=recognizer.deny_list_score,
        global_regex_flags=recognizer.regex_flags,
    )
    return _with_check_digits(built, recognizer)


def _with_check_digits(built: Any, recognizer: Recognizer) -> Any:
    """Presidio asks `validate_result` of each match: True scores 1, False 0, None leaves the score of the pattern."""
    if recognizer.checksum is None:
        return built
    check = checksum_named(recognizer.checksum)
    if recognizer.chance is not None and recognizer.chance > LOOSE_CHANCE:
        built.validate_result = lambda text: None if check(text) else False
    else:
        built.validate_result = check
    return built


def _class_named(recognizer: Recognizer) -> Any:
    offered = _offered()
    name = recognizer.class_name or ""
    if name not in offered:
        hint = did_you_mean(name, offered)
        who = f"recognizer '{clean_name(recognizer.name)}'"
        raise PolicyError("unknown_recognizer", f"{recognizer.source}: {who}: Presidio has no recognizer '{clean_name(name)}'.", hint=hint)
    return offered[name]


def _offered() -> dict[str, Any]:
    """Presidio's classes of recognizers by name."""
    from presidio_analyzer import EntityRecognizer, predefined_recognizers

    members = ((name, getattr(predefined_recognizers, name)) for name in dir(predefined_recognizers))
    return {name: kind for name, kind in members if inspect.isclass(kind) and issubclass(kind, EntityRecognizer)}


def _require_free_name(recognizer: Recognizer) -> None:
    """Presidio refuses a custom recognizer with the name of one of its classes: the file surely meant that class."""
    if recognizer.name in _offered():
        raise PolicyError(
            "name_is_taken",
            f"{recognizer.source}: recognizer '{clean_name(recognizer.name)}' has the name of one of Presidio's.",
            hint="Choose another name, or write type: predefined.",
        )


def _left_out(recognizer: Recognizer, kind: Any) -> bool:
    country = getattr(kind, "COUNTRY_CODE", None)
    own = country.lower() if isinstance(country, str) else None
    if recognizer.country is not None and recognizer.country != own:
        who = f"recognizer '{clean_name(recognizer.name)}'"
        known = f"that of the class is {own}" if own else "the class belongs to no country"
        raise PolicyError("other_country", f"{recognizer.source}: {who}: country_code {clean_name(recognizer.country)}, but {known}.")
    wanted = recognizer.only_countries
    return wanted is not None and own is not None and own not in {code.strip().lower() for code in wanted}


def _predefined(recognizer: Recognizer, kind: Any) -> Any:
    known = inspect.signature(kind.__init__).parameters
    for key in recognizer.options:
        if key not in known:
            own = sorted(set(known) - _OF_THE_FORMAT)
            hint = f"It knows: {listed(own)}." if own else "It has no keywords of its own."
            who = f"recognizer '{clean_name(recognizer.name)}'"
            raise PolicyError("unknown_key", f"{recognizer.source}: {who}: unknown key '{clean_name(key)}'.", hint=hint)
    stated: dict[str, Any] = {
        "name": recognizer.name,
        "context": list(recognizer.context) or None,
        "supported_language": recognizer.language,
        "supported_entity": recognizer.presidio_entity,
    }
    keywords = {key: value for key, value in stated.items() if value is not None and key in known}
    kind = _offline(kind) if kind.__name__ == "EmailRecognizer" else kind
    try:
        return _with_check_digits(kind(**keywords, **recognizer.options), recognizer)
    except (TypeError, ValueError):
        who = f"recognizer '{clean_name(recognizer.name)}'"
        raise PolicyError("wrong_keyword", f"{recognizer.source}: {who}: its class refuses the keywords.") from None


def _offline(kind: Any) -> Any:
    """EmailRecognizer with a suffix list that is never fetched."""
    import tldextract

    extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, fallback_to_snapshot=True)

    class OfflineEmailRecognizer(kind):  # type: ignore[misc]  # presidio is untyped here
        """Presidio's recognizer, offline."""

        def validate_result(self, pattern_text: str) -> bool:
            return bool(extract(pattern_text).top_domain_under_public_suffix)

    return OfflineEmailRecognizer

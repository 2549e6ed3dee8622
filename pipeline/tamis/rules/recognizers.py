"""Recognizers as data: Presidio's YAML format as it is, with what tamis adds to it (id, source, check digits, examples).

A file of Presidio's `RecognizerRegistryProvider` (or the older plain list of recognizers) is read without a change. Every key is
understood, or an error names it: a key that is dropped silently is a person that is not protected. Constructor keywords of a predefined
class (`supported_regions`, `leniency`, …) are kept and checked against the class when it is built, in `tamis.detect.recognizers`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from tamis.core.errors import PolicyError, clean_name, did_you_mean
from tamis.core.types import Frozen, Role

Word = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]
LanguageCode = Annotated[str, Field(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")]
Checksum = Annotated[str, Field(pattern=r"^(?:stdnum(?:\.[a-z0-9_]+)+|tamis\.[a-z_]+)$")]

REGEX_FLAGS = 26
"""Presidio's default: DOTALL, MULTILINE and IGNORECASE"""
MIN_SCORE = 0.3
"""what scores below this (any seven digits) says nothing without a context; decision 17"""
LOOSE_CHANCE = 0.3
"""a check that more than this share of random strings pass can only refuse; passing it proves nothing"""
TELLING_SCORE = 0.6
"""a form without check digits is believed in a single cell from this score on"""
TELLING_CHANCE = 0.001
"""a form whose check passes by accident at most this often is believed in a single cell"""

NEEDS_A_MODEL = frozenset(
    {
        "GLiNERRecognizer", "HuggingFaceNerRecognizer", "MedicalNERRecognizer", "SpacyRecognizer", "StanzaRecognizer",
        "TransformersRecognizer",
    }
)  # fmt: skip
"""Presidio's recognizers that read the output of a language model"""
OPENS_CONNECTIONS = frozenset(
    {
        "AzureAILanguageRecognizer", "AzureHealthDeidRecognizer", "AzureOpenAILangExtractRecognizer", "BasicLangExtractRecognizer",
        "LangExtractRecognizer",
    }
)  # fmt: skip
"""Presidio's recognizers that send the texts to a service"""


class PatternText(Frozen):
    """A regular expression (of Python's `regex` module) with the score of what it finds."""

    name: Word
    regex: Word
    score: Share


class LanguageText(Frozen):
    """A language and the context words of a recognizer in it."""

    language: LanguageCode
    context: tuple[str, ...] | None = None


class RecognizerText(Frozen):
    """One recognizer as it is written: Presidio's keys, then those of tamis."""

    model_config = ConfigDict(extra="allow")
    name: Word
    class_name: str | None = None
    type: Literal["predefined", "custom"] | None = None
    enabled: bool = True
    supported_language: LanguageCode | None = None
    supported_languages: tuple[LanguageCode, ...] | tuple[LanguageText, ...] | None = None
    context: tuple[str, ...] | None = None
    supported_entity: str | None = None
    supported_entities: tuple[str, ...] | None = None
    score_thresholds: Mapping[Word, Share] | None = None
    country_code: str | None = None
    patterns: tuple[PatternText, ...] | None = None
    deny_list: tuple[Word, ...] | None = None
    deny_list_score: Share = 1.0
    version: str | None = None
    # --- what tamis adds
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")] | None = None
    entity: str | None = None
    """the word of rules/entities.yaml, where it is not that of `supported_entity`"""
    role: Role | None = None
    """of an entity that is not in the vocabulary; default: direct"""
    description: str = ""
    source: str = ""
    checksum: Checksum | None = None
    """check digits: `stdnum.de.idnr` (a module of python-stdnum) or one of tamis, e.g. `tamis.vin`"""
    chance: Share | None = None
    """share of strings of this form that pass the check by accident"""
    prefilter: str | None = None
    """what a text must contain to be looked at, in the syntax of Rust's regex: a superset of what the patterns find"""
    allow_list: tuple[str, ...] = ()
    allow_list_match: Literal["exact", "regex"] = "exact"
    examples: tuple[Word, ...] = ()
    """texts in which it must find something"""
    counter_examples: tuple[Word, ...] = ()
    """texts in which it must find nothing"""

    @property
    def kind(self) -> Literal["predefined", "custom"]:
        """As Presidio decides: who has patterns or a deny list is custom, unless `type` says otherwise."""
        return self.type or ("custom" if self.patterns or self.deny_list else "predefined")

    @property
    def options(self) -> dict[str, Any]:
        """Keys that neither Presidio's format nor tamis knows: constructor keywords of a predefined class."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _as_presidio_demands(self) -> Self:
        who = f"recognizer '{clean_name(self.name)}'"
        if self.supported_language and self.supported_languages:
            raise ValueError(f"{who}: either 'supported_language' or 'supported_languages'")
        if self.supported_entity and self.supported_entities:
            raise ValueError(f"{who}: either 'supported_entity' or 'supported_entities'")
        if self.context and self.supported_languages and len(self.supported_languages) > 1:
            raise ValueError(f"{who}: context words belong to one language; write them under each language")
        if self.kind == "custom":
            self._custom(who)
        elif self.patterns or self.deny_list:
            raise ValueError(f"{who}: a predefined recognizer has its own patterns; write 'type: custom' or leave them out")
        return self

    def _custom(self, who: str) -> None:
        for key in self.options:
            raise ValueError(f"{who}: unknown key '{clean_name(key)}'. {did_you_mean(key, type(self).model_fields)}")
        if not self.patterns and not self.deny_list:
            raise ValueError(f"{who}: a custom recognizer needs 'patterns' or a 'deny_list'")
        if not self.supported_entity and len(self.supported_entities or ()) != 1:
            raise ValueError(f"{who}: a custom recognizer finds one entity; name it as 'supported_entity'")

    @property
    def written_entity(self) -> str | None:
        """The one entity that the file names; None when it is left to the class."""
        return self.supported_entity or (self.supported_entities[0] if self.supported_entities else None)


class Recognizer(Frozen):
    """A recognizer that is in force: languages united, its entity a word of the vocabulary."""

    id: str
    name: str
    entity: str | None
    """a word of the vocabulary; None: what the class finds, by Presidio's names"""
    presidio_entity: str | None = None
    class_name: str | None = None
    """of a predefined one; None: a PatternRecognizer of the patterns and the deny list below"""
    patterns: tuple[PatternText, ...] = ()
    deny_list: tuple[str, ...] = ()
    deny_list_score: float = 1.0
    context: tuple[str, ...] = ()
    """context words of all languages in force"""
    language: str = "en"
    options: Mapping[str, JsonValue] = {}
    score_thresholds: Mapping[str, float] = {}
    regex_flags: int = REGEX_FLAGS
    country: str | None = None
    only_countries: tuple[str, ...] | None = None
    checksum: str | None = None
    chance: float | None = None
    prefilter: str | None = None
    allow_list: tuple[str, ...] = ()
    allow_list_match: Literal["exact", "regex"] = "exact"
    file: str = ""
    """the stem of the file that it stands in"""
    own: bool = False
    """of a file of the user's: it is followed as it is written"""
    description: str = ""
    source: str = ""
    examples: tuple[str, ...] = ()
    counter_examples: tuple[str, ...] = ()

    @property
    def telling(self) -> bool:
        """Whether one hit in one cell is believed: the user's own; checks that hardly pass by accident; forms that score by themselves."""
        if self.own:
            return True
        if self.chance is not None and self.chance <= LOOSE_CHANCE:
            return self.chance <= TELLING_CHANCE
        by_form = self.class_name is None and (self.checksum is None or self.chance is not None)
        return by_form and max([p.score for p in self.patterns], default=1.0) >= TELLING_SCORE


class Registry(Frozen):
    """The keys of Presidio's registry file that hold for all its recognizers."""

    supported_languages: tuple[LanguageCode, ...] | None = None
    supported_countries: tuple[str, ...] | None = None
    global_regex_flags: int = REGEX_FLAGS
    recognizers: tuple[RecognizerText | str, ...] = ()


def resolve_recognizers(
    registry: Registry, origin: str, entity_of: Callable[[str], str | None], *, own: bool
) -> tuple[tuple[Recognizer, ...], tuple[str, ...]]:
    """The recognizers of a file that are in force, and a note for each that is not, with the reason.

    A recognizer for several languages becomes one: tables have no language, so the context words of all of them hold.
    Raises PolicyError for a wrong regular expression, a repeated id or a recognizer that would open connections.
    """
    found: list[Recognizer] = []
    notes: list[str] = []
    for position, item in enumerate(registry.recognizers):
        text = RecognizerText(name=item) if isinstance(item, str) else item
        reason = _not_in_force(text, registry, origin)
        if reason is not None:
            notes.append(f"{origin}: recognizer '{clean_name(text.name)}' is not in force: {reason}.")
            continue
        if own:
            _require_regexes(text, origin)
        found.append(_resolved(text, registry, origin, position, entity_of, own=own))
    seen: set[str] = set()
    for recognizer in found:
        if recognizer.id in seen:
            raise PolicyError("repeated_id", f"{origin}: the recognizer '{recognizer.id}' occurs twice.", hint="Give each an 'id'.")
        seen.add(recognizer.id)
    return tuple(found), tuple(notes)


def _not_in_force(text: RecognizerText, registry: Registry, origin: str) -> str | None:
    kind = text.class_name or text.name
    if not text.enabled:
        return "enabled: false"
    if text.kind == "predefined" and kind in OPENS_CONNECTIONS:
        raise PolicyError(
            "opens_connections",
            f"{origin}: recognizer '{clean_name(text.name)}' sends texts to a service; tamis opens no connection.",
            hint="Write enabled: false, or leave it out.",
        )
    if text.kind == "predefined" and kind in NEEDS_A_MODEL:
        return "it reads the output of a language model"
    if registry.supported_languages and not set(_languages(text) or registry.supported_languages) & set(registry.supported_languages):
        return f"its languages ({', '.join(_languages(text))}) are not among supported_languages"
    wanted = registry.supported_countries
    if wanted is not None and text.country_code and text.country_code.strip().lower() not in {c.strip().lower() for c in wanted}:
        return f"country {clean_name(text.country_code)} is not among supported_countries"
    return None


def _languages(text: RecognizerText) -> tuple[str, ...]:
    if text.supported_language:
        return (text.supported_language,)
    return tuple(item if isinstance(item, str) else item.language for item in text.supported_languages or ())


def _context(text: RecognizerText, languages: Sequence[str] | None) -> tuple[str, ...]:
    words = list(text.context or ())
    for item in text.supported_languages or ():
        if not isinstance(item, str) and (languages is None or item.language in languages):
            words += item.context or ()
    return tuple(dict.fromkeys(words))


def _resolved(
    text: RecognizerText, registry: Registry, origin: str, position: int, entity_of: Callable[[str], str | None], *, own: bool
) -> Recognizer:
    written = text.written_entity
    spoken = _languages(text) or registry.supported_languages or ("en",)
    language = next((code for code in spoken if code in (registry.supported_languages or spoken)), spoken[0])
    return Recognizer(
        id=text.id or _slug(f"{origin}-{text.name}" if own else text.name, position),
        name=text.name,
        entity=text.entity or (entity_of(written) or written if written else None),
        presidio_entity=written,
        class_name=(text.class_name or text.name) if text.kind == "predefined" else None,
        patterns=text.patterns or (),
        deny_list=text.deny_list or (),
        deny_list_score=text.deny_list_score,
        context=_context(text, registry.supported_languages),
        language=language,
        options=text.options,
        score_thresholds=text.score_thresholds or {},
        regex_flags=registry.global_regex_flags,
        country=text.country_code.strip().lower() if text.country_code else None,
        only_countries=registry.supported_countries,
        checksum=text.checksum,
        chance=text.chance,
        prefilter=text.prefilter,
        allow_list=text.allow_list,
        allow_list_match=text.allow_list_match,
        file=origin,
        own=own,
        description=text.description,
        source=text.source or origin,
        examples=text.examples,
        counter_examples=text.counter_examples,
    )


def _slug(name: str, position: int) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or f"recognizer-{position + 1}"


def _require_regexes(text: RecognizerText, origin: str) -> None:
    """Every expression of a user's file compiles, before hours of work; the message does not repeat the expression."""
    import regex  # type: ignore[import-untyped]

    written = [(f"pattern '{clean_name(p.name)}'", p.regex) for p in text.patterns or ()]
    if text.allow_list_match == "regex":
        written += [("the allow list", expression) for expression in text.allow_list]
    for what, expression in written:
        try:
            regex.compile(expression)
        except regex.error as error:
            where = f" (at character {error.pos + 1})" if error.pos is not None else ""
            raise PolicyError(
                "not_a_regex", f"{origin}: recognizer '{clean_name(text.name)}', {what} is not a regular expression{where}."
            ) from None

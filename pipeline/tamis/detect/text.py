"""Presidio's pattern recognizers, built one by one: no language model, no download, no network.

`AnalyzerEngine()` would load (and fetch) a spaCy model and `EmailRecognizer` would let tldextract fetch the public suffix list; here
the recognizers are called directly and the suffix list is the snapshot inside the package, without a cache folder.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import polars as pl

from tamis.core.errors import UsageError, did_you_mean
from tamis.core.ports import Span, SpanFinder

_DIGIT = r"[0-9]"
_CATALOG: tuple[tuple[str, str, str], ...] = (
    # recognizer class of presidio_analyzer, our entity, what a text must contain for it to be called (a superset of what it finds)
    ("EmailRecognizer", "EMAIL_ADDRESS", r"@"),
    ("IbanRecognizer", "IBAN_CODE", r"[A-Za-z]{2}[0-9]{2}"),
    ("CreditCardRecognizer", "CREDIT_CARD", r"(?:[0-9][ -]?){12}"),
    ("UsSsnRecognizer", "US_SSN", r"[0-9]{3}[- .]?[0-9]{2}"),
    ("PhoneRecognizer", "PHONE_NUMBER", r"(?:\p{Nd}[^\p{Nd}\p{L}]{0,4}){5}|\+\p{Nd}"),
    ("IpRecognizer", "IP_ADDRESS", r"[0-9]\.[0-9]|[0-9A-Fa-f]:|::"),
    ("MacAddressRecognizer", "MAC_ADDRESS", r"[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}|[0-9A-Fa-f]{4}\."),
    ("UrlRecognizer", "URL", r"\."),
    ("CryptoRecognizer", "CRYPTO", r"[13]|bc1|BC1"),
    ("UsItinRecognizer", "TAX_ID", r"9[0-9]{2}"),
    ("NhsRecognizer", "NATIONAL_ID", r"[0-9]{3}[- ]?[0-9]{3}"),
    ("UkNinoRecognizer", "NATIONAL_ID", _DIGIT),
    ("EsNifRecognizer", "NATIONAL_ID", r"[0-9]{7}"),
    ("EsNieRecognizer", "NATIONAL_ID", r"[0-9]{7}"),
    ("ItFiscalCodeRecognizer", "NATIONAL_ID", r"[A-Za-z]{6}"),
    ("DeTaxIdRecognizer", "TAX_ID", r"[0-9]{11}"),
    ("DeSocialSecurityRecognizer", "NATIONAL_ID", r"[0-9]{8}"),
    ("PlPeselRecognizer", "NATIONAL_ID", r"[0-9]{11}"),
    ("FiPersonalIdentityCodeRecognizer", "NATIONAL_ID", r"[0-9]{6}"),
    ("SePersonnummerRecognizer", "NATIONAL_ID", r"[0-9]{6}"),
    ("InPanRecognizer", "TAX_ID", r"[0-9]{4}"),
    ("AuMedicareRecognizer", "MEDICAL_RECORD_NUMBER", r"[0-9]{4}"),
    ("SgFinRecognizer", "NATIONAL_ID", r"[0-9]{7}"),
)
_MIN_SCORE = 0.3
"""patterns below this (any nine digits, any seven digits) say nothing without a context; decisions.md 17"""
_MAX_TEXT = 100_000


@dataclass(frozen=True)
class Recognizer:
    """One Presidio recognizer with the entity we give its findings and its prefilter."""

    name: str
    entity: str
    engine: Any
    prefilter: str


@lru_cache(maxsize=1)
def recognizers() -> tuple[Recognizer, ...]:
    """All recognizers of the catalog; importing Presidio takes about 1.6 s, once per process."""
    from presidio_analyzer import predefined_recognizers as offered

    built = []
    for name, entity, prefilter in _CATALOG:
        engine = _offline_email() if name == "EmailRecognizer" else getattr(offered, name)()
        built.append(Recognizer(name, entity, engine, prefilter))
    return tuple(built)


def _offline_email() -> Any:
    import tldextract
    from presidio_analyzer.predefined_recognizers import EmailRecognizer

    extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, fallback_to_snapshot=True)

    class OfflineEmailRecognizer(EmailRecognizer):  # type: ignore[misc]  # presidio is untyped here
        """Presidio's recognizer with a suffix list that is never fetched."""

        def validate_result(self, pattern_text: str) -> bool:
            return bool(extract(pattern_text).top_domain_under_public_suffix)

    return OfflineEmailRecognizer()


class PatternSpanFinder:
    """A `SpanFinder` over Presidio's pattern recognizers. Every distinct text is analyzed once; most never, thanks to prefilters.

    What has no form (names, places) is not found: such text must not be called clean.
    """

    def __init__(self, chosen: Sequence[Recognizer]) -> None:
        self._chosen = tuple(chosen)

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """For each text its spans, sorted, not overlapping: the better score wins, then the longer span, then the entity's name."""
        distinct = pl.Series("t", sorted(set(texts)), dtype=pl.String)
        found: dict[str, list[Span]] = {}
        for recognizer in self._chosen:
            for text in distinct.filter(distinct.str.contains(recognizer.prefilter)):
                for span in _spans(recognizer, text):
                    found.setdefault(text, []).append(span)
        best = {text: _without_overlaps(spans) for text, spans in found.items()}
        return [list(best.get(text, ())) for text in texts]


def _spans(recognizer: Recognizer, text: str) -> list[Span]:
    results = []
    for offset in range(0, len(text), _MAX_TEXT):
        found = recognizer.engine.analyze(text[offset : offset + _MAX_TEXT], recognizer.engine.supported_entities, None) or ()
        results += [
            Span(offset + hit.start, offset + hit.end, recognizer.entity, round(float(hit.score), 4))
            for hit in found
            if hit.score >= _MIN_SCORE
        ]
    return results


def _without_overlaps(spans: Sequence[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in sorted(set(spans), key=lambda s: (-s.score, s.start - s.end, s.start, s.entity)):
        if all(span.end <= other.start or span.start >= other.end for other in kept):
            kept.append(span)
    return sorted(kept)


def make_span_finder(entities: Sequence[str] | None = None) -> SpanFinder:
    """A finder for these entities, or for all that have a recognizable form.

    Raises UsageError for an entity that no recognizer finds.
    """
    offered = sorted({entity for _, entity, _ in _CATALOG})
    for entity in entities or ():
        if entity not in offered:
            hint = did_you_mean(entity, offered)
            raise UsageError("no_recognizer", f"No recognizer finds '{entity}' inside text without a language model.", hint=hint)
    wanted = set(offered if entities is None else entities)
    return PatternSpanFinder([recognizer for recognizer in recognizers() if recognizer.entity in wanted])


def texts_with_hits(texts: pl.Series, entities: Sequence[str] | None = None) -> dict[str, int]:
    """How many of a few distinct texts hold each entity; {} when no text passes a cheap prefilter (Presidio is then not loaded)."""
    wanted = [(entity, prefilter) for _, entity, prefilter in _CATALOG if entities is None or entity in entities]
    if not wanted or not len(texts) or not texts.str.contains("|".join(f"(?:{p})" for _, p in wanted)).any():
        return {}
    counts: dict[str, int] = {}
    for spans in make_span_finder(entities).find(texts.to_list()):
        for entity in {span.entity for span in spans}:
            counts[entity] = counts.get(entity, 0) + 1
    return counts


def whole_cell_hits(texts: pl.Series, entity: str) -> int:
    """How many texts are, but for blanks and punctuation, one span of the entity."""
    finder = make_span_finder([entity])
    hits = 0
    for text, spans in zip(texts.to_list(), finder.find(texts.to_list()), strict=True):
        letters = len(re.sub(r"\W", "", text))
        covered = sum(len(re.sub(r"\W", "", text[span.start : span.end])) for span in spans)
        hits += letters > 0 and covered >= 0.8 * letters
    return hits

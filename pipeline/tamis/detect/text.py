"""Recognizers that look inside texts: Presidio's, called one by one, without a language model, download or connection.

`AnalyzerEngine()` would load (and fetch) a spaCy model and `EmailRecognizer` would let tldextract fetch the public suffix list; here
the recognizers are called directly and the suffix list is the snapshot inside the package, without a cache folder. Presidio is
imported when a text passes the prefilter of one of its recognizers, not before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import polars as pl

from tamis.core.errors import UsageError, did_you_mean
from tamis.core.ports import Span, SpanFinder
from tamis.detect.prefilter import superset, union
from tamis.rules import MIN_SCORE, Recognizer, Rules

Alone = Literal["yes", "form", "chance", "no"]
Find = Callable[[str], list[Span]]

_N = r"[\p{Nd}\x{11000}-\x{12000}]"
"""a digit of any script; the `regex` module may know scripts that Rust does not know yet"""
_L = r"[a-zA-Z\x{130}\x{17F}\x{212A}]"
"""what matches an ASCII letter when case is ignored"""
_1, _6 = r"[1[\p{Nd}&&[^0-9]]]", r"[6[\p{Nd}&&[^0-9]]]"
_FISCAL = rf"(?i){_L}{{6}}(?:{_N}|[lmnp-v]){{2}}{_L}(?:{_N}|[lmnp-v]){{2}}{_L}(?:{_N}|[lmnp-v]){{3}}{_L}"
_CATALOG: tuple[tuple[str, str, str, Alone, float], ...] = (
    # Presidio's class; our entity; what a text must hold for it to be called: a superset of what it finds; whether one hit in one
    # cell is believed; the share of numbers of that form that pass its check digits by accident
    ("EmailRecognizer", "EMAIL_ADDRESS", r"@", "yes", 0.0),
    ("IbanRecognizer", "IBAN_CODE", r"[A-Z]{2}[0-9]{2}[ -]?[A-Z0-9]{4}", "yes", 0.01),
    ("CreditCardRecognizer", "CREDIT_CARD", rf"[13-6](?:{_N}[ -]?){{12}}", "form", 0.1),
    ("UsSsnRecognizer", "US_SSN", r"(?:[0-9][- .]?){9}", "form", 1.0),
    (
        "PhoneRecognizer",
        "PHONE_NUMBER",
        rf"(?:{_N}\P{{Nd}}{{0,4}}){{5}}|{_1}\P{{Nd}}{{0,4}}{_6}\P{{Nd}}{{0,4}}{_N}\P{{Nd}}{{0,4}}{_N}",
        "form",
        1.0,
    ),
    ("IpRecognizer", "IP_ADDRESS", r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|::|(?i)(?:[0-9a-f]{1,4}:){6}", "form", 1.0),
    ("MacAddressRecognizer", "MAC_ADDRESS", r"(?i)[0-9a-f]{2}[:-][0-9a-f]{2}[:-][0-9a-f]{2}|[0-9a-f]{4}\.[0-9a-f]{4}\.", "yes", 0.0),
    ("UrlRecognizer", "URL", r"[a-zA-Z0-9.\-\x{80}-\x{10FFFF}]\.[a-zA-Z\x{80}-\x{10FFFF}]", "no", 1.0),
    ("CryptoRecognizer", "CRYPTO", rf"(?:[bB][cC]1|[13])(?:[0-9]|{_L}){{25}}", "yes", 0.0),
    ("UsItinRecognizer", "TAX_ID", rf"9{_N}{{2}}[- ]?[5-9]{_N}[- ]?{_N}{{4}}", "form", 1.0),
    ("NhsRecognizer", "NATIONAL_ID", r"[0-9]{3}[- ]?[0-9]{3}[- ]?[0-9]{4}", "chance", 0.1),
    ("UkNinoRecognizer", "NATIONAL_ID", rf"{_L}{{2}} ?[0-9]{{2}} ?[0-9]{{2}} ?[0-9]{{2}} ?[a-dA-D]", "yes", 0.0),
    ("EsNifRecognizer", "NATIONAL_ID", rf"[0-9]{{7}}-?{_L}", "chance", 0.05),
    ("EsNieRecognizer", "NATIONAL_ID", rf"[0-9]{{7}}-?{_L}", "chance", 0.05),
    ("ItFiscalCodeRecognizer", "NATIONAL_ID", _FISCAL, "yes", 0.04),
    ("DeTaxIdRecognizer", "TAX_ID", rf"[1-9]{_N}{{10}}", "chance", 0.1),
    ("DeSocialSecurityRecognizer", "NATIONAL_ID", rf"{_N}{{8}}{_L}{_N}{{2}}", "chance", 0.1),
    ("PlPeselRecognizer", "NATIONAL_ID", r"[0-9]{11}", "chance", 0.1),
    ("FiPersonalIdentityCodeRecognizer", "NATIONAL_ID", rf"{_N}{{6}}(?:[-+]|{_L}){_N}{{3}}", "yes", 0.03),
    ("SePersonnummerRecognizer", "NATIONAL_ID", rf"{_N}{{6}}(?:{_N}{{4}}|{_N}{{0,2}}[-+]{_N}{{4}})", "chance", 0.1),
    ("InPanRecognizer", "TAX_ID", rf"{_L}{{5}}[0-9]{{4}}{_L}", "form", 1.0),
    ("AuMedicareRecognizer", "MEDICAL_RECORD_NUMBER", rf"[2-6]{_N}{{3}}\s?{_N}{{5}}", "chance", 0.1),
    ("SgFinRecognizer", "NATIONAL_ID", rf"{_L}[0-9]{{7}}{_L}", "form", 1.0),
    ("KrRrnRecognizer", "NATIONAL_ID", rf"{_N}{{6}}-?[1-4]{_N}{{6}}", "chance", 0.1),
    ("ThTninRecognizer", "NATIONAL_ID", rf"[1-9]{_N}{{12}}", "chance", 0.1),
    ("TrNationalIdRecognizer", "NATIONAL_ID", r"[1-9][0-9]{10}", "chance", 0.01),
    ("InAadhaarRecognizer", "NATIONAL_ID", r"[0-9]{4}[- :]?[0-9]{4}[- :]?[0-9]{4}", "chance", 0.1),
    ("ZaIdNumberRecognizer", "NATIONAL_ID", rf"{_N}{{10}}[0-2][89]{_N}", "chance", 0.1),
    ("UsMbiRecognizer", "MEDICAL_RECORD_NUMBER", rf"[0-9]{_L}(?:{_L}|[0-9])[0-9]-?{_L}(?:{_L}|[0-9])[0-9]-?{_L}", "yes", 0.0),
)
"""the named list of decision 17: what `tamis` finds with these equals what Presidio finds with them"""
_MIN_SCORE = MIN_SCORE
_WINDOW = 100_000
_OVERLAP = 2_000
"""longer texts are looked at in windows; no match of a recognizer is longer than the overlap"""
_PHONE_REGIONS = ("US", "GB", "DE", "FR", "IL", "IN", "CA", "BR")
_PHONE_SCORE = 0.4
_PHONE_LENIENCY = 1


ODD = r"[\x{A0}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}\x{2010}-\x{2015}\x{2212}\x{FE58}\x{FE63}\x{FF08}-\x{FF20}]"
PLAIN: Mapping[str, str] = {
    **{chr(c): " " for c in (0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)},
    **{chr(c): "-" for c in (*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63, 0xFF0D)},
    **{chr(c): chr(c - 0xFEE0) for c in range(0xFF08, 0xFF21) if c != 0xFF0D},
}
"""spaces, hyphens and full-width digits and signs that people write where a recognizer expects ASCII; one character for one"""
_TO_PLAIN = str.maketrans(dict(PLAIN))


class Hit(NamedTuple):
    """What Presidio's results have that matters here."""

    start: int
    end: int
    score: float


class PhoneEngine:
    """Presidio's PhoneRecognizer without Presidio: python-phonenumbers' matcher for the same regions, leniency and score.

    It spares the import of Presidio (two seconds) for columns of telephone numbers; a test holds it equal to the original.
    """

    supported_entities = ("PHONE_NUMBER",)

    def analyze(self, text: str, *_: object) -> list[Hit]:
        """Telephone numbers in a text, as Presidio reports them."""
        import phonenumbers

        found = {
            (match.start, match.end)
            for region in _PHONE_REGIONS
            for match in phonenumbers.PhoneNumberMatcher(text, region, leniency=_PHONE_LENIENCY)
        }
        # as EntityRecognizer.remove_duplicates: of results with one score those inside another go
        inner = {a for a in found for b in found if a != b and b[0] <= a[0] and a[1] <= b[1]}
        return [Hit(start, end, _PHONE_SCORE) for start, end in sorted(found - inner)]


@dataclass(frozen=True)
class Searcher:
    """One recognizer: what it finds, what a text must hold for it to be called, and what its hits are worth."""

    name: str
    entity: str
    prefilter: str | None
    """a pattern for polars that every text with a hit matches; None: every text is looked at"""
    alone: Alone
    """whether a hit in a single cell is believed: always; in the written form that people use; more often than by accident; never"""
    chance: float
    works: Callable[[], Find]
    """the search itself, made when it is first needed"""

    def find(self, text: str) -> list[Span]:
        """Spans of a text of any length, by start; scores below 0.3 are no hits.

        Besides the text as it is, the text with plain spaces, hyphens and digits is searched.
        """
        found = self._in_windows(text)
        simple = plain(text)
        return found if simple == text else sorted({*found, *self._in_windows(simple)})

    def _in_windows(self, text: str) -> list[Span]:
        look = self.works()
        if len(text) <= _WINDOW:
            return look(text)
        spans: set[Span] = set()
        for offset in range(0, len(text), _WINDOW - _OVERLAP):
            window = text[offset : offset + _WINDOW]
            last = offset + _WINDOW >= len(text)
            for span in look(window):
                # what touches a cut is seen whole in the neighbouring window
                if (span.start > 0 or offset == 0) and (span.end < len(window) or last):
                    spans.add(Span(offset + span.start, offset + span.end, span.entity, span.score))
            if last:
                break
        return sorted(spans)


def plain(text: str) -> str:
    """Unicode spaces, hyphens and full-width signs as ASCII, character by character: places stay the same."""
    return text if text.isascii() else text.translate(_TO_PLAIN)


@lru_cache(maxsize=1)
def recognizers() -> tuple[Searcher, ...]:
    """The named list: Presidio's recognizers with check digits or a base score of at least 0.3, and telephone numbers."""
    return tuple(
        Searcher(name, entity, prefilter, alone, chance, _later(name, entity)) for name, entity, prefilter, alone, chance in _CATALOG
    )


def _later(name: str, entity: str) -> Callable[[], Find]:
    return lambda: _finder(name, entity)


@lru_cache(maxsize=256)
def _finder(name: str, entity: str) -> Find:
    engine = PhoneEngine() if name == "PhoneRecognizer" else presidio_engine(name)
    entities = list(engine.supported_entities)

    def find(text: str) -> list[Span]:
        found = engine.analyze(text, entities, None) or ()
        return sorted(Span(hit.start, hit.end, entity, round(float(hit.score), 4)) for hit in found if hit.score >= _MIN_SCORE)

    return find


@lru_cache(maxsize=256)
def presidio_engine(name: str) -> Any:
    """One of Presidio's recognizers by the name of its class; importing Presidio takes about two seconds, once per process."""
    from presidio_analyzer import predefined_recognizers as offered

    return _offline_email() if name == "EmailRecognizer" else getattr(offered, name)()


def _offline_email() -> Any:
    import tldextract
    from presidio_analyzer.predefined_recognizers import EmailRecognizer

    extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, fallback_to_snapshot=True)

    class OfflineEmailRecognizer(EmailRecognizer):  # type: ignore[misc]  # presidio is untyped here
        """Presidio's recognizer with a suffix list that is never fetched."""

        def validate_result(self, pattern_text: str) -> bool:
            return bool(extract(pattern_text).top_domain_under_public_suffix)

    return OfflineEmailRecognizer()


# --------------------------------------------------------------------------------------------------------- recognizers from rules


def searchers_of(rules: Rules | None) -> tuple[Searcher, ...]:
    """The named list, the user's own recognizers and those of rules/recognizers/ whose form is telling by itself."""
    if rules is None:
        return recognizers()
    known = {name for name, *_ in _CATALOG}
    offered: tuple[Recognizer, ...] = getattr(rules, "recognizers", ())
    more = [one for one in offered if one.own or (one.telling and one.class_name is None)]
    return (*recognizers(), *(searcher_of(one, rules) for one in more if one.class_name not in known or one.own))


def searcher_of(recognizer: Recognizer, rules: Rules) -> Searcher:
    """A recognizer of a file in Presidio's format. Its prefilter is the stated one, else derived from its patterns and its deny list."""
    return Searcher(
        recognizer.name,
        recognizer.entity or recognizer.presidio_entity or recognizer.name,
        recognizer.prefilter or _derived(recognizer),
        "yes" if recognizer.telling else "chance",
        recognizer.chance if recognizer.chance is not None else 0.0,
        _once(recognizer, rules),
    )


def _derived(recognizer: Recognizer) -> str | None:
    if recognizer.class_name is not None:
        return next((prefilter for name, _, prefilter, *_ in _CATALOG if name == recognizer.class_name and not recognizer.options), None)
    if any(one.regex.startswith("(?V1)") for one in recognizer.patterns):
        return None
    return union([*(superset(one.regex) for one in recognizer.patterns), *(superset(re.escape(text)) for text in recognizer.deny_list)])


def _once(recognizer: Recognizer, rules: Rules) -> Callable[[], Find]:
    made: list[Find] = []

    def works() -> Find:
        if not made:
            made.append(_of_engine(recognizer, rules))
        return made[0]

    return works


def _of_engine(recognizer: Recognizer, rules: Rules) -> Find:
    from tamis.detect.recognizers import build_engines

    engines = build_engines([recognizer], rules)
    allow: Collection[str] = frozenset(getattr(rules, "allow_list", ()))

    def find(text: str) -> list[Span]:
        return sorted(span for engine in engines for span in engine.find(text, allow=allow))

    return find


# ---------------------------------------------------------------------------------------------------------------- spans in texts


class PatternSpanFinder:
    """A `SpanFinder` over pattern recognizers. Every distinct text is analyzed once; most never, thanks to prefilters.

    What has no form (names, places) is not found: such text must not be called clean.
    """

    def __init__(self, chosen: Sequence[Searcher]) -> None:
        self._chosen = tuple(chosen)

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """For each text its spans, sorted, not overlapping: the better score wins, then the longer span, then the entity's name."""
        distinct = pl.Series("t", sorted(set(texts)), dtype=pl.String)
        found: dict[str, list[Span]] = {}
        for searcher in self._chosen:
            for text in passing(distinct, searcher):
                if spans := searcher.find(text):
                    found.setdefault(text, []).extend(spans)
        best = {text: _without_overlaps(spans) for text, spans in found.items()}
        return [list(best.get(text, ())) for text in texts]


def passing(texts: pl.Series, searcher: Searcher) -> pl.Series:
    """The texts that a recognizer must look at."""
    if searcher.prefilter is None:
        return texts
    found = texts.str.contains(searcher.prefilter)
    odd = texts.str.contains(ODD)
    return texts.filter(found | (odd & texts.str.replace_many(dict(PLAIN)).str.contains(searcher.prefilter)) if odd.any() else found)


def _without_overlaps(spans: Sequence[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in sorted(set(spans), key=lambda s: (-s.score, s.start - s.end, s.start, s.entity)):
        if all(span.end <= other.start or span.start >= other.end for other in kept):
            kept.append(span)
    return sorted(kept)


def make_span_finder(entities: Sequence[str] | None = None, rules: Rules | None = None) -> SpanFinder:
    """A finder for these entities, or for all that have a recognizable form; with `rules` the user's own recognizers take part.

    Raises UsageError for an entity that no recognizer finds.
    """
    known = searchers_of(rules)
    offered = sorted({searcher.entity for searcher in known})
    for entity in entities or ():
        if entity not in offered:
            hint = did_you_mean(entity, offered)
            raise UsageError("no_recognizer", f"No recognizer finds '{entity}' inside text without a language model.", hint=hint)
    wanted = set(offered if entities is None else entities)
    return PatternSpanFinder([searcher for searcher in known if searcher.entity in wanted])


def texts_with_hits(texts: pl.Series, entities: Sequence[str] | None = None) -> dict[str, int]:
    """How many of a few distinct texts hold each entity; {} when no text passes a prefilter (Presidio is then not loaded)."""
    wanted = [searcher for searcher in recognizers() if entities is None or searcher.entity in entities]
    counts: dict[str, int] = {}
    for spans in PatternSpanFinder(wanted).find(texts.to_list()):
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

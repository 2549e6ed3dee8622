"""Personal data in a few cells of a column that is something else, and inside prose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tamis.core.types import DataType, Evidence, Finding, Role, Table
from tamis.detect import weights as w
from tamis.detect.columns import ColumnFacts
from tamis.detect.dictionaries import pairs_in_text
from tamis.detect.sample import Sample
from tamis.detect.scan import ScanHit, might_hold, scan_columns
from tamis.detect.text import Searcher, searchers_of, texts_with_hits
from tamis.detect.values import WITHIN
from tamis.rules import Rules

_IN_TEXT = ("EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "IP_ADDRESS", "NATIONAL_ID", "TAX_ID")
_WHOLE: Mapping[str, str] = {
    "EmailRecognizer": "email", "IbanRecognizer": "iban", "CreditCardRecognizer": "card", "IpRecognizer": "ip", "UsSsnRecognizer": "ssn",
    "MacAddressRecognizer": "mac", "PhoneRecognizer": "phone",
}  # fmt: skip
"""the form of a whole cell that the column has been judged by"""
_BY_ACCIDENT = 1e-4
"""probability below which so many valid check digits are no accident"""
_LONGEST_SHORT = 6
_MOST_LOCATIONS = 1_000


def inside_prose(sample: Sample) -> dict[str, tuple[int, int]]:
    """Texts of a sample that hold personal data, and texts looked at, per entity.

    Presidio's recognizers see a few texts; written-out phone numbers and pairs of names are looked for in all of them (Presidio's
    phone recognizer takes any running number for a phone).
    """
    few = sample.values.head(w.PRESIDIO_SAMPLE)
    found = {entity: (hits, len(few)) for entity, hits in texts_with_hits(few, _IN_TEXT).items()}
    phones, pairs = int(sample.values.str.contains(WITHIN["phone"]).sum()), pairs_in_text(sample.values)
    for entity, hits in (("PHONE_NUMBER", phones), ("PERSON", pairs)):
        if hits:
            found[entity] = (hits, sample.size)
    return found


def find_strays(
    table: Table, facts: Sequence[ColumnFacts], findings: Sequence[Finding], rules: Rules | None = None
) -> dict[int, tuple[Evidence, ...]]:
    """Per column index: personal data in cells of columns that are not direct identifiers themselves.

    Every value of these columns is looked at. Counts are cells, `locations` say in which row groups (ranges of 100 000 rows where the
    format has none) they are. Numbers with check digits count where more of them are valid than could be by accident.
    """
    searchers = searchers_of(rules)
    indices = []
    for fact, finding in zip(facts, findings, strict=True):
        if finding.role != Role.DIRECT and fact.profile.present and _worth_a_scan(fact, searchers):
            indices.append(fact.index)
    found: dict[int, tuple[Evidence, ...]] = {}
    for index, hits in scan_columns(table, indices, searchers, telling=True).items():
        evidence = [piece for hit in hits if (piece := _stray(hit, facts[index], findings[index])) is not None]
        if evidence:
            found[index] = tuple(_one_per_entity(evidence))
    return found


def _worth_a_scan(fact: ColumnFacts, searchers: Sequence[Searcher]) -> bool:
    """Columns of few distinct values are known whole; no telling form is shorter than six characters."""
    if fact.column.type not in (DataType.TEXT, DataType.INTEGER):
        return False
    own = any(searcher.alone == "yes" and searcher.chance == 0 and searcher.prefilter is None for searcher in searchers)
    longest = fact.profile.length_max
    if fact.column.type == DataType.TEXT and longest is not None and longest < _LONGEST_SHORT and not own:
        return False
    return not fact.sample.complete or might_hold(fact.sample.values, [s for s in searchers if s.alone != "no"])


def _stray(hit: ScanHit, fact: ColumnFacts, finding: Finding) -> Evidence | None:
    """The evidence in a hit, None when it is no news or may be an accident."""
    if hit.entity == finding.entity or fact.looks.rate(_WHOLE.get(hit.recognizer, "")) >= w.MOST:
        return None
    sampled = hit.distinct is None
    if not hit.told or (not hit.told_rows and not sampled):
        return None
    valid, of = (hit.told, hit.formed) if hit.recognizer == "CreditCardRecognizer" else (hit.confirmed, hit.candidates)
    if not _is_meant(hit, valid, of):
        return None
    whole = bool(hit.told_rows)
    note = (
        "a sample of the distinct candidates" if not whole else "cells of that written form, confirmed on a sample" if sampled else "cells"
    )
    return Evidence(
        source="presidio",
        rule=f"stray:{hit.recognizer}",
        entity=hit.entity,
        hits=hit.told_rows if whole else hit.confirmed,
        of=fact.profile.present if whole else hit.candidates,
        note=note,
        locations=hit.locations[:_MOST_LOCATIONS],
    )


def _is_meant(hit: ScanHit, valid: int, of: int) -> bool:
    """Whether so many valid ones of so many of the form are more than an accident."""
    chance = hit.chance
    if chance in (0.0, 1.0):
        return True
    if hit.alone in ("yes", "form") and valid >= 0.5 * of:
        return valid > 0  # one alone in a form like that is worth a look
    return tail(valid, of, chance) < _BY_ACCIDENT


def tail(hits: int, n: int, p: float) -> float:
    """P(X >= hits) for X ~ Binomial(n, p); Chernoff's bound exp(-n KL(hits/n || p)) (Hoeffding 1963, JASA 58:13) for n above 1000."""
    if hits <= n * p:
        return 1.0
    if n > 1_000:
        q = hits / n
        rest = (1 - q) * math.log((1 - q) / (1 - p)) if q < 1 else 0.0
        return math.exp(-n * (q * math.log(q / p) + rest))
    return min(1.0, sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(hits, n + 1)))


def _one_per_entity(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Of several recognizers that speak for one entity the one with most cells."""
    best: dict[str | None, Evidence] = {}
    for piece in evidence:
        known = best.get(piece.entity)
        if known is None or (piece.hits or 0) > (known.hits or 0):
            best[piece.entity] = piece
    return list(best.values())

"""Personal data in a few cells of a column that is something else, and inside prose."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from tamis.core.types import DataType, Evidence, Finding, Role, Table
from tamis.detect import weights as w
from tamis.detect.columns import ColumnFacts
from tamis.detect.dictionaries import pairs_in_text
from tamis.detect.sample import Sample, column_frame, count_matches
from tamis.detect.text import texts_with_hits
from tamis.detect.values import ENTITY_OF, WITHIN, confirmed

_IN_TEXT = ("EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "IP_ADDRESS", "NATIONAL_ID", "TAX_ID")
_CHECKED = ("card", "iban")
_MAX_CANDIDATES = 1000


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


def find_strays(table: Table, facts: Sequence[ColumnFacts], findings: Sequence[Finding]) -> dict[int, tuple[Evidence, ...]]:
    """Per column index: telling forms in cells of text columns that are not direct identifiers themselves. Counts are rows.

    Card and account numbers must pass their check digits to count.
    """
    wanted = [
        fact.index
        for fact, finding in zip(facts, findings, strict=True)
        if fact.column.type == DataType.TEXT and finding.role != Role.DIRECT and fact.profile.present and not _too_short(fact)
    ]
    small = [i for i in wanted if facts[i].sample.complete]
    in_sample = [i for i in small if _any_hit(facts[i].sample.values)]
    counts = count_matches(table, [i for i in wanted if i not in set(small)] + in_sample, WITHIN)
    result: dict[int, tuple[Evidence, ...]] = {}
    for index, hits in counts.items():
        fact = facts[index]
        found = []
        for name, rows in hits.items():
            if rows < w.STRAY_MIN or ENTITY_OF[name] == findings[index].entity or fact.looks.rate(name) >= w.MOST:
                continue  # nothing of the kind, or the whole column is that and has been judged
            if name in _CHECKED:
                evidence = _with_check_digits(table, fact, name)
                found.extend(evidence)
            else:
                found.append(
                    Evidence(
                        source="pattern", rule=f"stray:{name}", entity=ENTITY_OF[name], hits=rows, of=fact.profile.present, note="rows"
                    )
                )
        if found:
            result[index] = tuple(found)
    return result


def _too_short(fact: ColumnFacts) -> bool:
    """No telling form is shorter than six characters."""
    return fact.profile.length_max is not None and fact.profile.length_max < 6


def _any_hit(values: pl.Series) -> bool:
    return bool(values.str.contains("|".join(f"(?:{pattern})" for pattern in WITHIN.values())).any())


def _with_check_digits(table: Table, fact: ColumnFacts, name: str) -> list[Evidence]:
    candidates = (
        column_frame(table, fact.index)
        .select(pl.col("x").str.extract(f"({WITHIN[name]})").alias("x"))
        .drop_nulls()
        .unique()
        .bottom_k(_MAX_CANDIDATES, by="x")
        .collect(engine="streaming")["x"]
    )
    real = confirmed(name, candidates)
    if not real or (name == "card" and real < 0.5 * len(candidates)):
        return []  # one in ten numbers passes Luhn by chance
    note = "distinct candidates with valid check digits"
    return [Evidence(source="checksum", rule=f"stray:{name}", entity=ENTITY_OF[name], hits=real, of=len(candidates), note=note)]

"""What the values of one column claim by themselves: forms, check digits, ranges, lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import polars as pl

from tamis.core.types import Column, DataType, Evidence
from tamis.detect import weights as w
from tamis.detect.dictionaries import company_share, member_counts, set_members
from tamis.detect.fit import Seen, phones_confirmed
from tamis.detect.ner import NerModel
from tamis.detect.sample import Sample
from tamis.detect.values import ENTITY_OF, Checked, Looks, check_digits
from tamis.rules import Rules, ValueSet

Source = Literal["name", "pattern", "presidio", "checksum", "dictionary", "cardinality", "type", "context", "policy"]


@dataclass(frozen=True, slots=True)
class Claim:
    """Evidence for one entity, with what it needs to hold."""

    evidence: Evidence
    entity: str
    about_person: bool = False
    marks: bool = False
    about_table: bool = False
    """needs a table that is known to be about persons"""
    qualified: bool = False
    """a name with other words behind it: worth more in a table about persons"""

    @property
    def weight(self) -> float:
        """What it would earn alone."""
        return self.evidence.weight


@dataclass(frozen=True)
class Places:
    """Folded names and codes of countries and US states, from rules/hierarchies/."""

    countries: frozenset[str]
    country_codes: frozenset[str]
    states: frozenset[str]
    state_codes: frozenset[str]

    @classmethod
    def of(cls, rules: Rules) -> Places:
        """Read the two hierarchies; what is written in two or three capitals is a code."""
        countries, states = rules.hierarchy("countries"), rules.hierarchy("us_states")
        return cls(
            frozenset(name for name in countries if not _is_code(name)),
            frozenset(name for name in countries if _is_code(name)),
            frozenset(name for name in states if not _is_code(name)),
            frozenset(name for name in states if _is_code(name)),
        )


def _is_code(text: str) -> bool:
    return len(text) <= 3 and text.isupper()


def value_claims(column: Column, seen: Seen, rules: Rules, places: Places) -> Iterator[Claim]:
    """All that the sampled values say, whatever the column is called."""
    sample, looks = seen.sample, seen.looks
    if not looks.n:
        return
    if seen.kind in (DataType.TEXT, DataType.INTEGER):
        yield from _checked(check_digits(sample, looks), looks)
    yield from _birth_years(looks)
    if column.type == DataType.TEXT:
        yield from _patterns(sample, looks)
        yield from _codes(looks)
        yield from _lists(sample, looks, rules, places)


def claim_of(
    source: Source,
    rule: str,
    entity: str,
    hits: int,
    of: int,
    weight: float,
    *,
    about: bool = False,
    marks: bool = False,
    table: bool = False,
) -> Claim:
    """A claim with its denominator."""
    evidence = Evidence(source=source, rule=rule, entity=entity, hits=hits, of=of, weight=round(weight, 4))
    return Claim(evidence, entity, about or table, marks, table)


def _patterns(sample: Sample, looks: Looks) -> Iterator[Claim]:
    strong = {"email": w.STRONG_PATTERN, "mac": w.STRONG_PATTERN, "user_agent": w.STRONG_PATTERN, "profile_url": w.STRONG_PATTERN}
    formed = dict.fromkeys(("ssn", "phone", "ip", "coordinate", "wallet", "image_data"), w.FORMED_NUMBER)
    for form, weight in {**strong, **formed}.items():
        rate = looks.rate(form)
        if rate >= w.MOST and looks.n >= w.FEW:
            if form == "phone" and phones_confirmed(sample) < w.MOST:
                continue  # codes such as 01-701-1015 have the form of a phone number
            about, marks = form in ("phone", "coordinate"), form in ("user_agent", "ssn")
            yield claim_of(
                "pattern", f"pattern:{form}", ENTITY_OF[form], looks.hits[form], looks.n, weight * rate, about=about, marks=marks
            )
    if looks.rate("street") >= w.HALF_FIT_BELOW and looks.n >= w.FEW:
        yield claim_of("pattern", "pattern:street", "STREET_ADDRESS", looks.hits["street"], looks.n, w.FORMED_NUMBER, about=True)
    if looks.rate("url") >= w.MOST and looks.rate("email") < w.MISFIT_BELOW:
        if looks.rate("photo_url") >= w.MOST:
            yield claim_of("pattern", "pattern:photo_url", "PHOTO", looks.hits["photo_url"], looks.n, w.PHOTO_LINKS, table=True)
        yield claim_of("pattern", "pattern:url", "URL", looks.hits["url"], looks.n, 0.45, about=True)


def _codes(looks: Looks) -> Iterator[Claim]:
    """Codes that say something only in a table about persons: ICD-10, genotypes, postal codes."""
    if looks.rate("icd10") >= w.NEARLY_ALL and looks.rate("icd10_dot") >= w.MISFIT_BELOW and looks.n >= w.FEW:
        yield claim_of("pattern", "pattern:icd10", "HEALTH_CONDITION", looks.hits["icd10"], looks.n, w.CLINICAL_CODES, table=True)
    if looks.rate("genotype") >= w.NEARLY_ALL and 2 <= looks.n <= 16:
        yield claim_of("pattern", "pattern:genotype", "GENETIC", looks.hits["genotype"], looks.n, w.GENOTYPES, table=True)
    if looks.rate("postcode_form") >= w.NEARLY_ALL and looks.n >= 2 * w.FEW:
        yield claim_of("pattern", "pattern:postcode", "POSTCODE", looks.hits["postcode_form"], looks.n, w.POSTCODES, table=True)


def _birth_years(looks: Looks) -> Iterator[Claim]:
    """Dates spread over at least 25 years, most of them of persons between 18 and 90, none of the last years."""
    years = looks.years
    if years is None or looks.n < 4 * w.FEW:
        return
    low, middle, high = (float(years.quantile(q) or 0) for q in (0.05, 0.5, 0.95))
    if low >= 1900 and high <= w.BIRTH_LATEST and high - low >= w.BIRTH_SPAN and w.BIRTH_MEDIAN[0] <= middle <= w.BIRTH_MEDIAN[1]:
        yield claim_of("pattern", "range:birth", "DATE_OF_BIRTH", len(years), looks.n, w.BIRTH_YEARS, table=True)


def _checked(found: list[Checked], looks: Looks) -> Iterator[Claim]:
    """Check digits count only where nearly all values pass; among national rules the best one speaks."""
    national_done = False
    for check in found:
        rate = check.hits / check.of
        enough = check.of >= (w.FEW if check.rule == "iban" else 2 * w.FEW)
        if rate < w.NEARLY_ALL or not enough:
            continue
        if check.rule not in ("luhn", "iban", "imei", "vin"):
            if national_done or looks.rate("phone") > w.MOST:
                continue
            national_done = True
        weight = w.CHECKED_NUMBER * rate * (1 - max(0.0, check.chance - 0.1))
        yield claim_of("checksum", f"checksum:{check.rule}", check.entity, check.hits, check.of, weight)


# ----------------------------------------------------------------------------------------------------------------------- lists


def _lists(sample: Sample, looks: Looks, rules: Rules, places: Places) -> Iterator[Claim]:
    if looks.rate("letters") < w.HALF_FIT_BELOW:
        return
    yield from _value_sets(sample, rules.value_sets)
    if looks.rate("name_like") >= w.HALF_FIT_BELOW:
        yield from _people_and_cities(sample, looks.n)
    yield from _coded_places(sample, looks, places)


def _people_and_cities(sample: Sample, n: int) -> Iterator[Claim]:
    counts = member_counts(sample.values)
    persons, given, family, cities = (counts[key] / n for key in ("persons", "given", "family", "cities"))
    firms = company_share(sample.values)
    if firms >= w.COMPANIES and n >= 2 * w.FEW:
        hits = round(firms * n)
        yield claim_of("pattern", "pattern:legal_form", "ORGANIZATION", hits, n, min(0.9, 0.6 + firms / 2))
        return
    if persons >= 0.4 and n >= w.FEW:
        weight = w.FULL_NAMES * min(1.0, persons / 0.7)
        yield claim_of("dictionary", "list:full_names", "PERSON", counts["persons"], n, weight, marks=n >= 2 * w.FEW)
        return
    if n < 3 * w.FEW:
        return
    if given >= w.MOST and given >= family:
        weight = w.GIVEN_NAMES * min(1.0, given / 0.8)
        yield claim_of("dictionary", "list:given_names", "FIRST_NAME", counts["given"], n, weight, about=True)
    elif family >= w.MOST:
        weight = w.FAMILY_NAMES * min(1.0, family / 0.8)
        yield claim_of("dictionary", "list:family_names", "LAST_NAME", counts["family"], n, weight, about=True)
    if cities >= w.HALF_FIT_BELOW and cities > max(given, family):
        yield claim_of("dictionary", "list:cities", "CITY", counts["cities"], n, w.PLACES, about=True)


def _value_sets(sample: Sample, sets: tuple[ValueSet, ...]) -> Iterator[Claim]:
    """Closed vocabularies: (nearly) all of few distinct values are in the list, and one of the telling ones occurs."""
    n = sample.size
    if not 2 <= n <= 60:
        return
    for known in sets:
        hits = set_members(sample.values, known.values)
        if hits / n >= 0.8 and set_members(sample.values, known.require):
            weight = known.weight * hits / n
            yield claim_of("dictionary", f"set:{known.id}", known.entity, hits, n, weight, marks=known.weight > w.ACCEPT)


def _coded_places(sample: Sample, looks: Looks, places: Places) -> Iterator[Claim]:
    n = looks.n
    if looks.rate("three_words") > 0.5:
        return
    exact = set(sample.values.to_list())
    if looks.rate("code") >= w.NEARLY_ALL:
        if n < 2 * w.FEW:
            return
        states, countries = len(exact & places.state_codes), len(exact & places.country_codes)
        if states / n >= w.NEARLY_ALL:
            yield claim_of("dictionary", "list:us_state_codes", "STATE", states, n, w.CODED_PLACES, about=True)
        elif countries / n >= w.NEARLY_ALL:
            yield claim_of("dictionary", "list:country_codes", "COUNTRY", countries, n, w.CODED_PLACES, about=True)
        return
    states = set_members(sample.values, places.states)
    countries = set_members(sample.values, places.countries | places.country_codes)
    if countries / n >= w.MOST and n >= w.FEW:
        yield claim_of("dictionary", "list:countries", "COUNTRY", countries, n, w.PLACES, about=True)
    elif states / n >= w.MOST and n >= w.FEW:
        yield claim_of("dictionary", "list:us_states", "STATE", states, n, w.PLACES, about=True)


def tagged_claims(ner: NerModel, looks: Looks, sample: Sample) -> Iterator[Claim]:
    """Cells that a NER model takes whole for a person's name or a place; codes and numbers are not shown to it (Presidio #1173)."""
    if looks.n < w.FEW or looks.rate("name_like") < w.HALF_FIT_BELOW or looks.rate("three_words") > w.MOST:
        return
    few = sample.values.head(w.PRESIDIO_SAMPLE)
    for entity, (whole, _) in sorted(ner.shares(few).items()):
        if entity in ("PERSON", "LOCATION") and whole >= w.HALF_FIT_BELOW * len(few):
            weight = (w.TAGGED_PERSONS if entity == "PERSON" else w.PLACES) * whole / len(few)
            marks = entity == "PERSON" and len(few) >= 2 * w.FEW
            yield claim_of("presidio", f"ner:{ner.name}", entity, whole, len(few), weight, about=entity != "PERSON", marks=marks)


def is_json(looks: Looks, texts: pl.Series) -> bool:
    """Whether the cells are JSON objects or lists of them."""
    return looks.rate("json") >= w.NEARLY_ALL and bool(texts.str.contains(r'"[^"]{1,200}"\s*:').mean() or 0)

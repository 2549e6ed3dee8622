"""One column by itself: what its name claims, what its values claim, and whether the two fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tamis.core.types import Column, ColumnProfile, DataType, Evidence
from tamis.detect import weights as w
from tamis.detect.dictionaries import member_counts, set_members
from tamis.detect.fit import Seen, effective_type, fitness, phones_confirmed
from tamis.detect.names import NameReading
from tamis.detect.sample import Sample
from tamis.detect.values import ENTITY_OF, Checked, Looks, check_digits, look_at
from tamis.rules import Rules, ValueSet


@dataclass(frozen=True, slots=True)
class Claim:
    """Evidence for one entity, with what it needs to hold."""

    evidence: Evidence
    entity: str
    about_person: bool = False
    marks: bool = False

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


@dataclass(frozen=True)
class ColumnFacts:
    """All that is known of one column before its table is looked at as a whole."""

    index: int
    column: Column
    profile: ColumnProfile
    reading: NameReading
    sample: Sample
    looks: Looks
    names: tuple[Claim, ...]
    values: tuple[Claim, ...]
    notes: tuple[Evidence, ...] = field(default=())
    """evidence that speaks for no entity but is worth showing"""

    @property
    def kind(self) -> DataType:
        """The logical type; whole numbers stored as floating point (because of gaps) are integers."""
        return effective_type(self.column, self.sample)

    @property
    def claims(self) -> Iterator[Claim]:
        """Name claims, then value claims."""
        yield from self.names
        yield from self.values

    @property
    def is_prose(self) -> bool:
        """Many words per cell, many different cells."""
        profile = self.profile
        if self.column.type != DataType.TEXT or profile.distinct < w.PROSE_DISTINCT:
            return False
        words = profile.words_mean or 0.0
        named = any(claim.entity == "FREE_TEXT" for claim in self.names)
        varied = profile.uniqueness >= 0.2 or profile.distinct >= 500
        return varied and words >= (w.PROSE_WORDS / 2 if named else w.PROSE_WORDS)


def study_column(
    index: int, column: Column, profile: ColumnProfile, reading: NameReading, sample: Sample, rules: Rules, places: Places
) -> ColumnFacts:
    """Names, forms, check digits, lists of one column."""
    looks = look_at(sample, column.type)
    kind = effective_type(column, sample)
    values: list[Claim] = []
    if kind in (DataType.TEXT, DataType.INTEGER) and looks.n:
        values += _checked(check_digits(sample, looks), looks)
    if column.type == DataType.TEXT and looks.n:
        values += _patterns(sample, looks)
        values += _lists(sample, looks, rules, places)
    names = tuple(_name_claims(column, Seen(kind, profile, sample, looks), reading, rules, values))
    return ColumnFacts(index, column, profile, reading, sample, looks, names, tuple(values))


# ---------------------------------------------------------------------------------------------------------------------- values


def _claim(source: str, rule: str, entity: str, hits: int, of: int, weight: float, *, about: bool = False, marks: bool = False) -> Claim:
    evidence = Evidence(source=source, rule=rule, entity=entity, hits=hits, of=of, weight=round(weight, 4))
    return Claim(evidence, entity, about, marks)


def _patterns(sample: Sample, looks: Looks) -> Iterator[Claim]:
    strong = {"email": w.STRONG_PATTERN, "mac": w.STRONG_PATTERN, "user_agent": w.STRONG_PATTERN}
    formed = {"ssn": w.FORMED_NUMBER, "phone": w.FORMED_NUMBER, "ip": w.FORMED_NUMBER, "coordinate": w.FORMED_NUMBER}
    for form, weight in {**strong, **formed}.items():
        rate = looks.rate(form)
        if rate >= w.MOST and looks.n >= w.FEW:
            if form == "phone" and phones_confirmed(sample) < w.MOST:
                continue  # codes such as 01-701-1015 have the form of a phone number
            about = form in ("phone", "coordinate")
            yield _claim(
                "pattern",
                f"pattern:{form}",
                ENTITY_OF[form],
                looks.hits[form],
                looks.n,
                weight * rate,
                about=about,
                marks=form in ("user_agent", "ssn"),
            )
    if looks.rate("street") >= w.HALF_FIT_BELOW and looks.n >= w.FEW:
        yield _claim("pattern", "pattern:street", "STREET_ADDRESS", looks.hits["street"], looks.n, w.FORMED_NUMBER, about=True)
    if looks.rate("url") >= w.MOST and looks.rate("email") < w.MISFIT_BELOW:
        yield _claim("pattern", "pattern:url", "URL", looks.hits["url"], looks.n, 0.45, about=True)


def _checked(found: list[Checked], looks: Looks) -> Iterator[Claim]:
    """Check digits count only where nearly all values pass; among national rules the best one speaks."""
    national_done = False
    for check in found:
        rate = check.hits / check.of
        enough = check.of >= (w.FEW if check.rule == "iban" else 2 * w.FEW)
        if rate < w.NEARLY_ALL or not enough:
            continue
        if check.rule not in ("luhn", "iban"):
            if national_done or looks.rate("phone") > w.MOST:
                continue
            national_done = True
        yield _claim("checksum", f"checksum:{check.rule}", check.entity, check.hits, check.of, w.CHECKED_NUMBER * rate)


def _lists(sample: Sample, looks: Looks, rules: Rules, places: Places) -> Iterator[Claim]:
    n = looks.n
    if looks.rate("letters") < w.HALF_FIT_BELOW:
        return
    yield from _value_sets(sample, rules.value_sets)
    if looks.rate("name_like") >= w.HALF_FIT_BELOW:
        yield from _people_and_cities(sample, n)
    yield from _coded_places(sample, looks, places)


def _people_and_cities(sample: Sample, n: int) -> Iterator[Claim]:
    counts = member_counts(sample.values)
    persons, given, family, cities = (counts[key] / n for key in ("persons", "given", "family", "cities"))
    if persons >= 0.4 and n >= w.FEW:
        yield _claim(
            "dictionary", "list:full_names", "PERSON", counts["persons"], n, w.FULL_NAMES * min(1.0, persons / 0.7), marks=n >= 2 * w.FEW
        )
        return
    if n < 3 * w.FEW:
        return
    if given >= w.MOST and given >= family:
        yield _claim("dictionary", "list:given_names", "FIRST_NAME", counts["given"], n, w.GIVEN_NAMES * min(1.0, given / 0.8), about=True)
    elif family >= w.MOST:
        yield _claim(
            "dictionary", "list:family_names", "LAST_NAME", counts["family"], n, w.FAMILY_NAMES * min(1.0, family / 0.8), about=True
        )
    if cities >= w.HALF_FIT_BELOW and cities > max(given, family):
        yield _claim("dictionary", "list:cities", "CITY", counts["cities"], n, w.PLACES, about=True)


def _value_sets(sample: Sample, sets: tuple[ValueSet, ...]) -> Iterator[Claim]:
    """Closed vocabularies: (nearly) all of few distinct values are in the list, and one of the telling ones occurs."""
    n = sample.size
    if not 2 <= n <= 60:
        return
    for known in sets:
        hits = set_members(sample.values, known.values)
        if hits / n >= 0.8 and set_members(sample.values, known.require):
            yield _claim("dictionary", f"set:{known.id}", known.entity, hits, n, known.weight * hits / n, marks=known.weight > w.ACCEPT)


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
            yield _claim("dictionary", "list:us_state_codes", "STATE", states, n, w.CODED_PLACES, about=True)
        elif countries / n >= w.NEARLY_ALL:
            yield _claim("dictionary", "list:country_codes", "COUNTRY", countries, n, w.CODED_PLACES, about=True)
        return
    states = set_members(sample.values, places.states)
    countries = set_members(sample.values, places.countries | places.country_codes)
    if countries / n >= w.MOST and n >= w.FEW:
        yield _claim("dictionary", "list:countries", "COUNTRY", countries, n, w.PLACES, about=True)
    elif states / n >= w.MOST and n >= w.FEW:
        yield _claim("dictionary", "list:us_states", "STATE", states, n, w.PLACES, about=True)


# ----------------------------------------------------------------------------------------------------------------------- names


def _name_claims(column: Column, seen: Seen, reading: NameReading, rules: Rules, values: list[Claim]) -> Iterator[Claim]:
    """What the name says, weighed by whether the values can be that."""
    supported = {claim.entity for claim in values}
    for said in reading.claims:
        entity = rules.entities.get(said.entity)
        if entity is None or (column.type != DataType.EMPTY and not {column.type, seen.kind}.intersection(entity.types)):
            continue
        fit = None if said.entity in supported else fitness(said.entity, seen)
        weight, note = _weighed(said.weight, fit)
        if reading.flag and entity.role == "direct":
            weight *= w.MISFIT
        hits, of = (None, None) if fit is None else (round(fit * seen.looks.n), seen.looks.n)
        evidence = Evidence(source="name", rule=said.rule, entity=said.entity, hits=hits, of=of, weight=round(weight, 4), note=note)
        yield Claim(evidence, said.entity, said.about_person, said.marks and weight >= w.ACCEPT)


def _weighed(weight: float, fit: float | None) -> tuple[float, str]:
    """A name's weight after a look at the values, and what to say about it."""
    if fit is None:
        return weight, ""
    if fit < w.MISFIT_BELOW:
        return weight * w.MISFIT, "values do not look like it"
    if fit < w.HALF_FIT_BELOW:
        return weight * w.HALF_FIT, "only some values look like it"
    if fit >= w.NEARLY_ALL and weight >= w.ACCEPT:
        return 1 - (1 - weight) * (1 - w.FITS), ""
    return weight, ""


def strongest(claims: Mapping[str, list[Claim]], entity: str) -> float:
    """Noisy-or over sources, the strongest claim of each source: 1 - prod(1 - w)."""
    best: dict[str, float] = {}
    for claim in claims.get(entity, ()):
        best[claim.evidence.source] = max(best.get(claim.evidence.source, 0.0), claim.weight)
    rest = 1.0
    for source in sorted(best):
        rest *= 1 - best[source]
    return 1 - rest

"""One column by itself: what its name claims, what its values claim, and whether the two fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from tamis.core.types import Column, ColumnProfile, DataType, Evidence
from tamis.detect import weights as w
from tamis.detect.evidence import Claim, Places, is_json, tagged_claims, value_claims
from tamis.detect.fit import Seen, effective_type, fitness
from tamis.detect.names import NameReading
from tamis.detect.ner import NerModel
from tamis.detect.sample import Sample
from tamis.detect.values import Looks, look_at
from tamis.rules import Rules

_FORMED = frozenset({"EMAIL_ADDRESS", "PHONE_NUMBER", "IBAN_CODE", "CREDIT_CARD", "IP_ADDRESS", "MAC_ADDRESS", "US_SSN"})
"""entities with a form of their own: where it fits, a weak name is enough"""


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
    def holds_json(self) -> bool:
        """Cells are JSON documents."""
        return self.column.type == DataType.TEXT and is_json(self.looks, self.sample.values)

    @property
    def is_prose(self) -> bool:
        """Many words per cell, many different cells."""
        profile = self.profile
        if self.column.type != DataType.TEXT or profile.distinct < w.PROSE_DISTINCT:
            return False
        words = profile.words_mean or 0.0
        named = any(claim.entity == "FREE_TEXT" for claim in self.names)
        if self.holds_json:
            return True
        varied = profile.uniqueness >= 0.2 or profile.distinct >= 500
        return varied and words >= (w.PROSE_WORDS / 2 if named else w.PROSE_WORDS)


def study_column(
    index: int,
    column: Column,
    profile: ColumnProfile,
    reading: NameReading,
    sample: Sample,
    rules: Rules,
    places: Places,
    ner: NerModel | None = None,
) -> ColumnFacts:
    """Names, forms, check digits, lists of one column."""
    looks = look_at(sample, column.type)
    kind = effective_type(column, sample)
    seen = Seen(kind, profile, sample, looks)
    values = list(value_claims(column, seen, rules, places))
    if ner is not None and column.type == DataType.TEXT:
        values += tagged_claims(ner, looks, sample)
    if reading.placeholder:
        values = [_raised(claim) for claim in values]
    names = (*_name_claims(column, seen, reading, rules, values), *_named_person(reading, seen))
    return ColumnFacts(index, column, profile, reading, sample, looks, names, tuple(values))


def _raised(claim: Claim) -> Claim:
    """What values say counts for more where the header says nothing at all."""
    weight = round(min(0.9, claim.weight * w.PLACEHOLDER), 4) if claim.weight < w.ACCEPT else claim.weight
    return replace(claim, evidence=claim.evidence.model_copy(update={"weight": weight}))


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
        if said.entity in _FORMED and fit is not None and fit >= w.NEARLY_ALL and said.weight >= w.WEAK_NAME and seen.looks.n >= w.FEW:
            weight = max(weight, w.FORM_AND_WEAK_NAME)
        if reading.flag and entity.role == "direct":
            weight *= w.MISFIT
        hits, of = (None, None) if fit is None else (round(fit * seen.looks.n), seen.looks.n)
        evidence = Evidence(source="name", rule=said.rule, entity=said.entity, hits=hits, of=of, weight=round(weight, 4), note=note)
        yield Claim(
            evidence,
            said.entity,
            said.about_person,
            said.marks and weight >= w.ACCEPT,
            said.about_table,
            said.qualified and (fit is None or fit >= w.HALF_FIT_BELOW),
        )


def _named_person(reading: NameReading, seen: Seen) -> Iterator[Claim]:
    """A column called by nothing but a word for a person, with cells that look like different names."""
    looks = seen.looks
    if not reading.bare_person or seen.kind != DataType.TEXT or looks.n < 2 * w.FEW:
        return
    fit = looks.rate("name_like") * (looks.rate("no_digit") if looks.n else 0.0)
    if fit >= w.NEARLY_ALL and 1.5 <= (seen.profile.words_mean or 1.0) <= 5:
        evidence = Evidence(
            source="name",
            rule="name:person_word",
            entity="PERSON",
            hits=round(fit * looks.n),
            of=looks.n,
            weight=w.NAMED_PERSON,
            note="a word for a person, values that look like names",
        )
        yield Claim(evidence, "PERSON")


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

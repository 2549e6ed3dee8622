"""Whether values can be what the name says: a share between 0 and 1 per entity, None where any value can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tamis.core.types import Column, ColumnProfile, DataType
from tamis.detect import weights as w
from tamis.detect.sample import Sample
from tamis.detect.text import whole_cell_hits
from tamis.detect.values import Looks, within

_BIRTH_YEARS = (1900, 2035)
_EVENT_YEARS = (1800, 2100)
_COMPACT_DATES = (18000101, 21001231)
_DAY_FIRST_DATES = (1_011_800, 31_122_100)
_SERIAL_DAYS = (1, 73_050)
"""days since 1900 as spreadsheets store dates"""
_OLDEST = 125
_FEW_CATEGORIES = 20


@dataclass(frozen=True, slots=True)
class Seen:
    """What a fit may look at."""

    kind: DataType
    profile: ColumnProfile
    sample: Sample
    looks: Looks


def effective_type(column: Column, sample: Sample) -> DataType:
    """INTEGER for a NUMBER column whose sampled values are all whole (a gap made `12` a `12.0`), else the logical type."""
    whole = column.type == DataType.NUMBER and sample.size >= w.FEW and not sample.values.str.contains(r"[.e]|inf").any()
    return DataType.INTEGER if whole else column.type


def fitness(entity: str, seen: Seen) -> float | None:
    """Share of the distinct values that can be this entity; None when any value can, or when there is nothing to look at."""
    if seen.kind == DataType.BOOLEAN or not seen.looks.n:
        return None
    fit = _FITS.get(entity)
    return None if fit is None else fit(seen)


def phones_confirmed(sample: Sample) -> float:
    """Share of a few values that Presidio's phone recognizer takes whole."""
    texts = sample.values.head(w.PHONES_CHECKED)
    return whole_cell_hits(texts, "PHONE_NUMBER") / len(texts) if len(texts) else 0.0


def _form(name: str) -> Callable[[Seen], float]:
    return lambda seen: seen.looks.rate(name)


def _phone(seen: Seen) -> float:
    written = seen.looks.rate("phone_digits")
    if written >= w.HALF_FIT_BELOW or seen.looks.rate("has_digit") < w.HALF_FIT_BELOW:
        return written
    return max(written, phones_confirmed(seen.sample))


def _card(seen: Seen) -> float:
    return max(seen.looks.rate("card"), 0.5 * seen.looks.rate("has_digit"))


def _name(seen: Seen) -> float:
    short = (seen.profile.words_mean or 1.0) <= 8
    return seen.looks.rate("name_like") * (1.0 if short else 0.3)


def _date(years: tuple[int, int]) -> Callable[[Seen], float]:
    def fit(seen: Seen) -> float:
        if seen.kind in (DataType.DATE, DataType.DATETIME):
            return 1.0
        written = seen.looks.rate("date_like")
        if seen.looks.numbers is None:
            return max(written, 0.6 * seen.looks.rate("has_digit"))
        return max(written, *(within(seen.looks, *span) for span in (years, (1, 31), _COMPACT_DATES, _DAY_FIRST_DATES, _SERIAL_DAYS)))

    return fit


def _age(seen: Seen) -> float:
    if seen.looks.numbers is not None:
        return within(seen.looks, 0, _OLDEST)
    return max(seen.looks.rate("has_digit"), 1.0 if seen.looks.n <= _FEW_CATEGORIES else 0.0)


def _categories(most: int) -> Callable[[Seen], float]:
    return lambda seen: 1.0 if seen.profile.distinct <= most and (seen.profile.words_mean or 1.0) <= 8 else 0.0


def _postcode(seen: Seen) -> float:
    return seen.looks.rate("postcode") if seen.kind == DataType.TEXT else within(seen.looks, 100, 9_999_999)


def _coordinate(seen: Seen) -> float:
    return max(seen.looks.rate("coordinate"), within(seen.looks, -180, 180))


def _place(seen: Seen) -> float | None:
    coded = seen.looks.rate("has_digit") >= w.NEARLY_ALL and seen.looks.rate("word") >= w.NEARLY_ALL
    return None if seen.kind == DataType.INTEGER or coded else seen.looks.rate("letters")


def _family(seen: Seen) -> float:
    return within(seen.looks, 0, 30) if seen.looks.numbers is not None else _categories(_FEW_CATEGORIES)(seen)


def _money(seen: Seen) -> float:
    if seen.looks.rate("date_like") >= w.MOST and seen.looks.numbers is None:
        return 0.0
    return max(seen.looks.rate("has_digit"), _categories(_FEW_CATEGORIES)(seen))


def _running(seen: Seen) -> float:
    return 1.0 if seen.profile.uniqueness >= w.NEARLY_ALL else 0.3


_FITS: Mapping[str, Callable[[Seen], float | None]] = {
    "EMAIL_ADDRESS": _form("email"),
    "PHONE_NUMBER": _phone,
    "URL": _form("url"),
    "IP_ADDRESS": _form("ip"),
    "MAC_ADDRESS": _form("mac"),
    "CREDIT_CARD": _card,
    "IBAN_CODE": _form("iban"),
    "US_SSN": _form("nine_digits"),
    "PERSON": _name,
    "FIRST_NAME": _name,
    "LAST_NAME": _name,
    "DATE_OF_BIRTH": _date(_BIRTH_YEARS),
    "DATE_OF_DEATH": _date(_EVENT_YEARS),
    "EVENT_DATE": _date(_EVENT_YEARS),
    "DATE_TIME": _date(_EVENT_YEARS),
    "AGE": _age,
    "GENDER": _categories(25),
    "MARITAL_STATUS": _categories(60),
    "RACE": _categories(300),
    "NATIONALITY": _categories(400),
    "RELIGION": _categories(300),
    "POSTCODE": _postcode,
    "COORDINATE": _coordinate,
    "CITY": _place,
    "STATE": _place,
    "COUNTRY": _place,
    "FAMILY_SIZE": _family,
    "SALARY": _money,
    "INCOME": _money,
    "FINANCE": _money,
    "ROW_NUMBER": _running,
}

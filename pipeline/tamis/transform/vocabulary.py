"""Words for fakes: Faker's lists as sorted tuples; a fake is an index into them.

Without a locale the words are a fixed blend of ten locales in Latin script, so that a fake says nothing about where its original
came from. The pools depend on Faker's version and on nothing else (a plan records it). Names are read from the lists themselves;
words that Faker composes (cities, streets) are drawn once with a fixed seed.

Every word of a pool is equally likely, unless the frequencies of Faker's lists are asked for: those of en_US names, for example, are
the census's. Lists without frequencies stay uniform; in the blend each locale has the same weight.
"""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.core.errors import PlanError, clean_name, did_you_mean
from tamis.transform.romanize import roman

BLEND = ("de_DE", "en_GB", "en_US", "es_ES", "fr_FR", "it_IT", "nl_NL", "pl_PL", "pt_BR", "sv_SE")
_DRAWS = 6000
"""draws per locale and pool: each takes less than 0.3 s, once per process"""
_SEED = 4711
"""of the draws, which only list words; which word a value gets comes from the key"""
_ONE_LOCALE = ("street_name", "city", "company_suffix", "job", "postcode")
"""pools that the blend takes from en_US: mixtures of languages would not look like anything"""
_LISTS = {
    "first_name": "first_names",
    "first_name_female": "first_names_female",
    "first_name_male": "first_names_male",
    "last_name": "last_names",
    "last_name_female": "last_names_female",
    "last_name_male": "last_names_male",
}
"""pools of names and the attributes of Faker's providers that hold them"""
_SHORT = 20
"""shorter lists are made of patterns ("{{last_name}}-…"), not of names"""


@functools.cache
def pool(word: str, locale: str | None) -> tuple[str, ...]:
    """Distinct words of one sort, sorted: names (`first_name`, `last_name_female`, …), `street_name`, `city`, `job`, `postcode`, ….

    Raises PlanError `unknown_locale` for a locale that Faker does not know.
    """
    return tuple(sorted(_weighted(word, locale)))


@functools.cache
def shares(word: str, locale: str | None) -> npt.NDArray[np.uint64]:
    """Upper ends of the parts of 0..2^32 that the words of `pool` have by Faker's frequencies, in its order."""
    weighted = _weighted(word, locale)
    weights = np.array([weighted[found] for found in pool(word, locale)])
    ends: npt.NDArray[np.uint64] = np.floor(np.cumsum(weights) / weights.sum() * 2.0**32).astype(np.uint64)
    ends[-1] = np.uint64(2**32)
    return ends


@functools.cache
def ascii_pool(word: str) -> tuple[str, ...]:
    """Lower-case ASCII letters only, from the blend: for local parts, user names and host names."""
    folded = {unicodedata.normalize("NFKD", found).encode("ascii", "ignore").decode().lower() for found in pool(word, None)}
    return tuple(sorted(found for found in folded if found.isalpha() and len(found) > 1))


@functools.cache
def roman_pool(word: str, locale: str | None) -> tuple[str, ...]:
    """The words of `pool`, place by place, in lower-case ASCII letters: the e-mail address matches the name.

    Japanese by Faker's own pairs, Korean, Cyrillic, Greek and Latin letters by rule; for other scripts a word of the blend stands in,
    always the same one.
    """
    known = _pairs(locale) if locale and locale.startswith("ja") else {}
    spare = ascii_pool(word.removesuffix("_female").removesuffix("_male"))
    made = (known.get(found) or roman(found) for found in pool(word, locale))
    return tuple(found or spare[place * 7919 % len(spare)] for place, found in enumerate(made))


def known_locale(locale: str) -> str:
    """The locale by Faker's name for it; a language stands for its first country. Raises PlanError `unknown_locale`."""
    from faker.config import AVAILABLE_LOCALES

    known = sorted(str(one) for one in AVAILABLE_LOCALES)
    if locale in known:
        return locale
    country = next((one for one in known if one.startswith(f"{locale}_")), None)
    if country is None:
        raise PlanError("unknown_locale", f"There are no words for the locale '{clean_name(locale)}'.", hint=did_you_mean(locale, known))
    return country


def names_of(locale: str, word: str) -> Mapping[str, float]:
    """The names of a provider's own list with their frequencies; empty where it has none."""
    provider = _provider(locale)
    found = getattr(provider, _LISTS[word], ())
    if not isinstance(found, tuple | list | Mapping) or len(found) < _SHORT:
        return {}
    items = found.items() if isinstance(found, Mapping) else Counter(found).items()
    names = {_clean(name): float(weight) for name, weight in items if isinstance(name, str) and "{{" not in name and weight > 0}
    names.pop("", None)
    return names


@functools.cache
def _weighted(word: str, locale: str | None) -> Mapping[str, float]:
    locales = (known_locale(locale),) if locale else ("en_US",) if word in _ONE_LOCALE else BLEND
    out: Counter[str] = Counter()
    for one in locales:
        found = (names_of(one, word) if word in _LISTS else {}) or dict.fromkeys(_drawn(word, one), 1.0)
        whole = sum(found.values())
        for name in sorted(found):
            out[name] += found[name] / whole  # type: ignore[assignment]  # a Counter of shares
    return out


def _drawn(word: str, locale: str) -> set[str]:
    from faker import Faker

    faker = Faker(locale, use_weighting=False)
    faker.seed_instance(_SEED)
    draw = getattr(faker, word)
    words = {_clean(str(draw())) for _ in range(_DRAWS)}
    return {found for found in words if found}


def _clean(word: str) -> str:
    return unicodedata.normalize("NFC", word).strip()


def _provider(locale: str) -> Any:
    import importlib

    try:
        return importlib.import_module(f"faker.providers.person.{locale}").Provider
    except ModuleNotFoundError:
        return None


def _pairs(locale: str) -> dict[str, str]:
    """Japanese names in characters to the same in Latin letters."""
    provider = _provider(known_locale(locale))
    rows = [row for name in ("first_name_female_pairs", "first_name_male_pairs", "last_name_pairs") for row in getattr(provider, name, ())]
    return {_clean(row[0]): roman(row[2]) for row in reversed(rows) if len(row) == 3}

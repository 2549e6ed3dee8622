"""Words for fakes: Faker's lists, drawn once into sorted tuples; a fake is an index into them.

Without a locale the words are a fixed blend of ten locales in Latin script, so that a fake says nothing about where its original
came from. The pools depend on Faker's version and on nothing else (a plan records it).
"""

from __future__ import annotations

import functools
import unicodedata

from tamis.core.errors import PlanError, clean_name, did_you_mean

BLEND = ("de_DE", "en_GB", "en_US", "es_ES", "fr_FR", "it_IT", "nl_NL", "pl_PL", "pt_BR", "sv_SE")
_DRAWS = 6000
"""draws per locale and pool: each takes less than 0.3 s, once per process"""
_SEED = 4711
"""of the draws, which only list words; which word a value gets comes from the key"""
_ONE_LOCALE = ("street_name", "city", "company_suffix", "job", "postcode")
"""pools that the blend takes from en_US: mixtures of languages would not look like anything"""


@functools.cache
def pool(word: str, locale: str | None) -> tuple[str, ...]:
    """Distinct words of one sort, sorted: `first_name`, `last_name`, `street_name`, `city`, `company_suffix`, `job`, `postcode`.

    Raises PlanError `unknown_locale` for a locale that Faker does not know.
    """
    locales = (_known(locale),) if locale else ("en_US",) if word in _ONE_LOCALE else BLEND
    return tuple(sorted({found for one in locales for found in _drawn(word, one)}))


@functools.cache
def ascii_pool(word: str) -> tuple[str, ...]:
    """Lower-case ASCII letters only, from the blend: for local parts, user names and host names."""
    folded = {unicodedata.normalize("NFKD", found).encode("ascii", "ignore").decode().lower() for found in pool(word, None)}
    return tuple(sorted(found for found in folded if found.isalpha() and len(found) > 1))


def _drawn(word: str, locale: str) -> set[str]:
    from faker import Faker

    faker = Faker(locale, use_weighting=False)
    faker.seed_instance(_SEED)
    draw = getattr(faker, word)
    words = {unicodedata.normalize("NFC", str(draw())).strip() for _ in range(_DRAWS)}
    return {found for found in words if found}


def _known(locale: str) -> str:
    from faker.config import AVAILABLE_LOCALES

    known = sorted(str(one) for one in AVAILABLE_LOCALES)
    if locale in known:
        return locale
    country = next((one for one in known if one.startswith(f"{locale}_")), None)
    if country is None:
        raise PlanError("unknown_locale", f"There are no words for the locale '{clean_name(locale)}'.", hint=did_you_mean(locale, known))
    return country

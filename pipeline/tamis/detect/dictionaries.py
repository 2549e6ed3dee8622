"""Name and place lists (Faker's, all locales) and closed value sets, as polars series for vectorized membership."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

import polars as pl

from tamis.detect.tokens import fold

_GIVEN = re.compile(r"^(?:first|middle)_(?:romanized_|kana_)?names?(?!.*pairs)|^(?:(?:fe)?male|unisex)_first_names")
_FAMILY = re.compile(r"^last_(?:romanized_|kana_)?names?(?!.*pairs)|^(?:(?:fe)?male|unisex)_last_names")
"""attributes of Faker's providers that hold names"""
_MIN_PART = 4
_MIN_NAME = 2
"""shorter list entries (initials) would match anything; one Chinese, Japanese or Korean character is a family name"""
_UNSPACED = r"^[\p{Han}\p{Hangul}\p{Hiragana}\p{Katakana}]{2,6}$"
_LETTERS = {"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ς": "σ"}
_LEGAL_FORM = (
    r"(?i)(?:^|[\s,(])(?:ltd|limited|inc|incorporated|llc|llp|plc|corp|corporation|company|group|holdings?|and sons"
    r"|gmbh|ag|kg|kgaa|ohg|ug|gbr|e\.? ?v|mbh"
    r"|s\.?a|s\.?a\.?s|sarl|s\.?a\.?r\.?l|eurl|scop|s\.?l|s\.?l\.?u|s\.?c|ltda|eireli|lda|s\.?p\.?a|s\.?r\.?l|s\.?n\.?c|b\.?v|n\.?v|vof|ab|hb|aps|a/s|as|oy|oyj"
    r"|s\.?r\.?o|spol|a\.s|sp\. ?z ?o\. ?o|z o\.o|a\.ş|ltd\. ?şti|kft|zrt|bt|pty|pte|bhd|sdn|kk|ооо|оао|зао|ип|αε|επε)\.?\)?$"
    r"|^(?:株式会社|有限会社|合同会社|\(株\)|주식회사|\(주\)|ооо|зао|оао|пао)|(?:株式会社|有限公司|公司|集团|주식회사|유한회사)$"
)
"""how firms end their names, in the languages of Faker's company providers"""


@dataclass(frozen=True)
class NameLists:
    """Folded given names, family names and cities."""

    given: pl.Series
    family: pl.Series
    cities: pl.Series


@lru_cache(maxsize=1)
def name_lists() -> NameLists:
    """Read Faker's lists once per process, on first use (about 0.4 s)."""
    import faker.providers.address as addresses
    import faker.providers.person as persons

    given: set[str] = set()
    family: set[str] = set()
    cities: set[str] = set()
    for provider in _providers(persons):
        for attribute in dir(provider):
            if _GIVEN.search(attribute):
                given.update(_words(getattr(provider, attribute)))
            elif _FAMILY.search(attribute):
                family.update(_with_parts(_words(getattr(provider, attribute))))
    for provider in _providers(addresses):
        for attribute in ("cities", "city_names", "real_city_names", "metropolitan_cities", "towns"):
            cities.update(_words(getattr(provider, attribute, ())))
    return NameLists(_series(given), _series(family), _series(cities))


def _providers(package: ModuleType) -> Iterable[Any]:
    for module in pkgutil.iter_modules(package.__path__):
        yield importlib.import_module(f"{package.__name__}.{module.name}").Provider


def _words(values: Any) -> Iterable[str]:
    return (value for value in values if isinstance(value, str)) if isinstance(values, (tuple, list, dict)) else ()


def _with_parts(names: Iterable[str]) -> Iterable[str]:
    """Family names, and the longer words of those that have several (`van den Berg`): cells are compared word by word."""
    for name in names:
        yield name
        yield from (word for word in name.split() if len(word) >= _MIN_PART and word != name)


def _series(words: set[str]) -> pl.Series:
    folded = {fold(word).replace(".", "").strip() for word in words}
    return pl.Series(sorted(word for word in folded if len(word) >= _MIN_NAME or word >= "\u1100"), dtype=pl.String)


def folded(text: pl.Expr) -> pl.Expr:
    """Lower case, no accents, punctuation to blanks, blanks single: how values meet lists."""
    plain = text.str.normalize("NFKD").str.replace_all(r"\p{M}", "").str.to_lowercase()
    plain = plain.str.replace_many(list(_LETTERS), list(_LETTERS.values()))
    return plain.str.replace_all(r"[^\p{L}\p{N}+]+", " ").str.strip_chars()


def member_counts(values: pl.Series) -> dict[str, int]:
    """Of distinct texts: how many look like full names (given and family name), single given, single family names, cities.

    `persons` counts cells of two to five words without digits in which a given name and, in another word, a family name stand.
    """
    lists = name_lists()
    frame = pl.DataFrame({"raw": values}).with_columns(folded(pl.col("raw")).alias("f"), pl.int_range(pl.len()).alias("i"))
    letters = ~pl.col("raw").str.contains(r"[@/_]|(?:^|[^\p{L}0-9])[0-9]")  # a numeral behind a name (test data, homonyms) is forgiven
    frame = frame.with_columns(letters.alias("plain"))
    words = frame.select("i", "plain", pl.col("f").str.replace_all(r"(\p{L})[0-9]+", "$1").str.split(" ").alias("w")).explode(
        "w", empty_as_null=True, keep_nulls=True
    )
    words = words.with_columns(
        pl.col("w").is_in(lists.given.implode()).fill_null(False).alias("g"),
        pl.col("w").is_in(lists.family.implode()).fill_null(False).alias("l"),
        (pl.col("w").str.len_chars() == 1).fill_null(False).alias("initial"),
    )
    per = words.group_by("i").agg(
        pl.col("plain").first(),
        pl.len().alias("n"),
        pl.col("g").sum().alias("g"),
        pl.col("l").sum().alias("l"),
        (pl.col("g") | pl.col("l") | pl.col("initial")).sum().alias("any"),
    )
    plain = pl.col("plain")
    full = (
        plain
        & pl.col("n").is_between(2, 5)
        & (pl.col("g") >= 1)
        & (pl.col("l") >= 1)
        & (pl.col("any") >= 2)
        & (pl.col("any") * 2 >= pl.col("n"))
    )
    single = plain & pl.col("n").is_between(1, 2)
    counts = per.select(
        full.sum().alias("persons"),
        (single & (pl.col("g") >= 1)).sum().alias("given"),
        (single & (pl.col("l") >= 1)).sum().alias("family"),
        (plain & (pl.col("n") >= 2)).sum().alias("several"),
    ).row(0, named=True)
    cities = frame.select(pl.col("f").is_in(lists.cities.implode()).sum()).item()
    result = {name: int(count or 0) for name, count in counts.items()} | {"cities": int(cities or 0)}
    result["persons"] += _unspaced_names(values, lists)
    return result


def _unspaced_names(values: pl.Series, lists: NameLists) -> int:
    """Chinese, Japanese and Korean names: a family name of one to three characters, then a given name."""
    raw = pl.DataFrame({"x": values.filter(values.str.contains(_UNSPACED))})
    if not len(raw):
        return 0
    x = pl.col("x")
    hits = []
    for length in (1, 2, 3):
        family, given = folded(x.str.head(length)), folded(x.str.slice(length))
        known = given.is_in(lists.given.implode()) | ((length == 1) & (x.str.len_chars() - length).is_between(1, 2))
        hits.append(family.is_in(lists.family.implode()) & known)
    return int(raw.select(pl.any_horizontal(hits).sum()).item() or 0)


def company_share(values: pl.Series) -> float:
    """Share of texts that end (or, in East Asia and Russia, begin) with the legal form of a firm."""
    return float(values.str.strip_chars().str.contains(_LEGAL_FORM).mean() or 0.0) if len(values) else 0.0  # type: ignore[arg-type]


def pairs_in_text(values: pl.Series) -> int:
    """Texts that hold a given name directly followed by a family name, both capitalized."""
    lists = name_lists()
    pairs = pl.DataFrame({"t": values}).select(
        pl.int_range(pl.len()).alias("i"), pl.col("t").str.extract_all(r"\p{Lu}\p{Ll}+ \p{Lu}\p{Ll}+").alias("p")
    )
    words = (
        pairs.explode("p", empty_as_null=True, keep_nulls=True).drop_nulls("p").with_columns(folded(pl.col("p")).str.split(" ").alias("w"))
    )
    hit = words.filter(
        pl.col("w").list.get(0, null_on_oob=True).is_in(lists.given.implode())
        & pl.col("w").list.get(1, null_on_oob=True).is_in(lists.family.implode())
    )
    return hit["i"].n_unique()


def set_members(values: pl.Series, words: Iterable[str]) -> int:
    """Distinct values that are in a closed set of folded words."""
    members = pl.Series(sorted({fold(word) for word in words}), dtype=pl.String)
    return int(pl.DataFrame({"x": values}).select(folded(pl.col("x")).is_in(members.implode()).sum()).item() or 0)

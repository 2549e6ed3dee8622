"""Which language a value is written in and whether a name is a woman's or a man's: only where a policy asks that fakes keep it.

Locale: a country or locale code, a country's English name or a calling code decides; else the script, where it tells one language; else
Faker's lists of names. A locale's score is half the log of its population plus, for each word of the name, log(P(word | locale) / 1e-5),
with P = 1 / size of its list, counted as at least 500 (naive Bayes; Manning, Raghavan, Schütze 2008, ch. 13); the best wins.

Gender: a word or code of it (ISO/IEC 5218 too) decides; else the first word of the name that lists hold for one gender at least twice as
often as for the other. What is not known stays unknown, and its fake is neutral.

Both are guesses about the original: what the fake shows of them is not protected.
"""

from __future__ import annotations

import functools
import math
from collections import defaultdict

import numpy as np
import numpy.typing as npt
import polars as pl

from tamis.transform.vocabulary import names_of, pool

_ALL = {
    "cs_CZ": 11, "da_DK": 6, "de_DE": 95, "en_US": 400, "es_ES": 400, "et_EE": 1.3, "fi_FI": 5.6, "fr_FR": 80, "hr_HR": 4, "hu_HU": 10,
    "id_ID": 280, "it_IT": 60, "lt_LT": 3, "lv_LV": 2, "nl_NL": 24, "no_NO": 5.5, "pl_PL": 38, "pt_BR": 215, "ro_RO": 19, "sk_SK": 5.5,
    "sl_SI": 2, "sv_SE": 10, "tr_TR": 85, "vi_VN": 100, "ru_RU": 145, "uk_UA": 38, "bg_BG": 6.5, "zh_CN": 1400, "ja_JP": 125, "zh_TW": 23,
    "ko_KR": 52, "el_GR": 10, "ar_SA": 37, "fa_IR": 90, "he_IL": 10, "hi_IN": 600, "ta_IN": 80, "th_TH": 70, "ka_GE": 4, "hy_AM": 3,
}  # fmt: skip
"""locales that are told apart, with millions of people, roughly: the prior"""
_SCRIPTS = (
    (r"^\s*(?:\+|00)44[\d\s(]", "en_GB"),
    (r"^\s*(?:\+|00)49[\d\s(]", "de_DE"),
    (r"^\s*(?:\+|00)33[\d\s(]", "fr_FR"),
    (r"^\s*(?:\+|00)61[\d\s(]", "en_AU"),
    (r"^\s*(?:\+|00)46[\d\s(]", "sv_SE"),
    (r"^\s*(?:\+|00)1[\d\s(.-]", "en_US"),
    (r"[\p{Hiragana}\p{Katakana}]", "ja_JP"),
    (r"\p{Hangul}", "ko_KR"),
    (r"\p{Greek}", "el_GR"),
    (r"\p{Hebrew}", "he_IL"),
    (r"[پچژگکی]", "fa_IR"),
    (r"\p{Arabic}", "ar_SA"),
    (r"\p{Tamil}", "ta_IN"),
    (r"\p{Devanagari}", "hi_IN"),
    (r"\p{Bengali}", "bn_BD"),
    (r"\p{Gujarati}", "gu_IN"),
    (r"\p{Thai}", "th_TH"),
    (r"\p{Georgian}", "ka_GE"),
    (r"\p{Armenian}", "hy_AM"),
    (r"[іїєґІЇЄҐ]", "uk_UA"),
    (r"[ыэёЫЭЁ]", "ru_RU"),
    (r"(?i)[ơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", "vi_VN"),
)
"""calling codes, scripts and letters that tell the language, tried in this order"""
_COUNTRIES = {
    "de_DE": "de deu germany", "en_US": "us usa america", "en_GB": "gb gbr uk britain", "fr_FR": "fr fra france",
    "es_ES": "es esp spain", "it_IT": "it ita italy", "nl_NL": "nl nld netherlands", "pl_PL": "pl pol poland", "pt_BR": "br bra brazil",
    "sv_SE": "se swe sweden", "ja_JP": "jp jpn japan", "zh_CN": "cn chn china", "zh_TW": "tw twn taiwan", "ko_KR": "kr kor korea",
    "ru_RU": "ru rus russia", "uk_UA": "ua ukr ukraine", "el_GR": "gr grc greece", "tr_TR": "tr tur turkey", "cs_CZ": "cz cze czechia",
    "da_DK": "dk dnk denmark", "no_NO": "no nor norway", "fi_FI": "fi fin finland", "hu_HU": "hu hun hungary", "ro_RO": "ro rou romania",
    "pt_PT": "pt prt portugal", "de_AT": "at aut austria", "de_CH": "ch che switzerland", "en_IE": "ie irl ireland",
    "en_CA": "ca can canada", "en_AU": "au aus australia", "en_NZ": "nz nzl", "en_IN": "in ind india",
    "es_MX": "mx mex mexico", "es_AR": "ar arg argentina",
    "he_IL": "il isr israel", "ar_SA": "sa sau", "fa_IR": "ir irn iran", "th_TH": "th tha thailand", "vi_VN": "vn vnm vietnam",
    "id_ID": "id idn indonesia", "bg_BG": "bg bgr bulgaria", "hr_HR": "hr hrv croatia", "sk_SK": "sk svk slovakia",
}  # fmt: skip
"""country codes (ISO 3166-1, alpha-2 and alpha-3) and English names, word by word"""
_WORDS_OF_GENDER = {
    "female": "f female w woman weiblich frau femme féminin mujer femenino femmina femminile vrouw vrouwelijk kvinna kobieta ž ж "
    "feminino mulher mrs ms mme 2 女 女性 여 여성 여자",
    "male": "m male man männlich mann herr homme masculin hombre masculino maschio maschile mannelijk mężczyzna м "
    "homem mr 1 男 男性 남 남성 남자",
}
_BASE, _LEAST = 1e-5, 500
_CLEARLY = 2.0
_AT_ONCE = 100_000
"""texts that are compared at once: 40 numbers of 8 bytes for each word"""
_UNSPACED = r"^[\p{Han}\p{Hangul}\p{Hiragana}\p{Katakana}]{2,6}$"


def locales_of(texts: pl.Series) -> pl.Series:
    """A locale or null for each text: a name, an address, a country, a locale code, a telephone number."""
    frame = pl.DataFrame({"text": texts}).with_row_index("row")
    folded = pl.col("text").str.to_lowercase().str.replace_all("-", "_", literal=True)
    frame = frame.with_columns(folded.replace_strict(_codes(), default=None, return_dtype=pl.String).alias("told"))
    foreign = (pl.col("text").str.len_bytes() > pl.col("text").str.len_chars()) | pl.col("text").str.contains(r"^\s*(?:\+|00)\d")
    judged = frame.filter(pl.col("told").is_null() & foreign).select("row", "text", _script().alias("told"))  # few: many patterns
    frame = frame.update(judged.select("row", "told"), on="row", maintain_order="left")
    guessed = _by_names(frame.filter(pl.col("told").is_null() & pl.col("text").is_not_null()).select("row", "text"))
    return frame.update(guessed, on="row", maintain_order="left")["told"]


def _script() -> pl.Expr:
    return pl.coalesce([pl.when(pl.col("text").str.contains(pattern)).then(pl.lit(locale)) for pattern, locale in _SCRIPTS])


def genders_of(texts: pl.Series) -> pl.Series:
    """`female`, `male` or null for each text: a name, or a column that says it."""
    words = {word: gender for gender, text in _WORDS_OF_GENDER.items() for word in text.split()}
    frame = pl.DataFrame({"text": texts}).with_row_index("row")
    stated = pl.col("text").str.strip_chars(" .").str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.String)
    frame = frame.with_columns(stated.alias("stated"))
    open_ = frame.filter(pl.col("stated").is_null() & pl.col("text").is_not_null()).select("row", "text")
    found = (
        _tokens(open_)
        .join(_given_names(), on="token")
        .group_by("row")
        .agg(pl.col("gender").sort_by("place").first())
    )  # fmt: skip
    return frame.join(found, on="row", how="left", maintain_order="left").select(pl.coalesce("stated", "gender")).to_series()


def _by_names(frame: pl.DataFrame) -> pl.DataFrame:
    """(row, told) of the texts that the lists of names know."""
    known, scores = _known_names()
    tokens = _tokens(frame).join(known, on="token").sort("row", "place", "number")
    parts = tokens.with_columns(pl.col("row").floordiv(_AT_ONCE).alias("part")).partition_by("part", maintain_order=True)
    return pl.concat([_best(scores, part) for part in parts or [tokens]])


def _best(scores: npt.NDArray[np.float64], tokens: pl.DataFrame) -> pl.DataFrame:
    rows = tokens["row"].to_numpy()
    starts = np.flatnonzero(np.concatenate(([True], rows[1:] != rows[:-1]))) if len(rows) else np.empty(0, dtype=np.int64)
    if not len(starts):
        return pl.DataFrame(schema={"row": tokens.schema["row"], "told": pl.String})
    prior = np.log(np.array(list(_ALL.values()), dtype=np.float64)) / 2
    sums = np.add.reduceat(scores[tokens["number"].to_numpy()], starts, axis=0) + prior
    names = pl.Series(list(_ALL), dtype=pl.String)
    return pl.DataFrame({"row": tokens["row"].gather(starts), "told": names.gather(sums.argmax(axis=1))})


def _tokens(frame: pl.DataFrame) -> pl.DataFrame:
    """(row, token, place): the words of a text, given names first; unspaced names in all divisions into two."""
    spaced = frame.filter(~pl.col("text").str.contains(_UNSPACED)).with_columns(
        # "Meier, Anna": what stands behind the comma comes first
        pl.col("text").str.replace(r"^([^,]+),\s*(.+)$", "$2 $1").str.to_lowercase().str.extract_all(r"[\p{L}\p{M}'’]+").alias("token")
    )
    unspaced = frame.filter(pl.col("text").str.contains(_UNSPACED))
    splits = [unspaced.with_columns(pl.concat_list(pl.col("text").str.slice(at), pl.col("text").str.slice(0, at)).alias("token"))
              for at in (1, 2, 3)]  # fmt: skip
    lists = pl.concat([spaced, *splits]).select("row", "token", pl.int_ranges(pl.col("token").list.len()).alias("place"))
    return lists.explode("token", "place", empty_as_null=False).filter(pl.col("token").str.len_chars() > 0)


@functools.cache
def _codes() -> dict[str, str]:
    codes = {word: locale for locale, words in _COUNTRIES.items() for word in words.split()}
    codes |= {"united states": "en_US", "united kingdom": "en_GB", "great britain": "en_GB", "south korea": "ko_KR"}
    return codes | {locale.lower(): locale for locale in (*_ALL, *_COUNTRIES)}


@functools.cache
def _known_names() -> tuple[pl.DataFrame, npt.NDArray[np.float64]]:
    """(token, number) over given and family names of all locales that are told apart, and the score of each by locale."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for place, locale in enumerate(_ALL):
        for word in ("first_name", "first_name_female", "first_name_male", "last_name", "last_name_female", "last_name_male"):
            names = names_of(locale, word) or (pool(word, locale) if word == "last_name" else ())
            for name in names:
                for token in name.lower().split():
                    score = math.log(1 / max(len(names), _LEAST) / _BASE)
                    found[token][place] = max(found[token].get(place, 0.0), score)
    tokens = sorted(found)
    scores = np.zeros((len(tokens), len(_ALL)))
    for number, token in enumerate(tokens):
        for place, score in found[token].items():
            scores[number, place] = score
    return pl.DataFrame({"token": tokens}, schema={"token": pl.String}).with_row_index("number"), scores


@functools.cache
def _given_names() -> pl.DataFrame:
    """(token, gender) of the given names that are clearly one or the other."""
    counts: dict[str, dict[str, float]] = defaultdict(lambda: {"female": 0.0, "male": 0.0})
    for locale in _ALL:
        for gender in ("female", "male"):
            for name in names_of(locale, f"first_name_{gender}"):
                counts[name.lower()][gender] += 1.0
    clear = [
        (token, "female" if count["female"] > count["male"] else "male")
        for token, count in sorted(counts.items())
        if max(count.values()) >= _CLEARLY * min(count.values())
    ]
    return pl.DataFrame(clear, schema={"token": pl.String, "gender": pl.String}, orient="row")

"""Numbers that belong to nobody: telephone, account, card and identity numbers from ranges reserved for fiction or never issued.

Telephone: NANP 555-0100 to 555-0199; Ofcom's numbers for drama (01632 960, 07700 900, 020 7946 0, 0808 157 0); BNetzA's (030 23125,
069 90009, 040 66969, 0221 4710, 089 99998); ARCEP's (01 99 00, 02 61 91, 03 53 01, 04 65 71, 05 36 49, 06 39 98); ACMA's (5550 and 7010 in
each area); PTS's (031-390 06, 040-628 04, 08-465 004). Elsewhere country code 999, which ITU-T E.164 assigns to nobody.

Accounts: German bank codes that begin with 0 (Bundesbank: clearing areas are numbered from 1); where the length of the original is kept,
country code ZZ, user-assigned in ISO 3166-1. Check digits after ISO 13616 (ISO 7064 mod 97-10). Cards: 9999… (ISO/IEC 7812-1: 9 + ISO
3166-1 numeric country; 900-999 are user-assigned), Luhn digit.

Identity numbers by country: social security numbers of areas 000, 666, 900-999 with groups 01-49, which no ITIN has (SSA); British
national insurance numbers that begin with D, F, I, Q, U, V twice (HMRC: never used); French ones of sex 9; German tax numbers that begin
with 0 (test numbers, BZSt); Italian tax codes of day 72 or later; Spanish DNI with a control letter I, O or U, which is never used; Dutch
BSN 99999xxxx (test numbers, RvIG); Polish PESEL of months 13 to 19; Swedish numbers of days 92 to 99; Canadian ones that begin with 0;
Brazilian and Japanese ones, where every number may be somebody's, with wrong check digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Words = npt.NDArray[np.uint64]
"""(n, 4): 256 keyed bits per value"""
Bytes = npt.NDArray[np.uint8]
"""(n, width): decimal digits (0 to 9) or ASCII characters"""

_ZERO = 48
_UNISSUED = tuple(int(area) for area in ("000", "666", *(f"{n}" for n in range(900, 1000))))
_LINES: Mapping[str, tuple[str, tuple[str, ...], int]] = {
    "GB": ("44", ("7700900", "1632960", "2079460", "8081570"), 3),
    "DE": ("49", ("3023125", "6990009", "4066969", "2214710", "8999998"), 3),
    "FR": ("33", ("19900", "26191", "35301", "46571", "53649", "63998"), 4),
    "AU": ("61", ("25550", "27010", "35550", "37010", "75550", "77010", "85550", "87010"), 4),
    "SE": ("46", ("3139006", "4062804", "8465004"), 2),
}
"""country calling code, beginnings of reserved national numbers, free digits behind them"""
_AREAS = np.array([n for n in range(200, 1000) if str(n)[1] != "9" and str(n)[1:] != "11"])
"""area codes by the pattern of the North American plan: N[0-8]X without N11"""
_AMERICAN = frozenset({"US", "CA", ""})


# ----------------------------------------------------------------------------------------------------------------------- pieces


def stream(words: Words, width: int, base: int = 10) -> Bytes:
    """(n, width) numbers below `base` (at most 256), from the keyed words by the finalizer of SplitMix64 (Steele, Lea, Flood 2014)."""
    out = np.empty((len(words), width), dtype=np.uint8)
    for place in range(width):
        z = words[:, place % 4] + np.uint64((place // 4 + 1) * 0x9E3779B97F4A7C15 % 2**64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        out[:, place] = ((z ^ (z >> np.uint64(31))) >> np.uint64(32)) * np.uint64(base) >> np.uint64(32)
    return out


def digits_of(number: npt.NDArray[np.integer], width: int) -> Bytes:
    """(n, width) decimal digits, leading zeros too."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    digits: Bytes = (number.astype(np.int64)[:, None] // powers % 10).astype(np.uint8)
    return digits


def text_of(letters: Bytes) -> pl.Series:
    """Rows of ASCII bytes as text."""
    count, width = letters.shape
    offsets = np.arange(count + 1, dtype=np.int64) * width
    array = pa.LargeStringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(letters).tobytes()))
    return pl.Series(values=pl.from_arrow(array), dtype=pl.String)


def luhn_digit(digits: Bytes) -> Bytes:
    """(n, 1): the check digit behind the given ones (ISO/IEC 7812-1 annex B)."""
    doubled = digits.astype(np.int64)
    doubled[:, ::-1][:, ::2] *= 2
    total = (doubled // 10 + doubled % 10).sum(axis=1)
    digit: Bytes = ((10 - total % 10) % 10).astype(np.uint8)[:, None]
    return digit


def _broken(digit: Bytes, words: Words, broken: bool) -> Bytes:
    """Another digit than the right one, where that is asked for."""
    return (digit + 1 + stream(words, 8, 9)[:, 7:]) % 10 if broken else digit


def _constant(text: str, count: int) -> Bytes:
    return np.tile(np.frombuffer(text.encode(), dtype=np.uint8), (count, 1))


def _weighted(digits: Bytes, weights: tuple[int, ...]) -> npt.NDArray[np.int64]:
    return digits[:, : len(weights)].astype(np.int64) @ np.array(weights, dtype=np.int64)


# ---------------------------------------------------------------------------------------------------------------------- telephone


def phone(words: Words, country: str) -> pl.Series:
    """+ and digits (E.164). `country` by ISO 3166-1 alpha-2, empty for none."""
    if country in _AMERICAN:
        area, line = _AREAS[(words[:, 0] & np.uint64(0xFFFFFFFF)) % np.uint64(len(_AREAS))], (words[:, 0] >> np.uint64(32)) % np.uint64(100)
        digits = np.hstack([digits_of(area, 3), np.tile(np.array([5, 5, 5, 0, 1], dtype=np.uint8), (len(words), 1)), digits_of(line, 2)])
        return text_of(np.hstack([_constant("+1", len(words)), digits + _ZERO]))
    if country not in _LINES:
        return text_of(np.hstack([_constant("+999", len(words)), stream(words, 9) + _ZERO]))
    code, beginnings, free = _LINES[country]
    return text_of(np.hstack([_constant(f"+{code}", len(words)), _national(words, beginnings, free)]))


def _national(words: Words, beginnings: tuple[str, ...], free: int) -> Bytes:
    chosen = stream(words, 4, len(beginnings))[:, 3]
    table = np.frombuffer("".join(beginnings).encode(), dtype=np.uint8).reshape(len(beginnings), -1)
    return np.hstack([table[chosen], stream(words, 3 + free)[:, 3:] + _ZERO])


def phone_digits(words: Words, width: int, *, abroad: bool, zero: bool) -> pl.Series | None:
    """`width` digits for a number that is written in its own way: `abroad` after a +, `zero` with a trunk prefix; None: no such range."""
    count = len(words)
    if abroad and width >= 7:
        return text_of(np.hstack([_constant("999", count), stream(words, width - 3) + _ZERO]))
    if zero and width in (10, 11):
        _, beginnings, free = _LINES["FR" if width == 10 else "GB"]
        return text_of(np.hstack([_constant("0", count), _national(words, beginnings, free)]))
    if not zero and width in (10, 11):
        return phone(words, "US").str.slice(12 - width)
    return None


# ------------------------------------------------------------------------------------------------------------- accounts and cards


def iban(words: Words, *, broken: bool = False) -> pl.Series:
    """DE, two check digits, bank code 0…, ten digits of account: 22 characters."""
    account = words[:, 0] % np.uint64(10**17)
    body = np.hstack([np.zeros((len(words), 1), dtype=np.uint8), digits_of(account, 17)])
    return _with_iban_check("DE", body + _ZERO, broken=broken)


def iban_like(words: Words, letters: npt.NDArray[np.bool_], *, broken: bool) -> pl.Series:
    """ZZ, two check digits, and letters where `letters` (n, width) says so, digits elsewhere."""
    body = np.where(letters, stream(words, letters.shape[1], 26) + 65, stream(words, letters.shape[1]) + _ZERO)
    return _with_iban_check("ZZ", body.astype(np.uint8), broken=broken)


def _with_iban_check(country: str, body: Bytes, *, broken: bool) -> pl.Series:
    """Check digits 00 and 01 occur in no account number: mod 97-10 gives 02 to 98, and 00 passes for 97."""
    count = len(body)
    rest = np.zeros(count, dtype=np.int64)
    for code in np.hstack([body, _constant(country + "00", count)]).T.astype(np.int64):
        rest = np.where(code >= 65, rest * 100 + code - 55, rest * 10 + code - _ZERO) % 97
    check = (rest == 1).astype(np.int64) if broken else 98 - rest
    return text_of(np.hstack([_constant(country, count), digits_of(check, 2) + _ZERO, body]))


def card(words: Words, width: int, *, broken: bool = False) -> pl.Series:
    """9999, free digits and a Luhn digit: `width` digits, 8 to 19."""
    number = np.hstack([np.full((len(words), 4), 9, dtype=np.uint8), digits_of(words[:, 0] % np.uint64(10 ** (width - 5)), width - 5)])
    return text_of(np.hstack([number, _broken(luhn_digit(number), words, broken)]) + _ZERO)


# ---------------------------------------------------------------------------------------------------------------- identity numbers


def national_id(words: Words, country: str, *, broken: bool = False) -> pl.Series:
    """An identity number of the country (ISO 3166-1 alpha-2); one of the US pattern where it is not among those known."""
    return _IDS.get(country, _american)(words, broken)


def _american(words: Words, broken: bool) -> pl.Series:
    del broken  # no check digit
    halves = words[:, :2].astype(np.uint64)
    area = np.array(_UNISSUED)[(halves[:, 0] & np.uint64(0xFFFFFFFF)) % np.uint64(len(_UNISSUED))]
    group = (halves[:, 0] >> np.uint64(32)) % np.uint64(49) + np.uint64(1)
    serial = (halves[:, 1] & np.uint64(0xFFFFFFFF)) % np.uint64(9999) + np.uint64(1)
    dash = _constant("-", len(words))
    return text_of(np.hstack([digits_of(area, 3) + _ZERO, dash, digits_of(group, 2) + _ZERO, dash, digits_of(serial, 4) + _ZERO]))


def _british(words: Words, broken: bool) -> pl.Series:
    del broken
    never = np.frombuffer(b"DFIQUV", dtype=np.uint8)
    first, last = never[stream(words, 2, 6)], stream(words, 12, 4)[:, 11:] + 65
    return text_of(np.hstack([first, stream(words, 8)[:, 2:] + _ZERO, last]))


def _french(words: Words, broken: bool) -> pl.Series:
    """Sex, year, month, department, commune, order; key = 97 - number mod 97."""
    parts = [stream(words, 2), _two(words, 2, 12, 1), _two(words, 3, 95, 1), stream(words, 10)[:, 4:]]
    number = np.hstack([np.full((len(words), 1), 9, dtype=np.uint8), *parts])
    rest = number.astype(np.int64) @ (10 ** np.arange(12, -1, -1, dtype=np.int64)) % 97
    return text_of(np.hstack([number, digits_of(97 - rest + (np.where(rest, rest, 1) if broken else 0), 2)]) + _ZERO)


def _german(words: Words, broken: bool) -> pl.Series:
    """0, nine more digits of which one occurs twice, check digit by ISO 7064 mod 11,10."""
    order = np.argsort(stream(words, 9, 256), axis=1, kind="stable").astype(np.uint8) + 1
    rows, twice = np.arange(len(words)), stream(words, 12, 8)[:, 10]
    order[rows, twice + 1] = order[rows, twice // 2]
    number = np.hstack([np.zeros((len(words), 1), dtype=np.uint8), order])
    product = np.full(len(words), 10)
    for digit in number.T.astype(np.int64):
        total = (digit + product) % 10
        product = 2 * np.where(total, total, 10) % 11
    check = ((11 - product) % 10).astype(np.uint8)[:, None]
    return text_of(np.hstack([number, _broken(check, words, broken)]) + _ZERO)


_ODD = np.array([1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23])
"""values of A to Z, and of 0 to 9 as A to J, in odd places of an Italian tax code (DM 23/12/1976)"""


def _italian(words: Words, broken: bool) -> pl.Series:
    consonants, months = np.frombuffer(b"BCDFGLMNPRSTVZ", dtype=np.uint8), np.frombuffer(b"ABCDEHLMPRST", dtype=np.uint8)
    free = stream(words, 14)
    body = np.hstack([
        consonants[stream(words, 6, len(consonants))], free[:, 6:8] + _ZERO, months[stream(words, 9, 12)[:, 8:]],
        _two(words, 9, 28, 72) + _ZERO, _constant("Z", len(words)), free[:, 11:14] + _ZERO,
    ])  # fmt: skip
    value = np.where(body >= 65, body.astype(np.int64) - 65, body.astype(np.int64) - _ZERO)
    check = (_ODD[value[:, ::2]].sum(axis=1) + value[:, 1::2].sum(axis=1) + (1 if broken else 0)) % 26
    return text_of(np.hstack([body, (check + 65).astype(np.uint8)[:, None]]))


def _spanish(words: Words, broken: bool) -> pl.Series:
    del broken  # a letter that is never a control letter
    return text_of(np.hstack([stream(words, 8) + _ZERO, np.frombuffer(b"IOU", dtype=np.uint8)[stream(words, 9, 3)[:, 8:]]]))


def _dutch(words: Words, broken: bool) -> pl.Series:
    """Nine digits whose sum weighted 9…2 and -1 is a multiple of 11 (elfproef)."""
    number = np.hstack([np.full((len(words), 5), 9, dtype=np.uint8), stream(words, 3)])
    weights = (9, 8, 7, 6, 5, 4, 3, 2)
    check = _weighted(number, weights) % 11
    number[check == 10, 7] = (number[check == 10, 7] + 1) % 10
    check = _weighted(number, weights) % 11
    return text_of(np.hstack([number, _broken(check.astype(np.uint8)[:, None], words, broken)]) + _ZERO)


def _polish(words: Words, broken: bool) -> pl.Series:
    number = np.hstack([stream(words, 2), _two(words, 2, 7, 13), _two(words, 3, 28, 1), stream(words, 8)[:, 4:]])
    check = (10 - _weighted(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10) % 10
    return text_of(np.hstack([number, _broken(check.astype(np.uint8)[:, None], words, broken)]) + _ZERO)


def _swedish(words: Words, broken: bool) -> pl.Series:
    number = np.hstack([stream(words, 2), _two(words, 2, 12, 1), _two(words, 3, 8, 92), stream(words, 7)[:, 4:]])
    check = _broken(luhn_digit(number), words, broken)
    return text_of(np.hstack([number[:, :6] + _ZERO, _constant("-", len(words)), number[:, 6:] + _ZERO, check + _ZERO]))


def _canadian(words: Words, broken: bool) -> pl.Series:
    number = np.hstack([np.zeros((len(words), 1), dtype=np.uint8), stream(words, 7)])
    return text_of(np.hstack([number, _broken(luhn_digit(number), words, broken)]) + _ZERO)


def _brazilian(words: Words, broken: bool) -> pl.Series:
    del broken  # always: every other number may be somebody's
    number = stream(words, 9)
    first = 11 - _weighted(number, (10, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
    right = np.where(first >= 10, 0, first).astype(np.uint8)[:, None]
    return text_of(np.hstack([number, _broken(right, words, broken=True), stream(words, 10)[:, 9:]]) + _ZERO)


def _japanese(words: Words, broken: bool) -> pl.Series:
    del broken  # always, as above
    number = stream(words, 11)
    rest = _weighted(number, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    right = np.where(rest <= 1, 0, 11 - rest).astype(np.uint8)[:, None]
    return text_of(np.hstack([number, _broken(right, words, broken=True)]) + _ZERO)


def _two(words: Words, place: int, count: int, first: int) -> Bytes:
    """Two digits of a number from `first` on, `count` of them."""
    return digits_of(stream(words, place + 1, count)[:, place].astype(np.int64) + first, 2)


_IDS: Mapping[str, Callable[[Words, bool], pl.Series]] = {
    "US": _american, "GB": _british, "FR": _french, "DE": _german, "IT": _italian, "ES": _spanish, "NL": _dutch, "PL": _polish,
    "SE": _swedish, "CA": _canadian, "BR": _brazilian, "JP": _japanese,
}  # fmt: skip

"""Every kind of fake as a function of 256 bits, whole columns at once.

Everything that could reach somebody lies in ranges reserved for examples or never issued: domains of RFC 2606; addresses of
RFC 5737 (IPv4) and RFC 3849 (IPv6); line numbers 555-0100 to 555-0199, reserved for fiction in every area code (NANPA); German bank
codes that begin with 0 (Bundesbank: clearing areas are numbered from 1), with a valid IBAN checksum (ISO 13616); card numbers that
begin with 9999 (ISO/IEC 7812-1: 9 + ISO 3166-1 numeric country; 900-999 are user-assigned), with a valid Luhn digit; social security
numbers that are never issued (SSA: areas 000, 666, 900-999; with groups 01-49, which no ITIN has).

A locale changes names, streets, cities, companies, jobs and postcodes; the other kinds are the same everywhere.
"""

from __future__ import annotations

from typing import assert_never

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from tamis.core.actions import Fake
from tamis.transform.vocabulary import ascii_pool, pool

Words = npt.NDArray[np.uint64]
"""(n, 4): 256 keyed bits per value"""
Draw = npt.NDArray[np.uint64]
"""(n,): 32 of them"""

SMALL = frozenset({"phone", "postcode", "iban", "credit_card", "national_id"})
"""kinds without room for a token: whether their fakes are `unique` must be counted"""

_BASE32 = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)
_TOKEN = 14
"""characters of base32, 70 bits: among 10 million values two are equal with probability 4e-8"""
_AREAS = tuple(f"{n}" for n in range(200, 1000) if str(n)[1] != "9" and str(n)[1:] != "11")
"""area codes by the pattern of the North American plan: N[0-8]X without N11"""
_UNISSUED = ("000", "666", *(f"{n}" for n in range(900, 1000)))
_NETS = ("192.0.2.", "198.51.100.", "203.0.113.")
_DOMAINS = ("example.com", "example.net", "example.org")


def invented(words: Words, action: Fake) -> pl.Series:
    """One fake (text) per row of `words`; equal words give equal fakes. Raises PlanError for a locale without words."""
    match action.kind:
        case "email" | "username" | "url" | "ip_address":
            return _online(words, action.kind, action.unique)
        case "phone" | "iban" | "credit_card" | "national_id":
            return _numbered(words, action.kind, action.unique)
        case "postcode":
            return _postcode(words, action.locale)
        case "person_name" | "first_name" | "last_name" | "company" | "job":
            made = _named(words, action.kind, action.locale)
        case "street_address" | "address" | "city":
            made = _placed(words, action.kind, action.locale)
        case _:
            assert_never(action.kind)
    return _joined(made, " ", _token(words)) if action.unique else made


def _named(words: Words, kind: str, locale: str | None) -> pl.Series:
    if kind == "job":
        return _picked(pool("job", locale), _draw(words, 0))
    last = _picked(pool("last_name", locale), _draw(words, 1))
    if kind == "last_name":
        return last
    if kind == "company":
        other = _picked(pool("last_name", locale), _draw(words, 0))
        return _joined(other, "-", last, " ", _picked(pool("company_suffix", locale), _draw(words, 2)))
    first = _picked(pool("first_name", locale), _draw(words, 0))
    return first if kind == "first_name" else _joined(first, " ", last)


def _placed(words: Words, kind: str, locale: str | None) -> pl.Series:
    """The house number stands first in English and French addresses, last elsewhere."""
    city = _picked(pool("city", locale), _draw(words, 2))
    if kind == "city":
        return city
    street = _picked(pool("street_name", locale), _draw(words, 0))
    number = _plain(_draw(words, 1) % np.uint64(9999) + np.uint64(1))
    first, second = (number, street) if locale is None or locale[:2] in {"en", "fr"} else (street, number)
    line = _joined(first, " ", second)
    return line if kind == "street_address" else _joined(line, ", ", _postcode(words, locale), " ", city)


def _postcode(words: Words, locale: str | None) -> pl.Series:
    """Five digits; with a locale, a code of its pattern."""
    return _digits(_draw(words, 3), 5) if locale is None else _picked(pool("postcode", locale), _draw(words, 3))


def _numbered(words: Words, kind: str, unique: bool) -> pl.Series:
    if kind == "phone":
        return _joined("+1", _picked(_AREAS, _draw(words, 0)), "55501", _digits(_draw(words, 1), 2))
    if kind == "iban":
        return _iban(words)
    if kind == "credit_card":
        return _card(words, 14 if unique else 11)
    group = _digits(_draw(words, 1) % np.uint64(49) + np.uint64(1), 2)
    serial = _digits(_draw(words, 2) % np.uint64(9999) + np.uint64(1), 4)
    return _joined(_picked(_UNISSUED, _draw(words, 0)), "-", group, "-", serial)


def _online(words: Words, kind: str, unique: bool) -> pl.Series:
    if kind == "ip_address":
        return _ip6(words) if unique else _joined(_picked(_NETS, _draw(words, 0)), _plain(_draw(words, 1) % np.uint64(256)))
    first, last = _picked(ascii_pool("first_name"), _draw(words, 0)), _picked(ascii_pool("last_name"), _draw(words, 1))
    mark = _token(words) if unique else _digits(_draw(words, 2), 4)
    if kind == "username":
        return _joined(first, last, mark)
    if kind == "url":
        return _joined("https://", last, "-", mark, ".", _picked(_DOMAINS, _draw(words, 3)), "/")
    return _joined(first, ".", last, "." if unique else "", mark, "@", _picked(_DOMAINS, _draw(words, 3)))


def _iban(words: Words) -> pl.Series:
    """DE, two check digits (ISO 7064 mod 97-10), bank code 0…, ten digits of account."""
    account = words[:, 0] % np.uint64(10**17)
    check = np.uint64(98) - (account % np.uint64(97) * np.uint64(10**6) + np.uint64(131400)) % np.uint64(97)
    return _joined("DE", _digits(check, 2), _digits(account, 18))


def _card(words: Words, free: int) -> pl.Series:
    """9999, `free` digits, Luhn check digit (ISO/IEC 7812-1 annex B)."""
    number = words[:, 0] % np.uint64(10**free)
    total = np.zeros(len(words), dtype=np.uint64)
    rest = number + np.uint64(9999) * np.uint64(10**free)
    for place in range(free + 4):
        digit = rest % np.uint64(10)
        rest = rest // np.uint64(10)
        doubled = digit * np.uint64(2)
        total += digit if place % 2 else doubled // np.uint64(10) + doubled % np.uint64(10)
    check = (np.uint64(10) - total % np.uint64(10)) % np.uint64(10)
    return _joined("9999", _digits(number, free), _plain(check))


def _ip6(words: Words) -> pl.Series:
    """2001:db8: and 96 keyed bits; groups keep their leading zeros."""
    groups: list[pl.Series | str] = ["2001:0db8"]
    for place in range(6):
        group = (words[:, 2 + place // 4] >> np.uint64(16 * (place % 4))) & np.uint64(0xFFFF)
        letters = np.stack([(group >> np.uint64(12 - 4 * i)) & np.uint64(15) for i in range(4)], axis=1)
        groups += [":", _text_of(np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[letters.astype(np.intp)])]
    return _joined(*groups)


# ----------------------------------------------------------------------------------------------------------------------- pieces


def _draw(words: Words, place: int) -> Draw:
    """Draw 0..7: the low and the high half of each word. A list's words are then equally likely up to size / 2^32."""
    word = words[:, place // 2]
    return word >> np.uint64(32) if place % 2 else word & np.uint64(0xFFFFFFFF)


def _picked(choices: tuple[str, ...], draw: Draw) -> pl.Series:
    return pl.Series(values=choices, dtype=pl.String).gather((draw % np.uint64(len(choices))).astype(np.uint32))


def _plain(number: Draw) -> pl.Series:
    return pl.Series(values=number, dtype=pl.UInt64).cast(pl.String)


def _digits(draw: Draw, width: int) -> pl.Series:
    """`width` decimal digits, at most 19; leading zeros stay."""
    return _plain(draw % np.uint64(10**width)).str.zfill(width)


def _token(words: Words) -> pl.Series:
    """70 bits: 35 of each of the last two words."""
    bits = [words[:, 2 + i // 7] >> np.uint64(5 * (i % 7)) & np.uint64(31) for i in range(_TOKEN)]
    return _text_of(_BASE32[np.stack(bits, axis=1).astype(np.intp)])


def _text_of(letters: npt.NDArray[np.uint8]) -> pl.Series:
    """Rows of ASCII bytes as text."""
    count, width = letters.shape
    offsets = np.arange(count + 1, dtype=np.int64) * width
    array = pa.LargeStringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(letters).tobytes()))
    return pl.Series(values=pl.from_arrow(array), dtype=pl.String)


def _joined(*parts: pl.Series | str) -> pl.Series:
    count = next(len(part) for part in parts if isinstance(part, pl.Series))
    columns = {f"p{i}": part for i, part in enumerate(parts) if isinstance(part, pl.Series)}
    pieces = [pl.col(f"p{i}") if isinstance(part, pl.Series) else pl.lit(part) for i, part in enumerate(parts)]
    return pl.DataFrame(columns, height=count).select(pl.concat_str(pieces)).to_series()

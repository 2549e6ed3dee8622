"""Every kind of fake as a function of 256 bits, whole columns at once.

Everything that could reach somebody lies in ranges reserved for examples or never issued: domains of RFC 2606; addresses of RFC 5737
(IPv4) and RFC 3849 (IPv6); numbers of all sorts as in reserved.py.

A locale changes names, streets, cities, companies, jobs, postcodes, telephone and identity numbers, and the names in addresses of mail and
web; the other kinds are the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

import numpy as np
import numpy.typing as npt
import polars as pl

from tamis.core.actions import Fake
from tamis.transform import layout
from tamis.transform.reserved import Words, card, iban, national_id, phone, text_of
from tamis.transform.vocabulary import ascii_pool, known_locale, pool, roman_pool, shares

Draw = npt.NDArray[np.uint64]
"""(n,): 32 of the bits"""

SMALL = frozenset({"phone", "postcode", "iban", "credit_card", "national_id"})
"""kinds without room for a token: whether their fakes are `unique` must be counted"""

_BASE32 = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)
_TOKEN = 14
"""characters of base32, 70 bits: among 10 million values two are equal with probability 4e-8"""
_NETS = ("192.0.2.", "198.51.100.", "203.0.113.")
_DOMAINS = ("example.com", "example.net", "example.org")
_UNSPACED = ("ja", "zh", "ko")
"""languages that write the family name first and no blank between"""


@dataclass(frozen=True, slots=True)
class Style:
    """What a group of fakes has in common, beside the action."""

    locale: str | None = None
    gender: str | None = None
    """female, male or unknown"""


def invented(words: Words, action: Fake, style: Style, values: pl.Series | None = None) -> pl.Series:
    """One fake (text) per row of `words`; equal words give equal fakes.

    `values` are the originals where their format is kept, without nulls. Raises PlanError for a locale without words.
    """
    kept = values if action.format == "keep" else None
    match action.kind:
        case "email" | "username" | "url" | "ip_address":
            return _online(words, action, style, kept)
        case "phone" | "iban" | "credit_card" | "national_id":
            return _numbered(words, action, style, kept)
        case "postcode":
            form = None if kept is None else layout.plain_form(kept)
            return _postcode(words, style.locale) if form is None else layout.shaped(words, form)
        case "person_name":
            return _person_name(words, action, style, kept)
        case "first_name" | "last_name" | "company" | "job":
            made = _named(words, action, style)
        case "street_address" | "address" | "city":
            made = _placed(words, action.kind, style.locale)
        case _:
            assert_never(action.kind)
    made = made if kept is None else layout.in_case(made, kept)
    return _joined(made, " ", _token(words)) if action.unique else made


def _person_name(words: Words, action: Fake, style: Style, kept: pl.Series | None) -> pl.Series:
    first, last = _first(words, action, style), _last(words, action, style)
    mark = _token(words) if action.unique else None
    if kept is not None:
        return layout.name_like(first, last, kept, mark)
    dense = style.locale is not None and style.locale[:2] in _UNSPACED
    made = _joined(last, first) if dense else _joined(first, " ", last)
    return made if mark is None else _joined(made, " ", mark)


def _named(words: Words, action: Fake, style: Style) -> pl.Series:
    if action.kind == "job":
        return _picked(pool("job", style.locale), _draw(words, 0))
    if action.kind == "first_name":
        return _first(words, action, style)
    if action.kind == "last_name":
        return _last(words, action, style)
    other = _picked(pool("last_name", style.locale), _draw(words, 0))
    suffix = _picked(pool("company_suffix", style.locale), _draw(words, 2))
    return _joined(other, "-", _last(words, action, Style(style.locale)), " ", suffix)


def _first(words: Words, action: Fake, style: Style, *, roman: bool = False) -> pl.Series:
    return _name("first_name", _draw(words, 0), action, style, roman=roman)


def _last(words: Words, action: Fake, style: Style, *, roman: bool = False) -> pl.Series:
    return _name("last_name", _draw(words, 1), action, style, roman=roman)


def _name(word: str, draw: Draw, action: Fake, style: Style, *, roman: bool) -> pl.Series:
    """A name of the style's locale and gender; `roman`: the same one in small Latin letters."""
    sort = f"{word}_{style.gender}" if style.gender else word
    names = roman_pool(sort, style.locale) if roman else pool(sort, style.locale)
    if action.frequency == "uniform":
        return _picked(names, draw)
    places = np.searchsorted(shares(sort, style.locale), draw, side="right")
    return pl.Series(values=names, dtype=pl.String).gather(np.minimum(places, len(names) - 1).astype(np.uint32))


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


def _numbered(words: Words, action: Fake, style: Style, kept: pl.Series | None) -> pl.Series:
    broken = action.checksum == "broken"
    country = known_locale(style.locale)[3:] if style.locale else ""
    form = None if kept is None else layout.plain_form(kept)
    if action.kind == "phone":
        made = phone(words, country)
        return made if form is None else layout.phone_like(words, form, made)
    if action.kind == "iban":
        made = iban(words, broken=broken)
        return made if form is None else layout.iban_of(words, form, made, broken=broken)
    if action.kind == "credit_card":
        made = card(words, 19 if action.unique else 16, broken=broken)
        return made if form is None else layout.card_like(words, form, made, broken=broken)
    made = national_id(words, country, broken=broken)
    return made if form is None else layout.in_layout(made, form)


def _online(words: Words, action: Fake, style: Style, kept: pl.Series | None) -> pl.Series:
    if action.kind == "ip_address":
        return _ip(words, action, kept)
    matching = action.person is not None or style != Style() or action.frequency == "natural"
    if matching:
        first, last = _first(words, action, style, roman=True), _last(words, action, style, roman=True)
    else:
        first, last = _picked(ascii_pool("first_name"), _draw(words, 0)), _picked(ascii_pool("last_name"), _draw(words, 1))
    mark = _token(words) if action.unique else _digits(_draw(words, 2), 4)
    domain = _picked(_DOMAINS, _draw(words, 3))
    if action.kind == "url":
        host = _joined("https://", last, "-", mark, ".", domain, "/")
        if kept is None:
            return host
        path = layout.plain_form(kept).str.extract(r"^(?:[A-Za-z][A-Za-z0-9+.-]*://)?[^/?#]*/?(.*)$").fill_null("")
        return _joined(host, layout.shaped(words, path))
    if kept is not None:
        local = layout.local_like(first, last, mark, kept, unique=action.unique)
        return local if action.kind == "username" else _joined(local, "@", domain)
    if action.kind == "username":
        return _joined(first, last, mark)
    return _joined(first, ".", last, "." if action.unique else "", mark, "@", domain)


def _ip(words: Words, action: Fake, kept: pl.Series | None) -> pl.Series:
    """Addresses for documentation; of the original's version where the format is kept."""
    six = _ip6(words)
    four = _joined(_picked(_NETS, _draw(words, 0)), _plain(_draw(words, 1) % np.uint64(256)))
    if kept is None:
        return six if action.unique else four
    return pl.DataFrame({"six": six, "four": four, "given": kept}).select(
        pl.when(pl.col("given").str.contains(":", literal=True)).then("six").otherwise("four")
    ).to_series()  # fmt: skip


def _ip6(words: Words) -> pl.Series:
    """2001:db8: and 96 keyed bits; groups keep their leading zeros."""
    groups: list[pl.Series | str] = ["2001:0db8"]
    for place in range(6):
        group = (words[:, 2 + place // 4] >> np.uint64(16 * (place % 4))) & np.uint64(0xFFFF)
        letters = np.stack([(group >> np.uint64(12 - 4 * i)) & np.uint64(15) for i in range(4)], axis=1)
        groups += [":", text_of(np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[letters.astype(np.intp)])]
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
    return text_of(_BASE32[np.stack(bits, axis=1).astype(np.intp)])


def _joined(*parts: pl.Series | str) -> pl.Series:
    count = next(len(part) for part in parts if isinstance(part, pl.Series))
    columns = {f"p{i}": part for i, part in enumerate(parts) if isinstance(part, pl.Series)}
    pieces = [pl.col(f"p{i}") if isinstance(part, pl.Series) else pl.lit(part) for i, part in enumerate(parts)]
    return pl.DataFrame(columns, height=count).select(pl.concat_str(pieces)).to_series()

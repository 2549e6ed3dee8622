"""What the values of a column look like: forms, check digits, plausible ranges. Vectorized over a sample of distinct values."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from tamis.core.types import DataType
from tamis.detect.sample import Sample

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"

WITHIN: Mapping[str, str] = {
    "email": r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,}",
    "iban": r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",
    "card": r"\b[3-6][0-9]{3}(?:[ -]?[0-9]{4}){2}[ -]?[0-9]{1,7}\b|\b3[47][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5}\b",
    "ip": rf"\b(?:{_OCTET}\.){{3}}{_OCTET}\b",
    "ssn": r"\b(?:00[1-9]|0[1-9][0-9]|[1-57-8][0-9]{2}|6[0-57-9][0-9]|66[0-57-9])-[0-9]{2}-[0-9]{4}\b",
    "phone": r"\+[1-9][0-9 ()./-]{7,16}[0-9]\b|\(?\b[0-9]{3}\)?[ .-]{1,2}[0-9]{3}[ .-][0-9]{4}\b",
}
"""forms that are looked for inside longer texts, over whole columns"""

ENTITY_OF: Mapping[str, str] = {
    "email": "EMAIL_ADDRESS",
    "iban": "IBAN_CODE",
    "card": "CREDIT_CARD",
    "ip": "IP_ADDRESS",
    "ssn": "US_SSN",
    "phone": "PHONE_NUMBER",
    "mac": "MAC_ADDRESS",
    "user_agent": "USER_AGENT",
    "coordinate": "COORDINATE",
}

_FULL: Mapping[str, str] = {
    "email": r"^(?i:mailto:)?[^\s@]+@[^\s@]+\.[^\s@.]{2,}$",
    "url": r"(?i)^(?:https?://|www\.)\S+$|^[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?:/\S*)?$",
    "iban": rf"^(?:{WITHIN['iban']})$",
    "card": r"^[2-6][0-9]{3}[ -]?[0-9]{4,6}[ -]?[0-9]{4,5}(?:[ -]?[0-9]{1,7})?$",
    "ip": rf"^(?:{_OCTET}\.){{3}}{_OCTET}$|^(?i:[0-9a-f]{{0,4}}:){{2,7}}[0-9A-Fa-f]{{0,4}}$",
    "mac": r"^(?i:[0-9a-f]{2}[:-]){5}[0-9A-Fa-f]{2}$",
    "ssn": rf"^(?:{WITHIN['ssn']})$",
    "nine_digits": r"^[0-9]{3}[- .]?[0-9]{2}[- .]?[0-9]{4}$|^[0-9]{4}$",
    "uuid": r"^(?i:\{?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\}?|[0-9a-f]{32})$",
    "hex": r"^(?:0x)?[0-9a-fA-F]{16,}$",
    "user_agent": r"^(?:Mozilla|Opera|Dalvik|curl|okhttp)/[0-9]|(?i)\b(?:iPhone|Android|Windows NT|Macintosh|X11)\b.*\)",
    "coordinate": r"^[\[(]?\s*-?[0-9]{1,2}\.[0-9]{2,}\s*[,; ]\s*-?[0-9]{1,3}\.[0-9]{2,}\s*[\])]?$|^POINT ?\(",
    "phone_form": r"^(?:\+|00)?[0-9() ./\-]{6,22}(?:\s*(?:x|ext\.?)\s*[0-9]{1,6})?$",
    "phone_marked": (
        r"^\+[1-9][0-9 ()./\-]{6,18}$"
        r"|^\(?0?[0-9]{2,5}\)[ ]?[0-9][0-9 ./\-]{4,12}$"
        r"|^[0-9]{2,4}[-. ][0-9]{3,4}[-. ][0-9]{4}(?:\s*(?:x|ext\.?)\s*[0-9]{1,6})?$"
        r"|^[0-9]{2}[- ][0-9]{3}[- ][0-9]{3}[- ][0-9]{4}$"
    ),
    "date_like": (
        r"^[0-9]{1,4}[-./][0-9]{1,2}(?:[-./][0-9]{1,4})?(?:[T ].*)?$"
        r"|^(?:1[89]|20)[0-9]{2}(?:[01][0-9](?:[0-3][0-9])?)?$"
        r"|^[0-9]{1,2}[ ./-][\p{L}]{3,9}\.?[ ./-]?[0-9]{2,4}$"
        r"|^[\p{L}]{3,9}\.? [0-9]{1,2},? [0-9]{4}$"
    ),
    "decimal": r"^[-+]?[0-9]*[.,][0-9]+$",
    "digits": r"^[0-9]+$",
    "has_digit": r"[0-9]",
    "no_digit": r"^[^0-9]*$",
    "name_like": r"^[\p{L}\p{M}][\p{L}\p{M}'’`.,\- ]*[0-9]{0,4}(?: [\p{L}\p{M}'’`.,\-]+[0-9]{0,4})*\.?$|^[^0-9@/]{1,60}$",
    "letters": r"\p{L}",
    "postcode": r"^[A-Za-z0-9][A-Za-z0-9 \-]{1,9}[A-Za-z0-9]$",
    "word": r"^\S+$",
    "code": r"^[A-Z0-9]{1,4}$",
    "street": (
        r"(?i)^[0-9]+[a-z]?\s+\p{L}.*\b(?:street|st|avenue|ave|road|rd|drive|dr|lane|ln|boulevard|blvd|court|ct|way|place|pl|highway|hwy"
        r"|parkway|pkwy|terrace|circle|cir|trail|square|loop|row|close|crescent|gardens|unit|apt|suite|ste)\b"
        r"|\p{L}(?:stra(?:ß|ss)e|str\.|weg|platz|gasse|allee|ufer|damm)\s+[0-9]"
        r"|^(?:[0-9]+[ ,]+)?(?:rue|avenue|boulevard|chemin|place|calle|avenida|rua|via|viale|piazza|c/)\s+\p{L}"
        r"|\p{L}(?:straat|laan|plein|gracht|kade|gatan|vej|gade)\s+[0-9]"
    ),
}


@dataclass(frozen=True, slots=True)
class Looks:
    """Of `n` distinct values: how many have each form. `numbers` are the values as numbers where all of them are."""

    n: int
    hits: Mapping[str, int]
    numbers: pl.Series | None

    def rate(self, form: str) -> float:
        """Share of the distinct values with a form; 0 without values."""
        return self.hits.get(form, 0) / self.n if self.n else 0.0


def look_at(sample: Sample, kind: DataType) -> Looks:
    """Count the forms of a sample."""
    if not sample.size:
        return Looks(0, {}, None)
    frame = pl.DataFrame({"x": sample.values.str.strip_chars()})
    x, digits = pl.col("x"), pl.col("x").str.count_matches(r"[0-9]")

    def has(form: str) -> pl.Expr:
        return x.str.contains(_FULL[form])

    phone_long = digits.is_between(7, 15) & ~has("date_like")
    exprs = [has(form).sum().alias(form) for form in _FULL]
    exprs += [
        (phone_long & has("phone_form") & ~has("decimal")).sum().alias("phone_digits"),
        (phone_long & has("phone_marked") & ~has("ip")).sum().alias("phone"),
        (x.str.count_matches(r"\S+") >= 3).sum().alias("three_words"),
    ]
    hits = {name: int(count or 0) for name, count in frame.select(exprs).row(0, named=True).items()}
    numbers = None
    if kind in (DataType.INTEGER, DataType.NUMBER, DataType.TEXT):
        cast = sample.values.cast(pl.Float64, strict=False)
        numbers = cast if cast.null_count() == 0 else None
    return Looks(sample.size, hits, numbers)


def within(looks: Looks, low: float, high: float) -> float:
    """Share of the values that are numbers in a closed range; 0 when the values are no numbers."""
    if looks.numbers is None or not len(looks.numbers):
        return 0.0
    return float(looks.numbers.is_between(low, high).mean() or 0.0)  # type: ignore[arg-type]  # the mean of booleans is a float


# -------------------------------------------------------------------------------------------------------------- check digits

_MAX_CHECKED = 300
_NATIONAL: tuple[tuple[str, str, int, int], ...] = (
    # module of python-stdnum, entity, shortest and longest compact form
    ("stdnum.it.codicefiscale", "NATIONAL_ID", 16, 16),
    ("stdnum.es.dni", "NATIONAL_ID", 9, 9),
    ("stdnum.es.nie", "NATIONAL_ID", 9, 9),
    ("stdnum.fr.nir", "NATIONAL_ID", 15, 15),
    ("stdnum.de.idnr", "TAX_ID", 11, 11),
    ("stdnum.nl.bsn", "NATIONAL_ID", 9, 9),
    ("stdnum.be.nn", "NATIONAL_ID", 11, 11),
    ("stdnum.pl.pesel", "NATIONAL_ID", 11, 11),
    ("stdnum.pt.nif", "TAX_ID", 9, 9),
    ("stdnum.br.cpf", "NATIONAL_ID", 11, 11),
    ("stdnum.gb.nhs", "NATIONAL_ID", 10, 10),
    ("stdnum.se.personnummer", "NATIONAL_ID", 10, 12),
    ("stdnum.fi.hetu", "NATIONAL_ID", 11, 11),
    ("stdnum.no.fodselsnummer", "NATIONAL_ID", 11, 11),
    ("stdnum.ch.ssn", "NATIONAL_ID", 13, 13),
    ("stdnum.at.vnr", "NATIONAL_ID", 10, 10),
    ("stdnum.ro.cnp", "NATIONAL_ID", 13, 13),
    ("stdnum.tr.tckimlik", "NATIONAL_ID", 11, 11),
    ("stdnum.in_.aadhaar", "NATIONAL_ID", 12, 12),
    ("stdnum.in_.pan", "TAX_ID", 10, 10),
    ("stdnum.cn.ric", "NATIONAL_ID", 18, 18),
    ("stdnum.za.idnr", "NATIONAL_ID", 13, 13),
    ("stdnum.mx.curp", "NATIONAL_ID", 18, 18),
    ("stdnum.cl.rut", "NATIONAL_ID", 8, 9),
    ("stdnum.ca.sin", "NATIONAL_ID", 9, 9),
)


@dataclass(frozen=True, slots=True)
class Checked:
    """A check-digit rule and how many of the values looked at pass it."""

    rule: str
    entity: str
    hits: int
    of: int


def check_digits(sample: Sample, looks: Looks) -> list[Checked]:
    """Check-digit rules over at most 300 distinct values whose length fits; best hit rate first.

    Only rules for which most values have the right length are tried: dates, decimals and prose are never looked at.
    """
    if looks.n == 0 or looks.rate("three_words") > 0.5 or looks.rate("has_digit") < 0.5:
        return []
    compact = sample.values.head(_MAX_CHECKED).str.replace_all(r"[\s./\-]", "")
    lengths = compact.str.len_chars()
    texts = compact.to_list()
    found = []
    if looks.rate("card") > 0.5:
        found.append(Checked("luhn", "CREDIT_CARD", sum(map(luhn_card, texts)), len(texts)))
    if looks.rate("iban") > 0.3:
        found.append(Checked("iban", "IBAN_CODE", sum(map(_validator("stdnum.iban"), texts)), len(texts)))
    if looks.rate("date_like") > 0.5 or looks.rate("decimal") > 0.5 or looks.rate("uuid") > 0.5:
        return found
    for module, entity, shortest, longest in _NATIONAL:
        if float(lengths.is_between(shortest, longest).mean() or 0) > 0.5:  # type: ignore[arg-type]
            valid = _validator(module)
            found.append(Checked(module.removeprefix("stdnum.").replace("in_", "in"), entity, sum(map(valid, texts)), len(texts)))
    return sorted((c for c in found if c.hits), key=lambda c: (-c.hits, c.rule))


def luhn_card(digits: str) -> bool:
    """A payment card number: 12 to 19 digits, an issuer's first digit, Luhn's check digit (ISO/IEC 7812-1)."""
    if not (digits.isascii() and digits.isdigit() and 12 <= len(digits) <= 19 and digits[0] in "23456"):
        return False
    if len(set(digits)) == 1:
        return False
    doubled = (sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return (sum(int(d) for d in digits[-1::-2]) + sum(doubled)) % 10 == 0


def _validator(module: str) -> Callable[[str], bool]:
    is_valid: Callable[[str], bool] = importlib.import_module(module).is_valid
    return is_valid


def confirmed(name: str, texts: pl.Series) -> int:
    """How many candidates of a form with check digits (`card`, `iban`) are real ones."""
    compact = texts.str.replace_all(r"[\s\-]", "").to_list()
    return sum(map(luhn_card if name == "card" else _validator("stdnum.iban"), compact))

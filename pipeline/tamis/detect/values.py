"""What the values of a column look like: forms, check digits, plausible ranges. Vectorized over a sample of distinct values."""

from __future__ import annotations

import importlib
import math
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
    "profile_url": "URL",
    "photo_url": "PHOTO",
    "image_data": "PHOTO",
    "wallet": "CRYPTO",
    "icd10": "HEALTH_CONDITION",
    "genotype": "GENETIC",
    "postcode_form": "POSTCODE",
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
    "profile_url": (
        r"(?i)^(?:https?://)?(?:[a-z]{2,3}\.)?(?:www\.|m\.)?(?:linkedin\.com/in/|facebook\.com/|fb\.com/|twitter\.com/|x\.com/|instagram\.com/"
        r"|github\.com/|gitlab\.com/|tiktok\.com/@|youtube\.com/(?:@|user/|c/)|vk\.com/|orcid\.org/|researchgate\.net/profile/|xing\.com/profile/"
        r"|t\.me/|medium\.com/@|pinterest\.com/|reddit\.com/u(?:ser)?/|snapchat\.com/add/|mastodon\.[a-z]+/@)\S+$"
    ),
    "photo_url": r"(?i)^\S+\.(?:jpe?g|png|webp|gif|heic)(?:\?\S*)?$",
    "image_data": r"^(?:data:image/|/9j/4|iVBORw0KGgo)",
    "wallet": r"^0x[0-9a-fA-F]{40}$|^(?:bc1|tb1)[02-9ac-hj-np-z]{25,71}$|^[13][1-9A-HJ-NP-Za-km-z]{25,34}$",
    "icd10": r"^[A-TV-Z][0-9][0-9AB](?:\.[0-9A-Z]{1,4})?$",
    "icd10_dot": r"^[A-TV-Z][0-9][0-9AB]\.[0-9A-Z]{1,4}$",
    "genotype": r"^[ACGT]{2}$|^[ACGTDI][/|][ACGTDI]$|^[0-9.][/|][0-9.]$",
    "vin": r"^[A-HJ-NPR-Z0-9]{17}$",
    "json": r"^\s*[{\[][\s\S]*[}\]]\s*$",
    "postcode_form": (
        r"^[A-Z]{1,2}[0-9][0-9A-Z]? [0-9][A-Z]{2}$|^[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]$|^[0-9]{4} ?[A-Z]{2}$"
        r"|^[0-9]{2}-[0-9]{3}$|^[0-9]{4}-[0-9]{3}$"
        r"|^[0-9]{5}-[0-9]{3}$|^[0-9]{3}-[0-9]{4}$|^[0-9]{3} [0-9]{2}$|^[0-9]{5}(?:-[0-9]{4})?$"
    ),
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
    years: pl.Series | None = None
    """the years in values that are dates (all four digits written), where most values are"""

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
    return Looks(sample.size, hits, numbers, _years(sample.values, hits, numbers, kind))


_YEAR = r"(?:^|[^0-9])((?:1[89]|20)[0-9]{2})(?:[^0-9]|$)"
_COMPACT = r"^((?:1[89]|20)[0-9]{2})(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])$"


def _years(values: pl.Series, hits: Mapping[str, int], numbers: pl.Series | None, kind: DataType) -> pl.Series | None:
    dated = kind in (DataType.DATE, DataType.DATETIME) or hits.get("date_like", 0) >= 0.9 * len(values)
    if not dated:
        return None
    found = values.str.extract(_COMPACT if numbers is not None else _YEAR).cast(pl.Int32, strict=False).drop_nulls()
    return found if len(found) >= 0.9 * len(values) else None


def within(looks: Looks, low: float, high: float) -> float:
    """Share of the values that are numbers in a closed range; 0 when the values are no numbers."""
    if looks.numbers is None or not len(looks.numbers):
        return 0.0
    return float(looks.numbers.is_between(low, high).mean() or 0.0)  # type: ignore[arg-type]  # the mean of booleans is a float


# -------------------------------------------------------------------------------------------------------------- check digits

_MAX_CHECKED = 300
_FIRST_CHECKED = 20
_FLOOR = 0.1
"""one check digit passes one number in ten or eleven"""
_SIGNIFICANT = 1e-4
"""of the number of rules tried times the chance of so many hits (Bonferroni)"""
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
    ("stdnum.al.nipt", "TAX_ID", 10, 10),
    ("stdnum.ar.cuit", "TAX_ID", 11, 11),
    ("stdnum.bg.egn", "NATIONAL_ID", 10, 10),
    ("stdnum.cz.rc", "NATIONAL_ID", 9, 10),
    ("stdnum.dk.cpr", "NATIONAL_ID", 10, 10),
    ("stdnum.ee.ik", "NATIONAL_ID", 11, 11),
    ("stdnum.fr.nif", "TAX_ID", 13, 13),
    ("stdnum.gr.amka", "NATIONAL_ID", 11, 11),
    ("stdnum.hr.oib", "NATIONAL_ID", 11, 11),
    ("stdnum.ie.pps", "NATIONAL_ID", 8, 9),
    ("stdnum.il.idnr", "NATIONAL_ID", 9, 9),
    ("stdnum.is_.kennitala", "NATIONAL_ID", 10, 10),
    ("stdnum.kr.rrn", "NATIONAL_ID", 13, 13),
    ("stdnum.lt.asmens", "NATIONAL_ID", 11, 11),
    ("stdnum.lv.pvn", "NATIONAL_ID", 11, 11),
    ("stdnum.my.nric", "NATIONAL_ID", 12, 12),
    ("stdnum.rs.pib", "TAX_ID", 9, 9),
    ("stdnum.ru.inn", "TAX_ID", 12, 12),
    ("stdnum.si.emso", "NATIONAL_ID", 13, 13),
    ("stdnum.th.pin", "NATIONAL_ID", 13, 13),
    ("stdnum.tw.ubn", "TAX_ID", 8, 8),
    ("stdnum.ua.rntrc", "TAX_ID", 10, 10),
    ("stdnum.us.ssn", "US_SSN", 9, 9),
    ("stdnum.us.itin", "TAX_ID", 9, 9),
    ("stdnum.uy.rut", "TAX_ID", 12, 12),
    ("stdnum.ve.rif", "TAX_ID", 10, 10),
    ("stdnum.eg.tn", "TAX_ID", 9, 9),
    ("stdnum.cr.cpf", "NATIONAL_ID", 9, 10),
    ("stdnum.do.cedula", "NATIONAL_ID", 11, 11),
    ("stdnum.ec.ci", "NATIONAL_ID", 10, 10),
    ("stdnum.pe.cui", "NATIONAL_ID", 9, 9),
    ("stdnum.gt.nit", "TAX_ID", 8, 9),
    ("stdnum.py.ruc", "TAX_ID", 7, 9),
    ("stdnum.au.tfn", "TAX_ID", 8, 9),
    ("stdnum.be.ssn", "NATIONAL_ID", 11, 11),
)


@dataclass(frozen=True, slots=True)
class Checked:
    """A check-digit rule and how many of the values looked at pass it."""

    rule: str
    entity: str
    hits: int
    of: int
    chance: float = 0.1
    """share of numbers of this form that pass anyway, measured on the same numbers with one digit changed"""


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
    if looks.rate("digits") > 0.9 and float((lengths == 15).mean() or 0) > 0.9:  # type: ignore[arg-type]
        found.append(Checked("imei", "DEVICE_ID", sum(map(_validator("stdnum.imei"), texts)), len(texts)))
    if looks.rate("vin") > 0.9 and looks.rate("digits") < 0.1:
        found.append(Checked("vin", "VEHICLE_ID", sum(map(vin, texts)), len(texts)))
    if looks.rate("iban") > 0.3:
        found.append(Checked("iban", "IBAN_CODE", sum(map(_validator("stdnum.iban"), texts)), len(texts)))
    if looks.rate("date_like") > 0.5 or looks.rate("decimal") > 0.5 or looks.rate("uuid") > 0.5:
        return found
    fitting = [each for each in _NATIONAL if float(lengths.is_between(each[2], each[3]).mean() or 0) > 0.5]  # type: ignore[arg-type]
    for module, entity, _, _ in fitting:
        valid = _validator(module)
        few = texts[:_FIRST_CHECKED]
        if sum(map(valid, few)) < 0.8 * len(few):
            continue
        hits = sum(map(valid, texts))
        chance = max(_FLOOR, sum(valid(_perturbed(text)) for text in few) / len(few))
        if len(fitting) * binomial_tail(hits, len(texts), chance) < _SIGNIFICANT:
            found.append(
                Checked(module.removeprefix("stdnum.").replace("in_", "in").replace("is_", "is"), entity, hits, len(texts), chance)
            )
    return sorted((c for c in found if c.hits), key=lambda c: (-c.hits, c.chance, c.rule))


def _perturbed(text: str) -> str:
    """The last digit replaced: what a rule with a real check digit refuses."""
    for i in range(len(text) - 1, -1, -1):
        if text[i].isdigit() and text[i].isascii():
            return f"{text[:i]}{(int(text[i]) + 3) % 10}{text[i + 1 :]}"
    return text


def binomial_tail(hits: int, n: int, p: float) -> float:
    """P(X >= hits) for X ~ Binomial(n, p): how often so many numbers pass a rule that passes a share `p` of any numbers."""
    if p >= 1:
        return 1.0
    return min(1.0, sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(hits, n + 1)))


def luhn_card(digits: str) -> bool:
    """A payment card number: 12 to 19 digits, an issuer's first digit, Luhn's check digit (ISO/IEC 7812-1)."""
    if not (digits.isascii() and digits.isdigit() and 12 <= len(digits) <= 19 and digits[0] in "23456"):
        return False
    if len(set(digits)) == 1:
        return False
    doubled = (sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return (sum(int(d) for d in digits[-1::-2]) + sum(doubled)) % 10 == 0


_VIN_VALUES = {c: int(v) for c, v in zip("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", "12345678123457923456789" + "0123456789", strict=True)}
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def vin(text: str) -> bool:
    """A vehicle identification number with the check digit of North America (ISO 3779, 49 CFR 565.15)."""
    if len(text) != 17 or not all(c in _VIN_VALUES for c in text):
        return False
    rest = sum(weight * _VIN_VALUES[c] for weight, c in zip(_VIN_WEIGHTS, text, strict=True)) % 11
    return text[8] == ("X" if rest == 10 else str(rest))


def _validator(module: str) -> Callable[[str], bool]:
    is_valid: Callable[[str], bool] = importlib.import_module(module).is_valid

    def checked(text: str) -> bool:
        try:
            return is_valid(text)
        except Exception:  # noqa: BLE001  # stdnum.cn.ric.is_valid raises KeyError for some numbers: what crashes a rule does not pass it
            return False

    return checked


def confirmed(name: str, texts: pl.Series) -> int:
    """How many candidates of a form with check digits (`card`, `iban`) are real ones."""
    compact = texts.str.replace_all(r"[\s\-]", "").to_list()
    return sum(map(luhn_card if name == "card" else _validator("stdnum.iban"), compact))

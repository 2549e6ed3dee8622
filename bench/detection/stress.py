"""Invented tables for developing and testing the detector: seeded, no real person in them.

    from stress import build; tables, labels = build(Path("stress_dev.txt"))

Values come from Faker's locales and from the check-digit rules of python-stdnum; headers, types and traps from the text files.
Labels have the form of a labels.json: {table: {"group", "columns": {column: {"role", "type", "ambiguous"}}}}.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import string
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from faker import Faker

Values = list[Any]
_TODAY = dt.date(2026, 6, 30)
_GOODS = (
    "table",
    "lamp",
    "chair",
    "hose",
    "drill",
    "kettle",
    "jacket",
    "boots",
    "tent",
    "mug",
    "router",
    "cable",
    "shelf",
    "rug",
    "helmet",
)
_KINDS_OF = ("Steel", "Oak", "Compact", "Ultra", "Classic", "Eco", "Pro", "Nordic", "Cotton", "Royal", "Smart", "Vintage", "Mini", "Max")
_SHIPS = ("Queen of", "Star of", "MV", "Pride of", "Spirit of", "HMS", "Ocean", "Sea", "Nordic", "Golden")
_SHIP_WORDS = (
    "Adventure",
    "Victoria",
    "Horizon",
    "Elizabeth",
    "Fortune",
    "Wind",
    "Aurora",
    "Galaxy",
    "Explorer",
    "Maria",
    "Pearl",
    "Neptune",
)
_PLACES = ("Palazzo", "Basilica di San", "Torre", "Villa", "Castello di", "Ponte", "Museo")
_PLACE_WORDS = ("Pietro", "Marco", "Rossi", "Vecchio", "Giovanni", "Grande", "Farnese", "Borghese", "Lorenzo", "Nuovo")
_PETS = ("Bella", "Max", "Luna", "Charlie", "Rocky", "Fido", "Daisy", "Milo", "Rex", "Coco", "Buddy", "Molly", "Simba", "Oscar")
_ICD = ("E11.9", "I10", "J45.909", "F32.1", "M54.5", "K21.9", "C50.911", "N18.3", "G40.9", "Z00.00", "S72.001A", "B20", "O80", "R07.9")
_WORDS = [
    "the",
    "parcel",
    "came",
    "late",
    "and",
    "box",
    "was",
    "wet",
    "again",
    "today",
    "please",
    "check",
    "our",
    "order",
    "number",
    "before",
    "you",
    "send",
    "it",
    "back",
    "to",
    "us",
    "thanks",
]


class Maker:
    """Makes one column of a kind; everything is drawn from one seeded generator per table."""

    def __init__(self, locale: str, seed: int, n: int) -> None:
        self.fake = Faker(locale)
        self.fake.seed_instance(seed)
        self.rng = random.Random(seed)
        self.locale, self.n = locale, n

    def column(self, kind: str) -> Values:
        """`n` values of a kind such as `first` or `mask:###-##`."""
        name, _, argument = kind.partition(":")
        plain: dict[str, Callable[[], Any]] = {
            "full": self._full,
            "fullrev": lambda: f"{self.fake.last_name()}, {self.fake.first_name()}",
            "fullup": f"{self.fake.first_name()} {self.fake.last_name()}".upper,
            "first": self.fake.first_name,
            "last": self.fake.last_name,
            "initial": lambda: self.rng.choice(string.ascii_uppercase),
            "initials": lambda: ".".join(self.rng.choices(string.ascii_uppercase, k=self.rng.randint(1, 3))) + ".",
            "middle_ru": getattr(self.fake, "middle_name", self.fake.first_name),
            "email": self.fake.email,
            "user": self.fake.user_name,
            "phone": self.fake.phone_number,
            "phoneint": lambda: self.rng.randint(2_012_000_000, 9_899_999_999),
            "street": lambda: self.fake.street_address().replace("\n", " "),
            "address": lambda: self.fake.address().replace("\n", ", "),
            "city": self.fake.city,
            "zip": self.fake.postcode,
            "zipint": lambda: int("".join(c for c in self.fake.postcode() if c.isdigit())),
            "zipfloat": lambda: float(self.rng.randint(501, 99950)),
            "state": getattr(self.fake, "state", self.fake.city),
            "stateabbr": getattr(self.fake, "state_abbr", self.fake.city),
            "stateabbr_br": getattr(self.fake, "estado_sigla", self.fake.city),
            "country": self.fake.country,
            "ccode": self.fake.country_code,
            "byear": lambda: self.rng.randint(1935, 2008),
            "age": lambda: self.rng.randint(18, 92),
            "job": self.fake.job,
            "company": self.fake.company,
            "cc": self.fake.credit_card_number,
            "iban": self.fake.iban,
            "uuid": self.fake.uuid4,
            "hash": self.fake.sha256,
            "md5": self.fake.md5,
            "sha1": self.fake.sha1,
            "ip": self.fake.ipv4_public,
            "mac": self.fake.mac_address,
            "ua": self.fake.user_agent,
            "url": self.fake.uri,
            "purl": lambda: f"https://www.linkedin.com/in/{self.fake.user_name()}",
            "photourl": lambda: f"https://cdn.example.org/u/{self.fake.uuid4()}.jpg",
            "eth": lambda: "0x" + self.fake.sha1(),
            "lat": lambda: round(self.rng.uniform(35, 60), 5),
            "lon": lambda: round(self.rng.uniform(-9, 30), 5),
            "amount": lambda: round(self.rng.lognormvariate(7, 1), 2),
            "share": lambda: round(self.rng.uniform(0, 30), 3),
            "bigint": lambda: self.rng.randint(200, 90_000),
            "bool": lambda: self.rng.random() < 0.5,
            "icd": lambda: self.rng.choice(_ICD),
            "bp": lambda: self.rng.randint(95, 185),
            "bmi": lambda: round(self.rng.gauss(27, 5), 1),
            "hba1c": lambda: round(self.rng.uniform(4.4, 11), 1),
            "fico": lambda: self.rng.randint(480, 850),
            "height": lambda: self.rng.randint(150, 203),
            "grade20": lambda: round(self.rng.uniform(5, 19), 2),
            "epoch": lambda: 1_700_000_000 + self.rng.randint(0, 50_000_000),
            "isbn": self.fake.isbn13,
            "product": lambda: f"{self.rng.choice(_KINDS_OF)} {self.rng.choice(_KINDS_OF).lower()} {self.rng.choice(_GOODS)}",
            "ship": lambda: f"{self.rng.choice(_SHIPS)} {self.rng.choice(_SHIP_WORDS)}",
            "place": lambda: f"{self.rng.choice(_PLACES)} {self.rng.choice(_PLACE_WORDS)}",
            "petname": lambda: self.rng.choice(_PETS),
            "words": lambda: " ".join(self.rng.choices(_WORDS, k=3)),
            "prose": lambda: " ".join(self.rng.choices(_WORDS, k=self.rng.randint(9, 24))),
            "prosep": self._prose_with_persons,
            "json": lambda: json.dumps({"name": self.fake.name(), "email": self.fake.email(), "n": self.rng.randint(1, 9)}),
            "vin": self._vin,
            "imei": lambda: _luhn("35" + self._digits(12)),
            "nif": self._nif,
            "nir": self._nir,
            "codfisc": self._codfisc,
            "pesel": lambda: self._checked("stdnum.pl.pesel", lambda d: d.strftime("%y%m%d") + self._digits(4)),
            "sepnr": lambda: self._checked("stdnum.se.personnummer", lambda d: d.strftime("%y%m%d") + "-" + self._digits(3)),
            "tckn": lambda: self._by_trial("stdnum.tr.tckimlik", lambda: str(self.rng.randint(1, 9)) + self._digits(10)),
            "cnp": lambda: self._checked("stdnum.ro.cnp", lambda d: self.rng.choice("12") + d.strftime("%y%m%d") + "40" + self._digits(3)),
            "hetu": lambda: self._checked(
                "stdnum.fi.hetu",
                lambda d: d.strftime("%d%m%y") + "-" + f"{self.rng.randint(2, 899):03d}",
                "0123456789ABCDEFHJKLMNPRSTUVWXY",
            ),
            "cnric": lambda: self._checked(
                "stdnum.cn.ric", lambda d: "110101" + d.strftime("%Y%m%d") + self._digits(3), string.digits + "X"
            ),
            "cpf": lambda: self._by_trial("stdnum.br.cpf", lambda: self._digits(11)),
            "bsn": lambda: self._by_trial("stdnum.nl.bsn", lambda: self._digits(9)),
            "nino": lambda: f"{self.rng.choice('ABCEGHJKLM')}{self.rng.choice('ABCEGHJKLM')}{self._digits(6)}{self.rng.choice('ABCD')}",
        }
        if name in plain:
            return [plain[name]() for _ in range(self.n)]
        return self._with_argument(name, argument)

    def _with_argument(self, name: str, argument: str) -> Values:
        n, rng = self.n, self.rng
        match name:
            case "int":
                return [int(argument) + i for i in range(n)]
            case "key":
                return [f"{argument}{rng.randint(0, 10**6) * 1000 + i:09d}" for i in range(n)]
            case "rep":
                return [1000 + rng.randrange(int(argument)) for _ in range(n)]
            case "cat":
                return rng.choices(argument.split(","), k=n)
            case "cati":
                return [int(c) for c in rng.choices(argument.split(","), k=n)]
            case "const":
                return [argument] * n
            case "smallint":
                return [rng.randint(1, int(argument)) for _ in range(n)]
            case "mask":
                return ["".join(self._masked(c) for c in argument) for _ in range(n)]
            case "dob":
                days = [_TODAY - dt.timedelta(days=rng.randint(18 * 365, 90 * 365)) for _ in range(n)]
                return [
                    day if argument == "%Y-%m-%d" else int(t) if (t := day.strftime(argument)).isdigit() and t[0] != "0" else t
                    for day in days
                ]
            case "excel":
                return [rng.randint(15_000, 39_000) for _ in range(n)]
            case "past":
                return [_TODAY - dt.timedelta(days=rng.randint(100, 9000)) for _ in range(n)]
            case "recent":
                return [_TODAY - dt.timedelta(days=rng.randint(0, 900)) for _ in range(n)]
            case "datetime":
                return [dt.datetime.combine(_TODAY, dt.time()) - dt.timedelta(seconds=rng.randint(0, 9 * 10**7)) for _ in range(n)]
        raise ValueError(f"unknown kind of values: {name}")

    def _full(self) -> str:
        if self.locale in ("ja_JP", "zh_CN", "ko_KR"):
            return str(self.fake.name())
        return f"{self.fake.first_name()} {self.fake.last_name()}"

    def _prose_with_persons(self) -> str:
        text = " ".join(self.rng.choices(_WORDS, k=14))
        return f"{text} {self.rng.choice([self.fake.email(), self.fake.name(), self.fake.phone_number(), 'bye'])}"

    def _digits(self, n: int) -> str:
        return "".join(self.rng.choices(string.digits, k=n))

    def _masked(self, c: str) -> str:
        return self.rng.choice(string.digits) if c == "#" else self.rng.choice(string.ascii_uppercase) if c == "?" else c

    def _vin(self) -> str:
        chars = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
        body = "".join(self.rng.choices(chars, k=17))
        values = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9), strict=True))
        weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
        total = sum(w * (int(c) if c.isdigit() else values[c]) for c, w in zip(body, weights, strict=True)) % 11
        return body[:8] + ("X" if total == 10 else str(total)) + body[9:]

    def _nif(self) -> str:
        digits = self._digits(8)
        return digits + "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23]

    def _nir(self) -> str:
        body = (
            f"{self.rng.choice('12')}{self.rng.randint(40, 99)}{self.rng.randint(1, 12):02d}{self.rng.randint(1, 95):02d}{self._digits(6)}"
        )
        return f"{body}{97 - int(body) % 97:02d}"

    def _codfisc(self) -> str:
        from stdnum.it import codicefiscale

        consonants = "BCDFGLMNPRSTVZ"
        body = (
            "".join(self.rng.choices(consonants, k=6))
            + f"{self.rng.randint(40, 99)}{self.rng.choice('ABCDEHLMPRST')}{self.rng.randint(1, 28):02d}H501"
        )
        return body + str(codicefiscale.calc_check_digit(body))

    def _checked(self, module: str, body: Callable[[dt.date], str], alphabet: str = string.digits) -> str:
        """A number made of a date of birth, completed by the character that makes it valid."""
        from importlib import import_module

        valid = import_module(module).is_valid
        while True:
            start = body(_TODAY - dt.timedelta(days=self.rng.randint(18 * 365, 80 * 365)))
            for last in alphabet:
                if valid(start + last):
                    return start + last

    def _by_trial(self, module: str, draw: Callable[[], str]) -> str:
        from importlib import import_module

        valid = import_module(module).is_valid
        while True:
            if valid(text := draw()):
                return text


def _luhn(body: str) -> str:
    total = sum(sum(divmod(2 * int(d), 10)) for d in body[::-2]) + sum(int(d) for d in body[-2::-2])
    return body + str(-total % 10)


def build(path: Path, rows: int | None = None) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
    """All tables of a text file as frames, and their labels. `rows` caps the rows per table."""
    tables: dict[str, pl.DataFrame] = {}
    labels: dict[str, Any] = {}
    name, maker, columns = "", None, {}
    for line in [*path.read_text(encoding="utf-8").splitlines(), "## end end en_US 1"]:
        if line.startswith("## "):
            if maker is not None:
                tables[name] = pl.DataFrame({header: pl.Series(values, strict=False) for header, values in columns.items()})
            group, name, locale, n = line[3:].split()
            maker = Maker(locale, zlib.crc32(name.encode()), min(int(n), rows or int(n)))
            columns, labels[name] = {}, {"group": group, "columns": {}}
        elif line and not line.startswith("#") and maker is not None:
            header, role, kind = (part.strip() for part in line.split("|"))
            columns[header] = maker.column(kind)
            labels[name]["columns"][header] = {"role": role.rstrip("?"), "type": kind, "ambiguous": role.endswith("?")}
    del labels["end"]
    return tables, labels

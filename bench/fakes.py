"""Identifier fakes: values per second against Faker called once per value, and the share of fakes that are their own original.

    python bench/fakes.py [--rows 10000000] [--faker 20000] [--json OUT]

Every value differs, which is the worst case. Faker is asked for one value at a time, as a mapping per value would do, on a smaller
number of values; both sides run in this process, on the same machine, one after the other. The last lines tell how well `locale: keep`
and `gender_from` guess, on names that Faker makes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import polars as pl

from tamis.core.actions import Drop, Fake
from tamis.core.plan import ColumnPlan, Plan, Status, TablePlan
from tamis.core.policy import Privacy
from tamis.core.types import Column, DataType, Role, SourceInfo, Table
from tamis.keys import MasterKey
from tamis.transform import apply_table
from tamis.transform.origin import genders_of, locales_of

FAKER = {
    "person_name": "name", "email": "email", "username": "user_name", "phone": "phone_number", "address": "address", "company": "company",
    "url": "url", "ip_address": "ipv4", "iban": "iban", "credit_card": "credit_card_number", "national_id": "ssn",
}  # fmt: skip
"""kinds and the provider method that makes one such value"""
VARIANTS: dict[str, dict[str, str | bool]] = {
    "person_name locale keep": {"kind": "person_name", "locale": "keep"},
    "person_name gender kept": {"kind": "person_name", "gender_from": "x"},
    "email one person": {"kind": "email", "person": "id", "unique": True},
    "phone format kept": {"kind": "phone", "format": "keep"},
}
LOCALES = ("de_DE", "en_US", "fr_FR", "it_IT", "es_ES", "pl_PL", "nl_NL", "sv_SE", "tr_TR", "ru_RU", "ja_JP", "zh_CN")


def _applied(frame: pl.DataFrame, action: Fake) -> float:
    """Seconds of the whole stage for one column, row identity included."""
    kinds = {"x": DataType.TEXT, "id": DataType.TEXT}
    table = Table("t", frame.lazy(), tuple(Column(name, kinds[name]) for name in frame.columns), len(frame), SourceInfo("frame"))
    facts = {"role": Role.DIRECT, "status": Status.DECIDED, "rule": "policy", "reason": "bench"}
    columns = tuple(
        ColumnPlan.model_validate({"name": name, "type": kinds[name], "action": action if name == "x" else Drop(), **facts})
        for name in frame.columns
    )
    stated = TablePlan(name="t", columns=columns, key=("id",))
    plan = Plan(purpose="bench", policy_digest="0" * 64, privacy=Privacy(), tables=(stated,))
    start = time.perf_counter()
    out = apply_table(table, plan, keyring=MasterKey(bytes(range(32))), scope="bench").frame
    out.select("x").collect(engine="streaming")
    return time.perf_counter() - start


def _faker(method: str, count: int) -> float:
    from faker import Faker

    fake = Faker()
    fake.seed_instance(1)
    draw = getattr(fake, method)
    start = time.perf_counter()
    for _ in range(count):
        draw()
    return (time.perf_counter() - start) / count


def _guesses(count: int) -> dict[str, dict[str, float]]:
    from faker import Faker

    out = {}
    for locale in LOCALES:
        fake = Faker(locale)
        fake.seed_instance(2)
        draws = {"female": fake.first_name_female, "male": fake.first_name_male}
        dense = locale in ("ja_JP", "zh_CN")
        right, wrong, told = 0, 0, 0
        for gender, draw in draws.items():
            pairs = [(draw(), fake.last_name()) for _ in range(count)]
            names = pl.Series([f"{last}{first}" if dense else f"{first} {last}" for first, last in pairs])
            found = genders_of(names)
            right += int((found == gender).sum())
            wrong += int((found != gender).sum())
            told += int((locales_of(names) == locale).sum())
        out[locale] = {"locale": told / (2 * count), "gender": right / (2 * count), "gender_wrong": wrong / (2 * count)}
    return out


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--faker", type=int, default=5_000)
    parser.add_argument("--kinds", nargs="*", help="only these lines of the table")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    numbers = pl.int_range(given.rows, eager=True)
    frame = pl.DataFrame({"x": numbers}).select(
        pl.format("Anna Meier {}", "x").alias("x"), pl.format("P{}", "x").alias("id")
    )  # fmt: skip
    _applied(frame.head(1000), Fake(kind="person_name"))  # the lists are read once per process
    base = _applied(frame, Fake(kind="postcode"))
    figures: dict[str, object] = {"rows": given.rows, "kinds": {}}
    sys.stdout.write(f"{given.rows} distinct values; postcode (five digits) {base:.1f} s\n")
    sys.stdout.write(f"{'kind':26} {'s':>7} {'values/s':>10} {'Faker/s':>9} ratio\n")
    wanted: dict[str, tuple[Fake, str | None]] = {kind: (Fake.model_validate({"kind": kind}), method) for kind, method in FAKER.items()}
    wanted |= {name: (Fake.model_validate(stated), None) for name, stated in VARIANTS.items()}
    for name, (action, method) in wanted.items():
        if given.kinds and name not in given.kinds:
            continue
        seconds = _applied(frame, action)
        per_faker = _faker(method, given.faker) if method else None
        rate = given.rows / seconds
        beside = f"{1 / per_faker:9.0f} {rate * per_faker:5.0f}" if per_faker else ""
        sys.stdout.write(f"{name:26} {seconds:7.2f} {rate:10.0f} {beside}\n")
        figures["kinds"][name] = {"seconds": seconds, "faker_seconds_per_value": per_faker}  # type: ignore[index]
    figures["guesses"] = guesses = {} if given.kinds else _guesses(300)
    for locale, found in guesses.items():
        sys.stdout.write(f"{locale}: locale {found['locale']:.2f}, gender {found['gender']:.2f}, wrong {found['gender_wrong']:.2f}\n")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

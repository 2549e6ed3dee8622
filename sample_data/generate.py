"""Makes the sample data: three related tables of a made-up chain of fitness and physiotherapy clinics.

    python sample_data/generate.py            # writes customers.csv, orders.parquet, tickets.ndjson beside this file
    python sample_data/generate.py --check    # exit 0 when the files on disk are what this script makes, else 1

Everything is invented: names are drawn from Faker's lists, mail domains are reserved for documentation, telephone numbers lie in
the range kept for fiction (555-01xx). The data is seeded and uses only Python's Mersenne Twister, so that the same bytes come out
on every machine with the same version of Faker. `HARD CASE` marks what was planted on purpose; docs/sample-data.md lists it.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
import random
import sys
import unicodedata
from pathlib import Path
from typing import Any

import faker
import polars as pl
import vocabulary as words

HERE = Path(__file__).resolve().parent
SEED = 20260630
TODAY = dt.date(2026, 6, 30)
CUSTOMERS, ORDERS, TICKETS = 10_000, 40_000, 5_000
MADE_WITH_FAKER = "40.54.0"

Row = dict[str, Any]


def person_names(rng: random.Random) -> list[tuple[str, str]]:
    """(full name, sex) of every customer. HARD CASE: many languages and fourteen scripts, family name first in some."""
    people: list[tuple[str, str]] = []
    locales = rng.choices(list(words.LOCALES), weights=list(words.LOCALES.values()), k=CUSTOMERS)
    sources = {}
    for number, locale in enumerate(words.LOCALES):
        sources[locale] = faker.Faker(locale)
        sources[locale].seed_instance(SEED + number)
    for locale in locales:
        sex = rng.choices("FMX", weights=(54, 45, 0.6))[0]
        female = sex == "F" or (sex == "X" and rng.random() < 0.5)
        people.append((sources[locale].name_female() if female else sources[locale].name_male(), sex))
    return people


def phone(rng: random.Random) -> str:
    """A telephone number of the range kept for fiction, in one of the spellings that people use."""
    area, line = rng.choice((617, 401, 207, 860, 973, 215, 212, 410, 412)), f"01{rng.randrange(100):02d}"
    return rng.choice((f"({area}) 555-{line}", f"{area}-555-{line}", f"+1 {area} 555 {line}", f"{area}555{line}"))


def email(name: str, number: int, rng: random.Random) -> str:
    """A unique address at a reserved domain; names that have no ASCII form give an address without a name."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    parts = ["".join(c for c in part if c.isalpha()) for part in plain.split()]
    parts = [part for part in parts if len(part) > 1]
    local = f"{parts[0]}.{parts[-1]}{number % 997}" if len(parts) > 1 else f"member{number * 7919 % 1_000_003}"
    return f"{local}{number // 997 or ''}@{rng.choice(('inbox.example.com', 'mail.example.org', 'post.example.net'))}"


def national_id(rng: random.Random) -> str:
    """A social security number that no adult can have (areas 850-899 were not issued before 2011), or a British NHS number of the
    range kept for tests (999) with its check digit (weights 10..2, modulus 11)."""
    if rng.random() < 0.7:
        return f"SSN {rng.randrange(850, 900)}-{rng.randrange(1, 100):02d}-{rng.randrange(1, 10_000):04d}"
    while True:
        digits = "999" + f"{rng.randrange(10**6):06d}"
        check = (11 - sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=True)) % 11) % 11
        if check < 10:
            return f"NHS no. {digits[:3]} {digits[3:6]} {digits[6:]}{check}"


def birth_date(rng: random.Random) -> dt.date:
    """Ages 18 to 97, two bumps: the young who train and the older ones in rehabilitation."""
    age = rng.gauss(34, 9) if rng.random() < 0.62 else rng.gauss(62, 13)
    return TODAY - dt.timedelta(days=int(min(max(age, 18.1), 97) * 365.25))


def job_title(age: float, rng: random.Random) -> str:
    """A job that fits the age. Unique ones are planted later."""
    if age > 66 and rng.random() < 0.8:
        return "Retired"
    titles = [title for title in words.JOBS if (title != "Retired" or age > 60) and (title != "Student" or age < 30)]
    return rng.choices(titles, weights=[words.JOBS[title][0] for title in titles])[0]


def diagnosis(age: float, job: str, rng: random.Random) -> str | None:
    """More often with age; backs and knees with manual work. None: comes for fitness only."""
    if rng.random() > 0.25 + age / 110:
        return None
    manual = job in {"Carpenter", "Electrician", "Cleaner", "Warehouse worker", "Driver", "Farmer", "Nurse"}
    weights = dict(words.DIAGNOSES)
    if manual:
        weights["Low back pain"] *= 3
    if age > 55:
        for name in ("Knee osteoarthritis", "Hypertension", "Type 2 diabetes", "Parkinson's disease"):
            weights[name] *= 3
    else:
        weights["Parkinson's disease"] = 1
    return rng.choices(list(weights), weights=list(weights.values()))[0]


def plan_of(income: float, age: float, rng: random.Random) -> str:
    """Richer and older members buy the larger plans."""
    pull = math.log(income / 50_000) if income > 1000 else -1.5
    scores = (1.2 - 0.9 * pull, 1.0, 0.1 + 1.0 * pull + (age - 45) / 60, -0.6 + 0.4 * pull + (0.9 if 30 < age < 50 else 0.0))
    return rng.choices(list(words.PRICES), weights=[math.exp(score) for score in scores])[0]


def customers(rng: random.Random) -> list[Row]:
    """The customers with typed values; spelling of nulls and planting come after the other tables are made."""
    rows: list[Row] = []
    for number, (name, sex) in enumerate(person_names(rng)):
        born = birth_date(rng)
        age = (TODAY - born).days / 365.25
        job = job_title(age, rng)
        curve = 0.55 + 0.45 * math.sin(min(age, 64) / 64 * math.pi / 2) ** 2
        income = round(48_000 * words.JOBS[job][1] * curve * math.exp(rng.gauss(0.15, 0.33)), -2)
        city = rng.choices(words.CITIES, weights=[city.weight for city in words.CITIES])[0]
        plan = plan_of(income, age, rng)
        base = {"Basic": 4.0, "Plus": 6.5, "Premium": 9.0, "Family": 5.5}[plan]
        rows.append({
            "customer_id": f"C{100_000 + number * 37 % 90_001:06d}",
            "full_name": name,
            "email": email(name, number, rng),
            "ref": phone(rng),  # HARD CASE: the column is called `ref`, what it holds are telephone numbers
            "birth_date": born,
            "sex": sex,
            "postcode": f"{city.prefix}{rng.randrange(1, city.codes + 1):02d}",  # HARD CASE: leading zeros
            "city": city.name,
            "region": city.region,  # HARD CASE: determined by city
            "job_title": job,
            "income": income,
            "plan": plan,
            "monthly_price": words.PRICES[plan],  # HARD CASE: determined by plan
            "joined_on": TODAY - dt.timedelta(days=int(30 + 3000 * rng.betavariate(1.1, 2.4))),
            "visits_per_month": round(rng.gammavariate(2.6, base / 2.6) * (1.15 if age < 40 else 0.95), 1),
            "diagnosis": diagnosis(age, job, rng),
            "comment": rng.choice(words.COMMENTS) if rng.random() < 0.35 else None,
            "tickets": 0,
        })  # fmt: skip
    return rows


def sign(row: Row, rng: random.Random) -> str:
    """How somebody ends a message: with the name, with name and telephone number, with the address, or not at all."""
    return rng.choice((row["full_name"], row["full_name"], f"{row['full_name']}, {row['ref']}", f"— {row['email']}", "Thanks"))


def tickets(people: list[Row], rng: random.Random) -> list[Row]:
    """Support tickets; counts each customer's, which is a signal for churn. HARD CASE: free text with names, numbers, addresses."""
    rows: list[Row] = []
    weights = [2.0 if row["plan"] == "Premium" else 1.0 for row in people]
    for number, row in enumerate(rng.choices(people, weights=[w * rng.expovariate(1) for w in weights], k=TICKETS)):
        row["tickets"] += 1
        topic = rng.choices(list(words.TOPICS), weights=(24, 22, 12, 18, 8, 16))[0]
        other = rng.choice(people)
        body = rng.choice(words.TOPICS[topic]).format(
            month=rng.choice(words.MONTHS),
            email=row["email"],
            phone=row["ref"],
            amount=f"${row['monthly_price']}",
            other=other["full_name"],
            diagnosis=(row["diagnosis"] or "knee").lower(),
            sign=sign(row, rng),
        )
        opened = dt.datetime.combine(TODAY, dt.time()) - dt.timedelta(minutes=rng.randrange(1, 60 * 24 * 540))
        rows.append({
            "ticket_id": 700_001 + number,
            "customer_id": row["customer_id"],
            "opened_at": opened.isoformat(timespec="seconds"),
            "channel": rng.choices(("app", "email", "phone", "desk"), weights=(45, 30, 15, 10))[0],
            "topic": topic,
            "priority": rng.choices(("low", "normal", "high"), weights=(30, 55, 15))[0],
            "subject": words.SUBJECTS[topic].format(name=row["full_name"]),
            "body": body,
            "agent": rng.choice(("Robin K.", "Sasha M.", "Kim L.", "Alex P.", "Jo V.")),
            "satisfied": rng.choices((1, 2, 3, 4, 5, None), weights=(8, 8, 14, 25, 25, 20))[0],
            # HARD CASE: a nested value, and an address of a device in it (range kept for documentation)
            "client": {"os": rng.choices(("iOS", "Android", "web"), weights=(40, 40, 20))[0], "ip": f"203.0.113.{rng.randrange(1, 255)}"},
        })  # fmt: skip
    return rows


def orders(people: list[Row], rng: random.Random) -> pl.DataFrame:
    """Orders: who visits more buys more; goods are shipped to the customer's postcode, gifts to another."""
    names, weights = list(words.PRODUCTS), [product[1] for product in words.PRODUCTS.values()]
    rows = []
    for number, row in enumerate(rng.choices(people, weights=[0.5 + person["visits_per_month"] for person in people], k=ORDERS)):
        product = rng.choices(names, weights=weights)[0]
        price, _, shipped = words.PRODUCTS[product]
        quantity = rng.choices((1, 2, 3, 5, 10), weights=(70, 18, 7, 3, 2))[0]
        gift = shipped and rng.random() < 0.08
        friend = rng.choice(people)
        membership = max((TODAY - row["joined_on"]).days, 31)
        ordered = dt.datetime.combine(TODAY, dt.time()) - dt.timedelta(minutes=rng.randrange(1, 60 * 24 * membership))
        rows.append((
            5_000_001 + number,
            row["customer_id"],
            ordered,
            product,
            quantity,
            price * quantity * (90 if row["plan"] in {"Premium", "Family"} else 100) / 100,
            rng.choices(("card", "transfer", "cash", "voucher"), weights=(70, 15, 10, 5))[0],
            (friend if gift else row)["postcode"] if shipped else None,
            rng.choice(words.GIFT_NOTES).format(name=friend["full_name"]) if gift else None,
        ))  # fmt: skip
    schema = {
        "order_id": pl.Int64, "customer_id": pl.String, "ordered_at": pl.Datetime("us"), "product": pl.String, "quantity": pl.Int64,
        "amount": pl.Float64, "paid_with": pl.String, "shipping_postcode": pl.String, "gift_note": pl.String,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def churn(row: Row, rng: random.Random) -> bool:
    """Who hardly comes, is new, pays little or complains often leaves: the signal that a release must still carry."""
    years = (TODAY - row["joined_on"]).days / 365.25
    pull = 0.6 - 0.33 * row["visits_per_month"] - 0.22 * years + 0.55 * row["tickets"] + (0.7 if row["plan"] == "Basic" else 0.0)
    return rng.random() < 1 / (1 + math.exp(-pull))


def plant(people: list[Row], rng: random.Random) -> None:
    """HARD CASES that sit in a few rows."""
    spots = iter(rng.sample(range(CUSTOMERS), 600))
    for job in words.UNIQUE_JOBS:  # job titles that one person has
        people[next(spots)]["job_title"] = job
    for index in range(250):  # national ids inside a comment
        lead = rng.choice(("ID seen:", "For the insurer:", "Card copied,"))
        people[next(spots)]["comment"] = f"{lead} {national_id(rng)}" + "." * (index % 2)
    for index, formula in enumerate(words.INJECTIONS * 2):  # spreadsheet formulas
        people[next(spots)][("comment", "full_name")[index // len(words.INJECTIONS)]] = formula
    for name in words.RARE_DIAGNOSES * 2:  # diagnoses that two persons have
        people[next(spots)]["diagnosis"] = name
    for income in (0, 0, 1, 1_250_000, 2_400_000, 3_875_300, 9_100_000, 24_750_000):  # extremes
        people[next(spots)]["income"] = float(income)
    for emoji in ("👩‍⚕️", "🏋🏽‍♀️", "🧘"):  # emoji in names, joined by zero-width joiners
        spot = people[next(spots)]
        spot["full_name"] = f"{spot['full_name']} {emoji}"


def customers_csv(people: list[Row], rng: random.Random) -> bytes:
    """UTF-8 with a byte order mark, CRLF, quotes and newlines inside cells, nulls in several spellings (all HARD CASES)."""
    header = [
        "customer_id", "client_no", "brand", "full_name", "email", "ref", "birth_date", "sex", "postcode", "city", "region", "job_title",
        "income", "plan", "monthly_price", "joined_on", "visits_per_month", "marketing_opt_in", "diagnosis", "comment", "churned",
    ]  # fmt: skip
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, header, lineterminator="\r\n", extrasaction="ignore")
    writer.writeheader()
    for row in people:
        cells = dict(row)
        cells["client_no"] = row["customer_id"]  # HARD CASE: a duplicated column, of all things the key
        cells["brand"] = "Kestrel"  # HARD CASE: a constant column
        cells["income"] = int(row["income"]) if rng.random() > 0.04 else rng.choice(words.NULLS)
        cells["job_title"] = row["job_title"] if rng.random() > 0.03 else rng.choice(words.NULLS_AND_DASH)
        cells["diagnosis"] = row["diagnosis"] or rng.choice(words.NULLS)
        cells["comment"] = row["comment"] or rng.choice(words.NULLS)
        cells["marketing_opt_in"] = rng.choices(("true", "false", rng.choice(words.NULLS)), weights=(45, 45, 10))[0]
        cells["churned"] = "true" if row["churned"] else "false"
        writer.writerow(cells)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def generate() -> tuple[bytes, pl.DataFrame, bytes]:
    """customers.csv, the rows of orders.parquet, tickets.ndjson."""
    rng = random.Random(SEED)
    people = customers(rng)
    asked = tickets(people, rng)
    bought = orders(people, rng)
    for row in people:
        row["churned"] = churn(row, rng)
    plant(people, rng)
    lines = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in asked)
    return customers_csv(people, rng), bought, lines.encode()


def main(arguments: list[str]) -> int:
    """Write the files, or check them. 0: done or equal; 1: not equal; 2: usage."""
    if arguments not in ([], ["--check"]):
        print("usage: generate.py [--check]", file=sys.stderr)
        return 2
    if faker.VERSION != MADE_WITH_FAKER:
        print(f"Faker {faker.VERSION} has other name lists than {MADE_WITH_FAKER}; install with constraints.txt.", file=sys.stderr)
        return 2
    csv_bytes, bought, ndjson_bytes = generate()
    texts = {"customers.csv": csv_bytes, "tickets.ndjson": ndjson_bytes}
    parquet = HERE / "orders.parquet"
    if not arguments:
        for name, content in texts.items():
            (HERE / name).write_bytes(content)
        bought.write_parquet(parquet, compression="zstd", compression_level=9)
        return 0
    wrong = [name for name, content in texts.items() if not (HERE / name).is_file() or (HERE / name).read_bytes() != content]
    # Parquet is compared by content: its bytes depend on the version of the library that wrote it.
    if not parquet.is_file() or not pl.read_parquet(parquet).equals(bought) or pl.read_parquet_schema(parquet) != bought.schema:
        wrong.append(parquet.name)
    for name in wrong:
        print(f"{name} is not what generate.py makes. Run: python sample_data/generate.py", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

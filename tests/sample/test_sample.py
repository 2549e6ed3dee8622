"""The sample data holds every hard case that docs/sample-data.md promises, and its policy decides every column."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import polars as pl
import pytest
import yaml

from tamis.core.actions import Drop, Fake, Generalize, Keep, Pseudonymize, Synthesize
from tamis.core.policy import Policy, split_path

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data"
NULLS = {"", "NULL", "null", "NA", "N/A", "n/a", "None", "nan", "NaN", "\\N", "-"}


@pytest.fixture(scope="module")
def raw() -> bytes:
    """customers.csv as it lies on disk."""
    return (SAMPLE / "customers.csv").read_bytes()


@pytest.fixture(scope="module")
def customers(raw: bytes) -> pl.DataFrame:
    """All cells as text, as they are written in the file."""
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    return pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.String))


@pytest.fixture(scope="module")
def orders() -> pl.DataFrame:
    """orders.parquet."""
    return pl.read_parquet(SAMPLE / "orders.parquet")


@pytest.fixture(scope="module")
def tickets() -> list[dict]:
    """The lines of tickets.ndjson."""
    return [json.loads(line) for line in (SAMPLE / "tickets.ndjson").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def policy() -> Policy:
    """The policy of the sample."""
    return Policy.model_validate(yaml.safe_load((SAMPLE / "policy.yaml").read_text(encoding="utf-8")))


def present(frame: pl.DataFrame, column: str) -> pl.Series:
    """The cells of a column that are no spelling of null."""
    return frame.filter(~pl.col(column).is_in(NULLS))[column]


# --------------------------------------------------------------------------------------------------------------------- generator


@pytest.mark.slow
def test_files_are_what_the_generator_makes() -> None:
    """The committed files equal what the seeded generator writes."""
    done = subprocess.run([sys.executable, str(SAMPLE / "generate.py"), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_sizes(customers: pl.DataFrame, orders: pl.DataFrame, tickets: list[dict]) -> None:
    """10 000 customers, 40 000 orders, 5 000 tickets, together under 6 MB."""
    assert (customers.height, orders.height, len(tickets)) == (10_000, 40_000, 5_000)
    assert sum((SAMPLE / name).stat().st_size for name in ("customers.csv", "orders.parquet", "tickets.ndjson")) < 6_000_000


# -------------------------------------------------------------------------------------------------------------------- file format


def test_csv_is_written_the_hard_way(raw: bytes) -> None:
    """A byte order mark, CRLF at line ends, doubled quotes and newlines inside cells."""
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.count(b"\r\n") == 10_001
    assert re.search(rb'"[^"\r]*[^\r]\n[^"]*"', raw)
    assert b'""' in raw


def test_nulls_have_several_spellings(customers: pl.DataFrame) -> None:
    """Each spelling of null occurs, the dash in job_title only."""
    for column in ("income", "diagnosis", "comment"):
        assert NULLS - {"-"} <= set(customers[column])
    assert set(customers["job_title"]) >= NULLS
    assert "-" not in set(customers["income"])


def test_tickets_are_nested(tickets: list[dict]) -> None:
    """A nested value holds the address of a device, of the range kept for documentation."""
    assert all(row["client"]["ip"].startswith("203.0.113.") for row in tickets)


# ------------------------------------------------------------------------------------------------------------------ planted cases


def test_postcodes_have_leading_zeros(customers: pl.DataFrame, orders: pl.DataFrame) -> None:
    """Many postcodes start with zero, in both tables, and all have five digits."""
    for column in (customers["postcode"], orders["shipping_postcode"].drop_nulls()):
        assert column.str.contains(r"^\d{5}$").all()
        assert column.str.starts_with("0").mean() > 0.2


def test_phones_hide_in_ref(customers: pl.DataFrame) -> None:
    """`ref` holds telephone numbers only, all of the range kept for fiction."""
    digits = customers["ref"].str.replace_all(r"\D", "").str.strip_prefix("1")
    assert digits.str.contains(r"^\d{3}55501\d\d$").all()


def test_national_ids_hide_in_comments(customers: pl.DataFrame) -> None:
    """Comments hold social security numbers that no adult has and NHS numbers of the test range with valid check digits."""
    ssn = customers["comment"].str.extract(r"(\d{3}-\d{2}-\d{4})").drop_nulls()
    nhs = customers["comment"].str.extract(r"NHS no\. (\d{3} \d{3} \d{4})").drop_nulls()
    assert ssn.len() > 100
    assert nhs.len() > 40
    assert all(850 <= int(number[:3]) < 900 for number in ssn)
    for number in nhs:
        digits = [int(digit) for digit in number.replace(" ", "")]
        assert sum(digit * weight for digit, weight in zip(digits, range(10, 0, -1), strict=True)) % 11 == 0
        assert number.startswith("999")


def test_names_come_in_many_scripts(customers: pl.DataFrame) -> None:
    """At least twelve scripts occur among the names."""
    letters = {letter for name in customers["full_name"] for letter in name if letter.isalpha()}
    scripts = {unicodedata.name(letter, "?").split()[0] for letter in letters}
    wanted = {
        "LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "DEVANAGARI", "BENGALI", "TAMIL", "THAI", "GEORGIAN", "ARMENIAN", "HANGUL", "CJK",
        "HIRAGANA",
    }  # fmt: skip
    assert wanted <= scripts


def test_job_titles_are_frequent_and_unique(customers: pl.DataFrame) -> None:
    """Some job titles have hundreds of rows, at least twenty-five have one."""
    counts = present(customers, "job_title").value_counts()["count"]
    assert (counts >= 300).sum() >= 5
    assert (counts == 1).sum() >= 25


def test_redundant_columns(customers: pl.DataFrame) -> None:
    """A constant, a copy of the key, and two columns that another one determines."""
    assert customers["brand"].n_unique() == 1
    assert customers["client_no"].equals(customers["customer_id"], check_names=False)
    for determining, determined in (("city", "region"), ("plan", "monthly_price"), ("postcode", "city")):
        assert customers.group_by(determining).agg(pl.col(determined).n_unique())[determined].max() == 1
        assert customers[determined].n_unique() > 1


def test_quasi_identifiers_single_people_out(customers: pl.DataFrame) -> None:
    """Birth date, postcode and sex together are unique for nearly everyone; sex alone is for nobody."""
    together = customers.group_by("birth_date", "postcode", "sex").len()["len"]
    assert (together == 1).sum() > 0.95 * customers.height
    assert customers.group_by("sex").len()["len"].min() > 5


def test_emoji(customers: pl.DataFrame, tickets: list[dict], orders: pl.DataFrame) -> None:
    """Emoji occur in names (with zero-width joiners), comments, notes and tickets."""
    assert customers["full_name"].str.contains("\u200d").any()
    pictures = r"[\x{1F300}-\x{1FAFF}]"
    assert customers["comment"].str.contains(pictures).any()
    assert orders["gift_note"].drop_nulls().str.contains(pictures).any()
    assert pl.Series([row["body"] for row in tickets]).str.contains(pictures).any()


def test_spreadsheet_formulas(customers: pl.DataFrame) -> None:
    """Cells that a spreadsheet would run start with each of = + - @, in names and comments."""
    for column in ("full_name", "comment"):
        assert {text[0] for text in customers[column] if text not in NULLS} >= set("=+-@")


def test_diagnoses_are_common_and_rare(customers: pl.DataFrame) -> None:
    """Some diagnoses have hundreds of patients, at least four have fewer than five."""
    counts = present(customers, "diagnosis").value_counts()["count"]
    assert (counts > 200).sum() >= 5
    assert (counts < 5).sum() >= 4


def test_income_has_extremes(customers: pl.DataFrame) -> None:
    """Incomes reach from zero to more than fifty times the 99th percentile."""
    income = present(customers, "income").cast(pl.Int64)
    assert income.min() == 0
    assert income.max() > 50 * income.quantile(0.99)


def test_free_text_names_people(customers: pl.DataFrame, tickets: list[dict]) -> None:
    """Tickets hold the mail addresses, telephone numbers and names of customers."""
    text = "\n".join(row["body"] for row in tickets)
    assert sum(mail in text for mail in customers["email"]) > 300
    assert len(re.findall(r"555[ -]?01\d\d", text)) > 300
    by_id = dict(customers.select("customer_id", "full_name").iter_rows())
    assert sum(by_id[row["customer_id"]] in row["body"] for row in tickets) > 1_000


def test_children_join(customers: pl.DataFrame, orders: pl.DataFrame, tickets: list[dict]) -> None:
    """Ids of customers are unique, and every order and ticket belongs to a customer."""
    ids = customers["customer_id"]
    assert ids.n_unique() == ids.len()
    assert orders["customer_id"].is_in(ids.implode()).all()
    assert {row["customer_id"] for row in tickets} <= set(ids)


def test_mail_addresses_are_unique(customers: pl.DataFrame) -> None:
    """Mail addresses are unique and at domains reserved for documentation."""
    assert customers["email"].n_unique() == customers.height
    assert customers["email"].str.contains(r"@[a-z]+\.example\.(com|org|net)$").all()


def test_correlations_are_real(customers: pl.DataFrame, tickets: list[dict]) -> None:
    """Churn falls with visits and rises with complaints; income rises with the plan."""
    rows = customers.filter(~pl.col("income").is_in(NULLS)).with_columns(
        pl.col("income", "visits_per_month").cast(pl.Float64), (pl.col("churned") == "true").alias("gone")
    )
    gone = pl.col("gone").cast(pl.Float64)
    assert rows.select(pl.corr("visits_per_month", gone)).item() < -0.2
    medians = dict(rows.group_by("plan").agg(pl.col("income").median()).iter_rows())
    assert medians["Premium"] > 1.3 * medians["Basic"]
    asking = rows["customer_id"].is_in([row["customer_id"] for row in tickets])
    assert rows.filter(asking)["gone"].mean() > rows.filter(~asking)["gone"].mean() + 0.05
    assert 0.1 < rows["gone"].mean() < 0.5


# ------------------------------------------------------------------------------------------------------------------------- policy


def test_policy_decides_every_column(policy: Policy, customers: pl.DataFrame, orders: pl.DataFrame, tickets: list[dict]) -> None:
    """Every column of every table has exactly one action, and the policy names no column that is not there."""
    nested = [f"{name}.{inner}" if isinstance(value, dict) else name for name, value in tickets[0].items() for inner in _fields(value)]
    for table, columns in {"customers": customers.columns, "orders": orders.columns, "tickets": nested}.items():
        stated = policy.of(table)
        assert set(stated.columns) == set(columns)
        assert all(stated.of(column).action is not None and not stated.of(column).proposed for column in columns)


def _fields(value: object) -> list[str]:
    return list(value) if isinstance(value, dict) else [""]


def test_policy_is_safe(policy: Policy) -> None:
    """No direct identifier, free text, or second quasi-identifier of a child table is kept; k is at least five, counted per person."""
    assert policy.privacy.k >= 5
    assert policy.privacy.unit == "customers.customer_id"
    assert split_path(policy.target) == ("customers", "churned")
    of = policy.of("customers").of
    assert isinstance(of("customer_id").action, Pseudonymize)
    assert isinstance(of("full_name").action, Fake)
    assert isinstance(of("email").action, Fake)
    assert all(isinstance(of(name).action, Generalize) for name in ("birth_date", "postcode", "sex"))
    assert all(isinstance(of(name).action, Synthesize) for name in ("income", "diagnosis"))
    assert all(isinstance(of(name).action, Drop) for name in ("comment", "ref", "client_no", "brand", "region", "monthly_price"))
    kept = [stated for rules in policy.tables.values() for name in rules.columns if isinstance((stated := rules.of(name)).action, Keep)]
    assert kept
    assert all(stated.why for stated in kept)
    assert isinstance(policy.of("orders").of("shipping_postcode").action, Drop)
    assert isinstance(policy.of("tickets").of("body").action, Drop)


def test_policy_joins_tables(policy: Policy) -> None:
    """Every reference is pseudonymized in one domain on both sides: joins survive."""
    assert len(policy.references) == 2
    for child, parent in policy.references.items():
        actions = [policy.of(table).of(column).action for table, column in (split_path(child), split_path(parent))]
        assert actions[0] == actions[1]

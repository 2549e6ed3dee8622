"""What values say by themselves."""

from __future__ import annotations

import datetime as dt
import json
import random

import polars as pl
import pytest
from detect_frames import find, people

from tamis.core.types import DataType, Role
from tamis.detect.dictionaries import company_share, member_counts
from tamis.detect.sample import Sample
from tamis.detect.values import binomial_tail, check_digits, look_at, vin
from tamis.rules import load_rules

N = 60
RULES = load_rules([])


def sample_of(values: list[str]) -> Sample:
    """A complete sample."""
    return Sample(pl.Series("x", values, dtype=pl.String), True)


@pytest.mark.parametrize("locale", ["ja_JP", "zh_CN", "ko_KR", "ru_RU", "el_GR", "ar_SA", "pl_PL", "tr_TR", "fr_FR", "pt_BR"])
def test_names_are_known_in_many_scripts(locale):
    """Most of the full names that a locale makes are recognized, with blanks or without."""
    from faker import Faker

    fake = Faker(locale)
    fake.seed_instance(3)
    unspaced = locale in ("ja_JP", "zh_CN", "ko_KR")
    names = sorted({fake.name() if unspaced else f"{fake.first_name()} {fake.last_name()}" for _ in range(80)})
    assert member_counts(pl.Series(names))["persons"] >= 0.6 * len(names)


def test_orders_of_names_and_names_of_others():
    """LAST, First counts as a person; firms by their legal form, ships and products do not."""
    given, family = ["Anna", "Thomas", "Maria", "James"], ["Smith", "Garcia", "Miller", "Lopez", "Wilson"]
    turned = [f"{f.upper()}, {g}" for f in family for g in given]
    assert member_counts(pl.Series(turned))["persons"] == len(turned)
    firms = [f"{a} {b}" for a in family for b in ("Ltd", "GmbH", "S.A.", "Inc.")]
    assert company_share(pl.Series(firms)) == 1.0
    assert company_share(pl.Series(turned)) == 0.0
    found = find(
        {
            "t": {
                "who": firms,
                "ship": [
                    f"{a} {b}"
                    for a in ("Queen of", "Spirit of", "Pride of", "Ocean", "Sea")
                    for b in ("Horizon", "Fortune", "Neptune", "Aurora")
                ],
            }
        }
    )
    assert found["t", "who"].entity == "ORGANIZATION"
    assert Role.DIRECT not in {finding.role for finding in found.values()}


def test_check_digits_are_corrected_for_the_rules_that_were_tried():
    """Numbers that pass by the thousand (running numbers, random ones) are no national ids; real ones are."""
    from stdnum.br import cpf

    rng = random.Random(5)
    running = [str(100_000_000 + i) for i in range(200)]
    anything = [f"{rng.randrange(10**9):09d}" for _ in range(200)]
    for values in (running, anything):
        sample = sample_of(values)
        assert [c for c in check_digits(sample, look_at(sample, DataType.INTEGER)) if c.hits / c.of > 0.9] == []
    real = [body + cpf._calc_check_digits(body) for body in (f"{rng.randrange(10**9):09d}" for _ in range(50))]
    sample = sample_of(real)
    found = check_digits(sample, look_at(sample, DataType.TEXT))
    assert [c.rule for c in found][:1] == ["br.cpf"]
    assert found[0].hits == found[0].of == 50


def test_a_rule_that_crashes_does_not_pass():
    """python-stdnum 2.2 raises KeyError for some Chinese numbers: the column is judged all the same."""
    sample = sample_of([f"{p:02d}{i:04d}19900101{i:04d}" for p in range(11, 66) for i in range(6)])
    assert all(c.hits <= c.of for c in check_digits(sample, look_at(sample, DataType.TEXT)))


def test_the_tail_of_the_binomial():
    """P(X >= 0) is 1, P(X >= n) is p^n."""
    assert binomial_tail(0, 10, 0.3) == pytest.approx(1.0)
    assert binomial_tail(10, 10, 0.3) == pytest.approx(0.3**10)
    assert binomial_tail(5, 10, 1.0) == 1.0


def test_vehicle_numbers_have_a_check_digit():
    """The example of 49 CFR 565 passes, one letter changed does not."""
    assert vin("1M8GDM9AXKP042788")
    assert not vin("1M8GDM9A1KP042788")
    assert not vin("1M8GDM9AXKP04278")


def test_values_alone_make_a_table_of_persons_without_headers():
    """Under col1, col2 … names, birth dates, sex and mail are found, and the running key is the persons' key."""
    frame = {
        "col1": list(range(5000, 5000 + N)),
        "col2": people(N),
        "col3": [dt.date(1940, 1, 1) + dt.timedelta(days=401 * i) for i in range(N)],
        "col4": ["M", "F"] * (N // 2),
        "col5": [f"u{i}@example.org" for i in range(N)],
        "col6": [f"{i % 7}" for i in range(N)],
    }
    roles = {column: (f.role, f.entity) for (_, column), f in find({"export": frame}).items()}
    assert roles["col1"] == (Role.DIRECT, "PERSON_ID")
    assert roles["col2"] == (Role.DIRECT, "PERSON")
    assert roles["col3"] == (Role.QUASI, "DATE_OF_BIRTH")
    assert roles["col4"] == (Role.QUASI, "GENDER")
    assert roles["col5"] == (Role.DIRECT, "EMAIL_ADDRESS")
    assert roles["col6"][0] == Role.UNKNOWN  # a code that nothing explains leads to review


def test_a_header_that_nobody_understands_is_reviewed_in_a_table_of_persons():
    """`zzqx` with codes beside names: unknown; the same codes in a table of things: none."""
    codes = ["A1", "B2", "C3"] * 20
    found = find({"members": {"name": people(N), "zzqx": codes}, "products": {"zzqx": codes}})
    assert (found["members", "zzqx"].role, found["products", "zzqx"].role) == (Role.UNKNOWN, Role.NONE)


@pytest.mark.parametrize(
    ("values", "entity", "role"),
    [
        ([f"https://www.linkedin.com/in/someone-{i}" for i in range(N)], "URL", Role.DIRECT),
        ([f"0x{i:040x}" for i in range(N)], "CRYPTO", Role.DIRECT),
        ([f"{c}{i % 10}{i % 7}.{i % 9}" for i, c in enumerate("ABCDEFGHIJ" * 6)], "HEALTH_CONDITION", Role.SENSITIVE),
        ([f"https://cdn.example.org/{i}.jpg" for i in range(N)], "PHOTO", Role.DIRECT),
        (["CT", "CC", "TT"] * 20, "GENETIC", Role.SENSITIVE),
    ],
)
def test_telling_forms_beside_persons(values, entity, role):
    """Profile addresses, wallets, ICD-10 codes, photos and genotypes under a header that says nothing, in a table of persons."""
    finding = find({"members": {"first_name": [p.split()[0] for p in people(N)], "last_name": ["Smith"] * N, "col9": values}})[
        "members", "col9"
    ]
    assert (finding.entity, finding.role) == (entity, role)


def test_json_documents_are_read_by_their_keys():
    """`{"email": …}` in a cell is a direct identifier; JSON about machines is not."""
    persons = [json.dumps({"first_name": "X", "id": i, "note": "n"}) for i in range(N)]
    machines = [json.dumps({"fan": i, "volt": i / 7}) for i in range(N)]
    found = find({"events": {"payload": persons, "state": machines}})
    assert (found["events", "payload"].entity, found["events", "payload"].role) == ("FREE_TEXT", Role.DIRECT)
    assert found["events", "state"].role != Role.DIRECT


def test_dates_as_spreadsheet_days_and_day_first_integers():
    """A birth date may be stored as days since 1900, or as 1021985."""
    found = find(
        {"people": {"dob": [15_000 + 97 * i for i in range(N)], "birth_date": [1_011_950 + 10_000 * (i % 12) + i for i in range(N)]}}
    )
    assert {f.entity for f in found.values()} == {"DATE_OF_BIRTH"}


def test_no_evidence_holds_a_value():
    """Rule ids and notes are ours: no cell and no JSON key that only some cell has."""
    secret = "Xyzzyname"
    frame = {
        "payload": [json.dumps({f"{secret}{i}": 1, "email": "a@b.org"}) for i in range(N)],
        "name": [f"{secret}{i} Smith" for i in range(N)],
    }
    told = str([f.model_dump() for f in find({"people": frame}).values()])
    assert secret not in told


def test_weak_evidence_for_kinds_of_direct_identifiers_adds_up():
    """A name column of which we do not know whether it is first, last or full is a name all the same."""
    from tamis.detect.combine import _accepted_together

    assert _accepted_together({"PERSON": 0.4, "LAST_NAME": 0.35}, RULES) == ["PERSON"]
    assert _accepted_together({"PERSON": 0.3, "LAST_NAME": 0.1}, RULES) == []
    assert _accepted_together({"PERSON": 0.4, "CITY": 0.4}, RULES) == []

"""Verdicts on columns: combined evidence, context, traps."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from detect_frames import find, people

from tamis.core.types import ForeignKey, Role

N = 60


def test_name_of_a_customer_is_direct_and_name_of_a_product_is_none():
    """The same header and the same kind of words: the table decides whose name it is."""
    goods = [
        f"{a} {b}"
        for a in ("Steel", "Oak", "Glass", "Paper", "Cotton", "Rubber")
        for b in ("table", "lamp", "cup", "box", "bag", "hose", "belt", "pipe", "rack", "mat")
    ]
    found = find({"customers": {"name": people(N)}, "products": {"name": goods}, "companies": {"name": [f"{g} Ltd" for g in goods]}})
    assert (found["customers", "name"].role, found["customers", "name"].entity) == (Role.DIRECT, "PERSON")
    assert found["products", "name"].role == Role.NONE
    assert found["companies", "name"].role == Role.NONE


def test_values_alone_tell_names_of_persons():
    """Given and family names under a header that says nothing."""
    finding = find({"t": {"xyzzy": people(N)}})["t", "xyzzy"]
    assert (finding.role, finding.entity) == (Role.DIRECT, "PERSON")


@pytest.mark.parametrize(
    ("values", "entity"),
    [
        ([f"user{i}@example.org" for i in range(N)], "EMAIL_ADDRESS"),
        ([f"+49 30 90182{i:03d}" for i in range(N)], "PHONE_NUMBER"),
        ([f"10.0.{i}.{i + 3}" for i in range(N)], "IP_ADDRESS"),
        ([f"{100 + i}-45-67{i:02d}" for i in range(N)], "US_SSN"),
        ([f"02:42:ac:11:00:{i:02x}" for i in range(N)], "MAC_ADDRESS"),
    ],
)
def test_forms_are_recognized_under_any_header(values, entity):
    """A telling form needs no fitting header."""
    finding = find({"persons": {"ref": values}})["persons", "ref"]
    assert (finding.role, finding.entity) == (Role.DIRECT, entity)


def test_check_digits_tell_card_numbers_from_numbers():
    """Numbers of 16 digits are cards when nearly all pass Luhn, not when one in ten does."""
    from faker import Faker

    fake = Faker()
    fake.seed_instance(1)
    cards = [int(fake.credit_card_number("visa16")) for _ in range(N)]
    plain = [4_000_000_000_000_000 + 977 * i for i in range(N)]
    found = find({"t": {"a": cards, "b": plain}})
    assert found["t", "a"].entity == "CREDIT_CARD"
    assert found["t", "b"].role == Role.NONE


def test_integers_are_no_driver_licences_and_ids_are_no_persons():
    """Presidio's weak patterns hit every seven digits: plain integers stay harmless."""
    found = find({"measurements": {"reading": list(range(1_000_000, 1_000_000 + N)), "public": [i * 7 for i in range(N)]}})
    assert {f.role for f in found.values()} == {Role.NONE}
    assert {f.entity for f in found.values()} == {None}


def test_one_hit_does_not_make_a_column_personal_but_is_counted_as_stray():
    """One e-mail address among colours: no e-mail column, but a person must look."""
    finding = find({"items": {"colour": ["red", "blue", "green"] * 20 + ["ask a.b@example.org"]}})["items", "colour"]
    assert finding.entity != "EMAIL_ADDRESS"
    assert [(e.entity, e.hits) for e in finding.stray] == [("EMAIL_ADDRESS", 1)]
    assert finding.role == Role.UNKNOWN


def test_strays_are_found_beyond_the_sample():
    """A single national number among 5 000 distinct texts is found: forms are counted over whole columns."""
    texts = [f"code {i}" for i in range(5000)] + ["see 536-90-4399"]
    finding = find({"items": {"remark": texts}})["items", "remark"]
    assert [(e.entity, e.hits, e.of) for e in finding.stray] == [("US_SSN", 1, 5001)]


def test_dates_decimals_and_leading_zeros_do_not_crash_or_mislead():
    """Dates, decimals, booleans and codes with leading zeros are no phone numbers, cards or ids of persons."""
    frame = pl.DataFrame(
        {
            "day": [dt.date(2020, 1, 1) + dt.timedelta(i) for i in range(N)],
            "at": [dt.datetime(2020, 1, 1) + dt.timedelta(hours=i) for i in range(N)],
            "price": pl.Series([Decimal(i) / 7 for i in range(N)], dtype=pl.Decimal(12, 4)),
            "ok": [i % 2 == 0 for i in range(N)],
            "material": [f"{i % 9:06d}" for i in range(N)],
            "written_day": [str(dt.date(2020, 1, 1) + dt.timedelta(i)) for i in range(N)],
        }
    )
    assert {name: f.role for (_, name), f in find({"shipments": frame}).items()} == dict.fromkeys(frame.columns, Role.NONE)


def test_name_evidence_is_taken_back_when_values_cannot_be_that():
    """A column called email that holds small integers is no e-mail address."""
    finding = find({"customers": {"email": [str(i % 4) for i in range(N)]}})["customers", "email"]
    assert finding.entity != "EMAIL_ADDRESS"
    assert finding.role == Role.NONE


def test_quasi_identifiers_of_persons():
    """Birth date, sex, age, postcode with leading zeros, city, marital status and occupation in a table of patients."""
    found = find(
        {
            "patients": {
                "dob": [dt.date(1950, 1, 1) + dt.timedelta(97 * i) for i in range(N)],
                "sex": ["m", "f"] * (N // 2),
                "age": [20 + i for i in range(N)],
                "zip": [f"0{1000 + i}" for i in range(N)],
                "city": ["Springfield", "Riverton", "Lakeside"] * (N // 3),
                "marital_status": ["single", "married"] * (N // 2),
                "job": ["nurse", "cook", "clerk"] * (N // 3),
            }
        }
    )
    assert {name: f.entity for (_, name), f in found.items()} == {
        "dob": "DATE_OF_BIRTH", "sex": "GENDER", "age": "AGE", "zip": "POSTCODE", "city": "CITY",
        "marital_status": "MARITAL_STATUS", "job": "OCCUPATION",
    }  # fmt: skip
    assert {f.role for f in found.values()} == {Role.QUASI}


def test_places_of_things_are_none():
    """City and postcode of shops do not identify persons."""
    found = find({"stores": {"store_id": list(range(N)), "city": ["Riverton"] * N, "zip": [str(10000 + i) for i in range(N)]}})
    assert {f.role for f in found.values()} == {Role.NONE}


def test_keys_of_persons_and_references_to_them_are_direct():
    """The key of a table of persons, and a column elsewhere that holds its values, whatever it is called."""
    keys = [f"K{i:05d}" for i in range(N)]
    found = find(
        {
            "members": {"id": keys, "first_name": [p.split()[0] for p in people(N)]},
            "visits": {"who": keys[:30] * 2, "room": ["a", "b"] * 30},
        },
        links=[ForeignKey(table="visits", column="who", parent_table="members", parent_column="id", contained=1.0)],
    )
    assert found["members", "id"].role == Role.DIRECT
    assert (found["visits", "who"].role, found["visits", "who"].entity) == (Role.DIRECT, "PERSON_ID")
    assert found["visits", "room"].role == Role.NONE


def test_small_integers_contained_by_chance_are_no_reference():
    """A rank of 1 to 10 lies inside any numeric key: without a name in common it is no key of a person."""
    found = find(
        {"members": {"member_id": list(range(N)), "gender": ["m", "f"] * (N // 2)}, "scores": {"rank": list(range(10)) * 6}},
        links=[ForeignKey(table="scores", column="rank", parent_table="members", parent_column="member_id", contained=1.0)],
    )
    assert found["scores", "rank"].role == Role.NONE


def test_repeated_customer_key_is_direct_and_order_key_is_not():
    """A pseudonymous key of a customer identifies; the number of an order is the key of a record."""
    found = find({"orders": {"order_id": list(range(N)), "customer_id": [i % 7 for i in range(N)], "amount": [i / 3 for i in range(N)]}})
    assert found["orders", "customer_id"].entity == "CUSTOMER_ID"
    assert {found["orders", c].role for c in ("order_id", "amount")} == {Role.NONE}


def test_free_text_is_direct_with_personal_data_and_unknown_without():
    """Prose is never called harmless; with e-mail addresses inside it is direct."""
    plain = [f"the parcel number {i} came late and the box was wet again today" for i in range(N)]
    spiked = [text + (f" write to me{i}@example.org" if i % 5 == 0 else "") for i, text in enumerate(plain)]
    found = find({"tickets": {"said": plain, "told": spiked}})
    assert (found["tickets", "said"].entity, found["tickets", "said"].role) == ("FREE_TEXT", Role.UNKNOWN)
    assert (found["tickets", "told"].entity, found["tickets", "told"].role) == ("FREE_TEXT", Role.DIRECT)


def test_distinctive_text_that_nothing_explains_is_unknown():
    """A person must look at unique words of no known kind; a few repeated categories are harmless."""
    found = find({"t": {"q": [f"zq{chr(97 + i % 26)}{chr(97 + i // 26)}x" for i in range(N)], "w": ["lorem", "ipsum", "dolor"] * 20}})
    assert (found["t", "q"].role, found["t", "w"].role) == (Role.UNKNOWN, Role.NONE)


def test_health_of_patients_is_sensitive_even_when_headers_say_little():
    """In a table keyed by patient, unexplained codes and texts are read as health data."""
    found = find(
        {
            "conditions": {
                "PATIENT": [f"p-{i % 9}" for i in range(N)],
                "CODE": [i % 11 for i in range(N)],
                "DESCRIPTION": ["flu", "asthma", "cough"] * 20,
            }
        }
    )
    assert found["conditions", "PATIENT"].role == Role.DIRECT
    assert {found["conditions", c].role for c in ("CODE", "DESCRIPTION")} == {Role.SENSITIVE}

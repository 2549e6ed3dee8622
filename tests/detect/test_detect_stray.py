"""Personal data in single cells of harmless columns."""

from __future__ import annotations

import math
import random

import polars as pl
import pytest
from detect_frames import find
from hypothesis import given
from hypothesis import strategies as st

from tamis.core.types import Finding, Role
from tamis.detect.stray import tail
from tamis.detect.values import luhn_card


def _remarks(values: list[str], others: int = 3000) -> Finding:
    texts = [f"item {i} left" for i in range(others)] + values
    return find({"items": {"remark": texts}})["items", "remark"]


@pytest.mark.parametrize(
    ("text", "entity"),
    [
        ("call +49 30 901820 today", "PHONE_NUMBER"),
        ("write a.b@example.org", "EMAIL_ADDRESS"),
        ("iban GB82WEST12345698765432", "IBAN_CODE"),
        ("card 4111-1111-1111-1111", "CREDIT_CARD"),
        ("cf RSSMRA85T10A562S", "NATIONAL_ID"),
        ("hetu 131052-308T", "NATIONAL_ID"),
        ("mac 00:1B:44:11:3A:B7", "MAC_ADDRESS"),
    ],
)
def test_one_cell_is_enough(text: str, entity: str):
    """A telling form in one of three thousand cells is a stray of that entity, with its place, and a person must look."""
    finding = _remarks([text])
    assert [(e.entity, e.hits, e.locations) for e in finding.stray] == [(entity, 1, ((0, 1),))]
    assert finding.role is Role.UNKNOWN


@pytest.mark.parametrize(
    "text", ["version 1.2.3", "at 10:20:30", "order 01-701-1015", "ref 1234567", "2024-05-06", "12345678903", "3.14159", "x" * 40]
)
def test_harmless_numbers_are_no_strays(text: str):
    """Versions, times, order numbers, dates, decimals and long words make nothing of a column."""
    assert _remarks([text]).stray == ()


def test_card_numbers_count_above_accident():
    """One in ten random numbers has Luhn's check digit: no stray. Real ones among them are."""
    rng = random.Random(5)
    numbers = [f"no:4{rng.randrange(10**15):015d}" for _ in range(1500)]
    real = [f"4{i:014d}" for i in range(400)]
    real = [f"no:{c}{next(d for d in range(10) if luhn_card(c + str(d)))}" for c in real]
    for values, expected in ((numbers, []), (numbers + real, ["CREDIT_CARD"])):
        finding = find({"items": {"batch": [f"item:{i}" for i in range(3000)] + values}})["items", "batch"]
        assert finding.role is not Role.DIRECT
        assert [e.entity for e in finding.stray] == expected


def test_a_code_in_a_hash_is_an_accident():
    """Check characters that fit by accident inside random hexadecimal texts are no national numbers."""
    rng = random.Random(1)
    hashes = [f"{rng.randrange(16**40):040x}" for _ in range(3000)]
    finding = find({"items": {"digest": pl.Series(hashes).to_list()}})["items", "digest"]
    assert [e for e in finding.stray if e.entity == "NATIONAL_ID"] == []


@given(st.integers(1, 60), st.integers(0, 60), st.sampled_from([0.01, 0.1, 0.5]))
def test_tail_is_the_binomial_tail(n: int, hits: int, p: float):
    """P(X >= hits), 1 at or below the mean; the bound for large n is never below it."""
    hits = min(hits, n)
    exact = sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(hits, n + 1))
    assert tail(hits, n, p) == pytest.approx(1.0 if hits <= n * p else min(1.0, exact))
    assert tail(1500, 3000, 0.1) < 1e-12
    assert tail(3000, 3000, 0.1) < 1e-12

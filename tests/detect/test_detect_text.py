"""Personal data inside texts."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest

from tamis.core.errors import UsageError
from tamis.core.ports import Span
from tamis.detect import make_span_finder
from tamis.detect.text import recognizers

TEXTS = [
    "write to jane.doe@example.com or +49 30 901820",
    "card 4111 1111 1111 1111, IBAN DE89370400440532013000",
    "host 192.168.10.20 at 00:1B:44:11:3A:B7",
    "nothing to see in 1234567 or 2024-05-06",
    "",
]


def test_spans_are_sorted_apart_and_point_at_the_text():
    """For each text its spans, sorted and not overlapping; equal texts give equal spans."""
    found = make_span_finder().find([*TEXTS, TEXTS[0]])
    assert found[0] == found[-1]
    assert found[3] == found[4] == []
    entities = [[span.entity for span in spans] for spans in found[:3]]
    assert entities == [["EMAIL_ADDRESS", "PHONE_NUMBER"], ["CREDIT_CARD", "IBAN_CODE"], ["IP_ADDRESS", "MAC_ADDRESS"]]
    assert all(a.end <= b.start for spans in found for a, b in pairwise(spans))
    assert TEXTS[0][slice(found[0][0].start, found[0][0].end)] == "jane.doe@example.com"


def test_prefilters_lose_nothing():
    """With and without the prefilter Presidio's recognizers find the same."""
    samples = [
        *TEXTS,
        "ssn 536-90-4399",
        "www.example.org/x",
        "RSSMRA85T10A562S",
        "12345678Z",
        "nhs 943 476 5919",
        "::1",
        "1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
    ]
    for recognizer in recognizers():
        plain = [
            bool([r for r in recognizer.engine.analyze(t, recognizer.engine.supported_entities, None) or () if r.score >= 0.3])
            for t in samples
        ]
        passed = pl.Series(samples).str.contains(recognizer.prefilter).to_list()
        assert all(p for p, hit in zip(passed, plain, strict=True) if hit), recognizer.name


def test_only_the_entities_asked_for():
    """A finder for e-mail addresses leaves phone numbers alone; an entity without a recognizer is refused with the known ones."""
    assert make_span_finder(["EMAIL_ADDRESS"]).find([TEXTS[0]]) == [[Span(9, 29, "EMAIL_ADDRESS", 1.0)]]
    with pytest.raises(UsageError, match="EMAIL_ADDRESS"):
        make_span_finder(["EMAIL_ADRESS"])

"""Personal data inside texts."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tamis.core.errors import UsageError
from tamis.core.ports import Span
from tamis.detect import make_span_finder

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


def test_only_the_entities_asked_for():
    """A finder for e-mail addresses leaves phone numbers alone; an entity without a recognizer is refused with the known ones."""
    assert make_span_finder(["EMAIL_ADDRESS"]).find([TEXTS[0]]) == [[Span(9, 29, "EMAIL_ADDRESS", 1.0)]]
    with pytest.raises(UsageError, match="EMAIL_ADDRESS"):
        make_span_finder(["EMAIL_ADRESS"])


def test_unicode_spaces_and_full_width_digits_are_redacted_where_they_stand():
    """What is written with no-break spaces or full-width digits is found, at its own place in the text."""
    text = "karte\u00a0４１１１\u00a01111\u00a01111\u00a01111 bitte"
    spans = make_span_finder(["CREDIT_CARD"]).find([text])[0]
    assert [text[s.start : s.end] for s in spans] == ["４１１１\u00a01111\u00a01111\u00a01111"]

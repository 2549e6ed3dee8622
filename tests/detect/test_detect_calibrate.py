"""Confidence is a probability: bounded, monotone in the evidence, lower with a rival."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tamis.core.types import Evidence, Role
from tamis.detect.calibrate import log_evidence, nothing_confidence, verdict_confidence

ROLES = {"PERSON": Role.DIRECT, "CITY": Role.QUASI}
WEIGHTS = st.floats(0, 1)


def piece(entity: str, weight: float, source: str = "name") -> Evidence:
    """A piece of evidence."""
    return Evidence(source=source, rule="r", entity=entity, weight=weight)


@given(WEIGHTS, WEIGHTS, st.booleans())
def test_confidence_stays_a_probability(own, other, personal):
    """Never 0 or 1, whatever the evidence."""
    evidence = (piece("PERSON", own), piece("CITY", other))
    assert 0.05 <= verdict_confidence(Role.DIRECT, "PERSON", evidence, ROLES, personal=personal) <= 0.99
    assert 0.05 <= nothing_confidence(evidence, personal=personal, about_things=False, intelligible=True) <= 0.99


def test_more_evidence_means_more_confidence():
    """Monotone in the combined weight."""
    values = [verdict_confidence(Role.DIRECT, "PERSON", (piece("PERSON", w / 20),), ROLES, personal=True) for w in range(21)]
    assert all(a <= b for a, b in itertools.pairwise(values))


def test_evidence_for_somebody_makes_nothing_less_sure():
    """Confidence in `none` falls with the strongest piece of evidence that was not accepted."""
    values = [nothing_confidence((piece("PERSON", w / 50),), personal=True, about_things=False, intelligible=True) for w in range(25)]
    assert all(a >= b for a, b in itertools.pairwise(values))


@given(WEIGHTS)
def test_log_evidence_is_bounded(weight):
    """-ln(1 - w), finite also for w = 1."""
    assert 0 <= log_evidence(weight) <= 5

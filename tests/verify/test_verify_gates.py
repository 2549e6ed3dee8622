"""Gates: defaults, overrides, fail-closed."""

from __future__ import annotations

import math

import pytest

from tamis.core.policy import Gate, Privacy
from tamis.core.record import Measure
from tamis.verify import DEFAULT_GATES, default_gates, known_measures
from tamis.verify.gates import judge

PRIVACY = Privacy(k=5)


def one(measures, *policy, expected=frozenset(), measure=None):
    """The result of the gate on one measure."""
    results = judge(policy, PRIVACY, measures, expected=frozenset(expected))
    return next(result for result in results if result.gate.measure == (measure or policy[0].measure))


def test_the_worst_table_is_judged():
    """A gate without @ judges the worst instance."""
    measures = [Measure(name="risk.k@a", value=9), Measure(name="risk.k@b", value=4)]
    result = one(measures, measure="risk.k")
    assert (result.measure, result.value, result.passed) == ("risk.k@b", 4, False)
    assert "risk.k@b is 4; at least 5 is needed." in result.sentence


def test_a_gate_on_nothing_fails():
    """Unknown and untaken measures fail, with a sentence that says which; a default gate that does not apply passes."""
    unknown = one([], Gate(measure="risk.kk", min=1))
    assert not unknown.passed
    assert "Did you mean 'risk.k'?" in unknown.sentence
    assert not one([], Gate(measure="risk.l", min=2)).passed
    assert not one([], expected={"risk.k@t"}, measure="risk.k").passed
    assert one([], measure="risk.k").passed


def test_nan_fails():
    """A figure that is no number reaches no bound."""
    for gate in (Gate(measure="leak.cells", max=0), Gate(measure="leak.cells", min=0)):
        assert not one([Measure(name="leak.cells", value=math.nan)], gate).passed


def test_a_policy_gate_replaces_the_default_and_an_exact_gate_its_instance():
    """Overrides: general for general, exact for one table."""
    measures = [Measure(name="risk.k@a", value=3), Measure(name="risk.k@b", value=9)]
    results = judge([Gate(measure="risk.k@a", min=3)], PRIVACY, measures, expected=frozenset())
    assert all(result.passed for result in results)
    lowered = judge([Gate(measure="risk.k", min=2)], PRIVACY, measures, expected=frozenset())
    assert [r.gate.min for r in lowered if r.gate.measure == "risk.k"] == [2]


def test_no_rows_single_nobody_out():
    """k of an empty table is not a failure."""
    assert one([Measure(name="risk.k@a", value=0, note="no rows")], measure="risk.k").passed


def test_a_total_is_judged_before_its_parts():
    """leak.cells is the total, not the worst column."""
    measures = [Measure(name="leak.cells", value=0), Measure(name="leak.cells@t.c", value=1)]
    assert one(measures, measure="leak.cells").measure == "leak.cells"


@pytest.mark.parametrize("gate", [*DEFAULT_GATES, *default_gates(Privacy(k=7, l=3))])
def test_defaults_are_known(gate):
    """Every default gate is on a measure with a meaning."""
    assert gate.measure in known_measures()

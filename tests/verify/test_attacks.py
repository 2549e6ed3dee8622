"""Attacks: planted leaks scream, clean releases are at chance, seeds and row orders change nothing."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from verify_made import profile_of, table, table_plan

from tamis.core.actions import Generalize, Keep, NumberBand, Synthesize
from tamis.core.policy import Gate, Privacy
from tamis.core.types import Role
from tamis.verify.attacks import Shadow, attack_view
from tamis.verify.attacks.guessing import area
from tamis.verify.attacks.order import order_linkage
from tamis.verify.attacks.view import View
from tamis.verify.gates import attack_gates, judge

KEEP = {"age": (Keep(), Role.QUASI), "zip": (Keep(), Role.QUASI), "ill": (Keep(), Role.SENSITIVE), "pay": (Keep(), Role.SENSITIVE)}
CLEAN = {
    "age": (Generalize(to="band", width=20, recode=NumberBand(width=20)), Role.QUASI),
    "zip": (Generalize(to="band", width=500, recode=NumberBand(width=500)), Role.QUASI),
    "ill": (Synthesize(model="m"), Role.SENSITIVE),
    "pay": (Synthesize(model="m"), Role.SENSITIVE),
}


def people(n=1200, seed=0):
    """Almost all of them alone in (age, zip)."""
    rng = np.random.default_rng(seed)
    ill = rng.choice(["flu", "gout", "cold", "none"], n)
    return pl.DataFrame(
        {"age": rng.integers(20, 80, n), "zip": rng.integers(1000, 3000, n), "ill": ill, "pay": rng.normal(3000, 900, n).round(2)}
    )


def drawn(frame, seed=1):
    """Honest proxies: values that have nothing to do with the rows."""
    other = people(frame.height, seed + 100)
    return frame.with_columns(other["ill"], other["pay"])


def banded(frame):
    """What `CLEAN` makes of the quasi-identifiers."""
    return frame.with_columns(*(_band(name, width) for name, width in (("age", 20), ("zip", 500))))


def _band(name, width):
    low = pl.col(name) // width * width
    return (low.cast(pl.String) + "-" + (low + width - 1).cast(pl.String)).alias(name)


def shadow(frame, make):
    """80 % of the persons, released by `make`, in an order of their own."""
    rng = np.random.default_rng(7)
    member = np.arange(frame.height) % 5 != 0
    row = rng.permutation(np.flatnonzero(member))
    return Shadow(table("t", frame), np.arange(frame.height, dtype=np.uint64), member, make(frame[row]), row)


def attacked(frame, make, what, target=None):
    """Measures by short name."""
    plan = table_plan("t", frame, what, quasi=("age", "zip"), k=5)
    made = shadow(frame, make)
    view = View.of(made, plan)
    found = attack_view(plan, view, made.member, profile_of({"t": frame}), target)
    return {measure.name.removeprefix("attack."): measure for measure in found}


def failed(measures):
    """Names of default gates that do not hold."""
    return {
        r.gate.measure.removeprefix("attack.") for r in judge((), Privacy(k=5), measures.values(), expected=frozenset()) if not r.passed
    }


EVERY = {"linkage", "linkage_all", "singling_out", "singling_out_all", "linkability", "membership", "membership_model", "inference"}


def test_a_release_of_the_originals_screams():
    """Every attack on rows succeeds when the release is the input, and its gate fails."""
    found = attacked(people(), lambda rows: rows, KEEP)
    assert found["linkage@t"].value > 0.9
    assert found["singling_out@t"].value > 0.8
    assert found["membership@t"].value > 0.9
    assert failed(found) >= EVERY


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_clean_release_is_at_chance(seed):
    """Bands of many persons and proxies of nobody: no default gate fails, whatever the data's seed."""
    found = attacked(people(1200, seed), lambda rows: drawn(banded(rows), seed), CLEAN)
    assert failed(found) == set()
    assert found["linkage@t"].value <= 0.2
    assert found["singling_out@t"].value == 0
    assert 0.4 < found["membership@t"].value < 0.6


def test_one_raw_column_is_found():
    """Proxies that are their own originals betray who is in, which row is whose, and what it says."""
    found = attacked(people(), banded, CLEAN)
    assert failed(found) >= {"linkage_all", "membership", "singling_out_all"}
    assert not failed(found) & {"linkage", "singling_out"}  # the quasi-identifiers are clean


def test_figures_do_not_depend_on_the_run():
    """Same shadow, same figures."""
    runs = [attacked(people(600), banded, CLEAN) for _ in range(2)]
    assert runs[0] == runs[1]


def test_a_model_of_the_originals_remembers_more():
    """A forest grown to single rows tells members of the originals; the same one trained on a clean release does not."""
    found = attacked(people(), lambda rows: drawn(banded(rows)), CLEAN, target="ill")
    assert found["membership_model_original@t"].value > 0.8
    assert found["membership_model_original@t"].internal
    assert found["membership_model@t"].value < 0.6


def test_an_inverted_model_says_what_it_was_trained_on():
    """Model inversion finds a sensitive column of members of the originals, not of others; a clean release takes that away."""
    rng = np.random.default_rng(3)
    frame = people().with_columns(job=pl.Series(rng.choice(["a", "b", "c"], 1200)))
    found = attacked(frame, lambda rows: drawn(banded(rows)), CLEAN, target="job")
    assert found["inversion_original@t.ill"].value > 0.1
    assert found["inversion@t.ill"].low <= 0.03


@pytest.mark.parametrize(("shuffle", "fails"), [(False, True), (True, False)])
def test_kept_order_is_seen(shuffle, fails):
    """Rows in the order of the input are linked by their place, also when some are missing; in another order they are not."""
    frame = people(600)
    after = frame.filter(pl.col("age") > 25).sample(fraction=1.0, shuffle=shuffle, seed=1)
    plan = table_plan("t", frame, KEEP, quasi=("age", "zip"))
    (measure,) = order_linkage(table("t", frame), after.lazy(), plan)
    assert measure.name == "attack.order@t"
    result = next(r for r in judge((), Privacy(k=2), [measure], expected=frozenset()) if r.gate.measure == "attack.order")
    assert result.passed is not fails


def test_a_declared_order_has_a_name_of_its_own():
    """Who keeps the order for a stated reason is told the figure, not refused."""
    frame = people(600)
    plan = table_plan("t", frame, KEEP).model_copy(update={"keep_order": "the sequence is the signal"})
    (measure,) = order_linkage(table("t", frame), frame.lazy(), plan)
    assert measure.name == "attack.order_declared@t"
    assert measure.value == 1


@pytest.mark.parametrize("frame", [people(0), people(40), people(300).with_columns(age=pl.lit(None, pl.Int64), pay=float("nan"))])
def test_hostile_tables(frame):
    """No rows, few rows, nothing but nulls: no figure or one without NaN, never an error."""
    plan = table_plan("t", frame, KEEP, quasi=("age", "zip"), k=5)
    made = shadow(frame, lambda rows: rows)
    view = View.of(made, plan)
    if frame.height < 100:
        assert view is None
        assert order_linkage(table("t", frame), frame.lazy(), plan) == []
    else:
        for measure in attack_view(plan, view, made.member, profile_of({"t": frame})):
            assert measure.value == measure.value
            assert measure.low <= measure.value <= measure.high


def test_gates_judge_what_is_beyond_chance():
    """The bound of linkage is 1/k; an estimate above it by chance alone passes; attacks that were not run warn."""
    gates = {gate.measure: gate for gate in attack_gates(Privacy(k=4))}
    assert gates["attack.linkage"] == Gate(measure="attack.linkage", max=0.25)
    assert gates["attack.run"].severity == "warn"


def test_area_is_that_of_mann_and_whitney():
    """Ties count one half."""
    assert area(np.array([1.0, 2.0]), np.array([1.0, 0.0])) == pytest.approx(0.875)

"""Train on release, test on originals: nothing lost where nothing changed, everything where the signal is gone."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verify_made import table, table_plan

from tamis.core.actions import Drop, Generalize, Keep, NumberBand, Pseudonymize, Synthesize
from tamis.core.types import Role
from tamis.verify.downstream import downstream, score

PROXY = (Synthesize(model="m"), Role.SENSITIVE)


def customers(n, seed=0):
    """Age, an amount and a plan that say who leaves, and how much one pays."""
    rng = np.random.default_rng(seed)
    age, amount = rng.integers(20, 80, n), rng.normal(size=n).round(3)
    plan = rng.choice(["basic", "plus", "pro"], n)
    risk = 0.05 * (age - 50) + amount + (plan == "pro")
    return pl.DataFrame(
        {
            "id": [f"c{i}" for i in range(n)],
            "age": age,
            "amount": amount,
            "plan": plan,
            "churned": (risk + rng.logistic(size=n)) > 0,
            "paid": 100 + 40 * risk + rng.normal(size=n) * 10,
        }
    )


def measured(before, after, what=None, target="churned"):
    """Measures by short name."""
    plan = table_plan("t", before, {"id": (Pseudonymize(domain="d"), Role.DIRECT), **(what or {})})
    found = downstream(table("t", before), after.lazy(), plan, target)
    return {m.name.removeprefix("utility.").removesuffix("@t"): m for m in found}


@pytest.mark.parametrize("target", ["churned", "paid"])
def test_nothing_changed_nothing_lost(target):
    """The same table in another order: a loss within its interval of 0, and a score well above chance."""
    frame = customers(1_200)
    found = measured(frame, frame.reverse(), target=target)
    lost = found["downstream"]
    assert lost.low <= 0.5
    assert abs(lost.value) < 3
    assert found["downstream_original"].internal
    assert found["downstream_release"].value > (0.75 if target == "churned" else 0.5)
    assert found["downstream_release"].low < found["downstream_release"].value < found["downstream_release"].high


@pytest.mark.parametrize("target", ["churned", "paid"])
def test_lost_signal_is_lost_points(target):
    """A target drawn without regard to the rest teaches nothing: the score is at chance and the loss says so."""
    frame = customers(1_200)
    noise = frame.with_columns(pl.col(target).shuffle(seed=1))
    found = measured(frame, noise, {target: PROXY}, target)
    assert found["downstream"].low > 10
    assert found["downstream_release"].value < (0.62 if target == "churned" else 0.1)


def test_coarser_columns_cost_something_between():
    """Bands of a column are compared with the originals recoded; the loss is small but the score is of unseen rows."""
    frame = customers(1_200)
    band = (Generalize(to="band", width=30, recode=NumberBand(width=30)), Role.QUASI)
    low = pl.col("age") // 30 * 30
    after = frame.with_columns(age=low.cast(pl.String) + "-" + (low + 29).cast(pl.String))
    found = measured(frame, after, {"age": band})
    assert -2 < found["downstream"].value < 12
    gone = measured(frame, frame.drop("age", "amount"), {"age": (Drop(), Role.NONE), "amount": (Drop(), Role.NONE)})
    assert gone["downstream"].value < 5  # of the released columns nothing was lost


def test_released_forms_of_test_rows_are_not_trained_on():
    """With a target that is pure noise nobody scores above chance, although the release holds the test rows as they are."""
    frame = customers(1_200).with_columns(churned=pl.Series(np.random.default_rng(9).random(1_200) < 0.5))
    found = measured(frame, frame, target="churned")
    assert found["downstream_release"].low < 0.5 + 0.03
    assert found["downstream_original"].low < 0.5 + 0.03


def test_the_same_whatever_the_order_of_rows():
    """Samples, folds and models depend on the rows, not on their order."""
    frame = customers(400)
    shuffled = frame.sample(fraction=1, shuffle=True, seed=2)
    assert measured(frame, frame) == measured(shuffled, shuffled.reverse())


@pytest.mark.parametrize(
    ("change", "target"),
    [
        (lambda f: f.clear(), "churned"),
        (lambda f: f.head(40), "churned"),
        (lambda f: f.with_columns(churned=pl.lit(True)), "churned"),
        (lambda f: f.with_columns(paid=pl.lit(None, dtype=pl.Float64)), "paid"),
        (lambda f: f.with_columns(paid=pl.lit(float("nan"))), "paid"),
        (lambda f: f, "id"),
        (lambda f: f, "nobody"),
        (lambda f: f.select("paid"), "paid"),
    ],
)
def test_what_cannot_be_learned_gives_no_figure(change, target):
    """No rows, one class, nothing but nulls, a tokenized or unknown target, no features."""
    frame = change(customers(300))
    what = None if "id" in frame.columns else {"id": (Keep(), Role.NONE)}
    assert measured(frame, frame, what, target) == {}


def test_hostile_features_are_survived():
    """Nulls, NaN, infinities, constants, many words, names that are patterns."""
    n = 300
    rng = np.random.default_rng(1)
    frame = pl.DataFrame(
        {
            "^a$": [None if i % 3 == 0 else float("inf") if i % 7 == 0 else float("nan") if i % 5 == 0 else i for i in range(n)],
            "*": [f"w{i}" for i in range(n)],
            "none": pl.Series([None] * n, dtype=pl.Float64),
            "y\n": rng.choice(["a", "b", None, "c"], n).tolist(),
        },
        strict=False,
    )
    plan = table_plan("t", frame, {"none": PROXY})
    found = downstream(table("t", frame), frame.lazy(), plan, "y\n")
    assert {m.name for m in found} == {f"utility.downstream{word}@t" for word in ("", "_original", "_release")}


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.25, 0.5, 1.0])), min_size=2, max_size=30))
def test_area_is_the_chance_of_right_order(rows):
    """The area under the ROC curve by its definition over all pairs."""
    hits, misses = ([answer for hit, answer in rows if hit is side] for side in (True, False))
    truth = np.array([float(hit) for hit, _ in rows])
    answers = np.array([[1 - answer, answer] for _, answer in rows])
    expected = [(a > b) + (a == b) / 2 for a in hits for b in misses]
    assert score(2, truth, answers) == pytest.approx(np.mean(expected) if expected else 0.5)

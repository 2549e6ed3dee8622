"""Memorization: copies scream, honest proxies are at chance."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verify_made import table, table_plan

from tamis.core.actions import Fake, Generalize, NumberBand, Pseudonymize, Synthesize
from tamis.core.types import Role
from tamis.verify.distances import Space
from tamis.verify.memorization import closer_share, memorization, own_value, row_memorization
from tamis.verify.sides import Side, linked_rows, mixed, recoded_sides

WHAT = {
    "id": (Pseudonymize(domain="d"), Role.DIRECT),
    "age": (Generalize(to="band", width=10, recode=NumberBand(width=10)), Role.QUASI),
    "name": (Fake(kind="person_name"), Role.DIRECT),
    "income": (Synthesize(model="m"), Role.SENSITIVE),
    "ill": (Synthesize(model="m"), Role.SENSITIVE),
}


def people(n, seed=0):
    """Rows whose income and illness depend on age and on a kept, almost unique amount."""
    rng = np.random.default_rng(seed)
    age = rng.integers(20, 80, n)
    amount = rng.normal(size=n).round(6)
    return pl.DataFrame(
        {
            "id": np.arange(n),
            "age": age,
            "amount": amount,
            "name": [f"Person Number{i}" for i in range(n)],
            "income": drawn_income(rng, age, amount),
            "ill": drawn_ill(rng, age),
        }
    )


def drawn_income(rng, age, amount):
    """Given what stays."""
    return (20_000 + 400 * age + 9_000 * amount + rng.lognormal(8, 0.7, len(age))).round(0)


def drawn_ill(rng, age):
    """Mostly a matter of age: what stays explains most agreement."""
    return np.where(rng.random(len(age)) < 0.9, np.where(age < 50, "flu", "gout"), np.where(rng.random(len(age)) < 0.5, "flu", "cold"))


def released(frame, seed=1, **columns):
    """What an honest transformation releases, in another order; `columns` take the place of honest proxies."""
    rng = np.random.default_rng(seed)
    age, amount = frame["age"].to_numpy(), frame["amount"].to_numpy()
    honest = {
        "name": [f"Fake Name{i}" for i in rng.permutation(frame.height)],
        "income": drawn_income(rng, age, amount),
        "ill": drawn_ill(rng, age),
    }
    made = frame.select(
        pl.lit("token").alias("id"),
        (pl.col("age") // 10 * 10).cast(pl.String) + "-" + (pl.col("age") // 10 * 10 + 9).cast(pl.String),
        "amount",
    )
    made = made.with_columns(**{name: pl.Series(name, columns.get(name, values)) for name, values in honest.items()})
    return made.select(frame.columns).sample(fraction=1, shuffle=True, seed=5)


def measured(frame, after, k=5, what=None):
    """Measures by short name."""
    plan = table_plan("t", frame, what or WHAT, quasi=("age",))
    return {m.name.removeprefix("memorization."): m for m in memorization(table("t", frame), after.lazy(), plan, k)}


def test_honest_proxies_are_at_chance():
    """Proxies drawn anew given what stays: own equals chance, although they agree with their originals most of the time."""
    frame = people(3_000)
    found = measured(frame, released(frame))
    ill, chance = found["own@t.ill"], found["own_chance@t.ill"]
    assert ill.value > 0.7
    assert ill.low <= ill.value <= ill.high
    assert chance.value == pytest.approx(ill.value, abs=0.03)
    for column in ("income", "ill", "name"):
        assert found[f"own_excess@t.{column}"].value < 0.01
    assert found["closer@t"].low < 0.5 < found["closer@t"].high + 0.05
    assert found["near_copies@t"].value < 0.12
    assert found["own@t.name"].value == 0


@pytest.mark.parametrize("noise", [0, 60])
def test_copied_and_noisy_originals_scream(noise):
    """A proxy that is its own original, or that plus a little noise, exceeds chance and lies closest to its own half."""
    frame = people(2_000)
    income = frame["income"].to_numpy() + np.random.default_rng(3).normal(0, noise, 2_000) if noise else frame["income"]
    found = measured(frame, released(frame, income=income, ill=frame["ill"]))
    assert found["own_excess@t.income"].value > 0.15
    assert found["own_excess@t.ill"].value > 0.05
    assert found["closer@t"].low > 0.55
    if not noise:
        assert found["closer@t"].low > 0.8
        assert found["near_copies@t"].value > 0.5
        assert found["own@t.income"].value == 1
        assert found["copies@t"].value > 0.9


@pytest.mark.parametrize("shape", ["linear", "product", "steps", "grid"])
def test_what_stays_may_say_nearly_everything(shape):
    """Proxies drawn given columns that nearly determine the original agree with it often, and that is not memorization."""
    n = 3_000
    rng = np.random.default_rng(4)
    a, b, c = rng.normal(size=(3, n)).round(6)
    line = 3 * a + 2 * b - c
    middle = {"linear": line, "product": np.exp(0.7 * a) * (2 + np.abs(b)), "steps": np.floor(a * 2) + 5 * (b > 0), "grid": 9 * line}[shape]
    noise = rng.normal(size=(2, n)) * (2 if shape == "grid" else 0.2)
    if shape == "grid":
        noise = np.round(middle + noise) - middle
    word = np.array(["low", "mid", "high"])
    frame = pl.DataFrame({"a": a, "b": b, "c": c, "x": middle + noise[0], "w": word[np.digitize(middle + noise[0], [-1, 2])]})
    after = frame.with_columns(x=pl.Series(middle + noise[1]), w=pl.Series(word[np.digitize(middle + noise[1], [-1, 2])]))
    found = measured(frame, after, what={"x": WHAT["income"], "w": WHAT["ill"]})
    assert found["own@t.w"].value > 0.8
    assert found["own_excess@t.x"].value < 0.05
    assert found["own_excess@t.w"].value < 0.05


def test_a_fake_that_is_the_original_screams():
    """Identifier proxies have no model: chance is how often two persons share the value."""
    frame = people(500)
    found = measured(frame, released(frame, name=frame["name"]))
    assert found["own_excess@t.name"].value > 0.9
    assert found["own_chance@t.name"].value < 0.01


def test_a_tenth_of_copies_is_seen():
    """Partial leaks show with about their share."""
    frame = people(3_000)
    honest = released(frame).join(frame.select("amount", own="income"), on="amount")
    leaky = honest.with_columns(income=pl.when(pl.int_range(pl.len()) % 10 == 0).then("own").otherwise("income")).drop("own")
    assert 0.06 < measured(frame, leaky)["own_excess@t.income"].value < 0.12


def test_order_of_rows_changes_nothing():
    """The same figures whatever the order of input and release."""
    frame = people(700)
    after = released(frame)
    first = measured(frame, after)
    shuffled = measured(frame.sample(fraction=1, shuffle=True, seed=8), after.reverse())
    assert first == shuffled


def test_what_cannot_be_said_is_not_said():
    """No proxies, no rows, few rows, nothing that stays, only nulls: no figure instead of a wrong one."""
    frame = people(300)
    assert measured(frame, frame.with_columns(pl.col("id").cast(pl.String)), what={"id": WHAT["id"]}) == {}
    assert measured(frame.clear(), released(frame).clear()) == {}
    assert not [name for name in measured(frame.head(20), released(frame.head(20))) if not name.startswith("copies")]
    alone = frame.select("income")
    found = measured_alone(alone, alone)
    assert set(found) == {"copies@t"}
    nulls = alone.with_columns(income=pl.lit(None, dtype=pl.Float64))
    assert "copies@t" not in measured_alone(alone, nulls)
    assert measured_alone(nulls, alone)["copies@t"].value == 0


def measured_alone(frame, after):
    """A table of one proxy column."""
    plan = table_plan("t", frame, {"income": WHAT["income"]})
    return {m.name.removeprefix("memorization."): m for m in memorization(table("t", frame), after.lazy(), plan, 5)}


def test_hostile_names_and_values():
    """Patterns as names, NaN, infinities and nulls."""
    n = 120
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "^a$": rng.normal(size=n),
            "*": [math.nan if i % 7 == 0 else math.inf if i % 11 == 0 else float(i) for i in range(n)],
            'q"\n': [None if i % 5 == 0 else f"w{i % 3}" for i in range(n)],
        }
    )
    what = {"*": WHAT["income"], 'q"\n': WHAT["ill"]}
    after = frame.with_columns(pl.col("*").reverse()).reverse()
    plan = table_plan("t", frame, what)
    found = memorization(table("t", frame), after.lazy(), plan, 5)
    assert {m.name for m in found} >= {"memorization.own@t.*", 'memorization.own@t.q"\n', "memorization.copies@t"}
    assert all(math.isfinite(m.value) for m in found)


def test_links_are_right():
    """A linked pair is one row: alone on both sides in what stays."""
    frame = people(400).with_columns(amount=pl.col("amount").round(1))
    plan = table_plan("t", frame, {**WHAT, "income": (Pseudonymize(domain="x"), Role.NONE), "ill": (Fake(kind="job"), Role.NONE)})
    after = frame.select(
        pl.lit("t").alias("id"),
        (pl.col("age") // 10 * 10).cast(pl.String) + "-" + (pl.col("age") // 10 * 10 + 9).cast(pl.String),
        "amount",
        "name",
        pl.lit("t").alias("income"),
        "ill",
    )
    sides, left, right = recoded_sides(table("t", frame), after.reverse().lazy(), plan)
    linked = linked_rows(sides, left, right, 1_000)
    assert 50 < linked.rows < 400
    assert linked.before.equals(linked.after)
    some = linked_rows(sides, left, right, 10)
    assert some.before.height == 10
    assert some.rows == linked.rows


@settings(max_examples=25, deadline=None)
@given(
    x=st.lists(st.tuples(st.sampled_from([None, -1.0, 0.0, 0.5, 4.0]), st.sampled_from([None, "a", "b"])), min_size=2, max_size=8),
    y=st.lists(st.tuples(st.sampled_from([None, -1.0, 0.0, 0.5, 9.0]), st.sampled_from([None, "a", "c"])), min_size=2, max_size=8),
)
def test_distances_equal_brute_force(x, y):
    """The two closest by Gower's definition, pair by pair."""
    sides = (Side("n", "c0", True, True, True), Side("w", "c1", False, True, True))
    frames = [pl.DataFrame(rows, schema={"c0": pl.Float64, "c1": pl.String}, orient="row") for rows in (x, y)]
    space = Space.of(sides, frames[1], frames[0])
    first, second = space.nearest(space.points(frames[0]), space.points(frames[1]))
    scale = space.numbers[0][1]

    def gower(a, b):
        number = 0.0 if a[0] is b[0] is None else 1.0 if a[0] is None or b[0] is None else min(1.0, abs(a[0] / scale - b[0] / scale))
        return (number + (a[1] != b[1])) / 2

    for row, one, two in zip(x, first, second, strict=True):
        expected = sorted(gower(row, other) for other in y)[:2]
        assert [one, two] == pytest.approx(expected)


def test_closer_share_against_a_holdout():
    """Copies of training rows are closer to training; fresh rows are at one half, ties count half."""
    sides = (Side("x", "c0", True, True, True), Side("y", "c1", True, True, True))
    rng = np.random.default_rng(0)
    training, holdout, fresh = (pl.DataFrame(rng.normal(size=(800, 2)), schema=["c0", "c1"]) for _ in range(3))
    assert closer_share(sides, training.head(300), training, holdout)[0] == 1
    share, low, high, of = closer_share(sides, fresh, training, holdout)
    assert low < 0.5 < high
    assert of == 800
    same = pl.DataFrame({"c0": [1.0] * 5, "c1": [2.0] * 5})
    assert closer_share(sides, same, same, same)[0] == 0.5
    assert share != 0.5


def test_near_copies_without_links():
    """A whole table of copies shows by distances alone: what a table without own rows is judged by."""
    sides = (Side("x", "c0", True, True, True), Side("y", "c1", True, True, True))
    rng = np.random.default_rng(1)
    old, fresh = (pl.DataFrame(rng.normal(size=(2_000, 2)), schema=["c0", "c1"]) for _ in range(2))
    near = {}
    for word, new in (("copied", old), ("fresh", fresh)):
        near[word] = {m.name: m.value for m in row_memorization("t", sides, old.lazy(), new.lazy(), 5)}
    assert near["copied"]["memorization.copies@t"] == 1
    assert near["fresh"]["memorization.copies@t"] == 0
    assert near["copied"]["memorization.near_copies@t"] > 0.5
    assert near["fresh"]["memorization.near_copies@t"] < 0.1
    assert near["copied"]["memorization.distance_ratio@t"] < 0.3 < near["fresh"]["memorization.distance_ratio@t"]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_false_alarms_are_rare(seed):
    """Independent proxies stay below the default gate at every seed: the lower end of a 99 % interval, not the difference."""
    rng = np.random.default_rng(seed)
    words = pl.Series([f"w{i}" for i in rng.integers(0, 4, 100)]), pl.Series([f"w{i}" for i in rng.integers(0, 4, 100)])
    found = own_value(Side("w", "c0", False, True, True), *words, rng.normal(size=(100, 3)))
    assert found.excess <= 0.05 + 0.06  # 20 random tables of 100 rows: a rare one may pass the gate by a hair
    assert found.chance == pytest.approx(0.25, abs=0.12)


def test_mixing_is_a_bijection_on_samples():
    """Different words stay different: no two cells share a rank."""
    words = np.arange(10_000, dtype=np.uint64)
    assert len(np.unique(mixed(words))) == 10_000

"""Utility figures against SDMetrics, scipy and order."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verify_made import plan_of, profile_of, table, table_plan

from tamis.core.actions import Drop, Generalize, Keep, NumberBand, Pseudonymize, Synthesize
from tamis.core.types import Role
from tamis.verify.diffs import BARS, column_diffs
from tamis.verify.pairs import mutual_information, pair_measures
from tamis.verify.sides import sample_rows
from tamis.verify.utility import category_shape, column_shapes, comparable_frames, ordered_shape


def random_frame(seed: int, n: int, words: str = "abc") -> pl.DataFrame:
    """Two related numbers and two related words."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    letter = rng.integers(0, len(words), n)
    return pl.DataFrame(
        {
            "x": x,
            "y": x * 0.5 + rng.normal(size=n),
            "w": [words[i] for i in letter],
            "v": [words[(i + j) % len(words)] for i, j in zip(letter, rng.integers(0, 2, n), strict=True)],
        }
    )


@pytest.mark.slow
def test_figures_equal_sdmetrics():
    """Shapes and trends are SDMetrics' KSComplement, TVComplement, CorrelationSimilarity and ContingencySimilarity."""
    from sdmetrics.column_pairs import ContingencySimilarity, CorrelationSimilarity
    from sdmetrics.single_column import KSComplement, TVComplement

    left, right = random_frame(1, 400), random_frame(2, 300, "abd")
    plan = table_plan("t", left, {})
    scored, before, after = comparable_frames(table("t", left), right.lazy(), plan)
    found = {m.name: m.value for m in column_shapes("t", scored, before, after)}
    a, b = left.to_pandas(), right.to_pandas()
    for name in ("x", "y"):
        assert found[f"utility.column_shapes@t.{name}"] == pytest.approx(KSComplement.compute(a[name], b[name]), abs=2e-6)
    for name in ("w", "v"):
        assert found[f"utility.column_shapes@t.{name}"] == pytest.approx(TVComplement.compute(a[name], b[name]), abs=2e-6)
    for names, metric in ((["x", "y"], CorrelationSimilarity), (["w", "v"], ContingencySimilarity)):
        some = [one for one in scored if one.name in names]
        assert pair_measures("t", some, before, after)[0].value == pytest.approx(metric.compute(a[names], b[names]), abs=2e-6)


def test_pairs_that_fall_apart_show_in_correlation_and_information():
    """The deltas are 0 for the same table and the whole dependence for columns shuffled apart; numbers and words, nulls included."""
    n = 4_000
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    left = pl.DataFrame({"x": x, "y": x * 2, "w": np.where(x > 0, "up", None), "v": np.where(x > 0, "u", "d")})
    right = left.with_columns(pl.col("y").shuffle(seed=1), pl.col("w").shuffle(seed=2))
    scored, before, after = comparable_frames(table("t", left), right.lazy(), table_plan("t", left, {}))

    def deltas(names, other):
        some = [one for one in scored if one.name in names]
        return {m.name.removeprefix("utility.").removesuffix("@t"): m.value for m in pair_measures("t", some, before, other)}

    assert deltas("xy", after)["correlation_delta"] == pytest.approx(1, abs=0.05)
    assert deltas("xy", after)["mutual_information_delta"] == pytest.approx(1, abs=0.05)
    assert deltas("wv", after)["mutual_information_delta"] == pytest.approx(1, abs=0.01)
    assert "correlation_delta" not in deltas("wv", after)
    assert set(deltas("xywv", before.drop("h")).values()) == {0.0, 1.0}


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=40))
def test_mutual_information_is_scikit_learns_less_the_bias(rows):
    """The plain estimate less what Miller's correction takes away."""
    from sklearn.metrics import mutual_info_score

    a, b = np.array(rows).T
    counts = np.bincount(a * 4 + b, minlength=12).reshape(3, 4)
    bias = (len(set(a)) + len(set(b)) - len(set(rows)) - 1) / (2 * len(rows))
    assert mutual_information(counts) == pytest.approx(mutual_info_score(a, b) + bias, abs=1e-9)


numbers = st.lists(st.sampled_from([None, math.nan, 0.0, 1.0, 2.5, -3.0]), max_size=20)


@settings(max_examples=40, deadline=None)
@given(left=numbers, right=numbers)
def test_ks_equals_brute_force(left, right):
    """1 - KS is the largest gap of the two distribution functions over values that are there."""
    a, b = ([v for v in side if v is not None and not math.isnan(v)] for side in (left, right))
    frames = [pl.LazyFrame({"v": side}, schema={"v": pl.Float64}).select(pl.col("v").fill_nan(None)) for side in (left, right)]
    score, _, _ = ordered_shape(*frames)
    if not a or not right:
        assert score is None
    elif not b:
        assert score == 0
    else:
        gap = max(abs(sum(v <= t for v in a) / len(a) - sum(v <= t for v in b) / len(b)) for t in (*a, *b))
        assert score == pytest.approx(1 - gap)


@settings(max_examples=30, deadline=None)
@given(values=st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=20))
def test_the_same_column_scores_one(values):
    """Nothing changed: score 1, no change of nulls."""
    frame = pl.LazyFrame({"v": values}, schema={"v": pl.String})
    score, delta, _ = category_shape(frame, frame.reverse())
    assert score in (1.0, None)
    assert delta == 0


def test_generalized_columns_are_compared_with_the_recoded_input():
    """The intended coarsening costs nothing; what suppression takes does."""
    before = pl.DataFrame({"age": [31, 32, 45, 46]})
    band = Generalize(to="band", width=10, recode=NumberBand(width=10))
    plan = table_plan("t", before, {"age": (band, Role.QUASI)})
    after = pl.DataFrame({"age": ["30-39", "40-49", "30-39", "40-49"]})
    assert shape_of(before, after, plan) == 1
    assert shape_of(before, after.filter(pl.col("age") == "30-39"), plan) == 0.5


def shape_of(before, after, plan):
    """The first column's score."""
    return column_shapes("t", *comparable_frames(table("t", before), after.lazy(), plan))[0].value


def test_samples_do_not_depend_on_order():
    """The same rows are drawn whatever their order; equal rows are drawn in proportion."""
    frame = pl.DataFrame({"c0": [1.0] * 900 + [2.0] * 100, "c1": ["a", None] * 500})
    first = sample_rows(frame.lazy(), 200)
    assert first.equals(sample_rows(frame.sample(fraction=1, shuffle=True, seed=3).lazy(), 200))
    assert first.height == 200
    assert 150 <= first.filter(pl.col("c0") == 1.0).height <= 199


def test_pictures_show_no_rare_and_no_direct_labels():
    """Labels have k rows, never come from direct or dropped columns; shares add up; hostile names and types draw too."""
    n = 40
    before = pl.DataFrame(
        {
            "^name$": [f"CANARY{i}" for i in range(n)],
            "city": ["Rome"] * 30 + ["CANARY9"] + ["Oslo"] * 9,
            "secret": ["CANARY"] * n,
            "when": [dt.date(1950 + i, 1, 1) for i in range(n)],
            "pay": [float(i) for i in range(n - 1)] + [math.nan],
            "none": pl.Series([None] * n, dtype=pl.Null),
            "syn": ["u", "v"] * 20,
        }
    )
    what = {
        "^name$": (Pseudonymize(domain="d"), Role.DIRECT),
        "secret": (Drop(), Role.SENSITIVE),
        "syn": (Synthesize(model="m"), Role.SENSITIVE),
    }
    plan = table_plan("t", before, what)
    after = before.drop("secret")
    diffs = column_diffs(table("t", before), after.lazy(), plan, profile_of({"t": before}).tables[0], 5, {"city": 1.0})
    assert "CANARY" not in repr(diffs)
    assert [d.column for d in diffs] == before.columns
    by_name = {d.column: d for d in diffs}
    assert [bar.label for bar in by_name["city"].before] == ["Rome", "Oslo", "other"]
    assert by_name["secret"].after == ()
    assert by_name["pay"].nulls_after == 1 / n
    for diff in diffs:
        assert len(diff.before) <= BARS
        assert len(diff.after) <= BARS
        if diff.column in ("city", "syn"):
            assert sum(bar.share for bar in diff.before) == pytest.approx(1, abs=0.01)
    assert plan_of(plan).table("t").column("city").action == Keep()

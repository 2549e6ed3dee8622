"""Laws of hygiene: what can be read after it belongs to at least k persons."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tamis.fit.hygiene import grid_step, persons_per, pool_rare, safe_numbers

NUMBERS = hnp.arrays(
    np.float64, st.integers(40, 300), elements=st.one_of(st.integers(-5, 5).map(float), st.floats(-1e9, 1e9, allow_subnormal=False))
)


@settings(max_examples=60, deadline=None)
@given(values=NUMBERS, k=st.integers(2, 12), seed=st.integers(0, 99), people=st.sampled_from([0, 30, 60]))
def test_every_value_after_hygiene_covers_k_persons(values: np.ndarray, k: int, seed: int, people: int) -> None:
    """Each distinct hygienic value stands for rows of at least k persons, counted by person where persons are given."""
    persons = np.random.default_rng(seed).integers(0, people, size=len(values)) if people else None
    if persons is not None and len(np.unique(persons)) < 2 * k:
        return
    safe = safe_numbers(values, persons, k)
    distinct, run = np.unique(safe.values, return_inverse=True)
    assert persons_per(run.astype(np.int64), persons, len(distinct)).min() >= k
    assert safe.values.min() >= values.min() - 1e-6 * abs(values.min())
    assert safe.values.max() <= values.max() + 1e-6 * abs(values.max())


@settings(max_examples=40, deadline=None)
@given(values=NUMBERS, k=st.integers(2, 8))
def test_shared_values_stay_and_order_is_kept(values: np.ndarray, k: int) -> None:
    """A value of at least k rows stays as it is, and hygiene never swaps the order of two rows."""
    safe = safe_numbers(values, None, k)
    _, run, counts = np.unique(values, return_inverse=True, return_counts=True)
    assert np.array_equal(safe.values[counts[run] >= k], values[counts[run] >= k])
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(safe.values[order]) >= -1e-6 * np.abs(safe.values[order][1:]).max())
    assert np.array_equal(safe.shared, (counts >= k)[run])


def test_one_huge_value_does_not_move_the_model() -> None:
    """An extreme of one person does not even dominate the mean that replaces it."""
    values = np.append(np.linspace(1000, 2000, 999), 1e12)
    safe = safe_numbers(values, None, 5)
    assert safe.values.max() < 2000


def test_hygiene_does_not_depend_on_the_order_of_rows() -> None:
    """Shuffled rows have the same hygienic values (equal values may swap their groups)."""
    rng = np.random.default_rng(1)
    values = np.round(rng.lognormal(size=500), 1)
    shuffle = rng.permutation(500)
    one, other = safe_numbers(values, None, 5).values, safe_numbers(values[shuffle], None, 5).values
    assert np.array_equal(np.sort(one), np.sort(other))


def test_rare_categories_are_pooled_by_person() -> None:
    """Rows of one person do not make a category frequent."""
    codes = np.repeat([0, 1, 2], [50, 30, 20])
    persons = np.concatenate([np.arange(50), np.zeros(30, dtype=np.int64), np.arange(20)])
    assert pool_rare(codes, 3, None, 5, 100).tolist() == [0, 1, 2]
    assert pool_rare(codes, 3, persons, 5, 100).tolist() == [0, -1, 1]


def test_grid_of_a_column() -> None:
    """Cents, thousands, half points and midnights are recognized; a few strays of fewer than k persons do not matter."""
    rng = np.random.default_rng(2)
    cents = np.round(rng.random(1000) * 100, 2)
    assert grid_step(cents, None, 5, whole=False, seconds=False) == 0.01
    thousands = rng.integers(1, 90, 1000) * 1000.0
    thousands[0] = 1234.0
    assert grid_step(thousands, None, 5, whole=True, seconds=False) == 1000
    assert grid_step(rng.integers(1, 9, 1000) / 2, None, 5, whole=False, seconds=False) == 0.5
    assert grid_step(rng.random(1000), None, 5, whole=False, seconds=False) is None
    assert grid_step(rng.integers(1, 900, 1000) * 86400.0, None, 5, whole=False, seconds=True) == 86400

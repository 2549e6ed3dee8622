"""Laws of the generalization search."""

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.search.lattice import Dimension, Tuples, find_node


def _dimension(name: str, size: int) -> Dimension:
    """Base values 0..size-1; each level halves them; the last has one label."""
    codes, losses, width = [], [], 1
    while True:
        labels = np.arange(size) // width
        below = np.bincount(labels)[labels]
        codes.append(labels.astype(np.int64))
        losses.append(float(np.mean((below - 1) / max(1, size - 1))))
        if width >= size:
            return Dimension(name, tuple(codes), tuple(losses))
        width *= 2


def _brute(dimensions, base, k, allowed):
    """Least loss over all nodes, by definition."""
    total, best = len(base[0]), None
    for node in itertools.product(*(range(len(d.codes)) for d in dimensions)):
        labels = pl.DataFrame({d.name: d.codes[level][codes] for d, level, codes in zip(dimensions, node, base, strict=True)})
        sizes = labels.group_by(pl.all()).len()["len"]
        gone = int(sizes.filter(sizes < k).sum())
        loss = sum(d.losses[level] for d, level in zip(dimensions, node, strict=True)) / len(node)
        value = (1 - gone / total) * loss + gone / total
        if gone <= allowed and (best is None or value < best - 1e-12):
            best = value
    return best


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.sampled_from([0.0, 0.05, 0.3, 1.0]))
def test_a_complete_search_finds_the_optimum(seed: int, k: int, limit: float) -> None:
    """Whatever the table, k and limit: the loss found is the least of all nodes, by exhaustive search."""
    rng = np.random.default_rng(seed)
    dimensions = [_dimension("a", 8), _dimension("b", 5), _dimension("c", 3)]
    base = tuple(rng.integers(0, len(d.codes[0]), 60).astype(np.int64) for d in dimensions)
    found = find_node(dimensions, Tuples(base, np.ones(60, dtype=np.int64), k), limit=limit, budget=10_000)
    assert found.complete
    assert found.feasible
    assert found.loss == pytest.approx(_brute(dimensions, base, k, int(limit * 60)), abs=1e-8)


def test_a_cut_search_says_so_and_is_still_feasible() -> None:
    """With a budget of a few nodes the answer is honest about completeness and keeps within the limit."""
    rng = np.random.default_rng(1)
    dimensions = [_dimension(str(i), 32) for i in range(6)]
    base = tuple(rng.integers(0, 32, 500).astype(np.int64) for _ in dimensions)
    found = find_node(dimensions, Tuples(base, np.ones(500, dtype=np.int64), 5), limit=0.05, budget=60)
    assert not found.complete
    assert found.suppressed <= 25


def test_persons_count_once() -> None:
    """Five rows of one person are one person: they do not make a class of five."""
    dimension = _dimension("a", 2)
    base = (np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1], dtype=np.int64),)
    persons = np.array([0, 0, 0, 0, 0, 1, 2, 3, 4, 5], dtype=np.int64)
    by_row = find_node([dimension], Tuples(base, np.ones(10, dtype=np.int64), 5), limit=0, budget=100)
    by_person = find_node([dimension], Tuples(base, np.ones(10, dtype=np.int64), 5, persons=persons), limit=0, budget=100)
    assert by_row.node == (0,)
    assert by_person.node == (1,)


def test_diversity_is_demanded() -> None:
    """A class with one sensitive value is not 2-diverse however large it is."""
    dimension = _dimension("a", 2)
    base = (np.repeat([0, 1], 5).astype(np.int64),)
    secret = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 0], dtype=np.int64)
    found = find_node([dimension], Tuples(base, np.ones(10, dtype=np.int64), 5, sensitive=(secret,), l=2), limit=0, budget=100)
    assert found.node == (1,)

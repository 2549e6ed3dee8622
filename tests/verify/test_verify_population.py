"""Estimates of population uniques: published reference figures, and samples drawn from a known population."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.verify.population import fit_pitman, population_uniques, zayatz

histograms = st.dictionaries(st.integers(1, 40), st.integers(1, 50), min_size=1, max_size=8)


def arrays(found: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Sizes and how many classes have them."""
    return np.array(sorted(found)), np.array([found[size] for size in sorted(found)])


@settings(max_examples=80, deadline=None)
@given(found=histograms, factor=st.integers(1, 40))
def test_zayatz_equals_its_definition(found, factor):
    """f1 P N / n with hypergeometric probabilities taken from binomial coefficients in exact arithmetic."""
    persons = sum(size * count for size, count in found.items())
    population = persons * factor
    ways = {size: size * math.comb(population - size, persons - 1) for size in found}
    alone = found.get(1, 0)
    expected = alone * ways.get(1, 0) / sum(found[size] * ways[size] for size in found) * alone * 1.0 if alone else 0.0
    expected = expected * population / persons
    if factor == 1 and alone:
        expected = float(alone)  # everybody was sampled
    assert zayatz(*arrays(found), population) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(found=histograms, factor=st.sampled_from([None, 1, 2, 9, 10, 100, 10_000]))
def test_estimates_are_shares(found, factor):
    """Whatever the classes: a share between 0 and 1, the method named, no estimate without uniques."""
    persons = sum(size * count for size, count in found.items())
    for one in population_uniques(*arrays(found), None if factor is None else persons * factor):
        assert 0 <= one.share <= 1
        assert 0 <= one.uniques <= one.size
        assert one.uniques == 0 or 1 in found
        assert one.method == "sample" or one.basis in {"stated", "assumed"}


def test_no_statement_means_everybody():
    """Without a stated size the table is the population: the cautious answer comes first, assumptions follow, marked as such."""
    first, *others = population_uniques(*arrays({1: 30, 2: 20, 5: 10}), None)
    assert (first.basis, first.uniques, first.share) == ("sample", 30.0, 0.25)
    assert [(one.basis, one.size) for one in others] == [("assumed", 1200), ("assumed", 12000)]
    assert population_uniques(*arrays({1: 30, 2: 20}), 10)[0].size == 70  # no population is smaller than its sample


def test_the_rule_chooses_by_sampling_fraction():
    """Pitman up to a tenth, else Zayatz (Dankar et al. 2012)."""
    classes = arrays({1: 300, 2: 120, 3: 60, 4: 40, 9: 20})
    persons = int((classes[0] * classes[1]).sum())
    assert population_uniques(*classes, persons * 10)[0].method == "pitman"
    assert population_uniques(*classes, persons * 9)[0].method == "zayatz"
    assert population_uniques(*arrays({1: 50}), 5000)[0].method == "zayatz"  # all alone: no fit


def test_the_fit_finds_the_parameters_of_its_own_model():
    """A partition drawn from the Ewens-Pitman model (Chinese restaurant process) gives its parameters back."""
    generator = np.random.default_rng(7)
    theta, alpha, persons = 50.0, 0.5, 20_000
    sizes: list[int] = []
    owners = np.empty(persons, dtype=np.int64)
    draws = generator.random(persons)
    for person in range(persons):
        fresh = (theta + alpha * len(sizes)) / (theta + person)
        if draws[person] < fresh:
            owners[person] = len(sizes)
            sizes.append(1)
            continue
        while True:  # old class with probability proportional to size - alpha: a member, thinned
            table = owners[generator.integers(person)]
            if generator.random() < 1 - alpha / sizes[table]:
                break
        owners[person] = table
        sizes[table] += 1
    fitted = fit_pitman(*np.unique(sizes, return_counts=True))
    assert fitted is not None
    assert fitted.alpha == pytest.approx(alpha, abs=0.05)
    assert fitted.theta == pytest.approx(theta, rel=0.3)


def test_samples_of_a_known_population_are_estimated():
    """Ten percent of a long-tailed population: Pitman's figure is near the truth, the sample's own share is far from it."""
    generator = np.random.default_rng(3)
    people = np.minimum(generator.zipf(1.35, 400_000), 10**9)
    truth = int((np.unique(people, return_counts=True)[1] == 1).sum())
    sample = generator.choice(people, 40_000, replace=False)
    classes = np.unique(np.unique(sample, return_counts=True)[1], return_counts=True)
    (one,) = population_uniques(*classes, len(people))
    assert one.method == "pitman"
    assert one.uniques == pytest.approx(truth, rel=0.15)
    assert classes[1][0] / len(sample) > 1.5 * truth / len(people)

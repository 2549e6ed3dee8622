"""Laws of the disclosure models: verdicts by definition, bounds that every refinement keeps."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lattice_oracle import Row, emd, fits, shares, value_counts

from tamis.models import Criteria, Values, distances, enough, least_removed, satisfying

ORDER = [3, 0, 4, 1, 5, 2]
PARENTS = [[0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 1, 1]]
CRITERIA = st.one_of(
    st.builds(Criteria, st.integers(1, 4)),
    st.builds(Criteria, st.integers(1, 3), l=st.integers(2, 4)),
    st.builds(Criteria, st.integers(1, 3), l=st.sampled_from([1.2, 1.5, 2, 3]), diversity=st.just("entropy")),
    st.builds(Criteria, st.integers(1, 3), l=st.integers(2, 3), c=st.sampled_from([0.5, 1.0, 2.0, 4.0]), diversity=st.just("recursive")),
    st.builds(
        Criteria, st.integers(1, 3), t=st.sampled_from([0.05, 0.2, 0.4, 1.0]),
        distance=st.sampled_from(["equal", "ordered", "hierarchical"]), reference=st.sampled_from(["input", "release"]),
    ),
)  # fmt: skip
TABLES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1), st.integers(0, 5)), max_size=60)
"""(class, part of it, sensitive value)"""


def counted(classes: list[int], values: list[int]) -> Values:
    """The distinct (class, value) pairs of rows and their counts."""
    pairs, counts = np.unique(np.array([classes, values], dtype=np.int64).reshape(2, -1), axis=1, return_counts=True)
    return Values(pairs[0], pairs[1], counts.astype(np.int64), np.array(ORDER), tuple(np.array(one) for one in PARENTS))


@settings(max_examples=100, deadline=None)
@given(TABLES, CRITERIA)
def test_verdicts_are_those_of_the_definition(table: list[tuple[int, int, int]], criteria: Criteria) -> None:
    """k, l of every kind: a class satisfies them if and only if plain Python says so; t likewise against the input."""
    sizes = np.bincount([row[0] for row in table], minlength=5).astype(np.int64)
    got = satisfying(criteria, sizes, (counted([row[0] for row in table], [row[2] for row in table]),))
    rows = [Row((), i, value) for i, (_, _, value) in enumerate(table)]
    classes = {label: [row for row, (one, _, _) in zip(rows, table, strict=True) if one == label] for label in range(5)}
    q = shares(value_counts(rows, False))
    for label, members in classes.items():
        good = bool(members) and fits(criteria, members, False, 0)
        if criteria.t is not None and members:
            apart = emd(criteria.distance, shares(value_counts(members, False)), q, ORDER, PARENTS)
            good = good and apart <= criteria.t + 1e-9
        if members and criteria.reference == "input":
            assert got[label] == good
        assert not (got[label] and members) or good


@settings(max_examples=100, deadline=None)
@given(TABLES, st.sampled_from(["equal", "ordered", "hierarchical"]), st.sets(st.integers(0, 4), min_size=1))
def test_distances_are_those_of_the_definition(table: list[tuple[int, int, int]], kind: str, among: set[int]) -> None:
    """Each distance is the earth mover's distance by definition, against any set of classes, and lies between 0 and 1."""
    inside = [row for row in table if row[0] in among]
    mask = np.isin(np.arange(5), list(among))
    got = distances(kind, counted([row[0] for row in table], [row[2] for row in table]), 5, mask)
    assert ((got >= -1e-12) & (got <= 1 + 1e-12)).all()
    q = shares(value_counts([Row((), 0, row[2]) for row in inside], False)) if inside else {}
    for label in {row[0] for row in inside}:
        p = shares(value_counts([Row((), 0, row[2]) for row in inside if row[0] == label], False))
        assert got[label] == pytest.approx(emd(kind, p, q, ORDER, PARENTS), abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(TABLES, st.sampled_from([0.05, 0.2, 0.4]), st.sampled_from(["equal", "ordered", "hierarchical"]))
def test_what_leaves_is_close_to_itself(table: list[tuple[int, int, int]], t: float, kind: str) -> None:
    """Against the release: the classes that stay are within t of the distribution over just them, and of the input's."""
    sizes = np.bincount([row[0] for row in table], minlength=5).astype(np.int64)
    values = counted([row[0] for row in table], [row[2] for row in table])
    stay = satisfying(Criteria(1, t=t, distance=kind), sizes, (values,))
    strict = satisfying(Criteria(1, t=t, distance=kind, reference="input"), sizes, (values,))
    assert not (stay & ~strict).any()
    assert (distances(kind, values, 5, stay)[stay] <= t + 1e-9).all()


@settings(max_examples=150, deadline=None)
@given(TABLES, CRITERIA)
def test_no_refinement_removes_less_than_the_bound(table: list[tuple[int, int, int]], criteria: Criteria) -> None:
    """Split every class in two in any way: what the parts remove is at least what the whole class was said to remove."""
    sizes = np.bincount([row[0] for row in table], minlength=5).astype(np.int64)
    least = least_removed(criteria, sizes, None, (counted([row[0] for row in table], [row[2] for row in table]),))
    parts = [2 * row[0] + row[1] for row in table]
    fine = np.bincount(parts, minlength=10).astype(np.int64)
    stay = satisfying(criteria, fine, (counted(parts, [row[2] for row in table]),))
    gone: dict[int, int] = defaultdict(int)
    for part in np.flatnonzero(~stay):
        gone[int(part) // 2] += int(fine[part])
    for label in range(5):
        assert least[label] <= gone[label]
    whole = satisfying(criteria, sizes, (counted([row[0] for row in table], [row[2] for row in table]),))
    assert (least <= np.where(whole, 0, sizes)).all()


def test_boundaries_hold_as_in_exact_arithmetic() -> None:
    """3 : 3 is entropy 2-diverse; 1 : 1 : 1 : 1 : 1 entropy 5-diverse; r_1 = c x tail is not (c,l)-diverse; exactly t is t."""
    halves = Values(np.array([0, 0]), np.array([0, 1]), np.array([3, 3]))
    assert satisfying(Criteria(5, l=2, diversity="entropy"), np.array([6]), (halves,)).all()
    fifths = Values(np.zeros(5, dtype=np.int64), np.arange(5), np.ones(5, dtype=np.int64))
    assert satisfying(Criteria(5, l=5, diversity="entropy"), np.array([5]), (fifths,)).all()
    tie = Values(np.array([0, 0]), np.array([0, 1]), np.array([3, 10]))
    assert not satisfying(Criteria(1, l=2, c=10 / 3, diversity="recursive"), np.array([13]), (tie,)).any()
    two = Values(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([7, 3, 3, 7]))
    assert satisfying(Criteria(1, t=0.2), np.array([10, 10]), (two,)).all()
    assert not satisfying(Criteria(1, t=0.199), np.array([10, 10]), (two,)).any()


def test_examples_of_the_paper() -> None:
    """Li et al. 2007, section 4: salaries {3,4,5} and {6,8,11} of {3,…,11} are at 0.375 and 0.167; reversed order is as far."""
    salaries = np.array([[0, 1, 2], [3, 5, 8]])
    rest = np.setdiff1d(np.arange(9), salaries)
    values = Values(np.repeat([0, 1, 2], 3), np.concatenate([*salaries, rest]), np.ones(9, dtype=np.int64), np.arange(9))
    everything = np.ones(3, dtype=bool)
    assert distances("ordered", values, 3, everything)[:2] == pytest.approx([0.375, 1 / 6])
    backwards = Values(values.classes, values.values, values.counts, np.arange(9)[::-1])
    assert distances("ordered", backwards, 3, everything)[:2] == pytest.approx([0.375, 1 / 6])


def test_population_models() -> None:
    """k-map counts the population; presence is the share of it that is in the release, and nobody cannot be half present."""
    members, known = np.array([2, 2, 2, 2]), np.array([2, 4, 40, 0])
    assert satisfying(Criteria(2, k_map=4), members, (), known).tolist() == [False, True, True, False]
    assert satisfying(Criteria(2, presence=(0.1, 0.5)), members, (), known).tolist() == [False, True, False, False]
    assert not satisfying(Criteria(2, k_map=2), members).any()


def test_a_class_without_members_satisfies_nothing_but_harms_nobody() -> None:
    """Labels of the population alone are no class of the table."""
    assert not enough(Criteria(2), np.array([0, 2])).tolist()[0]
    empty = Values(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
    assert satisfying(Criteria(2, t=0.1, l=2), np.zeros(0, dtype=np.int64), (empty,)).tolist() == []

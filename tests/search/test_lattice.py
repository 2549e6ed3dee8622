"""Laws of the generalization search: exhaustive enumeration by definition is the oracle."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lattice_oracle import Row, every_node

from tamis.models import Criteria
from tamis.search.branch import Search
from tamis.search.lattice import WORK, Dimension, Found, Sensitive, Tuples, find_node

MODELS = [
    Criteria(2),
    Criteria(3),
    Criteria(5),
    Criteria(2, l=2),
    Criteria(3, l=3),
    Criteria(2, l=2, diversity="entropy"),
    Criteria(2, l=1.4, diversity="entropy"),
    Criteria(2, l=2, c=1.5, diversity="recursive"),
    Criteria(3, l=3, c=2, diversity="recursive"),
    Criteria(2, t=0.3, reference="input"),
    Criteria(2, t=0.15, distance="ordered", reference="input"),
    Criteria(2, t=0.3, distance="hierarchical", reference="input"),
    Criteria(2, l=2, t=0.35, reference="input"),
    Criteria(2, k_map=6),
    Criteria(2, presence=(0.1, 0.6)),
]
ORDER, PARENTS = [2, 0, 3, 1], [[0, 0, 1, 1]]


def halving(name: str, size: int, weight: float = 1.0, *, shuffled: int | None = None) -> Dimension:
    """Base values 0..size-1; each level halves them; the last has one label."""
    codes, penalties, width = [], [], 1
    while True:
        labels = np.arange(size) // width
        if shuffled is not None:
            labels = np.random.default_rng(shuffled).permutation(int(labels.max()) + 1)[labels]
        penalties.append((np.bincount(labels)[labels] - 1) / max(1, size - 1))
        codes.append(labels.astype(np.int64))
        if width >= size:
            return Dimension(name, tuple(codes), tuple(penalties), weight)
        width *= 2


def made(
    seed: int, rows: int, criteria: Criteria, *, persons: bool
) -> tuple[list[Dimension], Tuples, list[Row], list[tuple[tuple[int, ...], int]]]:
    """A random table, as tuples for the search and as rows for the oracle."""
    rng = np.random.default_rng(seed)
    dimensions = [halving("a", 8, 2.0, shuffled=seed), halving("b", 5), halving("c", 3, 0.5)]
    sizes = (8, 5, 3)
    skew = [np.minimum(rng.geometric(0.4, rows) - 1, size - 1) for size in sizes]
    person = rng.integers(0, max(1, rows // 2), rows)
    value = (skew[0] + rng.integers(0, 3, rows)) % 4
    listed = [Row(tuple(int(c[i]) for c in skew), int(person[i]), int(value[i])) for i in range(rows)]
    people = [
        (tuple(int(x) for x in (rng.integers(0, 8), rng.integers(0, 5), rng.integers(0, 3))), int(rng.integers(1, 9))) for _ in range(40)
    ]
    base = tuple(column.astype(np.int64) for column in skew)
    others = (tuple(np.array([one[0][d] for one in people], dtype=np.int64) for d in range(3)), np.array([one[1] for one in people]))
    tuples = Tuples(
        base,
        np.ones(rows, dtype=np.int64),
        criteria,
        persons=person.astype(np.int64) if persons else None,
        sensitive=(Sensitive(value.astype(np.int64), np.array(ORDER), tuple(np.array(one) for one in PARENTS)),),
        population=others if criteria.about_population else None,
    )
    return dimensions, tuples, listed, people


def optimum(nodes: dict[tuple[int, ...], tuple[float, int]], allowed: int) -> tuple[int, ...] | None:
    """By the documented order: loss, sum of levels, node."""
    keys = [(round(loss, 9), sum(node), node) for node, (loss, gone) in nodes.items() if gone <= allowed]
    return min(keys)[2] if keys else None


@settings(max_examples=90, deadline=None)
@given(
    st.integers(0, 10_000), st.sampled_from([0, 1, 4, 25, 60]), st.sampled_from(MODELS), st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    st.sampled_from(["arithmetic", "geometric"]), st.booleans(),
)  # fmt: skip
def test_a_complete_search_finds_the_optimum(
    seed: int, rows: int, criteria: Criteria, limit: float, how: str, persons: bool
) -> None:  # its name
    """Whatever the table, models, limit and aggregate: the node is the best of all, by exhaustive enumeration, and its figures are true."""
    dimensions, tuples, listed, people = made(seed, rows, criteria, persons=persons)
    found = find_node(dimensions, tuples, limit=limit, budget=WORK, loss=how)
    nodes = every_node(dimensions, listed, criteria, how, persons, people, ORDER, PARENTS)
    allowed = math.floor(limit * rows + 1e-9)
    best = optimum(nodes, allowed)
    assert found.complete
    assert found.feasible == (best is not None)
    assert found.loss == pytest.approx(nodes[found.node][0], abs=1e-9)
    assert found.suppressed == nodes[found.node][1]
    if best is not None:
        assert found.node == best
        assert found.lower_bound == found.loss
    for option in found.alternatives:
        assert option.suppressed <= allowed
        assert (option.loss, option.suppressed) == (pytest.approx(nodes[option.node][0], abs=1e-9), nodes[option.node][1])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(MODELS), st.sampled_from([0.0, 0.1, 1.0]), st.integers(0, 400_000))
def test_a_cut_search_is_honest(seed: int, criteria: Criteria, limit: float, budget: int) -> None:
    """Whatever the budget: the lower bound is below every feasible node, `complete` is claimed of optima only, the limit holds."""
    dimensions, tuples, listed, people = made(seed, 40, criteria, persons=False)
    found = find_node(dimensions, tuples, limit=limit, budget=budget)
    nodes = every_node(dimensions, listed, criteria, "arithmetic", False, people, ORDER, PARENTS)
    allowed = math.floor(limit * 40 + 1e-9)
    feasible = [loss for loss, gone in nodes.values() if gone <= allowed]
    assert found.lower_bound <= min(feasible, default=1.0) + 1e-9
    assert found.suppressed == nodes[found.node][1]
    assert not found.feasible or found.suppressed <= allowed
    assert not found.complete or found.feasible == bool(feasible)
    if found.complete and feasible:
        assert found.loss == pytest.approx(min(feasible), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.15, 0.3]), st.sampled_from(["equal", "ordered", "hierarchical"]), st.booleans())
def test_what_must_hold_of_the_release_is_searched_completely(seed: int, t: float, distance: str, persons: bool) -> None:
    """t against the release, whose verdicts depend on one another: pruned or not, the best of all nodes is found."""
    dimensions, tuples, _, _ = made(seed, 50, Criteria(2, t=t, distance=distance), persons=persons)  # type: ignore[arg-type]
    found = find_node(dimensions, tuples, limit=0.4, budget=WORK)
    every = Search(dimensions, tuples, 20, WORK, "arithmetic")
    looks = [every.look(node) for node in itertools.product(*(range(len(d.codes)) for d in dimensions))]
    best = min(
        (look for look in looks if look.suppressed <= 20), key=lambda one: (round(one.loss, 12), sum(one.node), one.node), default=None
    )
    assert found.complete
    assert found.feasible == (best is not None)
    assert best is None or (found.node, found.suppressed) == (best.node, best.suppressed)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(MODELS), st.booleans(), st.sampled_from([2_000, WORK]))
def test_the_order_of_rows_does_not_matter(seed: int, criteria: Criteria, persons: bool, budget: int) -> None:
    """The same rows in another order, whole or gathered into counts, give the same answer, cut or not."""
    dimensions, tuples, _, _ = made(seed, 50, criteria, persons=persons)
    order = np.random.default_rng(seed + 1).permutation(50)
    secret = tuples.sensitive[0]
    other = Tuples(
        tuple(base[order] for base in tuples.base), tuples.rows, criteria, None if tuples.persons is None else tuples.persons[order],
        (Sensitive(secret.codes[order], secret.order, secret.parents),), tuples.population,
    )  # fmt: skip
    one, two = (find_node(dimensions, these, limit=0.1, budget=budget) for these in (tuples, other))
    assert one == two


def test_a_large_lattice_is_cut_and_says_so() -> None:
    """Twenty columns: the budget ends the search; what it returns is feasible, honest, and better than suppressing or erasing all."""
    rng = np.random.default_rng(1)
    dimensions = [halving(str(i), 32) for i in range(20)]
    base = tuple(np.minimum(rng.geometric(0.3, 500), 31).astype(np.int64) for _ in dimensions)
    found = find_node(dimensions, Tuples(base, np.ones(500, dtype=np.int64), Criteria(5)), limit=0.05, budget=3_000_000)
    assert not found.complete
    assert found.feasible
    assert found.suppressed <= 25
    assert found.lower_bound <= found.loss < 0.95


def test_levels_that_do_not_nest_are_searched_without_pruning_by_them() -> None:
    """Bands of three above bands of two: classes of a coarse level split those of a fine one, and still the optimum is found."""
    rng = np.random.default_rng(3)
    codes = tuple((np.arange(12) // width).astype(np.int64) for width in (1, 2, 3, 12))
    uneven = Dimension("a", codes, tuple((np.bincount(code)[code] - 1) / 11 for code in codes))
    dimensions = [uneven, halving("b", 5), halving("c", 3)]
    listed = [Row((int(rng.integers(12)), int(rng.integers(5)), int(rng.integers(3))), i, 0) for i in range(80)]
    base = tuple(np.array([row.base[d] for row in listed]) for d in range(3))
    for limit in (0.0, 0.1, 1.0):
        found = find_node(dimensions, Tuples(base, np.ones(80, dtype=np.int64), Criteria(3)), limit=limit, budget=WORK)
        nodes = every_node(dimensions, listed, Criteria(3), "arithmetic", False, [], ORDER, PARENTS)
        assert found.complete
        assert found.node == optimum(nodes, math.floor(limit * 80))


def test_wide_labels_are_packed_exactly() -> None:
    """Columns whose codes need more than one machine word, with persons and values behind them, are told apart exactly."""
    rng = np.random.default_rng(5)
    wide = [Dimension(str(i), (np.arange(40_000),), (np.zeros(40_000),)) for i in range(6)]
    base = tuple(rng.choice(np.array([0, 39_999]), 64) for _ in wide)
    sizes = np.unique(np.array(base), axis=1, return_counts=True)[1]
    rows, everyone, secret = np.ones(64, dtype=np.int64), np.arange(64) * 9_000, (Sensitive(np.arange(64) * 10_000),)
    plain = Tuples(base, rows, Criteria(2))
    personal = Tuples(base, rows, Criteria(2, l=2), persons=everyone, sensitive=secret)
    for tuples in (plain, personal):
        assert find_node(wide, tuples, limit=1.0, budget=WORK).suppressed == int(sizes[sizes < 2].sum())


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_fewer_rows_than_k(rows: int) -> None:
    """Nothing satisfies k: the answer is not feasible unless all may be suppressed, and proven so."""
    tuples = Tuples((np.zeros(rows, dtype=np.int64),), np.ones(rows, dtype=np.int64), Criteria(5))
    none, everything = (find_node([halving("a", 4)], tuples, limit=limit, budget=WORK) for limit in (0.0, 1.0))
    assert none.complete
    assert none.feasible == (rows == 0)
    assert everything.feasible
    assert everything.suppressed == rows


def test_no_columns_are_one_class() -> None:
    """Without quasi-identifiers all rows are one class."""
    found: Found = find_node([], Tuples((), np.array([7]), Criteria(5)), limit=0.0, budget=WORK)
    assert (found.node, found.loss, found.suppressed, found.complete) == ((), 0.0, 0, True)


def test_persons_count_once() -> None:
    """Five rows of one person are one person: they do not make a class of five."""
    dimension = halving("a", 2)
    base = (np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1], dtype=np.int64),)
    persons = np.array([0, 0, 0, 0, 0, 1, 2, 3, 4, 5], dtype=np.int64)
    by_row = find_node([dimension], Tuples(base, np.ones(10, dtype=np.int64), Criteria(5)), limit=0, budget=WORK)
    by_person = find_node([dimension], Tuples(base, np.ones(10, dtype=np.int64), Criteria(5), persons=persons), limit=0, budget=WORK)
    assert by_row.node == (0,)
    assert by_person.node == (1,)


def test_weights_say_what_is_generalized_last() -> None:
    """Two alike columns of which one must go: it is the one that weighs less."""
    base = tuple(np.array([0, 0, 1, 1], dtype=np.int64)[order] for order in ([0, 1, 2, 3], [0, 2, 1, 3]))
    for first, second, node in ((3.0, 1.0, (0, 1)), (1.0, 3.0, (1, 0))):
        dimensions = [halving("a", 2, first), halving("b", 2, second)]
        assert find_node(dimensions, Tuples(base, np.ones(4, dtype=np.int64), Criteria(2)), limit=0, budget=WORK).node == node


def test_alternatives_are_not_beaten() -> None:
    """No alternative is matched or beaten in loss, suppression and both risks by another; the optimum is the first."""
    dimensions, tuples, _, _ = made(4, 60, Criteria(3), persons=False)
    found = find_node(dimensions, tuples, limit=0.5, budget=WORK, alternatives=50)
    figures = [(o.loss, o.suppressed, o.highest_risk, o.average_risk) for o in found.alternatives]
    assert found.alternatives[0].node == found.node
    assert not any(all(x <= y for x, y in zip(a, b, strict=True)) for i, a in enumerate(figures) for j, b in enumerate(figures) if i != j)
    assert len(find_node(dimensions, tuples, limit=0.5, budget=WORK, alternatives=3).alternatives) <= 3

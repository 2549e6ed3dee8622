"""Laws of local recoding: every cell satisfies the model under first cover, labels are ancestors, figures are those of the release."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.cells import Conditions, first_cover
from tamis.models import Criteria
from tamis.search.lattice import Dimension, Sensitive, Tuples
from tamis.search.local import QUICK, find_cells

PROBLEMS = 40


def tree(parents: list[list[int]], weight: float = 1.0) -> Dimension:
    """A dimension from the parent of every code, level by level; penalties by leaves."""
    codes = [np.arange(len(parents[0]), dtype=np.int64)]
    for step in parents:
        codes.append(np.asarray(step, dtype=np.int64)[codes[-1]])
    leaves = len(parents[0])
    penalties = [(np.bincount(code)[code] - 1) / max(1, leaves - 1) for code in codes]
    return Dimension("d", tuple(codes), tuple(np.asarray(one, dtype=np.float64) for one in penalties), weight)


@st.composite
def dimensions(draw: st.DrawFn) -> Dimension:
    """A tree of two or three levels over up to seven values."""
    leaves = draw(st.integers(1, 7))
    middle = draw(st.integers(1, leaves))
    step = [*range(middle), *draw(st.lists(st.integers(0, middle - 1), min_size=leaves - middle, max_size=leaves - middle))]
    levels = [step, [0] * middle] if draw(st.booleans()) else [step]
    return tree(levels, draw(st.sampled_from([1.0, 3.0])))


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Dimension], list[tuple[int, ...]], list[int]]:
    """Dimensions, rows of codes, and a number per row that is a person or a value."""
    dims = draw(st.lists(dimensions(), min_size=1, max_size=3))
    row = st.tuples(*[st.integers(0, len(dim.codes[0]) - 1) for dim in dims])
    rows = draw(st.lists(row, min_size=0, max_size=30))
    persons = draw(st.lists(st.integers(0, 9), min_size=len(rows), max_size=len(rows)))
    return dims, rows, persons


def tuples_of(
    dims: list[Dimension],
    rows: list[tuple[int, ...]],
    criteria: Criteria,
    persons: list[int] | None = None,
    values: list[int] | None = None,
) -> Tuples:
    """Rows counted as the search takes them."""
    counted = Counter(zip(rows, persons or [0] * len(rows), values or [0] * len(rows), strict=True))
    keys = list(counted)
    base = tuple(np.array([key[0][d] for key in keys], dtype=np.int64) for d in range(len(dims)))
    return Tuples(
        base,
        np.array([counted[key] for key in keys], dtype=np.int64),
        criteria,
        persons=np.array([key[1] for key in keys], dtype=np.int64) if persons is not None else None,
        sensitive=(Sensitive(np.array([key[2] for key in keys], dtype=np.int64)),) if values is not None else (),
    )


def first_by_hand(
    levels: np.ndarray, labels: np.ndarray, dims: list[Dimension], row: tuple[int, ...], only: Conditions | None = None
) -> int:
    """The definition, one cell after the other."""
    asked = defaultdict(set)
    if only is not None:
        for cell, d, level, label in zip(*(part.tolist() for part in (only.cell, only.dimension, only.level, only.label)), strict=True):
            asked[cell, d].add((level, label))
    for number, (level, label) in enumerate(zip(levels.tolist(), labels.tolist(), strict=True)):
        if all(int(dim.codes[height][code]) == name for dim, height, name, code in zip(dims, level, label, row, strict=True)) and all(
            any(int(dims[d].codes[height][row[d]]) == name for height, name in names)
            for (cell, d), names in asked.items()
            if cell == number
        ):
            return number
    return -1


def loss_by_hand(levels: np.ndarray, dims: list[Dimension], rows: list[tuple[int, ...]], of: list[int]) -> float:
    """The definition, row by row; a suppressed row loses 1."""
    whole = sum(dim.weight for dim in dims)
    lost = 0.0
    for row, cell in zip(rows, of, strict=True):
        lost += 1.0 if cell < 0 else sum(dim.weight * float(dim.penalties[levels[cell, d]][row[d]]) / whole for d, dim in enumerate(dims))
    return lost / max(1, len(rows))


@given(tables(), st.integers(1, 6), st.sampled_from([0.0, 0.1, 1.0]))
@settings(max_examples=PROBLEMS, deadline=None)
def test_every_cell_holds_k_rows_and_all_figures_are_those_of_first_cover(table, k, limit):
    """Whatever table and k: each cell has at least k of the rows that it is the first to cover, and loss and suppression are theirs."""
    dims, rows, _ = table
    found = find_cells(dims, tuples_of(dims, rows, Criteria(k=k)), limit=limit, budget=200_000)
    of = [first_by_hand(found.levels, found.labels, dims, row, found.only) for row in rows]
    sizes = Counter(cell for cell in of if cell >= 0)
    assert sorted(sizes) == list(range(found.classes))
    assert all(size >= k for size in sizes.values())
    assert found.members.tolist() == [sizes[cell] for cell in range(found.classes)]
    assert found.suppressed == of.count(-1)
    assert found.feasible == (found.suppressed <= int(limit * len(rows) + 1e-9))
    assert found.loss == pytest.approx(loss_by_hand(found.levels, dims, rows, of), abs=1e-9)


@given(tables(), st.integers(1, 6))
@settings(max_examples=PROBLEMS, deadline=None)
def test_nothing_is_suppressed_where_one_label_for_all_would_do(table, k):
    """With a label for everything in every dimension, k rows are enough to release all of them."""
    dims, rows, _ = table
    dims = [tree([dim.codes[1].tolist(), [0] * (int(dim.codes[1].max()) + 1)]) for dim in dims]
    found = find_cells(dims, tuples_of(dims, rows, Criteria(k=k)), limit=0.0, budget=200_000)
    assert found.suppressed == (len(rows) if len(rows) < k else 0)


@given(tables(), st.integers(1, 4))
@settings(max_examples=PROBLEMS, deadline=None)
def test_persons_are_counted_once_however_many_rows_they_have(table, k):
    """Where rows belong to persons, each cell has at least k different persons."""
    dims, rows, persons = table
    found = find_cells(dims, tuples_of(dims, rows, Criteria(k=k), persons), limit=0.0, budget=200_000)
    members = defaultdict(set)
    for row, person in zip(rows, persons, strict=True):
        members[first_by_hand(found.levels, found.labels, dims, row, found.only)].add(person)
    members.pop(-1, None)
    assert all(len(one) >= k for one in members.values())
    assert found.members.tolist() == [len(members[cell]) for cell in range(found.classes)]


@given(tables(), st.integers(1, 4), st.booleans())
@settings(max_examples=PROBLEMS, deadline=None)
def test_conditions_name_only_labels_that_k_persons_have(table, k, counted):
    """What a cell asks beside its labels may stand in a plan: at least k persons (or rows) of the table have each label named."""
    dims, rows, persons = table
    found = find_cells(dims, tuples_of(dims, rows, Criteria(k=k), persons if counted else None), limit=0.0, budget=200_000)
    only = found.only
    for cell, d, level, label in zip(*(part.tolist() for part in (only.cell, only.dimension, only.level, only.label)), strict=True):
        assert 0 <= cell < found.classes
        having = [place for place, row in enumerate(rows) if int(dims[d].codes[level][row[d]]) == label]
        assert len({persons[place] for place in having} if counted else having) >= k


def test_conditions_tell_cells_apart_whose_labels_overlap():
    """Conditions are found where no order of the labels alone would do, and the cells they belong to hold k rows by them."""
    dims, tuples, rows = census(400)
    found = find_cells(dims, tuples, limit=0.0)
    of = [first_by_hand(found.levels, found.labels, dims, row, found.only) for row in rows]
    alone = first_cover(found.levels, found.labels, [dim.codes for dim in dims], [np.array(column) for column in zip(*rows, strict=True)])
    assert len(found.only.cell)
    assert min(Counter(of).values()) >= 5
    assert of != alone.tolist()


@given(tables(), st.floats(0.1, 0.6))
@settings(max_examples=PROBLEMS, deadline=None)
def test_ordered_closeness_holds_in_every_cell(table, t):
    """The ordered distance between the values of each cell and those of all released rows is at most t."""
    dims, rows, values = table
    values = [value % 4 for value in values]
    tuples = tuples_of(dims, rows, Criteria(k=2, t=t, distance="ordered"), values=values)
    order = np.arange(4, dtype=np.int64)
    found = find_cells(dims, replace(tuples, sensitive=(Sensitive(tuples.sensitive[0].codes, order),)), limit=1.0, budget=200_000)
    inside = defaultdict(lambda: np.zeros(4))
    for row, value in zip(rows, values, strict=True):
        inside[first_by_hand(found.levels, found.labels, dims, row, found.only)][value] += 1
    inside.pop(-1, None)
    whole = sum(inside.values(), np.zeros(4))
    released = whole > 0
    for counts in inside.values():
        far = np.abs(np.cumsum((counts / counts.sum() - whole / whole.sum())[released])).sum()
        assert far <= t * max(1, released.sum() - 1) + 1e-9


@given(tables(), st.data())
@settings(max_examples=PROBLEMS, deadline=None)
def test_presence_holds_in_every_cell(table, data):
    """The share of the covered population that is in the data lies between the two bounds, in each cell."""
    dims, rows, _ = table
    others = data.draw(st.lists(st.tuples(*[st.integers(0, len(dim.codes[0]) - 1) for dim in dims]), max_size=30))
    everyone = [*rows, *others]
    tuples = tuples_of(dims, rows, Criteria(k=1, presence=(0.2, 0.7)))
    columns = tuple(np.array([row[d] for row in everyone], dtype=np.int64) for d in range(len(dims)))
    found = find_cells(dims, replace(tuples, population=(columns, np.ones(len(everyone), dtype=np.int64))), limit=1.0, budget=200_000)
    here = Counter(first_by_hand(found.levels, found.labels, dims, row, found.only) for row in rows)
    there = Counter(first_by_hand(found.levels, found.labels, dims, row, found.only) for row in everyone)
    assert all(0.2 - 1e-9 <= here[cell] / there[cell] <= 0.7 + 1e-9 for cell in range(found.classes))


@given(tables(), st.sampled_from(["distinct", "entropy", "recursive", "t"]))
@settings(max_examples=PROBLEMS, deadline=None)
def test_the_models_of_sensitive_values_hold_in_every_cell(table, model):
    """l-diversity of each kind and t-closeness hold among the rows of each cell; t against what is released, too."""
    dims, rows, values = table
    values = [value % 3 for value in values]
    criteria = Criteria(k=2, t=0.4) if model == "t" else Criteria(k=2, l=2, diversity=model, c=2.0)
    found = find_cells(dims, tuples_of(dims, rows, criteria, values=values), limit=1.0, budget=200_000)
    inside = defaultdict(Counter)
    for row, value in zip(rows, values, strict=True):
        inside[first_by_hand(found.levels, found.labels, dims, row, found.only)][value] += 1
    inside.pop(-1, None)
    whole = sum(inside.values(), Counter())
    for counts in inside.values():
        share = np.array(sorted(counts.values(), reverse=True)) / counts.total()
        match model:
            case "distinct":
                assert len(counts) >= 2
            case "entropy":
                assert np.exp(-(share * np.log(share)).sum()) >= 2 - 1e-9
            case "recursive":
                assert share[0] < 2.0 * share[1:].sum()
            case _:
                far = sum(max(counts[value] / counts.total() - whole[value] / whole.total(), 0.0) for value in whole)
                assert far <= 0.4 + 1e-9


@given(tables(), st.integers(1, 4), st.randoms())
@settings(max_examples=30, deadline=None)
def test_cells_do_not_depend_on_the_order_of_rows(table, k, random):
    """The same table in another order has the same cells."""
    dims, rows, _ = table
    one = find_cells(dims, tuples_of(dims, rows, Criteria(k=k)), limit=0.0, budget=200_000)
    shuffled = list(rows)
    random.shuffle(shuffled)
    other = find_cells(dims, tuples_of(dims, shuffled, Criteria(k=k)), limit=0.0, budget=200_000)
    assert np.array_equal(one.levels, other.levels)
    assert np.array_equal(one.labels, other.labels)


def census(size: int, seed: int = 3) -> tuple[list[Dimension], Tuples, list[tuple[int, ...]]]:
    """A skewed table of four dimensions."""
    random = np.random.default_rng(seed)
    dims = [
        tree([(np.arange(60) // 5).tolist(), (np.arange(12) // 4).tolist(), [0] * 3]),
        tree([(np.arange(12) // 3).tolist(), [0] * 4]),
        tree([[0, 0, 1, 1, 1, 2, 2], [0, 0, 0]]),
        tree([[0, 0]]),
    ]
    rows = [
        tuple(row)
        for row in np.stack(
            [
                np.minimum(59, random.gamma(3.0, 9.0, size)).astype(int),
                np.minimum(11, random.geometric(0.3, size) - 1),
                random.integers(0, 7, size),
                random.integers(0, 2, size),
            ],
            axis=1,
        ).tolist()
    ]
    return dims, tuples_of(dims, rows, Criteria(k=5)), rows


def test_local_recoding_loses_less_than_the_best_node():
    """Classes of their own levels lose less than any one node of the lattice that suppresses nothing."""
    dims, tuples, rows = census(1500)
    found = find_cells(dims, tuples, limit=0.0, budget=3_000_000)
    best = min(
        loss_by_hand(np.array([node]), dims, rows, [0] * len(rows))
        for node in itertools.product(*[range(len(dim.codes)) for dim in dims])
        if min(Counter(tuple(int(d.codes[lv][c]) for d, lv, c in zip(dims, node, row, strict=True)) for row in rows).values()) >= 5
    )
    assert found.suppressed == 0
    assert found.loss < best / 3


def test_more_budget_never_loses_more():
    """The search keeps the best it has seen: work only lowers the loss, and a budget of nothing has a result."""
    dims, tuples, _ = census(200)
    found = [find_cells(dims, tuples, limit=0.0, budget=budget) for budget in (QUICK, 300_000, 900_000)]
    assert [one.suppressed for one in found] == [0, 0, 0]
    assert found[0].loss > found[1].loss
    assert found[1].loss >= found[2].loss - 1e-12


def test_a_dimension_of_more_weight_is_kept_finer():
    """Weights say which column's detail is worth more."""
    dims, tuples, rows = census(400)
    means = []
    for weight in (0.1, 10.0):
        own = [replace(dims[0], weight=weight), *dims[1:]]
        found = find_cells(own, tuples, limit=0.0, budget=1_000_000)
        of = [first_by_hand(found.levels, found.labels, own, row, found.only) for row in rows]
        means.append(np.mean([dims[0].penalties[found.levels[cell, 0]][row[0]] for cell, row in zip(of, rows, strict=True)]))
    assert means[1] < means[0] / 2


def test_blocks_keep_every_law(monkeypatch):
    """A table that is cut into blocks has cells of at least k rows, too, and suppresses nothing that a label for all could hold."""
    import tamis.search.local as local
    import tamis.search.local_blocks as local_blocks

    monkeypatch.setattr(local, "_BLOCK", 120)
    monkeypatch.setattr(local_blocks, "_SMALL", 30)
    dims, tuples, rows = census(1500)
    found = find_cells(dims, tuples, limit=0.0, budget=500_000)
    sizes = Counter(first_by_hand(found.levels, found.labels, dims, row, found.only) for row in rows)
    assert found.suppressed == 0
    assert min(sizes.values()) >= 5


def test_levels_that_do_not_nest_are_not_used():
    """A level whose labels cut across those below is no ancestor: it is left out, the others keep their numbers."""
    codes = (np.arange(6), np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 2, 2]), np.zeros(6, dtype=np.int64))
    penalties = tuple((np.bincount(code)[code] - 1) / 5 for code in codes)
    dims = [Dimension("d", codes, penalties)]
    rows = [(code,) for code in range(6)]
    found = find_cells(dims, tuples_of(dims, rows, Criteria(k=3)), limit=0.0)
    assert set(found.levels[:, 0].tolist()) == {1}
    assert found.loss == pytest.approx(0.4)


def test_a_ladder_without_a_label_for_all_leads_to_suppression_and_says_so():
    """What no common label can hold is suppressed; `feasible` says whether the limit allows that."""
    dims = [tree([[0, 0, 1]])]
    rows = [(0,), (1,), (2,)]
    for limit, feasible in ((0.0, False), (0.4, True)):
        found = find_cells(dims, tuples_of(dims, rows, Criteria(k=2)), limit=limit)
        assert (found.suppressed, found.classes, found.feasible) == (1, 1, feasible)


def test_k_map_counts_the_population_that_a_cell_covers():
    """A cell is as large as the population whose first cell it is."""
    dims = [tree([[0, 0, 1, 1], [0, 0]])]
    rows = [(code,) for code in (0, 1, 2, 3)]
    tuples = tuples_of(dims, rows, Criteria(k=1, k_map=3))
    population = ((np.array([0, 1, 2, 3]),), np.array([3, 1, 1, 2]))
    found = find_cells(dims, Tuples(tuples.base, tuples.rows, tuples.criteria, population=population), limit=0.0)
    of = first_cover(found.levels, found.labels, [dims[0].codes], population[0], found.only)
    sizes = np.bincount(of, weights=population[1])
    assert found.suppressed == 0
    assert sizes.min() >= 3
    assert found.classes == 2


@given(tables(), st.data())
@settings(max_examples=PROBLEMS, deadline=None)
def test_first_cover_is_its_definition(table, data):
    """Bits and splits give what trying one cell after the other gives, whatever the number of cells at once."""
    import tamis.cells as cells

    dims, rows, _ = table
    heights = [st.integers(0, len(dim.codes) - 1) for dim in dims]
    levels = np.array(data.draw(st.lists(st.tuples(*heights), max_size=20)), dtype=np.int64).reshape(-1, len(dims))
    labels = np.array(
        [[data.draw(st.integers(0, int(dims[d].codes[level].max()))) for d, level in enumerate(cell)] for cell in levels.tolist()],
        dtype=np.int64,
    ).reshape(-1, len(dims))
    asked = data.draw(
        st.lists(st.tuples(st.integers(0, 19), st.integers(0, len(dims) - 1), st.integers(0, 3), st.integers(0, 6)), max_size=12)
    )
    asked = [one for one in asked if one[0] < len(levels) and one[2] < len(dims[one[1]].codes)]
    only = Conditions(*np.array(asked, dtype=np.int64).reshape(-1, 4).T)
    base = [np.array([row[d] for row in rows], dtype=np.int64) for d in range(len(dims))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "_PAIRS", data.draw(st.sampled_from([1, 30, 1 << 30])))
        patch.setattr(cells, "_TUPLES", 7)
        found = first_cover(levels, labels, [dim.codes for dim in dims], base, only)
    assert found.tolist() == [first_by_hand(levels, labels, dims, row, only) for row in rows]

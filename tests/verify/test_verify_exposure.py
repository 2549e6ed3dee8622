"""Prosecutor, journalist and marketer risk, contributions of columns and special uniques against plain Python."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verify_made import plan_of, table_plan

from tamis.core.actions import AsCell, AsIs, Drop, Generalize, NumberBand
from tamis.core.plan import Cell, Classes
from tamis.core.types import Role
from tamis.verify.classes import Packed, count_classes
from tamis.verify.risk import NO_ROWS, Origin, input_risk, table_risk
from tamis.verify.shapes import Models, Shape, shapes_of_plan
from tamis.verify.special import minimal_uniques, special_uniques

NAMES = ("age", "^x$", "a.b \"c'\n<b>")
SCHEMA = {NAMES[0]: pl.String, NAMES[1]: pl.Float64, NAMES[2]: pl.Int64, "u": pl.Int64}
rows = st.lists(
    st.tuples(
        st.sampled_from([None, "a", "b", ""]), st.sampled_from([None, math.nan, 1.0, 2.0]), st.sampled_from([None, 0, 7]), st.integers(0, 5)
    ),
    max_size=25,
)


def frame_of(drawn: list) -> pl.LazyFrame:
    """The rows as a table."""
    return pl.DataFrame(drawn, schema=SCHEMA, orient="row").lazy()


def shape(unit: str | None = None) -> Shape:
    """The table under test: every column but the person is a quasi-identifier."""
    return Shape("t", NAMES, (), unit, None, personal=True, references=())


def cells(row: tuple) -> tuple:
    """The quasi-identifiers of a row; NaN is null."""
    return row[0], None if row[1] is None or math.isnan(row[1]) else row[1], row[2]


def sizes_on(drawn: list, columns: tuple[int, ...], unit: bool) -> dict[tuple, set]:
    """Class to its members."""
    found = defaultdict(set)
    for place, row in enumerate(drawn):
        found[tuple(cells(row)[i] for i in columns)].add(row[3] if unit else place)
    return found


def figures_on(drawn: list, columns: tuple[int, ...], unit: bool, threshold: float) -> tuple[float, float, float, float]:
    """Highest, average, at risk, alone: per person the smallest class."""
    classes = sizes_on(drawn, columns, unit)
    smallest: dict = {}
    for members in classes.values():
        for person in members:
            smallest[person] = min(smallest.get(person, len(members)), len(members))
    n = len(smallest)
    if not n:
        return 0.0, 0.0, 0.0, 0.0
    return (
        1 / min(smallest.values()),
        sum(1 / size for size in smallest.values()) / n,
        sum(1 / size > threshold for size in smallest.values()) / n,
        sum(size == 1 for size in smallest.values()) / n,
    )


@settings(max_examples=60, deadline=None)
@given(drawn=rows, unit=st.booleans(), threshold=st.sampled_from([0.0, 0.2, 0.25, 0.5]))
def test_figures_equal_brute_force(drawn, unit, threshold):
    """Every figure, with all columns and without each of them, is that of a naive count per person."""
    found = table_risk(frame_of(drawn), shape("u" if unit else None), Models(risk_threshold=threshold)).exposure
    expected = figures_on(drawn, (0, 1, 2), unit, threshold)
    assert (found.highest, found.average, found.at_risk, found.unique) == pytest.approx(expected, abs=2e-6)
    assert (found.journalist_highest, found.journalist_average, found.journalist_at_risk) == (found.highest, found.average, found.at_risk)
    classes = sizes_on(drawn, (0, 1, 2), unit)
    memberships = sum(len(members) for members in classes.values())
    assert found.marketer == pytest.approx(len(classes) / memberships if drawn else 0.0, abs=2e-6)
    assert found.persons == (len({row[3] for row in drawn}) if unit else len(drawn))
    for index, column in enumerate(found.columns):
        fewer = figures_on(drawn, tuple(i for i in range(3) if i != index), unit, threshold)
        assert column.column == NAMES[index]
        assert (column.highest, column.average, column.at_risk, column.unique) == pytest.approx(fewer, abs=2e-6)


@settings(max_examples=60, deadline=None)
@given(drawn=rows, unit=st.booleans())
def test_minimal_uniques_equal_brute_force(drawn, unit):
    """A class has exactly the minimal combinations on which nobody else agrees with its person."""
    classes = count_classes(frame_of(drawn), NAMES, "u" if unit else None)
    found, complete = minimal_uniques(classes, Packed.of(classes.keys), 3, 10**9)
    assert complete == 3
    labels = [tuple(row) for row in pl.DataFrame([classes.keys[c].cast(pl.String) for c in classes.keys.columns]).iter_rows()]
    shown = {columns: {labels[place] for place in places} for columns, places in found.items()}
    alone: dict[tuple, list[tuple[int, ...]]] = defaultdict(list)
    expected: dict[tuple[int, ...], set] = defaultdict(set)
    for size in (1, 2, 3):
        for columns in combinations(range(3), size):
            groups = sizes_on(drawn, columns, unit)
            for row in drawn:
                if len(groups[tuple(cells(row)[i] for i in columns)]) != 1:
                    continue
                if not any(set(fewer) < set(columns) for fewer in alone[cells(row)]):
                    expected[columns].add(tuple(None if v is None else str(v) for v in cells(row)))
                    alone[cells(row)].append(columns)
    assert shown == dict(expected)


def test_scores_follow_their_definition():
    """Four columns, combinations of up to three: an MSU of one column scores 3·2·1 of the product (4-1)(4-2)(4-3)."""
    table = pl.DataFrame({"a": [1, 2, 2, 2], "b": [0, 0, 0, 0], "c": [0, 0, 1, 1], "d": [5, 5, 5, 5]}).lazy()
    classes = count_classes(table, ("a", "b", "c", "d"), None)
    found, _ = minimal_uniques(classes, Packed.of(classes.keys), 3, 10**9)
    assert set(found) == {(0,), (0, 2)}  # the first by a alone, the second by a and c
    special = special_uniques(classes, 0.1)
    assert special.share == 0.5
    assert special.contributions == pytest.approx(((6 + 2) / 8, 0, 2 / 8, 0))
    dis = 0.1 * 2 / (0.1 * 2 + 2 * 0.9 * 1)
    assert special.dis == pytest.approx(dis)
    assert special.dis_highest == pytest.approx(6 * dis * 2 / 8)


def test_a_cut_search_says_so():
    """Within the budget whole sizes are looked at or none, and the size reached is told."""
    table = pl.DataFrame({name: np.arange(20) // width for name, width in (("a", 20), ("b", 4), ("c", 5), ("d", 7))}).lazy()
    classes = count_classes(table, ("a", "b", "c", "d"), None)
    height = classes.keys.height
    assert [special_uniques(classes, budget=height * units).complete for units in (3, 4, 9, 10, 14)] == [0, 1, 1, 2, 3]


def test_without_rows_nobody_is_exposed():
    """A table without rows has figures, all zero, and says why."""
    found = table_risk(frame_of([]), shape(), Models())
    assert found.exposure.highest == found.exposure.average == found.exposure.special == 0.0
    assert {m.note for m in found.measures if m.name.startswith("risk.prosecutor")} == {NO_ROWS}
    assert found.sizes.k == 0


def test_one_column_and_only_nulls():
    """A column of nulls is one class; without its only column there is one class too."""
    table = pl.DataFrame({"x": [None, None, None]}, schema={"x": pl.String}).lazy()
    found = input_risk(table, "t", ("x",), None, Models()).exposure
    assert found.highest == pytest.approx(1 / 3, abs=1e-6)
    assert found.columns[0].highest == found.highest


def test_the_threshold_is_strict():
    """A class of five has a risk of 0.2: not above 0.2."""
    table = pl.DataFrame({"x": ["a"] * 5 + ["b"] * 4}).lazy()
    assert input_risk(table, "t", ("x",), None, Models(risk_threshold=0.2)).exposure.at_risk == pytest.approx(4 / 9, abs=1e-6)


def test_before_figures_are_internal_and_after_figures_are_verifiable():
    """Nothing of the input is published; what the release shows can be recomputed from it."""
    drawn = [("a", 1.0, 7, 1), ("a", 1.0, 7, 2)]
    old = input_risk(frame_of(drawn), "t", NAMES, "u", Models()).measures
    assert all(m.internal for m in old)
    assert all(m.name.partition("@")[0].endswith("_before") for m in old)
    assert all(m.verifiable and not m.internal for m in table_risk(frame_of(drawn), shape("u"), Models()).measures)


@settings(max_examples=40, deadline=None)
@given(drawn=rows.filter(bool), others=rows)
def test_population_figures_equal_brute_force(drawn, others):
    """k-map, presence and journalist risk count the population's persons in the classes of the release."""
    frame = frame_of(drawn)
    plan = table_plan("t", frame.collect(), {}, quasi=NAMES)
    found = table_risk(frame, shape(), Models(), Origin(frame, plan, frame_of(others)))
    value = {m.name.removesuffix("@t"): m.value for m in found.measures}
    sample, people = sizes_on(drawn, (0, 1, 2), unit=False), sizes_on(others, (0, 1, 2), unit=False)
    pairs = [(len(members), len(people.get(key, ()))) for key, members in sample.items()]
    assert value["risk.k_map"] == min(known for _, known in pairs)
    shares = [n / known if known else 1.0 for n, known in pairs]
    assert (value["risk.presence_low"], value["risk.presence_high"]) == pytest.approx((min(shares), max(shares)), abs=2e-6)
    risks = [1 / max(n, known) for n, known in pairs for _ in range(n)]
    assert value["risk.journalist_highest"] == pytest.approx(max(risks), abs=2e-6)
    assert value["risk.journalist_average"] == pytest.approx(sum(risks) / len(risks), abs=2e-6)
    assert found.exposure.population[0].method == ("counted" if others else "sample")
    assert not any(m.verifiable for m in found.measures if m.name.startswith(("risk.k_map", "risk.presence", "risk.journalist")))


def test_hidden_persons_of_a_local_recoding_are_counted_on_the_input():
    """Where the release names nobody and every class has its own levels, persons are counted on the input with the plan's cells."""
    bands = (AsIs(), NumberBand(width=10))
    cells_of = (Cell(levels=(0, 0), labels=("31", "m")), Cell(levels=(1, 0), labels=("30-39", "m")))
    classes = Classes(quasi_identifiers=("age", "sex"), k=2, unit="who", recoding="local", ladders={"age": bands}, cells=cells_of)
    before = pl.DataFrame({"who": [1, 2, 3, 3, 4], "age": [31, 31, 32, 35, 50], "sex": ["m"] * 5})
    local = Generalize(to="auto", recode=AsCell())
    plan = table_plan("t", before, {"who": (Drop(), Role.DIRECT), "age": (local, Role.QUASI)}, quasi=("age", "sex"))
    plan = plan.model_copy(update={"classes": classes})
    after = pl.DataFrame({"age": ["31", "31", "30-39", "30-39"], "sex": ["m"] * 4})
    found = table_risk(after.lazy(), shapes_of_plan(plan_of(plan))["t"], Models(k=2), Origin(before.lazy(), plan))
    assert found.sizes.k == 1  # the third person's two rows
    assert found.exposure.persons == 3
    without = table_risk(after.head(2).lazy(), shapes_of_plan(plan_of(plan))["t"], Models(k=2), Origin(before.lazy(), plan, before.lazy()))
    assert without.sizes.k == 2
    assert {m.name: m.value for m in without.measures}["risk.k_map@t"] == 2

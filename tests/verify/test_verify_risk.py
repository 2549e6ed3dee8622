"""Classes, k, l, t and the joined record against brute force."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verify_made import plan_of, table, table_plan

from tamis.core.actions import Drop, Generalize, Keep, NumberBand
from tamis.core.plan import Reference
from tamis.core.types import Role
from tamis.verify import classes
from tamis.verify.joined import joined_risk, joined_roots
from tamis.verify.risk import Origin, table_risk
from tamis.verify.shapes import Models, Shape, shapes_of_plan

NAMES = ("age", "^x$", "a.b \"c'\n<b>")
values = st.sampled_from([None, "a", "b", ""])
numbers = st.sampled_from([None, math.nan, 1.0, 2.0])
rows = st.lists(st.tuples(values, numbers, values, st.integers(0, 4)), max_size=30)
SCHEMA = {NAMES[0]: pl.String, NAMES[1]: pl.Float64, NAMES[2]: pl.String, "u": pl.Int64}


def shape(unit: str | None = None) -> Shape:
    """The shape of the table under test."""
    return Shape("t", NAMES[:2], (NAMES[2],), unit, None, personal=True, references=())


def key_of(row: tuple) -> tuple:
    """The class of a row."""
    return row[0], None if row[1] is None or math.isnan(row[1]) else row[1]


@settings(max_examples=40, deadline=None)
@given(rows=rows, shuffled=st.randoms())
def test_k_l_t_equal_brute_force(rows, shuffled):
    """k, l, t, uniques and averages are those of a naive count, whatever the order of the rows; NaN is null, null is a value."""
    groups = defaultdict(list)
    for row in rows:
        groups[key_of(row)].append(row)
    shuffled.shuffle(rows)
    found_risk = table_risk(pl.DataFrame(rows, schema=SCHEMA, orient="row").lazy(), shape(), Models(k=3))
    sizes = [len(group) for group in groups.values()]
    assert found_risk.sizes.k == min(sizes, default=0)
    assert found_risk.sizes.classes == len(sizes)
    assert found_risk.sizes.unique_rows == sum(n for n in sizes if n == 1)
    assert found_risk.sizes.below_k == sum(n for n in sizes if n < 3)
    assert sum(n for _, n in found_risk.sizes.sizes) == len(rows) == found_risk.sizes.rows
    found = {m.name: m.value for m in found_risk.measures}
    if rows:
        everyone = Counter(row[2] for row in rows)
        distances = []
        for group in groups.values():
            here = Counter(row[2] for row in group)
            distances.append(sum(abs(here[v] / len(group) - n / len(rows)) for v, n in everyone.items()) / 2)
        assert found["risk.l@t"] == min(len({row[2] for row in group}) for group in groups.values())
        assert found["risk.t@t"] == pytest.approx(max(distances), abs=2e-6)
        assert found["risk.marketer@t"] == pytest.approx(len(sizes) / len(rows), abs=2e-6)


@settings(max_examples=30, deadline=None)
@given(rows=rows)
def test_persons_are_counted_once(rows):
    """With a unit, a class is as large as it has persons."""
    persons = defaultdict(set)
    for row in rows:
        persons[key_of(row)].add(row[3])
    found_risk = table_risk(pl.DataFrame(rows, schema=SCHEMA, orient="row").lazy(), shape("u"), Models(k=3))
    assert found_risk.sizes.k == min((len(group) for group in persons.values()), default=0)
    assert found_risk.sizes.unit == "u"


def test_hidden_persons_are_counted_on_the_input():
    """When the person's column is not released, five visits of one person do not make a class of five."""
    before = pl.DataFrame({"who": [1, 1, 1, 1, 1, 2, 3], "age": [31, 32, 33, 34, 35, 41, 42]})
    band = Generalize(to="band", width=10, recode=NumberBand(width=10))
    plan = table_plan("t", before, {"who": (Drop(), Role.DIRECT), "age": (band, Role.QUASI)}, quasi=("age",), unit="who")
    after = pl.DataFrame({"age": ["30-39"] * 5 + ["40-49"] * 2})
    found = table_risk(after.lazy(), shapes_of_plan(plan_of(plan))["t"], Models(), Origin(before.lazy(), plan))
    assert found.sizes.k == 1
    assert not found.measures[0].verifiable
    without = table_risk(
        after.filter(pl.col("age") == "40-49").lazy(), shapes_of_plan(plan_of(plan))["t"], Models(), Origin(before.lazy(), plan)
    )
    assert without.sizes.k == 2


pairs = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["x", "y", None])), max_size=20)


@settings(max_examples=40, deadline=None)
@given(people=st.lists(st.sampled_from(["m", "f"]), min_size=1, max_size=6), visits=pairs, items=pairs)
def test_joined_k_equals_brute_force(people, visits, items):
    """The joined record is the person's row with the set of its child rows, each with the set of theirs; k counts equal records."""
    persons = pl.DataFrame({"id": [str(i) for i in range(len(people))], "sex": people})
    visit = pl.DataFrame(
        {"vid": [str(i) for i in range(len(visits))], "id": [str(p) for p, _ in visits], "code": [c for _, c in visits]},
        schema={"vid": pl.String, "id": pl.String, "code": pl.String},
    )
    item = pl.DataFrame({"vid": [str(v) for v, _ in items], "drug": [d for _, d in items]}, schema={"vid": pl.String, "drug": pl.String})
    shapes = {
        "p": Shape("p", ("sex",), (), None, None, personal=True, references=()),
        "v": Shape("v", ("code",), (), None, None, personal=False, references=(("id", "p", "id"),)),
        "i": Shape("i", ("drug",), (), None, None, personal=False, references=(("vid", "v", "vid"),)),
    }
    records = []
    for index, sex in enumerate(people):
        mine = frozenset(
            (code, frozenset(drug for v, drug in items if v == number)) for number, (p, code) in enumerate(visits) if p == index
        )
        records.append((sex, mine))
    (measure,) = joined_risk({"p": persons.lazy(), "v": visit.lazy(), "i": item.lazy()}, shapes)
    assert measure.name == "risk.k_joined@p"
    assert measure.value == min(Counter(records).values())
    assert measure.of == len(people)


def test_a_persons_own_rows_are_one_record():
    """With a unit in the table itself, the person's record is the set of the person's rows."""
    visits = pl.DataFrame({"who": ["a", "a", "b", "b", "c"], "code": ["x", "y", "y", "x", "x"]})
    shapes = {"v": Shape("v", ("code",), (), "who", None, personal=True, references=())}
    assert joined_risk({"v": visits.lazy()}, shapes)[0].value == 1
    assert joined_risk({"v": visits.filter(pl.col("who") != "c").lazy()}, shapes)[0].value == 2


def test_without_quasi_identifiers_in_children_the_joined_k_is_the_tables():
    """Child rows that say nothing about a person change nothing; lookup tables are not persons."""
    people = pl.DataFrame({"id": ["1", "2", "3"], "sex": ["m", "m", "f"]})
    orders = pl.DataFrame({"id": ["1", "2"], "total": [1, 2]})
    shapes = {
        "p": Shape("p", ("sex",), (), None, None, personal=True, references=()),
        "o": Shape("o", (), (), None, None, personal=False, references=(("id", "p", "id"),)),
    }
    assert joined_risk({"p": people.lazy(), "o": orders.lazy()}, shapes)[0].value == 1
    assert joined_roots({"o": Shape("o", (), (), None, None, personal=False, references=())}) == ()


def test_references_in_a_circle_end():
    """Tables that refer to each other, or to themselves, are joined once."""
    frame = pl.DataFrame(
        {"id": ["1", "2"], "boss": ["2", None], "q": ["a", "a"]}, schema={"id": pl.String, "boss": pl.String, "q": pl.String}
    )
    shapes = {
        "a": Shape("a", ("q",), (), "id", None, personal=True, references=(("boss", "a", "id"), ("boss", "b", "id"))),
        "b": Shape("b", ("q",), (), None, None, personal=True, references=(("boss", "a", "id"),)),
    }
    assert joined_risk({"a": frame.lazy(), "b": frame.lazy()}, shapes)[0].value == 1


def test_shapes_take_released_ends_only():
    """A reference whose key was dropped joins nothing."""
    people = pl.DataFrame({"id": ["1"], "sex": ["m"]})
    orders = pl.DataFrame({"id": ["1"], "code": ["x"]})
    reference = Reference(column="id", parent_table="p", parent_column="id")
    plan = plan_of(
        table_plan("p", people, {"id": (Keep(), Role.DIRECT), "sex": (Keep(), Role.QUASI)}),
        table_plan("o", orders, {"id": (Drop(), Role.DIRECT), "code": (Keep(), Role.QUASI)}, references=(reference,)),
    )
    shapes = shapes_of_plan(plan)
    assert shapes["o"].references == ()
    assert shapes["p"].quasi == ("sex",)
    assert table("p", people).rows == 1


@settings(max_examples=20, deadline=None)
@given(rows=rows)
def test_passes_over_shares_of_the_persons_add_up(rows):
    """Counting persons share by share gives the same classes as at once."""
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row").lazy()
    at_once = table_risk(frame, shape("u"), Models(k=3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classes, "_PERSONS_AT_ONCE", 3)
        assert table_risk(frame, shape("u"), Models(k=3)) == at_once

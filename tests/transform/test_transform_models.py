"""Whatever the models of the plan: every class that leaves satisfies them, recomputed from the released rows alone."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter, defaultdict
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transform_tables import KEY, classes, plan_of, rows_of, table_of, table_plan

from tamis.core.actions import CategoryMap, Generalize, Keep, NumberBand, Pseudonymize
from tamis.core.errors import PlanError
from tamis.core.types import Role
from tamis.transform import apply_table

SCHEMA = {"q": pl.String, "age": pl.Int64, "person": pl.String, "pay": pl.Int64, "ill": pl.String}
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["f", "m", None]),
        st.none() | st.integers(0, 39),
        st.sampled_from(["p1", "p2", "p3", "p4", "p5", "p6", None]),
        st.none() | st.integers(1, 4),
        st.sampled_from(["flu", "cold", "hiv", None]),
    ),
    max_size=60,
)
ACTIONS = {"q": Keep(), "age": Generalize(recode=NumberBand(width=20)), "pay": Keep(), "ill": Keep()}
SECRETS = {"pay": Role.SENSITIVE, "ill": Role.SENSITIVE}
ILLNESSES = CategoryMap(parents=(("cold", "airways"), ("flu", "airways"), ("hiv", "blood")), other="OTHER")
MODELS: list[dict[str, Any]] = [
    {"l": 2},
    {"l": 1.5, "diversity": "entropy"},
    {"l": 2, "c": 2.0, "diversity": "recursive"},
    {"t": 0.3},
    {"t": 0.25, "distance": "ordered"},
    {"t": 0.3, "distance": "hierarchical", "ladders": {"ill": (ILLNESSES,)}},
    {"l": 2, "t": 0.4},
]


def _released(frame: pl.DataFrame, model: dict[str, Any], unit: bool, **more: Any) -> pl.DataFrame:
    """What leaves, with the originals' persons."""
    shape = classes("q", "age", k=2, unit="person" if unit else None).model_copy(update=model)
    plan = plan_of(table_plan(table_of(frame), ACTIONS, roles=SECRETS, classes=shape, keep_order="test"))
    got = apply_table(table_of(frame), plan, keyring=KEY, scope="s", **more).frame.collect(engine="streaming").sort("__tamis_order")
    return got.with_columns(person=frame["person"].gather(got["__tamis_order"]))


def _counts(rows: list[dict[str, Any]], name: str, unit: bool) -> Counter[Any]:
    return Counter(value for _, value in {(r["person"], r[name]) for r in rows}) if unit else Counter(r[name] for r in rows)


def _far(model: dict[str, Any], name: str, counts: Counter[Any], whole: Counter[Any]) -> float:
    p, q = ({value: count / sum(one.values()) for value, count in one.items()} for one in (counts, whole))
    if model.get("distance") == "ordered" and name == "pay":
        run = total = 0.0
        for value in sorted(q, key=lambda v: (v is not None, v)):
            run += p.get(value, 0.0) - q[value]
            total += abs(run)
        return total / max(1, len(q) - 1)
    if model.get("distance") == "hierarchical" and name == "ill":
        group = {"flu": "airways", "cold": "airways", "hiv": "blood", None: None}
        parts: dict[Any, list[float]] = defaultdict(list)
        for value in q:
            parts[group[value]].append(p.get(value, 0.0) - q[value])
        low = sum(min(sum(x for x in one if x > 0), -sum(x for x in one if x < 0)) for one in parts.values())
        return low / 2 + sum(max(0.0, sum(one)) for one in parts.values())
    return sum(max(0.0, p.get(value, 0.0) - q[value]) for value in q)


@settings(max_examples=50, deadline=None)
@given(ROWS, st.sampled_from(MODELS), st.booleans())
def test_every_class_that_leaves_satisfies_the_models(rows: list[tuple[Any, ...]], model: dict[str, Any], unit: bool) -> None:
    """l of every kind and t of every distance hold of each sensitive column, t against the distribution that left."""
    got = _released(pl.DataFrame(rows, schema=SCHEMA, orient="row"), model, unit)
    by_class: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in got.to_dicts():
        by_class[(row["q"], row["age"])].append(row)
    for name in SECRETS:
        whole: Counter[Any] = Counter()
        for members in by_class.values():
            whole += _counts(members, name, unit)
        for members in by_class.values():
            counts = _counts(members, name, unit)
            ordered, size, l = sorted(counts.values(), reverse=True), sum(counts.values()), model.get("l")
            assert len({r["person"] for r in members} if unit else members) >= 2
            if l is not None and "diversity" not in model:
                assert len(counts) >= l
            if model.get("diversity") == "entropy":
                assert math.exp(-sum(c / size * math.log(c / size) for c in ordered)) >= l - 1e-9
            if model.get("diversity") == "recursive":
                assert ordered[0] < model["c"] * sum(ordered[int(l) - 1 :])
            if "t" in model:
                assert _far(model, name, counts, whole) <= model["t"] + 1e-9


@settings(max_examples=25, deadline=None)
@given(ROWS, st.lists(st.tuples(st.sampled_from(["f", "m", "x", None]), st.none() | st.integers(0, 60)), max_size=80))
def test_population_models_hold_of_what_leaves(rows: list[tuple[Any, ...]], people: list[tuple[Any, ...]]) -> None:
    """Every class that leaves matches k_map persons of the population, and is no larger a share of them than presence allows."""
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    population = pl.DataFrame(people, schema={"q": pl.String, "age": pl.Int64}, orient="row")
    label = pl.when(pl.col("age").is_not_null()).then(pl.col("age") // 20 * 20).alias("band")
    for model, holds in (
        ({"k_map": 4}, lambda size, known: known >= 4),
        ({"presence": (0.05, 0.6)}, lambda size, known: known > 0 and 0.05 - 1e-9 <= size / known <= 0.6 + 1e-9),
    ):
        got = _released(frame, model, False, population=population.lazy())
        original = frame["age"].gather(got["__tamis_order"]).alias("age")
        sizes = Counter(got.select("q").with_columns(original).select("q", label).iter_rows())
        known = Counter(population.select("q", label).iter_rows())
        assert all(holds(size, known[at]) for at, size in sizes.items())


def test_models_of_a_population_need_one() -> None:
    """Without the population nothing is released as if it had been counted; a pseudonym cannot be counted in it."""
    frame = pl.DataFrame({"q": ["f", "f"], "age": [1, 1], "person": ["a", "b"], "pay": [1, 2], "ill": ["flu", "flu"]}, schema=SCHEMA)
    with pytest.raises(PlanError, match="population"):
        _released(frame, {"k_map": 2}, False)
    shape = classes("q", k=2).model_copy(update={"k_map": 2})
    plan = plan_of(table_plan(table_of(frame), {"q": Pseudonymize(domain="d")}, classes=shape))
    with pytest.raises(PlanError, match="pseudonymize"):
        apply_table(table_of(frame), plan, keyring=KEY, scope="s", population=frame.select("q").lazy())


def test_removal_does_not_depend_on_order() -> None:
    """The same rows leave in any input order, where classes must be removed for being too far from the others."""
    frame = pl.DataFrame(
        {"q": ["abcdefg"[i % 7] for i in range(90)], "age": [i % 40 for i in range(90)], "person": ["p"] * 90,
         "pay": [(i * i) % 5 for i in range(90)], "ill": [["flu", "hiv"][(i * 3) % 11 // 6] for i in range(90)]},
        schema=SCHEMA,
    )  # fmt: skip
    one = _released(frame, {"t": 0.3}, False)
    two = _released(frame.sample(fraction=1, shuffle=True, seed=5), {"t": 0.3}, False)
    columns = ["q", "age", "pay", "ill"]
    assert 0 < len(one) < 90
    assert rows_of(one.select(columns)) == rows_of(two.select(columns))


def test_dates_are_ordered_and_hostile_names_are_names() -> None:
    """The ordered distance is by rank of dates too; columns may be called anything."""
    day = dt.date(2020, 1, 1)
    frame = pl.DataFrame(
        {"^a$": ["x"] * 4 + ["y"] * 4, "*": [day + dt.timedelta(days=i) for i in (0, 1, 2, 3, 0, 1, 2, 900)]},
        schema={"^a$": pl.String, "*": pl.Date},
    )
    shape = classes("^a$", k=2).model_copy(update={"t": 0.2, "distance": "ordered"})
    plan = plan_of(table_plan(table_of(frame), {"^a$": Keep(), "*": Keep()}, roles={"*": Role.SENSITIVE}, classes=shape))
    assert len(apply_table(table_of(frame), plan, keyring=KEY, scope="s").frame.collect()) == 8
    equal = plan.model_copy(update={"tables": (plan.tables[0].model_copy(update={"classes": shape.model_copy(update={"t": 0.02})}),)})
    assert not len(apply_table(table_of(frame), equal, keyring=KEY, scope="s").frame.collect())

"""Rows that leave: k holds after apply whatever table and k; no child of a suppressed row stays."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from transform_tables import KEY, classes, done, plan_of, reference, rows_of, table_of, table_plan

from tamis.core.actions import Generalize, Keep, NumberBand, Pseudonymize
from tamis.core.types import Role
from tamis.transform import apply_table

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["f", "m", None]),
        st.none() | st.integers(0, 60),
        st.sampled_from(["p1", "p2", "p3", "p4", None]),
        st.sampled_from(["flu", "hiv", None]),
        st.none() | st.sampled_from([0.0, -0.0, 1.5, float("nan")]),
    ),
    max_size=60,
)
SCHEMA = {"sex": pl.String, "age": pl.Int64, "person": pl.String, "illness": pl.String, "x": pl.Float64}
ACTIONS = {"sex": Keep(), "age": Generalize(recode=NumberBand(width=20)), "illness": Keep(), "x": Keep()}


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(2, 6), st.booleans(), st.none() | st.just(2))
def test_k_and_l_hold_after_apply(rows: list[tuple[object, ...]], k: int, unit: bool, l: int | None) -> None:  # its name
    """Every class of the released tuples has k rows (persons) and l sensitive values; whole classes go, and the rest all stay."""
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    shape = classes("sex", "age", "x", k=k, l=l, unit="person" if unit else None)
    out = done(table_of(frame), ACTIONS, roles={"illness": Role.SENSITIVE}, classes=shape, keep_order="test")
    got = out.frame.collect(engine="streaming").sort("__tamis_order")
    assert out.suppressed_rows == len(frame) - len(got)
    with_original = got.with_columns(person=frame["person"].gather(got["__tamis_order"]))
    by_class: dict[tuple[object, ...], list[dict[str, object]]] = {}
    for row in with_original.to_dicts():
        x = None if row["x"] is None or row["x"] != row["x"] else row["x"] + 0.0
        by_class.setdefault((row["sex"], row["age"], x), []).append(row)
    for members in by_class.values():
        assert len({row["person"] for row in members} if unit else members) >= k
        assert l is None or len({row["illness"] for row in members}) >= l
    everything = done(table_of(frame), ACTIONS, keep_order="test").frame.collect().sort("__tamis_order")
    kept = set(got["__tamis_order"])
    for row in everything.to_dicts():
        x = None if row["x"] is None or row["x"] != row["x"] else row["x"] + 0.0
        assert row["__tamis_order"] in kept or (row["sex"], row["age"], x) not in by_class


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 15), st.sampled_from("abcd")), max_size=40),
    st.lists(st.tuples(st.integers(0, 15), st.integers(0, 9)), max_size=40),
    st.lists(st.none() | st.integers(0, 9), max_size=20),
)
def test_cascade_keeps_references(parents: list[tuple[int, str]], children: list[tuple[int, int]], grandchildren: list[int | None]) -> None:
    """A reference that held before holds after, over three tables; only rows of suppressed parents go, and they all do."""
    a = table_of(pl.DataFrame(parents, schema={"id": pl.Int64, "q": pl.String}, orient="row"), "a")
    b = table_of(pl.DataFrame(children, schema={"a_id": pl.Int64, "id": pl.Int64}, orient="row"), "b")
    c = table_of(pl.DataFrame({"b_id": pl.Series(grandchildren, dtype=pl.Int64)}), "c")
    token, plain = Pseudonymize(domain="a"), Pseudonymize(domain="b")
    plan = plan_of(
        table_plan(a, {"id": token, "q": Keep()}, classes=classes("q", k=3)),
        table_plan(b, {"a_id": token, "id": plain}, references=(reference("a_id", "a", "id"),)),
        table_plan(c, {"b_id": plain}, references=(reference("b_id", "b", "id"),)),
    )
    gone: dict[tuple[str, str], pl.Series] = {}
    out: dict[str, pl.DataFrame] = {}
    for table in (a, b, c):
        result = apply_table(table, plan, keyring=KEY, scope="s", suppressed=gone)
        gone |= {(table.name, column): values for column, values in result.suppressed_keys.items()}
        out[table.name] = result.frame.collect(engine="streaming")
        assert len(out[table.name]) + result.suppressed_rows == table.rows
    before_a, before_b = {row[0] for row in parents}, {row[1] for row in children}
    kept_a = set(out["a"]["id"])
    tokens = dict(zip(map(str, range(16)), KEY.token(pl.Series([str(i) for i in range(16)]), domain="a", scope="s"), strict=True))
    expected_b = [row for row in children if row[0] not in before_a or tokens[str(row[0])] in kept_a]
    assert len(out["b"]) == len(expected_b)
    left_b = {row[1] for row in expected_b}
    assert len(out["c"]) == sum(one is None or one not in before_b or one in left_b for one in grandchildren)


def test_k_is_counted_after_the_cascade() -> None:
    """A class that falls below k because children of suppressed rows went is suppressed too."""
    child = table_of(pl.DataFrame({"p": ["1", "2", "3", "4"], "q": ["x", "x", "y", "y"]}), "child")
    parent = table_plan(table_of(pl.DataFrame({"id": ["1"]}), "parent"), {})
    plan = plan_of(parent, table_plan(child, {"q": Keep()}, references=(reference("p", "parent", "id"),), classes=classes("q", k=2)))
    out = apply_table(child, plan, keyring=KEY, scope="s", suppressed={("parent", "id"): pl.Series(["1"])})
    assert out.frame.collect()["q"].to_list() == ["y", "y"]
    assert out.suppressed_rows == 2


def test_a_table_that_names_itself_reaches_a_fixed_point() -> None:
    """Removed managers take their reports along, which may empty further classes; k and references hold in the end."""
    staff = pl.DataFrame(
        {"id": [1, 2, 3, 4, 5, 6, 7], "boss": [None, 1, 1, 7, None, 5, 2], "q": ["x", "y", "y", "y", "z", "z", "w"]},
        schema={"id": pl.Int64, "boss": pl.Int64, "q": pl.String},
    )
    table = table_of(staff, "staff")
    stated = table_plan(table, {"id": Pseudonymize(domain="s"), "boss": Pseudonymize(domain="s"), "q": Keep()},
                        references=(reference("boss", "staff", "id"),), classes=classes("q", k=2))  # fmt: skip
    out = apply_table(table, plan_of(stated), keyring=KEY, scope="s")
    got = out.frame.collect()
    assert sorted(got["q"]) == ["z", "z"]
    assert set(got["boss"].drop_nulls()) <= set(got["id"])
    assert out.suppressed_keys["id"].to_list() == ["1", "2", "3", "4", "7"]


def test_a_key_that_another_row_still_carries_is_not_suppressed() -> None:
    """Children go when the last row of their parent went, not before; the values never show in a repr."""
    table = table_of(pl.DataFrame({"id": ["a", "a", "b", "c"], "q": ["x", "y", "y", "z"]}), "t")
    other = table_plan(table_of(pl.DataFrame({"t_id": ["a"]}), "u"), {}, references=(reference("t_id", "t", "id"),))
    out = apply_table(table, plan_of(table_plan(table, {"q": Keep()}, classes=classes("q")), other), keyring=KEY, scope="s")
    assert {name: values.to_list() for name, values in out.suppressed_keys.items()} == {"id": ["c"]}
    assert out.suppressed_rows == 2
    assert "suppressed_keys" not in repr(out)


def test_suppression_does_not_depend_on_order() -> None:
    """The same rows go and stay in any input order."""
    frame = pl.DataFrame({"q": [i % 7 for i in range(50)], "v": [i % 3 for i in range(50)]})
    one = done(table_of(frame), {"q": Keep(), "v": Keep()}, classes=classes("q", "v", k=3)).frame.collect()
    two = done(table_of(frame.sample(fraction=1, shuffle=True, seed=3)), {"q": Keep(), "v": Keep()}, classes=classes("q", "v", k=3))
    assert rows_of(one) == rows_of(two.frame.collect())

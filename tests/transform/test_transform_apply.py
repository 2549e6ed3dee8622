"""Applying a plan: exactly the plan, for exactly its table, whatever the order and chunking of the rows."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from transform_tables import KEY, classes, done, plan_of, released, rows_of, table_of, table_plan

from tamis.core.actions import (
    Action,
    Drop,
    Fake,
    Generalize,
    Keep,
    NumberBand,
    Prefix,
    Pseudonymize,
    ShiftDates,
    SuppressRare,
    Synthesize,
    TopBottomCode,
)
from tamis.core.errors import KeyMaterialError, PlanError
from tamis.core.plan import Plan, Status
from tamis.core.proxy import CategoricalMarginal, NumericMarginal, ProxyModel
from tamis.core.types import Column, DataType, SourceInfo, Table
from tamis.encoding import WORDS
from tamis.transform import apply_table

HOSTILE = ["a b.c", "*", "^x$", "^.*$", "", 'quo"te', "📮", "new\nline", "<b>", "__proto__", "c0", "r0", "__tamis_key", "n" * 10_000]
FRAME = pl.DataFrame(
    {
        "id": [f"p{i % 90}" for i in range(200)],
        "age": [i % 83 for i in range(200)],
        "zip": [f"{i % 11:05d}" for i in range(200)],
        "day": [dt.date(2020, 1, 1) + dt.timedelta(days=i % 40) for i in range(200)],
        "income": [float(i % 17) if i % 9 else None for i in range(200)],
        "plan": [["basic", "pro", "rare"][min(i % 50, 2) if i % 50 < 3 else i % 2] for i in range(200)],
    }
)
ACTIONS: dict[str, Action] = {
    "id": Pseudonymize(domain="p"),
    "age": Generalize(recode=NumberBand(width=20)),
    "zip": Generalize(recode=Prefix(length=4)),
    "day": ShiftDates(subject="id"),
    "income": TopBottomCode(lower=2, upper=10.5, resolved=True),
    "plan": SuppressRare(min_count=20, values=("basic", "pro")),
}
MODEL = ProxyModel(
    id="m",
    table="t",
    engine="test",
    targets=("income",),
    given=("plan",),
    marginals=(
        CategoricalMarginal(column="plan", type=DataType.TEXT, null_rate=0.1, categories=("basic", "pro"), shares=(0.5, 0.4)),
        NumericMarginal(column="income", type=DataType.NUMBER, null_rate=0.0, knots=(0.0, 5.0, 10.0)),
    ),
    correlation=((1.0, 0.5), (0.5, 1.0)),
    rows_used=200,
    k=5,
)


def test_each_action_does_what_it_says() -> None:
    """Values, columns and types are those of the plan; nulls stay null; dropped columns are gone."""
    out = released(FRAME, {**ACTIONS, "age": Drop()})
    assert out.columns == ["id", "zip", "day", "income", "plan"]
    assert out.dtypes == [pl.String, pl.String, pl.Date, pl.Float64, pl.String]
    assert out["income"].to_list() == [None if v is None else min(max(v, 2.0), 10.5) for v in FRAME["income"]]
    assert out["plan"].to_list() == [value if value != "rare" else None for value in FRAME["plan"]]
    assert out["zip"].to_list() == [value[:4] + "*" for value in FRAME["zip"]]


def test_bounds_of_integers_move_inward() -> None:
    """Top-coded integers stay integers inside the stated bounds, whatever the bounds look like."""
    frame = pl.DataFrame({"n": [-(2**63), 3, 4, 5, 2**63 - 1, None]})

    def coded(**bounds: float) -> list[int | None]:
        return released(frame, {"n": TopBottomCode(resolved=True, **bounds)})["n"].to_list()

    assert coded(lower=3.5, upper=4.5) == [4, 4, 4, 4, 4, None]
    assert coded(lower=3.5) == [4, 4, 4, 5, 2**63 - 1, None]
    assert coded(lower=4.4, upper=4.4) == [4, 4, 4, 4, 4, None]
    assert coded(upper=1e300, lower=-1e300) == frame["n"].to_list()


@pytest.mark.parametrize("key", [(), ("row",), ("id",)])
def test_order_and_chunks_do_not_matter(key: tuple[str, ...], tmp_path: Path) -> None:
    """The multiset of released rows, row words included, is that of any input order and row-group size, duplicates and all."""
    frame = FRAME.with_columns(row=pl.int_range(200).cast(pl.String)) if key == ("row",) else pl.concat([FRAME, FRAME[:30], FRAME[:5]])
    plan = plan_of(table_plan(table_of(frame), {**ACTIONS, "income": Synthesize(model="m")}, key=key, classes=classes("age", k=8)),
                   models={"m": MODEL})  # fmt: skip
    results = []
    for seed, group in ((None, 1000), (1, 7), (2, 50)):
        path = tmp_path / f"{seed}.parquet"
        (frame if seed is None else frame.sample(fraction=1, shuffle=True, seed=seed)).write_parquet(path, row_group_size=group)
        table = Table("t", pl.scan_parquet(path), table_of(frame).columns, len(frame), SourceInfo("parquet"))
        out = apply_table(table, plan, keyring=KEY, scope="s")
        results.append((out.suppressed_rows, rows_of(out.frame.collect(engine="streaming"))))
    assert results[0] == results[1] == results[2]
    words = [row[-4:] for row in results[0][1]]
    assert len(set(words)) == len(words)


def test_row_words_of_releases_are_unrelated() -> None:
    """Another scope, table or key gives other row words: the order of two releases cannot be compared."""
    plan = plan_of(table_plan(table_of(FRAME), ACTIONS), table_plan(table_of(FRAME, "u"), ACTIONS))
    seen = [set(apply_table(table_of(FRAME, name), plan, keyring=KEY, scope=scope).frame.collect()[WORDS[0]])
            for name, scope in (("t", "1"), ("t", "2"), ("u", "1"))]  # fmt: skip
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]


def test_proxies_see_the_release_and_not_the_original() -> None:
    """A synthesized column depends on released values and the row, not on its own original, and lies within its model."""
    frame = FRAME.with_columns(row=pl.int_range(200).cast(pl.String))
    plan = plan_of(table_plan(table_of(frame), {**ACTIONS, "income": Synthesize(model="m")}, key=("row",)), models={"m": MODEL})
    one = apply_table(table_of(frame), plan, keyring=KEY, scope="s").frame.collect()
    other = frame.with_columns(income=pl.lit(7e6))
    assert rows_of(one) == rows_of(apply_table(table_of(other), plan, keyring=KEY, scope="s").frame.collect())
    assert one["income"].is_between(0, 10).all()


@pytest.mark.parametrize("rows", [0, 3])
def test_hostile_names_are_only_names(rows: int) -> None:
    """Columns may be called anything, at any number of rows; what leaves is what the plan says."""
    frame = pl.DataFrame({f"n{i}": pl.Series(["v", None, "w"][:rows], dtype=pl.String) for i in range(len(HOSTILE))})
    frame = frame.rename({f"n{i}": name for i, name in enumerate(HOSTILE)})
    actions: dict[str, Action] = dict.fromkeys(HOSTILE, Keep())
    actions |= {"*": Pseudonymize(domain="p"), "^x$": Fake(kind="city"), "^.*$": Generalize(recode=Prefix(length=1)), "": Drop()}
    out = done(table_of(frame), actions, keep_order="test")
    got = out.frame.collect(engine="streaming")
    assert got.columns == [name for name in HOSTILE if name] + [*WORDS, "__tamis_order"]
    assert got.height == rows
    small = done(table_of(frame), actions, classes=classes("^.*$", "📮", "__proto__", k=2))
    assert small.frame.collect().height == 0
    assert small.suppressed_rows == rows


def test_columns_of_nulls_pass_every_action() -> None:
    """Nothing in, nothing out: zero rows and columns without a value give the planned columns."""
    frame = pl.DataFrame({"x": pl.Series([None, None], dtype=pl.Null), "s": ["a", "b"]})
    every: list[Action] = [Keep(), Pseudonymize(domain="p"), Fake(kind="email"), Generalize(recode=NumberBand(width=1))]
    every += [TopBottomCode(lower=1, resolved=True), ShiftDates(subject="s"), SuppressRare(min_count=2, values=("a",))]
    for action in every:
        assert released(frame, {"x": action})["x"].to_list() == [None, None]
    assert released(frame[:0], {"x": Keep(), "s": Pseudonymize(domain="p")}).shape == (0, 2)


def _plan_with(status: Status) -> Plan:
    stated = table_plan(table_of(FRAME), ACTIONS)
    columns = (stated.columns[0].model_copy(update={"status": status}), *stated.columns[1:])
    return plan_of(stated.model_copy(update={"columns": columns}))


@pytest.mark.parametrize("status", [Status.UNDECIDED, Status.PROPOSED])
def test_default_deny(status: Status) -> None:
    """While one column is undecided or only proposed, nothing is applied."""
    with pytest.raises(PlanError, match=r"undecided.*'id'"):
        apply_table(table_of(FRAME), _plan_with(status), keyring=KEY, scope="s")


def test_other_data_is_refused() -> None:
    """A missing, new, retyped or moved column or another table is named in the error; cell values are not."""
    plan = plan_of(table_plan(table_of(FRAME), ACTIONS))
    other = FRAME.drop("zip").with_columns(pl.col("age").cast(pl.String), fresh=pl.lit("secret"))
    with pytest.raises(PlanError) as caught:
        apply_table(table_of(other), plan, keyring=KEY, scope="s")
    assert caught.value.code == "other_data"
    assert caught.value.attrs == {"missing": ["zip"], "new": ["fresh"], "retyped": ["age"]}
    assert "secret" not in str(caught.value)
    with pytest.raises(PlanError, match="another order"):
        apply_table(table_of(FRAME.select(FRAME.columns[::-1])), plan, keyring=KEY, scope="s")
    with pytest.raises(PlanError, match="has no table 'u'"):
        apply_table(table_of(FRAME, "u"), plan, keyring=KEY, scope="s")


@pytest.mark.parametrize(
    ("actions", "code"),
    [
        ({"id": SuppressRare()}, "unresolved"),
        ({"age": Generalize()}, "unresolved"),
        ({"income": Synthesize(model="none such")}, "unresolved"),
        ({"id": TopBottomCode(resolved=True)}, "wrong_type"),
        ({"day": ShiftDates(subject="none such")}, "unknown_column"),
    ],
)
def test_impossible_plans_are_refused(actions: dict[str, Action], code: str) -> None:
    """What planning left open, or what has no meaning for the column, is a plan error before any row is read."""
    with pytest.raises(PlanError) as caught:
        done(table_of(FRAME), actions)
    assert caught.value.code == code


def test_reserved_names_are_refused_when_released() -> None:
    """A column called like a row word cannot leave beside it; dropped, it is no trouble."""
    frame = pl.DataFrame({WORDS[0]: ["a"], "x": ["b"]})
    with pytest.raises(PlanError, match="reserved_name"):
        done(table_of(frame), {WORDS[0]: Keep()})
    assert done(table_of(frame), {"x": Keep()}).frame.collect()["x"].to_list() == ["b"]


def test_no_key_no_release() -> None:
    """Nothing falls back to no key."""
    with pytest.raises(KeyMaterialError, match="without a key"):
        apply_table(table_of(FRAME), plan_of(table_plan(table_of(FRAME), {"age": Keep()})), keyring=None, scope="s")


def test_the_key_cannot_be_serialized_with_the_query() -> None:
    """Serializing the lazy frame fails or holds no key byte: expressions carry no key material."""
    out = done(table_of(FRAME), ACTIONS)
    try:
        data = out.frame.serialize()
    except Exception:  # noqa: BLE001  # refusing is the better half of the law
        return
    assert bytes(range(32)) not in data


def test_physical_types_are_plain() -> None:
    """Categories and small integers leave as text and 64-bit integers: a category list would carry values of suppressed rows."""
    frame = pl.DataFrame({"c": pl.Series(["a", "b"], dtype=pl.Categorical), "n": pl.Series([1, 2], dtype=pl.Int8)})
    columns = (Column("c", DataType.TEXT), Column("n", DataType.INTEGER))
    table = Table("t", frame.lazy(), columns, 2, SourceInfo("frame"))
    out = apply_table(table, plan_of(table_plan(table, {"c": Keep(), "n": Keep()})), keyring=KEY, scope="s").frame.collect()
    assert out.select("c", "n").dtypes == [pl.String, pl.Int64]

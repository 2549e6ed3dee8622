"""Laws of ladders: they nest, they name nobody, they end in one label, and they are the same for any order of rows."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_made import plan, profile, resolved, table

from tamis.core.actions import AsIs, CategoryMap, DatePart, Everything, Generalize, NumberCuts, Prefix
from tamis.core.errors import PolicyError
from tamis.core.plan import Classes
from tamis.core.policy import Privacy
from tamis.core.types import DataType, Dependency, Role
from tamis.recode import recode_expression
from tamis.search.bands import Counted, cut_levels
from tamis.search.groups import Unit, group_levels, word_distances
from tamis.search.space import Asked, Space, build_space

WORDS = ["red", "green", "blue", "teal", "dark red", "dark blue", "", " ", "OTHER", "*", "a|b", "🙂", "x" * 90]


def space(frame: pl.DataFrame, name: str = "c", k: int = 2, *, local: bool = False, **more: Any) -> Space:
    """What is searched when one column is the quasi-identifier."""
    recoding: Literal["full-domain", "local"] = "local" if local else "full-domain"
    classes = Classes(quasi_identifiers=(name,), unit=more.get("unit"), k=k, recoding=recoding)
    made = plan(frame, more.get("actions", {}), classes, more.get("unit"), **more.get("roles", {}))
    facts = profile(frame, more.get("dependencies", ()))
    return build_space(Asked(table(frame), made, facts, {}, more.get("hierarchies", lambda _: {}), more.get("known", {})))


def labels(found: Space) -> list[list[str | None]]:
    """Per level the label of every value."""
    axis = found.axes[0]
    return [axis.texts(level).to_list() for level in range(len(axis.ladder.recodes))]


def nests(levels: list[list[str | None]]) -> bool:
    """No label of a level is split by the next one."""
    return all(len(set(zip(low, high, strict=True))) == len(set(low)) for low, high in pairwise(levels[1:]))


columns = st.one_of(
    st.lists(st.sampled_from([*WORDS, None]), min_size=1, max_size=60).map(lambda v: pl.Series("c", v, dtype=pl.String)),
    st.lists(st.one_of(st.none(), st.integers(-(2**53), 2**53)), min_size=1, max_size=60).map(lambda v: pl.Series("c", v, dtype=pl.Int64)),
    st.lists(st.one_of(st.none(), st.integers(0, 30)), min_size=1, max_size=60).map(lambda v: pl.Series("c", v, dtype=pl.Int64)),
    st.lists(st.one_of(st.none(), st.floats()), min_size=1, max_size=60).map(lambda v: pl.Series("c", v, dtype=pl.Float64)),
    st.lists(st.one_of(st.none(), st.dates()), min_size=1, max_size=60).map(lambda v: pl.Series("c", v, dtype=pl.Date)),
    st.lists(st.one_of(st.none(), st.booleans()), min_size=1, max_size=20).map(lambda v: pl.Series("c", v, dtype=pl.Boolean)),
    st.lists(st.text("0123", min_size=4, max_size=5), min_size=1, max_size=40).map(lambda v: pl.Series("c", v, dtype=pl.String)),
)


@settings(max_examples=120, deadline=None)
@given(columns)
def test_a_ladder_nests_and_ends_in_one_label(series: pl.Series) -> None:
    """Whatever the values: every level is a function of the one below, penalties never fall, and the top has one label."""
    found = space(series.to_frame())
    dimension = found.dimensions[0]
    assert nests(labels(found))
    for low, high in pairwise(dimension.codes):
        assert len(set(zip(low.tolist(), high.tolist(), strict=True))) == len(set(low.tolist()))
    for low, high in pairwise(dimension.penalties):
        assert (high >= low - 1e-12).all()
    assert len(set(dimension.codes[-1].tolist())) == 1
    assert all(penalty.min() >= 0 and penalty.max() <= 1 for penalty in dimension.penalties)
    assert isinstance(found.axes[0].ladder.recodes[-1], Everything)


@settings(max_examples=60, deadline=None)
@given(columns, st.randoms(use_true_random=False))
def test_a_ladder_does_not_depend_on_the_order_of_rows(series: pl.Series, random: object) -> None:
    """The same rows in another order give the same recodings."""
    order = list(range(len(series)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert space(series.to_frame()).axes[0].ladder == space(series.gather(order).to_frame()).axes[0].ladder


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from([*WORDS, *(f"rare{i}" for i in range(9)), None]), min_size=1, max_size=80), st.integers(2, 5))
def test_what_a_ladder_lists_is_shared_by_k(values: list[str | None], k: int) -> None:
    """Neither a listed value nor a name in a label is one of fewer than k rows."""
    frame = pl.DataFrame({"c": pl.Series(values, dtype=pl.String)})
    clean = frame["c"].str.strip_chars()
    rare = {value for value in clean.drop_nulls().unique().to_list() if clean.eq(value).sum() < k and value.startswith("rare")}
    for recode in space(frame, k=k).axes[0].ladder.recodes:
        if isinstance(recode, CategoryMap):
            text = str(recode.parents) + str(recode.other)
            assert not any(f"{value}'" in text or f"{value} " in text for value in rare)


def test_a_person_with_many_rows_makes_no_value_frequent() -> None:
    """With a unit persons are counted: nine rows of one person name nothing, and fill no band."""
    frame = pl.DataFrame(
        {"who": ["a"] * 9 + list("bcdefg"), "word": ["own"] * 9 + ["x", "x", "x", "y", "y", "y"], "number": [900] * 9 + [1, 2, 3, 4, 5, 6]}
    )
    words = space(frame, "word", k=3, unit="who").axes[0].ladder.recodes
    assert not any("own" in str(recode) for recode in words)
    assert any("x" in str(recode) for recode in words)
    bands = [recode for recode in space(frame, "number", k=3, unit="who").axes[0].ladder.recodes if isinstance(recode, NumberCuts)]
    assert bands
    assert all(edge <= 6 for band in bands for edge in band.edges)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1e12, 1e12), st.integers(1, 20)), min_size=1, max_size=80, unique_by=lambda pair: pair[0]),
    st.integers(1, 9), st.booleans(),
)  # fmt: skip
def test_bands_are_nested_and_hold_k(pairs: list[tuple[float, int]], k: int, whole: bool) -> None:
    """Edges of a level are among those of the finer one, and between any two lie k persons."""
    values = sorted({float(round(value)) if whole else value for value, _ in pairs})
    persons = np.array([count for _, count in pairs[: len(values)]], dtype=np.int64)
    levels = cut_levels(Counted(np.array(values), persons, whole), k, 5)
    for fine, coarse in pairwise(levels):
        assert set(coarse) < set(fine)
    for edges in levels:
        filled = np.bincount(np.searchsorted(edges, values, side="right"), weights=persons, minlength=len(edges) + 1)
        assert (filled >= k).all()


def test_bands_follow_the_quantiles_and_are_round() -> None:
    """A skewed column wastes no band on its empty tail, and its edges are numbers that people would write."""
    values = np.exp(np.random.default_rng(1).normal(10, 1, 4000)).round(2)
    frame = pl.DataFrame({"c": values})
    bands = next(r for r in space(frame, k=5).axes[0].ladder.recodes if isinstance(r, NumberCuts) and len(r.edges) == 7)
    filled = frame.select(recode_expression("c", DataType.NUMBER, bands)).to_series().value_counts()["count"]
    assert filled.min() > 4000 / 8 / 3
    assert all(len(f"{edge:.10g}".rstrip("0").replace(".", "").lstrip("0")) <= 3 for edge in bands.edges)


def test_integers_are_labelled_by_what_is_in_them() -> None:
    """'30-39' and not '[30, 40)'; a band of one number is that number; the ends are open."""
    cuts = NumberCuts(edges=(30, 40, 41))
    frame = pl.DataFrame({"c": [29, 30, 39, 40, 41, None]})
    assert frame.select(recode_expression("c", DataType.INTEGER, cuts)).to_series().to_list() == [
        "<30",
        "30-39",
        "30-39",
        "40",
        ">=41",
        None,
    ]
    with pytest.raises(ValueError, match="ascend"):
        NumberCuts(edges=(3, 3))


def test_values_outside_the_bounds_have_a_band() -> None:
    """Infinities and what nobody had when the plan was made fall into the open ends; NaN is missing."""
    frame = pl.DataFrame({"c": [float("-inf"), 1e300, float("nan"), -1e300]})
    got = frame.select(recode_expression("c", DataType.NUMBER, NumberCuts(edges=(0.5, 2.0)))).to_series().to_list()
    assert got == ["<0.5", ">=2", None, "<0.5"]


def test_dates_climb_from_day_to_decade() -> None:
    """Day, month, quarter, year, five years, decade; a level that changes nothing is left out."""
    days = [dt.date(1990, 1, 1) + dt.timedelta(days=17 * i) for i in range(900)]
    units = [r.unit if isinstance(r, DatePart) else type(r) for r in space(pl.DataFrame({"c": days})).axes[0].ladder.recodes]
    assert units == [AsIs, "month", "quarter", "year", "5 years", "decade", Everything]
    moments = pl.DataFrame({"c": [dt.datetime(2024, 3, 1 + i % 28, i % 24) for i in range(60)]})
    units = [r.unit if isinstance(r, DatePart) else type(r) for r in space(moments).axes[0].ladder.recodes]
    assert units == [AsIs, "day", Everything]


def test_codes_lose_their_last_characters() -> None:
    """Postcodes become prefixes; where a pack says where the ladder begins, it goes on from there."""
    frame = pl.DataFrame({"c": ["10115", "10117", "20095", "20097", "30159", "03601"] * 3})
    kinds = [r.length if isinstance(r, Prefix) else type(r) for r in space(frame).axes[0].ladder.recodes]
    assert kinds == [AsIs, 3, 1, Everything] or kinds == [AsIs, 4, 2, 1, Everything] or kinds[0] is AsIs
    zip3 = Generalize(recode=Prefix(length=3, restricted=("036",)))
    recodes = space(frame, actions={"c": zip3}).axes[0].ladder.recodes
    assert isinstance(recodes[0], Prefix)
    assert recodes[0].restricted == ("036",)
    assert all(r.restricted == ("036",) and r.length <= 3 for r in recodes if isinstance(r, Prefix))


def test_places_climb_the_columns_they_determine() -> None:
    """City, then state, then country, from the data's own columns; a city of fewer than k is in neither list."""
    rows = [("Salem", "Oregon", "US")] * 4 + [("Eugene", "Oregon", "US")] * 4 + [("Austin", "Texas", "US")] * 4
    rows += [("Lyon", "Rhone", "France")] * 4 + [("Tiny", "Oregon", "US")]
    frame = pl.DataFrame(rows, schema=["city", "state", "country"], orient="row")
    fixes = [Dependency(determinant=a, dependent=b, g3=0.0, lift=1.0, rows=17) for a, b in (("city", "state"), ("city", "country"))]
    more = {"dependencies": tuple(fixes), "roles": {"state": Role.QUASI, "country": Role.QUASI}}
    levels = [dict(r.parents) for r in space(frame, "city", k=3, **more).axes[0].ladder.recodes if isinstance(r, CategoryMap)]
    assert any(level.get("Salem") == level.get("Eugene") == "Oregon" for level in levels)
    assert any(level.get("Salem") == level.get("Austin") == "US" for level in levels)
    assert not any("Tiny" in level for level in levels)


def test_a_known_hierarchy_is_recognized() -> None:
    """Values that a hierarchy of ours has, in whatever letter case, climb it; its own values are public and may be listed."""
    known = {"pets": {"cat": ("mammal", "*"), "dog": ("mammal", "*"), "hen": ("bird", "*"), "owl": ("bird", "*")}}
    frame = pl.DataFrame({"c": ["Cat"] * 5 + ["Dog"] * 5 + ["Hen"] * 5})
    levels = [dict(r.parents) for r in space(frame, k=3, known=known).axes[0].ladder.recodes if isinstance(r, CategoryMap)]
    assert any(level.get("Cat") == level.get("Dog") == "mammal" and level.get("owl") for level in levels)
    other = pl.DataFrame({"c": ["Cat"] * 5 + ["sofa"] * 5 + ["lamp"] * 5})
    assert not any("mammal" in str(r) for r in space(other, k=3, known=known).axes[0].ladder.recodes)


def test_a_stated_hierarchy_keeps_its_levels_and_counts_its_own_values() -> None:
    """Labels as the file has them, all of its values as leaves, and what it does not list is OTHER."""
    levels = {"a": ("x", "*"), "b": ("x", "*"), "c": ("y", "*"), "d": ("y", "*"), "e": ("y", "*")}
    frame = pl.DataFrame({"c": ["a", "b", "c", "c", "new", None]})
    found = space(frame, actions={"c": Generalize(hierarchy="h")}, hierarchies=lambda _: levels)
    assert labels(found)[1] == [None, "x", "x", "y", "OTHER"]
    assert labels(found)[2] == ["*"] * 5
    # six leaves and the missing value: the file's five, the unlisted one, null
    assert found.dimensions[0].penalties[1].tolist() == pytest.approx([0, 1 / 6, 1 / 6, 2 / 6, 0])


@pytest.mark.parametrize("levels", [2, 0])
def test_a_pinned_level_is_the_only_one(levels: int) -> None:
    """`level` leaves the search no choice, `max_level` no coarser one; a level that does not exist is refused."""
    frame = pl.DataFrame({"c": list(range(40)) * 2})
    found = resolved(frame, ("c",), Privacy(k=2), actions={"c": Generalize(level=levels)})
    assert found.classes is not None
    assert found.classes.levels == {"c": levels}
    capped = space(frame, actions={"c": Generalize(max_level=1)})
    assert len(capped.axes[0].ladder.recodes) == 2
    with pytest.raises(PolicyError, match="highest level"):
        space(frame, actions={"c": Generalize(level=99)})


@pytest.mark.parametrize(
    ("values", "order", "together"),
    [
        (["low", "medium", "high", "very high"], None, ("high", "very high")),
        (["none", "mild", "moderate", "severe"], None, ("none", "mild")),
        (["9th grade", "10th grade", "11th grade", "12th grade"], None, ("9th grade", "10th grade")),
        (["<5", "5-9", "10-14", "15+"], None, ("<5", "5-9")),
        (["walk", "bike", "tram", "car"], ("walk", "bike", "tram", "car"), ("walk", "bike")),
    ],
)
def test_ordered_categories_join_their_neighbors(values: list[str], order: tuple[str, ...] | None, together: tuple[str, str]) -> None:
    """A scale, numbers in the words or a stated order: only neighbors share a group."""
    counts = [9, 9, 20, 20] if together[0] in values[:2] else [20, 20, 9, 9]
    frame = pl.DataFrame({"c": [value for value, count in zip(values, counts, strict=True) for _ in range(count)]})
    levels = [
        dict(r.parents)
        for r in space(frame, k=3, actions={"c": Generalize(order=order)}).axes[0].ladder.recodes
        if isinstance(r, CategoryMap)
    ]
    first = next(level for level in levels if len(set(level.values())) < 4)
    assert first[together[0]] == first[together[1]]
    for level in levels:
        ranks: dict[str, list[int]] = {}
        for value, label in level.items():
            ranks.setdefault(label, []).append(values.index(value))
        assert all(max(places) - min(places) == len(places) - 1 for places in ranks.values())


def test_likeness_decides_between_equally_frequent_values() -> None:
    """Words in common and common company bring values together before size alone would."""
    units = [Unit((name,), 10, 1, named=True) for name in ("married", "married apart", "single", "single parent")]
    words = word_distances([unit.name for unit in units])
    levels = group_levels(units, words, np.zeros((4, 0)), (), ordered=False)
    assert sorted(members for _, members in levels[0].groups) == [(0, 1), (2, 3)]
    same = np.array([[9.0, 0.0], [0.0, 9.0], [9.0, 0.0], [0.0, 9.0]])
    levels = group_levels(units, np.ones((4, 4)) - np.eye(4), same, (2,), ordered=False)
    assert sorted(members for _, members in levels[0].groups) == [(0, 2), (1, 3)]


def test_labels_of_a_level_are_all_different() -> None:
    """A value that is called like a group does not become that group."""
    frame = pl.DataFrame({"c": [v for v in ("a", "b", "a | b", "b | a", "OTHER", "a | b | OTHER") for _ in range(4)] + ["z"]})
    assert nests(labels(space(frame, k=3)))


@settings(max_examples=60, deadline=None)
@given(columns)
def test_ladders_for_local_recoding_nest_too(series: pl.Series) -> None:
    """Local recoding builds its ladders otherwise; the laws are the same."""
    frame = series.to_frame()
    axes = [space(frame, local=True).axes[0], space(frame.reverse(), local=True).axes[0]]
    assert axes[0].ladder == axes[1].ladder
    levels = [axes[0].texts(level).to_list() for level in range(len(axes[0].ladder.recodes))]
    assert nests(levels)
    assert len(set(levels[-1])) == 1


def test_local_ladders_join_what_is_frequent_first() -> None:
    """A class pays for the lowest group that holds it: frequent values meet low, a thin tail is parted from the rest."""
    values = ["a"] * 300 + ["b"] * 200 + ["c"] * 9 + ["d"] * 8
    first = [dict(r.parents) for r in space(pl.DataFrame({"c": values}), local=True).axes[0].ladder.recodes if isinstance(r, CategoryMap)]
    assert first[0]["a"] == first[0]["b"] != first[0]["c"]
    numbers = [*[v for v in range(40) for _ in range(50)], *[v for v in range(200, 240) for _ in range(3)]]
    cuts = [r for r in space(pl.DataFrame({"c": numbers}), local=True).axes[0].ladder.recodes if isinstance(r, NumberCuts)]
    assert cuts[-1].edges[0] >= 40

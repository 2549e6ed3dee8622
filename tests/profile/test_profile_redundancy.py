"""Laws of duplicate and determined columns."""

from __future__ import annotations

import math
import random

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from profile_tools import TIGHT, profiled, shuffled

from tamis.core.types import TableProfile
from tamis.profile.limits import Limits

NAN = math.nan


def links(profile: TableProfile) -> tuple[dict[str, str], dict[str, str]]:
    """(duplicate_of, determined_by) of the columns that have one."""
    duplicates = {c.name: c.duplicate_of for c in profile.columns if c.duplicate_of is not None}
    return duplicates, {c.name: c.determined_by for c in profile.columns if c.determined_by is not None}


FRAMES = st.integers(2, 5).flatmap(
    lambda width: st.lists(st.lists(st.none() | st.integers(0, 2), min_size=width, max_size=width), min_size=1, max_size=14).map(
        lambda rows: pl.DataFrame({f"c{j}": pl.Series([row[j] for row in rows], dtype=pl.Int64) for j in range(width)})
    )
)


@settings(max_examples=200, deadline=None)
@given(frame=FRAMES, limits=st.sampled_from([Limits(), TIGHT]))
def test_duplicates_are_exactly_the_equal_columns(frame: pl.DataFrame, limits: Limits) -> None:
    """A column names the first earlier column with the same values and nulls, and only that."""
    seen: dict[tuple, str] = {}
    expected = {}
    for series in frame.get_columns():
        cells = tuple(series.to_list())
        if cells in seen:
            expected[series.name] = seen[cells]
        else:
            seen[cells] = series.name
    assert links(profiled(frame, limits=limits))[0] == expected


def determined(frame: pl.DataFrame) -> dict[str, str]:
    """The documented rules, by brute force."""
    cells = {s.name: s.to_list() for s in frame.get_columns()}
    order = list(cells)
    size = {n: len({v for v in c if v is not None}) for n, c in cells.items()}
    here = {n: sum(v is not None for v in c) for n, c in cells.items()}
    first = {tuple(c): n for n, c in reversed(cells.items())}
    repeated = {n for n, c in cells.items() if first[tuple(c)] != n}
    found = {}
    for y in order:
        if y in repeated or size[y] < 1 or len(set(cells[y])) == 1:
            continue
        agreement = sum((cells[y].count(v) / frame.height) ** 2 for v in set(cells[y]))
        candidates = []
        for i, x in enumerate(order):
            if x == y or x in repeated or size[x] < 2 or here[x] < 2 * size[x] or here[x] < 0.9 * here[y]:
                continue
            if (size[x], -i) < (size[y], -order.index(y)) or agreement ** (here[x] - size[x]) > 1e-4:
                continue
            pairs = {(a, b) for a, b in zip(cells[x], cells[y], strict=True) if a is not None}
            if len(pairs) == size[x]:
                candidates.append((size[x], i, x))
        if candidates:
            found[y] = min(candidates)[2]
    return found


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10**6), rows=st.integers(1, 60), sample=st.sampled_from([3, 4000]))
def test_determinants_follow_the_documented_rules(seed: int, rows: int, sample: int) -> None:
    """Equal to brute force over tables full of dependencies, partial ones, nulls and copies; the refuting sample changes nothing."""
    rng = random.Random(seed)
    base = [rng.choice([None, *range(6)]) if rng.random() < 0.05 else rng.randrange(6) for _ in range(rows)]
    columns: dict[str, list] = {"base": base}
    for name in "abcde":
        source = columns[rng.choice(list(columns))]
        mapping = {v: rng.choice([None, *range(4)]) if rng.random() < 0.2 else rng.randrange(4) for v in [None, *range(8)]}
        columns[name] = [mapping[v] for v in source]
        if rng.random() < 0.3:
            columns[name][rng.randrange(rows)] = 7
    names = list(columns)
    rng.shuffle(names)
    frame = pl.DataFrame({name: pl.Series(columns[name], dtype=pl.Int64) for name in names})
    assert links(profiled(frame, limits=Limits(dependency_sample=sample)))[1] == determined(frame)


def places(rows: int = 300) -> pl.DataFrame:
    """Cities fix regions, regions fix countries; a code and a name fix each other."""
    rng = random.Random(7)
    city = [rng.randrange(12) for _ in range(rows)]
    return pl.DataFrame(
        {
            "country": [("AT", "DE")[c // 6] for c in city],
            "city": [f"city {c}" for c in city],
            "region": [f"region {c // 3}" for c in city],
            "city_code": city,
            "id": range(rows),
            "nearly": [i // 2 if i < 20 else i for i in range(rows)],
            "noise": [rng.randrange(4) for _ in range(rows)],
        }
    )


def test_dependencies_name_the_coarsest_determinant_and_no_circle() -> None:
    """The fewest distinct values win; of two columns that fix each other only the later is named; keys and near-keys fix nothing."""
    assert links(profiled(places()))[1] == {"country": "region", "region": "city", "city_code": "city"}


def test_dependencies_do_not_depend_on_the_order_of_rows() -> None:
    """Shuffled rows, equal profile."""
    frame = places()
    assert profiled(shuffled(frame, 5)) == profiled(frame)
    assert profiled(shuffled(frame, 5), limits=TIGHT) == profiled(frame, limits=TIGHT)


def test_one_broken_row_breaks_a_dependency() -> None:
    """Dependencies are exact: one deviating row among many, wherever it is, and a null among values."""
    for row in (0, 150, 299):
        for value in ("AT2", None):
            frame = (
                places()
                .with_row_index("row")
                .with_columns(pl.when(pl.col("row") == row).then(pl.lit(value)).otherwise("country").alias("country"))
            )
            assert "country" not in links(profiled(frame.drop("row")))[1]


def test_rare_flags_are_not_called_determined() -> None:
    """A flag set in a few rows agrees with nearly everything by chance: it is not reported."""
    frame = pl.DataFrame({"group": [i % 30 if i < 60 else i for i in range(200)], "flag": [i in (190, 195) for i in range(200)]})
    assert links(profiled(frame.with_columns(pl.col("group") % 90)))[1] == {}


def test_measures_determine_only_where_nothing_else_does() -> None:
    """A floating-point determinant gives way to any other, even one with more values."""
    frame = pl.DataFrame(
        {"lat": [i % 10 / 8 for i in range(200)], "city": [f"c{i % 20}" for i in range(200)], "land": [i % 5 for i in range(200)]}
    )
    assert links(profiled(frame))[1] == {"land": "city", "lat": "city"}
    assert links(profiled(frame.drop("city")))[1] == {"land": "lat"}


def test_equal_columns_with_nan_null_and_other_types() -> None:
    """NaN counts as null, -0.0 as 0.0; equal numbers in another logical type are no duplicate."""
    frame = pl.DataFrame(
        {
            "a": [1.0, NAN, 0.0, None],
            "b": [1.0, None, -0.0, NAN],
            "c": pl.Series([1, None, 0, None], dtype=pl.Int64),
            "d": ["1", None, "0", None],
            "e": [1.0, NAN, 0.0, 0.0],
        }
    )
    assert links(profiled(frame))[0] == {"b": "a"}


def test_equal_columns_in_tables_that_are_sampled() -> None:
    """Copies of a text column are found although the shapes of big columns are estimates."""
    values = [f"{i * 7919 % 6000:05d}" if i % 3 else f"x{i}" for i in range(6_000)]
    frame = pl.DataFrame({"a": values, "n": range(6_000), "b": values})
    limits = Limits(grouped_values=100, shape_rows=500, shape_sample=100, compared_rows=10)
    assert links(profiled(frame, limits=limits))[0] == {"b": "a"}

"""Laws of keys, dependencies, equivalent and associated columns."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profile_tools import profiled, shuffled

from tamis.profile.associations import cramers_v
from tamis.profile.codes import encode, group_sizes, packed
from tamis.profile.dependencies import measure_dependency
from tamis.profile.limits import Limits

SMALL = Limits(pair_sample=50, cached_cells=0, code_bytes=1)
"""screens on a few rows, keeps nothing"""


# --------------------------------------------------------------------------------------------------------------------------- codes


@settings(max_examples=150, deadline=None)
@given(
    values=st.one_of(
        st.lists(st.none() | st.text(max_size=3)),
        st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)),
        st.lists(st.none() | st.integers(-5, 5)),
        st.lists(st.none() | st.booleans()),
        st.lists(st.none() | st.floats(allow_nan=False)),
    )
)
def test_codes_are_equal_exactly_where_values_are(values: list) -> None:
    """One code per distinct value, all below the size, one of them for null."""
    kind = pl.String if any(isinstance(v, str) for v in values) else None
    coded = encode(pl.Series(values, dtype=kind or (pl.Int64 if all(v is None for v in values) else None)))
    seen: dict = {}
    for value, code in zip(values, coded.codes.tolist(), strict=True):
        assert seen.setdefault(value, code) == code
        assert code < coded.size
        assert (code == coded.null) == (value is None)
    assert len(set(seen.values())) == len(seen)


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 3), st.integers(0, 2**20), st.integers(0, 2**20)), min_size=1))
def test_packed_ids_number_combinations(rows: list[tuple[int, ...]]) -> None:
    """Group sizes of packed ids are those of the combinations, also where they have to be renumbered to fit 62 bits."""
    columns = [encode(pl.Series([row[j] for row in rows])) for j in range(4)]
    wide = [type(c)(c.codes.astype(np.uint32), 2**21, c.null) for c in columns]
    for coded in (columns, wide):
        assert sorted(group_sizes(*packed(coded)).tolist()) == sorted(Counter(rows).values())


# ---------------------------------------------------------------------------------------------------------------------------- keys


def composite_keys(frame: pl.DataFrame) -> dict[tuple[str, ...], float]:
    """The documented rules for keys of two and three columns, by brute force."""
    rows = frame.height
    cells = {s.name: s.to_list() for s in frame.get_columns()}
    counts = {name: Counter(values) for name, values in cells.items()}
    distinct = {name: len([v for v in c if v is not None]) for name, c in counts.items()}
    agreement = {name: sum(n * (n - 1) for n in c.values()) / (rows * (rows - 1)) for name, c in counts.items()}
    parts = [
        name
        for i, name in enumerate(cells)
        if None not in cells[name]
        and len(counts[name]) > 1
        and distinct[name] < 0.99 * rows
        and not any(cells[name] == cells[other] for other in list(cells)[:i])
    ]
    found: dict[tuple[str, ...], float] = {}
    for size in (2, 3):
        for columns in combinations(parts, size):
            if any(set(known) <= set(columns) for known in found):
                continue
            groups = Counter(zip(*(cells[name] for name in columns), strict=True)).values()
            expected = rows * (rows - 1) / 2 * math.prod(agreement[name] for name in columns)
            least = rows if any(distinct[name] >= 0.9 * rows for name in columns) else 0.99 * rows
            if len(groups) >= least and expected >= 9.21 and 10 * sum(n * (n - 1) / 2 for n in groups) <= expected:
                found[columns] = len(groups) / rows
    return found


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), orders=st.integers(20, 120))
def test_composite_keys_are_exactly_the_documented_ones(seed: int, orders: int) -> None:
    """Equal to brute force: the key of order lines is found, coincidences and supersets are not."""
    rng = random.Random(seed)
    rows = [(o, line, rng.randrange(5), rng.choice("ab"), rng.randrange(400)) for o in range(orders) for line in range(rng.randint(1, 6))]
    frame = pl.DataFrame(rows, schema=["order", "line", "item", "flag", "price"], orient="row")
    found = {key.columns: key.uniqueness for key in profiled(frame).keys if len(key.columns) > 1}
    expected = composite_keys(frame)
    recoded = {name for column in profiled(frame).columns if column.equivalent_to for name in [column.name]}
    assert found == {columns: pytest.approx(share, abs=1e-6) for columns, share in expected.items() if not set(columns) & recoded}


def test_keys_and_near_keys() -> None:
    """Single keys with their uniqueness; nulls are not unique; floating-point columns are no near-keys."""
    n = 1_000
    frame = pl.DataFrame(
        {
            "id": range(n),
            "near": [f"x{max(i, 5)}" for i in range(n)],
            "gaps": [None if i < 5 else i for i in range(n)],
            "far": [i // 2 for i in range(n)],
            "measure": [float(max(i, 2)) for i in range(n)],
        }
    )
    found = {key.columns: key.uniqueness for key in profiled(frame).keys}
    assert found[("id",)] == 1
    assert found[("near",)] == pytest.approx(0.995)
    assert found[("gaps",)] == pytest.approx(0.995)
    assert ("far",) not in found
    assert ("measure",) not in found


def test_composite_keys_are_found_on_big_tables_too() -> None:
    """Screening on some rows loses no key, and what it leaves is counted in full."""
    frame = pl.DataFrame([(o, line, (o * line) % 7) for o in range(300) for line in range(4)], schema=["order", "line", "x"], orient="row")
    for limits in (Limits(), SMALL):
        assert [key.columns for key in profiled(frame, limits=limits).keys] == [("order", "line")]


# -------------------------------------------------------------------------------------------------------------------- dependencies


def g3(xs: list, ys: list) -> tuple[float, float, int] | None:
    """(g3, lambda, rows) by plain Python."""
    groups: dict = defaultdict(Counter)
    whole: Counter = Counter()
    for x, y in zip(xs, ys, strict=True):
        if x is not None:
            groups[x][y] += 1
            whole[y] += 1
    rows = sum(whole.values())
    if not rows or len(whole) == 1:
        return None
    right, best = sum(max(c.values()) for c in groups.values()), max(whole.values())
    return (rows - right) / rows, (right - best) / (rows - best), rows


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.tuples(st.none() | st.integers(0, 4), st.none() | st.integers(0, 3)), min_size=1, max_size=40))
def test_the_error_of_a_dependency_is_g3(rows: list[tuple]) -> None:
    """g3, lambda and one-to-one as defined, nulls included."""
    xs, ys = [row[0] for row in rows], [row[1] for row in rows]
    found = measure_dependency(encode(pl.Series(xs, dtype=pl.Int64)), encode(pl.Series(ys, dtype=pl.Int64)), ("x", "y"))
    expected = g3(xs, ys)
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert (found.g3, found.lift, found.rows) == pytest.approx(expected)
    pairs = set(zip(xs, ys, strict=True))
    assert found.one_to_one == (
        len(pairs) == len({x for x, _ in pairs}) == len({y for _, y in pairs}) and ((None, None) in pairs or None not in xs)
    )


def town(n: int, errors: float, seed: int = 0) -> pl.DataFrame:
    """zip -> city with some errors, a code of the city, its name in capitals, and noise."""
    rng = random.Random(seed)
    zips = [rng.randrange(200) for _ in range(n)]
    city = [f"town {z // 10}" for z in zips]
    return pl.DataFrame(
        {
            "zip": zips,
            "city": [rng.choice(city) if rng.random() < errors else c for c in city],
            "noise": [rng.randrange(12) for _ in range(n)],
        }
    ).with_columns(code=pl.col("city").str.slice(5).cast(pl.Int64) * 7 + 3, loud=pl.col("city").str.to_uppercase().str.replace(" ", "-"))


@pytest.mark.parametrize("limits", [Limits(), SMALL])
@pytest.mark.parametrize("errors", [0.0, 0.03])
def test_dependencies_are_reported_with_their_error(limits: Limits, errors: float) -> None:
    """Exact and approximate dependencies with the error on all rows; what is unrelated is not reported."""
    frame = town(4_000, errors)
    found = {(d.determinant, d.dependent): d for d in profiled(frame, limits=limits).dependencies}
    assert ("zip", "city") in found
    assert not any("noise" in pair for pair in found)
    for (x, y), dependency in found.items():
        assert (dependency.g3, dependency.lift, dependency.rows) == pytest.approx(g3(frame[x].to_list(), frame[y].to_list()))
    assert (found["zip", "city"].g3 == 0) == (errors == 0)


def test_columns_in_another_form_are_recognized() -> None:
    """Equal up to case and punctuation, numbers as text with leading zeros, and one-to-one codes; an exact copy is a duplicate."""
    frame = town(2_000, 0.0).with_columns(
        padded=pl.col("zip").cast(pl.String).str.zfill(6), real=pl.col("zip").cast(pl.Float64), copy=pl.col("zip")
    )
    found = {c.name: (c.equivalent_to, c.equivalence) for c in profiled(frame).columns if c.equivalent_to}
    assert found == {
        "code": ("city", "recoding"),
        "loud": ("city", "format"),
        "padded": ("zip", "format"),
        "real": ("zip", "format"),
    }
    assert profiled(frame).column("copy").duplicate_of == "zip"


def test_opposite_numbers_are_not_the_same() -> None:
    """A minus is no punctuation; a null is nothing but a null."""
    frame = pl.DataFrame({"a": ["5", "-7", None, "0"], "b": [-5, 7, None, 0], "c": [5, -7, 0, 0], "d": ["05", "-7", None, "000"]})
    assert {c.name: c.equivalent_to for c in profiled(frame).columns if c.equivalent_to} == {"d": "a"}


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(5, 300))
def test_independent_columns_have_no_dependency(seed: int, n: int) -> None:
    """Coincidence is not structure: among independent columns at most one pair in a thousand tables would be reported."""
    rng = random.Random(seed)
    frame = pl.DataFrame({f"c{j}": [rng.randrange(2 + 3 * j) for _ in range(n)] for j in range(4)})
    approximate = [d for d in profiled(frame).dependencies if d.g3 > 0]
    assert approximate == []


# --------------------------------------------------------------------------------------------------------------------- associations


def test_associations_have_the_textbook_values() -> None:
    """Cramér's V without bias is 1 for copies and about 0 for independent columns; ordered pairs give |Spearman|."""
    rng = random.Random(3)
    n = 2_000
    a = [rng.randrange(5) for _ in range(n)]
    independent = [rng.randrange(5) for _ in range(n)]
    first = encode(pl.Series(a))
    assert cramers_v(first, encode(pl.Series([x * 3 for x in a])))[0] == pytest.approx(1.0, abs=0.01)
    assert cramers_v(first, encode(pl.Series(independent)))[0] < 0.05
    x = [rng.random() for _ in range(n)]
    frame = pl.DataFrame(
        {
            "x": x,
            "y": [-math.exp(3 * v) + rng.gauss(0, 0.3) for v in x],
            "z": [rng.random() for _ in range(n)],
            "group": [f"g{int(v * 6)}" if rng.random() < 0.97 else "g1" for v in x],
            "gap": [None if rng.random() < 0.3 else v + rng.gauss(0, 0.02) for v in x],
        }
    )
    found = {(a.first, a.second): a for a in profiled(frame).associations}
    ranks = [np.argsort(np.argsort(frame[name].to_numpy())) for name in ("x", "y")]
    assert found["x", "y"].measure == "spearman"
    assert found["x", "y"].value == pytest.approx(abs(np.corrcoef(*ranks)[0, 1]), abs=1e-3)
    assert found["x", "group"].measure == "correlation_ratio"
    assert found["x", "gap"].rows == frame["gap"].count()
    assert not any("z" in pair for pair in found)


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"a": pl.Series([], dtype=pl.Int64), "b": pl.Series([], dtype=pl.String)}),
        pl.DataFrame({"a": [1], "b": ["x"]}),
        pl.DataFrame({"a": pl.Series([None] * 40, dtype=pl.String), "b": [None, "x"] * 20}),
        pl.DataFrame({"a": [math.nan, None, 1.0, 1.0] * 20, "^b$": [True, False, None, None] * 20, "*": ["\n", "", "é", None] * 20}),
        pl.DataFrame({"a": [math.inf, -math.inf, 0.0, -0.0] * 20, "b": ["p", "q", "r", "r"] * 20}),
    ],
)
def test_strange_tables_have_relations_without_error(frame: pl.DataFrame) -> None:
    """No rows, one row, nothing but nulls, NaN, infinities, hostile names: an answer, and the same one for shuffled rows."""
    for limits in (Limits(), SMALL):
        assert profiled(shuffled(frame, 5), limits=limits) == profiled(frame, limits=limits)


def test_relations_do_not_depend_on_the_order_of_rows() -> None:
    """Rows are chosen by content: shuffled rows give the same keys, dependencies and associations, also where only some are looked at."""
    rng = random.Random(0)
    frame = (
        town(3_000, 0.02)
        .with_columns(x=pl.Series([rng.random() for _ in range(3_000)]))
        .with_columns(y=pl.col("x") * 2 + pl.col("noise") * 0.01)
    )
    limits = Limits(pair_sample=400, cached_cells=0)
    plain = profiled(frame, limits=limits)
    assert plain.associations
    for seed in range(3):
        assert profiled(shuffled(frame, seed), limits=limits) == plain


def test_wide_tables_say_what_was_not_compared() -> None:
    """Beyond the bounds on columns and pairs the profile states what it left out."""
    rng = random.Random(0)
    frame = pl.DataFrame({f"c{j}": [rng.randrange(2 + j % 9) for _ in range(200)] for j in range(40)})
    cut = profiled(frame, limits=Limits(dependency_pairs=10, association_columns=5, key_columns=3)).redundancy_cut
    assert [word for word in ("composite", "dependencies", "associations") if any(word in sentence for sentence in cut)] == [
        "composite",
        "dependencies",
        "associations",
    ]
    assert profiled(frame.select(frame.columns[:4])).redundancy_cut == ()

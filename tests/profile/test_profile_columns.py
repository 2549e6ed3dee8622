"""Laws of column profiles, against plain Python."""

from __future__ import annotations

import datetime as dt
import math
import statistics
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from profile_tools import TIGHT, counted, present, profiled, shuffled, table_of

from tamis.core.canonical import canonical_json
from tamis.core.types import DataType
from tamis.profile import profile_tables
from tamis.profile.bounds import number_bounds
from tamis.profile.limits import Limits

INTEGERS = st.lists(st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3), max_size=40)
FLOATS = st.lists(st.none() | st.floats() | st.sampled_from([0.0, -0.0, 0.1, 0.2, 1e308, -1e308]), max_size=40)
TEXTS = st.lists(st.none() | st.text(max_size=12) | st.sampled_from(["a", "b", "10115", "Ab 1"]), max_size=40)
DATES = st.lists(st.none() | st.dates() | st.sampled_from([dt.date(2000, 1, 1), dt.date(1999, 12, 31)]), max_size=40)
COLUMNS = st.one_of(
    INTEGERS.map(lambda v: pl.Series("x", v, dtype=pl.Int64)),
    FLOATS.map(lambda v: pl.Series("x", v, dtype=pl.Float64)),
    TEXTS.map(lambda v: pl.Series("x", v, dtype=pl.String)),
    DATES.map(lambda v: pl.Series("x", v, dtype=pl.Date)),
    st.lists(st.none() | st.booleans(), max_size=40).map(lambda v: pl.Series("x", v, dtype=pl.Boolean)),
    st.lists(st.none() | st.binary(max_size=3), max_size=40).map(lambda v: pl.Series("x", v, dtype=pl.Binary)),
    st.lists(st.none() | st.times(), max_size=40).map(lambda v: pl.Series("x", v, dtype=pl.Time)),
    st.lists(st.none() | st.timedeltas(dt.timedelta(-9), dt.timedelta(9)), max_size=40).map(
        lambda v: pl.Series("x", v, dtype=pl.Duration("us"))
    ),
    st.lists(st.none() | st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 1, 1)), max_size=40).map(
        lambda v: pl.Series("x", v, dtype=pl.Datetime("us"))
    ),
)
LIMITS = st.sampled_from([Limits(), TIGHT])


@settings(max_examples=300, deadline=None)
@given(series=COLUMNS, k=st.integers(2, 5), limits=LIMITS)
def test_counts_equal_a_plain_count(series: pl.Series, k: int, limits: Limits) -> None:
    """Rows, nulls (NaN too), distinct, singletons, rare values and rows, constancy: equal to counting in Python, however it was counted."""
    values = series.to_list()
    counts = counted(values)
    column = profiled(series.to_frame(), k=k, limits=limits).column("x")
    assert (column.rows, column.nulls) == (len(values), len(values) - len(present(values)))
    assert column.distinct_exact
    assert column.distinct == len(counts)
    assert column.singletons == sum(n == 1 for n in counts.values())
    assert column.rare_values == sum(n < k for n in counts.values())
    assert column.rare_rows == sum(n for n in counts.values() if n < k)
    assert column.constant == (len(values) > 0 and len(counts) + (column.nulls > 0) == 1)


@settings(max_examples=200, deadline=None)
@given(series=COLUMNS)
def test_a_candidate_key_is_exactly_unique_and_filled(series: pl.Series) -> None:
    """A column is a candidate key if and only if it has rows, no nulls and no value twice; the way of counting does not matter."""
    values = series.to_list()
    expected = ("x",) if values and len(counted(values)) == len(values) else ()
    assert profiled(series.to_frame()).candidate_keys == expected
    assert profiled(series.to_frame(), limits=TIGHT).candidate_keys == expected


@settings(max_examples=200, deadline=None)
@given(series=COLUMNS, seed=st.integers(0, 9), k=st.integers(2, 4), limits=LIMITS)
def test_order_and_chunks_do_not_matter(series: pl.Series, seed: int, k: int, limits: Limits) -> None:
    """The same rows in another order and other chunks give an equal profile, floating-point figures included."""
    frame = series.to_frame()
    assert profiled(shuffled(frame, seed), k=k, limits=limits) == profiled(frame, k=k, limits=limits)


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.none() | st.floats(-1e9, 1e9) | st.sampled_from([math.inf, -math.inf, math.nan]), max_size=40),
    k=st.integers(2, 4),
    limits=LIMITS,
)
def test_moments_are_those_of_the_finite_values(values: list[float | None], k: int, limits: Limits) -> None:
    """Mean and sample standard deviation are right to 6 digits over finite values, and absent for fewer than k of them."""
    finite = [v for v in present(values) if math.isfinite(v)]
    column = profiled(pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64)}), k=k, limits=limits).column("x")
    if not present(values):
        assert column.zeros is None or column.type is DataType.NUMBER
        return
    assert column.zeros == sum(v == 0 for v in finite)
    if len(finite) < k:
        assert column.mean is None
        assert column.std is None
        return
    size = max(abs(v) for v in finite)
    assert column.mean == pytest.approx(float(sum(map(Fraction, finite)) / len(finite)), rel=1e-5, abs=1e-9 * size)
    assert column.std == pytest.approx(statistics.stdev(finite), rel=1e-5, abs=1e-7 * size)


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=40), limits=LIMITS)
def test_integer_means_do_not_overflow(values: list[int], limits: Limits) -> None:
    """The mean of integers is exact to 6 digits up to the ends of 64 bits."""
    column = profiled(pl.DataFrame({"x": pl.Series(values, dtype=pl.Int64)}), limits=limits).column("x")
    assert column.mean == float(f"{sum(values) / len(values):.6g}")


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.integers(-1000, 1000) | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=40),
    k=st.integers(2, 5),
    limits=LIMITS,
)
def test_bounds_are_k_safe(values: list[int], k: int, limits: Limits) -> None:
    """At least k rows lie at or below the k-th smallest value and the bound is not inside it; nothing with fewer than 2k values."""
    column = profiled(pl.DataFrame({"x": pl.Series(values, dtype=pl.Int64)}), k=k, limits=limits).column("x")
    if len(values) < 2 * k:
        assert column.low is None
        assert column.high is None
        return
    ordered = sorted(values)
    assert column.low is not None
    assert Fraction(column.low) <= ordered[k - 1]
    assert Fraction(column.high) >= ordered[-k]


def test_bounds_ignore_the_extremes() -> None:
    """Bounds depend on the k-th values only: what the k - 1 extremes are does not show."""
    middle = [float(v) for v in range(100, 200)]
    one = profiled(pl.DataFrame({"x": [*middle, 12345.678, -77.7]}), k=3).column("x")
    other = profiled(pl.DataFrame({"x": [*middle, 1e300, -1e300]}), k=3).column("x")
    assert (one.low, one.high) == (other.low, other.high)


@given(low=st.floats(allow_nan=False, allow_infinity=False), high=st.floats(allow_nan=False, allow_infinity=False), integer=st.booleans())
@example(low=-1.7976931348622957e308, high=-1.7976931348623157e308, integer=False)
def test_bounds_are_rounded_outward_by_less_than_a_tenth(low: float, high: float, integer: bool) -> None:
    """Bounds contain the values; the grid is at most a twentieth of the range (times 1, 2, 5 steps), unless integers force 1."""
    low, high = min(low, high), max(low, high)
    found_low, found_high = number_bounds(low, high, integer=integer)
    assert found_low <= low
    assert found_high >= high
    span = Fraction(high) - Fraction(low) or max(abs(Fraction(low)), abs(Fraction(high)))
    slack = max(span / 10, Fraction(1) if integer or not span else Fraction(0)) + abs(Fraction(found_low)) / 10**12 + Fraction(5e-324)
    assert Fraction(low) - Fraction(found_low) <= slack


def test_bounds_of_dates_are_years() -> None:
    """Dates and datetimes have ISO years as bounds, also before 1970 and with one stray date."""
    days = [dt.date(1930 + i, 5, 17) for i in range(40)] + [dt.date(1, 1, 1), dt.date(9999, 12, 31)]
    frame = pl.DataFrame({"d": days}).with_columns(pl.col("d").cast(pl.Datetime("us")).alias("t"))
    profile = profiled(frame, k=3)
    assert (profile.column("d").low, profile.column("d").high) == ("1931", "1968")
    assert (profile.column("t").low, profile.column("t").high) == ("1931", "1968")


@settings(max_examples=150, deadline=None)
@given(values=TEXTS, limits=LIMITS)
def test_lengths_and_words_are_those_of_python(values: list[str | None], limits: Limits) -> None:
    """Lengths are in characters; absent for other types and for columns without text."""
    column = profiled(pl.DataFrame({"x": pl.Series(values, dtype=pl.String)}), limits=limits).column("x")
    lengths = [len(v) for v in values if v is not None]
    if not lengths:
        assert column.length_min is None
        return
    assert (column.length_min, column.length_max) == (min(lengths), max(lengths))
    assert column.length_mean == pytest.approx(sum(lengths) / len(lengths), rel=1e-5)


def test_words_are_runs_of_non_space() -> None:
    """Words are counted between white space, per row."""
    column = profiled(pl.DataFrame({"x": ["one", " two  words ", "", "and now\nfour words"]})).column("x")
    assert column.words_mean == 1.75


@pytest.mark.parametrize("limits", [Limits(), TIGHT], ids=["grouped", "keys"])
@pytest.mark.parametrize("rows", [0, 1, 2, 4])
def test_few_rows_of_every_type(rows: int, limits: Limits) -> None:
    """Zero, one and a few rows of every type are profiled, and say nothing that k forbids."""
    frame = pl.DataFrame(
        {
            "text": pl.Series([f"v{i}" for i in range(rows)], dtype=pl.String),
            "integer": pl.Series(range(rows), dtype=pl.Int64),
            "number": pl.Series([i / 3 for i in range(rows)], dtype=pl.Float64),
            "boolean": pl.Series([i % 2 == 0 for i in range(rows)], dtype=pl.Boolean),
            "date": pl.Series([dt.date(2000, 1, 1 + i) for i in range(rows)], dtype=pl.Date),
            "datetime": pl.Series([dt.datetime(2000, 1, 1 + i) for i in range(rows)], dtype=pl.Datetime("us")),
            "time": pl.Series([dt.time(i) for i in range(rows)], dtype=pl.Time),
            "duration": pl.Series([dt.timedelta(i) for i in range(rows)], dtype=pl.Duration("us")),
            "binary": pl.Series([bytes([200, i]) for i in range(rows)], dtype=pl.Binary),
            "empty": pl.Series([None] * rows, dtype=pl.String),
        }
    )
    profile = profiled(frame, k=5, limits=limits)
    assert [c.type.value for c in profile.columns][1:] == [c.name for c in profile.columns][1:]
    assert all(c.rows == rows and c.low is None and c.mean is None and c.shapes == () for c in profile.columns)
    assert profile.column("empty").nulls == rows
    assert profile.column("empty").constant == (rows > 0)
    assert ("integer" in profile.candidate_keys) == (rows > 0)


HOSTILE = [
    "",
    "^a.*$",
    "*",
    "a b",
    "a.b",
    'q"uote',
    "new\nline",
    "😀",
    "<script>",
    "__proto__",
    "c0",
    "rows",
    "c0.present",
    "n",
    "x" * 10_000,
    "mask",
]


@pytest.mark.parametrize("limits", [Limits(), TIGHT], ids=["grouped", "keys"])
def test_hostile_names(limits: Limits) -> None:
    """Column names mean themselves: patterns, wildcards, dots, emoji, our own internal names."""
    frame = pl.DataFrame({name: [i, i + 1, 7, None] for i, name in enumerate(HOSTILE)})
    profile = profiled(frame, limits=limits)
    assert [c.name for c in profile.columns] == HOSTILE
    assert all(c.nulls == 1 for c in profile.columns)


def test_no_columns_at_all() -> None:
    """A table without columns has a profile without columns."""
    assert profiled(pl.DataFrame()).columns == ()


def test_wide_tables() -> None:
    """500 columns are 500 profiles."""
    frame = pl.DataFrame({f"col {i}": [(i * j) % 7 for j in range(30)] for i in range(500)})
    profile = profiled(frame)
    assert len(profile.columns) == 500
    assert profile.column("col 8").duplicate_of == "col 1"


@pytest.mark.parametrize(
    "limits", [Limits(), TIGHT, Limits(grouped_values=3, keys_per_pass=4, passes=1)], ids=["grouped", "keys", "sketch"]
)
def test_rare_values_leave_no_trace(limits: Limits) -> None:
    """Values of fewer than k rows appear nowhere in the profile: canaries in every kind of column, and a lone row's number."""
    rows = 60
    canary = "ZQXCANARY"
    frame = pl.DataFrame(
        {
            "text": [canary + str(i) if i < 3 else f"common{i % 4}" for i in range(rows)],
            "unique": [f"{canary}-{i * 7919}@example.org" for i in range(rows)],
            "number": [987654.321 if i == 0 else float(i) for i in range(rows)],
            "integer": [918273645 if i == 0 else i for i in range(rows)],
            "date": [dt.date(1801, 2, 3) if i == 0 else dt.date(1990 + i % 20, 1, 1) for i in range(rows)],
        }
    )
    written = canonical_json(profile_one_dataset(frame, limits))
    for secret in (canary, "ZQX", "987654", "918273645", "1801", "common", "example", "7919"):
        assert secret not in written


def profile_one_dataset(frame: pl.DataFrame, limits: Limits) -> object:
    """The profile as it would be stored."""
    return profiled(frame, k=5, limits=limits)


def test_estimates_say_so() -> None:
    """Past the bounds, distinct is an estimate and nothing is counted; a near-unique column is still counted exactly."""
    limits = Limits(grouped_values=100, keys_per_pass=500, passes=2, compared_rows=100)
    frame = pl.DataFrame(
        {"many": [float(i % 700) for i in range(4_000)], "key": range(4_000), "text": [str(i % 900) for i in range(4_000)]}
    )
    profile = profiled(frame, limits=limits)
    for name, truth in (("many", 700), ("text", 900)):
        column = profile.column(name)
        assert not column.distinct_exact
        assert column.distinct == pytest.approx(truth, rel=0.15)
        assert column.singletons is None
        assert column.rare_values is None
        assert column.rare_rows is None
    assert profile.column("many").mean == 337.0  # five times 0..699, then 0..499
    assert profile.column("many").zeros == 6
    assert profile.candidate_keys == ("key",)
    assert profiled(shuffled(frame, 3), limits=limits) == profile


def test_text_of_many_repeats_is_an_estimate_from_hashes() -> None:
    """Text that repeats too much to be compared is counted by its hashes, and labelled an estimate."""
    limits = Limits(grouped_values=100, compared_rows=100)
    column = profiled(pl.DataFrame({"x": [f"v{i // 2}" for i in range(1_000)]}), k=3, limits=limits).column("x")
    assert (column.distinct, column.distinct_exact, column.rare_values) == (500, False, 500)


def test_the_verb_announces_its_stages() -> None:
    """Progress hears of stages and of names and counts; the result is the same without it."""
    from contextlib import AbstractContextManager, nullcontext

    class Listener:
        def __init__(self) -> None:
            self.heard: list[str] = []

        def stage(self, name: str, detail: str = "") -> AbstractContextManager[None]:
            self.heard.append(f"{name} {detail}")
            return nullcontext()

        def note(self, text: str) -> None:
            self.heard.append(text)

    listener = Listener()
    tables = [table_of(pl.DataFrame({"x": [1, 2]}), "first"), table_of(pl.DataFrame({"x": ["a"]}), "second")]
    assert profile_tables(tables, k=2, progress=listener) == profile_tables(tables, k=2)
    assert listener.heard == ["profile tables", "first: 2 rows, 1 columns", "second: 1 rows, 1 columns", "profile references"]

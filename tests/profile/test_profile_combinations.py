"""Laws of the search for column sets that single people out."""

from __future__ import annotations

import random
from itertools import combinations
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profile_tools import shuffled, table_of

from tamis.core.types import DatasetProfile, Finding, Findings, QuasiSearch, Role
from tamis.profile import find_quasi_sets, profile_tables
from tamis.profile.limits import Limits


def searched(
    frame: pl.DataFrame,
    *,
    k: int = 2,
    share: float = 0.2,
    unit: str | None = None,
    roles: dict[str, Role] | None = None,
    limits: Limits | None = None,
) -> QuasiSearch:
    """The search in one frame whose columns are all quasi-identifiers unless `roles` says otherwise."""
    table = table_of(frame)
    profile = profile_tables([table], k=k)
    (found,) = find_quasi_sets(
        [table], profile, found_roles(profile, roles or {}), units={"t": unit} if unit else {}, k=k, share=share, limits=limits
    )
    return found


def found_roles(profile: DatasetProfile, roles: dict[str, Role]) -> Findings:
    """Findings with these roles, quasi where nothing is said."""
    return Findings(
        findings=tuple(
            Finding(table="t", column=c.name, entity=None, role=roles.get(c.name, Role.QUASI), confidence=1.0)
            for c in profile.tables[0].columns
        )
    )


def below(frame: pl.DataFrame, columns: tuple[str, ...], k: int, unit: str | None) -> tuple[set[Any], set[Any], dict[tuple, set]]:
    """(persons below k, persons alone, classes) by plain Python."""
    people = frame[unit].to_list() if unit else list(range(frame.height))
    classes: dict[tuple, set] = {}
    for row, person in zip(frame.select(columns).rows(), people, strict=True):
        classes.setdefault(row, set()).add(person)
    small = [who for who in classes.values() if len(who) < k]
    return set().union(*small), set().union(*(who for who in small if len(who) == 1)), classes


def brute(frame: pl.DataFrame, names: tuple[str, ...], k: int, share: float, unit: str | None) -> set[tuple[str, ...]]:
    """Minimal singling sets by trying all subsets, small ones first."""
    persons = frame[unit].n_unique() if unit else frame.height
    found: list[tuple[str, ...]] = []
    for size in range(1, len(names) + 1):
        for columns in combinations(names, size):
            singling = len(below(frame, columns, k, unit)[0]) >= share * persons
            if singling and not any(set(one) <= set(columns) for one in found):
                found.append(columns)
    return {tuple(sorted(one)) for one in found}


ROWS = st.lists(st.tuples(*(st.none() | st.integers(0, 2) for _ in range(5))), min_size=1, max_size=25)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, k=st.integers(2, 5), share=st.sampled_from([0.05, 0.3, 1.0]), unit=st.booleans(), seed=st.integers(0, 10**6))
def test_sets_are_exactly_the_minimal_singling_ones(rows: list[tuple], k: int, share: float, unit: bool, seed: int) -> None:
    """Equal to trying all subsets: every minimal set and no other, with the right figures, whoever counts as a person."""
    rng = random.Random(seed)
    frame = pl.DataFrame({f"c{j}": pl.Series([row[j] for row in rows], dtype=pl.Int64) for j in range(5)})
    frame = frame.with_columns(pl.Series("who", [f"p{rng.randrange(max(1, len(rows) // 2))}" for _ in rows]))
    key = "who" if unit else None
    frame = frame if unit else frame.drop("who")
    found = searched(frame, k=k, share=share, unit=key)
    assert found.exhaustive
    assert {tuple(sorted(one.columns)) for one in found.sets} == brute(frame, found.candidates, k, share, key)
    assert found.found == len(found.sets)
    persons = frame["who"].n_unique() if unit else frame.height
    assert found.persons == (persons if found.candidates else 0)
    for one in (*found.sets, *([found.whole] if found.whole else [])):
        small, alone, classes = below(frame, one.columns, k, key)
        assert one.below_k == pytest.approx(len(small) / persons, abs=1e-6)
        assert one.unique == pytest.approx(len(alone) / persons, abs=1e-6)
        assert one.combinations == len(classes)
        assert one.distinct_ratio == pytest.approx(len(classes) / sum(map(len, classes.values())), abs=1e-6)
        assert one.highest_risk == pytest.approx(1 / min(map(len, classes.values())), abs=1e-6)


def people(n: int, seed: int = 0) -> pl.DataFrame:
    """Persons with a few attributes of different types, some of them missing."""
    rng = random.Random(seed)
    return pl.DataFrame(
        {
            "zip": [f"{rng.randrange(40):05d}" for _ in range(n)],
            "age": [rng.randrange(18, 90) for _ in range(n)],
            "sex": [rng.choice(["f", "m", None]) for _ in range(n)],
            "smokes": [rng.random() < 0.2 for _ in range(n)],
            "height": [rng.choice([1.6, 1.7, 1.8, None]) for _ in range(n)],
        }
    )


def test_the_order_of_rows_changes_nothing() -> None:
    """The same search, figures and ranking for shuffled and re-chunked rows."""
    frame = people(3_000)
    plain = searched(frame, k=5)
    assert plain.sets
    for seed in range(3):
        assert searched(shuffled(frame, seed), k=5) == plain


def test_equal_rows_are_counted_once_with_their_weight() -> None:
    """A table of few distinct rows gives the figures of all its rows."""
    frame = pl.concat([people(200)] * 300)
    found = searched(frame, k=400, share=0.01)
    assert found.persons == 60_000
    assert found.sets
    for one in found.sets:
        assert one.below_k == pytest.approx(len(below(frame, one.columns, 400, None)[0]) / 60_000, abs=1e-6)


def test_sets_of_quasi_identifiers_come_first() -> None:
    """What could only be known too stands behind, and is named last within a set."""
    frame = people(400)
    found = searched(frame, k=5, share=0.5, roles={"zip": Role.NONE, "age": Role.SENSITIVE})
    assert found.candidates[:3] == ("sex", "smokes", "height")
    others = [len(one.columns) - one.quasi for one in found.sets]
    assert others == sorted(others)
    assert all(set(one.columns[one.quasi :]) <= {"zip", "age"} for one in found.sets)


def test_columns_nobody_could_know_are_left_out_with_the_reason() -> None:
    """Direct identifiers, keys, measures, free text, constants and repeats are not searched, and it is said why."""
    n = 400
    rng = random.Random(1)
    frame = people(n).with_columns(
        name=pl.Series([f"Name {i % 300}" for i in range(n)]),
        row=pl.Series(range(n)),
        weight=pl.Series([rng.random() for _ in range(n)]),
        note=pl.Series([" ".join(rng.choice("abcdefg") for _ in range(9)) for _ in range(n)]),
        one=pl.lit("x"),
        nothing=pl.lit(None, dtype=pl.String),
        again=pl.col("zip"),
    )
    none = dict.fromkeys(("row", "weight", "note", "one", "nothing", "again"), Role.NONE)
    found = searched(frame, k=5, roles={"name": Role.DIRECT, **none})
    left = {name: reason for reason, names in found.left_out.items() for name in names}
    assert set(left) == {"name", "row", "weight", "note", "one", "nothing", "again"}
    assert set(found.candidates) == {"zip", "age", "sex", "smokes", "height"}


def test_a_cut_search_says_how_far_it_is_complete() -> None:
    """With a small budget the sets found are true, those up to the stated size are all there, and what is open is counted."""
    frame = people(2_000)
    whole = searched(frame, k=5, share=0.02)
    cut = searched(frame, k=5, share=0.02, limits=Limits(quasi_budget=2_000 * 7))
    assert whole.exhaustive
    assert not cut.exhaustive
    assert cut.open > 0
    assert "cut by the budget" in cut.statement
    complete = [one for one in whole.sets if len(one.columns) <= cut.complete_size]
    assert [one for one in cut.sets if len(one.columns) <= cut.complete_size] == complete
    assert set(cut.sets) <= set(whole.sets)


def test_a_bounded_size_is_stated() -> None:
    """Sets of more columns than the limit are not examined, and it is said."""
    bits = pl.DataFrame({f"b{j}": [(i >> j) & 1 for i in range(64)] for j in range(6)})
    found = searched(bits, k=2, share=1.0, limits=Limits(quasi_size=3))
    assert (found.complete_size, found.exhaustive, found.sets) == (3, False, ())
    assert "up to 3 of 6 columns" in found.statement
    full = searched(bits, k=2, share=1.0)
    assert [len(one.columns) for one in full.sets] == [6]


def test_too_many_columns_are_cut_and_named() -> None:
    """Quasi-identifiers are preferred, then columns with many values; the rest is left out with a reason."""
    frame = people(300)
    found = searched(frame, k=5, roles={"zip": Role.NONE, "age": Role.NONE, "smokes": Role.NONE}, limits=Limits(quasi_columns=3))
    assert set(found.candidates) == {"sex", "height", "age"}
    assert any(set(names) == {"zip", "smokes"} for names in found.left_out.values())


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"a": pl.Series([], dtype=pl.String)}),
        pl.DataFrame({"a": pl.Series([None, None], dtype=pl.String)}),
        pl.DataFrame({"a": [1]}),
        pl.DataFrame({"a": [float("nan"), None, 1.0, 1.0]}),
        pl.DataFrame({"^a$": ["x", "y", "x"], "*": [1, 1, 2], "": [True, None, True]}),
    ],
)
def test_small_and_strange_tables(frame: pl.DataFrame) -> None:
    """No rows, no values, one row, NaN beside null, hostile names, k above the number of rows: an answer, never an error."""
    for k in (2, 50):
        found = searched(frame, k=k)
        assert found.exhaustive
        assert {tuple(sorted(one.columns)) for one in found.sets} <= {
            tuple(sorted(found.candidates)),
            *((name,) for name in frame.columns),
        } | {tuple(sorted(pair)) for pair in combinations(frame.columns, 2)}


def test_nan_is_null() -> None:
    """A NaN and a null are the same missing value to an attacker."""
    frame = pl.DataFrame({"a": [float("nan"), None, 1.0, 1.0]})
    assert searched(frame, k=2, share=0.01).sets == ()


def test_ids_that_do_not_fit_62_bits_are_renumbered() -> None:
    """Many columns with many values: combinations are told apart all the same."""
    n = 5_000
    frame = pl.DataFrame({f"c{j}": [(i * (2 * j + 1)) % 4_999 for i in range(n)] for j in range(6)})
    found = searched(frame, k=2, share=0.0001)
    assert found.whole is not None
    assert found.whole.combinations == frame.n_unique()


def test_no_value_of_a_table_is_in_the_search() -> None:
    """Names and counts only."""
    frame = pl.DataFrame({"a": [f"canary-{i}" for i in range(50)] * 2, "b": [f"bird-{i % 7}" for i in range(100)]})
    assert "canary" not in (text := searched(frame, k=5).model_dump_json())
    assert "bird" not in text

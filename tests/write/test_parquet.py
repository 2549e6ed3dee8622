"""Laws of the files: keyed order, fixed parts, same bytes, nothing but what is released."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tamis.write.parquet as module
from tamis.core.actions import AnyAction, Drop, Keep
from tamis.core.errors import DataError, TransientError
from tamis.core.plan import ColumnPlan, Status
from tamis.core.record import OutputFile
from tamis.core.types import DataType, Role
from tamis.encoding import WORDS
from tamis.write.parquet import write_table


def plans(names: Sequence[str], action: AnyAction | None = None) -> list[ColumnPlan]:
    """Column plans by name."""
    return [
        ColumnPlan(
            name=name, type=DataType.TEXT, role=Role.NONE, action=action or Keep(), status=Status.DECIDED, rule="policy", reason="needed"
        )
        for name in names
    ]


def keyed(frame: pl.DataFrame, seed: int = 0) -> pl.DataFrame:
    """The frame with made-up row words."""
    words = np.random.default_rng(seed).integers(0, 2**64, (frame.height, 4), dtype=np.uint64)
    return frame.with_columns(*(pl.Series(name, words[:, i]) for i, name in enumerate(WORDS)))


def write(
    frame: pl.DataFrame | pl.LazyFrame, folder: Path, names: Sequence[str], *, order: str | None = None, hint: int | None = None
) -> tuple[int, tuple[OutputFile, ...]]:
    """Write with the usual arguments."""
    return write_table(
        frame.lazy(),
        folder,
        columns=plans(names),
        words=None if order else WORDS,
        order=order,
        rows_hint=frame.lazy().select(pl.len()).collect().item() if hint is None else hint,
        metadata={"tamis.release_id": "r1", "tamis.actions": "{}"},
        spill=folder / ".spill",
    )


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 100 rows, so that the spill is exercised on tiny frames."""
    monkeypatch.setattr(module, "PART_ROWS", 100)
    monkeypatch.setattr(module, "ROW_GROUP_ROWS", 30)
    monkeypatch.setattr(module, "_BATCH_ROWS", 64)


def table(rows: int) -> pl.DataFrame:
    """A frame of many types, with nulls, NaN and repeated rows."""
    r = np.random.default_rng(3)
    return pl.DataFrame(
        {
            "i": r.integers(0, 50, rows),
            "t": [None if v == 0 else f"é{v}" for v in r.integers(0, 9, rows)],
            "f": [None if v < 0.1 else float("nan") if v < 0.2 else v for v in r.random(rows)],
            "d": [dt.date(2020, 1, 1) + dt.timedelta(int(v)) for v in r.integers(0, 900, rows)],
            "b": r.integers(0, 2, rows).astype(bool),
            "^a.*$": r.integers(0, 3, rows),
        },
        schema_overrides={"f": pl.Float64},
    )


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("rows", [0, 1, 99, 100, 101, 350, 1_000])
def test_rows_come_out_complete_in_keyed_order_and_equal_ranges(tmp_path: Path, rows: int) -> None:
    """Every row leaves once; part i holds the i-th equal range of the first word; there are max(1, ceil(rows / PART_ROWS)) parts."""
    frame = keyed(table(rows))
    count, files = write(frame, tmp_path / "t", table(0).columns)
    parts = max(1, -(-rows // 100))
    assert (count, len(files), sum(file.rows for file in files)) == (rows, parts, rows)
    ordered = frame.sort(WORDS[0])
    width = -(-(2**64) // parts)
    for index, file in enumerate(files):
        low, high = index * width, min((index + 1) * width, 2**64) - 1
        wanted = ordered.filter(pl.col(WORDS[0]).is_between(pl.lit(low, pl.UInt64), pl.lit(high, pl.UInt64))).drop(WORDS)
        assert pl.read_parquet(tmp_path / file.path).equals(wanted)
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == [Path(file.path).name for file in files]


@pytest.mark.usefixtures("small_parts")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), chunk=st.integers(1, 200), hint=st.integers(0, 2_000), rows=st.sampled_from([80, 130, 420]))
def test_bytes_do_not_depend_on_row_order_chunks_or_the_hint(
    tmp_path_factory: pytest.TempPathFactory, seed: int, chunk: int, hint: int, rows: int
) -> None:
    """Law 5: the same rows in any order and chunking, with any hint of their number, give the same file bytes."""
    base = keyed(table(rows))
    shuffled = base.sample(fraction=1.0, shuffle=True, seed=seed)
    chunked = pl.concat([shuffled[start : start + chunk] for start in range(0, rows, chunk)], rechunk=False)
    one = write(base, tmp_path_factory.mktemp("a") / "t", table(0).columns)
    other = write(chunked, tmp_path_factory.mktemp("b") / "t", table(0).columns, hint=hint)
    assert one == other


@pytest.mark.usefixtures("small_parts")
def test_rows_of_one_identity_are_ordered_by_what_is_released(tmp_path: Path) -> None:
    """Rows that share all their words but differ in released values (' x' and 'x') do not carry the input's order over."""
    frame = pl.DataFrame({"t": ["x", " x", None, "x "] * 40, "f": [1.0, float("nan"), None, 2.0] * 40})
    frame = frame.with_columns(pl.lit(7, pl.UInt64).alias(name) for name in WORDS)
    one = write(frame, tmp_path / "a" / "t", ["t", "f"])
    other = write(frame.reverse(), tmp_path / "b" / "t", ["t", "f"])
    assert one == other
    assert one[0] == 160


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("rows", [0, 100, 250, 431])
def test_kept_order_is_the_input_order_in_runs(tmp_path: Path, rows: int) -> None:
    """With `order` the parts are runs of PART_ROWS rows in input order, whatever order batches arrive in and whatever rows are missing."""
    frame = table(rows * 2).with_row_index("at").with_columns(pl.col("at").cast(pl.UInt64)).filter(pl.col("at") % 2 == 0)
    count, files = write(frame.reverse(), tmp_path / "t", table(0).columns, order="at", hint=rows * 2)
    assert count == rows
    assert [file.rows for file in files] == [min(100, rows - start) for start in range(0, max(rows, 1), 100)]
    assert pl.concat([pl.read_parquet(tmp_path / file.path) for file in files]).equals(frame.drop("at"))


def test_footers_hold_no_statistics_no_pandas_and_our_metadata(tmp_path: Path) -> None:
    """No minimum, maximum or null count of any column; no pandas metadata; the release id and actions are there."""
    _, files = write(keyed(table(50)), tmp_path / "t", table(0).columns)
    footer = pq.read_metadata(tmp_path / files[0].path)
    for group in range(footer.num_row_groups):
        assert not any(footer.row_group(group).column(i).is_stats_set for i in range(footer.num_columns))
    assert set(footer.metadata) == {b"tamis.release_id", b"tamis.actions", b"ARROW:schema"}
    assert footer.metadata[b"tamis.release_id"] == b"r1"
    assert pq.read_schema(tmp_path / files[0].path).pandas_metadata is None


def test_only_released_columns_leave_and_words_never(tmp_path: Path) -> None:
    """Dropped columns and the row words are in no file; a table without released columns has no files."""
    frame = keyed(table(20))
    columns = [*plans(["t"]), *plans(["i"], Drop())]
    arguments = {"words": WORDS, "order": None, "rows_hint": 20, "metadata": {}}
    _, files = write_table(frame.lazy(), tmp_path / "t", columns=columns, spill=tmp_path / "s", **arguments)  # type: ignore[arg-type]
    assert pq.read_schema(tmp_path / files[0].path).names == ["t"]
    nothing = write_table(frame.lazy(), tmp_path / "u", columns=plans(["i"], Drop()), spill=tmp_path / "s", **arguments)  # type: ignore[arg-type]
    assert nothing == (0, ())


def test_categories_that_no_row_has_do_not_leave(tmp_path: Path) -> None:
    """Enum, Categorical and null columns are written as plain strings: unused categories are raw values."""
    frame = pl.DataFrame(
        {
            "e": pl.Series(["x", "y"], dtype=pl.Enum(["x", "y", "canary-7781"])),
            "c": pl.Series(["p", "q"], dtype=pl.Categorical),
            "n": [None, None],
        }
    )
    _, files = write(keyed(frame), tmp_path / "t", ["e", "c", "n"])
    path = tmp_path / files[0].path
    assert b"canary-7781" not in path.read_bytes()
    assert set(pl.read_parquet_schema(path).values()) == {pl.String}


HOSTILE = [
    "a b",
    "a.b",
    "q\"'`",
    "🧪",
    "line\nbreak",
    "<b>x</b>",
    "__proto__",
    "^x$",
    "*",
    "x" * 10_000,
    "\u202eabc",
    "__tamis_place0",
    " ",
]


def test_hostile_names_are_written_exactly(tmp_path: Path) -> None:
    """A column is written under its own name, also where polars would read the name as a pattern; ties included."""
    frame = pl.DataFrame({name: [f"{i}", "same", "same"] for i, name in enumerate(HOSTILE)})
    frame = frame.with_columns(pl.lit(1, pl.UInt64).alias(name) for name in WORDS)
    _, files = write(frame, tmp_path / "t", HOSTILE)
    back = pl.read_parquet(tmp_path / files[0].path)
    assert back.columns == HOSTILE
    assert sorted(back.get_column("a.b")) == ["1", "same", "same"]


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("rows", [50, 500])
def test_a_failing_computation_is_a_sentence_without_values_and_leaves_no_spill(tmp_path: Path, rows: int) -> None:
    """An engine error names table and kind of error, repeats no text of it, and the spill folder is gone."""
    frame = keyed(pl.DataFrame({"t": [f"secret{i}" for i in range(rows)]})).lazy().with_columns(pl.col("t").cast(pl.Int64))
    with pytest.raises(DataError) as caught:
        write(frame, tmp_path / "t", ["t"], hint=rows)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "t" / ".spill").exists()


def test_a_full_disk_is_transient(tmp_path: Path) -> None:
    """ENOSPC from the Parquet writer is `disk_full` (exit 5), not a data error."""
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "part-00000.parquet").symlink_to("/dev/full")
    with pytest.raises(TransientError) as caught:
        write(keyed(table(50)), tmp_path / "t", table(0).columns)
    assert caught.value.code == "disk_full"


def test_an_error_in_a_batch_function_is_a_sentence_without_its_text(tmp_path: Path) -> None:
    """Whatever a function inside the engine raises, its text (which may hold cell values) is not repeated."""

    def refuse(_: pl.Series) -> pl.Series:
        raise ValueError("canary-4711")

    frame = keyed(table(10)).lazy().with_columns(pl.col("i").map_batches(refuse, return_dtype=pl.Int64, is_elementwise=True))
    with pytest.raises(DataError) as caught:
        write(frame, tmp_path / "t", ["i"], hint=10)
    assert caught.value.code == "cannot_transform"
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None

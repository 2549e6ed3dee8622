"""Parquet, Arrow IPC and frames."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from tamis.core.errors import DataError
from tamis.core.policy import ReadOptions
from tamis.read import read_table, reading
from tamis.read.forms import DTYPES
from tests.read.conftest import types_of

NOON = dt.datetime(2024, 1, 1, 12)


def every_type() -> pl.DataFrame:
    """One column per type that can be read."""
    return pl.DataFrame(
        {
            "i8": pl.Series([1, None], dtype=pl.Int8),
            "u64": pl.Series([2**63 - 1, 1], dtype=pl.UInt64),
            "huge": pl.Series([2**63, 1], dtype=pl.UInt64),
            "f32": pl.Series([float("nan"), None], dtype=pl.Float32),
            "money": pl.Series([Decimal("1.50"), None], dtype=pl.Decimal(10, 2)),
            "key": pl.Series([Decimal(15), None], dtype=pl.Decimal(38, 0)),
            "cat": pl.Series(["x", None], dtype=pl.Categorical),
            "enum": pl.Series(["x", None], dtype=pl.Enum(["x", "unused"])),
            "ns": pl.Series([NOON, None], dtype=pl.Datetime("ns")),
            "tz": pl.Series([NOON, None]).dt.replace_time_zone("Europe/Berlin"),
            "day": [NOON.date(), None],
            "time": [NOON.time(), None],
            "span": pl.Series([dt.timedelta(1), None], dtype=pl.Duration("ms")),
            "raw": [b"x", None],
            "none": [None, None],
            "s": [{"^x$": 1, "*": {"k": "v"}}, None],
        },
        strict=False,
    )


@pytest.mark.parametrize("kind", ["frame", "lazy", "parquet", "arrow", "stream"])
def test_types_are_mapped(kind: str, tmp_path: Path) -> None:
    """Every physical type has its logical one and the documented dtype, in whatever format it comes; NaN stays NaN beside null."""
    frame = every_type() if kind in ("frame", "lazy") else every_type().drop("key", "huge", "u64") if kind == "parquet" else every_type()
    path = tmp_path / f"t.{'arrow' if kind == 'stream' else kind}"
    if kind == "parquet":
        frame.write_parquet(path)
    elif kind == "arrow":
        frame.write_ipc(path)
    elif kind == "stream":
        frame.write_ipc_stream(path)
    source = {"frame": frame, "lazy": frame.lazy()}.get(kind, [path])
    table = read_table("t", source, ReadOptions())
    rows = table.frame.collect(engine="streaming")
    expected = {
        "i8": ("integer", 1), "u64": ("integer", 2**63 - 1), "huge": ("text", str(2**63)), "money": ("number", 1.5), "key": ("integer", 15),
        "cat": ("text", "x"), "enum": ("text", "x"), "ns": ("datetime", NOON), "tz": ("datetime", NOON - dt.timedelta(hours=1)),
        "day": ("date", NOON.date()), "time": ("time", NOON.time()), "span": ("duration", dt.timedelta(1)), "raw": ("binary", b"x"),
        "none": ("empty", None), "s.^x$": ("integer", 1), "s.*.k": ("text", "v"),
    }  # fmt: skip
    assert rows["f32"].is_nan().to_list() == [True, None]
    assert rows.dtypes == [DTYPES[column.type] for column in table.columns]
    for name in table.names:
        if name != "f32":
            assert (types_of(table)[name], rows[name].item(0)) == expected[name]


def test_lists_and_clashes_are_refused() -> None:
    """Lists are refused with what to do; a flattened name that exists already is refused."""
    with pytest.raises(DataError, match=r"Column 'a\.b' of the frame holds lists.*Explode"):
        read_table("t", pl.DataFrame({"a": [{"b": [1]}]}), ReadOptions())
    with pytest.raises(DataError, match=r"would both be called 'a\.b'"):
        read_table("t", pl.DataFrame({"a.b": [1], "a": [{"b": 1}]}), ReadOptions())
    with pytest.raises(DataError, match="no columns"):
        read_table("t", pl.DataFrame(), ReadOptions())


def test_objects_are_refused() -> None:
    """Python objects in a frame have no logical type."""
    with pytest.raises(DataError, match="type Object"):
        read_table("t", pl.DataFrame({"a": pl.Series([object()], dtype=pl.Object)}), ReadOptions())


def test_files_of_one_table(tmp_path: Path) -> None:
    """Column order, integer width and all-null columns may differ between files; names and types may not."""
    pl.DataFrame({"x": [1], "y": ["a"]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"y": [None], "x": pl.Series([2], dtype=pl.Int16)}).write_parquet(tmp_path / "b.parquet")
    both = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    assert read_table("t", both, ReadOptions()).frame.collect().rows() == [(1, "a"), (2, None)]
    pl.DataFrame({"x": ["2"], "y": ["b"]}).write_parquet(tmp_path / "c.parquet")
    with pytest.raises(DataError, match=r"Column 'x' of '.*c\.parquet' is text, but integer"):
        read_table("t", [*both, tmp_path / "c.parquet"], ReadOptions())
    pl.DataFrame({"x": [2]}).write_parquet(tmp_path / "d.parquet")
    with pytest.raises(DataError, match=r"d\.parquet' lacks 'y'"):
        read_table("t", [*both, tmp_path / "d.parquet"], ReadOptions())


def test_hive_partitions(tmp_path: Path) -> None:
    """Partition values are typed over all folders: leading zeros stay text, dates become dates, the Hive null is null."""
    for i, (code, day) in enumerate([("00123", "2024-01-01"), ("4", "2024-01-02"), ("__HIVE_DEFAULT_PARTITION__", "2024-01-03")]):
        folder = tmp_path / f"code={code}" / f"day={day}"
        folder.mkdir(parents=True)
        pl.DataFrame({"x": [i]}).write_parquet(folder / "0.parquet")
    table = read_table("t", sorted(tmp_path.rglob("*.parquet")), ReadOptions())
    assert types_of(table) == {"x": "integer", "code": "text", "day": "date"}
    assert sorted(table.frame.collect().rows()) == [
        (0, "00123", dt.date(2024, 1, 1)), (1, "4", dt.date(2024, 1, 2)), (2, None, dt.date(2024, 1, 3)),
    ]  # fmt: skip


def test_damage_is_a_sentence(put: Callable[[str, bytes], Path], tmp_path: Path) -> None:
    """A cut footer is refused at once; a damaged page at the latest when rows are read, without foreign text."""
    whole = tmp_path / "w.parquet"
    pl.DataFrame({"a": [f"value-{i}" for i in range(5000)]}).write_parquet(whole, compression="zstd")
    data = bytearray(whole.read_bytes())
    with pytest.raises(DataError, match="footer cannot be read"):
        read_table("t", [put("cut.parquet", bytes(data[:-100]))], ReadOptions())
    data[200:3000] = bytes(2800)
    with pytest.raises(DataError, match="cannot be read to the end") as caught, reading("t"):
        read_table("t", [put("bad.parquet", bytes(data))], ReadOptions()).frame.collect(engine="streaming")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_zero_rows_and_input_untouched() -> None:
    """A frame of zero rows is legal; the caller's frame is not changed."""
    frame = pl.DataFrame({"a": pl.Series([], dtype=pl.UInt8)})
    table = read_table("t", frame, ReadOptions())
    assert (table.rows, types_of(table)) == (0, {"a": "integer"})
    assert frame.schema == {"a": pl.UInt8}

"""From files, globs and folders to tables; endings against contents; failures of the system."""

from __future__ import annotations

import errno
import gc
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from tamis.core.errors import DataError, TamisError, TransientError, UsageError
from tamis.core.policy import ReadOptions
from tamis.read import discover, read_table, reading
from tests.read.conftest import CANARY


def names(found: dict[str, tuple[Path, ...]]) -> dict[str, list[str]]:
    """Tables with the names of their files."""
    return {name: [path.name for path in files] for name, files in found.items()}


def test_files_globs_and_stems(put: Callable[[str, str], Path], tmp_path: Path) -> None:
    """One stem is one table, compression and dots aside; globs pass over what is no data."""
    put("orders.csv", "a\n1\n")
    put("my.data.CSV", "a\n1\n")
    put("README.md", "x")
    put(".hidden.csv", "a\n1\n")
    assert names(discover(["*"], base=tmp_path)) == {"my_data": ["my.data.CSV"], "orders": ["orders.csv"]}
    assert names(discover([tmp_path / "orders.csv", "orders.csv"], base=tmp_path)) == {"orders": ["orders.csv"]}


def test_a_name_that_is_also_a_pattern(put: Callable[[str, str], Path]) -> None:
    """A file whose own name looks like a glob is that file."""
    path = put("a[1].csv", "x\n1\n")
    assert discover([path]) == {"a[1]": (path,)}


def test_folder_of_one_schema_is_one_table(put: Callable[[str, str], Path], tmp_path: Path) -> None:
    """Files of one header are one table named like the folder, whatever the column order; markers and checksums are no data."""
    for name, text in (("a.csv", "x,y\n1,2\n"), ("b.csv", "y,x\n1,2\n"), ("_SUCCESS", ""), (".a.csv.crc", "c"), ("a.csv.sha256", "c")):
        put(f"sales/{name}", text)
    assert names(discover([tmp_path / "sales"])) == {"sales": ["a.csv", "b.csv"]}


def test_folder_of_different_schemas(put: Callable[[str, str], Path], tmp_path: Path) -> None:
    """Files of different headers or formats are one table per stem; folders inside are read the same way."""
    put("d/a.csv", "x,y\n1,2\n")
    put("d/b.csv", "z\n1\n")
    put("d/c.ndjson", '{"x":1,"y":2}\n')
    put("d/inner/p1.jsonl", '{"k":1,"l":2}\n')
    put("d/inner/p2.jsonl", '{"k":1}\n')
    put("d/docs/readme.md", "x")
    found = names(discover([tmp_path / "d"]))
    assert found == {"a": ["a.csv"], "b": ["b.csv"], "c": ["c.ndjson"], "inner": ["p1.jsonl", "p2.jsonl"]}


def test_hive_folder(tmp_path: Path) -> None:
    """A folder of partitions is one table."""
    for year in (2023, 2024):
        folder = tmp_path / "t.parquet" / f"year={year}"
        folder.mkdir(parents=True)
        pl.DataFrame({"x": [year]}).write_parquet(folder / "0.parquet")
    found = discover([tmp_path / "t.parquet"])
    assert names(found) == {"t": ["0.parquet", "0.parquet"]}
    assert read_table("t", found["t"], ReadOptions()).frame.collect().rows() == [(2023, 2023), (2024, 2024)]


def test_one_name_twice(put: Callable[[str, str], Path]) -> None:
    """Two inputs that give one table name are refused, both named."""
    first, second = put("a/t.csv", "x\n1\n"), put("b/t.csv", "x\n1\n")
    with pytest.raises(UsageError, match="would both be table 't'") as caught:
        discover([first, second])
    assert "a/t.csv" in str(caught.value)
    assert "b/t.csv" in str(caught.value)


def test_what_is_not_there(put: Callable[[str, str], Path], tmp_path: Path) -> None:
    """Missing files, empty globs, empty folders, other files and no input at all are sentences."""
    cases = {"missing.csv": "missing_file", "*.csv": "empty_glob", "empty": "no_data_files", "notes.docx": "not_a_data_file"}
    (tmp_path / "empty").mkdir()
    put("notes.docx", "x")
    for item, code in cases.items():
        with pytest.raises(DataError) as caught:
            discover([item], base=tmp_path)
        assert caught.value.code == code
    with pytest.raises(UsageError):
        discover([])
    (tmp_path / "folder.csv").mkdir()
    for path, code in ((tmp_path / "gone.csv", "missing_file"), (tmp_path / "folder.csv", "not_a_file")):
        with pytest.raises(DataError) as caught:
            read_table("t", [path], ReadOptions())
        assert caught.value.code == code


@contextmanager
def _nobody() -> Iterator[None]:
    """Act as a user who owns nothing, where we are root (root may read everything)."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)


def test_no_permission(put: Callable[[str, str], Path]) -> None:
    """A file that may not be read is a sentence."""
    path = put("t.csv", "a\n1\n")
    path.chmod(0)
    with _nobody(), pytest.raises(DataError, match="may not be read"):
        discover([path])


@pytest.mark.parametrize(("name", "kind", "says"), [
    ("t.csv", "parquet", "Parquet"), ("t.csv", "zip", "Excel"), ("t.csv", "sqlite", "SQLite"), ("t.csv", "gzip", "gzip"),
    ("t.csv", "html", "web page"),
    ("t.csv", "json", "JSON"), ("t.ndjson", "csv", "not JSON"), ("t.parquet", "csv", "none of its kind"), ("t.arrow", "parquet", "Parquet"),
    ("t.parquet", "arrow", "Arrow"), ("t.csv.gz", "csv", "not compressed"),
])  # fmt: skip
def test_content_against_ending(name: str, kind: str, says: str, put: Callable[[str, bytes], Path], tmp_path: Path) -> None:
    """A file that is not what its ending says is refused, by both doorways, with what it is."""
    contents = {
        "csv": f"a,b\n{CANARY},2\n".encode(),
        "json": b'{"a": 1}\n',
        "html": b"<!DOCTYPE html><html>",
        "zip": b"PK\x03\x04....",
        "gzip": b"\x1f\x8b\x08....",
    }
    made = tmp_path / "made"
    if kind == "parquet":
        pl.DataFrame({"a": [1]}).write_parquet(made)
    elif kind == "arrow":
        pl.DataFrame({"a": [1]}).write_ipc(made)
    elif kind == "sqlite":
        connection = sqlite3.connect(made)
        connection.execute("create table t (a)")
        connection.commit()
        connection.close()
    path = put(name, contents.get(kind) or made.read_bytes())
    for door in (lambda: discover([path]), lambda: read_table("t", [path], ReadOptions())):
        with pytest.raises(DataError, match=says) as caught:
            door()
        assert caught.value.code == "wrong_ending"
        assert CANARY not in str(caught.value)


def test_mixed_formats(put: Callable[[str, str], Path]) -> None:
    """One table has one format."""
    with pytest.raises(DataError, match="different formats: csv, ndjson"):
        read_table("t", [put("a.csv", "a\n1\n"), put("b.ndjson", '{"a":1}\n')], ReadOptions())


def test_the_spool_has_no_name_and_closes_after_errors(put: Callable[[str, str], Path], spool: Path) -> None:
    """Neither after success nor after an error is anything left in the spool folder, and no descriptor stays open after an error."""
    good, bad = put("g.csv", "a,b\n1,2\n"), put("b.csv", "a,b\n" + "1,2\n" * 10 + "1\n")
    table = read_table("t", [good], ReadOptions(), spool=spool)
    assert list(spool.iterdir()) == []
    assert table.frame.collect().height == 1
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0
    for _ in range(5):
        with pytest.raises(DataError):
            read_table("t", [bad], ReadOptions(), spool=spool)
    gc.collect()
    assert list(spool.iterdir()) == []
    assert before == (len(list(Path("/proc/self/fd").iterdir())) if before else 0)


def test_two_tables_at_once(put: Callable[[str, str], Path]) -> None:
    """Descriptors that are used again do not mix tables up."""
    for i in range(3):
        table = read_table("t", [put(f"{i}.csv", f"a\n{i}\n")], ReadOptions())
        other = read_table("t", [put(f"o{i}.csv", f"b\nx{i}\n")], ReadOptions())
        assert table.frame.collect().item() == i
        assert other.frame.collect().item() == f"x{i}"
        del table, other


@pytest.mark.parametrize(("raised", "kind", "code"), [
    (OSError(errno.ENOSPC, CANARY), TransientError, "disk_full"),
    (OSError(CANARY + ": No space left on device (os error 28)"), TransientError, "disk_full"),
    (pl.exceptions.ComputeError(CANARY), DataError, "unreadable"),
    (PermissionError(errno.EACCES, CANARY), DataError, "no_permission"),
    (FileNotFoundError(errno.ENOENT, CANARY), DataError, "missing_file"),
    (OSError(errno.EIO, CANARY), DataError, "unreadable"),
    (MemoryError(CANARY), TransientError, "busy"),
    (OSError(errno.EMFILE, CANARY), TransientError, "busy"),
])  # fmt: skip
def test_foreign_errors_lose_their_text(raised: Exception, kind: type[TamisError], code: str) -> None:
    """What engines and system raise while rows are read becomes ours, transient or not, without a word of theirs."""
    with pytest.raises(kind) as caught, reading("t"):
        raise raised
    assert caught.value.code == code
    assert CANARY not in str(caught.value) + repr(caught.value.attrs)
    assert caught.value.__suppress_context__


def test_our_errors_and_bugs_pass_through() -> None:
    """`reading` leaves our own errors and programming errors as they are."""
    with pytest.raises(UsageError, match="mine"), reading("t"):
        raise UsageError("x", "mine")
    with pytest.raises(ZeroDivisionError), reading("t"):
        raise ZeroDivisionError

"""CSV and its kin: dialects, well-formedness, what is refused and how."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.core.errors import DataError
from tamis.core.policy import ReadOptions
from tamis.core.types import DataType
from tamis.read import read_table
from tests.read.conftest import CANARY, types_of

CELL = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """A header of distinct names and rows of texts."""
    names = draw(st.lists(CELL.filter(bool), min_size=1, max_size=5, unique=True))
    rows = draw(st.lists(st.lists(CELL, min_size=len(names), max_size=len(names)), max_size=6))
    return names, rows


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=tables(),
    delimiter=st.sampled_from(",;\t|^"),
    end=st.sampled_from(["\n", "\r\n"]),
    codec=st.sampled_from(["utf-8-sig", "utf-8", "utf-16"]),
)
def test_round_trip(table: tuple[list[str], list[list[str]]], delimiter: str, end: str, codec: str, tmp_path: Path) -> None:
    """Whatever a CSV writer writes comes back cell by cell; spelled nulls come back as null."""
    names, rows = table
    out = io.StringIO()
    # Python's writer leaves a lone carriage return unquoted unless it is part of its line end: such a file means something else.
    quoting = csv.QUOTE_ALL if "\r" in "".join(map("".join, [names, *rows])) else csv.QUOTE_MINIMAL
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows([names, *rows])
    path = tmp_path / "t.csv"
    path.write_bytes(out.getvalue().encode(codec))
    options = ReadOptions(delimiter=delimiter, types=dict.fromkeys(names, "text"), encoding=codec)
    try:
        read = read_table("t", [path], options)
    except DataError as error:
        if error.code == "wrong_ending":  # a header such as '<html' or '{"a' is taken for what it looks like
            return
        raise
    expected = [tuple(None if cell in options.nulls else cell for cell in row) for row in rows]
    assert read.names == tuple(names)
    assert read.frame.collect().rows() == expected
    assert read.rows == len(rows)


@pytest.mark.parametrize("delimiter", list(",;\t|^"))
def test_delimiter_is_found(delimiter: str, load: Callable[..., object]) -> None:
    """The delimiter that cuts all records alike is found, whatever else occurs in the cells."""
    text = "".join(delimiter.join(row) + "\n" for row in (["id", "note", "price"], ["1", '"a,b;c|d^e\tf"', "2"], ["2", "x y", "3"]))
    table, rows = load("t.csv", text)
    assert table.source.delimiter == delimiter
    assert rows["note"].to_list() == ["a,b;c|d^e\tf", "x y"]


def test_decimal_commas_do_not_mislead(load: Callable[..., object]) -> None:
    """Semicolon files with decimal commas are cut at semicolons."""
    table, rows = load("t.csv", "a;b;c\n1,5;2,5;x\n2,5;3,5;y\n")
    assert table.source.delimiter == ";"
    assert rows.row(0) == ("1,5", "2,5", "x")


def test_one_column_is_legal(load: Callable[..., object]) -> None:
    """A file without any delimiter has one column; its blank lines are rows without a value."""
    table, rows = load("t.csv", "only\nx\n\ny\n")
    assert rows["only"].to_list() == ["x", None, "y"]
    assert table.rows == 3


def test_crlf_cr_and_blank_lines(load: Callable[..., object]) -> None:
    """All line ends are understood; blank lines between rows of several columns are no rows."""
    for text in ("\r\na,b\r\n1,2\r\n\r\n3,4", "a,b\r1,2\r3,4\r", "a,b\n\n\n1,2\n3,4\n\n"):
        assert load("t.csv", text)[1].rows() == [(1, 2), (3, 4)]


@pytest.mark.parametrize(("text", "line", "fields"), [
    ("a,b\n1,2\n3\n", 3, 1),
    ("a,b\n1,2\n3,4,5\n", 3, 3),
    (f'a,b\n1,"x\ny\n{CANARY}"\n\n"{CANARY}",4,5\n', 6, 3),
    ('"a\nx",b\n1\n', 3, 1),
])  # fmt: skip
def test_ragged_rows_are_refused_with_their_line(text: str, line: int, fields: int, load: Callable[..., object]) -> None:
    """A row too short or too long is refused; the line counts physical lines, those inside quotes and blank ones too."""
    with pytest.raises(DataError) as caught:
        load("t.csv", text)
    assert caught.value.code == "ragged_row"
    assert caught.value.attrs["line"] == line
    assert f"has {fields} field" in caught.value.message
    assert CANARY not in str(caught.value) + repr(caught.value.attrs)


def test_bad_rows_are_dropped_only_when_asked_and_counted(load: Callable[..., object]) -> None:
    """`drop_bad_rows` leaves ragged and undecodable rows out and says how many."""
    text = "a,b\nживо,2\nx\n5,6,7\nы,9\n".encode() + b"\xff,1\n"
    table, rows = load("t.csv", text, drop_bad_rows=True)
    assert rows.rows() == [("живо", 2), ("ы", 9)]
    assert table.source.rows_dropped == 3


@pytest.mark.parametrize("text", [f'a,b\n1,"{CANARY}\n2,3\n', f'a,b\n1,"{CANARY}"x\n2,3\n', f'a,b\n"{CANARY},1\n"def,2\n'])
def test_quotes_that_swallow_rows_are_refused(text: str, load: Callable[..., object]) -> None:
    """A quote that is not closed where its field ends is refused: a lenient parser would merge rows without a word."""
    with pytest.raises(DataError, match=r"Line 2 .* double quote") as caught:
        load("t.csv", text)
    assert caught.value.code == "bad_quotes"
    assert CANARY not in str(caught.value)


def test_inch_marks_are_no_quotes(load: Callable[..., object]) -> None:
    """Quotes inside unquoted fields are plain characters."""
    assert load("t.csv", 'a,b\n1,5" pipe\n2,6" x 7"\n')[1]["b"].to_list() == ['5" pipe', '6" x 7"']


@pytest.mark.parametrize(("text", "code", "positions"), [
    ("a,b,a\n1,2,3\n", "duplicate_columns", ["1", "3"]),
    ("a,,b,,c\n1,2,3,4,5\n", "unnamed_columns", ["2", "4"]),
    ("a,b,\n1,2,3\n", "unnamed_columns", ["3"]),
    (",column_1\n1,2\n", "unnamed_columns", ["1"]),
])  # fmt: skip
def test_bad_headers(text: str, code: str, positions: list[str], load: Callable[..., object]) -> None:
    """Duplicate and empty column names are refused by position."""
    with pytest.raises(DataError) as caught:
        load("t.csv", text)
    assert caught.value.code == code
    assert caught.value.attrs["positions"] == positions


def test_row_index_and_trailing_delimiter(load: Callable[..., object]) -> None:
    """An unnamed first column (a row index) is `column_1`; a trailing column without name and values is left out and noted."""
    assert load("t.csv", ",a\n1,2\n")[0].names == ("column_1", "a")
    table, rows = load("t.csv", "a,b,\n1,2,\n3,4,\n")
    assert rows.rows() == [(1, 2), (3, 4)]
    assert table.source.notes


def test_nothing_and_nothing_but_a_header(load: Callable[..., object]) -> None:
    """An empty file is refused; a header alone is a table of zero rows."""
    with pytest.raises(DataError, match="is empty"):
        load("t.csv", "")
    with pytest.raises(DataError, match="only blank lines"):
        load("t.csv", "\n\n")
    for text in ("a,b\n", "a,b", "a,b\n\n"):
        table, rows = load("t.csv", text)
        assert table.rows == 0
        assert types_of(table) == {"a": "empty", "b": "empty"}
        assert rows.dtypes == [pl.String, pl.String]


def test_strange_names_stay(load: Callable[..., object]) -> None:
    """Names that are patterns, markup, emoji, very long or multi-line are kept exactly."""
    names = ["^a$", "*", "a.b", " pad ", '<b>"x"</b>', "__proto__", "😀\nline", "x" * 10_000, "c0"]
    out = io.StringIO()
    csv.writer(out).writerows([names, [str(i) for i in range(9)]])
    table, rows = load("t.csv", out.getvalue())
    assert table.names == tuple(names)
    assert rows.row(0) == tuple(range(9))


def test_files_of_one_table(put: Callable[[str, str], Path]) -> None:
    """Further files may order columns differently, may not have others, and share in deciding types."""
    first, second = put("a.csv", "x,y\n1,2\n"), put("b.csv", "y;x\nq;3\n")
    table = read_table("t", [first, second], ReadOptions())
    assert table.frame.collect().rows() == [(1, "2"), (3, "q")]
    assert types_of(table) == {"x": "integer", "y": "text"}
    with pytest.raises(DataError, match=r"c\.csv' lacks 'y' and has 'z'"):
        read_table("t", [first, put("c.csv", "x,z\n1,2\n")], ReadOptions())


def test_compressed_text(load: Callable[..., object]) -> None:
    """Gzip is read as it is; a cut gzip file is refused."""
    packed = gzip.compress(b"a,b\n" + b"1,2\n" * 5000)
    assert load("t.csv.gz", packed)[0].rows == 5000
    with pytest.raises(DataError, match="cut short"):
        load("t.csv.gz", packed[:-12])


def test_many_batches_agree_on_one_type(load: Callable[..., object]) -> None:
    """One late value decides over all batches, in whatever order rows come."""
    body = [f"{i},2024-01-01\n" for i in range(900_000)]
    for lines in ([*body, "x,2024-13-01\n"], ["x,2024-13-01\n", *body]):
        table, _ = load("t.csv", "a,d\n" + "".join(lines))
        assert types_of(table) == {"a": "text", "d": "text"}
        assert table.rows == 900_001


def test_hive_folders_are_columns_of_text_tables_too(put: Callable[[str, str], Path]) -> None:
    """`key=value` folders become columns, and their leading zeros survive."""
    paths = [put("t/zip=00123/a.csv", "x\n1\n"), put("t/zip=4/a.csv", "x\n2\n")]
    table = read_table("t", paths, ReadOptions())
    assert table.frame.collect().rows() == [(1, "00123"), (2, "4")]
    assert table.type_of("zip") is DataType.TEXT

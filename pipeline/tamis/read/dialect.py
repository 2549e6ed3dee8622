"""The delimiter and the header of a delimited text file; and where its first bad line is."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tamis.core.errors import DataError
from tamis.read.failures import shown
from tamis.read.files import ending_of
from tamis.read.stream import CHUNK, Encoding, Utf8Stream

DELIMITERS = ",;\t|^"
_SAMPLE = 256 << 10
_SAMPLE_LIMIT = 64 << 20
_RECORDS = 1000
_STEADY = 0.9


@dataclass(frozen=True, slots=True)
class Dialect:
    """Delimiter, column names as written (an unnamed first column is `column_1`), and the UTF-8 bytes that the header takes.

    `trailing`: the header ends in a delimiter, so the last column has no name; it must prove empty and is left out.
    """

    delimiter: str
    names: tuple[str, ...]
    header_bytes: int
    trailing: bool = False

    @property
    def width(self) -> int:
        """Fields of every row."""
        return len(self.names) + self.trailing


def sniff(path: Path, encoding: Encoding, stated: str | None) -> Dialect:
    """Delimiter and header of a file.

    The delimiter is the one that cuts a sample of records, quotes respected, into the same number of fields most steadily; a file that
    no candidate cuts has one column. The header is the first row that is not blank.

    Raises DataError: bad_delimiter, no_header, unnamed_columns, duplicate_columns, header_too_long.
    """
    if stated is not None and (not stated.isascii() or stated in '"\r\n'):
        raise DataError("bad_delimiter", "The stated delimiter is not usable.", hint="Write one ASCII character, e.g. ';'.")
    size = _SAMPLE
    while True:
        text, complete = _sample(path, encoding, size)
        delimiter = stated or _likeliest(text, complete, path)
        header, consumed = _header(text, delimiter, path)
        if complete or consumed < len(text):
            break
        if size >= _SAMPLE_LIMIT:
            raise DataError("header_too_long", f"The first row of {shown(path)} does not end.", hint="Check its quotes and line ends.")
        size *= 8
    names, trailing = _named(header, path)
    return Dialect(delimiter, names, len(text[:consumed].encode()), trailing)


def _sample(path: Path, encoding: Encoding, size: int) -> tuple[str, bool]:
    with Utf8Stream(path, encoding) as stream:
        text = stream.read(size).decode("utf-8", "ignore")
        return text, stream.at_end()


def _likeliest(text: str, complete: bool, path: Path) -> str:
    usual = {".tsv": "\t", ".tab": "\t", ".psv": "|"}.get(ending_of(path).text.split(".gz")[0].split(".zst")[0].lower())
    candidates = sorted(DELIMITERS, key=lambda c: c != usual)
    scores = [_score(text, complete, delimiter) for delimiter in candidates]
    best = max(scores)
    return candidates[scores.index(best)] if best > (0, 0.0, 0) else usual or ","


def _score(text: str, complete: bool, delimiter: str) -> tuple[int, float, int]:
    """How well a delimiter cuts the sample: (steady and how wide, share of records with the commonest width, that width)."""
    widths = []
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if record:
                widths.append(len(record))
            if len(widths) > _RECORDS:
                break
    except csv.Error:  # a cell of more than 128 KB: judge by the records before it
        pass
    else:
        if not complete and len(widths) > 1 and len(widths) <= _RECORDS:
            widths.pop()  # the sample may have cut it
    if not widths or widths[0] < 2:
        return 0, 0.0, 0
    width, times = Counter(widths).most_common(1)[0]
    if width < 2:
        return 0, 0.0, 0
    share = times / len(widths)
    return (width if share >= _STEADY else 0), share, width


def _header(text: str, delimiter: str, path: Path) -> tuple[list[str], int]:
    """The first record and the number of characters up to its end; blank lines before it are passed over."""
    consumed = 0

    def lines() -> Iterator[str]:
        nonlocal consumed
        for line in io.StringIO(text, newline=""):
            consumed += len(line)
            yield line

    try:
        record = next((record for record in csv.reader(lines(), delimiter=delimiter) if record), None)
    except csv.Error:
        raise DataError("header_too_long", f"The first row of {shown(path)} is not a header.", hint="Name the columns in row 1.") from None
    if record is None:
        raise DataError("no_header", f"{shown(path)} holds only blank lines.", hint="The first row must name the columns.")
    return record, consumed


def _named(header: list[str], path: Path) -> tuple[tuple[str, ...], bool]:
    trailing = len(header) > 1 and header[-1] == ""
    names = header[:-1] if trailing else list(header)
    if len(names) > 1 and names[0] == "" and "column_1" not in names:
        names[0] = "column_1"  # the row index that pandas and R write
    nameless = [str(i + 1) for i, name in enumerate(names) if name == ""]
    if nameless:
        raise DataError(
            "unnamed_columns",
            f"{_columns(nameless)} of {shown(path)} {'has' if len(nameless) == 1 else 'have'} no name.",
            hint="Name every column in the first row.",
            positions=nameless,
        )
    positions: dict[str, list[str]] = {}
    for i, name in enumerate(names):
        positions.setdefault(name, []).append(str(i + 1))
    for same in positions.values():
        if len(same) > 1:
            raise DataError(
                "duplicate_columns",
                f"{_columns(same)} of {shown(path)} have the same name.",
                hint="Give every column a name of its own in the first row.",
                positions=same,
            )
    return tuple(names), trailing


def _columns(positions: list[str]) -> str:
    more = len(positions) - 10
    listed = ", ".join(positions[:10]) + (f" and {more} more" if more > 0 else "")
    return f"Column {listed}" if len(positions) == 1 else f"Columns {listed}"


@dataclass(frozen=True, slots=True)
class BadLine:
    """The first line that does not fit; `fields` is None when a quote is at fault."""

    line: int
    fields: int | None


def first_bad_line(path: Path, encoding: Encoding, dialect: Dialect, *, quotes_only: bool = False) -> BadLine | None:
    """Read a file again, slowly and exactly, up to its first bad record: where does it start?

    Only ever called after the fast parser, or the watch over the quotes, found something wrong.
    """
    for line, fields in _records(path, encoding, dialect):
        if fields is None or (fields != dialect.width and not quotes_only):
            return BadLine(line, fields)
    return None


def line_of_row(path: Path, encoding: Encoding, dialect: Dialect, row: int) -> int | None:
    """Line on which the `row`-th well-formed data row (from 0) starts."""
    good = (line for line, fields in _records(path, encoding, dialect) if fields == dialect.width)
    return next((line for i, line in enumerate(good) if i == row), None)


def _records(path: Path, encoding: Encoding, dialect: Dialect) -> Iterator[tuple[int, int | None]]:
    """(first line, number of fields) of every data record; fields None where a quote is never or wrongly closed, and then no more."""
    with Utf8Stream(path, encoding) as stream:
        text = io.TextIOWrapper(io.BufferedReader(stream, CHUNK), encoding="utf-8", newline="")
        reader = csv.reader(text, delimiter=dialect.delimiter, strict=True)
        seen_header = False
        while True:
            start = reader.line_num + 1
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield start, None
                return
            if not record and (dialect.width > 1 or not seen_header):
                continue
            if seen_header:
                yield start, max(len(record), 1)
            seen_header = True

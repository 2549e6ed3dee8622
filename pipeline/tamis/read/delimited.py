"""CSV and its kin: parsed once, strictly, in a stream, into the spool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from tamis.core.errors import DataError, TamisError, clean_name, listed
from tamis.core.policy import ReadOptions
from tamis.core.types import Column, SourceInfo, Table
from tamis.read.dialect import BadLine, Dialect, first_bad_line, line_of_row, sniff
from tamis.read.failures import os_failure, shown
from tamis.read.forms import DTYPES
from tamis.read.infer import Decision, Judge, Misfit
from tamis.read.partitions import partitions_of
from tamis.read.spool import Spool
from tamis.read.stream import REPLACEMENT, Encoding, Utf8Stream, detect_encoding, peek_encoding

_BLOCK = 8 << 20
_BLOCK_LIMIT = 1 << 30


@dataclass(slots=True)
class _File:
    """One file on its way in."""

    path: Path
    encoding: Encoding
    dialect: Dialect
    partition: tuple[tuple[str, str | None], ...]
    first_row: int = 0
    dropped: int = 0
    bad_widths: list[int] = field(default_factory=list)


def read_delimited(name: str, paths: Sequence[Path], options: ReadOptions, spool_folder: Path | None) -> Table:
    """Delimited text files of one header as one table.

    Raises DataError: see `detect_encoding` and `sniff`; other_columns, ragged_row, bad_quotes, unknown_column, type_mismatch,
    ambiguous_dates, unnamed_columns; TransientError: disk_full.
    """
    files = [_opened(path, options) for path in paths]
    names = _agreed_names(files)
    with Spool(spool_folder, f"table '{clean_name(name)}'") as spool:
        judge = Judge(names, options.types)
        for file in files:
            file.first_row = sum(spool.rows)
            _parse(file, names, options, spool, judge)
            if misfit := judge.misfit():
                raise _type_mismatch(names[misfit.column], misfit, file)
        if not spool.files:
            spool.write(pa.RecordBatch.from_pylist([], schema=_schema(len(names))))
        decisions = judge.decide(names)
        frame = typed_frame(spool.scans(), list(range(len(names))), names, decisions)
        return Table(
            name=name,
            frame=frame,
            columns=tuple(Column(column, decision.type) for column, decision in zip(names, decisions, strict=True)),
            rows=sum(spool.rows),
            source=_source(files, decisions),
            hold=tuple(spool.files),
        )


def typed_frame(
    scans: Sequence[pl.LazyFrame], positions: Sequence[int], names: Sequence[str], decisions: Sequence[Decision]
) -> pl.LazyFrame:
    """The spooled texts under their names and with their types. A scan too narrow for a position has nulls there."""
    frames = []
    for scan in scans:
        width = len(scan.collect_schema())
        exprs = []
        for position, name, decision in zip(positions, names, decisions, strict=True):
            value = decision.apply(pl.nth(position)) if position < width else pl.lit(None, dtype=DTYPES[decision.type])
            exprs.append(value.alias(name))
        frames.append(scan.select(exprs))
    return frames[0] if len(frames) == 1 else pl.concat(frames, how="vertical")


def _opened(path: Path, options: ReadOptions) -> _File:
    encoding = detect_encoding(path, options.encoding, tolerate=options.drop_bad_rows)
    dialect = sniff(path, encoding, options.delimiter)
    return _File(path, encoding, dialect, partitions_of(path))


def header_of(path: Path) -> tuple[str, ...]:
    """Column names of a delimited file, from its first bytes; good enough to compare files, without reading them whole."""
    return sniff(path, peek_encoding(path), None).names


def _agreed_names(files: Sequence[_File]) -> tuple[str, ...]:
    """Names of the first file, then its partition columns; every other file must have the same in any order."""
    first = files[0]
    names = first.dialect.names + tuple(key for key, _ in first.partition)
    if len(set(names)) < len(names):
        twice = [key for key, _ in first.partition if key in first.dialect.names]
        raise DataError("duplicate_columns", f"{listed(twice)}: a column and a folder of {shown(first.path)} have the same name.")
    for file in files[1:]:
        other = file.dialect.names + tuple(key for key, _ in file.partition)
        require_same_columns(file.path, names, other)
    return names


def require_same_columns(path: Path, expected: Sequence[str], found: Sequence[str]) -> None:
    """DataError `other_columns` when a further file of a table has columns too few or too many."""
    missing, extra = [n for n in expected if n not in set(found)], [n for n in found if n not in set(expected)]
    if missing or extra:
        lacks = f" lacks {listed(missing)}" if missing else ""
        has = f"{' and' if missing else ''} has {listed(extra)} in addition" if extra else ""
        raise DataError(
            "other_columns",
            f"{shown(path)}{lacks}{has}, compared with the first file of its table.",
            hint="Files of one table need the same columns; read others as tables of their own.",
            missing=missing,
            extra=extra,
        )


def _schema(width: int) -> Any:
    return pa.schema([(f"c{i}", pa.string()) for i in range(width)])


def _parse(file: _File, names: Sequence[str], options: ReadOptions, spool: Spool, judge: Judge) -> None:
    """Stream one file into the spool, its columns in the order of `names`."""
    stream = Utf8Stream(file.path, file.encoding, skip=file.dialect.header_bytes, delimiter=file.dialect.delimiter)
    with stream:
        has_rows = stream.skip_blank_lines() if file.dialect.width > 1 else not stream.at_end()
        trailing_values = _stream_rows(file, stream, names, options, spool, judge) if has_rows else 0
        if stream.stray_quotes and (bad := first_bad_line(file.path, file.encoding, file.dialect, quotes_only=True)):
            raise _bad_row(file, bad)
    if trailing_values:
        raise DataError(
            "unnamed_columns",
            f"Column {file.dialect.width} of {shown(file.path)} has no name but holds values.",
            hint="Name every column in the first row.",
            positions=[str(file.dialect.width)],
        )


def _stream_rows(file: _File, stream: Utf8Stream, names: Sequence[str], options: ReadOptions, spool: Spool, judge: Judge) -> int:
    """Returns the number of values in a trailing column without a name."""
    schema = _schema(len(names))
    order = [file.dialect.names.index(name) if name in file.dialect.names else None for name in names]
    constants = dict(file.partition)
    trailing_values = 0
    try:
        for read in _batches(file, stream, options):
            batch = _without_damage(file, read) if file.encoding.damaged else read
            if file.dialect.trailing:
                last = batch.column(file.dialect.width - 1)
                trailing_values += len(last) - last.null_count
            arrays = [
                batch.column(at) if at is not None else _constant(constants[name], batch.num_rows)
                for at, name in zip(order, names, strict=True)
            ]
            ready = pa.RecordBatch.from_arrays(arrays, schema=schema)
            spool.write(ready)
            judge.see(pl.DataFrame(pl.from_arrow(ready)))
    except TamisError:
        raise
    except pa.ArrowException as error:
        raise _parse_failure(file, error) from None
    except OSError as error:
        raise os_failure(shown(file.path), error) from None
    return trailing_values


def _batches(file: _File, stream: Utf8Stream, options: ReadOptions) -> Any:
    columns = [f"c{i}" for i in range(file.dialect.width)]

    def on_bad_row(row: Any) -> str:
        if options.drop_bad_rows:
            file.dropped += 1
            return "skip"
        file.bad_widths.append(row.actual_columns)
        return "error"

    return pcsv.open_csv(
        stream,
        read_options=pcsv.ReadOptions(column_names=columns, block_size=_block_size(file)),
        parse_options=pcsv.ParseOptions(
            delimiter=file.dialect.delimiter,
            newlines_in_values=True,
            ignore_empty_lines=file.dialect.width > 1,  # in a file of one column a blank line is a row without a value
            invalid_row_handler=on_bad_row,
        ),
        convert_options=pcsv.ConvertOptions(
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            null_values=list(options.nulls),
            column_types=dict.fromkeys(columns, pa.string()),
        ),
    )


def _block_size(file: _File) -> int:
    """Blocks large enough for wide headers; a row must fit into two of them."""
    return min(_BLOCK_LIMIT, max(_BLOCK, 64 * file.dialect.header_bytes))


def _constant(value: str | None, rows: int) -> Any:
    return pa.nulls(rows, pa.string()) if value is None else pa.repeat(pa.scalar(value, pa.string()), rows)


def _without_damage(file: _File, batch: Any) -> Any:
    """Leave out rows with bytes that did not decode (or a replacement character, the trace of an earlier such accident)."""
    bad = pa.array([False] * batch.num_rows)
    for column in batch.columns:
        bad = pc.or_(bad, pc.fill_null(pc.match_substring(column, REPLACEMENT), fill_value=False))
    file.dropped += pc.sum(bad).as_py() or 0
    return batch.filter(pc.invert(bad))


def _parse_failure(file: _File, error: Exception) -> DataError:
    if bad := first_bad_line(file.path, file.encoding, file.dialect):
        return _bad_row(file, bad)
    if "straddling" in str(error):
        return DataError(
            "row_too_long", f"A row of {shown(file.path)} is longer than {_block_size(file) >> 20} MB.", hint="Is a quote never closed?"
        )
    return DataError("unreadable", f"{shown(file.path)} cannot be parsed ({type(error).__name__}).", hint="Check delimiter and quotes.")


def _bad_row(file: _File, bad: BadLine) -> DataError:
    expected = file.dialect.width
    if bad.fields is None:
        return DataError(
            "bad_quotes",
            f"Line {bad.line} of {shown(file.path)} has a double quote that is not properly closed.",
            hint='Double the quotes inside quoted fields ("") and close each one before the delimiter.',
            line=bad.line,
        )
    fields = f"{bad.fields} field" + ("" if bad.fields == 1 else "s")
    return DataError(
        "ragged_row",
        f"Line {bad.line} of {shown(file.path)} has {fields}, the header has {expected}.",
        hint="Quote fields that hold the delimiter, or leave such rows out with read: {drop_bad_rows: true}.",
        line=bad.line,
        fields=bad.fields,
        expected=expected,
    )


def _type_mismatch(column: str, misfit: Misfit, file: _File) -> DataError:
    line = None
    if not file.encoding.damaged:
        line = line_of_row(file.path, file.encoding, file.dialect, misfit.first_row - file.first_row)
    return type_mismatch(column, misfit, file.path, line)


def type_mismatch(column: str, misfit: Misfit, path: Path, line: int | None) -> DataError:
    """The sentence about values that are not of a stated type."""
    values = "1 value" if misfit.count == 1 else f"{misfit.count} values"
    where = f"first in line {line} of {shown(path)}" if line else f"in {shown(path)}"
    return DataError(
        "type_mismatch",
        f"Column '{clean_name(column)}' is stated as {misfit.stated}, but {values} cannot be read as such, {where}.",
        hint="Correct the data, or state text.",
        column=column,
        count=misfit.count,
        line=line or 0,
    )


def _source(files: Sequence[_File], decisions: Sequence[Decision]) -> SourceInfo:
    encodings = sorted({file.encoding.codec for file in files})
    notes = [decision.note for decision in decisions if decision.note]
    guessed = sorted({file.encoding.codec for file in files if file.encoding.guessed})
    if guessed:
        notes.insert(0, f"Not UTF-8: read as {', '.join(guessed)}, which was guessed; state the encoding if letters look wrong.")
    if any(file.dialect.trailing for file in files):
        notes.append("The header ends in a delimiter; the column without name and values after it was left out.")
    if any(file.partition for file in files):
        notes.append(f"{len(files[0].partition)} columns were taken from the names of folders.")
    return SourceInfo(
        format="csv",
        files=len(files),
        encoding=", ".join(encodings),
        delimiter=", ".join(sorted({file.dialect.delimiter for file in files})) if len(files) > 1 else files[0].dialect.delimiter,
        rows_dropped=sum(file.dropped for file in files),
        notes=tuple(notes),
    )


__all__ = ["header_of", "read_delimited", "require_same_columns", "type_mismatch", "typed_frame"]

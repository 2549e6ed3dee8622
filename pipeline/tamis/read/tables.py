"""One table from its files or its frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from tamis.core.errors import DataError, UsageError, clean_name
from tamis.core.policy import ReadOptions
from tamis.core.types import Table
from tamis.read.delimited import read_delimited
from tamis.read.failures import reading
from tamis.read.files import Format, check_content
from tamis.read.jsonlines import read_ndjson
from tamis.read.typed import read_frame, read_typed


def read_table(
    name: str, source: Sequence[Path] | pl.LazyFrame | pl.DataFrame, options: ReadOptions | None = None, *, spool: Path | None = None
) -> Table:
    """Read one table; the frame is lazy and has exactly the columns and types that the table names.

    Text formats are parsed once, strictly, into an anonymous file in `spool` (default: the system's temporary folder), which
    `Table.hold` keeps open and which is gone with the process. Types are judged over all values. Parquet, IPC and frames are scanned in
    place; their types are mapped, structs flattened (`a.b`), lists refused.

    Physical types: String, Int64, Float64, Boolean, Date, Datetime('us') without zone (UTC), Time, Duration('us'), Binary. NaN stays NaN.

    Raises DataError with file and line or column, never a value, when the data cannot be read as it is; TransientError `disk_full` or
    `busy`. Rows are left out only under `options.drop_bad_rows` and counted in `source.rows_dropped`.
    """
    chosen = options or ReadOptions()
    with reading(name):
        table = _read(name, source, chosen, spool)
    nameless = [str(place) for place, column in enumerate(table.names, 1) if not column]
    if nameless:
        raise DataError(
            "unnamed_columns",
            f"Column {nameless[0]} of table '{clean_name(name)}' has no name.",
            hint="Name every column at its source.",
            positions=nameless,
        )
    if any("\0" in column for column in table.names):  # Arrow's C interface ends names there
        raise DataError(
            "bad_column_name", f"A column name of table '{clean_name(name)}' holds a NUL character.", hint="Rename it at its source."
        )
    return table


def _read(name: str, source: Sequence[Path] | pl.LazyFrame | pl.DataFrame, chosen: ReadOptions, spool: Path | None) -> Table:
    if isinstance(source, pl.LazyFrame | pl.DataFrame):
        return read_frame(name, source)
    if not source:
        raise UsageError("no_files", f"Table '{clean_name(name)}' has no files.", hint="Name a file, a folder or a glob.")
    formats = {check_content(path).format for path in source}
    if len(formats) > 1:
        raise DataError(
            "mixed_formats",
            f"Table '{clean_name(name)}' has files of different formats: {', '.join(sorted(formats))}.",
            hint="Use one format per table.",
        )
    match formats.pop():
        case Format.DELIMITED:
            return read_delimited(name, source, chosen, spool)
        case Format.NDJSON:
            return read_ndjson(name, source, chosen, spool)
        case kind:
            return read_typed(name, source, kind, spool)

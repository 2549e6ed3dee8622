"""NDJSON and JSON arrays: parsed once, strictly, block by block, into the spool as text; types follow from the kinds of JSON values.

A JSON string is never a number (an id in quotes was quoted on purpose), but it may be a date or time. Numbers are integers when all
are. A column that mixes strings with other kinds is text. Objects are flattened to dotted names, arrays are refused.

Blocks of whole lines go through polars; a block that polars refuses, or reads otherwise than the JSON standard (lone surrogates, blank
objects), is decoded by Python's json line by line, which also finds the line at fault.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from tamis.core.errors import DataError, clean_name
from tamis.core.policy import ReadOptions
from tamis.core.types import Column, DataType, SourceInfo, Table
from tamis.read.delimited import type_mismatch, typed_frame
from tamis.read.failures import shown
from tamis.read.forms import FORMS, TEMPORAL
from tamis.read.infer import Decision, Judge, check_stated
from tamis.read.jsonarray import array_lines
from tamis.read.spool import Spool
from tamis.read.stream import CHUNK, REPLACEMENT, Encoding, Utf8Stream, detect_encoding
from tamis.read.typed import as_dtype, refused_list

Key = tuple[str, ...]
_MAX_COLUMNS = 10_000


@dataclass(slots=True)
class _Columns:
    """Columns met so far, in order of appearance: path of keys, kinds of values, judge of texts."""

    judge: Judge
    stated: dict[str, str]
    nulls: tuple[str, ...]
    where: str
    index: dict[Key, int] = field(default_factory=dict)
    kinds: list[set[str]] = field(default_factory=list)
    objects: set[Key] = field(default_factory=set)

    def require(self, key: Key) -> int:
        """Position of a column, made if new."""
        if key not in self.index:
            if len(self.index) >= _MAX_COLUMNS:
                raise DataError(
                    "too_many_columns",
                    f"The records of {self.where} have more than {_MAX_COLUMNS} different keys.",
                    hint="Keys that are data (ids, dates) belong into a column.",
                )
            self.index[key] = len(self.index)
            self.kinds.append(set())
            self.judge.add(self.stated.get(".".join(key)), TEMPORAL)
        return self.index[key]


def read_ndjson(name: str, paths: Sequence[Path], options: ReadOptions, spool_folder: Path | None) -> Table:
    """Files with one JSON object per line, or one array of objects, as one table.

    Raises DataError: bad_json (with the line), nested_lists, column_clash, mixed_objects, too_many_columns, no_columns, type_mismatch and
    what `detect_encoding` raises; TransientError: disk_full.
    """
    what = f"table '{clean_name(name)}'"
    dropped, encodings = 0, set()
    with Spool(spool_folder, what) as spool:
        columns = _Columns(Judge((), {}), dict(options.types), options.nulls, what)
        for path in paths:
            encoding = detect_encoding(path, options.encoding, tolerate=options.drop_bad_rows)
            encodings.add(encoding.codec)
            before = sum(spool.rows)
            good_lines: list[tuple[int, int]] = []
            for block in _blocks(path, encoding):
                batch, bad = _decode(block, columns, path, tolerate=options.drop_bad_rows)
                dropped += bad
                good_lines.append((batch.height, block.first_line))
                _store(batch, columns, spool)
            if misfit := columns.judge.misfit():
                key = next(key for key, at in columns.index.items() if at == misfit.column)
                line = _line_of(good_lines, misfit.first_row - before)
                raise type_mismatch(".".join(key), misfit, path, line)
        return _finish(name, columns, spool, SourceInfo("ndjson", len(paths), ", ".join(sorted(encodings)), None, dropped))


def _line_of(blocks: Sequence[tuple[int, int]], row: int) -> int | None:
    """Line of a row where every line of its block is a row (no blank or dropped ones before it)."""
    for height, first_line in blocks:
        if row < height:
            return first_line + row
        row -= height
    return None


# ------------------------------------------------------------------------------------------------------------------ lines to rows


@dataclass(frozen=True, slots=True)
class _Block:
    """Whole lines of a file."""

    data: bytes
    first_line: int
    damaged: bool


def _blocks(path: Path, encoding: Encoding) -> Iterator[_Block]:
    """Blocks of whole lines; a JSON array gives its elements as lines."""
    line = 1
    with Utf8Stream(path, encoding) as stream:
        pieces: Iterable[bytes] = iter(lambda: stream.read(CHUNK), b"")
        first = stream.read(CHUNK)
        rest = b""
        is_array = first.lstrip().startswith(b"[")
        chunks = array_lines(_chain(first, pieces), path) if is_array else _chain(first, pieces)
        for chunk in chunks:
            whole, newline, tail = chunk.rpartition(b"\n")
            if not newline:
                rest += chunk
                continue
            data = rest + whole + newline
            rest = tail
            yield _Block(data, line, encoding.damaged)
            line += data.count(b"\n")
        if rest.strip():
            yield _Block(rest, line, encoding.damaged)


def _chain(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _decode(block: _Block, columns: _Columns, path: Path, *, tolerate: bool) -> tuple[pl.DataFrame, int]:
    """A block as texts (columns c0, c1, … in `columns`' order) and the number of lines left out."""
    suspicious = b"\\ud" in block.data or b"\\uD" in block.data or (block.damaged and REPLACEMENT.encode() in block.data)
    if not suspicious:
        try:
            frame = pl.read_ndjson(io.BytesIO(block.data), infer_schema_length=None)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
            frame = None
        if frame is not None and frame.width and frame.height == _lines_with_text(block.data):
            return _texts(frame, block, columns), 0
    records, bad = _records(block, path, tolerate=tolerate)
    return _texts_of_records(records, columns, shown(path)), bad


def _lines_with_text(data: bytes) -> int:
    """Lines that are not blank: every line start is a line end of what goes before."""
    return 1 + data.count(b"\n") - len(re.findall(rb"\n[ \t\r]*(?=\n|\Z)", b"\n" + data))


def _texts(frame: pl.DataFrame, block: _Block, columns: _Columns) -> pl.DataFrame:
    leaves: dict[Key, tuple[pl.Expr, pl.DataType]] = {}
    for i, (name, dtype) in enumerate(frame.schema.items()):
        _walk((name,), dtype, pl.nth(i), leaves, columns)
    if any(key not in columns.index for key in leaves):
        for key in _appearance(block.data, set(leaves)):
            columns.require(key)
    exprs = []
    for key, (expr, dtype) in leaves.items():
        at = columns.require(key)
        if kind := _kind(dtype):
            columns.kinds[at].add(kind)
        exprs.append(_as_text(expr, dtype, columns.nulls).alias(f"c{at}"))
    return _in_order(frame.select(exprs), columns)


def _walk(key: Key, dtype: pl.DataType, expr: pl.Expr, leaves: dict[Key, tuple[pl.Expr, pl.DataType]], columns: _Columns) -> None:
    if isinstance(dtype, pl.Struct):
        columns.objects.add(key)
        safe = expr.struct.rename_fields([f"f{i}" for i in range(len(dtype.fields))]) if dtype.fields else expr
        for i, inner in enumerate(dtype.fields):
            _walk((*key, inner.name), as_dtype(inner.dtype), safe.struct.field(f"f{i}"), leaves, columns)
    elif dtype.is_nested():
        raise refused_list(".".join(key), columns.where)
    else:
        leaves[key] = (expr, dtype)


def _kind(dtype: pl.DataType) -> str | None:
    if isinstance(dtype, pl.Null):
        return None
    if isinstance(dtype, pl.Boolean):
        return "boolean"
    return "integer" if dtype.is_integer() else "number" if dtype.is_float() else "string"


def _as_text(expr: pl.Expr, dtype: pl.DataType, nulls: Sequence[str]) -> pl.Expr:
    if isinstance(dtype, pl.String):
        return pl.when(expr.is_in(list(nulls))).then(None).otherwise(expr) if nulls else expr
    return _plain_number(expr) if dtype.is_float() else expr.cast(pl.String)


def _plain_number(expr: pl.Expr) -> pl.Expr:
    """Shortest text of a float; whole ones as digits, so that 1 beside 1.5 reads the same wherever a block ends."""
    whole = (expr == expr.round()) & (expr.abs() < 1e15)
    return pl.when(whole).then(expr.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(expr.cast(pl.String))


def _appearance(data: bytes, wanted: set[Key]) -> Iterator[Key]:
    """The keys of a block in order of first appearance, reading only as many lines as it takes."""
    for line in data.split(b"\n"):
        if not wanted:
            return
        if line.strip():
            for key in list(_flat(json.loads(line), (), set())):
                if key in wanted:
                    wanted.discard(key)
                    yield key


def _in_order(texts: pl.DataFrame, columns: _Columns) -> pl.DataFrame:
    present = set(texts.columns)
    names = [f"c{i}" for i in range(len(columns.index))]
    return texts.select(pl.col(name) if name in present else pl.lit(None, dtype=pl.String).alias(name) for name in names)


# -------------------------------------------------------------------------------------------------------------------- line by line


def _records(block: _Block, path: Path, *, tolerate: bool) -> tuple[list[dict[str, Any]], int]:
    records, bad = [], 0
    for number, line in enumerate(block.data.split(b"\n"), block.first_line):
        if not line.strip():
            continue
        record = _record(line, damaged=block.damaged)
        if record is not None:
            records.append(record)
        elif tolerate:
            bad += 1
        else:
            raise DataError(
                "bad_json",
                f"Line {number} of {shown(path)} is not one JSON object.",
                hint="Write one object per line, or leave such lines out with read: {drop_bad_rows: true}.",
                line=number,
            )
    return records, bad


def _record(line: bytes, *, damaged: bool) -> dict[str, Any] | None:
    try:
        text = line.decode()
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()  # a lone surrogate is no text
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and not (damaged and REPLACEMENT in text) else None


def _flat(record: dict[str, Any], prefix: Key, objects: set[Key]) -> dict[Key, Any]:
    flat: dict[Key, Any] = {}
    for name, value in record.items():
        key = (*prefix, name)
        if isinstance(value, dict):
            objects.add(key)
            flat |= _flat(value, key, objects)
        else:
            flat[key] = value
    return flat


def _texts_of_records(records: Sequence[dict[str, Any]], columns: _Columns, where: str) -> pl.DataFrame:
    flats = [_flat(record, (), columns.objects) for record in records]
    for flat in flats:
        for key, value in flat.items():
            if isinstance(value, list):
                raise refused_list(".".join(key), where)
            columns.require(key)
    series = [_text_series(key, [flat.get(key) for flat in flats], columns) for key in columns.index]
    return pl.DataFrame(series) if series else pl.DataFrame(height=len(records))


def _text_series(key: Key, values: Sequence[Any], columns: _Columns) -> pl.Series:
    at = columns.index[key]
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    columns.kinds[at] |= {kinds[type(value)] for value in values if value is not None}
    nulls = set(columns.nulls)
    texts = [_text_of(value) for value in values]
    return pl.Series(f"c{at}", [None if text in nulls else text for text in texts], dtype=pl.String)


def _text_of(value: Any) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case float():
            return str(pl.select(_plain_number(pl.lit(value))).item())
        case _:
            return str(value)


# --------------------------------------------------------------------------------------------------------------------- the table


def _store(batch: pl.DataFrame, columns: _Columns, spool: Spool) -> None:
    if not batch.height:
        return
    width = len(columns.index)
    ready = batch if width else batch.with_columns(pl.lit(None, dtype=pl.String).alias("c0"))
    schema = pa.schema([(f"c{i}", pa.large_string()) for i in range(max(width, 1))])
    table = pa.table(ready.to_arrow(compat_level=pl.CompatLevel.oldest())).cast(schema).combine_chunks()
    for record_batch in table.to_batches():
        spool.write(record_batch)
    if width:
        columns.judge.see(batch)


def _finish(name: str, columns: _Columns, spool: Spool, source: SourceInfo) -> Table:
    decisions = columns.judge.decide([".".join(key) for key in columns.index])
    kept: list[tuple[str, int, Decision]] = []
    for key, at in columns.index.items():
        label = ".".join(key)
        if key in columns.objects:
            if columns.kinds[at]:
                raise DataError(
                    "mixed_objects",
                    f"Column '{clean_name(label)}' of {columns.where} holds objects in some rows and plain values in others.",
                    hint="Give the two different names.",
                    column=label,
                )
            continue  # null here, an object there: its fields are the columns
        if label in (other for other, _, _ in kept):
            raise DataError(
                "column_clash",
                f"Two columns of {columns.where} would both be called '{clean_name(label)}' once objects are flattened.",
                hint="Rename one of them.",
                column=label,
            )
        kept.append((label, at, _by_kind(columns.kinds[at], decisions[at], label in columns.stated)))
    if not kept:
        raise DataError("no_columns", f"The records of {columns.where} have no keys.", hint="Name a table with at least one column.")
    names = [label for label, _, _ in kept]
    check_stated(names, columns.stated)
    return Table(
        name=name,
        frame=typed_frame(spool.scans(), [at for _, at, _ in kept], names, [decision for _, _, decision in kept]),
        columns=tuple(Column(label, decision.type) for label, _, decision in kept),
        rows=sum(spool.rows),
        source=SourceInfo(source.format, source.files, source.encoding, None, source.rows_dropped, _notes(d for _, _, d in kept)),
        hold=tuple(spool.files),
    )


def _notes(decisions: Iterable[Decision]) -> tuple[str, ...]:
    return tuple(decision.note for decision in decisions if decision.note)


def _by_kind(kinds: set[str], judged: Decision, stated: bool) -> Decision:
    """What the kinds of JSON values make of a column."""
    if stated or not kinds or kinds == {"string"}:
        return judged
    if kinds == {"integer"}:
        return Decision(DataType.INTEGER, FORMS["integer"])
    if kinds <= {"integer", "number"}:
        return Decision(DataType.NUMBER, FORMS["number"])
    if kinds == {"boolean"}:
        return Decision(DataType.BOOLEAN, FORMS["boolean"])
    return Decision(DataType.TEXT)

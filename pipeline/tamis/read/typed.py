"""Parquet, Arrow IPC and frames: scanned lazily, their types mapped to logical ones, structs flattened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs
import pyarrow as pa

from tamis.core.errors import DataError, clean_name
from tamis.core.types import Column, DataType, SourceInfo, Table
from tamis.read.delimited import require_same_columns
from tamis.read.failures import os_failure, shown
from tamis.read.files import IPC_STREAM, Format
from tamis.read.forms import DTYPES
from tamis.read.groups import row_groups
from tamis.read.infer import Decision, Judge
from tamis.read.origin import releases_of
from tamis.read.partitions import distinct_values
from tamis.read.spool import Spool

_Partitions = Mapping[str, Decision]
_NONE: _Partitions = {}
_INT64 = (-(2**63), 2**63 - 1)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A column after flattening: dotted name, logical type, the expression that makes it, and what is worth a note.

    `unsure`: integers that may not fit 64 bits; their bounds decide between integer and text.
    """

    name: str
    type: DataType
    expr: pl.Expr
    note: str = ""
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class _Part:
    """Files (or a frame) of exactly one schema."""

    scan: pl.LazyFrame
    leaves: tuple[Leaf, ...]
    path: Path | None = None


def read_frame(name: str, frame: pl.LazyFrame | pl.DataFrame) -> Table:
    """A frame as a table. Raises DataError: nested_lists, unsupported_type, column_clash, no_columns."""
    scan = frame.lazy()
    part = _Part(scan, tuple(leaves_of(scan.collect_schema(), "the frame")))
    return _table(name, [part], SourceInfo(format="frame", files=0), ())


def read_typed(name: str, paths: Sequence[Path], kind: Format, spool_folder: Path | None) -> Table:
    """Parquet or Arrow IPC files of one schema as one table; column order may differ from file to file.

    Raises DataError: as `read_frame`; damaged_file, other_columns, other_types (with file and column).
    """
    what = f"table '{clean_name(name)}'"
    with Spool(spool_folder, what) as spool:
        groups: dict[tuple[tuple[str, pl.DataType], ...], list[Path]] = {}
        parts = []
        for path in paths:
            if kind is Format.IPC and _is_stream(path):
                scan = _spooled_stream(path, spool_folder, what, spool)
                parts.append(_Part(scan, tuple(leaves_of(scan.collect_schema(), shown(path))), path))
            else:
                groups.setdefault(tuple(schema_of(path, kind).items()), []).append(path)
        keys = distinct_values(paths)
        parts += [_part(members, kind, keys) for members in groups.values()]
        judged = _partition_types(keys)
        notes = (f"{len(keys)} columns were taken from the names of folders.",) if keys else ()
        parents = releases_of(paths) if kind is Format.PARQUET else ()
        in_order = [path for members in groups.values() for path in members]
        sizes = row_groups(in_order) if kind is Format.PARQUET else ()
        source = SourceInfo(format=kind.value, files=len(paths), notes=notes, parents=parents, row_groups=sizes)
        return _table(name, parts, source, tuple(spool.files), judged)


def schema_of(path: Path, kind: Format) -> Mapping[str, pl.DataType]:
    """Names and types in a file's footer. DataError `damaged_file` when it cannot be read."""
    try:
        if kind is Format.PARQUET:
            return pl.read_parquet_schema(path)
        if _is_stream(path):
            with path.open("rb") as file, pa.ipc.open_stream(file) as reader:
                return pl.DataFrame(pl.from_arrow(reader.schema.empty_table())).schema
        return pl.read_ipc_schema(path)
    except OSError as error:
        raise os_failure(shown(path), error) from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException):
        raise _damaged(path, kind) from None


def _damaged(path: Path, kind: Format) -> DataError:
    label = "Parquet" if kind is Format.PARQUET else "Arrow IPC"
    return DataError(
        "damaged_file", f"{shown(path)} is damaged or cut short: its {label} footer cannot be read.", hint="Copy or write the file again."
    )


def _is_stream(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == IPC_STREAM
    except OSError as error:
        raise os_failure(shown(path), error) from None


def _spooled_stream(path: Path, folder: Path | None, what: str, hold: Spool) -> pl.LazyFrame:
    """The streaming variant of Arrow IPC cannot be scanned: it is copied into a file that can."""
    with Spool(folder, what) as own:
        try:
            with path.open("rb") as file, pa.ipc.open_stream(file) as reader:
                for batch in reader:
                    for plain in _without_dictionaries(batch):
                        own.write(plain)
                if not own.files:
                    own.write(pa.RecordBatch.from_pylist([], schema=_plain_schema(reader.schema)))
        except OSError as error:
            raise os_failure(shown(path), error) from None
        except (pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException):
            raise _damaged(path, Format.IPC) from None
        scans = own.scans()
        hold.files += own.files
        return scans[0]


def _without_dictionaries(batch: Any) -> Any:
    """Every batch of a stream may bring a dictionary of its own, which a file cannot hold: values instead of codes."""
    frame = pl.DataFrame(pl.from_arrow(batch))
    plain = frame.with_columns(cs.categorical().cast(pl.String), cs.enum().cast(pl.String))
    return plain.to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks().to_batches()


def _plain_schema(schema: Any) -> Any:
    return pl.DataFrame(pl.from_arrow(schema.empty_table())).to_arrow(compat_level=pl.CompatLevel.oldest()).schema


def _part(paths: Sequence[Path], kind: Format, keys: Mapping[str, object]) -> _Part:
    hive: dict[str, Any] = {
        "hive_partitioning": bool(keys),
        "hive_schema": dict.fromkeys(keys, pl.String) or None,
        "try_parse_hive_dates": False,
    }
    inside = [key for key in keys if key in schema_of(paths[0], kind)]
    if inside:
        raise DataError("column_clash", f"{shown(paths[0])}: a column and a folder have the same name '{clean_name(inside[0])}'.")
    scan = (pl.scan_parquet if kind is Format.PARQUET else pl.scan_ipc)(list(paths), glob=False, **hive)
    return _Part(scan, tuple(leaves_of(scan.collect_schema(), shown(paths[0]))), paths[0])


def _partition_types(keys: Mapping[str, Sequence[str | None]]) -> dict[str, Decision]:
    """Folder names are text: the values of each key together decide its type, as in text files."""
    found = {}
    for key, values in keys.items():
        judge = Judge([key], {})
        judge.see(pl.DataFrame({"c0": pl.Series(values, dtype=pl.String)}))
        found[key] = judge.decide([key])[0]
    return found


# ----------------------------------------------------------------------------------------------------------------- types to types


def leaves_of(schema: Mapping[str, pl.DataType], where: str) -> Iterator[Leaf]:
    """All columns of a schema, structs flattened to dotted names; columns are addressed by position, so that any name is safe."""
    seen: set[str] = set()
    for i, (name, dtype) in enumerate(schema.items()):
        for leaf in _flatten(name, dtype, pl.nth(i), where):
            if leaf.name in seen:
                raise DataError(
                    "column_clash",
                    f"Two columns of {where} would both be called '{clean_name(leaf.name)}' once nested fields are flattened.",
                    hint="Rename one of them.",
                )
            seen.add(leaf.name)
            yield leaf
    if not seen:
        raise DataError("no_columns", f"There are no columns in {where}.", hint="Name a table with at least one column.")


def _flatten(name: str, dtype: pl.DataType, expr: pl.Expr, where: str) -> Iterator[Leaf]:
    if isinstance(dtype, pl.Struct):
        safe = expr.struct.rename_fields([f"f{i}" for i in range(len(dtype.fields))])  # names like '^a$' would be patterns
        for i, inner in enumerate(dtype.fields):
            yield from _flatten(f"{name}.{inner.name}", as_dtype(inner.dtype), safe.struct.field(f"f{i}"), where)
        return
    if dtype.is_nested():
        raise refused_list(name, where)
    yield _leaf(name, dtype, expr, where)


def as_dtype(dtype: Any) -> pl.DataType:
    """A field's type as an instance (polars allows the class)."""
    instance: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return instance


def refused_list(name: str, where: str) -> DataError:
    """The sentence about columns that hold several values per row (decision 26)."""
    return DataError(
        "nested_lists",
        f"Column '{clean_name(name)}' of {where} holds lists, which have no place in a row.",
        hint="Explode it into a table of its own with a key to this one, or leave it out of the file.",
        column=name,
    )


_AS_THEY_ARE: Mapping[type[pl.DataType], DataType] = {
    pl.String: DataType.TEXT,
    pl.Categorical: DataType.TEXT,
    pl.Enum: DataType.TEXT,
    pl.Boolean: DataType.BOOLEAN,
    pl.Date: DataType.DATE,
    pl.Time: DataType.TIME,
    pl.Duration: DataType.DURATION,
    pl.Binary: DataType.BINARY,
    pl.Null: DataType.EMPTY,
}
"""types that need no more than a cast to their logical type's dtype"""


def _leaf(name: str, dtype: pl.DataType, expr: pl.Expr, where: str) -> Leaf:
    shown_name = f"Column '{clean_name(name)}'"
    plain = _AS_THEY_ARE.get(type(dtype))
    if plain is not None:
        return Leaf(name, plain, expr)
    if isinstance(dtype, pl.Datetime):
        return _datetime_leaf(name, dtype, expr, shown_name)
    if isinstance(dtype, pl.Decimal):
        if dtype.scale == 0:
            return Leaf(name, DataType.INTEGER, expr, f"{shown_name} is a decimal without places; it is read as integers.", unsure=True)
        return Leaf(name, DataType.NUMBER, expr, f"{shown_name} is a decimal; it is read as a 64-bit float.")
    if dtype.is_integer():
        return Leaf(name, DataType.INTEGER, expr, unsure=isinstance(dtype, pl.UInt64 | pl.Int128 | pl.UInt128))
    if dtype.is_float():
        return Leaf(name, DataType.NUMBER, expr)
    raise DataError(
        "unsupported_type",
        f"{shown_name} of {where} has the type {type(dtype).__name__}, which cannot be released.",
        hint="Convert it to text, numbers, dates or bytes, or leave it out.",
        column=name,
    )


def _datetime_leaf(name: str, dtype: pl.Datetime, expr: pl.Expr, shown_name: str) -> Leaf:
    if dtype.time_zone:
        naive = expr.dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(pl.Datetime("us"))
        return Leaf(name, DataType.DATETIME, naive, f"{shown_name} has a time zone; it is read as UTC.")
    note = f"{shown_name} has nanoseconds; it is read in microseconds." if dtype.time_unit == "ns" else ""
    return Leaf(name, DataType.DATETIME, expr.cast(pl.Datetime("us")), note)


# ---------------------------------------------------------------------------------------------------------------------- the table


def _table(name: str, parts: Sequence[_Part], source: SourceInfo, hold: tuple[object, ...], partitions: _Partitions = _NONE) -> Table:
    names = [leaf.name for leaf in parts[0].leaves]
    for part in parts[1:]:
        assert part.path is not None
        require_same_columns(part.path, names, [leaf.name for leaf in part.leaves])
    types = {column: _agreed_type(column, parts) for column in names}
    types |= {key: decision.type for key, decision in partitions.items()}
    types |= dict.fromkeys(_too_wide(parts), DataType.TEXT)
    frames, rows, notes = [], 0, list(source.notes)
    for part in parts:
        by_name = {leaf.name: leaf for leaf in part.leaves}
        exprs = []
        for column in names:
            leaf = by_name[column]
            decision = partitions.get(column)
            value = decision.apply(leaf.expr) if decision else leaf.expr.cast(DTYPES[types[column]])
            exprs.append(value.alias(column))
            if leaf.note and leaf.note not in notes:
                notes.append(leaf.note)
        frames.append(part.scan.select(exprs))
        rows += int(part.scan.select(pl.len()).collect(engine="streaming").item())
    return Table(
        name=name,
        frame=frames[0] if len(frames) == 1 else pl.concat(frames, how="vertical"),
        columns=tuple(Column(column, types[column]) for column in names),
        rows=rows,
        source=replace(source, notes=tuple(notes)),
        hold=hold,
    )


def _agreed_type(column: str, parts: Sequence[_Part]) -> DataType:
    """The type that all files give a column; one that is null in some files takes the type of the others."""
    agreed = DataType.EMPTY
    for part in parts:
        found = next(leaf.type for leaf in part.leaves if leaf.name == column)
        if found is DataType.EMPTY or found is agreed:
            continue
        if agreed is not DataType.EMPTY:
            assert part.path is not None
            raise DataError(
                "other_types",
                f"Column '{clean_name(column)}' of {shown(part.path)} is {found}, but {agreed} in the files before it.",
                hint="Write all files of a table with the same types.",
                column=column,
            )
        agreed = found
    return agreed


def _too_wide(parts: Sequence[_Part]) -> set[str]:
    """Columns with an integer that does not fit 64 bits in some file: text, since a float would make different numbers equal."""
    wide = set()
    for part in parts:
        unsure = [leaf for leaf in part.leaves if leaf.unsure]
        if not unsure:
            continue
        low, high = (pl.lit(bound, dtype=pl.Int128) for bound in _INT64)
        tests: list[pl.Expr] = []
        for leaf in unsure:
            value = leaf.expr.cast(pl.Int128, strict=False)
            does_not_fit = (value < low) | (value > high) | (value.is_null() & leaf.expr.is_not_null())
            tests.append(does_not_fit.any().alias(str(len(tests))))
        found = part.scan.select(tests).collect(engine="streaming").row(0)
        wide |= {leaf.name for leaf, is_outside in zip(unsure, found, strict=True) if is_outside}
    return wide


__all__ = ["Leaf", "leaves_of", "read_frame", "read_typed", "refused_list", "schema_of"]

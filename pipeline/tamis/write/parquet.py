"""A transformed table to Parquet: keyed order, fixed parts, the same bytes whatever the engine, chunking and row order of the input.

One streaming pass over the transformed frame. A table of at most `PART_ROWS` rows is sorted in memory. A larger one is spilled to
buckets (equal ranges of the sort key) in an Arrow IPC file each, then part after part is read back, sorted and written. Memory: the
batches under way plus about three times one part; a part is `PART_ROWS` rows, so very long texts raise it.

Why the order gives nothing away: it is that of HMACs of the rows under a key that never leaves tamis, so it is independent of the
values for whoever lacks the key. No statistics are written for any column: in keyed order they cannot help a reader to skip
anything, and minima and maxima are single cells.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import polars.selectors as cs
import pyarrow as pa

from tamis.core.errors import DataError, TamisError, TransientError, clean_name
from tamis.core.plan import ColumnPlan
from tamis.core.record import OutputFile
from tamis.write.disk import sentences, sync_path

PART_ROWS = 1_000_000
ROW_GROUP_ROWS = 125_000
_MAX_BUCKETS = 512  # one open file each
_BATCH_ROWS = 250_000
_OS_FULL = ("(os error 28)", "(os error 122)")
_EVERY_WORD = 1 << 64


@dataclass(frozen=True, slots=True)
class _Shape:
    """What is written: released names in order, the column that orders, and whether that is the input's order."""

    names: tuple[str, ...]
    by: str
    keep_order: bool


def write_table(
    frame: pl.LazyFrame,
    folder: Path,
    *,
    columns: Sequence[ColumnPlan],
    words: Sequence[str] | None,
    order: str | None,
    rows_hint: int,
    metadata: Mapping[str, str],
    spill: Path,
) -> tuple[int, tuple[OutputFile, ...]]:
    """Write the released `columns` of a transformed frame as `folder/part-NNNNN.parquet`; (rows, files).

    `frame` also holds the row words (`words`, UInt64), or, when the input's order is kept, `order` (UInt64 input position).
    There are max(1, ceil(rows / PART_ROWS)) parts, where rows are those actually written. In keyed order part i holds the rows whose
    first word lies in the i-th of equal ranges of 64 bits; otherwise the i-th run of PART_ROWS rows. The first word alone orders (two
    of 10 M different rows share one with probability 3e-6); rows with the same word are ordered by their released values, so equal
    input rows in any order give the same bytes. `rows_hint` only sizes the buckets: it may be wrong in either direction. A table
    without released columns has no files: (0, ()).

    Raises DataError `cannot_transform` when the frame's computation fails, TransientError `disk_full`, UsageError `cannot_write`.
    """
    names = tuple(column.name for column in columns if column.released)
    shape = _Shape(names, order or (words or ())[0], keep_order=order is not None)
    if not names:
        return 0, ()
    kept = frame.select(cs.by_name(*dict.fromkeys((*names, shape.by))))
    with sentences(folder), _polars_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        spill.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            gathered = _gather(kept, shape, spill, rows_hint)
            files = tuple(_write_part(part, folder, index, metadata) for index, part in enumerate(_parts(gathered, shape)))
        finally:
            shutil.rmtree(spill, ignore_errors=True)
        sync_path(folder)
    return sum(file.rows for file in files), files


# ---------------------------------------------------------------------------------------------------------------------- gathering


@dataclass(frozen=True, slots=True)
class _Gathered:
    """All rows: in memory (`frame`), or in `buckets`, where bucket i holds keys of [i * width, (i + 1) * width)."""

    rows: int
    frame: pl.DataFrame | None
    buckets: tuple[Path, ...]
    width: int


def _gather(frame: pl.LazyFrame, shape: _Shape, spill: Path, rows_hint: int) -> _Gathered:
    """Run the transformed frame once."""
    held: list[pl.DataFrame] = []
    rows = 0
    buckets: _Buckets | None = None
    empty = _plain(frame.collect_schema().to_frame(), shape)
    with ExitStack() as stack:
        for batch in frame.collect_batches(chunk_size=_BATCH_ROWS, maintain_order=False, engine="streaming"):
            rows += batch.height
            held.append(_plain(batch, shape))
            if rows > PART_ROWS and buckets is None:
                buckets = stack.enter_context(_Buckets.opened(spill, shape, max(rows_hint, rows), held[0]))
            if buckets is not None:
                buckets.add(pl.concat(held) if len(held) > 1 else held[0])
                held.clear()
    if buckets is None:
        return _Gathered(rows, pl.concat(held) if held else empty, (), _EVERY_WORD)
    return _Gathered(rows, None, buckets.paths, buckets.width)


def _plain(batch: pl.DataFrame, shape: _Shape) -> pl.DataFrame:
    """Released columns and the ordering one, in that order, without categories (an Enum writes unused ones into the file)."""
    names = dict.fromkeys((*shape.names, shape.by))
    return pl.DataFrame([_plain_column(batch.get_column(name)) for name in names])


def _plain_column(column: pl.Series) -> pl.Series:
    if isinstance(column.dtype, pl.Categorical | pl.Enum | pl.Null):
        return column.cast(pl.String)
    return column


class _Buckets:
    """Open spill files, one per range of the ordering column. Transformed values only, inside the staging folder."""

    __slots__ = ("_shape", "_writers", "paths", "width")

    def __init__(self, shape: _Shape, paths: tuple[Path, ...], width: int, writers: list[pa.ipc.RecordBatchFileWriter]) -> None:
        self._shape, self.paths, self.width, self._writers = shape, paths, width, writers

    @classmethod
    @contextmanager
    def opened(cls, spill: Path, shape: _Shape, rows: int, sample: pl.DataFrame) -> Iterator[_Buckets]:
        count = min(_MAX_BUCKETS, max(2, -(-rows // PART_ROWS)))
        width = PART_ROWS if shape.keep_order else -(-_EVERY_WORD // count)
        schema = sample.head(0).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
        paths = tuple(spill / f"bucket-{index:05d}.arrow" for index in range(count))
        with ExitStack() as stack:
            writers = [stack.enter_context(pa.ipc.new_file(str(path), schema, options=_SPILL)) for path in paths]
            yield cls(shape, paths, width, writers)

    def add(self, batch: pl.DataFrame) -> None:
        """Deal the rows of one batch out to the buckets."""
        bucket = np.minimum(batch.get_column(self._shape.by).to_numpy() // np.uint64(self.width), np.uint64(len(self.paths) - 1))
        order = np.argsort(bucket.astype(np.uint16), kind="stable")  # radix sort
        ends = np.searchsorted(bucket[order], np.arange(len(self.paths), dtype=np.uint64), side="right")
        dealt = batch[order].to_arrow(compat_level=pl.CompatLevel.oldest())
        start = 0
        for writer, end in zip(self._writers, ends.tolist(), strict=True):
            if end > start:
                writer.write_table(dealt.slice(start, end - start))
            start = end


_SPILL = pa.ipc.IpcWriteOptions(compression=None)


# ------------------------------------------------------------------------------------------------------------------------- parts


def _parts(gathered: _Gathered, shape: _Shape) -> Iterator[pl.DataFrame]:
    """Sorted parts of the actual number of rows, ordering column removed; at least one."""
    count = max(1, -(-gathered.rows // PART_ROWS))
    if shape.keep_order:
        yield from _runs(gathered, shape)
        return
    width = -(-_EVERY_WORD // count)
    for index in range(count):
        low, high = index * width, min((index + 1) * width, _EVERY_WORD) - 1
        yield _released(_sorted(_range(gathered, shape, low, high), shape), shape)


def _range(gathered: _Gathered, shape: _Shape, low: int, high: int) -> pl.DataFrame:
    """Rows whose ordering column lies in low..high (both in)."""
    if gathered.frame is not None:
        found = [gathered.frame]
    else:
        first, last = low // gathered.width, min(high // gathered.width, len(gathered.buckets) - 1)
        found = [pl.read_ipc(path) for path in gathered.buckets[first : last + 1]]
        if len(found) == 1 and low == first * gathered.width and high == min((first + 1) * gathered.width, _EVERY_WORD) - 1:
            return found[0]
    bounds = pl.lit(low, pl.UInt64), pl.lit(high, pl.UInt64)
    return pl.concat([frame.filter(cs.by_name(shape.by).is_between(*bounds)) for frame in found])


def _runs(gathered: _Gathered, shape: _Shape) -> Iterator[pl.DataFrame]:
    """Input order: sorted buckets one after the other, cut after every PART_ROWS rows."""
    pieces = [gathered.frame] if gathered.frame is not None else map(_read_bucket, gathered.buckets)
    rest: pl.DataFrame | None = None
    for piece in pieces:
        piece = _released(_sorted(piece, shape), shape)  # noqa: PLW2901  # the unsorted rows may go at once
        rest = piece if rest is None else pl.concat([rest, piece])
        while rest.height > PART_ROWS:
            yield rest.head(PART_ROWS)
            rest = rest.slice(PART_ROWS)
    if rest is not None:
        yield rest


def _read_bucket(path: Path) -> pl.DataFrame:
    return pl.read_ipc(path)


def _sorted(frame: pl.DataFrame, shape: _Shape) -> pl.DataFrame:
    """By the ordering column; where it ties (rows with one identity), by the released values."""
    frame = frame.sort(cs.by_name(shape.by))
    key = frame.get_column(shape.by).to_numpy()
    same = key[1:] == key[:-1]
    if not same.any():
        return frame
    tied = np.zeros(len(key), dtype=bool)
    tied[1:] |= same
    tied[:-1] |= same
    # Positions stay, the tied rows are dealt out to them again: all of one group lie together.
    at = np.flatnonzero(tied)
    order = np.arange(len(key))
    place = _free_name(frame.columns)
    group = frame[at].with_columns(pl.Series(place, at))
    order[at] = group.sort([cs.by_name(name) for name in (shape.by, *shape.names)]).get_column(place).to_numpy()
    return frame[order]


def _free_name(taken: Sequence[str]) -> str:
    return next(name for count in range(len(taken) + 1) if (name := f"__tamis_place{count}") not in taken)


def _released(frame: pl.DataFrame, shape: _Shape) -> pl.DataFrame:
    return pl.DataFrame([frame.get_column(name) for name in shape.names])


def _write_part(part: pl.DataFrame, folder: Path, index: int, metadata: Mapping[str, str]) -> OutputFile:
    path = folder / f"part-{index:05d}.parquet"
    part.rechunk().write_parquet(
        path,
        compression="zstd",
        compression_level=1,
        statistics=False,
        row_group_size=ROW_GROUP_ROWS,
        metadata={key: metadata[key] for key in sorted(metadata)},
    )
    sync_path(path)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return OutputFile(path=f"{folder.name}/{path.name}", sha256=sha256, bytes=path.stat().st_size, rows=part.height)


@contextmanager
def _polars_errors(folder: Path) -> Iterator[None]:
    """Errors of the engine and of batch functions inside it: their text may hold cell values and is never shown.

    It is only searched for the code of a full disk. (polars rebuilds an exception of a batch function from its text, so that any type
    may arrive here.)
    """
    try:
        yield
    except (TamisError, OSError):
        raise
    except Exception as error:  # noqa: BLE001  # every other text is somebody else's
        if any(code in str(error) for code in _OS_FULL):
            raise TransientError(
                "disk_full",
                f"The disk is full while writing table '{clean_name(folder.name)}'. Nothing was published.",
                hint="Free space, then run again.",
            ) from None
        raise DataError(
            "cannot_transform",
            f"Table '{clean_name(folder.name)}' could not be computed ({type(error).__name__}).",
            hint="Check that the plan was made for this data; run `tamis plan` again.",
        ) from None

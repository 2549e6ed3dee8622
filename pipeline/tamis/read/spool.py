"""Where parsed text waits for later passes: an anonymous file that vanishes with the process, however that ends."""

from __future__ import annotations

import contextlib
import os
import tempfile
import weakref
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl
import pyarrow as pa

from tamis.core.errors import UsageError
from tamis.read.failures import disk_full, os_failure, shown

_DESCRIPTORS = Path("/proc/self/fd") if Path("/proc/self/fd").is_dir() else Path("/dev/fd")


class Descriptor:
    """An open file without a name; closed, and with that gone, when nobody holds it any more."""

    def __init__(self, folder: Path | None) -> None:
        with tempfile.TemporaryFile(dir=folder) as file:
            self.number = os.dup(file.fileno())
        self._close = weakref.finalize(self, os.close, self.number)

    def close(self) -> None:
        """Close it now; twice is harmless."""
        self._close()


class Spool:
    """Arrow IPC (lz4) in nameless files of `folder` (default: the system's temporary folder).

    A file has no name from the start (O_TMPFILE) or loses it at once, so that not even `kill -9` leaves a raw copy behind. It is read
    through its descriptor; `files` must stay open as long as the frames are used. A wider schema starts a new file.
    """

    def __init__(self, folder: Path | None, what: str) -> None:
        self._folder = folder
        self._what = what
        self._writer: Any = None
        self._schema: Any = None
        self._buffer: Any = None
        self.files: list[Descriptor] = []
        self.rows: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self._abandon()
            for file in self.files:
                file.close()

    def _abandon(self) -> None:
        """Drop what is half written; a full disk must not fail a second time while closing."""
        with contextlib.suppress(OSError, pa.ArrowException):
            if self._writer is not None:
                self._writer.close()
        with contextlib.suppress(OSError):
            if self._buffer is not None:
                self._buffer.close()
        self._writer = None

    def write(self, batch: Any) -> None:
        """Append an Arrow record batch; TransientError `disk_full` when there is no room."""
        try:
            if self._writer is None or batch.schema != self._schema:
                self._start(batch.schema)
            self._writer.write_batch(batch)
            self.rows[-1] += batch.num_rows
        except OSError as error:
            raise os_failure(self._what, error) from None
        except pa.ArrowException:
            raise disk_full(self._what) from None

    def _start(self, schema: Any) -> None:
        self._finish_file()
        if self._folder is not None and not self._folder.is_dir():
            raise UsageError("no_spool_folder", f"There is no folder {shown(self._folder)} for temporary data.", hint="Make it first.")
        file = Descriptor(self._folder)
        self.files.append(file)
        self.rows.append(0)
        self._schema = schema
        self._buffer = open(file.number, "wb", closefd=False)  # noqa: SIM115  # a descriptor, not a path
        self._writer = pa.ipc.new_file(self._buffer, schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))

    def _finish_file(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._buffer.close()
        self._writer = None

    def scans(self) -> list[pl.LazyFrame]:
        """One lazy frame per file, in order; call once, after the last batch."""
        try:
            self._finish_file()
        except OSError as error:
            raise os_failure(self._what, error) from None
        return [pl.scan_ipc(_DESCRIPTORS / str(file.number), glob=False) for file in self.files]

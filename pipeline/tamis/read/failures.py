"""What goes wrong while reading, as sentences. The text of foreign exceptions is never shown: it may hold cell values."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa

from tamis.core.errors import DataError, TamisError, TransientError, clean_name

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_BUSY = frozenset({errno.EAGAIN, errno.EINTR, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ETIMEDOUT, errno.ESTALE})


def shown(path: Path) -> str:
    """A path for a message: safe for a terminal, bounded, quoted."""
    return f"'{clean_name(str(path), 200)}'"


def os_failure(where: str, error: OSError) -> TamisError:
    """An operating system's error about `where` (a file, quoted, or a table) as ours."""
    name = errno.errorcode.get(error.errno or 0, "unknown")
    match error:
        case FileNotFoundError():
            return DataError("missing_file", f"There is no file {where}.", hint="Check the path.")
        case PermissionError():
            return DataError("no_permission", f"{where} may not be read.", hint="Give this user the right to read it.")
        case IsADirectoryError() | NotADirectoryError():
            return DataError("not_a_file", f"{where} is not a file.", hint="Name a file, a folder of data files or a glob.")
    if error.errno in _FULL or _says_full(error):
        return disk_full(where)
    if error.errno in _BUSY:
        return TransientError("busy", f"The system could not serve {where} ({name}).", hint="Try again later.")
    return DataError("unreadable", f"{where} cannot be read ({name}).", hint="Check the file and the disk.")


def disk_full(where: str) -> TransientError:
    """No room for temporary data."""
    return TransientError(
        "disk_full",
        f"The disk is full while working on {where}.",
        hint="Free some space or point TMPDIR at a larger disk, then run it again.",
    )


def _says_full(error: BaseException) -> bool:
    """Whether an engine that hides the error number reports a full disk; its text is looked at here and goes nowhere."""
    text = str(error)
    return "No space left" in text or "os error 28" in text or "errno 28" in text.lower()


def _position(error: BaseException) -> str:
    """Where in our code a foreign exception came up: what a report of a bug needs, without its text."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if f"{os.sep}tamis{os.sep}" in frame.filename]
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


@contextmanager
def reading(table: str) -> Iterator[None]:
    """Turn what polars, pyarrow and the system raise while rows are read into DataError or TransientError, without their text.

    Lazy frames meet a damaged page or a full disk only when they are collected, so the conductor wraps all its work in this.
    Our own errors pass unchanged.
    """
    where = f"table '{clean_name(table)}'"
    try:
        yield
    except TamisError:
        raise
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException) as error:
        if _says_full(error):
            raise disk_full(where) from None
        if isinstance(error, pa.ArrowMemoryError):
            raise TransientError("busy", f"Not enough memory for {where}.", hint="Try again on a larger machine.") from None
        raise DataError(
            "unreadable",
            f"The rows of {where} cannot be read to the end ({type(error).__name__}{_position(error)}).",
            hint="The file may be damaged or cut short: write it again from its source. "
            "If other programs read it to its end, this is a bug in tamis: report the place in brackets.",
        ) from None
    except MemoryError:
        raise TransientError("busy", f"Not enough memory for {where}.", hint="Try again on a larger machine.") from None
    except OSError as error:
        raise os_failure(where, error) from None

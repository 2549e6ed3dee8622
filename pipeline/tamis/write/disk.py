"""What every writer needs: file-system errors as sentences, and files that are on the disk when we say so."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tamis.core.errors import TamisError, TransientError, UsageError, clean_name

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@contextmanager
def sentences(where: Path) -> Iterator[None]:
    """Turn file-system errors of the block into ours.

    Raises TransientError `disk_full` (disk or quota), UsageError `cannot_write` (rights, read-only, name too long, …).
    """
    try:
        yield
    except TamisError:
        raise
    except OSError as error:
        raise as_sentence(error.errno, where) from None


def as_sentence(number: int | None, where: Path) -> TamisError:
    """The error that a person understands for an errno met while writing to `where`."""
    shown = clean_name(str(where), 200)
    if number in _FULL:
        return TransientError(
            "disk_full", f"The disk is full: {shown} could not be written. Nothing was published.", hint="Free space, then run again."
        )
    if number in _DENIED:
        return UsageError("cannot_write", f"There is no permission to write {shown}.", hint="Choose another folder or change its rights.")
    reason = os.strerror(number) if number else "unknown reason"
    return UsageError("cannot_write", f"{shown} cannot be written ({reason}).", hint="Choose another folder.")


def sync_path(path: Path) -> None:
    """Flush one file, or the entries of one folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot sync folders; there is nothing better to do
            raise
    finally:
        os.close(handle)


def walk_tree(folder: Path) -> Iterator[Path]:
    """Everything below a folder, children before their folder; links are not followed."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from walk_tree(path)
        yield path


def seal_tree(folder: Path, *, folders: int, files: int) -> None:
    """Set the modes of a folder and all below it, and flush it all to the disk."""
    for path in (*walk_tree(folder), folder):
        path.chmod(folders if path.is_dir() else files)
        sync_path(path)


def write_text_atomic(path: Path, text: str, mode: int = 0o600) -> None:
    """Write UTF-8 text so that readers see the old file or the new one, never a part; the folder must exist.

    Raises TransientError `disk_full`, UsageError `cannot_write`.
    """
    with sentences(path):
        beside = path.with_name(f".tamis-{os.getpid()}-{secrets.token_hex(6)}")  # short: the name itself may be at the limit
        try:
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        sync_path(path.parent)

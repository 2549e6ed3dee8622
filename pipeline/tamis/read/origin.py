"""Files that are releases of tamis themselves: which ones, and whether they were revoked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tamis.core.errors import DataError, clean_name
from tamis.read.failures import os_failure, shown

TOMBSTONE = "REVOKED.json"
"""what `tamis revoke` leaves in the folder of a release"""
_KEY = b"tamis.release_id"


def releases_of(paths: Sequence[Path]) -> tuple[str, ...]:
    """Ids of the releases that Parquet files say they belong to, sorted.

    Raises DataError `revoked` when a folder above one of them holds a tombstone, `damaged_file` when a footer cannot be read.
    """
    found = set()
    for path in paths:
        try:
            metadata = pq.read_metadata(path).metadata or {}
        except OSError as error:
            raise os_failure(shown(path), error) from None
        except pa.ArrowException:
            raise DataError("damaged_file", f"{shown(path)} is damaged or cut short: its Parquet footer cannot be read.") from None
        if _KEY in metadata:
            found.add(clean_name(metadata[_KEY].decode("utf-8", "replace")))
            require_not_revoked(path.absolute().parent)
    return tuple(sorted(found))


def require_not_revoked(folder: Path) -> None:
    """Refuse a release (its folder, or one of its tables) that was revoked. Raises DataError `revoked`."""
    for one in (folder, folder.parent):
        if (one / TOMBSTONE).is_file():
            raise DataError(
                "revoked",
                f"The release {clean_name(one.name)} was revoked: it may no longer be used.",
                hint="Ask who published it for its successor, and delete your copies.",
            )

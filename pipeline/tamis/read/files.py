"""Which format a file claims to have, and whether its first bytes agree."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tamis.core.errors import DataError
from tamis.read.failures import os_failure, shown


class Format(StrEnum):
    """Families of formats; the value is what `SourceInfo.format` says."""

    DELIMITED = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"
    IPC = "ipc"


ENDINGS = {
    "csv": Format.DELIMITED, "tsv": Format.DELIMITED, "txt": Format.DELIMITED, "psv": Format.DELIMITED, "tab": Format.DELIMITED,
    "ndjson": Format.NDJSON, "jsonl": Format.NDJSON, "json": Format.NDJSON,
    "parquet": Format.PARQUET, "pq": Format.PARQUET,
    "arrow": Format.IPC, "ipc": Format.IPC, "feather": Format.IPC,
}  # fmt: skip
COMPRESSIONS = {"gz": "gzip", "zst": "zstd"}
KNOWN = "csv, tsv, txt, psv (also .gz, .zst), ndjson, jsonl, json, parquet, pq, arrow, ipc, feather"

IPC_FILE = b"ARROW1"
IPC_STREAM = b"\xff\xff\xff\xff"
_MAGIC = (
    (b"PAR1", "Parquet"), (b"PARE", "encrypted Parquet"), (IPC_FILE, "Arrow IPC"), (IPC_STREAM, "an Arrow IPC stream"),
    (b"FEA1", "Feather version 1"),
    (b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"),
    (b"SQLite format 3\x00", "a SQLite database"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook"), (b"\xd0\xcf\x11\xe0", "an old Excel or Word document"), (b"%PDF", "PDF"),
    (b"ORC", "ORC"), (b"Obj\x01", "Avro"),
)  # fmt: skip
_BINARY = {Format.PARQUET: ("Parquet",), Format.IPC: ("Arrow IPC", "an Arrow IPC stream")}


@dataclass(frozen=True, slots=True)
class Ending:
    """What a file name says: table name, format, compression and the ending itself."""

    stem: str
    format: Format
    compression: str | None
    text: str


def ending(path: Path) -> Ending | None:
    """What the name of a file says; None when it is no data file. A table name has no dot: `my.data.csv` is table `my_data`."""
    parts = path.name.split(".")
    compression = COMPRESSIONS.get(parts[-1].lower()) if len(parts) > 2 else None
    last = -2 if compression else -1
    kind = ENDINGS.get(parts[last].lower()) if len(parts) > -last and parts[0] else None
    if kind is None or (compression and kind not in (Format.DELIMITED, Format.NDJSON)):
        return None
    return Ending("_".join(parts[:last]), kind, compression, "." + ".".join(parts[last:]))


def ending_of(path: Path) -> Ending:
    """The same; DataError `not_a_data_file` when there is none."""
    found = ending(path)
    if found is None:
        raise DataError("not_a_data_file", f"{shown(path)} has no ending that tamis reads.", hint=f"Known: {KNOWN}.")
    return found


def check_content(path: Path) -> Ending:
    """Compare the first bytes with the ending.

    Raises DataError: missing_file, no_permission, not_a_file, empty_file, not_a_data_file, wrong_ending.
    """
    claim = ending_of(path)
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise os_failure(shown(path), error) from None
    if not head:
        raise DataError("empty_file", f"{shown(path)} is empty: it has no header and no rows.", hint="Remove it or write it again.")
    found = next((name for magic, name in _MAGIC if head.startswith(magic)), None)
    expected = _BINARY.get(claim.format, ())
    if claim.compression:
        agrees, found = found == claim.compression, found or "not compressed"
    elif expected:
        agrees, found = found in expected, found or "none of its kind"
    else:
        found = found or _text_kind(head, claim.format)
        agrees = found is None
    if not agrees:
        raise DataError(
            "wrong_ending",
            f"{shown(path)} says {claim.text} but its content is {found}.",
            hint="Give it the ending of what it is, or export it in the format that its name says.",
        )
    return claim


def _text_kind(head: bytes, claimed: Format) -> str | None:
    """What a text file is when it is plainly not what its ending says."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:64].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    if start.startswith(b"<?xml"):
        return "XML"
    if claimed is Format.DELIMITED and start.startswith((b'{"', b'[{"')):
        return "JSON"
    is_wide = head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in head[:4]
    if claimed is Format.NDJSON and start and not is_wide and not start.startswith((b"{", b"[")):
        return "not JSON"
    return None

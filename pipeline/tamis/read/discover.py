"""From files, globs and folders to tables."""

from __future__ import annotations

import glob
import json
from collections.abc import Sequence
from pathlib import Path

from tamis.core.errors import DataError, UsageError
from tamis.read.delimited import header_of
from tamis.read.failures import os_failure, shown
from tamis.read.files import KNOWN, Format, check_content, ending
from tamis.read.partitions import is_partition
from tamis.read.stream import Utf8Stream, peek_encoding
from tamis.read.typed import schema_of

_SAMPLED_LINES = 100
_SAMPLED_BYTES = 256 << 10


def discover(data: Sequence[str | Path], *, base: Path | None = None) -> dict[str, tuple[Path, ...]]:
    """Which tables there are: name to its files, sorted. `data` are files, globs and folders, relative to `base`.

    - A file is a table named like its stem (`orders.csv.gz` is `orders`, `my.data.csv` is `my_data`: table names have no dot).
    - A folder whose data files share one schema is one table named like the folder; so is one with Hive partitions (`year=2024/…`).
    - A folder whose data files have different schemas is one table per stem. Schemas are compared by format and column names
      (headers, footers, the keys of the first JSON records), not by types: a type that drifts between files is an error of that
      table, not a second one. Folders inside are read the same way.
    - Hidden files, those that start with `_` (`_SUCCESS`), checksums and whatever has no known ending are passed over in folders.

    Raises DataError: missing_file, no_permission, empty_glob, no_data_files, not_a_data_file, wrong_ending, empty_file and what reading
    headers raises; UsageError: no_data, same_name (naming both inputs).
    """
    if not data:
        raise UsageError("no_data", "No data was named.", hint="Name files, folders or globs.")
    tables: dict[str, tuple[Path, ...]] = {}
    for item in data:
        for found in _paths(item, base):
            for name, files in (_folder(found) if found.is_dir() else _file(found)).items():
                _add(tables, name, files)
    return tables


def _paths(item: str | Path, base: Path | None) -> list[Path]:
    path = Path(item).expanduser()
    path = base / path if base is not None else path
    text = str(path)
    if glob.has_magic(text) and not path.exists():
        found = [Path(match) for match in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207  # pathlib's would match hidden files
        found = [match for match in found if match.is_dir() or _is_candidate(match)]
        if not found:
            raise DataError("empty_glob", f"No data file matches {shown(path)}.", hint=f"Known endings: {KNOWN}.")
        return found
    try:
        path.stat()
    except OSError as error:
        raise os_failure(shown(path), error) from None
    return [path]


def _is_candidate(path: Path) -> bool:
    return not path.name.startswith((".", "_")) and ending(path) is not None


def _file(path: Path) -> dict[str, tuple[Path, ...]]:
    return {check_content(path).stem: (path,)}


def _folder(folder: Path) -> dict[str, tuple[Path, ...]]:
    files, inner = _contents(folder)
    partitions = [path for path in inner if is_partition(path.name)]
    if partitions:
        files += [file for partition in partitions for file in _all_files(partition)]
        inner = [path for path in inner if path not in partitions]
    tables: dict[str, tuple[Path, ...]] = {}
    if files and (partitions or _share_schema(files)):
        tables[_folder_name(folder)] = tuple(sorted(files))
        for file in files:
            check_content(file)
    else:
        for file in files:
            for name, members in _file(file).items():
                _add(tables, name, members)
    for path in inner:
        for name, members in _folder_or_nothing(path).items():
            _add(tables, name, members)
    if not tables:
        raise DataError("no_data_files", f"There is no data file in {shown(folder)}.", hint=f"Known endings: {KNOWN}.")
    return tables


def _folder_or_nothing(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Folders inside a folder may hold other things than data."""
    try:
        return _folder(folder)
    except DataError as error:
        if error.code == "no_data_files":
            return {}
        raise


def _folder_name(folder: Path) -> str:
    name = folder.resolve().name if folder.name in ("", "..") else folder.name
    found = ending(Path(name))
    return found.stem if found else name.replace(".", "_") or "data"


def _contents(folder: Path) -> tuple[list[Path], list[Path]]:
    """Data files and folders directly inside, sorted."""
    try:
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith((".", "_")))
    except OSError as error:
        raise os_failure(shown(folder), error) from None
    return [path for path in entries if _is_candidate(path) and not path.is_dir()], [path for path in entries if path.is_dir()]


def _all_files(folder: Path) -> list[Path]:
    files, inner = _contents(folder)
    return files + [file for path in inner for file in _all_files(path)]


def _share_schema(files: Sequence[Path]) -> bool:
    if len(files) == 1:
        return True
    first = _signature(files[0])
    return all(_alike(first, _signature(file)) for file in files[1:])


def _signature(path: Path) -> tuple[Format, frozenset[str]]:
    """Format and column names, from the first bytes or the footer."""
    kind = check_content(path).format
    match kind:
        case Format.DELIMITED:
            return kind, frozenset(header_of(path))
        case Format.NDJSON:
            return kind, _keys(path)
        case _:
            return kind, frozenset(schema_of(path, kind))


def _alike(first: tuple[Format, frozenset[str]], other: tuple[Format, frozenset[str]]) -> bool:
    """Same format and names. JSON records may leave keys out: there half of the keys in common are enough."""
    if first[0] is not other[0]:
        return False
    if first[0] is Format.NDJSON:
        return 2 * len(first[1] & other[1]) >= len(first[1] | other[1])
    return first[1] == other[1]


def _keys(path: Path) -> frozenset[str]:
    with Utf8Stream(path, peek_encoding(path)) as stream:
        lines = stream.read(_SAMPLED_BYTES).decode("utf-8", "replace").splitlines()
    keys: set[str] = set()
    for line in lines[:_SAMPLED_LINES]:
        try:
            record = json.loads(line.strip().removeprefix("[").rstrip(",]"))
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            keys |= record.keys()
    return frozenset(keys)


def _add(tables: dict[str, tuple[Path, ...]], name: str, files: tuple[Path, ...]) -> None:
    known = tables.get(name)
    if known is None:
        tables[name] = files
    elif {path.resolve() for path in known} != {path.resolve() for path in files}:
        raise UsageError(
            "same_name",
            f"{shown(known[0])} and {shown(files[0])} would both be table '{name}'.",
            hint="Rename one, or map names to paths in the policy: tables: {name: {source: path}}.",
        )

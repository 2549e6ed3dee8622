"""What a release can show by itself: every claim of the manifest that the released files decide is recomputed from them.

This shares no code with the search for classes or with the transformation. Without a signature the answer is "consistent, not
authenticated": whoever can change the files can change the manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tamis.core.errors import TamperError, clean_name
from tamis.core.record import Check, CheckStatus, Manifest, ManifestTable, Measure, Verification
from tamis.verify.expectations import run_suite
from tamis.verify.frames import logical_type
from tamis.verify.gates import declared_measures, judge_one
from tamis.verify.joined import joined_risk
from tamis.verify.references import orphans
from tamis.verify.releases import LiveRelease, stable_tables
from tamis.verify.risk import table_risk
from tamis.verify.shapes import Models, Shape, shapes_of_manifest

RELEASE_KEY = b"tamis.release_id"
_BESIDE_TABLES = frozenset({"manifest.json", "datasheet.html"})
_BLOCK = 1 << 20
_TOLERANCE = 1e-6


def recheck_release(folder: Path, manifest: Manifest) -> Verification:
    """Re-check a release folder against its manifest. Reads only; every problem is a failed check, never an exception.

    The contents of a table are recomputed only when all its files are exactly the listed ones.
    """
    checks: list[Check] = []
    frames: dict[str, pl.LazyFrame] = {}
    for table in manifest.tables:
        found = list(_files(folder, table))
        if all(check.status is CheckStatus.OK for check in found):
            content, frame = _open(folder, table, manifest.release_id)
            found += content
            if frame is not None:
                frames[table.name] = frame
        checks += found
    checks += _extra(folder, manifest)
    if len(frames) == len(manifest.tables):
        try:
            checks += _claims(frames, manifest)
        except (pl.exceptions.PolarsError, OSError, ValueError):  # what they say may hold cell values
            checks.append(_failed("contents", "as the manifest says", "cannot be read or computed"))
    else:
        checks.append(_failed("contents", "as the manifest says", "not recomputed: the files are not the listed ones"))
    checks += _not_verifiable(manifest)
    return Verification(release_id=manifest.release_id, checks=tuple(checks))


def _failed(name: str, claimed: str, found: str) -> Check:
    return Check(name=clean_name(name, 200), status=CheckStatus.FAILED, claimed=claimed, found=found)


def _equal(name: str, claimed: object, found: object) -> Check:
    status = CheckStatus.OK if claimed == found else CheckStatus.FAILED
    return Check(name=clean_name(name, 200), status=status, claimed=str(claimed), found=str(found))


def live_release(folder: Path, manifest: Manifest) -> LiveRelease | None:
    """A published release as far as stable pseudonyms join it to others; None where it has none.

    Raises TamperError `unreadable_release` when its files are not the listed ones: what cannot be read cannot be counted.
    """
    shapes = shapes_of_manifest(manifest)
    frames = {}
    for name in stable_tables(shapes):
        table = next(table for table in manifest.tables if table.name == name)
        checks, frame = _open(folder, table, manifest.release_id) if all(_inside(folder, f.path) for f in table.files) else ([], None)
        if frame is None or any(check.status is CheckStatus.FAILED for check in checks):
            raise TamperError(
                "unreadable_release",
                f"The live release {clean_name(manifest.release_id)} shares stable pseudonyms with this one, and its files are not whole.",
                hint="Run tamis verify on it; publish it again or withdraw it.",
            )
        frames[name] = frame
    if not frames:
        return None
    return LiveRelease(manifest.release_id, {name: shapes[name] for name in frames}, frames)


# -------------------------------------------------------------------------------------------------------------------------- files


def _files(folder: Path, table: ManifestTable) -> Iterator[Check]:
    """Every listed file is there, is a plain file inside the release, and has the listed bytes."""
    for listed in table.files:
        name = f"sha256:{listed.path}"
        path = _inside(folder, listed.path)
        if path is None:
            yield _failed(name, listed.sha256, "a path outside the release or a link")
        elif not path.is_file():
            yield _failed(name, listed.sha256, "missing")
        else:
            try:
                yield _equal(name, listed.sha256, _sha256(path))
            except OSError:
                yield _failed(name, listed.sha256, "cannot be read")


def _inside(folder: Path, relative: str) -> Path | None:
    parts = PurePosixPath(relative)
    if parts.is_absolute() or ".." in parts.parts or "\\" in relative or "\x00" in relative or not parts.parts:
        return None
    path = folder
    for part in parts.parts:
        path = path / part
        if path.is_symlink():
            return None
    return path


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _extra(folder: Path, manifest: Manifest) -> Iterator[Check]:
    """Nothing but the listed files, the manifest and the datasheet."""
    listed = {PurePosixPath(file.path).as_posix() for table in manifest.tables for file in table.files}
    homes = {parent.as_posix() for path in listed for parent in PurePosixPath(path).parents} - {"."}
    homes |= {table.name for table in manifest.tables}
    extra = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        plain_folder = path.is_dir() and not path.is_symlink()
        known = relative in homes if plain_folder else relative in listed or relative in _BESIDE_TABLES or _signature(relative)
        if not known:
            extra.append(relative)
    for relative in extra[:20]:
        yield _failed(f"extra:{relative}", "not listed", "present")
    if not extra:
        yield Check(name="extra", status=CheckStatus.OK, claimed="no other file", found="no other file")


def _signature(relative: str) -> bool:
    return "/" not in relative and relative.startswith("manifest.json.")


# ----------------------------------------------------------------------------------------------------------------- Parquet footers


def _open(folder: Path, table: ManifestTable, release_id: str) -> tuple[list[Check], pl.LazyFrame | None]:
    """Checks of the footers, and a scan of the table when its columns are the listed ones."""
    columns = [column for column in table.columns if column.released]
    masked = {column.name for column in columns if column.masking}
    checks: list[Check] = []
    rows = 0
    for listed in table.files:
        try:
            with pq.ParquetFile(folder / listed.path) as file:
                metadata, schema = file.metadata, file.schema_arrow
                own = dict(metadata.metadata or {})
                checks.append(_equal(f"rows:{listed.path}", listed.rows, metadata.num_rows))
                checks.append(_equal(f"columns:{listed.path}", [c.name for c in columns], list(schema.names)))
                checks.append(_equal(f"release_id:{listed.path}", release_id, own.get(RELEASE_KEY, b"").decode("utf-8", "replace")))
                foreign = b"pandas" in own or b"pandas" in (schema.metadata or {})
                checks.append(_equal(f"pandas metadata:{listed.path}", "absent", "present" if foreign else "absent"))
                with_statistics = _columns_with_statistics(metadata, masked)
                checks.append(_equal(f"statistics of masked columns:{listed.path}", 0, with_statistics))
                rows += metadata.num_rows
        except (OSError, ValueError, pa.ArrowException):
            checks.append(_failed(f"footer:{listed.path}", "a Parquet file", "cannot be read"))
    checks.append(_equal(f"rows@{table.name}", table.rows, rows))
    if any(check.status is CheckStatus.FAILED for check in checks if check.name.startswith(("columns:", "footer:", "rows"))):
        return checks, None
    if not table.files:
        withheld = not columns and not table.rows  # every column is dropped: there is nothing to look at
        return (checks, pl.LazyFrame()) if withheld else ([*checks, _failed(f"files@{table.name}", "at least one", "none")], None)
    frame = pl.scan_parquet([folder / listed.path for listed in table.files], glob=False, hive_partitioning=False)
    try:
        schema_found = frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError):
        return [*checks, _failed(f"types@{table.name}", "as listed", "cannot be read")], None
    for column in columns:
        found = logical_type(schema_found[column.name])
        checks += [_equal(f"type@{table.name}.{column.name}", str(column.type), str(found))]
    return checks, frame


def _columns_with_statistics(metadata: pq.FileMetaData, masked: set[str]) -> int:
    """Masked columns that have a minimum or maximum in some row group."""
    found = set()
    names = [metadata.schema.column(i).name for i in range(metadata.num_columns)]
    for group in range(metadata.num_row_groups):
        for index, name in enumerate(names):
            statistics = metadata.row_group(group).column(index).statistics
            if name in masked and statistics is not None and statistics.has_min_max:
                found.add(name)
    return len(found)


# ------------------------------------------------------------------------------------------------------------------------- claims


def _claims(frames: Mapping[str, pl.LazyFrame], manifest: Manifest) -> Iterator[Check]:
    shapes = shapes_of_manifest(manifest)
    taken = list(_recomputed(frames, manifest, shapes))
    must = {
        f"{measure}@{shape.name}"
        for shape in shapes.values()
        if shape.quasi
        for measure in declared_measures(manifest, sensitive=bool(shape.sensitive))
    }
    found = {measure.name: measure for measure in taken}
    claimed = {measure.name: measure for measure in manifest.measures}
    for measure in taken:
        if measure.name in claimed:
            claim = claimed[measure.name]
            if not claim.verifiable:
                continue
            same = abs(claim.value - measure.value) <= _TOLERANCE
            status = CheckStatus.OK if same else CheckStatus.FAILED
            yield Check(name=clean_name(measure.name, 200), status=status, claimed=f"{claim.value:g}", found=f"{measure.value:g}")
        elif measure.name in must or measure.name.startswith("risk.k_joined@"):
            yield _failed(measure.name, "nothing", f"{measure.value:g}")
    for name, claim in claimed.items():
        if claim.verifiable and name not in found:
            yield _failed(name, f"{claim.value:g}", "cannot be recomputed from what the manifest says of the tables")
    for table in manifest.tables:
        yield from _references(table, frames, found, claimed)
        suite = manifest.contract.get(table.name)
        if suite is not None:
            result = run_suite(suite, frames[table.name], table=table.name, kind="contract")
            status = CheckStatus.OK if result.passed else CheckStatus.FAILED
            what = "holds" if result.passed else f"failed: {'; '.join(result.failed[:5])}"
            yield Check(name=f"suite.contract@{clean_name(table.name)}", status=status, claimed="holds", found=what)
    yield from _gates(manifest, found)


def _references(
    table: ManifestTable, frames: Mapping[str, pl.LazyFrame], found: Mapping[str, Measure], claimed: Mapping[str, Measure]
) -> Iterator[Check]:
    """A listed reference has both ends in the release, and no orphans beyond those the manifest admits."""
    for column, parent, parent_column in table.references:
        name = f"references@{table.name}.{column}"
        there = parent in frames and parent_column in frames[parent].collect_schema() and column in frames[table.name].collect_schema()
        measure, claim = found.get(f"contract.orphans@{table.name}.{column}"), claimed.get(f"contract.orphans@{table.name}.{column}")
        if not there or measure is None:
            yield _failed(name, "holds", "an end of it is not in the release")
        elif claim is None:
            yield _equal(name, 0, round(measure.value))


def _recomputed(frames: Mapping[str, pl.LazyFrame], manifest: Manifest, shapes: Mapping[str, Shape]) -> Iterator[Measure]:
    for table in manifest.tables:
        shape = shapes[table.name]
        if shape.quasi:
            yield from table_risk(frames[table.name], shape, Models.of(manifest)).measures
    yield from joined_risk(frames, shapes)
    for table in manifest.tables:
        for column, parent, parent_column in shapes[table.name].references:
            value = orphans(frames[table.name], column, frames[parent], parent_column)
            yield Measure(name=f"contract.orphans@{table.name}.{column}", value=value, verifiable=True)


def _gates(manifest: Manifest, found: Mapping[str, Measure]) -> Iterator[Check]:
    """Gates that `fail`, on figures the release decides, judged again on the figures found now."""
    verifiable = {measure.name for measure in manifest.measures if measure.verifiable}
    for result in manifest.gates:
        name = f"gate:{result.measure}"
        if result.measure not in verifiable:
            yield Check(name=clean_name(name, 200), status=CheckStatus.NOT_VERIFIABLE, claimed="passed" if result.passed else "failed")
            continue
        again = judge_one(result.gate, result.measure, found.get(result.measure))
        status = CheckStatus.OK if again.passed == result.passed else CheckStatus.FAILED
        word = {True: "passed", False: "failed"}
        yield Check(name=clean_name(name, 200), status=status, claimed=word[result.passed], found=word[again.passed])


def _not_verifiable(manifest: Manifest) -> Iterator[Check]:
    """What needs the input, said once each."""
    names = ["leak scan", "attacks", "utility suite", "suppressed rows", "input ids"]
    names += sorted({f"suite.user@{suite.table}" for suite in manifest.suites if suite.kind == "user"})
    names += [m.name for m in manifest.measures if not m.verifiable]
    for name in dict.fromkeys(names):
        yield Check(name=clean_name(name, 200), status=CheckStatus.NOT_VERIFIABLE)

"""From what the caller named to tables, a policy, rules and a key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import polars as pl

from tamis.core.canonical import canonical_json
from tamis.core.errors import PolicyError, UsageError, clean_name, listed
from tamis.core.policy import Policy, ReadOptions
from tamis.core.ports import Progress
from tamis.core.types import Table
from tamis.documents import check_mapping, load_document, read_text
from tamis.keys import KeySource, MasterKey, load_key
from tamis.read import discover, read_table

Frame = pl.LazyFrame | pl.DataFrame
Data = str | Path | Sequence[str | Path] | Mapping[str, Frame | str | Path] | Frame | None
"""paths, globs, folders; or frames by table name; None takes the policy's own sources"""


class Silent:
    """The progress that says nothing."""

    def stage(self, name: str, detail: str = "") -> AbstractContextManager[None]:  # noqa: ARG002  # the port's signature
        """Do nothing for as long as the context is open."""
        return nullcontext()

    def note(self, text: str) -> None:
        """Do nothing."""


def load_policy(policy: Policy | str | Path | Mapping[str, object]) -> tuple[Policy, Path]:
    """A policy from a file, a mapping or as it is; with the folder its relative paths start from."""
    if isinstance(policy, Policy):
        return policy, Path()
    if isinstance(policy, Mapping):
        return check_mapping(policy, "policy", Policy), Path()
    if not isinstance(policy, str | Path):
        raise UsageError(
            "not_a_policy", f"The policy is of type {type(policy).__name__}.", hint="Give a path, a mapping or a tamis.Policy."
        )
    path = Path(policy)
    return load_document(path, Policy), path.parent


def load_tables(
    data: Data, options: Callable[[str], ReadOptions], progress: Progress, sources: Mapping[str, Sequence[Path]]
) -> tuple[Table, ...]:
    """Read every table of the job. `sources` (from the policy) are used where `data` is None.

    Raises DataError for what cannot be read and UsageError when there is nothing to read.
    """
    found = _named(data, sources)
    nameless = [str(name) for name in found if not isinstance(name, str) or not name or "." in name]  # type: ignore[redundant-expr]
    if nameless:
        raise UsageError(
            "bad_table_name",
            f"A table cannot be called {listed(nameless)}.",
            hint="A table has a name without a dot: paths are written table.column.",
        )
    if not found:
        raise UsageError("no_data", "There is no data to work on.", hint="Name files, globs or folders, or give each table a 'source:'.")
    tables = []
    for name, source in found.items():
        with progress.stage("read", clean_name(name)):
            table = read_table(name, source, options(name))
            tables.append(replace(table, locations=_locations(source, table)))
    return tuple(tables)


def _locations(source: Sequence[Path] | Frame, table: Table) -> tuple[str, ...]:
    """Where a table was read from; a table of a release is its folder, whichever of its files was named."""
    if isinstance(source, pl.LazyFrame | pl.DataFrame):
        return ()
    paths = [path.resolve() for path in source]
    return tuple(sorted({str(path.parent if table.source.parents else path) for path in paths}))


def _named(data: Data, sources: Mapping[str, Sequence[Path]]) -> Mapping[str, Sequence[Path] | Frame]:
    if data is None:
        return sources
    if isinstance(data, Mapping):
        return {name: _one(name, value) for name, value in data.items()}
    if isinstance(data, str | Path):
        return discover([data])
    if isinstance(data, Sequence) and all(isinstance(item, str | Path) for item in data):
        return discover(list(data))
    if isinstance(data, pl.LazyFrame | pl.DataFrame):
        return {"table": data}  # one frame without a name
    raise UsageError(
        "not_data",
        f"The data is of type {type(data).__name__}, from which no table can be read.",
        hint="Give paths, a polars frame, or a mapping of table names to paths or frames.",
    )


def _one(name: str, value: object) -> tuple[Path, ...] | Frame:
    """A frame, or all files behind one path, as one table."""
    if isinstance(value, pl.LazyFrame | pl.DataFrame):
        return value
    if isinstance(value, str | Path):
        return tuple(file for files in discover([value]).values() for file in files)
    raise UsageError(
        "not_data",
        f"Table '{clean_name(str(name))}' is given as {type(value).__name__}, from which no table can be read.",
        hint="Give a path or a polars frame (polars.from_pandas, polars.from_arrow).",
    )


def policy_sources(policy: Policy, base: Path) -> dict[str, tuple[Path, ...]]:
    """Files of every table the policy gives a source; a table without one is an error only when nothing else is named."""
    out: dict[str, tuple[Path, ...]] = {}
    for name, table in policy.tables.items():
        if table.source is None:
            continue
        stated = (table.source,) if isinstance(table.source, str) else table.source
        files = [path for paths in discover(list(stated), base=base).values() for path in paths]
        out[name] = tuple(files)
    missing = [name for name, table in policy.tables.items() if table.source is None]
    if out and missing:
        raise PolicyError(
            "no_source", f"These tables have no 'source:': {listed(missing)}.", hint="Add it, or name the data on the command line."
        )
    return out


def user_suites(policy: Policy, base: Path, tables: Sequence[Table]) -> dict[str, str]:
    """The user's own Great Expectations suites, by table, as canonical JSON.

    A file that names no table is an error: a suite that never runs looks like one that passes.
    """
    if policy.expectations is None:
        return {}
    folder = base / policy.expectations
    if not folder.is_dir():
        raise PolicyError("no_expectations", f"There is no folder {folder} (policy: expectations).")
    names = {table.name for table in tables}
    out: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        if path.stem not in names:
            raise PolicyError("suite_without_table", f"The suite {path.name} names no table.", hint=f"Tables: {listed(sorted(names))}.")
        try:
            out[path.stem] = canonical_json(json.loads(read_text(path)))
        except ValueError:
            raise PolicyError("bad_suite", f"The suite {path.name} is not JSON.") from None
    return out


def key_of(source: KeySource | MasterKey | None, stated: str | None, base: Path) -> MasterKey:
    """The key given by the caller, else the one the policy or plan names."""
    if isinstance(source, MasterKey):
        return source
    return load_key(source if source is not None else stated, base=base)


@contextmanager
def working_on(tables: Sequence[Table]) -> Iterator[None]:
    """Turn failures of lazily read data into sentences: what polars or pyarrow say may hold cell values."""
    from tamis.read import reading

    with reading(", ".join(clean_name(table.name, 40) for table in tables[:3])):
        yield

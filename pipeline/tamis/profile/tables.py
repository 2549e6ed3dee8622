"""One table: its columns, keys, redundancies and associations."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from tamis.core.types import DataType, Table, TableProfile
from tamis.profile.associations import find_associations
from tamis.profile.codes import CodeStore, encode, sample_rows
from tamis.profile.columns import Measured, measure_column
from tamis.profile.dependencies import find_dependencies
from tamis.profile.equivalents import find_equivalents
from tamis.profile.keys import NEAR, find_keys
from tamis.profile.limits import Limits
from tamis.profile.normal import Facts, first_pass, normalize
from tamis.profile.redundancy import find_determinants, find_duplicates


def profile_table(table: Table, *, k: int, limits: Limits) -> TableProfile:
    """Aggregates of one table; see `profile_tables`."""
    frame, _ = normalize(table)
    kept = _kept(frame, table, limits)
    frame = frame if kept is None else kept.lazy()
    rows, facts = first_pass(frame, table, limits)
    measured = [measure_column(frame, rows, f, _anchor(facts, f), k, limits) for f in facts]
    duplicates = find_duplicates(frame, facts, measured)
    determinants = find_determinants(frame, rows, facts, measured, duplicates, limits)
    columns = tuple(
        m.profile.model_copy(update={"duplicate_of": duplicates.get(m.profile.name), "determined_by": determinants.get(m.profile.name)})
        for m in measured
    )
    keys = tuple(m.profile.name for m in measured if is_key(m))
    plain = TableProfile(name=table.name, rows=rows, columns=columns, candidate_keys=keys, k=k)
    return _related(plain, frame, facts, measured, duplicates, limits) if rows and facts else plain


def _kept(frame: pl.LazyFrame, table: Table, limits: Limits) -> pl.DataFrame | None:
    """The whole table where it is small, read once; None as soon as it proves to be too big."""
    if not table.columns or table.rows * len(table.columns) > limits.cached_cells:
        return None
    parts: list[pl.DataFrame] = []
    size = 0
    texts = [pl.col(name).str.len_bytes().sum() for name, kind in frame.collect_schema().items() if kind == pl.String]
    for batch in frame.collect_batches(engine="streaming"):
        size += 8 * batch.height * batch.width + sum(batch.select(texts).row(0) if texts else ())
        if size > limits.cached_bytes:
            return None
        parts.append(batch)
    return pl.concat(parts, rechunk=True) if parts else frame.collect(engine="streaming")


def _related(
    profile: TableProfile,
    frame: pl.LazyFrame,
    facts: Sequence[Facts],
    measured: Sequence[Measured],
    duplicates: dict[str, str],
    limits: Limits,
) -> TableProfile:
    """The profile with what holds between columns: composite keys, dependencies, equivalents, associations."""
    safe = [f.safe for f in facts]
    sample = sample_rows(frame, [(f.safe, f.estimate) for f in facts], profile.rows, limits.pair_sample)
    coded = [encode(column) for column in sample.get_columns()]
    store = CodeStore(frame, limits.code_bytes)
    dependencies, dependencies_cut = find_dependencies(safe, measured, duplicates, coded, store, limits)
    equivalents = find_equivalents(frame, safe, measured, duplicates, dependencies, sample)
    repeated = frozenset({*duplicates, *equivalents})
    keys, keys_cut = find_keys(measured, repeated, coded, store, safe, limits)
    # Ids go up with time and with each other; measurements and times are no ids however unique they are.
    ids = frozenset(m.profile.name for m in measured if m.profile.type is DataType.INTEGER and m.profile.uniqueness >= NEAR)
    associations, associations_cut = find_associations(measured, repeated | ids, sample, coded, limits)
    fixed = {frozenset({one.determinant, one.dependent}) for one in dependencies}
    columns = tuple(
        column.model_copy(update={"equivalent_to": equivalents[column.name][0], "equivalence": equivalents[column.name][1]})
        if column.name in equivalents
        else column
        for column in profile.columns
    )
    return profile.model_copy(
        update={
            "columns": columns,
            "keys": keys,
            "dependencies": dependencies,
            "associations": tuple(one for one in associations if frozenset({one.first, one.second}) not in fixed),
            "redundancy_cut": (*keys_cut, *dependencies_cut, *associations_cut),
        }
    )


def is_key(measured: Measured) -> bool:
    """Whether a column is exactly unique and without nulls."""
    column = measured.profile
    return column.rows > 0 and column.nulls == 0 and column.distinct_exact and column.distinct == column.rows


def _anchor(facts: tuple[Facts, ...], own: Facts) -> str | None:
    """Safe name of the other column that varies most (the first of equals); None in a table of one column."""
    others = [f for f in facts if f is not own and f.column.type is not DataType.EMPTY]
    return max(others, key=lambda f: f.estimate).safe if others else None

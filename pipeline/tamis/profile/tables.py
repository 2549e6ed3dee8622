"""One table: its columns, candidate keys and redundancies."""

from __future__ import annotations

from tamis.core.types import DataType, Table, TableProfile
from tamis.profile.columns import Measured, measure_column
from tamis.profile.limits import Limits
from tamis.profile.normal import Facts, first_pass, normalize
from tamis.profile.redundancy import find_determinants, find_duplicates


def profile_table(table: Table, *, k: int, limits: Limits) -> TableProfile:
    """Aggregates of one table; see `profile_tables`."""
    frame, _ = normalize(table)
    rows, facts = first_pass(frame, table, limits)
    if rows * len(facts) <= limits.cached_cells and sum(f.size for f in facts) <= limits.cached_bytes:
        frame = frame.collect(engine="streaming").lazy()
    measured = [measure_column(frame, rows, f, _anchor(facts, f), k, limits) for f in facts]
    duplicates = find_duplicates(frame, facts, measured)
    determinants = find_determinants(frame, rows, facts, measured, duplicates, limits)
    columns = tuple(
        m.profile.model_copy(update={"duplicate_of": duplicates.get(m.profile.name), "determined_by": determinants.get(m.profile.name)})
        for m in measured
    )
    keys = tuple(m.profile.name for m in measured if is_key(m))
    return TableProfile(name=table.name, rows=rows, columns=columns, candidate_keys=keys, k=k)


def is_key(measured: Measured) -> bool:
    """Whether a column is exactly unique and without nulls."""
    column = measured.profile
    return column.rows > 0 and column.nulls == 0 and column.distinct_exact and column.distinct == column.rows


def _anchor(facts: tuple[Facts, ...], own: Facts) -> str | None:
    """Safe name of the other column that varies most (the first of equals); None in a table of one column."""
    others = [f for f in facts if f is not own and f.column.type is not DataType.EMPTY]
    return max(others, key=lambda f: f.estimate).safe if others else None

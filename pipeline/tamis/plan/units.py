"""Whose rows these are: per table the column that holds the keys of persons."""

from __future__ import annotations

from collections.abc import Mapping

from tamis.core.policy import split_path
from tamis.core.types import DatasetProfile, Findings
from tamis.plan.propose import person_unit


def unit_columns(profile: DatasetProfile, findings: Findings, stated: str | None, references: Mapping[str, str]) -> dict[str, str]:
    """Table to the column whose values are persons: the unit itself and every column that refers to it.

    `stated` is the policy's unit ('table.column'); without one it is the key of persons that was found, if any. `references` are
    the policy's, child to parent; those found in the data count too.
    """
    unit = stated or person_unit(profile, findings)
    if unit is None:
        return {}
    table, column = split_path(unit)
    known = {one.name: {c.name for c in one.columns} for one in profile.tables}
    if column not in known.get(table, ()):
        return {}
    out = {table: column}
    pairs = [(split_path(child), split_path(parent)) for child, parent in references.items()]
    pairs += [((key.table, key.column), (key.parent_table, key.parent_column)) for key in profile.foreign_keys]
    for (child_table, child_column), parent in pairs:
        if parent == (table, column) and child_column in known.get(child_table, ()):
            out.setdefault(child_table, child_column)
    return out

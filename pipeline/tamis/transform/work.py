"""What every action needs of its surroundings: keyed functions, the scope of the release, the names columns have inside this room.

Inside, the columns of the input are `c0`, `c1`, … and those of the release `r0`, `r1`, …: a column may be called anything, and
several libraries read meaning into names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from tamis.core.actions import Action
from tamis.core.errors import KeyMaterialError, PlanError, clean_name, did_you_mean
from tamis.core.plan import ColumnPlan, TablePlan
from tamis.core.ports import KeyRing, SpanFinder
from tamis.core.types import DataType
from tamis.encoding import canonical

STABLE = "stable"
"""the scope of pseudonyms that may be joined across releases"""


@dataclass(frozen=True, slots=True)
class Work:
    """One table's job."""

    plan: TablePlan
    keyring: KeyRing
    scope: str
    spans: SpanFinder | None
    places: Mapping[str, int]
    """column name to its place in the input"""

    def given(self, name: str) -> str:
        """Inside name of an input column; PlanError when the table has none of that name."""
        if name not in self.places:
            raise PlanError(
                "unknown_column",
                f"The plan for table '{clean_name(self.plan.name)}' names a column '{clean_name(name)}' that the table does not have.",
                hint=did_you_mean(clean_name(name), [clean_name(known) for known in self.places]),
            )
        return f"c{self.places[name]}"

    def released(self, name: str) -> str:
        """Inside name of a released column."""
        return f"r{self.given(name)[1:]}"

    def kind(self, name: str) -> DataType:
        """Logical type of an input column."""
        return self.plan.column(name).type

    def floating(self, name: str) -> bool:
        """Whether a released column holds floating point numbers."""
        return self.plan.column(name).output_type is DataType.NUMBER

    def text(self, name: str) -> pl.Expr:
        """Canonical text of an input column."""
        return canonical(self.given(name), self.kind(name))


def demand_key(keyring: KeyRing | None, table: str) -> KeyRing:
    """The key ring; KeyMaterialError when there is none (rows always need their keyed identity)."""
    if keyring is None:
        raise KeyMaterialError(
            "no_key",
            f"Table '{clean_name(table)}' cannot be released without a key: its rows get a keyed order.",
            hint="Add to the policy: key: env:TAMIS_KEY (or file:PATH); make one with: tamis key new FILE",
        )
    return keyring


def demand_type(column: ColumnPlan) -> None:
    """PlanError when an action does not accept the column's type. A column of nulls suits every action."""
    action: Action = column.action
    if column.type is not DataType.EMPTY and column.type not in type(action).accepts:
        accepted = ", ".join(sorted(kind.value for kind in type(action).accepts))
        raise PlanError(
            "wrong_type",
            f"{column.action.action} does not take column '{clean_name(column.name)}': it is {column.type.value}, accepted are {accepted}.",
            hint="Name another action for it in the policy, or read it as the type it is meant to be (read.types).",
        )

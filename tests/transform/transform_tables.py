"""Tiny real tables and plans for the transform tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from tamis.core.actions import Action, Drop
from tamis.core.plan import Classes, ColumnPlan, Plan, Reference, Status, TablePlan
from tamis.core.policy import Privacy
from tamis.core.ports import SpanFinder
from tamis.core.types import Column, DataType, Role, SourceInfo, Table
from tamis.encoding import WORDS
from tamis.keys import MasterKey
from tamis.transform import Transformed, apply_table

KEY = MasterKey(bytes(range(32)))
OTHER_KEY = MasterKey(bytes(range(1, 33)))
SCOPE = "release-1"

_KINDS = {
    pl.String: DataType.TEXT,
    pl.Int64: DataType.INTEGER,
    pl.Float64: DataType.NUMBER,
    pl.Boolean: DataType.BOOLEAN,
    pl.Date: DataType.DATE,
    pl.Datetime: DataType.DATETIME,
    pl.Null: DataType.EMPTY,
}


def table_of(frame: pl.DataFrame, name: str = "t") -> Table:
    """A frame as `read` would give it."""
    columns = tuple(Column(column, _KINDS[dtype.base_type()]) for column, dtype in frame.schema.items())
    return Table(name, frame.lazy(), columns, len(frame), SourceInfo("frame"))


def table_plan(table: Table, actions: Mapping[str, Action], *, roles: Mapping[str, Role] | None = None, **more: Any) -> TablePlan:
    """A decided plan: what is not named is dropped."""
    return TablePlan(
        name=table.name,
        columns=tuple(
            ColumnPlan(
                name=column.name,
                type=column.type,
                role=(roles or {}).get(column.name, Role.NONE),
                action=actions.get(column.name, Drop()),
                status=Status.DECIDED,
                rule="policy",
                reason="test",
            )
            for column in table.columns
        ),
        **more,
    )


def plan_of(*tables: TablePlan, **more: Any) -> Plan:
    """A plan over tables."""
    return Plan(purpose="test", policy_digest="0" * 64, privacy=Privacy(), tables=tables, **more)


def done(
    table: Table,
    actions: Mapping[str, Action],
    *,
    key: MasterKey = KEY,
    scope: str = SCOPE,
    spans: SpanFinder | None = None,
    **more: Any,
) -> Transformed:
    """Apply actions to one table alone."""
    return apply_table(table, plan_of(table_plan(table, actions, **more)), keyring=key, scope=scope, spans=spans)


def released(frame: pl.DataFrame, actions: Mapping[str, Action], **more: Any) -> pl.DataFrame:
    """The released columns of a frame, in input order."""
    out = done(table_of(frame), actions, keep_order="test", **more).frame.collect(engine="streaming").sort("__tamis_order")
    return out.drop(*WORDS, "__tamis_order")


def classes(*quasi: str, k: int = 2, **more: Any) -> Classes:
    """A disclosure model."""
    return Classes(quasi_identifiers=quasi, k=k, **more)


def reference(column: str, parent: str, parent_column: str) -> Reference:
    """A foreign key."""
    return Reference(column=column, parent_table=parent, parent_column=parent_column)


def rows_of(frame: pl.DataFrame, names: Sequence[str] | None = None) -> list[tuple[object, ...]]:
    """The multiset of rows, in an order of its own."""
    return sorted(frame.select(names or frame.columns).rows(), key=repr)

"""Fold a plan over a table: one action per column, then proxies, then the rows that must leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

import polars as pl

from tamis.core.actions import (
    Drop,
    Fake,
    Generalize,
    Keep,
    Pseudonymize,
    Redact,
    ShiftDates,
    SuppressRare,
    Synthesize,
    TopBottomCode,
)
from tamis.core.errors import PlanError, clean_name, listed
from tamis.core.plan import ColumnPlan, Plan
from tamis.core.ports import KeyRing, SpanFinder
from tamis.core.proxy import ProxyModel
from tamis.core.types import DataType, Table
from tamis.encoding import WORDS, exact_column
from tamis.transform.check import ORDER, check_table
from tamis.transform.code import clipped
from tamis.transform.fake import check_unique, faked
from tamis.transform.generalize import generalized
from tamis.transform.identity import POSITION, with_identity
from tamis.transform.local import takes_label, with_cells
from tamis.transform.pseudonymize import pseudonym
from tamis.transform.redact import redacted
from tamis.transform.removal import remove_rows
from tamis.transform.shift import drawn_days, shifted
from tamis.transform.suppress import frequent_only
from tamis.transform.synthesize import synthesize_columns
from tamis.transform.work import Work, demand_key

_PLAIN = {DataType.TEXT: pl.String, DataType.INTEGER: pl.Int64, DataType.NUMBER: pl.Float64, DataType.EMPTY: pl.String}
"""physical types of the release where the input may have others (categories carry the unused ones into the file)"""


@dataclass(frozen=True, slots=True)
class Transformed:
    """One table, ready to be written. `suppressed_keys` holds values: internal, never written."""

    name: str
    frame: pl.LazyFrame
    """released columns in plan order, the four `encoding.WORDS`, and `__tamis_order` (UInt64) where the order is kept"""
    suppressed_rows: int
    suppressed_keys: Mapping[str, pl.Series] = field(repr=False)
    """per column that other tables refer to: canonical original values of which no row is left"""


def apply_table(
    table: Table,
    plan: Plan,
    *,
    keyring: KeyRing | None,
    scope: str,
    spans: SpanFinder | None = None,
    suppressed: Mapping[tuple[str, str], pl.Series] | None = None,
    population: pl.LazyFrame | None = None,
) -> Transformed:
    """Execute the plan for one table; `suppressed` holds the `suppressed_keys` of tables before it, by (table, column).

    `population` is the declared one on this table's quasi-identifiers, in their names and types (k-map, δ-presence).

    The frame is lazy: values are made while it is written. Beforehand only row identities, classes and removed rows are collected.
    Raises PlanError when the table is not the plan's, a column is undecided or an action impossible, KeyMaterialError without a key.
    """
    stated = check_table(table, plan)
    places = {column.name: place for place, column in enumerate(stated.columns)}
    work = Work(stated, demand_key(keyring, table.name), scope, spans, places)
    given = [_plain(column, exact_column(column.name)).alias(work.given(column.name)) for column in stated.columns]
    frame = with_identity(table.frame.select(given).with_row_index(POSITION), work)
    for column in stated.released:
        if isinstance(column.action, Fake):
            check_unique(frame, column, column.action, work)
    frame = frame.with_columns(drawn_days(stated.released, work))
    made = [
        expression.alias(work.released(column.name))
        for column in stated.released
        if (expression := _released_value(column, work)) is not None
    ]
    frame = _with_proxies(with_cells(frame.with_columns(made), work), plan, work)
    left = remove_rows(frame, plan, work, suppressed or {}, population)
    released = [pl.col(work.released(column.name)).alias(column.name) for column in stated.released]
    order = [pl.col(POSITION).cast(pl.UInt64).alias(ORDER)] if stated.keep_order else []
    return Transformed(table.name, left.frame.select(*released, *WORDS, *order), left.rows, left.keys)


def _plain(column: ColumnPlan, value: pl.Expr) -> pl.Expr:
    return value.cast(_PLAIN[column.type]) if column.type in _PLAIN else value


def _released_value(column: ColumnPlan, work: Work) -> pl.Expr | None:
    """The value that leaves; None for one that a proxy model or a cell makes (or that is dropped)."""
    action = column.action
    match action:
        case Keep():
            return pl.col(work.given(column.name))
        case Drop() | Synthesize():
            return None
        case SuppressRare():
            return frequent_only(column, action, work)
        case Generalize():
            return None if takes_label(column) else generalized(column, action, work)
        case TopBottomCode():
            return clipped(column, action, work)
        case Pseudonymize():
            return pseudonym(column, action, work)
        case ShiftDates():
            return shifted(column, action, work)
        case Fake():
            return faked(column, action, work)
        case Redact():
            return redacted(column, action, work)
        case _:
            assert_never(action)


def _with_proxies(frame: pl.LazyFrame, plan: Plan, work: Work) -> pl.LazyFrame:
    """The columns that models make, given what the release says: a model never sees the originals of its targets."""
    targets = {column.name: column.action.model for column in work.plan.columns if isinstance(column.action, Synthesize)}
    for model_id in sorted({name for name in targets.values() if name is not None}):
        model = plan.models[model_id]
        wanted = {name for name, one in targets.items() if one == model_id}
        if model.table != work.plan.name or not wanted <= set(model.targets):
            raise PlanError(
                "wrong_model",
                f"The model '{clean_name(model_id)}' does not make {listed(sorted(wanted))} of table '{clean_name(work.plan.name)}'.",
                hint="Make the plan again: tamis plan.",
            )
        frame = synthesize_columns(frame, _inside(model, work), work.keyring)
    return frame


def _inside(model: ProxyModel, work: Work) -> ProxyModel:
    """The same model over inside names."""
    return model.model_copy(
        update={
            "targets": tuple(work.released(name) for name in model.targets),
            "given": tuple(work.released(name) for name in model.given),
            "marginals": tuple(one.model_copy(update={"column": work.released(one.column)}) for one in model.marginals),
        }
    )

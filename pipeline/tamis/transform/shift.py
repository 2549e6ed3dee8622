"""Dates moved by a keyed number of days per subject.

Every date of a subject moves by the same whole number of days, drawn uniformly from -days..+days without 0 by the keyed digest of
the subject: intervals within a subject are exact, the calendar date is not. What it does not protect from: seasons and weekdays
blur only within the range, and one known true date of a subject undoes the shift for all of that subject's dates.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from tamis.core.actions import ShiftDates
from tamis.core.plan import ColumnPlan
from tamis.core.types import DataType
from tamis.transform.work import Work

_DAY = 86_400_000_000
"""microseconds"""


def shifted(column: ColumnPlan, action: ShiftDates, work: Work) -> pl.Expr:
    """Date or Datetime (microseconds), as the input; needs `drawn_days`. Null where the date or the subject is null."""
    name = work.given(column.name)
    days = pl.col(_days_name(action, work))
    if column.type is DataType.EMPTY:
        return pl.col(name)
    if column.type is DataType.DATE:
        return (pl.col(name).to_physical().cast(pl.Int64) + days).cast(pl.Int32).cast(pl.Date)
    return (pl.col(name).cast(pl.Datetime("us")).to_physical() + days * _DAY).cast(pl.Datetime("us"))


def drawn_days(columns: Sequence[ColumnPlan], work: Work) -> list[pl.Expr]:
    """The shifts that the columns need, each once: whole days (Int64), null for a null subject."""
    actions = {_days_name(column.action, work): column.action for column in columns if isinstance(column.action, ShiftDates)}
    return [_days(action, work).alias(name) for name, action in actions.items()]


def _days_name(action: ShiftDates, work: Work) -> str:
    return f"__tamis_days:{work.given(action.subject)}:{action.days}:{action.domain}"


def _days(action: ShiftDates, work: Work) -> pl.Expr:
    """The draw is a 64-bit word modulo 2 x days: its bias is below 1e-15."""
    keyring, use, span = work.keyring, f"shift:{action.domain}:{work.scope}", action.days

    def drawn(batch: pl.Series) -> pl.Series:
        word = keyring.digest(batch, use=use).to_series(0)
        place = (word % (2 * span)).cast(pl.Int64) - span
        return place + (place >= 0).cast(pl.Int64)  # -span..-1 and 1..span

    subject = work.text(action.subject)
    moved = subject.map_batches(drawn, return_dtype=pl.Int64, is_elementwise=True)
    return pl.when(subject.is_not_null()).then(moved)

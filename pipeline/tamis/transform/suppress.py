"""Rare values become null: what fewer than `min_count` persons share singles people out."""

from __future__ import annotations

import polars as pl

from tamis.core.actions import SuppressRare
from tamis.core.plan import ColumnPlan
from tamis.core.types import DataType
from tamis.transform.work import Work


def frequent_only(column: ColumnPlan, action: SuppressRare, work: Work) -> pl.Expr:
    """The values that planning found frequent, in the column's type; all others are null.

    Text comes out in its canonical form: a rare spelling (spaces, decomposed accents) of a frequent value would be a mark.
    """
    text = work.text(column.name)
    value = text if column.type is DataType.TEXT else pl.col(work.given(column.name))
    stays = pl.Series(values=list(action.values or ()), dtype=pl.String).implode()
    return pl.when(text.is_in(stays)).then(value)

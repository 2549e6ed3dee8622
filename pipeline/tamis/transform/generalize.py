"""Coarser values: the recoding that planning chose, as `tamis.recode` defines it."""

from __future__ import annotations

import polars as pl

from tamis.core.actions import Generalize
from tamis.core.errors import PlanError, clean_name
from tamis.core.plan import ColumnPlan
from tamis.recode import recode_expression
from tamis.transform.work import Work


def generalized(column: ColumnPlan, action: Generalize, work: Work) -> pl.Expr:
    """Text labels (the value itself for `AsIs`); null stays null, NaN is null. Raises PlanError for an impossible recoding."""
    if action.recode is None:
        raise PlanError("unresolved", f"The plan does not say how '{clean_name(column.name)}' is generalized.", hint="Run: tamis plan.")
    return recode_expression(work.given(column.name), column.type, action.recode)

"""Small tables with a plan, for the search: as the conductor makes them, without the other rooms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from tamis.core.actions import Action, Generalize
from tamis.core.plan import Classes, ColumnPlan, Status, TablePlan
from tamis.core.policy import Privacy
from tamis.core.types import Column, ColumnProfile, DataType, Dependency, Role, SourceInfo, Table, TableProfile
from tamis.search import Resolved, resolve_table

KINDS = {pl.String: DataType.TEXT, pl.Int64: DataType.INTEGER, pl.Float64: DataType.NUMBER, pl.Date: DataType.DATE,
         pl.Datetime: DataType.DATETIME, pl.Boolean: DataType.BOOLEAN, pl.Null: DataType.EMPTY}  # fmt: skip


def table(frame: pl.DataFrame) -> Table:
    """The frame as a table."""
    columns = tuple(Column(name, KINDS[type(dtype)]) for name, dtype in frame.schema.items())
    return Table("t", frame.lazy(), columns, frame.height, SourceInfo("frame"))


def profile(frame: pl.DataFrame, dependencies: tuple[Dependency, ...] = ()) -> TableProfile:
    """What the search reads of a profile: distinct values, lengths, shapes of codes."""
    columns = []
    for name, dtype in frame.schema.items():
        series = frame[name]
        lengths = series.cast(pl.String).str.len_chars()
        codes = dtype == pl.String and bool(series.drop_nulls().str.contains(r"^[0-9]{3,}$").all()) and series.drop_nulls().len() > 0
        columns.append(
            ColumnProfile(
                name=name, type=KINDS[type(dtype)], rows=frame.height, nulls=series.null_count(), distinct=series.drop_nulls().n_unique(),
                distinct_exact=True, length_max=lengths.max(), words_mean=1.0, shapes=(("9{5}", frame.height),) if codes else (),
            )
        )  # fmt: skip
    return TableProfile(name="t", rows=frame.height, k=2, columns=tuple(columns), dependencies=dependencies)


def plan(frame: pl.DataFrame, actions: Mapping[str, Action], classes: Classes, unit: str | None = None, **roles: Role) -> TablePlan:
    """Quasi-identifiers are generalized: auto unless `actions` say otherwise; the other columns stay."""
    from tamis.core.actions import Keep

    columns = []
    for column in table(frame).columns:
        quasi = column.name in classes.quasi_identifiers
        action = actions.get(column.name, Generalize() if quasi else Keep())
        role = roles.get(column.name, Role.QUASI if quasi else Role.NONE)
        columns.append(
            ColumnPlan(name=column.name, type=column.type, role=role, action=action, status=Status.DECIDED, rule="policy", reason="r")
        )
    return TablePlan(name="t", columns=tuple(columns), classes=classes, unit=unit)


def resolved(frame: pl.DataFrame, quasi: tuple[str, ...], privacy: Privacy, **more: Any) -> Resolved:
    """Search the frame; `actions`, `unit`, `roles`, `known`, `hierarchies`, `dependencies`, `population` as keywords."""
    unit = more.get("unit")
    words = ("k", "l", "diversity", "c", "t", "distance", "k_map", "presence", "recoding")
    classes = Classes(quasi_identifiers=quasi, unit=unit, **{word: getattr(privacy, word) for word in words})
    made = plan(frame, more.get("actions", {}), classes, unit, **more.get("roles", {}))
    return resolve_table(
        table(frame), made, profile(frame, more.get("dependencies", ())), privacy, more.get("hierarchies", lambda _: {}),
        known=more.get("known", {}), population=more.get("population"),
    )  # fmt: skip

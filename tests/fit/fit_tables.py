"""Generated tables for the tests of this room."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from tamis.core.actions import Drop, Generalize, Keep, Synthesize
from tamis.core.plan import ColumnPlan, Status, TablePlan
from tamis.core.proxy import ProxyModel
from tamis.core.types import Column, DataType, Role
from tamis.encoding import with_row_words
from tamis.keys import MasterKey

ROWS = 6000
SECRET_INCOME = 987_654_321.0
SECRET_PLACE = "Zanzibar-secret"
TARGETS = ("income", "visits", "gains", "smoker", "diagnosis", "joined", "seen")


def plan_column(name: str, kind: DataType, action: object, role: Role = Role.QUASI) -> ColumnPlan:
    """A decided column."""
    return ColumnPlan(name=name, type=kind, role=role, action=action, status=Status.DECIDED, rule="policy", reason="test")


def with_words(frame: pl.DataFrame, key: MasterKey) -> pl.LazyFrame:
    """The frame with row words made from a row number: every row is its own."""
    numbered = frame.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("__row")).lazy()
    return with_row_words(numbered, [Column("__row", DataType.INTEGER)], key, use="row").drop("__row")


def generated(rows: int = ROWS, seed: int = 7) -> pl.DataFrame:
    """People: band and region stay; skewed, integer, zero-inflated, boolean, categorical, date and datetime targets with nulls."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=rows)
    age = np.clip(45 + 15 * z, 18, 90).astype(int)
    region = rng.choice(["north", "south", "east", "west"], size=rows, p=[0.4, 0.3, 0.2, 0.1])
    income = np.round(np.exp(10 + 0.6 * z + 0.4 * rng.normal(size=rows)), 2)
    income[17] = SECRET_INCOME
    visits = rng.poisson(3 + (region == "north") * 4)
    gains = np.where(rng.random(rows) < 0.8, 0.0, np.round(rng.gamma(2, 2000, size=rows), 2))
    smoker = (z + rng.normal(size=rows)) > 0.8
    diagnosis = np.where(z + 0.8 * rng.normal(size=rows) > 0.7, "heart", rng.choice(["none", "asthma", "flu"], size=rows)).astype(object)
    diagnosis[23] = SECRET_PLACE
    days = (12_000 + 2000 * rng.beta(2, 5, size=rows)).astype(int)
    frame = pl.DataFrame(
        {
            "age band": [f"{a // 10 * 10}-{a // 10 * 10 + 9}" for a in age],
            "region": region,
            "income": income,
            "visits": visits.astype(np.int64),
            "gains": gains,
            "smoker": smoker,
            "diagnosis": diagnosis.tolist(),
            "joined": [dt.date(1970, 1, 1) + dt.timedelta(days=int(day)) for day in days],
            "seen": (1_577_836_800 + 60 * rng.integers(0, 500_000, size=rows)) * 1_000_000,
        }
    )
    poor = pl.Series(z < 0) & pl.Series(rng.random(rows) < 0.4)
    return frame.with_columns(
        pl.when(~poor).then(pl.col("income")).alias("income"),
        pl.when(pl.Series(rng.random(rows) > 0.1)).then(pl.col("diagnosis")).alias("diagnosis"),
        pl.col("seen").cast(pl.Int64).cast(pl.Datetime("us")),
    )


def table_plan() -> TablePlan:
    """The plan of the generated table."""
    kinds = {
        "income": DataType.NUMBER,
        "visits": DataType.INTEGER,
        "gains": DataType.NUMBER,
        "smoker": DataType.BOOLEAN,
        "diagnosis": DataType.TEXT,
        "joined": DataType.DATE,
        "seen": DataType.DATETIME,
    }
    return TablePlan(
        name="people",
        columns=(
            plan_column("name", DataType.TEXT, Drop(), Role.DIRECT),
            plan_column("age band", DataType.INTEGER, Generalize(to="band", width=10)),
            plan_column("region", DataType.TEXT, Keep()),
            *(plan_column(name, kinds[name], Synthesize(model="m")) for name in TARGETS),
        ),
    )


@dataclass(frozen=True)
class Fitted:
    """A table, its model, its key."""

    frame: pl.DataFrame
    rows: pl.LazyFrame
    plan: TablePlan
    model: ProxyModel
    key: MasterKey

"""Small tables for the tests of this room, and an independent count in plain Python."""

from __future__ import annotations

import math
import random
from collections import Counter

import polars as pl

from tamis.core.types import Column, DataType, SourceInfo, Table, TableProfile
from tamis.profile.limits import Limits
from tamis.profile.tables import profile_table

KINDS = {
    pl.String: DataType.TEXT,
    pl.Int64: DataType.INTEGER,
    pl.Float64: DataType.NUMBER,
    pl.Boolean: DataType.BOOLEAN,
    pl.Date: DataType.DATE,
    pl.Datetime: DataType.DATETIME,
    pl.Time: DataType.TIME,
    pl.Duration: DataType.DURATION,
    pl.Binary: DataType.BINARY,
}

TIGHT = Limits(
    grouped_values=3, keys_per_pass=4, passes=1000, cached_cells=0, shape_rows=1_000_000, dependency_sample=3, reference_values=1_000_000
)
"""counts nearly everything as sorted keys, in several passes"""


def table_of(frame: pl.DataFrame, name: str = "t") -> Table:
    """A table of a frame; a column of nulls only is EMPTY, as the `read` room has it."""
    columns = tuple(
        Column(s.name, DataType.EMPTY if s.dtype == pl.String and s.null_count() == len(s) else KINDS[s.dtype.base_type()])
        for s in frame.get_columns()
    )
    return Table(name, frame.lazy(), columns, frame.height, SourceInfo("frame"))


def profiled(frame: pl.DataFrame, *, k: int = 2, limits: Limits | None = None) -> TableProfile:
    """Profile of one frame."""
    return profile_table(table_of(frame), k=k, limits=limits or Limits())


def shuffled(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The same rows in another order and in several chunks."""
    order = list(range(frame.height))
    random.Random(seed).shuffle(order)
    mixed = frame[order]
    cut = frame.height // 3
    return pl.concat([mixed[:cut], mixed[cut:]], rechunk=False) if cut else mixed


def present(values: list) -> list:
    """Values without null and NaN."""
    return [v for v in values if v is not None and not (isinstance(v, float) and math.isnan(v))]


def counted(values: list) -> Counter:
    """Rows per value."""
    return Counter(present(values))

"""Quasi-identifiers as axes: labels of the finest rung as numbers, in the order of the labels, and every row as a tuple of them.

Whatever the order of the rows or the batches, equal tables give equal codes. Memory is that of the distinct labels and tuples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from tamis.core.actions import AnyAction, AnyRecode, AsIs, CategoryMap, Everything, Generalize, SuppressRare, TopBottomCode
from tamis.core.plan import ColumnPlan
from tamis.core.types import DataType, Table
from tamis.encoding import canonical, exact_column
from tamis.models import Codes
from tamis.recode import recode_expression
from tamis.search.ladders import Ladder
from tamis.search.tuples import Dimension

LABEL = "l0"


@dataclass(frozen=True, slots=True)
class Axis:
    """One quasi-identifier. `labels` has a row per label of the finest rung (`l0`), in ascending order, nulls first: the code is the row.

    Further columns are the labels at the rungs above (`l1`, …), where they do not follow from the finest; `leaves` are the distinct
    values below each label, 0 for labels of the population alone.
    """

    column: ColumnPlan
    action: AnyAction
    ladder: Ladder
    labels: pl.DataFrame

    def at(self, level: int) -> pl.Series:
        """Label texts at a level, per code; the values themselves for `AsIs`."""
        if f"l{level}" in self.labels.columns:
            return self.labels[f"l{level}"]
        kind = self.column.type if isinstance(self.ladder.recodes[0], AsIs) else DataType.TEXT
        return self.labels.select(recode_expression(LABEL, kind, self.ladder.recodes[level])).to_series()

    def texts(self, level: int) -> pl.Series:
        """Label texts as they are released: values in their canonical form."""
        labels = self.at(level)
        if labels.dtype == pl.String:
            return labels
        return pl.DataFrame({LABEL: labels}).select(canonical(LABEL, self.column.type)).to_series()

    def code(self) -> pl.Expr:
        """The code of a row's label; null where no label of the axis is that of the row."""
        form = released_form(self.column, self.action, self.ladder.recodes[0])
        known = self.labels[LABEL]
        codes = pl.int_range(len(known), dtype=pl.UInt32, eager=True)
        absent = known.is_null()
        if absent.all():
            return pl.when(form.is_null()).then(pl.lit(codes.first(), dtype=pl.UInt32))
        value = form.replace_strict(known.filter(~absent), codes.filter(~absent), default=None, return_dtype=pl.UInt32)
        return pl.when(form.is_null()).then(pl.lit(codes.filter(absent).first(), dtype=pl.UInt32)).otherwise(value)


def released_form(column: ColumnPlan, action: AnyAction, recode: AnyRecode) -> pl.Expr:
    """The value that will leave, at a rung."""
    match action:
        case SuppressRare():
            value = canonical(column.name, column.type)
            return pl.when(value.is_in(list(action.values or ()))).then(value)
        case TopBottomCode():
            clipped = exact_column(column.name).clip(action.lower, action.upper)
            return clipped.fill_nan(None) if column.type is DataType.NUMBER else clipped
        case _:
            return recode_expression(column.name, column.type, recode)


def build_axes(
    table: Table,
    columns: Sequence[ColumnPlan],
    actions: Mapping[str, AnyAction],
    ladders: Mapping[str, Ladder],
    population: pl.LazyFrame | None = None,
) -> tuple[Axis, ...]:
    """The labels of all columns, in one pass over the table (and one over the population)."""
    queries = [_labels(table.frame, column, actions, ladders[column.name]) for column in columns]
    known = pl.collect_all(queries, engine="streaming")
    if population is not None:
        others = pl.collect_all([_labels(population, column, actions, ladders[column.name]) for column in columns], engine="streaming")
        known = [_with_others(one, other) for one, other in zip(known, others, strict=True)]
    return tuple(
        Axis(column, actions.get(column.name, column.action), ladders[column.name], labels.sort(LABEL, nulls_last=False))
        for column, labels in zip(columns, known, strict=True)
    )


def _labels(frame: pl.LazyFrame, column: ColumnPlan, actions: Mapping[str, AnyAction], ladder: Ladder) -> pl.LazyFrame:
    """Distinct values first: recoding costs per value, not per row."""
    action = actions.get(column.name, column.action)
    own = exact_column(column.name)
    values = frame.select(own.fill_nan(None) if column.type is DataType.NUMBER else own).unique()
    rungs = ladder.recodes[:1] if follows(ladder) else ladder.recodes
    forms = [released_form(column, action, recode).alias(f"l{level}") for level, recode in enumerate(rungs)]
    return values.select(forms).group_by([f"l{level}" for level in range(len(rungs))]).agg(leaves=pl.len().cast(pl.Int64))


def follows(ladder: Ladder) -> bool:
    """Whether every rung can be told from the finest label alone: it is the value, or a value that stays."""
    first = ladder.recodes[0]
    return (
        len(ladder.recodes) == 1
        or isinstance(first, AsIs)
        or (isinstance(first, CategoryMap) and all(value == parent for value, parent in first.parents))
    )


def _with_others(known: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    names = [name for name in known.columns if name != "leaves"]
    fresh = others.join(known, on=names, how="anti", nulls_equal=True).with_columns(leaves=pl.lit(0, dtype=pl.Int64))
    return pl.concat([known, fresh.select(known.columns)], how="vertical_relaxed")


def with_ladder(axis: Axis, ladder: Ladder) -> Axis:
    """The axis under a ladder with the same finest rung."""
    return replace(axis, ladder=ladder)


def dense(labels: pl.Series) -> Codes:
    """Numbers of labels in ascending order; null is a label, the first."""
    codes = labels.rank("dense").cast(pl.Int64) - (0 if labels.null_count() else 1)
    return codes.fill_null(0).to_numpy().astype(np.int64)


def dimension(axis: Axis) -> tuple[Dimension, Axis]:
    """Label codes and penalties per level, without rungs that change nothing; and the axis with the rungs that are left.

    The penalty of a label is (leaves below it - 1) / (leaves - 1), where leaves are the values of a stated hierarchy and those of the
    data that it does not list, else the distinct values of the data.
    """
    leaves = _Leaves(axis)
    codes: list[Codes] = []
    penalties = []
    rungs: list[int] = []
    for level in range(len(axis.ladder.recodes)):
        code = np.arange(axis.labels.height) if not level else dense(axis.at(level))
        groups = int(code.max(initial=-1)) + 1
        last = level == len(axis.ladder.recodes) - 1
        # Rungs nest: as many labels are the same labels. Where one is left, the top says so best.
        idle = groups == int(codes[-1].max(initial=-1)) + 1 or (groups == 1 and not last) if codes else False
        if idle and not axis.ladder.stated and not (last and groups == 1):
            continue
        penalties.append(leaves.penalty(level, code, groups))
        codes.append(code)
        rungs.append(level)
    kept = Ladder(tuple(axis.ladder.recodes[level] for level in rungs), axis.ladder.leaves, axis.ladder.stated)
    labels = axis.labels.select("leaves").with_columns(axis.at(level).alias(f"l{place}") for place, level in enumerate(rungs))
    weight = axis.action.weight if isinstance(axis.action, Generalize) else 1.0
    return Dimension(axis.column.name, tuple(codes), tuple(penalties), weight), replace(axis, ladder=kept, labels=labels)


class _Leaves:
    """How many leaves lie below a label."""

    def __init__(self, axis: Axis) -> None:
        self.axis = axis
        self.file = pl.DataFrame({LABEL: pl.Series(axis.ladder.leaves, dtype=pl.String)})
        self.unlisted = axis.labels["leaves"].to_numpy().astype(np.float64)
        if self.file.height:  # a value of the file is counted there, whether the data has it or not
            self.unlisted = np.where(
                axis.texts(0).is_in(self._of_file(0).drop_nulls().unique().implode()).fill_null(value=False).to_numpy(), 0.0, self.unlisted
            )
        self.total = self.unlisted.sum() + self.file.height

    def _of_file(self, level: int) -> pl.Series:
        return self.file.select(recode_expression(LABEL, DataType.TEXT, self.axis.ladder.recodes[level])).to_series()

    def penalty(self, level: int, code: Codes, groups: int) -> npt.NDArray[np.float64]:
        below = np.bincount(code, weights=self.unlisted, minlength=groups)
        if self.file.height:
            place = pl.DataFrame({"label": self.axis.texts(level), "code": code}).unique("label")
            own = pl.DataFrame({"label": self._of_file(level)}).group_by("label").len()
            counts = own.join(place, on="label", how="inner", nulls_equal=True)
            below[counts["code"].to_numpy()] += counts["len"].to_numpy()
        return np.asarray(np.maximum(below[code] - 1.0, 0.0) / max(1.0, self.total - 1.0))


def cut(dimension: Dimension, axis: Axis, low: int, high: int) -> tuple[Dimension, Axis]:
    """Only the levels low..high-1."""
    ladder = replace(axis.ladder, recodes=axis.ladder.recodes[low:high])
    labels = axis.labels.select("leaves").with_columns(axis.at(level).alias(f"l{level - low}") for level in range(low, high))
    return replace(dimension, codes=dimension.codes[low:high], penalties=dimension.penalties[low:high]), replace(
        axis, ladder=ladder, labels=labels
    )


def is_top(recode: AnyRecode) -> bool:
    """Whether nothing is left at this rung."""
    return isinstance(recode, Everything)

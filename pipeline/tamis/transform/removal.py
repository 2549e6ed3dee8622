"""Rows that leave: with their parents, and because their class is too small.

Order matters for the truth of k: first go the rows whose parent was suppressed, then classes are counted on what is left; removing
whole classes changes no other class. In a table that refers to itself the two alternate until nothing changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tamis.core.plan import Classes, Plan, Reference
from tamis.core.types import Role
from tamis.transform.work import Work

_KEY = "__tamis_key"
_UNIT = "__tamis_unit"
_GONE = "__tamis_gone"


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left of a table, and what went."""

    frame: pl.LazyFrame
    rows: int
    """removed"""
    keys: Mapping[str, pl.Series]
    """per referenced column: canonical values of which no row is left"""


def remove_rows(frame: pl.LazyFrame, plan: Plan, work: Work, suppressed: Mapping[tuple[str, str], pl.Series]) -> Remaining:
    """Remove children of suppressed rows and rows in classes below k (or l).

    `frame` has inside names: `c…` (input) and `r…` (released, generalized). Each removal that happens costs one pass over the columns
    that it needs; nothing to remove costs one pass over the quasi-identifiers.
    """
    name = work.plan.name
    referenced = tuple(dict.fromkeys(ref.parent_column for one in plan.tables for ref in one.references if ref.parent_table == name))
    removed = _Removed(work, referenced)
    for reference in work.plan.references:
        if reference.parent_table != name:
            frame = removed.children(frame, reference, suppressed.get((reference.parent_table, reference.parent_column)))
    own = [reference for reference in work.plan.references if reference.parent_table == name]
    while True:
        before = removed.rows
        frame = removed.small_classes(frame)
        lost = removed.lost(frame)
        for reference in own:
            frame = removed.children(frame, reference, lost.get(reference.parent_column))
        if removed.rows == before or not own:
            return Remaining(frame, removed.rows, lost)


class _Removed:
    """The count and the keys of removed rows, while they are being removed."""

    def __init__(self, work: Work, referenced: Sequence[str]) -> None:
        self.work = work
        self.referenced = referenced
        self.rows = 0
        self._keys: list[pl.DataFrame] = []

    def children(self, frame: pl.LazyFrame, reference: Reference, parents: pl.Series | None) -> pl.LazyFrame:
        """Without the rows whose reference is one of `parents`; a null reference has no parent and stays."""
        if parents is None or parents.drop_nulls().is_empty():
            return frame
        values = pl.LazyFrame({_KEY: parents.drop_nulls().cast(pl.String).unique()})
        keyed = frame.with_columns(self.work.text(reference.column).alias(_KEY))
        if not self._take(keyed.join(values, on=_KEY, how="semi")):
            return frame
        return keyed.join(values, on=_KEY, how="anti").drop(_KEY)

    def small_classes(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Without the rows of classes of fewer than k rows (persons where a unit is declared) or with fewer than l sensitive values."""
        shape = self.work.plan.classes
        quasi = _released_quasi(self.work, shape)
        if shape is None or not quasi:
            return frame
        keys = [f"{_KEY}{i}" for i in range(len(quasi))]
        named = [_value(column, self.work).alias(key) for column, key in zip(quasi, keys, strict=True)]
        counted = _class_sizes(frame, shape, self.work, named, keys).collect(engine="streaming")
        fits = pl.col("persons") >= shape.k
        if shape.l is not None:
            fits = pl.all_horizontal(fits, *(pl.col(name) >= shape.l for name in counted.columns if name.startswith("l")))
        small, large = counted.filter(~fits).select(keys), counted.filter(fits).select(keys)
        if small.is_empty():
            return frame
        keyed = frame.with_columns(named)
        self._take(keyed.join(small.lazy(), on=keys, how="semi", nulls_equal=True))
        few, how = (small, "anti") if len(small) <= len(large) else (large, "semi")
        return keyed.join(few.lazy(), on=keys, how=how, nulls_equal=True).drop(keys)  # type: ignore[arg-type]  # a literal either way

    def lost(self, frame: pl.LazyFrame) -> dict[str, pl.Series]:
        """Per referenced column the values whose last row was removed: a value that another row still carries is still there."""
        out: dict[str, pl.Series] = {}
        for i, column in enumerate(self.referenced):
            values = [part.to_series(i) for part in self._keys]
            gone = pl.concat(values).drop_nulls().unique() if values else pl.Series(dtype=pl.String)
            if not gone.is_empty():
                asked = pl.LazyFrame({_GONE: gone})
                left = frame.select(self.work.text(column).alias(_GONE)).join(asked, on=_GONE, how="semi").unique()
                gone = asked.join(left, on=_GONE, how="anti").collect(engine="streaming").to_series()
            out[column] = gone.sort().alias(column)
        return out

    def _take(self, gone: pl.LazyFrame) -> int:
        """Count removed rows and remember the keys that other tables may name."""
        keys = [self.work.text(column).alias(f"k{i}") for i, column in enumerate(self.referenced)]
        if not keys:
            rows = int(gone.select(pl.len()).collect(engine="streaming").item())
        else:
            counted = gone.select(keys).group_by(pl.all()).len("n").collect(engine="streaming")
            rows = int(counted["n"].sum())
            self._keys.append(counted.drop("n"))
        self.rows += rows
        return rows


def _released_quasi(work: Work, shape: Classes | None) -> list[str]:
    released = {column.name for column in work.plan.released}
    return [name for name in shape.quasi_identifiers if name in released] if shape else []


def _value(column: str, work: Work) -> pl.Expr:
    """A released value as part of a class: null is a value, NaN is null."""
    inside = pl.col(work.released(column))
    return pl.when(inside.is_not_nan()).then(inside) if work.floating(column) else inside


def _class_sizes(frame: pl.LazyFrame, shape: Classes, work: Work, named: Sequence[pl.Expr], keys: Sequence[str]) -> pl.LazyFrame:
    """One row per class: keys, `persons`, and `l0`, `l1`, … per sensitive column where l is asked for.

    Distinct members (persons, sensitive values; null counts as one) are counted by two group-bys instead of `n_unique`, which would
    hold a set per class.
    """
    if shape.unit is None:
        sizes = frame.select(named).group_by(keys).agg(pl.len().alias("persons"))
    else:
        sizes = _members(frame, named, keys, work.text(shape.unit), "persons")
    if shape.l is not None:
        sensitive = [column.name for column in work.plan.released if column.role is Role.SENSITIVE]
        for i, column in enumerate(sensitive):
            sizes = sizes.join(_members(frame, named, keys, _value(column, work), f"l{i}"), on=keys, how="left", nulls_equal=True)
    return sizes


def _members(frame: pl.LazyFrame, named: Sequence[pl.Expr], keys: Sequence[str], member: pl.Expr, name: str) -> pl.LazyFrame:
    pairs = frame.select(*named, member.alias(_UNIT)).group_by([*keys, _UNIT]).agg()
    return pairs.group_by(keys).agg(pl.len().alias(name))

"""Rows that leave: with their parents, and because their class violates a criterion of the plan.

Order matters for the truth of k: first go the rows whose parent was suppressed, then classes are counted on what is left; removing
whole classes changes no other class. In a table that refers to itself the two alternate until nothing changes. Closeness (t) holds of
what is left against what was counted and against itself (models.py): it can be recomputed from the release.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tamis.core.plan import Classes, Plan, Reference
from tamis.transform.classes import judged
from tamis.transform.local import CELL
from tamis.transform.work import Work

_KEY = "__tamis_key"
_GONE = "__tamis_gone"


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left of a table, and what went."""

    frame: pl.LazyFrame
    rows: int
    """removed"""
    keys: Mapping[str, pl.Series]
    """per referenced column: canonical values of which no row is left"""


def remove_rows(
    frame: pl.LazyFrame,
    plan: Plan,
    work: Work,
    suppressed: Mapping[tuple[str, str], pl.Series],
    population: pl.LazyFrame | None = None,
) -> Remaining:
    """Remove children of suppressed rows and rows in classes that violate a criterion of the plan (models.py).

    `frame` has inside names: `c…` (input) and `r…` (released, generalized). Each removal that happens costs one pass over the columns
    that it needs; nothing to remove costs one pass over the quasi-identifiers (and one for each sensitive column that a model is about).
    `population` holds the quasi-identifiers of the declared population under their names in the table, as they are in the input.
    """
    name = work.plan.name
    referenced = tuple(dict.fromkeys(ref.parent_column for one in plan.tables for ref in one.references if ref.parent_table == name))
    removed = _Removed(work, referenced, population)
    for reference in work.plan.references:
        if reference.parent_table != name:
            frame = removed.children(frame, reference, suppressed.get((reference.parent_table, reference.parent_column)))
    frame = removed.uncovered(frame)
    own = [reference for reference in work.plan.references if reference.parent_table == name]
    while True:
        before = removed.rows
        frame = removed.violating(frame)
        lost = removed.lost(frame)
        for reference in own:
            frame = removed.children(frame, reference, lost.get(reference.parent_column))
        if removed.rows == before or not own:
            return Remaining(frame, removed.rows, lost)


class _Removed:
    """The count and the keys of removed rows, while they are being removed."""

    def __init__(self, work: Work, referenced: Sequence[str], population: pl.LazyFrame | None) -> None:
        self.work = work
        self.population = population
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

    def uncovered(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Without the rows that no cell of a local recoding covers."""
        if self.work.plan.classes is None or self.work.plan.classes.recoding != "local":
            return frame
        none = pl.col(CELL).is_null()
        return frame.filter(~none) if self._take(frame.filter(none)) else frame

    def violating(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Without the rows of classes that violate a criterion of the plan."""
        shape = self.work.plan.classes
        quasi = _released_quasi(self.work, shape)
        if shape is None or not quasi:
            return frame
        keys = [f"{_KEY}{i}" for i in range(len(quasi))]
        named = [_value(column, self.work).alias(key) for column, key in zip(quasi, keys, strict=True)]
        classes, fits = judged(frame.with_columns(named), self.work, shape, keys, self.population)
        small, large = classes.filter(~fits), classes.filter(fits)
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

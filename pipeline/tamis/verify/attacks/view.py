"""What an attacker and the judge of an attack see of one table: people, their rows, a release made of some of them.

The release is a *shadow* (decision 14): the same plan, applied to 80 % of the persons. The others were not used: they are the control
group (the design of Giomi et al. 2022, "A unified framework for quantifying privacy risk in synthetic data", PoPETs 2023(2):312). Which
released row was made of whose row is known to the judge alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tamis.core.plan import TablePlan
from tamis.core.types import Role, Table
from tamis.verify.sides import ORDERED, Side, recoded_sides

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
TARGETS = 500
"""members, and controls, that are attacked"""
FEWEST = 50
"""members whose row was released, and controls, without which no attack is tried"""
_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class Shadow:
    """A release of one table made for attacks. Rows stand in an order that has nothing to do with that of the input."""

    table: Table
    """rows of members and controls, as they were"""
    person: NDArray[np.uint64]
    """per row who it is about: a keyed hash"""
    member: Bools
    """per row whether its person was used"""
    released: pl.DataFrame
    """released columns"""
    row: Ints
    """per released row the row of `table` it was made of"""


@dataclass(frozen=True, slots=True)
class View:
    """One table in numbers. Per column a code (equal values, equal codes; null is a value) and a place on a line (`points`)."""

    sides: tuple[Side, ...]
    roles: tuple[Role, ...]
    codes: Ints
    """(rows, columns) of the people, recoded as the release is"""
    released: Ints
    """(released rows, columns)"""
    points: Floats
    released_points: Floats
    raw: Floats
    """(rows, columns) of the people as they were"""
    person: Ints
    released_person: Ints
    released_row: Ints
    members: Ints
    """rows under attack whose person was used and whose row is in the release"""
    controls: Ints
    """rows under attack whose person was not used"""

    @classmethod
    def of(cls, shadow: Shadow, plan: TablePlan) -> View | None:
        """None where no released column can be compared with the input, or too few people are left."""
        sides, left, right = recoded_sides(shadow.table, shadow.released.lazy(), plan, raw=True)
        if not sides:
            return None
        before, after = left.collect(), right.collect()
        types = {column.name: column.type for column in plan.columns}
        used = np.zeros(before.height, dtype=np.bool_)
        used[shadow.row] = True
        _, person = np.unique(shadow.person, return_inverse=True)
        members, controls = np.flatnonzero(used), np.flatnonzero(~shadow.member)
        if min(len(members), len(controls)) < FEWEST:
            return None
        rng = np.random.default_rng(0)
        members, controls = (rng.permutation(rows)[:TARGETS].astype(np.int64) for rows in (members, controls))
        codes = [_codes(before[side.alias], after[side.alias]) for side in sides]
        points = [_points(side.ordered, before[side.alias], after[side.alias], pair) for side, pair in zip(sides, codes, strict=True)]
        raw = [_raw(before[f"raw_{side.alias}"], types[side.name] in ORDERED) for side in sides]
        return cls(
            sides=sides,
            roles=tuple(plan.column(side.name).role for side in sides),
            codes=np.column_stack([pair[0] for pair in codes]),
            released=np.column_stack([pair[1] for pair in codes]),
            points=np.column_stack([pair[0] for pair in points]),
            released_points=np.column_stack([pair[1] for pair in points]),
            raw=np.column_stack(raw),
            person=person.astype(np.int64),
            released_person=person[shadow.row].astype(np.int64),
            released_row=shadow.row,
            members=members,
            controls=controls,
        )

    def keys(self, columns: Sequence[int]) -> tuple[Ints, Ints]:
        """One number per combination of codes: of the people's rows and of the released rows."""
        both = np.concatenate([self.codes, self.released])
        key = np.zeros(len(both), dtype=np.int64)
        for column in columns:
            key = np.unique(key * (int(both[:, column].max()) + 1) + both[:, column], return_inverse=True)[1].astype(np.int64)
        return key[: len(self.codes)], key[len(self.codes) :]

    def distances(self, rows: Ints, columns: Sequence[int]) -> Floats:
        """Gower's distances (1971) of people's rows to all released rows: (rows, released rows)."""
        total = np.zeros((len(rows), len(self.released)))
        for column in columns:
            x, y = self.points[rows, column][:, None], self.released_points[:, column][None, :]
            if self.sides[column].ordered:
                apart = np.minimum(np.abs(x - y), 1.0)
                total += np.where(np.isnan(apart), (np.isnan(x) != np.isnan(y)).astype(np.float64), apart)
            else:
                total += x != y
        return total / max(1, len(columns))

    def blocks(self, rows: Ints) -> list[Ints]:
        """The rows in parts whose distances fit in memory."""
        step = max(1, _CELLS // max(1, len(self.released)))
        return [rows[start : start + step] for start in range(0, len(rows), step)]

    def nearest(self, rows: Ints, columns: Sequence[int]) -> list[Ints]:
        """Per row the released rows at the smallest distance, all of them where several are as near."""
        found: list[Ints] = []
        for part in self.blocks(rows):
            distances = self.distances(part, columns)
            smallest = distances.min(axis=1, keepdims=True) + 1e-12
            found += [np.flatnonzero(line).astype(np.int64) for line in distances <= smallest]
        return found


def _codes(before: pl.Series, after: pl.Series) -> tuple[Ints, Ints]:
    codes = pl.concat([before, after]).rank("dense").fill_null(0).to_numpy().astype(np.int64)
    return codes[: len(before)], codes[len(before) :]


def _points(ordered: bool, before: pl.Series, after: pl.Series, codes: tuple[Ints, Ints]) -> tuple[Floats, Floats]:
    if not ordered:
        return codes[0].astype(np.float64), codes[1].astype(np.float64)
    numbers = before.to_numpy().astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    low, high = np.quantile(finite, (0.01, 0.99)) if len(finite) else (0.0, 1.0)
    spread = float(high - low) or (float(finite.max() - finite.min()) if len(finite) else 0.0)
    scale = spread if np.isfinite(spread) and spread > 0 else 1.0
    places: tuple[Floats, Floats] = numbers / scale, after.to_numpy().astype(np.float64) / scale
    return places


def _raw(values: pl.Series, ordered: bool) -> Floats:
    if ordered:
        numbers: Floats = values.to_numpy().astype(np.float64)
        return np.nan_to_num(numbers, nan=-1.0, posinf=1e30, neginf=-1e30).clip(-1e30, 1e30)
    return values.rank("dense").fill_null(0).to_numpy().astype(np.float64)

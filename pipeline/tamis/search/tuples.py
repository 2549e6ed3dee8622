"""What the search works on: quasi-identifiers with their ladders, and the table as distinct tuples with counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tamis.models import Codes, Criteria

Node = tuple[int, ...]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dimension:
    """One quasi-identifier and its ladder.

    `codes[level][base code]` is the dense label code at that level, level 0 the finest on offer; `penalties[level][base code]` is
    (leaves below the label - 1) / (leaves of the hierarchy - 1), 0 to 1. Both never get finer with the level.
    """

    name: str
    codes: tuple[Codes, ...]
    penalties: tuple[FloatArray, ...]
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Sensitive:
    """One sensitive column whose values leave: `codes` per tuple row; `order[code]` its rank; `parents[level][code]` its ancestor."""

    codes: Codes
    order: Codes | None = None
    parents: tuple[Codes, ...] = ()


@dataclass(frozen=True, slots=True)
class Tuples:
    """Distinct combinations of base codes (and person, and sensitive values) with their rows."""

    base: tuple[Codes, ...]
    rows: Codes
    criteria: Criteria
    persons: Codes | None = None
    """person code of each tuple row; None: every row is a person"""
    sensitive: tuple[Sensitive, ...] = ()
    population: tuple[tuple[Codes, ...], Codes] | None = None
    """base codes and persons of the population"""

    @property
    def total(self) -> int:
        """Rows in all."""
        return int(self.rows.sum())

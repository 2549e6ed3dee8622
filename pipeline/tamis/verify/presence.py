"""A release held against a declared population: k-map, delta-presence, journalist risk.

Definitions, over classes of the release with n_c members and N_c persons of the population with the same labels
- k-map: smallest N_c (El Emam and Dankar 2008, JAMIA 15(5):627): how many people of the population a class could be about.
- presence: smallest and largest n_c / N_c: how sure an attacker who knows the population is that a target of the class is in the data
  (delta-presence: Nergiz, Atzori and Clifton 2007, SIGMOD). A class that the population does not know counts as certain, 1.

Every row of the population is a person. Assumptions: the population is complete, and coded like the input. What this does not protect
from: the *absence* of a class tells that nobody of it is in the data; a stale or partial population makes the figures too good or
too bad.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from tamis.verify.classes import Counted, coded

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Matched:
    """Persons of the population in each class of a table, and in all."""

    known: Ints
    size: int


def match_population(classes: Counted, population: pl.LazyFrame) -> Matched:
    """Count a population (columns `c0`, `c1`, … as the table's, labelled alike) in the classes of a table."""
    keys = classes.keys.columns
    types, schema = classes.keys.schema, population.collect_schema()
    same = population.select(coded(pl.col(key), schema[key], classes.words).cast(types[key], strict=False).alias(key) for key in keys)
    counted = same.group_by(keys).agg(known=pl.len().cast(pl.Int64)).collect(engine="streaming")
    known = classes.keys.join(counted, on=keys, how="left", nulls_equal=True, maintain_order="left")["known"].fill_null(0)
    return Matched(known.to_numpy().copy(), int(counted["known"].sum()))


def presence(classes: Counted, matched: Matched) -> tuple[float, float]:
    """(smallest, largest) share of the population's matching persons that are in the table; (0, 0) without rows."""
    if not len(classes.members):
        return 0.0, 0.0
    shares = np.where(matched.known > 0, classes.members / np.maximum(matched.known, 1), 1.0)
    return float(shares.min()), float(shares.max())

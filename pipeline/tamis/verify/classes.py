"""Equivalence classes of one table, counted once; every figure of risk is made of them.

A class is the set of rows that agree in every quasi-identifier. Members of a class are persons where a column names them (a person
counts once per class, rows without a name are one person together), else rows. Null is a value like any other, and NaN is null.
Text is compared by the numbers of a dictionary of its own: exact, and small enough for ten million classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from tamis.verify.frames import compact, picked

Ints = npt.NDArray[np.int64]

_PERSONS_AT_ONCE = 2_500_000


@dataclass(frozen=True, slots=True)
class Counted:
    """Classes: row i of `keys`, `rows[i]` and `members[i]` belong together; in no particular order."""

    keys: pl.DataFrame
    """`c0`, `c1`, …: the values of the classes, text as numbers of `words`"""
    rows: Ints
    members: Ints
    words: pl.Categories
    """the dictionary; frames of other tables coded with it can be joined"""
    pairs: pl.DataFrame | None = None
    """(`of`: class, `person`), distinct; None where nobody is in two classes, and members of merged classes add up"""
    bound: Ints | None = None
    """rows of the input's classes, where members are a lower bound taken from there"""

    @property
    def persons(self) -> int:
        """Distinct persons (rows without a unit)."""
        return int(self.members.sum()) if self.pairs is None else int(self.pairs["person"].n_unique())

    def histogram(self) -> tuple[Ints, Ints]:
        """(sizes, classes of that size), ascending; sizes in members."""
        sizes, classes = np.unique(self.members, return_counts=True)
        return sizes.astype(np.int64), classes.astype(np.int64)

    def smallest(self, sizes: Ints | None = None) -> tuple[Ints, Ints]:
        """(sizes, persons whose smallest class has that size), ascending: a person is as exposed as the most exposed record.

        `sizes` of the classes, where they are not the members, e.g. those in a population.
        """
        of_class = self.members if sizes is None else sizes
        if self.pairs is None:
            found = pl.DataFrame({"n": of_class, "p": self.members}).group_by("n").agg(pl.col("p").sum()).sort("n")
            return _numbers(found, "n"), _numbers(found, "p")
        here = pl.Series("n", of_class, dtype=pl.Int64)
        least = self.pairs.select("person", n=here.gather(self.pairs["of"])).group_by("person").agg(pl.col("n").min())
        found = least.group_by("n").agg(p=pl.len()).sort("n")
        return _numbers(found, "n"), _numbers(found, "p")

    def smallest_on(self, packed: Packed, columns: Sequence[int]) -> tuple[Ints, Ints]:
        """The same on fewer quasi-identifiers, `columns` of `keys`: (sizes, persons whose smallest class has that size)."""
        given = pl.DataFrame({"k": packed.key(columns), "members": self.members})
        if self.pairs is None:
            merged = given.lazy().group_by("k").agg(n=pl.col("members").sum()).group_by("n").agg(p=pl.len()).sort("n").collect()
            sizes = _numbers(merged, "n")
            return sizes, sizes * _numbers(merged, "p")
        members = self.pairs.select(k=given["k"].gather(self.pairs["of"]), person="person").unique().lazy()
        members = members.with_columns(n=pl.len().over("k"))
        if self.bound is not None:
            lost = pl.DataFrame({"k": given["k"], "lost": self.bound - self.rows}).lazy().group_by("k").agg(pl.col("lost").sum())
            known = pl.when(pl.col("lost") >= 0).then((pl.col("n") - pl.col("lost")).clip(1)).otherwise(1)
            members = members.join(lost, on="k").with_columns(n=known)
        found = members.group_by("person").agg(pl.col("n").min()).group_by("n").agg(p=pl.len()).sort("n").collect()
        return _numbers(found, "n"), _numbers(found, "p")


@dataclass(frozen=True, slots=True)
class Packed:
    """The values of classes as small numbers, 0, 1, … per column in any order, null one of them."""

    codes: tuple[Ints, ...]
    spans: tuple[int, ...]
    """how many values each column has"""
    height: int

    @classmethod
    def of(cls, keys: pl.DataFrame) -> Packed:
        """Number the values of each column."""
        codes = []
        for name in keys.columns:
            values = keys[name].to_physical()
            values = values.cast(pl.UInt8) if values.dtype == pl.Boolean else values
            codes.append(values.rank("dense").cast(pl.Int64).fill_null(0).to_numpy())
        return cls(tuple(codes), tuple(int(code.max(initial=0)) + 1 for code in codes), keys.height)

    def key(self, columns: Sequence[int]) -> Ints:
        """One number per class, equal exactly where the values in `columns` are equal."""
        return self.bounded_key(columns)[0]

    def bounded_key(self, columns: Sequence[int]) -> tuple[Ints, int]:
        """The same, and a bound: all numbers are below it."""
        key, bound = np.zeros(self.height, dtype=np.int64), 1
        for column in columns:
            if bound > 2**62 // self.spans[column]:
                key = pl.Series(key).rank("dense").cast(pl.Int64).to_numpy() - 1
                bound = int(key.max(initial=-1)) + 1
            key, bound = key * self.spans[column] + self.codes[column], bound * self.spans[column]
        return key, bound


def count_classes(frame: pl.LazyFrame, quasi: Sequence[str], unit: str | None) -> Counted:
    """The classes of a table on the columns `quasi`; members are distinct values of `unit`, rows where it is None."""
    words = pl.Categories.random()
    keys = [f"c{i}" for i in range(len(quasi))]
    coded = coded_frame(frame, [*quasi, *([unit] if unit is not None else [])], keys, words)
    found = coded.group_by(keys).agg(rows=pl.len().cast(pl.Int64)).collect(engine="streaming")
    rows = _numbers(found, "rows")
    classes = Counted(keys=found.select(keys), rows=rows, members=rows, words=words)
    return classes if unit is None else _with_persons(classes, coded)


def coded_frame(frame: pl.LazyFrame, names: Sequence[str], keys: Sequence[str], words: pl.Categories) -> pl.LazyFrame:
    """The columns `names` as `keys`, text coded by `words`; one more name than keys: `person`, compact."""
    safe = picked(frame, names)
    types = safe.collect_schema()
    columns = [coded(pl.col(f"c{i}"), types[f"c{i}"], words).alias(key) for i, key in enumerate(keys)]
    if len(names) > len(keys):
        columns.append(compact(pl.col(f"c{len(keys)}")).alias("person"))
    return safe.select(columns)


def coded(column: pl.Expr, kind: pl.DataType, words: pl.Categories) -> pl.Expr:
    """Text and bytes by the numbers of `words`, everything else as it is."""
    if isinstance(kind, pl.Binary):
        column = column.bin.encode("hex")
    elif not isinstance(kind, pl.String | pl.Categorical | pl.Enum | pl.Null):
        return column
    return column.cast(pl.String).cast(pl.Categorical(words))


def person_pairs(classes: pl.DataFrame, coded: pl.LazyFrame, keys: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Distinct (`of`, `person`) of `coded`, and (`of`, `rows`), for the classes in `classes` (`keys`, in order).

    In passes over a share of the persons each, so that memory is bounded. Rows of other classes are left out.
    """
    numbered = classes.lazy().select(keys).with_row_index("of")
    total = int(coded.select(pl.len()).collect(engine="streaming").item())
    passes = max(1, -(-total // _PERSONS_AT_ONCE))
    pairs, counts = [], []
    for number in range(passes):
        some = coded if passes == 1 else coded.filter(pl.col("person").fill_null(0) % passes == number)
        grouped = some.group_by([*keys, "person"]).agg(rows=pl.len().cast(pl.Int64))
        found = grouped.join(numbered, on=list(keys), how="inner", nulls_equal=True).select("of", "person", "rows")
        part = found.collect(engine="streaming")
        pairs.append(part.select("of", "person"))
        counts.append(part.group_by("of").agg(pl.col("rows").sum()))
    return pl.concat(pairs), pl.concat(counts).group_by("of").agg(pl.col("rows").sum())


def _with_persons(classes: Counted, coded: pl.LazyFrame) -> Counted:
    pairs, _ = person_pairs(classes.keys, coded, classes.keys.columns)
    members = np.bincount(pairs["of"].to_numpy(), minlength=classes.keys.height).astype(np.int64)
    apart = pairs["person"].n_unique() == pairs.height
    return replace(classes, members=members, pairs=None if apart else pairs)


def with_persons_of_input(classes: Counted, recoded: pl.LazyFrame) -> Counted:
    """Members where the release does not name persons, as a lower bound; `recoded`: the input, recoded as planned, with `person`.

    A class has at least the persons it has in the input, less one for each of its input rows that is not in the release. A class not
    found there, or of more rows than there, counts as one person.
    """
    keys, height = classes.keys.columns, classes.keys.height
    types = classes.keys.schema
    same = recoded.with_columns(coded(pl.col(key), recoded.collect_schema()[key], classes.words).cast(types[key]) for key in keys)
    pairs, counts = person_pairs(classes.keys, same, keys)
    bound = np.zeros(height, dtype=np.int64)
    bound[counts["of"].to_numpy()] = counts["rows"].to_numpy()
    found = np.bincount(pairs["of"].to_numpy(), minlength=height).astype(np.int64)
    return replace(classes, members=_at_least(found, bound, classes.rows), pairs=pairs, bound=bound)


def _at_least(members: Ints, rows_before: Ints, rows: Ints) -> Ints:
    lost = rows_before - rows
    return np.where(lost >= 0, np.maximum(members - lost, 1), 1)


def _numbers(frame: pl.DataFrame, name: str) -> Ints:
    return frame[name].cast(pl.Int64).to_numpy().copy()

"""Which class of a local recoding a row belongs to: the first cell of the plan that covers all its values.

A cell states per quasi-identifier a level of its ladder and the label there; it covers a value whose label at that level is the same,
and that has, where the cell has a condition on the quasi-identifier, one of the labels the condition names.
The search settles its classes with this function and the transformation releases with it: a plan means the same in both.

Cells and values are compared as bits: for each value of a dimension one bit per cell, in the order of the plan. The conjunction over
the dimensions are the cells that cover a tuple, its lowest bit is the tuple's class. Many cells are first split by value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from tamis.core.actions import AnyRecode, AsIs
from tamis.core.plan import Classes
from tamis.core.types import DataType
from tamis.encoding import canonical
from tamis.recode import recode_expression

Codes = npt.NDArray[np.int64]

NONE = -1
"""no cell covers the tuple; as a label: a value that no cell names at this level"""
_PAIRS = 1 << 30
"""pairs of a tuple and a cell above which both are split by the values of a dimension"""
_AT_ONCE = 1 << 26
"""pairs compared at once"""
_TUPLES = 8192


@dataclass(frozen=True, eq=False, slots=True)
class Conditions:
    """Labels that cells ask for beside their own, arrays of one length: on `dimension`, `cell` takes only values whose label at one of
    the `level` listed is the `label` listed with it."""

    cell: Codes
    dimension: Codes
    level: Codes
    label: Codes

    @classmethod
    def none(cls) -> Conditions:
        """No conditions."""
        return cls(*(np.zeros(0, dtype=np.int64),) * 4)

    @staticmethod
    def joined(parts: Sequence[Conditions]) -> Conditions:
        """All conditions of several."""
        columns = ((part.cell, part.dimension, part.level, part.label) for part in parts)
        return Conditions(*(np.concatenate(column) for column in zip(*columns, strict=True)))


def first_cover(
    levels: Codes, labels: Codes, codes: Sequence[Sequence[Codes]], base: Sequence[Codes], only: Conditions | None = None
) -> Codes:
    """Per tuple the number of the first cell that covers it, `NONE` where none does.

    `levels` and `labels` are (cells, dimensions); `codes[dimension][level][base code]` is a label, `NONE` for one that no cell has;
    `base[dimension]` holds the tuples' base codes. Time is that of cells x tuples / 64 at most; memory is bounded.
    """
    count = len(base[0]) if len(base) else 0
    found = np.full(count, NONE, dtype=np.int64)
    if not len(labels) or not count:
        return found
    # The dimension with the most values first: it tells most cells apart.
    ranked = sorted(range(len(base)), key=lambda d: (-len(codes[d][0]), d))
    order = np.lexsort([base[d] for d in reversed(ranked)])
    _split(_Job(levels, labels, codes, base, ranked, found, only or Conditions.none()), order, np.arange(len(labels)), 0)
    return found


class _Job:
    def __init__(
        self,
        levels: Codes,
        labels: Codes,
        codes: Sequence[Sequence[Codes]],
        base: Sequence[Codes],
        ranked: Sequence[int],
        found: Codes,
        only: Conditions,
    ) -> None:
        self.levels, self.labels, self.codes, self.base, self.ranked, self.found = levels, labels, codes, base, ranked, found
        self.asked = [_Asked(only, d, len(labels)) for d in range(len(base))]

    def covers(self, dimension: int, values: Codes, cells: Codes) -> npt.NDArray[np.bool_]:
        """(values, cells): whether the cell covers the value in this dimension; `cells` ascend."""
        out = np.zeros((len(values), len(cells)), dtype=bool)
        levels, labels = self.levels[cells, dimension], self.labels[cells, dimension]
        for level in np.unique(levels):
            at = np.flatnonzero(levels == level)
            out[:, at] = self.codes[dimension][level][values][:, None] == labels[at]
        self.asked[dimension].narrow(out, cells, [of_level[values] for of_level in self.codes[dimension]])
        return out


class _Asked:
    """The conditions on one dimension, by cell."""

    def __init__(self, only: Conditions, dimension: int, cells: int) -> None:
        at = np.flatnonzero(only.dimension == dimension)
        at = at[np.argsort(only.cell[at], kind="stable")]
        self.level, self.label = only.level[at], only.label[at]
        self.starts = np.searchsorted(only.cell[at], np.arange(cells + 1))

    def narrow(self, out: npt.NDArray[np.bool_], cells: Codes, codes: Sequence[Codes]) -> None:
        """Take from `out` (values, cells) what the conditions do not allow; `codes[level]` are the values' labels."""
        counts = self.starts[cells + 1] - self.starts[cells]
        asking = np.flatnonzero(counts)
        if not len(asking):
            return
        counts = counts[asking]
        first = np.cumsum(counts) - counts
        entry = np.repeat(self.starts[cells[asking]] - first, counts) + np.arange(counts.sum())
        column = np.repeat(np.arange(len(asking)), counts)
        allowed = np.zeros((len(out), len(asking)), dtype=bool)
        for level in np.unique(self.level[entry]):
            at = np.flatnonzero(self.level[entry] == level)
            order = np.argsort(codes[level], kind="stable")
            ranked = codes[level][order]
            low, high = (np.searchsorted(ranked, self.label[entry[at]], side=side) for side in ("left", "right"))
            hits = high - low
            value = order[np.repeat(low - (np.cumsum(hits) - hits), hits) + np.arange(hits.sum())]
            allowed[value, np.repeat(column[at], hits)] = True
        out[:, asking] &= allowed


def _split(job: _Job, tuples: Codes, cells: Codes, depth: int) -> None:
    """`tuples` are sorted by the ranked dimensions and equal in the first `depth`; `cells` cover them there."""
    if not len(cells):
        return
    if depth == len(job.ranked):
        job.found[tuples] = cells[0]
    elif len(cells) * len(tuples) <= _PAIRS:
        step = max(1, min(_TUPLES, _AT_ONCE // len(cells)))
        for start in range(0, len(tuples), step):
            _compare(job, tuples[start : start + step], cells, job.ranked[depth:])
    else:
        dimension = job.ranked[depth]
        values = job.base[dimension][tuples]
        starts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
        for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(values)], strict=True):
            inside = job.covers(dimension, values[start : start + 1], cells)[0]
            _split(job, tuples[start:stop], cells[inside], depth + 1)


def _compare(job: _Job, tuples: Codes, cells: Codes, dimensions: Sequence[int]) -> None:
    width = -(-len(cells) // 64) * 8
    common: npt.NDArray[np.uint8] | None = None
    for dimension in dimensions:
        values, back = np.unique(job.base[dimension][tuples], return_inverse=True)
        bits = np.zeros((len(values), width), dtype=np.uint8)
        packed = np.packbits(job.covers(dimension, values, cells), axis=1, bitorder="little")
        bits[:, : packed.shape[1]] = packed
        common = bits[back] if common is None else common & bits[back]
    assert common is not None  # there is a dimension left
    words = common.view("<u8")
    which = (words != 0).argmax(axis=1)
    word = words[np.arange(len(words)), which]
    lowest = np.bitwise_count((word & (~word + np.uint64(1))) - np.uint64(1)).astype(np.int64)
    hit = np.flatnonzero(word)
    job.found[tuples[hit]] = cells[which[hit] * 64 + lowest[hit]]


# ------------------------------------------------------------------------------------------------------------------- over a frame


@dataclass(frozen=True, slots=True)
class Source:
    """Where a quasi-identifier's labels come from: a value of the row, its logical type, and the levels of its ladder.

    What is released by another action than a generalization has one level, `AsIs` over its released values.
    """

    value: pl.Expr
    kind: DataType
    ladder: tuple[AnyRecode, ...]


def cell_number(classes: Classes, sources: Mapping[str, Source]) -> pl.Expr:
    """Per row the number (Int32) of the first cell of a local recoding that covers it; null where none does.

    `sources` names every quasi-identifier. A function of the row alone: it may be evaluated batch by batch. NaN is null.
    """
    table = _Cells(classes, [sources[name] for name in classes.quasi_identifiers])
    values = [sources[name].value.alias(f"v{place}") for place, name in enumerate(classes.quasi_identifiers)]
    return pl.struct(values).map_batches(table.numbers, return_dtype=pl.Int32, is_elementwise=True)


def cell_label(classes: Classes, name: str, number: pl.Expr) -> pl.Expr:
    """The label (text) of quasi-identifier `name` in a cell; null where there is no cell, or the label is the missing value."""
    place = classes.quasi_identifiers.index(name)
    labels = pl.Series([cell.labels[place] for cell in classes.cells], dtype=pl.String)
    return number.map_batches(lambda cells: labels.gather(cells).alias(cells.name), return_dtype=pl.String, is_elementwise=True)


class _Cells:
    """The cells of a plan with their labels as codes, per dimension and level."""

    def __init__(self, classes: Classes, sources: Sequence[Source]) -> None:
        self.sources = sources
        shape = (len(classes.cells), len(sources))
        self.levels = np.array([cell.levels for cell in classes.cells], dtype=np.int64).reshape(shape)
        self.labels = np.full(shape, NONE, dtype=np.int64)
        self.known: list[dict[int, pl.DataFrame]] = []
        only = [Conditions.none()]
        for place, name in enumerate(classes.quasi_identifiers):
            asked = [(cell, *one) for cell, own in enumerate(classes.cells) for one in own.only.get(name, ())]
            cells, levels, labels = zip(*asked, strict=True) if asked else ((), (), ())
            of_asked = np.array(levels, dtype=np.int64)
            codes = np.full(len(asked), NONE, dtype=np.int64)
            texts = pl.Series("label", [cell.labels[place] for cell in classes.cells], dtype=pl.String)
            more = pl.Series("label", labels, dtype=pl.String)
            known: dict[int, pl.DataFrame] = {}
            for level in np.unique(np.concatenate([self.levels[:, place], of_asked])).tolist():
                at, also = np.flatnonzero(self.levels[:, place] == level), np.flatnonzero(of_asked == level)
                own, other = pl.DataFrame({"label": texts.gather(at)}), pl.DataFrame({"label": more.gather(also)})
                named = pl.concat([own, other]).unique(maintain_order=True)
                known[level] = named.with_columns(code=pl.int_range(pl.len(), dtype=pl.Int64))
                self.labels[at, place] = _coded(own, known[level])
                codes[also] = _coded(other, known[level])
            self.known.append(known)
            only.append(Conditions(np.array(cells, dtype=np.int64), np.full(len(asked), place, dtype=np.int64), of_asked, codes))
        self.only = Conditions.joined(only)

    def numbers(self, rows: pl.Series) -> pl.Series:
        """Numbers of the cells of a batch: distinct values, then distinct tuples of what the cells can tell apart."""
        if not len(self.labels):
            return pl.Series(rows.name, [None], dtype=pl.Int32).new_from_index(0, len(rows))
        frame = rows.alias("rows").struct.unnest()
        places, codes = [], []
        for place, source in enumerate(self.sources):
            at, of_level = self._values(frame.get_column(f"v{place}").alias("v"), source, self.known[place])
            places.append(pl.Series(f"b{place}", at))
            codes.append(of_level)
        tuples = pl.DataFrame(places)
        distinct = tuples.unique(maintain_order=True)
        base = [distinct[name].to_numpy() for name in distinct.columns]
        found = pl.Series(first_cover(self.levels, self.labels, codes, base, self.only))
        distinct = distinct.with_columns(found.cast(pl.Int32).alias("cell"))
        numbers = tuples.join(distinct, on=tuples.columns, how="left", maintain_order="left")["cell"]
        return pl.select(pl.when(numbers >= 0).then(numbers)).to_series().alias(rows.name)

    def _values(self, values: pl.Series, source: Source, known: Mapping[int, pl.DataFrame]) -> tuple[Codes, list[Codes]]:
        """Base code of each row, and per level the label code of each base code."""
        if values.dtype.is_float():
            values = values.fill_nan(None)
        distinct = pl.DataFrame({"v": values}).unique(maintain_order=True)
        labels = {level: _coded(distinct.select(_text("v", source, level).alias("label")), known[level]) for level in known}
        told = pl.DataFrame({f"l{level}": codes for level, codes in labels.items()})
        kinds = told.unique(maintain_order=True).with_row_index("b")
        base = told.join(kinds, on=told.columns, how="left", maintain_order="left")["b"]
        rows = pl.DataFrame({"v": values}).join(
            distinct.with_columns(b=base.cast(pl.Int64)), on="v", how="left", nulls_equal=True, maintain_order="left"
        )
        none = np.full(max(1, len(kinds)), NONE, dtype=np.int64)
        of_level = [kinds[f"l{level}"].to_numpy() if level in known else none for level in range(max(known) + 1)]
        return rows["b"].to_numpy(), of_level


def _text(name: str, source: Source, level: int) -> pl.Expr:
    """A value's label at a level, as text: what is no text is in its canonical form."""
    recode = source.ladder[level]
    if isinstance(recode, AsIs) and source.kind not in {DataType.TEXT, DataType.EMPTY}:
        return canonical(name, source.kind)
    return recode_expression(name, source.kind, recode).cast(pl.String)


def _coded(labels: pl.DataFrame, known: pl.DataFrame) -> Codes:
    """Codes of the column `label`, `NONE` for labels that no cell has."""
    joined = labels.join(known, on="label", how="left", nulls_equal=True, maintain_order="left")
    return joined["code"].fill_null(NONE).to_numpy()

"""The search space of one table: its quasi-identifiers as ladders with labels in numbers, and its rows as distinct tuples of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tamis.core.actions import AnyAction, AnyRecode, AsIs, Generalize, Synthesize
from tamis.core.plan import Classes, ColumnPlan, TablePlan
from tamis.core.types import DataType, Role, Table, TableProfile
from tamis.encoding import canonical
from tamis.models import Codes, Criteria
from tamis.recode import recode_expression
from tamis.search.axes import Axis, build_axes, cut, dense, dimension, released_form, with_ladder
from tamis.search.categories import Known, Values, category_ladder, pool_rung
from tamis.search.groups import Floats
from tamis.search.known import determined, matching
from tamis.search.ladders import FINE_LIMIT, Hierarchies, Hierarchy, Ladder, file_ladder, level_range, plain_ladder
from tamis.search.literals import counted
from tamis.search.tuples import Dimension, Sensitive, Tuples

_BUCKETS = 24
"""labels of another column that company is told apart by"""


@dataclass(frozen=True, slots=True)
class Space:
    """What a search works on, and how its numbers read."""

    axes: tuple[Axis, ...]
    dimensions: tuple[Dimension, ...]
    tuples: Tuples
    offsets: tuple[int, ...]
    """per dimension the level of its lowest rung: above 0 where a person pinned it"""
    heights: tuple[int, ...]
    """per dimension its highest level, whatever a person left of it"""
    sensitive: Mapping[str, tuple[AnyRecode, ...]]
    """ancestors of sensitive values (hierarchical distance): recodings of the released value, level 1 upwards"""


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything a space is built from."""

    table: Table
    plan: TablePlan
    profile: TableProfile
    actions: Mapping[str, AnyAction]
    """those that are resolved"""
    hierarchies: Hierarchies
    known: Mapping[str, Hierarchy]
    population: pl.LazyFrame | None = None

    @property
    def classes(self) -> Classes:
        """The disclosure model."""
        assert self.plan.classes is not None  # by the caller
        return self.plan.classes

    @property
    def columns(self) -> tuple[ColumnPlan, ...]:
        """The quasi-identifiers."""
        return tuple(self.plan.column(name) for name in self.classes.quasi_identifiers)

    def open_action(self, column: ColumnPlan) -> Generalize | None:
        """The generalization whose level the search chooses; None where the form is decided."""
        action = column.action
        return action if isinstance(action, Generalize) and column.name not in self.actions else None


def build_space(asked: Asked) -> Space:
    """Ladders, labels and tuples; the table is streamed, memory is that of its distinct tuples."""
    first: dict[str, Ladder] = {}
    frequent: dict[str, pl.DataFrame] = {}
    for column in asked.columns:
        first[column.name] = _first_ladder(asked, column, frequent)
    axes = build_axes(asked.table, asked.columns, asked.actions, first, asked.population)
    frame = _tuples(asked, axes)
    codes = [frame[f"q{place}"].cast(pl.Int64).to_numpy() for place in range(len(axes))]
    rows = frame["rows"].cast(pl.Int64).to_numpy()
    axes = _with_categories(asked, axes, frequent, codes, rows)
    dimensions, kept, offsets, heights = [], [], [], []
    for axis in axes:
        whole, own = dimension(axis)
        low, high = level_range(len(whole.codes), asked.open_action(axis.column), axis.column.name)
        part, left = cut(whole, own, low, high)
        dimensions.append(part)
        kept.append(left)
        offsets.append(low)
        heights.append(len(whole.codes) - 1)
    sensitive, ancestors = _sensitive(asked, frame)
    tuples = Tuples(
        base=tuple(codes),
        rows=rows,
        criteria=Criteria.of(asked.classes),
        persons=dense(frame["unit"]) if asked.classes.unit else None,
        sensitive=sensitive,
        population=None if asked.population is None else _population(asked.population, axes),
    )
    return Space(tuple(kept), tuple(dimensions), tuples, tuple(offsets), tuple(heights), ancestors)


def _first_ladder(asked: Asked, column: ColumnPlan, frequent: dict[str, pl.DataFrame]) -> Ladder:
    """The whole ladder where the column alone decides about it; of categories the finest rung, and their frequent values noted."""
    action = asked.open_action(column)
    if action is None:
        decided = asked.actions.get(column.name, column.action)
        return Ladder((decided.recode,) if isinstance(decided, Generalize) and decided.recode is not None else (AsIs(),))
    if action.hierarchy is not None:
        return file_ladder(action.hierarchy, asked.hierarchies(action.hierarchy))
    profile, k, unit = asked.profile.column(column.name), asked.classes.k, asked.plan.unit
    plain = plain_ladder(asked.table, column, action, profile, k, unit, local=asked.classes.recoding == "local")
    if plain is not None:
        return plain
    frequent[column.name] = counted(asked.table, column.name, unit, least=k)
    return Ladder((pool_rung(frequent[column.name]) if profile.distinct > FINE_LIMIT else AsIs(),))


def _tuples(asked: Asked, axes: Sequence[Axis]) -> pl.DataFrame:
    base = [axis.code().alias(f"q{place}") for place, axis in enumerate(axes)]
    unit = asked.classes.unit
    who = [canonical(unit, asked.table.type_of(unit)).alias("unit")] if unit else []
    what = [_sensitive_form(asked, column).alias(f"s{place}") for place, column in enumerate(_guarded(asked))]
    selected = asked.table.frame.select([*base, *who, *what])
    return selected.group_by(selected.collect_schema().names()).agg(rows=pl.len()).collect(engine="streaming")


# ---------------------------------------------------------------------------------------------------------------------- categories


def _with_categories(
    asked: Asked, axes: Sequence[Axis], frequent: Mapping[str, pl.DataFrame], codes: Sequence[Codes], rows: Codes
) -> tuple[Axis, ...]:
    """The axes with the ladders of categories, which are grouped by what they occur with in the other columns."""
    if not frequent:
        return tuple(axes)
    counts = [
        np.bincount(code, weights=rows, minlength=axis.labels.height).astype(np.int64) for axis, code in zip(axes, codes, strict=True)
    ]
    buckets = [_buckets(axis, count) for axis, count in zip(axes, counts, strict=True)]
    out = []
    for place, axis in enumerate(axes):
        name = axis.column.name
        if name not in frequent:
            out.append(axis)
            continue
        texts = axis.texts(0)
        values = Values(texts.to_list(), counts[place], _company(place, codes, rows, buckets))
        known = _known(asked, axis, frequent[name], texts)
        action = axis.action
        order = action.order if isinstance(action, Generalize) else None
        pooled = not isinstance(axis.ladder.recodes[0], AsIs)
        out.append(
            with_ladder(
                axis,
                category_ladder(frequent[name], values, known=known, order=order, pooled=pooled, local=asked.classes.recoding == "local"),
            )
        )
    return tuple(out)


def _known(asked: Asked, axis: Axis, frequent: pl.DataFrame, texts: pl.Series) -> Known | None:
    """What is known of the values: columns that they determine (places), or a hierarchy of ours that has nearly all of them."""
    quasi = {column.name for column in asked.plan.columns if column.role is Role.QUASI and column.type is DataType.TEXT}
    return determined(asked.table, asked.profile, axis.column.name, frequent, quasi, asked.known) or matching(texts, frequent, asked.known)


def _buckets(axis: Axis, rows: Codes) -> Codes:
    """Per label one of at most `_BUCKETS` numbers: by a rung that has so few labels, else the commonest labels and the rest."""
    for level in range(len(axis.ladder.recodes)):
        labels = dense(axis.at(level)) if level else np.arange(axis.labels.height)
        if int(labels.max(initial=-1)) < _BUCKETS and (not level or int(labels.max(initial=0)) > 0):
            return labels
    ranked = np.lexsort((np.arange(len(rows)), -rows))
    out = np.full(len(rows), _BUCKETS - 1, dtype=np.int64)
    out[ranked[: _BUCKETS - 1]] = np.arange(min(len(rows), _BUCKETS - 1))
    return out


def _company(
    place: int, codes: Sequence[Codes], rows: Codes, buckets: Sequence[Codes]
) -> Callable[[Codes, int], tuple[Floats, tuple[int, ...]]]:
    others = [other for other in range(len(codes)) if other != place]

    def counts(of: Codes, groups: int) -> tuple[Floats, tuple[int, ...]]:
        group = of[codes[place]]
        inside = group >= 0
        blocks = []
        for other in others:
            width = int(buckets[other].max(initial=0)) + 1
            key = group[inside] * width + buckets[other][codes[other][inside]]
            blocks.append(np.bincount(key, weights=rows[inside], minlength=groups * width).reshape(groups, width).astype(np.float64))
        together = np.concatenate(blocks, axis=1) if blocks else np.zeros((groups, 0))
        return together, tuple(block.shape[1] for block in blocks)

    return counts


# ----------------------------------------------------------------------------------------------------------- sensitive, population


def _guarded(asked: Asked) -> tuple[ColumnPlan, ...]:
    """Sensitive columns that leave with their own values: diversity and closeness are about these."""
    if asked.classes.l is None and asked.classes.t is None:
        return ()
    return tuple(c for c in asked.plan.released if c.role is Role.SENSITIVE and not isinstance(c.action, Synthesize))


def _sensitive_form(asked: Asked, column: ColumnPlan) -> pl.Expr:
    action = asked.actions.get(column.name, column.action)
    recode = action.recode if isinstance(action, Generalize) and action.recode is not None else AsIs()
    return released_form(column, action, recode)


def _sensitive(asked: Asked, frame: pl.DataFrame) -> tuple[tuple[Sensitive, ...], dict[str, tuple[AnyRecode, ...]]]:
    """Released values as numbers in their order, with ranks where the distance needs them, or ancestors."""
    out: list[Sensitive] = []
    ancestors: dict[str, tuple[AnyRecode, ...]] = {}
    for place, column in enumerate(_guarded(asked)):
        values = frame[f"s{place}"]
        codes = dense(values)
        order = None
        parents: tuple[Codes, ...] = ()
        distinct = pl.DataFrame({"code": codes, "value": values}).unique("code").sort("code")
        if asked.classes.distance == "ordered" and values.dtype not in (pl.String, pl.Boolean):
            order = distinct["code"].to_numpy()
        action = column.action
        if asked.classes.distance == "hierarchical" and isinstance(action, Generalize) and action.hierarchy:
            maps = _ancestors(action, asked.hierarchies(action.hierarchy))
            ancestors[column.name] = maps
            texts = distinct.select(pl.col("value").cast(pl.String))
            parents = tuple(dense(texts.select(recode_expression("value", DataType.TEXT, recode)).to_series()) for recode in maps)
        out.append(Sensitive(codes, order, parents))
    return tuple(out), ancestors


def _ancestors(action: Generalize, hierarchy: Hierarchy) -> tuple[AnyRecode, ...]:
    """From the label at the released level to its ancestors."""
    ladder = file_ladder(action.hierarchy or "", hierarchy)
    below = action.level if action.level is not None else 1 if action.to == "hierarchy" else 0
    if not below:
        return ladder.recodes[1:-1]
    out: list[AnyRecode] = []
    height = max(len(levels) for levels in hierarchy.values())
    for level in range(below, height):
        pairs = {levels[below - 1]: levels[level] for levels in hierarchy.values()}
        if len(set(pairs.values())) > 1:
            out.append(ladder.recodes[1].model_copy(update={"parents": tuple(sorted(pairs.items()))}))
    return tuple(out)


def _population(population: pl.LazyFrame, axes: Sequence[Axis]) -> tuple[tuple[Codes, ...], Codes]:
    names = [f"q{place}" for place in range(len(axes))]
    counts = population.select([axis.code().alias(name) for axis, name in zip(axes, names, strict=True)]).group_by(names).agg(rows=pl.len())
    frame = counts.collect(engine="streaming")
    return tuple(frame[name].cast(pl.Int64).to_numpy() for name in names), frame["rows"].cast(pl.Int64).to_numpy()

"""Disclosure risk of a written table: equivalence classes on its quasi-identifiers, counted in persons where a unit is declared.

Definitions
- k: size of the smallest class (k-anonymity, Sweeney 2002, IJUFKS 10(5):557).
- l: smallest number of distinct values of a sensitive attribute in a class (distinct l-diversity, Machanavajjhala et al. 2007,
  TKDD 1(1):3).
- t: largest distance between a class's distribution of a sensitive attribute and the table's (t-closeness, Li, Li and
  Venkatasubramanian 2007, ICDE), with equal ground distance, i.e. total variation; for ordered attributes that is an upper bound.
- average: expected share of persons a linking attacker matches rightly, classes / persons (marketer risk, Dankar and El Emam 2010).

Assumptions: the attacker knows the quasi-identifiers, exactly, and nothing else; the release is the population. Null is a value like
any other and NaN is null: a blank cell is a class of its own, never a wildcard. A suppressed row is not in the table and in no class.
What this does not protect from: an attacker who knows other columns, who joins tables (see joined.py), or to whom it suffices that
all of a class share one sensitive value (k without l).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from tamis.core.actions import AsIs, Generalize
from tamis.core.plan import TablePlan
from tamis.core.record import ClassSizes, Measure
from tamis.recode import exact_column, recode_expression
from tamis.verify.frames import compact, picked, rounded
from tamis.verify.shapes import Shape

_PERSONS_AT_ONCE = 2_500_000
BANDS = (("1", 1, 1), ("2-4", 2, 4), ("5-9", 5, 9), ("10-49", 10, 49), ("50+", 50, None))


@dataclass(frozen=True, slots=True)
class Risk:
    """Figures of one table."""

    sizes: ClassSizes
    measures: tuple[Measure, ...]


def table_risk(frame: pl.LazyFrame, shape: Shape, k: int, *, before: pl.LazyFrame | None = None, plan: TablePlan | None = None) -> Risk:
    """Risk of a released table. `shape.quasi` must not be empty.

    When the column that names a person is not released, persons per class are counted on the recoded input (`before`, `plan`): then
    the release alone is not enough to recompute them.
    """
    hidden = shape.hidden_unit is not None and before is not None and plan is not None
    classes = _classes(frame, shape.quasi, shape.unit)
    if hidden:
        assert before is not None  # narrows
        assert plan is not None
        classes = _persons_of_input(classes, before, plan, shape)
    sizes = _sizes(classes, shape, k, unit=shape.hidden_unit if hidden else shape.unit)
    note = "" if sizes.rows else "no rows"
    at = f"@{shape.name}"
    persons = round(sizes.average * sizes.classes)

    def measure(name: str, value: float, of: int) -> Measure:
        return Measure(name=name + at, value=rounded(value), of=of, verifiable=not hidden, note=note)

    measures = [
        measure("risk.k", sizes.k, sizes.rows),
        measure("risk.unique_share", sizes.unique_rows / sizes.rows if sizes.rows else 0.0, sizes.rows),
        measure("risk.average", sizes.classes / persons if persons else 0.0, persons),
    ]
    if shape.sensitive:
        diversity, distance = _sensitive(frame, shape)
        measures.append(Measure(name="risk.l" + at, value=diversity, of=sizes.rows, verifiable=True, note=note))
        measures.append(Measure(name="risk.t" + at, value=rounded(distance), of=sizes.rows, verifiable=True, note=note))
    return Risk(sizes, tuple(measures))


def input_risk(frame: pl.LazyFrame, name: str, quasi: Sequence[str], unit: str | None, k: int) -> Risk:
    """The same of the input table; its measures are internal."""
    shape = Shape(name, tuple(quasi), (), unit, None, True, ())
    sizes = _sizes(_classes(frame, shape.quasi, unit), shape, k, unit=unit)
    share = sizes.unique_rows / sizes.rows if sizes.rows else 0.0
    return Risk(
        sizes,
        (
            Measure(name=f"risk.k_before@{name}", value=sizes.k, of=sizes.rows, internal=True),
            Measure(name=f"risk.unique_share_before@{name}", value=rounded(share), of=sizes.rows, internal=True),
        ),
    )


def _classes(frame: pl.LazyFrame, quasi: Sequence[str], unit: str | None) -> pl.LazyFrame:
    """One row per class: its values `c…`, its `rows`, and `n`, the persons (rows without a unit). Null units are one person."""
    keys = [f"c{i}" for i in range(len(quasi))]
    if unit is None:
        return picked(frame, quasi).group_by(keys).agg(rows=pl.len().cast(pl.Int64)).with_columns(n=pl.col("rows"))
    frame = picked(frame, [*quasi, unit]).with_columns(compact(pl.col(f"c{len(quasi)}")).alias("person")).select(*keys, "person")
    return _persons(frame, keys)


def _persons(frame: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """Rows and distinct `person`s of each class, in passes over a share of the persons each: memory is bounded."""
    rows = int(frame.select(pl.len()).collect(engine="streaming").item())
    passes = max(1, -(-rows // _PERSONS_AT_ONCE))
    found = []
    for number in range(passes):
        some = frame if passes == 1 else frame.filter(pl.col("person").fill_null(0) % passes == number)
        pairs = some.group_by([*keys, "person"]).agg(rows=pl.len().cast(pl.Int64))
        found.append(pairs.group_by(keys).agg(pl.col("rows").sum(), n=pl.len().cast(pl.Int64)).collect(engine="streaming"))
    classes = pl.concat(found).lazy()
    return classes if passes == 1 else classes.group_by(keys).agg(pl.col("rows").sum(), pl.col("n").sum())


def _persons_of_input(classes: pl.LazyFrame, before: pl.LazyFrame, plan: TablePlan, shape: Shape) -> pl.LazyFrame:
    """Persons per released class where the release does not name persons, as a lower bound.

    The input is recoded as planned: a class has at least the persons it has there, less one for each of its rows that is not in the
    release. A class not found there, or of more rows than there, counts as one person.
    """
    assert shape.hidden_unit is not None  # narrows
    recoded = []
    for index, name in enumerate(shape.quasi):
        column = plan.column(name)
        recode = column.action.recode if isinstance(column.action, Generalize) and column.action.recode is not None else AsIs()
        recoded.append(recode_expression(name, column.type, recode).alias(f"c{index}"))
    keys = [f"c{i}" for i in range(len(shape.quasi))]
    frame = before.select(*recoded, compact(exact_column(shape.hidden_unit)).alias("person"))
    source = _persons(frame, keys).rename({"rows": "rows_in", "n": "n_in"})
    lost = pl.col("rows_in") - pl.col("rows")
    persons = pl.when(lost >= 0).then((pl.col("n_in") - lost).clip(1)).otherwise(1)
    types = classes.collect_schema()
    source = source.with_columns(pl.col(key).cast(types[key]) for key in keys)
    return classes.drop("n").join(source, on=keys, how="left", nulls_equal=True).with_columns(n=persons.fill_null(1))


def _sizes(classes: pl.LazyFrame, shape: Shape, k: int, *, unit: str | None) -> ClassSizes:
    n, rows = pl.col("n"), pl.col("rows")
    bands = [rows.filter((n >= low) & (n <= high) if high else n >= low).sum().alias(label) for label, low, high in BANDS]
    total = classes.select(
        pl.len().alias("classes"),
        n.min().fill_null(0).alias("k"),
        n.sum().alias("persons"),
        rows.sum().alias("rows"),
        rows.filter(n < k).sum().alias("below"),
        *bands,
    ).collect(engine="streaming")
    figure = {name: int(value) for name, value in total.row(0, named=True).items()}
    return ClassSizes(
        table=shape.name,
        quasi_identifiers=shape.quasi,
        unit=unit,
        rows=figure["rows"],
        classes=figure["classes"],
        k=figure["k"],
        average=rounded(figure["persons"] / figure["classes"]) if figure["classes"] else 0.0,
        unique_rows=figure["1"],
        below_k=figure["below"],
        sizes=tuple((label, figure[label]) for label, _, _ in BANDS),
    )


def _sensitive(frame: pl.LazyFrame, shape: Shape) -> tuple[int, float]:
    """Smallest l and largest t over the sensitive columns and classes; rows are counted, null is a value."""
    keys = [f"c{i}" for i in range(len(shape.quasi))]
    least, farthest = None, 0.0
    for name in shape.sensitive:
        joint = picked(frame, [*shape.quasi, name]).rename({f"c{len(keys)}": "s"}).group_by([*keys, "s"]).agg(n=pl.len().cast(pl.Int64))
        counted = joint.collect(engine="streaming")
        if not counted.height:
            continue
        total = counted["n"].sum()
        share = pl.col("n") / pl.col("class") - pl.col("all") / total
        figures = (
            counted.lazy()
            .with_columns(pl.col("n").sum().over(keys).alias("class"), pl.col("n").sum().over("s").alias("all"))
            .group_by(keys)
            .agg(pl.len().alias("l"), share.clip(0).sum().alias("t"))
            .select(pl.col("l").min(), pl.col("t").max())
            .collect()
        )
        least = min(int(figures["l"].item()), least) if least is not None else int(figures["l"].item())
        farthest = max(farthest, float(figures["t"].item()))
    return least or 0, farthest

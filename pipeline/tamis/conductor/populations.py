"""The declared population: read once, shown to each table under the names and in the types of its quasi-identifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from tamis.conductor.inputs import working_on
from tamis.core.errors import PlanError, PolicyError, TamisError, clean_name
from tamis.core.plan import Plan, TablePlan
from tamis.core.policy import Privacy
from tamis.core.ports import Progress
from tamis.core.types import DataType, Table
from tamis.encoding import exact_column
from tamis.read import discover, read_table

_PHYSICAL = {DataType.INTEGER: pl.Int64(), DataType.NUMBER: pl.Float64(), DataType.TEXT: pl.String(), DataType.EMPTY: pl.String()}


def load_population(privacy: Privacy, base: Path, progress: Progress) -> Table | None:
    """The policy's population, None when it declares none. `base` is the folder its path is relative to.

    Raises PolicyError when it cannot be read.
    """
    if privacy.population is None:
        return None
    stated = privacy.population.source
    with progress.stage("read", "population"):
        try:
            files = tuple(path for paths in discover([stated], base=base).values() for path in paths)
            return read_table("population", files, privacy.population.read)
        except TamisError as error:
            raise PolicyError(
                "no_population", f"The population cannot be read (privacy.population): {error.message}", hint=error.hint
            ) from None


def columns_of(population: Table | None) -> Mapping[str, DataType] | None:
    """Names and types, for the plan's checks."""
    return None if population is None else {column.name: column.type for column in population.columns}


def populations(population: Table | None, plan: Plan) -> dict[str, pl.LazyFrame]:
    """Per table with quasi-identifiers the population on exactly these. Raises PlanError where a column is missing."""
    if population is None:
        return {}
    with working_on([population]):
        return {table.name: _on(population, plan.privacy, table) for table in plan.tables if table.classes is not None}


def _on(population: Table, privacy: Privacy, table: TablePlan) -> pl.LazyFrame:
    names = privacy.population.columns if privacy.population else {}
    quasi: Sequence[str] = table.classes.quasi_identifiers if table.classes else ()
    known = {column.name: column.type for column in population.columns}
    missing = [name for name in quasi if names.get(name, name) not in known]
    if missing:
        raise PlanError(
            "other_population",
            f"The population has no column for the quasi-identifier '{clean_name(missing[0])}' of '{clean_name(table.name)}'.",
            hint="It is not the population that the plan was made with: plan again.",
        )
    return population.frame.select(_typed(names.get(name, name), known, table.column(name).type).alias(name) for name in quasi)


def _typed(name: str, known: Mapping[str, DataType], kind: DataType) -> pl.Expr:
    """The column in the type that the table has: equal values must be equal."""
    own = exact_column(name)
    if known[name] is kind and kind not in _PHYSICAL:
        return own
    if kind is DataType.DATE:
        return own.cast(pl.Date)
    if kind is DataType.DATETIME:
        return own.cast(pl.Datetime("us"))
    return own.cast(_PHYSICAL[kind]) if kind in _PHYSICAL else own

"""Shadow releases: the same plan on 80 % of the persons, for attacks that need people who were not used (decision 14).

Held in memory and never written. Free text is left out of them: redacting it again would cost more than all attacks, and what redaction
leaves is judged by the leak scan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from tamis.core.actions import Drop, Redact
from tamis.core.plan import Plan, TablePlan
from tamis.core.ports import KeyRing
from tamis.core.types import Column, Table
from tamis.encoding import WORDS, exact_column, with_row_words
from tamis.transform import apply_table
from tamis.verify import Shadow
from tamis.verify.relabel import label, with_cells
from tamis.verify.sides import row_hash

FEWEST = 250
"""rows of a table without which there are too few people on either side"""
_ORDER = "__tamis_order"
_PARTS = 1_000_003


def make_shadows(
    plan: Plan,
    tables: Mapping[str, Table],
    order: Sequence[TablePlan],
    keyring: KeyRing,
    scope: str,
    populations: Mapping[str, pl.LazyFrame],
) -> dict[str, Shadow]:
    """Per table with enough rows its shadow; `order` are the plan's tables, parents before children.

    Persons are chosen by a keyed hash. Of a table with more than `plan.attacks.rows` rows some classes of equal quasi-identifiers are
    taken, each with all its rows, so that the classes are as large as in the release.
    """
    hidden = plan.model_copy(update={"tables": tuple(_shadow_plan(table) for table in plan.tables)})
    suppressed: dict[tuple[str, str], pl.Series] = {}
    found: dict[str, Shadow] = {}
    for stated in order:
        table = tables[stated.name]
        if not hidden.table(stated.name).released or table.rows < FEWEST:
            continue
        people = _people(table, stated, keyring, plan.attacks.rows)
        member = (people[WORDS[2]] % 5 != 0).to_numpy()
        known = people.select(pl.col(f"c{place}").alias(column.name) for place, column in enumerate(table.columns))
        used = replace(table, frame=known.filter(pl.Series(member)).lazy(), rows=int(member.sum()), hold=(), locations=())
        population = populations.get(stated.name)
        done = apply_table(used, hidden, keyring=keyring, scope=scope, suppressed=suppressed, population=population)
        suppressed |= {(stated.name, column): values for column, values in done.suppressed_keys.items()}
        released = done.frame.collect(engine="streaming").sort(_ORDER)
        row = np.flatnonzero(member)[released[_ORDER].to_numpy()]
        found[stated.name] = Shadow(
            table=replace(table, frame=known.lazy(), rows=known.height, hold=(), locations=()),
            person=people[WORDS[0]].to_numpy(),
            member=member,
            released=released.drop(*WORDS, _ORDER),
            row=row.astype(np.int64),
        )
    return found


def _shadow_plan(table: TablePlan) -> TablePlan:
    """Rows tell where they come from, which the judge of an attack must know; no free text."""
    columns = tuple(
        column.model_copy(update={"action": Drop()}) if isinstance(column.action, Redact) else column for column in table.columns
    )
    return table.model_copy(update={"columns": columns, "keep_order": "attacks"})


def _people(table: Table, plan: TablePlan, keyring: KeyRing, limit: int) -> pl.DataFrame:
    """The rows, columns `c0`, `c1`, …, with the keyed words of their person, in the order of these."""
    unit = plan.unit or (plan.classes.unit if plan.classes else None)
    names = [f"c{place}" for place in range(len(table.columns))]
    safe = [Column(name, column.type) for name, column in zip(names, table.columns, strict=True)]
    who = [one for one, column in zip(safe, table.columns, strict=True) if unit is None or column.name == unit]
    quasi = plan.classes.quasi_identifiers if plan.classes else ()
    values = [exact_column(column.name).alias(name) for name, column in zip(names, table.columns, strict=True)]
    if not quasi or table.rows <= limit:
        rows = with_row_words(table.frame.select(values), who or safe, keyring, use="attacks")
        if table.rows > limit:
            rows = rows.bottom_k(limit, by=list(WORDS))
    else:
        labels = row_hash([label(plan.column(name), plan) for name in quasi]).alias("class")
        some = with_cells(table.frame, plan).select(*values, labels)
        some = some.filter(pl.col("class") % _PARTS < int(_PARTS * limit / table.rows)).drop("class")
        rows = with_row_words(some, who or safe, keyring, use="attacks").bottom_k(2 * limit, by=list(WORDS))
    sortable = [name for name, column in zip(names, table.columns, strict=True) if column.type.value not in ("binary", "empty")]
    return rows.collect(engine="streaming").sort([*WORDS, *sortable], nulls_last=True)

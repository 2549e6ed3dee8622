"""Simulated attacks on a release, each with a baseline or a control group, an interval and a stated size. Seeded: same figures every time.

What they do not show: attackers with other knowledge than released columns, and anything about tables with fewer than 50 persons on
either side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from tamis.core.errors import clean_name
from tamis.core.plan import Plan, TablePlan
from tamis.core.record import Measure
from tamis.core.types import DatasetProfile, Table
from tamis.verify.attacks.guessing import inference, membership, model_attacks
from tamis.verify.attacks.order import order_linkage
from tamis.verify.attacks.singling import Knowledge, linkability, linkage, singling_out
from tamis.verify.attacks.view import Shadow, View

__all__ = ["Shadow", "attack_tables"]
_SETS = 6


def attack_tables(
    before: Mapping[str, Table],
    after: Mapping[str, pl.LazyFrame],
    shadows: Mapping[str, Shadow],
    plan: Plan,
    profile: DatasetProfile,
) -> list[Measure]:
    """All attack figures: of position from the written files, all others on the shadow releases (tables without one have none)."""
    out: list[Measure] = []
    for table in plan.tables:
        if not table.released:
            continue
        out += order_linkage(before[table.name], after[table.name], table)
        shadow = shadows.get(table.name)
        view = View.of(shadow, table) if shadow is not None else None
        if shadow is not None and view is not None:
            named, _, column = (plan.target or "").partition(".")
            out += attack_view(table, view, shadow.member, profile, column if named == table.name else None)
    return out


def attack_view(table: TablePlan, view: View, used: np.ndarray, profile: DatasetProfile, target: str | None = None) -> list[Measure]:
    """The figures of one table: `used` says per row whether its person was used; `target` is the column that models predict."""
    inside, other = knowledge(table, view, profile)
    out: list[Measure] = []
    if inside:
        out += linkage(table.name, "attack.linkage", view, inside)
        single = [((place,), "a predicate of one column") for place in sorted({c for known, _ in inside for c in known})]
        out += singling_out(table.name, "attack.singling_out", view, [*inside, *single], used)
    out += linkage(table.name, "attack.linkage_all", view, other)
    out += singling_out(table.name, "attack.singling_out_all", view, other, used)
    out += linkability(table.name, view)
    quasi = sorted({c for known, _ in inside for c in known})
    out += inference(table.name, view, quasi)
    out += membership(table.name, view)
    out += model_attacks(table.name, view, target)
    return out


def knowledge(table: TablePlan, view: View, profile: DatasetProfile) -> tuple[list[Knowledge], list[Knowledge]]:
    """What attackers know: (sets of the plan's quasi-identifiers, other sets). The profile's sets that single most people out come first;

    the last of the others is every released column of a target.
    """
    places = {side.name: place for place, side in enumerate(view.sides)}
    quasi = set(table.classes.quasi_identifiers if table.classes else ())
    inside, other = list[Knowledge](), list[Knowledge]()
    search = profile.singling(table.name)
    for found in sorted(search.sets if search else (), key=lambda one: (-one.below_k, one.columns))[:_SETS]:
        columns = tuple(places[name] for name in found.columns if name in places)
        if columns:
            why = f"knows ({_names(found.columns)}): singles {found.below_k:.0%} of persons out in the input"
            (inside if set(found.columns) <= quasi else other).append((columns, why))
    whole = tuple(place for name, place in places.items() if name in quasi)
    if whole:
        inside.append((whole, "knows all quasi-identifiers"))
    other.append((tuple(places.values()), "knows every released column"))
    return inside, other


def _names(columns: Sequence[str]) -> str:
    return ", ".join(clean_name(name, 40) for name in columns[:6])

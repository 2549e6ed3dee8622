"""What is known of a column's values beforehand: hierarchies that come with tamis, and columns of the table that its values determine."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from tamis.core.types import Table, TableProfile
from tamis.encoding import canonical
from tamis.search.categories import Known
from tamis.search.ladders import Hierarchy

_NEARLY_ALL = 0.9
"""share of the distinct values that a hierarchy must know"""
_NEARLY_ALL_ROWS = 0.98
_EXACT = 0.002
"""share of the rows in which a value may have another parent than the commonest one (mistyped cells)"""
_COARSER = 0.7
"""a parent column has at most so many times the values"""


def matching(texts: pl.Series, frequent: pl.DataFrame, known: Mapping[str, Hierarchy]) -> Known | None:
    """The hierarchy that knows nearly all values (letter case aside), with the fewest values of its own; None when there is none."""
    values = texts.drop_nulls().unique()
    if len(values) < 2 or frequent.is_empty():
        return None
    rows = max(1, int(frequent["rows"].sum()))
    for name in sorted(known, key=lambda name: (len(known[name]), name)):
        listed = {value.casefold(): levels for value, levels in known[name].items()}
        lower = list({value.lower() for value in listed} | set(known[name]))
        hits = int((values.is_in(list(known[name])) | values.str.to_lowercase().is_in(lower)).sum())
        covered = frequent.filter(pl.col("value").str.to_lowercase().is_in(lower) | pl.col("value").is_in(list(known[name])))
        if hits < _NEARLY_ALL * len(values) or int(covered["rows"].sum()) < _NEARLY_ALL_ROWS * rows:
            continue
        parents = dict(known[name])
        parents |= {
            value: listed[value.casefold()] for value in covered["value"].to_list() if value.casefold() in listed and value not in parents
        }
        return Known(_without_root(parents), public=True)
    return None


def _without_root(parents: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Without the levels at the top that have one label for all."""
    height = max((len(levels) for levels in parents.values()), default=0)
    while height and len({levels[height - 1] for levels in parents.values()}) == 1:
        height -= 1
    return {value: levels[:height] for value, levels in parents.items()}


def determined(
    table: Table, profile: TableProfile, name: str, frequent: pl.DataFrame, quasi: set[str], known: Mapping[str, Hierarchy]
) -> Known | None:
    """Ancestors from columns that this one determines: city, then state, then country; the last one's hierarchy on top if one knows it.

    Only quasi-identifiers of text are parents, and only those with clearly fewer values. Values of fewer than k persons are not listed.
    """
    own = profile.column(name)
    found = [one for one in profile.dependencies if one.determinant == name and one.g3 <= _EXACT and not one.one_to_one]
    if own.determined_by is not None or not found:
        found = [one for one in found if one.dependent != own.determined_by]
    coarser = [
        one.dependent for one in found if one.dependent in quasi and 2 <= profile.column(one.dependent).distinct <= _COARSER * own.distinct
    ]
    chain = sorted(coarser, key=lambda other: (-profile.column(other).distinct, other))
    parents: dict[str, tuple[str, ...]] = dict.fromkeys(frequent["value"].to_list(), ())
    for other in chain:
        above = _commonest(table, name, other, list(parents))
        if set(above) != set(parents) or not _nests(parents, above):
            continue
        parents = {value: (*levels, above[value]) for value, levels in parents.items()}
    if not any(parents.values()):
        return None
    top = pl.Series(sorted({levels[-1] for levels in parents.values()}), dtype=pl.String)
    further = matching(top, pl.DataFrame({"value": top, "rows": [1] * len(top)}), known)
    if further is not None:
        parents = {value: (*levels, *further.parents.get(levels[-1], ())) for value, levels in parents.items()}
        if len({len(levels) for levels in parents.values()}) > 1:
            least = min(len(levels) for levels in parents.values())
            parents = {value: levels[:least] for value, levels in parents.items()}
    return Known(_without_root(parents), public=False)


def _commonest(table: Table, name: str, other: str, values: list[str]) -> dict[str, str]:
    """Per value the commonest value of the other column."""
    pair = [canonical(name, table.type_of(name)).alias("value"), canonical(other, table.type_of(other)).alias("parent")]
    pairs = (
        table.frame.select(pair)
        .filter(pl.col("value").is_in(values), pl.col("parent").is_not_null())
        .group_by("value", "parent")
        .agg(n=pl.len())
    )
    best = (
        pairs.collect(engine="streaming")
        .sort(["value", "n", "parent"], descending=[False, True, False])
        .unique("value", keep="first", maintain_order=True)
    )
    return dict(zip(best["value"].to_list(), best["parent"].to_list(), strict=True))


def _nests(parents: Mapping[str, tuple[str, ...]], above: Mapping[str, str]) -> bool:
    """Whether every parent so far has one parent of its own."""
    seen: dict[str, str] = {}
    return all(not levels or seen.setdefault(levels[-1], above[value]) == above[value] for value, levels in parents.items())

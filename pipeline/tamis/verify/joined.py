"""The person's record joined over released keys, and how many persons share it (decision 4).

Whoever holds a release can join its tables over their pseudonymized keys. What then singles a person out is the quasi-identifiers of
the person's row, of the rows it refers to, and the *set* of the quasi-identifiers of the rows that refer to it, recursively.
`risk.k_joined@table` is the smallest number of persons of `table` with the same joined record: k-anonymity over relations
(Nergiz, Clifton and Nergiz 2009, "Multirelational k-anonymity", TKDE 21(8):1104), with every released quasi-identifier known.

Who counts as a person: rows that share the released unit column; without a declared unit, rows of parent tables that had a directly
identifying column, or failing that of parent tables with quasi-identifiers. Tables whose columns were replaced in one pseudonym domain
are joined too where no reference is declared: then a person is a token. What this does not protect from: how *many* child rows
with equal values a person has, and their order in time, which are not in a set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl

from tamis.core.record import Measure
from tamis.verify.frames import compact, picked
from tamis.verify.shapes import Shape

Shapes = Mapping[str, Shape]
_SET = ","


def joined_roots(shapes: Shapes) -> tuple[str, ...]:
    """Tables of persons whose joined record says more than, or as much as, the table alone."""
    return tuple(root for root, _ in _roots(*_connected(shapes)))


def joined_risk(frames: Mapping[str, pl.LazyFrame], shapes: Shapes) -> tuple[Measure, ...]:
    """`risk.k_joined@table` for every table of persons; `of` counts persons."""
    connected, hubs = _connected(shapes)
    measures = []
    for root, key in _roots(connected, hubs):
        records = _records(frames, connected, root, frozenset(), key, down=True)
        if key:
            records = _sets(records).select("rec")
        counted = records.lazy().group_by("rec").len().select(pl.col("len").min().fill_null(0), pl.col("len").sum().alias("of")).collect()
        k, persons = int(counted["len"].item()), int(counted["of"].item())
        note = "" if persons else "no rows"
        measures.append(Measure(name=f"risk.k_joined@{root}", value=k, of=persons, verifiable=True, note=note))
    return tuple(measures)


def _roots(shapes: Shapes, hubs: Mapping[str, str]) -> list[tuple[str, str]]:
    """(table of persons, column that names them or '' where a row is a person)."""
    units = [shape for shape in shapes.values() if shape.unit is not None]
    if units:
        named = {shape.name for shape in units}
        roots = [s for s in units if not any(column == s.unit and parent in named - {s.name} for column, parent, _ in s.references)]
    else:
        parents = {parent for shape in shapes.values() for _, parent, _ in shape.references if parent != shape.name}
        known = [shapes[name] for name in shapes if name in parents and name not in hubs]
        roots = [shape for shape in known if shape.personal] or [shape for shape in known if shape.quasi]
    found = {shape.name: shape.unit or "" for shape in roots} | {name: column for name, column in hubs.items() if shapes[name].unit is None}
    return [(name, key) for name, key in found.items() if _matters(shapes, name, frozenset(), down=True)]


def _connected(shapes: Shapes) -> tuple[dict[str, Shape], dict[str, str]]:
    """The shapes with a reference between tables that share a pseudonym domain only, and the tables they now refer to, by column.

    Whoever holds the release joins over equal tokens, declared or not. Of the columns of a domain that declared references do not connect,
    all refer to one: the table of persons where there is one, else a parent, else the first. A person there is a token, not a row.
    """
    out, hubs = dict(shapes), {}
    columns: dict[str, list[tuple[str, str]]] = {}
    for shape in shapes.values():
        for column, domain in shape.domains:
            columns.setdefault(domain, []).append((shape.name, column))
    for nodes in columns.values():
        groups = _components(shapes, nodes)
        if len(groups) < 2 or len({table for table, _ in nodes}) < 2:
            continue
        heads = [min(group, key=lambda node: (_rank(shapes, node), nodes.index(node))) for group in groups]
        hub = min(heads, key=lambda node: (_rank(shapes, node), nodes.index(node)))
        for table, column in heads:
            if table != hub[0]:
                out[table] = replace(out[table], references=(*out[table].references, (column, *hub)))
        if not any(parent == hub[0] for shape in shapes.values() for _, parent, _ in shape.references) or shapes[hub[0]].unit is not None:
            hubs[hub[0]] = hub[1]
    return out, hubs


def _components(shapes: Shapes, nodes: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Columns of one domain, in groups that declared references connect."""
    group = {node: number for number, node in enumerate(nodes)}
    for table, column in nodes:
        for own, parent, parent_column in shapes[table].references:
            other = (parent, parent_column)
            if own == column and other in group:
                old, new = group[table, column], group[other]
                group = {node: new if number == old else number for node, number in group.items()}
    return [[node for node in nodes if group[node] == number] for number in dict.fromkeys(group.values())]


def _rank(shapes: Shapes, node: tuple[str, str]) -> int:
    """Who is the better table of persons: 0 names persons by this column, 1 is referred to, 2 has directly identifying columns."""
    table, column = node
    if shapes[table].unit == column:
        return 0
    if any((parent, parent_column) == node for shape in shapes.values() for _, parent, parent_column in shape.references):
        return 1
    return 2 if shapes[table].personal else 3


def _up(shapes: Shapes, name: str, path: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    for column, parent, parent_column in shapes[name].references:
        if parent != name and parent not in path and _matters(shapes, parent, path | {name}, down=False):
            yield column, parent, parent_column


def _down(shapes: Shapes, name: str, path: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    for child in shapes.values():
        for column, parent, parent_column in child.references:
            if parent == name and child.name != name and child.name not in path and _matters(shapes, child.name, path | {name}, down=True):
                yield child.name, column, parent_column


def _matters(shapes: Shapes, name: str, path: frozenset[str], *, down: bool) -> bool:
    """Whether a table, or one reached from it, has quasi-identifiers."""
    if shapes[name].quasi:
        return True
    return any(True for _ in _up(shapes, name, path)) or (down and any(True for _ in _down(shapes, name, path)))


def _records(frames: Mapping[str, pl.LazyFrame], shapes: Shapes, name: str, path: frozenset[str], key: str, *, down: bool) -> pl.DataFrame:
    """One row per row of the table: `key` (compact, null without a key column) and `rec`, the number of its joined record."""
    ups = list(_up(shapes, name, path))
    downs = list(_down(shapes, name, path)) if down else []
    quasi = shapes[name].quasi
    keys = [key] if key else []
    wanted = [*quasi, *keys, *(column for column, _, _ in ups), *(parent_column for _, _, parent_column in downs)]
    text = [f"c{i}" for i in range(len(quasi), len(wanted))]
    frame = picked(frames[name], wanted).with_columns(compact(pl.col(column)).alias(column) for column in text)
    parts = [f"c{i}" for i in range(len(quasi))]
    at = len(quasi) + len(keys)
    for _, parent, parent_column in ups:
        there = _records(frames, shapes, parent, path | {name}, parent_column, down=False)
        one = there.lazy().drop_nulls("key").group_by("key").agg(pl.col("rec").min())
        frame, parts = _attach(frame, one, f"c{at}", parts)
        at += 1
    for child, column, _ in downs:
        frame, parts = _attach(frame, _sets(_records(frames, shapes, child, path | {name}, column, down=True)).lazy(), f"c{at}", parts)
        at += 1
    held = pl.col(f"c{len(quasi)}") if key else pl.lit(None, dtype=pl.UInt64)
    table = frame.select(held.alias("key"), *parts).collect(engine="streaming")
    return _numbered(table, parts)


def _attach(frame: pl.LazyFrame, other: pl.LazyFrame, on: str, parts: list[str]) -> tuple[pl.LazyFrame, list[str]]:
    part = f"p{len(parts)}"
    return frame.join(other.rename({"rec": part}), left_on=on, right_on="key", how="left"), [*parts, part]


def _sets(records: pl.DataFrame) -> pl.DataFrame:
    """Per key the set of its records, written as one text; rows without a key belong to nobody."""
    one_each = records.lazy().drop_nulls("key").unique().collect(engine="streaming")
    if one_each["key"].n_unique() == one_each.height:
        return one_each.select("key", pl.col("rec").cast(pl.String))
    return one_each.lazy().group_by("key").agg(pl.col("rec").sort().cast(pl.String).str.join(_SET)).collect(engine="streaming")


def _numbered(table: pl.DataFrame, parts: Sequence[str]) -> pl.DataFrame:
    """Equal rows of `parts` get equal numbers. Compared exactly."""
    if not parts:
        return table.select("key", pl.lit(0, dtype=pl.UInt32).alias("rec"))
    numbers = table.lazy().select(parts).unique().collect(engine="streaming").with_row_index("rec")
    return table.lazy().join(numbers.lazy(), on=list(parts), how="left", nulls_equal=True).select("key", "rec").collect(engine="streaming")

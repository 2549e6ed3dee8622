"""Hierarchies of values: CSV files, one row per value, one column per level."""

from __future__ import annotations

import csv
from pathlib import Path

from tamis.core.errors import PolicyError, UsageError, clean_name, did_you_mean
from tamis.documents import read_text
from tamis.rules.folders import is_path, list_hierarchies, located, rules_folder


def load_hierarchy(name: str, base: Path | None = None) -> dict[str, tuple[str, ...]]:
    """Value -> its ancestors from a CSV with `;`: one row per value and one column per level, as ARX writes them; a header may come first.

    Labels are taken as they stand. The first row is a header when it begins with a word such as 'value', or when all values have one
    top label and the first row has another, and no other label in common with the rows below.
    Raises UsageError when there is no such file and PolicyError when rows differ in length, repeat a value, or levels do not nest.
    """
    known = list_hierarchies()
    if name in known:
        path = rules_folder() / "hierarchies" / f"{name}.csv"
    elif is_path(name):
        path = located(name, base)
    else:
        hint = f"{did_you_mean(name, known)} A path to a CSV works too."
        raise UsageError("unknown_hierarchy", f"There is no hierarchy '{clean_name(name)}'.", hint=hint)
    rows = [row for row in csv.reader(read_text(path).splitlines(), delimiter=";") if row]
    if not rows or len(rows[0]) < 2:
        raise PolicyError("not_a_hierarchy", f"{path.name}: rows of at least two columns, divided by ';', are expected.")
    width, first = len(rows[0]), int(_has_header(rows))
    result: dict[str, tuple[str, ...]] = {}
    parents: list[dict[str, str]] = [{} for _ in range(width - 1)]
    for number, row in enumerate(rows[first:], start=1 + first):
        if len(row) != width:
            raise PolicyError("ragged_hierarchy", f"{path.name}: row {number} has {len(row)} columns, the first row has {width}.")
        if row[0] in result:
            raise PolicyError("repeated_value", f"{path.name}: row {number} repeats a value of an earlier row.")
        for level in range(1, width - 1):
            if parents[level].setdefault(row[level], row[level + 1]) != row[level + 1]:
                hint = "Each group must belong to one group of the next level."
                raise PolicyError("levels_do_not_nest", f"{path.name}: row {number}, level {level} has two parents.", hint=hint)
        result[row[0]] = tuple(row[1:])
    return result


_HEADINGS = frozenset({"value", "values", "name", "label", "leaf", "category", "level 0", "level0", "level_0"})


def _has_header(rows: list[list[str]]) -> bool:
    head, rest = rows[0], rows[1:]
    if not rest or head[0].strip().casefold() in _HEADINGS:
        return bool(rest)
    tops = {row[-1] for row in rest}
    return len(tops) == 1 and not any(head[level] in {row[level] for row in rest if len(row) > level} for level in range(1, len(head)))

"""Foreign-key candidates: a column whose values are nearly all found in a candidate key of another table.

Containment alone proves little (the numbers 1 to 5 are in every serial number), so a pair is compared only when it is plausible:
- both columns are text or both are integers, and the parent is a candidate key;
- by name: the child's name holds every word of the parent column's name, key words (id, key, code, …) counted as one; a parent called
  just `id` goes by its table's name (`orders.customer_id` -> `customers.id`);
- or by domain: the values can hardly coincide. Text of at least 6 characters on average in parent and child, or integers whose
  range is at least ten times their number; and at least 10 distinct values in the child. Two keys whose names speak of
  different things (`address_id`, `customer_id`) need 3 rows per value in the child besides.
At least 95 % of the child's distinct values must be contained; from 20 % on the reference is called partial, and nothing rests on it.
A child column gets one parent: name before domain, then the
parent whose table's name is in the child's name, then the most contained, then the earliest. Where two keys contain each other,
the later table refers to the earlier one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import polars_hash  # noqa: F401  # registers the `nchash` namespace

from tamis.core.types import ColumnProfile, DataType, ForeignKey, Table, TableProfile
from tamis.profile.limits import Limits
from tamis.profile.normal import normal_form

_CONTAINED = 0.95
_PARTIAL = 0.2
_KEY_WORDS = frozenset(
    {"id", "ids", "key", "keys", "code", "no", "nr", "num", "number", "ref", "uuid", "guid", "pk", "fk", "sk", "bk", "identifier"}
    | {"idx", "index", "row", "rows", "rowname", "rownames", "rownum", "rowid", "unnamed"}
)
_KEY_ENDINGS = ("key", "id", "code", "nr")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"[^\W\d_]+|\d+")
_LONG_TEXT = 6.0
_SPARSE = 10
_ENOUGH = 10
_REPEATS = 3


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One plausible pair; table positions in job order."""

    child: tuple[int, ColumnProfile]
    parent: tuple[int, ColumnProfile]
    named: bool
    names_table: bool


def find_foreign_keys(
    tables: Sequence[Table], profiles: Sequence[TableProfile], limits: Limits
) -> tuple[tuple[ForeignKey, ...], tuple[ForeignKey, ...]]:
    """(foreign keys, partial references) between different tables, each in the order of the child columns.

    A column has a partial reference when it has no foreign key: the same pairs, of which 20 to 95 % of the values are contained.
    """
    candidates = sorted(_candidates(profiles), key=lambda c: (not c.named, not c.names_table))[: limits.reference_pairs]
    best: dict[tuple[int, str], tuple[tuple[bool, bool, bool, float, int], ForeignKey]] = {}
    for candidate in candidates:
        (i, child), (j, parent) = candidate.child, candidate.parent
        share = _contained(tables[i], child, tables[j], parent, limits)
        if share < _PARTIAL:
            continue
        covered = min(1.0, share * child.distinct / parent.distinct)
        key = ForeignKey(
            table=tables[i].name,
            column=child.name,
            parent_table=tables[j].name,
            parent_column=parent.name,
            contained=round(share, 6),
            covered=round(covered, 6),
        )
        rank = (share >= _CONTAINED, candidate.named, candidate.names_table, share, -j)
        known = best.get((i, child.name))
        if known is None or rank > known[0]:
            best[i, child.name] = rank, key
    positions = {(i, column.name): n for i, profile in enumerate(profiles) for n, column in enumerate(profile.columns)}
    found = [best[where][1] for where in sorted(best, key=lambda where: (where[0], positions[where]))]
    return tuple(key for key in found if key.contained >= _CONTAINED), tuple(key for key in found if key.contained < _CONTAINED)


def _candidates(profiles: Sequence[TableProfile]) -> list[_Candidate]:
    """Plausible pairs, by child and parent in job order."""
    keys = [(j, profile.column(name)) for j, profile in enumerate(profiles) for name in profile.candidate_keys]
    found = []
    for i, profile in enumerate(profiles):
        own = set(profile.candidate_keys)
        for child in profile.columns:
            if child.type not in (DataType.TEXT, DataType.INTEGER) or not child.distinct or child.constant:
                continue
            for j, parent in keys:
                if i == j or parent.type is not child.type:
                    continue
                # Two keys of one domain: only the later table refers, and never to a smaller one.
                if child.name in own and (parent.distinct, -j) < (child.distinct, -i):
                    continue
                if child.distinct * _PARTIAL > parent.distinct + 1:
                    continue
                named = _named(child.name, parent.name, profiles[j].name)
                if named or _distinctive(child, parent):
                    table_words = _stems(profiles[j].name)
                    names_table = bool(table_words) and table_words <= _stems(child.name)
                    found.append(_Candidate((i, child), (j, parent), named, names_table))
    return found


def _contained(child_table: Table, child: ColumnProfile, parent_table: Table, parent: ColumnProfile, limits: Limits) -> float:
    """Share of the child's distinct values found in the parent; of a stable sample of values when there are very many."""
    every = math.ceil(max(child.distinct, parent.distinct) / limits.reference_values)
    ours, theirs = _values(child_table, child.name, every), _values(parent_table, parent.name, every)
    found = ours.unique().join(theirs.with_columns(pl.lit(1, dtype=pl.Int64).alias("hit")), on="v", how="left")
    total, hits = found.select(pl.len().cast(pl.Int64), pl.col("hit").sum().alias("hits")).collect(engine="streaming").row(0)
    return (hits or 0) / total if total else 0.0


def _values(table: Table, name: str, every: int) -> pl.LazyFrame:
    column = next(c for c in table.columns if c.name == name)
    values = table.frame.select(normal_form(column).alias("v")).drop_nulls()
    if every > 1:
        values = values.filter(pl.col("v").cast(pl.String).nchash.xxh3_64() // 2**32 % every == 0)  # type: ignore[attr-defined]
    return values


# --------------------------------------------------------------------------------------------------------------- plausibility


def _named(child: str, parent: str, parent_table: str) -> bool:
    """Whether the child's name says that it refers to the parent."""
    child_words, parent_words = _stems(child), _stems(parent)
    child_is_key = _is_key_name(child)
    if not parent_words:
        table_words = _stems(parent_table)
        return bool(table_words) and table_words <= child_words and (child_is_key or table_words == child_words)
    if not parent_words <= child_words:
        return False
    return child_is_key == _is_key_name(parent) or child_words == parent_words


def _stems(name: str) -> frozenset[str]:
    """The words of a name without key words, singular: customerIDs, customer_id, Customers -> {customer}."""
    return frozenset(_singular(word) for word in _words(name) if word not in _KEY_WORDS)


def _is_key_name(name: str) -> bool:
    return any(word in _KEY_WORDS for word in _words(name))


def _words(name: str) -> list[str]:
    """Lower-case words of a name: parted at capitals, digits and punctuation, and before a key ending (custkey -> cust, key).

    A first word of one or two letters before others is a table's prefix (c_custkey, ss_item_sk) and says nothing.
    """
    words: list[str] = []
    for word in (found.lower() for found in _WORD.findall(_HUMP.sub(" ", name[:200]))):
        ending = next((end for end in _KEY_ENDINGS if word.endswith(end) and len(word) >= len(end) + 3 and word not in _KEY_WORDS), "")
        words += [word.removesuffix(ending), ending] if ending else [word]
    return words[1:] if len(words) > 2 and len(words[0]) <= 2 and words[0] not in _KEY_WORDS else words


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _distinctive(child: ColumnProfile, parent: ColumnProfile) -> bool:
    """Whether values of this domain can hardly coincide."""
    if child.distinct < _ENOUGH:
        return False
    theirs, ours = _stems(parent.name), _stems(child.name)
    contradict = bool(theirs) and bool(ours) and not theirs & ours and _is_key_name(parent.name) and _is_key_name(child.name)
    if contradict and child.present < _REPEATS * child.distinct:
        return False  # two tables that number their own rows alike (address_id, customer_id)
    if parent.type is DataType.TEXT:
        return min(child.length_mean or 0.0, parent.length_mean or 0.0) >= _LONG_TEXT
    if not isinstance(parent.low, float) or not isinstance(parent.high, float):
        return False
    return parent.high - parent.low >= _SPARSE * parent.distinct

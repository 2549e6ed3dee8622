"""The contract suite of a table, drafted from the plan: a Great Expectations suite that the recipient can run as it is.

Literals in it are the plan's own (k-safe by construction): labels of hierarchies, values that stay, clip bounds. Nothing is taken from
the data but row counts and whether a column had nulls.
"""

from __future__ import annotations

from typing import Any

from tamis.core.actions import CategoryMap, DatePart, Everything, Fake, Generalize, Keep, Prefix, Pseudonymize, SuppressRare, TopBottomCode
from tamis.core.plan import ColumnPlan, TablePlan
from tamis.core.types import DataType, TableProfile

PSEUDONYM = "^[a-z2-7]{26}$"
_MAX_SET = 1_000
_DATE_PARTS = {
    "day": r"^-?[0-9]{4,}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
    "month": r"^-?[0-9]{4,}-(0[1-9]|1[0-2])$",
    "quarter": r"^-?[0-9]{4,}-Q[1-4]$",
    "year": r"^-?[0-9]{4,}$",
    "5 years": r"^-?[0-9]{4,}-[0-9]{4,}$",
    "decade": r"^-?[0-9]{4,}-[0-9]{4,}$",
}
_TYPES = {
    DataType.TEXT: ["str", "string", "object"],
    DataType.INTEGER: ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"],
    DataType.NUMBER: ["float32", "float64", "object"],
    DataType.BOOLEAN: ["bool"],
}
_NEVER_NULLS = Keep | Pseudonymize | TopBottomCode | Fake
Expectation = dict[str, Any]


def draft_suite(table: TablePlan, profile: TableProfile, rows: int) -> dict[str, Any]:
    """Suite JSON of one table; `rows` are the rows of the release."""
    released = table.released
    known = {column.name: column for column in profile.columns}
    quasi = set(table.classes.quasi_identifiers) if table.classes else set()
    expectations = [
        _expect("expect_table_columns_to_match_ordered_list", column_list=[column.name for column in released]),
        _expect("expect_table_row_count_to_equal", value=rows),
    ]
    for column in released:
        if types := _TYPES.get(column.output_type):
            expectations.append(_expect("expect_column_values_to_be_in_type_list", column=column.name, type_list=types))
        measured = known.get(column.name)
        if measured is not None and not measured.nulls and isinstance(column.action, _NEVER_NULLS) and column.name not in quasi:
            expectations.append(_expect("expect_column_values_to_not_be_null", column=column.name))
        expectations += _format(column)
    expectations += _unique_key(table)
    return {"name": f"{table.name}.contract", "expectations": expectations, "meta": {"drafted_by": "tamis"}}


def _expect(kind: str, **kwargs: Any) -> Expectation:
    return {"type": kind, "kwargs": kwargs, "meta": {}}


def _format(column: ColumnPlan) -> list[Expectation]:
    name, action = column.name, column.action
    match action:
        case Pseudonymize():
            return [_expect("expect_column_values_to_match_regex", column=name, regex=PSEUDONYM)]
        case SuppressRare(values=tuple() as values) if len(values) <= _MAX_SET and column.type is DataType.TEXT:
            return [_expect("expect_column_values_to_be_in_set", column=name, value_set=sorted(set(values)))]
        case TopBottomCode(resolved=True) if action.lower is not None or action.upper is not None:
            bounds = {key: value for key, value in (("min_value", action.lower), ("max_value", action.upper)) if value is not None}
            return [_expect("expect_column_values_to_be_between", column=name, **bounds)]
        case Generalize(recode=recode):
            match recode:
                case DatePart(unit=unit):
                    return [_expect("expect_column_values_to_match_regex", column=name, regex=_DATE_PARTS[unit])]
                case Prefix(length=length):
                    return [_expect("expect_column_value_lengths_to_be_between", column=name, min_value=0, max_value=length + 1)]
                case Everything():
                    return [_expect("expect_column_values_to_be_in_set", column=name, value_set=["*"])]
                case CategoryMap(parents=parents, other=other):
                    labels = sorted({parent for _, parent in parents} | ({other} if other is not None else set()))
                    if labels and len(labels) <= _MAX_SET:
                        return [_expect("expect_column_values_to_be_in_set", column=name, value_set=labels)]
    return []


def _unique_key(table: TablePlan) -> list[Expectation]:
    """The declared key stays unique when every part of it is released by an action that keeps different values different."""
    if not table.key:
        return []
    columns = {column.name: column for column in table.columns}
    for name in table.key:
        column = columns.get(name)
        injective = column is not None and (
            isinstance(column.action, Keep | Pseudonymize)
            or (isinstance(column.action, Fake) and column.action.unique and column.action.person is None)
        )
        if not injective:
            return []
    if len(table.key) == 1:
        return [_expect("expect_column_values_to_be_unique", column=table.key[0])]
    return [_expect("expect_compound_columns_to_be_unique", column_list=list(table.key))]

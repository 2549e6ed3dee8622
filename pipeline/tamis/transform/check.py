"""Before the first row: is this the table the plan was made for, and has somebody decided about every column of it?"""

from __future__ import annotations

from tamis.core.actions import is_resolved
from tamis.core.errors import PlanError, clean_name, listed
from tamis.core.plan import Plan, Status, TablePlan
from tamis.core.types import Table
from tamis.encoding import WORDS
from tamis.transform.work import demand_type

ORDER = "__tamis_order"
"""UInt64 position of a row in the input, where the order is kept; never released"""


def check_table(table: Table, plan: Plan) -> TablePlan:
    """The table's part of the plan.

    Raises PlanError: `other_data` (missing, new, retyped or reordered columns), `undecided`, `unresolved`, `wrong_type`,
    `reserved_name`.
    """
    stated = next((one for one in plan.tables if one.name == table.name), None)
    if stated is None:
        raise PlanError(
            "other_data",
            f"The plan has no table '{clean_name(table.name)}'; it was made for {listed(one.name for one in plan.tables)}.",
            hint="Make a plan for this data: tamis plan.",
        )
    _same_schema(table, stated)
    undecided = [column.name for column in stated.columns if column.status is not Status.DECIDED]
    if undecided:
        raise PlanError(
            "undecided",
            f"Nobody has decided about {listed(undecided)} of table '{clean_name(table.name)}'; nothing leaves undecided.",
            hint="Name an action for each in the policy (or accept the proposals: tamis init --accept) and plan again.",
            columns=undecided,
        )
    unresolved = [column.name for column in stated.columns if not is_resolved(column.action)]
    missing_models = [name for name in _models(stated) if name not in plan.models]
    if unresolved or missing_models:
        raise PlanError(
            "unresolved",
            f"The plan leaves open what exactly happens to {listed(unresolved or missing_models)} of table '{clean_name(table.name)}'.",
            hint="Make the plan again: tamis plan.",
        )
    for column in stated.columns:
        demand_type(column)
    reserved = [column.name for column in stated.released if column.name in (*WORDS, ORDER)]
    if reserved:
        raise PlanError(
            "reserved_name",
            f"Table '{clean_name(table.name)}' would release {listed(reserved)}: names that tamis uses for itself.",
            hint="Rename the column at its source, or drop it.",
        )
    return stated


def _models(stated: TablePlan) -> list[str]:
    names = [getattr(column.action, "model", None) for column in stated.columns]
    return [name for name in names if isinstance(name, str)]


def _same_schema(table: Table, stated: TablePlan) -> None:
    found = {column.name: column.type for column in table.columns}
    planned = {column.name: column.type for column in stated.columns}
    if list(found.items()) == list(planned.items()):
        return
    parts = {
        "missing": [name for name in planned if name not in found],
        "new": [name for name in found if name not in planned],
        "retyped": [name for name in planned if name in found and found[name] is not planned[name]],
    }
    said = "; ".join(f"{word}: {listed(names)}" for word, names in parts.items() if names) or "the columns stand in another order"
    raise PlanError(
        "other_data",
        f"Table '{clean_name(table.name)}' is not the one the plan was made for ({said}).",
        hint="Make and review a plan for this data: tamis plan.",
        **parts,
    )

"""Policy against schema before the first byte: all problems at once, each with its place and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tamis.core.actions import (
    NUMERIC,
    TEMPORAL,
    AgeBand,
    AnyAction,
    AsCell,
    DatePart,
    Fake,
    Generalize,
    NumberBand,
    NumberCuts,
    Pseudonymize,
    ShiftDates,
    Synthesize,
    accepted_types,
)
from tamis.core.errors import PlanError, PolicyError, clean_name, did_you_mean
from tamis.core.plan import Classes, Plan, Status, TablePlan
from tamis.core.policy import Policy, split_path
from tamis.core.types import DatasetProfile, DataType, Role
from tamis.plan.fakes import fake_problems
from tamis.rules import Rules


def check_policy(policy: Policy, profile: DatasetProfile, rules: Rules, measures: tuple[str, ...], key_id: str | None) -> None:
    """Raise PolicyError naming everything in the policy that cannot apply to these tables; `key_id` is that of the key at hand."""
    problems = [
        *_names(policy, profile),
        *_actions(policy, profile, rules, policy.key or key_id),
        *_domains(policy, profile),
        *_units_and_references(policy, profile),
        *(f"unknown measure '{clean_name(gate.measure)}' in gates. {did_you_mean(_family(gate.measure), measures)}"
          for gate in policy.gates if measures and _family(gate.measure) not in measures),
    ]  # fmt: skip
    if problems:
        raise PolicyError(
            "policy_does_not_fit", "\n  ".join([f"the policy does not fit these tables: {len(problems)} problem(s)", *problems])
        )


def action_label(action: AnyAction) -> str:
    """The action's name, with the form that a generalization is asked for."""
    return f"{action.action} to {action.to}" if isinstance(action, Generalize) and action.to != "auto" else action.action


def types_taken(action: AnyAction) -> str:
    """Logical types of values the action can be applied to, for a sentence."""
    return ", ".join(sorted(accepted_types(action) - {DataType.EMPTY}))


def _family(measure: str) -> str:
    return measure.partition("@")[0]


def _columns(profile: DatasetProfile) -> dict[str, list[str]]:
    return {table.name: [column.name for column in table.columns] for table in profile.tables}


def _names(policy: Policy, profile: DatasetProfile) -> Iterator[str]:
    tables = _columns(profile)
    for table, stated in policy.tables.items():
        if table not in tables:
            yield f"there is no table '{clean_name(table)}' @ $.tables. {did_you_mean(table, tables)}"
            continue
        for column in stated.columns:
            if column not in tables[table]:
                yield f"table '{clean_name(table)}' has no column '{clean_name(column)}'. {did_you_mean(column, tables[table])}"
        keys = (stated.key,) if isinstance(stated.key, str) else stated.key or ()
        for column in keys:
            if column not in tables[table]:
                yield f"the key of '{clean_name(table)}' names no column: '{clean_name(column)}'. {did_you_mean(column, tables[table])}"
    for path in (*policy.needed, *filter(None, (policy.target, policy.privacy.unit)), *policy.references, *policy.references.values()):
        yield from _path(path, tables)


def _path(path: str, tables: dict[str, list[str]]) -> Iterator[str]:
    table, column = split_path(path)
    if table not in tables:
        yield f"'{clean_name(path)}' names no table. {did_you_mean(table, tables)}"
    elif column not in tables[table]:
        yield f"'{clean_name(path)}' names no column. {did_you_mean(column, tables[table])}"


def _stated(policy: Policy, profile: DatasetProfile) -> Iterator[tuple[str, str, AnyAction]]:
    for table in profile.tables:
        for column in table.columns:
            stated = policy.of(table.name).of(column.name)
            if stated is not None and stated.action is not None:
                yield table.name, column.name, stated.action


def _actions(policy: Policy, profile: DatasetProfile, rules: Rules, key: str | None) -> Iterator[str]:
    for table, column, action in _stated(policy, profile):
        where = f"{clean_name(table)}.{clean_name(column)}"
        kind = profile.table(table).column(column).type
        if kind not in accepted_types(action):
            word = action_label(action)
            yield f"{word} cannot be applied to {where}: it is {kind.value}, {word} takes {types_taken(action)}"
        if (forbidden := rules.forbidden(action.action)) is not None:
            pack, reason = forbidden
            yield f"{action.action} of {where} is refused by the pack '{pack}': {reason}"
        if isinstance(action, ShiftDates) and action.subject not in _columns(profile)[table]:
            yield f"shift_dates of {where} names no column as its subject: '{clean_name(action.subject)}'"
        if isinstance(action, Fake):
            yield from fake_problems(action, where, {one.name: one.type for one in profile.table(table).columns})
        if isinstance(action, Generalize):
            yield from (f"generalize of {where}: {problem}" for problem in _generalization(action, kind))
        if type(action).keyed and key is None:
            yield f"{action.action} of {where} needs a key and the policy names none. Add: key: env:TAMIS_KEY"


def _generalization(action: Generalize, kind: DataType) -> Iterator[str]:
    """Parameters that have no meaning together."""
    if action.to == "hierarchy" and action.hierarchy is None:
        yield "to: hierarchy names no hierarchy. Add hierarchy: NAME or a path to a CSV; tamis rules hierarchies lists those of tamis"
    if action.hierarchy is not None and action.to not in ("auto", "hierarchy"):
        yield f"'hierarchy' has no meaning with to: {action.to}"
    if action.level is not None and action.max_level is not None:
        yield "'level' says exactly which level, 'max_level' the highest: state one of them"
    if action.level is not None and action.to not in ("auto", "hierarchy"):
        yield f"'level' has no meaning with to: {action.to}"
    if action.order is not None and (action.to != "auto" or action.hierarchy is not None or kind not in (DataType.TEXT, DataType.EMPTY)):
        yield "'order' is for categories (text) with to: auto and without a hierarchy"


def model_problems(policy: Policy, tables: tuple[TablePlan, ...], population: Mapping[str, DataType] | None) -> tuple[str, ...]:
    """What the disclosure model demands of these tables and cannot have; `population` are the columns of the declared one, by name."""
    privacy = policy.privacy
    problems = []
    if privacy.recoding == "local" and privacy.loss != "arithmetic":
        problems.append("privacy.loss: local recoding weighs losses arithmetically; remove 'loss: geometric' or 'recoding: local'")
    shaped = [table for table in tables if table.classes is not None]
    if privacy.population is not None and not shaped:
        problems.append("privacy.population: no table has released quasi-identifiers that a population could be matched with")
    for table in shaped:
        if privacy.t is not None and privacy.distance == "hierarchical":
            problems += [
                f"{clean_name(table.name)}.{clean_name(column.name)}: the hierarchical distance needs a hierarchy of this sensitive "
                "column. Add: {generalize: {to: hierarchy, hierarchy: NAME, level: 0}} to release the value itself"
                for column in table.released
                if column.role is Role.SENSITIVE
                and not isinstance(column.action, Synthesize)
                and not (isinstance(column.action, Generalize) and column.action.hierarchy)
            ]
        if population is not None:
            problems += _population_problems(table, privacy.population.columns if privacy.population else {}, population)
    return tuple(problems)


def _population_problems(table: TablePlan, names: Mapping[str, str], population: Mapping[str, DataType]) -> Iterator[str]:
    assert table.classes is not None  # by the caller
    for name in table.classes.quasi_identifiers:
        kind, other = table.column(name).type, names.get(name, name)
        if other not in population:
            yield (
                f"the population has no column '{clean_name(other)}' for the quasi-identifier {clean_name(table.name)}.{clean_name(name)}. "
                f"{did_you_mean(other, population)} State it in privacy.population.columns, or drop that quasi-identifier"
            )
        elif not _same_kind(kind, population[other]):
            yield (
                f"the population's '{clean_name(other)}' is {population[other].value} and {clean_name(table.name)}.{clean_name(name)} is "
                f"{kind.value}: they can never be equal. State read: {{types: ...}} so that both are read alike"
            )


def _same_kind(one: DataType, other: DataType) -> bool:
    return one is other or DataType.EMPTY in (one, other) or {one, other} <= NUMERIC or {one, other} <= TEMPORAL


def _domains(policy: Policy, profile: DatasetProfile) -> Iterator[str]:
    """Equal values of one domain must be able to meet: 00123 is not 123."""
    first: dict[str, tuple[str, str]] = {}
    for table, column, action in _stated(policy, profile):
        if isinstance(action, Pseudonymize):
            kind = profile.table(table).column(column).type.value
            where = f"{clean_name(table)}.{clean_name(column)}"
            other, other_kind = first.setdefault(action.domain, (where, kind))
            if kind != other_kind and "empty" not in (kind, other_kind):
                yield (
                    f"domain '{action.domain}': {where} is {kind} and {other} is {other_kind}, their keys can never be equal. "
                    "State read: {types: ...} so that both are read alike"
                )


def _units_and_references(policy: Policy, profile: DatasetProfile) -> Iterator[str]:
    tables = _columns(profile)
    known = {f"{table}.{column}" for table, columns in tables.items() for column in columns}
    graph: dict[str, set[str]] = {}
    for child, parent in policy.references.items():
        if child not in known or parent not in known:
            continue
        (table, _), (parent_table, parent_column) = split_path(child), split_path(parent)
        graph.setdefault(table, set()).add(parent_table)
        if parent_column not in profile.table(parent_table).candidate_keys:
            yield f"'{clean_name(parent)}' is referred to by '{clean_name(child)}' and is not unique: only a key can be referred to"
    if _has_circle(graph):
        yield "the references go round in a circle: remove one of them"


def _has_circle(graph: dict[str, set[str]]) -> bool:
    done: set[str] = set()

    def visit(node: str, above: frozenset[str]) -> bool:
        if node in above:
            return True
        if node in done:
            return False
        done.add(node)
        return any(visit(other, above | {node}) for other in graph.get(node, ()))

    return any(visit(node, frozenset()) for node in graph)


def require_decided(plan: Plan) -> None:
    """Raise PlanError when a person has still to decide about a column (law 1)."""
    undecided = [
        f"{clean_name(table)}.{clean_name(column.name)}" for table, column in plan.open_columns if column.status is Status.UNDECIDED
    ]
    proposed = [f"{clean_name(table)}.{clean_name(column.name)}" for table, column in plan.open_columns if column.status is Status.PROPOSED]
    if undecided or proposed:
        number = len(undecided) + len(proposed)
        what = f"{number} column{'s' if number > 1 else ''} await{'' if number > 1 else 's'} a person's decision"
        kinds = f" ({len(undecided)} undecided, {len(proposed)} only proposed)"
        some = (undecided + proposed)[:12]
        more = f" and {len(undecided) + len(proposed) - len(some)} more" if len(undecided) + len(proposed) > len(some) else ""
        raise PlanError(
            "undecided_columns",
            f"{what}{kinds}: {', '.join(some)}{more}. Nothing was written.",
            hint="Decide about each in the policy (tamis plan --explain shows the proposals), "
            "set unknown_columns: drop, or accept all of a draft with: tamis init --accept.",
            columns=undecided + proposed,
        )


def require_released(plan: Plan) -> None:
    """Raise PlanError when no column of any table leaves: there would be nothing to publish."""
    if not any(column.released for _, column in plan.walk()):
        raise PlanError(
            "nothing_released",
            "Every column of every table is dropped: there is nothing to release.",
            hint="Decide what the purpose needs (keep, generalize, synthesize, …); tamis plan --explain shows why each column is dropped.",
        )


def require_consistent(plan: Plan) -> None:
    """Raise PlanError when a plan contradicts itself, as one that was edited by hand may: everything it names must be in it."""
    tables = {table.name: {column.name for column in table.columns} for table in plan.tables}
    problems = [] if len(tables) == len(plan.tables) else ["two tables have one name"]
    for table in plan.tables:
        problems += [f"{clean_name(table.name)}: {problem}" for problem in _contradictions(table, plan, tables)]
    if problems:
        raise PlanError(
            "broken_plan",
            f"The plan contradicts itself: {'; '.join(problems[:6])}.",
            hint="A plan is made by tamis plan and not edited: change the policy and plan again.",
        )


def _contradictions(table: TablePlan, plan: Plan, tables: Mapping[str, set[str]]) -> Iterator[str]:
    names = tables[table.name]
    if len(names) < len(table.columns):
        yield "two columns have one name"
    named = [*table.key, *(reference.column for reference in table.references)]
    if table.classes is not None:
        named += [*table.classes.quasi_identifiers, *filter(None, [table.classes.unit])]
        if table.classes.k < plan.privacy.k:
            yield "its classes are smaller than privacy.k"
    for name in dict.fromkeys(named):
        if name not in names:
            yield f"it names a column '{clean_name(name)}' that it does not have"
    for reference in table.references:
        if reference.parent_column not in tables.get(reference.parent_table, ()):
            yield f"'{clean_name(reference.column)}' refers to a column that is not in the plan"
    local = table.classes is not None and table.classes.recoding == "local"
    for column in table.columns:
        recode = column.action.recode if isinstance(column.action, Generalize) else None
        if (isinstance(recode, NumberBand | NumberCuts) and column.type not in NUMERIC) or (
            isinstance(recode, DatePart | AgeBand) and column.type not in TEMPORAL
        ):
            yield f"'{clean_name(column.name)}' is {column.type.value} and cannot be generalized as stated"
        if isinstance(recode, AsCell) and not (local and column.name in (table.classes.quasi_identifiers if table.classes else ())):
            yield f"'{clean_name(column.name)}' takes its label from cells that the table does not have"
    if local and table.classes is not None:
        yield from _broken_cells(table.classes)


def _broken_cells(classes: Classes) -> Iterator[str]:
    """Cells that do not fit the quasi-identifiers or their ladders."""
    ladders = [classes.ladders.get(name, ()) for name in classes.quasi_identifiers]
    if not all(ladders):
        yield "local recoding without a ladder for every quasi-identifier"
        return
    width = len(ladders)
    for cell in classes.cells:
        if len(cell.levels) != width or len(cell.labels) != width:
            yield "a cell does not have a level and a label for every quasi-identifier"
            return
        if any(not 0 <= level < len(ladder) for level, ladder in zip(cell.levels, ladders, strict=True)):
            yield "a cell names a level that its ladder does not have"
            return
        if not set(classes.quasi_identifiers).issuperset(cell.only) or any(
            not 0 <= level < len(classes.ladders[name]) for name, asked in cell.only.items() for level, _ in asked
        ):
            yield "a cell has a condition on a level that the table does not have"
            return

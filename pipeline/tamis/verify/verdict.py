"""May it leave? Measures, suites and gates of the written files against the input, folded into one verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import polars as pl

from tamis.core.errors import PlanError, clean_name
from tamis.core.plan import Plan, TablePlan
from tamis.core.policy import Gate
from tamis.core.ports import Progress
from tamis.core.record import ClassSizes, ColumnDiff, Measure, SuiteResult, Verdict
from tamis.core.types import DatasetProfile, Role, Table
from tamis.verify.attacks import Shadow, attack_tables
from tamis.verify.contract import draft_suite
from tamis.verify.diffs import column_diffs
from tamis.verify.downstream import downstream
from tamis.verify.expectations import parse_suite, run_metrics_suite, run_suite, utility_suite
from tamis.verify.frames import rounded, row_count
from tamis.verify.gates import declared_measures, default_gates, judge
from tamis.verify.joined import joined_risk, joined_roots
from tamis.verify.leak import scan_leaks
from tamis.verify.memorization import memorization
from tamis.verify.pairs import pair_measures
from tamis.verify.references import orphan_measures
from tamis.verify.releases import LiveRelease, releases_risk, stable_tables
from tamis.verify.risk import Origin, Risk, input_risk, table_risk
from tamis.verify.shapes import Models, Shape, shapes_of_plan
from tamis.verify.utility import column_shapes, comparable_frames, summaries


def verify_tables(
    before: Mapping[str, Table],
    after: Mapping[str, pl.LazyFrame],
    plan: Plan,
    profile: DatasetProfile,
    *,
    suppressed_rows: Mapping[str, int],
    populations: Mapping[str, pl.LazyFrame] | None = None,
    live: Sequence[LiveRelease] = (),
    progress: Progress | None = None,
    shadows: Callable[[], Mapping[str, Shadow]] | None = None,
) -> Verdict:
    """Judge written tables against the input they were made of.

    `after` are scans of the staged Parquet files, released columns only; `before` the input tables; both hold every table of `plan`.
    `populations`: table to the declared population, one row per person, columns named and typed as the table's quasi-identifiers.
    `shadows` makes the shadow releases that attacks are tried on; without it, or where the plan says so, there are no attacks.
    `live`: the other releases that stay published, where tokens are stable.
    Raises PlanError when a table is missing and PolicyError when a user's suite is not one.
    """
    missing = [table.name for table in plan.tables if table.name not in before or table.name not in after]
    if missing:
        raise PlanError("missing_table", f"Table '{clean_name(missing[0])}' of the plan was not given to verify.")
    after = {table.name: after[table.name] for table in plan.tables}
    shapes, k = shapes_of_plan(plan), plan.privacy.k
    measures: list[Measure] = []

    with _stage(progress, "verify", "disclosure risk"):
        risks_before, risks_after = _risk(before, after, plan, shapes, populations or {})
        sizes_before, sizes_after = (tuple(risk.sizes for risk in risks) for risks in (risks_before, risks_after))
        measures += [measure for risk in (*risks_before, *risks_after) for measure in risk.measures]
        measures += joined_risk(after, shapes)
        measures += releases_risk(after, shapes, live)
    with _stage(progress, "verify", "leak scan"):
        measures += scan_leaks(before, after, plan)
    with _stage(progress, "verify", "utility"):
        utility, diffs = _utility(before, after, plan, profile, k)
        measures += utility
        measures += [_suppressed(table.name, before[table.name].rows, suppressed_rows.get(table.name, 0)) for table in plan.tables]
    with _stage(progress, "verify", "memorization"):
        for table in plan.tables:
            measures += memorization(before[table.name], after[table.name], table, k)
    if plan.target is not None:
        with _stage(progress, "verify", "downstream model"):
            measures += _downstream(before, after, plan, plan.target)
    if shadows is not None:
        with _stage(progress, "verify", "attacks"):
            measures += _attacks(before, after, plan, profile, shadows)
    with _stage(progress, "verify", "expectations"):
        measures += orphan_measures(before, after, plan)
        contract = {
            table.name: draft_suite(table, profile.table(table.name), row_count(after[table.name]))
            for table in plan.tables
            if table.released  # of the others there is no file
        }
        suites = [*_contract(contract, after, plan, measures, before, suppressed_rows), *_user_suites(plan, after, measures)]
        suites.append(run_metrics_suite(utility_suite(_gates(plan), measures), measures, table="metrics", kind="utility"))
        measures += _suite_measures(suites)
    gates = judge(plan.gates, plan.privacy, measures, expected=_expected(plan, shapes), hints=_hints(sizes_after, measures, suites))
    return Verdict(
        passed=not any(not result.passed and result.gate.severity == "fail" for result in gates),
        measures=tuple(measures),
        gates=gates,
        suites=tuple(suites),
        diffs=diffs,
        classes_before=sizes_before,
        classes_after=sizes_after,
        exposure_before=tuple(risk.exposure for risk in risks_before),
        exposure_after=tuple(risk.exposure for risk in risks_after),
        contract=contract,
    )


@contextmanager
def _stage(progress: Progress | None, name: str, detail: str) -> Iterator[None]:
    if progress is None:
        yield
    else:
        with progress.stage(name, detail):
            yield


def _gates(plan: Plan) -> tuple[Gate, ...]:
    stated = {gate.measure for gate in plan.gates}
    return (*plan.gates, *(gate for gate in default_gates(plan.privacy) if gate.measure not in stated))


def _risk(
    before: Mapping[str, Table],
    after: Mapping[str, pl.LazyFrame],
    plan: Plan,
    shapes: Mapping[str, Shape],
    populations: Mapping[str, pl.LazyFrame],
) -> tuple[list[Risk], list[Risk]]:
    models = Models.of(plan.privacy)
    old, new = [], []
    for table in plan.tables:
        shape = shapes[table.name]
        quasi = _input_quasi(table)
        frame, population = before[table.name].frame, populations.get(table.name)
        if quasi:
            old.append(input_risk(frame, table.name, quasi, shape.unit or shape.hidden_unit, models, population))
        if shape.quasi:
            new.append(table_risk(after[table.name], shape, models, Origin(frame, table, population)))
    return old, new


def _input_quasi(table: TablePlan) -> tuple[str, ...]:
    if table.classes is not None and table.classes.quasi_identifiers:
        return table.classes.quasi_identifiers
    return tuple(column.name for column in table.columns if column.role is Role.QUASI)


def _utility(
    before: Mapping[str, Table], after: Mapping[str, pl.LazyFrame], plan: Plan, profile: DatasetProfile, k: int
) -> tuple[list[Measure], tuple[ColumnDiff, ...]]:
    per_table: dict[str, list[Measure]] = {}
    pairs: list[Measure] = []
    diffs: list[ColumnDiff] = []
    for table in plan.tables:
        scored, left, right = comparable_frames(before[table.name], after[table.name], table)
        found = list(column_shapes(table.name, scored, left, right))
        per_table[table.name] = found
        pairs += pair_measures(table.name, scored, left, right)
        prefix = f"utility.column_shapes@{table.name}."
        scores = {m.name.removeprefix(prefix): m.value for m in found if m.name.startswith(prefix)}
        diffs += column_diffs(before[table.name], after[table.name], table, profile.table(table.name), k, scores)
    return [*summaries(per_table), *pairs, *(m for found in per_table.values() for m in found)], tuple(diffs)


def _downstream(before: Mapping[str, Table], after: Mapping[str, pl.LazyFrame], plan: Plan, target: str) -> tuple[Measure, ...]:
    """What the policy's target loses, where the target is a column of one of the tables."""
    found = [table for table in plan.tables if target.startswith(f"{table.name}.")]
    column = {table.name: target.removeprefix(f"{table.name}.") for table in found}
    chosen = next((table for table in found if any(one.name == column[table.name] for one in table.columns)), None)
    if chosen is None:
        return ()
    return downstream(before[chosen.name], after[chosen.name], chosen, column[chosen.name])


def _attacks(
    before: Mapping[str, Table],
    after: Mapping[str, pl.LazyFrame],
    plan: Plan,
    profile: DatasetProfile,
    shadows: Callable[[], Mapping[str, Shadow]],
) -> list[Measure]:
    """Attack figures; that there were none is a figure too, where the policy forbade them."""
    if not plan.attacks.run:
        return [Measure(name="attack.run", value=0, note="the policy forbids attacks: nothing is known of what they would find")]
    found = attack_tables(before, after, shadows(), plan, profile)
    return [Measure(name="attack.run", value=1), *found] if found else []


def _suppressed(table: str, rows: int, suppressed: int) -> Measure:
    """The exact share may be a small count: internal."""
    share = suppressed / rows if rows else 0.0
    return Measure(name=f"utility.suppressed@{table}", value=rounded(share), of=rows, internal=True)


def _contract(
    contract: Mapping[str, dict[str, Any]],
    after: Mapping[str, pl.LazyFrame],
    plan: Plan,
    measures: list[Measure],
    before: Mapping[str, Table],
    suppressed_rows: Mapping[str, int],
) -> Iterator[SuiteResult]:
    """The contract suite of each table, with what only the run can know: no row appeared or vanished, references hold."""
    taken = {measure.name: measure for measure in measures}
    for table in plan.tables:
        if table.name not in contract:
            continue
        result = run_suite(contract[table.name], after[table.name], table=table.name, kind="contract")
        failed, count = list(result.failed), result.expectations + 1
        if row_count(after[table.name]) != before[table.name].rows - suppressed_rows.get(table.name, 0):
            failed.append("rows_written_equal_rows_read_less_suppressed()")
        for reference in table.references:
            measure = taken.get(f"contract.orphans@{table.name}.{reference.column}")
            allowed = taken.get(f"contract.orphans_before@{table.name}.{reference.column}")
            if measure is None or allowed is None:
                continue
            count += 1
            if measure.value > allowed.value:
                failed.append(f"references_hold({clean_name(reference.column)})")
        yield result.model_copy(update={"failed": tuple(failed), "expectations": count, "passed": not failed})


def _user_suites(plan: Plan, after: Mapping[str, pl.LazyFrame], measures: list[Measure]) -> Iterator[SuiteResult]:
    for table, text in sorted(plan.suites.items()):
        suite = parse_suite(text, table)
        if table in after:
            yield run_suite(suite, after[table], table=table, kind="user")
        elif table == "metrics":
            yield run_metrics_suite(suite, measures, table=table, kind="user")
        else:
            entries = max(1, len(suite["expectations"]))
            yield SuiteResult(
                name=clean_name(table), table=table, kind="user", passed=False, expectations=entries, failed=("table_exists()",)
            )


def _suite_measures(suites: list[SuiteResult]) -> Iterator[Measure]:
    for kind in ("contract", "user", "utility"):
        chosen = [suite for suite in suites if suite.kind == kind]
        total = sum(suite.expectations for suite in chosen)
        if chosen:
            failed = sum(max(len(suite.failed), 0 if suite.passed else 1) for suite in chosen)
            yield Measure(name=f"suite.{kind}", value=rounded(max(0.0, 1 - failed / total) if total else 1.0), of=total)


def _expected(plan: Plan, shapes: Mapping[str, Shape]) -> frozenset[str]:
    """Measures that this dataset must have: taking them is not optional."""
    names = {"leak.cells", "suite.contract"}
    names |= {f"utility.suppressed@{table.name}" for table in plan.tables}
    names |= {f"risk.k_joined@{root}" for root in joined_roots(shapes)}
    names |= {f"risk.k_releases@{name}" for name in stable_tables(shapes)}
    for shape in shapes.values():
        if shape.quasi:
            names |= {f"{measure}@{shape.name}" for measure in declared_measures(plan.privacy, sensitive=bool(shape.sensitive))}
    if plan.suites:
        names.add("suite.user")
    return frozenset(names)


def _hints(sizes: tuple[ClassSizes, ...], measures: list[Measure], suites: list[SuiteResult]) -> dict[str, str]:
    """What to add to the sentence of a failed gate: where it fails."""
    hints = {m.name: f"({m.note}.)" for m in measures if m.name.startswith("attack.") and m.note}
    for one in sizes:
        columns = ", ".join(clean_name(name) for name in one.quasi_identifiers)
        hints[f"risk.k@{one.table}"] = f"{one.below_k} rows are in too small classes on ({columns})."
    worst = [m.name.partition("@")[2] for m in measures if m.name.startswith("leak.cells@") and m.value]
    if worst:
        hints["leak.cells"] = f"Found in {', '.join(clean_name(name) for name in worst[:8])}."
    for kind in ("contract", "user", "utility"):
        failed = [f"{clean_name(suite.table)}: {name}" for suite in suites if suite.kind == kind for name in suite.failed]
        if failed:
            hints[f"suite.{kind}"] = f"Failed: {'; '.join(failed[:5])}."
    return hints

"""Profile, detect, decide, search, fit: everything up to a finished plan, and `run` = plan + apply."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tamis.conductor.applying import Job, execute
from tamis.conductor.inputs import Data, Silent, key_of, load_policy, load_tables, policy_sources, user_suites, working_on
from tamis.conductor.trying import above_limit, ancestors, objections
from tamis.core.actions import AnyAction, Drop, Fake, Keep, Pseudonymize, Redact, ShiftDates, Synthesize
from tamis.core.errors import PlanError
from tamis.core.plan import ColumnPlan, Plan, Status, TablePlan
from tamis.core.policy import Policy, ReadOptions
from tamis.core.ports import KeyRing, Progress
from tamis.core.proxy import ProxyModel
from tamis.core.record import Release
from tamis.core.types import DatasetProfile, Findings, Table
from tamis.detect import detect_columns
from tamis.documents import parse_document
from tamis.keys import KeySource, MasterKey
from tamis.plan import PlanInput, draft_plan, draft_policy_text, finish_plan
from tamis.plan.check import require_decided, require_released
from tamis.profile import profile_tables
from tamis.rules import Rules, load_rules
from tamis.search import Resolved, resolve_table
from tamis.verify import known_measures
from tamis.write.software import library_versions

DEFAULT_K = 5
_TRIALS = 8
"""rounds in which a draft is tried and corrected"""
_TIGHTENINGS = 3
"""how often the search is repeated with half the limit where suppressed parents take too many children with them"""
_UNIT = "__tamis_unit"


@dataclass(frozen=True, slots=True)
class Profiled:
    """What is in the data: aggregates and findings; no cell values."""

    profile: DatasetProfile
    findings: Findings
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """A finished plan with what it was made from."""

    plan: Plan
    profiled: Profiled


def profile_data(
    data: Data, *, k: int = DEFAULT_K, packs: tuple[str, ...] = (), options: ReadOptions | None = None, progress: Progress | None = None
) -> Profiled:
    """Measure the tables and say what each column is. Changes nothing."""
    progress = progress or Silent()
    read_options = options or ReadOptions()
    tables = load_tables(data, lambda _: read_options, progress, {})
    return _profiled(tables, load_rules(packs, base=Path()), k, progress)


def draft_policy(
    data: Data,
    *,
    accept: bool = False,
    sources: Mapping[str, tuple[str, ...]] | None = None,
    key: str = "env:TAMIS_KEY",
    progress: Progress | None = None,
) -> tuple[str, Profiled]:
    """A commented policy (YAML text) with a proposal for every column, and what it was drafted from."""
    progress = progress or Silent()
    profiled = profile_data(data, progress=progress)

    def text(objections: Mapping[tuple[str, str], str], *, accept: bool) -> str:
        found = profiled.profile, profiled.findings, sources or {}
        return draft_policy_text(*found, accept=accept, key=key, objections=objections)

    return text(_tried(profiled, lambda objections: text(objections, accept=True), progress), accept=accept), profiled


def _tried(profiled: Profiled, text: Callable[[Mapping[tuple[str, str], str]], str], progress: Progress) -> dict[tuple[str, str], str]:
    """What the draft must not propose, found by trying it on the data until nothing is left to object to (or after a few rounds).

    The key of the trial is made for it and forgotten: no figure depends on it.
    """
    rules, keyring = load_rules((), base=Path()), MasterKey(secrets.token_bytes(32))
    found: dict[tuple[str, str], str] = {}
    with working_on(profiled.tables), suppress(PlanError):  # what cannot be applied at all is said when it is run
        for _ in range(_TRIALS):
            policy = parse_document(text(found), "draft", Policy)
            draft = draft_plan(PlanInput(policy=policy, rules=rules, profile=profiled.profile, findings=profiled.findings))
            if not any(column.released for _, column in draft.walk()):
                break
            plan = _levelled(draft, profiled.tables, profiled.profile, rules, Path(), keyring, progress)
            with progress.stage("try"):
                more = objections(plan, profiled.tables, keyring)
            if not more.keys() - found.keys():
                break
            found |= more
    return found


def build_plan(
    data: Data,
    policy: Policy | str | Path | Mapping[str, object],
    *,
    key: KeySource | MasterKey | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Decide. Reads the data, changes nothing, writes nothing.

    The plan may still hold columns that nobody decided about: `plan.open_columns`; applying it is then refused.
    """
    return _planned(data, policy, key, progress or Silent()).plan


def run_job(
    data: Data,
    policy: Policy | str | Path | Mapping[str, object],
    out: str | Path,
    *,
    state: str | Path | None = None,
    key: KeySource | MasterKey | None = None,
    progress: Progress | None = None,
) -> Release:
    """Plan and apply in one: read, decide, transform, verify, gate, publish.

    Raises PlanError while a person has still to decide about a column. A failed gate publishes nothing: the release returned has no
    path, its verdict says why.
    """
    progress = progress or Silent()
    loaded, base = load_policy(policy)
    planned = _planned(data, policy, key, progress, refuse_open=True)
    keyring = key_of(key, loaded.key, base)
    job = Job(planned.plan, planned.profiled.tables, planned.profiled.profile, planned.profiled.findings, keyring, progress)
    return execute(job, Path(out), Path(state) if state else base / ".tamis")


def _profiled(tables: tuple[Table, ...], rules: Rules, k: int, progress: Progress) -> Profiled:
    with working_on(tables):
        profile = profile_tables(tables, k=k, progress=progress)
        findings = detect_columns(tables, profile, rules, progress=progress)
    return Profiled(profile, findings, tables)


def _planned(
    data: Data,
    policy: Policy | str | Path | Mapping[str, object],
    key: KeySource | MasterKey | None,
    progress: Progress,
    *,
    refuse_open: bool = False,
) -> Planned:
    loaded, base = load_policy(policy)
    keyring = key_of(key, loaded.key, base)
    rules = load_rules(loaded.packs, base=base)
    sources = policy_sources(loaded, base) if data is None else {}
    tables = load_tables(data, lambda name: loaded.of(name).read, progress, sources)
    profiled = _profiled(tables, rules, loaded.privacy.k, progress)
    given = PlanInput(
        policy=loaded,
        rules=rules,
        profile=profiled.profile,
        findings=profiled.findings,
        key_id=keyring.key_id,
        suites=user_suites(loaded, base, tables),
        versions=library_versions(),
        measures=tuple(known_measures()),
    )
    draft = draft_plan(given)
    if refuse_open:
        require_decided(draft)
        require_released(draft)  # before the search and the fit: the answer must not take minutes
    with working_on(tables):
        return Planned(_resolved(draft, tables, profiled.profile, rules, base, keyring, progress), profiled)


def _resolved(
    draft: Plan, tables: tuple[Table, ...], profile: DatasetProfile, rules: Rules, base: Path, keyring: KeyRing, progress: Progress
) -> Plan:
    """Fill in what needs the data: levels and literals (search), then proxy models (fit)."""
    decided = _levelled(draft, tables, profile, rules, base, keyring, progress)
    models: dict[str, ProxyModel] = {}
    actions: dict[tuple[str, str], AnyAction] = {}
    for table in tables:
        targets = [column for column in decided.table(table.name).columns if isinstance(column.action, Synthesize)]
        if targets:
            model = _fitted(table, decided, keyring, progress)
            models[model.id] = model
            actions |= {(table.name, column.name): Synthesize(model=model.id) for column in targets}
    return finish_plan(decided, actions, {}, models, {})


def _levelled(
    draft: Plan, tables: tuple[Table, ...], profile: DatasetProfile, rules: Rules, base: Path, keyring: KeyRing, progress: Progress
) -> Plan:
    """The draft with levels and literals; proxies are still open."""
    limits = {table.name: draft.privacy.max_suppressed for table in tables}
    found = _searched(draft, tables, profile, rules, base, limits, progress)
    for _ in range(_TIGHTENINGS):
        above = above_limit(_with_found(draft, found), tables, keyring)
        if not above:
            break
        # Rows go with their parents' rows: whoever has children may lose fewer than the limit allows.
        tighter = set(above).union(*(ancestors(draft, name) for name in above))
        limits = {name: limit / 2 if name in tighter else limit for name, limit in limits.items()}
        again = _searched(draft, tuple(t for t in tables if t.name in tighter), profile, rules, base, limits, progress)
        if any(_loses_more(one, table.rows, limits[table.name]) for table in tables if (one := again.get(table.name)) is not None):
            break
        found |= again
    return _with_found(draft, found)


def _searched(
    draft: Plan,
    tables: tuple[Table, ...],
    profile: DatasetProfile,
    rules: Rules,
    base: Path,
    limits: Mapping[str, float],
    progress: Progress,
) -> dict[str, Resolved]:
    """Levels and literals of each table, none losing more than its limit where that can be."""
    out = {}
    for table in tables:
        with progress.stage("search", table.name):
            privacy = draft.privacy.model_copy(update={"max_suppressed": limits[table.name]})
            hierarchies = lambda name: rules.hierarchy(name, base)  # noqa: E731
            out[table.name] = resolve_table(table, draft.table(table.name), profile.table(table.name), privacy, hierarchies, progress)
    return out


def _with_found(draft: Plan, found: Mapping[str, Resolved]) -> Plan:
    actions = {(name, column): action for name, one in found.items() for column, action in one.actions.items()}
    classes = {name: one.classes for name, one in found.items() if one.classes is not None}
    return finish_plan(draft, actions, classes, {}, {name: one.warnings for name, one in found.items()})


def _loses_more(resolved: Resolved, rows: int, limit: float) -> bool:
    return resolved.classes is not None and resolved.classes.suppressed_rows > limit * rows


def _fitted(table: Table, decided: Plan, keyring: KeyRing, progress: Progress) -> ProxyModel:
    """Fit the proxies of one table on released givens and original targets."""
    from tamis.fit import fit_proxies
    from tamis.transform import apply_table

    plan = decided.table(table.name)
    unit = plan.unit
    training = decided.model_copy(
        update={"tables": tuple(_for_training(other, unit if other.name == table.name else None) for other in decided.tables)}
    )
    frame = apply_table(table, training, keyring=keyring, scope="fit", spans=None, suppressed={}).frame
    if unit is not None:
        frame = frame.rename({unit: _UNIT})
    return fit_proxies(frame, plan, model_id=f"proxy:{table.name}", keyring=keyring, k=decided.privacy.k, progress=progress)


def _for_training(plan: TablePlan, unit: str | None) -> TablePlan:
    """The plan that gives the rows to learn from: targets as they are, givens as released, everything keyed left out."""
    columns = tuple(
        column.model_copy(update={"action": _training_action(column, unit), "status": Status.DECIDED}) for column in plan.columns
    )
    classes = plan.classes.model_copy(update={"l": None}) if plan.classes else None
    return plan.model_copy(update={"columns": columns, "classes": classes, "references": (), "keep_order": None})


def _training_action(column: ColumnPlan, unit: str | None) -> AnyAction:
    if column.name == unit or isinstance(column.action, Synthesize):
        return Keep()
    if isinstance(column.action, Pseudonymize | Fake | Redact | ShiftDates):
        return Drop()
    return column.action

"""Profile, detect, decide, search, fit: everything up to a finished plan, and `run` = plan + apply."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tamis.conductor.applying import Job, execute
from tamis.conductor.approving import resolved_rule
from tamis.conductor.inputs import Data, Silent, key_of, load_policy, load_tables, policy_sources, user_suites, working_on
from tamis.conductor.populations import columns_of, load_population, populations
from tamis.conductor.trying import above_limit, ancestors, objections
from tamis.core.actions import AnyAction, Drop, Fake, Keep, Pseudonymize, Redact, ShiftDates, Synthesize
from tamis.core.errors import PlanError, PolicyError, clean_name, did_you_mean
from tamis.core.plan import ColumnPlan, Plan, Status, TablePlan
from tamis.core.policy import Policy, ReadOptions
from tamis.core.ports import KeyRing, Lineage, Progress
from tamis.core.proxy import ProxyModel
from tamis.core.record import Release
from tamis.core.types import DatasetProfile, Findings, Table
from tamis.detect import NerModel, detect_columns, load_ner
from tamis.documents import parse_document
from tamis.keys import KeySource, MasterKey
from tamis.plan import PlanInput, draft_plan, draft_policy_text, finish_plan
from tamis.plan.build import with_stated_roles
from tamis.plan.check import require_decided, require_released
from tamis.plan.units import unit_columns
from tamis.profile import find_quasi_sets, profile_tables
from tamis.rules import Rules, list_hierarchies, load_hierarchy, load_rules
from tamis.search import Resolved, TradeOff, pick_alternative, resolve_table
from tamis.search import trade_off as trade_off_of
from tamis.signing import Signer
from tamis.verify import known_measures, measure_input
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
    trade_offs: tuple[TradeOff, ...] = ()
    """per table with quasi-identifiers what other k and other limits would cost; only where asked for"""
    population: Table | None = None
    """the declared one"""


@dataclass(frozen=True, slots=True)
class _World:
    """What every step of planning needs besides the draft."""

    tables: tuple[Table, ...]
    profile: DatasetProfile
    rules: Rules
    base: Path
    keyring: KeyRing
    progress: Progress
    population: Table | None = None


def profile_data(
    data: Data,
    *,
    k: int = DEFAULT_K,
    packs: tuple[str, ...] = (),
    options: ReadOptions | None = None,
    budget: int | None = None,
    progress: Progress | None = None,
) -> Profiled:
    """Measure the tables and say what each column is. Changes nothing.

    `budget` bounds the search for column sets that single people out: rows counted, over all sets (None: the default).
    """
    progress = progress or Silent()
    read_options = options or ReadOptions()
    tables = load_tables(data, lambda _: read_options, progress, {})
    return _profiled(tables, load_rules(packs, base=Path()), k, progress, budget=budget)


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
            world = _World(profiled.tables, profiled.profile, rules, Path(), keyring, progress)
            plan = _with_found(draft, _levelled(draft, world))
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
    alternatives: Mapping[str, int] | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Decide. Reads the data, changes nothing, writes nothing.

    The plan may still hold columns that nobody decided about: `plan.open_columns`; applying it is then refused. `alternatives` picks,
    by table, one of the nodes that a plan lists (`classes.alternatives`, numbered from 1) instead of the one with the least loss.
    """
    return plan_job(data, policy, key=key, alternatives=alternatives, progress=progress).plan


def plan_job(
    data: Data,
    policy: Policy | str | Path | Mapping[str, object],
    *,
    key: KeySource | MasterKey | None = None,
    alternatives: Mapping[str, int] | None = None,
    trade_off: bool = False,
    progress: Progress | None = None,
) -> Planned:
    """`build_plan` with what it was made from, and on demand the trade-off between privacy and loss."""
    return _planned(data, policy, key, progress or Silent(), alternatives=alternatives, trade_off=trade_off)


def run_job(
    data: Data,
    policy: Policy | str | Path | Mapping[str, object],
    out: str | Path,
    *,
    state: str | Path | None = None,
    key: KeySource | MasterKey | None = None,
    signer: Signer | None = None,
    lineage: Lineage | None = None,
    progress: Progress | None = None,
) -> Release:
    """Plan and apply in one: read, decide, transform, verify, gate, publish.

    Raises PlanError while a person has still to decide about a column. A failed gate publishes nothing: the release returned has no
    path, its verdict says why.
    """
    progress = progress or Silent()
    loaded, base = load_policy(policy)
    if loaded.approvals.required:
        raise PlanError(
            "needs_approval",
            f"This policy wants {loaded.approvals.required} approval(s) of the plan, and `run` plans and applies in one.",
            hint="Run: tamis plan -o plan.json, then tamis approve plan.json, then tamis apply plan.json.",
        )
    planned = _planned(data, policy, key, progress, refuse_open=True)
    keyring = key_of(key, loaded.key, base)
    job = Job(
        planned.plan,
        planned.profiled.tables,
        planned.profiled.profile,
        planned.profiled.findings,
        keyring,
        progress,
        signer=signer,
        lineage=lineage,
        population=planned.population,
        rules=load_rules(loaded.packs, recognizers=loaded.recognizers, base=base),
    )
    return execute(job, Path(out), Path(state) if state else base / ".tamis")


def _profiled(
    tables: tuple[Table, ...],
    rules: Rules,
    k: int,
    progress: Progress,
    *,
    policy: Policy | None = None,
    budget: int | None = None,
    ner: NerModel | None = None,
) -> Profiled:
    with working_on(tables):
        profile = profile_tables(tables, k=k, progress=progress)
        findings = detect_columns(tables, profile, rules, ner=ner, progress=progress)
        stated = (policy.privacy.unit, policy.references) if policy else (None, {})
        units = unit_columns(profile, findings, *stated)
        roles = with_stated_roles(findings, policy) if policy else findings
        with progress.stage("profile", "combinations"):
            sets = find_quasi_sets(tables, profile, roles, units=units, k=k, budget=budget, progress=progress)
    return Profiled(profile.model_copy(update={"quasi_sets": sets}), findings, tables)


def _planned(
    data: Data,
    policy: Policy | str | Path | Mapping[str, object],
    key: KeySource | MasterKey | None,
    progress: Progress,
    *,
    refuse_open: bool = False,
    alternatives: Mapping[str, int] | None = None,
    trade_off: bool = False,
) -> Planned:
    loaded, base = load_policy(policy)
    keyring = key_of(key, loaded.key, base)
    rules = load_rules(loaded.packs, recognizers=loaded.recognizers, base=base)
    for note in rules.notes:
        progress.note(note)
    sources = policy_sources(loaded, base) if data is None else {}
    tables = load_tables(data, lambda name: loaded.of(name).read, progress, sources)
    population = load_population(loaded.privacy, base, progress)
    ner = load_ner(loaded.ner, base) if loaded.ner else None
    profiled = _profiled(tables, rules, loaded.privacy.k, progress, policy=loaded, ner=ner)
    given = PlanInput(
        policy=loaded,
        rules=rules,
        profile=profiled.profile,
        findings=profiled.findings,
        key_id=keyring.key_id,
        suites=user_suites(loaded, base, tables),
        versions=library_versions(),
        measures=tuple(known_measures()),
        population=columns_of(population),
    )
    draft = draft_plan(given).model_copy(update={"approvals": resolved_rule(loaded.approvals, base)})
    if refuse_open:
        require_decided(draft)
        require_released(draft)  # before the search and the fit: the answer must not take minutes
    world = _World(tables, profiled.profile, rules, base, keyring, progress, population)
    with working_on(tables):
        found = _picked(draft, _levelled(draft, world), alternatives or {})
        plan = _fitted_plan(_with_found(draft, found, alternatives), world)
        curves = _trade_offs(draft, found, progress) if trade_off else ()
    return Planned(plan, profiled, curves, population)


def _picked(draft: Plan, found: dict[str, Resolved], alternatives: Mapping[str, int]) -> dict[str, Resolved]:
    """The tables at the alternatives that a person picked. Raises PolicyError for one that does not exist."""
    for name in alternatives:
        if name not in found:
            raise PolicyError(
                "no_such_table", f"There is no table '{clean_name(name)}' to pick an alternative for.", hint=did_you_mean(name, found)
            )
    return {
        name: pick_alternative(draft.table(name), one, alternatives[name]) if name in alternatives else one for name, one in found.items()
    }


def _trade_offs(draft: Plan, found: Mapping[str, Resolved], progress: Progress) -> tuple[TradeOff, ...]:
    out = []
    for name, one in found.items():
        if one.space is not None:
            with progress.stage("search", f"trade-off of {clean_name(name)}"):
                out.append(trade_off_of(name, one.space, draft.privacy))
    return tuple(out)


def _fitted_plan(decided: Plan, world: _World) -> Plan:
    """With proxy models, and the risk of the input."""
    models: dict[str, ProxyModel] = {}
    actions: dict[tuple[str, str], AnyAction] = {}
    for table in world.tables:
        targets = [column for column in decided.table(table.name).columns if isinstance(column.action, Synthesize)]
        if targets:
            model = _fitted(table, decided, world)
            models[model.id] = model
            actions |= {(table.name, column.name): Synthesize(model=model.id) for column in targets}
    finished = finish_plan(decided, actions, {}, models, {})
    exposed = tuple(_exposed(table, finished, world) for table in finished.tables)
    return finished.model_copy(update={"tables": exposed})


def _exposed(plan: TablePlan, whole: Plan, world: _World) -> TablePlan:
    """A table's plan with the risk of its input on its quasi-identifiers: what the plan is there for."""
    if plan.classes is None or not plan.classes.quasi_identifiers:
        return plan
    table = next(table for table in world.tables if table.name == plan.name)
    known = populations(world.population, whole).get(plan.name)
    with world.progress.stage("plan", f"risk of {plan.name}"):
        found = measure_input(table.frame, plan.name, plan.classes.quasi_identifiers, plan.classes.unit, whole.privacy, known)
    return plan.model_copy(update={"exposure": found})


def _levelled(draft: Plan, world: _World) -> dict[str, Resolved]:
    """Levels and literals by table; proxies are still open."""
    tables = world.tables
    limits = {table.name: draft.privacy.max_suppressed for table in tables}
    found = _searched(draft, tables, world, limits)
    frames = populations(world.population, draft)
    for _ in range(_TIGHTENINGS):
        above = above_limit(_with_found(draft, found), tables, world.keyring, frames)
        if not above:
            break
        # Rows go with their parents' rows: whoever has children may lose fewer than the limit allows.
        tighter = set(above).union(*(ancestors(draft, name) for name in above))
        limits = {name: limit / 2 if name in tighter else limit for name, limit in limits.items()}
        again = _searched(draft, tuple(t for t in tables if t.name in tighter), world, limits)
        if any(_loses_more(one, table.rows, limits[table.name]) for table in tables if (one := again.get(table.name)) is not None):
            break
        found |= again
    return found


def _searched(draft: Plan, tables: tuple[Table, ...], world: _World, limits: Mapping[str, float]) -> dict[str, Resolved]:
    """Levels and literals of each table, none losing more than its limit where that can be."""
    known = {name: load_hierarchy(name) for name in list_hierarchies()}
    frames = populations(world.population, draft)
    out = {}
    for table in tables:
        with world.progress.stage("search", table.name):
            privacy = draft.privacy.model_copy(update={"max_suppressed": limits[table.name]})
            hierarchies = lambda name: world.rules.hierarchy(name, world.base)  # noqa: E731
            plan, profile = draft.table(table.name), world.profile.table(table.name)
            out[table.name] = resolve_table(
                table, plan, profile, privacy, hierarchies, world.progress, known=known, population=frames.get(table.name)
            )
    return out


def _with_found(draft: Plan, found: Mapping[str, Resolved], chosen: Mapping[str, int] | None = None) -> Plan:
    actions = {(name, column): action for name, one in found.items() for column, action in one.actions.items()}
    classes = {name: one.classes for name, one in found.items() if one.classes is not None}
    return finish_plan(draft, actions, classes, {}, {name: one.warnings for name, one in found.items()}, chosen)


def _loses_more(resolved: Resolved, rows: int, limit: float) -> bool:
    return resolved.classes is not None and resolved.classes.suppressed_rows > limit * rows


def _fitted(table: Table, decided: Plan, world: _World) -> ProxyModel:
    """Fit the proxies of one table on released givens and original targets."""
    from tamis.fit import fit_proxies
    from tamis.transform import apply_table

    plan = decided.table(table.name)
    unit = plan.unit
    training = decided.model_copy(
        update={"tables": tuple(_for_training(other, unit if other.name == table.name else None) for other in decided.tables)}
    )
    known = populations(world.population, decided).get(table.name)
    frame = apply_table(table, training, keyring=world.keyring, scope="fit", spans=None, suppressed={}, population=known).frame
    if unit is not None:
        frame = frame.rename({unit: _UNIT})
    return fit_proxies(frame, plan, model_id=f"proxy:{table.name}", keyring=world.keyring, k=decided.privacy.k, progress=world.progress)


def _for_training(plan: TablePlan, unit: str | None) -> TablePlan:
    """The plan that gives the rows to learn from: targets as they are, givens as released, everything keyed left out."""
    columns = tuple(
        column.model_copy(update={"action": _training_action(column, unit), "status": Status.DECIDED}) for column in plan.columns
    )
    classes = plan.classes.model_copy(update={"l": None, "t": None}) if plan.classes else None
    return plan.model_copy(update={"columns": columns, "classes": classes, "references": (), "keep_order": None})


def _training_action(column: ColumnPlan, unit: str | None) -> AnyAction:
    if column.name == unit or isinstance(column.action, Synthesize):
        return Keep()
    if isinstance(column.action, Pseudonymize | Fake | Redact | ShiftDates):
        return Drop()
    return column.action

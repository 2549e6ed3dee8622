"""From policy, profile and findings to a plan: one action with its reason for every input column, default-deny."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tamis.core.actions import AnyAction, Drop, Fake, Generalize, Keep, Prefix, Pseudonymize, Redact, Synthesize, accepted_types
from tamis.core.canonical import digest
from tamis.core.errors import PolicyError
from tamis.core.plan import Classes, ColumnPlan, Plan, Reference, Status, TablePlan
from tamis.core.policy import Policy, Privacy, split_path
from tamis.core.proxy import ProxyModel
from tamis.core.types import DatasetProfile, DataType, Finding, Findings, QuasiSearch, Role, TableProfile
from tamis.plan.check import action_label, check_policy, model_problems, types_taken
from tamis.plan.fakes import fake_warnings
from tamis.plan.propose import Proposal, key_domains, propose_column, strays_of
from tamis.plan.relations import inference_warnings, is_identifying, singling_warnings
from tamis.rules import Rules


@dataclass(frozen=True, slots=True)
class PlanInput:
    """Everything a plan is made from, as values."""

    policy: Policy
    rules: Rules
    profile: DatasetProfile
    findings: Findings
    key_id: str | None = None
    suites: Mapping[str, str] = field(default_factory=dict)
    """the user's own expectation suites: table to canonical JSON"""
    versions: Mapping[str, str] = field(default_factory=dict)
    measures: tuple[str, ...] = ()
    """measure families that gates may name"""
    population: Mapping[str, DataType] | None = None
    """columns and types of the declared population"""


def draft_plan(given: PlanInput) -> Plan:
    """Decide about every column; literals that need the data (levels, kept values, models) are still open.

    Pure. Raises PolicyError with all problems at once when the policy cannot apply to these tables.
    """
    policy, rules = given.policy, given.rules
    findings = with_stated_roles(given.findings, policy)
    check_policy(policy, given.profile, rules, given.measures, given.key_id)
    domains = key_domains(given.profile, policy.references)
    tables = _linked(tuple(_draft_table(table, given, findings, domains) for table in given.profile.tables), given)
    if problems := model_problems(policy, tables, given.population):
        raise PolicyError(
            "policy_does_not_fit", "\n  ".join([f"the policy does not fit these tables: {len(problems)} problem(s)", *problems])
        )
    return Plan(
        purpose=policy.purpose,
        target=policy.target,
        policy_digest=digest(policy),
        packs={pack.location: pack.digest for pack in rules.packs},
        ner=policy.ner,
        privacy=policy.privacy,
        gates=policy.gates,
        attacks=policy.attacks,
        key=policy.key,
        key_id=given.key_id,
        tables=tables,
        suites=given.suites,
        versions=given.versions,
    )


def finish_plan(
    draft: Plan,
    actions: Mapping[tuple[str, str], AnyAction],
    classes: Mapping[str, Classes],
    models: Mapping[str, ProxyModel],
    warnings: Mapping[str, tuple[str, ...]],
    chosen: Mapping[str, int] | None = None,
) -> Plan:
    """The draft with resolved actions, chosen levels and fitted models; `chosen` are alternatives that a person picked, by table. Pure."""
    tables = []
    for table in draft.tables:
        number = (chosen or {}).get(table.name)
        columns = tuple(
            _resolved(column, actions[table.name, column.name], number) if (table.name, column.name) in actions else column
            for column in table.columns
        )
        noted = (*table.warnings, *warnings.get(table.name, ()))
        tables.append(table.model_copy(update={"columns": columns, "classes": classes.get(table.name, table.classes), "warnings": noted}))
    return draft.model_copy(update={"tables": tuple(tables), "models": dict(models)})


def _resolved(column: ColumnPlan, action: AnyAction, number: int | None) -> ColumnPlan:
    """The column with its literals. Where a person picked an alternative the level is his decision, and the rule says so."""
    searched = isinstance(column.action, Generalize) and column.action.to == "auto" and column.action.level is None
    if number is None or not searched or not isinstance(action, Generalize) or action.level is None:
        return column.model_copy(update={"action": action})
    reason = f"{column.reason}; level {action.level} of alternative {number} was picked by a person".removeprefix("; ")
    return column.model_copy(update={"action": action, "rule": f"{column.rule}+alternative:{number}", "reason": reason})


def with_stated_roles(findings: Findings, policy: Policy) -> Findings:
    """A role or entity that the policy states replaces the detector's."""

    def stated_first(finding: Finding) -> Finding:
        stated = policy.of(finding.table).of(finding.column)
        if stated is None or not (stated.role or stated.entity):
            return finding
        update = {"role": stated.role or finding.role, "entity": stated.entity or finding.entity, "confidence": 1.0}
        return finding.model_copy(update=update)

    return Findings(findings=tuple(stated_first(finding) for finding in findings.findings))


def _draft_table(table: TableProfile, given: PlanInput, findings: Findings, domains: Mapping[tuple[str, str], str]) -> TablePlan:
    policy = given.policy.of(table.name)
    columns: list[ColumnPlan] = []
    earlier: dict[str, Proposal] = {}
    for profile in table.columns:
        finding = findings.of(table.name, profile.name)
        proposal = propose_column(profile, finding, domains.get((table.name, profile.name)), earlier, given.profile)
        action, status, rule, reason = _decide(given, finding, profile.type, proposal)
        earlier[profile.name] = Proposal(action, reason, rule)
        columns.append(
            ColumnPlan(
                name=profile.name, type=profile.type, role=(proposal.role if rule == proposal.rule else None) or finding.role,
                detected=given.findings.of(table.name, profile.name).role, entity=finding.entity, action=action, status=status, rule=rule,
                reason=reason, evidence=finding.evidence,
            )
        )  # fmt: skip
    key = (policy.key,) if isinstance(policy.key, str) else policy.key or table.candidate_keys[:1]
    return TablePlan(
        name=table.name,
        columns=tuple(columns),
        key=key,
        keep_order=policy.keep_order,
        read=policy.read,
        warnings=_warnings(columns, findings, table, given.profile.singling(table.name)),
    )


def _decide(given: PlanInput, finding: Finding, kind: DataType, proposal: Proposal) -> tuple[AnyAction, Status, str, str]:
    """Policy, then packs, then `unknown_columns: drop`; what is left is only proposed."""
    stated = given.policy.of(finding.table).of(finding.column)
    if stated is not None and (action := stated.action) is not None:
        if isinstance(action, Keep) and finding.stray and stated.strays != "accept" and not stated.proposed:
            return action, Status.UNDECIDED, "policy:stray", _unseen_strays(finding)
        status = Status.PROPOSED if stated.proposed else Status.DECIDED
        return _with_facts(action, finding, given.rules), status, "policy", stated.why or _plain(action)
    if f"{finding.table}.{finding.column}" in given.policy.needed:
        if finding.stray:
            return Keep(), Status.UNDECIDED, "policy:stray", _unseen_strays(finding)
        return Keep(), Status.DECIDED, "policy:needed", "the purpose needs it"
    spoken = given.rules.pack_action(finding)
    if spoken is not None:
        action, rule, reason = spoken
        if obstacle := _obstacle(action, kind, given.rules):
            return Drop(), Status.DECIDED, rule, f"{reason}; {obstacle}, so it is dropped"
        return _with_facts(action, finding, given.rules), Status.DECIDED, rule, reason
    if given.policy.unknown_columns == "drop":
        return Drop(), Status.DECIDED, "default:unknown_columns", "nobody decided about it and the policy drops such columns"
    status = Status.UNDECIDED if finding.role is Role.UNKNOWN else Status.PROPOSED
    return proposal.action, status, proposal.rule, proposal.reason


def _unseen_strays(finding: Finding) -> str:
    """Why a `keep` does not count: who wrote it may not know what single cells hold."""
    return (
        f"personal data in some cells ({strays_of(finding)}): redact or drop the column, "
        "or keep it with `strays: accept` if these cells may leave"
    )


def _obstacle(action: AnyAction, kind: DataType, rules: Rules) -> str | None:
    """Why the action of a pack cannot be carried out on this column; a pack protects, so that what cannot be done ends in a drop."""
    if kind not in accepted_types(action):
        return f"{action_label(action)} takes {types_taken(action)} and the column is {kind.value}"
    forbidden = rules.forbidden(action.action)
    return f"the pack '{forbidden[0]}' refuses {action.action}" if forbidden else None


def _with_facts(action: AnyAction, finding: Finding, rules: Rules) -> AnyAction:
    """Put the published lists of the packs in force into the action that they restrict, whoever asked for it.

    Prefixes of ZIP codes: areas with few inhabitants become zeros (45 CFR 164.514(b)(2)(i)(B)). `auto` is that prefix too: no finer
    level may be chosen.
    """
    restricted = rules.fact("restricted_zip3")
    if not (restricted and isinstance(action, Generalize) and action.to in ("prefix", "auto") and finding.entity == "POSTCODE"):
        return action
    length = action.length or min(len(beginning) for beginning in restricted)
    return action.model_copy(update={"recode": Prefix(length=length, restricted=restricted)})


def _plain(action: AnyAction) -> str:
    return (type(action).__doc__ or "").split(".", maxsplit=1)[0].split("\n", maxsplit=1)[0]


def _warnings(columns: list[ColumnPlan], findings: Findings, table: TableProfile, search: QuasiSearch | None) -> tuple[str, ...]:
    out = []
    for column in columns:
        finding = findings.of(table.name, column.name)
        if isinstance(column.action, Keep) and column.role is Role.DIRECT:
            out.append(f"'{column.name}' identifies persons ({column.entity}) and is kept: {column.reason}")
        elif isinstance(column.action, Keep) and finding.stray:
            out.append(f"'{column.name}' is kept and holds personal data in some cells ({strays_of(finding)})")
        if isinstance(column.action, Pseudonymize) and column.action.link == "stable":
            out.append(
                f"'{column.name}' has stable pseudonyms: this release can be joined with others, and k is not checked across releases"
            )
        if isinstance(column.action, Redact):
            out.append(f"'{column.name}' is free text: without a model only what has a recognizable form is redacted; names stay")
    return (*out, *fake_warnings(columns), *singling_warnings(columns, search), *inference_warnings(columns, table))


def _linked(tables: tuple[TablePlan, ...], given: PlanInput) -> tuple[TablePlan, ...]:
    """Add references between tables, the unit of each table and its quasi-identifiers."""
    by_name = {table.name: table for table in tables}
    known = _references(given)
    references = [(table, reference) for table, reference in known if _joinable(by_name, table, reference)]
    unit = split_path(given.policy.privacy.unit) if given.policy.privacy.unit else None
    out = []
    for table in tables:
        own = tuple(reference for name, reference in references if name == table.name)
        quasi = tuple(column.name for column in table.released if column.role is Role.QUASI and is_identifying(column.action))
        classes = None
        if quasi:
            classes = _model(given.policy.privacy, quasi, _unit_of(table.name, unit, own))
        # A key that is dropped still tells whose rows these are.
        persons = _unit_of(table.name, unit, tuple(reference for name, reference in known if name == table.name))
        noted = (*table.warnings, *_nothing_guarded(table, classes))
        out.append(table.model_copy(update={"references": own, "classes": classes, "unit": persons, "warnings": noted}))
    return tuple(out)


def _model(privacy: Privacy, quasi: tuple[str, ...], unit: str | None) -> Classes:
    """The policy's disclosure model for one table."""
    return Classes(
        quasi_identifiers=quasi,
        k=privacy.k,
        l=privacy.l,
        diversity=privacy.diversity,
        c=privacy.c,
        t=privacy.t,
        distance=privacy.distance,
        k_map=privacy.k_map,
        presence=privacy.presence,
        recoding=privacy.recoding,
        unit=unit,
    )


def _nothing_guarded(table: TablePlan, classes: Classes | None) -> Iterator[str]:
    """l and t are about sensitive values; without one that leaves they say nothing."""
    if classes is None or (classes.l is None and classes.t is None):
        return
    if not any(column.role is Role.SENSITIVE and not isinstance(column.action, Synthesize) for column in table.released):
        asked = " and ".join(word for word in ("l", "t") if getattr(classes, word) is not None)
        yield f"{asked} cannot be broken here: no sensitive column leaves with its own values"


def _unit_of(table: str, unit: tuple[str, str] | None, references: tuple[Reference, ...]) -> str | None:
    if unit is None:
        return None
    if table == unit[0]:
        return unit[1]
    return next((reference.column for reference in references if (reference.parent_table, reference.parent_column) == unit), None)


def _references(given: PlanInput) -> list[tuple[str, Reference]]:
    """(child table, reference): those of the policy, then those found in the data that make no circle."""
    out: list[tuple[str, Reference]] = []
    for child, parent in given.policy.references.items():
        (table, column), (parent_table, parent_column) = split_path(child), split_path(parent)
        out.append((table, Reference(column=column, parent_table=parent_table, parent_column=parent_column)))
    for key in given.profile.foreign_keys:
        stated = any(table == key.table and reference.column == key.column for table, reference in out)
        if not stated and key.table != key.parent_table and not _reaches(key.parent_table, key.table, out):
            out.append((key.table, Reference(column=key.column, parent_table=key.parent_table, parent_column=key.parent_column)))
    return out


def _reaches(start: str, goal: str, references: list[tuple[str, Reference]]) -> bool:
    if start == goal:
        return True
    return any(_reaches(reference.parent_table, goal, references) for table, reference in references if table == start)


def _joinable(tables: Mapping[str, TablePlan], table: str, reference: Reference) -> bool:
    """Both sides are released in a form that still joins."""
    child = tables[table].column(reference.column).action
    parent = tables[reference.parent_table].column(reference.parent_column).action
    match child, parent:
        case Keep(), Keep():
            return True
        case Pseudonymize(), Pseudonymize():
            return (child.domain, child.link) == (parent.domain, parent.link)
        case Fake(), Fake():
            return child == parent
        case _:
            return False

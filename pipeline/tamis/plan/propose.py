"""What tamis proposes for columns that nobody decided about, and the policy draft of `tamis init`.

A proposal is never applied: `keep` in particular is a person's decision. The order of the rules is the order of their strength.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import yaml

from tamis.core.actions import Action, AnyAction, Drop, Generalize, Keep, Pseudonymize, Synthesize
from tamis.core.policy import Policy
from tamis.core.types import ColumnProfile, DatasetProfile, DataType, Finding, Findings, QuasiSearch, Role, TableProfile
from tamis.plan.relations import determined_reason, singling_reason, singling_set

_KEY_LIKE_UNIQUENESS = 0.98
_MOST_CATEGORIES = 2_000
"""a text column with more distinct values is not a category that can be generalized or synthesized"""
_LONG_TEXT_WORDS = 6.0
_LONGEST_IMPLICIT_KEY = 900


class Proposal(NamedTuple):
    """An action, why, and the rule that says so."""

    action: AnyAction
    reason: str
    rule: str
    role: Role | None = None
    """set where the column is more than it was found to be by itself"""


def propose_table(table: str, profile: DatasetProfile, findings: Findings, domains: Mapping[tuple[str, str], str]) -> dict[str, Proposal]:
    """A proposal for every column of a table, in input order."""
    out: dict[str, Proposal] = {}
    for column in profile.table(table).columns:
        out[column.name] = propose_column(column, findings.of(table, column.name), domains.get((table, column.name)), out, profile)
    return out


def propose_column(
    column: ColumnProfile, finding: Finding, domain: str | None, earlier: Mapping[str, Proposal], profile: DatasetProfile
) -> Proposal:
    """One column. `domain` is set where the column takes part in a key between tables."""
    redundant = _redundant(column, finding, earlier, profile.table(finding.table))
    if redundant is not None:
        return redundant
    proposal = _by_role(column, finding, domain or _domain(finding.table, column.name), domain is not None)
    return _singling(column, proposal, profile.singling(finding.table)) if isinstance(proposal.action, Keep) else proposal


def _singling(column: ColumnProfile, proposal: Proposal, search: QuasiSearch | None) -> Proposal:
    """A column that singles people out together with others is generalized with the quasi-identifiers."""
    found = singling_set(search, column.name)
    if search is None or found is None:
        return proposal
    reason = singling_reason(found, column.name, search.k)
    if _too_many_texts(column):
        return Proposal(Drop(), f"{reason}; it has too many values to generalize", "proposal:singling")
    action = Generalize(to="auto") if column.type in Generalize.accepts and column.type is not DataType.BOOLEAN else Keep()
    return Proposal(action, reason, "proposal:singling", Role.QUASI)


def _redundant(column: ColumnProfile, finding: Finding, earlier: Mapping[str, Proposal], table: TableProfile) -> Proposal | None:
    if column.type is DataType.EMPTY or column.present == 0:
        return Proposal(Drop(), "empty: has no values", "proposal:empty")
    if column.type is DataType.BINARY:
        return Proposal(Drop(), "binary content cannot be examined", "proposal:binary")
    if column.constant:
        return Proposal(Drop(), "constant: says nothing", "proposal:constant")
    if column.duplicate_of is not None:
        return Proposal(Drop(), f"redundant: the same as '{column.duplicate_of}'", "proposal:duplicate")
    if column.equivalent_to is not None and column.equivalence == "format":
        return Proposal(Drop(), f"redundant: the same as '{column.equivalent_to}' up to case and format", "proposal:duplicate")
    source = column.determined_by
    if source is not None and finding.role in (Role.NONE, Role.UNKNOWN) and not isinstance(earlier.get(source, _NOTHING).action, Drop):
        return Proposal(Drop(), determined_reason(table, column.name, source), "proposal:determined")
    return None


_NOTHING = Proposal(Drop(), "", "")


def _by_role(column: ColumnProfile, finding: Finding, domain: str, is_key: bool) -> Proposal:
    what = finding.entity or "unnamed"
    unique = column.uniqueness >= _KEY_LIKE_UNIQUENESS and column.present > 1
    accepts = Pseudonymize.accepts
    match finding.role:
        case Role.DIRECT:
            if column.type in accepts and (is_key or _is_identifier(finding.entity)):
                return Proposal(Pseudonymize(domain=domain), f"identifies a person ({what}) and keys rows", "proposal:direct-key")
            return Proposal(Drop(), f"identifies a person ({what})", "proposal:direct")
        case Role.QUASI:
            if column.type in Generalize.accepts and not _too_many_texts(column):
                return Proposal(Generalize(to="auto"), f"identifies in combination ({what})", "proposal:quasi")
            return Proposal(Drop(), f"identifies in combination ({what}) and has too many values to generalize", "proposal:quasi")
        case Role.SENSITIVE:
            if column.type in Synthesize.accepts and not _too_many_texts(column):
                return Proposal(Synthesize(), f"private ({what})", "proposal:sensitive")
            return Proposal(Drop(), f"private ({what}) and cannot be modelled", "proposal:sensitive")
        case Role.UNKNOWN | Role.NONE if finding.stray:
            return Proposal(
                Drop(), f"personal data in some cells ({strays_of(finding)}); `redact` would take out what was found", "proposal:stray"
            )
        case Role.UNKNOWN:
            return Proposal(Drop(), "nothing explains these values: look at them before they leave", "proposal:unknown")
        case Role.NONE:
            if column.type in accepts and (is_key or (unique and column.type in (DataType.TEXT, DataType.INTEGER))):
                return Proposal(Pseudonymize(domain=domain), "keys rows: the raw value would link them to their source", "proposal:key")
            return Proposal(Keep(), "no personal data found", "proposal:none")


def strays_of(finding: Finding) -> str:
    """What single cells of a column hold, in words of the vocabulary."""
    return ", ".join(sorted({evidence.entity or evidence.rule for evidence in finding.stray}))


def _is_identifier(entity: str | None) -> bool:
    return entity is not None and entity.endswith("_ID")


def _too_many_texts(column: ColumnProfile) -> bool:
    if column.type is not DataType.TEXT:
        return False
    if (column.words_mean or 0) > _LONG_TEXT_WORDS:
        return True
    return column.distinct > _MOST_CATEGORIES and not _is_code(column)


def _is_code(column: ColumnProfile) -> bool:
    """Short values of one length: a postcode can be cut, a city name cannot."""
    return (column.length_max or 99) <= 12 and (column.words_mean or 9) < 3 and column.length_min == column.length_max


def key_domains(profile: DatasetProfile, references: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """One pseudonym domain for all columns that hold the same keys: (table, column) to domain, named after the parent."""
    parent: dict[tuple[str, str], tuple[str, str]] = {}
    for key in profile.foreign_keys:
        parent[key.table, key.column] = (key.parent_table, key.parent_column)
    for child, target in references.items():
        (table, _, column), (parent_table, _, parent_column) = child.partition("."), target.partition(".")
        parent[table, column] = (parent_table, parent_column)
    out: dict[tuple[str, str], str] = {}
    for child_column in parent:
        root, seen = child_column, {child_column}
        while root in parent and parent[root] not in seen:
            root = parent[root]
            seen.add(root)
        for member in seen:
            out[member] = _domain(*root)
    return out


def _domain(table: str, column: str) -> str:
    """A domain name from a table and a column name; names with other characters get a short digest so that they stay apart."""
    text = f"{table}.{column}"
    clean = re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:60]
    return clean if clean == text else f"{clean}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


# ---------------------------------------------------------------------------------------------------------------- the policy draft


def draft_policy_text(
    profile: DatasetProfile,
    findings: Findings,
    sources: Mapping[str, Sequence[str]],
    *,
    accept: bool,
    unit: str | None = None,
    key: str = "env:TAMIS_KEY",
    objections: Mapping[tuple[str, str], str] | None = None,
) -> str:
    """A commented policy (YAML) with a proposal for every column.

    `objections` are columns, by (table, column), that a trial of the draft found must go, with the reason.
    Without `accept` every entry carries `proposed: true`: a person decides by removing that line.
    """
    domains = key_domains(profile, {})
    refused = {place: Proposal(Drop(), reason, "proposal:tried") for place, reason in (objections or {}).items()}
    references = [f for f in profile.foreign_keys if not {(f.table, f.column), (f.parent_table, f.parent_column)} & refused.keys()]
    unit = unit or person_unit(profile, findings)
    lines = [
        "# A tamis policy, drafted from the data. Every column stands here with a proposal and the evidence behind it.",
        "# " + ("All proposals were accepted unseen (init --accept): fine for a first look, not for a release."
                if accept else "Decide: change what is wrong, then remove `proposed: true` (or the whole braces) line by line."),
        "# Actions: keep, drop, suppress_rare, generalize, top_bottom_code, pseudonymize, shift_dates, fake, synthesize, redact.",
        "version: 1",
        "purpose: " + _inline("Say here what the data is for" if not accept else "First look (all proposals accepted unseen)"),
        "# target: table.column          # what a model will be trained to predict",
        "packs: []                       # e.g. [contact, gdpr, hipaa-safe-harbor]",
        f"key: {_inline(key)}              # make one: export TAMIS_KEY=$(tamis key new -)",
        "unknown_columns: stop           # a new column in tonight's file stops the run; or: drop",
        "privacy: " + _inline({"model": "k-anonymity", "k": 5, "max_suppressed": 0.05, **({"unit": unit} if unit else {})}),
    ]  # fmt: skip
    if references:
        lines.append("references:                     # foreign keys found in the data, child: parent")
        lines += [f"  {_key(f'{f.table}.{f.column}', 2)}: {_inline(f'{f.parent_table}.{f.parent_column}')}" for f in references]
    lines.append("tables:")
    for table in profile.tables:
        lines.append(f"  {_key(table.name, 2)}:")
        if sources.get(table.name):
            stated = list(sources[table.name])
            lines.append(f"    source: {_inline(stated[0] if len(stated) == 1 else stated)}")
        lines.append("    columns:")
        for column, proposal in propose_table(table.name, profile, findings, domains).items():
            finding = findings.of(table.name, column)
            entry = _entry(refused.get((table.name, column), proposal), accept=accept)
            lines.append(f"      {_key(column, 6)}: {_inline(entry)}  # {finding.role.value}, {finding.confidence:.2f}")
    return "\n".join(lines) + "\n"


def _entry(proposal: Proposal, *, accept: bool) -> Any:
    parameters = _parameters(proposal.action)
    name = proposal.action.action
    entry: dict[str, Any] = {name: parameters} if parameters else {name: proposal.reason}
    if parameters:
        entry["reason"] = proposal.reason
    if proposal.role is not None:
        entry["role"] = proposal.role.value
    return entry if accept else {**entry, "proposed": True}


def _parameters(action: Action) -> dict[str, Any]:
    return action.model_dump(mode="json", exclude_defaults=True, exclude={"action"})


class _OneLine(yaml.SafeDumper):
    """Texts with line breaks or other control characters in double quotes, where they are escaped."""


def _quoted(dumper: _OneLine, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_OneLine.add_representer(str, _quoted)


def _inline(value: Any) -> str:
    """One line of YAML (flow style) that reads back as the same value."""
    text = yaml.dump(value, Dumper=_OneLine, default_flow_style=True, allow_unicode=True, width=10**9, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _key(name: str, indent: int) -> str:
    """A name as a key of a YAML mapping: long ones need the explicit form (YAML 1.2 §7.4.2 bounds implicit keys to 1024 characters)."""
    text = _inline(name)
    return text if len(text) < _LONGEST_IMPLICIT_KEY else f"? {text}\n{' ' * indent}"


def person_unit(profile: DatasetProfile, findings: Findings) -> str | None:
    """The column that names a person: a candidate key of role direct, the one that most other tables refer to first."""
    best: tuple[int, str] | None = None
    for table in profile.tables:
        for column in table.candidate_keys:
            finding = findings.of(table.name, column)
            if finding.role is not Role.DIRECT or not _is_identifier(finding.entity) or "." in table.name:
                continue
            referring = sum(1 for key in profile.foreign_keys if (key.parent_table, key.parent_column) == (table.name, column))
            if best is None or -referring < best[0]:
                best = (-referring, f"{table.name}.{column}")
    return best[1] if best else None


def accepted(policy: Policy) -> bool:
    """Whether a policy still holds proposals."""
    return not any(getattr(stated, "proposed", False) for table in policy.tables.values() for stated in table.columns.values())

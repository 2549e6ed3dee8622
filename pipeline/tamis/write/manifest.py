"""The manifest: what the recipient may know. After-figures only, deterministic: no times, no people, no hosts, no cell values.

What is held back or blurred, and why (decision 8): measures marked internal and the figures of gates on them; counts of suppressed
or dropped rows (rounded up to a multiple of k: never understated, never exact); the content of category maps and value lists (their
length at most); reasons that quote figures of the input.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from tamis.core.actions import (
    AnyAction,
    CategoryMap,
    Drop,
    Generalize,
    Keep,
    Redact,
    ShiftDates,
    SuppressRare,
    Synthesize,
    stable_domain,
)
from tamis.core.errors import TamperError, clean_name
from tamis.core.plan import ColumnPlan, Plan, TablePlan
from tamis.core.policy import split_path
from tamis.core.record import GateResult, Manifest, ManifestColumn, ManifestTable, Measure, OutputFile, Verdict
from tamis.core.types import Role
from tamis.documents import read_text
from tamis.write.software import library_versions, licences
from tamis.write.wording import action_sentence

__all__ = ["TableOutcome", "build_manifest", "derived_from", "library_versions", "licences", "load_manifest", "round_up", "status_sentence"]

PSEUDONYMIZED = "remains personal data (pseudonymized)"
_FIGURE = re.compile(
    r"\d[\d\s,.'\u00a0\u202f]*\s*(?:%|per\s?cent|(?:out\s+)?of\b|in\b|rows?\b|values?\b|persons?\b|cells?\b|distinct\b|times\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class TableOutcome:
    """What happened to one table: exact counts; the manifest blurs what must not be exact."""

    input_id: str
    """keyed id of the input's content"""
    rows: int
    """rows written"""
    suppressed_rows: int
    """rows left out to reach the disclosure model, or because their parent row was"""
    rows_dropped: int
    """rows that could not be read and were left out by the user's leave"""
    files: tuple[OutputFile, ...]


def build_manifest(
    plan: Plan,
    verdict: Verdict,
    *,
    release_id: str,
    tables: Mapping[str, TableOutcome],
    key_id: str | None,
    versions: Mapping[str, str],
    licences: Mapping[str, str],
) -> Manifest:
    """The manifest of a release; `tables` maps every table of the plan to what came of it (KeyError otherwise)."""
    hidden = {measure.name for measure in verdict.measures if measure.internal}
    return Manifest(
        release_id=release_id,
        status=status_sentence(plan, verdict),
        purpose=plan.purpose,
        plan_digest=plan.digest,
        policy_digest=plan.policy_digest,
        packs={PurePath(name).stem: value for name, value in sorted(plan.packs.items())},  # a path of ours is nobody's business
        key_id=key_id,
        k=plan.privacy.k,
        l=plan.privacy.l,
        diversity=plan.privacy.diversity,
        c=plan.privacy.c,
        t=plan.privacy.t,
        distance=plan.privacy.distance,
        k_map=plan.privacy.k_map,
        presence=plan.privacy.presence,
        population_size=plan.privacy.population_size,
        risk_threshold=plan.privacy.risk_threshold,
        tables=tuple(_table(plan, table, tables[table.name], plan.privacy.k) for table in plan.tables),
        measures=tuple(
            _published(measure)
            for measure in sorted(verdict.measures, key=lambda measure: measure.name)
            if not measure.internal and math.isfinite(measure.value)
        ),
        gates=tuple(_gate(result, hidden) for result in verdict.gates),
        suites=verdict.suites,
        contract=verdict.contract,
        versions=dict(sorted(versions.items())),
        licences=dict(sorted(licences.items())),
        notices=tuple(_notices(plan, licences)),
    )


def _published(measure: Measure) -> Measure:
    """A measure as the recipient may see it. One that needs the input loses its note and, in the leak scan, its denominator: both

    count rows or values of the input, and the input's rows less the released ones are the exact number suppressed.
    """
    if measure.verifiable:
        return measure
    return measure.model_copy(update={"note": "", "of": None if measure.name.startswith("leak.") else measure.of})


def load_manifest(path: Path) -> Manifest:
    """Read and check a manifest.

    Raises UsageError when there is no such file or it cannot be read, TamperError `bad_manifest` when it is not a whole manifest.
    """
    from pydantic import ValidationError

    text = read_text(path)
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        if details[0]["type"] == "json_invalid":
            where = "it is not JSON"
        else:
            where = "wrong at " + ", ".join(_place(detail["loc"]) for detail in details[:5])
        raise TamperError(
            "bad_manifest",
            f"{clean_name(str(path), 200)} is not a complete tamis manifest ({where}).",
            hint="The release was damaged or edited; publish it again.",
        ) from None


def _place(location: Sequence[str | int]) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{clean_name(step)}" for step in location)


def round_up(count: int, k: int) -> int:
    """The smallest multiple of `k` that is not below `count`: a count that happened is never shown as 0."""
    return -(-count // k) * k


def status_sentence(plan: Plan, verdict: Verdict) -> str:
    """What the release is, claiming only what was checked."""
    if plan.keyed:
        return (
            f"This release {PSEUDONYMIZED}: it is not anonymous. Whoever holds the key, or knows enough about a person, may find "
            "that person's rows again."
        )
    checked = [classes for classes in verdict.classes_after if classes.quasi_identifiers]
    if not checked:
        return "Columns were withheld or changed as listed. No group size was checked, and nothing is claimed about re-identification."
    smallest = min(classes.k for classes in checked)
    names = ", ".join(f"'{clean_name(classes.table)}'" for classes in checked)
    return (
        f"Checked on the written files: every combination of the listed quasi-identifiers in {names} is shared by at least {smallest} "
        "rows or persons. Nothing is claimed about what was not checked."
    )


# ------------------------------------------------------------------------------------------------------------------- tables, gates


def _table(plan: Plan, table: TablePlan, outcome: TableOutcome, k: int) -> ManifestTable:
    return ManifestTable(
        name=table.name,
        input_id=outcome.input_id,
        rows=outcome.rows,
        changed_rows_rounded=round_up(outcome.suppressed_rows, k),
        rows_dropped_on_read=round_up(outcome.rows_dropped, k),
        files=outcome.files,
        columns=tuple(_column(plan, column, k) for column in table.columns),
        quasi_identifiers=table.classes.quasi_identifiers if table.classes else (),
        sensitive=tuple(column.name for column in table.released if column.role is Role.SENSITIVE),
        unit=_unit(plan, table),
        references=tuple(
            (reference.column, reference.parent_table, reference.parent_column)
            for reference in table.references
            if _is_released(table, reference.column) and _parent_is_released(plan, reference.parent_table, reference.parent_column)
        ),
    )


def _unit(plan: Plan, table: TablePlan) -> str | None:
    """The column that names a person; the policy's own, too, in a table of persons without quasi-identifiers."""
    if table.classes is not None and table.classes.unit is not None:
        return table.classes.unit
    where, column = split_path(plan.privacy.unit) if plan.privacy.unit else ("", "")
    return column if where == table.name and any(one.name == column for one in table.columns) else None


def _is_released(table: TablePlan, name: str) -> bool:
    return any(column.name == name for column in table.released)


def _parent_is_released(plan: Plan, table: str, column: str) -> bool:
    return any(_is_released(other, column) for other in plan.tables if other.name == table)


def _column(plan: Plan, column: ColumnPlan, k: int) -> ManifestColumn:
    return ManifestColumn(
        name=column.name,
        role=column.role,
        entity=column.entity,
        action=column.action.action,
        parameters=_parameters(plan, column.action, k),
        masking=type(column.action).masking,
        released=column.released,
        type=column.output_type if column.released else None,
        derived_from=derived_from(plan, column),
        reason=_reason(column),
    )


def derived_from(plan: Plan, column: ColumnPlan) -> tuple[str, ...]:
    """Input columns that the released values depend on; the column itself first; nothing when it does not leave."""
    match column.action:
        case Drop():
            return ()
        case ShiftDates(subject=subject):
            return tuple(dict.fromkeys((column.name, subject)))
        case Synthesize(model=model) if model is not None and model in plan.models:
            return tuple(dict.fromkeys((column.name, *plan.models[model].given)))
        case _:
            return (column.name,)


def _parameters(plan: Plan, action: AnyAction, k: int) -> dict[str, Any]:
    """Parameters without literals: of lists their length, and that only from k on."""
    match action:
        case Keep() | Drop():
            return {}
        case SuppressRare():
            return {"min_count": action.min_count} | _length("values_kept", action.values or (), k)
        case Generalize():
            plain = action.model_dump(mode="json", exclude_none=True, exclude={"action", "recode", "hierarchy"})
            recode = action.recode
            if isinstance(recode, CategoryMap):
                return plain | {"recode": {"kind": recode.kind} | _length("values_listed", recode.parents, k)}
            return plain | ({"recode": recode.model_dump(mode="json", exclude_none=True)} if recode is not None else {})
        case Synthesize():
            model = plan.models.get(action.model or "")
            return {"engine": model.engine, "given": list(model.given), "k": model.k} if model is not None else {}
        case _:
            return action.model_dump(mode="json", exclude_none=True, exclude={"action", "resolved"})


def _length(name: str, items: Sequence[object], k: int) -> dict[str, int]:
    return {name: len(items)} if len(items) >= k else {}


def _reason(column: ColumnPlan) -> str:
    """The stated reason, unless it quotes figures of the input."""
    return action_sentence(column) if not column.reason or _FIGURE.search(column.reason) else column.reason


def _gate(result: GateResult, hidden: set[str]) -> GateResult:
    if result.measure not in hidden:
        return result
    said = "met" if result.passed else "not met"
    name = result.gate.measure  # which table came nearest to it may hang on the input alone, even on the order of its rows
    sentence = f"The gate on {name} was {said}; the figure is kept internal."
    return result.model_copy(update={"measure": name, "value": None, "sentence": sentence})


def _notices(plan: Plan, licences: Mapping[str, str]) -> Iterator[str]:
    actions = [(table, column) for table, column in plan.walk() if column.released]
    if plan.keyed:
        yield f"Contains keyed replacements: the release {PSEUDONYMIZED}."
    if any(stable_domain(column.action) for _, column in actions):
        yield "Some pseudonyms or fakes are stable: they join with other releases made with the same key."
    if any(isinstance(column.action, Redact) for _, column in actions):
        yield "Free text was redacted by pattern: names and hints without a recognizable form may remain."
    if any(isinstance(column.action, Synthesize) for _, column in actions):
        yield "Synthesized columns are sampled from a model; single values say nothing about a person, and rare combinations are lost."
    if any(table.keep_order for table in plan.tables):
        yield "At least one table keeps the row order of its input."
    if busl := sorted(name for name, licence in licences.items() if licence.upper().startswith(("BUSL", "BUSINESS SOURCE"))):
        yield f"Made with software under the Business Source License 1.1: {', '.join(busl)}."

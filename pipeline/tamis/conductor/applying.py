"""Apply a plan: transform, write beside, verify what was written, gate, publish in one step."""

from __future__ import annotations

import getpass
import hashlib
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from tamis.catalog import Catalog, facts_of
from tamis.conductor.approving import load_approvals, require_approved
from tamis.conductor.inputs import Data, Silent, key_of, load_tables, working_on
from tamis.conductor.populations import load_population, populations
from tamis.conductor.shadowing import make_shadows
from tamis.conductor.signatures import check_signature, sign_file
from tamis.core.actions import Redact, stable_domain
from tamis.core.approval import Approval, Approvals
from tamis.core.canonical import canonical_json, digest, pretty_json
from tamis.core.errors import DataError, PlanError, TamisError, UsageError, clean_name, listed
from tamis.core.plan import Plan, TablePlan
from tamis.core.policy import ReadOptions
from tamis.core.ports import KeyRing, Lineage, Progress
from tamis.core.record import CheckStatus, Manifest, Release, Verdict, Verification
from tamis.core.types import Column, DatasetProfile, Findings, Table
from tamis.detect import detect_columns, load_ner, make_span_finder
from tamis.documents import load_document
from tamis.encoding import WORDS, exact_column, with_row_words
from tamis.journal import Journal
from tamis.keys import KeySource, MasterKey
from tamis.plan.check import require_consistent, require_decided, require_released
from tamis.profile import profile_tables
from tamis.read.origin import require_not_revoked
from tamis.rules import Rules, load_rules
from tamis.signing import SIGNATURE, Signer, load_public_key
from tamis.transform import apply_table
from tamis.verify import LiveRelease, Shadow, live_release, recheck_release, verify_tables
from tamis.write.manifest import TableOutcome, build_manifest, load_manifest
from tamis.write.parquet import write_table
from tamis.write.report import render_datasheet, render_report
from tamis.write.run_folder import RunFolder, write_text_atomic
from tamis.write.software import library_versions, licences
from tamis.write.stage import ReleaseStore


@dataclass(frozen=True, slots=True)
class Job:
    """A plan and everything it is applied to."""

    plan: Plan
    tables: tuple[Table, ...]
    profile: DatasetProfile
    findings: Findings
    keyring: KeyRing
    progress: Progress
    approvals: tuple[Approval, ...] = ()
    """those that count"""
    signer: Signer | None = None
    lineage: Lineage | None = None
    population: Table | None = None
    """the declared one: read, never released"""
    rules: Rules | None = None
    """for redaction: the recognizers of the user's files take part"""


def apply_plan(
    plan: Plan | str | Path,
    data: Data,
    out: str | Path,
    *,
    state: str | Path | None = None,
    key: KeySource | MasterKey | None = None,
    approvals: Approvals | None = None,
    signer: Signer | None = None,
    lineage: Lineage | None = None,
    progress: Progress | None = None,
) -> Release:
    """Execute exactly this plan on data of the same schema; decides nothing.

    Approvals lie beside a plan file; for a plan given as a value they are `approvals`. `signer` signs the journal's entry.
    Raises PlanError when the plan is open, not approved as it demands, or stale: schema, packs, key or a re-detected role differ from
    what it was made with.
    """
    progress = progress or Silent()
    base = Path() if isinstance(plan, Plan) else Path(plan).parent
    loaded = plan if isinstance(plan, Plan) else load_document(Path(plan), Plan)
    require_consistent(loaded)
    require_decided(loaded)
    found = approvals if approvals is not None or isinstance(plan, Plan) else load_approvals(Path(plan))
    approved = require_approved(loaded, found or Approvals())
    keyring = key_of(key, loaded.key, base)
    read_options = {table.name: table.read for table in loaded.tables}
    tables = load_tables(data, lambda name: read_options.get(name, ReadOptions()), progress, {})
    _require_same_tables(loaded, tables)
    if loaded.key_id is not None and keyring.key_id != loaded.key_id:
        raise PlanError(
            "other_key", f"The plan was made with key {loaded.key_id}, this is {keyring.key_id}.", hint="Use that key, or plan again."
        )
    rules = load_rules(tuple(loaded.packs), base=base)
    ner = load_ner(loaded.ner, base) if loaded.ner else None
    with working_on(tables):
        profile = profile_tables(tables, k=loaded.privacy.k, progress=progress)
        findings = detect_columns(tables, profile, rules, ner=ner, progress=progress)
    _require_fresh(loaded, findings, {pack.location: pack.digest for pack in rules.packs})
    population = load_population(loaded.privacy, base, progress)
    job = Job(loaded, tables, profile, findings, keyring, progress, approved.counted, signer, lineage, population, rules)
    return execute(job, Path(out), Path(state) if state else base / ".tamis")


def verify_release(out: str | Path, *, public_keys: Sequence[str] = (), progress: Progress | None = None) -> Verification:
    """Re-check a release from its files alone. `out` is OUT (its current release) or a release folder.

    `public_keys` (base64, or PEM files) are the keys to trust: the manifest must then be signed by one of them, and what was found is
    authenticated. Without them it is consistent at best.
    """
    folder = Path(out)
    if not (folder / "manifest.json").is_file():
        if not (folder / "current" / "manifest.json").is_file():
            raise UsageError("no_release", f"There is no release in {folder}.", hint="Name OUT or a release folder.")
        folder = (folder / "current").resolve()
    require_not_revoked(folder.absolute())
    with (progress or Silent()).stage("verify", folder.name):
        found = recheck_release(folder, load_manifest(folder / "manifest.json"))
        trusted = [load_public_key(key) for key in public_keys]
        check = check_signature(folder / "manifest.json", folder / SIGNATURE, trusted)
        if check is None:
            return found
        authenticated = bool(trusted) and check.status is CheckStatus.OK
        return found.model_copy(update={"checks": (*found.checks, check), "authenticated": authenticated})


def execute(job: Job, out: Path, state: Path) -> Release:
    """Transform, write, verify, gate, publish; what the plan says and nothing else. Lineage is told what came of it."""
    if job.lineage is None:
        return _executed(job, out, state)[0]
    job.lineage.start(job.plan, job.tables)
    try:
        release, manifest = _executed(job, out, state)
    except BaseException as error:
        job.lineage.fail(error if isinstance(error, TamisError) else None)
        raise
    if release.path is None:
        job.lineage.fail(None, release.verdict)
    else:
        job.lineage.complete(manifest, release.verdict, release.path)
    return release


def _executed(job: Job, out: Path, state: Path) -> tuple[Release, Manifest]:
    started = datetime.now(UTC)
    require_decided(job.plan)
    require_released(job.plan)
    _require_live_inputs(job.tables, state)
    with working_on(job.tables), ReleaseStore(out) as store:
        with job.progress.stage("transform", "input ids"):
            input_ids = {table.name: _input_id(table, job.keyring) for table in job.tables}
        release_id = digest([job.plan.digest, input_ids, job.keyring.key_id])[:32]
        staging = store.staging(release_id)
        outcomes = _write_tables(job, staging, release_id, input_ids)
        verdict = _verified(job, staging, release_id, outcomes, _live_releases(job.plan, store, release_id))
        manifest = build_manifest(
            job.plan,
            verdict,
            release_id=release_id,
            tables=outcomes,
            key_id=job.keyring.key_id,
            versions=library_versions(),
            licences=licences(),
        )
        write_text_atomic(staging / "manifest.json", pretty_json(manifest), 0o644)
        if job.signer is not None:
            write_text_atomic(staging / SIGNATURE, pretty_json(sign_file(staging / "manifest.json", job.signer)), 0o644)
        write_text_atomic(staging / "datasheet.html", render_datasheet(manifest), 0o644)
        run = RunFolder(state, f"{started:%Y%m%dT%H%M%S%f}-{release_id[:12]}")
        report = _record(job, run, verdict, manifest, outcomes, started)
        facts = _journal_facts(job, run, verdict, manifest, out)
        if verdict.failed:
            store.quarantine(staging, run.path / "quarantine")
            Journal(state, job.signer).append("refused", facts)
            return Release(release_id, None, run.path, report, None, verdict, job.plan.digest), manifest
        # Entered first: a release that nobody recorded would be worse than a record of one that a kill prevented.
        Journal(state, job.signer).append("applied", facts)
        path = store.publish(staging, release_id)
        return Release(release_id, path, run.path, report, path / "manifest.json", verdict, job.plan.digest), manifest


def _require_live_inputs(tables: Sequence[Table], state: Path) -> None:
    """Data out of a revoked release may not be released again."""
    revoked = Catalog(state).revoked_among(sorted({parent for table in tables for parent in table.source.parents}))
    if revoked:
        raise DataError(
            "revoked",
            f"The data comes from {listed(one.release_id for one in revoked)}, which was revoked.",
            hint="Use its successor; see: tamis trace.",
        )


def _input_id(table: Table, keyring: KeyRing) -> str:
    """Keyed id of a table's content: HMAC of schema, row count and the sum of keyed row digests (an additive multiset hash after

    Bellare and Micciancio 1997): row order, files and partitions do not matter.
    """
    columns = [Column(f"c{place}", column.type) for place, column in enumerate(table.columns)]  # a column may be named like our words
    frame = table.frame.select(exact_column(old.name).alias(new.name) for old, new in zip(table.columns, columns, strict=True))
    with_words = with_row_words(frame, columns, keyring, use="input")
    halves = [
        part
        for word in WORDS[:2]
        for part in ((pl.col(word) // 2**32).sum().alias(f"{word}h"), (pl.col(word) % 2**32).sum().alias(f"{word}l"))
    ]
    sums = with_words.select(halves).collect(engine="streaming").row(0)
    schema = [[column.name, column.type.value] for column in table.columns]
    return keyring.identify(digest([schema, table.rows, [int(value) for value in sums]]), use="input")


def _write_tables(job: Job, staging: Path, release_id: str, input_ids: Mapping[str, str]) -> dict[str, TableOutcome]:
    """Parents before children, so that the children of suppressed rows go with them."""
    entities = _redacted_entities(job.plan)
    spans = make_span_finder(entities or None, job.rules) if entities is not None else None
    suppressed: dict[tuple[str, str], pl.Series] = {}
    outcomes: dict[str, TableOutcome] = {}
    by_name = {table.name: table for table in job.tables}
    known = populations(job.population, job.plan)
    for plan in parents_first(job.plan.tables):
        table = by_name[plan.name]
        with job.progress.stage("transform", plan.name):
            done = apply_table(
                table,
                job.plan,
                keyring=job.keyring,
                scope=release_id,
                spans=spans,
                suppressed=suppressed,
                population=known.get(plan.name),
            )
            suppressed |= {(plan.name, column): values for column, values in done.suppressed_keys.items()}
        folder = folder_name(plan.name)
        with job.progress.stage("write", plan.name):
            rows, files = write_table(
                done.frame,
                staging / folder,
                columns=plan.released,
                words=WORDS,
                order="__tamis_order" if plan.keep_order else None,
                rows_hint=table.rows,
                metadata={"tamis.release_id": release_id, "tamis.actions": _actions_text(plan)},
                spill=staging / ".spill",
            )
        outcomes[plan.name] = TableOutcome(
            input_id=input_ids[plan.name],
            rows=rows,
            suppressed_rows=done.suppressed_rows,
            rows_dropped=table.source.rows_dropped,
            files=tuple(file.model_copy(update={"path": f"{folder}/{Path(file.path).name}"}) for file in files),
        )
    return outcomes


def _redacted_entities(plan: Plan) -> tuple[str, ...] | None:
    """Entities of all redact actions; None when there is no such action, empty when one wants all."""
    stated = [column.action for _, column in plan.walk() if isinstance(column.action, Redact)]
    if not stated:
        return None
    if any(action.entities is None for action in stated):
        return ()
    return tuple(sorted({entity for action in stated for entity in action.entities or ()}))


def _actions_text(plan: TablePlan) -> str:
    return canonical_json({column.name: column.action.action for column in plan.released})


def _verified(job: Job, staging: Path, release_id: str, outcomes: Mapping[str, TableOutcome], live: Sequence[LiveRelease]) -> Verdict:
    after = {name: _written(staging, outcome) for name, outcome in outcomes.items()}
    before = {table.name: table for table in job.tables}
    gone = {name: outcome.suppressed_rows for name, outcome in outcomes.items()}
    known = populations(job.population, job.plan)

    def shadows() -> Mapping[str, Shadow]:
        return make_shadows(job.plan, before, parents_first(job.plan.tables), job.keyring, release_id, known)

    return verify_tables(
        before,
        after,
        job.plan,
        job.profile,
        suppressed_rows=gone,
        live=live,
        populations=known,
        progress=job.progress,
        shadows=shadows,
    )


def _live_releases(plan: Plan, store: ReleaseStore, release_id: str) -> tuple[LiveRelease, ...]:
    """The other releases in OUT that stable pseudonyms of this plan can be joined to; withdrawn ones are not live."""
    if not any(stable_domain(column.action) for _, column in plan.walk()):
        return ()
    others = sorted(name for name in store.releases() if name != release_id and not store.revoked(name))
    found = (live_release(store.out / name, load_manifest(store.out / name / "manifest.json")) for name in others)
    return tuple(one for one in found if one is not None)


def _written(staging: Path, outcome: TableOutcome) -> pl.LazyFrame:
    """What was written of a table; a table of which every column is dropped has no file and no columns."""
    if not outcome.files:
        return pl.LazyFrame()
    return pl.scan_parquet([staging / file.path for file in outcome.files], glob=False, hive_partitioning=False)


def _record(
    job: Job, run: RunFolder, verdict: Verdict, manifest: Manifest, outcomes: Mapping[str, TableOutcome], started: datetime
) -> Path:
    """The internal record: for reviewers, never in OUT."""
    now = datetime.now(UTC)
    facts = {
        "run_id": run.path.name,
        "release_id": manifest.release_id,
        "plan_digest": job.plan.digest,
        "started": started.isoformat(timespec="seconds"),
        "seconds": round((now - started).total_seconds(), 1),
        "person": _person(),
        "host": platform.node(),
        "python": platform.python_version(),
        "passed": not verdict.failed,
        "approvals": [approval.model_dump(mode="json") for approval in job.approvals],
        "notes": [f"{clean_name(table.name)}: {note}" for table in job.tables for note in table.source.notes] + _other_versions(job.plan),
        "suppressed": {name: outcome.suppressed_rows for name, outcome in outcomes.items()},
        "rows_dropped": {name: outcome.rows_dropped for name, outcome in outcomes.items()},
        "tables": {
            table.name: {"rows": table.rows, "format": table.source.format, "encoding": table.source.encoding} for table in job.tables
        },
    }
    run.write_text("plan.json", pretty_json(job.plan))
    run.write_text(
        "profile.json", pretty_json({"profile": job.profile.model_dump(mode="json"), "findings": job.findings.model_dump(mode="json")})
    )
    run.write_text("verdict.json", pretty_json(verdict))
    run.write_text("run.json", pretty_json(facts))
    published = None if verdict.failed else manifest
    html = render_report(job.plan, job.profile, job.findings, verdict, published, facts)
    return run.write_text("report.html", html)


def _journal_facts(job: Job, run: RunFolder, verdict: Verdict, manifest: Manifest, out: Path) -> dict[str, Any]:
    """What history, ledger, catalog and audit are views of: the manifest's facts, what failed, who approved."""
    return facts_of(manifest, out) | {
        "run_id": run.path.name,
        "parents": sorted({parent for table in job.tables for parent in table.source.parents}),
        "approved_by": [clean_name(approval.by) for approval in job.approvals],
        "gates_failed": [result.measure for result in verdict.failed],
        "figures": {measure.name: measure.value for measure in verdict.measures if "." not in measure.name.partition("@")[2]},
    }


def _other_versions(plan: Plan) -> list[str]:
    """Libraries that are not those the plan was made with: worth knowing, no reason to refuse."""
    now = library_versions()
    return [
        f"The plan was made with {name} {was}, applied with {now.get(name, 'none')}."
        for name, was in sorted(plan.versions.items())
        if now.get(name) != was
    ]


def _person() -> str:
    with suppress(OSError, KeyError):
        return getpass.getuser()
    return "unknown"


_TAKEN = frozenset({"current", "manifest.json", "datasheet.html", "revoked.json", SIGNATURE})
"""what else lies in a release folder"""


def folder_name(table: str) -> str:
    """A table's folder in the release: its name where that is a plain word, else percent-encoded; long names get a digest."""
    safe = quote(table, safe=" ()+,=@[]{}~")
    if safe.casefold() in _TAKEN or safe.startswith((".", " ", "-")):
        safe = f"%{ord(safe[0]):02X}{safe[1:]}"
    if safe.endswith((".", " ")):
        safe = f"{safe[:-1]}%{ord(safe[-1]):02X}"
    if len(safe) > 120:
        safe = safe[:100] + "-" + hashlib.sha256(table.encode()).hexdigest()[:16]
    return safe


def parents_first(tables: Sequence[TablePlan]) -> list[TablePlan]:
    """Tables in an order in which every parent comes before its children; otherwise as given."""
    names = {table.name for table in tables}
    out: list[TablePlan] = []
    waiting = list(tables)
    while waiting:
        done = {table.name for table in out}
        ready = [
            table
            for table in waiting
            if all(r.parent_table in done or r.parent_table == table.name or r.parent_table not in names for r in table.references)
        ]
        if not ready:
            raise PlanError("circular_references", f"The references of {listed(t.name for t in waiting)} go round in a circle.")
        out += ready
        waiting = [table for table in waiting if table not in ready]
    return out


# --------------------------------------------------------------------------------------------------------------------- stale plans


def _require_same_tables(plan: Plan, tables: Sequence[Table]) -> None:
    """Names, columns and types as planned; the sentence says exactly what differs (columns no rule has decided about never pass)."""
    planned, given = {table.name: table for table in plan.tables}, {table.name: table for table in tables}
    problems = [f"table '{clean_name(name)}' is missing" for name in planned if name not in given]
    problems += [f"table '{clean_name(name)}' is not in the plan" for name in given if name not in planned]
    for name in planned.keys() & given.keys():
        before = {column.name: column.type for column in planned[name].columns}
        now = {column.name: column.type for column in given[name].columns}
        label = clean_name(name)
        if new := [column for column in now if column not in before]:
            problems.append(f"{label}: new column(s) {listed(new)}")
        if missing := [column for column in before if column not in now]:
            problems.append(f"{label}: missing column(s) {listed(missing)}")
        problems += [
            f"{label}: column '{clean_name(c)}' is {now[c].value}, planned as {before[c].value}"
            for c in before
            if c in now and before[c] is not now[c]
        ]
        if list(before) != list(now) and before.keys() == now.keys():
            problems.append(f"{label}: the columns stand in another order")
    if problems:
        raise PlanError(
            "other_data", "This is other data than the plan was made for: " + "; ".join(sorted(problems)) + ".", hint="Plan again."
        )


def _require_fresh(plan: Plan, findings: Findings, packs: Mapping[str, str]) -> None:
    changed = [name for name, value in plan.packs.items() if packs.get(name) != value]
    if changed:
        raise PlanError("stale_plan", f"Rule pack(s) changed since the plan: {listed(changed)}.", hint="Plan again.")
    differs = [
        f"{clean_name(table)}.{clean_name(column.name)} was {column.detected.value}, is {findings.of(table, column.name).role.value}"
        for table, column in plan.walk()
        if findings.of(table, column.name).role is not column.detected
    ]
    if differs:
        raise PlanError("stale_plan", "The data changed its nature since the plan: " + "; ".join(differs[:8]) + ".", hint="Plan again.")

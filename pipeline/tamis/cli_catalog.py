"""The verbs around a release: approve it before, trace it, audit it and take it back afterwards."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tamis.voice import Group, Voice, voiced

if TYPE_CHECKING:
    from tamis.catalog import ReleaseRecord
    from tamis.signing import Signer

STATE = click.option(
    "--state",
    default=".tamis",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Internal folder with the journal.",
)
SIGN = click.option(
    "--sign-with",
    metavar="KEY",
    envvar="TAMIS_SIGNING_KEY_SOURCE",
    help="Signing key: env:NAME or a file (tamis key new-signing).",
)


def signer_of(source: str | None) -> Signer | None:
    """The signing key that an option names; None without one."""
    from tamis.signing import load_signer

    return load_signer(source) if source else None


@click.command()
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path))
@click.option("--by", help="Who approves. [default: the name the system knows you by]")
@click.option("--comment", default="", help="What should be remembered with it.")
@click.option("--acknowledge", multiple=True, metavar="FINGERPRINT", help="A warning that was seen and is accepted; `all` for all of them.")
@SIGN
@click.option("--state", type=click.Path(path_type=Path), help="Internal folder with the journal. [default: .tamis/ beside the plan]")
@voiced
def approve(
    voice: Voice, plan_file: Path, by: str | None, comment: str, acknowledge: tuple[str, ...], sign_with: str | None, state: Path | None
) -> None:
    """Approve exactly this PLAN; `apply` checks it. The approval lies beside it as PLAN's name with .approvals.json."""
    from tamis.conductor.approving import approvals_path, approve_plan
    from tamis.core.errors import clean_name

    approval, standing = approve_plan(plan_file, by=by, comment=comment, acknowledge=acknowledge, signer=signer_of(sign_with), state=state)
    if voice.json:
        click.echo(
            json.dumps(
                {
                    "plan_digest": approval.plan_digest,
                    "by": approval.by,
                    "signed": approval.signature is not None,
                    "counted": len(standing.counted),
                    "required": standing.required,
                    "sufficient": standing.sufficient,
                    "unacknowledged": [word for word, _, _ in standing.unacknowledged],
                    "ignored": list(standing.ignored),
                    "file": str(approvals_path(plan_file)),
                },
                ensure_ascii=False,
            )
        )
        return
    if voice.quiet:
        return
    how = "signed" if approval.signature is not None else "claimed, not signed"
    click.echo(f"plan {approval.plan_digest[:16]} approved by {clean_name(approval.by)} ({how}); in {approvals_path(plan_file)}")
    click.echo(f"{len(standing.counted)} approval(s) count, {standing.required} needed.")
    for line in standing.ignored:
        click.echo(f"does not count: {line}")
    for word, table, sentence in standing.unacknowledged:
        click.echo(f"warning {word} of {clean_name(table)} is not acknowledged: {sentence}")


@click.command()
@click.argument("release")
@click.option("--reason", required=True, help="Why; it is written into the tombstone, which recipients see.")
@click.option("--delete", is_flag=True, help="Delete the data too; manifest and tombstone stay.")
@click.option("--only", is_flag=True, help="Leave releases that were made from this one alone.")
@click.confirmation_option("--yes", prompt="Revoke this release (and what was made from it)?")
@SIGN
@STATE
@voiced
def revoke(voice: Voice, release: str, reason: str, delete: bool, only: bool, sign_with: str | None, state: Path) -> None:
    """Mark RELEASE (id or run id) and everything derived from it as revoked; readers refuse it from then on."""
    from tamis.conductor.tracing import revoke_release

    done = revoke_release(release, reason=reason, state=state, delete=delete, derived=not only, signer=signer_of(sign_with))
    if voice.json:
        click.echo(json.dumps({"revoked": [asdict(one) for one in done]}))
        return
    if voice.quiet:
        return
    for one in done:
        said = ["revoked" + (" (made from it)" if one.derived else "")]
        said += ["it was current: there is no current release now (tamis rollback)"] if one.was_current else []
        said += ["its data is deleted"] if one.deleted else []
        said += [] if one.found else [f"its folder is not in {one.out} any more: tell whoever has a copy"]
        click.echo(f"{one.release_id}: {'; '.join(said)}")


@click.command()
@click.argument("question", metavar="FILE|RELEASE|COLUMN|SHA256|KIND:VALUE")
@STATE
@voiced
def trace(voice: Voice, question: str, state: Path) -> None:
    """What was made of an input, where a file comes from, which releases used a key, plan, pack or version.

    \b
    tamis trace out/current/customers/part-00000.parquet
    tamis trace customers.email          what became of a column
    tamis trace 3f2a                     a release or run id, or its beginning
    tamis trace pack:gdpr                also key:, plan:, policy:, version:, input:
    """
    from tamis.conductor.tracing import trace as ask
    from tamis.core.errors import clean_name

    found = ask(question, state=state)
    if voice.json:
        click.echo(json.dumps(asdict(found), ensure_ascii=False))
        return
    click.echo(f"{found.asked}: {len(found.releases)} release(s)")
    _show_releases(voice, found.releases)
    if found.columns:
        for release_id, table, column, action, released, origin in found.columns:
            source = "" if tuple(origin) == (column,) or not origin else f" from {', '.join(clean_name(one) for one in origin)}"
            where = "" if len(found.releases) == 1 else f"{release_id[:12]}  "
            click.echo(f"  {where}{clean_name(table)}.{clean_name(column)}: {action}{'' if released else ', not released'}{source}")
    if found.descendants:
        click.echo(f"made from it: {len(found.descendants)} release(s)")
        _show_releases(voice, found.descendants)


@click.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--exit-code", is_flag=True, help="Exit 3 when B is riskier than A somewhere: for pipelines.")
@click.option("--format", "form", type=click.Choice(["text", "md"]), default="text", show_default=True, help="md: for a pull request.")
@STATE
@voiced
def diff(voice: Voice, a: str, b: str, exit_code: bool, form: str, state: Path) -> None:
    """What differs in B against A: two plans, two releases, or a plan and a release; the riskier changes first."""
    from tamis.conductor.comparing import diff as ask

    one, other, changes = ask(a, b, state=state)
    riskier = any(change.weight == "riskier" for change in changes)
    if voice.json:
        click.echo(json.dumps({"a": one.label, "b": other.label, "changes": [asdict(c) for c in changes], "riskier": riskier}))
    elif not voice.quiet:
        click.echo(f"{'## ' if form == 'md' else ''}{one.label} → {other.label}: {len(changes) or 'no'} difference(s)")
        for change in changes:
            where = f"{_plain(change.table)}: " if change.table is not None else ""
            mark = {"riskier": "riskier", "safer": "safer", "other": ""}[change.weight]
            click.echo(
                f"- {f'**{mark}** ' if mark else ''}{_escaped(where + change.sentence)}"
                if form == "md"
                else f"{mark:<9}{where}{change.sentence}"
            )
    if exit_code and riskier:
        click.get_current_context().exit(3)


def _plain(name: str) -> str:
    from tamis.core.errors import clean_name

    return clean_name(name)


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+!|~&" else c for c in text)


@click.command()
@click.argument("outs", metavar="[OUT...]", nargs=-1, type=click.Path(path_type=Path))
@STATE
@voiced
def status(voice: Voice, outs: tuple[Path, ...], state: Path) -> None:
    """What is released, by whom and when; releases in OUT that the journal does not know are entered from their manifests."""
    from tamis.conductor.tracing import status as ask

    found = ask(state, outs)
    if voice.json:
        click.echo(json.dumps({"releases": [asdict(record) for record in found]}, ensure_ascii=False))
        return
    if not found:
        click.echo(f"The journal in {state} knows of no release.")
    _show_releases(voice, found)


def _show_releases(voice: Voice, records: tuple[ReleaseRecord, ...]) -> None:
    from rich.table import Table

    from tamis.core.errors import clean_name

    if not records:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("release", "run", "when", "who", "state", "tables (rows)", "where"):
        table.add_column(heading, no_wrap=heading in {"release", "when", "state"})
    for one in records:
        tables = ", ".join(f"{clean_name(name, 40)} ({rows})" for name, rows in one.tables.items())
        state = one.status + (f": {one.reason}" if one.reason else "")
        table.add_row(one.release_id[:12], one.run_id[:15], one.at[:16].replace("T", " "), clean_name(one.person), state, tables, one.out)
    voice.out().print(table)


@click.group(cls=Group)
def audit() -> None:
    """The journal: who planned, approved, applied, verified, revoked what."""


@audit.command("verify")
@click.option("--head", metavar="DIGEST|FILE", help="A digest of the head (or a signed head file) that was held elsewhere.")
@click.option("--public-key", "public_keys", multiple=True, metavar="KEY", help="A trusted public key: its file or base64.")
@STATE
@voiced
def audit_verify(voice: Voice, head: str | None, public_keys: tuple[str, ...], state: Path) -> None:
    """Check every entry of the journal: edits, gaps, moved entries; with --head also a cut tail. Exit 3 when something is wrong."""
    from tamis.journal import Journal
    from tamis.signing import load_public_key

    trusted = [load_public_key(key) for key in public_keys]
    found = Journal(state).audit(head=_head_of(head, trusted) if head else None, public_keys=trusted)
    if voice.json:
        click.echo(json.dumps(asdict(found) | {"passed": found.passed}))
    elif not voice.quiet or not found.passed:
        for problem in found.problems:
            click.echo(f"problem: {problem}")
        said = "authenticated" if found.authenticated else "consistent, not authenticated" if found.passed else "NOT consistent"
        signed = f", {found.signed} of them signed by a trusted key" if trusted else ""
        click.echo(f"{found.entries} entries{signed}; head {found.head}: {said}")
    if not found.passed:
        click.get_current_context().exit(3)


def _head_of(given: str, trusted: list[str]) -> str:
    """The digest in a signed head file, or the digest itself."""
    from tamis.core.canonical import canonical_json
    from tamis.core.errors import TamperError, UsageError, clean_name
    from tamis.signing import signed_by

    path = Path(given)
    if not path.is_file():
        if len(given) != 64:
            raise UsageError(
                "bad_head", f"'{clean_name(given)}' is neither a digest (64 hex digits) nor a file.", hint="Run: tamis audit head"
            )
        return given
    try:
        stated: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        plain = canonical_json({name: stated[name] for name in ("entries", "head", "public_key")})
        key, signature, digest = stated["public_key"], stated["signature"], str(stated["head"])
    except (ValueError, KeyError, TypeError):
        raise UsageError("bad_head", f"{clean_name(given)} is no head of a journal.", hint="Make one: tamis audit head") from None
    if key is None:
        return digest
    if not signed_by(plain, public_key=str(key), signature=str(signature)) or (trusted and key not in trusted):
        raise TamperError("bad_head", f"The signature of {clean_name(given)} does not fit a trusted key.")
    return digest


@audit.command("head")
@SIGN
@STATE
def audit_head(sign_with: str | None, state: Path) -> None:
    """Print the head of the journal as JSON, signed where a key is given: hold it elsewhere, `audit verify --head` checks against it."""
    from tamis.core.canonical import canonical_json
    from tamis.journal import Journal

    signer = signer_of(sign_with)
    entries, head = Journal(state).head()
    stated: dict[str, Any] = {"entries": entries, "head": head, "public_key": signer.public_key if signer else None}
    click.echo(json.dumps(stated | {"signature": signer.sign(canonical_json(stated)) if signer else None}))


@audit.command("log")
@click.option("-n", "--last", type=click.IntRange(1), help="Only the last N entries.")
@STATE
@voiced
def audit_log(voice: Voice, last: int | None, state: Path) -> None:
    """Print the entries of the journal, oldest first."""
    from tamis.core.errors import clean_name
    from tamis.journal import Journal

    entries = list(Journal(state).entries())
    entries = entries[-last:] if last else entries
    if voice.json:
        click.echo(json.dumps({"entries": [entry.model_dump(mode="json") for entry in entries]}, ensure_ascii=False))
        return
    for entry in entries:
        facts = entry.facts
        what = next(
            (f"{name} {clean_name(str(facts[name]), 40)}" for name in ("release_id", "release_ids", "plan_digest") if name in facts), ""
        )
        click.echo(f"{entry.seq:>5}  {entry.at:%Y-%m-%d %H:%M}  {entry.event:<12}{clean_name(entry.person):<20}{what}")

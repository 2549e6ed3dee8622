"""The command line: parses, calls the library, prints, maps errors to exit codes. No logic.

Only click is imported here; everything heavy is imported by the verb that needs it, so that `tamis --help` is instant.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from tamis import cli_catalog
from tamis.voice import INTERRUPTED, Group, Voice, voiced

if TYPE_CHECKING:
    from tamis.core.plan import Plan
    from tamis.core.record import Release, Verification

P = ParamSpec("P")
R = TypeVar("R")

_EXITS = """\b
Exit codes:
  0  done
  2  usage, policy, undecided columns, stale plan, no key: a person must decide
  3  a gate failed or a release does not match its manifest; nothing was published
  4  the data cannot be read as it is
  5  transient (disk full, locked): try again
  130  interrupted (Ctrl-C)
"""


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from importlib.metadata import version

    click.echo(f"tamis {version('tamis')}")
    ctx.exit()


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=_EXITS)
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version.")
def cli() -> None:
    """Minimize and de-identify tables before anyone trains on them or shares them.

    \b
    init → (edit the policy) → plan → (review) → apply → verify
    or, in one: tamis run DATA... -p policy.yaml -o OUT
    """


DATA = click.argument("data", nargs=-1, type=click.Path(path_type=str, readable=False), metavar="DATA...")
POLICY = click.option("-p", "--policy", required=True, type=click.Path(path_type=Path, readable=False), help="The policy (YAML).")
STATE = click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="Internal folder for plans, reports, quarantine. [default: .tamis/ beside the policy or plan]",
)
READ = (
    click.option("--delimiter", help="CSV delimiter, when detection is wrong."),
    click.option("--encoding", help="Text encoding, when detection is wrong."),
    click.option("--drop-bad-rows", is_flag=True, help="Leave out rows that cannot be read; they are counted."),
)


def _read_options(function: Callable[P, R]) -> Callable[P, R]:
    for option in reversed(READ):
        function = option(function)
    return function


@cli.command()
@DATA
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Where the policy goes.")
@click.option("--accept", is_flag=True, help="Accept all proposals unseen: for demos and first looks, not for a release.")
@click.option("--force", is_flag=True, help="Overwrite an existing policy.")
@click.option("--key", default="env:TAMIS_KEY", show_default=True, help="Where the key will be: env:NAME or file:PATH.")
@voiced
def init(voice: Voice, data: tuple[str, ...], output: Path, accept: bool, force: bool, key: str) -> None:
    """Draft a commented policy from what is in DATA; proposals await your acceptance."""
    from tamis.conductor import draft_policy
    from tamis.core.errors import UsageError
    from tamis.read import discover
    from tamis.write.run_folder import write_text_atomic

    if output.exists() and not force:
        raise UsageError("policy_exists", f"{output} exists and is not overwritten.", hint="Use --force, or another name.")
    sources = {name: _relative(paths, output.parent) for name, paths in discover(list(data)).items()}
    text, profiled = draft_policy(list(data), accept=accept, sources=sources, key=key, progress=voice.progress())
    write_text_atomic(output, text, 0o644)
    columns = sum(len(table.columns) for table in profiled.profile.tables)
    if voice.json:
        click.echo(json.dumps({"policy": str(output), "tables": len(profiled.profile.tables), "columns": columns, "accepted": accept}))
    elif not voice.quiet:
        click.echo(
            f"{output}: {columns} columns of {len(profiled.profile.tables)} table(s), "
            + ("all proposals accepted unseen." if accept else "each with a proposal that awaits your decision.")
        )
        click.echo("Next: " + ("" if accept else f"edit {output}; ") + f"export TAMIS_KEY=$(tamis key new -); tamis run -p {output} -o OUT")


def _relative(paths: tuple[Path, ...], base: Path) -> tuple[str, ...]:
    """Paths as the policy states them: relative to it, a folder of many files as one glob."""

    def shown(path: Path) -> str:
        return Path(os.path.relpath(path.resolve(), base.resolve())).as_posix()

    parents, endings = {path.parent for path in paths}, {path.suffix for path in paths}
    if len(paths) > 3 and len(parents) == 1 and len(endings) == 1:
        return (shown(next(iter(parents))) + "/*" + next(iter(endings)),)
    return tuple(shown(path) for path in paths)


@cli.command()
@DATA
@_read_options
@click.option("-k", default=5, show_default=True, type=click.IntRange(2), help="What fewer than k rows or persons share counts as rare.")
@click.option("--column", metavar="NAME", help="Everything about one column (NAME or TABLE.NAME): all evidence with its denominators.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(0), help="Columns shown per table; 0 shows all.")
@click.option("--format", "layout", type=click.Choice(["text", "md"]), default="text", show_default=True, help="Plain text or Markdown.")
@click.option("--budget", type=click.IntRange(0), help="Million rows counted in search of column sets that single people out.")
@voiced
def profile(
    voice: Voice,
    data: tuple[str, ...],
    delimiter: str | None,
    encoding: str | None,
    drop_bad_rows: bool,
    k: int,
    column: str | None,
    limit: int,
    layout: str,
    budget: int | None,
) -> None:
    """Show what is in DATA: what each column is and why, keys, redundant columns, and which sets of columns single people out."""
    from tamis import listing as view
    from tamis.conductor import profile_data
    from tamis.core.policy import ReadOptions

    options = ReadOptions(delimiter=delimiter, encoding=encoding, drop_bad_rows=drop_bad_rows)
    work = None if budget is None else budget * 1_000_000
    listing = view.list_columns(profile_data(list(data), k=k, options=options, budget=work, progress=voice.progress()), column)
    if voice.json:
        click.echo(json.dumps(view.listing_json(listing), ensure_ascii=False, allow_nan=False))
    elif layout == "md":
        click.echo(view.listing_markdown(listing, limit=limit, column=column), nl=False)
    elif not voice.quiet:
        view.show_listing(listing, voice.out(), limit=limit, column=column)


@cli.command()
@DATA
@POLICY
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where the plan goes (JSON).")
@click.option("--explain", is_flag=True, help="Print every column with its reason, the alternatives, and loss against k and suppression.")
@click.option(
    "--alternative", "picked", multiple=True, metavar="TABLE=N", help="Use alternative N of TABLE (see --explain), not the least loss."
)
@click.option("--strict", is_flag=True, help="Exit 2 while anything is undecided or only proposed.")
@voiced
def plan(
    voice: Voice, data: tuple[str, ...], policy: Path, output: Path | None, explain: bool, picked: tuple[str, ...], strict: bool
) -> None:
    """Decide, and touch nothing: one action with its reason for every column."""
    from tamis import curves, show
    from tamis.conductor import plan_job
    from tamis.core.canonical import pretty_json
    from tamis.plan.check import require_decided
    from tamis.write.run_folder import write_text_atomic

    planned = plan_job(
        list(data) or None, policy, alternatives=dict(map(_alternative, picked)), trade_off=explain, progress=voice.progress()
    )
    made = planned.plan
    if output is not None:
        write_text_atomic(output, pretty_json(made), 0o600)
    if voice.json:
        curves_found = {"trade_off": curves.trade_off_json(planned.trade_offs)} if explain else {}
        click.echo(json.dumps(show.plan_json(made, output) | curves_found, ensure_ascii=False))
    elif not voice.quiet:
        if explain or output is None:
            show.plan_table(made, voice.out())
            curves.print_curves(made, planned.trade_offs, voice.out())
        _say_plan(made, output)
    if strict:
        require_decided(made)


def _alternative(text: str) -> tuple[str, int]:
    """'TABLE=N' in two."""
    table, _, number = text.rpartition("=")
    if not table or not number.isdecimal():
        raise click.BadParameter("write TABLE=N, e.g. customers=3", param_hint="--alternative")
    return table, int(number)


def _say_plan(made: Plan, output: Path | None) -> None:
    released = sum(column.released for _, column in made.walk())
    total = sum(1 for _ in made.walk())
    click.echo(
        f"plan {made.digest[:16]}: {released} of {total} columns leave"
        + (f"; written to {output}" if output else "; not written (give -o)")
    )
    for table in made.tables:
        for warning in table.warnings:
            click.echo(f"warning: {table.name}: {warning}")
    if made.open_columns:
        click.echo(f"{len(made.open_columns)} column(s) await a decision: apply will refuse this plan.")


cli.add_command(cli_catalog.approve)


@cli.command()
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path))
@DATA
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="OUT: the folder of releases.")
@STATE
@cli_catalog.SIGN
@voiced
def apply(voice: Voice, plan_file: Path, data: tuple[str, ...], output: Path, state: Path | None, sign_with: str | None) -> None:
    """Execute exactly PLAN on DATA, verify, publish. Refuses a plan that is not approved, or other data than it was made for."""
    from tamis.conductor import apply_plan

    signer = cli_catalog.signer_of(sign_with)
    progress = voice.progress()
    release = apply_plan(
        plan_file, list(data), output, state=state, signer=signer, lineage=_lineage(plan_file, progress), progress=progress
    )
    _say_release(voice, release, output)


@cli.command()
@DATA
@POLICY
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="OUT: the folder of releases.")
@STATE
@cli_catalog.SIGN
@voiced
def run(voice: Voice, data: tuple[str, ...], policy: Path, output: Path, state: Path | None, sign_with: str | None) -> None:
    """Plan and apply in one. There is no way to publish without verify."""
    from tamis.conductor import run_job

    signer = cli_catalog.signer_of(sign_with)
    progress = voice.progress()
    release = run_job(list(data) or None, policy, output, state=state, signer=signer, lineage=_lineage(policy, progress), progress=progress)
    _say_release(voice, release, output)


def _lineage(document: Path, progress: Any) -> Any:
    """The sender of lineage events, where the user configured OpenLineage's client; the job is named by policy or plan."""
    from tamis.adapters.openlineage import OpenLineage, is_configured

    return OpenLineage(document.stem, progress=progress) if is_configured() else None


def _say_release(voice: Voice, release: Release, output: Path) -> None:
    from tamis import show

    if voice.json:
        click.echo(json.dumps(show.release_json(release), ensure_ascii=False))
    elif not voice.quiet or not release.published:
        show.release_lines(release, output, voice.out())
    if not release.published:
        click.get_current_context().exit(3)


@cli.command()
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--public-key", "public_keys", multiple=True, metavar="KEY", help="A trusted key (file or base64): the manifest must be signed by it."
)
@voiced
def verify(voice: Voice, output: Path, public_keys: tuple[str, ...]) -> None:
    """Recompute hashes, k, l and suites of a release from its files alone."""
    from tamis import show
    from tamis.conductor import verify_release

    found: Verification = verify_release(output, public_keys=public_keys, progress=voice.progress())
    if voice.json:
        click.echo(found.model_dump_json())
    elif not voice.quiet or not found.passed:
        show.verification_table(found, voice.out(), full=voice.verbose)
    if not found.passed:
        click.get_current_context().exit(3)


@cli.command()
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--to", "release", help="A release id (or its beginning). [default: the one before the current]")
@voiced
def rollback(voice: Voice, output: Path, release: str | None) -> None:
    """Point OUT/current to an earlier release, in one step."""
    from tamis.write.stage import ReleaseStore

    with ReleaseStore(output) as store:
        now = store.rollback(release)
    if voice.json:
        click.echo(json.dumps({"current": now}))
    elif not voice.quiet:
        click.echo(f"current is now {now}")


@cli.group(cls=Group)
def rules() -> None:
    """Actions, entities, recognizers, name rules and rule packs."""


_KINDS = ("actions", "packs", "entities", "names", "values", "recognizers", "hierarchies")
PACKS = click.option("-p", "--pack", "packs", multiple=True, help="Also load this pack or file (name or path).")


@rules.command("list")
@PACKS
@click.option("-k", "--kind", type=click.Choice(_KINDS), help="Only rules of this kind.")
@voiced
def rules_list(voice: Voice, packs: tuple[str, ...], kind: str | None) -> None:
    """List actions, packs, entities, column-name rules, value sets, recognizers and hierarchies."""
    from tamis import rulebook

    if voice.json:
        click.echo(json.dumps(rulebook.rules_json(packs, kind), ensure_ascii=False))
    else:
        rulebook.show_rules(voice.out(), packs, kind)


@rules.command("show")
@click.argument("name", metavar="NAME|ID")
@PACKS
@voiced
def rules_show(voice: Voice, name: str, packs: tuple[str, ...]) -> None:
    """Explain one action, entity, pack, recognizer or rule: what it says, its source, its examples."""
    from tamis import rulebook

    click.echo(json.dumps(rulebook.rule_json(name, packs), ensure_ascii=False) if voice.json else rulebook.rule_text(name, packs))


@rules.command("test")
@click.argument("files", nargs=-1, metavar="[PACK|FILE]...")
@voiced
def rules_test(voice: Voice, files: tuple[str, ...]) -> None:
    """Run the examples and counter-examples of rules: of PACK or FILE, or of all that come with tamis. Exit 2 when one fails."""
    from tamis import rulebook
    from tamis.conductor.rehearsing import rehearse_rules

    found = rehearse_rules(files, base=Path())
    if voice.json:
        click.echo(json.dumps(rulebook.rehearsal_json(found), ensure_ascii=False))
    elif not voice.quiet or not found.passed:
        click.echo("\n".join(rulebook.rehearsal_lines(found)))
    if not found.passed:
        click.get_current_context().exit(2)


@cli.command()
@voiced
def gates(voice: Voice) -> None:
    """List the measures that gates may name, with their meaning and the default gates."""
    from tamis import show

    if voice.json:
        click.echo(json.dumps(show.gates_json(), ensure_ascii=False))
    else:
        show.gates_table(voice.out())


@cli.group(cls=Group)
def key() -> None:
    """Make, rotate and destroy the key behind pseudonyms."""


@key.command("new")
@click.argument("file", type=click.Path(path_type=str))
def key_new(file: str) -> None:
    """Make a 256-bit key in FILE (mode 0600); `-` prints it for an environment variable."""
    from tamis.keys import new_key_text, write_new_key

    if file == "-":
        click.echo(new_key_text())
    else:
        click.echo(f"key {write_new_key(Path(file)).key_id} in {file}. Keep it apart from the data; a policy names it as file:{file}")


@key.command("new-signing")
@click.argument("file", type=click.Path(path_type=Path))
def key_new_signing(file: Path) -> None:
    """Make an Ed25519 key pair for approvals, manifests and the journal: FILE (mode 0600) and FILE.pub."""
    from tamis.signing import public_key_id, write_new_signing_key

    signer, public = write_new_signing_key(file)
    click.echo(f"signing key {public_key_id(signer.public_key)} in {file}; its public half in {public}: {signer.public_key}")


@key.command("id")
@click.argument("source")
def key_id(source: str) -> None:
    """Print the public id of the key at SOURCE (env:NAME or file:PATH)."""
    from tamis.keys import load_key

    click.echo(load_key(source).key_id)


@key.command("rotate")
@click.argument("file", type=click.Path(path_type=Path))
def key_rotate(file: Path) -> None:
    """Replace FILE by a fresh key; the old one stays beside it. New releases cannot be joined with old ones."""
    from tamis.keys import rotate_key

    old, new, kept = rotate_key(file)
    click.echo(f"key {old.key_id} → {new.key_id}; the old key is in {kept}")


@key.command("destroy")
@click.argument("file", type=click.Path(path_type=Path))
@click.confirmation_option(prompt="Pseudonyms made with this key can never be linked again. Destroy it?")
def key_destroy(file: Path) -> None:
    """Overwrite and remove FILE (crypto-shredding)."""
    from tamis.keys import destroy_key

    click.echo(f"key {destroy_key(file)} is destroyed")


@cli.command()
@click.option("--write", "folder", type=click.Path(path_type=Path), help="Write one file per document into this folder.")
def schemas(folder: Path | None) -> None:
    """Print or write the JSON Schemas of policy, plan, profile, verdict and manifest."""
    from tamis.show import document_schemas

    for name, text in document_schemas().items():
        if folder is None:
            click.echo(text)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL; e.g. eval "$(tamis completion bash)"."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(cli, {}, "tamis", "_TAMIS_COMPLETE").source())


cli.add_command(cli_catalog.diff)
for _command in (cli_catalog.status, cli_catalog.trace, cli_catalog.revoke, cli_catalog.audit):
    cli.add_command(_command)
cli.headings = {
    "The catalog": ("status", "trace", "revoke", "rollback", "audit"),
    "Rules, keys and schemas": ("rules", "gates", "key", "schemas", "completion"),
}


def main() -> None:
    """Entry point of the console script."""
    import warnings

    if not os.environ.get("TAMIS_WARNINGS"):
        warnings.simplefilter("ignore")  # libraries' warnings are not for the user and may quote values
    code: object = 0
    try:
        cli.main(prog_name="tamis")
    except SystemExit as done:
        code = done.code
    except KeyboardInterrupt:
        code = INTERRUPTED
    _leave(code if isinstance(code, int) else 0 if code is None else 1)


def _leave(code: int) -> None:
    """Flush and go, without the interpreter's teardown: native reader threads that still wait for it would abort the process

    (pyarrow's read-ahead after a refused file), and unloading torch takes longer than many verbs. Nothing of ours runs at exit.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (BrokenPipeError, ValueError):  # the reader of a pipe left: its business
            continue
    os._exit(code)

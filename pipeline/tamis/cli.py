"""The command line: parses, calls the library, prints, maps errors to exit codes. No logic.

Only click is imported here; everything heavy is imported by the verb that needs it, so that `tamis --help` is instant.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

    from tamis.core.plan import Plan
    from tamis.core.record import Release, Verification

P = ParamSpec("P")
R = TypeVar("R")

_INTERRUPTED = 130
_EXITS = """\b
Exit codes:
  0  done
  2  usage, policy, undecided columns, stale plan, no key: a person must decide
  3  a gate failed or a release does not match its manifest; nothing was published
  4  the data cannot be read as it is
  5  transient (disk full, locked): try again
  130  interrupted (Ctrl-C)
"""


@dataclass(frozen=True, slots=True)
class Voice:
    """How much is said, and in which form."""

    quiet: bool
    verbose: bool
    json: bool

    def out(self) -> Console:
        """Console for results."""
        from rich.console import Console

        class Output(Console):
            """A reader that leaves (`| head`) is no failure: rich would exit with 1."""

            def on_broken_pipe(self) -> None:
                raise BrokenPipeError

        console = Output(highlight=False, soft_wrap=False, emoji=False, markup=False)
        return console if console.is_terminal else Output(highlight=False, emoji=False, markup=False, width=max(console.width, 150))

    def progress(self) -> Any:
        """Progress on standard error: a live line on a terminal, plain lines with --verbose, else nothing."""
        from tamis.conductor.inputs import Silent

        if self.quiet or (self.json and not self.verbose):
            return Silent()
        if sys.stderr.isatty() or self.verbose:
            return _Spoken(live=sys.stderr.isatty() and not self.verbose)
        return Silent()


class _Spoken:
    """Progress with rich: one live line that shows the innermost stage, and a line for each stage that is done."""

    def __init__(self, *, live: bool) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False, emoji=False, markup=False)
        self._status = self._console.status("") if live else None
        self._open: list[str] = []

    @contextmanager
    def stage(self, name: str, detail: str = "") -> Iterator[None]:
        """Show the stage while it runs; stages may nest."""
        from time import perf_counter

        from tamis.core.errors import clean_name

        started = perf_counter()
        text = f"{name:<10}{clean_name(detail)}"
        self._open.append(text)
        self._show()
        try:
            yield
        finally:
            self._open.pop()
            self._show()
        self._console.print(f"{text}  {perf_counter() - started:.1f} s", style="dim", soft_wrap=True)

    def _show(self) -> None:
        if self._status is None:
            return
        if self._open:
            self._status.update(self._open[-1])
            self._status.start()
        else:
            self._status.stop()

    def note(self, text: str) -> None:
        """One line about the stage under way."""
        from tamis.core.errors import clean_name

        if self._status is None:
            self._console.print(f"          {clean_name(text, 200)}", style="dim", soft_wrap=True)


def _voiced(function: Callable[..., R]) -> Callable[..., R]:
    """The options every working verb has, and one place where errors become exit codes."""

    @click.option("--json", "as_json", is_flag=True, help="Machine-readable result on standard output.")
    @click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
    @click.option("-v", "--verbose", is_flag=True, help="A line per stage on standard error.")
    @wraps(function)
    def wrapped(*args: Any, as_json: bool, quiet: bool, verbose: bool, **kwargs: Any) -> R:
        return function(Voice(quiet, verbose, as_json), *args, **kwargs)

    return wrapped


class _Group(click.Group):
    """Verbs in the order of the flow, not of the alphabet; errors as sentences."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        from tamis.core.errors import TamisError

        try:
            return super().invoke(ctx)
        except TamisError as error:
            _say_error(error)
            ctx.exit(int(error.exit_code))
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)
        except MemoryError:
            click.echo("TransientError[out_of_memory] The machine has too little memory for this. Nothing was published.", err=True)
            ctx.exit(5)
        except KeyboardInterrupt:
            click.echo("Interrupted. A release appears as a whole or not at all; run it again when you like.", err=True)
            ctx.exit(_INTERRUPTED)
        except (SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001  # the last door: whatever went wrong (polars' panics are no Exception), no cell value is printed
            click.echo(f"tamis stopped on an internal error, which is a bug: {_position(error)}. Nothing was published.", err=True)
            ctx.exit(1)


def _say_error(error: Any) -> None:
    from tamis.core.errors import clean_name

    lines = [clean_name(line, 2000) for line in str(error.message).split("\n")]
    click.echo(f"{type(error).__name__}[{error.code}] " + "\n".join(lines), err=True)
    if error.hint:
        click.echo(clean_name(error.hint, 2000), err=True)


def _position(error: BaseException) -> str:
    """Type and place of an exception; never its text, which may hold a cell value."""
    import traceback

    frames = list(traceback.extract_tb(error.__traceback__))
    ours = [frame for frame in frames if f"{os.sep}tamis{os.sep}" in frame.filename] or frames
    where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno} in {ours[-1].name}" if ours else "?"
    return f"{type(error).__name__} at {where}"


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from importlib.metadata import version

    click.echo(f"tamis {version('tamis')}")
    ctx.exit()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=_EXITS)
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
@_voiced
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
@click.option("-k", default=5, show_default=True, type=click.IntRange(2), help="Values in fewer than k rows count as rare.")
@_voiced
def profile(voice: Voice, data: tuple[str, ...], delimiter: str | None, encoding: str | None, drop_bad_rows: bool, k: int) -> None:
    """Show what is in DATA: per column its type, role, entity and evidence."""
    from tamis import show
    from tamis.conductor import profile_data
    from tamis.core.policy import ReadOptions

    options = ReadOptions(delimiter=delimiter, encoding=encoding, drop_bad_rows=drop_bad_rows)
    profiled = profile_data(list(data), k=k, options=options, progress=voice.progress())
    if voice.json:
        click.echo(json.dumps(show.profile_json(profiled), ensure_ascii=False, allow_nan=False))
    elif not voice.quiet:
        show.profile_table(profiled, voice.out())


@cli.command()
@DATA
@POLICY
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where the plan goes (JSON).")
@click.option("--explain", is_flag=True, help="Print every column, its action and the reason.")
@click.option("--strict", is_flag=True, help="Exit 2 while anything is undecided or only proposed.")
@_voiced
def plan(voice: Voice, data: tuple[str, ...], policy: Path, output: Path | None, explain: bool, strict: bool) -> None:
    """Decide, and touch nothing: one action with its reason for every column."""
    from tamis import show
    from tamis.conductor import build_plan
    from tamis.core.canonical import pretty_json
    from tamis.plan.check import require_decided
    from tamis.write.run_folder import write_text_atomic

    made = build_plan(list(data) or None, policy, progress=voice.progress())
    if output is not None:
        write_text_atomic(output, pretty_json(made), 0o600)
    if voice.json:
        click.echo(json.dumps(show.plan_json(made, output), ensure_ascii=False))
    elif not voice.quiet:
        if explain or output is None:
            show.plan_table(made, voice.out())
        _say_plan(made, output)
    if strict:
        require_decided(made)


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


@cli.command()
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path))
@DATA
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="OUT: the folder of releases.")
@STATE
@_voiced
def apply(voice: Voice, plan_file: Path, data: tuple[str, ...], output: Path, state: Path | None) -> None:
    """Execute exactly PLAN on DATA, verify, publish. Refuses other data than the plan was made for."""
    from tamis.conductor import apply_plan

    release = apply_plan(plan_file, list(data), output, state=state, progress=voice.progress())
    _say_release(voice, release, output)


@cli.command()
@DATA
@POLICY
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="OUT: the folder of releases.")
@STATE
@_voiced
def run(voice: Voice, data: tuple[str, ...], policy: Path, output: Path, state: Path | None) -> None:
    """Plan and apply in one. There is no way to publish without verify."""
    from tamis.conductor import run_job

    release = run_job(list(data) or None, policy, output, state=state, progress=voice.progress())
    _say_release(voice, release, output)


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
@_voiced
def verify(voice: Voice, output: Path) -> None:
    """Recompute hashes, k, l and suites of a release from its files alone."""
    from tamis import show
    from tamis.conductor import verify_release

    found: Verification = verify_release(output, progress=voice.progress())
    if voice.json:
        click.echo(found.model_dump_json())
    elif not voice.quiet or not found.passed:
        show.verification_table(found, voice.out(), full=voice.verbose)
    if not found.passed:
        click.get_current_context().exit(3)


@cli.command()
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--to", "release", help="A release id (or its beginning). [default: the one before the current]")
@_voiced
def rollback(voice: Voice, output: Path, release: str | None) -> None:
    """Point OUT/current to an earlier release, in one step."""
    from tamis.write.stage import ReleaseStore

    with ReleaseStore(output) as store:
        now = store.rollback(release)
    if voice.json:
        click.echo(json.dumps({"current": now}))
    elif not voice.quiet:
        click.echo(f"current is now {now}")


@cli.group(cls=_Group)
def rules() -> None:
    """Actions, entities and rule packs."""


@rules.command("list")
@click.option("-p", "--pack", "packs", multiple=True, help="Also load this pack (name or path).")
@_voiced
def rules_list(voice: Voice, packs: tuple[str, ...]) -> None:
    """List actions, packs, entities and column-name rules."""
    from tamis import show

    if voice.json:
        click.echo(json.dumps(show.rules_json(packs), ensure_ascii=False))
    else:
        show.rules_table(packs, voice.out())


@rules.command("show")
@click.argument("name")
@_voiced
def rules_show(voice: Voice, name: str) -> None:
    """Explain one action, entity, pack or rule."""
    from tamis import show

    click.echo(json.dumps(show.rule_json(name), ensure_ascii=False) if voice.json else show.rule_text(name))


@cli.command()
@_voiced
def gates(voice: Voice) -> None:
    """List the measures that gates may name, with their meaning and the default gates."""
    from tamis import show

    if voice.json:
        click.echo(json.dumps(show.gates_json(), ensure_ascii=False))
    else:
        show.gates_table(voice.out())


@cli.group(cls=_Group)
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
        code = _INTERRUPTED
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

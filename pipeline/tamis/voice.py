"""How the command line speaks: results, progress, errors as sentences, exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

R = TypeVar("R")

INTERRUPTED = 130
"""exit code after Ctrl-C"""


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


def voiced(function: Callable[..., R]) -> Callable[..., R]:
    """The options every working verb has, and one place where errors become exit codes."""

    @click.option("--json", "as_json", is_flag=True, help="Machine-readable result on standard output.")
    @click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
    @click.option("-v", "--verbose", is_flag=True, help="A line per stage on standard error.")
    @wraps(function)
    def wrapped(*args: Any, as_json: bool, quiet: bool, verbose: bool, **kwargs: Any) -> R:
        return function(Voice(quiet, verbose, as_json), *args, **kwargs)

    return wrapped


class Group(click.Group):
    """Verbs in the order of the flow, not of the alphabet, under headings where it has them; errors as sentences."""

    headings: Mapping[str, Sequence[str]] = {}
    """heading to the names of its commands; the others come first, without one"""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Names of the commands as they were added."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One list of commands per heading."""
        below = {name for names in self.headings.values() for name in names}
        first = [name for name in self.list_commands(ctx) if name not in below]
        for heading, names in {"Commands": first, **self.headings}.items():
            shown = [(name, self.commands[name]) for name in names if name in self.commands and not self.commands[name].hidden]
            width = formatter.width - 6 - max((len(name) for name, _ in shown), default=0)
            if shown:
                with formatter.section(heading):
                    formatter.write_dl([(name, command.get_short_help_str(width)) for name, command in shown])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; our errors become sentences and exit codes."""
        from tamis.core.errors import TamisError

        try:
            return super().invoke(ctx)
        except TamisError as error:
            say_error(error)
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
            ctx.exit(INTERRUPTED)
        except (SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001  # the last door: whatever went wrong (polars' panics are no Exception), no cell value is printed
            click.echo(f"tamis stopped on an internal error, which is a bug: {_position(error)}. Nothing was published.", err=True)
            ctx.exit(1)


def say_error(error: Any) -> None:
    """One error of ours on standard error: kind, code, sentence, hint."""
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

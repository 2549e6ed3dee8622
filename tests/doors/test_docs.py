"""Documentation is under test: what it names exists, and what exists is named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import pytest
import yaml

from tamis.core import actions
from tamis.core.actions import ACTIONS, Generalize
from tamis.core.errors import ExitCode
from tamis.core.policy import ColumnPolicy, Gate, Policy, Privacy, ReadOptions, TablePolicy
from tamis.core.types import Role

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])
RESOLVED = {"values", "recode", "resolved", "model"}
"""fields that planning fills in; no policy writes them"""


def read(name: str) -> str:
    """One page."""
    return (ROOT / name).read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """The text under a heading, up to the next one of the same or a higher level."""
    found = re.search(rf"^(#+) {re.escape(heading)}$(.*?)(?=^#{{1,3}} |\Z)", page, flags=re.MULTILINE | re.DOTALL)
    assert found, f"no section '{heading}'"
    return found[2]


def blocks(page: Path, *languages: str) -> list[str]:
    """The fenced code blocks of a page in one of the languages."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [text for language, text in fenced if language in languages]


def commands(group: click.Group, prefix: str = "tamis") -> Iterator[tuple[str, click.Command]]:
    """('tamis key new', command) of every command, groups included."""
    for name, command in group.commands.items():
        yield f"{prefix} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")


def cli() -> click.Group:
    """The command line as click knows it."""
    from tamis.cli import cli as group

    return group


# ------------------------------------------------------------------------------------------------------------------- commands


def test_two_commands_are_targets() -> None:
    """`make demo` and `make test`, and every other `make` word of the documentation, are targets of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.MULTILINE))
    assert {"demo", "test"} <= targets
    assert {"make demo", "make test"} <= set(re.findall(r"make [a-z-]+", read("README.md")))
    for page in PAGES:
        named = set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", page.read_text(encoding="utf-8"), flags=re.MULTILINE))
        assert named <= targets, page.name


def test_every_command_is_documented() -> None:
    """Every command has a help text and is named in README or docs."""
    everything = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.name != "CHANGELOG.md")
    found = dict(commands(cli()))
    assert {"tamis init", "tamis profile", "tamis plan", "tamis apply", "tamis run", "tamis verify"} <= set(found)
    for words, command in found.items():
        assert (command.help or "").strip(), f"{words} has no help"
        assert words in everything, f"{words} is not documented"


def test_every_option_has_help() -> None:
    """Every option of every command says what it does."""
    for words, command in commands(cli()):
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert (parameter.help or "").strip(), f"{words} {parameter.opts[0]} has no help"


def test_documented_commands_exist() -> None:
    """Every command line shown in a code block parses as far as its command and the options it names."""
    found = dict(commands(cli()))
    shown = [
        line.removeprefix("$ ").strip()
        for page in PAGES
        for block in blocks(page, "sh", "console", "text", "")
        for line in block.splitlines()
        if line.removeprefix("$ ").startswith("tamis ")
    ]
    assert shown
    for line in shown:
        tokens = line.partition("#")[0].split()
        words = next(" ".join(tokens[:n]) for n in (3, 2) if " ".join(tokens[:n]) in found)
        known = {option for parameter in found[words].params for option in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
        assert {token.strip("[]") for token in tokens if token.strip("[]").startswith("-") and token != "-"} <= known, line


def test_library_names_exist() -> None:
    """The five library verbs are importable from the package and named in the README."""
    import tamis

    for name in ("profile_data", "build_plan", "apply_plan", "run_job", "verify_release"):
        assert callable(getattr(tamis, name))
        assert name in read("README.md")


# --------------------------------------------------------------------------------------------------------------------- policy


@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_is_documented(name: str) -> None:
    """docs/policy.md has a section for each action with an example of it and every parameter that a person may write."""
    text = section(read("docs/policy.md"), name)
    for field in set(ACTIONS[name].model_fields) - {"action"} - RESOLVED:
        assert f"`{field}`" in text, f"{name}: {field}"
    examples = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)]
    columns = TablePolicy.model_validate({"columns": examples[0]})
    used = {stated.action.action for column in columns.columns if (stated := columns.of(column)) and stated.action}
    assert used == {name}


def test_every_choice_is_documented() -> None:
    """Every value that a parameter may have is named in the section of its action."""
    page = read("docs/policy.md")
    for name, kind in ACTIONS.items():
        for field, info in kind.model_fields.items():
            for choice in get_args(info.annotation) if field not in {"action", *RESOLVED} else ():
                if isinstance(choice, str):
                    assert f"`{choice}`" in section(page, name), f"{name}.{field}: {choice}"
    assert "auto" in get_args(Generalize.model_fields["to"].annotation)


def test_every_policy_word_is_documented() -> None:
    """docs/policy.md names every key of a policy, a table, the read options, the privacy model, a gate and a column, and every role."""
    page = read("docs/policy.md")
    models: tuple[Any, ...] = (Policy, TablePolicy, ReadOptions, Privacy, Gate, ColumnPolicy)
    for model in models:
        for field in model.model_fields:
            assert f"`{field}`" in page or f"### {field}\n" in page, f"{model.__name__}.{field}"
    for role in Role:
        assert f"`{role.value}`" in page


def test_every_measure_is_documented() -> None:
    """docs/policy.md names every measure that a gate may name, and no other."""
    from tamis.verify.gates import known_measures

    rows = re.findall(r"^\| (`[a-z]+\.[a-z_`., ]+) \|", section(read("docs/policy.md"), "gates"), flags=re.MULTILINE)
    assert set(re.findall(r"`([^`]+)`", " ".join(rows))) == set(known_measures())


def test_no_action_is_documented_that_is_not_there() -> None:
    """The sections under 'The actions' are exactly the actions, in the order of their declaration."""
    text = read("docs/policy.md").partition("## The actions")[2]
    assert re.findall(r"^### (.+)$", text, flags=re.MULTILINE) == list(ACTIONS)


def test_examples_are_valid() -> None:
    """Every YAML example of a whole policy is one."""
    examples = [yaml.safe_load(block) for page in PAGES for block in blocks(page, "yaml")]
    documents = [document for document in examples if isinstance(document, dict) and "purpose" in document]
    assert documents
    for document in documents:
        Policy.model_validate(document)


# ----------------------------------------------------------------------------------------------------------------------- rest


def test_exit_codes_are_documented() -> None:
    """docs/exit-codes.md has one row for each exit code, one for bugs (1), and no other."""
    rows = re.findall(r"^\| (\d+) \|", read("docs/exit-codes.md"), flags=re.MULTILINE)
    assert [int(row) for row in rows] == sorted({1, *ExitCode})


def test_links_lead_somewhere() -> None:
    """Every relative link of every page leads to a file of the repository."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not target.startswith(("http://", "https://", "mailto:")):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_hard_cases_are_documented() -> None:
    """docs/sample-data.md has a row for each kind of hard case that the generator marks."""
    marks = (ROOT / "sample_data" / "generate.py").read_text(encoding="utf-8").count("HARD CASE")
    rows = re.findall(r"^\| .+ \| .+ \|$", read("docs/sample-data.md"), flags=re.MULTILINE)
    assert len(rows) - 1 >= marks - 1  # the header row; the module's docstring explains the mark


def test_house_promises() -> None:
    """README says plainly what is under another licence and what is not claimed; the licence is Apache 2.0."""
    readme = read("README.md")
    assert "BUSL-1.1" in readme
    assert "not anonymous" in readme
    assert "free text" in readme.lower()
    assert read("LICENSE").lstrip().startswith("Apache License")
    assert "The tamis authors" in read("LICENSE")
    assert re.search(r"^### Privacy$.*?^### Security$", read("CHANGELOG.md"), flags=re.MULTILINE | re.DOTALL)


def test_rooms_are_on_the_map() -> None:
    """CONTRIBUTING names every module and room of the package."""
    package = Path(actions.__file__).parents[1]
    rooms = {path.stem for path in package.iterdir() if (path.is_dir() or path.suffix == ".py") and not path.name.startswith(("_", "."))}
    text = read("CONTRIBUTING.md")
    assert {room for room in rooms if f"`{room}" not in text} == set()

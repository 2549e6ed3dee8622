"""The command line: exit codes, JSON, silence, keys; in this process, on a small job in files."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner, Result
from tests.conductor.small import people, policy, visits
from tests.laws.world import KEY

from tamis.cli import cli
from tamis.write.stage import ReleaseStore

JOB = ("people.csv", "visits.parquet")
SHELLS = ("bash", "zsh", "fish")


class Desk:
    """A folder with the small job in files, and `tamis` in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        people().write_csv(folder / "people.csv")
        visits().write_parquet(folder / "visits.parquet")
        self.write_policy(policy(key="env:TAMIS_KEY"))

    def write_policy(self, document: dict[str, Any], name: str = "policy.yaml") -> str:
        """A policy as YAML."""
        (self.folder / name).write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        return name

    def tamis(self, *arguments: str, code: int = 0, key: str | None = KEY, answer: str | None = None) -> Result:
        """Run a verb; `code` is the exit code that it must have."""
        done = CliRunner(env={"TAMIS_KEY": key, "NO_COLOR": "1", "COLUMNS": "200"}).invoke(cli, list(arguments), input=answer)
        assert done.exit_code == code, f"{arguments}: exit {done.exit_code}\n{done.stdout}\n{done.stderr}"
        return done

    def run(self, *more: str, code: int = 0, policy_file: str = "policy.yaml", **options: Any) -> Result:
        """`tamis run` of the job."""
        return self.tamis("run", *JOB, "-p", policy_file, "-o", "out", *more, code=code, **options)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A fresh folder, which is also the working directory."""
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A folder after two runs, for tests that only look."""
    desk = Desk(tmp_path_factory.mktemp("finished"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(desk.folder)
        desk.run("-q")
        desk.write_policy(policy(key="env:TAMIS_KEY", purpose="Another"), "other.yaml")
        desk.run("-q", policy_file="other.yaml")
        desk.tamis("plan", *JOB, "-p", "policy.yaml", "-o", "plan.json", "-q")
    return desk


# ----------------------------------------------------------------------------------------------------------------- every verb

VERBS: dict[str, tuple[str, ...]] = {
    "init": ("init", *JOB, "-o", "draft.yaml"),
    "profile": ("profile", *JOB),
    "plan": ("plan", *JOB, "-p", "policy.yaml"),
    "apply": ("apply", "plan.json", *JOB, "-o", "out", "--state", "state"),
    "run": ("run", *JOB, "-p", "policy.yaml", "-o", "out"),
    "verify": ("verify", "out"),
    "rollback": ("rollback", "out", "--to", "FIRST"),
    "approve": ("approve", "plan.json", "--by", "Ada"),
    "diff": ("diff", "plan.json", "out"),
    "status": ("status",),
    "trace": ("trace", "people.age"),
    "audit verify": ("audit", "verify"),
    "audit log": ("audit", "log"),
    "rules list": ("rules", "list"),
    "rules show": ("rules", "show", "generalize"),
    "rules test": ("rules", "test", "contact"),
    "gates": ("gates",),
}
ASKED = {"rules list", "rules show", "gates", "status", "trace", "audit log"}
"""verbs that only print: silence would make no sense"""


def call(verb: str) -> tuple[str, ...]:
    """The command line of a verb in the finished folder."""
    first = min(path.name for path in Path("out").iterdir() if path.is_dir() and not path.is_symlink())
    return (*(first[:8] if word == "FIRST" else word for word in VERBS[verb]), *(["--force"] if verb == "init" else []))


def commands(group: click.Group, prefix: str = "") -> dict[str, click.Command]:
    """Every command by its words."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        found |= commands(command, f"{prefix}{name} ") if isinstance(command, click.Group) else {prefix + name: command}
    return found


def test_the_table_of_verbs_is_whole() -> None:
    """Every command that has --json is tried below; `revoke`, which would take the others' release away, by itself."""
    assert {name for name, command in commands(cli).items() if any("--json" in p.opts for p in command.params)} == {*VERBS, "revoke"}


def test_revoke_speaks_like_the_others(desk: Desk) -> None:
    """It asks before it acts, -q says nothing, --json is an object, people get a line per release; again is no error."""
    desk.run("-q")
    release = json.loads(desk.tamis("status", "--json").stdout)["releases"][0]["release_id"]
    assert "Aborted" in desk.tamis("revoke", release, "--reason", "x", code=1, answer="n\n").stderr
    assert (desk.folder / "out" / "current").exists()
    assert desk.tamis("revoke", release, "--reason", "x", "--yes", "-q").stdout == ""
    assert json.loads(desk.tamis("revoke", release, "--reason", "x", "--yes", "--json").stdout)["revoked"][0]["release_id"] == release
    assert release in desk.tamis("revoke", release, "--reason", "x", "--yes", "--delete").stdout
    assert not list((desk.folder / "out" / release).glob("**/*.parquet"))
    desk.tamis("verify", f"out/{release}", code=4)


@pytest.mark.parametrize("verb", VERBS)
def test_json_is_json_and_nothing_else(finished: Desk, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """--json prints one JSON object on standard output and nothing on standard error."""
    monkeypatch.chdir(finished.folder)
    done = finished.tamis(*call(verb), "--json")
    assert isinstance(json.loads(done.stdout), dict)
    assert done.stderr == ""


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ASKED])
def test_quiet_is_quiet(finished: Desk, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """-q prints nothing at all when all is well."""
    monkeypatch.chdir(finished.folder)
    done = finished.tamis(*call(verb), "-q")
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("verb", VERBS)
def test_words_for_people(finished: Desk, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without options every verb says something, plain text when the output is not a terminal, and nothing on standard error."""
    monkeypatch.chdir(finished.folder)
    done = finished.tamis(*call(verb))
    assert done.stdout.strip()
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_verbose_says_the_stages_on_standard_error(finished: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """-v is a line per stage on standard error, also beside --json, whose standard output stays JSON."""
    monkeypatch.chdir(finished.folder)
    done = finished.tamis(*VERBS["run"], "-v", "--json")
    assert json.loads(done.stdout)["published"] is True
    for stage in ("read", "profile", "detect", "search", "transform", "write", "verify"):
        assert f"\n{stage} " in "\n" + done.stderr


def test_json_says_where_things_are(desk: Desk) -> None:
    """The result of `run --json` is enough for an orchestrator: id, paths that exist, verdict, figures."""
    said = json.loads(desk.run("--json").stdout)
    assert said["passed"] is True
    assert all(Path(said[key]).exists() for key in ("path", "manifest", "report", "run"))
    assert said["measures"]["risk.k@people"] >= 3


# ----------------------------------------------------------------------------------------------------------------- exit codes

WRONG_CALLS: dict[str, tuple[tuple[str, ...], str]] = {
    "unknown option": (("run", "--no-such-option"), "No such option"),
    "unknown verb": (("runn",), "No such command"),
    "missing option": (("run", "people.csv"), "Missing option"),
    "no policy file": (("plan", *JOB, "-p", "gone.yaml"), "There is no file gone.yaml"),
    "no plan file": (("apply", "gone.json", *JOB, "-o", "out"), "There is no file gone.json"),
    "not a plan": (("apply", "policy.yaml", *JOB, "-o", "out"), "policy.yaml"),
    "no release": (("verify", "data"), "There is no release in data"),
    "unknown rule": (("rules", "show", "generalise"), "Did you mean 'generalize'?"),
    "unknown pack": (("rules", "list", "-p", "gdrp"), "Did you mean 'gdpr'?"),
    "no key file": (("key", "id", "file:gone.key"), "There is no key file"),
    "bad key source": (("key", "id", "gone.key"), "env:NAME"),
    "unknown shell": (("completion", "tcsh"), "tcsh"),
}


@pytest.mark.parametrize("case", WRONG_CALLS)
def test_a_wrong_call_exits_2(desk: Desk, case: str) -> None:
    """What a person must mend is exit 2, a sentence on standard error, and nothing on standard output."""
    arguments, said = WRONG_CALLS[case]
    done = desk.tamis(*arguments, code=2)
    assert said in done.stderr
    assert done.stdout == ""
    assert not Path("out").exists()


def without(table: str, column: str) -> dict[str, Any]:
    """The policy without a word about one column."""
    document = policy(key="env:TAMIS_KEY")
    del document["tables"][table]["columns"][column]
    return document


def test_a_policy_that_does_not_fit_exits_2(desk: Desk) -> None:
    """A misspelt action and an unknown column are said with their place."""
    document = policy(key="env:TAMIS_KEY")
    document["tables"]["people"]["columns"]["note"] = "dorp"
    assert "drop" in desk.run(policy_file=desk.write_policy(document, "a.yaml"), code=2).stderr
    document["tables"]["people"]["columns"] = {"nott": "drop"}
    assert "Did you mean 'note'?" in desk.run(policy_file=desk.write_policy(document, "b.yaml"), code=2).stderr


def test_undecided_columns_exit_2(desk: Desk) -> None:
    """`run` refuses, `plan` says what is open, `plan --strict` exits 2 after writing the plan."""
    name = desk.write_policy(without("people", "note"))
    assert "people.note" in desk.run(code=2, policy_file=name).stderr
    assert "await a decision" in desk.tamis("plan", *JOB, "-p", name, "-o", "open.json").stdout
    desk.tamis("plan", *JOB, "-p", name, "-o", "open.json", "--strict", code=2)
    assert "people.note" in desk.tamis("apply", "open.json", *JOB, "-o", "out", code=2).stderr
    assert not Path("out").exists()


@pytest.mark.parametrize("key", [None, "short", "tamis-key-v1:" + "00" * 32])
def test_no_key_or_a_weak_one_exits_2(desk: Desk, key: str | None) -> None:
    """Nothing falls back to no key."""
    assert "KeyMaterialError" in desk.run(code=2, key=key).stderr
    assert not Path("out").exists()


def test_a_plan_for_other_data_exits_2(desk: Desk) -> None:
    """A column more than planned: refused by name."""
    desk.tamis("plan", *JOB, "-p", "policy.yaml", "-o", "plan.json")
    people().with_columns(badge_no=people()["age"]).write_csv("people.csv")
    assert "badge_no" in desk.tamis("apply", "plan.json", *JOB, "-o", "out", code=2).stderr


def test_a_failed_gate_exits_3(desk: Desk) -> None:
    """Nothing is published; the gate, the figure and the quarantine are said, also with -q."""
    document = policy(key="env:TAMIS_KEY", gates=[{"measure": "utility.column_shapes", "min": 1.5}])
    for more in ((), ("-q",)):
        said = desk.run(*more, code=3, policy_file=desk.write_policy(document)).stdout
        assert "FAILED" in said
        assert "utility.column_shapes" in said
        assert "quarantine" in said
    assert json.loads(desk.run("--json", code=3).stdout)["published"] is False
    assert not Path("out/current").exists()


def test_a_failed_expectation_exits_3(desk: Desk) -> None:
    """A user's own suite decides like a gate."""
    Path("mine").mkdir()
    expectation = {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "area", "value_set": ["north"]}}
    Path("mine/people.json").write_text(json.dumps({"name": "mine", "expectations": [expectation]}), encoding="utf-8")
    said = desk.run(code=3, policy_file=desk.write_policy(policy(key="env:TAMIS_KEY", expectations="mine")))
    assert "suite.user" in said.stdout
    assert not Path("out/current").exists()


def test_an_altered_release_exits_3(desk: Desk) -> None:
    """`verify` recomputes: a changed byte, and a manifest that is none, are exit 3."""
    desk.run()
    desk.tamis("verify", "out")
    file = next(Path("out/current/visits").glob("part-*.parquet"))
    file.chmod(0o644)
    file.write_bytes(file.read_bytes() + b" ")
    assert "NOT what its manifest says" in desk.tamis("verify", "out", code=3).stdout
    Path("out/current/manifest.json").write_text("{}", encoding="utf-8")
    assert "bad_manifest" in desk.tamis("verify", "out", code=3).stderr


def test_data_that_cannot_be_read_exits_4(desk: Desk) -> None:
    """A missing file, an empty one and a ragged row: file and line are said, no cell value is, nothing is written."""
    before = set(desk.folder.iterdir())
    assert "gone.csv" in desk.tamis("run", "gone.csv", "-p", "policy.yaml", "-o", "out", code=4).stderr
    Path("people.csv").write_text("", encoding="utf-8")
    assert "people.csv" in desk.run(code=4).stderr
    Path("people.csv").write_text("person,area\np1,north\np2,Zyxw-Canary,surplus\n", encoding="utf-8")
    said = desk.run(code=4).stderr
    assert "people.csv" in said
    assert "3" in said
    assert "Canary" not in said
    assert set(desk.folder.iterdir()) == before


def test_a_locked_folder_exits_5(desk: Desk) -> None:
    """Another run is writing: try again."""
    with ReleaseStore(Path("out")):
        assert "Another tamis run" in desk.run(code=5).stderr


def test_a_bug_exits_1_without_its_text(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong inside, type and place are printed, never the text, which may hold a cell value."""

    def broken(*_: object, **__: object) -> None:
        raise ValueError("Zyxw-Canary")

    monkeypatch.setattr("tamis.conductor.run_job", broken)
    said = desk.run(code=1)
    assert "ValueError" in said.stderr
    assert "Canary" not in said.stdout + said.stderr


# -------------------------------------------------------------------------------------------------------------- init, key, shell


def test_init_does_not_overwrite(desk: Desk) -> None:
    """An existing policy is a person's work: refused without --force, and left as it was."""
    before = Path("policy.yaml").read_bytes()
    assert "--force" in desk.tamis("init", *JOB, "-o", "policy.yaml", code=2).stderr
    assert Path("policy.yaml").read_bytes() == before
    desk.tamis("init", *JOB, "-o", "policy.yaml", "--force")
    assert Path("policy.yaml").read_bytes() != before


def test_a_draft_awaits_a_person(desk: Desk) -> None:
    """What `init` drafts is refused by `run` until accepted; with its own sources it needs no DATA."""
    desk.tamis("init", *JOB, "-o", "draft.yaml")
    assert "undecided_columns" in desk.tamis("run", "-p", "draft.yaml", "-o", "out", code=2).stderr
    desk.tamis("init", *JOB, "-o", "draft.yaml", "--force", "--accept")
    desk.tamis("plan", "-p", "draft.yaml", "--strict")


def test_a_key_has_a_life(desk: Desk) -> None:
    """new, id, rotate, destroy: mode 0600, never overwritten, another id after rotation, gone at the end; the key is never printed."""
    path = Path("my.key")
    said = desk.tamis("key", "new", "my.key").stdout
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = desk.tamis("key", "id", "file:my.key").stdout.strip()
    assert first in said
    assert "key_exists" in desk.tamis("key", "new", "my.key", code=2).stderr
    secret = path.read_text(encoding="ascii").strip()
    said += (rotated := desk.tamis("key", "rotate", "my.key").stdout)
    second = desk.tamis("key", "id", "file:my.key").stdout.strip()
    assert first != second
    assert first in rotated
    assert second in rotated
    assert desk.tamis("key", "id", f"file:my.key.{first}").stdout.strip() == first
    assert desk.tamis("key", "destroy", "my.key", answer="n\n", code=1)
    assert path.exists()
    said += desk.tamis("key", "destroy", "my.key", "--yes").stdout
    assert not path.exists()
    assert secret.rpartition(":")[2] not in said


def test_a_key_for_the_environment(desk: Desk) -> None:
    """`key new -` prints one line that works as TAMIS_KEY, another one each time."""
    first, second = (desk.tamis("key", "new", "-").stdout.strip() for _ in range(2))
    assert first != second
    assert desk.tamis("key", "id", "env:TAMIS_KEY", key=first).stdout.strip()


def test_a_key_that_others_can_read_is_refused(desk: Desk) -> None:
    """Mode 0644: the sentence says what to do."""
    desk.tamis("key", "new", "my.key")
    Path("my.key").chmod(0o644)
    assert "chmod 600" in desk.tamis("key", "id", "file:my.key", code=2).stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_scripts(desk: Desk, shell: str) -> None:
    """A script for each shell that calls tamis back by its own variable."""
    script = desk.tamis("completion", shell).stdout
    assert "_TAMIS_COMPLETE" in script
    assert "tamis" in script


def test_completion_knows_verbs_and_options() -> None:
    """What the scripts ask for: verbs by their beginning, options of a verb."""
    from click.shell_completion import ShellComplete

    complete = ShellComplete(cli, {}, "tamis", "_TAMIS_COMPLETE")
    assert {item.value for item in complete.get_completions([], "pro")} == {"profile"}
    assert "--policy" in {item.value for item in complete.get_completions(["run"], "--")}


def test_help_and_version(desk: Desk) -> None:
    """The help lists the verbs in the order of the flow and the exit codes; the version is the package's."""
    import tamis

    text = desk.tamis("--help").stdout
    places = [text.index(f"\n  {verb} ") for verb in ("init", "profile", "plan", "apply", "run", "verify")]
    assert places == sorted(places)
    assert "Exit codes:" in text
    assert desk.tamis("--version").stdout == f"tamis {tamis.__version__}\n"


def test_rollback_by_words(desk: Desk) -> None:
    """Back to the release before, or to one by the beginning of its id; one that does not exist is a usage error."""
    desk.run("-q")
    first = Path("out/current").resolve().name
    desk.run("-q", policy_file=desk.write_policy(policy(key="env:TAMIS_KEY", purpose="Another"), "other.yaml"))
    second = Path("out/current").resolve().name
    assert first in desk.tamis("rollback", "out").stdout
    assert second in desk.tamis("rollback", "out", "--to", second[:10]).stdout
    desk.tamis("rollback", "out", "--to", "nothing", code=2)
    assert Path("out/current").resolve().name == second

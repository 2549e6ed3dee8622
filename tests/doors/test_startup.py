"""What it costs to ask: importing tamis and asking for help load no engine; the wheel has everything inside."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tamis.core.errors import ExitCode, MissingExtra
from tamis.rules import list_hierarchies, list_packs

ROOT = Path(__file__).resolve().parents[2]
ENGINES = {
    "polars", "pyarrow", "pandas", "numpy", "scipy", "torch", "sdv", "rdt", "copulas", "sdmetrics", "great_expectations",
    "presidio_analyzer", "presidio_anonymizer", "spacy", "faker", "jinja2", "cryptography", "stdnum", "rich", "pydantic", "yaml",
}  # fmt: skip


def loaded(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after some code."""
    report = f"import sys\ntry:\n    {code}\nfinally:\n    sys.stderr.write(' '.join({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=False)
    return set(done.stderr.split())


def command(*arguments: str) -> str:
    """Code that calls the command line as the console script does, without its way of leaving."""
    return f"import tamis.cli; tamis.cli.cli.main(args={list(arguments)!r}, prog_name='tamis', standalone_mode=False)"


@pytest.mark.parametrize(
    "code",
    ["import tamis", command("--help"), command("run", "--help"), command("rules", "--help"), command("completion", "fish")],
    ids=["import", "help", "run-help", "rules-help", "completion"],
)
def test_asking_loads_no_engine(code: str) -> None:
    """`import tamis`, every help page and the completion script load no dataframe, model or validation library."""
    modules = loaded(code)
    assert "tamis" in modules
    assert modules & ENGINES == set()


def test_deciding_loads_no_engine_it_does_not_need() -> None:
    """The whole library without a job (conductor and all rooms) loads neither SDV, Great Expectations, Presidio, pandas nor torch."""
    heavy = {"torch", "sdv", "rdt", "copulas", "great_expectations", "presidio_analyzer", "presidio_anonymizer", "pandas", "scipy", "spacy"}
    modules = loaded("import tamis; tamis.run_job")
    assert "polars" in modules
    assert modules & heavy == set()


def test_missing_extras_are_one_sentence() -> None:
    """An engine that is not installed: what needs it, and the command that installs it; a usage error that no retry mends."""
    error = MissingExtra.for_package("pyspark", extra="spark", what="The Spark engine")
    assert str(error) == "MissingExtra[missing_extra] The Spark engine needs pyspark. Install: pip install 'tamis[spark]'."
    assert (error.exit_code, error.transient) == (ExitCode.USAGE, False)


def test_the_wheel_has_everything_inside(tmp_path: Path) -> None:
    """A wheel holds rules, schemas, templates and the typing marker; installed somewhere else it finds them there."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    built = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(built, check=True, capture_output=True)
    wheel = next(tmp_path.glob("tamis-*.whl"))
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"tamis/_data/rules/packs/{name}.yaml" for name in list_packs()} <= names
    assert {f"tamis/_data/rules/hierarchies/{name}.csv" for name in list_hierarchies()} <= names
    assert {f"tamis/_data/schemas/{path.name}" for path in (ROOT / "schemas").iterdir()} <= names
    assert {f"tamis/write/templates/{path.name}" for path in (ROOT / "pipeline/tamis/write/templates").iterdir()} <= names
    assert "tamis/py.typed" in names
    assert not any("__pycache__" in name or name.startswith("tests") for name in names)

    target = tmp_path / "elsewhere"
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(target), str(wheel)], check=True, capture_output=True)
    code = (
        "import tamis.rules as r; print(r.__file__, r.rules_folder(), len(r.load_rules(r.list_packs()).packs), len(r.list_hierarchies()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(target)}
    )
    module, folder, packs, hierarchies = done.stdout.split()
    assert Path(module).is_relative_to(target)
    assert Path(folder) == target / "tamis" / "_data" / "rules"
    assert (int(packs), int(hierarchies)) == (len(list_packs()), len(list_hierarchies()))

"""The script for recipients: it needs neither tamis nor the original data, accepts what is right and finds what was changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from tests.conductor.small import KEY, people

import tamis
from tamis.signing import write_new_signing_key

SCRIPT = Path(__file__).parents[2] / "examples" / "verify_release.py"
POLICY = {
    "version": 1,
    "purpose": "Check the checker",
    "privacy": {"k": 3, "l": 2, "max_suppressed": 0.3},
    "tables": {
        "people": {
            "columns": {
                "person": "drop",
                "area": {"keep": "the question is about areas", "role": "quasi"},
                "age": {"generalize": {"to": "band", "width": 20}, "role": "quasi"},
                "note": "drop",
                "ill": {"keep": "what it is about", "role": "sensitive"},
            }
        }
    },
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A signed release and the public key."""
    folder = tmp_path_factory.mktemp("made")
    signer, public = write_new_signing_key(folder / "key")
    frame = people(200).with_columns(pl.Series("ill", ["flu", "none", "cold", "none", "flu"] * 40))
    release = tamis.run_job({"people": frame}, POLICY, folder / "out", state=folder / "state", key=lambda: KEY, signer=signer)
    assert release.path is not None
    return release.path, public


def _check(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the script without the package in reach."""
    return subprocess.run([sys.executable, "-I", str(SCRIPT), str(folder), *more], capture_output=True, text=True, timeout=120, check=False)


def test_a_true_release_passes(made: tuple[Path, Path]) -> None:
    """Hashes, signature, k, l, t, contract and gates are recomputed and fit; with the key it says authenticated."""
    done = _check(made[0], "--public-key", str(made[1]))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "authenticated" in done.stdout.splitlines()[-1]
    assert "FAILED" not in done.stdout
    for name in ("risk.k@people", "risk.l@people", "risk.t@people", "signature", "gate risk.k"):
        assert any(line.startswith("ok") and name in line for line in done.stdout.splitlines()), name
    assert "consistent, not authenticated" in _check(made[0]).stdout


def test_the_script_imports_nothing_of_tamis() -> None:
    """It stands alone: pyarrow and cryptography are all it imports beside the standard library."""
    assert "import tamis" not in SCRIPT.read_text()
    assert "from tamis" not in SCRIPT.read_text()


def _manifest(folder: Path, change: Callable[[dict], None]) -> None:  # type: ignore[type-arg]  # plain JSON
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content, sort_keys=True, indent=2))


def _k(content: dict) -> None:  # type: ignore[type-arg]
    for measure in content["measures"]:
        if measure["name"] == "risk.k@people":
            measure["value"] = 50.0


def _gate(content: dict) -> None:  # type: ignore[type-arg]
    content["gates"][0]["passed"] = False


def _other_file(folder: Path) -> None:
    (folder / "people" / "part-99999.parquet").write_bytes(b"PAR1")


def _other_bytes(folder: Path) -> None:
    file = next((folder / "people").iterdir())
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda folder: _manifest(folder, _k),
        lambda folder: _manifest(folder, _gate),
        _other_file,
        _other_bytes,
        lambda folder: next((folder / "people").iterdir()).unlink(),
        lambda folder: (folder / "REVOKED.json").write_text("{}"),
    ],
    ids=["figure", "gate", "one more file", "one byte", "one file less", "revoked"],
)
def test_what_was_changed_is_found(tamper: Callable[[Path], None], made: tuple[Path, Path], tmp_path: Path) -> None:
    """A changed figure, decision, file or tombstone ends in exit code 3, also without the signature."""
    copy = tmp_path / "copy"
    shutil.copytree(made[0], copy)
    tamper(copy)
    done = _check(copy)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "FAILED" in done.stdout


def test_any_change_of_the_manifest_breaks_its_signature(made: tuple[Path, Path], tmp_path: Path) -> None:
    """A manifest that says the same in other bytes is no longer what was signed; tamis verify says so too."""
    copy = tmp_path / "copy"
    shutil.copytree(made[0], copy)
    _manifest(copy, lambda content: content.update(purpose="Another purpose"))
    done = _check(copy, "--public-key", str(made[1]))
    assert (done.returncode, "signature" in done.stdout) == (3, True)
    found = tamis.verify_release(copy, public_keys=[str(made[1])])
    assert not found.passed
    assert tamis.verify_release(made[0], public_keys=[str(made[1])]).authenticated

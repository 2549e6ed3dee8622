"""The JSON Schemas in schemas/: equal to the types, and what tamis reads and writes is valid under them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from tests.conductor.small import Job, policy

from tamis.core.canonical import pretty_json
from tamis.show import document_schemas

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A small job after `run_job`."""
    job = Job(tmp_path_factory.mktemp("job"))
    job.run()
    return job


def problems(schema: str, document: Any) -> list[str]:
    """What a validator says about a document, under the schema as it lies in the repository."""
    validator = Draft202012Validator(json.loads((SCHEMAS / f"{schema}.schema.json").read_text(encoding="utf-8")))
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)]


def plain(text: str) -> Any:
    """A YAML policy as JSON: dates are text there."""
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def test_schemas_are_what_the_types_generate() -> None:
    """schemas/ holds exactly the generated files; after a change of a model: make schemas."""
    assert {path.name: path.read_text(encoding="utf-8") for path in SCHEMAS.iterdir()} == document_schemas()


@pytest.mark.parametrize("name", document_schemas())
def test_schemas_are_schemas(name: str) -> None:
    """Every document is valid JSON Schema (2020-12) and closed: unknown keys are errors in an editor too."""
    schema = json.loads(document_schemas()[name])
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False


def test_policies_are_valid() -> None:
    """The sample's policy and every golden policy."""
    paths = [ROOT / "sample_data" / "policy.yaml", *ROOT.glob("tests/golden/*/policy.yaml")]
    assert len(paths) > 5
    for path in paths:
        assert problems("policy", plain(path.read_text(encoding="utf-8"))) == [], path


@pytest.mark.parametrize(
    "wrong",
    [
        {"purpse": "x"},
        {"tables": {"people": {"columns": {"note": "dorp"}}}},
        {"privacy": {"k": 1}},
        {"gates": [{"measure": "no dot", "min": 1}]},
        {"unknown_columns": "keep"},
    ],
)
def test_the_schema_finds_what_tamis_would_refuse(wrong: dict[str, Any]) -> None:
    """Misspelt keys and actions, impossible values: an editor says so before tamis does."""
    assert problems("policy", policy()) == []
    assert problems("policy", policy() | wrong) != []


def test_what_a_run_writes_is_valid(done: Job) -> None:
    """Plan, verdict, profile and manifest of a run."""
    release = done.release
    assert release is not None
    assert release.manifest is not None
    assert problems("plan", json.loads((release.run_path / "plan.json").read_text(encoding="utf-8"))) == []
    assert problems("verdict", json.loads((release.run_path / "verdict.json").read_text(encoding="utf-8"))) == []
    assert problems("profile", json.loads((release.run_path / "profile.json").read_text(encoding="utf-8"))["profile"]) == []
    assert problems("manifest", json.loads(release.manifest.read_text(encoding="utf-8"))) == []


def test_golden_documents_are_valid() -> None:
    """Plans and manifests of every action are valid, not only those of one small job."""
    for path in ROOT.glob("tests/golden/*/expected/*.json"):
        assert problems(path.stem, json.loads(path.read_text(encoding="utf-8"))) == [], path


def test_a_plan_validates_before_it_is_finished(done: Job) -> None:
    """A plan with open columns is a plan."""
    open_policy = policy()
    del open_policy["tables"]["people"]["columns"]["note"]
    assert problems("plan", json.loads(pretty_json(done.plan(policy=open_policy)))) == []

"""OpenLineage: a real receiver gets events of the published form, which say nothing that a recipient may not know."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.conductor.small import KEY, Job, policy

import tamis
from tamis.adapters.openlineage import OpenLineage, is_configured
from tamis.core.errors import UsageError

_TEXT = {"type": "string"}
_FACET = {
    "type": "object",
    "required": ["_producer", "_schemaURL"],
    "properties": {
        "_producer": _TEXT | {"format": "uri"},
        "_schemaURL": _TEXT | {"format": "uri", "pattern": "^https://openlineage.io/spec/"},
    },
}
_STEP = {
    "type": "object",
    "required": ["type"],
    "properties": {"type": {"enum": ["DIRECT", "INDIRECT"]}, "subtype": _TEXT, "description": _TEXT, "masking": {"type": "boolean"}},
    "additionalProperties": False,
}
_INPUT_FIELD = {
    "type": "object",
    "required": ["namespace", "name", "field"],
    "properties": {"namespace": _TEXT, "name": _TEXT, "field": _TEXT, "transformations": {"type": "array", "items": _STEP}},
    "additionalProperties": False,
}


def _facet(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"allOf": [_FACET, {"required": required, "properties": properties}]}


_LIST = {"type": "array"}
_WHOLE = {"type": "integer"}
_FACETS = {
    "schema": _facet([], fields=_LIST | {"items": {"type": "object", "required": ["name"], "properties": {"name": _TEXT, "type": _TEXT}}}),
    "columnLineage": _facet(
        ["fields"],
        fields={
            "additionalProperties": {
                "required": ["inputFields"],
                "properties": {"inputFields": _LIST | {"items": _INPUT_FIELD}},
                "additionalProperties": False,
            }
        },
        dataset=_LIST | {"items": _INPUT_FIELD},
    ),
    "version": _facet(["datasetVersion"], datasetVersion=_TEXT),
    "lifecycleStateChange": _facet(
        ["lifecycleStateChange"], lifecycleStateChange={"enum": ["ALTER", "CREATE", "DROP", "OVERWRITE", "RENAME", "TRUNCATE"]}
    ),
    "dataQualityMetrics": _facet(
        ["columnMetrics"], rowCount={"type": "integer"}, bytes={"type": "integer"}, columnMetrics={"type": "object"}
    ),
    "dataQualityAssertions": _facet(
        ["assertions"],
        assertions=_LIST
        | {
            "items": {
                "required": ["assertion", "success"],
                "properties": {"assertion": _TEXT, "success": {"type": "boolean"}, "severity": {"enum": ["error", "warn"]}},
            }
        },
    ),
    "ownership": _facet([], owners=_LIST | {"items": {"required": ["name"], "properties": {"name": _TEXT}}}),
}
_DATASET = {
    "type": "object",
    "required": ["namespace", "name"],
    "properties": {
        "namespace": _TEXT,
        "name": _TEXT,
        "facets": {"properties": _FACETS, "additionalProperties": False},
        "inputFacets": {"additionalProperties": _FACET},
        "outputFacets": {
            "properties": {"outputStatistics": _facet(["rowCount"], rowCount={"type": "integer"}, size={"type": "integer"})},
            "additionalProperties": False,
        },
    },
}
RUN_EVENT = {
    "type": "object",
    "required": ["eventTime", "producer", "schemaURL", "run", "job", "eventType"],
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": _TEXT | {"format": "date-time"},
        "producer": _TEXT | {"format": "uri"},
        "schemaURL": _TEXT | {"format": "uri", "pattern": r"^https://openlineage.io/spec/2-0-2/OpenLineage.json#/\$defs/RunEvent$"},
        "run": {
            "required": ["runId"],
            "properties": {
                "runId": _TEXT | {"format": "uuid"},
                "facets": {
                    "properties": {
                        "processing_engine": _facet(["version"], version=_TEXT, name=_TEXT),
                        "errorMessage": _facet(["message", "programmingLanguage"], message=_TEXT, programmingLanguage=_TEXT),
                    },
                    "additionalProperties": _FACET,
                },
            },
        },
        "job": {
            "required": ["namespace", "name"],
            "properties": {
                "namespace": _TEXT,
                "name": _TEXT,
                "facets": {
                    "properties": {
                        "jobType": _facet(["processingType", "integration"], processingType=_TEXT, integration=_TEXT),
                        "documentation": _facet(["description"], description=_TEXT),
                    },
                    "additionalProperties": False,
                },
            },
        },
        "inputs": _LIST | {"items": _DATASET},
        "outputs": _LIST | {"items": _DATASET},
    },
}
"""what the published schemas (OpenLineage.json 2-0-2 and its facets, Apache-2.0) demand, in our words"""


class Receiver:
    """A lineage server of one thread: keeps every event it is sent."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        events = self.events

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                events.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(201)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A real HTTP receiver that OpenLineage's own environment variable points to."""
    running = Receiver()
    monkeypatch.setenv("OPENLINEAGE_URL", running.url)
    yield running
    running.close()


def _checked(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for event in events:
        jsonschema.validate(event, RUN_EVENT, format_checker=jsonschema.FormatChecker())
    return events


def test_a_run_tells_start_and_complete(receiver: Receiver, tmp_path: Path) -> None:
    """Two valid events of one run arrive; the second names every released column with its sources, masking and statistics."""
    job = Job(tmp_path)
    release = job.run(lineage=OpenLineage("small", owner="team:privacy"))
    start, complete = _checked(receiver.events)
    assert (start["eventType"], complete["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == complete["run"]["runId"]
    assert [one["name"] for one in complete["inputs"]] == ["people", "visits"]
    outputs = {Path(one["name"]).name: one for one in complete["outputs"]}
    assert sorted(outputs) == ["people", "visits"]
    facets = outputs["people"]["facets"]
    assert [field["name"] for field in facets["schema"]["fields"]] == ["person", "area", "age"]
    lineage = facets["columnLineage"]["fields"]
    assert set(lineage) == {"person", "area", "age"}
    steps = {name: field["inputFields"][0]["transformations"][0] for name, field in lineage.items()}
    assert (steps["person"]["masking"], steps["person"]["subtype"]) == (True, "TRANSFORMATION")
    assert (steps["area"]["masking"], steps["area"]["subtype"]) == (False, "IDENTITY")
    assert [one["field"] for one in facets["columnLineage"]["dataset"]] == ["area", "age"]
    assert facets["version"]["datasetVersion"] == release.release_id
    assert facets["ownership"]["owners"] == [{"name": "team:privacy"}]
    assert outputs["people"]["outputFacets"]["outputStatistics"]["rowCount"] > 0
    assert any(one["assertion"] == "risk.k" and one["success"] for one in facets["dataQualityAssertions"]["assertions"])


def test_two_steps_trace_end_to_end(receiver: Receiver, tmp_path: Path) -> None:
    """The output of the first run is, by namespace and name, the input of the second, wherever `current` points."""
    job = Job(tmp_path)
    job.run(lineage=OpenLineage("first"))
    second = {
        "version": 1,
        "purpose": "A second step",
        "privacy": {"k": 3, "max_suppressed": 0.2},
        "tables": {"people": {"columns": {"person": "drop", "area": {"keep": "wanted", "role": "quasi"}, "age": "drop"}}},
    }
    tamis.run_job(
        tmp_path / "out" / "current" / "people",
        second,
        tmp_path / "out2",
        key=lambda: KEY,
        state=tmp_path / "s",
        lineage=OpenLineage("second"),
    )
    _, first_done, _, second_done = _checked(receiver.events)
    made = {(one["namespace"], one["name"]) for one in first_done["outputs"]}
    used = {(one["namespace"], one["name"]) for one in second_done["inputs"]}
    assert used <= made
    sources = second_done["outputs"][0]["facets"]["columnLineage"]["fields"]["area"]["inputFields"]
    assert {(one["namespace"], one["name"], one["field"]) for one in sources} == {(*next(iter(used)), "area")}


def test_failures_are_told_without_values(receiver: Receiver, tmp_path: Path) -> None:
    """A failed gate and an error while applying both end in FAIL with our sentence; no value is in any event."""
    job = Job(tmp_path)
    assert not job.run(policy=policy(gates=[{"measure": "risk.k", "min": 1000}]), lineage=OpenLineage("gate")).published
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError):
        job.run("file", state=tmp_path / "state", lineage=OpenLineage("no folder"))
    failed = [event for event in _checked(receiver.events) if event["eventType"] == "FAIL"]
    said = [event["run"]["facets"]["errorMessage"]["message"] for event in failed]
    assert "risk.k" in said[0]
    assert "out_is_a_file" in said[1]
    text = json.dumps(receiver.events)
    assert not any(value in text for value in ("p001", "remark", "north"))


def test_a_receiver_that_is_gone_never_fails_a_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Lineage is told, not needed: with nobody listening the release is published all the same."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__RETRY__TOTAL", "0")
    assert Job(tmp_path).run(lineage=OpenLineage("nobody")).published


def test_the_file_transport_of_its_own_configuration_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Configured by OpenLineage's YAML file, events go to a file."""
    config = tmp_path / "openlineage.yml"
    config.write_text(f"transport:\n  type: file\n  log_file_path: {tmp_path / 'events.ndjson'}\n  append: true\n")
    monkeypatch.setenv("OPENLINEAGE_CONFIG", str(config))
    assert Job(tmp_path).run(lineage=OpenLineage("file")).published
    lines = (tmp_path / "events.ndjson").read_text().splitlines()
    assert [event["eventType"] for event in _checked([json.loads(line) for line in lines])] == ["START", "COMPLETE"]


def test_nothing_is_sent_unless_the_user_says_where() -> None:
    """Only OpenLineage's own variables switch it on, and its own switch turns it off."""
    assert not is_configured({})
    assert not is_configured({"HOME": "/x", "OPENLINEAGE_NAMESPACE": "n"})
    assert is_configured({"OPENLINEAGE_URL": "http://x"})
    assert is_configured({"OPENLINEAGE__TRANSPORT__TYPE": "file"})
    assert not is_configured({"OPENLINEAGE_URL": "http://x", "OPENLINEAGE_DISABLED": "true"})

"""Lineage events (OpenLineage 2-0-2) about a run: START, then COMPLETE or FAIL; sent by OpenLineage's own client.

Where events go is the client's own configuration (OPENLINEAGE_URL, OPENLINEAGE_CONFIG, OPENLINEAGE__TRANSPORT__…): without it nothing is
sent and no connection is made. Events hold what a recipient of the release may see: names, types, actions, after-figures, gate
decisions; no before-figures and no values. An event that cannot be sent is noted and never fails a run.
"""

from __future__ import annotations

import datetime as dt
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tamis.core.errors import MissingExtra, TamisError
from tamis.core.plan import Plan
from tamis.core.ports import Progress
from tamis.core.record import Manifest, ManifestColumn, ManifestTable, Verdict
from tamis.core.types import Table

NAMESPACE = "tamis"
_CONFIGURED = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG")
_TYPES = {
    "text": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE", "datetime": "TIMESTAMP",
    "time": "TIME", "duration": "INTERVAL", "binary": "BINARY", "empty": "VARCHAR",
}  # fmt: skip


def is_configured(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the user told OpenLineage's client where events go."""
    if environment.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    return any(environment.get(name) for name in _CONFIGURED) or any(name.startswith("OPENLINEAGE__TRANSPORT") for name in environment)


class OpenLineage:
    """Sends the events of one run; a `tamis.core.ports.Lineage`.

    `job` names the job in the namespace `namespace` (default: OPENLINEAGE_NAMESPACE, else 'tamis'); `owner`, when known, is entered as
    the owner of the outputs. Raises MissingExtra when openlineage-python is not installed.
    """

    def __init__(
        self, job: str, *, namespace: str | None = None, owner: str | None = None, client: Any = None, progress: Progress | None = None
    ) -> None:
        try:
            import openlineage.client as ol
        except ImportError:
            raise MissingExtra.for_package("openlineage-python", extra="lineage", what="Sending lineage events") from None
        self._client = client or ol.OpenLineageClient(config={"facets": {"source_code_location": {"disabled": True}}})
        self._job, self._owner, self._progress = job, owner, progress
        self._namespace = namespace or os.environ.get("OPENLINEAGE_NAMESPACE") or NAMESPACE
        self._run_id = str(uuid.uuid4())
        self._inputs: list[Any] = []
        self._input_names: dict[str, tuple[str, str]] = {}

    def start(self, plan: Plan, tables: tuple[Table, ...]) -> None:
        """A run of this plan over these tables begins."""
        from openlineage.client.event_v2 import InputDataset
        from openlineage.client.generated.schema_dataset import SchemaDatasetFacet, SchemaDatasetFacetFields

        self._purpose = plan.purpose
        for table in tables:
            namespace, name = self._input_names[table.name] = place_of(table)
            fields = [
                SchemaDatasetFacetFields(name=column.name, type=_TYPES[column.type.value], ordinal_position=number)
                for number, column in enumerate(table.columns, start=1)
            ]
            self._inputs.append(InputDataset(namespace=namespace, name=name, facets={"schema": SchemaDatasetFacet(fields=fields)}))
        self._emit("START", [], {})

    def complete(self, manifest: Manifest, verdict: Verdict, path: Path) -> None:
        """The release is published at `path`."""
        self._emit("COMPLETE", [self._output(table, manifest, verdict, path) for table in manifest.tables if table.files], {})

    def fail(self, error: TamisError | None, verdict: Verdict | None = None) -> None:
        """Nothing was published: because of an error, or because of the gates that failed."""
        from openlineage.client.generated.error_message_run import ErrorMessageRunFacet

        said = str(error) if error is not None else " ".join(result.sentence for result in verdict.failed) if verdict else "interrupted"
        self._emit("FAIL", [], {"errorMessage": ErrorMessageRunFacet(message=said, programmingLanguage="python")})

    # ---------------------------------------------------------------------------------------------------------------- datasets

    def _output(self, table: ManifestTable, manifest: Manifest, verdict: Verdict, path: Path) -> Any:
        from openlineage.client.event_v2 import OutputDataset
        from openlineage.client.generated.column_lineage_dataset import ColumnLineageDatasetFacet, Fields
        from openlineage.client.generated.dataset_version_dataset import DatasetVersionDatasetFacet
        from openlineage.client.generated.lifecycle_state_change_dataset import LifecycleStateChange, LifecycleStateChangeDatasetFacet
        from openlineage.client.generated.output_statistics_output_dataset import OutputStatisticsOutputDatasetFacet
        from openlineage.client.generated.ownership_dataset import Owner, OwnershipDatasetFacet
        from openlineage.client.generated.schema_dataset import SchemaDatasetFacet, SchemaDatasetFacetFields

        released = [column for column in table.columns if column.released]
        fields = {column.name: Fields(inputFields=list(self._sources(table.name, column))) for column in released}
        schema = [
            SchemaDatasetFacetFields(
                name=column.name, type=_TYPES[column.type.value if column.type else "text"], description=column.reason, ordinal_position=n
            )
            for n, column in enumerate(released, start=1)
        ]
        facets: dict[str, Any] = {
            "schema": SchemaDatasetFacet(fields=schema),
            "columnLineage": ColumnLineageDatasetFacet(fields=fields, dataset=self._row_filters(table)),
            "version": DatasetVersionDatasetFacet(datasetVersion=manifest.release_id),
            "lifecycleStateChange": LifecycleStateChangeDatasetFacet(lifecycleStateChange=LifecycleStateChange.CREATE),
            "dataQualityMetrics": self._metrics(table),
            "dataQualityAssertions": self._assertions(table, verdict),
        }
        if self._owner:
            facets["ownership"] = OwnershipDatasetFacet(owners=[Owner(name=self._owner)])
        statistics = OutputStatisticsOutputDatasetFacet(
            rowCount=table.rows, size=sum(file.bytes for file in table.files), fileCount=len(table.files)
        )
        folder = (path / table.files[0].path).resolve().parent
        return OutputDataset(namespace="file", name=str(folder), facets=facets, outputFacets={"outputStatistics": statistics})

    def _sources(self, table: str, column: ManifestColumn) -> Iterator[Any]:
        """The input columns of a released one; those that only condition it are indirect."""
        from openlineage.client.generated.column_lineage_dataset import InputField, Transformation

        namespace, name = self._input_names[table]
        for source in column.derived_from:
            own = source == column.name
            step = Transformation(
                type="DIRECT" if own else "INDIRECT",
                subtype=("TRANSFORMATION" if column.masking else "IDENTITY") if own else "CONDITIONAL",
                description=column.action,
                masking=column.masking,
            )
            yield InputField(namespace=namespace, name=name, field=source, transformations=[step])

    def _row_filters(self, table: ManifestTable) -> list[Any]:
        """Columns that decide which rows leave: the quasi-identifiers, by suppression."""
        from openlineage.client.generated.column_lineage_dataset import InputField, Transformation

        namespace, name = self._input_names[table.name]
        step = [Transformation(type="INDIRECT", subtype="FILTER", description="rows of too small classes are suppressed", masking=True)]
        return [InputField(namespace=namespace, name=name, field=column, transformations=step) for column in table.quasi_identifiers]

    @staticmethod
    def _metrics(table: ManifestTable) -> Any:
        from openlineage.client.generated.data_quality_metrics_dataset import DataQualityMetricsDatasetFacet

        return DataQualityMetricsDatasetFacet(columnMetrics={}, rowCount=table.rows, bytes=sum(file.bytes for file in table.files))

    @staticmethod
    def _assertions(table: ManifestTable, verdict: Verdict) -> Any:
        """Suites and gates that were judged on this table."""
        from openlineage.client.generated.data_quality_assertions_dataset import Assertion, DataQualityAssertionsDatasetFacet

        found = [
            Assertion(assertion=f"suite.{suite.kind}", success=suite.passed, name=suite.name, severity="error")
            for suite in verdict.suites
            if suite.table == table.name
        ]
        for result in verdict.gates:
            about = result.measure.partition("@")[2].partition(".")[0]
            if about in ("", table.name) and result.value is not None:
                severity = "error" if result.gate.severity == "fail" else "warn"
                found.append(Assertion(assertion=result.gate.measure, success=result.passed, name=result.measure, severity=severity))
        return DataQualityAssertionsDatasetFacet(assertions=found)

    # -------------------------------------------------------------------------------------------------------------------- events

    def _emit(self, state: str, outputs: list[Any], run_facets: dict[str, Any]) -> None:
        from importlib.metadata import version

        from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
        from openlineage.client.generated.documentation_job import DocumentationJobFacet
        from openlineage.client.generated.job_type_job import JobTypeJobFacet
        from openlineage.client.generated.processing_engine_run import ProcessingEngineRunFacet

        own = version("tamis")
        job = {
            "jobType": JobTypeJobFacet(processingType="BATCH", integration="TAMIS", jobType="JOB"),
            "documentation": DocumentationJobFacet(description=self._purpose),
        }
        engine = ProcessingEngineRunFacet(version=own, name="tamis", openlineageAdapterVersion=own)
        event = RunEvent(
            eventType=RunState[state],
            eventTime=dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            run=Run(runId=self._run_id, facets={"processing_engine": engine, **run_facets}),
            job=Job(namespace=self._namespace, name=self._job, facets=job),
            inputs=self._inputs,
            outputs=outputs,
            producer=f"https://pypi.org/project/tamis/{own}",
        )
        try:
            self._client.emit(event)
            if state != "START":
                self._client.close(10.0)
        except Exception:  # noqa: BLE001  # whatever a transport may raise: lineage is told, not needed, and its text may hold anything
            if self._progress is not None:
                self._progress.note(f"the lineage event {state} could not be sent")


def place_of(table: Table) -> tuple[str, str]:
    """Namespace and name of an input, as OpenLineage names them: a file or folder by its path; a frame by its table name."""
    if not table.locations:
        return f"{NAMESPACE}:memory", table.name
    return "file", table.locations[0] if len(table.locations) == 1 else os.path.commonpath(table.locations)

"""Small tables, plans and releases for the tests of verify."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from tamis.core.actions import AnyAction, Keep
from tamis.core.plan import Classes, ColumnPlan, Plan, Reference, Status, TablePlan
from tamis.core.policy import Gate, Privacy
from tamis.core.record import Manifest, ManifestColumn, ManifestTable, OutputFile, Verdict
from tamis.core.types import Column, ColumnProfile, DatasetProfile, Role, SourceInfo, Table, TableProfile
from tamis.verify import verify_tables
from tamis.verify.frames import logical_type, picked


def table(name: str, frame: pl.DataFrame) -> Table:
    """An input table of a frame."""
    columns = tuple(Column(c, logical_type(t)) for c, t in frame.schema.items())
    return Table(name=name, frame=frame.lazy(), columns=columns, rows=frame.height, source=SourceInfo(format="frame"))


def column(frame: pl.DataFrame, name: str, action: AnyAction | None = None, role: Role = Role.NONE) -> ColumnPlan:
    """A decided column."""
    kind = logical_type(frame.schema[name])
    return ColumnPlan(name=name, type=kind, role=role, action=action or Keep(), status=Status.DECIDED, rule="policy", reason="test")


def table_plan(
    name: str,
    frame: pl.DataFrame,
    what: Mapping[str, tuple[AnyAction, Role]],
    *,
    quasi: tuple[str, ...] | None = None,
    unit: str | None = None,
    k: int = 2,
    references: tuple[Reference, ...] = (),
    key: tuple[str, ...] = (),
) -> TablePlan:
    """The plan of one table; columns not named are kept."""
    columns = tuple(column(frame, c, *what.get(c, (Keep(), Role.NONE))) for c in frame.columns)
    classes = Classes(quasi_identifiers=quasi, k=k, unit=unit) if quasi is not None else None
    return TablePlan(name=name, columns=columns, classes=classes, references=references, key=key)


def plan_of(
    *tables: TablePlan,
    k: int = 2,
    diversity: int | None = None,
    gates: tuple[Gate, ...] = (),
    suites: Mapping[str, str] | None = None,
    unit: str | None = None,
) -> Plan:
    """A plan of tables."""
    privacy = Privacy(k=k, l=diversity, unit=unit, max_suppressed=0.5)
    return Plan(purpose="test", policy_digest="0" * 64, privacy=privacy, tables=tables, gates=gates, suites=suites or {})


def profile_of(frames: Mapping[str, pl.DataFrame], k: int = 2) -> DatasetProfile:
    """A profile as the profile room would make it."""
    """A plan of tables."""
    tables = []
    for name, frame in frames.items():
        columns = []
        for c in frame.columns:
            values = picked(frame.lazy(), [c]).collect()["c0"]
            kind = logical_type(frame.schema[c])
            bounds = {}
            if kind.value in ("integer", "number") and values.drop_nulls().len():
                bounds = {"low": float(values.min()), "high": float(values.max())}
            columns.append(
                ColumnProfile(
                    name=c,
                    type=kind,
                    rows=frame.height,
                    nulls=values.null_count(),
                    distinct=values.drop_nulls().n_unique(),
                    distinct_exact=True,
                    **bounds,
                )
            )
        tables.append(TableProfile(name=name, rows=frame.height, columns=tuple(columns), k=k))
    return DatasetProfile(tables=tuple(tables))


def verdict(
    before: Mapping[str, pl.DataFrame], after: Mapping[str, pl.DataFrame], plan: Plan, suppressed: Mapping[str, int] | None = None
) -> Verdict:
    """What verify says of frames."""
    tables = {name: table(name, frame) for name, frame in before.items()}
    frames = {name: frame.lazy() for name, frame in after.items()}
    return verify_tables(tables, frames, plan, profile_of(before), suppressed_rows=suppressed or {})


def release(folder: Path, after: Mapping[str, pl.DataFrame], plan: Plan, verdict: Verdict) -> Manifest:
    """Write a release as the writer does, in two files per table, and its manifest."""
    tables = []
    for name, frame in after.items():
        (folder / name).mkdir(parents=True)
        files = []
        half = (frame.height + 1) // 2
        for part, piece in enumerate((frame.head(half), frame.slice(half))):
            path = f"{name}/part-{part:05d}.parquet"
            arrow = piece.to_arrow()
            with pq.ParquetWriter(folder / path, arrow.schema, write_statistics=False, store_schema=False) as writer:
                writer.write_table(arrow)
                writer.add_key_value_metadata({"tamis.release_id": "r1"})
            data = (folder / path).read_bytes()
            files.append(OutputFile(path=path, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), rows=piece.height))
        planned = plan.table(name)
        columns = tuple(
            ManifestColumn(
                name=c.name,
                role=c.role,
                entity=None,
                action=c.action.action,
                masking=type(c.action).masking,
                released=c.released,
                type=logical_type(frame.schema[c.name]) if c.released else None,
                derived_from=(c.name,),
                reason=c.reason,
            )
            for c in planned.columns
        )
        sizes = next((s for s in verdict.classes_after if s.table == name), None)
        tables.append(
            ManifestTable(
                name=name,
                input_id="i",
                rows=frame.height,
                changed_rows_rounded=0,
                rows_dropped_on_read=0,
                files=tuple(files),
                columns=columns,
                quasi_identifiers=sizes.quasi_identifiers if sizes else (),
                unit=sizes.unit if sizes else None,
                sensitive=tuple(c.name for c in planned.released if c.role is Role.SENSITIVE),
                references=tuple((r.column, r.parent_table, r.parent_column) for r in planned.references),
            )
        )
    return Manifest(
        release_id="r1",
        status="pseudonymized",
        purpose=plan.purpose,
        plan_digest=plan.digest,
        policy_digest=plan.policy_digest,
        packs={},
        key_id=None,
        k=plan.privacy.k,
        l=plan.privacy.l,
        diversity=plan.privacy.diversity,
        c=plan.privacy.c,
        t=plan.privacy.t,
        distance=plan.privacy.distance,
        k_map=plan.privacy.k_map,
        presence=plan.privacy.presence,
        population_size=plan.privacy.population_size,
        risk_threshold=plan.privacy.risk_threshold,
        tables=tuple(tables),
        measures=tuple(m for m in verdict.measures if not m.internal),
        gates=verdict.gates,
        suites=verdict.suites,
        contract=verdict.contract,
        versions={},
        licences={},
    )

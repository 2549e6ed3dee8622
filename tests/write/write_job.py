"""A small, realistic job by hand: two tables, every fate, hostile names on demand."""

from __future__ import annotations

from dataclasses import dataclass

from tamis.core import actions as a
from tamis.core.plan import Classes, ColumnPlan, Plan, Reference, Status, TablePlan
from tamis.core.policy import Gate, Privacy
from tamis.core.proxy import CategoricalMarginal, NumericMarginal, ProxyModel
from tamis.core.record import Bar, ClassSizes, ColumnDiff, GateResult, Manifest, Measure, OutputFile, SuiteResult, Verdict
from tamis.core.types import ColumnProfile, DatasetProfile, DataType, Evidence, Finding, Findings, Role, TableProfile
from tamis.write.manifest import TableOutcome, build_manifest

T = DataType
ROWS = 10_000


def column(
    name: str,
    kind: DataType,
    role: Role,
    action: a.AnyAction,
    reason: str,
    entity: str | None = None,
    rule: str = "policy",
    evidence: tuple[Evidence, ...] = (),
) -> ColumnPlan:
    """One decided column."""
    return ColumnPlan(
        name=name, type=kind, role=role, entity=entity, action=action, status=Status.DECIDED, rule=rule, reason=reason, evidence=evidence
    )


@dataclass(frozen=True)
class Job:
    """Everything the report is made from."""

    plan: Plan
    profile: DatasetProfile
    findings: Findings
    verdict: Verdict

    def manifest(self) -> Manifest:
        """The manifest of this job, with made-up files."""
        files = (OutputFile(path="customers/part-00000.parquet", sha256="ab" * 32, bytes=412_339, rows=9_871),)
        return build_manifest(
            self.plan,
            self.verdict,
            release_id="r4f1c0de9a7b2d3e5",
            tables={table.name: TableOutcome("1f" * 16, 9_871, 129, 3, files) for table in self.plan.tables},
            key_id=self.plan.key_id,
            versions={"tamis": "0.1.0", "polars": "2.1.0", "sdv": "2.0.0"},
            licences={"tamis": "Apache-2.0", "polars": "MIT", "sdv": "BUSL-1.1"},
        )


def customers(names: dict[str, str]) -> tuple[ColumnPlan, ...]:
    """The columns of the first table, renamed."""
    n = names.get
    match = Evidence(source="presidio", rule="EmailRecognizer", entity="EMAIL_ADDRESS", hits=7_812, of=8_000, weight=0.9)
    few = Evidence(source="pattern", rule="us_ssn", entity="US_SSN", hits=2, of=4_000, weight=0.3)
    by_name = Evidence(source="name", rule="names.email", entity="EMAIL_ADDRESS", weight=0.6)
    bands = a.Generalize(to="age", recode=a.AgeBand(as_of="2024-01-01", width=5))
    area = a.CategoryMap(parents=tuple((f"secret{i}", "north") for i in range(12)))
    pack = "pack:gdpr/art4"
    return (
        column(n("id", "customer_id"), T.INTEGER, Role.DIRECT, a.Pseudonymize(domain="customer"), "Orders must still join.", "customer_id"),
        column(n("name", "full_name"), T.TEXT, Role.DIRECT, a.Fake(kind="person_name"), "Screens need something to show.", "person_name"),
        column(n("email", "email"), T.TEXT, Role.DIRECT, a.Drop(), "Nobody needs it for churn.", "email", pack, (match, by_name)),
        column(n("birth", "birth_date"), T.DATE, Role.QUASI, bands, "Age matters, the day does not.", "birth_date"),
        column(n("zip", "zip"), T.TEXT, Role.QUASI, a.Generalize(to="prefix", recode=a.Prefix(length=2)), "Region is enough.", "postcode"),
        column(n("area", "area"), T.TEXT, Role.QUASI, a.Generalize(to="hierarchy", recode=area), "Coarser areas suffice.", "place"),
        column(
            n("income", "income"), T.NUMBER, Role.SENSITIVE, a.Synthesize(model="m1"), "The shape is needed, not the person's.", "income"
        ),
        column(n("plan", "plan_type"), T.TEXT, Role.NONE, a.Keep(), "The purpose needs it."),
        column(n("note", "comment"), T.TEXT, Role.UNKNOWN, a.Redact(), "Support wording is a signal.", None, "policy", (few,)),
        column(n("joined", "joined"), T.DATE, Role.QUASI, a.ShiftDates(subject=n("id", "customer_id")), "Intervals matter.", "date"),
        column(n("job", "job"), T.TEXT, Role.QUASI, a.SuppressRare(min_count=5, values=("clerk", "nurse")), "Rare jobs single out.", "job"),
        column(n("spent", "spent"), T.NUMBER, Role.NONE, a.TopBottomCode(lower=0, upper=950, resolved=True), "Big spenders stand out."),
    )


def make_job(names: dict[str, str] | None = None, *, failing: bool = False, keyed: bool = True, table: str = "customers") -> Job:
    """A job; `names` renames columns, `failing` lets a gate fail, `keyed=False` leaves out keyed actions."""
    columns = tuple(c for c in customers(names or {}) if keyed or not type(c.action).keyed)
    by_action = {c.action.action: c.name for c in columns}
    quasi = tuple(c.name for c in columns if c.role is Role.QUASI and c.action.action == "generalize")
    unit = columns[0].name if keyed else None
    classes = Classes(
        quasi_identifiers=quasi,
        k=5,
        unit=unit,
        levels=dict(zip(quasi, (2, 3, 1), strict=True)),
        heights=dict(zip(quasi, (4, 5, 2), strict=True)),
        loss=0.31,
        suppressed_rows=129,
        nodes_checked=60,
    )
    orders = (
        column("order_id", T.INTEGER, Role.DIRECT, a.Drop(), "Not needed.", "order_id"),
        column("amount", T.NUMBER, Role.NONE, a.Keep(), "The purpose needs it."),
    )
    if keyed:
        orders = (*orders, column("customer_id", T.INTEGER, Role.DIRECT, a.Pseudonymize(domain="customer"), "Joins.", "customer_id"))
    gates = (
        Gate(measure="utility.column_shapes", min=0.9),
        Gate(measure="attack.linkage", max=0.2),
        Gate(measure="risk.k", min=5),
        Gate(measure="utility.pair_trends", min=0.85, severity="warn"),
    )
    marginals = (
        CategoricalMarginal(column="plan_type", type=T.TEXT, null_rate=0, categories=("basic", "plus"), shares=(0.7, 0.3)),
        NumericMarginal(column="income", type=T.NUMBER, null_rate=0, knots=(10_000.0, 90_000.0)),
    )
    model = ProxyModel(
        id="m1",
        table=table,
        engine="sdv.GaussianCopulaSynthesizer 2.0.0",
        targets=("income",),
        given=("plan_type",),
        marginals=marginals,
        correlation=((1.0, 0.4), (0.4, 1.0)),
        rows_used=8_000,
        k=5,
    )
    plan = Plan(
        purpose="Train a churn model on how customers use the service",
        policy_digest="5c" * 32,
        packs={"gdpr": "77" * 32},
        privacy=Privacy(k=5),
        gates=gates,
        key_id="9f3a61c2d07be415" if keyed else None,
        tables=(
            TablePlan(name=table, columns=columns, key=(columns[0].name,), classes=classes),
            TablePlan(
                name="orders",
                columns=orders,
                references=(Reference(column="customer_id", parent_table=table, parent_column=columns[0].name),) if keyed else (),
            ),
        ),
        models={"m1": model} if keyed else {},
        versions={"tamis": "0.1.0", "polars": "2.1.0"},
    )
    return Job(plan, _profile(plan), _findings(plan), _verdict(plan, quasi, unit, by_action, failing))


def _profile(plan: Plan) -> DatasetProfile:
    def of(c: ColumnPlan) -> ColumnProfile:
        return ColumnProfile(
            name=c.name,
            type=c.type,
            rows=ROWS,
            nulls=300,
            distinct=9_700 if c.role is Role.DIRECT else 412,
            distinct_exact=c.role is not Role.DIRECT,
            rare_rows=3 if c.action.action == "keep" else 1_204,
        )

    return DatasetProfile(
        tables=tuple(TableProfile(name=t.name, rows=ROWS, columns=tuple(of(c) for c in t.columns), k=5) for t in plan.tables)
    )


def _findings(plan: Plan) -> Findings:
    stray = (Evidence(source="presidio", rule="PhoneRecognizer", entity="PHONE_NUMBER", hits=7, of=412),)
    return Findings(
        findings=tuple(
            Finding(
                table=table,
                column=c.name,
                entity=c.entity,
                role=c.role,
                confidence=0.93,
                evidence=c.evidence,
                stray=stray if c.action.action == "keep" and c.type is T.TEXT else (),
            )
            for table, c in plan.walk()
        )
    )


def _verdict(plan: Plan, quasi: tuple[str, ...], unit: str | None, by_action: dict[str, str], failing: bool) -> Verdict:
    table = plan.tables[0].name
    linkage = 0.34 if failing else 0.08
    measures = (
        Measure(name="utility.column_shapes", value=0.953, of=8),
        Measure(name="utility.pair_trends", value=0.84, of=28),
        Measure(name="attack.linkage", value=linkage, low=linkage - 0.02, high=linkage + 0.02, of=500),
        Measure(name=f"risk.k@{table}", value=5, verifiable=True, of=9_871),
        Measure(name=f"risk.unique_before@{table}", value=8_421, internal=True, of=ROWS),
        Measure(name="risk.k", value=5, verifiable=True),
    )
    sentence = f"attack.linkage is {linkage:g}, at most 0.2 is allowed."
    gates = (
        GateResult(gate=plan.gates[0], measure="utility.column_shapes", value=0.953, passed=True, sentence="Shapes are kept."),
        GateResult(gate=plan.gates[1], measure="attack.linkage", value=linkage, passed=not failing, sentence=sentence),
        GateResult(gate=plan.gates[2], measure="risk.k", value=5, passed=True, sentence="The smallest group has 5 persons."),
        GateResult(gate=plan.gates[3], measure="utility.pair_trends", value=0.84, passed=False, sentence="Slightly below 0.85."),
    )
    before = ClassSizes(
        table=table, quasi_identifiers=quasi, unit=unit, rows=ROWS, classes=9_012, k=1, average=1.11, unique_rows=8_421, below_k=9_804,
        sizes=(("1", 8_421), ("2-4", 1_383), ("5-9", 194), ("10-49", 2), ("50+", 0)),
    )  # fmt: skip
    after = ClassSizes(
        table=table, quasi_identifiers=quasi, unit=unit, rows=9_871, classes=402, k=5, average=24.6, unique_rows=0, below_k=0,
        sizes=(("1", 0), ("2-4", 0), ("5-9", 1_822), ("10-49", 6_530), ("50+", 1_519)),
    )  # fmt: skip
    return Verdict(
        passed=not failing,
        measures=measures,
        gates=gates,
        suites=(
            SuiteResult(name="contract", table=table, kind="contract", passed=True, expectations=31),
            SuiteResult(name="utility", table=table, kind="utility", passed=True, expectations=12),
        ),
        diffs=tuple(_diff(table, c) for table, c in plan.walk()),
        classes_before=(before,),
        classes_after=(after,),
        contract={table: {"name": "contract", "expectations": []}},
    )


def _diff(table: str, c: ColumnPlan) -> ColumnDiff:
    histogram = tuple(Bar(label=f"{i * 10}–{i * 10 + 9}", share=s / 100) for i, s in enumerate((2, 6, 11, 16, 19, 17, 13, 9, 5, 2)))
    shapes = (
        Bar(label="basic", share=0.62),
        Bar(label="plus", share=0.27),
        Bar(label="premium", share=0.1097),
        Bar(label="trial", share=0.0003),
    )
    numeric = c.type in {T.NUMBER, T.DATE}
    before = histogram if numeric else (shapes if c.action.action in {"keep", "generalize", "suppress_rare"} else ())
    after = before if c.released and before else ()
    if numeric and c.released:
        after = tuple(Bar(label=bar.label, share=bar.share * (0.9 + 0.02 * i)) for i, bar in enumerate(histogram))
    return ColumnDiff(
        table=table,
        column=c.name,
        role=c.role,
        action=c.action.action,
        type_before=c.type,
        type_after=c.output_type if c.released else None,
        rows_before=ROWS,
        rows_after=9_871,
        nulls_before=0.03,
        nulls_after=0.0301 if c.released else None,
        distinct_before=9_700 if c.role is Role.DIRECT else 412,
        distinct_after=40 if c.released else None,
        before=before,
        after=after,
        shape_score=0.97 if numeric and c.released else None,
    )


RUN = {
    "run_id": "20261124-2201-4f1c",
    "started": "2026-11-24 22:01",
    "seconds": 41.2,
    "person": "d.ortiz",
    "host": "etl-3",
    "stages": (("read", 1.4), ("profile", 3.2), ("verify", 12.9)),
    "suppressed": {"customers": 129, "orders": 3},
    "rows_dropped": {"customers": 3, "orders": 0},
    "notes": ("orders: two nested columns were flattened.",),
}

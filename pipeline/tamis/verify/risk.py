"""Disclosure risk of a table: one count of its equivalence classes (classes.py) feeds every figure.

Definitions, over classes of F members; a member is a person where a column names them, else a row
- k: size of the smallest class (k-anonymity, Sweeney 2002, IJUFKS 10(5):557).
- prosecutor: the attacker knows that the target is in the table. A person's risk is 1 / F of the smallest of the person's classes;
  highest, mean over persons, and the share of persons *above* a threshold (strictly: with 0.2 a class of five is not at risk)
  (El Emam and Dankar 2008, JAMIA 15(5):627).
- journalist: the attacker does not know who is in the table; F is then the size of the class in the population (never taken below its
  size in the table). Without a declared population the table is the population, and the figures are the prosecutor's.
- marketer: expected share of right matches when every record is matched: classes / members (Dankar and El Emam 2010, "A method for
  evaluating marketer re-identification risk", PAIS).
- sample uniques: persons alone in a class; population uniques: see population.py; special uniques: see special.py.
- contribution of a column: the same figures on the other quasi-identifiers.
- l and t: see diversity.py; k-map and presence: see presence.py.

Assumptions: the attacker knows the quasi-identifiers, exactly, and nothing else. Null is a value like any other and NaN is null: a
blank cell is a class of its own, never a wildcard. A suppressed row is not in the table and in no class. What this does not protect
from: an attacker who knows other columns, who joins tables (joined.py) or releases (releases.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from tamis.core.actions import AnyRecode
from tamis.core.plan import TablePlan
from tamis.core.policy import Privacy
from tamis.core.record import ClassSizes, Measure
from tamis.core.types import ColumnRisk, DataType, Exposure, PopulationUniques
from tamis.recode import recode_expression
from tamis.verify import diversity
from tamis.verify.classes import Counted, Packed, coded, count_classes, person_pairs, with_persons_of_input
from tamis.verify.frames import compact, picked, rounded
from tamis.verify.population import population_uniques
from tamis.verify.presence import Matched, match_population, presence
from tamis.verify.relabel import relabelled
from tamis.verify.shapes import Models, Shape
from tamis.verify.special import Special, special_uniques

Ints = npt.NDArray[np.int64]

BANDS = (("1", 1, 1), ("2-4", 2, 4), ("5-9", 5, 9), ("10-49", 10, 49), ("50+", 50, None))
NO_ROWS = "no rows"
_NOT_SHOWN = "not verifiable: the hierarchy is not in the release"


@dataclass(frozen=True, slots=True)
class Risk:
    """Figures of one table."""

    sizes: ClassSizes
    exposure: Exposure
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """What a released table was made of; with it more can be measured than the release alone shows."""

    before: pl.LazyFrame
    plan: TablePlan
    population: pl.LazyFrame | None = None
    """one row per person, columns named as the input's quasi-identifiers"""


def table_risk(frame: pl.LazyFrame, shape: Shape, models: Models, origin: Origin | None = None) -> Risk:
    """Risk of a released table. `shape.quasi` must not be empty.

    When the column that names a person is not released, persons per class are counted on the recoded input: then the release alone is
    not enough to recompute them.
    """
    hidden = shape.hidden_unit if origin is not None else None
    classes = count_classes(frame, shape.quasi, shape.unit)
    if hidden is not None and origin is not None:
        recoded = relabelled(origin.before, origin.plan, shape.quasi, unit=hidden)
        classes = with_persons_of_input(classes, recoded.with_columns(compact(pl.col("person"))))
    matched = None
    if origin is not None and origin.population is not None:
        matched = match_population(classes, relabelled(origin.population, origin.plan, shape.quasi))
    sizes = class_sizes(classes, shape, models.k, unit=hidden or shape.unit)
    exposure = measure_exposure(classes, shape, models, matched, unit=hidden or shape.unit)
    note = "" if sizes.rows else NO_ROWS
    measures = [Measure(name=f"risk.k@{shape.name}", value=sizes.k, of=sizes.rows, note=note)]
    measures += exposure_measures(exposure, note=note)
    if matched is not None:
        low, high = presence(classes, matched)
        smallest = int(matched.known.min(initial=matched.size)) if len(matched.known) else 0
        figures = {"k_map": float(smallest), "presence_low": rounded(low), "presence_high": rounded(high)}
        measures += [Measure(name=f"risk.{word}@{shape.name}", value=value, note=note) for word, value in figures.items()]
    needs_input = frozenset({"risk.k_map", "risk.presence_low", "risk.presence_high"})
    if matched is not None:
        needs_input |= {"risk.journalist_highest", "risk.journalist_average", "risk.journalist_at_risk", "risk.population_uniques"}
    checked = [
        measure.model_copy(update={"verifiable": hidden is None and measure.name.partition("@")[0] not in needs_input})
        for measure in measures
    ]
    checked += _sensitive_measures(frame, shape, models, classes, origin, note)
    return Risk(sizes, exposure, tuple(checked))


def input_risk(
    frame: pl.LazyFrame,
    name: str,
    quasi: Sequence[str],
    unit: str | None,
    models: Models,
    population: pl.LazyFrame | None = None,
) -> Risk:
    """The same of an input table; its measures are internal, their names end in `_before`."""
    shape = Shape(name, tuple(quasi), (), unit, None, personal=True, references=())
    classes = count_classes(frame, shape.quasi, unit)
    matched = match_population(classes, picked(population, quasi)) if population is not None else None
    sizes = class_sizes(classes, shape, models.k, unit=unit)
    exposure = measure_exposure(classes, shape, models, matched, unit=unit)
    measures = [Measure(name=f"risk.k_before@{name}", value=sizes.k, of=sizes.rows, internal=True)]
    measures += [
        measure.model_copy(update={"internal": True, "name": measure.name.replace("@", "_before@", 1)})
        for measure in exposure_measures(exposure)
        if not measure.name.startswith("risk.journalist") or matched is not None
    ]
    return Risk(sizes, exposure, tuple(measures))


def measure_input(
    frame: pl.LazyFrame, table: str, quasi: Sequence[str], unit: str | None, privacy: Privacy, population: pl.LazyFrame | None = None
) -> Exposure:
    """Re-identification risk of an input table on the columns `quasi`, before anything is done to it."""
    return input_risk(frame, table, quasi, unit, Models.of(privacy), population).exposure


# ------------------------------------------------------------------------------------------------------------------------ figures


def class_sizes(classes: Counted, shape: Shape, k: int, *, unit: str | None) -> ClassSizes:
    """Counts of classes and rows."""
    members, rows = classes.members, classes.rows
    bands = [(label, int(rows[(members >= low) & (members <= (high or np.iinfo(np.int64).max))].sum())) for label, low, high in BANDS]
    count = len(members)
    return ClassSizes(
        table=shape.name,
        quasi_identifiers=shape.quasi,
        unit=unit,
        rows=int(rows.sum()),
        classes=count,
        k=int(members.min()) if count else 0,
        average=rounded(int(members.sum()) / count) if count else 0.0,
        unique_rows=bands[0][1],
        below_k=int(rows[members < k].sum()),
        sizes=tuple(bands),
    )


def measure_exposure(classes: Counted, shape: Shape, models: Models, matched: Matched | None = None, *, unit: str | None) -> Exposure:
    """Every figure of the quasi-identifiers of one table; zeros without rows."""
    threshold = models.risk_threshold
    _, average, at_risk, unique = _figures(classes.smallest(), threshold)
    highest = rounded(1 / int(classes.members.min())) if len(classes.members) else 0.0  # also where the person is not known
    journalist = (highest, average, at_risk)
    if matched is not None:
        journalist = _figures(classes.smallest(np.maximum(matched.known, classes.members)), threshold)[:3]
    population = _population(classes, models, matched)
    fraction = min(1.0, classes.persons / population[0].size) if population[0].size else 1.0
    packed = Packed.of(classes.keys)
    special = special_uniques(classes, fraction, packed=packed)
    members = int(classes.members.sum())
    return Exposure(
        table=shape.name,
        quasi_identifiers=shape.quasi,
        unit=unit,
        persons=classes.persons,
        classes=len(classes.members),
        threshold=threshold,
        highest=highest,
        average=average,
        at_risk=at_risk,
        unique=unique,
        marketer=rounded(len(classes.members) / members) if members else 0.0,
        journalist_highest=journalist[0],
        journalist_average=journalist[1],
        journalist_at_risk=journalist[2],
        population=population,
        columns=tuple(_contributions(classes, packed, shape, threshold, special)),
        special=rounded(special.share),
        special_size=special.size,
        special_complete=special.complete,
        dis=rounded(special.dis),
        dis_highest=rounded(special.dis_highest),
    )


def _figures(smallest: tuple[Ints, Ints], threshold: float) -> tuple[float, float, float, float]:
    """Highest and average risk, shares of persons at risk and alone; `smallest`: (class size, persons)."""
    sizes, persons = smallest
    total = int(persons.sum())
    if not total:
        return 0.0, 0.0, 0.0, 0.0
    # 1 / size > threshold, without dividing: 1 / 5 is not above 0.2
    above = sizes * threshold < 1 - 1e-12
    return (
        rounded(1 / int(sizes.min())),
        rounded(float((persons / sizes).sum()) / total),
        rounded(int(persons[above].sum()) / total),
        rounded(int(persons[sizes == 1].sum()) / total),
    )


def _contributions(classes: Counted, packed: Packed, shape: Shape, threshold: float, special: Special) -> Iterator[ColumnRisk]:
    for index, name in enumerate(shape.quasi):
        others = [other for other in range(len(shape.quasi)) if other != index]
        highest, average, at_risk, unique = _figures(classes.smallest_on(packed, others), threshold)
        yield ColumnRisk(
            column=name, highest=highest, average=average, at_risk=at_risk, unique=unique, special=rounded(special.contributions[index])
        )


def _population(classes: Counted, models: Models, matched: Matched | None) -> tuple[PopulationUniques, ...]:
    if matched is None or not matched.size:
        return population_uniques(*classes.histogram(), models.population_size)
    alone = (matched.known <= 1) & (classes.members == 1)  # unknown to the population: nobody else is known to share it
    persons = classes.persons
    share = int(alone.sum()) / persons if persons else 0.0
    counted = PopulationUniques(size=matched.size, basis="counted", method="counted", uniques=float(alone.sum()), share=rounded(share))
    return (counted,)


def exposure_measures(exposure: Exposure, *, note: str = "") -> list[Measure]:
    """The measures that gates may name; denominators are persons."""
    population = exposure.population[0]
    words = {
        "risk.unique_share": exposure.unique,
        "risk.prosecutor_highest": exposure.highest,
        "risk.prosecutor_average": exposure.average,
        "risk.prosecutor_at_risk": exposure.at_risk,
        "risk.journalist_highest": exposure.journalist_highest,
        "risk.journalist_average": exposure.journalist_average,
        "risk.journalist_at_risk": exposure.journalist_at_risk,
        "risk.marketer": exposure.marketer,
        "risk.population_uniques": population.share,
        "risk.special_uniques": exposure.special,
    }
    at = f"@{exposure.table}"
    notes = {"risk.population_uniques": population_note(population), "risk.special_uniques": special_note(exposure)}
    measures = [
        Measure(name=word + at, value=value, of=exposure.persons, note=note or notes.get(word, "")) for word, value in words.items()
    ]
    for column in exposure.columns:
        where = f"{at}.{column.column}"
        measures.append(Measure(name="risk.highest_without" + where, value=column.highest, note=note))
        measures.append(Measure(name="risk.average_without" + where, value=column.average, note=note))
    return measures


def population_note(found: PopulationUniques) -> str:
    """What an estimate of population uniques rests on, in words."""
    match found.method:
        case "counted":
            return "counted in the declared population"
        case "sample":
            return "the table is taken for the whole population"
        case "pitman":
            return f"Pitman model, a random sample of {found.size} persons"
        case _:
            return f"Zayatz model, a random sample of {found.size} persons"


def special_note(exposure: Exposure) -> str:
    """How far the search for special uniques went."""
    if exposure.special_complete >= exposure.special_size:
        return f"combinations of up to {exposure.special_size} columns"
    return f"cut by the budget: all combinations of up to {exposure.special_complete} of {exposure.special_size} columns"


# --------------------------------------------------------------------------------------------------------------- sensitive columns


def _sensitive_measures(
    frame: pl.LazyFrame, shape: Shape, models: Models, classes: Counted, origin: Origin | None, note: str
) -> Iterator[Measure]:
    """The least l of each kind and the largest t over the sensitive columns."""
    if not shape.sensitive:
        return
    found: dict[str, list[float]] = {}
    by_tree = models.distance == "hierarchical"
    trees = origin.plan.classes.ladders if origin is not None and origin.plan.classes is not None else {}
    for name in shape.sensitive:
        counts = _members_of_values(frame, shape, classes, name)
        found.setdefault("l", []).append(diversity.distinct_l(counts))
        found.setdefault("l_entropy", []).append(rounded(diversity.entropy_l(counts)))
        if models.c is not None:
            found.setdefault("l_recursive", []).append(diversity.recursive_l(counts, models.c))
        if by_tree and origin is None:
            continue  # nobody knows the hierarchy
        if by_tree and name in trees:
            distance = diversity.hierarchical(counts, _ancestors(counts["s"], trees[name]))
        elif models.distance == "ordered" and has_order(counts.schema["s"]):
            distance = diversity.ordered(counts)
        else:
            distance = diversity.equal(counts)
        found.setdefault("t", []).append(rounded(distance))
    for word, figures in found.items():
        hidden = word == "t" and by_tree
        yield Measure(
            name=f"risk.{word}@{shape.name}",
            value=max(figures) if word == "t" else min(figures),
            of=int(classes.rows.sum()),
            verifiable=not hidden,
            note=note or (_NOT_SHOWN if hidden else ""),
        )


def _ancestors(values: pl.Series, levels: Sequence[AnyRecode]) -> list[dict[str | None, str | None]]:
    """Per level of a hierarchy of released values, each value (text) to its ancestor there."""
    distinct = pl.DataFrame({"s": values.cast(pl.String).unique()})
    above = distinct.select(recode_expression("s", DataType.TEXT, recode).alias(f"l{place}") for place, recode in enumerate(levels))
    return [dict(zip(distinct["s"].to_list(), above[name].to_list(), strict=True)) for name in above.columns]


def has_order(kind: pl.DataType) -> bool:
    """Whether values of a type have an order that the ordered distance can use."""
    return kind.is_numeric() or kind.is_temporal()


def _members_of_values(frame: pl.LazyFrame, shape: Shape, classes: Counted, name: str) -> pl.DataFrame:
    """(`of`, `s`, `n`): members of each class with each value; persons where the release names them, else rows."""
    keys = classes.keys.columns
    wanted = [*shape.quasi, name, *([shape.unit] if shape.unit is not None else [])]
    safe = picked(frame, wanted)
    types = safe.collect_schema()
    columns = [coded(pl.col(key), types[key], classes.words) for key in keys]
    value = f"c{len(keys)}"
    columns.append(pl.col(value).alias("s"))
    if shape.unit is not None:
        columns.append(compact(pl.col(f"c{len(keys) + 1}")).alias("person"))
    selected = safe.select(columns)
    joint = selected.group_by([*keys, "s"]).agg(n=pl.len().cast(pl.Int64)).collect(engine="streaming")
    if shape.unit is not None and classes.rows.sum() != classes.members.sum():
        pairs, _ = person_pairs(joint, selected, [*keys, "s"])
        joint = joint.with_columns(n=np.bincount(pairs["of"].to_numpy(), minlength=joint.height).astype(np.int64))
    numbered = classes.keys.lazy().with_row_index("of")
    return joint.lazy().join(numbered, on=keys, how="left", nulls_equal=True).select("of", "s", "n").collect()

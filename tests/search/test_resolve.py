"""Laws of a resolved table: what the policy asked for is what the plan holds."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from search_made import plan, resolved

from tamis.core.actions import AsCell, Generalize, Keep, SuppressRare, TopBottomCode
from tamis.core.errors import PolicyError
from tamis.core.policy import Population, Privacy
from tamis.core.types import DataType, Role
from tamis.recode import recode_expression
from tamis.search import pick_alternative, trade_off


def people(rows: int = 600, seed: int = 1) -> pl.DataFrame:
    """Ages, jobs and towns, with an illness."""
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "age": random.integers(18, 90, rows),
            "job": random.choice(["cook", "clerk", "nurse", "driver", "teacher", "smith"], rows),
            "town": random.choice(["north", "south", "east", "west"], rows),
            "illness": random.choice(["flu", "cold", "gout"], rows, p=[0.6, 0.3, 0.1]),
        }
    )


QUASI = ("age", "job", "town")


def released(frame: pl.DataFrame, found: object, quasi: tuple[str, ...] = QUASI) -> pl.DataFrame:
    """The quasi-identifiers as the plan's recodings make them."""
    kinds = {pl.Int64: DataType.INTEGER, pl.String: DataType.TEXT, pl.Float64: DataType.NUMBER}
    actions = found.actions  # type: ignore[attr-defined]
    return frame.select(
        recode_expression(name, kinds[type(frame.schema[name])], actions[name].recode).alias(name) if name in actions else name
        for name in quasi
    )


@pytest.mark.parametrize("k", [2, 5, 20])
def test_the_figures_are_those_of_the_data(k: int) -> None:
    """Suppressed rows are the rows in classes below k, recounted from the recoded table."""
    frame = people()
    found = resolved(frame, QUASI, Privacy(k=k, max_suppressed=0.1))
    sizes = released(frame, found).group_by(QUASI).len()
    assert found.classes is not None
    assert found.classes.suppressed_rows == sizes.filter(pl.col("len") < k)["len"].sum()
    assert found.classes.suppressed_rows <= 0.1 * frame.height
    assert found.classes.lower_bound is not None
    assert found.classes.lower_bound <= (found.classes.loss or 0) + 1e-6


def test_every_alternative_can_be_picked_and_keeps_its_word() -> None:
    """Levels, loss and suppressed rows of the one that is picked; the action says the level; one that is not there is refused."""
    frame, privacy = people(), Privacy(k=5)
    found = resolved(frame, QUASI, privacy)
    assert found.classes is not None
    made = plan(frame, {}, found.classes)
    assert len(found.classes.alternatives) > 2
    losses = [option.loss for option in found.classes.alternatives]
    assert losses == sorted(losses)
    for number, option in enumerate(found.classes.alternatives, start=1):
        picked = pick_alternative(made, found, number)
        sizes = released(frame, picked).group_by(QUASI).len()["len"]
        assert picked.classes is not None
        assert picked.classes.levels == option.levels == {name: picked.actions[name].level for name in QUASI}  # type: ignore[union-attr]
        assert int(sizes.filter(sizes < 5).sum()) == option.suppressed_rows == picked.classes.suppressed_rows
        assert 1 / sizes.filter(sizes >= 5).min() == pytest.approx(option.highest_risk, abs=1e-6)  # type: ignore[operator]
    with pytest.raises(PolicyError, match="no alternative 99"):
        pick_alternative(made, found, 99)


def test_weight_keeps_what_the_purpose_needs() -> None:
    """A column with a high weight is generalized no more than without it, and less than the others."""
    frame = people()
    plain, heavy = (
        resolved(frame, QUASI, Privacy(k=5, max_suppressed=0.0), actions={"age": Generalize(weight=weight)}) for weight in (1.0, 50.0)
    )
    assert plain.classes is not None
    assert heavy.classes is not None
    assert heavy.classes.levels["age"] <= plain.classes.levels["age"]


@pytest.mark.parametrize("model", [{"l": 2}, {"l": 1.5, "diversity": "entropy"}, {"l": 2, "diversity": "recursive", "c": 9.0}, {"t": 0.3}])
def test_models_about_values_are_searched_for(model: dict[str, object]) -> None:
    """With l or t more is suppressed or lost than with k alone, never less."""
    frame = people(300)
    roles = {"roles": {"illness": Role.SENSITIVE}}
    alone = resolved(frame, QUASI, Privacy(k=3, max_suppressed=0.0), **roles).classes
    both = resolved(frame, QUASI, Privacy.model_validate({"k": 3, "max_suppressed": 0.0, **model}), **roles).classes
    assert alone is not None
    assert both is not None
    assert (both.loss or 0) >= (alone.loss or 0) - 1e-9


def test_the_population_decides_with_k_map() -> None:
    """Rows that are alone in the table stay as they are where enough of the population share their labels."""
    frame = pl.DataFrame({"age": [20, 30, 40, 50], "job": ["a", "a", "b", "b"]})
    many = pl.concat([frame.with_columns(age=pl.col("age").cast(pl.Int64))] * 9).lazy()
    source = Population(source="x")
    few = pl.concat([frame, frame]).lazy()
    kept = resolved(frame, ("age", "job"), Privacy(k=2, k_map=4, population=source, max_suppressed=0.0), population=many).classes
    lost = resolved(frame, ("age", "job"), Privacy(k=2, k_map=8, population=source, max_suppressed=0.0), population=few).classes
    assert kept is not None
    assert lost is not None
    assert (lost.loss or 0) >= (kept.loss or 0)
    assert lost.loss == 1.0


@pytest.mark.slow
def test_twenty_quasi_identifiers_are_planned() -> None:
    """A lattice of very many nodes ends within its budget, satisfies k, and does not claim more than it proved."""
    random = np.random.default_rng(2)
    base = random.integers(0, 4, 400)
    frame = pl.DataFrame({f"q{i}": [f"v{v}" for v in (base + (random.random(400) < 0.1) * random.integers(0, 5, 400))] for i in range(20)})
    quasi = tuple(frame.columns)
    found = resolved(frame, quasi, Privacy(k=5, max_suppressed=0.1))
    sizes = released(frame, found, quasi).group_by(quasi).len()["len"]
    assert found.classes is not None
    assert int(sizes.filter(sizes < 5).sum()) == found.classes.suppressed_rows <= 40
    assert found.classes.search_complete or (found.classes.lower_bound or 0) <= (found.classes.loss or 0)


def test_local_recoding_holds_cells_of_k() -> None:
    """Cells instead of levels; every label text is one of its ladder; less is lost than by one level per column."""
    frame = people(300)
    found = resolved(frame, QUASI, Privacy(k=5, recoding="local", max_suppressed=0.0))
    level = resolved(frame, QUASI, Privacy(k=5, max_suppressed=0.0)).classes
    assert found.classes is not None
    assert level is not None
    assert all(isinstance(found.actions[name].recode, AsCell) for name in QUASI)  # type: ignore[union-attr]
    assert (found.classes.loss or 0) <= (level.loss or 0)
    axes = {axis.column.name: axis for axis in found.space.axes}  # type: ignore[union-attr]
    for cell in found.classes.cells:
        for name, at, label in zip(QUASI, cell.levels, cell.labels, strict=True):
            assert label in axes[name].texts(at).to_list()


def test_forms_that_are_decided_are_one_rung() -> None:
    """Kept, clipped and rare-suppressed columns take part in the classes as they leave."""
    frame = people(200)
    actions = {"age": TopBottomCode(lower=30, upper=40), "job": SuppressRare(min_count=40), "town": Keep()}
    found = resolved(frame, QUASI, Privacy(k=2, max_suppressed=1.0), actions=actions)
    assert found.classes is not None
    assert set(found.classes.heights.values()) == {0}
    assert set(found.space.axes[0].labels["l0"].to_list()) <= set(range(30, 41))  # type: ignore[union-attr]


def test_loss_rises_with_k_and_falls_with_the_limit() -> None:
    """The trade-off holds the policy's own point, and its curves only go one way where the searches were complete."""
    privacy = Privacy(k=7, max_suppressed=0.03)
    found = resolved(people(), QUASI, privacy)
    assert found.space is not None
    curve = trade_off("t", found.space, privacy)
    assert 7 in [point.k for point in curve.by_k]
    assert 0.03 in [point.limit for point in curve.by_limit]
    assert all(point.complete for point in (*curve.by_k, *curve.by_limit))
    assert [point.loss for point in curve.by_limit] == sorted((point.loss for point in curve.by_limit), reverse=True)
    assert [point.loss for point in curve.by_k] == sorted(point.loss for point in curve.by_k)


@pytest.mark.parametrize("recoding", ["full-domain", "local"])
@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"age": [], "job": []}, schema={"age": pl.Int64, "job": pl.String}),
        pl.DataFrame({"age": [None, None], "job": [None, None]}, schema={"age": pl.Int64, "job": pl.String}),
        pl.DataFrame({"age": [1], "job": ["x"]}),
        pl.DataFrame({"age": [1.5, float("nan"), None, float("inf")], "job": ["x", "", " x", None]}),
        pl.DataFrame({"age": pl.Series([None] * 3, dtype=pl.Null), "job": ["a", "a", "a"]}),
    ],
    ids=["no rows", "only nulls", "one row", "odd values", "empty column"],
)
def test_hostile_tables_are_resolved(frame: pl.DataFrame, recoding: str) -> None:
    """No rows, no values, one row: a plan comes out, whatever it suppresses."""
    found = resolved(frame, ("age", "job"), Privacy.model_validate({"k": 5, "recoding": recoding, "max_suppressed": 1.0}))
    assert found.classes is not None
    assert 0 <= found.classes.suppressed_rows <= frame.height

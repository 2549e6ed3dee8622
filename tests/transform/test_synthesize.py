"""Laws of sampling proxies, on models written by hand."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.core.errors import PlanError
from tamis.core.proxy import CategoricalMarginal, NullMarginal, NumericMarginal, ProxyModel
from tamis.core.types import Column, DataType
from tamis.encoding import with_row_words
from tamis.keys import MasterKey
from tamis.transform.synthesize import synthesize_columns

KEY = MasterKey(bytes(range(32)))
GIVEN = (
    NumericMarginal(column="g", type=DataType.NUMBER, null_rate=0.2, knots=(-3.0, -1.0, 0.0, 1.0, 3.0)),
    NullMarginal(column="g", null_rate=0.2),
    CategoricalMarginal(column="c", type=DataType.TEXT, null_rate=0.0, categories=("a", "b"), shares=(0.25, 0.75)),
)
TARGETS = (
    NumericMarginal(column="x", type=DataType.NUMBER, null_rate=0.0, knots=(0.0, 0.0, 10.0, 20.0), at=(0.0, 0.5, 0.5, 1.0), step=0.01),
    NumericMarginal(column="n", type=DataType.INTEGER, null_rate=0.3, knots=(0.0, 4.0, 100.0), step=1.0),
    NullMarginal(column="n", null_rate=0.3),
    CategoricalMarginal(column="t", type=DataType.TEXT, null_rate=0.1, categories=("u", "v"), shares=(0.5, 0.4), null_at=1),
    CategoricalMarginal(column="b", type=DataType.BOOLEAN, null_rate=0.0, categories=("false", "true"), shares=(0.7, 0.3)),
    NumericMarginal(column="d", type=DataType.DATE, null_rate=0.0, knots=(0.0, 365.0), step=1.0),
    NumericMarginal(column="s", type=DataType.DATETIME, null_rate=0.0, knots=(0.0, 86_400.5)),
    NumericMarginal(column="e", type=DataType.NUMBER, null_rate=1.0, knots=()),
)
SCHEMA = {
    "x": pl.Float64(),
    "n": pl.Int64(),
    "t": pl.String(),
    "b": pl.Boolean(),
    "d": pl.Date(),
    "s": pl.Datetime("us"),
    "e": pl.Float64(),
}


def _model(strength: float = 0.5, **changes: object) -> ProxyModel:
    size = len(GIVEN) + len(TARGETS)
    correlation = np.eye(size)
    correlation[0, 3] = correlation[3, 0] = strength
    correlation[2, 6] = correlation[6, 2] = 0.6
    correlation[3, 4] = correlation[4, 3] = 0.3
    values = {
        "id": "m",
        "table": "people",
        "engine": "by hand",
        "targets": tuple(SCHEMA),
        "given": ("g", "c"),
        "marginals": GIVEN + TARGETS,
        "correlation": tuple(tuple(row) for row in correlation.tolist()),
        "rows_used": 1000,
        "k": 5,
    }
    return ProxyModel(**(values | changes))


def _rows(count: int, seed: int = 1) -> pl.LazyFrame:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "row": np.arange(count, dtype=np.int64),
            "g": pl.Series(rng.uniform(-4, 4, size=count)),
            "c": pl.Series(rng.choice(["a", "b", "new"], size=count, p=[0.25, 0.7, 0.05]), dtype=pl.String),
        }
    ).with_columns(pl.when(pl.Series(rng.random(count) > 0.2)).then(pl.col("g")).alias("g"))
    return with_row_words(frame.lazy(), [Column("row", DataType.INTEGER)], KEY, use="row")


@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(0, 400), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_chunks_and_order_change_nothing(sizes: list[int], seed: int) -> None:
    """A row has the same proxies bit for bit, whatever rows it is processed with and in whatever order."""
    rows = _rows(sum(sizes)).collect()
    whole = synthesize_columns(rows.lazy(), _model(), KEY).collect()
    shuffled = rows.sample(fraction=1.0, shuffle=True, seed=seed) if rows.height else rows
    pieces, start = [], 0
    for size in sizes:
        pieces.append(synthesize_columns(shuffled.slice(start, size).lazy(), _model(), KEY).collect())
        start += size
    assert pl.concat(pieces).sort("row").equals(whole)


def test_streaming_and_single_threaded_processes_agree() -> None:
    """The streaming engine, and another process with one thread, give the same values."""
    rows = _rows(5000)
    here = synthesize_columns(rows, _model(), KEY).collect()
    assert synthesize_columns(rows, _model(), KEY).collect(engine="streaming").sort("row").equals(here.sort("row"))
    script = (
        "import sys; import test_synthesize as t\n"
        "out = t.synthesize_columns(t._rows(5000), t._model(), t.KEY).collect()\n"
        "sys.stdout.write(out.select(list(t.SCHEMA)).write_csv())"
    )
    environment = os.environ | {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.path.dirname(__file__)  # noqa: PTH120
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == here.select(list(SCHEMA)).write_csv(), done.stderr


def test_types_and_places() -> None:
    """Targets present in the frame are replaced in place, absent ones added, each with its own type; nothing else changes."""
    rows = _rows(50)
    assert dict(synthesize_columns(rows, _model(), KEY).collect().select(list(SCHEMA)).schema) == SCHEMA
    present = rows.select(pl.lit("old").alias("t"), pl.all(), pl.lit(99).alias("x"))
    out = synthesize_columns(present, _model(), KEY).collect()
    assert out.columns[: len(present.collect_schema())] == present.collect_schema().names()
    assert set(out["t"].drop_nulls()) <= {"u", "v"}
    assert out.select("row", "g", "c").equals(rows.collect().select("row", "g", "c"))
    assert out.collect_schema() == synthesize_columns(present, _model(), KEY).collect_schema()


def test_values_are_the_models() -> None:
    """Gaps and masses of numbers, categories, grids and bounds are exactly those of the marginals."""
    out = synthesize_columns(_rows(4000), _model(), KEY).collect()
    assert out.filter((pl.col("x") > 0) & (pl.col("x") < 10)).is_empty()
    assert out.filter((pl.col("x") * 100 - (pl.col("x") * 100).round()).abs() > 1e-9).is_empty()
    assert out["n"].min() >= 0
    assert out["n"].max() <= 100
    assert out["d"].min() >= dt.date(1970, 1, 1)
    assert out["d"].max() <= dt.date(1971, 1, 1)
    assert out["s"].max() <= dt.datetime(1970, 1, 2, 0, 0, 0, 500_000)
    assert out["e"].null_count() == 4000


def test_shares_are_the_models() -> None:
    """Masses, categories and nulls come out with their shares, whatever the given columns are."""
    out = synthesize_columns(_rows(20_000), _model(strength=0.0), KEY).collect()
    assert abs((out["x"] == 0).mean() - 0.5) < 0.02
    assert abs(out["n"].null_count() / 20_000 - 0.3) < 0.02
    assert abs((out["t"] == "u").sum() / 20_000 - 0.5) < 0.03
    assert abs(out["t"].null_count() / 20_000 - 0.1) < 0.02
    assert abs((out["n"] < 4).mean() - 0.45) < 0.03


def test_conditioning_follows_the_correlation() -> None:
    """The rank correlation of a target with its given column is that of a Gaussian copula: 6 / pi * asin(rho / 2)."""
    from scipy.stats import norm, spearmanr

    rng = np.random.default_rng(9)
    z = rng.normal(size=20_000)
    line = NumericMarginal(column="g", type=DataType.NUMBER, null_rate=0.0, knots=(0.0, 1.0))
    model = _model(
        given=("g",),
        targets=("y",),
        marginals=(line, line.model_copy(update={"column": "y"})),
        correlation=((1.0, 0.7), (0.7, 1.0)),
    )
    frame = pl.DataFrame({"row": np.arange(20_000), "g": norm.cdf(z)}).lazy()
    out = synthesize_columns(with_row_words(frame, [Column("row", DataType.INTEGER)], KEY, use="row"), model, KEY).collect()
    assert abs(spearmanr(out["g"], out["y"]).statistic - 6 / np.pi * np.arcsin(0.35)) < 0.02


def test_rows_without_given_values_follow_the_marginal() -> None:
    """Where a given value is null or unknown the target has its unconditional distribution."""
    rows = _rows(20_000).with_columns(pl.lit(None, dtype=pl.Float64).alias("g"), pl.lit("never seen").alias("c"))
    out = synthesize_columns(rows, _model(strength=0.9), KEY).collect()
    assert abs((out["x"] == 0).mean() - 0.5) < 0.02


def test_keys_models_and_rows_decide() -> None:
    """Another key, another model id or other words give other proxies; the same give the same."""
    rows = _rows(200)
    first = synthesize_columns(rows, _model(), KEY).collect()["s"]
    assert synthesize_columns(rows, _model(), MasterKey(bytes(range(32)))).collect()["s"].equals(first)
    assert (synthesize_columns(rows, _model(), MasterKey(bytes(range(1, 33)))).collect()["s"] == first).sum() == 0
    assert (synthesize_columns(rows, _model(id="other"), KEY).collect()["s"] == first).sum() == 0
    assert first.n_unique() == 200


def test_zero_rows() -> None:
    """No rows in, no rows out, with the right types."""
    out = synthesize_columns(_rows(0), _model(), KEY).collect()
    assert out.height == 0
    assert dict(out.select(list(SCHEMA)).schema) == SCHEMA


def test_numbers_with_nan_and_infinity_given() -> None:
    """NaN and infinities in a given column are treated as unknown."""
    rows = _rows(4).with_columns(pl.Series("g", [float("nan"), float("inf"), float("-inf"), None]))
    assert synthesize_columns(rows, _model(), KEY).collect()["x"].null_count() == 0


def test_errors_are_sentences() -> None:
    """Missing given columns, missing words and other types are plan errors that name columns."""
    rows = _rows(5)
    with pytest.raises(PlanError, match="'g'"):
        synthesize_columns(rows.drop("g"), _model(), KEY)
    with pytest.raises(PlanError, match="__tamis_w0"):
        synthesize_columns(rows.drop("__tamis_w0"), _model(), KEY)
    with pytest.raises(PlanError, match=r"'g'.*not number"):
        synthesize_columns(rows.with_columns(pl.lit("a").alias("g")), _model(), KEY)


def test_apply_time_needs_no_sdv() -> None:
    """Sampling imports neither SDV nor torch nor pandas."""
    script = (
        "import sys; import test_synthesize as t\n"
        "t.synthesize_columns(t._rows(50), t._model(), t.KEY).collect()\n"
        "sys.exit(len({'sdv', 'torch', 'rdt', 'copulas'} & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": os.path.dirname(__file__)}  # noqa: PTH120
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_model_that_contradicts_itself_is_refused() -> None:
    """Marginals out of order, a matrix of another size and falling knots cannot be loaded."""
    with pytest.raises(ValueError, match="correlation matrix"):
        _model(correlation=((1.0,),))
    with pytest.raises(ValueError, match="in order"):
        _model(given=("c", "g"))
    with pytest.raises(ValueError, match="must not decrease"):
        NumericMarginal(column="x", type=DataType.NUMBER, null_rate=0.0, knots=(1.0, 0.0))

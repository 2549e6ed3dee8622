"""Laws of the fit and of fit and sampling together, on a real SDV model of a generated table."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fit_tables import SECRET_INCOME, SECRET_PLACE, TARGETS, Fitted, plan_column, with_words
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp, spearmanr

from tamis.core.actions import Keep, Pseudonymize, Synthesize
from tamis.core.errors import PlanError
from tamis.core.plan import TablePlan
from tamis.core.proxy import ProxyModel
from tamis.core.types import DataType, Role
from tamis.encoding import WORDS
from tamis.fit import fit_proxies
from tamis.fit.columns import choose_given, prepare
from tamis.fit.copula import fit_synthesizer, positive_definite, quiet_sdv, seeded
from tamis.fit.proxies import _fit, _parts
from tamis.keys import MasterKey
from tamis.transform.synthesize import synthesize_columns

KEY = MasterKey(bytes(range(32)))


@pytest.fixture(scope="session")
def sampled(fitted: Fitted) -> pl.DataFrame:
    """The generated table with proxies in place of its targets."""
    return synthesize_columns(fitted.rows, fitted.model, fitted.key).collect()


def _numbers(series: pl.Series) -> np.ndarray:
    return series.drop_nulls().to_physical().cast(pl.Float64).to_numpy()


def _variation(a: pl.Series, b: pl.Series) -> float:
    """Total variation distance of two columns of categories, null being one."""
    left, right = (s.cast(pl.String).fill_null("~").value_counts(normalize=True).rename({s.name: "v"}) for s in (a, b))
    joined = left.join(right, on="v", how="full", coalesce=True).fill_null(0.0)
    return float((joined["proportion"] - joined["proportion_right"]).abs().sum() / 2)


@pytest.mark.parametrize("name", ["income", "visits", "gains", "joined", "seen"])
def test_numbers_look_like_themselves(fitted: Fitted, sampled: pl.DataFrame, name: str) -> None:
    """The distribution of a numeric column is kept: Kolmogorov-Smirnov distance at most 0.05."""
    assert ks_2samp(_numbers(fitted.frame[name]), _numbers(sampled[name])).statistic <= 0.05


@pytest.mark.parametrize("name", ["smoker", "diagnosis", "visits"])
def test_categories_look_like_themselves(fitted: Fitted, sampled: pl.DataFrame, name: str) -> None:
    """Shares of categories and of frequent integers are kept: total variation at most 0.05."""
    assert _variation(fitted.frame[name], sampled[name]) <= 0.05


def test_types_are_restored(fitted: Fitted, sampled: pl.DataFrame) -> None:
    """Released columns keep name, place and type; integers stay integers, cents stay cents."""
    assert sampled.select(fitted.frame.columns).schema == fitted.frame.schema
    assert (sampled["gains"] * 100 - (sampled["gains"] * 100).round()).abs().max() < 1e-6


def test_zero_inflation_is_kept(fitted: Fitted, sampled: pl.DataFrame) -> None:
    """The mass at zero comes out as exact zeros, with its share."""
    assert abs((fitted.frame["gains"] == 0).mean() - (sampled["gains"] == 0).mean()) < 0.03


def test_null_rates_and_what_they_go_with_are_kept(fitted: Fitted, sampled: pl.DataFrame) -> None:
    """Nulls keep their share, and a column that is missing more often in one age band still is."""
    for name in TARGETS:
        assert abs(fitted.frame[name].null_count() - sampled[name].null_count()) / fitted.frame.height < 0.025
    young, old = pl.col("age band") == "20-29", pl.col("age band") == "60-69"
    missing = pl.col("income").is_null().mean()
    assert sampled.filter(young).select(missing).item() > sampled.filter(old).select(missing).item() + 0.1


def test_association_with_given_columns_is_kept(fitted: Fitted, sampled: pl.DataFrame) -> None:
    """Means and shares by age band and region follow those of the data."""
    before = fitted.frame.with_columns(sampled["income"].alias("proxy")).drop_nulls(["income", "proxy"])
    band = before["age band"].str.slice(0, 2).cast(pl.Int64)
    assert abs(spearmanr(band, before["income"]).statistic - spearmanr(band, before["proxy"]).statistic) < 0.15
    # Of a diagnosis only one category goes with age: one correlation per pair cannot hold that exactly.
    for by, what, tolerance in [
        ("age band", pl.col("smoker").mean(), 0.1),
        ("age band", (pl.col("diagnosis") == "heart").mean(), 0.3),
        ("region", pl.col("visits").mean() / 20, 0.1),
    ]:
        groups = [f.group_by(by).agg(what.alias("m"), pl.len()).filter(pl.col("len") > 200) for f in (fitted.frame, sampled)]
        both = groups[0].join(groups[1], on=by)
        assert (both["m"] - both["m_right"]).abs().max() < tolerance
        assert spearmanr(both["m"], both["m_right"]).statistic > 0.9


def test_planted_secrets_are_nowhere(fitted: Fitted, sampled: pl.DataFrame) -> None:
    """An extreme of one person and a category of one are in neither the model nor the proxies, nor is their order of magnitude."""
    text = fitted.model.model_dump_json()
    assert SECRET_PLACE not in text
    assert str(int(SECRET_INCOME))[:6] not in text
    assert SECRET_PLACE not in sampled["diagnosis"].to_list()
    assert sampled["income"].max() < SECRET_INCOME / 100


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@hypothesis_given(seed=st.integers(0, 10**6), rows=st.integers(60, 600), k=st.integers(2, 8))
def test_no_table_gives_its_rare_values_away(seed: int, rows: int, k: int) -> None:
    """Whatever the table: no raw number without ties, planted extreme or rare category is readable in the model or its samples."""
    rng = np.random.default_rng(seed)
    shape = [rng.normal(size=rows), rng.lognormal(sigma=2, size=rows), rng.choice([0.0, 1.0], size=rows) * rng.random(rows)][seed % 3]
    secret = float(np.abs(shape).max() * 1000 + 123_456.789)
    amounts = np.append(shape, secret)
    words = [*rng.choice(["a", "b", "c"], size=rows).tolist(), "only one"]
    frame = pl.DataFrame({"given": np.append(rng.normal(size=rows), 0.0), "amount": amounts, "word": words})
    plan = TablePlan(
        name="t",
        columns=(
            plan_column("given", DataType.NUMBER, Keep()),
            plan_column("amount", DataType.NUMBER, Synthesize(model="m")),
            plan_column("word", DataType.TEXT, Synthesize(model="m")),
        ),
    )
    lazy = with_words(frame, KEY)
    model = fit_proxies(lazy, plan, model_id="m", keyring=KEY, k=k)
    out = synthesize_columns(lazy, model, KEY).collect()
    assert "only one" not in model.model_dump_json()
    assert "only one" not in out["word"].to_list()
    values, counts = np.unique(np.append(amounts, frame["given"].to_numpy()), return_counts=True)
    rare = set(values[counts < k].tolist())
    for marginal in model.marginals:
        if marginal.kind == "numeric":
            assert not rare & set(marginal.knots)
            assert max(marginal.knots, default=0.0) < secret / 100
    assert (out["amount"].max() or 0.0) < secret / 100


def test_values_stay_within_the_model(fitted: Fitted, sampled: pl.DataFrame) -> None:
    """Numbers, dates and times lie between the outermost knots, categories are the model's."""
    for marginal in fitted.model.marginals:
        if marginal.column not in TARGETS or marginal.kind == "null":
            continue
        if marginal.kind == "categorical":
            assert set(sampled[marginal.column].drop_nulls().cast(pl.String)) <= set(marginal.categories)
        else:
            scale = 1e6 if marginal.type is DataType.DATETIME else 1
            values = _numbers(sampled[marginal.column]) / scale
            assert values.min() >= marginal.knots[0]
            assert values.max() <= marginal.knots[-1]


def test_same_rows_in_any_order_give_the_same_model(fitted: Fitted) -> None:
    """A refit on shuffled rows in other chunks is equal to the last digit, and leaves the process's generators alone."""
    shuffled = fitted.rows.collect().sample(fraction=1.0, shuffle=True, seed=3)
    pieces = pl.concat([shuffled.slice(i * 1000, 1000) for i in range(6)], rechunk=False).lazy()
    random.seed(5)
    np.random.seed(5)
    expected = random.random(), np.random.random()
    random.seed(5)
    np.random.seed(5)
    again = fit_proxies(pieces, fitted.plan, model_id="m", keyring=fitted.key, k=5)
    assert (random.random(), np.random.random()) == expected
    assert again == fitted.model


def test_model_survives_json(fitted: Fitted) -> None:
    """A model read back from its JSON is equal and says which engine fitted it."""
    assert ProxyModel.model_validate_json(fitted.model.model_dump_json()) == fitted.model
    assert fitted.model.engine.startswith("sdv.GaussianCopulaSynthesizer 2.")
    assert fitted.model.given == ("age band", "region")
    json.loads(fitted.model.model_dump_json())


def test_sample_size_is_bounded_and_stated(fitted: Fitted) -> None:
    """At most max_rows rows are used, those with the smallest words."""
    model = fit_proxies(fitted.rows, fitted.plan, model_id="m", keyring=fitted.key, k=5, max_rows=400)
    assert model.rows_used == 400


@pytest.mark.slow
def test_same_conditional_distribution_as_sdv() -> None:
    """Without calibration our proxies and SDV's own conditional samples for the same given values are one distribution."""
    rng = np.random.default_rng(11)
    z = rng.normal(size=4000)
    frame = pl.DataFrame(
        {
            "g": np.round(z * 10, 3),
            "c": np.where(z + rng.normal(size=4000) > 0.3, "a", "b"),
            "x": np.round(z + rng.normal(size=4000), 3),
            "d": rng.choice(["u", "v", "w"], size=4000),
        }
    )
    plan = TablePlan(
        name="t",
        columns=(
            plan_column("g", DataType.NUMBER, Keep()),
            plan_column("c", DataType.TEXT, Keep()),
            plan_column("x", DataType.NUMBER, Synthesize(model="m")),
            plan_column("d", DataType.TEXT, Synthesize(model="m")),
        ),
    )
    rows = with_words(frame, KEY)
    model = _fit(rows, plan, model_id="m", keyring=KEY, k=5, max_rows=50_000, calibrate=False)
    ordered = rows.collect().sort(WORDS)
    columns = [prepare(ordered[n], n, t, None, 5) for n, t in [("g", DataType.NUMBER), ("c", DataType.TEXT)]]
    targets = [prepare(ordered[n], n, t, None, 5) for n, t in [("x", DataType.NUMBER), ("d", DataType.TEXT)]]
    given, _ = choose_given(columns, targets, 12)
    with quiet_sdv():
        parts = _parts(given, targets, np.random.Generator(np.random.PCG64(KEY.seed("fit:m"))))
    assert [part.distance is not None and part.distance <= 0.03 for part in parts][::2] == [True, True]
    import pandas as pd

    with quiet_sdv(), seeded(1):
        theirs = fit_synthesizer([part.sdv for part in parts])
        at = float(np.quantile(frame["g"].to_numpy(), 0.8))
        code = list(model.marginals[1].categories).index("a")
        known = pd.DataFrame({"c0": [at] * 1500, "c1": [f"v{code}"] * 1500})
        sample = theirs.sample_remaining_columns(known)
        sample = next(iter(sample.values())) if isinstance(sample, dict) else sample
    asked = with_words(pl.DataFrame({"g": [at] * 1500, "c": ["a"] * 1500}), KEY)
    ours = synthesize_columns(asked, model, KEY).collect()
    assert ks_2samp(ours["x"].to_numpy(), sample["c2"].to_numpy()).pvalue > 0.001
    names = [f"v{model.marginals[3].categories.index(d)}" for d in ours["d"]]
    assert _variation(pl.Series("d", names), pl.Series("d", sample["c3"].astype(str).tolist())) < 0.06


@pytest.mark.slow
def test_sdv_writes_no_log_files(tmp_path: Path) -> None:
    """A fit in a fresh process leaves nothing in the user's folders and says nothing on its streams."""
    script = (
        "import numpy as np, polars as pl\n"
        "from fit_tables import *\n"
        "from tamis.fit import fit_proxies\n"
        "key = MasterKey(bytes(range(32)))\n"
        "frame = generated(400)\n"
        "fit_proxies(with_words(frame, key), table_plan(), model_id='m', keyring=key, k=5)\n"
    )
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data"), "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path for path in tmp_path.rglob("*") if path.is_file() and "sdv" in str(path).lower()] == []


def _plan_of(frame: pl.DataFrame, kinds: dict[str, DataType], targets: set[str]) -> TablePlan:
    return TablePlan(
        name="t", columns=tuple(plan_column(n, kinds[n], Synthesize(model="m") if n in targets else Keep()) for n in frame.columns)
    )


@pytest.mark.parametrize("rows", [0, 1, 3, 11, 40])
def test_degenerate_tables_work(rows: int) -> None:
    """Zero rows, three rows, constant and all-null columns fit and sample; where there is too little, proxies are null."""
    frame = pl.DataFrame(
        {
            "keep": pl.Series(["a", "b"] * 20, dtype=pl.String)[:rows],
            "empty": pl.Series([None] * rows, dtype=pl.String),
            "void": pl.Series([None] * rows, dtype=pl.Float64),
            "constant": pl.Series([7] * rows, dtype=pl.Int64),
            "always": pl.Series([True] * rows, dtype=pl.Boolean),
            "nan": pl.Series([float("nan"), None, 1.5, float("inf")] * 10, dtype=pl.Float64)[:rows],
            "day": pl.Series(range(40), dtype=pl.Int32).cast(pl.Date)[:rows],
        }
    )
    kinds = {
        "keep": DataType.TEXT,
        "empty": DataType.TEXT,
        "void": DataType.NUMBER,
        "constant": DataType.INTEGER,
        "always": DataType.BOOLEAN,
        "nan": DataType.NUMBER,
        "day": DataType.DATE,
    }
    lazy = with_words(frame, KEY)
    model = fit_proxies(lazy, _plan_of(frame, kinds, set(kinds) - {"keep"}), model_id="m", keyring=KEY, k=5)
    out = synthesize_columns(lazy, model, KEY).collect()
    assert out.select(frame.columns).schema == frame.schema
    assert out.height == rows
    assert out["empty"].null_count() == rows
    assert out["void"].null_count() == rows
    if rows < 10:
        assert out["constant"].null_count() == rows
        assert model.notes
    else:
        assert out["constant"].unique().to_list() == [7]
        assert out["always"].unique().to_list() == [True]


def test_hostile_names_work() -> None:
    """Column names with spaces, dots, quotes, markup, control characters, patterns and ten thousand characters are only names."""
    names = ["^a.*$", "*", "a.b \"'\n<b>", "__proto__", "🙂", "x" * 10_000, "c0", "__tamis_proxies", "p0", "g0.is_null"]
    rng = np.random.default_rng(3)
    frame = pl.DataFrame({name: np.round(rng.normal(size=60), 2) for name in names})
    kinds = dict.fromkeys(names, DataType.NUMBER)
    lazy = with_words(frame, KEY)
    model = fit_proxies(lazy, _plan_of(frame, kinds, set(names[:5])), model_id="m", keyring=KEY, k=3)
    out = synthesize_columns(lazy, model, KEY).collect()
    assert out.columns == lazy.collect_schema().names()
    assert out.select(pl.all().exclude("zzz")).width == len(names) + 4


def test_persons_are_counted_where_they_are_known() -> None:
    """A value that one person repeats a hundred times is a value of one person."""
    rng = np.random.default_rng(4)
    frame = pl.DataFrame(
        {
            "illness": ["rare-of-one"] * 100 + rng.choice(["a", "b"], size=400).tolist(),
            "amount": [12_345.0] * 100 + np.round(rng.normal(100, 10, size=400), 2).tolist(),
            "__tamis_unit": ["p"] * 100 + [f"q{i}" for i in range(400)],
        }
    )
    plan = TablePlan(
        name="t",
        columns=(
            plan_column("illness", DataType.TEXT, Synthesize(model="m")),
            plan_column("amount", DataType.NUMBER, Synthesize(model="m")),
        ),
    )
    model = fit_proxies(with_words(frame, KEY), plan, model_id="m", keyring=KEY, k=5)
    text = model.model_dump_json()
    assert "rare-of-one" not in text
    assert "12345" not in text


def test_identifiers_and_keys_do_not_condition() -> None:
    """Direct identifiers, pseudonyms, table keys and texts of many values are never given columns; at most twelve are."""
    rng = np.random.default_rng(5)
    many = {f"n{i}": np.round(rng.normal(size=300), 1) for i in range(15)}
    frame = pl.DataFrame(
        {"id": np.arange(300), "pseudo": np.arange(300), "mail": [f"m{i}" for i in range(300)], "text": [f"t{i}" for i in range(300)]}
        | many
        | {"y": np.round(many["n3"] + 0.1 * rng.normal(size=300), 2)}
    )
    plan = TablePlan(
        name="t",
        key=("id",),
        columns=(
            plan_column("id", DataType.INTEGER, Keep()),
            plan_column("pseudo", DataType.INTEGER, Pseudonymize(domain="d")),
            plan_column("mail", DataType.TEXT, Keep(), Role.DIRECT),
            plan_column("text", DataType.TEXT, Keep()),
            *(plan_column(name, DataType.NUMBER, Keep()) for name in many),
            plan_column("y", DataType.NUMBER, Synthesize(model="m")),
        ),
    )
    model = fit_proxies(with_words(frame, KEY), plan, model_id="m", keyring=KEY, k=3)
    assert len(model.given) == 12
    assert "n3" in model.given
    assert not {"id", "pseudo", "mail", "text"} & set(model.given)


def test_errors_are_sentences(fitted: Fitted) -> None:
    """Nothing to synthesize and missing targets are plan errors that name columns, not values."""
    with pytest.raises(PlanError, match="no column"):
        fit_proxies(fitted.rows, TablePlan(name="t", columns=()), model_id="m", keyring=KEY, k=5)
    with pytest.raises(PlanError, match="'income'"):
        fit_proxies(fitted.rows.drop("income"), fitted.plan, model_id="m", keyring=KEY, k=5)
    with pytest.raises(PlanError, match="identity"):
        fit_proxies(fitted.frame.lazy(), fitted.plan, model_id="m", keyring=KEY, k=5)


def test_positive_definite_repairs_and_leaves_alone() -> None:
    """A good matrix is only rounded; an impossible one becomes possible, symmetric, with ones on its diagonal."""
    good = np.array([[1, 0.3], [0.3, 1]])
    assert np.array_equal(positive_definite(good), good)
    bad = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]])
    fixed = positive_definite(bad)
    assert np.linalg.eigvalsh(fixed)[0] > 0
    assert np.array_equal(fixed, fixed.T)
    assert np.array_equal(np.diag(fixed), np.ones(3))

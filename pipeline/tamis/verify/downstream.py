"""What a model learns from the release against what it learns from the originals: train on release, test on originals.

The design is TSTR (Esteban, Hyland and Rätsch 2017, "Real-valued (medical) time series generation with recurrent conditional GANs",
arXiv:1706.02633) against the same models trained on originals. Both answer for the same held-out original rows:

- train on originals, test on originals as they were;
- train on the release, test on originals recoded like the release (bands, parts of dates, clipped numbers; proxied columns as they were).

Features are the released columns but the target, tokens, fakes, shifted dates, redacted text and direct identifiers. Rows are held out by a
hash of what the release leaves of a row, so that the released form of a held-out row is held out of the release as well; where
little stays (fewer than 200 different rows) they are drawn at random, and a single row weighs little.

Score: area under the ROC curve (mean over classes, one against the rest; Hand and Till 2001) for a target that is text, boolean or has at
most 20 values; else R² of the target clipped at the 1 % and 99 % quantiles, at least 0. Of three models - logistic or ridge regression,
random forest (Breiman 2001), gradient boosted trees (Friedman 2001) - the best of each side counts. Intervals: 95 %, of bootstrapped test
rows (Efron 1979), the trained models taken as given.

A target with fewer than two classes, or too few rows, gives no figure. Seeded; at most 16 000 rows of each side.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tamis.core.plan import TablePlan
from tamis.core.record import Measure
from tamis.core.types import Role, Table
from tamis.verify.frames import rounded
from tamis.verify.sides import Side, in_any_order, mixed, recoded_sides, row_hash, sample_rows

Floats = NDArray[np.float64]
ROWS = 16_000
"""rows of each side looked at, held-out ones included"""
FEWEST = 50
"""rows to train on, and rows to test on, without which nothing is said"""
_FOLDS, _DIFFERENT = 4, 200
_MOST_CLASSES, _MOST_FEATURES = 20, 60
_WORDS, _RESAMPLES, _SEED = 20, 200, 0


def downstream(table: Table, after: pl.LazyFrame, plan: TablePlan, target: str) -> tuple[Measure, ...]:
    """`utility.downstream@table` (points lost, 0 to 100), `downstream_release` and `downstream_original` (scores, 0 to 1).

    None where the target is not released in a form that can be compared, or there is too little to learn from. The score on originals is
    a before-figure: internal.
    """
    sides, left, right = recoded_sides(table, after, plan, raw=True)
    asked = next((side for side in sides if side.name == target and (side.modelled or not side.proxy)), None)
    direct = {column.name for column in plan.columns if column.role is Role.DIRECT}
    features = [side for side in sides if side is not asked and (side.modelled or not side.proxy) and side.name not in direct]
    if asked is None or not features:
        return ()
    old, new = _held_out(features[:_MOST_FEATURES], asked, left, right)
    task = _Task.of(asked, old, new)
    if task is None:
        return ()
    raw = [Side(side.name, f"raw_{side.alias}", _is_number(old, f"raw_{side.alias}"), False, False) for side in features[:_MOST_FEATURES]]
    test = old.filter("test")
    original = _answers(raw, task, old.filter(~pl.col("test")), test)
    release = _answers(features[:_MOST_FEATURES], task, new.filter(~pl.col("test")), test)
    return _measures(plan.name, task, task.truth(test), original, release)


def _is_number(rows: pl.DataFrame, name: str) -> bool:
    return rows.schema[name] == pl.Float64


# ---------------------------------------------------------------------------------------------------------------------------- rows


def _held_out(features: Sequence[Side], target: Side, left: pl.LazyFrame, right: pl.LazyFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Samples of both sides, in no order of values, with `test`: whether the row (or its released form) is held out."""
    used = [side.alias for side in (*features, target)]
    old = in_any_order(sample_rows(left.select(*used, *(f"raw_{side.alias}" for side in features)), ROWS))
    new = in_any_order(sample_rows(right.select(used), ROWS))
    stays = [pl.col(side.alias) for side in (*features, target) if not side.proxy]
    if not stays:  # no released row is the form of an original one
        return old.with_columns(test=_every_fourth()), new.with_columns(test=pl.lit(False))
    folds = [mixed(rows.select(row_hash(stays)).to_series().to_numpy()) for rows in (old, new)]
    if len(np.unique(folds[0])) < _DIFFERENT:
        return old.with_columns(test=_every_fourth()), new.with_columns(test=_every_fourth())
    held = [pl.Series("test", fold % np.uint64(_FOLDS) == 0) for fold in folds]
    return old.with_columns(held[0]), new.with_columns(held[1])


def _every_fourth() -> pl.Expr:
    return pl.int_range(pl.len()) % _FOLDS == 0


@dataclass(frozen=True, slots=True)
class _Task:
    """What is to be predicted: classes, or a number between bounds."""

    alias: str
    classes: tuple[Any, ...]
    """empty: a number"""
    low: float = 0.0
    high: float = 0.0

    @classmethod
    def of(cls, target: Side, old: pl.DataFrame, new: pl.DataFrame) -> _Task | None:
        train, test = old.filter(~pl.col("test")), old.filter("test")
        values = train[target.alias].drop_nulls()
        known = (values, test[target.alias].drop_nulls(), new.filter(~pl.col("test"))[target.alias].drop_nulls())
        if min(len(side) for side in known) < FEWEST:
            return None
        if target.ordered and values.n_unique() > _MOST_CLASSES:
            low, high = (float(bound) for bound in np.nanquantile(values.to_numpy(), (0.01, 0.99)))
            return cls(target.alias, (), low, high) if np.isfinite(low) and np.isfinite(high) and low < high else None
        counts = values.value_counts(sort=False, name="rows").sort("rows", target.alias, descending=[True, False])
        classes = tuple(counts.filter(pl.col("rows") >= _FOLDS)[target.alias].head(_MOST_CLASSES))
        task = cls(target.alias, tuple(sorted(classes)))
        tested = np.unique(task.truth(test))
        return task if len(classes) > 1 and (tested >= 0).sum() > 1 else None

    def truth(self, rows: pl.DataFrame) -> Floats:
        """Numbers of classes, -1 for others; or the clipped number, NaN for none."""
        values = rows[self.alias]
        if not self.classes:
            clipped: Floats = np.clip(values.to_numpy().astype(np.float64), self.low, self.high)
            return clipped
        known = pl.Series(self.classes, dtype=values.dtype)
        codes = values.replace_strict(known, pl.Series(range(len(known)), dtype=pl.Int64), default=-1, return_dtype=pl.Int64)
        return codes.to_numpy().astype(np.float64)

    def usable(self, truth: Floats) -> NDArray[np.bool_]:
        return truth >= 0 if self.classes else np.isfinite(truth)


# -------------------------------------------------------------------------------------------------------------------------- models


def _answers(features: Sequence[Side], task: _Task, train: pl.DataFrame, test: pl.DataFrame) -> Mapping[str, Floats]:
    """Per model its predictions for the test rows: (rows, classes) probabilities, or (rows, 1) numbers."""
    truth = task.truth(train)
    used = task.usable(truth)
    straight, ranked = _encoded(features, train.filter(pl.Series(used)), test, truth[used])
    out = {}
    for name, (model, places) in _models(task).items():
        x, asked = straight if places == "straight" else ranked
        out[name] = _predictions(model, task, x, truth[used], asked)
    return out


def _models(task: _Task) -> dict[str, tuple[Callable[[], Any], str]]:
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        RandomForestClassifier,
        RandomForestRegressor,
    )
    from sklearn.linear_model import LogisticRegression, Ridge

    forest = {"n_estimators": 50, "min_samples_leaf": 5, "random_state": _SEED}
    boosted = {"max_iter": 60, "early_stopping": False, "random_state": _SEED}
    if task.classes:
        return {
            "logistic regression": (lambda: LogisticRegression(max_iter=200), "straight"),
            "random forest": (lambda: RandomForestClassifier(**forest), "ranked"),
            "boosted trees": (lambda: HistGradientBoostingClassifier(**boosted), "ranked"),
        }
    return {
        "ridge regression": (Ridge, "straight"),
        "random forest": (lambda: RandomForestRegressor(max_features=0.5, **forest), "ranked"),
        "boosted trees": (lambda: HistGradientBoostingRegressor(**boosted), "ranked"),
    }


def _predictions(model: Callable[[], Any], task: _Task, x: Floats, truth: Floats, asked: Floats) -> Floats:
    width = len(task.classes) or 1
    if len(truth) < 2 or (task.classes and len(np.unique(truth)) < 2):  # nothing to learn: the same answer for everybody
        return np.zeros((len(asked), width))
    from threadpoolctl import threadpool_limits

    with warnings.catch_warnings(), threadpool_limits(1):  # so few rows are learned from faster, and alike, by one thread
        warnings.simplefilter("ignore")  # a model that has not converged is judged by its score
        fitted = model().fit(x, truth)
        if not task.classes:
            return np.asarray(fitted.predict(asked), dtype=np.float64)[:, None]
        out = np.zeros((len(asked), width))
        out[:, fitted.classes_.astype(np.int64)] = fitted.predict_proba(asked)
        return out


def _encoded(
    features: Sequence[Side], train: pl.DataFrame, test: pl.DataFrame, truth: Floats
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """(train, test) for straight models - scaled numbers, words as 0 or 1 - and for trees - numbers, words by their mean target.

    Everything is learned from the training rows. Trees find the best split of a word's values in that order (Fisher 1958).
    """
    straight: list[tuple[Floats, Floats]] = []
    ranked: list[tuple[Floats, Floats]] = []
    for side in features:
        values, asked = train[side.alias], test[side.alias]
        if side.ordered:
            numbers = [part.to_numpy().astype(np.float64) for part in (values, asked)]
            finite = numbers[0][np.isfinite(numbers[0])]
            low, middle, high = np.quantile(finite, (0.005, 0.5, 0.995)) if len(finite) else (0.0, 0.0, 0.0)
            filled = [np.clip(np.where(np.isnan(part), middle, part), low, high) for part in numbers]
            spread = float(filled[0].std()) if len(finite) else 0.0
            scaled = [(part - middle) / spread if spread > 0 else np.zeros_like(part) for part in filled]
            missing = [np.isnan(part).astype(np.float64) for part in numbers]
            straight += [(scaled[0], scaled[1]), (missing[0], missing[1])]
            ranked += [(filled[0], filled[1]), (missing[0], missing[1])]
        else:
            words = values.to_frame("v").with_columns(y=pl.Series(truth)).group_by("v").agg(pl.len(), pl.col("y").mean())
            words = words.sort("len", "v", descending=[True, False], nulls_last=True)
            for word in words["v"].drop_nulls().head(_WORDS):
                is_word = [(part == word).fill_null(False).to_numpy().astype(np.float64) for part in (values, asked)]
                straight.append((is_word[0], is_word[1]))
            mean = float(truth.mean()) if len(truth) else 0.0
            common = words.filter(pl.col("len") >= 5).drop_nulls("v")
            placed = [
                part.replace_strict(common["v"], common["y"], default=mean, return_dtype=pl.Float64).to_numpy() for part in (values, asked)
            ]
            none = [part.is_null().to_numpy().astype(np.float64) for part in (values, asked)]
            ranked += [(placed[0], placed[1]), (none[0], none[1])]
    return _stacked(straight), _stacked(ranked)


def _stacked(columns: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    return np.column_stack([one for one, _ in columns]), np.column_stack([other for _, other in columns])


# -------------------------------------------------------------------------------------------------------------------------- scores


def score(task_classes: int, truth: Floats, answers: Floats) -> float:
    """Mean area under the ROC curve over classes that have both kinds of rows; or R², at least 0."""
    if not task_classes:
        rest, spread = float(((truth - answers[:, 0]) ** 2).sum()), float(((truth - truth.mean()) ** 2).sum())
        return max(0.0, 1 - rest / spread) if spread > 0 else 0.0
    found = [_area(truth == place, answers[:, place]) for place in range(task_classes)]
    taken = [area for area in found if area is not None]
    return float(np.mean(taken)) if taken else 0.5


def _area(hits: NDArray[np.bool_], answers: Floats) -> float | None:
    """Probability that a hit is ranked above a miss, ties one half (Mann and Whitney 1947); None without both."""
    some = int(hits.sum())
    if not some or some == len(hits):
        return None
    ranks = pl.Series(answers).rank("average").to_numpy()
    return float((ranks[hits].sum() - some * (some + 1) / 2) / (some * (len(hits) - some)))


def _measures(name: str, task: _Task, truth: Floats, original: Mapping[str, Floats], release: Mapping[str, Floats]) -> tuple[Measure, ...]:
    used = task.usable(truth)
    truth, classes = truth[used], len(task.classes)
    scores = [{model: score(classes, truth, found[used]) for model, found in side.items()} for side in (original, release)]
    best = [max(side, key=lambda model, side=side: side[model]) for side in scores]  # type: ignore[misc]
    answers = original[best[0]][used], release[best[1]][used]
    rng = np.random.default_rng(_SEED)
    drawn = []
    for _ in range(_RESAMPLES if classes <= 2 else _RESAMPLES // 4):
        rows = rng.integers(0, len(truth), len(truth))
        drawn.append([score(classes, truth[rows], side[rows]) for side in answers])
    spread = np.array(drawn)
    lost = np.quantile((spread[:, 0] - spread[:, 1]) * 100, (0.025, 0.975))
    word = "area under the ROC curve" if classes else "R²"
    out = [
        Measure(
            name=f"utility.downstream@{name}",
            value=_digits(100 * (scores[0][best[0]] - scores[1][best[1]])),
            low=_digits(lost[0]),
            high=_digits(lost[1]),
            of=len(truth),
            note=f"points of {word}; {best[1]} on the release, {best[0]} on originals",
        )
    ]
    for place, side in enumerate(("original", "release")):
        low, high = np.quantile(spread[:, place], (0.025, 0.975))
        each = ", ".join(f"{model} {value:.3f}" for model, value in scores[place].items())
        out.append(
            Measure(
                name=f"utility.downstream_{side}@{name}",
                value=_digits(scores[place][best[place]]),
                low=_digits(low),
                high=_digits(high),
                of=len(truth),
                internal=side == "original",
                note=f"{word}: {each}",
            )
        )
    return tuple(out)


def _digits(value: float) -> float:
    """Four digits: sums of floating point numbers in several threads agree on them."""
    return rounded(round(float(value), 4))

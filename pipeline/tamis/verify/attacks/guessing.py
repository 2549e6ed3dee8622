"""Attacks on what a release, or a model trained on it, says of a person: attribute inference, membership, model inversion.

Each compares people whose rows were used with people whose rows were not: what holds for both is knowledge about everybody.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tamis.core.record import Measure
from tamis.core.types import Role
from tamis.verify.attacks.view import Bools, Floats, Ints, View
from tamis.verify.frames import rounded

_CLASSES, _TOLERANCE, _NEAR, _TREES, _SEED, _LEARN = 20, 0.05, 5, 30, 0, 10_000


def inference(at: str, view: View, quasi: Sequence[int]) -> list[Measure]:
    """`attack.inference@table.column` of each sensitive column: right guesses about members less those about controls.

    Attackers know all other released columns, or the quasi-identifiers; they take the value of the nearest released rows, or what a
    random forest (Breiman 2001) trained on the release says. The best on half of the people is reported on the other half. A number
    is guessed right within 5 % of its range (Giomi et al. 2022).
    """
    out: list[Measure] = []
    for place, side in enumerate(view.sides):
        if view.roles[place] is not Role.SENSITIVE:
            continue
        others = [c for c in range(len(view.sides)) if c != place]
        sets = [known for known in (others, [c for c in quasi if c != place]) if known]
        tried = [_guesses(view, place, known, kind) for known in sets for kind in ("nearest rows", "random forest")]
        if not tried:
            continue
        people = (view.members, view.controls)
        right = [tuple(_right(view, place, rows, guess(rows)) for rows in people) for guess in tried]
        pilot = [float(member[0::2].mean() - control[0::2].mean()) for member, control in right]
        member, control = (one[1::2] for one in right[int(np.argmax(pilot))])
        usual = float(_right(view, place, view.controls, _usual(view, place, len(view.controls))).mean())
        out.append(_advantage(f"attack.inference@{at}.{side.name}", member, control, f"the usual value is right for {usual:.3f}"))
    return out


def _guesses(view: View, place: int, known: Sequence[int], kind: str) -> Callable[[Ints], Floats]:
    ordered = view.sides[place].ordered
    values = view.released_points[:, place]
    if kind == "nearest rows":
        middle = np.nanmedian if ordered else _mode
        return lambda rows: np.array([_middle(middle, values[near]) for near in view.nearest(rows, known)])
    learned = _fitted(view.released_points[:, known], values, ordered)
    return lambda rows: learned(view.points[rows][:, known])


def _middle(middle: Callable[[Floats], Any], values: Floats) -> float:
    there = values[np.isfinite(values)]
    return float(middle(there)) if len(there) else float("nan")


def _mode(values: Floats) -> float:
    known, counts = np.unique(values, return_counts=True)
    return float(known[np.argmax(counts)])


def _usual(view: View, place: int, n: int) -> Floats:
    values = view.released_points[:, place]
    return np.full(n, _middle(np.nanmedian if view.sides[place].ordered else _mode, values))


def _right(view: View, place: int, rows: Ints, guessed: Floats) -> Bools:
    truth = view.points[rows, place]
    near: Bools = np.abs(truth - guessed) <= _TOLERANCE
    equal: Bools = (truth == guessed) & (view.codes[rows, place] > 0)
    return near if view.sides[place].ordered else equal


def _fitted(x: Floats, y: Floats, ordered: bool) -> Callable[[Floats], Floats]:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    there = np.flatnonzero(np.isfinite(y))[:_LEARN]
    if not len(there):
        return lambda asked: np.full(len(asked), np.nan)
    kind = RandomForestRegressor if ordered else RandomForestClassifier
    target = y[there] if ordered else _frequent(y[there])
    model = kind(n_estimators=_TREES, max_features="sqrt", random_state=_SEED).fit(_filled(x[there]), target)
    return lambda asked: np.asarray(model.predict(_filled(asked)), dtype=np.float64)


def _filled(x: Floats) -> Floats:
    return np.nan_to_num(x, nan=-1.0, posinf=1e30, neginf=-1e30).clip(-1e30, 1e30)


def _frequent(y: Floats) -> Floats:
    """The most frequent values; the others are one class, -1, that is never right."""
    known, counts = np.unique(y, return_counts=True)
    kept = known[np.argsort(-counts, kind="stable")[: _CLASSES * 2]]
    return np.where(np.isin(y, kept), y, -1.0)


def _advantage(name: str, member: Bools, control: Bools, note: str, *, internal: bool = False) -> Measure:
    """Difference of two shares, its 95 % interval by Agresti and Caffo 2000 (one success and one failure added to each)."""
    own, other = float(member.mean()), float(control.mean())
    soft = [(float(side.sum()) + 1, len(side) + 2) for side in (member, control)]
    rates = [hits / n for hits, n in soft]
    error = 1.959964 * float(np.sqrt(sum(rate * (1 - rate) / n for rate, (_, n) in zip(rates, soft, strict=True))))
    gap = own - other
    text = f"right for {own:.3f} of members, {other:.3f} of controls; {note}"
    value, low, high = (rounded(max(0.0, number)) for number in (gap, gap - error, gap + error))
    return Measure(name=name, value=value, low=low, high=high, of=len(member), internal=internal, note=text)


# --------------------------------------------------------------------------------------------------------------------- membership


def membership(at: str, view: View) -> list[Measure]:
    """`attack.membership@table`: area under the ROC curve of telling members from controls by how near the release is to them.

    The attacker knows every released column of the target. Distance to the closest released row, or the mean of the five closest
    (Chen et al. 2020, "GAN-Leaks", CCS), whichever serves better on half of the people.
    """
    scores = [_closeness(view, rows) for rows in (view.members, view.controls)]
    pilot = [area(scores[0][0::2, kind], scores[1][0::2, kind]) for kind in range(2)]
    best = int(np.argmax(pilot))
    return [_auc(f"attack.membership@{at}", scores[0][1::2, best], scores[1][1::2, best], "by distance to the release")]


def _closeness(view: View, rows: Ints) -> Floats:
    columns = range(len(view.sides))
    many = min(_NEAR, len(view.released))
    out = []
    for part in view.blocks(rows):
        near = np.sort(np.partition(view.distances(part, columns), many - 1, axis=1)[:, :many], axis=1)
        out.append(np.column_stack([-near[:, 0], -near.mean(axis=1)]))
    return np.concatenate(out)


def area(hits: Floats, misses: Floats) -> float:
    """Probability that a hit scores above a miss, ties one half (Mann and Whitney 1947)."""
    both = np.concatenate([hits, misses])
    _, place, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    n, m = len(hits), len(misses)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def _auc(name: str, hits: Floats, misses: Floats, note: str, *, internal: bool = False) -> Measure:
    """95 % interval after Hanley and McNeil 1982."""
    value, n, m = area(hits, misses), len(hits), len(misses)
    q1, q2 = value / (2 - value), 2 * value * value / (1 + value)
    spread = value * (1 - value) + (n - 1) * (q1 - value * value) + (m - 1) * (q2 - value * value)
    error = 1.959964 * float(np.sqrt(max(0.0, spread) / (n * m)))
    low, high = rounded(max(0.0, value - error)), rounded(min(1.0, value + error))
    return Measure(name=name, value=rounded(value), low=low, high=high, of=n + m, internal=internal, note=f"{note}; 0.5 is chance")


def model_attacks(at: str, view: View, target: str | None) -> list[Measure]:
    """Attacks on a model of `target`: trained on the release, and (internal) on the originals, which shows what minimization bought.

    - `attack.membership_model@table`: telling members by the model's loss (Yeom et al. 2018, "Privacy risk in machine learning", CSF).
    - `attack.inversion@table.column`: a sensitive column guessed from the model, the true target and the other columns (Fredrikson,
      Jha and Ristenpart 2015, "Model inversion attacks that exploit confidence information", CCS).
    """
    place = _target(view, target)
    if place is None:
        return []
    others = [c for c in range(len(view.sides)) if c != place]
    out: list[Measure] = []
    for suffix, x, y, asked in (
        ("", view.released_points, view.released[:, place], view.points),
        ("_original", view.raw[view.released_row], view.codes[view.released_row, place], view.raw),
    ):
        model = _Model.trained(x, y, others)
        if model is None:
            continue
        truth = view.codes[:, place]
        loss = [model.likely(asked[rows], truth[rows]) for rows in (view.members, view.controls)]
        note = f"by loss of a random forest that predicts '{'the target' if target else 'a released column'}'"
        out.append(_auc(f"attack.membership_model{suffix}@{at}", loss[0], loss[1], note, internal=bool(suffix)))
        for column in [c for c in others if view.roles[c] is Role.SENSITIVE][:3]:
            values, counts = np.unique(x[:, column][np.isfinite(x[:, column])], return_counts=True)
            if not 1 < len(values) <= _CLASSES:
                continue
            right = []
            for rows in (view.members, view.controls):
                chance = [
                    np.log(many) + np.log(model.likely(_with(asked[rows], column, v), truth[rows]))
                    for v, many in zip(values, counts, strict=True)
                ]
                right.append(values[np.argmax(np.column_stack(chance), axis=1)] == asked[rows, column])
            usual = float((asked[view.controls, column] == values[np.argmax(counts)]).mean())
            name = f"attack.inversion{suffix}@{at}.{view.sides[column].name}"
            out.append(_advantage(name, right[0], right[1], f"the usual value is right for {usual:.3f}", internal=bool(suffix)))
    return out


def _with(rows: Floats, column: int, value: float) -> Floats:
    out = rows.copy()
    out[:, column] = value
    return out


def _target(view: View, target: str | None) -> int | None:
    """The column that models predict: the policy's target, else the last released one with few values, sensitive ones first."""
    few = [c for c in range(len(view.sides)) if 1 < len(np.unique(view.released[:, c])) <= _CLASSES]
    named = [c for c in few if view.sides[c].name == target]
    private = [c for c in few if view.roles[c] is Role.SENSITIVE]
    return next((found[-1] for found in (named, private, few) if found), None) if len(view.sides) > 1 else None


class _Model:
    """A random forest of classes, grown to single rows: the model that remembers most."""

    def __init__(self, forest: Any, columns: Sequence[int]) -> None:
        self._forest, self._columns = forest, list(columns)

    @classmethod
    def trained(cls, x: Floats, y: Ints, columns: Sequence[int]) -> _Model | None:
        from sklearn.ensemble import RandomForestClassifier

        if len(y) < 2 or len(np.unique(y[:_LEARN])) < 2:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            forest = RandomForestClassifier(n_estimators=_TREES, random_state=_SEED).fit(_filled(x[:_LEARN][:, list(columns)]), y[:_LEARN])
        return cls(forest, columns)

    def likely(self, x: Floats, truth: Ints) -> Floats:
        """Probability that the model gives to the truth, at least 0.001."""
        known = self._forest.classes_
        chance = self._forest.predict_proba(_filled(x[:, self._columns]))
        place = np.searchsorted(known, truth).clip(0, len(known) - 1)
        own = np.take_along_axis(chance, place[:, None], axis=1)[:, 0]
        return np.maximum(np.where(known[place] == truth, own, 0.0), 1e-3)

"""Attacks on a person's row: singling out, record linkage, linkability of two halves of a record.

Singling out is the reading of GDPR by Cohen and Nissim 2020 ("Towards formalizing the GDPR's notion of singling out", PNAS 117(15):8344):
a predicate, taken from the release alone, that holds for exactly one person of the data. Predicates of blind guessing (values of each
column drawn on their own) give the baseline; the risk is (success - baseline) / (1 - baseline), after Giomi et al. 2022.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tamis.core.record import Measure
from tamis.core.types import wilson
from tamis.verify.attacks.view import TARGETS, Ints, View
from tamis.verify.frames import rounded

Knowledge = tuple[tuple[int, ...], str]
"""columns (places in the view) that the attacker knows of a target, and why these"""


def linkage(at: str, name: str, view: View, sets: Sequence[Knowledge]) -> list[Measure]:
    """`name@table`: expected share of targets whose released row an attacker points at, who knows these columns of each of them.

    Exact on recoded values; where nothing equals, the nearest row. Among several the attacker guesses: 1 / persons they are about. The
    set that serves best on one half of the targets is reported on the other half.
    """
    half = max(1, len(view.members) // 2)
    pilot, asked = view.members[:half], view.members[half:]
    best = max(sets, key=lambda known: (float(_credit(view, known[0], pilot).mean()), -len(known[0])))
    credit = _credit(view, best[0], asked)
    people = len(np.unique(view.released_person))
    return _rated(f"{name}@{at}", float(credit.sum()), len(asked), 1 / max(1, people), best[1])


def _credit(view: View, columns: Sequence[int], targets: Ints) -> np.ndarray:
    """Per target the probability of pointing at a row of its person."""
    keys, released = view.keys(columns)
    pairs = np.unique(np.column_stack([released, view.released_person]), axis=0)
    persons = np.bincount(pairs[:, 0], minlength=int(max(keys.max(), released.max())) + 1)
    width = int(view.person.max()) + 1
    there = np.isin(keys[targets] * width + view.person[targets], pairs[:, 0] * width + pairs[:, 1])
    credit = np.where(there, 1 / np.maximum(1, persons[keys[targets]]), 0.0)
    alone = np.flatnonzero(persons[keys[targets]] == 0)
    for place, rows in zip(alone, view.nearest(targets[alone], columns), strict=True):
        near = np.unique(view.released_person[rows])
        credit[place] = float((near == view.person[targets[place]]).any()) / len(near)
    return credit


def singling_out(at: str, name: str, view: View, sets: Sequence[Knowledge], used: np.ndarray) -> list[Measure]:
    """`name@table`: risk that a predicate from the release holds for exactly one person; `used`: per row whether its person was used.

    A predicate is one released row's values in a set of columns (or one of them): of rows whose values are rarest in the release first.
    """
    rng = np.random.default_rng(0)
    found = [(*_isolated(view, known[0], used, rng), known[1]) for known in sets]
    pilot = [float(hits[0::2].mean()) if len(hits) else 0.0 for hits, _, _ in found]
    hits, naive, why = found[int(np.argmax(pilot))]
    asked = hits[1::2]
    return _rated(f"{name}@{at}", float(asked.sum()), len(asked), float(naive.mean()) if len(naive) else 0.0, why)


def _isolated(view: View, columns: Sequence[int], used: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(per predicate whether it isolates, the same of blind guesses)."""
    keys, released = view.keys(columns)
    pairs = np.unique(np.column_stack([keys[used], view.person[used]]), axis=0)
    persons = np.bincount(pairs[:, 0], minlength=int(max(keys.max(), released.max())) + 1)
    rare = np.bincount(released)[released]
    order = np.lexsort((rng.permutation(len(released)), rare))[:TARGETS]
    blind = np.column_stack([rng.permutation(view.released[:, column])[:TARGETS] for column in columns])
    known = {tuple(line): int(key) for line, key in zip(view.codes[:, list(columns)].tolist(), keys.tolist(), strict=True)}
    naive = np.array([key is not None and persons[key] == 1 for key in (known.get(tuple(line)) for line in blind.tolist())])
    # in no order of rarity, so that both halves of the attempts are alike
    return rng.permutation(persons[released[order]] == 1), naive


def linkability(at: str, view: View) -> list[Measure]:
    """`attack.linkability@table`: two files know every other column of a person; do both point at the same released row?

    Risk over that of people who are not in the release (Giomi et al. 2022, one neighbour; among equally near ones each file guesses).
    """
    columns = range(len(view.sides))
    halves = [[c for c in columns if c % 2 == rest] for rest in (0, 1)]
    if not all(halves):
        return []
    rates = []
    for rows in (view.members, view.controls):
        near = zip(*(view.nearest(rows, half) for half in halves), strict=True)
        rates.append(sum(len(np.intersect1d(a, b, assume_unique=True)) / (len(a) * len(b)) for a, b in near))
    baseline = rates[1] / len(view.controls)
    return _rated(f"attack.linkability@{at}", rates[0], len(view.members), baseline, "half of the released columns on each side")


def _rated(name: str, hits: float, n: int, baseline: float, why: str) -> list[Measure]:
    """Risk with the interval of the success rate (Wilson 1927), and what it was made of."""
    if not n or baseline >= 1:
        return []
    over = [max(0.0, (rate - baseline) / (1 - baseline)) for rate in (hits / n, *wilson(min(n, round(hits)), n))]
    note = f"success {hits / n:.3f} of {n}, baseline {baseline:.4f}; {why}"
    return [Measure(name=name, value=rounded(over[0]), low=rounded(min(over[0], over[1])), high=rounded(over[2]), of=n, note=note)]

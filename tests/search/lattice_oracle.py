"""The lattice by definition: every node, every class, in plain Python. Shares nothing with the search."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One row: its base codes, its person, its sensitive value."""

    base: tuple[int, ...]
    person: int
    value: int


def emd(kind: str, p: dict[int, float], q: dict[int, float], order: list[int] | None, parents: list[list[int]]) -> float:
    """Earth mover's distance of p from q, q over the values that occur."""
    values = sorted(q)
    if kind == "ordered" and order is not None:
        ranked, total, run = sorted(values, key=lambda v: order[v]), 0.0, 0.0
        for value in ranked:
            run += p.get(value, 0.0) - q[value]
            total += abs(run)
        return total / max(1, len(values) - 1)
    levels = [list(one) for one in parents] if kind == "hierarchical" else []
    if not levels or len({levels[-1][v] for v in values}) > 1:
        levels.append([0] * (max(values, default=0) + 1))
    extra = {("leaf", value): p.get(value, 0.0) - q[value] for value in values}
    node_of = {value: ("leaf", value) for value in values}
    cost = 0.0
    for height, level in enumerate(levels, start=1):
        children = defaultdict(set)
        for value in values:
            children[(height, level[value])].add(node_of[value])
        fresh = {}
        for node, kids in children.items():
            up = sum(extra[kid] for kid in kids if extra[kid] > 0)
            down = -sum(extra[kid] for kid in kids if extra[kid] < 0)
            cost += height / len(levels) * min(up, down)
            fresh[node] = up - down
        node_of = {value: (height, level[value]) for value in values}
        extra = fresh
    return cost


def value_counts(rows: list[Row], per_person: bool) -> Counter[int]:
    """Members per value."""
    return Counter(value for _, value in {(row.person, row.value) for row in rows}) if per_person else Counter(row.value for row in rows)


def shares(counts: Counter[int]) -> dict[int, float]:
    """Of a whole."""
    return {value: count / sum(counts.values()) for value, count in counts.items()}


def fits(criteria: Any, rows: list[Row], per_person: bool, known: int) -> bool:
    """Every criterion but t."""
    members = len({row.person for row in rows}) if per_person else len(rows)
    counts = sorted(value_counts(rows, per_person).values(), reverse=True)
    if members < criteria.k or (criteria.k_map is not None and known < criteria.k_map):
        return False
    if criteria.presence is not None:
        low, high = criteria.presence
        if not known or not low - 1e-9 <= members / known <= high + 1e-9:
            return False
    if criteria.l is None:
        return True
    if criteria.diversity == "distinct":
        return len(counts) >= criteria.l
    if criteria.diversity == "entropy":
        return math.exp(-sum(c / sum(counts) * math.log(c / sum(counts)) for c in counts)) >= criteria.l - 1e-9
    return counts[0] < criteria.c * sum(counts[int(criteria.l) - 1 :]) - 1e-9


def kept_classes(criteria: Any, classes: dict[Any, list[Row]], per_person: bool, known: Counter[Any], order: Any, parents: Any) -> set[Any]:
    """Labels of the classes that stay, t against the input."""
    stay = {label for label, rows in classes.items() if fits(criteria, rows, per_person, known[label])}
    if criteria.t is None:
        return stay
    whole: Counter[int] = Counter()
    for rows in classes.values():
        whole += value_counts(rows, per_person)
    q = shares(whole)
    return {
        label
        for label in stay
        if emd(criteria.distance, shares(value_counts(classes[label], per_person)), q, order, parents) <= criteria.t + 1e-9
    }


def every_node(dimensions: Any, rows: list[Row], criteria: Any, how: str, per_person: bool, people: Any, order: Any, parents: Any) -> Any:
    """(loss, suppressed) per node."""
    out = {}
    for node in itertools.product(*(range(len(d.codes)) for d in dimensions)):

        def label(base: tuple[int, ...], node: tuple[int, ...] = node) -> tuple[int, ...]:
            return tuple(int(d.codes[level][code]) for d, level, code in zip(dimensions, node, base, strict=True))

        classes: dict[Any, list[Row]] = defaultdict(list)
        for row in rows:
            classes[label(row.base)].append(row)
        known: Counter[Any] = Counter()
        for base, count in people:
            known[label(base)] += count
        stay = kept_classes(criteria, classes, per_person, known, order, parents)
        gone = sum(len(members) for at, members in classes.items() if at not in stay)
        losses = [
            sum(float(d.penalties[level][row.base[i]]) if label(row.base) in stay else 1.0 for row in rows) / max(1, len(rows))
            for i, (d, level) in enumerate(zip(dimensions, node, strict=True))
        ]
        weights = [d.weight / sum(d.weight for d in dimensions) for d in dimensions]
        if how == "arithmetic":
            loss = sum(w * one for w, one in zip(weights, losses, strict=True))
        else:
            loss = math.prod((1 + one) ** w for w, one in zip(weights, losses, strict=True)) - 1
        out[node] = (loss, gone)
    return out

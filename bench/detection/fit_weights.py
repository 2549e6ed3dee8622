"""Fit the map from combined evidence to confidence, and say what it is worth on sources that were left out.

    python bench/detection/fit_weights.py LABELS.json TABLES_FOLDER [--stress FILE ...]

LABELS.json: {table: {"group", "columns": {column: {"role", "ambiguous", "empty"}}}}; TABLES_FOLDER holds the tables by file stem.
Prints role figures (plain), the parameters for detect/weights.py, and Brier score and expected calibration error, plain and
leave-one-source-out. Writes nothing. Name rules, lists and weights are written by hand: leaving a source out applies to what is fitted.

New tables use words that are in no vocabulary. So that confidence knows of them, the fit also sees every table with two fifths of all
phrases taken out of the name rules (seeded), which is what an unknown header looks like to the detector.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from stress import build

from tamis.core.policy import ReadOptions
from tamis.core.types import DatasetProfile, Role, Table
from tamis.detect import judge_table, study_tables
from tamis.detect.calibrate import nothing_features, verdict_features
from tamis.detect.context import About
from tamis.profile import profile_tables
from tamis.read import read_table
from tamis.rules import Rules, load_rules

_DROPPED = 0.4
_L2 = 1.0


@dataclass(frozen=True)
class Case:
    """One column's verdict: the features of its confidence, and whether the role was right."""

    source: str
    role: str
    truth: str
    features: dict[str, float]
    right: bool


def main() -> None:
    """Read, detect, fit, print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("labels", type=Path)
    arguments.add_argument("tables", type=Path)
    arguments.add_argument("--stress", type=Path, nargs="*", default=[])
    given = arguments.parse_args()
    rules = load_rules([])
    jobs = list(_jobs(given.labels, given.tables, given.stress))
    whole = [case for job in jobs for case in _cases(*job, rules)]
    thinned = [case for job in jobs for case in _cases(*job, _without_some_phrases(rules, 1))]
    _print_roles("all phrases", whole)
    _print_roles("two fifths of the phrases taken out", thinned)
    for title, of_kind in (
        ("CALIBRATION", lambda role: role not in ("none", "unknown")),
        ("CALIBRATION_NONE", lambda role: role == "none"),
    ):
        cases = [case for case in (*whole, *thinned) if of_kind(case.role)]
        _print_fit(title, cases, [case for case in whole if of_kind(case.role)])
    unknown = [case for case in (*whole, *thinned) if case.role == "unknown"]
    print(f"unknown: {len(unknown)} columns, personal: {np.mean([case.truth != 'none' for case in unknown]):.2f}")


def _jobs(labels: Path, folder: Path, stress: list[Path]) -> Iterator[tuple[str, list[Table], DatasetProfile, dict[str, Any]]]:
    truth = json.loads(labels.read_text(encoding="utf-8"))
    files = {path.stem: path for path in sorted(folder.rglob("*")) if path.suffix in (".csv", ".parquet", ".json", ".ndjson")}
    groups: dict[str, list[Table]] = defaultdict(list)
    for name, spec in truth.items():
        if name in files:
            groups[spec["group"]].append(read_table(name, [files[name]], ReadOptions()))
    for group, tables in sorted(groups.items()):
        yield group, tables, profile_tables(tables, k=5), truth
    for path in stress:
        frames, invented = build(path)
        for name, frame in frames.items():
            tables = [read_table(name, frame, ReadOptions())]
            yield invented[name]["group"], tables, profile_tables(tables, k=5), invented


def _without_some_phrases(rules: Rules, seed: int) -> Rules:
    rng = random.Random(seed)
    names = []
    for rule in rules.names:
        kept = tuple(phrase for phrase in rule.phrases if rng.random() >= _DROPPED)
        names.append(rule.model_copy(update={"phrases": kept or rule.phrases[:1]}))
    synonyms = {head: tuple(word for word in words if rng.random() >= _DROPPED) for head, words in rules.words.synonyms.items()}
    thinned = rules.model_copy(update={"names": tuple(names), "words": rules.words.model_copy(update={"synonyms": synonyms})})
    thinned.__dict__.pop("digest", None)  # a cached property, copied with the rest
    return thinned


def _cases(source: str, tables: list[Table], profile: DatasetProfile, truth: dict[str, Any], rules: Rules) -> Iterator[Case]:
    studied = study_tables(tables, profile, rules)
    contexts = studied.contexts
    readings = {(table, fact.column.name): fact.reading for table, facts in studied.facts.items() for fact in facts}
    roles = {name: entity.role for name, entity in rules.entities.items()}
    for finding in (found for table in tables for found in judge_table(table.name, studied, rules)):
        label = truth[finding.table]["columns"].get(finding.column)
        if label is None or label.get("ambiguous") or label.get("empty") or finding.entity == "FREE_TEXT":
            continue
        about = contexts[finding.table]
        if finding.role in (Role.NONE, Role.UNKNOWN):
            pieces = [piece for piece in finding.evidence if piece.entity != finding.entity]
            known = readings[finding.table, finding.column].intelligible
            features = nothing_features(pieces, personal=about.personal, about_things=about.about == About.THING, intelligible=known)
        else:
            assert finding.entity is not None
            features = verdict_features(finding.role, finding.entity, finding.evidence, roles, personal=about.personal)
        yield Case(source, str(finding.role), label["role"], features, str(finding.role) == label["role"])


def _print_roles(title: str, cases: list[Case]) -> None:
    print(f"\n{title}: {len(cases)} columns, {sum(case.role == 'unknown' for case in cases)} unknown")
    for role in ("direct", "quasi", "sensitive"):
        said = [case for case in cases if case.role == role]
        is_one = [case for case in cases if case.truth == role]
        precision = np.mean([case.right for case in said]) if said else float("nan")
        recall = np.mean([case.role in ((role, "direct") if role == "quasi" else (role,)) for case in is_one]) if is_one else float("nan")
        print(f"  {role:9} precision {precision:.3f} recall {recall:.3f} of {len(is_one)}")
    missed = [case for case in cases if case.truth == "direct" and case.role == "none"]
    print(f"  direct identifiers said to be none: {len(missed)}")


def _matrix(cases: list[Case], names: list[str]) -> np.ndarray:
    return np.array([[case.features.get(name, 0.0) for name in names] for case in cases])


def _fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Logistic regression with a quadratic penalty on all but the bias (the first column), by Newton's method."""
    beta = np.zeros(x.shape[1])
    penalty = _L2 * np.eye(x.shape[1])
    penalty[0, 0] = 1e-6
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ beta))
        gradient = x.T @ (y - p) - penalty @ beta
        hessian = (x * (p * (1 - p))[:, None]).T @ x + penalty
        step = np.linalg.solve(hessian, gradient)
        beta += step
        if np.abs(step).max() < 1e-8:
            break
    return beta


def _print_fit(title: str, cases: list[Case], whole: list[Case]) -> None:
    names = ["bias", *sorted({name for case in cases for name in case.features} - {"bias", "direct"})]
    x, y = _matrix(cases, names), np.array([case.right for case in cases], dtype=float)
    beta = _fit(x, y)
    print(f"\n{title} = {json.dumps({name: round(float(value), 3) for name, value in zip(names, beta, strict=True)})}")
    _print_quality("plain, thinned and whole", _predict(x, beta), y)
    sources = np.array([case.source for case in cases])
    left_out = np.zeros(len(y))
    for source in sorted(set(sources)):
        own = sources == source
        left_out[own] = _predict(x[own], _fit(x[~own], y[~own]))
    _print_quality("leave one source out", left_out, y)
    is_whole = np.array([i < len(whole) for i in range(len(cases))])
    _print_quality("leave one source out, all phrases", left_out[is_whole], y[is_whole])


def _predict(x: np.ndarray, beta: np.ndarray) -> np.ndarray:
    return np.clip(1 / (1 + np.exp(-x @ beta)), 0.05, 0.99)


def _print_quality(title: str, p: np.ndarray, y: np.ndarray) -> None:
    brier = float(np.mean((p - y) ** 2))
    edges = [0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0]
    spans = list(pairwise(edges))
    bins = [(p >= low) & (p < high) for low, high in spans]
    ece = sum(float(b.sum()) / len(p) * abs(float(p[b].mean() - y[b].mean())) for b in bins if b.any())
    table = " ".join(
        f"[{low:.2f},{high:.2f}) n={b.sum()} p={p[b].mean():.2f} right={y[b].mean():.2f}"
        for (low, high), b in zip(spans, bins, strict=True)
        if b.any()
    )
    print(f"  {title}: n {len(p)} Brier {brier:.4f} ECE {ece:.4f}  {table}")


if __name__ == "__main__":
    main()

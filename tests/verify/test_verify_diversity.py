"""l-diversity of three kinds and t-closeness with three distances against plain Python and linear programs."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verify_made import plan_of, release, table_plan, verdict

from tamis.core.actions import CategoryMap, Keep
from tamis.core.plan import Classes
from tamis.core.policy import Privacy
from tamis.core.record import CheckStatus
from tamis.core.types import Role
from tamis.verify import diversity
from tamis.verify.gates import default_gates
from tamis.verify.recheck import recheck_release
from tamis.verify.risk import table_risk
from tamis.verify.shapes import Models, Shape

pairs = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([None, 1, 2, 3, 10, 11])), min_size=1, max_size=40)
TREE = {None: "low", "1": "low", "2": "low", "3": "high", "10": "high", "11": "top"}


def counted(drawn: list) -> tuple[pl.DataFrame, dict[int, Counter], Counter]:
    """The counts that are judged, and the same in plain Python."""
    groups: dict[int, Counter] = defaultdict(Counter)
    for of, value in drawn:
        groups[of][value] += 1
    entries = [(of, value, n) for of, group in groups.items() for value, n in group.items()]
    frame = pl.DataFrame(entries, schema={"of": pl.UInt32, "s": pl.Int64, "n": pl.Int64}, orient="row")
    return frame, groups, Counter(value for _, value in drawn)


def moved(p: np.ndarray, q: np.ndarray, cost: np.ndarray) -> float:
    """The earth mover's distance as the linear program that defines it."""
    from scipy.optimize import linprog

    m = len(p)
    rows = [np.kron(np.eye(m)[i], np.ones(m)) for i in range(m)] + [np.kron(np.ones(m), np.eye(m)[j]) for j in range(m)]
    return float(linprog(cost.ravel(), A_eq=np.array(rows), b_eq=np.concatenate([p, q]), method="highs").fun)


def farthest(groups: dict[int, Counter], whole: Counter, values: list, cost: np.ndarray) -> float:
    """The largest distance of a class."""
    q = np.array([whole[v] for v in values]) / whole.total()
    return max(moved(np.array([g[v] for v in values]) / g.total(), q, cost) for g in groups.values())


@settings(max_examples=60, deadline=None)
@given(drawn=pairs, c=st.sampled_from([0.5, 1.0, 1.5, 3.0]))
def test_diversity_equals_brute_force(drawn, c):
    """Distinct, entropy and recursive l are the least over classes; null is a value."""
    frame, groups, _ = counted(drawn)
    assert diversity.distinct_l(frame) == min(len(group) for group in groups.values())
    entropies = [-sum(n / g.total() * math.log(n / g.total()) for n in g.values()) for g in groups.values()]
    assert diversity.entropy_l(frame) == pytest.approx(math.exp(min(entropies)), rel=1e-9)
    largest = []
    for group in groups.values():
        counts = sorted(group.values(), reverse=True)
        largest.append(max((l for l in range(1, len(counts) + 1) if counts[0] < c * sum(counts[l - 1 :])), default=0))
    assert diversity.recursive_l(frame, c) == min(largest)
    for l in (1, 2):
        needed = [max(g.values()) / sum(sorted(g.values(), reverse=True)[l - 1 :]) if len(g) >= l else math.inf for g in groups.values()]
        assert diversity.recursive_c(frame, l) == pytest.approx(max(needed))


@settings(max_examples=30, deadline=None)
@given(drawn=pairs)
def test_distances_equal_the_linear_program(drawn):
    """Equal, ordered and hierarchical distance are the cheapest flow between a class and the table."""
    frame, groups, whole = counted(drawn)
    values = sorted(whole, key=lambda v: (v is not None, v or 0))
    m = len(values)
    ranks = np.arange(m)
    assert diversity.equal(frame) == pytest.approx(farthest(groups, whole, values, 1.0 - np.eye(m)), abs=1e-9)
    by_rank = np.abs(ranks[:, None] - ranks[None, :]) / max(1, m - 1)
    assert diversity.ordered(frame) == pytest.approx(farthest(groups, whole, values, by_rank), abs=1e-9)
    parents = [TREE[None if v is None else str(v)] for v in values]
    roots = len(set(parents)) > 1
    cost = np.array([[0 if i == j else 1 if parents[i] == parents[j] else 2 for j in range(m)] for i in range(m)]) / (2 if roots else 1)
    assert diversity.hierarchical(frame, [TREE]) == pytest.approx(farthest(groups, whole, values, cost), abs=1e-9)
    assert diversity.hierarchical(frame, []) == pytest.approx(diversity.equal(frame), abs=1e-9)


def test_without_rows_there_is_nothing():
    """No rows: no diversity, no distance."""
    empty = pl.DataFrame(schema={"of": pl.UInt32, "s": pl.String, "n": pl.Int64})
    assert (diversity.distinct_l(empty), diversity.entropy_l(empty), diversity.recursive_l(empty, 2.0)) == (0, 0.0, 0)
    assert (diversity.equal(empty), diversity.ordered(empty), diversity.hierarchical(empty, [])) == (0.0, 0.0, 0.0)
    assert diversity.recursive_c(empty, 2) == math.inf


def test_a_person_counts_once_per_value():
    """Ninety visits of one person with one diagnosis weigh as much as one."""
    table = pl.DataFrame({"q": ["a"] * 92, "s": ["flu"] * 90 + ["flu", "cold"], "u": [1] * 90 + [2, 3]})
    shape = Shape("t", ("q",), ("s",), "u", None, personal=True, references=())
    found = {m.name: m.value for m in table_risk(table.lazy(), shape, Models()).measures}
    assert found["risk.l_entropy@t"] == pytest.approx(math.exp(math.log(3) - 2 / 3 * math.log(2)), abs=1e-6)


@pytest.mark.parametrize(
    ("privacy", "measure"),
    [
        (Privacy(k=2, l=2), "risk.l"),
        (Privacy(k=2, l=1.5, diversity="entropy"), "risk.l_entropy"),
        (Privacy(k=2, l=2, diversity="recursive", c=2.0), "risk.l_recursive"),
        (Privacy(k=2, t=0.2), "risk.t"),
        (Privacy(k=2, t=0.2, distance="ordered"), "risk.t"),
    ],
)
@pytest.mark.parametrize("holds", [True, False])
def test_declared_models_are_gated_and_rechecked(tmp_path, privacy, measure, holds):
    """What the policy declares is judged without being asked, and recomputed from the release alone."""
    values = [1, 2, 1, 2] if holds else [1, 1, 2, 2]
    frame = pl.DataFrame({"q": ["a", "a", "b", "b"], "s": values})
    planned = table_plan("t", frame, {"q": (Keep(), Role.QUASI), "s": (Keep(), Role.SENSITIVE)}, quasi=("q",))
    plan = plan_of(planned).model_copy(update={"privacy": privacy})
    found = verdict({"t": frame}, {"t": frame}, plan)
    (gate,) = [result for result in found.gates if result.gate.measure == measure]
    assert gate.passed is holds
    assert found.passed is holds
    manifest = release(tmp_path, {"t": frame}, plan, found)
    checks = {check.name: check.status for check in recheck_release(tmp_path, manifest).checks}
    assert checks[f"{measure}@t"] is CheckStatus.OK
    assert checks[f"gate:{measure}@t"] is CheckStatus.OK
    kept = tuple(m for m in manifest.measures if m.name != f"{measure}@t")
    hidden = recheck_release(tmp_path, manifest.model_copy(update={"measures": kept}))
    assert {check.name: check.status for check in hidden.checks}[f"{measure}@t"] is CheckStatus.FAILED


def test_hierarchical_closeness_is_not_verifiable_from_the_release(tmp_path):
    """The hierarchy is not in the release: verify says so instead of taking another distance."""
    frame = pl.DataFrame({"q": ["a", "a", "b", "b"], "s": ["x1", "y1", "x2", "y2"]})
    planned = table_plan("t", frame, {"q": (Keep(), Role.QUASI), "s": (Keep(), Role.SENSITIVE)}, quasi=("q",))
    tree = CategoryMap(parents=(("x1", "x"), ("x2", "x"), ("y1", "y"), ("y2", "y")))
    classes = Classes(quasi_identifiers=("q",), k=2, ladders={"s": (tree,)})
    planned = planned.model_copy(update={"classes": classes})
    plan = plan_of(planned).model_copy(update={"privacy": Privacy(k=2, t=0.25, distance="hierarchical")})
    found = verdict({"t": frame}, {"t": frame}, plan)
    assert found.value("risk.t@t") == 0.25  # half of the mass moves half of the way; with the equal distance 0.5
    assert found.passed
    manifest = release(tmp_path, {"t": frame}, plan, found)
    checked = recheck_release(tmp_path, manifest)
    assert {check.name: check.status for check in checked.checks}["risk.t@t"] is CheckStatus.NOT_VERIFIABLE
    assert checked.passed


def test_population_gates():
    """k-map and presence fail when no population was given: a declared model is never skipped."""
    privacy = Privacy(k=2, k_map=3, presence=(0.0, 0.5), population={"source": "people.csv"})
    assert {"risk.k_map", "risk.presence_low", "risk.presence_high"} <= {gate.measure for gate in default_gates(privacy)}
    frame = pl.DataFrame({"q": ["a", "a"]})
    plan = plan_of(table_plan("t", frame, {"q": (Keep(), Role.QUASI)}, quasi=("q",))).model_copy(update={"privacy": privacy})
    assert not verdict({"t": frame}, {"t": frame}, plan).passed

"""Diversity and closeness of sensitive values in equivalence classes, recomputed without the code that searched for the classes.

n_cv members of class c have value v, n_c in all. A member is a person where a column names them (counted once per class and value),
else a row. Null is a value of its own. q_v: share of v over all members of the table that is looked at, the released one.

- distinct l: values in a class; entropy l: exp(-sum_v p ln p), p = n_cv / n_c; recursive (c,l): with counts r_1 >= r_2 >= …, the largest
  l with r_1 < c (r_l + … + r_m); 0 when there is none. The least over classes (Machanavajjhala et al. 2007, ACM TKDD 1(1):3).
- t: the largest distance of a class's distribution p from q (Li, Li, Venkatasubramanian 2007, ICDE), the earth mover's distance:
  equal: sum_v max(p_v - q_v, 0); ordered: 1/(m-1) sum_{i<m} |sum_{j<=i} (p_j - q_j)| over the m values in order, null first, for numbers,
  dates and times (anything else is measured as equal); hierarchical: see `hierarchical`.

What this does not protect from: values that mean the same (two words for one disease), and who knows more than the quasi-identifiers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_CLOSE = 1e-12
_CELLS = 1 << 22
"""classes x values looked at in one go"""


def distinct_l(counts: pl.DataFrame) -> int:
    """Least number of values in a class; `counts` has (`of`: class, `s`: value, `n`: members), each pair once. 0 without rows."""
    return int(counts.group_by("of").len()["len"].min() or 0)  # type: ignore[arg-type]  # a count


def entropy_l(counts: pl.DataFrame) -> float:
    """Least exp(entropy) of a class; 0 without rows."""
    if not counts.height:
        return 0.0
    share = pl.col("n") / pl.col("n").sum().over("of")
    entropy = counts.lazy().select("of", e=-(share * share.log())).group_by("of").agg(pl.col("e").sum()).select(pl.col("e").min())
    return float(np.exp(max(0.0, entropy.collect().item())))


def recursive_l(counts: pl.DataFrame, c: float) -> int:
    """Largest l for which every class is recursively (c,l)-diverse."""
    if not counts.height:
        return 0
    most, tail = _tails(counts)
    holds = most < c * tail * (1 - _CLOSE)  # equal in exact arithmetic: does not hold
    per_class = counts.lazy().sort("of", "n", descending=[False, True]).select("of").collect()
    return int(per_class.with_columns(h=pl.Series(holds)).group_by("of").agg(pl.col("h").sum())["h"].min() or 0)  # type: ignore[arg-type]


def recursive_c(counts: pl.DataFrame, l: int) -> float:
    """The number that c must exceed for every class to be recursively (c,l)-diverse; infinity when no c is enough."""
    if not counts.height:
        return float("inf")
    most, tail = _tails(counts)
    ranked = (
        counts.lazy()
        .sort("of", "n", descending=[False, True])
        .select("of", rank=pl.int_range(1, pl.len() + 1).over("of"))
        .with_columns(c=pl.Series(most / tail))
        .collect()
    )
    if ranked.group_by("of").len()["len"].min() < l:  # type: ignore[operator]
        return float("inf")
    return float(ranked.filter(pl.col("rank") == l)["c"].max())  # type: ignore[arg-type]


def _tails(counts: pl.DataFrame) -> tuple[Floats, Floats]:
    """Per entry, classes together and commonest first: r_1 of its class, and the sum of its own and all rarer counts."""
    found = (
        counts.lazy()
        .sort("of", "n", descending=[False, True])
        .select(most=pl.col("n").max().over("of"), tail=pl.col("n").cum_sum(reverse=True).over("of"))
        .collect()
    )
    return found["most"].cast(pl.Float64).to_numpy(), found["tail"].cast(pl.Float64).to_numpy()


# ------------------------------------------------------------------------------------------------------------------------ closeness


def equal(counts: pl.DataFrame) -> float:
    """Largest total variation distance of a class from the table; 0 without rows."""
    if not counts.height:
        return 0.0
    total = int(counts["n"].sum())
    share = pl.col("n") / pl.col("class") - pl.col("all") / total
    found = (
        counts.lazy()
        .with_columns(pl.col("n").sum().over("of").alias("class"), pl.col("n").sum().over("s").alias("all"))
        .group_by("of")
        .agg(t=share.clip(0).sum())
        .select(pl.col("t").max())
        .collect()
    )
    return float(found.item())


def ordered(counts: pl.DataFrame) -> float:
    """Largest ordered distance; values in their own order, null first. Work grows with the values that occur, not classes x values.

    Between two values of a class its cumulated share P is constant and the table's, Q, never falls: |P - Q| is summed piecewise with
    the prefix sums of Q, cut where Q passes P.
    """
    values = counts.group_by("s").agg(pl.col("n").sum()).sort("s", nulls_last=False)
    m = values.height
    if m < 2:
        return 0.0
    whole = values["n"].cast(pl.Float64).to_numpy()
    up_to = np.cumsum(whole) / whole.sum()
    prefix = np.concatenate([[0.0], np.cumsum(up_to)])
    placed = (
        counts.lazy()
        .join(values.lazy().select("s").with_row_index("rank"), on="s", how="left", nulls_equal=True)
        .sort("of", "rank")
        .with_columns(
            share=pl.col("n").cum_sum().over("of") / pl.col("n").sum().over("of"),
            end=pl.col("rank").shift(-1).over("of").fill_null(m),
            first=pl.col("rank").rank("ordinal").over("of") == 1,
        )
        .collect()
    )
    start, end = placed["rank"].cast(pl.Int64).to_numpy(), placed["end"].cast(pl.Int64).to_numpy()
    share = placed["share"].to_numpy()
    cut = np.clip(np.searchsorted(up_to, share, side="left"), start, end)
    below = share * (cut - start) - (prefix[cut] - prefix[start])
    above = (prefix[end] - prefix[cut]) - share * (end - cut)
    pieces = below + above + np.where(placed["first"].to_numpy(), prefix[start], 0.0)
    summed = placed.select("of").with_columns(d=pl.Series(pieces)).group_by("of").agg(pl.col("d").sum())
    return max(0.0, float(summed["d"].max())) / (m - 1)  # type: ignore[arg-type]


def hierarchical(counts: pl.DataFrame, parents: Sequence[Mapping[str | None, str | None]]) -> float:
    """Largest hierarchical distance. `parents[i]` maps each value (text) to its ancestor at level i + 1; a value without one is its own.

    Moving mass between two values costs (height of their lowest common ancestor) / H, with one root over all at height H. The cheapest
    flow is, over inner nodes N, height(N) / H x min(excess that its children can give, excess that they can take).
    """
    if not counts.height:
        return 0.0
    joint = counts.lazy().with_columns(pl.col("s").cast(pl.String)).group_by("of", "s").agg(pl.col("n").sum()).collect()
    overall = joint.group_by("s").agg(pl.col("n").sum()).sort("s")
    levels = _levels(overall["s"].to_list(), parents)
    reference = overall["n"].cast(pl.Float64).to_numpy() / float(overall["n"].sum())
    rows = (
        joint.lazy()
        .join(overall.lazy().select("s").with_row_index("value"), on="s", how="left", nulls_equal=True)
        .select(pl.col("of").rank("dense") - 1, "value", p=pl.col("n") / pl.col("n").sum().over("of"))
        .sort("of")
        .collect()
    )
    of, value, p = rows["of"].to_numpy(), rows["value"].to_numpy(), rows["p"].to_numpy()
    step, classes, worst = max(1, _CELLS // len(reference)), int(of[-1]) + 1, 0.0
    for start in range(0, classes, step):
        low, high = np.searchsorted(of, [start, start + step])
        extra = np.tile(-reference, (min(step, classes - start), 1))
        extra[of[low:high] - start, value[low:high]] += p[low:high]
        worst = max(worst, float(_flow(extra, levels).max()))
    return worst


def _levels(values: Sequence[str | None], parents: Sequence[Mapping[str | None, str | None]]) -> list[Ints]:
    """From each level to the next, the node above each node; values are numbered as given, the last level is one root."""
    labels = [list(values), *([steps.get(value, value) for value in values] for steps in parents)]
    if len(set(labels[-1])) > 1 or not parents:
        labels.append([None] * len(values))
    numbers: list[Ints] = [np.arange(len(values))]
    above = []
    for level in labels[1:]:
        known = {label: number for number, label in enumerate(dict.fromkeys(level))}
        numbers.append(np.array([known[label] for label in level]))
        up = np.zeros(int(numbers[-2].max()) + 1, dtype=np.int64)
        up[numbers[-2]] = numbers[-1]
        above.append(up)
    return above


def _flow(extra: Floats, levels: Sequence[Ints]) -> Floats:
    """Cost of the cheapest flow per class; `extra` (classes, values): p - q."""
    cost = np.zeros(extra.shape[0])
    for height, above in enumerate(levels, start=1):
        width = int(above.max()) + 1
        gives, takes = _folded(np.maximum(extra, 0.0), above, width), _folded(np.maximum(-extra, 0.0), above, width)
        cost += np.minimum(gives, takes).sum(axis=1) * height / len(levels)
        extra = _folded(extra, above, width)
    return cost


def _folded(values: Floats, to: Ints, width: int) -> Floats:
    """Columns summed into `width` columns."""
    out = np.zeros((width, values.shape[0]))
    np.add.at(out, to, values.T)
    return out.T

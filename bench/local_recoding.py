"""Local recoding against ARX, and its speed.

    python bench/local_recoding.py --adult FOLDER [--k 5 10] [--budget 100000000]
    python bench/local_recoding.py --rows 1000000 --quasi 6 [--k 5] [--budget 100000000]

FOLDER holds adult.csv and adult_hierarchy_*.csv of the ARX repository (data/). Loss is the mean over rows and quasi-identifiers of
(leaves below the label - 1) / (leaves - 1); a suppressed row counts 1. It is recomputed here row by row from the cells, with nothing of
the search. The second form makes a table, finds its cells and releases it through them, batch by batch: seconds, peak memory, and the
time as a ratio to grouping the rows into distinct tuples. On a shared machine only ratios and processor seconds mean something.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
from anonymity import QUASI, Adult

from tamis.cells import first_cover
from tamis.models import Criteria
from tamis.search.lattice import Dimension, Tuples
from tamis.search.local import BUDGET, Cells, find_cells

# k: (loss, suppressed, seconds) of ARX 3.9.2, optimizeIterativeFast, gsFactor 0; records = 1 % of the table, and 1 record
ARX = {5: ((0.056913, 0, 1.4), (0.050139, 3, 14.7)), 10: ((0.078966, 0, 2.3), (0.073590, 10, 16.7))}


def recomputed(dimensions: list[Dimension], tuples: Tuples, cells: Cells) -> tuple[float, int, int]:
    """(loss, suppressed rows, rows of the smallest class) by assigning each tuple anew; classes are rows with equal labels."""
    of = first_cover(cells.levels, cells.labels, [one.codes for one in dimensions], tuples.base, cells.only)
    lost = np.full(len(of), float(len(dimensions)))
    inside = of >= 0
    lost[inside] = 0.0
    labels = {}
    for d, one in enumerate(dimensions):
        level, base = cells.levels[of[inside], d], tuples.base[d][inside]
        lost[inside] += np.stack(one.penalties)[level, base]
        label = np.stack([code.astype(np.int64) for code in one.codes])[level, base]
        assert (label == cells.labels[of[inside], d]).all(), "a label is no ancestor of a value"
        labels[f"d{d}"] = label + level * (int(max(code.max() for code in one.codes)) + 1)
    sizes = pl.DataFrame(labels | {"n": tuples.rows[inside]}).group_by(list(labels)).agg(pl.col("n").sum())["n"]
    return float((lost * tuples.rows).sum() / len(dimensions) / tuples.total), int(tuples.rows[~inside].sum()), int(sizes.min() or 0)


def adult(folder: Path, ks: list[int], budget: int) -> bool:
    """Whether the loss is below ARX's best at every k that ARX has figures for."""
    table = Adult(folder)
    better = True
    for k in ks:
        dimensions, tuples = table.tuples(QUASI, Criteria(k=k))
        began, processor = time.perf_counter(), time.process_time()
        cells = find_cells(dimensions, tuples, limit=0.0, budget=budget)
        seconds, processor = time.perf_counter() - began, time.process_time() - processor
        loss, suppressed, smallest = recomputed(dimensions, tuples, cells)
        assert abs(loss - cells.loss) < 1e-9, "the loss reported is not that of the cells"
        assert smallest >= k, "a class is too small"
        assert suppressed == cells.suppressed, "the suppressed rows reported are not those of the cells"
        reference = "; ".join(f"ARX {loss:.4f} ({gone} suppressed, {time:.1f} s)" for loss, gone, time in ARX.get(k, ()))
        asking = len(np.unique(cells.only.cell))
        say(
            f"k={k}: loss {loss:.5f}, {suppressed} suppressed, {cells.classes} classes ({asking} with conditions), "
            f"{seconds:.1f} s ({processor:.1f} cpu). {reference}"
        )
        better &= k not in ARX or loss < ARX[k][-1][0]
    return better


def made(rows: int, quasi: int) -> tuple[list[Dimension], pl.DataFrame]:
    """A skewed table: numbers of 100 values, categories of 6 to 40, the ladders by halves and whole."""
    random = np.random.default_rng(0)
    dimensions, columns = [], {}
    for d in range(quasi):
        values = (100, 12, 6, 40, 16, 8, 2, 24)[d % 8]
        drawn = random.gamma(2.0, values / 10, rows).astype(np.int64) if d % 2 == 0 else random.geometric(min(0.9, 4 / values), rows) - 1
        columns[f"d{d}"] = np.minimum(drawn, values - 1)
        codes, width = [np.arange(values)], 1
        while width < values:
            width *= 4
            codes.append(np.arange(values) // width)
        penalties = tuple((np.bincount(code)[code] - 1) / (values - 1) for code in codes)
        dimensions.append(Dimension(f"d{d}", tuple(codes), penalties))
    return dimensions, pl.DataFrame(columns)


def large(rows: int, quasi: int, k: int, budget: int) -> None:
    """Find and assign, with times and memory."""
    dimensions, frame = made(rows, quasi)
    began = time.perf_counter()
    counted = frame.lazy().group_by(pl.all()).len("n").collect(engine="streaming")
    grouped = time.perf_counter() - began
    base = tuple(counted[one.name].to_numpy() for one in dimensions)
    tuples = Tuples(base, counted["n"].cast(pl.Int64).to_numpy(), Criteria(k=k))
    began = time.perf_counter()
    cells = find_cells(dimensions, tuples, limit=0.0, budget=budget)
    found = time.perf_counter() - began
    began = time.perf_counter()
    loss, suppressed, smallest = recomputed(dimensions, tuples, cells)
    assigned = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    say(
        f"{rows} rows x {quasi}, {len(counted)} distinct: loss {loss:.4f}, {suppressed} suppressed, {cells.classes} classes (smallest "
        f"{smallest}); group {grouped:.1f} s, find {found:.1f} s ({found / grouped:.0f} x), assign {assigned:.1f} s; peak {peak:.2f} GB"
    )


def say(line: str) -> None:
    """A line of the result."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """0, or 1 where ARX was not beaten."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--adult", type=Path)
    parser.add_argument("--k", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--quasi", type=int, default=6)
    parser.add_argument("--budget", type=int, default=BUDGET)
    asked = parser.parse_args()
    if asked.rows:
        large(asked.rows, asked.quasi, asked.k[0], asked.budget)
    return 0 if asked.adult is None or adult(asked.adult, asked.k, asked.budget) else 1


if __name__ == "__main__":
    sys.exit(main())

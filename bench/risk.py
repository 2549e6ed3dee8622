"""Risk figures: speed and memory against one pass over the file, and reference figures of the Adult table.

    python bench/risk.py --rows 1000000 --quasi 8 [--unit]      synthetic table, wall time per step, peak memory
    python bench/risk.py --adult FOLDER                         FOLDER holds adult.csv (30 162 complete records, `;`)

The reference figures of Adult are ARX 3.9.2's, cited as facts: classes, uniques, average risk, records at risk, population uniques.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl

from tamis.verify.classes import Packed, count_classes
from tamis.verify.population import fit_pitman, population_uniques, zayatz
from tamis.verify.risk import input_risk
from tamis.verify.shapes import Models
from tamis.verify.special import special_uniques

EIGHT = ("sex", "age", "race", "marital-status", "education", "native-country", "workclass", "occupation")
SETS = {8: EIGHT, 7: EIGHT[:7], 5: ("sex", "age", "race", "education", "marital-status"), 3: ("sex", "age", "race")}
SAMPLE = {
    8: (18109, 14021, 0.600391, {0.05: 0.955242, 0.1: 0.854353, 0.2: 0.728632, 0.5: 0.464856}),
    7: (11089, 7653, 0.367648, {0.05: 0.693820, 0.1: 0.590909, 0.2: 0.452788, 0.5: 0.253730}),
    5: (6072, 3187, 0.201313, {0.05: 0.520257, 0.1: 0.394702, 0.2: 0.249586, 0.5: 0.105663}),
    3: (528, 62, 0.017505, {0.05: 0.061932, 0.1: 0.032657, 0.2: 0.014091, 0.5: 0.002056}),
}
POPULATION = {  # (quasi-identifiers, population): Zayatz, Pitman, fraction by Dankar's rule
    (8, 60_324): (23199.0, 23381.3, 0.384573),
    (8, 301_620): (82637.2, 72139.0, 0.239172),
    (8, 3_016_200): (674264.2, 361577.9, 0.119879),
    (8, 30_162_000): (6540934.9, 1812314.1, 0.060086),
    (7, 60_324): (11957.9, 12234.6, 0.198228),
    (7, 301_620): (36604.0, 35186.3, 0.116658),
    (7, 3_016_200): (227996.2, 159493.0, 0.0528788),
    (5, 60_324): (4331.6, 4505.1, 0.0718056),
    (5, 301_620): (9717.6, 9489.8, 0.0314626),
    (3, 60_324): (43.0, 92.0, 0.000712362),
    (3, 301_620): (38.4, 92.7, 0.000307205),
}


def say(text: str) -> None:
    """One line."""
    sys.stdout.write(text + "\n")


@contextmanager
def timed(what: str, yardstick: float | None = None) -> Iterator[list[float]]:
    """Wall time of a step, also as a multiple of the yardstick."""
    taken: list[float] = []
    start = time.perf_counter()
    yield taken
    taken.append(time.perf_counter() - start)
    say(f"{what:<32}{taken[0]:8.2f} s" + (f"{taken[0] / yardstick:8.1f} x reading" if yardstick else ""))


def synthetic(rows: int, quasi: int, path: Path) -> tuple[str, ...]:
    """A table with `quasi` columns of 2 to 30 000 values and a column of persons, two rows each."""
    generator = np.random.default_rng(1)
    spans = [30_000, 90, 2, 300, 16, 20_000, 5, 50, 12, 7, 400, 3, 31, 9, 150, 4, 60, 6, 25, 8]
    columns = {f"q{i}": generator.integers(0, spans[i % len(spans)], rows) for i in range(quasi)}
    frame = pl.DataFrame(columns | {"who": generator.integers(0, max(1, rows // 2), rows)})
    texts = [name for name in ("q0", "q3", "who") if name in frame.columns]
    frame = frame.with_columns(pl.concat_str(pl.lit("v"), pl.col(name).cast(pl.String)).alias(name) for name in texts)
    frame.write_parquet(path)
    return tuple(columns)


def speed(rows: int, quasi: int, *, unit: bool) -> None:
    """Every step of the risk figures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.parquet"
        names = synthetic(rows, quasi, path)
        frame = pl.scan_parquet(path)
        with timed("reading every column") as read:
            frame.select(pl.all().max()).collect(engine="streaming")
        with timed("counting classes", read[0]):
            classes = count_classes(frame, names, "who" if unit else None)
        say(f"{len(classes.rows)} classes of {rows} rows")
        with timed("numbering their values", read[0]):
            packed = Packed.of(classes.keys)
        with timed("contribution of every column", read[0]):
            for column in range(quasi):
                classes.smallest_on(packed, [other for other in range(quasi) if other != column])
        with timed("special uniques", read[0]):
            found = special_uniques(classes, packed=packed)
        say(f"complete up to {found.complete} columns")
        with timed("population uniques", read[0]):
            population_uniques(*classes.histogram(), rows * 100)
    say(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def adult(folder: Path) -> int:
    """Compare with the reference figures; the number of those that differ."""
    data = pl.read_csv(folder / "adult.csv", separator=";", infer_schema=False)
    wrong = []
    for width, (groups, alone, average, at_risk) in SAMPLE.items():
        for threshold, share in at_risk.items():
            found = input_risk(data.lazy(), "adult", SETS[width], None, Models(risk_threshold=threshold))
            got = (found.sizes.classes, found.sizes.unique_rows, found.exposure.average, found.exposure.at_risk)
            if got != (groups, alone, average, share):
                wrong.append(f"{width} quasi-identifiers, threshold {threshold}: {got}")
    for (width, population), (first, second, fraction) in POPULATION.items():
        sizes, classes = count_classes(data.lazy(), SETS[width], None).histogram()
        fitted = fit_pitman(sizes, classes)
        got_first, got_second = zayatz(sizes, classes, population), fitted.uniques(population) if fitted else float("nan")
        chosen = population_uniques(sizes, classes, population)[0].share
        same = abs(got_first - first) <= 0.06 and abs(got_second - second) <= 0.1 and abs(chosen - fraction) <= 1e-6
        if not same:
            wrong.append(f"{width} quasi-identifiers, population {population}: {got_first} {got_second} {chosen}")
    say("\n".join(wrong) or f"all {4 * len(SAMPLE) + len(POPULATION)} reference rows of Adult agree")
    return len(wrong)


if __name__ == "__main__":
    words = argparse.ArgumentParser(description="Speed and reference figures of the risk measures.")
    words.add_argument("--rows", type=int, default=1_000_000)
    words.add_argument("--quasi", type=int, default=8)
    words.add_argument("--unit", action="store_true", help="count persons, two rows each")
    words.add_argument("--adult", type=Path, help="folder with adult.csv: compare with the reference figures instead")
    given = words.parse_args()
    if given.adult:
        sys.exit(min(1, adult(given.adult)))
    speed(given.rows, given.quasi, unit=given.unit)

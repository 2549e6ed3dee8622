"""The lattice search against ARX, and its speed.

    python bench/anonymity.py --adult FOLDER     adult.csv and adult_hierarchy_*.csv from the ARX repository (data/)
    python bench/anonymity.py --rows 1000000 --quasi 8 [--k 5] [--limit 0.05]

The first compares every optimum with the published one (bench/adult_reference.py) and recomputes suppression, classes, discernibility
and loss from the labels, with nothing of the search. The second makes a table, writes it as Parquet and searches its lattice: wall
time, peak memory, and the time as a ratio to reading the file. On a shared machine only ratios mean something.
"""

from __future__ import annotations

import argparse
import math
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from adult_reference import ARITHMETIC, BOUNDARY, GEOMETRIC, RISKS, SECONDS, SENSITIVE

from tamis.models import Criteria
from tamis.search.lattice import WORK, Dimension, Found, Sensitive, Tuples, find_node

QUASI = ("sex", "age", "race", "marital-status", "education", "native-country", "workclass", "occupation")


class Adult:
    """The table, and its hierarchies as dimensions."""

    def __init__(self, folder: Path) -> None:
        self.table = pl.read_csv(folder / "adult.csv", separator=";", infer_schema=False)
        self.dimensions: dict[str, Dimension] = {}
        self.base: dict[str, np.ndarray] = {}
        for name in QUASI:
            rows = [line.split(";") for line in (folder / f"adult_hierarchy_{name}.csv").read_text().splitlines() if line]
            codes, penalties = [], []
            for labels in zip(*rows, strict=True):
                known = {label: code for code, label in enumerate(dict.fromkeys(labels))}
                code = np.array([known[label] for label in labels], dtype=np.int64)
                codes.append(code)
                penalties.append((np.bincount(code)[code] - 1) / (len(rows) - 1))
            place = {row[0]: code for code, row in enumerate(rows)}
            self.dimensions[name] = Dimension(name, tuple(codes), tuple(penalties))
            self.base[name] = np.array([place[value] for value in self.table[name]], dtype=np.int64)

    def tuples(self, names: tuple[str, ...], criteria: Criteria, sensitive: str | None = None) -> tuple[list[Dimension], Tuples]:
        """The distinct tuples of some quasi-identifiers, with the values of a sensitive column."""
        columns = {str(i): self.base[name] for i, name in enumerate(names)}
        if sensitive:
            columns["s"] = self.table[sensitive].rank("dense").cast(pl.Int64).to_numpy() - 1
        found = pl.DataFrame(columns).group_by(pl.all()).len("rows")
        secret = (Sensitive(found["s"].to_numpy()),) if sensitive else ()
        base = tuple(found[str(i)].to_numpy() for i in range(len(names)))
        return [self.dimensions[name] for name in names], Tuples(base, found["rows"].cast(pl.Int64).to_numpy(), criteria, sensitive=secret)

    def recomputed(
        self, names: tuple[str, ...], node: tuple[int, ...], criteria: Criteria, sensitive: str | None
    ) -> tuple[int, int, int, float, float]:
        """Suppressed, classes, discernibility, arithmetic and geometric loss of a node, from labels and by definition."""
        labels = {name: self.dimensions[name].codes[level][self.base[name]] for name, level in zip(names, node, strict=True)}
        frame = pl.DataFrame(labels).with_row_index("row")
        if sensitive:
            frame = frame.with_columns(self.table[sensitive].alias("secret"))
        n, keep = len(frame), pl.len() >= criteria.k
        if sensitive and criteria.l is not None and criteria.diversity == "distinct":
            keep &= pl.col("secret").n_unique() >= criteria.l
        groups = frame.group_by(list(names)).agg(keep.alias("keep"), pl.len().alias("size"), pl.col("row"))
        if sensitive and (criteria.t is not None or criteria.diversity != "distinct"):
            counts = frame.group_by([*names, "secret"]).len().group_by(list(names)).agg("secret", "len")
            groups = groups.join(counts, on=list(names))
            whole = dict(frame.group_by("secret").len().iter_rows())
            verdicts = [
                bool(keep) and _holds(criteria, dict(zip(secret, count, strict=True)), whole, n)
                for keep, secret, count in groups.select("keep", "secret", "len").iter_rows()
            ]
            groups = groups.with_columns(pl.Series("keep", verdicts))
        kept = groups.filter("keep")
        suppressed = n - int(kept["size"].sum())
        mask = np.zeros(n, dtype=bool)
        mask[kept.select(pl.col("row").explode())["row"].to_numpy()] = True
        losses = [
            (float(self.dimensions[name].penalties[level][self.base[name]][mask].sum()) + suppressed) / n
            for name, level in zip(names, node, strict=True)
        ]
        discernibility = int((kept["size"].cast(pl.Int64) ** 2).sum()) + suppressed * n
        return suppressed, len(kept), discernibility, float(np.mean(losses)), math.expm1(float(np.mean(np.log1p(losses))))


def _holds(criteria: Criteria, counts: dict[str, int], whole: dict[str, int], n: int) -> bool:
    size = sum(counts.values())
    if criteria.t is not None:
        return sum(max(0.0, count / size - whole[value] / n) for value, count in counts.items()) <= criteria.t + 1e-12
    if criteria.diversity == "entropy":
        return -sum(c / size * math.log(c / size) for c in counts.values()) >= math.log(criteria.l or 1) - 1e-12
    ordered = sorted(counts.values(), reverse=True)
    return ordered[0] < (criteria.c or 0) * sum(ordered[int(criteria.l or 1) - 1 :])


def compare(folder: Path) -> int:
    """Every published row; the number of those that differ."""
    adult, wrong, slow = Adult(folder), 0, {}
    cases: list[tuple[str, tuple[str, ...], Criteria, str | None, float, str, tuple[object, ...]]] = []
    for how, published in (("geometric", GEOMETRIC), ("arithmetic", ARITHMETIC)):
        cases += [(how, QUASI, Criteria(k), None, limit, node, rest) for k, limit, node, *rest in published]
    for secret, models, limit, node, *rest in SENSITIVE:
        names = tuple(name for name in QUASI if name != secret)
        cases.append(("geometric", names, Criteria(5, reference="input", **models), secret if models else None, limit, node, rest))
    for how, names, criteria, secret, limit, node, rest in cases:
        dimensions, tuples = adult.tuples(names, criteria, secret)
        start = time.perf_counter()
        found = find_node(dimensions, tuples, limit=limit, budget=WORK, loss=how)
        seconds = time.perf_counter() - start
        loss, suppressed, classes, discernibility = rest
        if criteria.diversity == "entropy" and (secret, limit, node, suppressed) == BOUNDARY[0]:
            loss, suppressed = BOUNDARY[1]
            classes, discernibility = classes + 1, discernibility + 6 * 6 - 6 * 30162
        again = adult.recomputed(names, found.node, criteria, secret)
        same = (
            "".join(map(str, found.node)) == node
            and found.complete
            and found.feasible
            and again[:3] == (suppressed, classes, discernibility)
        )
        same = same and found.suppressed == suppressed and abs(found.loss - again[3 if how == "arithmetic" else 4]) < 1e-9
        same = same and abs(found.loss - loss) <= 5.1e-7 and found.lower_bound == found.loss
        wrong += not same
        if how == "geometric" and secret is None and len(names) == 8 and (criteria.k, limit) in SECONDS:
            slow[(criteria.k, limit)] = min(timed(dimensions, tuples, limit) for _ in range(5))
        model = (
            f"k={criteria.k}"
            + (f" l={criteria.l:g} {criteria.diversity}" if criteria.l else "")
            + (f" t={criteria.t}" if criteria.t else "")
        )
        print(
            f"{'same' if same else 'DIFFERS':8}{how:11}{len(names)} columns  {model:24}{limit:5.0%}  {''.join(map(str, found.node)):9}"
            f"{found.loss:.9f} {found.suppressed:6} suppressed {again[1]:5} classes {found.checked:5} nodes {seconds * 1000:6.0f} ms"
            + _on_release(dimensions, tuples, criteria, limit, found)
        )
    for key, seconds in slow.items():
        ratio = SECONDS[key] / seconds
        print(f"k={key[0]}, {key[1]:.0%}: {seconds:.3f} s; ARX {SECONDS[key]} s (warm, at another moment): {ratio:.1f} times as fast")
    return wrong + risks(adult)


def timed(dimensions: list[Dimension], tuples: Tuples, limit: float) -> float:
    """Processor seconds of one search: it uses one processor, and others may be busy."""
    start = time.process_time()
    find_node(dimensions, tuples, limit=limit, budget=WORK, loss="geometric")
    return time.process_time() - start


def _on_release(dimensions: list[Dimension], tuples: Tuples, criteria: Criteria, limit: float, found: Found) -> str:
    """What differs when t must hold against the released distribution too: tamis's default."""
    if criteria.t is None:
        return ""
    strict = Tuples(tuples.base, tuples.rows, Criteria(criteria.k, t=criteria.t), sensitive=tuples.sensitive)
    other = find_node(dimensions, strict, limit=limit, budget=WORK, loss="geometric")
    if (other.node, other.suppressed) == (found.node, found.suppressed):
        return "; the same against the release"
    return f"; against the release {''.join(map(str, other.node))} {other.loss:.6f} {other.suppressed}"


def risks(adult: Adult) -> int:
    """Prosecutor risks of the original data."""
    wrong = 0
    for count, without, classes, uniques, lowest, average, above in RISKS:
        names = [name for name in QUASI if name not in without]
        sizes = pl.DataFrame({name: adult.base[name] for name in names}).group_by(pl.all()).len()["len"].to_numpy().astype(np.int64)
        n = int(sizes.sum())
        shares = [float(sizes[1 / sizes > threshold].sum()) / n for threshold in (0.05, 0.1, 0.2, 0.5)]
        figures = np.array([1 / sizes.max(), len(sizes) / n, *shares])
        same = len(sizes) == classes and int((sizes == 1).sum()) == uniques and np.allclose(figures, [lowest, average, *above], atol=6e-7)
        wrong += not same
        print(f"{'same' if same else 'DIFFERS':8}risks of {count} columns")
    return wrong


def synthetic(rows: int, quasi: int, k: int, limit: float, budget: int) -> None:
    """A table of skewed columns with halving ladders; searched, and read."""
    rng = np.random.default_rng(7)
    sizes = [(2, 8, 16, 64, 32, 100, 12, 5)[i % 8] for i in range(quasi)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        hidden = rng.integers(0, 50, rows)
        columns = {}
        for i, size in enumerate(sizes):
            drawn = (rng.beta(0.6, 2.0, rows) * size).astype(np.int64)
            columns[f"q{i}"] = pl.Series(np.where(rng.random(rows) < 0.5, (hidden * (i + 3)) % size, drawn).astype(np.int16))
        pl.DataFrame(columns).write_parquet(path)
        del columns, hidden
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start = time.perf_counter()
        pl.read_parquet(path)
        read = time.perf_counter() - start
        start = time.perf_counter()
        found = pl.scan_parquet(path).group_by(pl.all()).len("rows").collect(engine="streaming")
        grouped = time.perf_counter() - start
        tuples = Tuples(
            tuple(found[f"q{i}"].cast(pl.Int64).to_numpy() for i in range(quasi)), found["rows"].cast(pl.Int64).to_numpy(), Criteria(k)
        )
        distinct = len(found)
        del found
        start, worked = time.perf_counter(), time.process_time()
        best = find_node([_halving(f"q{i}", size) for i, size in enumerate(sizes)], tuples, limit=limit, budget=budget)
        searched, worked = time.perf_counter() - start, time.process_time() - worked
        nodes = math.prod(len(_halving("", size).codes) for size in sizes)
        print(
            f"{rows} rows, {quasi} columns, {distinct} tuples, {nodes:.2g} nodes, k={k}, {limit:.0%}: "
            f"read {read:.2f} s, tuples {grouped:.2f} s, "
            f"search {searched:.2f} s ({worked:.2f} s of processor, {searched / read:.1f} x reading), "
            f"{best.checked} nodes looked at, loss {best.loss:.6f} "
            f"(no less than {best.lower_bound:.6f}{', proven' if best.complete else ''}), {best.suppressed} suppressed, "
            f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB ({before:.0f} MB before)"
        )


def _halving(name: str, size: int) -> Dimension:
    codes, width = [], 1
    while width < 2 * size:
        codes.append(np.arange(size, dtype=np.int64) // width)
        width *= 2
    return Dimension(name, tuple(codes), tuple((np.bincount(code)[code] - 1) / max(1, size - 1) for code in codes))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adult", type=Path, help="folder with adult.csv and its hierarchies")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--quasi", type=int, default=8)
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--limit", type=float, default=0.05)
    parser.add_argument("--budget", type=int, default=WORK)
    stated = parser.parse_args()
    if stated.adult is not None:
        sys.exit(f"{wrong} differ" if (wrong := compare(stated.adult)) else None)
    synthetic(stated.rows, stated.quasi, stated.k, stated.limit, stated.budget)


if __name__ == "__main__":
    main()

"""A table's k, l and t by tamis and by pycanon, side by side."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tamis.verify.classes import count_classes
from tamis.verify.risk import table_risk
from tamis.verify.shapes import Models, Shape

SCRIPT = Path(__file__).with_name("pycanon_figures.py")
MISSING = "(missing)"


@dataclass(frozen=True)
class Case:
    """A table, its quasi-identifiers and its sensitive columns (without nulls where they are numbers)."""

    name: str
    frame: pl.DataFrame
    quasi: tuple[str, ...]
    sensitive: tuple[str, ...]


def pycanon_figures(python: Path, cases: Sequence[Case], folder: Path) -> list[dict]:
    """What pycanon says of each case."""
    specs = []
    for number, case in enumerate(cases):
        kinds = {name: "number" if case.frame.schema[name].is_numeric() else "text" for name in case.sensitive}
        texts = [name for name in (*case.quasi, *case.sensitive) if kinds.get(name) != "number"]
        table = case.frame.select(*case.quasi, *case.sensitive)
        table = table.with_columns(pl.col(name).cast(pl.String).fill_null(MISSING) for name in texts)
        table.write_csv(folder / f"{number}.csv", quote_style="always")
        specs.append({"file": str(folder / f"{number}.csv"), "quasi": list(case.quasi), "sensitive": kinds})
    spec = folder / "spec.json"
    spec.write_text(json.dumps(specs), encoding="utf-8")
    run = subprocess.run([python, SCRIPT, spec], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def tamis_figures(case: Case) -> dict:
    """The same by tamis, with pycanon's reading of whole entropy l and of c (see pycanon_figures.py)."""
    out: dict = {}
    for name in case.sensitive:
        ordered = case.frame.schema[name].is_numeric()
        shape = Shape("t", case.quasi, (name,), None, None, personal=True, references=())
        models = Models(distance="ordered" if ordered else "equal")
        found = {m.name: m.value for m in table_risk(case.frame.lazy(), shape, models).measures}
        out.setdefault("entropy", {})[name] = found["risk.l_entropy@t"]
        out["k"] = int(found["risk.k@t"])
        least = int(found["risk.l@t"])
        out[name] = {
            "l": least,
            "whole_entropy_l": math.floor(found["risk.l_entropy@t"] + 1e-5),
            "c_of_rarest": None if least < 2 else _c_of_rarest(case, name, least),
            "t": found["risk.t@t"] if case.frame[name].n_unique() > 1 else None,
        }
    return out


def _c_of_rarest(case: Case, name: str, least: int) -> int:
    """pycanon's c, from our classes: counts ascending."""
    counts = case.frame.group_by(*case.quasi, name).len().group_by(case.quasi).agg(pl.col("len").sort())
    assert counts.height == len(count_classes(case.frame.lazy(), case.quasi, None).rows)
    return max(math.floor(group[0] / sum(group[least - 1 :]) + 1) for group in counts["len"].to_list())


def differences(case: Case, ours: Mapping, theirs: Mapping) -> list[str]:
    """Figures that differ; empty when none does."""
    found = [] if ours["k"] == theirs["k"] else [f"{case.name}: k {ours['k']} against {theirs['k']}"]
    for column in case.sensitive:
        for word, value in ours[column].items():
            other = theirs[column][word]
            same = value == other or (word == "t" and value is not None and other is not None and abs(value - other) <= 2e-6)
            # A class whose entropy is a whole number: the last bit of the logarithms decides pycanon's cut.
            near = word == "whole_entropy_l" and value == other + 1 and abs(ours["entropy"][column] - value) < 1e-5
            if not same and not near:
                found.append(f"{case.name}.{column}: {word} {value} against {other}")
    return found

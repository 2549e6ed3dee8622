"""k, l and t of verify against pycanon (Sáinz-Pardo Díaz and López García 2022, Scientific Data 9:785) on a dozen tables."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from compared import Case, differences, pycanon_figures, tamis_figures

PYTHON = Path(os.environ.get("TAMIS_PYCANON") or Path(__file__).parents[2] / ".venv-crosscheck" / "bin" / "python")


def cases() -> list[Case]:
    """Twelve seeded tables: sizes, nulls, skewed and constant values, numbers and words, one class and many."""
    found = []
    for number in range(12):
        generator = np.random.default_rng(number)
        rows = (1, 7, 40, 200, 500, 1000)[number % 6]
        skew = (1.1, 1.6, 3.0)[number % 3]
        words = np.array(["flu", "cold", "HIV", "cancer", 'Ünïcode "x"', "a,b"])
        column = {
            "sex": generator.choice(["m", "f"], rows),
            "age band": generator.choice(["20-29", "30-39", "40-49", None], rows, p=[0.4, 0.3, 0.2, 0.1]).tolist(),
            "zip": generator.integers(0, 1 + number, rows),
            "illness": words[np.minimum(generator.zipf(skew, rows) - 1, len(words) - 1)],
            "stays": generator.integers(0, 2 + number, rows),
            "income": np.round(generator.lognormal(10, 1, rows), -3),
        }
        quasi = (("sex",), ("sex", "age band"), ("sex", "age band", "zip"))[number // 4]
        found.append(Case(f"table {number}", pl.DataFrame(column), quasi, ("illness", "stays", "income")))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON.is_file(), reason="pycanon has its own environment: make crosscheck")
def test_figures_equal_those_of_pycanon(tmp_path):
    """Same k, distinct l, entropy l and t; its c, with counts in its order."""
    tables = cases()
    theirs = pycanon_figures(PYTHON, tables, tmp_path)
    assert len(theirs) >= 10
    found = [line for case, other in zip(tables, theirs, strict=True) for line in differences(case, tamis_figures(case), other)]
    assert found == []

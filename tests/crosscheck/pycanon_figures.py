"""Runs where pycanon is installed (see requirements.txt): pycanon's figures of CSV tables, as JSON on standard output.

Usage: python pycanon_figures.py SPEC.json, with SPEC a list of {file, quasi, sensitive: {column: text|number}}. No tamis in here.

Where pycanon 1.3.6 and the papers differ, and what is done about it:
- It leaves out rows whose quasi-identifiers are missing (pandas groupby): the caller writes a word for a missing value.
- Entropy l is cut to a whole number.
- Recursive (c,l): counts are sorted ascending, so that its r_1 is the *rarest* value; the paper's is the commonest. Its c is
  reported under the name it deserves, `c_of_rarest`.
- t: numbers with the ordered distance over the values that occur, text with the equal distance; a number column of one value divides
  by zero, and is left out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
from pycanon.anonymity import entropy_l_diversity, k_anonymity, l_diversity, recursive_c_l_diversity, t_closeness


def figures(spec: dict) -> dict:
    """k of a table; per sensitive column the three kinds of l, and t."""
    kinds = {column: "float64" if kind == "number" else str for column, kind in spec["sensitive"].items()}
    data = pd.read_csv(spec["file"], dtype={**dict.fromkeys(spec["quasi"], str), **kinds}, keep_default_na=False)
    found: dict = {"k": int(k_anonymity(data, spec["quasi"]))}
    for column in spec["sensitive"]:
        least = int(l_diversity(data, spec["quasi"], [column]))
        rarest, _ = recursive_c_l_diversity(data, spec["quasi"], [column])
        found[column] = {
            "l": least,
            "whole_entropy_l": int(entropy_l_diversity(data, spec["quasi"], [column])),
            "c_of_rarest": None if least < 2 else int(rarest),
            "t": float(t_closeness(data, spec["quasi"], [column])) if data[column].nunique() > 1 else None,
        }
    return found


if __name__ == "__main__":
    specs = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.stdout.write(json.dumps([figures(spec) for spec in specs]))

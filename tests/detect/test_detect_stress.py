"""The invented tables of bench/detection: many domains, countries, scripts, legacy names, no headers, tables about things."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
from detect_frames import find

from tamis.rules import load_rules

BENCH = Path(__file__).resolve().parents[2] / "bench" / "detection"
RULES = load_rules([])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stress_dev", "stress_held", "stress_fresh", "stress_last", "stress_public2"])
def test_direct_identifiers_do_not_pass_and_things_stay_harmless(name, monkeypatch):
    """Of columns that identify a person hardly one is said to be none, and hardly one that does not is said to identify."""
    monkeypatch.syspath_prepend(str(BENCH))
    sys.modules.pop("stress", None)
    from stress import build

    tables, labels = build(BENCH / f"{name}.txt", rows=60)
    tally: Counter[tuple[str, str]] = Counter()
    for table, frame in tables.items():
        for (_, column), finding in find({table: frame}, rules=RULES).items():
            truth = labels[table]["columns"][column]
            if not truth["ambiguous"]:
                tally[truth["role"], str(finding.role)] += 1
    direct = sum(count for (truth, _), count in tally.items() if truth == "direct")
    alarms = sum(count for (truth, said), count in tally.items() if said == "direct" and truth not in ("direct", "quasi", "sensitive"))
    assert tally["direct", "none"] <= 0.04 * direct
    assert tally["direct", "direct"] >= 0.85 * direct
    assert alarms <= 0.05 * direct

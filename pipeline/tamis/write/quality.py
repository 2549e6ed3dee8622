"""The report's chapter on what the release is still good for, and on whether its proxies remember anybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tamis.core.actions import Fake, Synthesize
from tamis.core.plan import Plan, TablePlan
from tamis.core.record import Measure, Verdict
from tamis.write.wording import number, percent

_NONE = "–"
_DOUBT = 0.1
"""as the default gate"""
_ALIKE = (("pair_trends", "Pairs of columns: likeness"), ("correlation_delta", "Mean change of correlations"),
          ("mutual_information_delta", "Mean change of mutual information"))  # fmt: skip
_ROWS = (
    ("closer", "Closest original is in their own half of the rows", "50 %"),
    ("near_copies", "Closer to an original than 95 % of other originals", "5 %"),
    ("copies", "Equal to a combination of fewer than k originals", ""),
    ("distance_ratio", "Nearest over second nearest original (median)", ""),
)


def quality_views(plan: Plan, verdict: Verdict) -> list[dict[str, Any]]:
    """What the page shows of each table; tables without any such figure are left out. Aggregates only."""
    taken = {measure.name: measure for measure in verdict.measures}
    views = [_table_view(table, plan.target, taken) for table in plan.tables]
    return [view for view in views if view["alike"] or view["model"] or view["proxies"] or view["rows"]]


def _table_view(table: TablePlan, target: str | None, taken: Mapping[str, Measure]) -> dict[str, Any]:
    at = f"@{table.name}"
    alike = [(what, number(taken[f"utility.{word}{at}"].value)) for word, what in _ALIKE if f"utility.{word}{at}" in taken]
    rows = [
        (what, _figure(taken[f"memorization.{word}{at}"], share=word != "distance_ratio"), chance)
        for word, what, chance in _ROWS
        if f"memorization.{word}{at}" in taken
    ]
    proxies = [
        view
        for column in table.released
        if isinstance(column.action, Synthesize | Fake) and (view := _proxy_view(f"{at}.{column.name}", column.name, taken)) is not None
    ]
    return {"table": table.name, "alike": alike, "rows": rows, "proxies": proxies, "model": _model_view(at, target, taken)}


def _proxy_view(at: str, name: str, taken: Mapping[str, Measure]) -> dict[str, Any] | None:
    own, chance, excess = (taken.get(f"memorization.{word}{at}") for word in ("own", "own_chance", "own_excess"))
    if own is None or chance is None or excess is None:
        return None
    shape = taken.get(f"utility.column_shapes{at}")
    return {
        "column": name,
        "shape": _NONE if shape is None else number(shape.value),
        "own": _figure(own, share=True),
        "chance": percent(chance.value),
        "excess": percent(excess.value),
        "remembers": excess.value > _DOUBT,
    }


def _model_view(at: str, target: str | None, taken: Mapping[str, Measure]) -> dict[str, Any] | None:
    lost, original, release = (taken.get(f"utility.downstream{word}{at}") for word in ("", "_original", "_release"))
    if lost is None or original is None or release is None:
        return None
    return {
        "target": (target or "").removeprefix(f"{at[1:]}."),
        "lost": _figure(lost, share=False),
        "scores": [("Originals", _figure(original, share=False), original.note), ("Release", _figure(release, share=False), release.note)],
        "of": number(lost.of or 0),
    }


def _figure(measure: Measure, *, share: bool) -> str:
    shown = percent if share else number
    text = shown(measure.value)
    if measure.low is None or measure.high is None:
        return text
    return f"{text} ({shown(measure.low)} to {shown(measure.high)})"

"""The report's part on simulated attacks."""

from __future__ import annotations

from typing import Any

from tamis.core.record import Measure, Verdict

_WORDS = {
    "linkage": "Points at a person's row, knowing quasi-identifiers",
    "linkage_all": "The same, knowing every released column",
    "singling_out": "Singles a person out by quasi-identifiers",
    "singling_out_all": "Singles a person out by any released columns",
    "linkability": "Joins two halves of a person's record",
    "inference": "Guesses a sensitive column",
    "membership": "Tells who is in the release, by distance",
    "membership_model": "Tells who is in the release, by a model trained on it",
    "membership_model_original": "The same, by a model trained on the originals",
    "inversion": "Inverts a model trained on the release",
    "inversion_original": "Inverts a model trained on the originals",
    "order": "Links rows by their place",
    "order_declared": "Links rows by their place (order kept on purpose)",
}


def attack_views(verdict: Verdict) -> dict[str, Any] | None:
    """Figures by table, in the order they were taken; None where no attack was tried or refused."""
    measures = [measure for measure in verdict.measures if measure.name.startswith("attack.")]
    if not measures:
        return None
    forbidden = any(measure.name == "attack.run" and not measure.value for measure in measures)
    bounds = {result.gate.measure: result.gate.max for result in verdict.gates if result.gate.max is not None}
    tables: dict[str, list[dict[str, Any]]] = {}
    for measure in measures:
        family, _, where = measure.name.partition("@")
        if where:
            table, _, column = where.partition(".")
            bound = bounds.get(measure.name, bounds.get(f"{family}@{table}", bounds.get(family)))
            tables.setdefault(table, []).append(_view(measure, family, column, bound))
    return {"forbidden": forbidden, "tables": list(tables.items())}


def _view(measure: Measure, family: str, column: str, bound: float | None) -> dict[str, Any]:
    """One line; a figure above the bound of its gate is marked, also where another table's is worse and was judged. None: no gate."""
    between = "" if measure.low is None or measure.high is None else f"{measure.low:.3f} to {measure.high:.3f}"
    return {
        "what": _WORDS.get(family.removeprefix("attack."), family),
        "column": column,
        "value": f"{measure.value:.3f}",
        "between": between,
        "of": measure.of or "",
        "note": measure.note,
        "mark": "" if bound is None else "warns" if measure.value > bound else "ok",
    }

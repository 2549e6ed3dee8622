"""The risk chapter of the pages: before and after side by side, what each column adds, and what estimates rest on."""

from __future__ import annotations

from typing import Any

from tamis.core.exposed import population_sentence, ranked_columns
from tamis.core.types import Exposure
from tamis.write.wording import number, percent

_NONE = "–"


def exposure_view(before: Exposure | None, after: Exposure | None, k: int) -> dict[str, Any] | None:
    """What the page shows of one table; None where there is nothing to show. Shares of fewer than k persons read '<k'."""
    named = before or after
    if named is None:
        return None
    size = named.special_size
    figures = [
        ("Highest risk of a person, if the attacker knows that the person is in the data", "highest", False),
        ("Average risk of a person", "average", False),
        (f"Persons whose risk is above {percent(named.threshold)}", "at_risk", True),
        ("Persons alone in their group", "unique", True),
        ("Right matches to expect if somebody matches everybody", "marketer", False),
        (f"Persons told apart by {size} columns or fewer" if size > 1 else "Persons told apart by one column", "special", True),
    ]
    if named.population and named.population[0].basis == "counted":
        figures[3:3] = [
            ("Highest risk, if the attacker does not know who is in the data", "journalist_highest", False),
            (f"Persons whose risk is then above {percent(named.threshold)}", "journalist_at_risk", True),
        ]
    return {
        "threshold": percent(named.threshold),
        "unit": named.unit,
        "figures": [(what, *(_figure(one, word, k, people=people) for one in (before, after))) for what, word, people in figures],
        "columns": _column_views(before, after),
        "population": [population_sentence(found) for found in (before.population if before else ())],
        "population_after": [population_sentence(found) for found in (after.population[:1] if after else ())],
        "cut": [_cut(one, when) for one, when in ((before, "before"), (after, "after")) if one and one.special_complete < one.special_size],
        "dis": (percent(before.dis), percent(before.dis_highest)) if before and before.dis and _sampled(before) else None,
    }


def _sampled(exposure: Exposure) -> bool:
    """Whether somebody said what the data are a sample of: without that every match on a unique row is right by assumption."""
    return bool(exposure.population) and exposure.population[0].basis in {"stated", "counted"}


def _figure(exposure: Exposure | None, word: str, k: int, *, people: bool) -> str:
    if exposure is None:
        return _NONE
    value = float(getattr(exposure, word))
    persons = value * exposure.persons
    return f"<{k}" if people and 0 < persons < k - 1e-6 else percent(value)


def _column_views(before: Exposure | None, after: Exposure | None) -> list[dict[str, str]]:
    """Per quasi-identifier the risk without it; the column whose loss would help most comes first."""
    then = {column.column: column for column in (after.columns if after else ())}
    first = before or after
    views = []
    for column in ranked_columns(first) if first else ():
        old = column if before else None
        new = then.get(column.column)
        views.append(
            {
                "name": column.column,
                "highest_before": _moved(before.highest, old.highest) if before and old else _NONE,
                "average_before": _moved(before.average, old.average) if before and old else _NONE,
                "special_before": percent(old.special) if old else _NONE,
                "highest_after": _moved(after.highest, new.highest) if after and new else _NONE,
                "average_after": _moved(after.average, new.average) if after and new else _NONE,
            }
        )
    return views


def _moved(whole: float, without: float) -> str:
    return f"stays {percent(whole)}" if without >= whole else f"{percent(whole)} → {percent(without)}"


def _cut(exposure: Exposure, when: str) -> str:
    return (
        f"Combinations of columns {when}: the search was cut by its budget. All combinations of up to {number(exposure.special_complete)} "
        f"columns were looked at, of {number(exposure.special_size)} that were asked for; the share shown is a lower bound."
    )

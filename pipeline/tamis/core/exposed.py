"""Re-identification risk in words, for people who decide: what is at stake, and which column puts it there."""

from __future__ import annotations

from collections.abc import Iterator

from tamis.core.errors import clean_name
from tamis.core.types import ColumnRisk, Exposure, PopulationUniques

_MOST_COLUMNS = 3


def exposure_sentences(exposure: Exposure) -> Iterator[str]:
    """The risk of one table before anything is done; shares only."""
    who = f"persons (by {clean_name(exposure.unit, 40)})" if exposure.unit is not None else "rows"
    if not exposure.persons:
        return
    yield (
        f"An attacker who knows a target's quasi-identifiers finds the right one of {who} with probability up to "
        f"{_share(exposure.highest)}, on average {_share(exposure.average)}; {_share(exposure.unique)} are alone in their group, "
        f"{_share(exposure.at_risk)} have a risk above {_share(exposure.threshold)}."
    )
    for column in ranked_columns(exposure)[:_MOST_COLUMNS]:
        yield (
            f"Without {clean_name(column.column, 40)} the highest risk {_moves(exposure.highest, column.highest)} and the average risk "
            f"{_moves(exposure.average, column.average)}."
        )
    if exposure.special:
        cut = "" if exposure.special_complete >= exposure.special_size else f" (looked at up to {exposure.special_complete} columns)"
        yield f"{_share(exposure.special)} are told apart by at most {exposure.special_size} columns{cut}."
    for found in exposure.population:
        yield population_sentence(found)


def ranked_columns(exposure: Exposure) -> list[ColumnRisk]:
    """Columns that add most first: by the fall of the highest risk, then of the average."""
    return sorted(exposure.columns, key=lambda column: (column.highest, column.average, column.column))


def population_sentence(found: PopulationUniques) -> str:
    """How many are alone in the population, by which model, under which assumption."""
    match found.basis:
        case "counted":
            return f"{_share(found.share)} are alone in the declared population as well (counted)."
        case "sample":
            return (
                f"Taken for the whole population, {_share(found.share)} are alone in it; state privacy.population_size if it is a sample."
            )
        case "stated":
            assumption = f"a random sample of {found.size} persons"
        case _:
            assumption = f"a random sample of {found.size} persons (an assumption)"
    if found.method == "sample":
        return f"{_share(found.share)} are alone: the stated population is no larger than the data."
    model = {"pitman": "Pitman's model", "zayatz": "Zayatz' model"}[found.method]
    return f"If the data are {assumption}, {_share(found.share)} of that population are alone ({model})."


def _moves(before: float, after: float) -> str:
    return f"stays {_share(before)}" if after >= before else f"falls from {_share(before)} to {_share(after)}"


def _share(value: float) -> str:
    if 0 < value < 0.001:
        return "less than 0.1 %"
    return f"{value * 100:.1f}".removesuffix(".0") + " %"

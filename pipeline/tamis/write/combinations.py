"""The report's part on column sets that single people out in the input."""

from __future__ import annotations

from typing import Any

from tamis.core.types import QuasiSearch, QuasiSet
from tamis.write.wording import count, percent

_MOST = 12


def combinations_view(search: QuasiSearch | None, k: int) -> dict[str, Any] | None:
    """What the page shows of one table; None where there was no search. Fewer than k persons read '<k'."""
    if search is None or not search.candidates:
        return None
    return {
        "who": "persons" if search.unit else "rows",
        "persons": count(search.persons, k),
        "k": search.k,
        "share": percent(search.share),
        "statement": search.statement,
        "sets": [_set_view(one, search.persons, k) for one in search.sets[:_MOST]],
        "more": max(0, search.found - _MOST),
        "left_out": list(search.left_out.items()),
    }


def _set_view(one: QuasiSet, persons: int, k: int) -> dict[str, Any]:
    return {
        "quasi": one.columns[: one.quasi],
        "known": one.columns[one.quasi :],
        "below": _share(one.below_k, persons, k),
        "unique": _share(one.unique, persons, k),
        "combinations": count(one.combinations, k),
        "risk": percent(one.highest_risk),
    }


def _share(share: float, persons: int, k: int) -> str:
    """A share of persons; '<k' where so few are meant that the figure would point at them."""
    return f"<{k}" if 0 < round(share * persons) < k else percent(share)

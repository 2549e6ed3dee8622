"""Laws of the report's part on column sets that single people out."""

from __future__ import annotations

from tamis.core.types import QuasiSearch, QuasiSet
from tamis.write.combinations import combinations_view


def one(columns: tuple[str, ...], below: float, unique: float) -> QuasiSet:
    """A set of which only the first column is a quasi-identifier."""
    return QuasiSet(columns=columns, quasi=1, below_k=below, unique=unique, combinations=40, distinct_ratio=0.4, highest_risk=1.0)


def test_sets_are_shown_with_their_parts_and_small_counts_are_not() -> None:
    """Quasi-identifiers apart from what could be known; a share of fewer than k persons reads '<k'; the search says how far it went."""
    sets = (one(("zip", "job"), 0.3, 0.002), *(one((f"c{i}", "x"), 0.2, 0.1) for i in range(14)))
    search = QuasiSearch(
        table="t", unit="id", persons=1000, k=5, share=0.05, sets=sets, found=20, candidates=("zip", "job"), left_out={"constant": ("a",)}
    )
    view = combinations_view(search, 5)
    assert view is not None
    assert (view["sets"][0]["quasi"], view["sets"][0]["known"]) == (("zip",), ("job",))
    assert view["sets"][0]["unique"] == "<5"
    assert view["more"] == 20 - len(view["sets"])
    assert view["statement"].startswith("complete")
    assert view["left_out"] == [("constant", ("a",))]


def test_nothing_is_shown_without_a_search() -> None:
    """A table without columns that could be known has no such part."""
    assert combinations_view(None, 5) is None
    assert combinations_view(QuasiSearch(table="t", unit=None, persons=0, k=5, share=0.05), 5) is None

"""What equal tokens join: tables that share a pseudonym domain, and live releases with stable pseudonyms."""

from __future__ import annotations

from collections import Counter, defaultdict

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.verify.joined import joined_risk, joined_roots
from tamis.verify.releases import LiveRelease, releases_risk, stable_tables
from tamis.verify.shapes import Shape

rows = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["x", "y", None])), max_size=15)


def frame_of(drawn: list) -> pl.LazyFrame:
    """Tokens and one quasi-identifier."""
    return pl.DataFrame([(f"t{p}", q) for p, q in drawn], schema={"id": pl.String, "q": pl.String}, orient="row").lazy()


def shape(name: str, *, stable: bool = False, unit: str | None = None) -> Shape:
    """A table with tokens of the domain `person`."""
    linked = (("id", "person"),)
    return Shape(name, ("q",), (), unit, None, personal=True, references=(), domains=linked, stable=linked if stable else ())


def sets_of(drawn: list) -> dict[int, frozenset]:
    """Person to the set of quasi-identifiers of the person's rows."""
    found: dict[int, set] = defaultdict(set)
    for person, q in drawn:
        found[person].add(q)
    return {person: frozenset(values) for person, values in found.items()}


@settings(max_examples=40, deadline=None)
@given(visits=rows, orders=rows)
def test_tables_of_one_domain_are_joined(visits, orders):
    """Without a declared reference, the person's record is the pair of sets behind equal tokens."""
    shapes = {"v": shape("v"), "o": shape("o")}
    assert joined_roots(shapes) == ("v",)
    (measure,) = joined_risk({"v": frame_of(visits), "o": frame_of(orders)}, shapes)
    mine, theirs = sets_of(visits), sets_of(orders)
    records = Counter((mine[person], theirs.get(person)) for person in mine)
    assert measure.name == "risk.k_joined@v"
    assert measure.value == min(records.values(), default=0)
    assert measure.of == len(mine)


def test_declared_references_need_no_hub():
    """Where references connect a domain nothing is added, and other domains do not join."""
    child = Shape("o", ("q",), (), None, None, personal=False, references=(("id", "v", "id"),), domains=(("id", "person"),))
    assert joined_roots({"v": shape("v"), "o": child}) == ("v",)
    other = Shape("o", ("q",), (), None, None, personal=False, references=(), domains=(("id", "order"),))
    assert joined_roots({"v": shape("v"), "o": other}) == ()


def test_the_table_that_names_persons_is_the_hub():
    """A declared unit wins over the order of the tables."""
    assert joined_roots({"o": shape("o"), "v": shape("v", unit="id")}) == ("v",)


@settings(max_examples=40, deadline=None)
@given(now=rows, before=rows)
def test_releases_are_joined_by_stable_tokens(now, before):
    """k over releases counts tokens of all of them with equal sets in each; absence is a set of its own."""
    shapes = {"v": shape("v", stable=True)}
    assert stable_tables(shapes) == ("v",)
    old = LiveRelease("old", shapes, {"v": frame_of(before)})
    (measure,) = releases_risk({"v": frame_of(now)}, shapes, [old])
    mine, theirs = sets_of(now), sets_of(before)
    records = Counter((mine.get(person), theirs.get(person)) for person in mine.keys() | theirs.keys())
    assert measure.value == min(records.values(), default=0)
    assert measure.internal


def test_two_recodings_reveal_together_what_neither_does():
    """Two 2-anonymous releases of the same persons single everybody out (composition)."""
    shapes = {"v": shape("v", stable=True)}
    one = [(0, "a"), (1, "a"), (2, "b"), (3, "b")]
    two = [(0, "a"), (1, "b"), (2, "a"), (3, "b")]
    alone = releases_risk({"v": frame_of(one)}, shapes, [])[0].value
    both = releases_risk({"v": frame_of(one)}, shapes, [LiveRelease("two", shapes, {"v": frame_of(two)})])[0].value
    assert (alone, both) == (2, 1)


def test_a_newcomer_is_told_by_difference():
    """Whoever appears alone between two nights is alone, whatever the class of today."""
    shapes = {"v": shape("v", stable=True)}
    night = [(0, "a"), (1, "a")]
    (measure,) = releases_risk({"v": frame_of([*night, (2, "a")])}, shapes, [LiveRelease("old", shapes, {"v": frame_of(night)})])
    assert measure.value == 1


def test_release_scope_joins_no_release():
    """Tokens of one release only are not joined to others."""
    assert releases_risk({"v": frame_of([(0, "a")])}, {"v": shape("v")}, []) == ()

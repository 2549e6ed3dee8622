"""Laws of foreign-key candidates."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profile_tools import shuffled, table_of

from tamis.core.types import ForeignKey
from tamis.profile import profile_tables
from tamis.profile.limits import Limits
from tamis.profile.references import _named, find_foreign_keys
from tamis.profile.tables import profile_table

CUSTOMERS = pl.DataFrame({"customer_id": range(1, 101), "rank": range(100), "email": [f"p{i}@example.org" for i in range(100)]})
ORDERS = pl.DataFrame(
    {"order_id": range(1, 301), "customer_id": [i * 7 % 100 + 1 for i in range(300)], "rating": [i % 5 + 1 for i in range(300)]}
)


def found(*frames: tuple[str, pl.DataFrame], limits: Limits | None = None) -> list[tuple[str, str]]:
    """Foreign keys as ('orders.customer_id', 'customers.customer_id')."""
    tables = [table_of(frame, name) for name, frame in frames]
    bounds = limits or Limits()
    keys, _ = find_foreign_keys(tables, [profile_table(t, k=2, limits=bounds) for t in tables], bounds)
    return [(f"{key.table}.{key.column}", f"{key.parent_table}.{key.parent_column}") for key in keys]


def test_a_shared_name_and_contained_values_are_a_reference() -> None:
    """The child refers to the parent's key, in either order of tables; small integers of other columns do not."""
    expected = [("orders.customer_id", "customers.customer_id")]
    assert found(("customers", CUSTOMERS), ("orders", ORDERS)) == expected
    assert found(("orders", ORDERS), ("customers", CUSTOMERS)) == expected


def test_small_integers_are_no_reference_by_accident() -> None:
    """Ratings 1 to 5 and serial numbers of two tables are contained in each other and mean nothing."""
    parents = CUSTOMERS.rename({"customer_id": "id"})
    assert found(("customers", parents), ("visits", pl.DataFrame({"id": range(1, 51), "customer_rating": [1, 2, 3, 4, 5] * 10}))) == []


def test_distinctive_values_are_a_reference_under_any_name() -> None:
    """Long texts and sparse integers refer whatever they are called; short texts do not."""
    sparse = [i * i * 7919 + 10_000 for i in range(100)]
    parents = pl.DataFrame({"code": [f"SKU-{i:05d}" for i in range(100)], "big": sparse, "short": [f"{i:02d}" for i in range(100)]})
    children = pl.DataFrame(
        {
            "what": [f"SKU-{i % 40:05d}" for i in range(80)],
            "num": [sparse[i % 30] for i in range(80)],
            "kurz": [f"{i % 40:02d}" for i in range(80)],
        }
    )
    assert found(("p", parents), ("c", children)) == [("c.what", "p.code"), ("c.num", "p.big")]


def test_keys_of_different_things_are_no_reference() -> None:
    """Two tables that number their rows by one scheme do not refer to each other; repeated values do."""
    ids = [f"AAAA{i:08d}" for i in range(60)]
    parents = pl.DataFrame({"customer_id": ids})
    assert found(("customers", parents), ("addresses", pl.DataFrame({"address_id": ids[:50]}))) == []
    assert found(("customers", parents), ("sales", pl.DataFrame({"buyer_id": ids[:20] * 4}))) == [
        ("sales.buyer_id", "customers.customer_id")
    ]


def test_types_must_agree() -> None:
    """Text digits are not integers: '1' refers to nothing that is called 1."""
    assert found(("customers", CUSTOMERS), ("orders", ORDERS.with_columns(pl.col("customer_id").cast(pl.String)))) == []


@pytest.mark.parametrize(("strangers", "expected"), [(0, True), (1, True), (3, False)])
def test_containment_has_a_threshold(strangers: int, expected: bool) -> None:
    """At least 95 % of the distinct values must be known to the parent; nulls do not count."""
    values = [*range(1, 21), *range(1000, 1000 + strangers), None]
    children = pl.DataFrame({"customer_id": pl.Series(values * 2, dtype=pl.Int64)})
    assert bool(found(("customers", CUSTOMERS), ("orders", children))) == expected


def test_two_keys_of_one_domain_refer_one_way() -> None:
    """One-to-one tables do not refer to each other in a circle: the later one refers."""
    other = pl.DataFrame({"customer_id": range(1, 101)})
    assert found(("customers", CUSTOMERS), ("details", other)) == [("details.customer_id", "customers.customer_id")]
    assert found(("details", other), ("customers", CUSTOMERS)) == [("customers.customer_id", "details.customer_id")]


def test_a_column_gets_one_parent() -> None:
    """Of several parents the one whose table is named in the child's name."""
    keys = found(("archive", CUSTOMERS.select("customer_id")), ("customers", CUSTOMERS.select("customer_id")), ("orders", ORDERS))
    assert ("orders.customer_id", "customers.customer_id") in keys
    assert len([child for child, _ in keys if child == "orders.customer_id"]) == 1


def test_many_values_are_compared_on_a_sample_of_values() -> None:
    """Past the bound both sides are thinned alike, so containment stays what it is."""
    parents = pl.DataFrame({"person_id": range(0, 40_000, 2)})
    inside, outside = pl.DataFrame({"person_id": range(0, 30_000, 2)}), pl.DataFrame({"person_id": range(0, 30_000, 1)})
    limits = Limits(reference_values=1_000)
    assert found(("persons", parents), ("visits", inside), limits=limits) == [("visits.person_id", "persons.person_id")]
    assert found(("persons", parents), ("visits", outside), limits=limits) == []


def test_profiles_of_datasets_do_not_depend_on_the_order_of_rows() -> None:
    """A dataset of shuffled tables has an equal profile, foreign keys with their share included."""
    plain = profile_tables([table_of(CUSTOMERS, "customers"), table_of(ORDERS, "orders")], k=5)
    mixed = profile_tables([table_of(shuffled(CUSTOMERS, 1), "customers"), table_of(shuffled(ORDERS, 2), "orders")], k=5)
    assert mixed == plain
    assert plain.foreign_keys == (
        ForeignKey(table="orders", column="customer_id", parent_table="customers", parent_column="customer_id", contained=1.0, covered=1.0),
    )


NAMES = [
    ("customer_id", "id", "customers", True),
    ("customerId", "ID", "customer", True),
    ("billing_customer_id", "customer_id", "clients", True),
    ("customer", "id", "customers", True),
    ("customer_rating", "id", "customers", False),
    ("customer_rating", "customer_id", "customers", False),
    ("id", "id", "customers", False),
    ("category_no", "id", "categories", True),
    ("kundennr", "kundennr", "kunden", True),
    ("größe_id", "größe_id", "t", True),
    ("", "", "", False),
    ("o_custkey", "c_custkey", "customer", True),
    ("ss_item_sk", "i_item_sk", "item", True),
    ("ss_item_sk", "i_category_sk", "item", False),
    ("rownames", "rownames", "people", False),
    ("playerID", "playerID", "people", True),
    ("playerid", "player_id", "people", True),
    ("a.b c", "c", "t", True),
]


@pytest.mark.parametrize(("child", "parent", "table", "expected"), NAMES)
def test_names_that_refer(child: str, parent: str, table: str, expected: bool) -> None:
    """The documented rule of names, on names as people write them."""
    assert _named(child, parent, table) == expected


@given(child=st.text(), parent=st.text(), table=st.text())
def test_no_name_is_too_hostile(child: str, parent: str, table: str) -> None:
    """Any three texts can be judged."""
    assert _named(child, parent, table) in (True, False)


def test_hostile_column_names_can_refer() -> None:
    """Names that polars would read as patterns are compared as they are."""
    name = "^person.*id$"
    parents = pl.DataFrame({name: range(50), "person x id": [0] * 50})
    assert found(("persons", parents), ("visits", pl.DataFrame({name: [1, 2, 3] * 4}))) == [(f"visits.{name}", f"persons.{name}")]

"""The leak scan: planted leaks scream, clean data and chance do not."""

from __future__ import annotations

import random

import polars as pl
import pytest
from verify_made import plan_of, table, table_plan

from tamis.core.actions import Drop, Fake, Keep, Pseudonymize, Redact
from tamis.core.types import Role
from tamis.verify.leak import scan_leaks

N = 200
WORDS = ["amber", "birch", "cedar", "delta", "ember", "frost", "grove", "haven", "ivory", "jasper", "karst", "lumen", "maple", "nimbus"]


def people() -> pl.DataFrame:
    """Invented people, all different."""
    chance = random.Random(5)
    first = [chance.choice(WORDS).title() + chance.choice(WORDS) for _ in range(N)]
    last = [chance.choice(WORDS).title() + chance.choice(WORDS) + f"{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(N)]
    return pl.DataFrame(
        {
            "name": [f"{a} {b}" for a, b in zip(first, last, strict=True)],
            "email": [f"{a}.{b}@example.org".lower() for a, b in zip(first, last, strict=True)],
            "phone": [f"+1 (415) {chance.randint(200, 999)}-{chance.randint(1000, 9999)}" for _ in range(N)],
            "comment": [f"called about item {i}" for i in range(N)],
            "a ref.<": [f"R{i}" for i in range(N)],
            "n": list(range(N)),
        }
    )


def scan(after: pl.DataFrame, **actions: object) -> dict[str, float]:
    """Measures of a release in which the direct columns were dropped unless said otherwise."""
    before = people()
    what = {c: (actions.get(c, Drop()), Role.DIRECT) for c in ("name", "email", "phone")}
    what |= {c: (actions.get(c, Redact() if c == "comment" else Keep()), Role.NONE) for c in ("comment", "a ref.<", "n")}
    found = scan_leaks({"t": table("t", before)}, {"t": after.lazy()}, plan_of(table_plan("t", before, what)))
    return {m.name: m.value for m in found}


def test_clean_data_pass():
    """Nothing is found where nothing was left."""
    found = scan(people().select("comment", "a ref.<", "n"))
    assert found["leak.cells"] == 0
    assert found["leak.cells@t.comment"] == found["leak.cells@t.a ref.<"] == 0


@pytest.mark.parametrize(
    "planted",
    [
        pl.col("name"),
        pl.col("name").str.to_uppercase(),
        pl.format("please call {} back!", "name"),
        pl.format("mail to <{}>, thanks", "email"),
        pl.col("email").str.extract("^([^@]+)"),
        pl.format("id {}", pl.col("phone").str.replace_all("[^0-9]", "")),
        pl.format("try {} at night", pl.col("phone").str.replace_all("[^0-9]", "").str.slice(1)),
        pl.format("tel. {}.", "phone"),
    ],
)
@pytest.mark.parametrize("rows", [1, N])
def test_planted_originals_scream(planted, rows):
    """An identifier in a released column is found whole, in a sentence, as a local part and as digits; one row is enough."""
    comment = pl.when(pl.int_range(pl.len()) < rows).then(planted).otherwise("comment").alias("comment")
    found = scan(people().select(comment, "a ref.<", "n"))
    assert found["leak.cells@t.comment"] >= rows
    assert found["leak.cells"] >= rows
    assert found["leak.cells@t.a ref.<"] == 0


def test_a_copy_kept_under_another_name_screams():
    """A column a person kept without knowing that it is a copy of an identifier is a leak, not a coincidence."""
    found = scan(people().select("comment", pl.col("name").alias("a ref.<"), "n"))
    assert found["leak.cells@t.a ref.<"] == N


def test_an_action_that_did_nothing_screams():
    """Originals where pseudonyms, or fakes, were promised."""
    token = Pseudonymize(domain="d")
    assert scan(people().select("name", "comment", "a ref.<", "n"), name=token)["leak.cells@t.name"] == N
    assert scan(people().select("name", "comment", "a ref.<", "n"), name=Fake(kind="person_name"))["leak.cells@t.name"] == N


def test_fakes_that_coincide_do_not_fail():
    """A fake that is by chance another person's name is counted apart."""
    names = people()["name"]
    fakes = pl.Series("name", [names[i * 7 % N] if i % 10 == 0 else f"Ruby Marsh{i}" for i in range(N)])
    found = scan(people().select(fakes, "comment", "a ref.<", "n"), name=Fake(kind="person_name"))
    assert found["leak.cells"] == 0
    assert found["leak.chance"] == N // 10


def test_values_a_person_released_are_not_leaks():
    """A word that also stands in a kept column may occur anywhere."""
    named = people()["name"][0]
    after = people().select(pl.lit(f"about {named}").alias("comment"), pl.when(pl.col("n") == 3).then(pl.lit(named)).alias("a ref.<"), "n")
    assert scan(after)["leak.cells"] == 0


@pytest.mark.parametrize(
    "values",
    [[f"A{i}" for i in range(N)], [str(100_000_000 + i) for i in range(N)], ["anonymous customer"] * N, [None] * N, ["0000000000"] * N],
)
def test_short_dense_and_common_values_are_counted_apart(values):
    """What coincides by chance, and what all rows share, is no needle."""
    before = pl.DataFrame({"id": values, "x": values}, schema={"id": pl.String, "x": pl.String})
    plan = plan_of(table_plan("t", before, {"id": (Drop(), Role.DIRECT), "x": (Redact(), Role.NONE)}))
    found = {m.name: m.value for m in scan_leaks({"t": table("t", before)}, {"t": before.select("x").lazy()}, plan)}
    assert found["leak.cells"] == 0
    assert found["leak.short"] == before["id"].drop_nulls().n_unique()


def test_names_of_other_scripts_are_distinctive():
    """Three Han characters carry as much as seven Latin letters."""
    before = pl.DataFrame({"id": ["王秀英", "Ольга Петрова"], "x": ["a", "b"]})
    plan = plan_of(table_plan("t", before, {"id": (Drop(), Role.DIRECT), "x": (Redact(), Role.NONE)}))
    after = pl.DataFrame({"x": ["王秀英", "от: ОЛЬГА ПЕТРОВА."]})
    found = {m.name: m.value for m in scan_leaks({"t": table("t", before)}, {"t": after.lazy()}, plan)}
    assert found["leak.cells"] == 2


def test_other_tables_are_searched():
    """An original of one table in a column of another is a leak."""
    before = {"a": pl.DataFrame({"ssn": ["219-09-9999", "078-05-1120"]}), "b": pl.DataFrame({"note": ["x", "y"]})}
    plan = plan_of(
        table_plan("a", before["a"], {"ssn": (Pseudonymize(domain="s"), Role.DIRECT)}),
        table_plan("b", before["b"], {"note": (Redact(), Role.NONE)}),
    )
    after = {"a": pl.LazyFrame({"ssn": ["a" * 26, "b" * 26]}), "b": pl.LazyFrame({"note": ["her number is 078051120", "y"]})}
    found = {m.name: m.value for m in scan_leaks({n: table(n, f) for n, f in before.items()}, after, plan)}
    assert found["leak.cells@b.note"] == 1
    assert found["leak.cells@a.ssn"] == 0


def test_a_token_that_was_an_original_screams():
    """Cells of a pseudonymized column that look like tokens are searched as soon as originals look like them."""
    ids = [f"{chr(97 + i % 26)}{chr(97 + i // 26)}" * 12 + "xq" for i in range(N)]
    before = pl.DataFrame({"id": ids, "x": ["a"] * N})
    plan = plan_of(table_plan("t", before, {"id": (Pseudonymize(domain="d"), Role.DIRECT), "x": (Keep(), Role.NONE)}))
    found = {m.name: m.value for m in scan_leaks({"t": table("t", before)}, {"t": before.lazy()}, plan)}
    assert found["leak.cells@t.id"] == N


@pytest.mark.parametrize(("held", "keywords", "rows"), [(0, 1_000, 250_000), (16_000_000, 0, 250_000), (0, 0, 7)])
def test_no_bound_on_memory_changes_a_figure(monkeypatch, held, keywords, rows):
    """Forms that are not held, words that are too many and small batches give the same measures."""
    names = people()["name"]
    comment = pl.when(pl.int_range(pl.len()) < 9).then(pl.format("call {} or ÉMILE", "name")).otherwise("comment").alias("comment")
    fakes = pl.Series("name", [names[i * 7 % N] if i % 10 == 0 else f"Ruby Marsh{i}" for i in range(N)])
    after = people().select(comment, fakes, "a ref.<", "n")
    expected = scan(after, name=Fake(kind="person_name"))
    monkeypatch.setattr("tamis.verify.leak._HELD", held)
    monkeypatch.setattr("tamis.verify.needles._MAX_KEYWORDS", keywords)
    for room in ("leak", "needles"):
        monkeypatch.setattr(f"tamis.verify.{room}.BATCH_ROWS", rows)
    assert scan(after, name=Fake(kind="person_name")) == expected
    assert expected["leak.cells@t.comment"] == 9
    assert expected["leak.chance"] == N // 10


@pytest.mark.parametrize("planted", ["ZOË KRÜGER-ÅBERG", "Zoe\u0308 Kru\u0308ger \u212bberg", "zoë  krüger, åberg"])
def test_other_spellings_of_the_same_letters_are_found(planted):
    """Case, separators and the composition of accents hide no original."""
    before = pl.DataFrame({"id": ["Zoë Krüger Åberg", "Ada Plain Lovelace"], "x": ["a", "b"]})
    plan = plan_of(table_plan("t", before, {"id": (Drop(), Role.DIRECT), "x": (Redact(), Role.NONE)}))
    found = {m.name: m.value for m in scan_leaks({"t": table("t", before)}, {"t": pl.LazyFrame({"x": [planted, "b"]})}, plan)}
    assert found["leak.cells"] == 1

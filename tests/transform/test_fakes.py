"""Fakes: what they keep is what they were asked to keep; what they are is nobody's; one person is one person everywhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from transform_tables import KEY, OTHER_KEY, done, released, table_of

from tamis.core.actions import Action, Drop, Fake, stable_domain
from tamis.core.errors import PlanError
from tamis.core.policy import ColumnPolicy
from tamis.encoding import WORDS
from tamis.plan.fakes import fake_in_words
from tamis.transform.layout import in_layout, plain_form
from tamis.transform.origin import genders_of, locales_of
from tamis.transform.reserved import luhn_digit, national_id, phone, stream
from tamis.transform.romanize import roman
from tamis.transform.vocabulary import names_of, pool, roman_pool

KINDS = typing.get_args(Fake.model_fields["kind"].annotation)
LOCALES = ["de_DE", "en_US", "ja_JP", "zh_CN", "ko_KR", "ru_RU", "ar_SA", "el_GR", "hi_IN", "pl_PL", "bn_BD", "he_IL", "fa_IR", "th_TH"]


Cells = list[str | None] | list[str]


def fakes_of(values: Cells, *, others: dict[str, list[str | None]] | None = None, **more: object) -> list[str | None]:
    """The fakes of a column, beside other columns that are dropped."""
    frame = pl.DataFrame({"x": values, **(others or {})}, schema_overrides={"x": pl.String})
    return released(frame, {"x": Fake.model_validate(more)})["x"].to_list()


def words(count: int, seed: int = 0) -> np.ndarray:
    """256 bits per row."""
    return np.random.default_rng(seed).integers(0, 2**64, size=(count, 4), dtype=np.uint64)


# ------------------------------------------------------------------------------------------------------------------ locale, gender


def test_a_japanese_name_becomes_a_japanese_name() -> None:
    """With `locale: keep` the script and the words of each name decide; what nobody knows becomes a neutral name."""
    names = ["佐藤花子", "Сергей Иванов", "김민준", "Γεώργιος Παπαδόπουλος", "מיכל כהן", "xyzzy"]
    fakes = fakes_of(names, kind="person_name", locale="keep")
    scripts = [
        r"^[\p{Han}\p{Hiragana}\p{Katakana}]+$", r"^[\p{Cyrillic} -]+$", r"^\p{Hangul}+$", r"^[\p{Greek} -]+$",
        r"^[\p{Hebrew} ׳'\"-]+$", r"^[\p{Latin} '’.-]+$",
    ]  # fmt: skip
    for name, fake, script in zip(names, fakes, scripts, strict=True):
        assert fake is not None
        assert fake != name
        assert pl.Series([fake]).str.contains(script).item(), script


@pytest.mark.parametrize("locale", ["de_DE", "fr_FR", "es_ES", "sv_SE", "ja_JP", "ru_RU", "tr_TR", "it_IT"])
def test_locales_and_genders_are_told_from_names(locale: str) -> None:
    """Of names from Faker's lists at least nine in ten are given their locale, and their gender where lists hold it."""
    last = pool("last_name", locale)[::7][:40]
    known = {}
    for gender in ("female", "male"):
        first = pool(f"first_name_{gender}", locale)[::5][:40]
        dense = locale == "ja_JP"
        names = pl.Series([b + a if dense else f"{a} {b}" for a, b in zip(first, last, strict=False)])
        assert (locales_of(names) == locale).sum() >= 0.85 * len(names)
        known[gender] = genders_of(names)
        assert (known[gender] == gender).sum() >= 0.9 * len(names)


def test_a_column_may_tell_locale_and_gender() -> None:
    """Countries, codes and words of gender decide where columns are named; unknown words leave a fake neutral."""
    assert locales_of(pl.Series(["JP", "Germany", "fr-FR", "GBR", "+49 30 1", "?", None])).to_list() == [
        "ja_JP", "de_DE", "fr_FR", "en_GB", "de_DE", None, None,
    ]  # fmt: skip
    assert genders_of(pl.Series(["F", "male", "2", "Frau", "Mr.", "divers", None, "Maria"])).to_list() == [
        "female", "male", "female", "female", "male", None, None, "female",
    ]  # fmt: skip
    others: dict[str, list[str | None]] = {"sex": ["f", "m", "x", None] * 50, "land": ["Japan", "DE", None, "??"] * 50}
    values: list[str | None] = [f"n{i}" for i in range(200)]
    fakes = fakes_of(values, others=others, kind="first_name", gender_from="sex", locale="keep", locale_from="land")
    assert set(fakes[0::4]) <= set(pool("first_name_female", "ja_JP"))
    assert set(fakes[1::4]) <= set(pool("first_name_male", "de_DE"))
    assert set(fakes[2::4]) | set(fakes[3::4]) <= set(pool("first_name", None))


@pytest.mark.parametrize("locale", LOCALES)
def test_every_kind_has_words_in_every_locale_that_is_kept(locale: str) -> None:
    """No locale that a value may be found to have lacks words for a kind: a run does not stop at one cell."""
    for kind in KINDS:
        fakes = fakes_of(["a", "b", "c", None], kind=kind, locale=locale)
        assert fakes[3] is None
        assert None not in fakes[:3]


# ---------------------------------------------------------------------------------------------------------------------- one person


def _person_table(count: int = 60) -> pl.DataFrame:
    ids = [f"P{i % (count // 2)}" for i in range(count)]
    return pl.DataFrame({
        "id": ids, "name": [f"name {i}" for i in range(count)], "first": ["f"] * count, "last": ["l"] * count,
        "mail": [f"m{i}@corp.test" for i in range(count)], "user": [f"u{i}" for i in range(count)], "sex": ["f", "m"] * (count // 2),
    })  # fmt: skip


@pytest.mark.parametrize("style", [{}, {"gender_from": "sex"}, {"locale": "ja_JP"}, {"locale": "ru_RU", "gender_from": "sex"}])
def test_one_person_one_proxy(style: dict[str, str]) -> None:
    """First, last and whole name, mail address and user name of a person match, whatever the originals were, and in every table."""
    kinds = {"name": "person_name", "first": "first_name", "last": "last_name", "mail": "email", "user": "username"}
    actions: dict[str, Action] = {name: Fake.model_validate({"kind": kind, "person": "id", **style}) for name, kind in kinds.items()}
    frame = _person_table()
    out = released(frame, actions)
    locale, gendered = style.get("locale"), "gender_from" in style
    for row, sex in zip(out.rows(named=True), frame["sex"], strict=True):
        suffix = {"f": "_female", "m": "_male"}[sex] if gendered else ""
        dense = locale == "ja_JP"
        assert row["name"] == (row["last"] + row["first"] if dense else f"{row['first']} {row['last']}")
        first = roman_pool(f"first_name{suffix}", locale)[pool(f"first_name{suffix}", locale).index(row["first"])]
        last = roman_pool(f"last_name{suffix}", locale)[pool(f"last_name{suffix}", locale).index(row["last"])]
        assert re.fullmatch(rf"{first}\.{last}\d{{4}}@example\.(com|net|org)", row["mail"])
        assert re.fullmatch(rf"{first}{last}\d{{4}}", row["user"])
    assert out.rows()[:30] == out.rows()[30:]
    again = released(frame.select("id", "mail").sample(fraction=1, shuffle=True, seed=1), {"mail": actions["mail"]} if not gendered else {})
    if not gendered:
        assert set(again["mail"]) == set(out["mail"])


def test_a_value_of_no_known_person_stands_for_itself() -> None:
    """Where the person is null the value chooses, apart from the person whose key looks the same; null values stay null."""
    others: dict[str, list[str | None]] = {"id": ["v1", None, None, None, "v9"]}
    fakes = fakes_of(["a", "v1", "v1", "v2", None], others=others, kind="email", person="id", unique=True)
    assert fakes[1] == fakes[2]
    assert len({fakes[0], fakes[1], fakes[3]}) == 3
    assert fakes[4] is None


def test_with_a_person_a_fake_is_its_own_original_at_chance() -> None:
    """The share of names that equal their own original is that of the lists, 1 / size: never more than chance allows."""
    first = pool("first_name_female", "ja_JP")
    count = 4000
    rng = np.random.default_rng(5)
    values: list[str | None] = [first[i] for i in rng.integers(0, len(first), count)]
    fakes = fakes_of(values, others={"id": [str(i) for i in range(count)]}, kind="first_name", person="id", locale="ja_JP", gender_from="x")
    hits, expected = sum(a == b for a, b in zip(values, fakes, strict=True)), count / len(first)
    assert abs(hits - expected) < 5 * expected**0.5  # Poisson


# ------------------------------------------------------------------------------------------------------------------- format, checksum


@pytest.mark.parametrize(
    ("kind", "value", "pattern"),
    [
        ("phone", "(212) 867-5309", r"\(\d{3}\) 555-01\d\d"),
        ("phone", "1.212.867.5309", r"1\.\d{3}\.555\.01\d\d"),
        ("phone", "+49 30 1234567", r"\+99 9\d \d{7}"),
        ("phone", "0049-30-1234567", r"0099-9\d-\d{7}"),
        ("phone", "01 23 45 67 89", r"0[1-6] [0-9][0-9] \d\d \d\d \d\d"),
        ("phone", "020 7123 4567", r"0\d\d \d{4} \d{4}"),
        ("credit_card", "4111 1111 1111 1111", r"9999 \d{4} \d{4} \d{4}"),
        ("credit_card", "3714-496353-98431", r"9999-\d{6}-\d{5}"),
        ("iban", "GB29 NWBK 6016 1331 9268 19", r"ZZ\d\d [A-Z]{4} \d{4} \d{4} \d{4} \d\d"),
        ("iban", "DE89370400440532013000", r"ZZ\d{20}"),
        ("postcode", "SW1A 1AA", r"[A-Z]{2}\d[A-Z] \d[A-Z]{2}"),
        ("national_id", "123456789", r"(000|666|9\d\d)\d{6}"),
        ("ip_address", "fe80::1", r"2001:0db8(:[0-9a-f]{4}){6}"),
        ("ip_address", "10.0.0.1", r"(192\.0\.2|198\.51\.100|203\.0\.113)\.\d+"),
        ("person_name", "MEIER, ANNA", r"[^a-z]+, [^a-z]+"),
        ("person_name", "A. Meier", r"\p{L}\. .+"),
        ("person_name", "meier", r"[^A-Z,]+"),
        ("email", "a.meier85@corp.test", r"[a-z]\.[a-z]+\d\d@example\.(com|net|org)"),
        ("email", "ANNA_MEIER@CORP.TEST", r"[A-Z]+_[A-Z]+@example\.(com|net|org)"),
        ("username", "annameier", r"[a-z]+"),
        ("city", "BERLIN", r"[^a-z]+"),
        ("url", "https://corp.test/u/Anna7?x=1", r"https://[a-z]+-\d{4}\.example\.(com|net|org)/[a-z]/[A-Z][a-z]{3}\d\?[a-z]=\d"),
    ],
)
def test_the_format_is_kept(kind: str, value: str, pattern: str) -> None:
    """Separators, length, case, initials stay; letters and digits do not; another value of the same form gets another fake."""
    fake = fakes_of([value], kind=kind, format="keep")[0]
    assert fake is not None
    assert pl.Series([fake]).str.contains(f"^(?:{pattern})$").item(), fake
    assert fake != value


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=30), min_size=1, max_size=12), st.sampled_from(KINDS))
def test_nothing_of_the_original_but_its_form_passes(values: list[str | None], kind: str) -> None:
    """Hostile texts of any script keep neither a letter nor a digit that their form, in ASCII, does not have; null stays null."""
    fakes = fakes_of(values, kind=kind, format="keep")
    twin = [None if v is None else "".join("ж" if c.isalpha() and not c.isascii() else c for c in v) for v in values]
    for value, fake, other in zip(values, fakes, twin, strict=True):
        assert value is not None or fake is None
        if value is None or fake is None or other is None:
            continue
        assert fake.lower() != pl.Series([value]).str.normalize("NFC").str.strip_chars().item().lower()
        if kind in ("phone", "iban", "credit_card", "postcode", "national_id", "ip_address", "username", "email", "url"):
            assert fake.isascii()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text("ab12 -", max_size=8), st.text("xY9-. ", max_size=8)), min_size=1, max_size=10))
def test_letters_fill_places(pairs: list[tuple[str, str]]) -> None:
    """The characters of one text fill the places of another exactly where there are as many; else the text stays."""
    made, form = pl.Series([a for a, _ in pairs]), pl.Series([b for _, b in pairs])
    for (text, shape), out in zip(pairs, in_layout(made, form), strict=True):
        bare = [c for c in text if c.isalnum()]
        if len(bare) != sum(c.isalnum() for c in shape):
            assert out == text
        else:
            rest = iter(bare)
            assert out == "".join(next(rest) if c.isalnum() else c for c in shape)


def test_forms_are_plain() -> None:
    """Foreign digits and letters become places, control characters blanks: a form holds ASCII only."""
    assert plain_form(pl.Series(["٠١ Ünï-日本\n", None])).to_list() == ["00 Xnx-xx ", ""]


def test_check_digits_hold_or_are_broken_as_asked() -> None:
    """Check digits by the independent library stdnum: right by default, wrong with `checksum: broken`, in every country."""
    from stdnum import luhn
    from stdnum.fr import nir
    from stdnum.iso7064 import mod_11_10, mod_97_10
    from stdnum.it import codicefiscale
    from stdnum.nl import bsn
    from stdnum.pl import pesel

    values: list[str | None] = [f"DE{i:020}" for i in range(200)]
    for layout in ("neutral", "keep"):
        for checksum in ("valid", "broken"):
            for account in fakes_of(values, kind="iban", format=layout, checksum=checksum):
                assert account is not None
                assert mod_97_10.is_valid(account[4:] + account[:4]) == (checksum == "valid")
    assert not any(luhn.is_valid(card) for card in fakes_of(values, kind="credit_card", checksum="broken"))

    def luhn_swedish(number: str) -> None:
        luhn.validate(number.replace("-", ""))

    def tax_code(number: str) -> None:
        assert codicefiscale.calc_check_digit(number[:-1]) == number[-1]

    def weighed(number: str) -> None:
        assert pesel.calc_check_digit(number[:-1]) == number[-1]

    def dutch(number: str) -> None:
        assert bsn.checksum(number) == 0

    def french(number: str) -> None:
        assert nir.calc_check_digits(number[:-2]) == number[-2:]

    checks: dict[str, Callable[[str], object]] = {
        "DE": mod_11_10.validate, "SE": luhn_swedish, "CA": luhn.validate, "IT": tax_code, "PL": weighed, "NL": dutch, "FR": french,
    }  # fmt: skip
    for country, check in checks.items():
        for number in national_id(words(300), country):
            check(number)
        for number in national_id(words(300), country, broken=True):
            with pytest.raises(Exception):  # noqa: B017, PT011  # each library has its own
                check(number)


def test_identity_numbers_are_never_issued() -> None:
    """Every country's numbers lie where the issuing office says that there are none, and the library finds no valid one among them."""
    from stdnum.br import cpf
    from stdnum.de import idnr
    from stdnum.es import dni
    from stdnum.jp import in_ as my_number
    from stdnum.pl import pesel
    from stdnum.se import personnummer
    from stdnum.us import ssn

    patterns = {
        "US": r"(000|666|9\d\d)-(0[1-9]|[1-4]\d)-\d{4}", "GB": r"[DFIQUV]{2}\d{6}[A-D]", "FR": r"9\d{2}(0[1-9]|1[0-2])\d{10}",
        "DE": r"0\d{10}", "IT": r"[A-Z]{6}\d\d[A-Z][79]\d[A-Z]\d{3}[A-Z]|[A-Z]{6}\d\d[A-Z][7-9]\d[A-Z]\d{3}[A-Z]",
        "ES": r"\d{8}[IOU]", "NL": r"99999\d{4}", "PL": r"\d\d1[3-9]\d{7}", "SE": r"\d{4}9[2-9]-\d{4}", "CA": r"0\d{8}",
        "BR": r"\d{11}", "JP": r"\d{12}", "XX": r"(000|666|9\d\d)-\d\d-\d{4}",
    }  # fmt: skip
    for country, pattern in patterns.items():
        made = national_id(words(400), country)
        assert made.str.contains(f"^(?:{pattern})$").all(), country
        assert made.n_unique() > 200
    assert not any(ssn.is_valid(one) for one in national_id(words(400), "US"))
    assert not any(dni.is_valid(one) for one in national_id(words(400), "ES"))
    german = national_id(words(400), "DE").to_list()
    assert not any(idnr.is_valid(one) for one in german)
    assert all(len(set(one[:10])) == 9 for one in german)  # as in real ones: one digit twice
    assert not any(cpf.is_valid(one) for one in national_id(words(400), "BR"))
    assert not any(my_number.is_valid(one) for one in national_id(words(400), "JP"))
    assert not any(pesel.is_valid(one) for one in national_id(words(400), "PL"))
    assert not any(personnummer.is_valid(one) for one in national_id(words(400), "SE"))


def test_telephones_ring_nowhere() -> None:
    """Numbers of a locale lie in the ranges its regulator keeps free; elsewhere under a country code that nobody has."""
    ranges = {"": r"\+1\d{3}55501\d\d", "US": r"\+1\d{3}55501\d\d", "GB": r"\+44(7700900|1632960|2079460|8081570)\d{3}",
              "FR": r"\+33(19900|26191|35301|46571|53649|63998)\d{4}", "JP": r"\+999\d{9}"}  # fmt: skip
    for country, pattern in ranges.items():
        assert phone(words(300), country).str.contains(f"^{pattern}$").all()


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 18), st.integers(0, 100))
def test_luhn_by_hand(width: int, seed: int) -> None:
    """The vectorized check digit is the one of ISO/IEC 7812-1, computed digit by digit."""
    digits = stream(words(5, seed), width)
    for row, check in zip(digits.tolist(), luhn_digit(digits)[:, 0].tolist(), strict=True):
        total = sum((2 * d - 9 * (d > 4)) if i % 2 == 0 else d for i, d in enumerate(reversed(row)))
        assert (total + check) % 10 == 0


# ---------------------------------------------------------------------------------------------------------- collisions, keys, frequency


@pytest.mark.parametrize("kind", KINDS)
def test_unique_is_injective_or_refused(kind: str) -> None:
    """With `unique` and a kept format two values never share a fake: either all differ or the plan is refused."""
    values: list[str | None] = [f"12{i:03}" for i in range(400)]
    for layout in ("neutral", "keep"):
        try:
            fakes = fakes_of(values, kind=kind, format=layout, unique=True)
        except PlanError as error:
            assert error.code == "fake_not_unique"  # noqa: PT017
        else:
            assert len(set(fakes)) == 400


def test_stable_fakes_are_the_same_every_night_and_need_a_reason() -> None:
    """`stable` does not depend on the release but on the key; a policy must say why; the default differs from release to release."""
    frame = pl.DataFrame({"x": [str(i) for i in range(50)]})

    def night(scope: str, link: str, key: object = KEY) -> list[str]:
        return released(frame, {"x": Fake.model_validate({"kind": "email", "link": link})}, scope=scope, key=key)["x"].to_list()

    assert night("one", "stable") == night("two", "stable") != night("one", "stable", OTHER_KEY)
    assert night("one", "release") != night("two", "release")
    assert stable_domain(Fake(kind="email", link="stable")) != stable_domain(Fake(kind="phone", link="stable"))
    assert stable_domain(Fake(kind="email")) is None
    with pytest.raises(ValidationError, match="reason"):
        ColumnPolicy.model_validate({"fake": {"kind": "email", "link": "stable"}})
    assert ColumnPolicy.model_validate({"fake": {"kind": "email", "link": "stable"}, "reason": "a panel"}).action is not None


def test_names_are_uniform_or_as_frequent_as_in_the_lists() -> None:
    """Uniform: each word alike (chi-square); natural: the commonest last name of en_US as often as the census has it."""
    values: list[str | None] = [str(i) for i in range(20_000)]
    plain = pl.Series(fakes_of(values, kind="last_name", locale="en_US")).value_counts()["count"]
    size = len(pool("last_name", "en_US"))
    expected = 20_000 / size
    chi = float(((plain - expected) ** 2 / expected).sum() + (size - len(plain)) * expected)
    assert abs(chi - (size - 1)) < 6 * (2 * size) ** 0.5
    lists = names_of("en_US", "last_name")
    share = lists["Smith"] / sum(lists.values())
    found = fakes_of(values, kind="last_name", locale="en_US", frequency="natural").count("Smith") / 20_000
    assert abs(found - share) < 5 * (share / 20_000) ** 0.5
    assert share > 5 / size


@pytest.mark.parametrize(
    "stated",
    [
        {"kind": "email", "locale_from": "c"}, {"kind": "phone", "gender_from": "c"}, {"kind": "city", "frequency": "natural"},
        {"kind": "email", "checksum": "broken"}, {"kind": "email", "locale": "Japan"},
    ],
)  # fmt: skip
def test_parameters_without_a_meaning_are_refused(stated: dict[str, str]) -> None:
    """What a kind cannot keep is an error of the policy, not silence."""
    with pytest.raises(ValidationError):
        Fake.model_validate(stated)


def test_a_missing_column_is_a_sentence() -> None:
    """A fake that names a column the table does not have stops before any row is made."""
    with pytest.raises(PlanError, match="unknown_column"):
        fakes_of(["a"], kind="email", person="nobody")


def test_hostile_column_names_serve_as_sources() -> None:
    """Columns called like patterns can name the person and the gender."""
    frame = pl.DataFrame({"^.*$": ["1", "1"], "*": ["f", "f"], "x": ["a", "b"]})
    out = released(frame, {"x": Fake(kind="person_name", person="^.*$", gender_from="*")})["x"]
    assert out[0] == out[1]


@pytest.mark.parametrize("rows", [0, 1])
def test_empty_tables_and_columns_of_nulls(rows: int) -> None:
    """No rows, and rows of nothing, give no fakes and no error, in every style."""
    frame = pl.DataFrame({"x": pl.Series([None] * rows, dtype=pl.String), "id": pl.Series([None] * rows, dtype=pl.String)})
    for more in ({}, {"locale": "keep"}, {"gender_from": "x"}, {"person": "id"}, {"format": "keep"}, {"unique": True}):
        out = released(frame, {"x": Fake.model_validate({"kind": "person_name", **more})})["x"]
        assert out.null_count() == rows == len(out)


NAMES = st.none() | st.sampled_from(["佐藤花子", "Anna Meier", "x"])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(NAMES, st.none() | st.sampled_from("12")), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_any_row_order_gives_the_same_fakes(rows: list[tuple[str | None, str | None]], random: typing.Any) -> None:
    """A fake depends on its own row only: shuffling the rows, or repeating them, changes none."""
    action = Fake(kind="person_name", person="id", locale="keep", gender_from="x", format="keep")

    def made(given_rows: list[tuple[str | None, str | None]]) -> dict[tuple[str | None, str | None], set[str | None]]:
        frame = pl.DataFrame(given_rows, schema={"x": pl.String, "id": pl.String}, orient="row")
        out: dict[tuple[str | None, str | None], set[str | None]] = {}
        for row, fake in zip(given_rows, released(frame, {"x": action})["x"], strict=True):
            out.setdefault(row, set()).add(fake)
        return out

    once = made(rows)
    shuffled = rows * 3
    random.shuffle(shuffled)
    assert once == made(shuffled)
    assert all(len(fakes) == 1 for fakes in once.values())


def test_chunks_make_no_difference() -> None:
    """1, 7 and 100 chunks give the same table."""
    frame = pl.DataFrame({"x": [f"{i}@a.test" for i in range(700)], "id": [str(i % 90) for i in range(700)]})
    action: dict[str, Action] = {"x": Fake(kind="email", person="id", format="keep"), "id": Drop()}
    outs = []
    for chunks in (1, 7, 100):
        step = len(frame) // chunks
        cut = pl.concat([frame.slice(at, step) for at in range(0, len(frame), step)], rechunk=False)
        outs.append(done(table_of(cut), action).frame.collect(engine="streaming").sort(WORDS))
    assert outs[0].equals(outs[1])
    assert outs[0].equals(outs[2])


@pytest.mark.slow
def test_threads_make_no_difference() -> None:
    """One thread or three: the same fakes in processes of their own."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import hashlib, polars as pl\n"
        "from transform_tables import released\nfrom tamis.core.actions import Fake\n"
        "f = pl.DataFrame({'x': [f'Anna {i}' for i in range(5000)]})\n"
        "out = released(f, {'x': Fake(kind='person_name', locale='keep', gender_from='x', format='keep')})\n"
        "print(hashlib.sha256('|'.join(out['x']).encode()).hexdigest())"
    )
    here = str(Path(__file__).parent)
    digests = {
        subprocess.run([sys.executable, "-c", code, here], env={**os.environ, "POLARS_MAX_THREADS": n, "OMP_NUM_THREADS": n},
                       check=True, capture_output=True, text=True).stdout
        for n in ("1", "3")
    }  # fmt: skip
    assert len(digests) == 1


# ------------------------------------------------------------------------------------------------------------------------- in words


def test_a_plan_says_what_fakes_keep() -> None:
    """The phrase of a fake names everything it keeps of its original."""
    action = Fake(kind="person_name", locale="keep", gender_from="sex", format="keep", person="id", link="stable")
    said = fake_in_words(action)
    for word in ("person name", "language", "gender", "format", "id", "stable"):
        assert word in said
    assert fake_in_words(Fake(kind="email")) == "invented email"


def test_romanized_names_are_ascii_and_aligned() -> None:
    """Every word of every pool has a counterpart of small ASCII letters in its place; known letters follow the tables."""
    for locale in LOCALES:
        for word in ("first_name", "last_name"):
            romanized = roman_pool(word, locale)
            assert len(romanized) == len(pool(word, locale))
            assert all(re.fullmatch("[a-z]+", one) for one in romanized)
    assert [roman(name) for name in ("Müller", "Łukasz", "Щербаков", "김민준", "O'Neill", "花子", "")] == [
        "muller", "lukasz", "shcherbakov", "gimminjun", "oneill", "", "",
    ]  # fmt: skip

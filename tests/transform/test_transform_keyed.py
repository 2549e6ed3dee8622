"""Keyed actions: equal in, equal out within a domain and scope; without the key nothing can be linked."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import ipaddress
import typing
import unicodedata

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transform_tables import KEY, OTHER_KEY, released

from tamis.core.actions import Fake, Pseudonymize, ShiftDates
from tamis.core.errors import PlanError

KINDS = typing.get_args(Fake.model_fields["kind"].annotation)
TEXTS = st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=12), min_size=1, max_size=25)


def _independent_token(value: str, domain: str, scope: str) -> str:
    """HKDF-SHA-256 (RFC 5869), HMAC-SHA-256 and base32 by the standard library alone."""
    info = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in ("pseudonym", domain, scope))
    extracted = hmac.new(b"tamis-v1", bytes(range(32)), hashlib.sha256).digest()
    subkey = hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()
    mac = hmac.new(subkey.hex().encode(), value.encode(), hashlib.sha256).digest()
    return base64.b32encode(mac[:16]).decode().lower().rstrip("=")


def _pseudonyms(values: list[str | None], **more: object) -> list[str | None]:
    frame = pl.DataFrame({"id": pl.Series(values, dtype=pl.String)})
    return released(frame, {"id": Pseudonymize(domain="person")}, **more)["id"].to_list()  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(TEXTS)
def test_pseudonyms_are_hmac_tokens(values: list[str | None]) -> None:
    """A pseudonym is the documented HMAC token of the canonical value; null stays null; equality is kept both ways."""
    canonical = [None if value is None else pl.Series([unicodedata.normalize("NFC", value)]).str.strip_chars().item() for value in values]
    assert _pseudonyms(values) == [None if value is None else _independent_token(value, "person", "release-1") for value in canonical]


def test_key_domain_and_scope_separate_pseudonyms() -> None:
    """Another key, domain or release gives unrelated tokens; `stable` does not depend on the release."""
    frame = pl.DataFrame({"id": ["a", "b"]})
    actions = [Pseudonymize(domain="p"), Pseudonymize(domain="q"), Pseudonymize(domain="p", link="stable")]
    tokens = [released(frame, {"id": action}, key=key, scope=scope)["id"].to_list()
              for action in actions for key in (KEY, OTHER_KEY) for scope in ("one", "two")]  # fmt: skip
    plain, stable = tokens[:8], tokens[8:]
    assert len({token for pair in plain for token in pair}) == 16
    assert stable[0] == stable[1] != stable[2] == stable[3]
    assert not {token for pair in plain for token in pair} & {token for pair in stable for token in pair}


def test_joins_survive_across_tables_and_spellings() -> None:
    """Equal canonical values get equal tokens in any table; integers and their digits as text are the same canonical text."""
    left = released(pl.DataFrame({"id": [1, 23, None]}), {"id": Pseudonymize(domain="p")})["id"].to_list()
    right = released(pl.DataFrame({"k": [" 23", "1 ", "00123"]}), {"k": Pseudonymize(domain="p")})["k"].to_list()
    assert left[:2] == right[1::-1]
    assert right[2] not in left


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unique", [False, True])
def test_fakes_are_consistent_and_never_the_original(kind: str, unique: bool) -> None:
    """Equal values get equal fakes, another key others; faking the fakes themselves never leaves one in place; null stays null."""
    action = Fake.model_validate({"kind": kind, "unique": unique})
    values = [f"value {i % 150}" for i in range(300)] + [None]
    fakes = released(pl.DataFrame({"x": values}), {"x": action})["x"].to_list()
    assert fakes[:150] == fakes[150:300]
    assert fakes[300] is None
    assert None not in fakes[:300]
    if unique:
        assert len(set(fakes[:150])) == 150
    assert released(pl.DataFrame({"x": values}), {"x": action}, key=OTHER_KEY)["x"].to_list() != fakes
    again = released(pl.DataFrame({"x": fakes}), {"x": action})["x"].to_list()
    assert all(new != old for new, old in zip(again, fakes, strict=True) if old is not None)


def test_a_fake_that_hits_its_original_moves_on() -> None:
    """With every word of the list as a value some draws hit their own value: none of them is released."""
    from tamis.transform.vocabulary import pool

    frame = pl.DataFrame({"x": pool("job", None)})
    for scope in map(str, range(12)):  # about one hit each
        fakes = released(frame, {"x": Fake(kind="job")}, scope=scope)["x"].to_list()
        assert all(fake is not None and fake.lower() != value.lower() for fake, value in zip(fakes, frame["x"], strict=True))


def test_fakes_reach_nobody() -> None:
    """Addresses lie in ranges for examples, numbers in ranges never issued, and checksums hold where formats have them."""
    from stdnum import iban, luhn

    frame = pl.DataFrame({"x": [str(i) for i in range(200)]})

    def fakes(kind: str, **more: bool) -> list[str]:
        return released(frame, {"x": Fake.model_validate({"kind": kind, **more})})["x"].to_list()

    assert all(mail.rsplit("@")[1] in {"example.com", "example.net", "example.org"} for mail in fakes("email"))
    assert all(mail.isascii() for mail in fakes("email", unique=True))
    nets = [ipaddress.ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
    assert all(any(ipaddress.ip_address(ip) in net for net in nets) for ip in fakes("ip_address"))
    assert all(ipaddress.ip_address(ip) in ipaddress.ip_network("2001:db8::/32") for ip in fakes("ip_address", unique=True))
    assert all(phone.startswith("+1") and phone[5:10] == "55501" and len(phone) == 12 for phone in fakes("phone"))
    assert all(iban.is_valid(one, check_country=False) and one[4] == "0" for one in fakes("iban"))
    assert all(luhn.is_valid(card) and card.startswith("9999") and len(card) == 16 for card in fakes("credit_card"))
    assert all(luhn.is_valid(card) and len(card) == 19 for card in fakes("credit_card", unique=True))
    assert all(ssn[:3] in {"000", "666"} or (ssn[0] == "9" and ssn[4:6] < "50") for ssn in fakes("national_id"))
    assert all(".example." in url for url in fakes("url"))


def test_fakes_that_cannot_be_unique_are_refused() -> None:
    """A kind with fewer fakes than there are values is an error with a next step, before any row is made."""
    frame = pl.DataFrame({"x": [str(i) for i in range(3000)]})
    with pytest.raises(PlanError, match="fake_not_unique"):
        released(frame, {"x": Fake(kind="phone", unique=True)})
    assert released(frame, {"x": Fake(kind="email", unique=True)})["x"].n_unique() == 3000


def test_locales_choose_the_words() -> None:
    """A locale changes the words, a language stands for its first country, an unknown one is a plan error."""
    frame = pl.DataFrame({"x": ["a", "b", "c"]})
    names = {locale: tuple(released(frame, {"x": Fake(kind="person_name", locale=locale)})["x"]) for locale in (None, "ja", "ja_JP", "de")}
    assert len(set(names.values())) == 4
    assert not any(name.isascii() for name in names["ja_JP"])
    with pytest.raises(PlanError, match="unknown_locale"):
        released(frame, {"x": Fake(kind="city", locale="xx")})


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.none() | st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1))), min_size=1),
    st.integers(1, 400),
)
def test_shifts_keep_intervals(rows: list[tuple[str | None, dt.date | None]], days: int) -> None:
    """All dates and times of a subject move by one number of days, within the range and never by none; null subjects lose their dates."""
    subjects, dates = [row[0] for row in rows], [row[1] for row in rows]
    times = [None if day is None else dt.datetime(day.year, day.month, day.day, 23, 59, 59, 999_999) for day in dates]
    frame = pl.DataFrame({"s": subjects, "d": dates, "t": times}, schema={"s": pl.String, "d": pl.Date, "t": pl.Datetime("us")})
    shift = ShiftDates(subject="s", days=days)
    out = released(frame, {"d": shift, "t": shift})
    moved: dict[str, set[int]] = {}
    for subject, before, after, time, shown in zip(subjects, dates, out["d"], times, out["t"], strict=True):
        assert (after is None) == (shown is None) == (before is None or subject is None)
        if before is not None and after is not None and subject is not None:
            moved.setdefault(subject, set()).add((after - before).days)
            assert time is not None
            assert shown - time == after - before
    for subject_moves in moved.values():
        assert len(subject_moves) == 1
        assert 1 <= abs(next(iter(subject_moves))) <= days


def test_shifts_are_spread_and_shared_by_domain() -> None:
    """Every shift of the range but 0 occurs, about equally often; another domain moves differently."""
    frame = pl.DataFrame({"s": [str(i) for i in range(8000)], "d": [dt.date(2000, 1, 1)] * 8000})
    out = released(frame, {"d": ShiftDates(subject="s", days=4)})["d"]
    counts = (out - dt.date(2000, 1, 1)).dt.total_days().value_counts().sort("d")
    assert counts["d"].to_list() == [-4, -3, -2, -1, 1, 2, 3, 4]
    assert counts["count"].min() > 850  # type: ignore[operator]  # 1000 expected, standard deviation 30
    assert out.to_list() != released(frame, {"d": ShiftDates(subject="s", days=4, domain="other")})["d"].to_list()

"""Prefilters never lose what Presidio would find."""

from __future__ import annotations

import sys

import polars as pl
import pytest
import regex
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.detect.kinds import TESTS, needs
from tamis.detect.prefilter import runs, superset, union
from tamis.detect.scan import FORMS, GLUED, GLUED_CODES, LONG_NUMBER, LONG_NUMBERS
from tamis.detect.text import presidio_engine, recognizers

_FLAGS = regex.IGNORECASE | regex.MULTILINE | regex.DOTALL
_ALL = pl.Series([chr(i) for i in range(sys.maxunicode + 1) if not 0xD800 <= i < 0xE000])
_TEXT = "".join(_ALL.to_list())
PATTERNS = [
    (one.name, pattern.regex, presidio_engine(one.name).global_regex_flags)
    for one in recognizers()
    if one.name != "PhoneRecognizer"
    for pattern in presidio_engine(one.name).patterns
]
BY_NAME = {one.name: one for one in recognizers()}


def _contains(text: str, pattern: str) -> bool:
    return bool(pl.Series([text]).str.contains(pattern)[0])


@pytest.mark.parametrize("written", [r"\d", r"\s", r"\w", *"abcdefghijklmnopqrstuvwxyz0_", "[a-k]", "[H-Z]", "é", "ß", "[à-ü]", "."])
def test_every_character_that_matches_still_matches(written: str):
    """For all code points: what Presidio's engine takes for a digit, a blank, a word or a letter, the widened class takes too."""
    ours = regex.compile(written, _FLAGS)
    theirs = set(_ALL.filter(_ALL.str.contains(rf"\A(?:{superset(written)})\z")).to_list())
    assert [hex(ord(c)) for c in ours.findall(_TEXT) if c not in theirs] == []


@pytest.mark.parametrize(("name", "pattern", "flags"), PATTERNS, ids=lambda value: None if isinstance(value, int) else str(value)[:24])
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large])
@given(data=st.data())
def test_what_a_pattern_matches_passes_kinds_family_and_prefilter(name: str, pattern: str, flags: int, data: st.DataObject):
    """Strings of the pattern's own grammar, mutated and put into text: where Presidio's pattern is found, all our filters let it pass."""
    plain = regex.sub(r"\(\?i\)", "", pattern)
    text = data.draw(st.from_regex(plain, fullmatch=False) | st.from_regex(regex.sub(r"\\b", "", plain), fullmatch=True))
    text = data.draw(st.sampled_from([text, text.upper(), text.swapcase(), f"a {text} b", text.replace("1", "١"), text.replace("k", "K")]))
    if not regex.search(pattern, text, flags):
        return
    one, derived = BY_NAME[name], superset(pattern)
    assert derived is not None
    assert one.prefilter is not None
    filters = [derived, one.prefilter, *(TESTS[kind] for kind in needs(derived) | needs(one.prefilter))]
    filters += [LONG_NUMBER] if name in LONG_NUMBERS else [GLUED] if name in GLUED_CODES else []
    if any(p.score >= 0.3 for p in presidio_engine(name).patterns if p.regex == pattern) or _validated(name):
        assert [f for f in filters if not _contains(text, f)] == []


def _validated(name: str) -> bool:
    from presidio_analyzer import PatternRecognizer

    return type(presidio_engine(name)).validate_result is not PatternRecognizer.validate_result


@given(st.text(alphabet="0123456789+()-/ .x١５–", max_size=24))
def test_every_phone_number_passes_the_prefilter(text: str):
    """A text in which Presidio's phone recognizer finds something passes the prefilter and its kinds."""
    phone = BY_NAME["PhoneRecognizer"]
    if phone.find(text):
        assert phone.prefilter is not None
        assert _contains(text, phone.prefilter)
        assert all(_contains(text, TESTS[kind]) for kind in needs(phone.prefilter))


@pytest.mark.parametrize("name", sorted(FORMS))
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large])
@given(data=st.data())
def test_what_a_written_form_matches_holds_the_kinds_it_needs(name: str, data: st.DataObject):
    """Every text with a written form in it holds the kinds of characters that were told from the form alone."""
    form = FORMS[name].replace("(?-u:\\b)", "").replace("(?i)", "")
    text = data.draw(st.from_regex(form, fullmatch=True)) + data.draw(st.text(max_size=3))
    assert needs(FORMS[name])
    assert all(_contains(text, TESTS[kind]) for kind in needs(FORMS[name]))


@pytest.mark.parametrize(
    ("pattern", "kinds"),
    [
        (r"[0-9]{3}-[a-z]+", {"digit", "mark", "letter"}),
        (r"(?:a|[0-9])x?", set()),
        (r"(?:ab|cd[0-9])", {"letter"}),
        (r"(?:[0-9a-f]{8}-){2}", {"mark", "token"}),
        (r"(?:[0-9a-f]{8} ){2}", set()),
        (r"[^a]{20}", set()),
        ("(", set()),
    ],
)
def test_kinds_are_those_that_no_match_can_lack(pattern: str, kinds: set[str]):
    """Alternatives, optional parts and negated sets need nothing; a long run without white space is a token."""
    assert needs(pattern) == kinds


@pytest.mark.parametrize("digits", [2, 3, 4])
def test_short_numbers_that_are_phones_pass_too(digits: int):
    """Of all numbers of few digits those that some region dials (German pagers: 1640) pass the prefilter."""
    phone = BY_NAME["PhoneRecognizer"]
    assert phone.prefilter is not None
    texts = pl.Series([f"{i:0{digits}}" for i in range(0, 10**digits, 1 if digits < 4 else 7)])
    lost = texts.filter(~texts.str.contains(phone.prefilter))
    assert [text for text in lost.to_list()[:1500] if phone.find(text)] == []


@pytest.mark.parametrize(
    "pattern", [r"\p{Lu}{3}", r"(?:abc){e<=1}", r"(?|a|b)", "(", r"(?V1)[[a-z]--[aeiou]]", r"(?P=nope)", "[[:alpha:]]"]
)
def test_what_only_the_regex_module_knows_has_no_prefilter(pattern: str):
    """Where the meaning is not certain there is no prefilter: every value is then looked at."""
    assert superset(pattern) is None


def test_constructs_are_widened():
    """Look-around and boundaries go, references become their group, huge counts are opened."""
    for pattern, texts in {
        r"(?<!x)\b(ab|cd)-\1\b(?=y)": ["AB-ab"],
        r"[^0-9]{300}": ["x" * 300],
        r"(?P<q>['\"]).*?(?P=q)": ["'a'"],
        r"a{2,40}?b": ["aab"],
        r"^\Aid$": ["xidx"],
    }.items():
        widened = superset(pattern)
        assert widened is not None
        assert all(_contains(text, widened) for text in texts), pattern


def test_what_must_stand_before_is_asked_for():
    """A leading look-behind stays as text; one in the middle, or a second one, goes."""
    for pattern, yes, no in (
        (r"(?<=plate: )[A-Z0-9]{3}", "PLATE: A12", "no A12"),
        (r"\b(?:(?<=mrn )|(?<=record ))[0-9]{4}", "record 1234", "1234"),
        (r"(?<=a )(?<=\w )x", "a x", "x"),
        (r"ab(?<=b)c", "abc", "ac"),
    ):
        widened = superset(pattern)
        assert widened is not None
        assert regex.search(pattern, yes, _FLAGS)
        assert _contains(yes, widened)
        assert not _contains(no, widened)


def test_union_of_prefilters():
    """One that is missing makes the union missing; a union finds what each part finds."""
    assert union(["a", None]) is None
    both = union([superset("ab"), superset(r"\d{3}")])
    assert both is not None
    assert [_contains(text, both) for text in ("xAB", "x123", "x12")] == [True, True, False]
    assert not runs("(")

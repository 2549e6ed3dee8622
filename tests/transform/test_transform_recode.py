"""Recodings: labels say the truth about values and never tell more than the values did."""

from __future__ import annotations

import datetime as dt
import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.core.actions import AgeBand, AnyRecode, AsIs, CategoryMap, DatePart, Everything, NumberBand, Prefix
from tamis.core.errors import PlanError
from tamis.core.types import DataType
from tamis.recode import recode_expression

DATES = st.dates(min_value=dt.date(1, 1, 1), max_value=dt.date(9999, 12, 31))
FLOATS = st.floats(allow_nan=False, allow_infinity=True, width=64)
RECODES: list[tuple[AnyRecode, DataType]] = [
    (NumberBand(width=10), DataType.INTEGER),
    (NumberBand(width=2.5, origin=0.5), DataType.INTEGER),
    (NumberBand(width=0.1), DataType.NUMBER),
    (NumberBand(width=7, lower=-3, upper=40), DataType.NUMBER),
    *((DatePart(unit=unit), DataType.DATE) for unit in ("month", "quarter", "year", "5 years", "decade")),  # type: ignore[arg-type]
    (AgeBand(as_of=dt.date(2024, 2, 29), width=5), DataType.DATE),
    (Prefix(length=2), DataType.TEXT),
    (CategoryMap(parents=(("a", "A"), ("b", "A"))), DataType.TEXT),
    (Everything(), DataType.TEXT),
    (AsIs(), DataType.NUMBER),
]
VALUES = {
    DataType.INTEGER: st.integers(-(2**63), 2**63 - 1),
    DataType.NUMBER: st.floats(width=64),
    DataType.DATE: DATES,
    DataType.TEXT: st.text(max_size=5),
}
DTYPES = {DataType.INTEGER: pl.Int64, DataType.NUMBER: pl.Float64, DataType.DATE: pl.Date, DataType.TEXT: pl.String}


def labels(values: list[object], kind: DataType, recode: AnyRecode) -> list[object]:
    """The recoded values."""
    frame = pl.DataFrame({"x": pl.Series(values, dtype=DTYPES.get(kind), strict=False)})
    return frame.lazy().select(recode_expression("x", kind, recode)).collect(engine="streaming").to_series().to_list()


@pytest.mark.parametrize(("recode", "kind"), RECODES, ids=lambda one: getattr(one, "kind", str(one)))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_never_more_labels_than_values(recode: AnyRecode, kind: DataType, data: st.DataObject) -> None:
    """A recoding never widens the distinct count, depends on the value alone, and is null exactly for null and NaN (never at the top)."""
    values = data.draw(st.lists(st.none() | VALUES[kind], max_size=30))
    out = labels(values, kind, recode)
    assert len(set(out)) <= len({None if value != value else value for value in values})
    assert labels(values[::-1], kind, recode) == out[::-1]
    for value, label in zip(values, out, strict=True):
        assert (label is None) == ((value is None or value != value) and not isinstance(recode, Everything))


@settings(max_examples=200, deadline=None)
@given(st.integers(-(2**63), 2**63 - 1), st.integers(1, 10**6), st.integers(-1000, 1000), st.none() | st.integers(-50, 50))
def test_an_integer_lies_inside_its_band(value: int, width: int, origin: int, lower: int | None) -> None:
    """'low-high' holds the value, is at most `width` wide and starts on the grid; open ends are told apart."""
    upper = None if lower is None else lower + 1000
    (label,) = labels([value], DataType.INTEGER, NumberBand(width=width, origin=origin, lower=lower, upper=upper))
    assert isinstance(label, str)
    if lower is not None and value < lower:
        assert label == f"<{lower}"
    elif upper is not None and value >= upper:
        assert label == f">={upper}"
    else:
        at = label.find("-", 1)
        low, high = (int(label), int(label)) if at < 0 else (int(label[:at]), int(label[at + 1 :]))
        assert low <= value <= high
        assert high - low < width
        assert (low - origin) % width == 0 or low == lower


@settings(max_examples=200, deadline=None)
@given(FLOATS, st.sampled_from([0.1, 0.25, 1.0, 3.3, 1e-9, 1e12]), st.sampled_from([0.0, 0.05, -7.0]))
def test_a_number_lies_inside_its_band(value: float, width: float, origin: float) -> None:
    """'[low, high)' holds the value whatever floating point does; edges read back as the numbers they are."""
    (label,) = labels([value], DataType.NUMBER, NumberBand(width=width, origin=origin))
    assert isinstance(label, str)
    low, high = (float(edge) for edge in label[1:-1].split(", "))
    if label.endswith(")"):
        assert low <= value < high
        assert high - low <= width * 1.01 + math.ulp(high) * 4
    else:
        assert low == value == high


def test_labels_read_as_documented() -> None:
    """The labels that the documentation promises, negative numbers and both ends included."""
    assert labels([-1, 0, 39, None], DataType.INTEGER, NumberBand(width=10)) == ["-10--1", "0-9", "30-39", None]
    assert labels([7], DataType.INTEGER, NumberBand(width=1)) == ["7"]
    assert labels([0.5, 0.3, -0.2, float("nan")], DataType.NUMBER, NumberBand(width=0.5)) == ["[0.5, 1)", "[0, 0.5)", "[-0.5, 0)", None]
    assert labels([17, 18, 64, 65], DataType.INTEGER, NumberBand(width=10, lower=18, upper=65)) == ["<18", "18-19", "60-64", ">=65"]
    assert labels([0.3], DataType.NUMBER, NumberBand(width=0.1)) == ["[0.3, 0.4)"]
    day = dt.date(2024, 3, 31)
    units = {"month": "2024-03", "quarter": "2024-Q1", "year": "2024", "5 years": "2020-2024", "decade": "2020-2029"}
    assert {unit: labels([day], DataType.DATE, DatePart.model_validate({"unit": unit}))[0] for unit in units} == units
    assert labels(["12345", "12", "", " é9z"], DataType.TEXT, Prefix(length=2)) == ["12*", "12", "", "é9*"]
    assert labels(["a", "z", None], DataType.TEXT, CategoryMap(parents=(("a", "A"),), other=None)) == ["A", None, None]


RESTRICTED = Prefix(length=3, restricted=("036", "059", "102"))


def test_zip_codes_of_small_areas_become_zeros() -> None:
    """45 CFR 164.514(b)(2)(i)(B): the listed prefixes are shown as 000, whole ZIP codes, ZIP+4 and bare prefixes alike; others as ever."""
    given = ["03601", "03602-1234", "036", "10001", " 10280 ", "102", "60614-0001", "606", "", None, "K1A 0B1"]
    shown = ["000", "000", "000", "100*", "000", "000", "606*", "606", "", None, "K1A*"]
    assert labels(given, DataType.TEXT, RESTRICTED) == shown
    assert labels(["03601"], DataType.TEXT, Prefix(length=2, restricted=("036",))) == ["00"]
    assert labels(["03601"], DataType.TEXT, Prefix(length=4, restricted=("036",))) == ["0000"]


def test_zip_codes_get_their_leading_zeros_back() -> None:
    """3601 is 03601: as a number or as four digits of text its first three characters are 036, and never four of the five digits."""
    assert labels([3601, 2139, 10001, 601, 36011234, 0, None], DataType.INTEGER, RESTRICTED) == [
        "000", "021*", "100*", "006*", "000", "000*", None,
    ]  # fmt: skip
    assert labels([3601.0, 2139.0, float("nan"), float("inf"), None], DataType.NUMBER, RESTRICTED) == ["000", "021*", None, None, None]
    assert labels([-3601, 10**12], DataType.INTEGER, RESTRICTED) == [None, None]
    assert labels(["3601", "2139-1234"], DataType.TEXT, RESTRICTED) == ["000", "021*"]


@given(codes=st.lists(st.from_regex(r"[0-9]{5}(-[0-9]{4})?", fullmatch=True), min_size=1, max_size=20))
def test_no_restricted_prefix_is_ever_shown(codes: list[str]) -> None:
    """Whatever the ZIP codes: the label is 000 where the first three digits are listed, else these digits and a star."""
    for code, label in zip(codes, labels(list(codes), DataType.TEXT, RESTRICTED), strict=True):
        assert label == ("000" if code[:3] in RESTRICTED.restricted else code[:3] + "*")


def test_leap_day_birthdays() -> None:
    """Who was born on 29 February completes a year on 1 March of common years and on the day itself in leap years."""
    born = [dt.date(2000, 2, 29), dt.date(1900, 1, 1), dt.date(2030, 1, 1), None]
    assert labels(born, DataType.DATE, AgeBand(as_of=dt.date(2023, 2, 28), width=1)) == ["22", "90+", "<0", None]
    assert labels(born[:1], DataType.DATE, AgeBand(as_of=dt.date(2023, 3, 1), width=1)) == ["23"]
    assert labels(born[:1], DataType.DATE, AgeBand(as_of=dt.date(2024, 2, 29), width=5)) == ["20-24"]
    assert labels(born[:1], DataType.DATE, AgeBand(as_of=dt.date(2024, 2, 29), width=7, top=26)) == ["21-25"]


@given(DATES, DATES)
@settings(max_examples=100, deadline=None)
def test_age_is_the_number_of_completed_years(born: dt.date, as_of: dt.date) -> None:
    """Age bands of one year agree with counting birthdays."""
    age = as_of.year - born.year - ((as_of.month, as_of.day) < (born.month, born.day))
    expected = "<0" if age < 0 else "90+" if age >= 90 else str(age)
    assert labels([born], DataType.DATE, AgeBand(as_of=as_of, width=1)) == [expected]


@pytest.mark.parametrize("recode", [DatePart(unit="year"), AgeBand(as_of=dt.date(2020, 1, 1)), NumberBand(width=1)])
def test_impossible_recodings_are_plan_errors(recode: AnyRecode) -> None:
    """A part of a date of a text is refused with a sentence, not with an engine's error."""
    with pytest.raises(PlanError, match="is of type text") as caught:
        recode_expression("secret", DataType.TEXT, recode)
    assert caught.value.code == "impossible_recoding"


@pytest.mark.parametrize("name", ["*", "^a.*$", "^x$", "", "a b.c", "📮\n", "__proto__"])
def test_names_are_names(name: str) -> None:
    """A column may be called like a pattern: exactly it is recoded."""
    frame = pl.LazyFrame({"a": ["zz"], "x": ["yy"]}).with_columns(pl.lit("123").alias("n")).rename({"n": name})
    assert frame.select(recode_expression(name, DataType.TEXT, Prefix(length=1))).collect().to_dict(as_series=False) == {name: ["1*"]}

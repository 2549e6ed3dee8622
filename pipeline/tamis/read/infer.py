"""Logical types of text columns, judged over all values: flags per batch that merge, never a guess from the first rows.

A batch can only rule forms out, so the result does not depend on how the rows are cut or ordered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from tamis.core.errors import DataError, clean_name, did_you_mean
from tamis.core.types import DataType
from tamis.read.forms import DTYPES, FORMS, STATED, Form, is_plain_number, is_wide_integer


@dataclass(frozen=True, slots=True)
class Decision:
    """What a text column is and the form that its values have; form None: text as it is."""

    type: DataType
    form: Form | None = None
    note: str = ""

    def apply(self, text: pl.Expr) -> pl.Expr:
        """The typed values of an expression of texts."""
        typed = text if self.form is None else self.form.parse(text)
        return typed.cast(DTYPES[self.type])


@dataclass(slots=True)
class _Judged:
    """What is known of one column so far."""

    forms: dict[str, Form]
    stated: str | None = None
    nulls_only: bool = True
    wide: bool = False
    plain: bool = False
    failures: dict[str, int] = field(default_factory=dict)
    first_failure: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Misfit:
    """Values of a column that are not of its stated type: how many, and the first row (from 0) of all rows seen."""

    column: int
    stated: str
    count: int
    first_row: int


class Judge:
    """Collects flags of text columns, batch by batch. Columns are known by position."""

    def __init__(self, names: Sequence[str], stated: Mapping[str, str]) -> None:
        check_stated(names, stated)
        self._columns: list[_Judged] = []
        self._rows = 0
        for name in names:
            self.add(stated.get(name), tuple(FORMS))

    def add(self, stated: str | None, forms: Sequence[str]) -> None:
        """One more column, all null in the rows before; `forms` are those that come into question."""
        chosen = dict(STATED[stated]) if stated else {name: FORMS[name] for name in forms}
        self._columns.append(_Judged(chosen, stated))

    def restrict(self, column: int, forms: Sequence[str]) -> None:
        """From here on only `forms` come into question (JSON strings are never numbers)."""
        judged = self._columns[column]
        if judged.stated is None:
            judged.forms = {name: form for name, form in judged.forms.items() if name in forms}

    def see(self, batch: pl.DataFrame) -> None:
        """The next rows: all text, one column per known column, in order."""
        present = batch.select(pl.nth(i).count().alias(str(i)) for i in range(batch.width)).row(0) if batch.width else ()
        # Rounds: a column's likeliest form is tested first, and most columns need one round once they have settled.
        waiting = {i: list(self._columns[i].forms) for i, count in enumerate(present) if count}
        for i in waiting:
            self._columns[i].nulls_only = False
        if not self._settled(waiting):
            self._rule_out(batch.head(256), {i: forms for i, forms in waiting.items() if self._columns[i].stated is None})
            waiting = {i: list(self._columns[i].forms) for i in waiting}
        self._rule_out(batch, waiting)
        self._extremes(batch, list(waiting))
        self._rows += batch.height

    def _settled(self, waiting: dict[int, list[str]]) -> bool:
        return all(len(forms) < 3 or self._columns[i].stated is not None for i, forms in waiting.items())

    def _rule_out(self, batch: pl.DataFrame, waiting: dict[int, list[str]]) -> None:
        """Test forms on a batch. 'number' waits for 'integer': while every value is an integer, only its width matters."""
        tests = []
        for i, forms in waiting.items():
            judged = self._columns[i]
            skip_number = "integer" in forms and judged.stated is None
            tests += [(i, name) for name in forms if not (skip_number and name == "number")]
        failed = self._failing(batch, tests)
        again = []
        for (i, name), count in failed.items():
            judged = self._columns[i]
            if judged.stated is not None:
                self._count_failures(batch, i, name, count)
            elif count:
                del judged.forms[name]
                if name == "integer" and "number" in judged.forms:
                    if judged.wide:
                        del judged.forms["number"]
                    else:
                        again.append((i, "number"))
        for (i, name), count in self._failing(batch, again).items():
            if count:
                del self._columns[i].forms[name]

    def _failing(self, batch: pl.DataFrame, tests: list[tuple[int, str]]) -> dict[tuple[int, str], int]:
        if not tests:
            return {}
        exprs = [
            (pl.nth(i).is_not_null() & ~self._columns[i].forms[name].matches(pl.nth(i))).sum().cast(pl.Int64).alias(str(at))
            for at, (i, name) in enumerate(tests)
        ]
        return dict(zip(tests, batch.select(exprs).row(0), strict=True))

    def _count_failures(self, batch: pl.DataFrame, i: int, name: str, count: int) -> None:
        judged = self._columns[i]
        judged.failures[name] = judged.failures.get(name, 0) + count
        if count and name not in judged.first_failure:
            misfits = batch.select(pl.nth(i).is_not_null() & ~judged.forms[name].matches(pl.nth(i))).to_series()
            judged.first_failure[name] = self._rows + int(misfits.arg_max() or 0)

    def _extremes(self, batch: pl.DataFrame, columns: list[int]) -> None:
        exprs = []
        for i in columns:
            judged = self._columns[i]
            if "integer" in judged.forms and not judged.wide:
                exprs.append(is_wide_integer(pl.nth(i)).any().alias(f"w{i}"))
            if "number" in judged.forms and not judged.plain:
                exprs.append(is_plain_number(pl.nth(i)).any().alias(f"p{i}"))
        for key, found in (batch.select(exprs).row(0, named=True) if exprs else {}).items():
            judged = self._columns[int(key[1:])]
            judged.wide |= bool(found) and key[0] == "w"
            judged.plain |= bool(found) and key[0] == "p"

    def misfit(self) -> Misfit | None:
        """The first stated type that some value is not of; None when all are."""
        for i, judged in enumerate(self._columns):
            if judged.stated and judged.failures and min(judged.failures.values()):
                name = min(judged.failures, key=lambda form: judged.failures[form])
                return Misfit(i, judged.stated, judged.failures[name], judged.first_failure[name])
        return None

    def decide(self, names: Sequence[str]) -> list[Decision]:
        """The type of every column. DataError `ambiguous_dates` where dates are stated and day and month cannot be told apart."""
        return [_decide(clean_name(name), judged) for name, judged in zip(names, self._columns, strict=True)]


def check_stated(names: Sequence[str], stated: Mapping[str, str]) -> None:
    """DataError `unknown_column` when a type is stated for a column that is not there."""
    for name in stated:
        if name not in names:
            raise DataError(
                "unknown_column",
                f"A type is stated for a column that is not there: '{clean_name(name)}'.",
                hint=did_you_mean(clean_name(name), map(clean_name, names)),
            )


def _decide(name: str, judged: _Judged) -> Decision:
    if judged.stated:
        return _decide_stated(name, judged)
    if judged.nulls_only:
        return Decision(DataType.EMPTY)
    fitting = dict(judged.forms)
    if "integer" not in fitting and not judged.plain:
        fitting.pop("number", None)
    groups = [form.group for form in fitting.values() if form.group]
    if len(groups) > 1:
        return Decision(DataType.TEXT, note=f"Column '{name}' stays text: day and month of its dates cannot be told apart.")
    for key, form in fitting.items():
        return Decision(form.type, form, _note(name, key, form))
    return Decision(DataType.TEXT)


def _decide_stated(name: str, judged: _Judged) -> Decision:
    kind = DataType(judged.stated or "text")
    if judged.nulls_only or kind is DataType.TEXT:
        return Decision(kind, None)
    fitting = {key: form for key, form in judged.forms.items() if not judged.failures.get(key)}
    if len(fitting) > 1:
        raise DataError(
            "ambiguous_dates",
            f"Column '{name}' is stated as a date, but its day and month cannot be told apart.",
            hint="Write the dates as YYYY-MM-DD, or state it as text.",
        )
    key, form = next(iter(fitting.items()))
    return Decision(form.type, form, _note(name, key, form))


def _note(name: str, key: str, form: Form) -> str:
    if key == "datetime utc":
        return f"Column '{name}' has times with offsets; they are read as UTC."
    if form.group:
        order = {"d": "day before month", "m": "month before day"}[key.removeprefix("date ")[0]]
        return f"Column '{name}' has dates with the {order}, which all its values together decide."
    return ""

"""Fakes: invented identifiers, equal for equal values within one domain and scope.

Definition: the keyed digest of the canonical value (HMAC-SHA-256, a subkey per kind, domain, scope and locale) chooses the words
and digits of the fake (see invent.py). With `person` the digest of the person's key chooses, by one subkey for all kinds of a domain, so
that the name, the e-mail address and the user name of a person match, in every column and table that names the person.

Not injective unless `unique`: two people may get one fake name, as people do. A fake never equals its own original: the next one is
taken. With `person` it may, at chance (1 / size of the lists), since the columns could not match otherwise. That it equals another
person's value happens by chance, at the rate of the lists.

What it does not protect from: whoever has the key can recompute the fake of a guessed value; how often a fake occurs, and with what, is
as visible as before; what a fake is asked to keep (locale, gender, format) is the original's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from tamis.core.actions import Fake
from tamis.core.errors import PlanError, clean_name
from tamis.core.plan import ColumnPlan
from tamis.core.ports import KeyRing
from tamis.transform.invent import SMALL, Style, invented
from tamis.transform.origin import genders_of, locales_of
from tamis.transform.reserved import Words
from tamis.transform.work import STABLE, Work

_TRIES = 8
_NEXT = np.uint64(0x1_0000_0001)
"""one further in both halves of a word"""


def faked(column: ColumnPlan, action: Fake, work: Work) -> pl.Expr:
    """Text of the kind asked for; null stays null. Raises PlanError for a locale without words or a column that is not there."""
    stated = Style(None if action.locale == "keep" else action.locale)
    example = pl.Series(["x"])
    invented(np.zeros((1, 4), dtype=np.uint64), action, stated, example)  # an unknown locale is an error here, not inside the engine
    keyring, scope = work.keyring, _scope(action, work)

    def fakes(rows: pl.Series) -> pl.Series:
        given = rows.struct.unnest()
        distinct = given.unique()
        if 2 * len(distinct) > len(given):
            return _fakes(given, action, keyring, scope)
        made = distinct.with_columns(_fakes(distinct, action, keyring, scope).alias("made"))
        return given.join(made, on=given.columns, how="left", nulls_equal=True, maintain_order="left")["made"]

    return pl.struct(_given(column, action, work)).map_batches(fakes, return_dtype=pl.String, is_elementwise=True)


def check_unique(frame: pl.LazyFrame, column: ColumnPlan, action: Fake, work: Work) -> None:
    """Fakes whose range is too small to be sure are counted: PlanError `fake_not_unique` when two values would get one fake."""
    if not action.unique or (action.kind not in SMALL and action.format != "keep"):
        return
    given = frame.select(_given(column, action, work)).drop_nulls("value").unique().collect(engine="streaming")
    fakes = _fakes(given, action, work.keyring, _scope(action, work))
    made = pl.DataFrame({"seed": _seed(given, action), "made": fakes}).unique()
    if made["made"].null_count() or made["made"].n_unique() != len(made):
        raise PlanError(
            "fake_not_unique",
            f"Column '{clean_name(column.name)}' has more values than fakes of kind {action.kind} can keep apart.",
            hint="Use pseudonymize for keys, or fake without unique.",
        )


def _scope(action: Fake, work: Work) -> str:
    return STABLE if action.link == "stable" else work.scope


def _given(column: ColumnPlan, action: Fake, work: Work) -> list[pl.Expr]:
    """What a fake is made from: canonical texts `value` and, where the action names them, `person`, `gender_from`, `locale_from`."""
    named = {"value": column.name, **action.sources}
    return [work.text(name).alias(word) for word, name in named.items()]


def _seed(given: pl.DataFrame, action: Fake) -> pl.Series:
    """The text whose digest chooses. A value of no known person chooses for itself, and apart from all persons."""
    if action.person is None:
        return given["value"]
    own = pl.concat_str(pl.lit("value:"), "value")
    return given.select(pl.coalesce(pl.concat_str(pl.lit("person:"), "person"), own)).to_series()


def _use(action: Fake, scope: str) -> str:
    if action.person is not None:
        return f"fake:person:{action.domain or 'person'}:{scope}"
    return f"fake:{action.kind}:{action.domain or action.kind}:{scope}:{action.locale or ''}"


def _fakes(given: pl.DataFrame, action: Fake, keyring: KeyRing, scope: str) -> pl.Series:
    """Fakes of canonical values. Where one equals its original, the words move on until it does not."""
    values = given["value"]
    present = values.is_not_null()
    if not present.all():
        places = present.arg_true()
        out = _nothing(len(values))
        return out.scatter(places, _fakes(given.filter(present), action, keyring, scope)) if len(places) else out
    words: Words = keyring.digest(_seed(given, action), use=_use(action, scope)).to_numpy().copy()
    styles = _styles(given, action)
    made = _by_style(words, action, styles, values)
    same = _same(made, values)
    for _ in range(_TRIES if action.person is None else 0):
        if not same.any():
            break
        places = same.arg_true()
        rows = places.to_numpy()
        words[rows] += _NEXT
        some = None if styles is None else styles.select(pl.all().gather(places))
        made = made.scatter(places, _by_style(words[rows], action, some, values.gather(places)))
        same = _same(made, values)
    if action.person is None and same.any():  # a list of one word that is the original itself leaves nothing but null
        made = pl.DataFrame({"made": made, "same": same}).select(pl.when(~pl.col("same")).then("made")).to_series()
    return made.cast(pl.String)


def _styles(given: pl.DataFrame, action: Fake) -> pl.DataFrame | None:
    """Columns `locale` and `gender` for each row; None where all rows have one style."""
    if action.locale != "keep" and action.gender_from is None:
        return None
    if action.locale == "keep":
        locale = _told(given["locale_from" if action.locale_from else "value"], locales_of)
    else:
        locale = pl.Series([action.locale], dtype=pl.String).new_from_index(0, len(given))
    gender = _told(given["gender_from"], genders_of) if action.gender_from else _nothing(len(given))
    return pl.DataFrame({"locale": locale, "gender": gender})


def _told(texts: pl.Series, judge: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """What distinct texts tell, for all of them."""
    distinct = texts.unique()
    if 2 * len(distinct) > len(texts):
        return judge(texts)
    judged = pl.DataFrame({"text": distinct, "told": judge(distinct)})
    return pl.DataFrame({"text": texts}).join(judged, on="text", how="left", nulls_equal=True, maintain_order="left")["told"]


def _by_style(words: Words, action: Fake, styles: pl.DataFrame | None, values: pl.Series) -> pl.Series:
    """Fakes, style by style: there are few."""
    if styles is None:
        return invented(words, action, Style(action.locale), values)
    out = _nothing(len(words))
    groups = styles.with_row_index("row").group_by("locale", "gender").agg("row").sort("locale", "gender")
    for locale, gender, rows in groups.rows():
        places = pl.Series(rows, dtype=pl.UInt32)
        out = out.scatter(places, invented(words[places.to_numpy()], action, Style(locale, gender), values.gather(places)))
    return out


def _nothing(count: int) -> pl.Series:
    return pl.Series([None], dtype=pl.String).new_from_index(0, count)


def _same(made: pl.Series, values: pl.Series) -> pl.Series:
    return (made.str.to_lowercase() == values.str.to_lowercase()).fill_null(value=False)

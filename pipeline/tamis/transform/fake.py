"""Fakes: invented identifiers, equal for equal values within one domain and scope.

Definition: the keyed digest of the canonical value (HMAC-SHA-256, a subkey per kind, domain, scope and locale) chooses the words
and digits of the fake (see invent.py). Not injective unless `unique`: two people may get one fake name, as people do. A fake never
equals its own original: the next one is taken. That it equals another person's value happens by chance, at the rate of the lists.
What it does not protect from: whoever has the key can recompute the fake of a guessed value; how often a fake occurs, and with
what, is as visible as before.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from tamis.core.actions import Fake
from tamis.core.errors import PlanError, clean_name
from tamis.core.plan import ColumnPlan
from tamis.core.ports import KeyRing
from tamis.transform.invent import SMALL, Words, invented
from tamis.transform.work import Work

_TRIES = 8
_NEXT = np.uint64(0x1_0000_0001)
"""one further in both halves of a word"""


def faked(column: ColumnPlan, action: Fake, work: Work) -> pl.Expr:
    """Text of the kind asked for; null stays null. Raises PlanError for a locale without words."""
    invented(np.zeros((1, 4), dtype=np.uint64), action)  # loads the words: an unknown locale is an error here, not inside the engine
    keyring, scope = work.keyring, work.scope

    def fakes(batch: pl.Series) -> pl.Series:
        distinct = batch.drop_nulls().unique()
        if 2 * len(distinct) > len(batch):
            return _fakes(batch, action, keyring, scope)
        made = _fakes(distinct, action, keyring, scope)
        return batch.replace_strict(distinct, made, default=None, return_dtype=pl.String) if len(distinct) else batch.cast(pl.String)

    return work.text(column.name).map_batches(fakes, return_dtype=pl.String, is_elementwise=True)


def check_unique(frame: pl.LazyFrame, column: ColumnPlan, action: Fake, work: Work) -> None:
    """Kinds whose range is too small to be sure are counted: PlanError `fake_not_unique` when two values would get one fake."""
    if not action.unique or action.kind not in SMALL:
        return
    texts = frame.select(work.text(column.name).alias("text")).drop_nulls().unique().collect(engine="streaming").to_series()
    if _fakes(texts, action, work.keyring, work.scope).n_unique() != len(texts):
        raise PlanError(
            "fake_not_unique",
            f"Column '{clean_name(column.name)}' has more values than fakes of kind {action.kind} can keep apart.",
            hint="Use pseudonymize for keys, or fake without unique.",
        )


def _fakes(values: pl.Series, action: Fake, keyring: KeyRing, scope: str) -> pl.Series:
    """Fakes of canonical values. Where one equals its original, the words move on until it does not."""
    use = f"fake:{action.kind}:{action.domain or action.kind}:{scope}:{action.locale or ''}"
    words: Words = keyring.digest(values, use=use).to_numpy().copy()
    made = invented(words, action)
    same = _same(made, values)
    for _ in range(_TRIES):
        if not same.any():
            break
        places = same.arg_true()
        rows = places.to_numpy()
        words[rows] += _NEXT
        made = made.scatter(places, invented(words[rows], action))
        same = _same(made, values)
    if values.null_count() or same.any():  # a list of one word that is the original itself leaves nothing but null
        shown = pl.DataFrame({"made": made, "shown": values.is_not_null() & ~same})
        made = shown.select(pl.when("shown").then("made")).to_series()
    return made.cast(pl.String)


def _same(made: pl.Series, values: pl.Series) -> pl.Series:
    return (made.str.to_lowercase() == values.str.to_lowercase()).fill_null(value=False)

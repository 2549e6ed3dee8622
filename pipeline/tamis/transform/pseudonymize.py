"""Pseudonyms: HMAC-SHA-256 tokens of canonical values, equal for equal values within one domain and scope.

Definition: token = first 128 bits of HMAC-SHA-256(subkey(domain, scope), canonical value) in base32 (RFC 2104, FIPS 198-1,
RFC 4648); see keys.py. Assumption: the key stays secret. What it does not protect from: whoever has the key can recompute the token
of a guessed value; how often a token occurs, and with what, is as visible as before. Pseudonymous is not anonymous.
"""

from __future__ import annotations

import polars as pl

from tamis.core.actions import Pseudonymize
from tamis.core.plan import ColumnPlan
from tamis.transform.work import STABLE, Work


def pseudonym(column: ColumnPlan, action: Pseudonymize, work: Work) -> pl.Expr:
    """Tokens (text, 26 characters); null stays null. The key is in the batch function, in no expression."""
    scope = STABLE if action.link == "stable" else work.scope
    keyring = work.keyring

    def tokens(batch: pl.Series) -> pl.Series:
        return keyring.token(batch, domain=action.domain, scope=scope)

    return work.text(column.name).map_batches(tokens, return_dtype=pl.String, is_elementwise=True)

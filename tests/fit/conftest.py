"""One real SDV fit, shared by the session."""

from __future__ import annotations

import pytest
from fit_tables import Fitted, generated, table_plan, with_words

from tamis.fit import fit_proxies
from tamis.keys import MasterKey


@pytest.fixture(scope="session")
def fitted() -> Fitted:
    """The generated table with its model: one SDV fit."""
    key = MasterKey(bytes(range(32)))
    frame, plan = generated(), table_plan()
    rows = with_words(frame, key)
    return Fitted(frame, rows, plan, fit_proxies(rows, plan, model_id="m", keyring=key, k=5), key)

"""Redaction: what the finder finds is gone, the rest of the text is as it was."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transform_tables import KEY, released

from tamis.core.actions import Redact
from tamis.core.errors import PlanError
from tamis.core.ports import Span

_PATTERNS = {"EMAIL_ADDRESS": r"[\w.]+@[\w.]+\.\w+", "PHONE_NUMBER": r"\+\d{8,12}"}


class Patterns:
    """A small real finder: two regular expressions."""

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """Spans, sorted; the patterns exclude each other."""
        return [
            sorted(Span(*hit.span(), entity, 0.9) for entity, pattern in _PATTERNS.items() for hit in re.finditer(pattern, text))
            for text in texts
        ]


def _redact(texts: list[str | None], **more: object) -> list[str | None]:
    frame = pl.DataFrame({"t": pl.Series(texts, dtype=pl.String)})
    return released(frame, {"t": Redact.model_validate(more)}, spans=Patterns())["t"].to_list()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.text(st.characters(codec="utf-8", categories=["L", "So"]), max_size=8), st.booleans()), min_size=1, max_size=10)
)
def test_planted_values_are_gone_and_the_rest_stays(parts: list[tuple[str, bool]]) -> None:
    """E-mails and phones planted in any text leave their label; what stands around them does not change."""
    texts: list[str | None] = [f"({word}) anna.b@mail.org, +4912345678 ({word})" if planted else f"({word})" for word, planted in parts]
    expected = [f"({word}) <EMAIL_ADDRESS>, <PHONE_NUMBER> ({word})" if planted else f"({word})" for word, planted in parts]
    assert _redact([*texts, None]) == [*expected, None]


def test_labels() -> None:
    """Blank leaves nothing; tokens are keyed and equal for equal values wherever they stand; other entities stay when named."""
    texts: list[str | None] = ["write a@b.de a@b.de", "+4912345678 or a@b.de"]
    assert _redact(texts, label="blank") == ["write  ", " or "]
    token = KEY.token(pl.Series(["a@b.de"]), domain="redact", scope="release-1").item()
    shown = _redact(texts, label="token")
    assert shown[0] == f"write <EMAIL_ADDRESS:{token}> <EMAIL_ADDRESS:{token}>"
    assert str(shown[1]).endswith(f" or <EMAIL_ADDRESS:{token}>")
    assert _redact(texts, entities=["PHONE_NUMBER"]) == ["write a@b.de a@b.de", "<PHONE_NUMBER> or a@b.de"]


def test_without_a_finder_nothing_is_claimed() -> None:
    """Redaction without recognizers is a plan error, never a pass-through."""
    with pytest.raises(PlanError, match="no_recognizers"):
        released(pl.DataFrame({"t": ["x"]}), {"t": Redact()})

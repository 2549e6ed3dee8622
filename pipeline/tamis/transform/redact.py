"""Personal data inside free text replaced by labels; the rest of the text stays.

The conductor gives the finder (made by `detect`), Presidio's AnonymizerEngine replaces, our keyed operator makes tokens. What is not
found stays: without a configured NER model only what has a recognizable form is found, and such text is not claimed clean.

This is the one place that handles values one by one in Python, because finder and engine do: distinct texts of a batch only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from tamis.core.actions import Redact
from tamis.core.errors import PlanError, clean_name
from tamis.core.plan import ColumnPlan
from tamis.core.ports import KeyRing, Span, SpanFinder
from tamis.transform.work import Work

Replace = Callable[[str, Sequence[Span], Mapping[str, str]], str]
"""text, its spans, tokens of the values in them -> text without them"""


def redacted(column: ColumnPlan, action: Redact, work: Work) -> pl.Expr:
    """Text in which every span found reads <ENTITY>, <ENTITY:token> or nothing; null stays null.

    Raises PlanError when no finder was given.
    """
    if work.spans is None:
        raise PlanError(
            "no_recognizers",
            f"Column '{clean_name(column.name)}' is to be redacted and no recognizers were given.",
            hint="Pass spans, e.g. from tamis.detect, or drop the column.",
        )
    finder, keyring, scope = work.spans, work.keyring, work.scope
    replace = _engine(action.label)

    def redact(batch: pl.Series) -> pl.Series:
        distinct = batch.drop_nulls().unique(maintain_order=True)
        if distinct.is_empty():
            return batch.cast(pl.String)
        texts = distinct.to_list()
        spans = _wanted(finder, texts, action)
        tokens = _tokens(texts, spans, keyring, scope) if action.label == "token" else {}
        clean = [replace(text, found, tokens) if found else text for text, found in zip(texts, spans, strict=True)]
        return batch.replace_strict(distinct, pl.Series(values=clean, dtype=pl.String), default=None, return_dtype=pl.String)

    return pl.col(work.given(column.name)).cast(pl.String).map_batches(redact, return_dtype=pl.String, is_elementwise=True)


def _wanted(finder: SpanFinder, texts: Sequence[str], action: Redact) -> list[list[Span]]:
    found = finder.find(texts)
    if action.entities is None:
        return found
    wanted = frozenset(action.entities)
    return [[span for span in spans if span.entity in wanted] for spans in found]


def _tokens(texts: Sequence[str], spans: Sequence[Sequence[Span]], keyring: KeyRing, scope: str) -> dict[str, str]:
    """Keyed tokens of all values found in a batch; one domain for all texts, so that a value has one token wherever it stands."""
    values = {text[span.start : span.end] for text, found in zip(texts, spans, strict=True) for span in found}
    found = pl.Series("value", sorted(values), dtype=pl.String)
    canonical = found.str.normalize("NFC").str.strip_chars()
    return dict(zip(found.to_list(), keyring.token(canonical, domain="redact", scope=scope).to_list(), strict=True))


def _engine(label: str) -> Replace:
    """Presidio's engine, about 20 microseconds per text, with the operator that the label needs."""
    from presidio_anonymizer import AnonymizerEngine
    from presidio_anonymizer.entities import OperatorConfig, RecognizerResult
    from presidio_anonymizer.operators import Operator, OperatorType

    class KeyedToken(Operator):  # type: ignore[misc]  # presidio is untyped here
        """<ENTITY:token>."""

        def operate(self, text: str, params: dict[str, Any] | None = None) -> str:
            given = params or {}
            return f"<{given['entity_type']}:{given['tokens'][text]}>"

        def validate(self, params: dict[str, Any] | None = None) -> None:
            """Nothing to check: we are the only caller."""

        def operator_name(self) -> str:
            return "tamis_token"

        def operator_type(self) -> Any:
            return OperatorType.Anonymize

    engine = AnonymizerEngine()
    engine.add_anonymizer(KeyedToken)

    def operator(tokens: Mapping[str, str]) -> Any:
        match label:
            case "entity":
                return OperatorConfig("replace")
            case "blank":
                return OperatorConfig("redact")
            case "token":
                return OperatorConfig("tamis_token", {"tokens": tokens})
            case _:
                raise PlanError("unknown_label", f"'{clean_name(label)}' is no label of redact.", hint="Known: entity, token, blank.")

    def replace(text: str, spans: Sequence[Span], tokens: Mapping[str, str]) -> str:
        results = [RecognizerResult(span.entity, span.start, span.end, span.score) for span in spans]
        return str(engine.anonymize(text, results, {"DEFAULT": operator(tokens)}, merge_entities_with_spaces=False).text)

    return replace

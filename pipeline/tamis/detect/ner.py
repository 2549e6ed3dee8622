"""A configured model for names in text (NER), run through Presidio: more evidence, never the only one, never downloaded.

A model is named `spacy:NAME` or `spacy:FOLDER`, `transformers:FOLDER`, `gliner:FOLDER`; without a prefix spaCy is meant. spaCy models
may be installed packages or folders, the others are folders: a bare name would make their libraries ask the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl

from tamis.core.errors import UsageError, clean_name, did_you_mean
from tamis.core.ports import Span

_KINDS = ("spacy", "transformers", "gliner")
_ENTITIES: Mapping[str, str] = {"PERSON": "PERSON", "LOCATION": "LOCATION", "ORGANIZATION": "ORGANIZATION"}
_WHOLE = 0.8
"""share of a cell's letters that a span must cover to be the cell"""
_MAX_TEXT = 20_000


@dataclass(frozen=True)
class NerModel:
    """A loaded model. `name` stands in evidence: the kind and the last part of the path."""

    name: str
    tagger: Any

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """Spans of persons, places and organizations, per text; every distinct text is tagged once."""
        distinct = sorted(set(texts))
        found = dict(zip(distinct, self.tagger(distinct), strict=True))
        return [found[text] for text in texts]

    def shares(self, texts: pl.Series) -> dict[str, tuple[int, int]]:
        """Of some texts: how many are, nearly whole, and how many hold a span of each entity: {entity: (whole, holding)}."""
        whole: dict[str, int] = {}
        holding: dict[str, int] = {}
        for text, spans in zip(texts.to_list(), self.find(texts.to_list()), strict=True):
            letters = sum(c.isalnum() for c in text)
            for entity in sorted({span.entity for span in spans}):
                covered = sum(c.isalnum() for span in spans if span.entity == entity for c in text[span.start : span.end])
                holding[entity] = holding.get(entity, 0) + 1
                whole[entity] = whole.get(entity, 0) + (letters > 0 and covered >= _WHOLE * letters)
        return {entity: (whole.get(entity, 0), count) for entity, count in holding.items()}


def load_ner(model: str, base: Path | None = None) -> NerModel:
    """The model of this name, or in this folder (relative to `base`).

    Raises UsageError when the kind is unknown, its library is not installed, or the model is not on this machine.
    """
    kind, colon, place = model.partition(":")
    if not colon or (len(kind) == 1 and kind.isalpha()):  # `C:\models\en` is a path
        kind, place = "spacy", model
    if kind not in _KINDS:
        raise UsageError("unknown_ner", f"There is no kind of NER model '{clean_name(kind)}'.", hint=did_you_mean(kind, _KINDS))
    if find_spec(kind) is None:
        raise UsageError("ner_not_installed", f"The library '{kind}' is not installed.", hint=f"Install it: pip install {kind}")
    folder = Path(place).expanduser()
    folder = folder if folder.is_absolute() or base is None else base / folder
    title = f"{kind}:{folder.name}"
    if not folder.is_dir():
        if kind != "spacy" or "/" in place or not _is_spacy_package(place):
            raise UsageError(
                "ner_model_missing",
                f"There is no {kind} model '{clean_name(folder.name)}' on this machine; tamis downloads none.",
                hint="Name a folder that holds the model" + (" or an installed spaCy package." if kind == "spacy" else "."),
            )
        return NerModel(title, _spacy(place, title))
    load = {"spacy": _spacy, "transformers": _transformers, "gliner": _gliner}[kind]
    return NerModel(title, load(str(folder), title))


def _is_spacy_package(name: str) -> bool:
    import spacy.util

    return bool(spacy.util.is_package(name))


def _spacy(place: str, title: str) -> Any:
    """Presidio's engine over spaCy: its mapping of labels (PER, GPE, ORG …) to Presidio's entities, its scores."""
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    engine = SpacyNlpEngine(models=[{"lang_code": "xx", "model_name": place}])
    try:
        engine.load()
    except Exception:  # noqa: BLE001  # whatever a foreign model raises becomes one sentence
        raise _broken(title) from None
    labels: Mapping[str, str] = engine.ner_model_configuration.model_to_presidio_entity_mapping or {}

    def tag(texts: Sequence[str]) -> list[list[Span]]:
        tagged = engine.process_batch([text[:_MAX_TEXT] for text in texts], language="xx")
        return [_spans((e.start_char, e.end_char, labels.get(e.label_, e.label_), float(s)) for e, s in _entities(a)) for _, a in tagged]

    return tag


def _entities(artifacts: Any) -> list[tuple[Any, float]]:
    scores = artifacts.scores or [0.85] * len(artifacts.entities)
    return list(zip(artifacts.entities, scores, strict=True))


def _transformers(place: str, title: str) -> Any:
    from presidio_analyzer.predefined_recognizers.ner import HuggingFaceNerRecognizer

    return _recognizer(lambda: HuggingFaceNerRecognizer(model_name=place, supported_entities=sorted(_ENTITIES)), title)


def _gliner(place: str, title: str) -> Any:
    from presidio_analyzer.predefined_recognizers import GLiNERRecognizer

    mapping = {"person": "PERSON", "location": "LOCATION", "organization": "ORGANIZATION"}
    return _recognizer(lambda: GLiNERRecognizer(model_name=place, entity_mapping=mapping, local_files_only=True), title)


def _recognizer(build: Any, title: str) -> Any:
    """A Presidio recognizer that carries its model; it is loaded here, so that a broken folder is a sentence and no traceback."""
    try:
        recognizer = build()
        recognizer.load()
    except Exception:  # noqa: BLE001  # as above
        raise _broken(title) from None

    def tag(texts: Sequence[str]) -> list[list[Span]]:
        found = (recognizer.analyze(text[:_MAX_TEXT], sorted(_ENTITIES), None) or () for text in texts)
        return [_spans((hit.start, hit.end, hit.entity_type, float(hit.score)) for hit in hits) for hits in found]

    return tag


def _broken(title: str) -> UsageError:
    return UsageError(
        "ner_model_broken", f"The NER model '{clean_name(title)}' could not be loaded.", hint="Load it once with its own library."
    )


def _spans(found: Any) -> list[Span]:
    return sorted(Span(start, end, _ENTITIES[label], round(score, 4)) for start, end, label, score in found if label in _ENTITIES)

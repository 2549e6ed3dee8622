"""Reading the rules folder and the files a policy names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from tamis.core.canonical import digest
from tamis.core.errors import PolicyError, UsageError, clean_name, did_you_mean
from tamis.core.types import DataType, Role
from tamis.documents import load_document
from tamis.rules.folders import is_path, list_packs, located, rules_folder
from tamis.rules.models import EntitiesFile, Entity, NamesFile, Pack, PackFile, Rules, ValuesFile, word_for
from tamis.rules.recognizers import Recognizer, RecognizerText, resolve_recognizers

M = TypeVar("M", bound=BaseModel)


def load_rules(packs: Sequence[str] = (), *, recognizers: Sequence[str] = (), base: Path | None = None) -> Rules:
    """Vocabulary, name rules, value sets, recognizers and the named packs.

    A pack is a name in rules/packs/ or a path (absolute, or relative to `base`, the policy's folder); `recognizers` are paths of files
    in Presidio's format. Both kinds of file may hold recognizers, names, values and entities of the user's own.
    Raises UsageError for a file that does not exist and PolicyError for a document that is not what it must be.
    """
    folder = rules_folder()
    vocabulary = dict(_ours(folder / "entities.yaml", EntitiesFile).entities)
    names, values = _ours(folder / "names.yaml", NamesFile), _ours(folder / "values.yaml", ValuesFile)
    found = list(_shipped(vocabulary))
    loaded: list[Pack] = []
    files = (
        name if is_path(name) else f"./{name}" for name in recognizers
    )  # a plan lists them among its packs: never taken for one of ours
    for name in dict.fromkeys((*packs, *files)):
        pack, vocabulary = _load_pack(name, base, vocabulary)
        loaded.append(pack)
        found += pack.recognizers
    return Rules(
        entities=vocabulary,
        words=names.words,
        subjects=names.subjects,
        names=(*names.rules, *(rule for pack in loaded for rule in pack.names)),
        value_sets=(*values.sets, *(one for pack in loaded for one in pack.values)),
        packs=tuple(loaded),
        recognizers=tuple(found),
    )


def recognizer_files() -> tuple[Path, ...]:
    """The files of recognizers that come with tamis, sorted."""
    return tuple(sorted((rules_folder() / "recognizers").glob("*.yaml")))


def _shipped(vocabulary: Mapping[str, Entity]) -> tuple[Recognizer, ...]:
    def word(name: str) -> str | None:
        return word_for(name, vocabulary)

    return tuple(one for path in recognizer_files() for one in resolve_recognizers(_ours(path, PackFile), path.stem, word, own=False)[0])


@lru_cache(maxsize=16)
def _read_once(path: Path, modified: int, model: type[M]) -> M:  # noqa: ARG001  # the time tells a changed file from the one read before
    return load_document(path, model)


def _ours(path: Path, model: type[M]) -> M:
    """A document of the rules folder: read once per process."""
    document: M = _read_once(path, path.stat().st_mtime_ns, model)
    return document


def _load_pack(name: str, base: Path | None, vocabulary: Mapping[str, Entity]) -> tuple[Pack, dict[str, Entity]]:
    """The pack, and the vocabulary with its words."""
    known = list_packs()
    if name in known:
        path = rules_folder() / "packs" / f"{name}.yaml"
    elif is_path(name):
        path = located(name, base)
    else:
        raise UsageError(
            "unknown_pack",
            f"There is no rule pack '{clean_name(name)}'.",
            hint=f"{did_you_mean(name, known)} A path to a YAML file of your own works too.",
        )
    written = load_document(path, PackFile, list_key="recognizers")
    own = path.parent != rules_folder() / "packs"
    words = dict(vocabulary) | dict(written.entities)
    found, notes = resolve_recognizers(written, path.stem, lambda word: word_for(word, words), own=own)
    roles = {text.name: text for text in written.recognizers if isinstance(text, RecognizerText)}
    for recognizer in found:
        if recognizer.entity is not None and recognizer.entity not in words:
            words[recognizer.entity] = _new_word(recognizer, roles.get(recognizer.name), path)
    _require_known(written, path, words)
    pack = Pack(
        name=path.stem,
        location=name,
        description=written.description or f"Recognizers of {path.name}",
        source=written.source or path.name,
        rules=written.rules,
        forbids=written.forbids,
        facts=written.facts,
        entities=written.entities,
        names=written.names,
        values=written.values,
        recognizers=found,
        allow_list=written.allow_list,
        notes=notes,
    )
    content = digest(pack.model_copy(update={"location": ""}))
    return pack.model_copy(update={"digest": content}), words


def _new_word(recognizer: Recognizer, text: RecognizerText | None, path: Path) -> Entity:
    """An entity that only the user's file knows: direct, unless the file says otherwise."""
    role = (text.role if text is not None else None) or Role.DIRECT
    types = (DataType.TEXT, DataType.INTEGER)
    return Entity(role=role, types=types, description=recognizer.description or f"Found by {clean_name(recognizer.name)}", source=path.name)


def _require_known(written: PackFile, path: Path, words: Mapping[str, Entity]) -> None:
    named = [(f"rule '{rule.id}'", entity) for rule in written.rules for entity in rule.entities]
    named += [(f"rule '{rule.id}'", rule.entity) for rule in written.names]
    named += [(f"rule '{one.id}'", one.entity) for one in written.values]
    for who, entity in named:
        if entity not in words:
            raise PolicyError(
                "unknown_entity",
                f"{path.name}: {who} names the entity '{clean_name(entity)}', which is not in rules/entities.yaml.",
                hint=did_you_mean(entity, words),
            )

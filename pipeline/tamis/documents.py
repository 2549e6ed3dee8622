"""Documents people write (YAML, JSON) to frozen models; every error has the file, the line and the path in the document."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from tamis.core.errors import PolicyError, UsageError, clean_name, did_you_mean

M = TypeVar("M", bound=BaseModel)
Location = tuple[str | int, ...]

_MAX_BYTES = 64 * 1024 * 1024
_MAX_PROBLEMS = 12
_EXAMPLES = {
    "keep": "a reason, e.g. keep: the purpose needs it",
    "pseudonymize": "parameters, e.g. pseudonymize: {domain: customer}",
    "fake": "parameters, e.g. fake: {kind: email}",
    "shift_dates": "parameters, e.g. shift_dates: {subject: patient_id}",
}


def load_document(path: Path, model: type[M], *, list_key: str | None = None) -> M:
    """Read and check a YAML or JSON document. A document that is a list is read as `list_key: [...]` when that is given.

    Raises UsageError when the file cannot be read and PolicyError, with all problems at once, when its content is wrong.
    """
    return parse_document(read_text(path), path.name, model, list_key=list_key)


def read_text(path: Path) -> str:
    """The text of a document; UsageError with the reason when it cannot be had."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UsageError("document_too_large", f"{path} is larger than {_MAX_BYTES // 1024 // 1024} MB.")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError("no_such_file", f"There is no file {path}.") from None
    except IsADirectoryError:
        raise UsageError("is_a_folder", f"{path} is a folder; a file is expected here.") from None
    except UnicodeDecodeError:
        raise UsageError("not_text", f"{path} is not UTF-8 text.") from None
    except OSError as error:
        raise UsageError("unreadable", f"{path} cannot be read ({error.strerror}).") from None


def parse_document(text: str, name: str, model: type[M], *, list_key: str | None = None) -> M:
    """Check the text of a YAML or JSON document against a model; `name` is the file's name for messages.

    Errors never repeat more of the document than keys and the words that were not understood.
    """
    data = _json(text, name)
    if data is None:
        data = _yaml(text, name)[0]
    if list_key is not None and isinstance(data, list):
        return _checked({list_key: data}, name, model, text, (list_key,))
    return _checked(data, name, model, text)


def check_mapping(data: Mapping[str, object], name: str, model: type[M]) -> M:
    """Check a document that is a mapping already; `name` stands for it in messages. Raises PolicyError with all problems at once."""
    try:
        plain = json.loads(json.dumps(data, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise PolicyError("not_a_document", f"{name}: only mappings, lists, texts, numbers and booleans are expected inside.") from None
    return _checked(plain, name, model, None)


def _json(text: str, name: str) -> dict[str, Any] | None:
    """What is JSON is read as JSON: YAML 1.1 takes `1e-05` for a text and refuses keys of more than 1024 characters."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        data = json.loads(text, object_pairs_hook=_unrepeated, parse_constant=_no_constant)
    except RecursionError:
        raise PolicyError("too_deep", f"{name}: nested too deeply.") from None
    except ValueError:
        return None  # YAML in flow style, or wrong: the other parser says where
    return data if isinstance(data, dict) else None


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("repeated key")
    return dict(pairs)


def _no_constant(word: str) -> float:
    raise ValueError(word)


def _yaml(text: str, name: str) -> tuple[Any, yaml.Node | None]:
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return (loader.construct_document(node) if node is not None else None), node
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise PolicyError("not_yaml", f"{where}: {problem}.", hint="Check indentation, colons and quotes on that line.") from None
    except RecursionError:
        raise PolicyError("too_deep", f"{name}: nested too deeply.") from None
    except ValueError:  # a date or number that YAML's own types refuse, e.g. 2024-02-31
        raise PolicyError(
            "not_yaml", f"{name}: a date or number in it does not exist.", hint="Put it in quotes if it is meant as text."
        ) from None


def _places(text: str | None, name: str, at: Location) -> dict[Location, int]:
    """Lines of everything in a document that stands at a place; nothing for what has none."""
    if text is None:
        return {}
    try:
        node = _yaml(text, name)[1]
    except PolicyError:
        return {}
    return dict(_lines(node, at)) if node is not None else {}


def _checked(data: Any, name: str, model: type[M], text: str | None, at: Location = ()) -> M:
    if not isinstance(data, Mapping):
        raise PolicyError("not_a_mapping", f"{name}: a mapping of keys to values is expected.")
    try:
        return model.model_validate_json(json.dumps(data, default=str)) if model.model_config.get("strict") else model.model_validate(data)
    except ValidationError as error:
        problems = _problems(error, model, data, _places(text, name, at), name)
        shown = problems[:_MAX_PROBLEMS] + ([f"… and {len(problems) - _MAX_PROBLEMS} more"] if len(problems) > _MAX_PROBLEMS else [])
        raise PolicyError("invalid_document", "\n  ".join([f"{name}: {len(problems)} problem(s)", *shown])) from None


_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc,valid-type]  # the C or the Python class, whichever PyYAML was built with
    """SafeLoader that refuses duplicate keys (YAML says they are an error; PyYAML lets the last one win silently)."""


def _text_keys(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    """Keys are names: `no:` and `on:` are the words, not booleans, and `2024:` is a name, not a number."""
    loader.flatten_mapping(node)
    seen: set[str] = set()
    out: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a plain word", key.start_mark)
        if key.value in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key '{clean_name(key.value)}' stands twice", key.start_mark)
        seen.add(key.value)
        out[key.value] = loader.construct_object(value, deep=True)
    return out


_Loader.add_constructor("tag:yaml.org,2002:map", _text_keys)


def _lines(node: yaml.Node, at: Location = ()) -> Iterable[tuple[Location, int]]:
    yield at, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield (*at, key.value), key.start_mark.line + 1
                yield from (pair for pair in _lines(value, (*at, key.value)) if pair[0] != (*at, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*at, index))


def _problems(error: ValidationError, model: type[BaseModel], data: Any, lines: dict[Location, int], name: str) -> list[str]:
    """One sentence per place; of the branches of a union that all failed, the one that got furthest."""
    by_place: dict[Location, tuple[int, str]] = {}
    for detail in error.errors(include_url=False, include_context=True):
        place = _in_document(detail["loc"], data)
        line = next((lines[place[:n]] for n in range(len(place), -1, -1) if place[:n] in lines), None)
        where = f"{_path(place)} ({name}:{line})" if line else _path(place)
        candidate = (_rank(detail), f"{_sentence(detail, model, place)} @ {where}.")
        by_place[place] = max(by_place.get(place, candidate), candidate)
    # When a place inside a value has a problem, 'should be text' about the value itself is only the other branch of a union.
    innermost = [place for place in by_place if not any(other != place and other[: len(place)] == place for other in by_place)]
    return [by_place[place][1] for place in sorted(innermost, key=lambda place: (lines.get(place, 0), str(place)))]


def _rank(detail: Any) -> int:
    """How likely a complaint is what the person needs to hear, among those about one place."""
    if detail["type"] == "value_error":
        return 3
    if detail["type"] == "extra_forbidden":
        return 2
    if detail["type"] == "literal_error":
        return 2 if isinstance(detail.get("input"), str) else 0
    return 1


def _in_document(loc: tuple[str | int, ...], data: Any) -> Location:
    """pydantic's location without the names of union branches, which are not in the document."""
    place: list[str | int] = []
    here = data
    for index, step in enumerate(loc):
        if isinstance(here, Mapping):
            if step in here:
                here = here[step]
                place.append(step)
            elif index == len(loc) - 1 and isinstance(step, str) and not _is_branch(step):
                place.append(step)
        elif isinstance(here, Sequence) and not isinstance(here, str) and isinstance(step, int) and step < len(here):
            here = here[step]
            place.append(step)
    return tuple(place)


def _is_branch(step: str) -> bool:
    return "[" in step or "(" in step or step in {"str", "int", "float", "bool"} or step[:1].isupper()


def _path(place: Location) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{clean_name(str(step))}" for step in place)


def _sentence(detail: Any, model: type[BaseModel], place: Location) -> str:
    kind, given = detail["type"], detail.get("input")
    if kind == "extra_forbidden":
        key = str(place[-1]) if place else "?"
        known = _known_keys(model, place[:-1])
        return f"unknown key '{clean_name(key)}'. {did_you_mean(key, known)}".rstrip(".") if known else f"unknown key '{clean_name(key)}'"
    if kind == "missing":
        return "this key is required"
    if kind == "literal_error" and isinstance(given, str) and given in _EXAMPLES:
        return (
            f"'{given}' needs {'a reason, e.g. keep: the purpose needs it' if given == 'keep' else 'parameters, e.g. ' + _EXAMPLES[given]}"
        )
    if kind == "literal_error":
        expected = str(detail.get("ctx", {}).get("expected", "")).replace(" or ", ", ").replace("'", "")
        word = clean_name(str(given)) if isinstance(given, str | int | float) else type(given).__name__
        return f"'{word}' is not known here. {did_you_mean(word, [item.strip() for item in expected.split(',')])}".rstrip(".")
    if kind == "value_error":
        return str(detail.get("ctx", {}).get("error", detail["msg"]))
    message = str(detail["msg"])
    return message[:1].lower() + message[1:]


def _known_keys(model: Any, place: Location) -> list[str]:
    """Keys that the model allows at a place, following field types."""
    current: list[Any] = [model]
    for step in place:
        following: list[Any] = []
        for kind in current:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                field = kind.model_fields.get(str(step))
                following += _members(field.annotation) if field else []
            else:
                following += [member for argument in typing.get_args(kind)[-1:] for member in _members(argument)]
        current = following
    names: list[str] = []
    for kind in current:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names += [field.alias or name for name, field in kind.model_fields.items()]
    return names


def _members(annotation: Any) -> list[Any]:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _members(typing.get_args(annotation)[0])
    if origin is typing.Union or isinstance(annotation, types.UnionType):
        return [member for argument in typing.get_args(annotation) for member in _members(argument)]
    return [annotation]

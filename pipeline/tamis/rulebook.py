"""`tamis rules`: what there is, what each rule says, and whether it passes its own examples; for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from tamis.core.actions import ACTIONS, Action
from tamis.core.errors import UsageError, clean_name, did_you_mean
from tamis.rules import Pack, Rules, list_hierarchies, list_packs, load_hierarchy, load_rules
from tamis.show import table_of

if TYPE_CHECKING:
    from rich.console import Console

    from tamis.conductor.rehearsing import Rehearsal

KINDS = ("actions", "packs", "entities", "names", "values", "recognizers", "hierarchies")
"""kinds of rules, in the order in which they are listed"""


def _loaded(more: Sequence[str]) -> Rules:
    """Everything that comes with tamis, and the packs or files named."""
    return load_rules(tuple(dict.fromkeys((*list_packs(), *more))), base=Path())


def _summary(kind: type[Action]) -> str:
    return (kind.__doc__ or "").split("\n\n", maxsplit=1)[0].replace("\n    ", " ")


def rules_json(more: Sequence[str] = (), kind: str | None = None) -> dict[str, Any]:
    """What `tamis rules list` shows: per kind, the name or id of each rule with what it is."""
    rules = _loaded(more)
    listed: dict[str, Any] = {
        "actions": {name: {"what": _summary(action)} for name, action in ACTIONS.items()},
        "packs": {pack.name: {"rules": len(pack.rules), "source": pack.source, "what": pack.description} for pack in rules.packs},
        "entities": {name: {"role": one.role.value, "what": one.description} for name, one in rules.entities.items()},
        "names": {rule.id: {"entity": rule.entity, "what": f"{len(rule.phrases)} phrases: {_some(rule.phrases)}"} for rule in rules.names},
        "values": {one.id: {"entity": one.entity, "what": f"{len(one.values)} values: {_some(one.values)}"} for one in rules.value_sets},
        "recognizers": {
            one.id: {"entity": one.entity or "", "country": one.country or "", "what": one.description or one.name}
            for one in rules.recognizers
        },
        "hierarchies": {name: {"what": _hierarchy(name)} for name in list_hierarchies()},
    }
    return {name: listed[name] for name in KINDS if kind in (None, name)}


def _some(words: Sequence[str]) -> str:
    return ", ".join(words[:4]) + (", …" if len(words) > 4 else "")


def _hierarchy(name: str) -> str:
    levels = load_hierarchy(name)
    return f"{len(levels)} values, {max(len(above) for above in levels.values())} levels above them"


def show_rules(console: Console, more: Sequence[str] = (), kind: str | None = None) -> None:
    """The same as tables."""
    for name, listed in rules_json(more, kind).items():
        columns = list(next(iter(listed.values()), {"what": ""}))
        shown = table_of(name, "name" if name in ("actions", "packs", "entities", "hierarchies") else "id", *columns)
        for key, facts in listed.items():
            shown.add_row(clean_name(key), *(clean_name(str(value), 300) for value in facts.values()))
        console.print(shown)


def rule_json(name: str, more: Sequence[str] = ()) -> dict[str, Any]:
    """Everything about one rule, by its id or name; `kind:name` (names:zip, values:gender_words, pack:gdpr/direct) where two share one.

    Raises UsageError, with the likely name, when there is none.
    """
    found = dict(_everything(_loaded(more)))
    wanted = name.strip()
    key = next((key for key in found if wanted in (key, key.partition(":")[2])), None)
    if key is None:
        words = dict.fromkeys(key.partition(":")[2] for key in found)
        raise UsageError("unknown_rule", f"There is no rule '{clean_name(name)}'.", hint=did_you_mean(wanted, list(words)))
    return found[key]()


class _Later:
    """What a rule says, put together only for the one that is asked for."""

    def __init__(self, kind: str, name: str, value: BaseModel | type[Action] | Mapping[str, Any]) -> None:
        self._kind, self._name, self._value = kind, name, value

    def __call__(self) -> dict[str, Any]:
        value = self._value
        if isinstance(value, BaseModel):
            said = {key: one for key, one in value.model_dump(mode="json").items() if one not in (None, "", [], {})}
        elif isinstance(value, Mapping):
            said = dict(value)
        else:
            said = _action_json(value)
        return {"kind": self._kind, "name": self._name} | {key: one for key, one in said.items() if key != "name"}


def _everything(rules: Rules) -> Iterator[tuple[str, _Later]]:
    for action, kind in ACTIONS.items():
        yield f"action:{action}", _Later("action", action, kind)
    for entity, word in rules.entities.items():
        yield f"entity:{entity}", _Later("entity", entity, word)
    for pack in rules.packs:
        yield f"pack:{pack.name}", _Later("pack", pack.name, _pack_json(pack))
        for rule in pack.rules:
            yield f"pack:{pack.name}/{rule.id}", _Later("pack rule", f"{pack.name}/{rule.id}", rule)
    for one in rules.recognizers:
        yield f"recognizer:{one.id}", _Later("recognizer", one.id, one)
    for one in rules.recognizers:
        yield f"recognizer:{one.name}", _Later("recognizer", one.id, one)
    for name_rule in rules.names:
        yield f"names:{name_rule.id}", _Later("name rule", name_rule.id, name_rule)
    for value_set in rules.value_sets:
        yield f"values:{value_set.id}", _Later("value set", value_set.id, value_set)
    for name in list_hierarchies():
        yield f"hierarchy:{name}", _Later("hierarchy", name, {"description": _hierarchy(name)})


def _pack_json(pack: Pack) -> dict[str, Any]:
    said = {key: one for key, one in pack.model_dump(mode="json").items() if one not in (None, "", [], {})}
    return said | {"recognizers": [one.id for one in pack.recognizers]} if pack.recognizers else said


def _action_json(kind: type[Action]) -> dict[str, Any]:
    parameters = {
        key: (field.description or "").replace("\n", " ")
        + (" (required)" if field.is_required() else f" (default: {field.get_default()})" if field.get_default() is not None else "")
        for key, field in kind.model_fields.items()
        if key not in {"action", "recode", "resolved", "model"}
    }
    return {
        "description": (kind.__doc__ or "").replace("\n    ", "\n"), "scope": kind.scope.value, "accepts": sorted(kind.accepts),
        "output": kind.output.value if kind.output else "the input's type", "masking": kind.masking, "keyed": kind.keyed,
        "parameters": parameters,
    }  # fmt: skip


def rule_text(name: str, more: Sequence[str] = ()) -> str:
    """The same for people."""
    shown = rule_json(name, more)
    lines = [f"{shown.pop('name')} ({shown.pop('kind')})", "", str(shown.pop("description", "")), ""]
    for key, value in shown.items():
        if isinstance(value, dict):
            lines.append(f"{key}:")
            lines += [f"  {inner}: {_phrase(detail)}" for inner, detail in value.items()]
        elif isinstance(value, list) and value and (isinstance(value[0], dict) or key.endswith("examples")):
            lines.append(f"{key}:")
            lines += [f"  - {_phrase(item)}" for item in value]
        else:
            lines.append(f"{key}: {_phrase(value)}")
    return "\n".join(lines)


def _phrase(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_phrase(inner)}" for key, inner in value.items() if inner not in ("", None, (), [], {}))
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def rehearsal_json(found: Rehearsal) -> dict[str, Any]:
    """`tamis rules test --json`."""
    failures = [{"kind": one.kind, "id": one.id, "problem": one.problem} for one in found.failures]
    counts = {"rules": dict(found.rules), "examples": found.examples}
    return {"passed": found.passed, **counts, "failures": failures, "notes": list(found.notes)}


def rehearsal_lines(found: Rehearsal) -> list[str]:
    """A line per failure and per note, then what was tried."""
    lines = [f"FAILED {one.kind} {clean_name(one.id)}: {one.problem}" for one in found.failures]
    lines += [f"note: {note}" for note in found.notes]
    tried = ", ".join(f"{count} {kind}" for kind, count in found.rules.items() if count)
    word = "passed" if found.passed else f"{len(found.failures)} failed"
    return [*lines, f"{tried or 'no rules'}: {found.examples} examples and counter-examples, {word}"]

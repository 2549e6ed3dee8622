"""What fakes are asked to keep of their originals: problems of a policy, and what a plan must say about it (decision 6)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from tamis.core.actions import Drop, Fake, Keep
from tamis.core.errors import clean_name, did_you_mean
from tamis.core.plan import ColumnPlan
from tamis.core.types import DataType

_NO_TEXT = frozenset({DataType.BINARY, DataType.DURATION})


def fake_problems(action: Fake, where: str, columns: Mapping[str, DataType]) -> Iterator[str]:
    """Columns that a fake names and that are not there or tell nothing; `columns` are those of its table."""
    for word, name in action.sources.items():
        if name not in columns:
            yield f"fake of {where} names no column as {word}: '{clean_name(name)}'. {did_you_mean(clean_name(name), _clean(columns))}"
        elif columns[name] in _NO_TEXT:
            yield f"fake of {where}: {word} '{clean_name(name)}' is {columns[name].value} and names nothing"


def fake_warnings(columns: Sequence[ColumnPlan]) -> Iterator[str]:
    """One sentence per column whose fakes keep something of the original or join with other releases."""
    by_name = {column.name: column for column in columns}
    for column in columns:
        if not isinstance(column.action, Fake):
            continue
        if kept := kept_traits(column.action):
            yield (
                f"fakes of '{column.name}' keep {_listed(kept)} of the original: this counts as a kept quasi-identifier, "
                "and k does not count it"
            )
        for word in ("gender_from", "locale_from"):
            source = by_name.get(column.action.sources.get(word, ""))
            if source is not None and source.name != column.name and not isinstance(source.action, Keep):
                fate = "is dropped" if isinstance(source.action, Drop) else "does not leave as it is"
                yield f"'{source.name}' {fate}, and the fakes of '{column.name}' still show what it says ({word})"
        if column.action.link == "stable":
            yield f"'{column.name}' has stable fakes: this release can be joined with others, and k is not checked across releases"


def kept_traits(action: Fake) -> tuple[str, ...]:
    """What the fakes keep of their originals, in words."""
    return (
        *(("the language",) if action.locale == "keep" else ()),
        *(("the gender",) if action.gender_from else ()),
        *(("the format (length, separators, case)",) if action.format == "keep" else ()),
    )


def fake_in_words(action: Fake) -> str:
    """The action in a phrase."""
    parts = [f"invented {action.kind.replace('_', ' ')}"]
    if action.person is not None:
        parts.append(f"one per person (by {action.person})")
    if kept := kept_traits(action):
        parts.append(f"{_listed(kept)} kept")
    if action.locale not in (None, "keep"):
        parts.append(f"in {action.locale}")
    if action.link == "stable":
        parts.append("stable across releases")
    if action.checksum == "broken":
        parts.append("check digits wrong on purpose")
    return ", ".join(parts)


def _clean(names: Collection[str]) -> list[str]:
    return [clean_name(name) for name in names]


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

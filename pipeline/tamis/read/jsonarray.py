"""A JSON array of objects as lines, without holding the array in memory."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from tamis.core.errors import DataError
from tamis.read.failures import shown

_SPACE = " \t\r\n"
_LONGEST = 64 << 20
_DECODER = json.JSONDecoder()


def array_lines(chunks: Iterable[bytes], path: Path) -> Iterator[bytes]:
    """The elements of the one array in `chunks` (UTF-8), each as a line. DataError `bad_json` where it is not such an array."""
    decode = codecs.getincrementaldecoder("utf-8")().decode
    text, element, opened, closed, after_value = "", 1, False, False, False
    for chunk in chunks:
        text += decode(chunk)
        at, lines = 0, []
        while True:
            at = _skip(text, at)
            if at >= len(text):
                break
            mark = text[at]
            if closed or (not opened and mark != "["):
                raise _bad(path, element)
            if not opened:
                opened, at = True, at + 1
            elif mark == "]":
                closed, at = True, at + 1
            elif mark == "," and after_value:
                after_value, at = False, at + 1
            elif mark == "{" and not after_value:
                end = _end_of(text, at)
                if end is None:
                    if len(text) - at > _LONGEST:
                        raise _bad(path, element)
                    break
                lines.append(text[at:end].replace("\n", " ").replace("\r", " "))
                after_value, at, element = True, end, element + 1
            else:
                raise _bad(path, element)
        text = text[at:]
        if lines:
            yield "\n".join([*lines, ""]).encode()
    if not closed or text:
        raise _bad(path, element)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _end_of(text: str, at: int) -> int | None:
    """Where the object that starts here ends; None when it is not complete (or not well formed)."""
    try:
        return _DECODER.raw_decode(text, at)[1]
    except (ValueError, RecursionError):
        return None


def _bad(path: Path, element: int) -> DataError:
    return DataError(
        "bad_json",
        f"{shown(path)} is not an array of JSON objects: element {element} is not well formed.",
        hint="Write one object per line (NDJSON).",
        element=element,
    )

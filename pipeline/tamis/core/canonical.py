"""Canonical JSON and digests: the same value gives the same bytes on every machine."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel


def canonical_json(value: BaseModel | Any) -> str:
    """Sorted keys, no spaces, UTF-8, no NaN; models are dumped in JSON mode without unset defaults being lost."""
    plain = value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def pretty_json(value: BaseModel | Any) -> str:
    """The same content for people and diffs: sorted keys, two spaces, final newline."""
    plain = value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value
    return json.dumps(plain, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def digest(value: BaseModel | Any) -> str:
    """SHA-256 (hex) of the canonical JSON. For documents that hold no cell values; cell values only ever meet keyed functions."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()

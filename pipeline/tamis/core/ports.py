"""Protocols: how rooms get help without importing each other."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from tamis.core.errors import TamisError
    from tamis.core.plan import Plan
    from tamis.core.record import Manifest, Verdict
    from tamis.core.types import Table


class KeyRing(Protocol):
    """Keyed functions. Key bytes never leave the implementation; `repr` shows the key id only.

    Every function is a batch function over polars series; null stays null.
    """

    @property
    def key_id(self) -> str:
        """Public name of the key (not reversible)."""
        ...

    def token(self, values: pl.Series, *, domain: str, scope: str) -> pl.Series:
        """Pseudonyms: 128-bit HMAC-SHA-256 tokens of text values, 26 characters of lower-case base32.

        `scope` is 'stable' or the release scope string: equal values get equal tokens only within one domain and scope.
        """
        ...

    def digest(self, values: pl.Series, *, use: str) -> pl.DataFrame:
        """HMAC-SHA-256 of text values for an internal use: columns `w0`..`w3` (UInt64), 256 bits per row."""
        ...

    def seed(self, use: str) -> int:
        """A 64-bit integer derived from the key for one use; same key, same use, same integer."""
        ...

    def identify(self, text: str, *, use: str) -> str:
        """Keyed id (hex, 128 bits) of one text, e.g. an input id in a manifest."""
        ...


class Span(NamedTuple):
    """Personal data inside a text: half-open range of characters, entity, score."""

    start: int
    end: int
    entity: str
    score: float


class SpanFinder(Protocol):
    """Finds personal data in texts; given to `transform` by the conductor, made by `detect`."""

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """For each text its spans, sorted, not overlapping."""
        ...


class Lineage(Protocol):
    """Tells another system about a run: what begins, what came of it. Made by a door, called by the conductor."""

    def start(self, plan: Plan, tables: tuple[Table, ...]) -> None:
        """A run of this plan over these tables begins."""
        ...

    def complete(self, manifest: Manifest, verdict: Verdict, path: Path) -> None:
        """The release is published at `path`."""
        ...

    def fail(self, error: TamisError | None, verdict: Verdict | None = None) -> None:
        """Nothing was published: because of an error, or because of the gates that failed."""
        ...


class Progress(Protocol):
    """Progress of long work. The null implementation does nothing."""

    def stage(self, name: str, detail: str = "") -> AbstractContextManager[None]:
        """Announce a stage for as long as the context is open."""
        ...

    def note(self, text: str) -> None:
        """One line about the stage under way: names and counts only."""
        ...

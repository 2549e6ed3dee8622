"""One canonical encoding of values before any keyed function, and the identity of rows.

Text is NFC-normalized and trimmed, integers are ASCII digits, booleans 'true'/'false', dates and times ISO 8601, floats their
shortest decimal form; null stays null. `00123` and `123` differ: whether a column is text or integer is part of the schema, and the
plan refuses to join columns of different types.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import polars.selectors as cs

from tamis.core.ports import KeyRing
from tamis.core.types import Column, DataType

WORDS = ("__tamis_w0", "__tamis_w1", "__tamis_w2", "__tamis_w3")
"""columns that carry a row's keyed identity (4 x 64 bits); never released"""


def exact_column(name: str) -> pl.Expr:
    """The column of exactly this name: `pl.col` takes '*' and '^…$' for patterns."""
    return cs.by_name(name).as_expr()


def canonical(name: str, kind: DataType) -> pl.Expr:
    """Canonical text of a column of a frame whose columns have their logical types; null stays null."""
    column = exact_column(name)
    match kind:
        case DataType.TEXT:
            return column.cast(pl.String).map_batches(_composed, return_dtype=pl.String, is_elementwise=True).str.strip_chars()
        case DataType.DATETIME:
            return column.cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")
        case DataType.DATE:
            return column.dt.strftime("%Y-%m-%d")
        case DataType.NUMBER:
            return column.fill_nan(None).cast(pl.String)
        case DataType.BINARY:
            return column.bin.encode("hex")
        case DataType.DURATION:
            return column.dt.total_microseconds().cast(pl.String)
        case _:
            return column.cast(pl.String)


def _composed(texts: pl.Series) -> pl.Series:
    """NFC. Plain ASCII is its own NFC, and normalizing costs more than all else: only the other texts are normalized."""
    name, texts = texts.name, texts.alias("text")  # polars reads a name like ^a$ as a pattern, even in methods of a series
    places = (texts.str.len_bytes() != texts.str.len_chars()).arg_true()
    if len(places) > len(texts) // 2:
        return texts.str.normalize("NFC").alias(name)
    if len(places):
        texts = texts.clone().scatter(places, texts.gather(places).str.normalize("NFC"))
    return texts.alias(name)


def row_text(columns: Sequence[Column]) -> pl.Expr:
    """Injective text of a row over `columns`: each value as `<bytes>:<value>`, null as `~`, joined by `,`."""
    values = [canonical(column.name, column.type).alias(f"v{i}") for i, column in enumerate(columns)]
    return pl.struct(values).map_batches(_joined, return_dtype=pl.String, is_elementwise=True) if values else pl.lit("")


def _joined(rows: pl.Series) -> pl.Series:
    """One flat concatenation of values that are computed once: most of the work on wide rows is here."""
    frame = rows.alias("rows").struct.unnest()
    parts: list[pl.Series] = []
    for value in frame.get_columns():
        length, comma = value.str.len_bytes(), "," if parts else ""
        if not (length >= len(_LENGTHS)).any():  # looked up: making texts of numbers costs more than the rest
            prefix = (_NEXT_LENGTHS if parts else _LENGTHS).gather(length)
        else:
            prefix = pl.select(pl.concat_str(pl.lit(comma), length.cast(pl.String), pl.lit(":"))).to_series()
        parts += [prefix.fill_null(comma + "~"), value.fill_null("")]
    columns = [part.alias(f"p{i}") for i, part in enumerate(parts)]
    return pl.DataFrame(columns).select(pl.concat_str(pl.all()).alias(rows.name)).to_series()


_LENGTHS = pl.Series([f"{length}:" for length in range(1024)], dtype=pl.String)
_NEXT_LENGTHS = pl.Series([f",{length}:" for length in range(1024)], dtype=pl.String)


def with_row_words(frame: pl.LazyFrame, columns: Sequence[Column], keyring: KeyRing, *, use: str) -> pl.LazyFrame:
    """Add the four `WORDS`: HMAC-SHA-256 of the canonical row over `columns` (all of them, or the declared key).

    The key stays inside the batch function: it is in no expression and no serialized plan.
    """

    def words(batch: pl.Series) -> pl.Series:
        return keyring.digest(batch, use=use).rename(dict(zip(("w0", "w1", "w2", "w3"), WORDS, strict=True))).to_struct("__tamis_words")

    dtype = pl.Struct(dict.fromkeys(WORDS, pl.UInt64))
    words_column = row_text(columns).map_batches(words, return_dtype=dtype, is_elementwise=True).alias("__tamis_words")
    return frame.with_columns(words_column).unnest("__tamis_words")

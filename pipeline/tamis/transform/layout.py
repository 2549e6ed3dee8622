"""Format kept: the outer form of each original (length, separators, case) around invented letters and digits.

Nothing but the form is taken over: every letter and digit of the original, of any script, is a place to be filled, and of the other
characters only ASCII punctuation and blanks stay.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tamis.transform.reserved import Words, card, iban_like, phone_digits, stream, text_of

_UPPER, _LOWER, _DIGIT = 65, 97, 48


def plain_form(values: pl.Series) -> pl.Series:
    """Texts of ASCII only: foreign digits as 0, other foreign characters as x (X), control characters as blanks; null is empty."""
    folded = values.fill_null("").str.replace_all(r"[\p{Nd}&&[^0-9]]", "0").str.replace_all(r"[\p{Lu}&&[^A-Z]]", "X")
    return folded.str.replace_all(r"[^\x00-\x7F]", "x").str.replace_all(r"[\x00-\x1F\x7F]", " ")


def in_layout(made: pl.Series, form: pl.Series) -> pl.Series:
    """The letters and digits of `made` in the places of those of `form`, where there are as many; else `made` as it is."""
    bare = made.str.replace_all(r"[^A-Za-z0-9]", "")
    fits = bare.str.len_bytes() == form.str.count_matches(r"[A-Za-z0-9]")
    places = fits.fill_null(value=False).arg_true()
    if not len(places):
        return made
    some = form.gather(places)
    offsets, letters = _bytes(some)
    letters = letters.copy()
    letters[_alphanumeric(letters)] = _bytes(bare.gather(places))[1]
    return made.scatter(places, _from_bytes(letters, offsets))


def shaped(words: Words, form: pl.Series) -> pl.Series:
    """Any upper-case letter for each upper-case letter of `form`, any digit for each digit, …; the rest as it is."""
    out = form.clone()
    for width, places in _by_length(form):
        if not width:
            continue
        rows = places.to_numpy()
        given = _matrix(form.gather(places), width)
        kinds = [((given >= start) & (given < start + count), start, count) for start, count in ((_UPPER, 26), (_LOWER, 26), (_DIGIT, 10))]
        made = given
        for mask, start, count in kinds:
            made = np.where(mask, stream(words[rows], width, count) + start, made)
        out = out.scatter(places, text_of(made.astype(np.uint8)))
    return out


def phone_like(words: Words, form: pl.Series, made: pl.Series) -> pl.Series:
    """Numbers of as many digits, from a range that has so many; else `made`."""
    digits = form.str.replace_all(r"\D", "")
    frame = pl.DataFrame({"n": digits.str.len_bytes(), "abroad": form.str.contains(r"^\D*\+|^\D*00"), "zero": digits.str.starts_with("0")})
    american = form.str.contains(r"^\D*\+1")
    for (width, abroad, zero), places in _groups(frame.with_columns(pl.col("abroad") & ~american)):
        rows = words[places.to_numpy()]
        if abroad and zero:  # 00 dials abroad as + does
            found = phone_digits(rows, width - 2, abroad=True, zero=False)
            found = None if found is None else pl.select(pl.lit("00") + found).to_series()
        else:
            found = phone_digits(rows, width, abroad=abroad, zero=zero)
        if found is not None:
            made = made.scatter(places, found)
    return in_layout(made, form)


def card_like(words: Words, form: pl.Series, made: pl.Series, *, broken: bool) -> pl.Series:
    """Card numbers of as many digits, where cards have so many (12 to 19)."""
    for width, places in _by_length(form.str.replace_all(r"\D", "")):
        if 12 <= width <= 19:
            made = made.scatter(places, card(words[places.to_numpy()], width, broken=broken))
    return in_layout(made, form)


def iban_of(words: Words, form: pl.Series, made: pl.Series, *, broken: bool) -> pl.Series:
    """Account numbers with letters and digits where the original has them, 15 to 34 characters (ISO 13616)."""
    bare = form.str.replace_all(r"[^A-Za-z0-9]", "")
    for width, places in _by_length(bare):
        if 15 <= width <= 34:
            letters = _matrix(bare.gather(places), width)[:, 4:] >= _UPPER
            made = made.scatter(places, iban_like(words[places.to_numpy()], letters, broken=broken))
    return in_layout(made, form)


def in_case(made: pl.Series, values: pl.Series) -> pl.Series:
    """All upper case or all lower case where the original is."""
    frame = pl.DataFrame({"made": made, "given": values})
    upper, lower = pl.col("given").str.to_uppercase(), pl.col("given").str.to_lowercase()
    return frame.select(
        pl.when(upper == lower).then("made")
        .when(pl.col("given") == upper).then(pl.col("made").str.to_uppercase())
        .when(pl.col("given") == lower).then(pl.col("made").str.to_lowercase())
        .otherwise("made").alias("made")
    ).to_series()  # fmt: skip


def name_like(first: pl.Series, last: pl.Series, values: pl.Series, mark: pl.Series | None) -> pl.Series:
    """`Last, First` where the original has a comma, an initial where it has one, one word where it has one; its case."""
    frame = pl.DataFrame({"first": first, "last": last, "given": values})
    given = pl.col("given")
    behind = given.str.contains(r"^[^,]+,\s*\S")
    short = (pl.when(behind).then(given.str.extract(r",\s*(.*)$")).otherwise(given)).str.contains(r"^\p{L}\.(\s|$)")
    one = ~given.str.strip_chars().str.contains(r"[\s,]") & ~given.str.contains(r"[\p{Han}\p{Hangul}\p{Hiragana}\p{Katakana}]")
    dense = given.str.contains(r"^[\p{Han}\p{Hangul}\p{Hiragana}\p{Katakana}]+$")
    head = pl.when(short).then(pl.col("first").str.slice(0, 1) + ".").otherwise("first")
    made = (
        pl.when(dense).then(pl.col("last") + pl.col("first"))
        .when(one).then("last")
        .when(behind).then(pl.col("last") + ", " + head)
        .otherwise(head + " " + pl.col("last"))
    )  # fmt: skip
    cased = in_case(frame.select(made.alias("made")).to_series(), values)
    return (
        cased
        if mark is None
        else pl.DataFrame({"made": cased, "mark": mark}).select(pl.concat_str("made", pl.lit(" "), "mark")).to_series()
    )


def local_like(first: pl.Series, last: pl.Series, mark: pl.Series, values: pl.Series, *, unique: bool) -> pl.Series:
    """Local parts and user names: separator, initial and trailing digits as the original has them; of a unique one all of the mark."""
    frame = pl.DataFrame({"first": first, "last": last, "mark": mark, "given": values.str.extract(r"^([^@]*)")})
    given = pl.col("given")
    parted = given.str.contains(r"^\p{L}+[._-]\p{L}")
    between = given.str.extract(r"^\p{L}+([._-])\p{L}").fill_null("")
    head = pl.when(given.str.contains(r"^\p{L}[._-]")).then(pl.col("first").str.slice(0, 1)).otherwise("first")
    plain = pl.when(parted).then(head + between + pl.col("last")).otherwise(pl.col("first") + pl.col("last"))
    tail = pl.lit(".") + pl.col("mark") if unique else pl.col("mark").str.slice(0, given.str.extract(r"(\d*)$").str.len_bytes().clip(0, 4))
    return in_case(frame.select((plain + tail).alias("made")).to_series(), frame["given"])


# ----------------------------------------------------------------------------------------------------------------------- pieces


def _by_length(texts: pl.Series) -> list[tuple[int, pl.Series]]:
    return [(width, places) for (width,), places in _groups(pl.DataFrame({"n": texts.str.len_bytes()}))]


def _groups(frame: pl.DataFrame) -> list[tuple[tuple[Any, ...], pl.Series]]:
    """Distinct rows and where they stand."""
    names = frame.columns
    grouped = frame.with_row_index("row").group_by(names).agg("row").sort(names)
    return [(tuple(row[:-1]), pl.Series(row[-1], dtype=pl.UInt32)) for row in grouped.rows()]


def _bytes(texts: pl.Series) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Offsets and bytes of texts without nulls."""
    array = texts.rechunk().to_arrow().cast("large_string")
    offsets = np.frombuffer(array.buffers()[1], dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    data = array.buffers()[2]
    letters = np.frombuffer(data, dtype=np.uint8)[offsets[0] : offsets[-1]] if data is not None else np.empty(0, dtype=np.uint8)
    return offsets - offsets[0], letters


def _from_bytes(letters: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> pl.Series:
    import pyarrow as pa

    array = pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets.copy()), pa.py_buffer(letters))
    return pl.Series(values=pl.from_arrow(array), dtype=pl.String)


def _matrix(texts: pl.Series, width: int) -> npt.NDArray[np.uint8]:
    return _bytes(texts)[1].reshape(len(texts), width)


def _alphanumeric(letters: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    lowered = letters | np.uint8(32)
    return ((lowered >= _LOWER) & (lowered < _LOWER + 26)) | ((letters >= _DIGIT) & (letters < _DIGIT + 10))

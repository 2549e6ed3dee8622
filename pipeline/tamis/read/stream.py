"""Bytes of a text file as UTF-8, whatever its compression and encoding; and what its encoding is."""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tamis.core.errors import DataError
from tamis.read.failures import os_failure, shown
from tamis.read.files import ending_of

CHUNK = 4 << 20
REPLACEMENT = "\ufffd"
_SAMPLE = 64 << 10
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"), (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
_LATIN = ("cp1252", "cp1250", "cp1254", "cp1257")
_OTHER_SCRIPTS = frozenset({"cp1251", "koi8_r", "cp1253", "cp1255", "cp1256"})
_LEGACY = (*_LATIN, *sorted(_OTHER_SCRIPTS), "cp932", "gb18030", "big5", "euc_kr", "euc_jp")
_FEW = 64
"""bytes above 127 that are too few to tell Latin encodings apart: the commonest of them is taken"""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How bytes become text. `damaged`: some bytes do not decode and become U+FFFD, so that their rows can be left out."""

    codec: str
    bom: int = 0
    guessed: bool = False
    damaged: bool = False


def open_bytes(path: Path) -> Any:
    """The file's decompressed bytes as a binary stream with `read(n)`."""
    compression = ending_of(path).compression
    try:
        raw = path.open("rb")
    except OSError as error:
        raise os_failure(shown(path), error) from None
    return pa.CompressedInputStream(raw, compression) if compression else raw


def read_chunk(source: Any, size: int, path: Path) -> bytes:
    """The next bytes; DataError when the compressed stream is cut short or damaged."""
    try:
        return bytes(source.read(size))
    except pa.ArrowException:
        raise _damaged(path) from None
    except OSError as error:
        if error.errno is None:  # pyarrow reports a damaged compressed stream this way
            raise _damaged(path) from None
        raise os_failure(shown(path), error) from None


def _damaged(path: Path) -> DataError:
    return DataError("damaged_file", f"The compressed data of {shown(path)} is damaged or cut short.", hint="Copy or write the file again.")


def detect_encoding(path: Path, stated: str | None, *, tolerate: bool) -> Encoding:
    """The encoding of a text file: as stated, else its byte order mark, else UTF-8 if every byte fits, else the likeliest legacy one.

    With `tolerate` a file whose encoding is sure but some bytes of which do not fit is `damaged` instead of refused.
    Raises DataError: unknown_encoding, binary_file, undecodable (with the line).
    """
    with open_bytes(path) as source:
        sample = read_chunk(source, _SAMPLE, path)
    bom = next(((codec, len(mark)) for mark, codec in _BOMS if sample.startswith(mark)), None)
    if stated is not None:
        codec = _known_codec(stated)
        skip = bom[1] if bom and bom[0].removesuffix("-le").removesuffix("-be") == codec.removesuffix("-le").removesuffix("-be") else 0
        return _checked(path, Encoding(bom[0] if bom and skip else codec, skip), tolerate=tolerate)
    if bom:
        return _checked(path, Encoding(*bom), tolerate=tolerate)
    if b"\x00" in sample:
        return _checked(path, Encoding(_wide_codec(sample, path)), tolerate=tolerate)
    if first_undecodable(path, Encoding("utf-8")) is None:
        return Encoding("utf-8")
    if _mostly_utf8(path):
        return _checked(path, Encoding("utf-8"), tolerate=tolerate)
    return _guess(path)


def _is_text_codec(codec: str) -> bool:
    """Whether a codec turns bytes into text (hex and zip do not; bytes that do not fit are another matter)."""
    try:
        return isinstance(b"00".decode(codec), str)
    except UnicodeDecodeError:
        return True
    except (LookupError, ValueError):
        return False


def peek_encoding(path: Path) -> Encoding:
    """A tolerant first guess from the byte order mark alone, to look at the start of a file without reading all of it."""
    with open_bytes(path) as source:
        start = read_chunk(source, 4, path)
    codec, skip = next(((codec, len(mark)) for mark, codec in _BOMS if start.startswith(mark)), ("utf-8", 0))
    return Encoding(codec, skip, damaged=True)


def _known_codec(stated: str) -> str:
    try:
        found = codecs.lookup(stated)
    except LookupError:
        found = None
    if found is None or not _is_text_codec(found.name):
        raise DataError("unknown_encoding", "The stated encoding is not known.", hint="Write e.g. utf-8, cp1252, utf-16 or shift_jis.")
    return {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(found.name, found.name)


def _wide_codec(sample: bytes, path: Path) -> str:
    """UTF-16 without a mark shows as zero bytes in nearly all odd (little endian) or even places."""
    zeros = np.frombuffer(sample[: len(sample) // 2 * 2], dtype=np.uint8).reshape(-1, 2) == 0
    even, odd = zeros.mean(axis=0)
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    if even > 0.4 and odd < 0.1:
        return "utf-16-be"
    raise DataError("binary_file", f"{shown(path)} is not a text file: it holds zero bytes.", hint="Give it the ending of what it is.")


def _checked(path: Path, encoding: Encoding, *, tolerate: bool) -> Encoding:
    line = first_undecodable(path, encoding)
    if line is None:
        return encoding
    if tolerate:
        return Encoding(encoding.codec, encoding.bom, damaged=True)
    raise DataError(
        "undecodable",
        f"Line {line} of {shown(path)} has bytes that are not {encoding.codec}.",
        hint="State the right encoding (read: {encoding: …}), or leave such rows out with read: {drop_bad_rows: true}.",
        line=line,
    )


def first_undecodable(path: Path, encoding: Encoding) -> int | None:
    """Line (from 1) of the first bytes that do not decode; None when all do. Reads the whole file once, in chunks."""
    decoder = codecs.getincrementaldecoder(encoding.codec)("strict")
    lines = 1
    with open_bytes(path) as source:
        read_chunk(source, encoding.bom, path)
        while True:
            chunk = read_chunk(source, CHUNK, path)
            pending = decoder.getstate()[0]
            try:
                text = decoder.decode(chunk, not chunk)
            except UnicodeDecodeError as error:
                good = codecs.decode(bytes((pending + chunk)[: error.start]), encoding.codec, "ignore")
                return lines + good.count("\n")
            lines += text.count("\n")
            if not chunk:
                return None


def _mostly_utf8(path: Path) -> bool:
    """Whether a file that is not UTF-8 throughout is damaged UTF-8: more multi-byte characters fit than not."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    good = bad = 0
    with open_bytes(path) as source:
        while chunk := read_chunk(source, CHUNK, path):
            text = decoder.decode(chunk)
            wrong = text.count(REPLACEMENT)
            bad += wrong
            good += len(text) - wrong - len(text.encode("ascii", "ignore"))
    return good > bad


def _guess(path: Path) -> Encoding:
    """The likeliest legacy encoding that fits the whole file, judged on lines that are not plain ASCII."""
    from charset_normalizer import from_bytes

    sample = _telling_lines(path)
    best = from_bytes(sample, cp_isolation=list(_LEGACY)).best()
    if best and best.encoding in _OTHER_SCRIPTS and _is_latin(sample):
        best = from_bytes(sample, cp_isolation=list(_LATIN)).best()
    names = [best.encoding] if best else []
    if best and best.encoding in _LATIN and sum(byte > 127 for byte in sample) < _FEW:
        names.insert(0, "cp1252")
    for codec in [*names, "cp1252"]:
        encoding = Encoding(codec, guessed=True)
        if first_undecodable(path, encoding) is None:
            return encoding
    line = first_undecodable(path, Encoding("utf-8"))
    raise DataError(
        "undecodable",
        f"The encoding of {shown(path)} is not recognized: line {line} is not UTF-8 and no other encoding fits.",
        hint="State it: read: {encoding: …}.",
        line=line or 0,
    )


def _is_latin(sample: bytes) -> bool:
    """Whether bytes above 127 mostly stand alone inside words of ASCII letters: no word mixes Latin with Cyrillic, Greek or Hebrew."""
    runs: list[bytes] = re.findall(rb"[A-Za-z]*[\x80-\xff]+[A-Za-z]*", sample)
    return 2 * sum(len(run) > sum(byte > 127 for byte in run) for run in runs) > len(runs)


def _telling_lines(path: Path) -> bytes:
    """Up to 64 KB of lines that hold bytes above 127."""
    found: list[bytes] = []
    size = 0
    with open_bytes(path) as source:
        while size < _SAMPLE and (chunk := read_chunk(source, CHUNK, path)):
            lines = [line for line in chunk.split(b"\n") if not line.isascii()]
            found += lines
            size += sum(map(len, lines))
    return b"\n".join(found)[:_SAMPLE]


class Utf8Stream(io.RawIOBase):
    """A text file as UTF-8 bytes without its byte order mark.

    With a `delimiter` it also watches the quotes as they pass: `stray_quotes` is True at the end when some quote neither opens at the
    start of a field nor closes at its end. That is legal for `5" pipe` and a sign of lost rows elsewhere, so such a file is examined.
    """

    def __init__(self, path: Path, encoding: Encoding, *, skip: int = 0, delimiter: str | None = None) -> None:
        super().__init__()
        self._path = path
        self._source = open_bytes(path)
        self._decoder = None
        if encoding.codec != "utf-8" or encoding.damaged:
            self._decoder = codecs.getincrementaldecoder(encoding.codec)("replace" if encoding.damaged else "strict")
        self._pending = b""
        self._ended = False
        self._watch = QuoteWatch(delimiter) if delimiter else None
        read_chunk(self._source, encoding.bom, path)
        while skip:
            skip -= len(self._take(skip))

    @property
    def stray_quotes(self) -> bool:
        """Whether quotes were seen so far that do not enclose whole fields."""
        return bool(self._watch and (self._watch.stray or self._watch.open))

    def readable(self) -> bool:
        """Always."""
        return True

    def _take(self, size: int) -> bytes:
        """Up to `size` bytes, empty only at the end."""
        while len(self._pending) < size and not self._ended:
            chunk = read_chunk(self._source, max(CHUNK, size - len(self._pending)), self._path)
            self._ended = not chunk
            self._pending += chunk if self._decoder is None else self._decoder.decode(chunk, self._ended).encode()
        taken, self._pending = self._pending[:size], self._pending[size:]
        return taken

    def skip_blank_lines(self) -> bool:
        """Pass over line ends; False when nothing is left."""
        while byte := self._take(1):
            if byte not in b"\r\n":
                self._pending = byte + self._pending
                return True
        return False

    def at_end(self) -> bool:
        """Whether nothing is left."""
        byte = self._take(1)
        self._pending = byte + self._pending
        return not byte

    def read(self, size: int = -1) -> bytes:
        """Exactly `size` bytes but at the end; all of them when negative."""
        if size < 0:
            pieces = []
            while piece := self.read(CHUNK):
                pieces.append(piece)
            return b"".join(pieces)
        taken = self._take(size)
        if self._watch is not None:
            self._watch.see(taken)
        return taken

    def readinto(self, buffer: Any) -> int:
        """For `io.BufferedReader`."""
        taken = self.read(len(buffer))
        buffer[: len(taken)] = taken
        return len(taken)

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._source.close()
        super().close()


class QuoteWatch:
    """Whether all double quotes of a byte stream enclose whole fields (RFC 4180), chunk by chunk and without a parser.

    Quotes alternate between opening and closing; a doubled quote inside a field closes and opens again. So an opening one must follow a
    delimiter, a line end, the start or a quote, and a closing one must precede such a byte.
    """

    def __init__(self, delimiter: str) -> None:
        self._border = np.zeros(256, dtype=bool)
        self._border[list(delimiter.encode() + b'\r\n"')] = True
        self._last = ord("\n")
        self._closing = False
        self.open = False
        self.stray = False

    def see(self, chunk: bytes) -> None:
        """The next bytes of the stream."""
        if not chunk or self.stray:
            return
        data = np.frombuffer(chunk, dtype=np.uint8)
        if self._closing and not self._border[data[0]]:
            self.stray = True
        quotes = np.flatnonzero(data == ord('"'))
        opens = (np.arange(len(quotes)) % 2 == 0) != self.open
        before = data[np.maximum(quotes[opens] - 1, 0)]
        if len(before) and quotes[opens][0] == 0:
            before[0] = self._last
        after = quotes[~opens] + 1
        inside = after[after < len(data)]
        self.stray = self.stray or not (bool(self._border[before].all()) and bool(self._border[data[inside]].all()))
        self._closing = len(inside) < len(after)
        self.open ^= bool(len(quotes) % 2)
        self._last = int(data[-1])

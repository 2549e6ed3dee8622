"""Key material: the only module that sees key bytes.

A master key of at least 128 bits comes from an environment variable or a file; every use gets its own subkey by HKDF-SHA-256
(RFC 5869) from (version, purpose, domain, scope). Keyed functions are HMAC-SHA-256 (RFC 2104, FIPS 198-1).

What this does not protect from: whoever has the key can recompute the pseudonym of a guessed value. Destroying the key (crypto-
shredding) ends that.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import polars as pl
import polars_hash  # noqa: F401  # registers the `chash` namespace
import pyarrow as pa

from tamis.core.errors import KeyMaterialError, UsageError

_VERSION = b"tamis-v1"
_HEADER = "tamis-key-v1:"
_MIN_BYTES = 16
_BASE32 = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)
_PAIRS = np.stack([np.repeat(_BASE32, 32), np.tile(_BASE32, 32)], axis=1).copy().view(np.uint16).ravel()
"""two characters of base32 by ten bits"""
_CHUNK = 16_384
"""rows whose digits fit in a processor's cache"""

KeySource = str | Callable[[], bytes]
"""`env:NAME`, `file:PATH`, or a callable that returns the key bytes"""


class MasterKey:
    """A `KeyRing` over one master key. Its repr shows the key id only; it cannot be pickled."""

    __slots__ = ("_secret", "key_id")

    def __init__(self, secret: bytes) -> None:
        if len(secret) < _MIN_BYTES or len(set(secret)) < _MIN_BYTES // 2:
            raise KeyMaterialError(
                "weak_key",
                f"The key is too weak: {len(secret)} bytes, at least {_MIN_BYTES} random bytes are needed.",
                hint="Make one with: tamis key new FILE",
            )
        self._secret = secret
        self.key_id = self._subkey("key-id").hex()[:16]

    def __repr__(self) -> str:
        return f"MasterKey(id={self.key_id})"

    def __reduce__(self) -> str:
        raise TypeError("a key is never serialized")

    def _subkey(self, *context: str) -> bytes:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        info = b"".join(len(part := word.encode()).to_bytes(4, "big") + part for word in context)
        return HKDF(algorithm=SHA256(), length=32, salt=_VERSION, info=info).derive(self._secret)

    def _hmac_hex(self, values: pl.Series, *context: str) -> pl.Series:
        # polars-hash takes the key as text: the 64 hex digits of the subkey are the HMAC key.
        hashed = pl.DataFrame({"v": values.cast(pl.String)}).select(
            pl.col("v").chash.hmac_sha256(key=self._subkey(*context).hex())  # type: ignore[attr-defined]
        )
        return hashed.to_series()

    def token(self, values: pl.Series, *, domain: str, scope: str) -> pl.Series:
        """Pseudonyms of canonical text values: 128 bits as 26 characters of lower-case base32; null stays null."""
        digests = self._hmac_hex(values, "pseudonym", domain, scope)
        return _base32(digests).alias(values.name)

    def digest(self, values: pl.Series, *, use: str) -> pl.DataFrame:
        """HMAC-SHA-256 as four UInt64 columns `w0`..`w3`; a null value has the digest of the empty text."""
        digests = self._hmac_hex(values.cast(pl.String).fill_null(""), "digest", use)
        words = _words_of(digests, 4)
        return pl.DataFrame({f"w{i}": words[:, i] for i in range(4)})

    def seed(self, use: str) -> int:
        """64 bits derived for one use."""
        return int.from_bytes(self._subkey("seed", use)[:8], "big")

    def identify(self, text: str, *, use: str) -> str:
        """Keyed id of one text: 32 hex characters."""
        return hmac.new(self._subkey("identify", use), text.encode(), hashlib.sha256).hexdigest()[:32]


def _words_of(digests: pl.Series, count: int) -> np.ndarray:
    """The first `count` x 64 bits of each digest (64 hex digits) as UInt64, an array (n, count) in column order; no nulls allowed."""
    words = np.empty((len(digests), count), dtype=np.uint64, order="F")
    if not len(digests):
        return words
    text = digests.to_arrow().cast(pa.large_string())
    start = np.frombuffer(text.buffers()[1], dtype=np.int64)[text.offset]
    digits = np.frombuffer(text.buffers()[2], dtype=np.uint8)[start : start + 64 * len(text)].reshape(len(text), 64)
    for low in range(0, len(text), _CHUNK):
        # Eight digits at once, as the bytes of one integer: to nibbles, then pair by pair to 32 bits.
        eight = np.ascontiguousarray(digits[low : low + _CHUNK, : 16 * count]).view(">u8").astype(np.uint64)
        eight = (eight & np.uint64(0x0F0F0F0F0F0F0F0F)) + ((eight >> np.uint64(6)) & np.uint64(0x0101010101010101)) * np.uint64(9)
        eight = (eight | (eight >> np.uint64(4))) & np.uint64(0x00FF00FF00FF00FF)
        eight = (eight | (eight >> np.uint64(8))) & np.uint64(0x0000FFFF0000FFFF)
        eight = (eight | (eight >> np.uint64(16))) & np.uint64(0xFFFFFFFF)
        words[low : low + _CHUNK] = (eight[:, 0::2] << np.uint64(32)) | eight[:, 1::2]
    return words


def _base32(digests: pl.Series) -> pl.Series:
    """26 base32 characters (RFC 4648 alphabet, lower case, no padding) of the first 128 bits; null stays null."""
    present = digests.drop_nulls()
    count = len(present)
    words = _words_of(present, 2)
    out = np.empty((count, 13), dtype=np.uint16)
    for low in range(0, count, _CHUNK):
        _write_pairs(words[low : low + _CHUNK, 0], words[low : low + _CHUNK, 1], out[low : low + _CHUNK])
    offsets = np.arange(0, 26 * (count + 1), 26, dtype=np.int64)
    text = pa.LargeStringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(out))
    tokens = pl.Series(values=pl.from_arrow(text), dtype=pl.String)
    if count == len(digests):
        return tokens
    position = digests.is_not_null().cast(pl.Int64).cum_sum() - 1
    return pl.select(pl.when(digests.is_not_null()).then(tokens.gather(position.clip(0)) if count else None)).to_series().cast(pl.String)


def _write_pairs(high: np.ndarray, low: np.ndarray, out: np.ndarray) -> None:
    """Thirteen pairs of characters of 128 bits and two zero bits."""
    for i in range(13):
        end = 10 * (i + 1)  # bits [end - 10, end) of 130
        if end <= 64:
            ten = high >> np.uint64(64 - end)
        elif end - 10 < 64:
            ten = (high << np.uint64(end - 64)) | (low >> np.uint64(128 - end))
        elif end <= 128:
            ten = low >> np.uint64(128 - end)
        else:
            ten = low << np.uint64(end - 128)
        out[:, i] = _PAIRS[(ten & np.uint64(1023)).astype(np.intp)]


def load_key(source: KeySource | None, *, base: Path | None = None, environment: Mapping[str, str] = os.environ) -> MasterKey:
    """The key that a policy names. Nothing falls back to no key.

    Raises KeyMaterialError when it is missing, unreadable, too weak or readable by everybody.
    """
    if source is None:
        raise KeyMaterialError(
            "no_key", "The policy uses keyed actions or models and names no key.", hint="Add: key: env:TAMIS_KEY (or file:PATH)."
        )
    if callable(source):
        return MasterKey(source())
    kind, _, where = source.partition(":")
    if kind == "env" and where:
        text = environment.get(where, "")
        if not text:
            raise KeyMaterialError(
                "missing_key", f"The environment variable {where} is not set.", hint=f"Run: export {where}=$(tamis key new -)"
            )
        return MasterKey(_decode(text))
    if kind == "file" and where:
        return MasterKey(_decode(_read_key_file((base or Path()) / Path(where).expanduser())))
    raise KeyMaterialError("bad_key_source", "The key source is not understood.", hint="Write key: env:NAME or key: file:PATH.")


def _read_key_file(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if mode & stat.S_IRWXO:
            raise KeyMaterialError("exposed_key", f"The key file {path.name} is readable by everybody.", hint=f"Run: chmod 600 {path}")
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        raise KeyMaterialError("missing_key", f"There is no key file {path}.", hint=f"Make one: tamis key new {path}") from None
    except (OSError, UnicodeDecodeError):
        raise KeyMaterialError("unreadable_key", f"The key file {path} cannot be read.") from None


def _decode(text: str) -> bytes:
    """Key text to bytes: our own header, hex, base64, else the UTF-8 bytes of a long passphrase-free secret."""
    text = text.strip().removeprefix(_HEADER)
    try:
        return bytes.fromhex(text)
    except ValueError:
        pass
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text.encode()


def new_key_text() -> str:
    """A fresh 256-bit key as text."""
    return _HEADER + secrets.token_hex(32)


def write_new_key(path: Path) -> MasterKey:
    """Make a key file with mode 0600; never overwrites."""
    text = new_key_text()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError("key_exists", f"{path} exists and is not overwritten.", hint="Use: tamis key rotate, or another name.") from None
    except OSError as error:
        raise UsageError("cannot_write", f"The key file {path} cannot be written ({error.strerror}).") from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text + "\n")
    return MasterKey(_decode(text))


def rotate_key(path: Path) -> tuple[MasterKey, MasterKey, Path]:
    """Replace the key file by a fresh key and keep the old one beside it as `<name>.<old key id>`; (old, new, where the old one is)."""
    old = load_key(f"file:{path}")
    kept = path.with_name(f"{path.name}.{old.key_id}")
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    new = write_new_key(fresh)
    if not kept.exists():
        kept.hardlink_to(path)
    fresh.replace(path)
    return old, new, kept


def destroy_key(path: Path) -> str:
    """Overwrite and remove a key file; pseudonyms made with it can never be linked to originals again. Returns the key id."""
    key_id = load_key(f"file:{path}").key_id
    with path.open("r+b") as file:
        file.write(secrets.token_bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    return key_id

"""Ed25519 signatures (RFC 8032) for approvals, manifests and the journal.

The private key is a PEM file (PKCS 8, mode 0600) or the same text in an environment variable; the public key is a PEM beside it
(`<name>.pub`), written in documents as the base64 of its 32 bytes. A signature covers the canonical JSON of a document without its
own `signature` field.

What this does not protect from: whoever holds the private key. A public key inside a document proves nothing by itself; it counts
only where somebody who trusts it says so (a policy's `approvals.keys`, `--public-key`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tamis.core.errors import KeyMaterialError, UsageError, clean_name

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_PUBLIC_BYTES = 32
SIGNATURE = "manifest.signature.json"
"""the signature of a release: `public_key` and `signature` (base64) of the bytes of its manifest.json"""


class Signer:
    """A private signing key. Its repr shows the public key only; it cannot be pickled."""

    __slots__ = ("_private", "public_key")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public_key = base64.b64encode(private.public_key().public_bytes_raw()).decode()
        """base64 of the 32 bytes of the public key"""

    def __repr__(self) -> str:
        return f"Signer({self.public_key})"

    def __reduce__(self) -> str:
        raise TypeError("a key is never serialized")

    def sign(self, text: str) -> str:
        """Base64 of the 64-byte signature of a text (UTF-8)."""
        return base64.b64encode(self._private.sign(text.encode())).decode()


def signed_by(text: str, *, public_key: str, signature: str) -> bool:
    """Whether a signature of `text` (both base64) was made with the private half of `public_key`. Malformed input is a plain no."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        key.verify(base64.b64decode(signature, validate=True), text.encode())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def public_key_id(public_key: str) -> str:
    """A short name for a public key (base64): the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(public_key.encode()).hexdigest()[:16]


def load_signer(source: str, *, base: Path | None = None, environment: Mapping[str, str] = os.environ) -> Signer:
    """The signing key at `env:NAME` or `file:PATH` (a bare path is a file).

    Raises KeyMaterialError when it is missing, readable by everybody, or no Ed25519 private key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    kind, _, where = source.partition(":")
    text = _from_environment(where, environment) if kind == "env" else _from_file(_path(source, base))
    try:
        private = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyMaterialError(
            "bad_signing_key", "The signing key is not an Ed25519 private key in PEM.", hint="Make one: tamis key new-signing FILE"
        )
    return Signer(private)


def load_public_key(source: str, *, base: Path | None = None) -> str:
    """A public key as base64 of its 32 bytes, from that text itself, or from a PEM file (`file:PATH` or a path).

    Raises KeyMaterialError when it is neither.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        if len(base64.b64decode(source, validate=True)) == _PUBLIC_BYTES:
            return source
    except (binascii.Error, ValueError):
        pass
    path = _path(source, base)
    try:
        public = load_pem_public_key(path.read_bytes())
    except FileNotFoundError:
        raise KeyMaterialError("missing_key", f"There is no public key {clean_name(str(path), 200)}.") from None
    except (OSError, ValueError, UnsupportedAlgorithm):
        public = None
    if not isinstance(public, Ed25519PublicKey):
        raise KeyMaterialError(
            "bad_public_key", f"{clean_name(str(path), 200)} is not an Ed25519 public key.", hint="Name the .pub file of a signing key."
        )
    return base64.b64encode(public.public_bytes_raw()).decode()


def write_new_signing_key(path: Path) -> tuple[Signer, Path]:
    """Make a key pair: PATH (private, 0600) and PATH.pub; never overwrites either. Returns the signer and the path of the public half."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    private = Ed25519PrivateKey.generate()
    beside = path.with_name(path.name + ".pub")
    _write_new(beside, private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    try:
        _write_new(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    except UsageError:
        beside.unlink(missing_ok=True)
        raise
    return Signer(private), beside


def _write_new(path: Path, content: bytes, mode: int) -> None:
    shown = clean_name(str(path), 200)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise UsageError(
            "key_exists", f"{clean_name(str(path), 200)} exists and is not overwritten.", hint="Choose another name."
        ) from None
    except OSError as error:
        shown = clean_name(str(path), 200)
        raise UsageError("cannot_write", f"The key file {shown} cannot be written ({os.strerror(error.errno or 0)}).") from None
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def _path(source: str, base: Path | None) -> Path:
    path = Path(source.removeprefix("file:")).expanduser()
    return path if path.is_absolute() or base is None else base / path


def _from_environment(name: str, environment: Mapping[str, str]) -> str:
    text = environment.get(name, "")
    if not text:
        raise KeyMaterialError(
            "missing_key", f"The environment variable {clean_name(name)} is not set.", hint="It holds a PEM private key."
        )
    return text


def _from_file(path: Path) -> str:
    shown = clean_name(str(path), 200)
    try:
        if path.stat().st_mode & stat.S_IRWXO:
            raise KeyMaterialError("exposed_key", f"The signing key {shown} is readable by everybody.", hint=f"Run: chmod 600 {shown}")
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        raise KeyMaterialError(
            "missing_key", f"There is no signing key {shown}.", hint=f"Make one: tamis key new-signing {shown}"
        ) from None
    except (OSError, UnicodeDecodeError):
        raise KeyMaterialError("unreadable_key", f"The signing key {shown} cannot be read.") from None

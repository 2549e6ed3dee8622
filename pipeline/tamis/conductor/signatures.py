"""The signature of a release: over the bytes of its manifest, which names the SHA-256 of every file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tamis.core.record import Check, CheckStatus
from tamis.documents import read_text
from tamis.signing import Signer, public_key_id, signed_by


def sign_file(path: Path, signer: Signer) -> dict[str, str]:
    """The signature document of one text file."""
    return {"signs": path.name, "public_key": signer.public_key, "signature": signer.sign(read_text(path))}


def check_signature(signed: Path, signature: Path, trusted: Sequence[str]) -> Check | None:
    """Whether a signature fits its file and, where keys are trusted, is by one of them; None when nothing is signed nor demanded."""
    if not signature.is_file():
        return Check(name="signature", status=CheckStatus.FAILED, claimed="signed", found="no signature") if trusted else None
    try:
        stated = json.loads(read_text(signature))
        key, value = str(stated["public_key"]), str(stated["signature"])
    except (ValueError, KeyError, TypeError):
        return Check(name="signature", status=CheckStatus.FAILED, claimed="signed", found="not a signature")
    name = f"key {public_key_id(key)}"
    if not signed_by(read_text(signed), public_key=key, signature=value):
        return Check(name="signature", status=CheckStatus.FAILED, claimed=name, found="the manifest was changed after it was signed")
    if trusted and key not in trusted:
        return Check(name="signature", status=CheckStatus.FAILED, claimed=name, found="not one of the trusted keys")
    return Check(name="signature", status=CheckStatus.OK, claimed=name, found=name if trusted else f"{name}, which nobody vouched for")

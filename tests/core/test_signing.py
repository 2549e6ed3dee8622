"""Signatures: who can make them, what they cover, what is refused."""

from __future__ import annotations

import pickle
import stat
from pathlib import Path

import pytest

from tamis.core.errors import KeyMaterialError, UsageError
from tamis.signing import load_public_key, load_signer, signed_by, write_new_signing_key


def test_a_signature_fits_its_text_and_its_key_only(tmp_path: Path) -> None:
    """Changing one character of text, signature or key makes a signature invalid, without an exception."""
    signer, _ = write_new_signing_key(tmp_path / "a")
    other, _ = write_new_signing_key(tmp_path / "b")
    signature = signer.sign("plan")
    assert signed_by("plan", public_key=signer.public_key, signature=signature)
    assert not signed_by("plan ", public_key=signer.public_key, signature=signature)
    assert not signed_by("plan", public_key=other.public_key, signature=signature)
    assert not signed_by("plan", public_key="?", signature=signature)
    assert not signed_by("plan", public_key=signer.public_key, signature=signature[:-4] + "AAA=")


def test_both_halves_can_be_read_back(tmp_path: Path) -> None:
    """The private file is 0600 and gives the same key; the public half can be named by file or by its text."""
    signer, public = write_new_signing_key(tmp_path / "a")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    assert load_signer("file:a", base=tmp_path).public_key == signer.public_key
    assert load_signer("env:S", environment={"S": (tmp_path / "a").read_text()}).public_key == signer.public_key
    assert load_public_key(str(public)) == load_public_key(signer.public_key) == signer.public_key


def test_a_signing_key_is_never_shown_or_serialized(tmp_path: Path) -> None:
    """Its repr holds the public key only and it refuses to be pickled."""
    signer, _ = write_new_signing_key(tmp_path / "a")
    assert repr(signer) == f"Signer({signer.public_key})"
    with pytest.raises(TypeError):
        pickle.dumps(signer)


def test_wrong_keys_are_refused_in_words(tmp_path: Path) -> None:
    """Missing, exposed and foreign keys are refused; nothing is overwritten."""
    write_new_signing_key(tmp_path / "a")
    with pytest.raises(UsageError, match="key_exists"):
        write_new_signing_key(tmp_path / "a")
    with pytest.raises(KeyMaterialError, match="missing_key"):
        load_signer(str(tmp_path / "none"))
    (tmp_path / "text").write_text("no key")
    (tmp_path / "text").chmod(0o600)
    with pytest.raises(KeyMaterialError, match="bad_signing_key"):
        load_signer(str(tmp_path / "text"))
    with pytest.raises(KeyMaterialError, match="bad_public_key"):
        load_public_key(str(tmp_path / "text"))
    (tmp_path / "a").chmod(0o644)
    with pytest.raises(KeyMaterialError, match="exposed_key"):
        load_signer(str(tmp_path / "a"))

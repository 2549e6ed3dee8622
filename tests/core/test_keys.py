"""Laws of key material."""

import base64
import hashlib
import hmac
import pickle
import stat

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.core.errors import KeyMaterialError, UsageError
from tamis.keys import MasterKey, destroy_key, load_key, new_key_text, rotate_key, write_new_key

KEY = MasterKey(bytes(range(32)))
TEXTS = st.lists(st.one_of(st.none(), st.text(max_size=20)), max_size=30)


@given(TEXTS)
def test_tokens_are_the_hmac_that_is_documented(values: list[str | None]) -> None:
    """A token is the first 128 bits of HMAC-SHA-256 in base32, recomputed here with the standard library."""
    subkey = KEY._subkey("pseudonym", "d", "s").hex().encode()
    tokens = KEY.token(pl.Series("v", values, dtype=pl.String), domain="d", scope="s").to_list()
    for value, token in zip(values, tokens, strict=True):
        if value is None:
            assert token is None
        else:
            mac = hmac.new(subkey, value.encode(), hashlib.sha256).digest()[:16]
            assert token == base64.b32encode(mac).decode().rstrip("=").lower()


@given(TEXTS)
def test_digests_are_the_whole_hmac(values: list[str | None]) -> None:
    """The four words are the 256 bits of the HMAC, big-endian; null has the digest of the empty text."""
    subkey = KEY._subkey("digest", "u").hex().encode()
    words = KEY.digest(pl.Series("v", values, dtype=pl.String), use="u").rows()
    for value, row in zip(values, words, strict=True):
        mac = hmac.new(subkey, (value or "").encode(), hashlib.sha256).digest()
        assert b"".join(word.to_bytes(8, "big") for word in row) == mac


def test_uses_domains_and_scopes_are_apart() -> None:
    """The same value in another domain, scope, use or under another key has another token."""
    value = pl.Series(["x"])
    other = MasterKey(bytes(range(1, 33)))
    tokens = {
        KEY.token(value, domain="a", scope="s")[0], KEY.token(value, domain="b", scope="s")[0], KEY.token(value, domain="a", scope="t")[0],
        KEY.token(value, domain="as", scope="")[0], other.token(value, domain="a", scope="s")[0],
    }  # fmt: skip
    assert len(tokens) == 5
    assert KEY.seed("a") != KEY.seed("b")


def test_a_key_shows_only_its_id() -> None:
    """No key byte is in the repr, and a key cannot be pickled."""
    assert repr(KEY) == f"MasterKey(id={KEY.key_id})"
    assert bytes(range(32)).hex() not in repr(KEY)
    with pytest.raises(TypeError):
        pickle.dumps(KEY)


@pytest.mark.parametrize("secret", [b"", b"short", b"a" * 64, bytes(15)])
def test_weak_keys_are_refused(secret: bytes) -> None:
    """Fewer than 128 bits, or a repeated character, is no key."""
    with pytest.raises(KeyMaterialError, match="too weak"):
        MasterKey(secret)


def test_nothing_falls_back_to_no_key(tmp_path) -> None:
    """No source, an unset variable, a missing file and an unknown kind are clear errors."""
    for source in (None, "env:TAMIS_TEST_UNSET", "file:nothing.key", "literal", "vault:x"):
        with pytest.raises(KeyMaterialError):
            load_key(source, base=tmp_path, environment={})


def test_a_key_file_is_private(tmp_path) -> None:
    """`key new` makes mode 0600, never overwrites, and a file everybody can read is refused."""
    path = tmp_path / "k"
    made = write_new_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(f"file:{path}").key_id == made.key_id
    with pytest.raises(UsageError, match="not overwritten"):
        write_new_key(path)
    path.chmod(0o644)
    with pytest.raises(KeyMaterialError, match="readable by everybody"):
        load_key(f"file:{path}")


def test_rotation_keeps_the_old_key_beside(tmp_path) -> None:
    """After a rotation the file holds a new key and the old one is still there under its id."""
    path = tmp_path / "k"
    write_new_key(path)
    old, new, kept = rotate_key(path)
    assert load_key(f"file:{path}").key_id == new.key_id != old.key_id
    assert load_key(f"file:{kept}").key_id == old.key_id


def test_destroying_removes_the_file(tmp_path) -> None:
    """Crypto-shredding leaves no key file."""
    path = tmp_path / "k"
    made = write_new_key(path)
    assert destroy_key(path) == made.key_id
    assert not path.exists()


def test_env_and_callable_sources() -> None:
    """A key from a variable and one from a callable are the same key."""
    text = new_key_text()
    from_env = load_key("env:K", environment={"K": text})
    assert from_env.key_id == load_key(lambda: bytes.fromhex(text.partition(":")[2])).key_id

"""Laws of documents: every mistake is a sentence with its place, and nothing is accepted by accident."""

import pytest

from tamis.core.canonical import canonical_json
from tamis.core.errors import PolicyError, UsageError
from tamis.core.policy import Policy
from tamis.documents import load_document, parse_document

MISTAKES = {
    "tables: {c: {columns: {z: {hsah: {}}}}}": ["unknown key 'hsah'", "$.tables.c.columns.z.hsah", "p.yaml:2", "Known: drop"],
    "tables: {c: {columns: {z: drp}}}": ["Did you mean 'drop'?"],
    "tables: {c: {columns: {z: {generalize: {to: yaer}}}}}": ["Did you mean 'year'?", "$.tables.c.columns.z.generalize.to"],
    "tables: {c: {columns: {z: keep}}}": ["keep' needs a reason"],
    "tables: {c: {columns: {z: {keep: {}}}}}": ["keep needs a reason"],
    "tables: {c: {columns: {z: pseudonymize}}}": ["pseudonymize: {domain: customer}"],
    "tables: {c: {columns: {z: {drop: x, keep: y}}}}": ["one action per column, not 2: drop, keep"],
    "tables: {c: {columns: {z: {pseudonymize: {domain: a, link: stable}}}}}": ["say why with 'reason:'"],
    "tables: {c: {columns: {z: {generalize: year}}}}": ["'year' is a parameter, not a reason: write generalize: {to: year}"],
    "privcy: {k: 5}": ["Did you mean 'privacy'?"],
    "privacy: {k: 1}": ["greater than or equal to 2", "$.privacy.k"],
    "unknown_columns: pass": ["Known: drop, stop"],
    "gates: [{measure: risk.k}]": ["a gate needs 'min' or 'max'", "$.gates[0]"],
    "purpose: again": ["stands twice"],
    "x: [1": ["p.yaml:"],
}


@pytest.mark.parametrize(("text", "expected"), MISTAKES.items())
def test_mistakes_are_sentences_with_a_place(text: str, expected: list[str]) -> None:
    """A wrong policy says what is wrong, where, what is known and what was likely meant."""
    with pytest.raises(PolicyError) as caught:
        parse_document(f"purpose: p\n{text}\n", "p.yaml", Policy)
    for part in expected:
        assert part in str(caught.value)


def test_all_problems_come_at_once() -> None:
    """Two mistakes are two sentences of one error."""
    with pytest.raises(PolicyError, match="2 problem"):
        parse_document("purpose: p\nprivcy: {}\nunknown_columns: pass\n", "p.yaml", Policy)


def test_keys_are_words() -> None:
    """Columns called no, on or 2024 are names, not booleans or numbers."""
    policy = parse_document("purpose: p\ntables: {t: {columns: {no: drop, 2024: {keep: why}, on: drop}}}", "p.yaml", Policy)
    assert list(policy.tables["t"].columns) == ["no", "2024", "on"]


def test_missing_file_and_folder(tmp_path) -> None:
    """A document that is not there, is a folder or is not text is a clear error."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "nothing", tmp_path, tmp_path / "binary"):
        with pytest.raises(UsageError):
            load_document(path, Policy)


def test_canonical_json_is_canonical() -> None:
    """Key order does not matter, characters are kept, NaN is refused."""
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": float("nan")})

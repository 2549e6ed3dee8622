"""docs/rules.md says what the rules say."""

from __future__ import annotations

import re
from pathlib import Path

from tamis.conductor.rehearsing import rehearse_rules
from tamis.rules import PackFile, list_packs, load_rules
from tamis.rules.recognizers import RecognizerText

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")


def test_the_vocabulary_is_documented():
    """One row per entity, with its role and every name that Presidio has for it; no other rows."""
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+) \|$", PAGE, flags=re.MULTILINE))
    entities = load_rules([]).entities
    assert set(rows) == set(entities)
    for name, entity in entities.items():
        assert rows[name].startswith(entity.role.value)
        assert set(entity.presidio) <= set(re.findall(r"`([A-Z_]+)`", rows[name]))


def test_every_key_of_the_formats_is_documented():
    """Presidio's keys, those of tamis, and those of a file of one's own."""
    words = {word for code in re.findall(r"`([^`\n]+)`", PAGE) for word in re.findall(r"[a-z_]+", code)}
    assert (set(RecognizerText.model_fields) | set(PackFile.model_fields)) - {"version"} <= words | set(
        re.findall(r"^([a-z_]+):", PAGE, re.MULTILINE)
    )


def test_every_pack_is_documented():
    """One row per pack."""
    assert set(re.findall(r"^\| `([a-z-]+)` \| .+ \|", PAGE, flags=re.MULTILINE)) >= set(list_packs())


def test_the_example_file_passes_its_own_examples(tmp_path):
    """The file of one's own that the page shows is valid, and passes `tamis rules test`."""
    example = next(block for block in re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL) if "badge" in block)
    (tmp_path / "own.yaml").write_text(example, encoding="utf-8")
    found = rehearse_rules(["./own.yaml"], base=tmp_path)
    assert [f"{one.id} {one.problem}" for one in found.failures] == []
    assert found.rules["recognizers"] == found.rules["names"] == found.rules["values"] == found.rules["pack rules"] == 1

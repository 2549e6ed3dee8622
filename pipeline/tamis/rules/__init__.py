"""Rules as data: the vocabulary of entities, column-name rules, value sets, recognizers, policy packs, hierarchies.

They are YAML and CSV in `rules/` (the repository's folder, or `tamis/_data/rules` in a wheel), checked against the models of this
package; every error names the file, the line and the path in the document. A pack only ever protects: none can say `keep`.
"""

from __future__ import annotations

from tamis.rules.checksums import checksum_named
from tamis.rules.folders import list_hierarchies, list_packs, rules_folder
from tamis.rules.hierarchies import load_hierarchy
from tamis.rules.loading import load_rules, recognizer_files
from tamis.rules.models import Entity, Forbid, NameRule, Pack, PackFile, PackRule, Rules, Subjects, ValueSet, Words
from tamis.rules.recognizers import LOOSE_CHANCE, MIN_SCORE, PatternText, Recognizer

__all__ = [
    "LOOSE_CHANCE",
    "MIN_SCORE",
    "Entity",
    "Forbid",
    "NameRule",
    "Pack",
    "PackFile",
    "PackRule",
    "PatternText",
    "Recognizer",
    "Rules",
    "Subjects",
    "ValueSet",
    "Words",
    "checksum_named",
    "list_hierarchies",
    "list_packs",
    "load_hierarchy",
    "load_rules",
    "recognizer_files",
    "rules_folder",
]

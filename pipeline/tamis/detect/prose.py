"""Personal data inside the cells of free text and of JSON documents: which kinds, in how many of the sampled cells."""

from __future__ import annotations

import polars as pl

from tamis.core.types import Role
from tamis.detect import weights as w
from tamis.detect.columns import ColumnFacts
from tamis.detect.names import read_name
from tamis.detect.ner import NerModel
from tamis.detect.stray import inside_prose
from tamis.detect.tokens import Lexicon, tokens_of
from tamis.rules import Rules

_KEY = r'"([^"\\]{1,80})"\s*:\s*(?:"[^"]|[0-9]|\[|\{)'
_MAX_KEYS = 200


def inside_cells(fact: ColumnFacts, rules: Rules, ner: NerModel | None) -> dict[str, tuple[int, int]]:
    """Cells that hold personal data and cells looked at, per entity: forms, names in lists, names of JSON keys, a NER model's persons."""
    found = dict(inside_prose(fact.sample))
    if fact.holds_json:
        for entity, hits in named_in_json(fact.sample.values, rules).items():
            found[entity] = max(found.get(entity, (0, 1)), hits)
    if ner is not None:
        few = fact.sample.values.head(w.PRESIDIO_SAMPLE)
        for entity, (_, holding) in sorted(ner.shares(few).items()):
            if entity == "PERSON":
                found[entity] = max(found.get(entity, (0, 1)), (holding, len(few)))
    return found


def named_in_json(texts: pl.Series, rules: Rules) -> dict[str, tuple[int, int]]:
    """Cells with a filled key whose name is that of a direct identifier (`{"email": …}`): keys are read as column names are.

    Keys that only few cells have are not read: they may be data themselves.
    """
    lexicon = Lexicon.of(rules)
    keys = pl.DataFrame({"i": pl.int_range(len(texts), eager=True), "k": texts.str.extract_all(_KEY)})
    keys = keys.explode("k", empty_as_null=True, keep_nulls=True).drop_nulls("k")
    keys = keys.with_columns(pl.col("k").str.extract(_KEY)).unique()
    common = keys.group_by("k").len().filter(pl.col("len") >= max(2, len(texts) // 100)).sort("len", "k", descending=[True, False])
    found: dict[str, set[str]] = {}
    for key in common["k"].head(_MAX_KEYS):
        for claim in read_name(tokens_of(key, lexicon), lexicon).claims[:1]:
            if claim.weight >= w.ACCEPT and not claim.about_table and rules.entities[claim.entity].role == Role.DIRECT:
                found.setdefault(claim.entity, set()).add(key)
    hits = {entity: keys.filter(pl.col("k").is_in(sorted(names)))["i"].n_unique() for entity, names in found.items()}
    return {entity: (count, len(texts)) for entity, count in hits.items()}

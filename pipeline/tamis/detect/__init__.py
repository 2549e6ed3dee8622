"""What each column is: entity, role, confidence and counted evidence.

Evidence comes from names (columns, tables, neighbours), forms and check digits of values, lists of names and places, Presidio's
recognizers, cardinality and keys. Only bounded samples of distinct values are looked at, chosen by a stable hash; forms that are
telling in a single cell (an e-mail address in a comment) are counted over whole columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from tamis.core.ports import Progress
from tamis.core.types import DatasetProfile, DataType, Evidence, Finding, Findings, Role, Table, TableProfile
from tamis.detect.columns import ColumnFacts, study_column
from tamis.detect.combine import judge
from tamis.detect.context import TableContext, foreign_person_keys, read_context
from tamis.detect.evidence import Places
from tamis.detect.names import common_prefix, domain_prefix, name_pairs, read_name
from tamis.detect.ner import NerModel, load_ner
from tamis.detect.prose import inside_cells
from tamis.detect.sample import take_sample
from tamis.detect.stray import find_strays
from tamis.detect.text import make_span_finder
from tamis.detect.tokens import Lexicon, tokens_of
from tamis.rules import Rules

__all__ = ["NerModel", "detect_columns", "load_ner", "make_span_finder", "study_tables"]


@dataclass(frozen=True)
class Studied:
    """All that is known of the columns of a job before they are judged."""

    facts: Mapping[str, tuple[ColumnFacts, ...]]
    contexts: Mapping[str, TableContext]
    parents: Mapping[tuple[str, str], str]
    """(table, column) to the table of persons whose key its values are"""


def detect_columns(
    tables: Sequence[Table], profile: DatasetProfile, rules: Rules, *, ner: NerModel | None = None, progress: Progress | None = None
) -> Findings:
    """One finding per column of every table, in input order; a NER model, where one is given, adds evidence.

    Deterministic, and independent of the order and chunking of rows. No evidence holds a cell value.
    """
    studied = study_tables(tables, profile, rules, ner=ner, progress=progress)
    findings: list[Finding] = []
    for table in tables:
        own = judge_table(table.name, studied, rules, ner=ner)
        strays = find_strays(table, studied.facts[table.name], own, rules)
        findings.extend(_with_strays(finding, strays.get(i, ())) for i, finding in enumerate(own))
    return Findings(findings=tuple(findings))


def study_tables(
    tables: Sequence[Table], profile: DatasetProfile, rules: Rules, *, ner: NerModel | None = None, progress: Progress | None = None
) -> Studied:
    """What names, values, tables and references say, before any verdict."""
    lexicon, places = Lexicon.of(rules), Places.of(rules)
    facts: dict[str, tuple[ColumnFacts, ...]] = {}
    for table in tables:
        with _stage(progress, table):
            facts[table.name] = _study(table, profile.table(table.name), rules, lexicon, places, ner)
    contexts = {table.name: read_context(table.name, facts[table.name], lexicon) for table in tables}
    return Studied(facts, contexts, foreign_person_keys(profile, contexts, facts))


def judge_table(name: str, studied: Studied, rules: Rules, *, ner: NerModel | None = None) -> list[Finding]:
    """The verdicts on the columns of one table, strays aside."""
    return [
        judge(
            name,
            fact,
            studied.contexts[name],
            rules,
            parent=studied.parents.get((name, fact.column.name)),
            texts=inside_cells(fact, rules, ner) if fact.is_prose else {},
        )
        for fact in studied.facts[name]
    ]


def _study(
    table: Table, profile: TableProfile, rules: Rules, lexicon: Lexicon, places: Places, ner: NerModel | None
) -> tuple[ColumnFacts, ...]:
    tokens = [tokens_of(name, lexicon) for name in table.names]
    prefix, domain, pairs = common_prefix(tokens), domain_prefix(tokens), name_pairs(tokens)
    facts = []
    for index, column in enumerate(table.columns):
        stripped = _without_prefix(tokens[index], prefix, domain, pairs)
        measured = profile.columns[index]
        sample = take_sample(table, index, measured)
        facts.append(study_column(index, column, measured, read_name(stripped, lexicon), sample, rules, places, ner))
    return tuple(facts)


def _without_prefix(tokens: tuple[str, ...], prefix: str | None, domain: str | None, pairs: frozenset[tuple[str, ...]]) -> tuple[str, ...]:
    """Tokens without the table's own prefix (`c_name`), CDISC domain (`AETERM`) or what a first and a last name share."""
    if tokens[:-1] in pairs and tokens[-1] in ("first", "last", "given", "family"):
        return tokens[-1:]
    if prefix is not None and len(tokens) > 1 and tokens[0] == prefix:
        return tokens[1:]
    if domain is not None and len(tokens) == 1 and tokens[0].startswith(domain) and len(tokens[0]) >= 4:
        return (tokens[0][2:],)
    return tokens


def _with_strays(finding: Finding, stray: tuple[Evidence, ...]) -> Finding:
    """Personal data in a few cells: the column is no longer `none`; a person must look."""
    if not stray:
        return finding
    role = Role.UNKNOWN if finding.role == Role.NONE else finding.role
    return finding.model_copy(update={"stray": stray, "role": role})


def _stage(progress: Progress | None, table: Table) -> AbstractContextManager[None]:
    if progress is None:
        return nullcontext()
    texts = sum(column.type == DataType.TEXT for column in table.columns)
    return progress.stage("detect", f"{table.name}: {len(table.columns)} columns, {texts} of them text")

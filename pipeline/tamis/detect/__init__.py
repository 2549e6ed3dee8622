"""What each column is: entity, role, confidence and counted evidence.

Evidence comes from names (columns, tables, neighbours), forms and check digits of values, lists of names and places, Presidio's
recognizers, cardinality and keys. Only bounded samples of distinct values are looked at, chosen by a stable hash; forms that are
telling in a single cell (an e-mail address in a comment) are counted over whole columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from tamis.core.ports import Progress
from tamis.core.types import DatasetProfile, DataType, Evidence, Finding, Findings, Role, Table, TableProfile
from tamis.detect.columns import ColumnFacts, Places, study_column
from tamis.detect.combine import judge
from tamis.detect.context import foreign_person_keys, read_context
from tamis.detect.names import Lexicon, common_prefix, domain_prefix, name_pairs, read_name, tokens_of
from tamis.detect.sample import take_sample
from tamis.detect.stray import find_strays, inside_prose
from tamis.detect.text import make_span_finder
from tamis.rules import Rules

__all__ = ["detect_columns", "make_span_finder"]


def detect_columns(tables: Sequence[Table], profile: DatasetProfile, rules: Rules, *, progress: Progress | None = None) -> Findings:
    """One finding per column of every table, in input order.

    Deterministic, and independent of the order and chunking of rows. No evidence holds a cell value.
    """
    lexicon, places = Lexicon.of(rules), Places.of(rules)
    facts: dict[str, tuple[ColumnFacts, ...]] = {}
    for table in tables:
        with _stage(progress, table):
            facts[table.name] = _study(table, profile.table(table.name), rules, lexicon, places)
    contexts = {table.name: read_context(table.name, facts[table.name], lexicon) for table in tables}
    parents = foreign_person_keys(profile, contexts, facts)
    findings: list[Finding] = []
    for table in tables:
        own = [
            judge(
                table.name,
                fact,
                contexts[table.name],
                rules,
                parent=parents.get((table.name, fact.column.name)),
                texts=inside_prose(fact.sample) if fact.is_prose else {},
            )
            for fact in facts[table.name]
        ]
        strays = find_strays(table, facts[table.name], own)
        findings.extend(_with_strays(finding, strays.get(i, ())) for i, finding in enumerate(own))
    return Findings(findings=tuple(findings))


def _study(table: Table, profile: TableProfile, rules: Rules, lexicon: Lexicon, places: Places) -> tuple[ColumnFacts, ...]:
    tokens = [tokens_of(name, lexicon) for name in table.names]
    prefix, domain, pairs = common_prefix(tokens), domain_prefix(tokens), name_pairs(tokens)
    facts = []
    for index, column in enumerate(table.columns):
        stripped = _without_prefix(tokens[index], prefix, domain, pairs)
        measured = profile.columns[index]
        sample = take_sample(table, index, measured)
        facts.append(study_column(index, column, measured, read_name(stripped, lexicon), sample, rules, places))
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

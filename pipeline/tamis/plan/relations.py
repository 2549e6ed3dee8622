"""What holds between columns, as reasons and warnings of a plan: redundancy, sets that single people out, what could be inferred again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tamis.core.actions import AnyAction, Drop, Fake, Keep, Pseudonymize, Redact, Synthesize
from tamis.core.plan import ColumnPlan
from tamis.core.types import Dependency, QuasiSearch, QuasiSet, Role, TableProfile

_MOST = 5
"""warnings of one kind per table"""


def determined_reason(table: TableProfile, column: str, source: str) -> str:
    """Why a column is redundant, with its figure."""
    known = {(one.determinant, one.dependent): one for one in table.dependencies}
    one = known.get((source, column))
    if one is None:
        return f"redundant: determined by '{source}'"
    how = f"in all {one.rows} rows" if not one.g3 else f"in {1 - one.g3:.1%} of {one.rows} rows"
    return f"redundant: determined by '{source}' {how}" + (", one value for one value" if one.one_to_one else "")


def singling_set(search: QuasiSearch | None, column: str) -> QuasiSet | None:
    """The first minimal set with this column that singles people out."""
    return next((one for one in search.sets if column in one.columns), None) if search else None


def singling_reason(one: QuasiSet, column: str, k: int) -> str:
    """Why a column that is nothing by itself counts as a quasi-identifier."""
    others = [name for name in one.columns if name != column]
    together = f"together with {_quoted(others)} it singles" if others else "it singles"
    return f"{together} people out: {_percent(one.below_k)} share the combination with fewer than {k}"


def is_identifying(action: AnyAction) -> bool:
    """Whether a released value still tells something about the original one; tokens, fakes and proxies do not."""
    return not isinstance(action, Pseudonymize | Fake | Synthesize | Drop | Redact)


def singling_warnings(columns: Sequence[ColumnPlan], search: QuasiSearch | None) -> Iterator[str]:
    """Sets of columns that are kept as they are, single people out, and are not all quasi-identifiers: nothing generalizes them."""
    if search is None:
        return
    kept = {column.name for column in columns if isinstance(column.action, Keep)}
    quasi = {column.name for column in columns if column.role is Role.QUASI and is_identifying(column.action)}
    who = "persons" if search.unit else "rows"
    risky = [one for one in search.sets if set(one.columns) <= kept and not set(one.columns) <= quasi]
    for one in risky[:_MOST]:
        outside = [name for name in one.columns if name not in quasi]
        many = len(one.columns) > 1
        yield (
            f"kept as {'they are' if many else 'it is'}, {_quoted(one.columns)} {'single' if many else 'singles'} out "
            f"{_percent(one.below_k)} of {who} "
            f"(fewer than {search.k} share the combination); not among the quasi-identifiers: {_quoted(outside)}"
        )
    if len(risky) > _MOST:
        yield f"{len(risky) - _MOST} more sets of kept columns single people out: tamis profile shows them"
    if search.open and len(kept - quasi) > 1:
        yield f"kept columns may single people out in combinations that were not examined: the search was {search.statement}"


def inference_warnings(columns: Sequence[ColumnPlan], table: TableProfile) -> Iterator[str]:
    """Withheld direct and sensitive columns that a kept column repeats, fixes or nearly tells."""
    kept = {column.name for column in columns if isinstance(column.action, Keep)}
    found: list[str] = []
    for column in columns:
        if column.role not in (Role.DIRECT, Role.SENSITIVE) or is_identifying(column.action):
            continue
        told = {source: how for source, how in _tellers(table, column) if source in kept}
        found += [f"'{column.name}' is withheld and could be inferred again: '{source}' is kept and {how}" for source, how in told.items()]
    yield from found[:_MOST]
    if len(found) > _MOST:
        yield f"{len(found) - _MOST} more withheld columns could be inferred again: tamis profile shows the dependencies"


def _tellers(table: TableProfile, column: ColumnPlan) -> Iterator[tuple[str, str]]:
    """(other column, how it tells this one), the weakest first."""
    if isinstance(column.action, Drop):  # a proxy is made to be associated
        for association in table.associations:
            pair = (association.first, association.second)
            if column.name in pair:
                other = pair[0] if pair[1] == column.name else pair[1]
                yield other, f"goes with it (association {association.value:.2f} in {association.rows} rows)"
    for dependency in table.dependencies:
        yield from _fixes(dependency, column.name)
    for measured in table.columns:
        same = [name for name in (measured.duplicate_of, measured.equivalent_to) if name]
        if column.name in same:
            yield measured.name, "says the same"
        if measured.name == column.name:
            yield from ((name, "says the same") for name in same)


def _fixes(dependency: Dependency, column: str) -> Iterator[tuple[str, str]]:
    share = "all" if not dependency.g3 else f"{_percent(1 - dependency.g3)} of"
    how = f"fixes it in {share} {dependency.rows} rows"
    if dependency.dependent == column:
        yield dependency.determinant, how
    if dependency.one_to_one and dependency.determinant == column:
        yield dependency.dependent, how


def _quoted(names: Sequence[str]) -> str:
    listed = [f"'{name}'" for name in names]
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}"


def _percent(share: float) -> str:
    return "all" if share == 1 else f"{share:.1%}".replace("%", " %")

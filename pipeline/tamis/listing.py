"""`tamis profile` for people and programs: what each column is and why, what holds between columns, which sets single people out.

One content, laid out once as blocks, for a terminal, as Markdown, or as JSON. Names, counts and codes; values never come this far.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tamis.core.errors import UsageError, clean_name, did_you_mean
from tamis.core.listing import ListedColumn, ListedEvidence, ListedTable, Listing
from tamis.core.types import Evidence, ForeignKey, QuasiSet, Role
from tamis.show import ROLE_STYLE, table_of

if TYPE_CHECKING:
    from rich.console import Console

    from tamis.conductor.planning import Profiled

_MOST = 10
"""keys, dependencies, … shown per table"""
_ATTENTION = (Role.DIRECT, Role.QUASI, Role.SENSITIVE, Role.UNKNOWN, Role.NONE)
_SOURCES = {
    "name": "the name",
    "pattern": "a pattern",
    "presidio": "Presidio",
    "checksum": "a checksum",
    "dictionary": "a dictionary",
    "cardinality": "the number of values",
    "type": "the type",
    "context": "the columns around it",
    "policy": "the policy",
}
_MEASURES = {"cramers_v": "Cramér's V", "correlation_ratio": "correlation ratio", "spearman": "rank correlation"}


@dataclass(frozen=True, slots=True)
class Block:
    """A titled table, or sentences where there are no headings."""

    title: str
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()


def list_columns(profiled: Profiled, only: str | None = None) -> Listing:
    """Everything about every column; `only` keeps the tables that have a column of this name ('column' or 'table.column'), and it.

    Raises UsageError where there is no such column.
    """
    profile = profiled.profile
    tables = []
    for table in profile.tables:
        columns = []
        for column in table.columns:
            if only is not None and only not in (column.name, f"{table.name}.{column.name}"):
                continue
            finding = profiled.findings.of(table.name, column.name)
            columns.append(
                ListedColumn(
                    **dict(column),
                    role=finding.role,
                    entity=finding.entity,
                    confidence=finding.confidence,
                    evidence=tuple(ListedEvidence(**dict(evidence)) for evidence in finding.evidence),
                    stray=tuple(ListedEvidence(**dict(evidence)) for evidence in finding.stray),
                )
            )
        if only is None or columns:
            shared = table.model_dump(exclude={"columns"}, round_trip=True)
            tables.append(ListedTable.model_validate(shared | {"columns": tuple(columns), "singling": profile.singling(table.name)}))
    if only is not None and not tables:
        known = [name for table in profile.tables for column in table.columns for name in (column.name, f"{table.name}.{column.name}")]
        raise UsageError("unknown_column", f"There is no column '{clean_name(only)}'.", hint=did_you_mean(only, known))
    return Listing(tables=tuple(tables), foreign_keys=profile.foreign_keys, partial_references=profile.partial_references)


def listing_json(listing: Listing) -> dict[str, Any]:
    """The listing as JSON, under schemas/listing.schema.json."""
    return listing.model_dump(mode="json")


def show_listing(listing: Listing, console: Console, *, limit: int, column: str | None = None) -> None:
    """Print the listing to a terminal: per table at most `limit` columns (0: all), or everything about one column."""
    from rich.text import Text

    for block in _blocks(listing, limit, column):
        if not block.headings:
            console.print(block.title, style="bold")
        else:
            shown = table_of(block.title, *block.headings)
            for row in block.rows:
                shown.add_row(
                    *(
                        Text(cell, style=ROLE_STYLE[cell]) if head == "role" else cell
                        for head, cell in zip(block.headings, row, strict=True)
                    )
                )
            console.print(shown)
        for note in block.notes:
            console.print(f"  {note}")
        if block.notes:
            console.print()


def listing_markdown(listing: Listing, *, limit: int, column: str | None = None) -> str:
    """The same as Markdown (GitHub's tables)."""
    lines: list[str] = []
    for block in _blocks(listing, limit, column):
        lines += [f"### {_escaped(block.title)}", ""]
        if block.headings:
            lines += [f"| {' | '.join(block.headings)} |", f"|{'|'.join(' --- ' for _ in block.headings)}|"]
            lines += [f"| {' | '.join(map(_escaped, row))} |" for row in block.rows]
            lines.append("")
        lines += [f"- {_escaped(note)}" for note in block.notes]
        lines += [""] if block.notes else []
    return "\n".join(lines).rstrip() + "\n"


def _escaped(text: str) -> str:
    """Column names are hostile: nothing in them is markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|~&!])", r"\\\1", text)


# ------------------------------------------------------------------------------------------------------------------------- blocks


def _blocks(listing: Listing, limit: int, column: str | None) -> Iterator[Block]:
    for table in listing.tables:
        if column is not None:
            yield from (block for one in table.columns for block in _column_blocks(table, one, listing))
        else:
            yield _overview(table, limit)
            yield from _strays(table)
            yield from _keys(table)
            yield from _redundancies(table)
            yield from _singling(table)
    if column is None:
        references = [_reference(key) for key in listing.foreign_keys]
        references += [f"{_reference(key)} (in part: no reference that anything rests on)" for key in listing.partial_references]
        if references:
            yield Block("references", notes=tuple(references))


def _overview(table: ListedTable, limit: int) -> Block:
    shown = table.columns
    notes = []
    if limit and len(shown) > limit:
        # What a person must look at first; in input order otherwise.
        chosen = sorted(range(len(shown)), key=lambda i: (_ATTENTION.index(shown[i].role), not shown[i].stray, i))[:limit]
        hidden = [shown[i].role for i in range(len(shown)) if i not in set(chosen)]
        left = ", ".join(f"{hidden.count(role)} {role.value}" for role in _ATTENTION if role in hidden)
        notes.append(f"{count(len(hidden))} more columns are not shown ({left}): --limit 0 shows all, --column NAME one")
        shown = tuple(shown[i] for i in sorted(chosen))
    rows = tuple(
        (
            clean_name(one.name, 40),
            one.type.value,
            one.role.value,
            one.entity or "",
            f"{one.confidence:.2f}",
            percent(one.null_rate) if one.nulls else "",
            distinct(one),
            why(one),
        )
        for one in shown
    )
    title = f"{clean_name(table.name)}: {count(table.rows)} rows, {count(len(table.columns))} columns"
    return Block(title, ("column", "type", "role", "entity", "conf.", "nulls", "distinct", "why"), rows, tuple(notes))


def _strays(table: ListedTable) -> Iterator[Block]:
    notes = [
        f"{clean_name(one.name, 60)}: {evidence.entity or evidence.rule} {_counted(evidence) or evidence.note}".rstrip()
        for one in table.columns
        for evidence in one.stray
    ]
    if notes:
        yield Block("personal data in some cells", notes=tuple(_first(notes)))


def _keys(table: ListedTable) -> Iterator[Block]:
    notes = [
        f"{names(key.columns)}: " + ("key" if key.uniqueness == 1 and key.exact else f"nearly a key, uniqueness {key.uniqueness:.4f}")
        for key in table.keys
    ]
    if notes:
        yield Block("keys", notes=tuple(_first(notes)))


def _redundancies(table: ListedTable) -> Iterator[Block]:
    notes = [f"{clean_name(one.name, 40)} is the same as {clean_name(one.duplicate_of, 40)}" for one in table.columns if one.duplicate_of]
    how = {"format": "up to case and format", "recoding": "recoded one to one"}
    notes += [
        f"{clean_name(one.name, 40)} is {clean_name(one.equivalent_to, 40)} {how[one.equivalence]}"
        for one in table.columns
        if one.equivalent_to and one.equivalence
    ]
    recoded = {frozenset((one.name, one.equivalent_to)) for one in table.columns if one.equivalent_to}
    notes += [
        f"{clean_name(one.determinant, 40)} fixes {clean_name(one.dependent, 40)} "
        + (f"in all {count(one.rows)} rows" if not one.g3 else f"in {percent(1 - one.g3)} of {count(one.rows)} rows (g3 {one.g3:.2g})")
        for one in table.dependencies
        if frozenset((one.determinant, one.dependent)) not in recoded
    ]
    notes += [
        f"{clean_name(one.first, 40)} and {clean_name(one.second, 40)}: {_MEASURES[one.measure]} {one.value:.2f} in {count(one.rows)} rows"
        for one in table.associations
    ]
    if notes or table.redundancy_cut:
        cut = [f"not examined: {sentence}" for sentence in table.redundancy_cut]
        yield Block("redundant and associated columns", notes=(*_first(notes), *cut))


def _singling(table: ListedTable) -> Iterator[Block]:
    search = table.singling
    if search is None:
        return
    who = f"persons (by {clean_name(search.unit, 40)})" if search.unit else "rows"
    rows = [_set_row(one) for one in search.sets[:_MOST]]
    if search.whole is not None and len(search.whole.columns) > 1:
        rows.append(("all quasi-identifiers together", *_set_row(search.whole)[1:]))
    notes = [f"{count(search.persons)} {who}; {search.statement}"] if search.persons else [search.statement]
    if search.found > _MOST:
        notes.append(f"{search.found - _MOST} more minimal sets: --json")
    notes += [
        f"not searched, {reason}: {', '.join(clean_name(n, 30) for n in _first(list(left)))}" for reason, left in search.left_out.items()
    ]
    title = f"columns that single out {search.share:.2g} of the people or more (below k = {search.k})"
    if rows:
        yield Block(title, ("columns", f"below {search.k}", "unique", "combinations", "risk"), tuple(rows), tuple(notes))
    else:
        yield Block(title, notes=("no such set was found", *notes))


def _set_row(one: QuasiSet) -> tuple[str, ...]:
    shown = [clean_name(name, 30) for name in one.columns]
    known = f"could be known: {', '.join(shown[one.quasi :])}" if one.quasi < len(shown) else ""
    return (
        "; ".join(part for part in (", ".join(shown[: one.quasi]), known) if part),
        percent(one.below_k),
        percent(one.unique),
        count(one.combinations),
        f"{one.highest_risk:.3f}",
    )


def _reference(key: ForeignKey) -> str:
    child, parent = (
        f"{clean_name(a, 40)}.{clean_name(b, 40)}" for a, b in ((key.table, key.column), (key.parent_table, key.parent_column))
    )
    covered = f", which cover {percent(key.covered)} of it" if key.covered is not None else ""
    return f"{child} refers to {parent}: {percent(key.contained)} of its values are there{covered}"


# ----------------------------------------------------------------------------------------------------------------------- one column


def _column_blocks(table: ListedTable, one: ListedColumn, listing: Listing) -> Iterator[Block]:
    facts = [
        f"role {one.role.value}, entity {one.entity or 'none'}, confidence {one.confidence:.2f}",
        f"type {one.type.value}; {count(one.rows)} rows, {count(one.nulls)} without a value",
        f"{distinct(one)} distinct values"
        + (f", {count(one.singletons)} of them occur once" if one.singletons is not None else "")
        + (f"; {count(one.rare_rows)} rows carry a value of fewer than {table.k}" if one.rare_rows is not None else ""),
    ]
    if one.low is not None:
        facts.append(f"from {one.low} to {one.high} (without the {table.k - 1} outermost values, rounded outward)")
    if one.length_mean is not None:
        facts.append(f"{one.length_min} to {one.length_max} characters, {one.length_mean:g} on average; {one.words_mean:g} words")
    facts += [f"shape {shape}: {count(rows)} rows" for shape, rows in one.shapes]
    yield Block(f"{clean_name(table.name)}.{clean_name(one.name)}", notes=tuple(facts))
    evidence = tuple(
        (_SOURCES[piece.source], piece.rule, piece.entity or "", f"{piece.weight:+.2f}", _told(piece))
        for piece in (*one.evidence, *one.stray)
    )
    if evidence:
        yield Block("evidence", ("by", "rule", "for", "weight", "what it says"), evidence)
    yield from _between(table, one, listing)


def _told(evidence: ListedEvidence) -> str:
    counted = f"{_counted(evidence)} match" if evidence.hits is not None and evidence.of else ""
    return "; ".join(part for part in (counted, clean_name(evidence.note, 200)) if part)


def _between(table: ListedTable, one: ListedColumn, listing: Listing) -> Iterator[Block]:
    """What holds between this column and others."""
    narrowed = table.model_copy(
        update={
            "keys": tuple(key for key in table.keys if one.name in key.columns),
            "dependencies": tuple(d for d in table.dependencies if one.name in (d.determinant, d.dependent)),
            "associations": tuple(a for a in table.associations if one.name in (a.first, a.second)),
            "redundancy_cut": (),
            "columns": (one,),
        }
    )
    yield from _keys(narrowed)
    yield from _redundancies(narrowed)
    references = [
        _reference(key)
        for key in (*listing.foreign_keys, *listing.partial_references)
        if (table.name, one.name) in ((key.table, key.column), (key.parent_table, key.parent_column))
    ]
    if references:
        yield Block("references", notes=tuple(references))
    search = table.singling
    if search is None:
        return
    sets = [piece for piece in search.sets if one.name in piece.columns]
    reason = next((reason for reason, left in search.left_out.items() if one.name in left), None)
    if sets:
        title = f"minimal sets with this column that single people out; {search.statement}"
        yield Block(
            title, ("columns", f"below {search.k}", "unique", "combinations", "risk"), tuple(_set_row(piece) for piece in sets[:_MOST])
        )
    elif reason:
        yield Block("singles people out", notes=(f"not searched: {reason}",))


# --------------------------------------------------------------------------------------------------------------------------- phrases


def why(column: ListedColumn) -> str:
    """The strongest evidence in a few words."""
    parts = []
    if column.constant:
        parts.append("constant")
    if column.duplicate_of:
        parts.append(f"same as {clean_name(column.duplicate_of, 30)}")
    elif column.equivalent_to:
        parts.append(f"{'recodes' if column.equivalence == 'recoding' else 'reformats'} {clean_name(column.equivalent_to, 30)}")
    elif column.determined_by:
        parts.append(f"determined by {clean_name(column.determined_by, 30)}")
    parts += [_phrase(evidence) for evidence in sorted(column.evidence, key=lambda e: -abs(e.weight))[:2]]
    parts += [f"stray {evidence.entity or evidence.rule}: {count(evidence.hits or 0)}" for evidence in column.stray[:2]]
    return "; ".join(parts)


def _phrase(evidence: Evidence) -> str:
    counted = f": {count(evidence.hits)} of {count(evidence.of)}" if evidence.hits is not None and evidence.of else ""
    who = evidence.rule if ":" in evidence.rule else f"{evidence.source} {evidence.rule}"
    return f"{who}{counted}"


def _counted(evidence: Evidence) -> str:
    if evidence.hits is None or not evidence.of or evidence.interval is None:
        return ""
    low, high = evidence.interval
    share = percent(evidence.hits / evidence.of)
    return f"{count(evidence.hits)} of {count(evidence.of)} distinct values ({share}, 95 % interval {low:.1%} to {high:.1%})"


def distinct(column: ListedColumn) -> str:
    """Distinct values, marked where estimated."""
    return ("" if column.distinct_exact else "≈") + count(column.distinct)


def names(columns: Iterable[str]) -> str:
    """Column names in a row."""
    return ", ".join(clean_name(name, 40) for name in columns)


def count(number: int) -> str:
    """1234567 as '1 234 567'."""
    return f"{number:,}".replace(",", " ")


def percent(share: float) -> str:
    """A share with one decimal; never '0 %' or '100 %' for what is not."""
    if share in (0, 1):
        return f"{share:.0%}".replace("%", " %")
    if share < 0.001:
        return "<0.1 %"
    return ">99.9 %" if share > 0.999 else f"{share:.1%}".replace("%", " %")


def _first(notes: Sequence[str]) -> list[str]:
    more = [f"… and {len(notes) - _MOST} more"] if len(notes) > _MOST else []
    return [*notes[:_MOST], *more]

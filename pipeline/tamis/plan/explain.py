"""A plan in words: every column, its action, the reason. Walks the same union as `transform/apply.py`."""

from __future__ import annotations

from typing import NamedTuple, assert_never

from tamis.core.actions import (
    AgeBand,
    AnyAction,
    AnyRecode,
    AsIs,
    CategoryMap,
    DatePart,
    Drop,
    Everything,
    Fake,
    Generalize,
    Keep,
    NumberBand,
    Prefix,
    Pseudonymize,
    Redact,
    ShiftDates,
    SuppressRare,
    Synthesize,
    TopBottomCode,
)  # fmt: skip
from tamis.core.plan import Plan


class Explained(NamedTuple):
    """One line of the explanation."""

    table: str
    column: str
    type: str
    role: str
    entity: str
    action: str
    status: str
    reason: str
    rule: str


def explain_plan(plan: Plan) -> tuple[Explained, ...]:
    """Every input column of every table, kept ones included, in input order."""
    return tuple(
        Explained(
            table, column.name, column.type.value, column.role.value, column.entity or "", action_in_words(column.action),
            column.status.value, column.reason, column.rule,
        )
        for table, column in plan.walk()
    )  # fmt: skip


def action_in_words(action: AnyAction) -> str:
    """One phrase that a privacy officer understands."""
    match action:
        case Keep():
            return "kept as it is"
        case Drop():
            return "dropped"
        case SuppressRare():
            return f"values of fewer than {action.min_count or 'k'} suppressed"
        case Generalize():
            return "generalized" + (f" to {recode_in_words(action.recode)}" if action.recode else f" ({action.to})")
        case TopBottomCode():
            bounds = [
                f"below {action.lower:g}" if action.lower is not None else "",
                f"above {action.upper:g}" if action.upper is not None else "",
            ]
            return "clipped " + (" and ".join(filter(None, bounds)) or "at its extremes")
        case Pseudonymize():
            return f"pseudonym (domain {action.domain}, {'stable' if action.link == 'stable' else 'this release only'})"
        case ShiftDates():
            return f"dates shifted per {action.subject} by up to {action.days} days"
        case Fake():
            return f"invented {action.kind.replace('_', ' ')}"
        case Synthesize():
            return "synthetic proxy given the columns that stay"
        case Redact():
            return "personal data in the text redacted"
        case _:
            assert_never(action)


def recode_in_words(recode: AnyRecode) -> str:
    """The coarser form of a value, in a phrase."""
    match recode:
        case AsIs():
            return "the value itself"
        case NumberBand():
            return f"bands of {recode.width:g}"
        case DatePart():
            return f"the {recode.unit}"
        case AgeBand():
            return f"age bands of {recode.width} years"
        case Prefix():
            zeros = f", {'0' * recode.length} where an area has too few inhabitants (45 CFR 164.514(b)(2)(i)(B))"
            return f"the first {recode.length} characters" + (zeros if recode.restricted else "")
        case CategoryMap():
            return f"{len({parent for _, parent in recode.parents})} groups"
        case Everything():
            return "one value for all"
        case _:
            assert_never(recode)

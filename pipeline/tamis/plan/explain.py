"""A plan in words: every column, its action, the reason. Walks the same union as `transform/apply.py`."""

from __future__ import annotations

from typing import NamedTuple, assert_never

from tamis.core.actions import (
    AgeBand,
    AnyAction,
    AnyRecode,
    AsCell,
    AsIs,
    CategoryMap,
    DatePart,
    Drop,
    Everything,
    Fake,
    Generalize,
    Keep,
    NumberBand,
    NumberCuts,
    Prefix,
    Pseudonymize,
    Redact,
    ShiftDates,
    SuppressRare,
    Synthesize,
    TopBottomCode,
)  # fmt: skip
from tamis.core.errors import clean_name
from tamis.core.plan import Classes, Plan
from tamis.plan.fakes import fake_in_words


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
            return fake_in_words(action)
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
        case NumberCuts():
            return f"{len(recode.edges) + 1} bands"
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
        case AsCell():
            return "the label of its class (local recoding: levels differ per class)"
        case _:
            assert_never(recode)


def model_sentence(classes: Classes) -> str:
    """What every class must satisfy, in a phrase."""
    parts = [f"k={classes.k}"]
    if classes.l is not None:
        kind = {
            "distinct": "",
            "entropy": "entropy ",
            "recursive": f"recursive c={classes.c:g} " if classes.c is not None else "recursive ",
        }
        parts.append(f"{kind[classes.diversity]}l={classes.l:g}")
    if classes.t is not None:
        parts.append(f"t={classes.t:g} ({classes.distance})")
    if classes.k_map is not None:
        parts.append(f"k-map={classes.k_map}")
    if classes.presence is not None:
        parts.append(f"presence {classes.presence[0]:g} to {classes.presence[1]:g}")
    return ", ".join(parts) + (", local recoding" if classes.recoding == "local" else "")


def search_sentence(classes: Classes) -> str:
    """How sure it is that nothing better exists."""
    if classes.recoding == "local":
        return f"{len(classes.cells)} classes"
    checked = f"{classes.nodes_checked} nodes"
    if classes.search_complete:
        return f"optimal, {checked}"
    bound = f"; no node is below {classes.lower_bound:.3f}" if classes.lower_bound is not None else ""
    return f"not proven optimal, {checked}{bound}"


def level_sentence(classes: Classes) -> str:
    """The level of each quasi-identifier and its highest."""
    return ", ".join(f"{clean_name(name, 30)} {level}/{classes.heights.get(name, level)}" for name, level in classes.levels.items())

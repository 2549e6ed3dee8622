"""The trade-off between privacy and loss on a terminal: loss against k and against suppression, and the alternatives of a plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tamis.core.errors import clean_name
from tamis.show import table_of

if TYPE_CHECKING:
    from rich.console import Console

    from tamis.core.plan import Classes, Plan
    from tamis.search import Point, TradeOff

_WIDTH = 30
_BLOCKS = " ▏▎▍▌▋▊▉█"


def trade_off_json(curves: Sequence[TradeOff]) -> dict[str, Any]:
    """By table: loss by k and by limit."""
    return {curve.table: {key: value for key, value in asdict(curve).items() if key != "table"} for curve in curves}


def print_curves(plan: Plan, curves: Sequence[TradeOff], console: Console) -> None:
    """Per table with quasi-identifiers the alternatives and the trade-off."""
    for curve in curves:
        classes = plan.table(curve.table).classes
        if classes is not None:
            print_alternatives(curve.table, classes, curve.rows, console)
        print_trade_off(curve, console)


def print_alternatives(name: str, classes: Classes, rows: int | None, console: Console) -> None:
    """The nodes a reviewer may pick instead, numbered: `tamis plan --alternative TABLE=N`."""
    if not classes.alternatives:
        return
    title = f"{clean_name(name, 40)}: alternatives (pick one: --alternative {clean_name(name, 40)}=N)"
    shown = table_of(title, "N", "loss", "suppressed", "highest risk", "average risk", "levels")
    for number, option in enumerate(classes.alternatives, start=1):
        chosen = dict(option.levels) == dict(classes.levels)
        share = f" ({option.suppressed_rows / rows:.1%})" if rows else ""
        levels = ", ".join(
            f"{clean_name(column, 30)} {level}/{classes.heights.get(column, level)}" for column, level in option.levels.items()
        )
        shown.add_row(
            f"{number}{' *' if chosen else ''}", f"{option.loss:.4f}", f"{option.suppressed_rows}{share}", f"{option.highest_risk:.4f}",
            f"{option.average_risk:.4f}", levels,
        )  # fmt: skip
    console.print(shown)
    console.print("* is what the plan does. Highest risk: 1 / persons of the smallest class; average: classes / persons.")


def print_trade_off(curve: TradeOff, console: Console) -> None:
    """Two bar charts: how loss grows with k, and how it falls with the suppression limit."""
    name = clean_name(curve.table, 40)
    limit, k = curve.by_k[0].limit, curve.by_limit[0].k
    by_k = table_of(f"{name}: loss against k (at most {limit:.1%} suppressed)", "k", "loss", "", "suppressed", "")
    for point in curve.by_k:
        by_k.add_row(str(point.k), *_cells(point, curve.rows))
    console.print(by_k)
    by_limit = table_of(f"{name}: loss against suppression (k = {k})", "limit", "loss", "", "suppressed", "")
    for point in curve.by_limit:
        by_limit.add_row(f"{point.limit:.1%}", *_cells(point, curve.rows))
    console.print(by_limit)


def _cells(point: Point, rows: int) -> Iterator[str]:
    yield f"{point.loss:.4f}"
    yield _bar(point.loss)
    yield f"{point.suppressed_rows} ({point.suppressed_rows / max(1, rows):.1%})"
    yield "" if point.feasible else "cannot be had within the limit"


def _bar(share: float) -> str:
    """A bar of 30 characters for 1."""
    eighths = round(min(max(share, 0.0), 1.0) * _WIDTH * 8)
    return "█" * (eighths // 8) + (_BLOCKS[eighths % 8] if eighths % 8 else "")

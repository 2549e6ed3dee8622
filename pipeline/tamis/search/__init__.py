"""From the data to the literals of a plan: levels of generalization that reach k, kept values, bounds.

Everything that comes out is k-safe (decision: stored literals hold values of at least k persons, or bounds rounded outward).
"""

from tamis.search.resolve import Resolved, pick_alternative, resolve_table
from tamis.search.tradeoff import Point, TradeOff, trade_off

__all__ = ["Point", "Resolved", "TradeOff", "pick_alternative", "resolve_table", "trade_off"]

"""From the data to the literals of a plan: levels of generalization that reach k, kept values, bounds.

Everything that comes out is k-safe (decision: stored literals hold values of at least k persons, or bounds rounded outward).
"""

from tamis.search.resolve import Resolved, resolve_table

__all__ = ["Resolved", "resolve_table"]

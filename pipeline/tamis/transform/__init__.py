"""Execute a plan on one table: drop, suppress, generalize, code, pseudonymize, shift, fake, redact, synthesize, reach k.

In: a `Table`, the approved `Plan`, keyed functions. Out: a lazy frame with the released columns. Decides nothing.
"""

from tamis.transform.apply import Transformed, apply_table

__all__ = ["Transformed", "apply_table"]

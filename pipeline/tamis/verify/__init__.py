"""verify: may it leave? Disclosure risk, leak scan, utility, expectation suites and gates, recomputed from the written files.

`verify_tables` judges staged files against the input before anything is published; `recheck_release` checks what a published release
can show by itself.
"""

from tamis.verify.gates import DEFAULT_GATES, default_gates, known_measures
from tamis.verify.recheck import recheck_release
from tamis.verify.verdict import verify_tables

__all__ = ["DEFAULT_GATES", "default_gates", "known_measures", "recheck_release", "verify_tables"]

"""verify: may it leave? Disclosure risk, leak scan, utility, expectation suites and gates, recomputed from the written files.

`verify_tables` judges staged files against the input before anything is published; `recheck_release` checks what a published release
can show by itself.
"""

from tamis.verify.attacks import Shadow
from tamis.verify.gates import DEFAULT_GATES, default_gates, known_measures
from tamis.verify.recheck import live_release, recheck_release
from tamis.verify.releases import LiveRelease
from tamis.verify.risk import measure_input
from tamis.verify.verdict import verify_tables

__all__ = [
    "DEFAULT_GATES",
    "LiveRelease",
    "Shadow",
    "default_gates",
    "known_measures",
    "live_release",
    "measure_input",
    "recheck_release",
    "verify_tables",
]

"""tamis: a drum sieve for personal data.

read       sources to tables, lazy, strict
profile    tables to aggregates
detect     what each column is: direct, quasi, sensitive, none, unknown
plan       one action with a reason for every column (search finds levels, fit trains proxies)
transform  drop, suppress, generalize, pseudonymize, shift, fake, synthesize, redact
verify     suites, disclosure risk, leak scan, gates on what was written
write      stage beside, then publish in one step; manifest, datasheet, report

The same verbs as the command line, as functions over values::

    import tamis
    release = tamis.run_job("customers.csv", "policy.yaml", "out")
    release.verdict.passed, release.path
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tamis.conductor import apply_plan, build_plan, draft_policy, profile_data, run_job, verify_release
    from tamis.core.errors import TamisError
    from tamis.core.plan import Plan
    from tamis.core.policy import Policy
    from tamis.core.record import Manifest, Release, Verdict, Verification

_WHERE = {
    "apply_plan": "tamis.conductor",
    "build_plan": "tamis.conductor",
    "draft_policy": "tamis.conductor",
    "profile_data": "tamis.conductor",
    "run_job": "tamis.conductor",
    "verify_release": "tamis.conductor",
    "TamisError": "tamis.core.errors",
    "Plan": "tamis.core.plan",
    "Policy": "tamis.core.policy",
    "Manifest": "tamis.core.record",
    "Release": "tamis.core.record",
    "Verdict": "tamis.core.record",
    "Verification": "tamis.core.record",
}

__all__ = [
    "Manifest",
    "Plan",
    "Policy",
    "Release",
    "TamisError",
    "Verdict",
    "Verification",
    "apply_plan",
    "build_plan",
    "draft_policy",
    "profile_data",
    "run_job",
    "verify_release",
]


def __getattr__(name: str) -> object:
    """Names are imported when they are asked for: `import tamis` costs nothing."""
    import importlib

    if name == "__version__":
        from importlib.metadata import version

        return version("tamis")
    if name not in _WHERE:
        raise AttributeError(f"module 'tamis' has no attribute '{name}'")
    return getattr(importlib.import_module(_WHERE[name]), name)

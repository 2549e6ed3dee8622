"""The conductor: the only one that knows all rooms, and in which order data flows through them."""

from tamis.conductor.applying import apply_plan, verify_release
from tamis.conductor.inputs import Data
from tamis.conductor.planning import Planned, Profiled, build_plan, draft_policy, plan_job, profile_data, run_job

STAGES = ("read", "profile", "detect", "search", "fit", "plan", "transform", "write", "verify")
"""the rooms in the order of the flow"""

__all__ = [
    "STAGES",
    "Data",
    "Planned",
    "Profiled",
    "apply_plan",
    "build_plan",
    "draft_policy",
    "plan_job",
    "profile_data",
    "run_job",
    "verify_release",
]

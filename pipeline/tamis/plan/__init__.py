"""Deciding: findings and policy to a plan. Pure: no data, no clock, no files; may not import polars."""

from tamis.plan.build import PlanInput, draft_plan, finish_plan
from tamis.plan.explain import explain_plan, level_sentence, model_sentence, search_sentence
from tamis.plan.propose import draft_policy_text

__all__ = [
    "PlanInput",
    "draft_plan",
    "draft_policy_text",
    "explain_plan",
    "finish_plan",
    "level_sentence",
    "model_sentence",
    "search_sentence",
]

"""Approvals: who said, of exactly which plan, that it may be applied. They lie beside the plan as `<plan>.approvals.json`."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import Field

from tamis.core.canonical import canonical_json, digest
from tamis.core.plan import Plan
from tamis.core.types import Frozen


class Approval(Frozen):
    """One person's yes to one plan. Without a signature it is a claim."""

    plan_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    by: Annotated[str, Field(min_length=1, max_length=200)]
    at: dt.datetime
    comment: str = ""
    acknowledged: tuple[str, ...] = ()
    """fingerprints of the plan's warnings that this person has seen and accepts"""
    public_key: str | None = None
    """base64 of the Ed25519 public key"""
    signature: str | None = None
    """base64; of `text`"""

    @property
    def text(self) -> str:
        """What is signed: the canonical JSON of everything but the signature."""
        plain: dict[str, Any] = self.model_dump(mode="json", exclude={"signature"})
        return canonical_json(plain)


class Approvals(Frozen):
    """All approvals beside a plan, oldest first; those of other plans are kept and do not count."""

    version: Literal[1] = 1
    approvals: tuple[Approval, ...] = ()


def plan_warnings(plan: Plan) -> tuple[tuple[str, str, str], ...]:
    """(fingerprint, table, sentence) of every warning of a plan. The fingerprint changes with the table or any word of the sentence."""
    return tuple((digest([table.name, text])[:12], table.name, text) for table in plan.tables for text in table.warnings)

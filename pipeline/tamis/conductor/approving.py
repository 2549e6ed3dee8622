"""Approve a plan, and refuse one that is not approved."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tamis.core.approval import Approval, Approvals, plan_warnings
from tamis.core.canonical import pretty_json
from tamis.core.errors import PlanError, UsageError, clean_name, listed
from tamis.core.plan import Plan
from tamis.core.policy import ApprovalRule
from tamis.documents import load_document
from tamis.journal import Journal, person_now
from tamis.plan.check import require_consistent, require_decided
from tamis.signing import Signer, load_public_key, public_key_id, signed_by
from tamis.write.run_folder import write_text_atomic


@dataclass(frozen=True, slots=True)
class Standing:
    """What the approvals of a plan amount to."""

    counted: tuple[Approval, ...]
    """one per person (per key where keys are demanded), the newest"""
    ignored: tuple[str, ...]
    """sentences: which approval does not count and why"""
    required: int
    unacknowledged: tuple[tuple[str, str, str], ...]
    """(fingerprint, table, sentence) of warnings that nobody who counts has acknowledged"""

    @property
    def sufficient(self) -> bool:
        """Whether the plan may be applied."""
        return len(self.counted) >= self.required and not (self.required and self.unacknowledged)


def approvals_path(plan: Path) -> Path:
    """Where the approvals of a plan lie: `plan.json` → `plan.approvals.json`."""
    return plan.with_name(f"{plan.stem}.approvals.json")


def load_approvals(plan: Path) -> Approvals:
    """The approvals beside a plan; none when there is no such file. Raises PolicyError when it is not what it must be."""
    path = approvals_path(plan)
    return load_document(path, Approvals) if path.exists() else Approvals()


def approve_plan(
    plan: str | Path,
    *,
    by: str | None = None,
    comment: str = "",
    acknowledge: Sequence[str] = (),
    signer: Signer | None = None,
    state: str | Path | None = None,
) -> tuple[Approval, Standing]:
    """Add an approval of exactly this plan beside it and enter it in the journal.

    `acknowledge` holds fingerprints of the plan's warnings, or the word `all`. Raises PlanError when the plan is undecided or
    inconsistent (errors cannot be acknowledged), UsageError for a fingerprint that is none of its warnings.
    """
    path = Path(plan)
    loaded = load_document(path, Plan)
    require_consistent(loaded)
    require_decided(loaded)
    known = {fingerprint: sentence for fingerprint, _, sentence in plan_warnings(loaded)}
    seen = tuple(sorted(known)) if "all" in acknowledge else tuple(sorted(set(acknowledge)))
    strangers = [word for word in seen if word not in known]
    if strangers:
        hint = f"Its warnings: {', '.join(sorted(known))}." if known else "It has no warnings."
        raise UsageError("unknown_warning", f"{listed(strangers)} is no fingerprint of a warning of this plan.", hint=hint)
    approval = Approval(
        plan_digest=loaded.digest,
        by=by or person_now(),
        at=dt.datetime.now(dt.UTC).replace(microsecond=0),
        comment=comment,
        acknowledged=seen,
        public_key=signer.public_key if signer else None,
    )
    if signer is not None:
        approval = approval.model_copy(update={"signature": signer.sign(approval.text)})
    before = load_approvals(path)
    after = before.model_copy(update={"approvals": (*before.approvals, approval)})
    write_text_atomic(approvals_path(path), pretty_json(after), 0o644)
    facts = {
        "plan_digest": loaded.digest,
        "by": clean_name(approval.by),
        "signed": signer is not None,
        "acknowledged": list(seen),
        "comment": clean_name(comment, 500),
    }
    Journal(Path(state) if state else path.parent / ".tamis", signer).append("approved", facts)
    return approval, standing(loaded, after)


def standing(plan: Plan, approvals: Approvals, now: dt.datetime | None = None) -> Standing:
    """Judge the approvals of a plan as of `now`."""
    rule = plan.approvals
    now = now or dt.datetime.now(dt.UTC)
    counted: dict[str, Approval] = {}
    ignored = []
    for approval in approvals.approvals:
        reason = _objection(approval, plan.digest, rule, now)
        if reason:
            ignored.append(f"approval by {clean_name(approval.by)} ({approval.at:%Y-%m-%d}): {reason}")
            continue
        counted[_person(approval, rule)] = approval
    acknowledged = {word for approval in counted.values() for word in approval.acknowledged}
    missing = tuple(warning for warning in plan_warnings(plan) if warning[0] not in acknowledged)
    return Standing(tuple(counted.values()), tuple(ignored), rule.required, missing)


def _objection(approval: Approval, digest: str, rule: ApprovalRule, now: dt.datetime) -> str:
    """Why an approval does not count; empty when it does."""
    if approval.plan_digest != digest:
        return f"it is for another plan ({approval.plan_digest[:12]})"
    at = approval.at if approval.at.tzinfo else approval.at.replace(tzinfo=dt.UTC)
    if at > now + dt.timedelta(minutes=5):
        return "it is dated in the future"
    if now - at > dt.timedelta(days=rule.valid_days):
        return f"it is older than {rule.valid_days} days"
    if approval.signature is not None:
        key = approval.public_key or ""
        if not signed_by(approval.text, public_key=key, signature=approval.signature):
            return "its signature does not fit"
        if rule.keys and key not in rule.keys:
            return f"its key {public_key_id(key)} is not one of the policy's"
    elif rule.keys:
        return "it is not signed, and the policy counts signed approvals only"
    return ""


def _person(approval: Approval, rule: ApprovalRule) -> str:
    """Who it is: where keys are demanded the key, not the name, since anybody can write a name."""
    return (approval.public_key or "") if rule.keys else approval.by.strip().casefold()


def require_approved(plan: Plan, approvals: Approvals) -> Standing:
    """The standing of a plan that may be applied. Raises PlanError `unapproved` that says exactly what is missing."""
    found = standing(plan, approvals)
    if found.sufficient:
        return found
    reasons = [f"{len(found.counted)} of {found.required} approvals count", *found.ignored]
    if found.unacknowledged:
        reasons += [f"warning {word} of '{clean_name(table)}' is not acknowledged" for word, table, _ in found.unacknowledged]
    raise PlanError(
        "unapproved",
        f"Plan {plan.digest[:12]} is not approved: {'; '.join(reasons[:12])}.",
        hint="Review it, then: tamis approve PLAN --by NAME [--acknowledge all]",
    )


def resolved_rule(rule: ApprovalRule, base: Path) -> ApprovalRule:
    """The policy's rule with its keys as base64, as the plan holds it. Raises KeyMaterialError for a key that is none."""
    return rule.model_copy(update={"keys": tuple(sorted({load_public_key(key, base=base) for key in rule.keys}))})

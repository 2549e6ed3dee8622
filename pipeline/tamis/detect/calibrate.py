"""From combined evidence to a confidence that means something: among columns with confidence 0.9 about nine in ten are right.

The noisy-or of `combine` orders verdicts well but is no probability: its pieces are not independent, and where vocabulary ends it does
not know what it does not know. A logistic map with a few parameters (Platt 1999, "Probabilistic outputs for support vector machines")
turns it into one. The parameters stand in `weights.py`; `bench/detection/fit_weights.py` fits them and prints what they are worth on
sources that were left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tamis.core.types import Evidence, Role
from tamis.detect import weights as w

_MOST = 5.0
"""log-evidence above this (a combined weight of 0.993) is no stronger"""


def log_evidence(weight: float) -> float:
    """-ln(1 - w): what a noisy-or adds up."""
    return min(_MOST, -math.log(max(1e-9, 1 - weight)))


def verdict_features(
    role: Role, entity: str, evidence: Sequence[Evidence], roles: Mapping[str, Role], *, personal: bool
) -> dict[str, float]:
    """What the confidence in an accepted entity depends on."""
    own: dict[str, float] = {}
    rival = 0.0
    for piece in evidence:
        if piece.entity == entity:
            own[piece.source] = max(own.get(piece.source, 0.0), piece.weight)
        elif piece.entity is not None and roles.get(piece.entity) not in (role, None):
            rival = max(rival, piece.weight)
    return {
        "bias": 1.0,
        "evidence": min(_MOST, sum(map(log_evidence, own.values()))),
        "rival": log_evidence(rival),
        "corroborated": float(len(own) > 1),
        "only_context": float(bool(own) and set(own) <= {"context"}),
        "personal": float(personal),
        str(role): 1.0,
    }


def nothing_features(evidence: Sequence[Evidence], *, personal: bool, about_things: bool, intelligible: bool) -> dict[str, float]:
    """What the confidence in `none` depends on."""
    return {
        "bias": 1.0,
        "evidence": log_evidence(max((piece.weight for piece in evidence), default=0.0)),
        "personal": float(personal),
        "things": float(about_things),
        "unintelligible": float(not intelligible),
    }


def confidence(features: Mapping[str, float], parameters: Mapping[str, float]) -> float:
    """The logistic map: 1 / (1 + exp(-sum of parameter times feature)), kept between 0.05 and 0.99."""
    score = sum(parameters.get(name, 0.0) * value for name, value in features.items())
    return round(min(0.99, max(0.05, 1 / (1 + math.exp(-score)))), 4)


def verdict_confidence(role: Role, entity: str, evidence: Sequence[Evidence], roles: Mapping[str, Role], *, personal: bool) -> float:
    """Probability that the role of an accepted entity is right."""
    return confidence(verdict_features(role, entity, evidence, roles, personal=personal), w.CALIBRATION)


def nothing_confidence(evidence: Sequence[Evidence], *, personal: bool, about_things: bool, intelligible: bool) -> float:
    """Probability that a column without an accepted entity is indeed nothing to a person."""
    found = nothing_features(evidence, personal=personal, about_things=about_things, intelligible=intelligible)
    return confidence(found, w.CALIBRATION_NONE)

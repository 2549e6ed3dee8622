"""Gates: which figures a release must reach. Fail-closed: a gate on a figure nobody took fails.

A gate on `family.name` judges the figure of that very name when there is one, else the worst of its instances (`@table`,
`@table.column`). A gate that names a table or column takes its instance out of the general one, and a policy's gate takes the
place of the default one on the same measure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tamis.core.errors import clean_name, did_you_mean
from tamis.core.policy import Gate, Privacy
from tamis.core.record import GateResult, Measure

_MEANING: Mapping[str, tuple[str, str]] = {
    "risk.k": (
        "persons (rows without a unit) in the smallest class of equal quasi-identifiers",
        "Generalize the finest quasi-identifier further, drop one, or raise privacy.max_suppressed.",
    ),
    "risk.k_joined": (
        "persons who share the joined record with the fewest others, over all tables that released keys connect",
        "Drop the key of the child table, drop or generalize its quasi-identifiers, or cap its rows per person.",
    ),
    "risk.l": (
        "fewest distinct values of a sensitive column in a class",
        "Generalize the quasi-identifiers further, or synthesize or drop the sensitive column.",
    ),
    "risk.t": (
        "largest distance of a class's sensitive values from the table's",
        "Generalize the quasi-identifiers further, or synthesize or drop the sensitive column.",
    ),
    "risk.unique_share": ("share of rows alone in their class", "Generalize the quasi-identifiers further."),
    "risk.average": ("share of persons that a linking attacker matches rightly", "Generalize the quasi-identifiers further."),
    "risk.k_before": ("k of the input", "This is a figure of the input: nothing in the plan changes it."),
    "risk.unique_share_before": ("share of input rows alone in their class", "This is a figure of the input."),
    "leak.cells": (
        "distinct identifying originals found in released columns",
        "Drop, redact or pseudonymize the column named, or keep the identifier knowingly with role: direct.",
    ),
    "leak.chance": (
        "distinct originals found where chance explains them: fakes, kept columns, short digit strings",
        "Ask for another kind or locale of fakes, or drop the column.",
    ),
    "leak.short": ("originals too short or too common to be told from chance; not searched", "Nothing to do: they identify nobody."),
    "suite.contract": (
        "share of the contract expectations that hold in the written files",
        "Look at the failed expectations in the report; the written files are not what the plan promises.",
    ),
    "suite.user": ("share of your own expectations that hold", "Look at the failed expectations in the report, or change the suite."),
    "suite.utility": (
        "share of the utility expectations that hold",
        "Generalize less, or lower the utility gates if the purpose allows it.",
    ),
    "utility.suppressed": (
        "share of input rows left out to reach k",
        "Generalize the quasi-identifiers further, or raise privacy.max_suppressed.",
    ),
    "utility.column_shapes": (
        "1 - distance between a column's distribution before and after (Kolmogorov-Smirnov or total variation)",
        "Generalize or synthesize fewer columns, or lower this gate if the purpose allows it.",
    ),
    "utility.pair_trends": (
        "mean similarity of pairs of columns before and after (correlation or contingency)",
        "Generalize less, or synthesize related columns together.",
    ),
    "utility.null_delta": ("change of a column's share of nulls", "Generalize instead of suppressing values."),
    "contract.orphans": (
        "released rows whose parent row is not in the release",
        "Give both ends of the reference the same action and the same pseudonym domain.",
    ),
}


def known_measures() -> Mapping[str, str]:
    """Every measure a gate may name (without @), and what it means."""
    return {name: meaning for name, (meaning, _) in _MEANING.items()}


def default_gates(privacy: Privacy) -> tuple[Gate, ...]:
    """What every release must reach unless the policy says otherwise."""
    gates = [
        Gate(measure="risk.k", min=privacy.k),
        Gate(measure="risk.k_joined", min=privacy.k),
        Gate(measure="leak.cells", max=0),
        Gate(measure="suite.contract", min=1),
        Gate(measure="suite.user", min=1),
        Gate(measure="utility.suppressed", max=privacy.max_suppressed),
        Gate(measure="utility.column_shapes", min=0.80, severity="warn"),
    ]
    if privacy.l is not None:
        gates.insert(2, Gate(measure="risk.l", min=privacy.l))
    return tuple(gates)


DEFAULT_GATES: tuple[Gate, ...] = default_gates(Privacy())


def judge(
    policy: Sequence[Gate],
    privacy: Privacy,
    measures: Iterable[Measure],
    *,
    expected: frozenset[str],
    hints: Mapping[str, str] | None = None,
) -> tuple[GateResult, ...]:
    """Judge every gate, the default ones first.

    `expected` names the measures that this dataset must have: a default gate on a measure that does not apply passes and says so, one
    on a measure that applies and was not taken fails. `hints` adds to the sentence of a concrete measure.
    """
    taken = {measure.name: measure for measure in measures}
    stated = {gate.measure for gate in policy}
    defaults = [gate for gate in default_gates(privacy) if gate.measure not in stated]
    results = []
    for gate, default in [*((gate, True) for gate in defaults), *((gate, False) for gate in policy)]:
        wanted = _instances(gate.measure, taken.keys() | expected, stated)
        if not wanted:
            results.append(_absent(gate, default=default))
            continue
        judged = [judge_one(gate, name, taken.get(name), (hints or {}).get(name, "")) for name in wanted]
        results.append(min(judged, key=lambda result: _margin(gate, result)))
    return tuple(results)


def _instances(measure: str, names: Iterable[str], stated: set[str]) -> list[str]:
    names = set(names)
    if measure in names or "@" in measure:
        return [measure] if measure in names else []
    return sorted(name for name in names if name.startswith(measure + "@") and name not in stated)


def _absent(gate: Gate, *, default: bool) -> GateResult:
    name = _shown(gate.measure)
    family = gate.measure.partition("@")[0]
    if default:
        return GateResult(gate=gate, measure=gate.measure, value=None, passed=True, sentence=f"{name} does not apply to these tables.")
    if family not in _MEANING:
        sentence = f"{name} is no measure of tamis, so its gate fails. {did_you_mean(family, _MEANING)}"
    else:
        sentence = (
            f"{name} was not taken: nothing in this dataset has it, so its gate fails. "
            "Name a table and column of the release, or remove the gate."
        )
    return GateResult(gate=gate, measure=gate.measure, value=None, passed=False, sentence=sentence)


def judge_one(gate: Gate, name: str, measure: Measure | None, hint: str = "") -> GateResult:
    """Judge one concrete measure; an untaken one fails."""
    shown = _shown(name)
    if measure is None:
        sentence = f"{shown} applies to this dataset and was not taken, so its gate fails. Run tamis again; if it stays, report it."
        return GateResult(gate=gate, measure=name, value=None, passed=False, sentence=sentence)
    if measure.note == "no rows" and gate.min is not None and name.startswith("risk."):
        sentence = f"{shown}: the table has no rows, so nobody can be singled out."
        return GateResult(gate=gate, measure=name, value=measure.value, passed=True, sentence=sentence)
    value = measure.value
    # A comparison with NaN is false: written this way round, such a figure fails.
    passed = (gate.min is None or value >= gate.min) and (gate.max is None or value <= gate.max)
    bounds = [f"at least {gate.min:g}"] if gate.min is not None else []
    bounds += [f"at most {gate.max:g}"] if gate.max is not None else []
    sentence = f"{shown} is {value:g}; {' and '.join(bounds)} {'is needed' if not passed else 'was asked for'}."
    if not passed:
        advice = _MEANING.get(name.partition("@")[0], ("", ""))[1]
        sentence = " ".join(part for part in (sentence, hint, advice) if part)
    return GateResult(gate=gate, measure=name, value=value, passed=passed, sentence=sentence)


def _margin(gate: Gate, result: GateResult) -> tuple[bool, float]:
    """Worst first: failed before passed, untaken before taken, then the smallest distance to the bound."""
    if result.value is None or result.value != result.value:
        return result.passed, float("-inf")
    below = result.value - gate.min if gate.min is not None else float("inf")
    above = gate.max - result.value if gate.max is not None else float("inf")
    return result.passed, min(below, above)


def _shown(name: str) -> str:
    return clean_name(name, 160)

"""Gates: which figures a release must reach. Fail-closed: a gate on a figure nobody took fails.

A gate on `family.name` judges the figure of that very name when there is one, else the worst of its instances (`@table`,
`@table.column`). A gate that names a table or column takes its instance out of the general one, and a policy's gate takes the
place of the default one on the same measure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tamis.core.errors import clean_name, did_you_mean
from tamis.core.policy import Gate, Privacy
from tamis.core.record import GateResult, Manifest, Measure

_OF_INPUT = "This is a figure of the input: nothing in the plan changes it."
_MEANING: Mapping[str, tuple[str, str]] = {
    "risk.k": (
        "persons (rows without a unit) in the smallest class of equal quasi-identifiers",
        "Generalize the finest quasi-identifier further, drop one, or raise privacy.max_suppressed.",
    ),
    "risk.k_joined": (
        "persons who share the joined record with the fewest others, over all tables that released keys connect",
        "Drop the key of the child table, drop or generalize its quasi-identifiers, or cap its rows per person.",
    ),
    "risk.k_releases": (
        "persons with the same set of quasi-identifiers over this release and the live ones with the same stable tokens",
        "Drop link: stable, withdraw an older release, or keep the quasi-identifiers and their levels as they were.",
    ),
    "risk.l": (
        "fewest distinct values of a sensitive column in a class",
        "Generalize the quasi-identifiers further, or synthesize or drop the sensitive column.",
    ),
    "risk.l_entropy": (
        "smallest exp(entropy) of a sensitive column in a class",
        "Generalize the quasi-identifiers further, or synthesize or drop the sensitive column.",
    ),
    "risk.l_recursive": (
        "largest l for which every class is recursively (c,l)-diverse, with the c of the policy",
        "Generalize the quasi-identifiers further, or synthesize or drop the sensitive column.",
    ),
    "risk.t": (
        "largest distance of a class's sensitive values from the table's, with the distance of the policy",
        "Generalize the quasi-identifiers further, or synthesize or drop the sensitive column.",
    ),
    "risk.k_map": ("fewest persons of the declared population with the labels of a class", "Generalize the quasi-identifiers further."),
    "risk.presence_low": (
        "smallest share of the population's matching persons that are in the release",
        "Generalize the quasi-identifiers further.",
    ),
    "risk.presence_high": (
        "largest share of the population's matching persons that are in the release",
        "Generalize the quasi-identifiers further.",
    ),
    "risk.unique_share": ("share of persons (rows without a unit) alone in a class", "Generalize the quasi-identifiers further."),
    "risk.prosecutor_highest": (
        "highest risk of a person: attacker who knows that the target is in the data",
        "Generalize the quasi-identifiers further.",
    ),
    "risk.prosecutor_average": (
        "mean risk of a person: attacker who knows that the target is in the data",
        "Generalize the quasi-identifiers further.",
    ),
    "risk.prosecutor_at_risk": ("share of persons whose risk is above privacy.risk_threshold", "Generalize the quasi-identifiers further."),
    "risk.journalist_highest": (
        "highest risk of a person: attacker who does not know who is in the data",
        "Generalize the quasi-identifiers further.",
    ),
    "risk.journalist_average": (
        "mean risk of a person: attacker who does not know who is in the data",
        "Generalize the quasi-identifiers further.",
    ),
    "risk.journalist_at_risk": ("share of persons whose risk is above privacy.risk_threshold", "Generalize the quasi-identifiers further."),
    "risk.marketer": ("expected share of right matches when every record is matched", "Generalize the quasi-identifiers further."),
    "risk.population_uniques": (
        "share of persons alone in the population, counted or estimated",
        "Generalize the quasi-identifiers further.",
    ),
    "risk.special_uniques": (
        "share of persons told apart by three quasi-identifiers or fewer",
        "Generalize or drop the columns that such combinations rest on; see the report.",
    ),
    "risk.highest_without": ("highest risk if one quasi-identifier were left out", "Drop or generalize the column named."),
    "risk.average_without": ("mean risk if one quasi-identifier were left out", "Drop or generalize the column named."),
    "risk.k_before": ("k of the input", _OF_INPUT),
    "risk.unique_share_before": ("the same of the input", _OF_INPUT),
    "risk.prosecutor_highest_before": ("the same of the input", _OF_INPUT),
    "risk.prosecutor_average_before": ("the same of the input", _OF_INPUT),
    "risk.prosecutor_at_risk_before": ("the same of the input", _OF_INPUT),
    "risk.journalist_highest_before": ("the same of the input", _OF_INPUT),
    "risk.journalist_average_before": ("the same of the input", _OF_INPUT),
    "risk.journalist_at_risk_before": ("the same of the input", _OF_INPUT),
    "risk.marketer_before": ("the same of the input", _OF_INPUT),
    "risk.population_uniques_before": ("the same of the input", _OF_INPUT),
    "risk.special_uniques_before": ("the same of the input", _OF_INPUT),
    "risk.highest_without_before": ("the same of the input", _OF_INPUT),
    "risk.average_without_before": ("the same of the input", _OF_INPUT),
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
    "utility.correlation_delta": (
        "mean change of the correlation of two number columns",
        "Generalize less, or synthesize related columns together.",
    ),
    "utility.mutual_information_delta": (
        "mean change of what one column says of another (mutual information, 0 to 1)",
        "Generalize less, or synthesize related columns together.",
    ),
    "utility.downstream": (
        "points that a model of the policy's target loses when it is trained on the release instead of the originals",
        "Generalize, suppress or synthesize fewer of the columns that the target depends on; the report shows each column's shape.",
    ),
    "utility.downstream_release": (
        "score of the best model of the target trained on the release and tested on held-out originals",
        "Generalize, suppress or synthesize fewer of the columns that the target depends on.",
    ),
    "utility.downstream_original": ("the same of a model trained on originals", _OF_INPUT),
    "memorization.own": (
        "share of proxies that equal their own row's original",
        "Read it beside memorization.own_chance: only what exceeds chance tells of anybody.",
    ),
    "memorization.own_chance": ("the share of such proxies that chance and the columns that stay explain", _OF_INPUT),
    "memorization.own_excess": (
        "share of proxies that repeat their own row's original beyond chance (lower end of a 99 % interval)",
        "The column carries originals: drop it, or make the plan again so that its proxies are drawn anew.",
    ),
    "memorization.closer": (
        "share of proxy rows whose closest original is in their own half of the rows; one half without memorization",
        "Keep fewer columns that determine the proxied ones, or fit the proxies on fewer given columns.",
    ),
    "memorization.near_copies": (
        "share of proxy rows closer to an original than 95 % of other originals are; 0.05 at chance",
        "Synthesize fewer columns together, or raise privacy.k, so that the model learns less of single rows.",
    ),
    "memorization.distance_ratio": (
        "median distance of a proxy row to the closest original over that to the second closest",
        "Synthesize fewer columns together, or raise privacy.k, so that the model learns less of single rows.",
    ),
    "memorization.copies": (
        "share of released rows whose proxies together equal a combination of fewer than k originals",
        "Read it beside memorization.own_excess: where values are few, chance copies.",
    ),
    "utility.null_delta": ("change of a column's share of nulls", "Generalize instead of suppressing values."),
    "attack.run": (
        "1 where the release was attacked before it was published, 0 where the policy forbade it",
        "Remove attacks: {run: false}.",
    ),
    "attack.linkage": (
        "share of persons whose released row an attacker points at, who knows quasi-identifiers of them",
        "Generalize the quasi-identifiers named further, or drop one.",
    ),
    "attack.linkage_all": (
        "the same of an attacker who knows every released column of a person",
        "Drop, generalize or synthesize kept columns that tell rows apart.",
    ),
    "attack.singling_out": (
        "risk, above blind guessing, that a predicate on released quasi-identifiers holds for exactly one person",
        "Generalize the quasi-identifiers named further, or drop one.",
    ),
    "attack.singling_out_all": (
        "the same of predicates on any released columns",
        "Drop, generalize or synthesize kept columns that tell rows apart.",
    ),
    "attack.linkability": (
        "risk, above that of people who are not in it, that the release joins two halves of a person's record",
        "Drop, generalize or synthesize kept columns that tell rows apart.",
    ),
    "attack.inference": (
        "right guesses of a sensitive column about persons in the release less those about persons who are not",
        "Synthesize or drop the column, or generalize what stays beside it.",
    ),
    "attack.membership": (
        "area under the ROC curve of telling who is in the release by distance; 0.5 is chance",
        "Drop, generalize or synthesize kept columns that tell rows apart.",
    ),
    "attack.membership_model": (
        "the same by the loss of a model that was trained on the release",
        "Drop, generalize or synthesize kept columns that tell rows apart.",
    ),
    "attack.membership_model_original": ("the same of a model trained on the originals", _OF_INPUT),
    "attack.inversion": (
        "right guesses of a sensitive column by inverting a model trained on the release: persons in it less others",
        "Synthesize or drop the column, or generalize what stays beside it.",
    ),
    "attack.inversion_original": ("the same of a model trained on the originals", _OF_INPUT),
    "attack.order": (
        "rank correlation of the places of rows before and after",
        "Leave keep_order out: rows then come out in an order of their own.",
    ),
    "attack.order_declared": ("the same of a table whose order is kept for a stated reason", "Leave keep_order out."),
    "contract.orphans": (
        "released rows whose parent row is not in the release",
        "Give both ends of the reference the same action and the same pseudonym domain.",
    ),
}


def known_measures() -> Mapping[str, str]:
    """Every measure a gate may name (without @), and what it means."""
    return {name: meaning for name, (meaning, _) in _MEANING.items()}


_DIVERSITY = {"distinct": "risk.l", "entropy": "risk.l_entropy", "recursive": "risk.l_recursive"}


def declared_measures(privacy: Privacy | Manifest, *, sensitive: bool) -> frozenset[str]:
    """Measures that a table with quasi-identifiers must have, so that what the policy declares is judged; `sensitive`: has such columns."""
    names = {"risk.k"}
    if sensitive:
        names.add("risk.l")
        names |= {_DIVERSITY[privacy.diversity]} if privacy.l is not None else set()
        names |= {"risk.t"} if privacy.t is not None else set()
    if privacy.k_map is not None:
        names.add("risk.k_map")
    if privacy.presence is not None:
        names |= {"risk.presence_low", "risk.presence_high"}
    return frozenset(names)


def default_gates(privacy: Privacy) -> tuple[Gate, ...]:
    """What every release must reach unless the policy says otherwise."""
    gates = [
        Gate(measure="risk.k", min=privacy.k),
        Gate(measure="risk.k_joined", min=privacy.k),
        Gate(measure="risk.k_releases", min=privacy.k),
        Gate(measure="leak.cells", max=0),
        Gate(measure="suite.contract", min=1),
        Gate(measure="suite.user", min=1),
        Gate(measure="utility.suppressed", max=privacy.max_suppressed),
        Gate(measure="utility.column_shapes", min=0.80, severity="warn"),
        Gate(measure="utility.downstream", max=3, severity="warn"),
        Gate(measure="memorization.own_excess", max=0.1),
        Gate(measure="memorization.closer", max=0.6, severity="warn"),
    ]
    if privacy.l is not None:
        gates.append(Gate(measure=_DIVERSITY[privacy.diversity], min=privacy.l))
    if privacy.t is not None:
        gates.append(Gate(measure="risk.t", max=privacy.t))
    if privacy.k_map is not None:
        gates.append(Gate(measure="risk.k_map", min=privacy.k_map))
    if privacy.presence is not None:
        gates.append(Gate(measure="risk.presence_low", min=privacy.presence[0]))
        gates.append(Gate(measure="risk.presence_high", max=privacy.presence[1]))
    return tuple(gates)


def attack_gates(privacy: Privacy) -> tuple[Gate, ...]:
    """Default gates on attack figures: judged where attacks were tried, or should have been.

    What k-anonymity promises fails a release: nobody is pointed at, or singled out, by quasi-identifiers with more than 1/k, and rows
    stand in an order of their own. What other kept columns add it promises to nobody: a warning, until the policy makes it a failure.
    """
    once = 1 / privacy.k
    return (
        Gate(measure="attack.run", min=1, severity="warn"),
        Gate(measure="attack.linkage", max=once),
        Gate(measure="attack.singling_out", max=once),
        Gate(measure="attack.order", max=0.1),
        Gate(measure="attack.linkage_all", max=once, severity="warn"),
        Gate(measure="attack.singling_out_all", max=once, severity="warn"),
        Gate(measure="attack.linkability", max=0.05, severity="warn"),
        Gate(measure="attack.membership", max=0.55, severity="warn"),
        Gate(measure="attack.membership_model", max=0.55, severity="warn"),
        Gate(measure="attack.inference", max=0.03, severity="warn"),
        Gate(measure="attack.inversion", max=0.03, severity="warn"),
    )


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
    attacked = any(name.startswith("attack.") for name in taken.keys() | expected)
    usual = (*default_gates(privacy), *(attack_gates(privacy) if attacked else ()))
    defaults = [gate for gate in usual if gate.measure not in stated]
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
    highest = _firm(measure)
    passed = (gate.min is None or value >= gate.min) and (gate.max is None or highest <= gate.max)
    bounds = [f"at least {gate.min:g}"] if gate.min is not None else []
    bounds += [f"at most {gate.max:g}"] if gate.max is not None else []
    attempts = name.startswith("attack.") and measure.low is not None and measure.high is not None
    interval = f" (95 % interval {measure.low:g} to {measure.high:g})" if attempts else ""
    sentence = f"{shown} is {value:g}{interval}; {' and '.join(bounds)} {'is needed' if not passed else 'was asked for'}."
    if not passed:
        advice = _MEANING.get(name.partition("@")[0], ("", ""))[1]
        sentence = " ".join(part for part in (sentence, hint, advice) if part)
    return GateResult(gate=gate, measure=name, value=value, passed=passed, sentence=sentence)


def _firm(measure: Measure) -> float:
    """What is judged against an upper bound: of attacks, which are tried on samples of persons, the lower end of the 99.9 % interval.

    A nightly release with many columns would otherwise be refused by chance every few weeks. (3.29 standard errors instead of 1.96.)
    """
    if not measure.name.startswith("attack.") or measure.low is None:
        return measure.value
    return measure.value - 1.679 * (measure.value - measure.low)


def _margin(gate: Gate, result: GateResult) -> tuple[bool, float]:
    """Worst first: failed before passed, untaken before taken, then the smallest distance to the bound."""
    if result.value is None or result.value != result.value:
        return result.passed, float("-inf")
    below = result.value - gate.min if gate.min is not None else float("inf")
    above = gate.max - result.value if gate.max is not None else float("inf")
    return result.passed, min(below, above)


def _shown(name: str) -> str:
    return clean_name(name, 160)

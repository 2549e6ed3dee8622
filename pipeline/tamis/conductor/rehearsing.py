"""Rehearsal of rules: every recognizer, name rule, value set and pack must pass its own examples and counter-examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tamis.core.errors import UsageError, clean_name, did_you_mean
from tamis.core.types import Finding, Role
from tamis.detect import weights as w
from tamis.detect.names import read_name
from tamis.detect.recognizers import build_engines
from tamis.detect.tokens import Lexicon, fold, tokens_of
from tamis.rules import NameRule, Pack, Recognizer, Rules, ValueSet, list_packs, load_rules, recognizer_files

LEAST = 3
"""examples, and counter-examples, of each recognizer that comes with tamis"""


@dataclass(frozen=True, slots=True)
class Failure:
    """One example that a rule does not pass. Examples are rule text, not data."""

    kind: str
    id: str
    problem: str


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was tried, by kind of rule, and what failed."""

    rules: Mapping[str, int]
    examples: int
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    """recognizers of a file that are not in force, and why"""

    @property
    def passed(self) -> bool:
        """Whether every rule passed its own examples."""
        return not self.failures


def rehearse_rules(names: Sequence[str] = (), *, base: Path | None = None) -> Rehearsal:
    """Run the examples of these packs or files; of everything that comes with tamis when none is named.

    A name is that of a pack, of a file in rules/recognizers/, or a path. Raises UsageError for one that does not exist, PolicyError for
    a file that is not what it must be.
    """
    shipped = {path.stem: path for path in recognizer_files()}
    packs = list_packs()
    for name in names:
        if name not in packs and name not in shipped and "/" not in name and not name.endswith((".yaml", ".yml")):
            hint = f"{did_you_mean(name, [*packs, *shipped])} A path to a YAML file of your own works too."
            raise UsageError("unknown_pack", f"There is no pack or file of recognizers '{clean_name(name)}'.", hint=hint)
    own = [name for name in names if name not in shipped]
    rules = load_rules(own if names else packs, base=base)
    if names:
        files = {recognizer.id for name in names if name in shipped for recognizer in _of_file(rules, shipped[name])}
        tried = [one for one in rules.recognizers if one.own or one.id in files]
        name_rules = tuple(rule for pack in rules.packs for rule in pack.names)
        sets = tuple(one for pack in rules.packs for one in pack.values)
    else:
        tried, name_rules, sets = list(rules.recognizers), rules.names, rules.value_sets
    trial = _Trial(rules)
    trial.recognizers(tried)
    trial.names(name_rules)
    trial.values(sets)
    for pack in rules.packs:
        trial.pack(pack)
    counts = {
        "recognizers": len(tried),
        "names": len(name_rules),
        "values": len(sets),
        "packs": len(rules.packs),
        "pack rules": sum(len(pack.rules) for pack in rules.packs),
    }
    return Rehearsal(counts, trial.examples, tuple(trial.failures), rules.notes)


def _of_file(rules: Rules, path: Path) -> Iterator[Recognizer]:
    return (one for one in rules.recognizers if not one.own and one.file == path.stem)


class _Trial:
    """Counts examples and gathers failures."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._lexicon = Lexicon.of(rules)
        self.examples = 0
        self.failures: list[Failure] = []

    def _expect(self, holds: bool, kind: str, rule: str, problem: str) -> None:
        self.examples += 1
        if not holds:
            self.failures.append(Failure(kind, rule, problem))

    def recognizers(self, recognizers: Sequence[Recognizer]) -> None:
        """Each finds something in its examples and nothing in its counter-examples; ours have at least three of both."""
        for engine in build_engines(recognizers, self._rules):
            one = engine.recognizer
            for example in one.examples:
                self._expect(bool(engine.find(example)), "recognizer", one.id, f"finds nothing in its example '{clean_name(example, 80)}'")
            for example in one.counter_examples:
                what = f"finds something in its counter-example '{clean_name(example, 80)}'"
                self._expect(not engine.find(example), "recognizer", one.id, what)
            fewest = min(len(one.examples), len(one.counter_examples))
            if not one.own and fewest < LEAST:
                self._expect(False, "recognizer", one.id, f"has fewer than {LEAST} examples or counter-examples")

    def names(self, rules: Sequence[NameRule]) -> None:
        """Each speaks of its phrases and examples, and says not enough of its counter-examples."""
        for rule in rules:
            for name in (*rule.phrases, *rule.examples):
                self._expect(self._claim(rule, name) > 0, "name", rule.id, f"does not speak of '{clean_name(name, 80)}'")
            for name in rule.counter_examples:
                self._expect(self._claim(rule, name) < w.ACCEPT, "name", rule.id, f"speaks of its counter-example '{clean_name(name, 80)}'")

    def _claim(self, rule: NameRule, name: str) -> float:
        claims = read_name(tokens_of(name, self._lexicon), self._lexicon).claims
        return max((claim.weight for claim in claims if claim.rule == f"name:{rule.id}"), default=0.0)

    def values(self, sets: Sequence[ValueSet]) -> None:
        """Required values, and examples, belong to the set; counter-examples do not."""
        for one in sets:
            values = {fold(value) for value in one.values}
            for value in (*one.require, *one.examples):
                self._expect(fold(value) in values, "values", one.id, f"does not hold '{clean_name(value, 80)}'")
            for value in one.counter_examples:
                self._expect(fold(value) not in values, "values", one.id, f"holds its counter-example '{clean_name(value, 80)}'")

    def pack(self, pack: Pack) -> None:
        """Every rule decides about something: no earlier rule takes it all; no rule does what the pack forbids."""
        alone = self._rules.model_copy(update={"packs": (pack,)})
        forbidden = {forbid.action for forbid in pack.forbids}
        for rule in pack.rules:
            name = f"pack:{pack.name}/{rule.id}"
            for entity in rule.entities:
                role = self._rules.entities[entity].role
                spoken = alone.pack_action(Finding(table="t", column="c", entity=entity, role=role, confidence=1.0))
                self._expect(spoken is not None and spoken[1] == name, "pack", name, f"never decides about {entity}: an earlier rule does")
            if rule.role is not None:
                spoken = alone.pack_action(Finding(table="t", column="c", entity=None, role=Role(rule.role), confidence=1.0))
                self._expect(spoken is not None and spoken[1] == name, "pack", name, f"never decides about the role {rule.role.value}")
            action = next(iter(rule.action))
            self._expect(action not in forbidden, "pack", name, f"does what the pack forbids: {action}")

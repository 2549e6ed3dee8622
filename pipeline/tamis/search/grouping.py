"""Equivalence classes of lattice nodes, each made from those of a finer node.

The labels of a tuple are packed into 62-bit words, one bit field per quasi-identifier, most significant first, the sensitive value and
the person behind them. Going up a level replaces one field and groups again: the work is that of the finer node's classes, not of the
table's tuples. A table of elements is sorted by its words, so that the tables of a node name their classes in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tamis.models import Codes, Values
from tamis.search.tuples import Dimension, Node, Tuples

_BITS = 62
_BASE = -1
"""the level of an element that still carries base codes: only where levels do not nest"""
_ODD = np.uint64(0x9E3779B97F4A7C15)
_FEW = 256
_DENSE = 4
"""cells of a dense count per element to be grouped: beyond that sorting is faster"""


@dataclass(frozen=True, slots=True)
class _Field:
    word: int
    shift: int
    mask: int


class Layout:
    """Where the fields are; `widths` is the number of codes of each, most significant first."""

    def __init__(self, widths: Sequence[int], dimensions: int, *, loose: bool = False) -> None:
        bits = [max(1, int(width - 1).bit_length()) for width in widths]
        words: list[list[int]] = [[]]
        for index, need in enumerate(bits):
            if sum(bits[i] for i in words[-1]) + need > _BITS:
                words.append([])
            words[-1].append(index)
        fields: dict[int, _Field] = {}
        for word, members in enumerate(words):
            shift = 0
            for index in reversed(members):
                fields[index] = _Field(word, shift, (1 << bits[index]) - 1)
                shift += bits[index]
        self.fields = tuple(fields[index] for index in range(len(widths)))
        self.words = len(words)
        self.used = tuple(sum(bits[i] for i in members) for members in words)
        self.dimensions = dimensions
        self.loose = loose
        """whether any order of the elements will do, because there are no other tables to go with"""

    def mask(self, fields: int) -> tuple[int, ...]:
        """Per word the bits of the first `fields` fields."""
        masks = [0] * self.words
        for field in self.fields[:fields]:
            masks[field.word] |= field.mask << field.shift
        return tuple(masks)

    def pack(self, columns: Sequence[Codes], length: int) -> list[Codes]:
        """Words of columns of codes."""
        words = [np.zeros(length, dtype=np.int64) for _ in range(self.words)]
        for field, column in zip(self.fields, columns, strict=True):
            words[field.word] |= column.astype(np.int64) << field.shift
        return words

    def code(self, words: Sequence[Codes], field: int) -> Codes:
        """The codes of one field."""
        place = self.fields[field]
        return (words[place.word] >> place.shift) & place.mask


@dataclass(frozen=True, slots=True)
class Elements:
    """Distinct words, ascending, and per element its counts."""

    words: tuple[Codes, ...]
    counts: tuple[Codes, ...]

    def __len__(self) -> int:
        return len(self.words[0])


@dataclass(frozen=True, slots=True)
class State:
    """A node's classes (with rows and, where there is one, population), their members, and their sensitive values."""

    node: Node
    classes: Elements
    persons: Elements | None
    values: tuple[Elements, ...]

    @property
    def size(self) -> int:
        """Elements in all: the work of making a coarser node from this one."""
        return len(self.classes) + (len(self.persons) if self.persons else 0) + sum(map(len, self.values))


@dataclass(frozen=True, slots=True)
class Counts:
    """What the models judge, per class."""

    rows: Codes
    members: Codes
    population: Codes | None
    values: tuple[Values, ...]


class Grouping:
    """Makes the state of any node from that of a finer one."""

    def __init__(self, dimensions: Sequence[Dimension], tuples: Tuples) -> None:
        self.dimensions = dimensions
        self.tuples = tuples
        self.nested = tuple(_nested(dimension) for dimension in dimensions)
        self.cards = tuple(tuple(int(codes.max(initial=0)) + 1 for codes in d.codes) for d in dimensions)
        self._maps: dict[tuple[int, int, int], Codes] = {}
        q, wanted = len(dimensions), tuples.sensitive if tuples.criteria.about_values else ()
        start = tuple(0 if nested else _BASE for nested in self.nested)
        labels = [d.codes[0][base] if nested else base for d, base, nested in zip(dimensions, tuples.base, self.nested, strict=True)]
        widths = [
            cards[0] if nested and max(cards) == cards[0] else max(*cards, len(d.codes[0]))
            for d, cards, nested in zip(dimensions, self.cards, self.nested, strict=True)
        ]
        people = [] if tuples.persons is None else [tuples.persons]
        crowd = [int(person.max(initial=0)) + 1 for person in people]
        spans = [int(column.codes.max(initial=0)) + 1 for column in wanted]
        self.layout = Layout(widths, q, loose=not (people or wanted))
        self.person_layout = Layout([*widths, *crowd], q)
        self.value_layouts = tuple(Layout([*widths, span, *crowd], q) for span in spans)
        length = len(tuples.rows)
        self.root = State(
            start,
            self._classes(labels, start),
            _group(self.person_layout, self.person_layout.pack([*labels, *people], length), ()) if people else None,
            tuple(
                _group(layout, layout.pack([*labels, column.codes, *people], length), () if people else (tuples.rows,))
                for layout, column in zip(self.value_layouts, wanted, strict=True)
            ),
        )

    def _classes(self, labels: list[Codes], start: Node) -> Elements:
        tuples = self.tuples
        if tuples.population is None:
            return _group(self.layout, self.layout.pack(labels, len(tuples.rows)), (tuples.rows,))
        base, people = tuples.population
        both = [
            np.concatenate((own, d.codes[0][other] if level == 0 else other))
            for own, d, other, level in zip(labels, self.dimensions, base, start, strict=True)
        ]
        rows = np.concatenate((tuples.rows, np.zeros(len(people), dtype=np.int64)))
        known = np.concatenate((np.zeros(len(tuples.rows), dtype=np.int64), people.astype(np.int64)))
        return _group(self.layout, self.layout.pack(both, len(rows)), (rows, known))

    def derivable(self, finer: Node, node: Node) -> bool:
        """Whether the state of `node` can be made from that of `finer`."""
        pairs = zip(finer, node, self.nested, strict=True)
        return all(a == b or (a < b if nested else a == _BASE) for a, b, nested in pairs)

    def coarser(self, state: State, node: Node) -> State:
        """The state of `node`, which must be derivable from `state`."""
        if node == state.node:
            return state
        return State(
            node,
            self._up(self.layout, state.classes, state.node, node),
            None if state.persons is None else self._up(self.person_layout, state.persons, state.node, node),
            tuple(self._up(layout, one, state.node, node) for layout, one in zip(self.value_layouts, state.values, strict=True)),
        )

    def cost(self, state: State, node: Node) -> int:
        """The work of `coarser`: elements sorted; counting costs about an eighth of that per column that still has two labels.

        Sorting n elements takes n log n, and more where they no longer fit the caches: of two million an element counts twice.
        """
        if node == state.node:
            return 0
        size = state.size
        if self._cells(state.classes, node):
            wide = sum(cards[level] > 1 for cards, level in zip(self.cards, node, strict=True))
            size -= len(state.classes) * (8 - min(wide, 8)) // 8
        return size * max(8, size.bit_length() - 5) // 8

    def _cells(self, elements: Elements, node: Node) -> int:
        """How many classes `node` could have, where these are few enough to be counted instead of sorted; else 0."""
        cells = math.prod(cards[level] for cards, level in zip(self.cards, node, strict=True))
        return cells if len(elements) > _FEW and cells <= _DENSE * len(elements) else 0

    def _up(self, layout: Layout, elements: Elements, old: Node, new: Node) -> Elements:
        if layout is self.layout and (cells := self._cells(elements, new)):
            return self._counted(elements, old, new, cells)
        words = list(elements.words)
        touched: set[int] = set()
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            if a == b:
                continue
            field = layout.fields[index]
            word = words[field.word]
            clear = word & ~(field.mask << field.shift)
            if self.cards[index][b] > 1:
                clear |= self._map(index, a, b)[(word >> field.shift) & field.mask] << field.shift
            words[field.word] = clear
            touched.add(field.word)
        return _group(layout, words, elements.counts)

    def _counted(self, elements: Elements, old: Node, new: Node, cells: int) -> Elements:
        """The same for few possible classes: count into a dense array instead of sorting."""
        key = np.zeros(len(elements), dtype=np.int64)
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            card = self.cards[index][b]
            if card > 1:
                code = self.layout.code(elements.words, index)
                key = key * card + (code if a == b else self._map(index, a, b)[code])
        there = np.bincount(key, minlength=cells)
        found = np.flatnonzero(there)
        counts = tuple(np.bincount(key, weights=count, minlength=cells)[found].astype(np.int64) for count in elements.counts)
        columns: list[Codes] = []
        rest = found
        for index in reversed(range(len(new))):
            card = self.cards[index][new[index]]
            columns.append(rest % card if card > 1 else np.zeros_like(rest))
            rest = rest // card if card > 1 else rest
        return Elements(tuple(self.layout.pack(columns[::-1], len(found))), counts)

    def _map(self, index: int, a: int, b: int) -> Codes:
        """Label codes at level b by label codes at level a."""
        key = (index, a, b)
        if key not in self._maps:
            codes = self.dimensions[index].codes
            if a == _BASE:
                self._maps[key] = codes[b]
            else:
                up = np.zeros(self.cards[index][a], dtype=np.int64)
                up[codes[a]] = codes[b]
                self._maps[key] = up
        return self._maps[key]

    def counts(self, state: State) -> Counts:
        """Rows, members, population and sensitive values per class."""
        rows = state.classes.counts[0]
        population = state.classes.counts[1] if len(state.classes.counts) > 1 else None
        owned = np.flatnonzero(rows) if population is not None else None
        members = rows
        if state.persons is not None:
            of = _runs(self.person_layout, state.persons.words, self.layout.dimensions, owned)
            members = np.bincount(of, minlength=len(rows)).astype(np.int64)
        values = []
        columns = self.tuples.sensitive if state.values else ()
        for layout, elements, column in zip(self.value_layouts, state.values, columns, strict=True):
            of = _runs(layout, elements.words, self.layout.dimensions, owned)
            code = layout.code(elements.words, self.layout.dimensions)
            if state.persons is None:
                count = elements.counts[0]
            else:
                pair = _runs(layout, elements.words, self.layout.dimensions + 1, None)
                first = np.flatnonzero(np.diff(pair, prepend=-1))
                of, code, count = of[first], code[first], np.bincount(pair).astype(np.int64)
            values.append(Values(of, code, count, column.order, column.parents))
        return Counts(rows, members, population, tuple(values))


def _nested(dimension: Dimension) -> bool:
    """Whether equal labels stay equal on every higher level, and no penalty shrinks: what all pruning rests on."""
    for low, high in zip(dimension.codes, dimension.codes[1:], strict=False):
        up = np.zeros(int(low.max(initial=0)) + 1, dtype=np.int64)
        up[low] = high
        if not np.array_equal(up[low], high):
            return False
    pairs = zip(dimension.penalties, dimension.penalties[1:], strict=False)
    return all(bool((low <= high + 1e-12).all()) for low, high in pairs)


def _runs(layout: Layout, words: Sequence[Codes], fields: int, names: Codes | None) -> Codes:
    """Ascending numbers of the distinct combinations of the first `fields` fields; `names` renumbers them."""
    length = len(words[0])
    if not length:
        return np.zeros(0, dtype=np.int64)
    change = np.zeros(length - 1, dtype=bool)
    for word, mask in zip(words, layout.mask(fields), strict=True):
        if mask:
            part = word & mask
            change |= part[1:] != part[:-1]
    runs = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(change)))
    return runs if names is None else names[runs]


def _group(layout: Layout, words: Sequence[Codes], counts: Sequence[Codes]) -> Elements:
    """Sort, and add the counts of equal words."""
    length = len(words[0])
    if not length:
        return Elements(tuple(words), tuple(counts))
    if layout.words == 1 and len(counts) == 1:
        most = int(counts[0].max()).bit_length()
        if layout.used[0] + most <= _BITS:  # one sort without an index
            packed = np.sort((words[0] << most) | counts[0])
            key, sorted_counts = packed >> most, [packed & ((1 << most) - 1)]
            return _summed([key], sorted_counts)
    if layout.words == 1 and not counts:
        return _summed([np.sort(words[0])], [])
    order = np.argsort(words[0]) if layout.words == 1 else _together(words) if layout.loose else None
    if order is None:
        order = np.lexsort(tuple(reversed(list(words))))
    return _summed([word[order] for word in words], [count[order] for count in counts])


def _together(words: Sequence[Codes]) -> Codes | None:
    """An order that brings equal elements together, by one sort of a mixture of the words; None where the mixture is no good."""
    mixed = np.zeros(len(words[0]), dtype=np.uint64)
    for word in words:
        mixed = (mixed ^ word.view(np.uint64)) * _ODD
        mixed ^= mixed >> np.uint64(29)
    order = np.argsort(mixed)
    mixed = mixed[order]
    alike = mixed[1:] == mixed[:-1]
    for word in words:
        ordered = word[order]
        if (alike & (ordered[1:] != ordered[:-1])).any():
            return None
    return order


def _summed(words: Sequence[Codes], counts: Sequence[Codes]) -> Elements:
    fresh = np.empty(len(words[0]), dtype=bool)
    fresh[0] = True
    np.not_equal(words[0][1:], words[0][:-1], out=fresh[1:])
    for word in words[1:]:
        fresh[1:] |= word[1:] != word[:-1]
    starts = np.flatnonzero(fresh)
    if len(starts) == len(fresh):
        return Elements(tuple(words), tuple(counts))
    return Elements(tuple(word[starts] for word in words), tuple(np.add.reduceat(count, starts) for count in counts))

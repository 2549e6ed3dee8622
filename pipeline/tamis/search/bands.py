"""Bands for numbers: edges that are round numbers near quantiles, so that a skewed column does not waste its bands.

The range is halved again and again: of the round numbers that leave a fair share of the persons on either side the roundest wins
(20 before 25 before 24), of equally round ones the one with the least loss. Each level's edges are among those of the next finer one:
levels nest. Every band holds values of at least k persons.

For one level per column, halves with the least loss r_1 v_1 + r_2 v_2 (persons r, distinct values v). For local recoding, where a row pays
for the lowest band that holds all of its class, halves that few pairs of persons lie across: the sparsest cut, r_1 r_2 / (v_1 v_2)
(Dasgupta 2016, STOC); it parts a thin tail from the rest first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_FAIR = (0.35, 0.2, 0.05, 0.0)
"""least share of the persons that a cut leaves on its smaller side: from what is wished for to what is taken"""
_MOST_CUTS = 64
_MOST_CANDIDATES = 512


@dataclass(frozen=True, slots=True)
class Counted:
    """Distinct finite values in ascending order and the persons of each; `steps` of whole numbers are 1."""

    values: Floats
    persons: Counts
    whole: bool


def cut_levels(given: Counted, k: int, depth: int, *, local: bool = False) -> tuple[tuple[float, ...], ...]:
    """Edges per level, the finest first; at most 2**depth bands. Empty when no cut leaves k persons on both sides."""
    levels: list[tuple[float, ...]] = []
    upto = np.concatenate(([0], np.cumsum(given.persons)))
    spans = [(0, len(given.values))]
    edges: list[float] = []
    for _ in range(depth):
        halves: list[tuple[int, int]] = []
        for low, high in spans:
            found = _cut(given, upto, low, high, k, local=local)
            if found is None:
                halves.append((low, high))
                continue
            edge, place = found
            edges.append(edge)
            halves += [(low, place), (place, high)]
        if len(halves) == len(spans) or len(edges) > _MOST_CUTS:
            break
        spans = halves
        levels.append(tuple(sorted(edges)))
    return tuple(reversed(levels))


def _cut(given: Counted, upto: Counts, low: int, high: int, k: int, *, local: bool) -> tuple[float, int] | None:
    """The edge that halves the values low..high-1, and the place of the first value at or above it."""
    total = int(upto[high] - upto[low])
    if high - low < 2 or total < 2 * k:
        return None
    for share in _FAIR[2:] if local else _FAIR:
        least = max(k, math.ceil(share * total))
        # the places where both sides keep `least` persons: first..last
        first = int(np.searchsorted(upto, upto[low] + least, side="left"))
        last = int(np.searchsorted(upto, upto[high] - least, side="right")) - 1
        first, last = max(first, low + 1), min(last, high - 1)
        if first > last:
            continue
        for unit in _units(given, first, last):
            edges = _multiples(unit, given.values[first - 1], given.values[last])
            if not len(edges):
                continue
            places = np.searchsorted(given.values, edges, side="left")
            fits = (places >= first) & (places <= last)
            if not fits.any():
                continue
            edges, places = edges[fits], places[fits]
            left = (upto[places] - upto[low]).astype(np.float64)
            if local:
                cost = left * (total - left) / ((places - low) * (high - places))
            else:
                cost = left * (places - low) + (total - left) * (high - places)
            best = int(np.argmin(cost))
            return float(edges[best]), int(places[best])
    return None


def _units(given: Counted, first: int, last: int) -> Iterator[float]:
    """Widths of grids, 1, 2 and 5 times powers of ten, from one as wide as the window down to one that surely has a point in it."""
    low, high = float(given.values[first - 1]), float(given.values[last])
    top = math.floor(math.log10(max(high - low, abs(high), abs(low), 1e-300))) + 1
    gaps = np.diff(given.values[first - 1 : last + 1])
    widest = float(gaps.max()) if len(gaps) else high - low
    floor = 0 if given.whole else math.floor(math.log10(max(widest, 1e-300))) - 1
    for power in range(top, floor - 1, -1):
        for digit in (5, 2, 1):
            yield digit * 10.0**power


def _multiples(unit: float, low: float, high: float) -> Floats:
    """Multiples of `unit` in (low, high]; none where there would be very many: a coarser grid had one already."""
    start, stop = math.floor(low / unit) + 1, math.floor(high / unit)
    if stop < start or stop - start > _MOST_CANDIDATES:
        return np.zeros(0)
    edges = np.arange(start, stop + 1) * unit
    digits = max(0, -math.floor(math.log10(unit)))
    edges = np.round(edges, digits) if digits < 15 else edges
    return np.asarray(edges[(edges > low) & (edges <= high)])

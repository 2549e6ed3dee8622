"""Blocks: parts of a large table that can be recoded one by one.

A block is all points below one box; a cell made of its points covers no point of another block. Small blocks, and the points of blocks
that reach no class, are the rest: recoded last and tried last, so that its cells, which may cover anything, take nothing away.
"""

from __future__ import annotations

import numpy as np

from tamis.search.local_space import Codes, Space

_SMALL = 1_500
"""points below which a block joins the rest"""


def blocks(space: Space, most: int) -> tuple[list[Codes], list[Codes]]:
    """Numbers of points: the blocks, each of at most `most` points, and the rest in parts of at most `most`."""
    whole = np.arange(space.points.shape[1])
    waiting = [whole]
    done: list[Codes] = []
    small: list[Codes] = []
    while waiting:
        points = waiting.pop()
        if len(points) <= most:
            (done if len(points) >= min(_SMALL, len(whole)) else small).append(points)
        elif (parts := _halved(space, points)) is None:
            small.append(points)
        else:
            waiting.extend(parts)
    rest = np.concatenate(small) if small else np.zeros(0, dtype=np.int64)
    rest = rest[np.lexsort(space.points[:, rest])] if len(rest) else rest
    count = -(-len(rest) // most)
    return sorted(done, key=lambda points: int(points[0])), np.array_split(rest, count) if count else []


def _halved(space: Space, points: Codes) -> list[Codes] | None:
    """The points by the labels of the dimension whose common label costs most: a cell across that border would be dear anyway."""
    found: tuple[float, Codes] | None = None
    for tree, nodes in zip(space.trees, space.points[:, points], strict=True):
        for level in range(len(tree.kept) - 1, -1, -1):
            labels = tree.above[level][nodes]
            if (labels != labels[0]).any():
                above = tree.above[level + 1][nodes[0]]
                cost = float(tree.penalty[above] - tree.penalty[labels].mean())
                if found is None or cost > found[0]:
                    found = (cost, labels)
                break
    if found is None:
        return None
    order = np.argsort(found[1], kind="stable")
    labels = found[1][order]
    return np.split(points[order], np.flatnonzero(labels[1:] != labels[:-1]) + 1)

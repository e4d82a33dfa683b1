"""All elements of a finite group of matrices."""

from dataclasses import dataclass
from itertools import product

import numpy as np

# Matrices are told apart by random combinations of their entries, different ones by more
# than a distance, in units of their size. They are looked up in cells of a grid.
NUM_PROBES = 3
DISTANCE, CELL = 1e-7, 1e-3


@dataclass(frozen=True)
class Elements:
    """All elements of a finite group.

    Args:
        matrices: Array `(order, n, n)`, the identity first.
        words: Integers `(order, length)`: each element as a product of the generating ones,
            by their numbers. The number after the last one stands for the identity.
    """

    matrices: np.ndarray
    words: np.ndarray


class _Register:
    """Which matrices are known, by points that stand for them."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, ...], list[np.ndarray]] = {}

    def is_new(self, point: np.ndarray) -> bool:
        """Whether there was no point so near, which this one is from now on."""
        distance = DISTANCE * max(1.0, float(np.abs(point).max()))
        # A point on the border of cells may be known in any of them.
        low, high = (np.floor((point + d) / CELL) for d in (-distance, distance))
        for cell in product(*({int(a), int(b)} for a, b in zip(low, high, strict=True))):
            for known in self._cells.get(cell, ()):
                if np.max(np.abs(known - point)) <= 2 * distance:
                    return False
        self._cells.setdefault(tuple(np.floor(point / CELL).astype(int)), []).append(point)
        return True


def all_elements(generating: np.ndarray, limit: int) -> Elements | None:
    """Products of the generating elements, breadth first.

    Args:
        generating: Invertible matrices `(m, n, n)`.
        limit: How many elements there may be.

    Returns:
        The `Elements`, or `None` if there are more.
    """
    count, size = generating.shape[:2]
    probes = np.random.default_rng(0).normal(size=(size * size, NUM_PROBES))
    known = _Register()
    level, words = np.eye(size)[None], np.zeros((1, 0), dtype=int)
    levels, all_words = [], []
    number = 0
    while len(level):
        points = level.reshape(len(level), -1) @ probes
        new = [row for row, point in enumerate(points) if known.is_new(point)]
        number += len(new)
        if number > limit:
            return None
        level, words = level[new], words[new]
        levels.append(level)
        all_words.append(words)
        last = np.tile(np.arange(count), len(words))
        words = np.column_stack([np.repeat(words, count, axis=0), last])
        level = (level[:, None] @ generating[None]).reshape(-1, size, size)
    length = all_words[-1].shape[1]
    padded = [
        np.pad(part, ((0, 0), (0, length - part.shape[1])), constant_values=count)
        for part in all_words
    ]
    return Elements(np.concatenate(levels), np.concatenate(padded))

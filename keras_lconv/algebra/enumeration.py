"""All elements of a finite group of matrices."""

from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from keras_lconv._memory import require_memory
from keras_lconv.algebra.tolerance import ELEMENT_PRECISION

# Elements are told apart by where they take a few random vectors, relative to the size of
# these. Images that differ by less than the first number belong to one element. If others
# are nearer than the second, the group does not count as finite, because products of
# elements with errors come as near.
NUM_VECTORS = 3
SAME, NEAR = 5 * ELEMENT_PRECISION, 20 * ELEMENT_PRECISION
# Errors of generating elements move vectors by less than this.
ROUNDING = 2e-6
# Beyond this size elements are not compared: powers of a matrix grow.
LARGEST = 0.1 / SAME
# Elements are looked up in the cells of a grid, by random combinations of these numbers,
# which enlarge differences only a few times.
NUM_PROBES, CELL, MARGIN = 3, 80 * SAME, 4 * SAME
# No cell of a finite group has this many elements.
MOST_IN_CELL = 60


@dataclass(frozen=True)
class Tree:
    """All elements of a finite group, each a generating element times an earlier one.

    Args:
        letters: Numbers of the generating elements, `(order,)`. The first element is the
            identity, whose letter is the number after the last one.
        parents: The elements that these multiply, `(order,)`.
        levels: Where elements of each length begin, and the order.
    """

    letters: np.ndarray
    parents: np.ndarray
    levels: np.ndarray

    def words(self, chosen: np.ndarray) -> np.ndarray:
        """Elements as products of generating ones, `(m, length)`, padded at the end."""
        words = np.full((len(chosen), len(self.levels) - 2), self.letters[0])
        for column in words.T:
            column[:] = self.letters[chosen]
            chosen = self.parents[chosen]
        return words

    def products(self, generating: np.ndarray) -> np.ndarray:
        """All elements `(order, n, n)`, for these generating matrices."""
        order, size = len(self.letters), generating.shape[1]
        require_memory(
            f"A list of {order} {size}x{size} matrices",
            2 * order * size**2,
            "Maps and forms need no such list",
        )
        result = np.empty((order, size, size))
        result[0] = np.eye(size)
        for start, end in pairwise(self.levels[1:]):
            part = slice(start, end)
            result[part] = generating[self.letters[part]] @ result[self.parents[part]]
        return result


class _TooNearError(Exception):
    """Elements that are neither the same nor clearly different."""


class _Register:
    """A register of known elements, by where they take a few vectors."""

    def __init__(self, size: int, rng: np.random.Generator):
        self._probes = rng.normal(size=(size, NUM_PROBES))
        self._cells: dict[tuple[float, ...], list[np.ndarray]] = {}

    def new(self, images: np.ndarray) -> list[int]:
        """Registers elements, and returns the numbers of those that are new."""
        flat = images.reshape(len(images), -1)
        points = flat @ self._probes
        units = np.maximum(1.0, np.linalg.norm(flat, axis=1) / np.sqrt(images.shape[1]))
        if np.max(units) > LARGEST:
            raise _TooNearError
        # Cells grow with the size. A point near a border may be stored in any of them.
        scales = [np.floor(np.log2(units * factor)) for factor in (1 - NEAR, 1 + NEAR)]
        found = []
        for row, image in enumerate(flat):
            cells = {
                (scale, *cell)
                for scale in {float(each[row]) for each in scales}
                for cell in _cells(points[row] / (CELL * 2**scale), 2 * MARGIN / CELL)
            }
            near = [each for cell in cells for each in self._cells.get(cell, ())]
            distance = np.inf
            if len(near) > MOST_IN_CELL:
                raise _TooNearError
            if near:
                distance = np.min(np.linalg.norm(np.array(near) - image, axis=1))
            if distance <= SAME * units[row]:
                continue
            if distance <= NEAR * units[row]:
                raise _TooNearError
            found.append(row)
            scale = float(scales[0][row])
            (cell,) = _cells(points[row] / (CELL * 2**scale), 0.0)
            self._cells.setdefault((scale, *cell), []).append(image)
        return found


def _cells(point: np.ndarray, margin: float) -> set[tuple[int, ...]]:
    """The cells of unit size that are near a point."""
    low, high = np.floor(point - margin).tolist(), np.floor(point + margin).tolist()
    return set(product(*({int(a), int(b)} for a, b in zip(low, high, strict=True))))


def enumerated(generating: np.ndarray, limit: int) -> Tree | None:
    """All products of the generating elements, breadth first.

    Args:
        generating: Invertible matrices `(m, n, n)`.
        limit: The largest number of elements.

    Returns:
        A `Tree`, or `None` if there are more elements, or if some are hardly different.
    """
    count, size = generating.shape[:2]
    rng = np.random.default_rng(0)
    images = rng.normal(size=(1, size, NUM_VECTORS))
    images *= np.sqrt(size) / np.linalg.norm(images)
    known = _Register(size * NUM_VECTORS, rng)
    letters, parents = np.array([count]), np.array([0])
    levels, tree = [0], []
    moved = np.linalg.norm(generating @ images - images, axis=(1, 2)) / np.sqrt(size)
    if np.any((moved > ROUNDING) & (moved <= SAME)):
        return None  # an element that moves little is not the identity
    try:
        while len(images):
            new = known.new(images)
            images = images[new]
            tree.append((letters[new], parents[new]))
            first = levels[-1]
            levels.append(first + len(new))
            if levels[-1] > limit:
                return None
            letters = np.repeat(np.arange(count), len(new))
            parents = np.tile(np.arange(first, levels[-1]), count)
            images = (generating[:, None] @ images[None]).reshape(-1, size, NUM_VECTORS)
    except _TooNearError:
        return None
    letters, parents = (np.concatenate(part) for part in zip(*tree, strict=True))
    return Tree(letters, parents, np.array(levels[:-1]))

"""Random walks on groups."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from keras_lconv.algebra.all_permutations import StarWords
from keras_lconv.algebra.permutations import compose

if TYPE_CHECKING:
    from keras_lconv.algebra.elements import GroupElements

# On compact groups every step of a random walk turns several times around, which forgets at
# least two thirds of the place before. Steps along further elements are lazy.
COMPACT_STEPS, TURNS = 16, 2 * np.pi
LAZY_STEPS = 64
DISCRETE_STEPS = 256
MOST_STEPS = max(COMPACT_STEPS + LAZY_STEPS, DISCRETE_STEPS)
# Of large groups of permutations.
REPLACEMENTS, SLOTS = 200, 12


@dataclass(frozen=True)
class Walk:
    """Random elements of a group as products, whose matrices any representation can
    compute.

    Args:
        flows: Parameters `(length, number, k)`: each step first moves by `exp(t . L)`.
        moves: Integers `(length, number)`: then by a generating element. The number after
            the last one means no move.
    """

    flows: np.ndarray
    moves: np.ndarray

    def follow(self, generators: np.ndarray, elements: np.ndarray) -> np.ndarray:
        """Matrices `(number, n, n)` of the elements, where these represent the group."""
        from scipy.linalg import expm

        size = generators.shape[1]
        table = np.concatenate([elements, np.eye(size)[None]])
        result = np.broadcast_to(np.eye(size), (self.moves.shape[1], size, size))
        for flow, move in zip(self.flows, self.moves, strict=True):
            if len(generators):
                result = result @ expm(np.tensordot(flow, generators, 1))
            result = result @ table[move]
        return result

    def follow_permutations(self, images: np.ndarray) -> np.ndarray:
        """Where the elements take components, `(number, n)`, if these move by `images`."""
        start = np.arange(images.shape[1])
        table = np.concatenate([images, start[None]])
        result = np.broadcast_to(start, (self.moves.shape[1], len(start)))
        for move in self.moves:
            result = compose(result, table[move])
        return result


@dataclass(frozen=True)
class Replacement:
    """Random elements of a finite group by product replacement.

    The method has several slots, which start with generating elements. A step multiplies
    one slot by another. The product of the results is the random element.

    Args:
        slots: How many there are.
        pairs: The two slots of each step, `(2, length, number)`. The first one is
        multiplied.
        is_left: Booleans `(length, number)`: whether from the left.

    Reference:
        F. Celler, C. R. Leedham-Green, S. H. Murray, A. C. Niemeyer, E. A. O'Brien,
        "Generating random elements of a finite group", Communications in Algebra 23, 1995.
    """

    slots: int
    pairs: np.ndarray
    is_left: np.ndarray

    def follow(self, generators: np.ndarray, elements: np.ndarray) -> np.ndarray:
        """Matrices `(number, n, n)` of the elements, where these represent the group."""
        return self._run(elements, np.matmul)

    def follow_permutations(self, images: np.ndarray) -> np.ndarray:
        """Where the elements take components, `(number, n)`, if these move by `images`."""
        return self._run(images, compose)

    def _run(
        self,
        generating: np.ndarray,
        multiply: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ) -> np.ndarray:
        number = self.pairs.shape[2]
        rows = np.arange(number)
        start = generating[np.arange(self.slots) % len(generating)]
        state = np.tile(start, (number, *[1] * start.ndim))
        result = state[:, 0]
        for first, second, is_left in zip(*self.pairs, self.is_left, strict=True):
            a, b = state[rows, first], state[rows, second]
            is_left = is_left.reshape(-1, *[1] * (a.ndim - 1))
            made = multiply(np.where(is_left, b, a), np.where(is_left, a, b))
            state[rows, first] = made
            result = multiply(result, made)
        return result


AnyWalk: TypeAlias = Walk | StarWords | Replacement


def random_walk(group: "GroupElements", number: int, seed: int) -> AnyWalk:
    """Random elements of a group as products."""
    rng = np.random.default_rng(seed)
    if group.all_permutations is not None:
        return group.all_permutations.words(number, rng)
    if group.is_listed:
        moves = group.tree.words(rng.integers(len(group.tree.letters), size=number)).T
        return Walk(np.zeros((len(moves), number, 0)), moves)
    if group.images is not None:
        slots = max(SLOTS, 2 * len(group.images))
        first = rng.integers(slots, size=(REPLACEMENTS, number))
        second = (first + rng.integers(1, slots, size=first.shape)) % slots
        is_left = rng.integers(2, size=first.shape).astype(bool)
        return Replacement(slots, np.stack([first, second]), is_left)
    steps, scale = 1, np.ones(group.dimension)
    if group.dimension and group.is_compact:
        steps = COMPACT_STEPS
        scale = TURNS / np.linalg.norm(group.generators, 2, axis=(1, 2))
    elif group.dimension:
        scale = 1 / np.linalg.norm(group.generators, 2, axis=(1, 2))
    count = len(group.elements)
    length = (LAZY_STEPS if group.dimension else DISCRETE_STEPS) if count else 0
    flows = np.zeros((steps + length, number, group.dimension))
    flows[:steps] = scale * rng.normal(size=flows[:steps].shape)
    moves = np.full((steps + length, number), count)
    if length:
        chosen = rng.integers(2 * count, size=(length, number))
        moves[steps:] = np.minimum(chosen, count)
    return Walk(flows, moves)

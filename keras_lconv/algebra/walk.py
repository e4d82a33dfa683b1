"""Random walks on groups."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from keras_lconv.algebra.elements import GroupElements

# Random walks: on compact groups every step turns by several full turns, which forgets two
# thirds at least of where the walk was. Steps along further elements are lazy.
COMPACT_STEPS, TURNS = 16, 2 * np.pi
LAZY_STEPS = 64
FINITE_STEPS = 256


@dataclass(frozen=True)
class Walk:
    """Random elements of a group, as products that any representation can follow.

    Args:
        flows: Parameters `(length, number, k)`: each step moves by `exp(t . L)` first.
        moves: Integers `(length, number)`: then by a generating element, or, for the number
            after the last one, by none.
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
            result = np.take_along_axis(result, table[move], axis=1)
        return result


def random_walk(group: "GroupElements", number: int, seed: int) -> Walk:
    """Random elements of a group as products."""
    rng = np.random.default_rng(seed)
    if group.is_finite:
        moves = group.tree.words(rng.integers(len(group.tree.letters), size=number)).T
        return Walk(np.zeros((len(moves), number, 0)), moves)
    steps, scale = 1, np.ones(group.dimension)
    if group.dimension and group.is_compact:
        steps = COMPACT_STEPS
        scale = TURNS / np.linalg.norm(group.generators, 2, axis=(1, 2))
    elif group.dimension:
        scale = 1 / np.linalg.norm(group.generators, 2, axis=(1, 2))
    count = len(group.elements)
    length = (LAZY_STEPS if group.dimension else FINITE_STEPS) if count else 0
    flows = np.zeros((steps + length, number, group.dimension))
    flows[:steps] = scale * rng.normal(size=flows[:steps].shape)
    moves = np.full((steps + length, number), count)
    if length:
        chosen = rng.integers(2 * count, size=(length, number))
        moves[steps:] = np.minimum(chosen, count)
    return Walk(flows, moves)

"""Groups that are recognised as all permutations, or all even ones.

By Jordan's theorem a group is one of them if it is transitive on pairs and contains a
transposition or a cycle of three. Random elements are drawn directly, and written as
products of the generating ones, so that every representation can compute their matrices.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keras_lconv.algebra.permutations import compose, is_transitive_on_pairs, of_product

Product = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class AllPermutations:
    """A group of all permutations, or of all even ones.

    Args:
        images: Generating permutations `(m, n)`.
        seed: The number of a permutation that moves two or three things only.
        odd: The number of an odd permutation, or `None` if all are even.
    """

    images: np.ndarray
    seed: int
    odd: int | None

    @property
    def order(self) -> int:
        """The number of elements."""
        everything = math.factorial(self.images.shape[1])
        return everything if self.odd is not None else everything // 2

    def contains(self, images: np.ndarray) -> bool:
        """Whether a permutation `(n,)` is an element."""
        return self.odd is not None or not _is_odd(images)

    def words(self, number: int, rng: np.random.Generator) -> "StarWords":
        """Random elements, each as likely as the others."""
        n = self.images.shape[1]
        cycle = _moved(self.images[self.seed])
        choices = [rng.integers(k + 1, size=number) for k in range(n - 1, 0, -1)]
        moves = []
        for k, j in zip(range(n - 1, 0, -1), choices, strict=True):
            # The letter `n` stands for the identity. Each `k` goes to a random `j <= k`, by
            # (0 j)(0 k), or by (0 1 j)^2 (0 1 k).
            if len(cycle) == 2:
                moves.append(np.where((j > 0) & (j < k), j, n))
            elif k > 1:
                between = np.where((j > 1) & (j < k), j, n)
                moves += [between, np.where(j == 1, k, between)]
            else:
                break
            moves.append(np.where(j < k, k, n))
        if len(cycle) == 3 and self.odd is not None:
            # Half of the elements are an even one times the odd one.
            moves.append(np.where(rng.integers(2, size=number), 0, n))
        return StarWords(*self._stars(cycle), n, self.odd, np.array(moves))

    def _stars(
        self, cycle: tuple[int, ...]
    ) -> tuple[list[tuple[int, int]], dict[int, int]]:
        """How the transpositions `(0 k)`, or the cycles `(0 1 k)`, arise from the seed by
        conjugation.

        Returns:
            The steps, each the number of an element that conjugates and that of the step
            before, of which the first is the seed; and the step of each `k`.
        """
        n, length = self.images.shape[1], len(cycle)
        wanted = {(*range(length - 1), k): k for k in range(length - 1, n)}
        first = _in_order(cycle)
        found, steps, stars = {first}, [(self.seed, -1)], {}
        nodes = [first]
        for parent, node in enumerate(nodes):
            if node in wanted:
                stars[wanted[node]] = parent
                if len(stars) == len(wanted):
                    break
            for letter, images in enumerate(self.images):
                moved = _in_order(tuple(images[list(node)].tolist()))
                if moved not in found:
                    found.add(moved)
                    nodes.append(moved)
                    steps.append((letter, parent))
        return steps, stars


@dataclass(frozen=True)
class StarWords:
    """Random permutations as products, that any representation can follow.

    Args:
        steps: How conjugates are made, from `AllPermutations`.
        stars: The step that makes the element with each number.
        size: How many things there are, the number of the identity.
        odd: The generating element with the number 0, if there is one.
        moves: Integers `(length, number)`: these elements are multiplied.
    """

    steps: list[tuple[int, int]]
    stars: dict[int, int]
    size: int
    odd: int | None
    moves: np.ndarray

    def follow(self, generators: np.ndarray, elements: np.ndarray) -> np.ndarray:
        """Matrices `(number, n, n)` of the elements, where these represent the group."""
        return self._run(elements, np.eye(elements.shape[1]), np.matmul, np.linalg.inv)

    def follow_permutations(self, images: np.ndarray) -> np.ndarray:
        """Where the elements take components, `(number, n)`, if these move by `images`."""
        return self._run(images, np.arange(images.shape[1]), compose, np.argsort)

    def _run(
        self,
        generating: np.ndarray,
        one: np.ndarray,
        multiply: Product,
        invert: Callable[[np.ndarray], np.ndarray],
    ) -> np.ndarray:
        made: dict[int, np.ndarray] = {-1: one}
        table = np.tile(one, (self.size + 1, *[1] * one.ndim))
        if self.odd is not None:
            table[0] = generating[self.odd]
        for k, last in self.stars.items():
            path = [last]
            while path[-1] not in made:
                path.append(self.steps[path[-1]][1])
            for step in reversed(path[:-1]):
                letter, parent = self.steps[step]
                moved = multiply(generating[letter], made[parent])
                if parent >= 0:
                    moved = multiply(moved, invert(generating[letter]))
                made[step] = moved
            table[k] = made[last]
        result = np.tile(one, (self.moves.shape[1], *[1] * one.ndim))
        for move in self.moves:
            result = multiply(result, table[move])
        return result


def recognized(images: np.ndarray) -> AllPermutations | None:
    """The group that permutations `(m, n)` generate, if it has all, or all even ones."""
    moved = np.sum(images != np.arange(images.shape[1]), axis=1)
    seeds = [int(np.argmax(moved == count)) for count in (2, 3) if np.any(moved == count)]
    if not seeds or not is_transitive_on_pairs(images):
        return None
    odd = [number for number, each in enumerate(images) if _is_odd(each)]
    if not odd and images.shape[1] < 5:
        return None  # cycles of three things are not all conjugate
    return AllPermutations(images, seeds[0], odd[0] if odd else None)


def tensor_orders(source: np.ndarray, target: np.ndarray) -> tuple[int, int, int] | None:
    """`n`, `p` and `q` if elements generate S_n, and act on `V**p` and on `V**q`.

    Orders up to 2 are told.

    Args:
        source: The images `(m, n**p)` of elements.
        target: Those of the same elements, `(m, n**q)`.
    """
    (p, moved), (q, moved_out) = _base(source), _base(target)
    permuted = [each for order, each in ((p, moved), (q, moved_out)) if order]
    if not permuted or any(not np.array_equal(permuted[0], each) for each in permuted):
        return None
    n = permuted[0].shape[1]
    group = recognized(permuted[0]) if n >= p + q else None
    return None if group is None or group.odd is None else (n, p, q)


def _base(images: np.ndarray) -> tuple[int, np.ndarray]:
    """The order of tensors that permutations act on, and the permutations of vectors."""
    size = images.shape[1]
    if size == 1:
        return 0, images
    root = round(np.sqrt(size))
    if root**2 == size:
        base = images[:, :: root + 1] // root
        if np.array_equal(images, of_product(base, base)):
            return 2, base
    return 1, images


def _moved(images: np.ndarray) -> tuple[int, ...]:
    """The cycle of a permutation that has one."""
    cycle = [int(np.argmax(images != np.arange(len(images))))]
    while images[cycle[-1]] != cycle[0]:
        cycle.append(int(images[cycle[-1]]))
    return tuple(cycle)


def _in_order(cycle: tuple[int, ...]) -> tuple[int, ...]:
    """The same cycle, from its smallest number on."""
    start = cycle.index(min(cycle))
    return cycle[start:] + cycle[:start]


def _is_odd(images: np.ndarray) -> bool:
    """Whether a permutation is odd: things less cycles are."""
    left, cycles = set(range(len(images))), 0
    while left:
        cycles += 1
        thing = left.pop()
        while (thing := int(images[thing])) in left:
            left.remove(thing)
    return (len(images) - cycles) % 2 == 1

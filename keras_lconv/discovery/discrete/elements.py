"""Single maps of a row that may be symmetries, with descriptions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product

import numpy as np

# Up to these numbers of things all orders, and all signs, are tried.
MOST_PERMUTED, MOST_SIGNED, MOST_SIGNS = 7, 5, 10
# Rotations by `2 pi / n` are tried up to this `n`.
LARGEST_TURN = 12


@dataclass(frozen=True, eq=False)
class Element:
    """A linear map of the vectors of a row, about the centre.

    Args:
        matrix: The matrix on all vectors of a row, one after the other.
        kind: `"permutation"`, `"signs"`, `"signed permutation"`, `"reflection"`,
            `"rotation"` or `"given"`.
        words: A description of the map.
    """

    matrix: np.ndarray
    kind: str
    words: str

    def __str__(self) -> str:
        return self.words


def signed_permutations(
    names: Sequence[str], kinds: Sequence[str]
) -> tuple[list[Element], list[str]]:
    """The permutations and signs of components that are tried.

    Args:
        names: Names of the components.
        kinds: Among `"permutations"` and `"signs"`.

    Returns:
        The elements, the simplest first, and a description of what is left out.
    """
    n = len(names)
    orders: list[tuple[int, ...]] = [tuple(range(n))]
    signs: list[tuple[int, ...]] = [(1,) * n]
    left_out = []
    if "permutations" in kinds:
        orders, all_of_them = _orders(n)
        if not all_of_them:
            left_out.append(
                f"other permutations of {n} columns than exchanges of two, cycles and "
                "reversals in the given order, and exchanges of groups"
            )
    if "signs" in kinds:
        signs, all_of_them = _signs(n)
        if not all_of_them:
            left_out.append("signs of more than two columns, but not of all")
    if n <= MOST_SIGNED:
        pairs = list(product(orders, signs))
    else:
        pairs = [(order, signs[0]) for order in orders]
        pairs += [(orders[0], sign) for sign in signs[1:]]
        if len(orders) > 1 and len(signs) > 1:
            left_out.append("permutations with signs")
    found = [_signed(order, sign, names) for order, sign in pairs[1:]]
    return sorted(found, key=_complexity), left_out


def permutations_of(number: int) -> tuple[list[np.ndarray], bool]:
    """Matrices of permutations without the identity, and whether these are all."""
    orders, all_of_them = _orders(number)
    return [np.eye(number)[list(order)] for order in orders[1:]], all_of_them


def turns(names: Sequence[str]) -> Iterator[Element]:
    """Rotations by `2 pi / n` in the planes of two components."""
    for a, b in combinations(range(len(names)), 2):
        plane = np.eye(len(names))[:, [a, b]]
        for n in range(LARGEST_TURN, 2, -1):
            words = f"rotation by 2 pi / {n} in the plane ({names[a]}, {names[b]})"
            yield Element(turned(plane, plane.T, n), "rotation", words)


def turned(plane: np.ndarray, dual: np.ndarray, n: int) -> np.ndarray:
    """The rotation by `2 pi / n` in a plane, or for `n = 1` the reflection along a line.

    Args:
        plane: Columns `(v, 2)` or `(v, 1)`.
        dual: Rows that give coordinates in the plane, with `dual @ plane = 1`.
        n: The order of the rotation.
    """
    if n == 1:
        return np.eye(len(plane)) - 2 * plane @ dual
    angle = 2 * np.pi / n
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.eye(len(plane)) + plane @ (turn - np.eye(2)) @ dual


def exchanges_of_cells(cells: Sequence[Sequence[int]], size: int) -> list[np.ndarray]:
    """Exchanges of equally large groups of components whose internal order does
    not matter.
    """
    found = []
    for a, b in combinations([cell for cell in cells if len(cell) > 1], 2):
        if len(a) == len(b):
            order = np.arange(size)
            order[[*a, *b]] = [*b, *a]
            found.append(np.eye(size)[order])
    return found


def permutation_in_words(matrix: np.ndarray, names: Sequence[str]) -> str:
    """A permutation as cycles, such as `"(x y z)"`."""
    images = np.argmax(matrix, axis=0)
    seen: set[int] = set()
    cycles = []
    for start in range(len(images)):
        cycle, here = [], start
        while here not in seen:
            seen.add(here)
            cycle.append(names[here])
            here = int(images[here])
        if len(cycle) > 1:
            cycles.append(f"({' '.join(cycle)})")
    return "permutation " + "".join(cycles)


def _orders(n: int) -> tuple[list[tuple[int, ...]], bool]:
    """Orders of `n` things, the given one first, and whether these are all."""
    if n <= MOST_PERMUTED:
        return list(permutations(range(n))), True
    found = [tuple(range(n))]
    for a, b in combinations(range(n), 2):
        order = list(range(n))
        order[a], order[b] = b, a
        found.append(tuple(order))
    for shift in range(n):
        cycle = [(k + shift) % n for k in range(n)]
        found += [tuple(cycle), tuple(cycle[::-1])]
    return list(dict.fromkeys(found)), False


def _signs(n: int) -> tuple[list[tuple[int, ...]], bool]:
    if n <= MOST_SIGNS:
        return list(product((1, -1), repeat=n)), True
    chosen = [(), *combinations(range(n), 1), *combinations(range(n), 2), tuple(range(n))]
    rows = [tuple(-1 if k in each else 1 for k in range(n)) for each in chosen]
    return list(dict.fromkeys(rows)), False


def _signed(
    order: tuple[int, ...], signs: tuple[int, ...], names: Sequence[str]
) -> Element:
    permuted = np.eye(len(order))[list(order)]
    matrix = np.array(signs)[:, None] * permuted
    flipped = [name for name, sign in zip(names, signs, strict=True) if sign < 0]
    if order == tuple(range(len(order))):
        return Element(matrix, "signs", f"sign of {', '.join(flipped)}")
    words = permutation_in_words(permuted, names)
    if not flipped:
        return Element(matrix, "permutation", words)
    words += f", then sign of {', '.join(flipped)}"
    return Element(matrix, "signed permutation", words)


def _complexity(element: Element) -> tuple[int, int, int]:
    """Sorts pure permutations and signs first, and those that move little before others."""
    one = np.eye(len(element.matrix))
    moved = int(np.sum(np.any(np.abs(element.matrix) != one, axis=1)))
    flipped = int(np.sum(element.matrix < 0))
    return element.kind == "signed permutation", moved + flipped, flipped

"""From maps that are symmetries to the group that they generate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_lconv.algebra.components import Components
from keras_lconv.algebra.naming.finite import (
    LARGEST_NAMED,
    census,
    multiplication_table,
    name_of_finite,
)

# Components of groups with an algebra are looked for up to this number, and exact matrices
# of groups up to this order.
MOST_COMPONENTS, LARGEST_EXACT = 200, 500
NUM_PROBES = 4


@dataclass(frozen=True, eq=False)
class Found:
    """A group of matrices that are known up to an error, modulo its connected part.

    Args:
        generating: Numbers of the maps that generate it, among those given.
        matrices: These maps, `(m, n, n)`, made exact where the group is small.
        order: The number of components, or `None` if there are too many to count.
        name: The name of the group of components, or `None`.
    """

    generating: tuple[int, ...]
    matrices: np.ndarray
    order: int | None
    name: str | None


def generated_group(given: np.ndarray, algebra: np.ndarray, precision: float) -> Found:
    """The group that maps generate with an algebra.

    Args:
        given: Matrices `(m, n, n)`, those first that are preferred as generating ones.
        algebra: Basis `(k, n, n)` of the connected part.
        precision: Matrices that differ by less are the same.
    """
    size = algebra.shape[1]
    connected = _Connected(algebra, precision) if len(algebra) else None
    table = _Table(size, precision, connected)
    kept: list[int] = []
    for number, matrix in enumerate(given):
        if table.find(matrix) is None:
            kept.append(number)
            table = _Table(size, precision, connected)
            if not table.close([given[k] for k in kept]):
                kept += range(number + 1, len(given))
                break
    matrices = np.array([given[k] for k in kept]).reshape(-1, size, size)
    if table.right is None:
        return Found(tuple(kept), matrices, None, None)
    order = len(table.right)
    name = None
    if order <= LARGEST_NAMED:
        try:
            name = name_of_finite(census(table.right))
        except ValueError:
            # Such a `precision` takes different elements for the same: there is no group.
            return Found(tuple(kept), matrices, None, None)
    if kept and not len(algebra) and order <= LARGEST_EXACT:
        exact = _exact(np.array(table.matrices), multiplication_table(table.right))
        matrices = exact[table.right[0]]
    return Found(tuple(kept), matrices, order, name)


class _Register:
    """Matrices, told apart by random combinations of their entries."""

    def __init__(self, size: int, precision: float):
        self._probes = np.random.default_rng(0).normal(size=(size * size, NUM_PROBES))
        self._distance = precision * size
        self._points = np.zeros((256, NUM_PROBES))
        self._number = 0

    def find(self, matrix: np.ndarray) -> int | None:
        """The number of a matrix, if it is known."""
        if not self._number:
            return None
        away = np.abs(self._points[: self._number] - matrix.ravel() @ self._probes)
        number = int(np.argmin(np.max(away, axis=1)))
        return number if np.max(away[number]) < self._distance else None

    def add(self, matrix: np.ndarray) -> None:
        """Takes the next number."""
        if self._number == len(self._points):
            self._points = np.concatenate([self._points, np.zeros_like(self._points)])
        self._points[self._number] = matrix.ravel() @ self._probes
        self._number += 1


class _Connected:
    """Which matrices are in the connected part, asked once of each."""

    def __init__(self, algebra: np.ndarray, precision: float):
        size = algebra.shape[1]
        self._one = np.eye(size)
        self._components = Components(algebra, np.zeros((0, size, size)), precision)
        self._known, self._answers = _Register(size, precision), [True]
        self._known.add(self._one)

    def holds(self, matrix: np.ndarray) -> bool:
        """Whether it is."""
        number = self._known.find(matrix)
        if number is None:
            number = len(self._answers)
            self._known.add(matrix)
            self._answers.append(self._components.is_connected(matrix, self._one) is True)
        return self._answers[number]


class _Table:
    """Elements, one of each component, with their products with the generating ones."""

    def __init__(self, size: int, precision: float, connected: _Connected | None):
        self.matrices = [np.eye(size)]
        self.right: np.ndarray | None = np.zeros((1, 0), dtype=int)
        self._connected = connected
        self._register = _Register(size, precision)
        self._register.add(self.matrices[0])

    def find(self, matrix: np.ndarray) -> int | None:
        """The number of an element, if it is known."""
        if self._connected is None:
            return self._register.find(matrix)
        for number, known in enumerate(self.matrices):
            if self._connected.holds(matrix @ np.linalg.inv(known)):
                return number
        return None

    def close(self, generating: Sequence[np.ndarray]) -> bool:
        """All products, and whether they are not too many."""
        limit = LARGEST_NAMED if self._connected is None else MOST_COMPONENTS
        right: list[list[int]] = []
        for known in self.matrices:
            row = []
            for letter in generating:
                product = known @ letter
                number = self.find(product)
                if number is None:
                    number = len(self.matrices)
                    self.matrices.append(product)
                    self._register.add(product)
                    if len(self.matrices) > limit:
                        self.right = None
                        return False
                row.append(number)
            right.append(row)
        self.right = np.array(right)
        return True


def _exact(matrices: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Matrices with exactly the products of a table, from such that have them nearly.

    `rho(g) = sum_h rho(g h) rho(h)^-1 / order` has the square of the error.
    """
    for _ in range(3):
        inverses = np.linalg.inv(matrices)
        matrices = np.array(
            [np.mean(matrices[table[:, g]] @ inverses, axis=0) for g in range(len(table))]
        )
    return matrices

"""Symmetric, alternating and harmonic powers, as subspaces of tensors.

Each is a part of the tensors of order `p`. Isometries lead from one power to the next, so
no array has the size `n^p` of the tensors.
"""

from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, product
from math import comb, factorial, prod

import numpy as np

from keras_lconv._memory import require_memory
from keras_lconv._validation import count

# A power is found from the one before, so time grows with the degree as well.
MOST_DEGREE = 100


def checked_degree(size: int, degree: int) -> int:
    """The degree as an integer, if polynomials of this degree fit into memory."""
    degree = count("degree", degree, most=MOST_DEGREE)
    number = comb(size + degree - 1, degree)
    _require_room(
        f"Polynomials with degree={degree} in {size} variables", (size + 2) * number**2
    )
    return degree


def _require_room(what: str, numbers: int) -> None:
    require_memory(what, 2 * numbers, "A lower degree or fewer variables need less")


def exponents(size: int, degree: int) -> np.ndarray:
    """The exponents of all monomials, `(N, n)`, `x_1^p` first."""
    chosen = list(combinations_with_replacement(range(size), degree))
    table = np.zeros((len(chosen), size), dtype=int)
    for row, factors in enumerate(chosen):
        np.add.at(table[row], list(factors), 1)
    return table


def monomial_scales(powers: np.ndarray) -> np.ndarray:
    """Factors that make monomials the coordinates of `x^(x) p` in an orthonormal basis."""
    degree = int(powers[0].sum()) if len(powers) else 0
    counts = [factorial(degree) / prod(factorial(n) for n in row) for row in powers]
    return np.sqrt(np.array(counts, dtype=float))


@dataclass(frozen=True)
class Step:
    """From a power into `V (x)` the one before: an isometry, with few entries.

    For each of the `n` components as the first factor, a coordinate of the power comes from
    at most one coordinate of the power before.

    Args:
        rows: The number of that coordinate, `(n, N_p)`.
        weights: The entry of the isometry, `(n, N_p)`, zero if there is no such coordinate.
        size: The number `N_(p-1)`.
    """

    rows: np.ndarray
    weights: np.ndarray
    size: int

    def matrix(self) -> np.ndarray:
        """All entries, `(n, N_(p-1), N_p)`."""
        n, number = self.rows.shape
        result = np.zeros((n, self.size, number))
        axes, columns = np.nonzero(self.weights)
        result[axes, self.rows[axes, columns], columns] = self.weights[axes, columns]
        return result

    def of_element(self, h: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """`S^T (h (x) R) S`, for matrices `(..., n, n)` and those of the power before."""
        from_right = sum(
            h[..., :, axis, None, None] * (lower[..., rows] * weights)[..., None, :, :]
            for axis, (rows, weights) in enumerate(
                zip(self.rows, self.weights, strict=True)
            )
        )
        return sum(
            from_right[..., axis, rows, :] * weights[:, None]
            for axis, (rows, weights) in enumerate(
                zip(self.rows, self.weights, strict=True)
            )
        )

    def of_first_factor(self, x: np.ndarray) -> np.ndarray:
        """`S^T (x (x) 1) S`, for matrices `(..., n, n)`."""
        from scipy.sparse import csr_array

        n, number = self.rows.shape
        columns = np.arange(number)
        shape = (self.size, number)
        parts = [
            csr_array((weights, (rows, columns)), shape=shape)
            for rows, weights in zip(self.rows, self.weights, strict=True)
        ]
        flat = x.reshape(-1, n, n)
        result = np.zeros((len(flat), number, number))
        for a, b in product(range(n), repeat=2):
            if np.any(flat[:, a, b]):
                entries = (parts[a].T @ parts[b]).tocoo()
                values = flat[:, a, b, None] * entries.data
                result[:, entries.row, entries.col] += values
        return result.reshape(*x.shape[:-2], number, number)


def symmetric_step(size: int, degree: int) -> Step:
    """The step into `Sym^p`."""
    upper, lower = exponents(size, degree), exponents(size, degree - 1)
    index = {tuple(row): i for i, row in enumerate(lower.tolist())}
    rows = np.zeros((size, len(upper)), dtype=int)
    for column, row in enumerate(upper.tolist()):
        for axis in range(size):
            if row[axis]:
                below = (*row[:axis], row[axis] - 1, *row[axis + 1 :])
                rows[axis, column] = index[below]
    # A share `p_a / p` of the tensor has the factor `x_a` first.
    return Step(rows, np.sqrt(upper.T / degree), len(lower))


def alternating_step(size: int, degree: int) -> Step:
    """The step into alternating tensors."""
    _require_room(
        f"Alternating tensors with degree={degree} of {size} components",
        (size + 2) * comb(size, degree) ** 2,
    )
    upper = list(combinations(range(size), degree))
    index = {row: i for i, row in enumerate(combinations(range(size), degree - 1))}
    rows = np.zeros((size, len(upper)), dtype=int)
    weights = np.zeros((size, len(upper)))
    for column, row in enumerate(upper):
        for place, axis in enumerate(row):
            rows[axis, column] = index[row[:place] + row[place + 1 :]]
            weights[axis, column] = (-1) ** place / np.sqrt(degree)
    return Step(rows, weights, len(index))


def harmonic_part(size: int, degree: int) -> np.ndarray:
    """Orthonormal columns `(N_p, h)`: the polynomials whose Laplacian is zero."""
    upper = exponents(size, degree)
    if degree < 2:
        return np.eye(len(upper))
    lower = exponents(size, degree - 2)
    index = {tuple(row): i for i, row in enumerate(lower)}
    above, below = monomial_scales(upper), monomial_scales(lower)
    laplacian = np.zeros((len(lower), len(upper)))
    for column, row in enumerate(upper):
        for axis in np.flatnonzero(row > 1):
            left = row.copy()
            left[axis] -= 2
            factor = row[axis] * (row[axis] - 1) * above[column]
            laplacian[index[tuple(left)], column] = factor / below[index[tuple(left)]]
    rank = len(lower)
    return np.linalg.svd(laplacian)[2][rank:].T

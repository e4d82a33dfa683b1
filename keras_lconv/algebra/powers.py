"""Symmetric, alternating and harmonic powers, as subspaces of tensors.

Each is a part of the tensors of order `p`, found from one power to the next by isometries:
nothing of the size `n^p` of the tensors is held.
"""

from itertools import combinations, combinations_with_replacement
from math import comb, factorial, prod

import numpy as np

from keras_lconv._memory import require_memory
from keras_lconv._validation import count

# A power is found from the one before, so that time grows with the degree, too.
MOST_DEGREE = 100


def checked_degree(size: int, degree: int) -> int:
    """A degree whose polynomials of so many variables fit into memory, an integer."""
    degree = count("degree", degree, most=MOST_DEGREE)
    number = comb(size + degree - 1, degree)
    _require_room(f"Polynomials with degree={degree} in {size} variables", number**2)
    return degree


def _require_room(what: str, numbers: int) -> None:
    require_memory(what, 2 * numbers, "A lower degree, or fewer variables, need less")


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


def symmetric_step(size: int, degree: int) -> np.ndarray:
    """From `Sym^p` into `V (x) Sym^(p-1)`: `(n, N_(p-1), N_p)`, an isometry."""
    upper, lower = exponents(size, degree), exponents(size, degree - 1)
    index = {tuple(row): i for i, row in enumerate(lower)}
    step = np.zeros((size, len(lower), len(upper)))
    for column, row in enumerate(upper):
        for axis in np.flatnonzero(row):
            below = row.copy()
            below[axis] -= 1
            # A share `p_a / p` of the tensor has the factor `x_a` first.
            step[axis, index[tuple(below)], column] = np.sqrt(row[axis] / degree)
    return step


def alternating_step(size: int, degree: int) -> np.ndarray:
    """The same for alternating tensors."""
    numbers = size * comb(size, degree) * comb(size, degree - 1)
    _require_room(f"Alternating tensors with degree={degree} of {size} components", numbers)
    upper = list(combinations(range(size), degree))
    index = {row: i for i, row in enumerate(combinations(range(size), degree - 1))}
    step = np.zeros((size, len(index), len(upper)))
    for column, row in enumerate(upper):
        for place, axis in enumerate(row):
            below = row[:place] + row[place + 1 :]
            step[axis, index[below], column] = (-1) ** place / np.sqrt(degree)
    return step


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

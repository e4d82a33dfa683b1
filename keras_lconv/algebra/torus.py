"""Logarithms in commuting algebras, with any number of full turns."""

from itertools import product

import numpy as np

# The number of combinations of full turns that are tried: on a circle 1,000 either way.
MOST_TURNS = 2001
# Matrices whose eigenvectors are dependent up to this are not diagonalized.
LARGEST_CONDITION = 1e8
# Rates below this, relative to the largest, are zero.
ZERO = 1e-9
# A period has at most this many turns of the slowest rotation. After it the exponential is
# 1 up to the second number.
MOST_PERIODS = 24
PERIODIC = 1e-8


def commuting_part(space: np.ndarray, matrix: np.ndarray, precision: float) -> np.ndarray:
    """A basis of the matrices that commute with a matrix, in an orthonormal span `(k, n,
    n)`.
    """
    moved = (space @ matrix - matrix @ space).reshape(len(space), -1)
    left, sizes, _ = np.linalg.svd(moved, full_matrices=False)
    small = sizes <= precision * max(1.0, float(np.linalg.norm(matrix, 2)))
    return np.tensordot(left[:, small].T, space, 1)


def is_in_torus(matrix: np.ndarray, frame: np.ndarray, precision: float) -> bool:
    """Whether a torus of a group contains a matrix. In a compact connected group one always
    does.

    Such a torus commutes with the matrix. So the matrix is in every maximal torus of its
    centraliser.

    Args:
        matrix: Array `(n, n)`.
        frame: Orthonormal matrices `(k, n, n)`, the algebra of the group.
        precision: How far an element may be from the matrix, relative to its norm.
    """
    if not len(frame):
        return False
    space = commuting_part(frame, matrix, 10 * precision)
    if not len(space):
        return False
    mixture = np.random.default_rng(0).normal(size=len(space))
    mixed = np.tensordot(mixture, space, 1)
    torus = commuting_part(space, mixed, 10 * precision)
    return has_commuting_logarithm(matrix, torus, precision)


def has_commuting_logarithm(
    matrix: np.ndarray, basis: np.ndarray, precision: float
) -> bool:
    """Whether a matrix is `exp(X)`, with `X` in a span of matrices that commute.

    In a basis of common eigenvectors this is one equation for each eigenvalue, up to full
    turns.

    Args:
        matrix: Array `(n, n)`, which commutes with the others.
        basis: Independent matrices `(k, n, n)` that commute. Without a basis of common
            eigenvectors the answer is no.
        precision: How far `exp(X)` may be from the matrix, relative to its norm.
    """
    from scipy.linalg import expm

    weights = np.random.default_rng(0).normal(size=len(basis))
    vectors = _eigenvectors(np.tensordot(weights, basis, 1))
    if np.linalg.cond(vectors) > LARGEST_CONDITION:
        return False
    inverse = np.linalg.inv(vectors)
    rates = np.einsum("ai,kij,ja->ak", inverse, basis, vectors)
    factors = np.einsum("ai,ij,ja->a", inverse, matrix, vectors)
    if np.min(np.abs(factors)) == 0:
        return False
    # Rates that stay small over all the turns that are tried count as zero.
    zero = max(ZERO, precision / (2 * np.pi * MOST_TURNS))
    candidates = _parameters(rates, factors, zero * float(np.linalg.norm(rates)))
    errors = np.abs(np.exp(candidates @ rates.T) - factors).max(axis=1)
    found = expm(np.tensordot(candidates[np.argmin(errors)], basis, 1))
    distance = np.linalg.norm(found - matrix)
    return bool(distance <= precision * max(1.0, float(np.linalg.norm(matrix))))


def _eigenvectors(matrix: np.ndarray) -> np.ndarray:
    """Eigenvectors as columns, orthonormal for normal matrices."""
    from scipy.linalg import schur

    triangle, vectors = schur(matrix, output="complex")
    rest = triangle - np.diag(np.diag(triangle))
    is_normal = np.linalg.norm(rest) <= ZERO * np.linalg.norm(triangle)
    return vectors if is_normal else np.linalg.eig(matrix)[1]


def _parameters(rates: np.ndarray, factors: np.ndarray, zero: float) -> np.ndarray:
    """Parameters `(c, k)` with `exp(rates t) = factors`, for different full turns.

    The absolute values of the factors determine some combinations of the parameters, the
    angles determine the others. Rates up to `zero` count as zero.
    """
    left, sizes, right = np.linalg.svd(rates.real)
    rank = int(np.sum(sizes > zero))
    known = left[:, :rank].T @ np.log(np.abs(factors)) / sizes[:rank] @ right[:rank]
    free = right[rank:]
    turning = rates.imag @ free.T
    # The slowest rates have the fewest turns.
    pivots: list[int] = []
    for row in np.argsort(np.linalg.norm(turning, axis=1)):
        some = turning[[*pivots, row]]
        if np.linalg.matrix_rank(some, tol=zero) == len(some):
            pivots.append(row)
    if len(pivots) < len(free):
        return known[None]
    most = int((MOST_TURNS ** (1 / max(len(free), 1)) - 1) / 2 + ZERO)
    turns = np.array(list(product(range(-most, most + 1), repeat=len(free))))
    angles = (np.angle(factors) - rates.imag @ known)[pivots]
    angles = angles + 2 * np.pi * turns.reshape(len(turns), len(free))
    return known + np.linalg.solve(turning[pivots], angles.T).T @ free


def period(matrix: np.ndarray) -> float | None:
    """The smallest `T > 0` with `exp(T A) = 1`, or `None` if there is none.

    Up to `MOST_PERIODS` turns of the slowest rotation are tried.

    Args:
        matrix: Array `(n, n)`, not zero.
    """
    from scipy.linalg import expm

    rates = np.linalg.eigvals(matrix)
    zero = ZERO * np.max(np.abs(rates))
    turning = np.abs(rates.imag)[np.abs(rates.imag) > zero]
    if not len(turning) or np.any(np.abs(rates.real) > zero):
        return None
    for turns in range(1, MOST_PERIODS + 1):
        candidate = float(2 * np.pi * turns / np.min(turning))
        if np.max(np.abs(expm(candidate * matrix) - np.eye(len(matrix)))) < PERIODIC:
            return candidate
    return None

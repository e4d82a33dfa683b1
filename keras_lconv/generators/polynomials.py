"""Polynomials in centred coordinates, the components of vector fields."""

import math

import numpy as np

from keras_lconv._memory import require_memory
from keras_lconv.algebra import powers
from keras_lconv.algebra.monomials import monomials as algebra_monomials

# The degrees of the monomials in each kind of field.
DEGREES = {"linear": (1,), "affine": (0, 1), "quadratic": (0, 1, 2)}


def exponents(field: str, ndim: int) -> np.ndarray:
    """Exponents `(p, ndim)` of the monomials of a field, by growing degree."""
    return np.concatenate([powers.exponents(ndim, degree) for degree in DEGREES[field]])


def monomials(field: str, points: np.ndarray) -> np.ndarray:
    """The monomials of a field at points `(..., ndim)`, of shape `(p, ...)`."""
    values = algebra_monomials(exponents(field, points.shape[-1]), points)
    return np.moveaxis(values, -1, 0)


def radius(shape: tuple[int, ...]) -> float:
    """Half of the width of a grid in grid steps: the unit of length on it."""
    return max((max(shape) - 1) / 2, 0.5)


def units(field: str, shape: tuple[int, ...]) -> np.ndarray:
    """The unit of each coefficient of a field, in grid steps, `(p,)`.

    `v = r sum_p c_p m_p(x / r)`, so that a monomial of degree `g` has the unit `r^(1 - g)`.
    """
    return radius(shape) ** (1.0 - exponents(field, len(shape)).sum(axis=-1))


def centred_points(shape: tuple[int, ...]) -> np.ndarray:
    """Coordinates `(d, ndim)` of the grid points, the centre of the grid at zero."""
    # The coordinates, and polynomials of them.
    numbers = 6 * len(shape) * math.prod(shape)
    require_memory(f"A field on a grid of shape {shape}", numbers, "Take a smaller grid")
    axes = [np.arange(n) - (n - 1) / 2 for n in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(shape))


def as_matrices(coefficients: np.ndarray, field: str) -> np.ndarray:
    """Linear fields as matrices `A`, and affine ones as `[[A, b], [0, 0]]`."""
    if field == "linear":
        return coefficients
    # The columns are b, A; a zero row makes the matrix square.
    matrices = np.roll(coefficients, -1, axis=2)
    return np.pad(matrices, ((0, 0), (0, 1), (0, 0)))

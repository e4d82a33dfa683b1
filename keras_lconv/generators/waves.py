"""Functions of derivatives along the axes of a grid, in a basis of real waves."""

import itertools
from collections.abc import Callable

import numpy as np

from keras_lconv.generators.derivatives import derivative_matrix

# Relative to the largest wave number. Smaller ones are zero.
ZERO = 1e-9


class Waves:
    """An orthonormal basis of real waves on an axis, in which its derivative is simple.

    A derivative `D` is an antisymmetric matrix: in this basis it takes each wave to a
    multiple of its partner, `(D a)_i = k_i a_r(i)`, with `k_r(i) = -k_i`. For a periodic
    axis the waves are cosines and sines.

    Args:
        size: Number `n` of points on the axis.
        kind: As in `derivative_matrix`.

    Attributes:
        basis: The waves, the columns of an array `(n, n)`.
        numbers: The wave numbers `k_i` with their signs, `(n,)`.
        partners: The partner `r(i)` of each wave, `(n,)`.
    """

    def __init__(self, size: int, kind: str):
        from scipy.linalg import schur

        blocks, self.basis = schur(derivative_matrix(size, kind))
        self.numbers = np.zeros(size)
        self.partners = np.arange(size)
        # The Schur form of a normal matrix has blocks of one or two waves.
        bound = ZERO * np.max(np.abs(blocks))
        first = 0
        while first < size - 1:
            number = (blocks[first, first + 1] - blocks[first + 1, first]) / 2
            if abs(number) <= bound:
                first += 1
                continue
            pair = [first, first + 1]
            self.numbers[pair] = number, -number
            self.partners[pair] = pair[::-1]
            first += 2


def parities(ndim: int) -> np.ndarray:
    """All choices of axes along which partners are taken: `(2^n, n)` of 0 and 1."""
    return np.array(list(itertools.product((0, 1), repeat=ndim)))


def partners(waves: list[Waves], parity: np.ndarray) -> np.ndarray:
    """The flat indices of the partners along the axes where the parity is 1, `(d,)`."""
    sizes = [len(axis.numbers) for axis in waves]
    indices = [
        axis.partners if odd else np.arange(n)
        for axis, odd, n in zip(waves, parity, sizes, strict=True)
    ]
    return np.ravel_multi_index(np.meshgrid(*indices, indexing="ij"), sizes).ravel()


def gains(waves: list[Waves], function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """A real function of the derivatives along all axes, in the basis of waves.

    `F(D_1, ..., D_n)` takes the coefficients `a` to the sum over parities `p` of `gains[p]
    * a[partners(p)]`. Its part that is odd in the wave numbers of the axes where `p` is 1
    leads to the partners along these axes.

    Args:
        waves: The waves of each axis.
        function: Maps wave numbers `(n, d)` to the values `F(i k)`, `(..., d)`.

    Returns:
        An array `(2^n, ..., d)`.
    """
    grid = np.meshgrid(*(axis.numbers for axis in waves), indexing="ij")
    numbers = np.reshape(grid, (len(waves), -1))
    found: np.ndarray | float = 0.0
    all_parities = parities(len(waves))
    for flips in all_parities:
        values = function((1 - 2 * flips)[:, None] * numbers)
        signs = (-1.0) ** (all_parities @ flips) / (1j) ** all_parities.sum(axis=1)
        found = found + np.multiply.outer(signs, values) / len(all_parities)
    return np.real(found)

"""Products of the derivatives along the axes of a grid, one matrix for each axis.

For translations `L^a exp(-tau C)` is a Kronecker product over axes of `(-D)^(a_i) exp(tau
D^2)`. All products up to an order need `order + 1` small matrices for each axis, and
neither series nor repeated application.
"""

import functools
import math
import string
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import take
from keras_lconv._layout import flatten, unflatten
from keras_lconv._typing import Tensor
from keras_lconv.algebra.powers import exponents
from keras_lconv.generators.cost import BYTES, Cost
from keras_lconv.generators.derivatives import derivative_matrix

if TYPE_CHECKING:
    from keras_lconv.generators.base import Generators


@functools.singledispatch
def derivative_along_axes(generators: "Generators") -> str | None:
    """The kind of derivative, if the generators are the translations along each axis."""
    return None


def multi_indices(size: int, order: int) -> np.ndarray:
    """All exponents of `size` factors up to a degree, `(N, size)`, by growing degree."""
    degrees = [exponents(size, degree) for degree in range(order + 1)]
    return np.concatenate(degrees) if size else np.zeros((1, 0), dtype=int)


class AxisProducts:
    """`L^a exp(-tau C)` of the translations along each axis, for all `|a| <= order`.

    `S_a`, the multi-indices of the axes from `a` on, are built up from the last axis.

    Args:
        shape: Spatial shape of the grid.
        kind: As in `derivative_matrix`.
        order: The largest degree.
        tau: The `tau` for which every operator keeps the variance of white noise.
    """

    def __init__(self, shape: tuple[int, ...], kind: str, order: int, tau: float):
        self.shape, self.order = shape, order
        self.ndim = len(shape)
        self._sets = [multi_indices(self.ndim - a, order) for a in range(self.ndim + 1)]
        self._tables = [self._table(axis) for axis in range(self.ndim)]
        # For each axis: the squared wave numbers, the waves, and their derivatives.
        self._modes = []
        for size in shape:
            step = -derivative_matrix(size, kind)
            squares, waves = np.linalg.eigh(-step @ step)
            squares = np.maximum(squares, 0.0)
            powers = [waves]
            for _ in range(order):
                powers.append(step @ powers[-1])
            gains = np.linalg.norm(powers * np.exp(-tau * squares), axis=(1, 2))
            units = np.where(gains > 0, gains, 1.0) / math.sqrt(size)
            self._modes.append((squares, waves, powers / units[:, None, None]))

    def _table(self, axis: int) -> np.ndarray:
        """The index in `S_a` of `(p, m)` with `m` in `S_(a+1)`, or `|S_a|` if it is not
        there.
        """
        number = {tuple(row): n for n, row in enumerate(self._sets[axis].tolist())}
        table = [
            [number.get((p, *row), len(number)) for row in self._sets[axis + 1].tolist()]
            for p in range(self.order + 1)
        ]
        return np.array(table)

    def _matrices(self, axis: int, tau: Tensor | float, dtype: str) -> Tensor:
        """The operators `(order + 1, n, n)` along one axis."""
        squares, waves, moved = self._modes[axis]
        if ops.is_tensor(tau):
            squares, waves, moved = (
                ops.convert_to_tensor(values, dtype=dtype)
                for values in (squares, waves, moved)
            )
            return ops.einsum("pin,n,jn->pij", moved, ops.exp(-tau * squares), waves)
        return ops.convert_to_tensor(moved * np.exp(-tau * squares) @ waves.T, dtype=dtype)

    def _formula(self, axis: int, before: str, after: str) -> str:
        """The einsum formula of a product with the matrices of one axis."""
        letters = string.ascii_lowercase[: self.ndim]
        name = letters[axis]
        return f"PN{name},B{letters}{before}->B{letters.replace(name, 'N')}{after}"

    def _along(self, f: Tensor, tau: Tensor | float, axis: int) -> Tensor:
        """All powers along an axis: `(batch, *spatial, m, c)` to `(..., p, m, c)`."""
        dtype = keras.backend.standardize_dtype(f.dtype)
        formula = self._formula(axis, "MC", "PMC")
        return ops.einsum(formula, self._matrices(axis, tau, dtype), f)

    def apply(self, f: Tensor, tau: Tensor | float) -> Tensor:
        """All products of `(batch, d, channels)`, in `(batch, d, N, channels)`."""
        f = ops.expand_dims(unflatten(f, self.shape), -2)
        for axis in reversed(range(self.ndim)):
            f = self._along(f, tau, axis)
            table = self._tables[axis]
            f = ops.reshape(f, (-1, *self.shape, table.size, f.shape[-1]))
            kept = np.argsort(table, axis=None, kind="stable")[: len(self._sets[axis])]
            f = take(f, kept, axis=-2)
        return ops.reshape(f, (-1, math.prod(self.shape), *f.shape[-2:]))

    def combine(self, z: Tensor, tau: Tensor | float) -> Tensor:
        """The sum of all products, each applied to its own `z`, for `(batch, d, N,
        channels)`.
        """
        return flatten(self._combine(unflatten(z, self.shape), tau, 0))

    def _combine(self, z: Tensor, tau: Tensor | float, start: int) -> Tensor:
        dtype = keras.backend.standardize_dtype(z.dtype)
        for axis in range(start, self.ndim):
            z = _spread(z, self._tables[axis], -2)
            formula = self._formula(axis, "PMC", "MC")
            z = ops.einsum(formula, self._matrices(axis, tau, dtype), z)
        return ops.squeeze(z, -2)

    def contract(self, f: Tensor, tau: Tensor | float, kernel: Tensor) -> Tensor:
        """Powers along the first axis, the mix of channels, and the other axes.

        Args:
            f: `(batch, d, channels)`.
            tau: A number or a scalar tensor.
            kernel: `(N, channels, filters)`.

        Returns:
            `(batch, d, filters)`.
        """
        z = self._along(ops.expand_dims(unflatten(f, self.shape), -2), tau, 0)
        kernel = _spread(kernel, self._tables[0], 0)
        letters = string.ascii_lowercase[: self.ndim]
        formula = f"B{letters}PC,PMCF->B{letters}MF"
        z = ops.einsum(formula, ops.squeeze(z, -2), kernel)
        return flatten(self._combine(z, tau, 1))

    def cost(self, channels: int, operation: str) -> Cost:
        """The cost of `apply`, or of `combine`, which is its transpose."""
        return self._cost(channels, 0)

    def _cost(self, channels: int, start: int) -> Cost:
        """The cost of the products along the axes from `start` on, in one direction."""
        size = math.prod(self.shape)
        pairs = zip(self.shape[start:], self._tables[start:], strict=True)
        products = sum(n * table.size for n, table in pairs)
        copies = sum(table.size for table in self._tables[start:])
        return Cost(products * size * channels, BYTES * copies * size * channels)

    def contraction_cost(self, channels: int, filters: int) -> Cost:
        """The cost of `contract`."""
        table, size = self._tables[0], math.prod(self.shape)
        first = len(table) * size * channels
        mixed = table.size * size * channels * filters
        return Cost(self.shape[0] * first + mixed, BYTES * first) + self._cost(filters, 1)


def _spread(values: Tensor, table: np.ndarray, axis: int) -> Tensor:
    """The entries of an axis at their places in a table, zero elsewhere."""
    last = ops.zeros_like(take(values, [0], axis=axis))
    found = take(ops.concatenate([values, last], axis=axis), table.ravel(), axis=axis)
    shape = list(found.shape)
    axis = axis % len(shape)
    return ops.reshape(found, (*_open(shape[:axis]), *table.shape, *shape[axis + 1 :]))


def _open(sizes: list[int | None]) -> list[int]:
    """Sizes for `reshape`, one of which may be unknown."""
    return [-1 if size is None else size for size in sizes]

"""Polynomial kernels of differences, and the messages that they make of features.

Tensors have the axes `(batch, n, k, ...)`, for `k` neighbours of each of `n` points.
"""

from itertools import groupby
from typing import NamedTuple

import numpy as np
from keras import ops

from keras_lconv._backend import take
from keras_lconv._typing import Tensor
from keras_lconv.algebra import EquivariantKernels

# Entries of kernels below this share of the largest are rounding.
ROUNDING = 1e-14


class Span(NamedTuple):
    """Components one after the other: the first, and the first that follows."""

    start: int
    stop: int


class Run(NamedTuple):
    """Kernels of one degree, one after the other, between the same components.

    Args:
        degree: That of the kernels.
        rows: Components of the output, `o` in number.
        columns: Components of the input, `i` in number.
        coefficients: The kernels as sums of monomials, `(p, o, i, N)`.
    """

    degree: int
    rows: Span
    columns: Span
    coefficients: np.ndarray


class Kernels:
    """Kernels that map features of neighbours to messages.

    A kernel between some parts of the features leaves all others alone, so only those
    components are computed.

    Args:
        kernels: The kernels, `b` in number.
        size_out: The number of components of the output.
    """

    def __init__(self, kernels: EquivariantKernels, size_out: int):
        self.number = len(kernels)
        self._runs = [
            run
            for degree, coefficients in enumerate(kernels.coefficients)
            for run in _runs(degree, coefficients)
        ]
        numbers = np.cumsum([len(run.coefficients) for run in self._runs])
        self._ends = [int(each) for each in numbers]
        self._places = np.eye(size_out)
        self._steps = [
            _factors(before, after)
            for before, after in zip(
                kernels.exponents[:-1], kernels.exponents[1:], strict=True
            )
        ]

    def __call__(
        self,
        x: Tensor,
        factors: Tensor,
        weights: Tensor,
        sources: list[Tensor],
        mixing: Tensor,
    ) -> Tensor:
        """The sums of messages of neighbours, `(batch, n, m_out, filters)`.

        Args:
            x: Differences of positions, in units, `(batch, n, k, v)`.
            factors: Of each kernel and channel, `(batch, n, k, b, channels)`.
            weights: Of neighbours, `(batch, n, k)`.
            sources: Features of neighbours by `columns`, `(batch, n, k, i, channels)`.
            mixing: Weights of channels, `(b, channels, filters)`.
        """
        monomials = self._monomials(x, weights)
        inner = self._ends[:-1]
        shares = ops.split(factors, inner, axis=3) if inner else [factors]
        found: dict[Span, Tensor] = {}
        begin = 0
        for run, end, share in zip(self._runs, self._ends, shares, strict=True):
            kernels = _values(monomials[run.degree], run.coefficients)
            f = sources[self.columns.index(run.columns)]
            told = ops.expand_dims(share, 4) * ops.expand_dims(f, 3)
            told = ops.einsum("bnkpoi,bnkpic->bnpoc", kernels, told)
            mixed = ops.einsum("bnpoc,pcf->bnof", told, mixing[begin:end])
            found[run.rows] = found[run.rows] + mixed if run.rows in found else mixed
            begin = end
        return self._placed(found)

    @property
    def columns(self) -> list[Span]:
        """The components of the input that kernels map."""
        return list(dict.fromkeys(run.columns for run in self._runs))

    def _monomials(self, x: Tensor, weights: Tensor) -> list[Tensor]:
        """Of each degree, times the weights, `(batch, n, k, N)`."""
        found = [ops.expand_dims(weights, -1)]
        for parents, coordinates in self._steps:
            factors = take(x, coordinates, axis=-1)
            found.append(take(found[-1], parents, axis=-1) * factors)
        return found

    def _placed(self, found: dict[Span, Tensor]) -> Tensor:
        """All components of the output, from the sums for some of them."""
        total = 0.0
        for rows, values in found.items():
            places = self._places[slice(*rows)]
            if len(places) < len(self._places):
                places = ops.convert_to_tensor(places, dtype=values.dtype)
                values = ops.einsum("bnrf,ro->bnof", values, places)
            total = total + values
        return total


def _runs(degree: int, coefficients: np.ndarray) -> list[Run]:
    """Neighbouring kernels `(b, m_out, m_in, N)` of one degree with equal components."""
    sizes = np.abs(coefficients).max(axis=3)
    found, first = [], 0
    for (rows, columns), group in groupby(map(_components, sizes)):
        last = first + len(list(group))
        part = coefficients[first:last, slice(*rows), slice(*columns)]
        found.append(Run(degree, rows, columns, part))
        first = last
    return found


def _components(sizes: np.ndarray) -> tuple[Span, Span]:
    """The rows and the columns of a matrix that have entries."""
    counts = sizes > ROUNDING * sizes.max()
    ends = [np.flatnonzero(counts.any(axis=axis))[[0, -1]] for axis in (1, 0)]
    rows, columns = (Span(int(first), int(last) + 1) for first, last in ends)
    return rows, columns


def _values(monomials: Tensor, coefficients: np.ndarray) -> Tensor:
    """Polynomials `(..., p, o, i)` of monomials `(..., N)`."""
    coefficients = ops.convert_to_tensor(coefficients, dtype=monomials.dtype)
    return ops.einsum("...N,poiN->...poi", monomials, coefficients)


def _factors(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of a monomial of the degree before and a coordinate, for each one."""
    numbers = {tuple(exponents): number for number, exponents in enumerate(before)}
    coordinates = np.argmax(after > 0, axis=1)
    parents = after.copy()
    parents[np.arange(len(after)), coordinates] -= 1
    return np.array([numbers[tuple(each)] for each in parents], "int32"), coordinates

"""Polynomial kernels of differences, and the messages that they make of features.

Tensors have the axes `(batch, n, k, ...)`, for `k` neighbours of each of `n` points.
"""

from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np
from keras import ops

from keras_lconv._backend import take
from keras_lconv._typing import Tensor
from keras_lconv.algebra import EquivariantKernels

# Entries of kernels below this share of the largest are rounding.
ROUNDING = 1e-14


class Run(NamedTuple):
    """Kernels of one degree, one after the other, between the same components.

    Args:
        degree: That of the kernels.
        row: Which part of the components of the output they give.
        column: Which part of those of the input they take.
        numbers: Their numbers among all kernels, `(p,)`.
        coefficients: The kernels as sums of monomials, `(p, o, i, N)`.
    """

    degree: int
    row: int
    column: int
    numbers: np.ndarray
    coefficients: np.ndarray


class Kernels:
    """Kernels that map features of neighbours to messages.

    A kernel between some parts of the features leaves all others alone, so only those
    components are computed.

    Args:
        kernels: The kernels, `b` in number, between some components at all.
    """

    def __init__(self, kernels: EquivariantKernels):
        self.number = len(kernels)
        if not self.number:
            return
        sizes = [np.abs(each).max(axis=3) for each in kernels.coefficients]
        counts = np.concatenate([_counts(each) for each in sizes])
        rows, columns = _parts(counts.any(axis=2)), _parts(counts.any(axis=1))
        self._columns = [part.start for part in columns[1:]]
        self._runs = _runs(kernels.coefficients, counts, rows, columns)
        self._orders = [
            np.concatenate([run.numbers for run in self._runs if run.row == row])
            for row in range(len(rows))
        ]
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
        f: Tensor,
        mixing: Tensor,
    ) -> Tensor:
        """The sums of messages of neighbours, `(batch, n, m_out, filters)`.

        Args:
            x: Differences of positions, in units, `(batch, n, k, v)`.
            factors: Of each kernel and channel, `(batch, n, k, b, channels)`.
            weights: Of neighbours, `(batch, n, k)`.
            f: Features of neighbours, `(batch, n, k, m_in, channels)`.
            mixing: Weights of channels, `(b, channels, filters)`.
        """
        monomials = self._monomials(x, weights)
        parts = _split(f, self._columns)
        shares = _split(factors, [int(run.numbers[0]) for run in self._runs[1:]])
        told: list[list[Tensor]] = [[] for _ in self._orders]
        for run, share in zip(self._runs, shares, strict=True):
            kernels = _values(monomials[run.degree], run.coefficients)
            each = ops.expand_dims(share, 4) * ops.expand_dims(parts[run.column], 3)
            told[run.row].append(ops.einsum("bnkpoi,bnkpic->bnpoc", kernels, each))
        mixed = [
            ops.einsum("bnpoc,pcf->bnof", _joined(each), take(mixing, order, axis=0))
            for each, order in zip(told, self._orders, strict=True)
        ]
        return _joined(mixed)

    def _monomials(self, x: Tensor, weights: Tensor) -> list[Tensor]:
        """Of each degree, times the weights, `(batch, n, k, N)`."""
        found = [ops.expand_dims(weights, -1)]
        for parents, coordinates in self._steps:
            factors = take(x, coordinates, axis=-1)
            found.append(take(found[-1], parents, axis=-1) * factors)
        return found


def _split(x: Tensor, starts: list[int]) -> list[Tensor]:
    """The parts of the fourth axis, from the second part's start on."""
    return ops.split(x, starts, axis=3) if starts else [x]


def _joined(parts: list[Tensor]) -> Tensor:
    """The parts of the third axis in one."""
    return ops.concatenate(parts, axis=2) if parts[1:] else parts[0]


def _counts(sizes: np.ndarray) -> np.ndarray:
    """Which entries of matrices `(b, m_out, m_in)` are more than rounding."""
    return sizes > ROUNDING * sizes.max(axis=(1, 2), keepdims=True)


def _parts(counts: np.ndarray) -> list[slice]:
    """All components, in parts that no kernel joins.

    Args:
        counts: Which components each kernel has, `(b, size)`.
    """
    size = counts.shape[1]
    first, last = np.argmax(counts, axis=1), size - 1 - np.argmax(counts[:, ::-1], axis=1)
    cuts = [
        cut
        for cut in range(int(first.min()) + 1, size)
        if cut in first and not np.any((first < cut) & (cut <= last))
    ]
    return [slice(*ends) for ends in pairwise((0, *cuts, size))]


def _runs(
    coefficients: tuple[np.ndarray, ...],
    counts: np.ndarray,
    rows: list[slice],
    columns: list[slice],
) -> list[Run]:
    """The kernels of all degrees, `(b, m_out, m_in, N)` each, in their order."""
    kernels = [
        (degree, kernel) for degree, each in enumerate(coefficients) for kernel in each
    ]

    def place(number):
        """The degree of a kernel, and the parts between which it maps."""
        return (
            kernels[number][0],
            next(n for n, part in enumerate(rows) if counts[number, part].any()),
            next(n for n, part in enumerate(columns) if counts[number][:, part].any()),
        )

    found = []
    for (degree, row, column), run in groupby(range(len(kernels)), place):
        numbers = np.array([*run], "int32")
        own = np.stack([kernels[n][1][rows[row], columns[column]] for n in numbers])
        found.append(Run(degree, row, column, numbers, own))
    return found


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

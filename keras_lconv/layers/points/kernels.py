"""Polynomial kernels of differences, and the messages that they make of features.

Tensors have the axes `(batch, n, k, ...)`, for `k` neighbours of each of `n` points.
"""

import math
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
    """Kernels one after the other between the same components.

    Args:
        row: Which part of the components of the output they give.
        column: Which part of those of the input they take.
        numbers: Their numbers among all kernels, `(p,)`.
        shape: Their number, and the numbers of components, `(p, o, i)`.
        coefficients: The kernels as sums of all monomials, `(N, p o i)`.
    """

    row: int
    column: int
    numbers: np.ndarray
    shape: tuple[int, int, int]
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
        coefficients = _of_all_degrees(kernels.coefficients)
        counts = _counts(np.abs(coefficients).max(axis=3))
        rows, columns = (_parts(np.any(counts, axis=axis)) for axis in (2, 1))
        self._columns = [part.start for part in columns[1:]]
        self._runs = _runs(coefficients, counts, rows, columns)
        self._coefficients = np.concatenate(
            [run.coefficients for run in self._runs], axis=1
        )
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
        kernels = self._values(x, weights)
        parts = _split(f, self._columns)
        shares = _split(factors, [int(run.numbers[0]) for run in self._runs[1:]])
        told: list[list[Tensor]] = [[] for _ in self._orders]
        for run, share, values in zip(self._runs, shares, kernels, strict=True):
            each = ops.expand_dims(share, 4) * ops.expand_dims(parts[run.column], 3)
            told[run.row].append(ops.einsum("bnkpoi,bnkpic->bnpoc", values, each))
        mixed = [
            ops.einsum("bnpoc,pcf->bnof", _joined(each), take(mixing, order, axis=0))
            for each, order in zip(told, self._orders, strict=True)
        ]
        return _joined(mixed)

    def _values(self, x: Tensor, weights: Tensor) -> list[Tensor]:
        """The kernels of each run times the weights, `(batch, n, k, p, o, i)`."""
        monomials = [ops.expand_dims(weights, -1)]
        for parents, coordinates in self._steps:
            factors = _taken(x, coordinates)
            monomials.append(_taken(monomials[-1], parents) * factors)
        coefficients = ops.convert_to_tensor(self._coefficients, dtype=x.dtype)
        values = ops.einsum(
            "bnkN,Nv->bnkv", ops.concatenate(monomials, axis=-1), coefficients
        )
        ends = np.cumsum([math.prod(run.shape) for run in self._runs])
        return [
            ops.reshape(each, (*ops.shape(weights), *run.shape))
            for each, run in zip(
                _split(values, [int(end) for end in ends[:-1]]), self._runs, strict=True
            )
        ]


def _taken(x: Tensor, places: np.ndarray) -> Tensor:
    """Entries along the last axis; all of them, or one for all, as they are."""
    size = x.shape[-1]
    is_all = size == 1 or np.array_equal(places, np.arange(size))
    return x if is_all else take(x, places, axis=-1)


def _split(x: Tensor, starts: list[int]) -> list[Tensor]:
    """The parts of the fourth axis, from the second part's start on."""
    return ops.split(x, starts, axis=3) if starts else [x]


def _joined(parts: list[Tensor]) -> Tensor:
    """The parts of the third axis in one."""
    return ops.concatenate(parts, axis=2) if parts[1:] else parts[0]


def _of_all_degrees(coefficients: tuple[np.ndarray, ...]) -> np.ndarray:
    """Kernels as sums of the monomials of all degrees, `(b, m_out, m_in, N)`."""
    sizes = [each.shape[3] for each in coefficients]
    return np.concatenate(
        [
            np.pad(each, [*3 * [(0, 0)], (sum(sizes[:degree]), sum(sizes[degree + 1 :]))])
            for degree, each in enumerate(coefficients)
        ]
    )


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
    coefficients: np.ndarray,
    counts: np.ndarray,
    rows: list[slice],
    columns: list[slice],
) -> list[Run]:
    """The kernels `(b, m_out, m_in, N)` in their order."""

    def place(number: int) -> tuple[int, int]:
        """The parts between which a kernel maps."""
        return (
            next(n for n, part in enumerate(rows) if counts[number, part].any()),
            next(n for n, part in enumerate(columns) if counts[number][:, part].any()),
        )

    found = []
    for (row, column), run in groupby(range(len(coefficients)), place):
        numbers = np.array([*run], "int32")
        own = coefficients[numbers][:, rows[row], columns[column]]
        matrix = own.reshape(-1, own.shape[-1]).T
        found.append(Run(row, column, numbers, own.shape[:3], matrix))
    return found


def _factors(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of a monomial of the degree before and a coordinate, for each one."""
    numbers = {tuple(exponents): number for number, exponents in enumerate(before)}
    coordinates = np.argmax(after > 0, axis=1)
    parents = after.copy()
    parents[np.arange(len(after)), coordinates] -= 1
    return np.array([numbers[tuple(each)] for each in parents], "int32"), coordinates

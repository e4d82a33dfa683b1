"""The null space of a linear system that is summed up sample by sample."""

from dataclasses import dataclass
from typing import Any

import numpy as np

# Samples are dealt out to so many groups: leaving out each of them in turn shows how much
# a result depends on the samples.
NUM_GROUPS = 8

# What counts as a gap in the spectrum. Values are in units of what a random equation has;
# the null ones are small beside those of the others as well.
SMALLEST_GAP = 5.0
LARGEST_NULL_VALUE = 0.1
# Of the largest value: below this all differences are rounding.
ROUNDING = 1e-6
# Unknowns that equations hardly contain, relative to others, are not determined by them.
SMALLEST_EXPECTED = 1e-4


@dataclass(frozen=True)
class NullSpace:
    """What solves a system, as far as its singular values tell.

    Args:
        basis: Solutions of norm 1, `(p, dimension)`; orthogonal in the expected squares.
        singular_values: All singular values, growing, in units of a random equation's.
        gap: The ratio of the first value that counts as not zero to the last that does.
        confidence: The share of groups without which the dimension is the same, times
            `1 - 1 / gap`.
        errors: For each solution how far, in radians, it moves if other samples were drawn.
        unreached: Orthonormal directions `(u, p)` that the equations do not contain.
    """

    basis: np.ndarray
    singular_values: np.ndarray
    gap: float
    confidence: float
    errors: np.ndarray
    unreached: np.ndarray


class NormalMatrices:
    """Sums `sum_s A_s^T A_s` of equations `A_s c = 0`, for each group of samples.

    `sum_s A_s^T A_s - (sum_s F_s^T A_s)^T (sum_s F_s^T F_s)^+ (sum_s F_s^T A_s)` where
    unknowns with the coefficients `F_s` are eliminated. Beside it the sum of what random
    equations of the same sizes are expected to give, which is the unit of the singular
    values. Memory does not depend on the number of samples.
    """

    def __init__(self, num_unknowns: int, num_eliminated: int = 0):
        p, m = num_unknowns, num_eliminated
        self._squares = np.zeros((NUM_GROUPS, p, p))
        self._mixed = np.zeros((NUM_GROUPS, m, m, p))
        self._eliminated = np.zeros((NUM_GROUPS, m, m))
        self._expected: list[Any] = [0.0] * NUM_GROUPS
        self._next = 0

    def add(
        self, rows: np.ndarray, expected: np.ndarray, eliminated: np.ndarray | None = None
    ) -> None:
        """Adds samples.

        Args:
            rows: `A_s`, array `(batch, m, p)`: `m` equations for each sample.
            expected: What `A_s^T A_s` would be on average, if the equations were random:
                matrices `(batch, p, p)`, or `(batch,)` for multiples of the identity.
            eliminated: `F_s`, array `(batch, m)`: the eliminated unknowns are a matrix
                `K`, and the equations `A_s c = K F_s`.
        """
        groups = (self._next + np.arange(len(rows))) % NUM_GROUPS
        self._next += len(rows)
        for group in range(NUM_GROUPS):
            own = rows[groups == group]
            self._squares[group] += np.einsum("smp,smq->pq", own, own, optimize=True)
            self._expected[group] += np.sum(expected[groups == group], axis=0)
            if eliminated is not None:
                given = eliminated[groups == group]
                self._mixed[group] += np.einsum("sn,smp->mnp", given, own, optimize=True)
                self._eliminated[group] += given.T @ given

    def relative_sizes(self, directions: np.ndarray) -> np.ndarray:
        """How far directions `(n, p)` are from being solutions, in the unit of the values.

        Those that the equations hardly contain have none, and get NaN.
        """
        unreached = self._frame()[1]
        hidden = np.linalg.norm(directions @ unreached.T, axis=1)
        reached = hidden < 0.5 * np.linalg.norm(directions, axis=1)
        columns = directions.T
        squares = np.sum(columns * (self._total() @ columns), axis=0)
        expected = np.sum(columns * _product(sum(self._expected), columns), axis=0)
        sizes = np.sqrt(np.maximum(squares, 0) / np.where(reached, expected, 1.0))
        return np.where(reached, sizes, np.nan)

    def solve(self, dimension: int | None = None) -> NullSpace:
        """The null space.

        Args:
            dimension: The dimension, if it is known.

        Returns:
            A `NullSpace`.
        """
        frame, unreached = self._frame()
        values, vectors = _decomposed(frame.T @ self._total() @ frame)
        if dimension is None:
            found, gap = clearest_gap(values)
        else:
            found, gap = dimension, _ratios(values, _largest_null(values))[dimension]
        basis = vectors[:, :found]
        same, tilts = 0, np.zeros((NUM_GROUPS, found))
        for group in range(NUM_GROUPS):
            others, turned = _decomposed(
                frame.T @ self._total(group) @ frame / self._share(group, frame)
            )
            same += dimension is not None or clearest_gap(others)[0] == found
            tilts[group] = tilt(basis, turned[:, :found])
        errors = jackknife_errors(tilts)
        confidence = same / NUM_GROUPS * max(0.0, 1 - 1 / gap)
        solutions = frame @ basis
        solutions = solutions / np.linalg.norm(solutions, axis=0)
        return NullSpace(solutions, values, gap, confidence, errors, unreached)

    def _total(self, left_out: int | None = None) -> np.ndarray:
        """The sum of the squares of all equations, without one group."""
        kept = np.arange(NUM_GROUPS) != left_out
        total = self._squares[kept].sum(axis=0)
        if self._mixed.size:
            mixed = self._mixed[kept].sum(axis=0)
            inverse = np.linalg.pinv(
                self._eliminated[kept].sum(axis=0), rcond=1e-10, hermitian=True
            )
            total -= np.einsum("mnp,nl,mlq->pq", mixed, inverse, mixed, optimize=True)
        return total

    def _frame(self) -> tuple[np.ndarray, np.ndarray]:
        """Directions `(p, q)` in which all expected squares are 1, and unreached ones."""
        expected = sum(self._expected)
        size = self._squares.shape[-1]
        if np.ndim(expected) == 0:
            return np.eye(size) / np.sqrt(expected), np.zeros((0, size))
        values, vectors = np.linalg.eigh(expected)
        reached = values > SMALLEST_EXPECTED**2 * values[-1]
        return vectors[:, reached] / np.sqrt(values[reached]), vectors[:, ~reached].T

    def _share(self, left_out: int, frame: np.ndarray) -> float:
        """The part of the expected squares that is not in one group."""
        part = np.sum(frame * _product(self._expected[left_out], frame)) / frame.shape[1]
        return max(1 - float(part), np.finfo("float64").tiny)


def tilt(basis: np.ndarray, span: np.ndarray) -> np.ndarray:
    """The angle of each column of `basis` with the span of the columns of `span`.

    Both have orthonormal columns, `(p, k)`.
    """
    rest = basis - span @ (span.T @ basis)
    return np.arcsin(np.clip(np.linalg.norm(rest, axis=0), 0, 1))


def jackknife_errors(tilts: np.ndarray) -> np.ndarray:
    """Error bars, from the angles `(groups, k)` by which leaving out a group turns."""
    return np.sqrt((len(tilts) - 1) * np.mean(tilts**2, axis=0))


def _product(matrix: Any, columns: np.ndarray) -> np.ndarray:
    """The product with a matrix, which may be a number for a multiple of the identity."""
    return matrix * columns if np.ndim(matrix) == 0 else matrix @ columns


def _decomposed(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Singular values of what `matrix` is the square of, growing, and their vectors."""
    values, vectors = np.linalg.eigh(matrix)
    return np.sqrt(np.maximum(values, 0.0)), vectors


def _largest_null(values: np.ndarray) -> float:
    return LARGEST_NULL_VALUE * max(1.0, float(np.sqrt(np.mean(values**2))))


def _ratios(values: np.ndarray, largest: float) -> np.ndarray:
    """The ratio of each value to the one before, for dimensions 0 to p.

    Where all values are null there is none after them, and 1, that of a random equation,
    takes its place. Where none is, what is largest for a null value takes the place of the
    one before.
    """
    floor = ROUNDING * max(values[-1], 1.0)
    before = np.maximum(np.concatenate([[largest], values]), floor)
    after = np.maximum(np.concatenate([values, [1.0]]), floor)
    return after / before


def clearest_gap(
    values: np.ndarray,
    largest: float | None = None,
    smallest_gap: float = SMALLEST_GAP,
) -> tuple[int, float]:
    """The dimension at the clearest gap, and that gap.

    Args:
        values: Singular values, growing, in units of a random equation's.
        largest: The largest value that may count as null. By default 0.1, or 0.1 times the
            root mean square of all values where that is more.
        smallest_gap: The smallest ratio that counts as a gap.

    Returns:
        How many values are null, and the ratio of the next one to the last of them.
    """
    if largest is None:
        largest = _largest_null(values)
    ratios = _ratios(values, largest)
    allowed = np.concatenate([[False], values <= largest])
    allowed &= ratios >= smallest_gap
    if not np.any(allowed):
        return 0, float(max(ratios[0], 1.0))
    found = int(np.argmax(np.where(allowed, ratios, 0.0)))
    return found, float(ratios[found])

"""The null space of a linear system that is summed up sample by sample."""

from dataclasses import dataclass

import numpy as np

# Samples are dealt out to so many groups: leaving out each of them in turn shows how much
# a result depends on the samples.
NUM_GROUPS = 8

# What counts as a gap in the spectrum. Values are in units of what a random equation has.
SMALLEST_GAP = 5.0
LARGEST_NULL_VALUE = 0.1
# Of the largest value: below this all differences are rounding.
ROUNDING = 1e-6


@dataclass(frozen=True)
class NullSpace:
    """What solves a system, as far as its singular values tell.

    Args:
        basis: Orthonormal solutions, `(p, dimension)`.
        singular_values: All singular values, growing, in units of a random equation's.
        gap: The ratio of the first value that counts as not zero to the last that does.
        confidence: The share of groups without which the dimension is the same, times
            `1 - 1 / gap`.
        errors: For each solution how far, in radians, it moves if other samples were drawn.
    """

    basis: np.ndarray
    singular_values: np.ndarray
    gap: float
    confidence: float
    errors: np.ndarray


class NormalMatrices:
    """Sums `sum_s A_s^T A_s` of equations `A_s c = 0`, for each group of samples.

    `sum_s A_s^T A_s - (sum_s F_s^T A_s)^T (sum_s F_s^T F_s)^+ (sum_s F_s^T A_s)` where
    unknowns with the coefficients `F_s` are eliminated. Memory does not depend on the
    number of samples.
    """

    def __init__(self, num_unknowns: int, num_eliminated: int = 0):
        p, m = num_unknowns, num_eliminated
        self._squares = np.zeros((NUM_GROUPS, p, p))
        self._mixed = np.zeros((NUM_GROUPS, m, m, p))
        self._eliminated = np.zeros((NUM_GROUPS, m, m))
        self._weights = np.zeros(NUM_GROUPS)
        self._next = 0

    def add(
        self, rows: np.ndarray, weights: np.ndarray, eliminated: np.ndarray | None = None
    ) -> None:
        """Adds samples.

        Args:
            rows: `A_s`, array `(batch, m, p)`: `m` equations for each sample.
            weights: How much each equation counts, `(batch, m)`.
            eliminated: `F_s`, array `(batch, m)`: the eliminated unknowns are a matrix
                `K`, and the equations `A_s c = K F_s`.
        """
        groups = (self._next + np.arange(len(rows))) % NUM_GROUPS
        self._next += len(rows)
        for group in range(NUM_GROUPS):
            own = rows[groups == group]
            self._squares[group] += np.einsum("smp,smq->pq", own, own, optimize=True)
            self._weights[group] += np.sum(weights[groups == group])
            if eliminated is not None:
                given = eliminated[groups == group]
                self._mixed[group] += np.einsum("sn,smp->mnp", given, own, optimize=True)
                self._eliminated[group] += given.T @ given

    def _total(self, left_out: int | None = None) -> np.ndarray:
        """The mean square of an equation, without one group."""
        kept = np.arange(NUM_GROUPS) != left_out
        total = self._squares[kept].sum(axis=0)
        if self._mixed.size:
            mixed = self._mixed[kept].sum(axis=0)
            inverse = np.linalg.pinv(
                self._eliminated[kept].sum(axis=0), rcond=1e-10, hermitian=True
            )
            total -= np.einsum("mnp,nl,mlq->pq", mixed, inverse, mixed, optimize=True)
        return total / max(self._weights[kept].sum(), np.finfo("float64").tiny)

    def solve(self, unit: float, dimension: int | None = None) -> NullSpace:
        """The null space.

        Args:
            unit: The mean square of a random equation in a random direction.
            dimension: The dimension, if it is known.

        Returns:
            A `NullSpace`.
        """
        values, vectors = _decomposed(self._total(), unit)
        found, gap = clearest_gap(values) if dimension is None else (dimension, None)
        if gap is None:
            gap = _ratios(values)[found]
        basis = vectors[:, :found]
        same, tilts = 0, np.zeros((NUM_GROUPS, found))
        for group in range(NUM_GROUPS):
            others, turned = _decomposed(self._total(group), unit)
            same += dimension is not None or clearest_gap(others)[0] == found
            tilts[group] = tilt(basis, turned[:, :found])
        confidence = same / NUM_GROUPS * max(0.0, 1 - 1 / gap)
        return NullSpace(basis, values, gap, confidence, jackknife_errors(tilts))


def tilt(basis: np.ndarray, span: np.ndarray) -> np.ndarray:
    """The angle of each column of `basis` with the span of the columns of `span`.

    Both have orthonormal columns, `(p, k)`.
    """
    rest = basis - span @ (span.T @ basis)
    return np.arcsin(np.clip(np.linalg.norm(rest, axis=0), 0, 1))


def jackknife_errors(tilts: np.ndarray) -> np.ndarray:
    """Error bars, from the angles `(groups, k)` by which leaving out a group turns."""
    return np.sqrt((len(tilts) - 1) * np.mean(tilts**2, axis=0))


def _decomposed(matrix: np.ndarray, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Singular values, growing, in units of a random equation's, and their vectors."""
    values, vectors = np.linalg.eigh(matrix)
    return np.sqrt(np.maximum(values, 0.0) / unit), vectors


def _ratios(values: np.ndarray, largest: float = LARGEST_NULL_VALUE) -> np.ndarray:
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
    largest: float = LARGEST_NULL_VALUE,
    smallest_gap: float = SMALLEST_GAP,
) -> tuple[int, float]:
    """The dimension at the clearest gap, and that gap.

    Args:
        values: Singular values, growing, in units of a random equation's.
        largest: The largest value that may count as null.
        smallest_gap: The smallest ratio that counts as a gap.

    Returns:
        How many values are null, and the ratio of the next one to the last of them.
    """
    ratios = _ratios(values, largest)
    allowed = np.concatenate([[False], values <= largest])
    allowed &= ratios >= smallest_gap
    if not np.any(allowed):
        return 0, float(max(ratios[0], 1.0))
    found = int(np.argmax(np.where(allowed, ratios, 0.0)))
    return found, float(ratios[found])

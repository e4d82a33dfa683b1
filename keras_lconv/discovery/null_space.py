"""The null space of a linear system whose equations are summed up sample by sample."""

from dataclasses import dataclass
from math import comb, log

import numpy as np

from keras_lconv._memory import require_memory
from keras_lconv.discovery.gap import clearest_gap, gaps, largest_null

# Samples are divided into this many groups. Leaving out each group in turn shows how much a
# result depends on the samples.
NUM_GROUPS = 8

# Equations do not determine unknowns that they hardly contain, relative to others.
SMALLEST_EXPECTED = 1e-4
# A solution of some equations does not solve the others if its value there exceeds the
# largest null value by this factor.
OVERFITTED = 5.0
# Fits that explain at least 1 / 1.25 of the variance are trusted equally.
TRUSTED = 1.25
# Two measured ratios for solutions of a fit: the angle of a solution over its value
# relative to the next one, and the angle over the ratio of the unexplained to the explained
# part.
MISFIT, ANGLE_OF_ERROR, SMALLEST_EXPLAINED = 0.15, 0.08, 0.01
TINY = float(np.finfo("float64").tiny)


@dataclass(frozen=True)
class NullSpace:
    """The solutions of a system, according to its singular values.

    Args:
        solutions: Solutions in the sense of least squares, `(p, q)`, of norm 1, in the
            order of their values; orthogonal in the expected squares.
        dimension: The number of these that count as solutions.
        singular_values: All values, growing, in units of a random equation's.
        gap: The ratio of the first value that does not count as zero to the last that does.
        confidence: How sure the dimension is, between 0 and 1.
        errors: For each solution, the angle in radians by which other samples would turn
        it.
        unreached: Orthonormal directions `(u, p)` that the equations do not contain.
        is_determined: Whether there are enough equations to decide.
    """

    solutions: np.ndarray
    dimension: int
    singular_values: np.ndarray
    gap: float
    confidence: float
    errors: np.ndarray
    unreached: np.ndarray
    is_determined: bool

    @property
    def basis(self) -> np.ndarray:
        """The vectors that count as solutions, `(p, dimension)`."""
        return self.solutions[:, : self.dimension]


class NormalMatrices:
    """Sums `sum_s A_s^T A_s` of equations `A_s c = 0`, for each group of samples.

    If unknowns with the coefficients `F_s` are eliminated, the sums are `sum_s A_s^T A_s -
    (sum_s F_s^T A_s)^T (sum_s F_s^T F_s)^+ (sum_s F_s^T A_s)`. The sum of the expected
    squares of random equations of the same sizes is kept as well. It is the unit of the
    singular values. Memory does not depend on the number of samples.

    Args:
        num_unknowns: Number `p` of unknowns.
        num_eliminated: Number of columns of the eliminated matrix.
        num_rows: Number of its rows, the equations of a sample. By default the same.
        unit: The expected `A_s^T A_s` of size 1, `(p, p)`. By default the identity.
    """

    def __init__(
        self,
        num_unknowns: int,
        num_eliminated: int = 0,
        num_rows: int | None = None,
        unit: np.ndarray | None = None,
    ):
        p, m = num_unknowns, num_eliminated
        rows = m if num_rows is None else num_rows
        require_memory(
            f"The equations for {p} unknowns of `search`",
            3 * NUM_GROUPS * (p**2 + m * (rows * p + m)),
            "Use vectors that transform alike (`blocks`), a basis of maps (`search`) or "
            "fewer columns",
        )
        self._squares = np.zeros((NUM_GROUPS, p, p))
        self._mixed = np.zeros((NUM_GROUPS, m, rows if m else 0, p))
        self._eliminated = np.zeros((NUM_GROUPS, m, m))
        self.unit = np.eye(p) if unit is None else unit
        self._expected = np.zeros((NUM_GROUPS, p, p))
        self._next = 0
        self._num_equations = 0

    @classmethod
    def of(
        cls, squares: np.ndarray, expected: np.ndarray, num_equations: int
    ) -> "NormalMatrices":
        """Makes the object from known sums.

        Args:
            squares: Sums of the equations of each group, `(groups, p, p)`.
            expected: The expected sums of random equations.
            num_equations: Number of equations.
        """
        sums = cls(0)
        sums._squares, sums._expected = squares, expected
        sums._mixed = np.zeros((NUM_GROUPS, 0, 0, squares.shape[-1]))
        sums._num_equations = num_equations
        return sums

    def leading(self, number: int) -> "NormalMatrices":
        """The sums for the first unknowns, if none are eliminated."""
        first = self._squares[:, :number, :number], self._expected[:, :number, :number]
        return NormalMatrices.of(*first, self._num_equations)

    def add(
        self,
        rows: np.ndarray,
        expected: np.ndarray,
        eliminated: np.ndarray | None = None,
        also_expected: np.ndarray | None = None,
        groups: np.ndarray | None = None,
    ) -> None:
        """Adds samples.

        Args:
            rows: `A_s`, array `(batch, m, p)`: `m` equations for each sample.
            expected: The mean of `A_s^T A_s` for random equations: matrices `(batch, p,
                p)`, or `(batch,)` for multiples of the unit.
            eliminated: `F_s`, array `(batch, n)`: the eliminated unknowns are a matrix
                `K`, `(m, n)`, and the equations `A_s c = K F_s`.
            also_expected: Rows `(batch, m, p)` whose squares are expected in addition.
            groups: The group of each sample, `(batch,)`; by default they take turns.
        """
        first, self._next = self._next, self._next + len(rows)
        if groups is None:
            chosen_by = {
                (first + start) % NUM_GROUPS: slice(start, None, NUM_GROUPS)
                for start in range(min(NUM_GROUPS, len(rows)))
            }
        else:
            chosen_by = {group: groups == group for group in range(NUM_GROUPS)}
        sizes = expected if expected.ndim == 1 else np.trace(expected, axis1=1, axis2=2)
        self._num_equations += int(np.sum(sizes > 0)) * rows.shape[1]
        for group, chosen in chosen_by.items():
            own = rows[chosen]
            self._squares[group] += _gram(own)
            total = np.sum(expected[chosen], axis=0)
            self._expected[group] += total * self.unit if np.ndim(total) == 0 else total
            if also_expected is not None:
                self._expected[group] += _gram(also_expected[chosen])
            if eliminated is not None:
                given = eliminated[chosen]
                self._mixed[group] += np.einsum("sn,smp->nmp", given, own, optimize=True)
                self._eliminated[group] += given.T @ given

    def merged(self, other: "NormalMatrices") -> "NormalMatrices":
        """The sums of both, which have the same unknowns and the same unit."""
        merged = NormalMatrices(0)
        merged._squares = self._squares + other._squares
        merged._mixed = self._mixed + other._mixed
        merged._eliminated = self._eliminated + other._eliminated
        merged._expected = self._expected + other._expected
        merged.unit = self.unit
        merged._next = self._next + other._next
        merged._num_equations = self._num_equations + other._num_equations
        return merged

    def relative_sizes(self, directions: np.ndarray) -> np.ndarray:
        """How far directions `(n, p)` are from being solutions, in the unit of the singular
        values.

        Directions that the equations hardly contain get NaN.
        """
        unreached = self._frame()[1]
        hidden = np.linalg.norm(directions @ unreached.T, axis=1)
        reached = hidden < 0.5 * np.linalg.norm(directions, axis=1)
        columns = directions.T
        squares = np.sum(columns * (self._total() @ columns), axis=0)
        expected = np.sum(columns * (self._expected.sum(axis=0) @ columns), axis=0)
        sizes = np.sqrt(np.maximum(squares, 0) / np.where(reached, expected, 1.0))
        return np.where(reached, sizes, np.nan)

    def parts(self, combinations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The sums for combinations `(K, p)` of the unknowns.

        Returns:
            The squares of the equations, and the expected squares of random ones, both
            `(groups, K, K)`.
        """
        columns = combinations.T
        return (
            combinations @ self._squares @ columns,
            combinations @ self._expected @ columns,
        )

    def solve(
        self,
        dimension: int | None = None,
        noise: float = 0.0,
        fit_error: float = 0.0,
    ) -> NullSpace:
        """The null space.

        Args:
            dimension: The dimension, if it is known.
            noise: The size of singular values from errors of the equations.
            fit_error: The relative error of the function in the equations.

        Returns:
            A `NullSpace`.
        """
        frame, unreached = self._frame()
        inside = self._inside(frame)
        values, vectors = _decomposed(inside._total())
        if (dimension or 0) > len(values):
            raise ValueError(
                f"`dimension` must be from 0 to {len(values)}, the dimension of the "
                f"search. Received: dimension={dimension}"
            )
        if dimension is None:
            found, gap = clearest_gap(values, noise=noise)
        else:
            found, gap = dimension, float(gaps(values, largest_null(values))[dimension])
        basis = vectors[:, :found]
        shares = self._shares(frame)
        same, tilts, left_out = 0, np.zeros((NUM_GROUPS, found)), np.zeros(NUM_GROUPS)
        for group in range(NUM_GROUPS):
            others, turned = _decomposed(inside._total(group) / (1 - shares[group]))
            same += dimension is not None or clearest_gap(others, noise=noise)[0] == found
            tilts[group] = tilt(basis, turned[:, :found])
            # The residuals of left-out equations for the solutions of the others.
            own = turned[:, :found]
            squares = float(np.sum(own * (inside._squares[group] @ own)))
            left_out[group] = max(squares, 0.0) / max(shares[group] * found, TINY)
        predicted = float(np.sqrt(np.mean(left_out)))
        limit = largest_null(values)
        is_determined = self._num_equations >= len(values) and not (
            dimension is None
            and not self._mixed.size
            and predicted > OVERFITTED * max(limit, values[max(found - 1, 0)])
        )
        if found and dimension is None and not is_determined:
            found = 0
        confidence = (
            same / NUM_GROUPS * is_determined * _clearness(values, found, gap, noise)
        )
        confidence *= trust(fit_error)
        # A solution that turns when samples are left out is known up to this turn.
        tilted = jackknife_errors(tilts)[:found]
        confidence *= np.cos(min(np.max(tilted, initial=0.0), np.pi / 2)) ** 2
        confidence *= 1 - np.sqrt(chance(values, found, self._num_equations))
        # The residual of the equations of a fit is its error, which turns solutions by
        # about this angle.
        following = max(float(values[found]), TINY) if found < len(values) else 1.0
        misfit = np.hypot(
            MISFIT * values[: tilts.shape[1]] / following * (fit_error > 0),
            ANGLE_OF_ERROR * fit_error / np.sqrt(max(1 - fit_error**2, SMALLEST_EXPLAINED)),
        )
        solutions = frame @ vectors
        solutions = solutions / np.linalg.norm(solutions, axis=0)
        return NullSpace(
            solutions,
            found,
            values,
            gap,
            float(confidence),
            np.hypot(tilted, misfit[:found]),
            unreached,
            is_determined,
        )

    def _inside(self, frame: np.ndarray) -> "NormalMatrices":
        """The same sums, for coefficients of the columns of a frame."""
        inside = NormalMatrices(0)
        inside._squares = frame.T @ self._squares @ frame
        inside._mixed, inside._eliminated = self._mixed @ frame, self._eliminated
        return inside

    def _total(self, left_out: int | None = None) -> np.ndarray:
        """The sum of the squares of all equations, without one group."""
        kept = [group for group in range(NUM_GROUPS) if group != left_out]
        total = sum(self._squares[group] for group in kept)
        if self._mixed.size:
            mixed = self._mixed[kept].sum(axis=0)
            inverse = np.linalg.pinv(
                self._eliminated[kept].sum(axis=0), rcond=1e-10, hermitian=True
            )
            total -= np.einsum("nmp,nl,lmq->pq", mixed, inverse, mixed, optimize=True)
        return np.asarray(total)

    def _frame(self) -> tuple[np.ndarray, np.ndarray]:
        """Directions `(p, q)` in which all expected squares are 1, and unreached ones."""
        values, vectors = np.linalg.eigh(self._expected.sum(axis=0))
        reached = values > SMALLEST_EXPECTED**2 * values[-1]
        return vectors[:, reached] / np.sqrt(values[reached]), vectors[:, ~reached].T

    def _shares(self, frame: np.ndarray) -> np.ndarray:
        """The share of the expected squares in each group."""
        projection = frame @ frame.T / frame.shape[1]
        parts = np.array([np.sum(projection * each) for each in self._expected])
        return np.clip(parts, 0, 1 - 1e-12)


def tilt(basis: np.ndarray, span: np.ndarray) -> np.ndarray:
    """The angle of each column of `basis` with the span of the columns of `span`.

    Both have orthonormal columns, `(p, k)`.
    """
    rest = basis - span @ (span.T @ basis)
    return np.arcsin(np.clip(np.linalg.norm(rest, axis=0), 0, 1))


def jackknife_errors(tilts: np.ndarray) -> np.ndarray:
    """Error bars from the angles `(groups, k)` by which solutions turn without
    each group.
    """
    return np.sqrt((len(tilts) - 1) * np.mean(tilts**2, axis=0))


def _clearness(values: np.ndarray, dimension: int, gap: float, noise: float) -> float:
    """How clear a spectrum is: its gap, or the distance of its smallest value from zero."""
    if dimension:
        return max(0.0, 1 - 1 / gap)
    square = values[0] ** 2
    return float(square / (square + largest_null(values) ** 2 + noise**2))


def chance(values: np.ndarray, dimension: int, equations: int) -> float:
    """The probability that random equations have this many values this small, up to
    factors.

    Systems of `N` equations for `p` unknowns with `k` solutions have codimension `k (N - p
    + k)` among all systems.
    """
    p, k = len(values), dimension
    if not k:
        return 0.0
    spare = k * max(equations - p + k, 0)
    largest = max(float(values[k - 1]), TINY)
    return float(min(1.0, np.exp(min(0.0, log(comb(p, k)) + spare * log(largest)))))


def trust(fit_error: float) -> float:
    """How far a fit can be trusted: not at all if it explains nothing."""
    return float(np.clip(TRUSTED * (1 - fit_error**2), 0, 1))


def _gram(rows: np.ndarray) -> np.ndarray:
    flat = rows.reshape(-1, rows.shape[-1])
    return flat.T @ flat


def _decomposed(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The singular values of a root of `matrix`, growing, and their vectors."""
    values, vectors = np.linalg.eigh(matrix)
    return np.sqrt(np.maximum(values, 0.0)), vectors


def groups_of(samples: np.ndarray) -> np.ndarray:
    """The groups of samples `(batch, ...)`, which follow from their numbers alone.

    So they do not depend on the order, and equal samples are in the same group.
    """
    flat = samples.reshape(len(samples), -1) + 0.0  # gives all zeros the same sign
    bits = np.ascontiguousarray(flat, "float64").view("uint64")
    factors = np.random.default_rng(0).integers(2**63, size=bits.shape[1], dtype="uint64")
    # Multiplies by odd numbers and shifts bits, so that the highest bits are well mixed.
    mixed = np.sum((bits ^ (bits >> np.uint64(32))) * (2 * factors + 1), axis=1)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return (mixed >> np.uint64(61)).astype(int) % NUM_GROUPS

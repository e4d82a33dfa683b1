"""Conserved quantities that do not follow from others."""

import numpy as np

from keras_lconv.algebra.monomials import exponents_up_to, monomials
from keras_lconv.algebra.sparse_basis import sparse_basis
from keras_lconv.discovery.fields.listing import OUTSIDE, orthonormal, reduced
from keras_lconv.discovery.null_space import NullSpace
from keras_lconv.physics.conservation.functions import Candidates
from keras_lconv.physics.conservation.quantities import (
    ConservationReport,
    Drift,
    Quantity,
)
from keras_lconv.physics.conservation.sparse import Parts, Sparse, sparse_terms

# Differentials of length 1 are dependent if their smallest singular value is below the
# first number, at this share of the points.
DEPENDENT = 1e-3
MOST_POINTS = 300
# Coefficients up to this, where the largest is 1, are rounding.
ROUNDING, LARGEST = 1e-6, 0.1
# Coefficients up to this many error bars are noise.
CLEAR = 3.0


class Independent:
    """A list of quantities, degree by degree, that are not functions of those before.

    Args:
        candidates: The candidates, of which quantities are mixtures.
        points: Points `(N, n)`.
    """

    def __init__(self, candidates: Candidates, points: np.ndarray):
        self._candidates = candidates
        self._values = candidates.values(points)
        some = points[:: max(1, len(points) // MOST_POINTS)]
        # Differentials are in units of the spread of each coordinate.
        self._gradients = candidates.gradients(some) * np.std(points, axis=0)
        self._terms = candidates.terms(points)
        self._rows: list[np.ndarray] = []
        self._listed: list[Sparse] = []
        self._dependent: list[np.ndarray] = []
        self._also: list[Sparse] = []
        self._degrees: list[int] = []
        self._errors: list[float] = []

    def add(
        self, degree: int, mixtures: np.ndarray, space: NullSpace, parts: Parts
    ) -> None:
        """Lists the new quantities of a degree.

        Args:
            degree: The degree.
            mixtures: The conserved mixtures of the first candidates, `(k, p)`.
            space: Their null space.
            parts: Tells how well mixtures of the first candidates meet the equations.
        """
        found = np.zeros((len(mixtures), self._values.shape[1]))
        found[:, : mixtures.shape[1]] = mixtures
        found = orthonormal(found)
        error = float(np.max(space.errors, initial=0.0))
        known = orthonormal(self._functions_of_listed(degree))
        rest = found - found @ known.T @ known
        sizes, directions = np.linalg.svd(rest, full_matrices=False)[1:]
        new = reduced(directions[sizes > OUTSIDE], known, self._candidates.reading)
        if not len(new):
            return
        read = new @ self._candidates.reading
        frame = orthonormal(read)
        noise = float(np.clip(CLEAR * error, ROUNDING, LARGEST))
        mixed = sparse_basis(frame[:, None], noise)[:, 0]
        terms = self._terms[self._candidates.degrees <= degree, : mixtures.shape[1]]
        for coefficients in mixed[:, self._candidates.degrees <= degree]:
            sparse = sparse_terms(coefficients, terms, parts)
            row = np.zeros(self._values.shape[1])
            row[: mixtures.shape[1]] = sparse.coefficients @ terms
            row = row / np.linalg.norm(row)
            if self._is_independent(row):
                self._rows.append(row)
                self._listed.append(sparse)
                self._degrees.append(degree)
                self._errors.append(error)
            else:
                self._dependent.append(row)
                self._also.append(sparse)

    def report(
        self, space: NullSpace, number: int, drifting: tuple[Drift[Quantity], ...] = ()
    ) -> ConservationReport:
        """The report about the listed quantities, of `number` conserved ones at the largest
        degree.
        """
        function = self._candidates.function
        return ConservationReport(
            algebra=None,
            standard=None,
            quantities=tuple(function(*each) for each in self._listed),
            dependent=tuple(function(*each) for each in self._also),
            num_solutions=number,
            singular_values=space.singular_values,
            gap=space.gap,
            confidence=space.confidence,
            errors=np.array(self._errors),
            is_determined=space.is_determined,
            drifting=drifting,
        )

    def _functions_of_listed(self, degree: int) -> np.ndarray:
        """Polynomials of the listed quantities up to a degree, as mixtures of the
        candidates.
        """
        others = [*self._rows, *self._dependent]
        if not others:
            return np.zeros((0, self._values.shape[1]))
        powers = exponents_up_to(len(self._rows), degree)[1:]
        weights = powers @ np.array(self._degrees)
        values = monomials(powers[weights <= degree], self._values @ np.array(self._rows).T)
        products = values.T @ self._values / len(self._values)
        return np.concatenate([products, np.array(others)])

    def _is_independent(self, row: np.ndarray) -> bool:
        rows = np.array([*self._rows, row])
        slopes = rows @ self._gradients
        lengths = np.linalg.norm(slopes, axis=2, keepdims=True)
        slopes = slopes / np.where(lengths > 0, lengths, 1.0)
        if slopes.shape[1] > slopes.shape[2]:
            return False
        smallest = np.linalg.svd(slopes, compute_uv=False)[:, -1]
        return bool(np.median(smallest) > DEPENDENT)

"""The connected components of a group of matrices that has a Lie algebra."""

import warnings
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from keras_lconv.algebra.forms import invariant_forms, positive_form
from keras_lconv.algebra.intertwiners import intertwiners
from keras_lconv.algebra.invariants import PRECISION, commute
from keras_lconv.algebra.polar import has_polar_factors, polar_parts
from keras_lconv.algebra.tolerance import is_singular
from keras_lconv.algebra.torus import is_in_torus

# A matrix is moved towards the identity from this many starts, with at most this many
# steps.
STARTS, STEPS, HALVINGS = 12, 80, 6
LARGEST_STEP = 1.0
MOST_COMPONENTS = 500
# Elements of one component act on the commutant in the same way, up to this error.
MARK_PRECISION = 1e-4
# The number of random combinations that tell marks apart.
NUM_PROBES = 4


class Components:
    """The components, each stored as one of its elements.

    Args:
        generators: Independent matrices `(k, n, n)`, a Lie algebra.
        elements: Matrices `(m, n, n)` that generate the components.
        precision: Matrices that differ by less are the same.
    """

    def __init__(
        self, generators: np.ndarray, elements: np.ndarray, precision: float = PRECISION
    ):
        self._precision = precision
        self._generators = generators
        self._commutant = intertwiners(generators, generators, precision)
        rows = generators.reshape(len(generators), -1)
        self._frame = np.linalg.qr(rows.T)[0].T.reshape(generators.shape)
        self._is_abelian = commute(self._frame)
        self._polar_parts = polar_parts(self._frame, precision)
        self._elements = elements

    @cached_property
    def representatives(self) -> list[np.ndarray] | None:
        """One element of each component, the identity first, or `None` if there are too
        many.

        If it is unknown whether two are connected, both are kept.
        """
        found = [np.eye(self._frame[0].shape[0])]
        marks = [self._mark(found[0])]
        for known in found:
            for element in self._elements:
                product = known @ element
                mark = self._mark(product)
                if not self._is_in(product, mark, found, marks):
                    found.append(product)
                    marks.append(mark)
            if len(found) > MOST_COMPONENTS:
                return None
        self._marks = marks
        return found

    def contains(self, matrix: np.ndarray) -> bool | None:
        """Whether a matrix is in one of the components, `None` if this is not known."""
        if is_singular(matrix):
            return False
        found = self.representatives
        if found is None:
            return None
        return self._is_in(matrix, self._mark(matrix), found, self._marks)

    def _mark(self, matrix: np.ndarray) -> np.ndarray:
        """How a matrix acts on the commutant, which all elements of a component share."""
        turned = matrix @ self._commutant @ np.linalg.inv(matrix)
        probes = np.random.default_rng(0).normal(size=(turned.size, NUM_PROBES))
        return np.append(turned.ravel() @ probes, np.linalg.slogdet(matrix)[0])

    def _is_in(
        self,
        matrix: np.ndarray,
        mark: np.ndarray,
        found: Sequence[np.ndarray],
        marks: Sequence[np.ndarray],
    ) -> bool | None:
        """Whether an element that is already found is in the component of a matrix."""
        away = np.max(np.abs(np.array(marks) - mark), axis=1)
        # Different components may share a mark, so an element has to be reached.
        bound = MARK_PRECISION * max(1.0, float(np.linalg.cond(matrix)))
        near = np.flatnonzero(away <= bound)
        answer: bool | None = False
        for number in near.tolist():
            connected = self.is_connected(matrix, found[number])
            if connected:
                return True
            answer = None if connected is None else answer
        return answer

    def is_connected(self, matrix: np.ndarray, other: np.ndarray) -> bool | None:
        """Whether a path `exp(X) exp(Y) ...` leads from one matrix to another.

        Both are invertible. The answer is `None` if no path is found, and no path is ruled
        out.
        """
        target = matrix @ np.linalg.inv(other)
        if np.linalg.slogdet(target)[0] <= 0:
            return False
        # What commutes with the algebra commutes with every element connected to the
        # identity.
        moved = self._commutant @ target - target @ self._commutant
        if np.max(np.abs(moved), initial=0) > 10 * self._precision * np.abs(target).max():
            return False
        is_one = np.linalg.norm(target - np.eye(len(target))) <= self._precision
        if is_one or self._has_logarithm(target):
            return True
        if self._polar_parts is not None:
            return has_polar_factors(target, self._polar_parts, self._precision)
        if is_in_torus(target, self._frame, self._precision):
            return True
        if self._is_compact or self._moves_an_invariant(target):
            return False
        return True if self._is_reached(target) else None

    @cached_property
    def _is_compact(self) -> bool:
        return positive_form(invariant_forms(self._generators)) is not None

    @cached_property
    def _invariants(self) -> list[np.ndarray]:
        """Invariant vectors, covectors and bilinear forms, as maps."""
        vectors = self._generators
        dual = -vectors.swapaxes(1, 2)
        numbers = np.zeros((len(vectors), 1, 1))
        pairs = ((numbers, vectors), (numbers, dual), (dual, vectors), (vectors, dual))
        return [intertwiners(a, b, self._precision) for a, b in pairs]

    def _moves_an_invariant(self, matrix: np.ndarray) -> bool:
        """Whether a matrix changes vectors or forms that the connected part does not."""
        dual, number = np.linalg.inv(matrix).T, np.eye(1)
        pairs = ((number, matrix), (number, dual), (dual, matrix), (matrix, dual))
        bound = 10 * self._precision * max(np.linalg.norm(matrix), np.linalg.norm(dual))
        return any(
            np.max(np.abs(after @ maps - maps @ before), initial=0) > bound
            for (before, after), maps in zip(pairs, self._invariants, strict=True)
        )

    def _is_reached(self, target: np.ndarray) -> bool:
        """Whether a descent from one of several starts ends at the identity."""
        from scipy.linalg import expm

        rng = np.random.default_rng(0)
        for start in range(2 if self._is_abelian else STARTS):
            moved = target
            if start:
                mixture = rng.normal(size=len(self._frame))
                moved = expm(np.tensordot(2 * mixture, self._frame, 1)) @ target
            if self._reaches_identity(moved):
                return True
        return False

    def _has_logarithm(self, matrix: np.ndarray) -> bool:
        """Whether the principal logarithm is in the algebra."""
        from scipy.linalg import expm, logm

        eigenvalues = np.linalg.eigvals(matrix)
        if np.any((eigenvalues.real <= 0) & (np.abs(eigenvalues.imag) < PRECISION)):
            return False  # it may have no real logarithm
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # its error is checked below
            logarithm = logm(matrix).real
        rows = self._frame.reshape(len(self._frame), -1)
        inside = (rows.T @ (rows @ logarithm.ravel())).reshape(matrix.shape)
        distance = np.linalg.norm(expm(inside) - matrix)
        return bool(distance <= self._precision * np.linalg.norm(matrix))

    def _reaches_identity(self, matrix: np.ndarray) -> bool:
        """Descends `|g - 1|` by factors `exp(X)`; a rotation ends within a few steps."""
        from scipy.linalg import expm

        one = np.eye(len(matrix))
        distance = np.linalg.norm(matrix - one)
        for _ in range(STEPS):
            if distance <= self._precision:
                return True
            # Tangents at `g` are `X g`: the nearest one to `g - 1`, in least squares.
            tangents = (self._frame @ matrix).reshape(len(self._frame), -1)
            weights = np.linalg.lstsq(tangents.T, (matrix - one).ravel(), rcond=None)[0]
            weights = weights / max(1.0, float(np.linalg.norm(weights)) / LARGEST_STEP)
            for halving in range(HALVINGS):
                step = expm(-np.tensordot(weights / 2**halving, self._frame, 1)) @ matrix
                if np.linalg.norm(step - one) < distance * (1 - 1e-6):
                    break
            else:
                return False
            matrix, distance = step, np.linalg.norm(step - one)
        return bool(distance <= self._precision)

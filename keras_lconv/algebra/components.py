"""The components of a group of matrices that has a Lie algebra."""

import numpy as np

from keras_lconv.algebra.intertwiners import intertwiners
from keras_lconv.algebra.invariants import PRECISION, commute

# From so many starts a matrix is moved towards the identity, by so many steps at most.
STARTS, STEPS, HALVINGS = 12, 80, 6
LARGEST_STEP = 1.0
MOST_COMPONENTS = 500


class Components:
    """Components, each as one element of it.

    Args:
        generators: Independent matrices `(k, n, n)`, a Lie algebra.
        elements: Matrices `(m, n, n)` that generate the components.
        precision: Matrices that differ by less are the same.
    """

    def __init__(
        self, generators: np.ndarray, elements: np.ndarray, precision: float = PRECISION
    ):
        self._precision = precision
        self._commutant = intertwiners(generators, generators, precision)
        rows = generators.reshape(len(generators), -1)
        self._frame = np.linalg.qr(rows.T)[0].T.reshape(generators.shape)
        self._is_abelian = commute(self._frame)
        self._elements = elements
        self._representatives: list[np.ndarray] | None = None

    @property
    def representatives(self) -> list[np.ndarray]:
        """One element of each component, the identity first."""
        if self._representatives is None:
            found = [np.eye(self._frame[0].shape[0])]
            for known in found:
                for element in self._elements:
                    product = known @ element
                    if not any(self.is_connected(product, other) for other in found):
                        found.append(product)
                if len(found) > MOST_COMPONENTS:
                    raise ValueError(
                        f"The group has more than {MOST_COMPONENTS} components, too many "
                        "to look for an element in each"
                    )
            self._representatives = found
        return self._representatives

    def contains(self, matrix: np.ndarray) -> bool:
        """Whether a matrix is in one of the components."""
        return any(self.is_connected(matrix, other) for other in self.representatives)

    def is_connected(self, matrix: np.ndarray, other: np.ndarray) -> bool:
        """Whether a path `exp(X) exp(Y) ...` leads from one matrix to another."""
        from scipy.linalg import expm

        target = matrix @ np.linalg.inv(other)
        if abs(np.linalg.det(target)) < PRECISION or np.linalg.det(target) < 0:
            return False
        # What commutes with the algebra commutes with all that it is connected to.
        moved = self._commutant @ target - target @ self._commutant
        if np.max(np.abs(moved), initial=0) > 10 * self._precision * np.abs(target).max():
            return False
        rng = np.random.default_rng(0)
        for start in range(2 if self._is_abelian else STARTS):
            moved = target
            if start:
                mixture = rng.normal(size=len(self._frame))
                moved = expm(np.tensordot(2 * mixture, self._frame, 1)) @ target
            if self._reaches_identity(moved):
                return True
        return False

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

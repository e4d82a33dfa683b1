"""Quantities of affine canonical maps: polynomials of degree at most 2."""

import numpy as np

from keras_lconv._typing import MatricesLike
from keras_lconv.discovery.standard import Reach, standard_coordinates
from keras_lconv.physics.conservation.canonical import canonical_maps
from keras_lconv.physics.conservation.quantities import ConservedQuantity, quantity_of

# A coordinate is constant if it varies less, relative to its largest value. Nothing is
# differentiated here, so float64 resolves more than elsewhere.
SMALLEST_SPREAD = 1e-12


class AffineCandidates:
    """Quantities whose flows are affine maps.

    If all are searched, the quantities are monomials of standard coordinates, which have
    mean zero and second moments 1.

    Args:
        points: The points, `(N, 2n)`.
        search: The search space, or `None`.
        action: `"affine"` or `"linear"`.
    """

    def __init__(self, points: np.ndarray, search: MatricesLike | None, action: str):
        is_affine = action == "affine"
        standard = standard_coordinates(points, is_affine, SMALLEST_SPREAD)
        self._standard = standard
        self._is_standard = search is None
        if search is None:
            each = _monomials(len(standard.whiten), is_affine)
        else:
            maps = canonical_maps(search, points.shape[1], action)
            each = [quantity_of(one) for one in maps]
        self._quadratic = np.array([one.quadratic for one in each])
        self._linear = np.array([one.linear for one in each])
        self._mean = np.zeros(len(each))
        self._mean = np.mean(self.values(points), axis=0)

    @property
    def number(self) -> int:
        """The number of candidates."""
        return len(self._linear)

    def values(self, points: np.ndarray) -> np.ndarray:
        """The candidates `(N, p)` at points `(N, 2n)`, minus their mean at the first
        points.
        """
        if self._is_standard:
            points = (points - self._standard.mean) @ self._standard.whiten.T
        squares = np.einsum("na,pab,nb->np", points, self._quadratic, points, optimize=True)
        return squares / 2 + points @ self._linear.T - self._mean

    def combined(self, weights: np.ndarray) -> ConservedQuantity:
        """A mixture `(p,)` of the candidates as one quantity."""
        quadratic = np.tensordot(weights, self._quadratic, 1)
        linear = weights @ self._linear
        if not self._is_standard:
            return ConservedQuantity(quadratic, linear)
        whiten, mean = self._standard.whiten, self._standard.mean
        form = whiten.T @ quadratic @ whiten
        return ConservedQuantity(form, whiten.T @ linear - form @ mean)

    def reach(self, points: np.ndarray) -> Reach:
        """The range of points `(N, 2n)`, relative to the first ones."""
        return Reach.of(points, self._standard)

    def require_like(self, reach: Reach) -> None:
        """Raises an error if points are unlike the first ones."""
        reach.require_like(self._standard)


def _monomials(size: int, is_affine: bool) -> list[ConservedQuantity]:
    """All monomials of degree 2, and of degree 1 if maps are affine."""
    found = []
    for a in range(size):
        for b in range(a, size):
            quadratic = np.zeros((size, size))
            quadratic[a, b] = quadratic[b, a] = 1.0
            found.append(ConservedQuantity(quadratic, np.zeros(size)))
    if is_affine:
        found += [ConservedQuantity(np.zeros((size, size)), row) for row in np.eye(size)]
    return found

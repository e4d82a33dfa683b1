"""Conserved, drifting and decaying quantities, from sums over trajectories."""

from collections.abc import Callable
from dataclasses import replace
from typing import Generic

import numpy as np

from keras_lconv.discovery.null_space import NormalMatrices, NullSpace
from keras_lconv.physics.conservation.decay import decaying
from keras_lconv.physics.conservation.path_sums import TINY, PathSums
from keras_lconv.physics.conservation.quantities import Drift, Q

# A quantity drifts if a straight line explains the first share of its variation along
# trajectories. It is not conserved if the drift is the second part of its spread.
LINEAR_SHARE = 0.5
SMALLEST_DRIFT = 1e-4
# Noise must be a smaller part than this of the variation of quantities along trajectories.
LARGEST_NOISE = 0.05
# Mixtures whose squares are smaller, relative to the largest, are constant.
SMALLEST_VARIATION = 1e-12


class Motion(Generic[Q]):
    """The variation of quantities along trajectories.

    Args:
        sums: Sums over trajectories, of the quantities.
        combined: Makes a quantity from a mixture `(p,)` of them.
    """

    def __init__(self, sums: PathSums, combined: Callable[[np.ndarray], Q]):
        self._sums, self._scales = sums.standardised()
        self._values = self._sums.points.sum(axis=0)[:-1, :-1]
        self._along = self._sums.along.sum(axis=0)
        self._combined = combined
        # A larger share would mean that the motion is too fast to be distinguished from
        # noise.
        noise = float(np.trace(self._sums.noise.sum(axis=0)))
        self._share = noise / max(float(np.trace(self._along)), TINY)
        # The unit is the variance over all points. It separates quantities that are
        # constant along trajectories from those that are nearly constant everywhere.
        self._system = NormalMatrices.of(
            self._sums.along - (0.0 if self.is_rough else self._sums.noise),
            self._sums.points[:, :-1, :-1],
            self._sums.num_points,
        )

    @property
    def is_rough(self) -> bool:
        """Whether there is too much noise to distinguish it from the motion."""
        return self._share >= LARGEST_NOISE

    def solve(self, dimension: int | None) -> NullSpace:
        """The mixtures of the candidates that vary between trajectories only."""
        space = self._system.solve(dimension)
        if not self.is_rough or dimension is not None:
            return space
        return replace(space, confidence=space.confidence * LARGEST_NOISE / self._share)

    @property
    def varies(self) -> bool:
        """Whether no mixture of the quantities is constant over all points.

        If one is constant, such as the energy of trajectories on one circle, the data
        cannot tell whether it is conserved.
        """
        moving = np.flatnonzero(self._scales)
        squares = np.linalg.eigvalsh(self._values[np.ix_(moving, moving)])
        return bool(squares[0] > SMALLEST_VARIATION * squares[-1])

    def mixtures(self, basis: np.ndarray) -> np.ndarray:
        """Columns `(p, d)` of a null space as mixtures `(d, p)` of the quantities."""
        return basis.T * self._scales

    def parts(self, mixtures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How well mixtures `(K, p)` of the quantities are conserved."""
        scales = np.where(self._scales > 0, self._scales, 1.0)
        return self._system.parts(mixtures / scales)

    def without_drift(self, basis: np.ndarray) -> tuple[np.ndarray, list[Drift[Q]]]:
        """The part of a null space `(p, d)` that does not drift, and the part that does."""
        if not basis.shape[1]:
            return basis, []
        # They are sorted by their drift, so that one without drift does not mix with
        # others.
        basis = basis @ self._drift_directions(basis)
        drifts = self._drifts(basis)
        kept = [number for number, drift in enumerate(drifts) if drift is None]
        return basis[:, kept], [drift for drift in drifts if drift is not None]

    def decaying(self) -> list[Drift[Q]]:
        """The quantities that decay or grow exponentially, faster than a straight line
        describes.
        """
        mixtures, rates = decaying(self._sums)
        sizes = np.sqrt(_squares(self._along, mixtures) / _squares(self._values, mixtures))
        return [
            Drift(self.combined(mixture), float(rate), float(size))
            for mixture, rate, size in zip(mixtures.T, rates, sizes, strict=True)
        ]

    def _drift_directions(self, basis: np.ndarray) -> np.ndarray:
        line = basis.T @ self._sums.lines @ basis
        spread = basis.T @ self._values @ basis
        root = np.linalg.cholesky(spread + 1e-12 * np.trace(spread) * np.eye(len(spread)))
        inverse = np.linalg.inv(root)
        return inverse.T @ np.linalg.eigh(inverse @ line @ inverse.T)[1]

    def _drifts(self, basis: np.ndarray) -> list[Drift[Q] | None]:
        """The drift of each mixture `(p, d)`, if it is more than noise."""
        p = len(basis)
        lines = _squares(self._sums.lines, basis)
        share = lines / np.maximum(_squares(self._along, basis), TINY)
        size = np.sqrt(lines / np.maximum(_squares(self._values, basis), TINY))
        means, slopes = self._sums.paths[:p, :p], self._sums.paths[p + 1 :, :p]
        rate = -np.sum(basis * (slopes @ basis), axis=0)
        rate = rate / np.maximum(_squares(means, basis), TINY)
        drifts = (share >= LINEAR_SHARE) & (size >= SMALLEST_DRIFT)
        return [
            Drift(self.combined(basis[:, k]), float(rate[k]), float(size[k]))
            if drifts[k]
            else None
            for k in range(basis.shape[1])
        ]

    def combined(self, column: np.ndarray) -> Q:
        """A mixture `(p,)` of the candidates in units of spread 1, as one quantity."""
        return self._combined(self._scales * column)


def _squares(products: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Sums of squares of mixtures `(p, d)`, from those of products `(p, p)`."""
    return np.maximum(np.sum(columns * (products @ columns), axis=0), 0.0)

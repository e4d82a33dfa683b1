"""How quantities vary along trajectories, and between them."""

from typing import Any

import numpy as np

from keras_lconv.discovery.null_space import NormalMatrices, NullSpace
from keras_lconv.discovery.standard import Standard, standard_coordinates
from keras_lconv.physics.conservation.canonical import canonical_maps
from keras_lconv.physics.conservation.quantities import (
    ConservedQuantity,
    Drift,
    quantity_of,
)

# A quantity drifts if a straight line explains this share of how it varies along
# trajectories, and is not conserved if it does so by this part of its spread.
LINEAR_SHARE = 0.5
SMALLEST_DRIFT = 1e-4
# Trajectories with fewer points say nothing about noise; and what is taken for it must be
# a smaller part of how quantities vary along trajectories.
SMOOTH_POINTS = 10
LARGEST_NOISE = 0.05
# The estimate errs: so much of it is taken off.
SURE_NOISE = 0.9
TINY = float(np.finfo("float64").tiny)


class Motion:
    """Values of quantities along trajectories, and what varies of them.

    Where all quantities are searched they are monomials of standard coordinates, which have
    mean zero and second moments 1.

    Args:
        paths: Points `(times, 2n)` of each trajectory.
        clocks: Times `(times,)` of each trajectory.
        search: Where to search, or `None`.
        action: `"affine"` or `"linear"`.
    """

    def __init__(
        self, paths: list[np.ndarray], clocks: list[np.ndarray], search: Any, action: str
    ):
        size = paths[0].shape[1]
        self._standard: Standard | None = None
        if search is None:
            points = np.concatenate(paths)
            standard = self._standard = standard_coordinates(points, action == "affine")
            paths = [(path - standard.mean) @ standard.whiten.T for path in paths]
            self._candidates = _monomials(paths[0].shape[1], action == "affine")
        else:
            maps = canonical_maps(search, size, action)
            self._candidates = [quantity_of(each) for each in maps]
        values = [np.stack([g(path) for g in self._candidates], axis=-1) for path in paths]
        total = np.mean(np.concatenate(values), axis=0)
        values = [own - total for own in values]
        sizes = np.sqrt(np.mean(np.concatenate(values) ** 2, axis=0))
        self._scales = np.divide(1.0, sizes, out=np.zeros_like(sizes), where=sizes > 0)
        self._values = [own * self._scales for own in values]
        self._clocks = clocks

    def solve(self, dimension: int | None) -> NullSpace:
        """What varies between trajectories only, as mixtures of the candidates."""
        system = NormalMatrices(len(self._candidates))
        along = [own - own.mean(axis=0) for own in self._values]
        noise = [_noise(own) for own in self._values]
        total, part = (sum(np.sum(each**2) for each in rows) for rows in (along, noise))
        # If it were more, the motion would be too fast to be told from noise.
        is_small = part < LARGEST_NOISE * total
        for own, moved, rough in zip(self._values, along, noise, strict=True):
            # Against the variance over all points, what is constant along trajectories is
            # told from what is nearly constant everywhere.
            spurious = rough[None] if is_small else None
            system.add(moved[None], (own.T @ own)[None], noise=spurious)
        return system.solve(dimension)

    def without_drift(self, basis: np.ndarray) -> tuple[np.ndarray, list[Drift]]:
        """What of a null space `(p, d)` does not drift, and what does."""
        if not basis.shape[1]:
            return basis, []
        kept, drifting = [], []
        # Ordered by how much they drift, so that one that does not is no mixture.
        for column in (basis @ self._drift_directions(basis)).T:
            drift = self._drift(column)
            if drift is None:
                kept.append(column)
            else:
                drifting.append(drift)
        return np.array(kept).reshape(-1, len(basis)).T, drifting

    def _drift_directions(self, basis: np.ndarray) -> np.ndarray:
        lines = np.zeros((basis.shape[1], basis.shape[1]))
        spread = np.zeros_like(lines)
        for own, clock in zip(self._values, self._clocks, strict=True):
            mixed = own @ basis
            line = _line(mixed, clock)
            lines += line.T @ line
            spread += mixed.T @ mixed
        root = np.linalg.cholesky(spread + 1e-12 * np.trace(spread) * np.eye(len(spread)))
        inverse = np.linalg.inv(root)
        return inverse.T @ np.linalg.eigh(inverse @ lines @ inverse.T)[1]

    def _drift(self, column: np.ndarray) -> Drift | None:
        """The drift of one mixture, if it is more than noise."""
        lines = along = spread = products = squares = 0.0
        for own, clock in zip(self._values, self._clocks, strict=True):
            value = own @ column
            line = _line(value[:, None], clock)[:, 0]
            lines += float(np.sum(line**2))
            along += float(np.sum((value - value.mean()) ** 2))
            spread += float(np.sum(value**2))
            duration = max(float(np.ptp(clock)), TINY)
            slope = float(line[-1] - line[0]) / duration
            products += slope * value.mean()
            squares += value.mean() ** 2
        share, size = lines / max(along, TINY), np.sqrt(lines / max(spread, TINY))
        if share < LINEAR_SHARE or size < SMALLEST_DRIFT:
            return None
        return Drift(self.combined(column), -products / max(squares, TINY), float(size))

    def combined(self, column: np.ndarray) -> ConservedQuantity:
        """A mixture `(p,)` of the candidates in units of spread 1, as one quantity."""
        weights = self._scales * column
        quadratic = sum(
            weight * each.quadratic
            for weight, each in zip(weights, self._candidates, strict=True)
        )
        linear = sum(
            weight * each.linear
            for weight, each in zip(weights, self._candidates, strict=True)
        )
        if self._standard is None:
            return ConservedQuantity(np.asarray(quadratic), np.asarray(linear))
        whiten, mean = self._standard.whiten, self._standard.mean
        quadratic = whiten.T @ quadratic @ whiten
        return ConservedQuantity(quadratic, whiten.T @ linear - quadratic @ mean)


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


def _noise(values: np.ndarray) -> np.ndarray:
    """Rows whose squares are about those of the noise in values `(times, p)`.

    Differences of fourth order leave little of what is smooth, and 70 times the variance of
    what differs from time to time.
    """
    if len(values) < SMOOTH_POINTS:
        return np.zeros((1, values.shape[1]))
    rough = np.diff(values, n=4, axis=0) / np.sqrt(70)
    return rough * np.sqrt(SURE_NOISE * len(values) / len(rough))


def _line(values: np.ndarray, clock: np.ndarray) -> np.ndarray:
    """The straight lines in time through values `(times, d)`, about their mean."""
    time = clock - clock.mean()
    square = float(time @ time)
    if square == 0:
        return np.zeros_like(values)
    return np.outer(time, time @ values) / square

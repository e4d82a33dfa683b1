"""The variation of quantities along trajectories and between them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Generic

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from keras_lconv._typing import MatricesLike
from keras_lconv.discovery.null_space import NUM_GROUPS, NormalMatrices, NullSpace
from keras_lconv.discovery.standard import standard_coordinates
from keras_lconv.physics.conservation.canonical import canonical_maps
from keras_lconv.physics.conservation.decay import decaying
from keras_lconv.physics.conservation.quantities import (
    ConservedQuantity,
    Drift,
    Q,
    quantity_of,
)

# A quantity drifts if a straight line explains the first share of its variation along
# trajectories. It is not conserved if the drift is the second part of its spread.
LINEAR_SHARE = 0.5
SMALLEST_DRIFT = 1e-4
# Trajectories with fewer points tell nothing about noise. Noise must be a smaller part of
# the variation of quantities along trajectories.
SMOOTH_POINTS = 10
LARGEST_NOISE = 0.05
# The estimate of the noise has errors, so only this part of it is subtracted.
SURE_NOISE = 0.9
# A coordinate is constant if it varies less, relative to its largest value. Nothing is
# differentiated here, so float64 resolves more than elsewhere.
SMALLEST_SPREAD = 1e-12
# Mixtures whose squares are smaller, relative to the largest, are constant.
SMALLEST_VARIATION = 1e-12
TINY = float(np.finfo("float64").tiny)


class Motion(Generic[Q]):
    """Values of quantities along trajectories, and their variation.

    Args:
        values: The quantities at all points, `(points, p)`, one trajectory after the other.
        clocks: Times `(times,)` of each trajectory.
        combined: Makes a quantity from a mixture `(p,)` of them.
    """

    def __init__(
        self,
        values: np.ndarray,
        clocks: list[np.ndarray],
        combined: Callable[[np.ndarray], Q],
    ):
        self._along = _Along([len(clock) for clock in clocks])
        values = values - np.mean(values, axis=0)
        sizes = np.sqrt(np.mean(values**2, axis=0))
        self._scales = np.divide(1.0, sizes, out=np.zeros_like(sizes), where=sizes > 0)
        self._values, self._clock = values * self._scales, np.concatenate(clocks)
        self._combined = combined
        self._system = NormalMatrices(self._values.shape[1])
        self.is_rough = False

    def solve(self, dimension: int | None) -> NullSpace:
        """The mixtures of the candidates that vary between trajectories only."""
        system = self._system = NormalMatrices(self._values.shape[1])
        along = self._along.centred(self._values)
        noise = self._along.noise(self._values, self._clock)
        # A larger share would mean that the motion is too fast to be distinguished from
        # noise.
        share = float(np.sum(noise**2)) / max(float(np.sum(along**2)), TINY)
        self.is_rough = share >= LARGEST_NOISE
        # All trajectories of a group at once, in the order of the groups.
        points = np.arange(len(along))
        for group in range(min(NUM_GROUPS, len(self._along.slices))):
            rows = np.concatenate(
                [points[s] for s in self._along.slices[group::NUM_GROUPS]]
            )
            own = self._values[rows]
            # The unit is the variance over all points. It separates quantities that are
            # constant along trajectories from those that are nearly constant everywhere.
            spurious = None if self.is_rough else noise[None, rows]
            system.add(along[None, rows], (own.T @ own)[None], noise=spurious)
        space = system.solve(dimension)
        if not self.is_rough or dimension is not None:
            return space
        return replace(space, confidence=space.confidence * LARGEST_NOISE / share)

    @property
    def varies(self) -> bool:
        """Whether no mixture of the quantities is constant over all points.

        If one is constant, such as the energy of trajectories on one circle, the data
        cannot tell whether it is conserved.
        """
        values = self._values[:, self._scales > 0]
        squares = np.linalg.eigvalsh(values.T @ values)
        return bool(squares[0] > SMALLEST_VARIATION * squares[-1])

    def mixtures(self, basis: np.ndarray) -> np.ndarray:
        """Columns `(p, d)` of a null space as mixtures `(d, p)` of the quantities."""
        return basis.T * self._scales

    def parts(self, mixtures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How well mixtures `(K, p)` of the quantities are conserved, after `solve`."""
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
        mixtures, rates = decaying(self._values, self._along.slices, self._clock)
        mixed = self._values @ mixtures
        sizes = np.std(self._along.centred(mixed), axis=0) / np.std(mixed, axis=0)
        return [
            Drift(self.combined(mixture), float(rate), float(size))
            for mixture, rate, size in zip(mixtures.T, rates, sizes, strict=True)
        ]

    def _drift_directions(self, basis: np.ndarray) -> np.ndarray:
        mixed = self._values @ basis
        line, spread = self._along.lines(mixed, self._clock), mixed.T @ mixed
        root = np.linalg.cholesky(spread + 1e-12 * np.trace(spread) * np.eye(len(spread)))
        inverse = np.linalg.inv(root)
        return inverse.T @ np.linalg.eigh(inverse @ line.T @ line @ inverse.T)[1]

    def _drifts(self, basis: np.ndarray) -> list[Drift[Q] | None]:
        """The drift of each mixture `(p, d)`, if it is more than noise."""
        mixed = self._values @ basis
        means, centred = self._along.means(mixed), self._along.centred(mixed)
        line = self._along.lines(mixed, self._clock)
        lines = np.sum(line**2, axis=0)
        share = lines / np.maximum(np.sum(centred**2, axis=0), TINY)
        size = np.sqrt(lines / np.maximum(np.sum(mixed**2, axis=0), TINY))
        slopes = self._along.slopes(mixed, self._clock)
        rate = -np.sum(slopes * means, axis=0) / np.maximum(np.sum(means**2, axis=0), TINY)
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


def affine_motion(
    paths: list[np.ndarray],
    clocks: list[np.ndarray],
    search: MatricesLike | None,
    action: str,
) -> Motion[ConservedQuantity]:
    """Motion with the quantities of affine canonical maps.

    If all are searched, the quantities are monomials of standard coordinates, which have
    mean zero and second moments 1.

    Args:
        paths: Points `(times, 2n)` of each trajectory.
        clocks: Times `(times,)` of each trajectory.
        search: The search space, or `None`.
        action: `"affine"` or `"linear"`.
    """
    points, standard = np.concatenate(paths), None
    if search is None:
        standard = standard_coordinates(points, action == "affine", SMALLEST_SPREAD)
        points = (points - standard.mean) @ standard.whiten.T
        candidates = _monomials(points.shape[1], action == "affine")
    else:
        maps = canonical_maps(search, points.shape[1], action)
        candidates = [quantity_of(each) for each in maps]
    found: list[Any] = [quantity(points) for quantity in candidates]
    quadratic = np.array([each.quadratic for each in candidates])
    linear = np.array([each.linear for each in candidates])

    def combined(weights: np.ndarray) -> ConservedQuantity:
        mixed = np.tensordot(weights, quadratic, 1), weights @ linear
        if standard is None:
            return ConservedQuantity(*mixed)
        whiten, mean = standard.whiten, standard.mean
        form = whiten.T @ mixed[0] @ whiten
        return ConservedQuantity(form, whiten.T @ mixed[1] - form @ mean)

    return Motion(np.stack(found, axis=-1), clocks, combined)


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


class _Along:
    """Statistics of values `(points, p)` along trajectories, which come one after the
    other.

    Args:
        lengths: The number of points of each trajectory.
    """

    def __init__(self, lengths: list[int]):
        self._lengths = np.array(lengths)
        self._ends = np.cumsum(self._lengths)
        self._starts = self._ends - self._lengths

    @property
    def slices(self) -> list[slice]:
        """The points of each trajectory."""
        return [slice(*ends) for ends in zip(self._starts, self._ends, strict=True)]

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums over each trajectory, `(trajectories, p)`."""
        return np.add.reduceat(values, self._starts, axis=0)

    def means(self, values: np.ndarray) -> np.ndarray:
        """Means over each trajectory, `(trajectories, p)`."""
        return self.sums(values) / self._lengths[:, None]

    def centred(self, values: np.ndarray) -> np.ndarray:
        """Values minus the mean over each trajectory, `(points, p)`."""
        return values - np.repeat(self.means(values), self._lengths, axis=0)

    def slopes(self, values: np.ndarray, clock: np.ndarray) -> np.ndarray:
        """Slopes in time of the straight lines through values, `(trajectories, p)`."""
        time = self.centred(clock[:, None])
        squares = self.sums(time**2)
        return self.sums(time * values) / np.where(squares > 0, squares, 1.0)

    def lines(self, values: np.ndarray, clock: np.ndarray) -> np.ndarray:
        """These lines, about the mean over each trajectory, `(points, p)`."""
        slopes = np.repeat(self.slopes(values, clock), self._lengths, axis=0)
        return self.centred(clock[:, None]) * slopes

    def noise(self, values: np.ndarray, clock: np.ndarray) -> np.ndarray:
        """Rows whose squares approximate those of the noise in values, `(points, p)`.

        Differences of fourth order, divided if times are not even, leave little of smooth
        functions. With weights of norm 1 they keep the variance of noise.
        """
        rough, order = np.zeros_like(values), 4
        if len(values) > order:
            weights = _divided_differences(clock, order)
            windows = sliding_window_view(values, order + 1, axis=0)
            rough[:-order] = np.einsum("sk,spk->sp", weights, windows)
        # The last differences reach into the next trajectory.
        left = np.repeat(self._ends, self._lengths) - np.arange(len(values))
        rows = np.maximum(self._lengths - order, 1)
        factors = np.sqrt(SURE_NOISE * self._lengths / rows)
        factors = np.where(self._lengths < SMOOTH_POINTS, 0.0, factors)
        return (
            rough * np.where(left > order, np.repeat(factors, self._lengths), 0.0)[:, None]
        )


def _divided_differences(clock: np.ndarray, order: int) -> np.ndarray:
    """Weights of norm 1 that map polynomials of a lower degree to zero.

    Args:
        clock: Times `(n,)`.
        order: The order.

    Returns:
        Array `(n - order, order + 1)`, zeros where two times are the same.
    """
    windows = sliding_window_view(clock, order + 1)
    apart = windows[:, :, None] - windows[:, None]
    apart = apart / np.maximum(np.ptp(windows, axis=1), TINY)[:, None, None]
    products = np.prod(apart + np.eye(order + 1), axis=2)
    differ = np.all(products != 0, axis=1)
    weights = np.divide(1.0, products, out=np.zeros_like(products), where=differ[:, None])
    return weights / np.maximum(np.linalg.norm(weights, axis=1), TINY)[:, None]

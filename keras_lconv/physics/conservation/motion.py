"""How quantities vary along trajectories, and between them."""

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
# A coordinate that varies less, relative to its largest value, does not vary: nothing is
# differentiated here, and float64 has some more digits.
SMALLEST_SPREAD = 1e-12
# Mixtures whose squares are smaller, relative to the largest, do not vary.
SMALLEST_VARIATION = 1e-12
TINY = float(np.finfo("float64").tiny)


class Motion(Generic[Q]):
    """Values of quantities along trajectories, and what varies of them.

    Args:
        values: The quantities at all points, `(points, p)`, one trajectory after the other.
        clocks: Times `(times,)` of each trajectory.
        combined: Makes a quantity of a mixture `(p,)` of them.
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
        """What varies between trajectories only, as mixtures of the candidates."""
        system = self._system = NormalMatrices(self._values.shape[1])
        along = self._along.centred(self._values)
        noise = self._along.noise(self._values, self._clock)
        # If it were more, the motion would be too fast to be told from noise.
        share = float(np.sum(noise**2)) / max(float(np.sum(along**2)), TINY)
        self.is_rough = share >= LARGEST_NOISE
        # All trajectories of a group at once, in the order in which they are dealt out.
        points = np.arange(len(along))
        for group in range(min(NUM_GROUPS, len(self._along.slices))):
            rows = np.concatenate(
                [points[s] for s in self._along.slices[group::NUM_GROUPS]]
            )
            own = self._values[rows]
            # Against the variance over all points, what is constant along trajectories is
            # told from what is nearly constant everywhere.
            spurious = None if self.is_rough else noise[None, rows]
            system.add(along[None, rows], (own.T @ own)[None], noise=spurious)
        space = system.solve(dimension)
        if not self.is_rough or dimension is not None:
            return space
        return replace(space, confidence=space.confidence * LARGEST_NOISE / share)

    @property
    def varies(self) -> bool:
        """Whether no mixture of the quantities is the same at all points.

        Of one that is, such as the energy of trajectories on one circle, nobody can tell
        whether it is conserved.
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
        """What of a null space `(p, d)` does not drift, and what does."""
        if not basis.shape[1]:
            return basis, []
        # Ordered by how much they drift, so that one that does not is no mixture.
        basis = basis @ self._drift_directions(basis)
        drifts = self._drifts(basis)
        kept = [number for number, drift in enumerate(drifts) if drift is None]
        return basis[:, kept], [drift for drift in drifts if drift is not None]

    def decaying(self) -> list[Drift[Q]]:
        """What decays or grows exponentially, faster than a straight line describes."""
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
        """The drift of each mixture `(p, d)`, where it is more than noise."""
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

    Where all are searched they are monomials of standard coordinates, which have mean zero
    and second moments 1.

    Args:
        paths: Points `(times, 2n)` of each trajectory.
        clocks: Times `(times,)` of each trajectory.
        search: Where to search, or `None`.
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
    """What values `(points, p)` do along trajectories, one after the other.

    Args:
        lengths: The number of points of each.
    """

    def __init__(self, lengths: list[int]):
        self._lengths = np.array(lengths)
        self._ends = np.cumsum(self._lengths)
        self._starts = self._ends - self._lengths

    @property
    def slices(self) -> list[slice]:
        """The points of each."""
        return [slice(*ends) for ends in zip(self._starts, self._ends, strict=True)]

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums over each, `(trajectories, p)`."""
        return np.add.reduceat(values, self._starts, axis=0)

    def means(self, values: np.ndarray) -> np.ndarray:
        """Means over each, `(trajectories, p)`."""
        return self.sums(values) / self._lengths[:, None]

    def centred(self, values: np.ndarray) -> np.ndarray:
        """What differs from the mean over each, `(points, p)`."""
        return values - np.repeat(self.means(values), self._lengths, axis=0)

    def slopes(self, values: np.ndarray, clock: np.ndarray) -> np.ndarray:
        """Slopes in time of the straight lines through values, `(trajectories, p)`."""
        time = self.centred(clock[:, None])
        squares = self.sums(time**2)
        return self.sums(time * values) / np.where(squares > 0, squares, 1.0)

    def lines(self, values: np.ndarray, clock: np.ndarray) -> np.ndarray:
        """These lines, about the mean over each, `(points, p)`."""
        slopes = np.repeat(self.slopes(values, clock), self._lengths, axis=0)
        return self.centred(clock[:, None]) * slopes

    def noise(self, values: np.ndarray, clock: np.ndarray) -> np.ndarray:
        """Rows whose squares are about those of the noise in values, `(points, p)`.

        Differences of fourth order, divided where times are not even, leave little of what
        is smooth. With weights of norm 1 they keep the variance of what differs from time
        to time.
        """
        rough, order = np.zeros_like(values), 4
        if len(values) > order:
            weights = _divided_differences(clock, order)
            windows = sliding_window_view(values, order + 1, axis=0)
            rough[:-order] = np.einsum("sk,spk->sp", weights, windows)
        # The last ones reach into the next trajectory.
        left = np.repeat(self._ends, self._lengths) - np.arange(len(values))
        rows = np.maximum(self._lengths - order, 1)
        factors = np.sqrt(SURE_NOISE * self._lengths / rows)
        factors = np.where(self._lengths < SMOOTH_POINTS, 0.0, factors)
        return (
            rough * np.where(left > order, np.repeat(factors, self._lengths), 0.0)[:, None]
        )


def _divided_differences(clock: np.ndarray, order: int) -> np.ndarray:
    """Weights of norm 1 that take polynomials of a lower degree to zero.

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

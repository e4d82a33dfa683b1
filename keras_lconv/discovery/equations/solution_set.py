"""Jets on the solution set of equations."""

import itertools
from collections.abc import Callable

import numpy as np

from keras_lconv.discovery.equations.equation import Equations, along, differences

# Newton's method, for jets in units of 1.
MAX_STEPS, LONGEST_STEP, LONGEST_WAY = 15, 1.0, 4.0
# Steps go on until jets are so many times closer than they have to be.
EXACT = 1e-4
# Of the jets so many must reach the solution set.
LEAST_KEPT = 0.2
# Singular values of derivatives below this part of the largest are rounding.
RANK = 1e-7
# Averages of solutions of a linear equation miss it by rounding, others by more.
LINEAR = 1e-6

Residual = Callable[[np.ndarray], np.ndarray]


class SolutionSet:
    """The jets that solve equations, and what follows from these by differentiation.

    Equations of lower order than the highest one are differentiated up to that order: a
    solution has no other jets. What follows from several equations together only, as the
    one for the pressure from those of incompressible flow, is not looked for.

    Args:
        equations: The equations.
        jets: Some jets where they have values, `(n, size)`.
        scales: The size of each coordinate, `(size,)`, the unit of steps.
    """

    def __init__(self, equations: Equations, jets: np.ndarray, scales: np.ndarray):
        self.equations, self.scales = equations, scales
        # Jet by jet: near a pole of one coefficient all others would seem to be zero.
        influences = equations.influences(jets, scales)
        depends = np.any(np.nan_to_num(influences) > 0, axis=0)
        if not np.all(np.any(depends, axis=1)):
            number = int(np.argmin(np.any(depends, axis=1)))
            raise ValueError(
                "`equation` must depend on derivatives, each of several ones. Received: "
                f"the same for all jets, or no number, in place {number} of "
                f"{equations.size}. `ranges` says between which values variables and "
                "derivatives are drawn"
            )
        space = equations.space
        #: The order of each equation.
        self.orders = np.max(np.where(depends, space.orders, 0), axis=1)
        axes = range(len(space.independent))
        self._consequences = [
            self._differentiated(number, sequence)
            for number, order in enumerate(self.orders)
            for times in range(1, space.order - order + 1)
            for sequence in itertools.combinations_with_replacement(axes, times)
        ]
        self._is_free = np.arange(space.size) >= len(space.independent)

    def _differentiated(self, number: int, axes: tuple[int, ...]) -> Residual:
        """The total derivative of an equation along axes."""

        def values(jets: np.ndarray) -> np.ndarray:
            return self.equations.values(jets)[:, number]

        def derivative(function: Residual, axis: int) -> Residual:
            def along_axis(jets: np.ndarray) -> np.ndarray:
                directions = self.equations.space.total_derivatives(jets)[:, axis]
                unit = self.scales[axis]
                return along(function, jets, unit * directions) / unit

            return along_axis

        function: Residual = values
        for axis in axes:
            function = derivative(function, axis)
        return function

    def residual(self, jets: np.ndarray) -> np.ndarray:
        """All that is zero on the solution set, at jets `(n, size)`."""
        own = self.equations.values(jets)
        more = [function(jets)[:, None] for function in self._consequences]
        return np.concatenate([own, *more], axis=1)

    def nearest(self, jets: np.ndarray) -> np.ndarray:
        """Jets of solutions at the same points: those of `jets` that reach some.

        Args:
            jets: Array `(n, size)` to start from.

        Returns:
            Array `(m, size)`.

        Raises:
            ValueError: If few do.
        """
        reached, kept = self._newton(jets)
        if np.mean(kept) < LEAST_KEPT:
            raise ValueError(
                "`equation` must have solutions near most jets. Received: one that "
                f"{np.mean(kept):.0%} of {len(jets)} random jets reach. If it is a square, "
                "take its root; if it has solutions for other values only, `ranges` says "
                "between which ones variables and derivatives are drawn"
            )
        return reached[kept]

    def is_near(self, jets: np.ndarray) -> bool:
        """Whether enough of some jets reach solutions."""
        return bool(np.mean(self._newton(jets)[1]) >= LEAST_KEPT)

    def _newton(self, jets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Jets moved by shortest steps, and whether each reaches the solution set.

        It needs no leading derivative, so that the highest ones may come in any way.
        """
        start, jets = jets, jets.copy()
        free = np.flatnonzero(self._is_free)
        units, limit = self.scales[free], self.equations.precision
        distance = np.full(len(jets), np.inf)
        moving = np.arange(len(jets))
        for _ in range(MAX_STEPS):
            residual, slopes = self.residual(jets[moving]), self._slopes(jets[moving])
            sizes = np.linalg.norm(slopes, axis=2)
            usable = np.all(np.isfinite(sizes) & (sizes > 0), axis=1)
            usable &= np.all(np.isfinite(residual), axis=1)
            moving, scaled = moving[usable], residual[usable] / sizes[usable]
            distance[moving] = np.max(np.abs(scaled), axis=1)
            rows = slopes[usable] / sizes[usable, :, None]
            is_far = distance[moving] > limit * EXACT
            moving, scaled, rows = moving[is_far], scaled[is_far], rows[is_far]
            if not len(moving):
                break
            step = -np.einsum("nkm,nm->nk", np.linalg.pinv(rows, rcond=RANK), scaled)
            length = np.linalg.norm(step, axis=1, keepdims=True)
            step *= LONGEST_STEP / np.maximum(length, LONGEST_STEP)
            jets[np.ix_(moving, free)] += step * units
        way = np.linalg.norm((jets - start)[:, free] / units, axis=1)
        return jets, (distance <= limit) & (way <= LONGEST_WAY)

    def _slopes(self, jets: np.ndarray) -> np.ndarray:
        """Derivatives of the residual by all but the point, in units of the coordinates."""
        return differences(self.residual, jets, np.diag(self.scales)[self._is_free])

    def is_linear(self, jets: np.ndarray) -> bool:
        """Whether averages of jets of solutions at the same points solve the equations."""
        other = jets.copy()
        other[:, self._is_free] = np.roll(jets[:, self._is_free], 1, axis=0)
        (first, reached), (second, also) = self._newton(jets), self._newton(other)
        both = reached & also
        middle = (first[both] + second[both]) / 2
        with np.errstate(all="ignore"):
            sizes = np.linalg.norm(self._slopes(middle), axis=2)
            distance = np.abs(self.residual(middle)) / sizes
        limit = max(LINEAR, 10 * self.equations.precision)
        return bool(np.any(both)) and bool(np.nanmax(distance) < limit)

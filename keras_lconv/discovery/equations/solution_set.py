"""Jets on the solution set of equations."""

import itertools
from collections.abc import Callable

import numpy as np

from keras_lconv.discovery.equations.equation import Equations, along, differences

# Newton's method, for jets in units of 1.
MAX_STEPS, LONGEST_STEP, LONGEST_WAY = 15, 1.0, 4.0
# Steps continue until jets are this many times closer than necessary.
EXACT = 1e-4
# At least this share of the jets must reach the solution set.
LEAST_KEPT = 0.2
# Singular values of derivatives below this part of the largest are rounding.
RANK = 1e-7
# Averages of solutions of a linear equation miss it by rounding only.
LINEAR = 1e-6

Residual = Callable[[np.ndarray], np.ndarray]


class SolutionSet:
    """The jets that solve equations and their total derivatives.

    Equations of lower order are differentiated up to the highest order, because jets of
    solutions meet these as well. Equations that follow only from several together are not
    searched, such as the equation for the pressure of an incompressible flow.

    Args:
        equations: The equations.
        jets: Some jets at which they have values, `(n, size)`.
        scales: The size of each coordinate, `(size,)`, the unit of steps.
    """

    def __init__(self, equations: Equations, jets: np.ndarray, scales: np.ndarray):
        self.equations, self.scales = equations, scales
        # This compares jet by jet. Near a pole of one coefficient all others would seem to
        # be zero.
        influences = equations.influences(jets, scales)
        depends = np.any(np.nan_to_num(influences) > 0, axis=0)
        if not np.all(np.any(depends, axis=1)):
            number = int(np.argmin(np.any(depends, axis=1)))
            raise ValueError(
                "Each `equation` must depend on derivatives. Received: a constant, or no "
                f"number, at all jets, in place {number} of {equations.size}. Give "
                "`ranges` of variables and derivatives"
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
        """The total derivative of an equation along some axes."""

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
        """The values at jets `(n, size)` of all functions that vanish on the
        solution set.
        """
        own = self.equations.values(jets)
        more = [function(jets)[:, None] for function in self._consequences]
        return np.concatenate([own, *more], axis=1)

    def nearest(self, jets: np.ndarray) -> np.ndarray:
        """Jets of solutions at the same points, for the `jets` that reach one.

        Args:
            jets: The starts, `(n, size)`.

        Returns:
            Array `(m, size)`.

        Raises:
            ValueError: If few jets reach a solution.
        """
        reached, kept = self._newton(jets)
        if np.mean(kept) < LEAST_KEPT:
            raise ValueError(
                "`equation` must have solutions near most jets. Received: an equation "
                f"that {np.mean(kept):.0%} of {len(jets)} random jets reach. If it is a "
                "square, take its root. If it has solutions for other values only, give "
                "`ranges` of variables and derivatives"
            )
        return reached[kept]

    def is_near(self, jets: np.ndarray) -> bool:
        """Whether enough of the given jets reach solutions."""
        return bool(np.mean(self._newton(jets)[1]) >= LEAST_KEPT)

    def _newton(self, jets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Jets moved by shortest steps, and whether each reaches the solution set.

        It needs no leading derivative, so the highest derivatives may occur in any form.
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
        """Derivatives of the residual by all coordinates except the point, in units of
        these.
        """
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

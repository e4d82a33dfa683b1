"""Derivatives of data along an axis of a grid, with as much smoothing as noise needs."""

import math

import numpy as np

# Splines have this degree, so derivatives up to order 4 stay smooth.
DEGREE = 7
# The numbers of parameters that are tried: from the first one for each point, each smaller
# by a factor.
FEWER, MOST_PER_POINT = 1.25, 2 / 3
# The least numbers of parameters: one wave, or a cubic polynomial.
LEAST_PERIODIC, LEAST = 3, 4
# The number of lines from which noise is estimated.
LINES_ASKED = 200
# Steps of a uniform grid differ by rounding only.
UNIFORM = 1e-6


class AxisFit:
    """Curves along an axis, fitted with some number of parameters.

    Along a periodic axis they are trigonometric polynomials, and along others splines of
    degree 7 with knots among the points, so that steps need not be equal. The number of
    parameters `m` is the one of least generalized cross-validation, `RSS / (n - m)^2`:
    nearly all that `n` points allow if there is no noise.

    Args:
        coordinate: The points, `(n,)`, growing.
        is_periodic: Whether the step from the last point to the first is like others.
        number: The number of parameters.
    """

    def __init__(self, coordinate: np.ndarray, is_periodic: bool, number: int):
        self.coordinate, self.is_periodic, self.number = coordinate, is_periodic, number

    def __call__(self, values: np.ndarray, axis: int, order: int = 0) -> np.ndarray:
        """The derivative of the fitted curves at the points, for an array of values."""
        lines = np.moveaxis(values, axis, 0)
        fitted = (
            self._periodic(lines, order) if self.is_periodic else self._spline(lines, order)
        )
        return np.moveaxis(fitted, 0, axis)

    def finer(self) -> "AxisFit":
        """The fit with more parameters. The difference estimates the error from noise, or
        from curves that are too smooth.
        """
        number = min(math.ceil(self.number * FEWER) + 1, len(self.coordinate))
        return AxisFit(self.coordinate, self.is_periodic, number)

    def _periodic(self, lines: np.ndarray, order: int) -> np.ndarray:
        n = len(lines)
        spectrum = np.fft.rfft(lines, axis=0)
        waves = np.arange(len(spectrum))
        step = self.coordinate[1] - self.coordinate[0]
        factors = (2j * np.pi * waves / (n * step)) ** order * (2 * waves < self.number)
        return np.fft.irfft(
            spectrum * factors.reshape(-1, *[1] * (lines.ndim - 1)), n, axis=0
        )

    def _spline(self, lines: np.ndarray, order: int) -> np.ndarray:
        from scipy.interpolate import make_lsq_spline

        degree = min(DEGREE, self.number - 1)
        inner = self.number - degree - 1
        # Knots divide the points into equal shares, so that each knot has points nearby.
        places = np.linspace(0, len(lines) - 1, inner + 2)[1:-1]
        knots = np.interp(places, np.arange(len(lines)), self.coordinate)
        ends = self.coordinate[[0, -1]].repeat(degree + 1).reshape(2, -1)
        curve = make_lsq_spline(
            self.coordinate, lines, np.concatenate([ends[0], knots, ends[1]]), degree
        )
        return np.asarray(curve(self.coordinate, order))


def fit_axis(
    values: np.ndarray, axis: int, coordinate: np.ndarray, is_periodic: bool
) -> AxisFit:
    """The fit of least cross-validation along an axis, among some numbers of parameters."""
    lines = np.moveaxis(values, axis, 0).reshape(len(coordinate), -1)
    lines = lines[:, :: max(1, lines.shape[1] // LINES_ASKED)]
    n = len(lines)
    least = LEAST_PERIODIC if is_periodic else LEAST
    number = max(int(MOST_PER_POINT * n), least)
    tried = {}
    while number >= least:
        fit = AxisFit(coordinate, is_periodic, number)
        squares = float(np.sum((fit(lines, 0) - lines) ** 2))
        used = 2 * ((number - 1) // 2) + 1 if is_periodic else number
        tried[squares / (n - used) ** 2] = fit
        number = min(number - 1, int(number / FEWER))
    return tried[min(tried)]

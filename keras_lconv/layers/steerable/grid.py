"""Harmonic functions on the grid of a window, with the same moments as in space."""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from keras_lconv.algebra import powers

# Widths of the bells along the radius. The outermost is narrower, so that it is small
# where the window ends.
WIDTH, OUTER_WIDTH = 0.6, 0.4


def rings(window: Sequence[int]) -> np.ndarray:
    """The radii of a window, in whole steps inwards from its edge, by growing radius."""
    largest = (max(window) - 1) / 2
    return largest - np.arange(int(largest), -1, -1)


def output_size(
    size: int | None, window: int, stride: int, dilation: int, padding: str, owner: str
) -> int | None:
    """The number of windows along an axis."""
    if size is None:
        return None
    if padding == "same":
        return math.ceil(size / stride)
    left = size - dilation * (window - 1)
    if left < 1:
        raise ValueError(
            f"The window of {owner} must fit into the input. Received: a window of "
            f"{window} with dilation_rate={dilation} for a size of {size}"
        )
    return math.ceil(left / stride)


class Grid:
    """The positions of a window, as seen from its centre.

    A function `Y(x / |x|)` of the direction, times a bell around a radius, has moments with
    polynomials. In space the moments of a harmonic of degree `p` with harmonics of other
    degrees are zero, and those with harmonics of its own degree have equal size. On a
    square grid the mean of `cos(4 phi)` is not zero, and `cos(2 phi)` and `sin(2 phi)` have
    different sizes. Here the functions are corrected such that their moments are those in
    space, up to the degree that the window resolves. Then the response to a smooth image
    turns with the image.

    Args:
        window: The sizes of the window.
    """

    def __init__(self, window: Sequence[int]):
        axes = [np.arange(size) - (size - 1) / 2 for size in window]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        self.points = points.reshape(-1, len(window))
        self.radius = np.linalg.norm(self.points, axis=1)
        self.radii = rings(window)
        self.degree = int(2 * self.radii[-1])

    def bell(self, ring: int) -> np.ndarray:
        """A bell around a radius, at all positions."""
        width = OUTER_WIDTH if ring == len(self.radii) - 1 else WIDTH
        return np.exp(-((self.radius - self.radii[ring]) ** 2) / (2 * width**2))

    def harmonics(self, degree: int, ring: int) -> np.ndarray:
        """The functions of one degree around one radius, `(positions, h)`."""
        at_centre = self.radius == 0
        directions = self.points / np.where(at_centre, 1.0, self.radius)[:, None]
        values = self.bell(ring)[:, None] * solid_harmonics(directions, degree)
        if degree:
            values[at_centre] = 0.0
        values = self._without_other_degrees(values, degree)
        if 0 < degree <= self.degree:
            moments = values.T @ solid_harmonics(self.points, degree)
            scale = np.trace(moments) / len(moments)
            if abs(scale) > 1e-9:
                values = scale * values @ np.linalg.pinv(moments, rcond=1e-6)
        return values

    def _without_other_degrees(self, values: np.ndarray, degree: int) -> np.ndarray:
        """The functions without their moments with polynomials of other degrees."""
        others = [part for p, part in self._polynomials if p != degree]
        if not others:
            return values
        columns = np.concatenate(others, axis=1)
        weighted = self._weight[:, None] * columns
        solution = np.linalg.pinv(columns.T @ weighted, rcond=1e-9) @ (columns.T @ values)
        return values - weighted @ solution

    @cached_property
    def _weight(self) -> np.ndarray:
        """Where functions may be changed: everywhere except at the corners."""
        return np.sum([self.bell(ring) for ring in range(len(self.radii))], axis=0)

    @cached_property
    def _polynomials(self) -> list[tuple[int, np.ndarray]]:
        """All polynomials up to the degree of the window, as `|x|^2k` times harmonics."""
        scaled = self.points / max(self.radii[-1], 1.0)
        square = np.sum(scaled**2, axis=1, keepdims=True)
        return [
            (p, square**k * solid_harmonics(scaled, p))
            for p in range(self.degree + 1)
            for k in range((self.degree - p) // 2 + 1)
        ]


def solid_harmonics(points: np.ndarray, degree: int) -> np.ndarray:
    """Orthonormal harmonic polynomials of one degree, `(positions, h)`."""
    table = powers.exponents(points.shape[-1], degree)
    monomials = np.prod(points[..., None, :] ** table, axis=-1)
    part = powers.harmonic_part(points.shape[-1], degree)
    return (monomials * powers.monomial_scales(table)) @ part

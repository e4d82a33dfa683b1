"""The coordinates of vectors on which a function depends."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keras_lconv.discovery.standard import standard_coordinates

# Relative to the steepest direction. The function does not depend on directions with
# smaller slopes.
SMALLEST_SLOPE = 1e-4
# Matrices that differ by less are the same.
SAME = 1e-3


@dataclass(frozen=True)
class Reduced:
    """Coordinates `y = down @ (x - centre)` of vectors, all of which matter to a function.

    Their second moments are 1. So units of the data have no influence. Directions in which
    the data do not vary, or along which the function does not change, have none either.

    Args:
        down: Matrix `(r, v)`.
        up: Matrix `(v, r)` with `down @ up = 1`.
        slope_moments: Second moments `(r, r)` of the slopes, with the mean 1.
        units: The spread of each component, or 1 if it does not vary, `(v,)`.
    """

    down: np.ndarray
    up: np.ndarray
    slope_moments: np.ndarray
    units: np.ndarray

    @property
    def size(self) -> int:
        """The number `r` of coordinates."""
        return len(self.down)

    def of_rows(self, blocks: int) -> "Reduced":
        """The coordinates of rows of several vectors."""
        one = np.eye(blocks)
        parts = (self.down, self.up, self.slope_moments)
        down, up, moments = (np.kron(one, part) for part in parts)
        return Reduced(down, up, moments, np.tile(self.units, blocks))

    def lowered(self, matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Maps `(m, v, v)` in these coordinates, and whether each acts on these alone."""
        inside = self.down @ matrices @ self.up
        leaks = (self.down @ matrices - inside @ self.down) * self.units
        return inside, np.max(np.abs(leaks), axis=(1, 2), initial=0.0) < SAME

    def raised(self, matrices: np.ndarray) -> np.ndarray:
        """Maps `(m, r, r)` as maps of vectors that leave all other directions unchanged."""
        one = np.eye(self.size)
        return np.eye(len(self.up)) + self.up @ (matrices - one) @ self.down


def reduced_coordinates(
    vectors: np.ndarray, slopes: np.ndarray | None, *, keeps_all: bool = False
) -> Reduced:
    """The coordinates that matter.

    Args:
        vectors: Array `(samples, blocks, v)`, about the centre.
        slopes: Derivatives `(samples, outputs, blocks, v)`, or `None` if there are none.
        keeps_all: Whether to keep directions along which the function does not change.
    """
    flat = vectors.reshape(-1, vectors.shape[2])
    standard = standard_coordinates(flat, is_affine=False)
    units = np.where(standard.scales > 0, standard.scales, 1.0)
    if slopes is None:
        one = np.eye(len(standard.whiten))
        return Reduced(standard.whiten, standard.restore, one, units)
    moments = _moments(slopes @ standard.restore)
    values, axes = np.linalg.eigh(moments)
    kept = axes[:, keeps_all | (values > SMALLEST_SLOPE**2 * values[-1])]
    return Reduced(
        kept.T @ standard.whiten, standard.restore @ kept, kept.T @ moments @ kept, units
    )


def _moments(slopes: np.ndarray) -> np.ndarray:
    """Second moments of slopes, with each sample weighted so that large slopes do not
    decide alone.
    """
    flat = slopes.reshape(len(slopes), -1, slopes.shape[3])
    lengths = np.sqrt(np.sum(flat**2, axis=(1, 2), keepdims=True))
    flat = flat / np.sqrt(np.maximum(lengths, 1e-12 * np.max(lengths)))
    flat = flat.reshape(-1, flat.shape[2])
    moments = flat.T @ flat
    return moments * len(moments) / np.trace(moments)


# A function from an array of samples to values and slopes.
Slopes = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

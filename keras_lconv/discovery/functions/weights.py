"""The weights of the equations of samples, and the second moments that are their unit."""

from dataclasses import dataclass

import numpy as np

from keras_lconv.discovery.standard import SMALLEST_VARIATION

# Weights and second moments depend on each other, and settle after some rounds.
ROUNDS = 4
# Near the poles of a function a few equations are so large that they would decide alone. So
# none counts more than this many times the mean.
LARGEST_SHARE = 3.0
TINY = float(np.finfo("float64").tiny)


@dataclass(frozen=True)
class Weighing:
    """The weights of equations.

    Scaled to size 1, all equations would count equally, even where a function is flat and
    the derivatives of a network are noise. Without scaling, a few large ones would count
    alone. This is half way: an equation counts by its size, up to a multiple of the mean.
    Sizes are taken before the sum over blocks, because this sum vanishes for symmetries.

    Args:
        slope_moments: Second moments of slopes, `(r, r)`, the unit of sizes.
        moments: Second moments of vectors, `(w, w)`.
        largest: The limit to which larger sizes are cut.
        is_shared: Whether the equations of a sample have one weight.
        unit_of_slopes: Second moments of slopes with these weights.
        unit: Second moments of vectors with these weights.
    """

    slope_moments: np.ndarray
    moments: np.ndarray
    largest: float
    is_shared: bool
    unit_of_slopes: np.ndarray
    unit: np.ndarray

    def __call__(
        self, extended: np.ndarray, slopes: np.ndarray, moved: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weights and squared sizes without `moved`, both `(batch, m)`."""
        lengths = _squares(extended, self.moments)[:, None]
        sizes = np.sum(_squares(slopes, self.slope_moments) * lengths, axis=2)
        squares = _with_moved(sizes, moved, self.is_shared)
        return _weights(squares, self.largest), sizes


def weighing_of(
    extended: np.ndarray,
    slopes: np.ndarray,
    moved: np.ndarray | None,
    is_shared: bool,
    smallest: float,
) -> Weighing:
    """How much equations count, and the second moments that are their unit.

    Args:
        extended: Vectors `(batch, blocks, w)`.
        slopes: Derivatives along them, `(batch, m, blocks, r)`.
        moved: The outputs after `K`, `(batch, m, q)`.
        is_shared: Whether the equations of a sample have one weight.
        smallest: Slopes that are smaller, relative to the mean, count as zero.

    Returns:
        A `Weighing` that samples like these have.
    """
    unit_of_slopes, unit = np.eye(slopes.shape[-1]), np.eye(extended.shape[-1])
    for _ in range(ROUNDS):
        slope_moments, moments = unit_of_slopes, unit
        lengths = _squares(extended, moments)[:, None]
        steepness = _squares(slopes, slope_moments)
        sizes = np.sum(steepness * lengths, axis=2)
        squares = _with_moved(sizes, moved, is_shared)
        largest = _largest(np.sqrt(squares))
        weights = _weights(squares, largest)[..., None]
        unit_of_slopes = _moments(slopes, weights * lengths, smallest)
        unit = _moments(extended[:, None], weights * steepness, 0.0)
    return Weighing(slope_moments, moments, largest, is_shared, unit_of_slopes, unit)


def _with_moved(sizes: np.ndarray, moved: np.ndarray | None, is_shared: bool) -> np.ndarray:
    """Squared sizes `(batch, m)`, including `moved`."""
    squares = sizes if moved is None else sizes + np.sum(moved**2, axis=2)
    if is_shared:
        mean = np.mean(squares, axis=1, keepdims=True)
        squares = np.repeat(mean, squares.shape[1], axis=1)
    return squares


def _weights(squares: np.ndarray, largest: float) -> np.ndarray:
    return np.minimum(np.sqrt(squares), largest) / np.maximum(squares, TINY)


def _largest(sizes: np.ndarray) -> float:
    """The limit of sizes, so that after the cut none is larger than a multiple of their
    mean.
    """
    growing = np.sort(sizes[sizes > 0])
    below = np.cumsum(growing) - growing
    number = np.arange(len(growing), 0, -1)
    # Is a size too large if all larger ones are cut to it?
    is_large = LARGEST_SHARE * (below + number * growing) < len(growing) * growing
    if not np.any(is_large):
        return np.inf
    first = np.argmax(is_large)
    return float(below[first] / (len(growing) / LARGEST_SHARE - number[first]))


def _squares(vectors: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """`v^T M^-1 v` for vectors `(..., r)`."""
    values, axes = np.linalg.eigh(moments)
    roots = np.sqrt(np.maximum(values, SMALLEST_VARIATION**2 * values[-1]))
    return np.sum((vectors @ (axes / roots)) ** 2, axis=-1)


def _moments(vectors: np.ndarray, weights: np.ndarray, floor: float) -> np.ndarray:
    """Weighted second moments, relative to their mean, with a floor for all directions."""
    weights, vectors = np.broadcast_arrays(weights[..., None], vectors)
    flat = (vectors * np.sqrt(weights)).reshape(-1, vectors.shape[-1])
    total = flat.T @ flat
    mean = np.trace(total) / len(total)
    if mean <= 0:
        return np.eye(len(total))
    return total / mean + floor**2 * np.eye(len(total))


def congruent(
    elements: np.ndarray, slope_moments: np.ndarray, moments: np.ndarray
) -> np.ndarray:
    """`tr(E_a^T G E_b C)`: the expected squares of random equations, `(q, q)`."""
    left, right = (
        np.linalg.cholesky(m + 1e-12 * np.eye(len(m))) for m in (slope_moments, moments)
    )
    turned = (left.T @ elements @ right).reshape(len(elements), -1)
    return turned @ turned.T

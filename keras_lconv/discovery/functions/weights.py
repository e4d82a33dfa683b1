"""How much the equations of samples count, and the second moments that are their unit."""

import numpy as np

from keras_lconv.discovery.standard import SMALLEST_VARIATION

# Weights and second moments depend on each other, and settle after some rounds.
ROUNDS = 4
# Near the poles of a function a few equations are so large that they would decide alone:
# none counts more than so many times the mean.
LARGEST_SHARE = 3.0
TINY = float(np.finfo("float64").tiny)


def weights_of(
    extended: np.ndarray,
    slopes: np.ndarray,
    moved: np.ndarray | None,
    is_shared: bool,
    smallest: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """How much equations count, their sizes, and the second moments that are their unit.

    Of size 1 they would all count alike, also where a function is flat, and what a network
    makes of it there is noise. As they are, a few large ones would count alone. This is
    half way: an equation counts by its size, up to some times the mean. Sizes are those
    before the sum over blocks, since this sum vanishes where there are symmetries.

    Args:
        extended: Vectors `(batch, blocks, w)`.
        slopes: Derivatives along them, `(batch, m, blocks, r)`.
        moved: What outputs become, `(batch, m, q)`.
        is_shared: Whether the equations of a sample have one weight.
        smallest: Slopes that are smaller, relative to the mean, count as zero.

    Returns:
        Weights and squared sizes without `moved`, both `(batch, m)`, and second moments
        `(r, r)` of slopes and `(w, w)` of vectors.
    """
    size_of_slopes, size = slopes.shape[-1], extended.shape[-1]
    slope_moments, moments = np.eye(size_of_slopes), np.eye(size)
    for _ in range(ROUNDS):
        lengths = _squares(extended, moments)[:, None]
        steepness = _squares(slopes, slope_moments)
        sizes = np.sum(steepness * lengths, axis=2)
        squares = sizes if moved is None else sizes + np.sum(moved**2, axis=2)
        if is_shared:
            squares = np.repeat(
                np.mean(squares, axis=1, keepdims=True), squares.shape[1], axis=1
            )
        weights = _capped(np.sqrt(squares)) / np.maximum(squares, TINY)
        slope_moments = _moments(slopes, weights[..., None] * lengths, smallest)
        moments = _moments(extended[:, None], weights[..., None] * steepness, 0.0)
    return weights, sizes, slope_moments, moments


def _capped(sizes: np.ndarray) -> np.ndarray:
    """Sizes of which none is larger than some times their mean, after this."""
    growing = np.sort(sizes[sizes > 0])
    below = np.cumsum(growing) - growing
    number = np.arange(len(growing), 0, -1)
    # If all from one on had its size, would that be too large?
    is_large = LARGEST_SHARE * (below + number * growing) < len(growing) * growing
    if not np.any(is_large):
        return sizes
    first = np.argmax(is_large)
    largest = below[first] / (len(growing) / LARGEST_SHARE - number[first])
    return np.minimum(sizes, largest)


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

"""Neighbours of positions, found in data."""

import numpy as np

from keras_lconv._typing import Stream
from keras_lconv._validation import fraction, positive_int
from keras_lconv.discovery.pixels.moments import moments_of
from keras_lconv.discovery.pixels.partial_correlation import partial_correlations


def infer_neighbors(
    x: Stream,
    *,
    num_neighbors: int = 4,
    min_correlation: float = 0.1,
    shrinkage: float | None = None,
    verbose: bool | None = None,
) -> np.ndarray:
    """Finds neighbouring positions, from data in an unknown order.

    The neighbours of a position have the largest partial correlations with it: the
    correlations that remain when all other positions are known. In images plain
    correlations reach far, but given the pixels in between little remains. The inverse
    covariance is regularised by shrinkage, which depends on the number of samples.

    A position that never varies, or whose variance comes from fewer than ten samples, has
    no neighbours. Only positive correlations count, as in smooth data.

    Args:
        x: Data `(samples, d)` or `(samples, *spatial)`, whose positions are in any order.
            Take the mean over channels first.
        num_neighbors: Largest number of neighbours of a position: 4 for a grid of pixels.
        min_correlation: The smallest partial correlation of neighbours. White noise has no
            neighbours, because the shrinkage is then complete.
        shrinkage: How far correlations are first shrunk towards zero, between 0 and 1. By
            default the value that minimises their expected error. Very smooth data need
            more, such as 0.1, because otherwise rounding decides.
        verbose: Whether to show a progress bar. By default for many samples.

    Returns:
        Integer table `(d, num_neighbors)` for `NeighborGenerators`: the neighbours of each
        position, the nearest first, and -1 where there are no more. The position itself is
        not among them.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If a value or a shape does not fit, or `x` hardly varies.

    Example:
    ```python
    import numpy as np
    from keras_lconv.discovery import infer_neighbors
    from keras_lconv.generators import NeighborGenerators

    walks = np.cumsum(np.random.default_rng(0).normal(size=(2000, 6)), axis=1)
    shuffled = walks[:, [3, 0, 5, 1, 4, 2]]
    table = infer_neighbors(shuffled, num_neighbors=2)
    assert set(table[0].tolist()) == {4, 5}  # step 3 is between steps 4 and 2
    generators = NeighborGenerators(2, table)
    ```
    """
    num_neighbors = positive_int("num_neighbors", num_neighbors)
    least = fraction("min_correlation", min_correlation)
    if shrinkage is not None:
        shrinkage = fraction("shrinkage", shrinkage)
    found, varies, needed = moments_of(x, verbose).correlations()
    partial = partial_correlations(found, varies, shrinkage or needed)
    return neighbor_table(partial, num_neighbors, least)


def neighbor_table(partial: np.ndarray, num: int, least: float) -> np.ndarray:
    """The positions with the largest correlations, `(d, num)`, -1 below the least."""
    size = len(partial)
    if num > size:
        raise ValueError(
            f"`num_neighbors` must be at most the number {size} of positions. "
            f"Received: num_neighbors={num}"
        )
    order = np.argsort(-partial, axis=1, kind="stable")[:, :num]
    strong = np.take_along_axis(partial, order, axis=1) > least
    table = np.full((size, num), -1)
    table[:, : order.shape[1]] = np.where(strong, order, -1)
    return table


def mutual_pairs(table: np.ndarray) -> np.ndarray:
    """Pairs `i < j`, `(m, 2)`, that are in each other's rows of a table of neighbours."""
    size = len(table)
    listed = np.zeros((size, size + 1), dtype=bool)
    # Missing neighbours, -1, fall into a separate column.
    np.put_along_axis(listed, table, True, axis=1)
    listed = listed[:, :size]
    return np.argwhere(np.triu(listed & listed.T, 1))

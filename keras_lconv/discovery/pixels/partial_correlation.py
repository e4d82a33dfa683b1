"""Partial correlations, from a regularised inverse covariance."""

import numpy as np


def partial_correlations(
    correlations: np.ndarray, varies: np.ndarray, shrinkage: float
) -> np.ndarray:
    """The correlation of two positions, given all others.

    With `P` the inverse of the correlation matrix, shrunk towards the unit matrix, it is
    `-P_ij / sqrt(P_ii P_jj)`.

    Args:
        correlations: `(d, d)`.
        varies: Mask `(d,)`. The other positions get no partial correlations, but they count
            among the given ones.
        shrinkage: Between 0 and 1. At 1 all partial correlations are zero.

    Returns:
        The partial correlations `(d, d)`, with a diagonal of zeros.
    """
    shrunk = (1 - shrinkage) * correlations
    np.fill_diagonal(shrunk, 1.0)
    precision = np.linalg.inv(shrunk)
    scale = np.sqrt(np.diag(precision))
    found = -precision / np.outer(scale, scale)
    found[~varies] = found[:, ~varies] = 0.0
    np.fill_diagonal(found, 0.0)
    return (found + found.T) / 2

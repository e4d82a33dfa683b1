"""Units in which all coordinates of an equation matter equally."""

import numpy as np

from keras_lconv.discovery.equations.equation import Equations

# Coordinates that matter less than this, relative to others, need other units.
UNBALANCED = 1e-2
# The number of steps, the largest step as an exponent of e, and the step of differences.
STEPS, LONGEST, DIFFERENCE = 8, 8.0, 0.05
# Singular values of the derivative below this part of the largest are rounding.
RANK = 1e-3


def balanced(
    equations: Equations, bounds: np.ndarray, fixed: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """Wider or narrower ranges of jets, in which every coordinate matters.

    In `u_t = 1e-6 u_xx`, with derivatives of size 1, the term `u_xx` does not count. In
    other units of the variables the equation is `u_t = u_xx`. Gauss-Newton steps for the
    logarithms of the units make the logarithms of the influences as equal as possible.
    Shortest steps leave units unchanged that need no change.

    Args:
        equations: The equations.
        bounds: The lowest and the highest value of each coordinate, `(size, 2)`.
        fixed: Whether each coordinate must stay in its range, `(size,)`.
        start: The places of jets between the bounds, from 0 to 1, `(n, size)`.

    Returns:
        Array `(size, 2)`, equal to `bounds` if all coordinates matter.
    """
    space = equations.space
    p = len(space.independent)
    powers = np.zeros((space.size, p + len(space.dependent)))
    powers[:p, :p] = np.eye(p)
    powers[p:, :p] = np.tile(-space.indices, (len(space.dependent), 1))
    powers[p:, p:] = np.repeat(np.eye(len(space.dependent)), len(space.indices), axis=0)
    variables = [*range(p), *range(p, space.size, len(space.indices))]
    powers[:, fixed[variables]] = 0.0
    powers[fixed] = 0.0

    def scaled(logarithms: np.ndarray) -> np.ndarray:
        return bounds * np.exp(powers @ logarithms)[:, None]

    def influences(logarithms: np.ndarray) -> np.ndarray:
        low, high = scaled(logarithms).T
        jets = low + (high - low) * start
        found = equations.influences(jets, (high - low) / 2)
        with np.errstate(all="ignore"):
            sizes = np.log(np.where(found > 0, found, np.nan))
        known = np.any(np.isfinite(sizes), axis=0)
        sizes = np.where(known, sizes, 0.0)
        middle: np.ndarray = np.nanmedian(
            np.where(np.isfinite(sizes), sizes, np.nan), axis=0
        )
        # For each equation only ratios count.
        number = np.maximum(known.sum(axis=1, keepdims=True), 1)
        mean = np.sum(middle * known, axis=1, keepdims=True) / number
        return np.where(known, middle - mean, 0.0).ravel()

    best = logarithms = np.zeros(powers.shape[1])
    found = least = influences(logarithms)
    if np.ptp(found) < -np.log(UNBALANCED):
        return bounds
    for _ in range(STEPS):
        moved = logarithms + DIFFERENCE * np.eye(len(logarithms))
        slopes = np.array([influences(each) - found for each in moved]).T / DIFFERENCE
        step = -np.linalg.pinv(slopes, rcond=RANK) @ found
        longest = np.max(np.abs(step), initial=0.0)
        logarithms = logarithms + step * min(1.0, LONGEST / max(longest, 1e-9))
        found = influences(logarithms)
        if np.all(np.isfinite(found)) and np.ptp(found) < np.ptp(least):
            best, least = logarithms, found
    return scaled(best)

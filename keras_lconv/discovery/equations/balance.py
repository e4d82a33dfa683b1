"""Units in which all coordinates of an equation matter alike."""

import numpy as np

from keras_lconv.discovery.equations.equation import Equations

# Coordinates that matter less than this, beside others, call for other units.
UNBALANCED = 1e-2
# So many steps, each of so many powers of e at most, and differences for derivatives.
STEPS, LONGEST, DIFFERENCE = 8, 8.0, 0.05
# Singular values of that derivative below this part of the largest are rounding.
RANK = 1e-3


def balanced(
    equations: Equations, bounds: np.ndarray, fixed: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """Wider or narrower ranges of jets, in which no coordinate is lost beside others.

    Of `u_t = 1e-6 u_xx` jets with derivatives of size 1 would not see `u_t`: in other units
    of the variables it is `u_t = u_xx`. The logarithms of these units make the logarithms
    of what coordinates matter as equal as they can be, by the method of Gauss and Newton
    with shortest steps, so that units do not change where they need not.

    Args:
        equations: The equations.
        bounds: The lowest and the highest value of each coordinate, `(size, 2)`.
        fixed: Which of the coordinates have to stay in their range, `(size,)`.
        start: Numbers between 0 and 1, `(n, size)`: where jets are between the bounds.

    Returns:
        Array `(size, 2)`; `bounds` where all coordinates matter.
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
        # Of each equation only ratios count.
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

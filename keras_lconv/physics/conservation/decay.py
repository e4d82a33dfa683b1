"""Quantities that decay by the same factor in each step."""

import numpy as np

from keras_lconv.physics.conservation.path_sums import PathSums

# The largest deviation of a quantity from its factor, relative to its changes from time to
# time.
LARGEST_RESIDUAL = 0.02
# A smaller change along a trajectory looks like a straight line. A larger fall in one step
# leaves too little above noise.
SMALLEST_DECAY, LARGEST_STEP = 0.1, 5.0
EVEN = 1e-3
# Directions in which squares of values are smaller are dependent on the others.
CUTOFF = 1e-13


def decaying(sums: PathSums) -> tuple[np.ndarray, np.ndarray]:
    """Mixtures of values, up to a constant, that decay or grow exponentially.

    Let `V_0` be the values at all times except the last of each trajectory, and `V_1` those
    one step later. The mixtures are real eigenvectors of `V_0^+ V_1`, which each step
    multiplies by a number. They count if they follow this rule well.

    Args:
        sums: The sums of values with spread 1. If steps are not even, nothing is found.

    Returns:
        Mixtures `(p, found)` and their rates of decay `(found,)`.
    """
    p = len(sums.lines)
    nothing = np.zeros((p, 0)), np.zeros(0)
    number = round(float(sums.steps[p, p]))
    shortest, longest = -sums.extremes[0], sums.extremes[1]
    if number <= 2 * (p + 1) or shortest <= 0:
        return nothing
    step = sums.duration / number
    if longest - shortest > EVEN * step:
        return nothing
    # A step maps the constant 1 to itself.
    then = np.append(np.arange(p + 1, 2 * p + 1), p)
    before, across = sums.steps[: p + 1, : p + 1], sums.steps[: p + 1, then]
    after = sums.steps[then[:, None], then]
    inverse = np.linalg.pinv(before, rcond=CUTOFF, hermitian=True)
    factors, vectors = np.linalg.eig(inverse @ across)
    rates, found = [], []
    for value, vector in zip(factors, vectors.T, strict=True):
        # If rounding turns two into a conjugate pair, one of them has the real part.
        factor, mixture = value.real, vector.real if value.imag >= 0 else vector.imag
        least = SMALLEST_DECAY / sums.extremes[2]
        if factor <= 0 or not least <= abs(np.log(factor)) < LARGEST_STEP:
            continue
        square = mixture @ before @ mixture
        residual = mixture @ (after - 2 * factor * across + factor**2 * before) @ mixture
        if residual <= (LARGEST_RESIDUAL * (1 - factor)) ** 2 * square:
            rates.append(-np.log(factor) / step)
            found.append(mixture[:-1])
    if not found:
        return nothing
    return np.stack(found, axis=1), np.array(rates)

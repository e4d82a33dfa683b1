"""Quantities that decay by the same factor in each step."""

import numpy as np

# The largest deviation of a quantity from its factor, relative to its changes from time to
# time.
LARGEST_RESIDUAL = 0.02
# A smaller change along a trajectory looks like a straight line. A larger fall in one step
# leaves too little above noise.
SMALLEST_DECAY, LARGEST_STEP = 0.1, 5.0
EVEN = 1e-3
# Directions in which values vary less are dependent on the others.
CUTOFF = 1e-8


def decaying(
    values: np.ndarray, slices: list[slice], clock: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mixtures of values, up to a constant, that decay or grow exponentially.

    Let `V_0` be the values at all times except the last of each trajectory, and `V_1` those
    one step later. The mixtures are real eigenvectors of `V_0^+ V_1`, which each step
    multiplies by a number. They count if they follow this rule well.

    Args:
        values: Values `(points, p)` in units of spread 1.
        slices: The points of each trajectory.
        clock: Times `(points,)`. If steps are not even, nothing is found.

    Returns:
        Mixtures `(p, found)` and their rates of decay `(found,)`.
    """
    nothing = np.zeros((values.shape[1], 0)), np.zeros(0)
    steps = np.concatenate([np.diff(clock[each]) for each in slices])
    if not len(steps) or np.min(steps) <= 0 or np.ptp(steps) > EVEN * np.mean(steps):
        return nothing
    complete = np.hstack([values, np.ones((len(values), 1))])
    before = np.concatenate([complete[each][:-1] for each in slices])
    after = np.concatenate([complete[each][1:] for each in slices])
    if len(before) <= 2 * complete.shape[1]:
        return nothing
    factors, vectors = np.linalg.eig(np.linalg.pinv(before, rcond=CUTOFF) @ after)
    duration = max(each.stop - each.start for each in slices) - 1
    rates, found = [], []
    for value, vector in zip(factors, vectors.T, strict=True):
        # If rounding turns two into a conjugate pair, one of them has the real part.
        factor, mixture = value.real, vector.real if value.imag >= 0 else vector.imag
        if (
            factor <= 0
            or not SMALLEST_DECAY / duration <= abs(np.log(factor)) < LARGEST_STEP
        ):
            continue
        own, then = before @ mixture, after @ mixture
        residual = np.linalg.norm(then - factor * own)
        if residual <= LARGEST_RESIDUAL * abs(1 - factor) * np.linalg.norm(own):
            rates.append(-np.log(factor) / np.mean(steps))
            found.append(mixture[:-1])
    if not found:
        return nothing
    return np.stack(found, axis=1), np.array(rates)

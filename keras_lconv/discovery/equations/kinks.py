"""Kinks and jumps of equations, across which derivatives tell nothing."""

import numpy as np

from keras_lconv.discovery.equations.equation import Equations

# Lines between jets, points on each of them, and how often the roughest place of a line is
# looked at more closely; less often in single precision.
LINES, POINTS, CLOSER, CLOSER_IN_SINGLE = 60, 65, 4, 2
# So many intervals each time, in place of two.
PARTS = 16
# Kinks and jumps stay, up to this factor, from one look to the next. What is smaller beside
# the slopes of a line is rounding.
STAYS, SMALLEST = 2.0, 1e-2


def has_kinks(equations: Equations, low: np.ndarray, high: np.ndarray) -> bool:
    """Whether equations have kinks or jumps between jets, as `abs` and `where` have.

    On lines between random jets the place is found where a function bends most, and looked
    at more and more closely. What is smooth becomes straight, and a pole grows.

    Args:
        equations: The equations.
        low: The lowest value of each coordinate, `(size,)`.
        high: The highest.
    """
    rng = np.random.default_rng(0)
    ends = rng.uniform(low, high, (2, LINES, len(low)))
    start = np.zeros((LINES, equations.size))
    step = np.full_like(start, 1 / (POINTS - 1))
    is_single = equations.is_tensor and equations.precision > 1e-6
    number, known = POINTS, []
    for _ in range(1 + (CLOSER_IN_SINGLE if is_single else CLOSER)):
        places = start[..., None] + step[..., None] * np.arange(number)
        values = _on_lines(equations, ends, places)
        bends = np.abs(values[..., 2:] - 2 * values[..., 1:-1] + values[..., :-2])
        bends = np.where(np.isfinite(bends), bends, -1.0)
        place = np.argmax(bends, axis=2)[..., None]
        bend = np.take_along_axis(bends, place, axis=2)[..., 0] / step
        around = [np.take_along_axis(values, place + k, axis=2)[..., 0] for k in (0, 2)]
        slopes = np.abs(np.diff(values, axis=2)) / step[..., None]
        slopes[~np.any(np.isfinite(slopes), axis=2)] = 0.0
        known.append((bend, np.abs(around[1] - around[0]), np.nanmedian(slopes, axis=2)))
        start = np.take_along_axis(places, place, axis=2)[..., 0]
        step, number = 2 * step / PARTS, PARTS + 1
    (before, apart_before, _), (bend, apart, _) = known[-2:]
    with np.errstate(all="ignore"):
        is_kink = _stays(bend / before) & (bend > SMALLEST * known[0][2])
        is_jump = (bend / before > STAYS) & _stays(apart / apart_before)
    return bool(np.any(is_kink | is_jump))


def _stays(ratio: np.ndarray) -> np.ndarray:
    return (ratio > 1 / STAYS) & (ratio < STAYS)


def _on_lines(equations: Equations, ends: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Each equation at places of its own on each line, `(lines, equations, points)`."""
    found = []
    for number in range(equations.size):
        share = places[:, number, :, None]
        jets = ends[0][:, None] * (1 - share) + ends[1][:, None] * share
        flat = equations.values(jets.reshape(-1, jets.shape[2]))
        found.append(flat[:, number].reshape(jets.shape[:2]))
    return np.stack(found, axis=1)

"""Kinks and jumps of equations, where derivatives mean nothing."""

import numpy as np

from keras_lconv.discovery.equations.equation import Equations

# The number of lines between jets, of points on each line, and of refinements at the
# roughest place of a line. Single precision has fewer refinements.
LINES, POINTS, CLOSER, CLOSER_IN_SINGLE = 60, 65, 4, 2
# Each refinement divides two intervals into this many.
PARTS = 16
# Kinks and jumps keep their size, up to this factor, under refinement. Relative to the
# slopes of a line, smaller numbers are rounding.
STAYS, SMALLEST = 2.0, 1e-2


def has_kinks(equations: Equations, low: np.ndarray, high: np.ndarray) -> bool:
    """Whether equations have kinks or jumps between jets, such as those of `abs` and
    `where`.

    On lines between random jets, the place where a function bends most is refined again and
    again. Smooth functions become straight there, and poles grow.

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
    """The values of each equation at its own places on each line, `(lines, equations,
    points)`.
    """
    found = []
    for number in range(equations.size):
        share = places[:, number, :, None]
        jets = ends[0][:, None] * (1 - share) + ends[1][:, None] * share
        flat = equations.values(jets.reshape(-1, jets.shape[2]))
        found.append(flat[:, number].reshape(jets.shape[:2]))
    return np.stack(found, axis=1)

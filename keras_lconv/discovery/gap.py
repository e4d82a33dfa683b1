"""The gap of a spectrum between zero and nonzero values."""

import numpy as np

# The least gap in a spectrum, and the largest null value. Values are in units of those of a
# random equation. Null values must be small relative to the others as well.
SMALLEST_GAP = 5.0
LARGEST_NULL_VALUE = 0.1
# Values that are larger by up to this factor count as null if the gap is larger as well.
LARGEST_EXCESS = 3.0
# Relative to the largest value, differences below this are rounding.
ROUNDING = 1e-6
# Gaps between nested levels may be smaller than the decisive one, and the values before
# them larger.
SMALLEST_LEVEL_GAP = 3.0
LARGEST_LEVEL_VALUE = 0.15
# Smaller values are exact, as far as derivatives in float32 tell.
EXACT_LEVEL = 1e-4


def clearest_gap(
    values: np.ndarray,
    largest: float | None = None,
    smallest_gap: float = SMALLEST_GAP,
    noise: float = 0.0,
) -> tuple[int, float]:
    """The dimension at the clearest gap, and that gap.

    Args:
        values: Singular values, growing, in units of a random equation's.
        largest: The largest value that may count as null. By default 0.1, or 0.1 times the
            root mean square of all values if that is more. It may be up to three times as
            large if the gap is larger by the same factor.
        smallest_gap: The smallest ratio that counts as a gap.
        noise: The size of values from errors of the equations. For null values up to this
            one a gap of 3 is enough.

    Returns:
        The number of null values, and the ratio of the next value to the last of them.
    """
    most = LARGEST_EXCESS if largest is None else 1.0
    largest = largest_null(values) if largest is None else largest
    ratios = gaps(values, largest)
    excess = np.concatenate([[1.0], np.maximum(values / largest, 1.0)])
    is_noise = np.concatenate([[False], values <= min(noise, most * largest)])
    needed = np.where(is_noise, SMALLEST_LEVEL_GAP, smallest_gap * excess)
    allowed = (excess <= most) & (ratios >= needed)
    allowed[0] = False
    if not np.any(allowed):
        return 0, float(max(ratios[0], 1.0))
    found = int(np.argmax(np.where(allowed, ratios, 0.0)))
    return found, float(ratios[found])


def nested_dimensions(values: np.ndarray) -> list[int]:
    """All dimensions from 1 on at which there is a gap, growing."""
    ratios = gaps(np.maximum(values, EXACT_LEVEL), LARGEST_LEVEL_VALUE)[1:]
    allowed = (values <= LARGEST_LEVEL_VALUE) & (ratios >= SMALLEST_LEVEL_GAP)
    return [int(number) + 1 for number in np.flatnonzero(allowed)]


def gaps(values: np.ndarray, largest: float) -> np.ndarray:
    """The ratio of each value to the one before, for dimensions 0 to p.

    If all values are null, the value 1 of a random equation replaces the missing next one.
    If none is, the largest possible null value replaces the missing last one.
    """
    floor = ROUNDING * max(values[-1], 1.0)
    before = np.maximum(np.concatenate([[largest], values]), floor)
    after = np.maximum(np.concatenate([values, [1.0]]), floor)
    return after / before


def largest_null(values: np.ndarray) -> float:
    """The largest value that may count as null."""
    return LARGEST_NULL_VALUE * max(1.0, float(np.sqrt(np.mean(values**2))))

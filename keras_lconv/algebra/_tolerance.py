"""What counts as zero in an algebra that is known in floating point only."""

from collections.abc import Sequence

import numpy as np


class Tolerance:
    """Decides which numbers are zero, and keeps how clear the closest decision was.

    All numbers that it is asked about are of order 1 or zero in exact arithmetic.

    Args:
        value: Numbers up to this size count as zero.
    """

    def __init__(self, value: float):
        self.value = value
        self.margin = np.inf

    def rank(self, sizes: Sequence[float] | np.ndarray) -> int:
        """How many of the numbers do not count as zero."""
        sizes = np.abs(np.asarray(sizes, dtype="float64"))
        large = sizes > self.value
        with np.errstate(divide="ignore"):
            clearness = np.where(large, sizes / self.value, self.value / sizes)
        self.margin = min(self.margin, *clearness) if len(sizes) else self.margin
        return int(np.sum(large))

    def is_zero(self, size: float) -> bool:
        """Whether a number counts as zero."""
        return self.rank([size]) == 0

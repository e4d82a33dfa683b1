"""The threshold for zero in an algebra that is known in floating point only."""

from collections.abc import Sequence

import numpy as np

from keras_lconv._validation import fraction

# Below this, noise is rounding, and the geometric mean of noise and 1 leaves room on both
# sides. Above it, small values and noise may be close, so several thresholds are tried.
EXACT = 1e-10
NOISE_FACTOR = 3
NUM_TOLERANCES = 5
# The tolerance for structure constants that may be far above the noise.
LARGEST_TOLERANCE = 0.3

# Elements of groups may have errors. Matrices that differ by less are the same, and an
# object that changes by less is invariant.
ELEMENT_PRECISION = 1e-5


def is_singular(matrix: np.ndarray) -> bool:
    """Whether a matrix has no inverse, up to rounding. The unit does not matter."""
    return bool(np.linalg.cond(matrix) > 1 / np.finfo("float64").eps)


class Tolerance:
    """Decides which numbers are zero, and records how clear the closest decision was.

    In exact arithmetic all numbers given to it are zero or of order 1.

    Args:
        value: Numbers up to this size count as zero.
    """

    def __init__(self, value: float):
        self.value = value
        self.margin = np.inf

    def rank(self, sizes: Sequence[float] | np.ndarray) -> int:
        """How many of the numbers do not count as zero."""
        absolute = np.abs(np.asarray(sizes, dtype="float64"))
        large = absolute > self.value
        with np.errstate(divide="ignore"):
            factors = np.where(large, absolute / self.value, self.value / absolute)
        self.record(np.min(factors, initial=np.inf))
        return int(np.sum(large))

    def is_zero(self, size: float) -> bool:
        """Whether a number counts as zero."""
        return self.rank([size]) == 0

    def record(self, margin: float) -> None:
        """Records the factor, at least 1, by which another decision was clear."""
        self.margin = min(self.margin, float(margin))


def default_tolerance(tolerance: float | None, matrices: object) -> float:
    """The given tolerance, or the root of the rounding errors of an array."""
    if tolerance is not None:
        return fraction("tolerance", tolerance)
    return float(np.sqrt(rounding(matrices)))


def plausible_tolerances(noise: float) -> np.ndarray:
    """Candidates between noise and 1. The clearest one is taken."""
    noise = max(noise, float(np.finfo("float64").eps))
    if noise < EXACT:
        return np.array([np.sqrt(noise)])
    smallest = min(NOISE_FACTOR * noise, LARGEST_TOLERANCE)
    return np.geomspace(smallest, LARGEST_TOLERANCE, NUM_TOLERANCES)


def rounding(matrices: object) -> float:
    """The rounding error of the dtype of an array, for integers that of float64."""
    dtype = getattr(matrices, "dtype", None)
    is_float = isinstance(dtype, np.dtype) and np.issubdtype(dtype, np.floating)
    return float(np.finfo(dtype if is_float else "float64").eps)

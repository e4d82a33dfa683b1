"""How much the outputs of a function change, relative to their size."""

from dataclasses import dataclass

import numpy as np

# An output whose changes are smaller, relative to its values, is constant.
SMALLEST_CHANGE = 1e-6


@dataclass(frozen=True)
class Changes:
    """How much each of `m` outputs changes.

    Args:
        count: The number of samples.
        squares: Sums of the squared slopes, `(m,)`.
        largest: The largest absolute values, `(m,)`.
    """

    count: int
    squares: np.ndarray
    largest: np.ndarray

    @classmethod
    def of(cls, slopes: np.ndarray, values: np.ndarray) -> "Changes":
        """The changes from slopes `(batch, m, blocks, r)` and values `(batch, m)`."""
        squares = np.sum(slopes**2, axis=(0, 2, 3))
        return cls(len(slopes), squares, np.max(np.abs(values), axis=0))

    def merged(self, other: "Changes") -> "Changes":
        """The changes for the samples of both."""
        return Changes(
            self.count + other.count,
            self.squares + other.squares,
            np.maximum(self.largest, other.largest),
        )

    @property
    def sizes(self) -> np.ndarray:
        """Mean sizes of the slopes, `(m,)`."""
        return np.sqrt(self.squares / self.count)

    @property
    def counted(self) -> np.ndarray:
        """Whether the changes are more than rounding, `(m,)`."""
        return self.sizes > SMALLEST_CHANGE * self.largest

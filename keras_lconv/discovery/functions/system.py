"""Sums of the equations for fields `v = E f(x)`, in units that samples determine."""

import copy

import numpy as np

from keras_lconv.discovery.functions.weights import congruent, weighing_of
from keras_lconv.discovery.null_space import NormalMatrices, NullSpace

# A function does not depend on directions with smaller derivatives than this.
SMALLEST_SLOPE = 1e-3
# The errors of functions fitted to the same data exceed their differences by this factor.
LARGE_DOUBT = 3.0
# Numbers in memory at a time.
MOST_NUMBERS = 2e7


class System:
    """Equations for fields `v = E f`, initially without samples.

    The samples determine the weights of equations and their unit.

    Args:
        elements: The matrices `E` that are searched, `(p, r, w)`.
        extended: Functions of the vectors, `f`, `(batch, blocks, w)`.
        slopes: The derivatives `(batch, m, blocks, r)` in standard coordinates.
        moved: The outputs after `K` of each element, `(batch, m, p)`, if it is known.
        values: The outputs `(batch, n)`, if `K` is free.
        doubt: The relative error of the slopes.
    """

    def __init__(
        self,
        elements: np.ndarray,
        extended: np.ndarray,
        slopes: np.ndarray,
        moved: np.ndarray | None,
        values: np.ndarray | None,
        doubt: float,
    ):
        self._weighing = weighing_of(
            extended,
            slopes,
            moved,
            values is not None or moved is not None,
            max(SMALLEST_SLOPE, LARGE_DOUBT * doubt),
        )
        self._flat, self._doubt = elements.reshape(len(elements), -1), doubt
        self._normal = NormalMatrices(
            len(elements),
            0 if values is None else values.shape[1],
            slopes.shape[1],
            congruent(elements, self._weighing.unit_of_slopes, self._weighing.unit),
        )

    def add(
        self,
        extended: np.ndarray,
        slopes: np.ndarray,
        moved: np.ndarray | None,
        values: np.ndarray | None,
        groups: np.ndarray | None = None,
    ) -> None:
        """Adds samples, in the units of those from which the system was made.

        Args:
            extended: As those of the constructor.
            slopes: As those of the constructor.
            moved: As that of the constructor.
            values: As those of the constructor.
            groups: Numbers of the groups of the samples, by default in turn.
        """
        all_weights, sizes = self._weighing(extended, slopes, moved)
        num_per_batch = max(1, int(MOST_NUMBERS // (slopes.shape[1] * self._flat.shape[1])))
        # Parts are multiples of the number of groups, because groups take turns.
        for start in range(0, len(extended), num_per_batch):
            rows = slice(start, start + num_per_batch)
            weights = all_weights[rows]
            factors = np.einsum(
                "smbi,sbj->smij", slopes[rows], extended[rows], optimize=True
            ).reshape(len(weights), slopes.shape[1], -1)
            equations = factors @ self._flat.T
            roots = np.sqrt(weights)
            also = None
            if moved is not None:
                equations = equations - moved[rows]
                also = moved[rows] * roots[..., None]
            self._normal.add(
                equations * roots[..., None],
                np.sum(weights * sizes[rows], axis=1) / self._flat.shape[1],
                None if values is None else values[rows] * roots[:, :1],
                also,
                groups=None if groups is None else groups[rows],
            )

    def merged(self, other: "System") -> "System":
        """The sums over the samples of both, which have the same units."""
        merged = copy.copy(self)
        merged._normal = self._normal.merged(other._normal)
        return merged

    def solve(self, dimension: int | None, fit_error: float) -> NullSpace:
        """The null space."""
        noise = LARGE_DOUBT * self._doubt
        return self._normal.solve(dimension, noise=noise, fit_error=fit_error)

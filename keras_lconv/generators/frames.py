"""Sampled coordinates of the linear maps of a group, `h(s) = exp(sum_i s_i A_i)`."""

import numpy as np

from keras_lconv._typing import ArrayLike
from keras_lconv._validation import positive_number, square_matrices
from keras_lconv.algebra.torus import period

# Relative to the product of two matrices, which do not commute if their bracket is larger.
ROUNDING = 1e-9
# Frames that scale by more leave no precision in float32.
LARGEST_RATE = np.log(1e6)


class FrameCoordinates:
    """The coordinates `s_i` of frames `h(s)`, each a circle or a line, in equal steps.

    Args:
        algebra: Matrices `A_i` that commute, `(m, n, n)`.
        steps: The distance between two samples, for each `i` or for all. `None` divides the
            period of a coordinate on a circle equally.

    Attributes:
        matrices: The array `(m, n, n)`.
        steps: A tuple of `m` numbers or `None`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If the matrices do not commute or depend on each other, or a coordinate
            without a step is not a circle.
    """

    def __init__(self, algebra: ArrayLike, steps: object):
        self.matrices = _commuting(algebra)
        self._periods = tuple(map(period, self.matrices))
        self.steps = _checked_steps(steps, self._periods)

    @property
    def number(self) -> int:
        """The number `m` of coordinates."""
        return len(self.matrices)

    @property
    def ndim(self) -> int:
        """The size `n` of the matrices."""
        return self.matrices.shape[1]

    def steps_of(self, num_samples: tuple[int, ...]) -> np.ndarray:
        """The distance of two samples of each coordinate, `(m,)`.

        Raises:
            ValueError: If there is not one number for each coordinate.
        """
        if len(num_samples) != self.number:
            raise ValueError(
                f"`num_samples` must have one number for each of the {self.number} "
                f"matrices of the algebra. Received: num_samples={num_samples}"
            )
        known = zip(self.steps, self._periods, num_samples, strict=True)
        return np.array([step or (period or 0.0) / n for step, period, n in known])

    def frames(self, num_samples: tuple[int, ...]) -> np.ndarray:
        """The matrices `h(s)` at all samples, `(*num_samples, n, n)`.

        Raises:
            ValueError: If there is not one number for each coordinate, or a frame is larger
                or smaller than 10^6.
        """
        from scipy.linalg import expm

        steps = self.steps_of(num_samples)
        s = np.moveaxis(np.indices(num_samples), 0, -1) * steps
        exponents = np.tensordot(s, self.matrices, 1)
        rates = np.linalg.eigvals(exponents).real
        if np.max(np.abs(rates)) > LARGEST_RATE:
            raise ValueError(
                f"Frames must scale by less than 10^6. Received: steps={self.steps} with "
                f"num_samples={num_samples}, which scale by "
                f"exp({np.max(np.abs(rates)):.3g}). Take smaller `steps` or fewer samples"
            )
        return expm(exponents)


def _commuting(algebra: ArrayLike) -> np.ndarray:
    """Checks that matrices `(m, n, n)` are independent and commute."""
    matrices = square_matrices("algebra", algebra)
    norms = np.linalg.norm(matrices, axis=(1, 2))
    if not len(norms) or not np.all(norms > 0):
        raise ValueError(
            "`algebra` must hold at least one matrix, and no zero matrix. Received: "
            f"matrices of norms {norms.tolist()}"
        )
    units = matrices / norms[:, None, None]
    products = np.einsum("iab,jbc->ijac", units, units)
    brackets = np.abs(products - np.swapaxes(products, 0, 1)).max(axis=(2, 3))
    if np.any(brackets > ROUNDING):
        i, j = np.unravel_index(np.argmax(brackets), brackets.shape)
        raise ValueError(
            "The matrices of `algebra` must commute, so that each has its own coordinate. "
            f"Received: matrices {i} and {j}, which do not. For groups that do not "
            "commute, such as the rotations of space, use `SteerableConv`"
        )
    if np.linalg.matrix_rank(units.reshape(len(units), -1), tol=ROUNDING) < len(units):
        raise ValueError(
            f"`algebra` must be linearly independent matrices. Received: {len(units)} "
            "dependent matrices"
        )
    return matrices


def _checked_steps(
    steps: object, periods: tuple[float | None, ...]
) -> tuple[float | None, ...]:
    """The step of each coordinate, or `None` for a circle."""
    given = steps.tolist() if isinstance(steps, np.ndarray) else steps
    listed = given if isinstance(given, (list, tuple)) else [given] * len(periods)
    if len(listed) != len(periods):
        raise ValueError(
            f"`steps` must be one number, or one for each of the {len(periods)} matrices "
            f"of `algebra`. Received: steps={steps!r}"
        )
    for number, (step, length) in enumerate(zip(listed, periods, strict=True)):
        if step is None and length is None:
            raise ValueError(
                "`steps` must be a number for a matrix whose exponential has no period, "
                "such as log(2) / 2 for scalings by half octaves. "
                f"Received: steps={steps!r}, and matrix {number} of `algebra` has no period"
            )
    return tuple(
        None if step is None else positive_number("steps", step) for step in listed
    )

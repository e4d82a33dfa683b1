"""Derivatives of functions on a line of grid points."""

from typing import Any

import numpy as np
from keras import ops

from keras_lconv._precision import working_dtype
from keras_lconv._validation import one_of, positive_int

DERIVATIVES = ("spectral", "fourier", "central")


def derivative_matrix(size: int, kind: str = "spectral") -> np.ndarray:
    """The derivative along one axis with `size` points at unit distance.

    All three matrices are antisymmetric.

    Args:
        size: Number `n` of points.
        kind: `"spectral"`: the derivative of the Whittaker-Shannon interpolation of a
            function that is zero outside of the grid,
            `D_ij = (-1)^(i - j) / (i - j)`. `"fourier"`: that of the trigonometric
            interpolation of a periodic function. `"central"`: central differences,
            with zero outside of the grid.

    Returns:
        Array `(n, n)`, float64.

    Raises:
        ValueError: If `size` is not positive or `kind` is unknown.

    Example:
    ```python
    import numpy as np
    from keras_lconv.generators import derivative_matrix

    x = np.arange(16) * 2 * np.pi / 16
    slope = derivative_matrix(16, "fourier") @ np.sin(x) / (2 * np.pi / 16)
    assert np.allclose(slope, np.cos(x))
    ```

    Reference:
        L. N. Trefethen, "Spectral Methods in MATLAB", SIAM 2000, chapters 2 and 3.
    """
    size = positive_int("size", size)
    one_of("kind", kind, DERIVATIVES)
    if kind == "central":
        return (np.eye(size, k=1) - np.eye(size, k=-1)) / 2
    distance = np.subtract.outer(np.arange(size), np.arange(size))
    off_diagonal = distance != 0
    sign = np.where(distance % 2 == 0, 1.0, -1.0)
    if kind == "spectral":
        denominator = distance.astype("float64")
    else:
        angle = np.pi * distance / size
        # On an even number of points the highest frequency has no derivative.
        periodic = np.sin if size % 2 else np.tan
        denominator = periodic(np.where(off_diagonal, angle, 1.0)) * size / np.pi
    return np.divide(sign, denominator, out=np.zeros((size, size)), where=off_diagonal)


def fourier_derivative(lines: Any) -> Any:
    """The Fourier derivative along axis 1 of `(batch, n, p)`, by fast Fourier transforms.

    The same as `derivative_matrix(n, "fourier")`, with `n log n` operations, in float32 at
    least.
    """
    size = lines.shape[1]
    dtype = working_dtype(lines)
    # The highest frequency of an even number of points has no derivative: what would be one
    # is imaginary there, and the inverse transform leaves it out.
    frequencies = 2 * np.pi * np.arange(size // 2 + 1) / size
    frequencies = ops.convert_to_tensor(frequencies, dtype=dtype)
    real, imaginary = ops.rfft(ops.cast(ops.transpose(lines, (0, 2, 1)), dtype))
    slopes = ops.irfft((-frequencies * imaginary, frequencies * real), fft_length=size)
    return ops.cast(ops.transpose(slopes, (0, 2, 1)), lines.dtype)

"""Derivatives of functions on a line of grid points."""

import functools
import math
from collections.abc import Iterator

import numpy as np
from keras import ops

from keras_lconv._memory import require_memory
from keras_lconv._ops import working_dtype
from keras_lconv._typing import Tensor
from keras_lconv._validation import one_of, positive_int

DERIVATIVES = ("spectral", "fourier", "central")

# From this many points on, the Fourier derivative uses fast Fourier transforms. At this
# size they take about half of the time of a product with its matrix
# (`benchmarks/derivative.py`).
FFT_SIZE = 1024
# Up to this many points the norm of the Whittaker-Shannon derivative is computed. For more
# points its limit pi is close enough.
EXACT_NORM_SIZE = 128


def derivative_matrix(size: int, kind: str = "spectral") -> np.ndarray:
    """The derivative along one axis with `size` points at unit distance.

    All three matrices are antisymmetric.

    Args:
        size: Number `n` of points.
        kind: `"spectral"`: the derivative of the Whittaker-Shannon interpolation of a
            function that is zero outside of the grid, `D_ij = (-1)^(i - j) / (i - j)`.
            `"fourier"`: the derivative of the trigonometric interpolation of a periodic
            function. `"central"`: central differences, with zero outside of the grid.

    Returns:
        Array `(n, n)`, float64.

    Raises:
        ValueError: If `size` is not positive or `kind` is unknown, or the matrix would take
            more than the share of the memory.

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
    _require_matrix(size)
    if kind == "central":
        return (np.eye(size, k=1) - np.eye(size, k=-1)) / 2
    distance = np.subtract.outer(np.arange(size), np.arange(size))
    off_diagonal = distance != 0
    sign = np.where(distance % 2 == 0, 1.0, -1.0)
    if kind == "spectral":
        denominator = distance.astype("float64")
    else:
        angle = np.pi * distance / size
        # On an even number of points the derivative of the highest frequency is zero.
        periodic = np.sin if size % 2 else np.tan
        denominator = periodic(np.where(off_diagonal, angle, 1.0)) * size / np.pi
    return np.divide(sign, denominator, out=np.zeros((size, size)), where=off_diagonal)


def unseen_modes(shape: tuple[int, ...]) -> np.ndarray:
    """The highest frequencies, which a `"fourier"` derivative wrongly maps to zero, `(d,
    d)`.

    On an even number of points the highest frequency `1, -1, 1, ...` has derivative zero at
    all points. Yet a shift by one position changes its sign.

    Args:
        shape: Sizes of the axes of a grid.

    Returns:
        A symmetric matrix whose null space excludes these frequencies: for even sizes the
        sum of projections onto them along each axis.
    """
    found = np.zeros((math.prod(shape),) * 2)
    for axis, size in enumerate(shape):
        if size % 2 == 0:
            wave = (-1.0) ** np.arange(size)
            before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
            along = np.outer(wave, wave) / size
            found += np.kron(np.kron(np.eye(before), along), np.eye(after))
    return found


def fourier_derivative(lines: Tensor) -> Tensor:
    """The Fourier derivative along axis 1 of `(batch, n, p)`, by fast Fourier transforms.

    The same as `derivative_matrix(n, "fourier")`, with `n log n` operations, in at least
    float32.
    """
    size = lines.shape[1]
    dtype = working_dtype(lines)
    # On an even number of points the derivative of the highest frequency would be
    # imaginary. The inverse transform drops it, which leaves zero.
    frequencies = 2 * np.pi * np.arange(size // 2 + 1) / size
    frequencies = ops.convert_to_tensor(frequencies, dtype=dtype)
    real, imaginary = ops.rfft(ops.cast(ops.transpose(lines, (0, 2, 1)), dtype))
    slopes = ops.irfft((-frequencies * imaginary, frequencies * real), fft_length=size)
    return ops.cast(ops.transpose(slopes, (0, 2, 1)), lines.dtype)


class LineDerivative:
    """The derivative along one axis of a grid, applied in the cheapest way.

    Args:
        size: Number `n` of points on the axis.
        kind: As in `derivative_matrix`.
    """

    def __init__(self, size: int, kind: str):
        self.size = size
        self.kind = kind
        if kind != "central" and not self._by_fft:
            _require_matrix(size)

    @functools.cached_property
    def norm(self) -> float:
        """The spectral norm, or a close bound of it."""
        return derivative_norm(self.size, self.kind)

    @functools.cached_property
    def matrix(self) -> np.ndarray:
        """The derivative as a matrix `(n, n)`, float64."""
        return derivative_matrix(self.size, self.kind)

    @property
    def _by_fft(self) -> bool:
        return self.kind == "fourier" and self.size >= FFT_SIZE

    def __call__(self, lines: Tensor) -> Tensor:
        """The derivative along axis 1 of a tensor `(batch, n, p)`."""
        if self.kind == "central":
            padded = ops.pad(lines, ((0, 0), (1, 1), (0, 0)))
            return (padded[:, 2:] - padded[:, :-2]) / 2
        if self._by_fft:
            return fourier_derivative(lines)
        matrix = ops.convert_to_tensor(self.matrix, dtype=lines.dtype)
        return ops.einsum("ij,bjp->bip", matrix, lines)

    def along(self, f: Tensor, axis: int) -> Tensor:
        """The derivative along any axis but the first of a tensor `f`."""
        lines = ops.reshape(f, (-1, self.size, math.prod(f.shape[axis + 1 :])))
        return ops.reshape(self(lines), (-1, *f.shape[1:]))

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one value of the derivative."""
        if self.kind == "central":
            return 2
        # There are two transforms of real numbers. Each costs half of a complex one, which
        # takes `4 log2(n)`.
        return 4 * math.ceil(math.log2(self.size)) if self._by_fft else self.size


class Gradient:
    """The derivatives of flat features along all axes of a grid.

    Args:
        shape: Spatial shape of the grid.
        kind: As in `derivative_matrix`.

    Attributes:
        norms: The spectral norms of the derivatives, or close bounds, an array `(ndim,)`.
    """

    def __init__(self, shape: tuple[int, ...], kind: str):
        self.shape = shape
        self._derivatives = tuple(LineDerivative(n, kind) for n in shape)
        self.norms = np.array([D.norm for D in self._derivatives])

    def slopes(self, f: Tensor) -> Iterator[Tensor]:
        """The derivatives of `(batch, d, ...)` along each axis, each in the same shape."""
        for axis, derivative in enumerate(self._derivatives):
            rest = math.prod(self.shape[axis + 1 :] + tuple(f.shape[2:]))
            lines = ops.reshape(f, (-1, self.shape[axis], rest))
            yield ops.reshape(derivative(lines), (-1, *f.shape[1:]))

    def __call__(self, f: Tensor) -> Tensor:
        """All derivatives of `(batch, d, channels)`: `(batch, d, ndim, channels)`."""
        return ops.stack(list(self.slopes(f)), axis=2)

    def matrix(self, axis: int) -> np.ndarray:
        """The derivative along one axis as a matrix `(d, d)`, float64."""
        return on_grid(self._derivatives[axis].matrix, self.shape, axis)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for the derivatives of one value, along all axes."""
        return sum(derivative.multiply_adds for derivative in self._derivatives)


def _require_matrix(size: int) -> None:
    require_memory(
        f"The matrix of a derivative along an axis of size={size}",
        size**2,
        f"`derivative='central'`, and `derivative='fourier'` from {FFT_SIZE} points on, "
        "need no matrix",
    )


def derivative_norm(size: int, kind: str) -> float:
    """The spectral norm of `derivative_matrix(size, kind)`.

    Central differences have the eigenvalues `i cos(j pi / (n + 1))`, and the Fourier
    derivative has the wave numbers. The Whittaker-Shannon derivative is a section of the
    multiplication by wave numbers up to pi, so its norm is at most pi.
    """
    if size == 1:
        return 0.0
    if kind == "central":
        return math.cos(math.pi / (size + 1))
    if kind == "fourier":
        return 2 * math.pi / size * ((size - 1) // 2)
    if size > EXACT_NORM_SIZE:
        return math.pi
    return float(np.linalg.norm(derivative_matrix(size, kind), 2))


def on_grid(matrix: np.ndarray, shape: tuple[int, ...], axis: int) -> np.ndarray:
    """A matrix that acts along one axis, as a matrix `(d, d)` on a grid."""
    before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    return np.kron(np.kron(np.eye(before), matrix), np.eye(after))

"""Finite shifts on a grid, as in the kernel of a convolution."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._validation import one_of
from keras_lconv.generators.base import Generators
from keras_lconv.generators.cost import Cost

BOUNDARIES = ("zero", "periodic")


@keras.saving.register_keras_serializable(package="keras_lconv")
class ShiftGenerators(Generators):
    """Fixed finite shifts on a grid: `(L_i f)(x) = f(x + offset_i)`.

    An `LConv` with the shifts of a window is an ordinary convolution with this window
    (a cross-correlation, as Keras computes it): the weight `W_i` is the entry of the
    kernel at `offset_i`. Applied by slices: no matrix is formed.

    Args:
        offsets: Integers `(k, ndim)`, in grid steps along each spatial axis; or `(k,)`
            for one axis.
        boundary: `"zero"`: `f` is zero outside of the grid. `"periodic"`: the grid is
            closed to a torus.
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, *spatial, channels)` with `ndim` spatial axes, or `(batch, d)`.

    Output shape:
        `(batch, *spatial, k, channels)`.

    Raises:
        TypeError: If `offsets` are no integers.
        ValueError: If `offsets` have another shape, `boundary` is unknown, or the input
            has another number of spatial axes.

    Example:
    ```python
    import numpy as np
    from keras_lconv.generators import ShiftGenerators

    generators = ShiftGenerators([(0, 1), (1, 0)], boundary="periodic")
    image = np.random.default_rng(0).normal(size=(1, 4, 4, 1)).astype("float32")
    shifted = np.asarray(generators(image))
    assert np.allclose(shifted[..., 0, :], np.roll(image, -1, axis=2))
    ```
    """

    def __init__(self, offsets: Any, boundary: str = "zero", **kwargs: Any):
        self.offsets = _checked_offsets(offsets)
        self.boundary = one_of("boundary", boundary, BOUNDARIES)
        # Shifts are never learned, also where a configuration holds the default.
        kwargs["trainable"] = False
        super().__init__(len(self.offsets), **kwargs)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Checks the number of spatial axes."""
        super().build(input_shape)
        ndim = len(self._require_built("build"))
        if ndim != len(self.offsets[0]):
            raise ValueError(
                f"The offsets of {self.name!r} have {len(self.offsets[0])} components. "
                f"Received: an input with {ndim} spatial axes"
            )

    def call(self, inputs: Any) -> Any:
        """All shifted feature maps, of shape `(batch, *spatial, k, channels)`."""
        f = self._on_grid(inputs)
        return ops.stack(
            [shift(f, offset, self.boundary) for offset in self.offsets], axis=-2
        )

    def combine(self, z: Any) -> Any:
        """The sum `sum_i L_i z_i`, of shape `(batch, *spatial, channels)`."""
        return sum(
            shift(z[..., i, :], offset, self.boundary)
            for i, offset in enumerate(self.offsets)
        )

    def _on_grid(self, f: Any) -> Any:
        return f[..., None] if len(f.shape) == 2 else f

    def cost(self, channels: int, operation: str = "call") -> Cost:
        """No products at all: `k d` numbers a channel are moved.

        Args:
            channels: Number of channels that the generators act on.
            operation: `"call"` or `"combine"`.

        Returns:
            A `Cost` for one sample.
        """
        copies = self.num_generators if operation == "combine" else 1
        return Cost(0, super().cost(channels, operation).bytes * copies)

    def spectral_norms(self) -> Any:
        """The spectral norms, a tensor `(k,)`: 1, and 0 for shifts that leave the grid."""
        return ops.convert_to_tensor(self.initial_norms(), dtype=self.variable_dtype)

    def initial_norms(self) -> np.ndarray:
        """The spectral norms, of shape `(k,)`."""
        shape = self._require_built("initial_norms")
        inside = [
            self.boundary == "periodic"
            or all(abs(step) < size for step, size in zip(offset, shape, strict=True))
            for offset in self.offsets
        ]
        return np.array(inside, dtype="float64")

    def known_matrices(self) -> np.ndarray:
        """The shifts as matrices in NumPy, `(k, d, d)`."""
        shape = self._require_built("known_matrices")
        tables = [shifted_positions(shape, o, self.boundary) for o in self.offsets]
        return np.stack([table[:, None] == np.arange(len(table)) for table in tables]) * 1.0

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        config = super().get_config()
        del config["trainable"], config["frozen"]
        offsets = [list(offset) for offset in self.offsets]
        return {**config, "offsets": offsets, "boundary": self.boundary}


def shifts(offsets: Any, boundary: str = "zero", **kwargs: Any) -> ShiftGenerators:
    """Finite shifts, as in the kernel of a convolution: `ShiftGenerators`.

    Args:
        offsets: Integers `(k, ndim)`, or `(k,)` for one spatial axis.
        boundary: `"zero"` or `"periodic"`.
        **kwargs: `name`, `dtype`.

    Returns:
        Fixed generators, one for each offset.

    Example:
    ```python
    import itertools
    from keras_lconv import LConv
    from keras_lconv.generators import shifts

    window = [o for o in itertools.product((-1, 0, 1), repeat=2) if o != (0, 0)]
    layer = LConv(16, shifts(window))  # a convolution with 3x3 kernels
    ```
    """
    return ShiftGenerators(offsets, boundary, **kwargs)


def shift(f: Any, offset: Sequence[int], boundary: str) -> Any:
    """`f(x + offset)` for a tensor `(batch, *spatial, ...)`."""
    if boundary == "periodic":
        axes = tuple(range(1, len(offset) + 1))
        return ops.roll(f, tuple(-step for step in offset), axis=axes)
    sizes = f.shape[1 : len(offset) + 1]
    if any(abs(step) >= size for step, size in zip(offset, sizes, strict=True)):
        return ops.zeros_like(f)
    # Cut off what leaves the grid on one side, and fill up with zeros on the other.
    kept = tuple(
        slice(max(step, 0), size + min(step, 0))
        for step, size in zip(offset, sizes, strict=True)
    )
    filling = [(max(-step, 0), max(step, 0)) for step in offset]
    rest = [(0, 0)] * (len(f.shape) - len(offset) - 1)
    return ops.pad(f[(slice(None), *kept)], [(0, 0), *filling, *rest])


def _checked_offsets(offsets: Any) -> tuple[tuple[int, ...], ...]:
    array = np.asarray(offsets)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"`offsets` must be integers. Received: offsets={offsets!r}")
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            "`offsets` must have shape `(k, ndim)`, or `(k,)` for one spatial axis. "
            f"Received: shape {np.shape(offsets)}"
        )
    return tuple(tuple(int(step) for step in offset) for offset in array)


def shifted_positions(
    shape: tuple[int, ...], offset: Sequence[int], boundary: str
) -> np.ndarray:
    """Index of the position `x + offset` for each position `x`, -1 outside, `(d,)`."""
    points = np.stack(np.unravel_index(np.arange(math.prod(shape)), shape))
    moved = points + np.array(offset)[:, None]
    sizes = np.array(shape)[:, None]
    if boundary == "periodic":
        return np.ravel_multi_index(tuple(moved % sizes), shape)
    inside = np.all((moved >= 0) & (moved < sizes), axis=0)
    return np.where(inside, np.ravel_multi_index(tuple(moved % sizes), shape), -1)

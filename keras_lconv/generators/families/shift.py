"""Finite shifts on a grid, as in the kernel of a convolution."""

import functools
import math
import operator
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import take
from keras_lconv._layout import flatten, unflatten
from keras_lconv._typing import ArrayLike, Shape, Tensor
from keras_lconv._validation import (
    boolean,
    for_each_axis,
    integer_array,
    one_of,
    positive_ints,
)
from keras_lconv.generators.base import Generators
from keras_lconv.generators.contraction import cost, result_bytes
from keras_lconv.generators.cost import Cost

BOUNDARIES = ("zero", "periodic")
# From this many shifts on the layer takes elements by indices, because so many slices take
# long to compile. For fewer shifts slices are faster, and their gradients much faster.
MANY = 128


@keras.saving.register_keras_serializable(package="keras_lconv")
class ShiftGenerators(Generators):
    """Fixed finite shifts on a grid: `(L_i f)(x) = f(x + offset_i)`.

    An `LConv` with the shifts of a window is an ordinary convolution with this window (a
    cross-correlation, as Keras computes it): the weight `W_i` is the entry of the kernel at
    `offset_i`. Slices apply the shifts: no matrix is formed.

    Strides and the boundary `"valid"` lead to a smaller grid, as in a convolution. An
    `LConv` then has no self-interaction; a shift by zero replaces it.

    Args:
        offsets: Integers `(k, ndim)`, in grid steps along each spatial axis; or `(k,)`
            for one axis.
        boundary: `"zero"`: `f` is zero outside of the grid. `"periodic"`: the grid is
            closed to a torus. `"valid"`: only positions `x` for which all `x + offset_i`
            lie on the grid are kept.
        strides: Every n-th position is kept, starting with the first, with one `n` for all
            spatial axes or one for each.
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, *spatial, channels)` with `ndim` spatial axes, or `(batch, d)`.

    Output shape:
        `(batch, *spatial', k, channels)`, where `spatial'` is that of the input, or of the
        positions that are kept.

    Raises:
        TypeError: If `offsets` or `strides` are not integers.
        ValueError: If `offsets` have another shape, `strides` are not positive or not one
            for each axis, `boundary` is unknown, or the input has another number of spatial
            axes or no position to keep.

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

    def __init__(
        self,
        offsets: ArrayLike,
        *,
        boundary: str = "zero",
        strides: int | Sequence[int] = 1,
        **kwargs: Any,
    ):
        self.offsets = _checked_offsets(offsets)
        self.boundary = one_of("boundary", boundary, (*BOUNDARIES, "valid"))
        steps = positive_ints("strides", strides)
        self.strides = for_each_axis("strides", steps, len(self.offsets[0]))
        # Shifts are never learned, even if a configuration holds the default.
        boolean("trainable", kwargs.pop("trainable", False))
        super().__init__(len(self.offsets), trainable=False, **kwargs)

    def build(self, input_shape: Shape) -> None:
        """Checks the number of spatial axes."""
        super().build(input_shape)
        self._window = self._kept(self.require_built("build"))

    @property
    def is_square(self) -> bool:
        """Whether all positions are kept."""
        cuts = self.boundary == "valid" and bool(np.any(self.offsets))
        return not cuts and all(step == 1 for step in self.strides)

    def output_spatial_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The number of positions that are kept along each axis."""
        windows = zip(self._kept(shape), shape, strict=True)
        return tuple(len(range(*window.indices(n))) for window, n in windows)

    def _kept(self, shape: tuple[int, ...]) -> tuple[slice, ...]:
        """The positions of the input at which there is an output."""
        ndim = len(self.offsets[0])
        if len(shape) != ndim:
            raise ValueError(
                f"The offsets of {self.name!r} have {ndim} components. "
                f"Received: an input with {len(shape)} spatial axes"
            )
        lowest = highest = np.zeros(ndim, dtype=int)
        if self.boundary == "valid":
            lowest = np.minimum(np.min(self.offsets, axis=0), 0)
            highest = np.maximum(np.max(self.offsets, axis=0), 0)
        if np.any(highest - lowest >= shape):
            raise ValueError(
                f"`boundary='valid'` of {self.name!r} keeps no position: the offsets span "
                f"{tuple((highest - lowest + 1).tolist())} positions. "
                f"Received: an input of spatial shape {shape}"
            )
        starts, stops = (-lowest).tolist(), (np.array(shape) - highest).tolist()
        return tuple(map(slice, starts, stops, self.strides))

    def apply(self, f: Tensor) -> Tensor:
        """All shifted feature maps, of shape `(batch, d', k, channels)`."""
        if self.num_generators >= MANY:
            return self._take(f)
        return ops.stack([self._shift(f, offset) for offset in self.offsets], axis=-2)

    def combine(self, z: Tensor) -> Tensor:
        """The sum `sum_i L_i z_i`, of shape `(batch, d', channels)`."""
        moved = [self._shift(z[:, :, i], o) for i, o in enumerate(self.offsets)]
        return functools.reduce(operator.add, moved)

    def _shift(self, f: Tensor, offset: tuple[int, ...]) -> Tensor:
        """One shift of flat features."""
        grid = unflatten(f, self.require_built("apply"))
        return flatten(shift(grid, offset, self.boundary, self._window))

    def _take(self, f: Tensor) -> Tensor:
        """The result of `apply`, by indices."""
        positions = np.stack(self._positions(self.require_built("apply")), axis=-1)
        if np.any(positions < 0):
            # One more position, with zeros, stands for everything outside.
            f = ops.pad(f, ((0, 0), (0, 1), (0, 0)))
        found = take(f, positions.ravel() % f.shape[1], axis=1)
        return ops.reshape(found, (-1, *positions.shape, f.shape[-1]))

    @property
    def is_antisymmetric(self) -> bool:
        """False: the entries of shifts are 0 and 1."""
        return False

    def norm_bounds(self) -> Tensor:
        """The spectral norms, a tensor `(k,)`: 1, or 0 for shifts that leave the grid."""
        return ops.convert_to_tensor(self.initial_norm_bounds(), dtype=self.variable_dtype)

    def initial_norm_bounds(self) -> np.ndarray:
        """The spectral norms, of shape `(k,)`."""
        shape = self.require_built("initial_norm_bounds")
        return np.array([np.any(p >= 0) for p in self._positions(shape)], dtype="float64")

    def matrices(self) -> np.ndarray:
        """The shifts as matrices in NumPy, `(k, d', d)`."""
        shape = self.require_built("matrices")
        columns = np.arange(math.prod(shape))
        return np.stack([p[:, None] == columns for p in self._positions(shape)]) * 1.0

    def _positions(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        """The position that each shift reads for each position of the output, -1
        outside.
        """
        boundary = "periodic" if self.boundary == "periodic" else "zero"
        tables = [shifted_positions(shape, o, boundary) for o in self.offsets]
        return [table.reshape(shape)[self._window].ravel() for table in tables]

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        config = super().get_config()
        del config["trainable"], config["frozen"]
        return {
            **config,
            "offsets": [list(offset) for offset in self.offsets],
            "boundary": self.boundary,
            "strides": list(self.strides),
        }


@cost.register
def _cost(generators: ShiftGenerators, channels: int, operation: str = "apply") -> Cost:
    # There are no products: `k d` numbers a channel are moved.
    copies = generators.num_generators if operation == "combine" else 1
    return Cost(0, result_bytes(generators, channels, operation) * copies)


def shift(
    f: Tensor,
    offset: Sequence[int],
    boundary: str,
    window: tuple[slice, ...] | None = None,
) -> Tensor:
    """`f(x + offset)` for a tensor `(batch, *spatial, ...)`.

    With `window`, the result holds these positions `x` only. Its slices have a start, a
    stop and a step.
    """
    axes = tuple(range(1, len(offset) + 1))
    sizes = f.shape[1 : len(offset) + 1]
    if boundary == "periodic":
        f = ops.roll(f, tuple(-step for step in offset), axis=axes)
        return f if window is None else f[(slice(None), *window)]
    window = window or tuple(slice(0, size, 1) for size in sizes)
    # Cut off the part that leaves the grid on one side, and fill in zeros on the other.
    kept, filling = [], []
    for step, size, at in zip(offset, sizes, window, strict=True):
        read = range(at.start + step, at.stop + step, at.step)
        inside = [x for x in read if 0 <= x < size]
        if not inside:
            return ops.zeros_like(f[(slice(None), *window)])
        kept.append(slice(inside[0], inside[-1] + 1, at.step))
        before = sum(x < 0 for x in read)
        filling.append((before, len(read) - len(inside) - before))
    f = f[(slice(None), *kept)]
    if not np.any(filling):
        return f
    return ops.pad(f, [(0, 0), *filling, *[(0, 0)] * (len(f.shape) - len(offset) - 1)])


def _checked_offsets(offsets: ArrayLike) -> tuple[tuple[int, ...], ...]:
    array = integer_array("offsets", offsets)
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
    """The index of the position `x + offset` for each position `x`, -1 outside, `(d,)`."""
    points = np.stack(np.unravel_index(np.arange(math.prod(shape)), shape))
    moved = points + np.array(offset)[:, None]
    sizes = np.array(shape)[:, None]
    if boundary == "periodic":
        return np.ravel_multi_index(tuple(moved % sizes), shape)
    inside = np.all((moved >= 0) & (moved < sizes), axis=0)
    return np.where(inside, np.ravel_multi_index(tuple(moved % sizes), shape), -1)

"""Pooling whose windows lie symmetrically about the centre."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._layout import integer_sizes
from keras_lconv._ops import working_dtype
from keras_lconv._typing import Shape, Tensor
from keras_lconv._validation import (
    MOST_WINDOW,
    one_of,
    positive_int,
    spatial_shape,
)
from keras_lconv.layers.pooling.norm_max_pooling import Window, largest_vectors
from keras_lconv.layers.steerable.field_layer import FieldLayer
from keras_lconv.layers.steerable.fields import FieldArgument, GroupArgument
from keras_lconv.layers.steerable.resampling import resampled

REDUCTIONS = ("blur", "average", "max")
# Up to this size, averages along an axis are a product with a matrix, several times as fast
# as windows. For longer axes the matrix has too many zeros.
LONGEST = 512


def averages(size: int, window: Window, first: int) -> np.ndarray:
    """The matrix `(number, size)` of averages along an axis.

    Args:
        size: Positions along the axis.
        window: Width, stride, number of windows, and positions outside of the axis.
        first: The width, less one, of the windows of a first average.
    """
    width, stride, number, (outside, _) = window
    once = np.full(first + 1, 1 / (first + 1))
    weights = np.convolve(once, np.full(width, 1 / width))
    matrix = np.zeros((number, size + 2 * outside))
    for row in range(number):
        matrix[row, row * stride : row * stride + len(weights)] = weights
    return matrix[:, outside : outside + size]


@keras.saving.register_keras_serializable(package="keras_lconv")
class SteerablePool(FieldLayer):
    """Makes fields smaller, with windows that lie symmetrically about the centre.

    The output has `ceil(size / strides)` positions along each axis. They lie symmetrically
    about the centre of the grid for any size. Windows are `strides` or `strides + 1`
    positions wide, whichever is symmetric, and reach over the border if necessary. So
    quarter turns before the layer are quarter turns after it, for even sizes and odd ones.

    **Equivariance.** Exact for elements that map the grid onto itself. For others the error
    is that of the lower resolution. It is smallest for `"blur"`, which suppresses aliasing
    most.

    Args:
        group: As for `SteerableConv`.
        representation: How the fields turn.
        strides: Factor by which the output is smaller, at most 100.
        reduction: `"blur"`: an average over a window, of averages over windows.
            `"average"`: over windows. `"max"`: the maximum of each component if the group
            permutes components, otherwise the longest vector.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, *spatial, m, channels)`, without the axis of `m` for trivial fields.
        Spatial sizes must be defined. Masked positions, and those outside, count as zero.

    Output shape:
        The same with smaller spatial sizes.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value.

    Example:
    ```python
    import numpy as np
    from keras_lconv import SteerablePool

    fields = np.random.default_rng(0).normal(size=(1, 15, 15, 7, 2))
    assert tuple(SteerablePool("so2", 3)(fields).shape) == (1, 8, 8, 7, 2)
    ```

    Reference:
        R. Zhang, "Making convolutional networks shift-invariant again", ICML 2019.
    """

    def __init__(
        self,
        group: GroupArgument,
        representation: FieldArgument,
        *,
        strides: int = 2,
        reduction: str = "blur",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(group, representation, data_format=data_format, **kwargs)
        self.strides = positive_int("strides", strides, most=MOST_WINDOW)
        self.reduction = one_of("reduction", reduction, REDUCTIONS)

    # ---------------------------------------------------------------- shapes

    def _windows(self, sizes: tuple[int, ...], before: int = 0) -> list[Window]:
        """Symmetric windows, for sizes from which a first average has removed `before`."""
        found = []
        for size in sizes:
            number = math.ceil(size / self.strides)
            steps = (number - 1) * self.strides
            # Windows reach over the border by an even number of positions, half on either
            # side.
            width = self.strides + (steps + self.strides + before - size) % 2
            outside = (steps + width + before - size) // 2
            found.append((width, self.strides, number, (outside, outside)))
        return found

    def _field_output_shape(self, field_shape: Shape) -> Shape:
        sizes = spatial_shape(field_shape[:-1], self._owner)
        numbers = (number for _, _, number, _ in self._windows(sizes))
        return (field_shape[0], *numbers, *field_shape[-2:])

    # ------------------------------------------------------------------ call

    def _transform_fields(self, f: Tensor) -> Tensor:
        *sizes, size, channels = integer_sizes(f.shape[1:])
        first = self.strides - 1 if self.reduction == "blur" else 0
        windows = self._windows(tuple(sizes), first)
        if self.reduction == "max" and not self.representation.permutes_components:
            wide = ops.cast(f, working_dtype(f))
            return largest_vectors(f, ops.sum(wide**2, axis=-2), windows)
        if self.reduction != "max" and max(sizes) <= LONGEST:
            pairs = zip(sizes, windows, strict=True)
            return resampled(f, [averages(*pair, first) for pair in pairs])
        if channels is None:
            channels = ops.shape(f)[-1]
        f = ops.reshape(f, (-1, *sizes, size * channels))
        outside = [(0, 0), *(pad for *_, pad in windows), (0, 0)]
        widths: Any = tuple(width for width, *_ in windows)
        if len(set(widths)) == 1:
            # After loading a tuple is a list, which Keras refuses on JAX.
            widths = widths[0]
        if self.reduction == "max":
            f = ops.pad(f, outside, constant_values=-np.inf)
            f = ops.max_pool(f, widths, self.strides, data_format="channels_last")
        else:
            f = ops.pad(f, outside)
            if first:
                f = ops.average_pool(f, self.strides, 1, data_format="channels_last")
            f = ops.average_pool(f, widths, self.strides, data_format="channels_last")
        return ops.reshape(f, (-1, *f.shape[1:-1], size, channels))

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        """`None`: windows have no mask."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        config = {"strides": self.strides, "reduction": self.reduction}
        return {**super().get_config(), **config}

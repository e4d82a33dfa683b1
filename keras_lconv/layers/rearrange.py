"""Positions in another order."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._validation import one_of, positive_ints, spatial_shape
from keras_lconv.layers.base import DATA_FORMATS


@keras.saving.register_keras_serializable(package="keras_lconv")
class Rearrange(keras.layers.Layer):
    """Positions in another order, on another grid: `y(x) = f(order(x))`.

    It brings scrambled data onto the grid on which generators such as `"rotation"` act.
    `infer_grid` finds the order.

    Args:
        order: Integers `(d',)`: for each position of the output, in C order, the position
            of the input; -1 for none, which gives zero.
        output_dim: Spatial shape of the output, with `d'` positions. By default `(d',)`.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, *spatial, channels)`; with `data_format="channels_first"`
        `(batch, channels, *spatial)`; or `(batch, d)`, which gets one channel.

    Output shape:
        `(batch, *output_dim, channels)`, or with the channels first.

    Raises:
        TypeError: If `order` or `output_dim` are no integers.
        ValueError: If an argument has a wrong value, or `order` does not fit the input.

    Example:
    ```python
    import numpy as np
    from keras_lconv import Rearrange

    layer = Rearrange([2, 0, -1, 1], output_dim=(2, 2))
    image = layer(np.array([[5.0, 6.0, 7.0]]))
    assert np.array_equal(image[0, ..., 0], [[7.0, 5.0], [0.0, 6.0]])
    ```
    """

    def __init__(
        self,
        order: Any,
        output_dim: int | Sequence[int] | None = None,
        *,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.order = _checked_order(order)
        self.output_dim = positive_ints("output_dim", output_dim or len(self.order))
        if math.prod(self.output_dim) != len(self.order):
            raise ValueError(
                f"`output_dim` must hold the {len(self.order)} positions of `order`. "
                f"Received: output_dim={output_dim}"
            )
        self.data_format = one_of(
            "data_format", data_format or keras.config.image_data_format(), DATA_FORMATS
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Checks that the order fits the input."""
        owner = f"{type(self).__name__} {self.name!r}"
        size = math.prod(spatial_shape(self._channels_last(tuple(input_shape)), owner))
        if self.order.max() >= size:
            raise ValueError(
                f"The order of {owner} needs {self.order.max() + 1} positions. "
                f"Received: an input with {size}, of shape {tuple(input_shape)}"
            )

    def _channels_last(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        if self.data_format == "channels_first" and len(shape) > 2:
            return (shape[0], *shape[2:], shape[1])
        return shape

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Shape of the output."""
        shape = self._channels_last(tuple(input_shape))
        channels = shape[-1] if len(shape) > 2 else 1
        if self.data_format == "channels_first":
            return (shape[0], channels, *self.output_dim)
        return (shape[0], *self.output_dim, channels)

    def call(self, inputs: Any) -> Any:
        """The input in the new order."""
        f = ops.expand_dims(inputs, -1) if len(inputs.shape) == 2 else inputs
        if self.data_format == "channels_first" and len(inputs.shape) > 2:
            f = ops.moveaxis(f, 1, -1)
        channels = f.shape[-1]
        f = ops.reshape(f, (-1, math.prod(f.shape[1:-1]), channels))
        f = ops.take(f, np.maximum(self.order, 0), axis=1)
        if np.any(self.order < 0):
            # Not a product with zeros, for which infinite values would become NaN.
            f = ops.where(self.order[:, None] >= 0, f, ops.zeros_like(f))
        f = ops.reshape(f, (-1, *self.output_dim, channels))
        return ops.moveaxis(f, -1, 1) if self.data_format == "channels_first" else f

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "order": self.order.tolist(),
            "output_dim": self.output_dim,
            "data_format": self.data_format,
        }


def _checked_order(order: Any) -> np.ndarray:
    positions = np.array(order)
    if positions.ndim != 1 or not positions.size:
        raise ValueError(f"`order` must have shape `(d',)`. Received: {positions.shape}")
    if not np.issubdtype(positions.dtype, np.integer):
        raise TypeError(
            f"`order` must be integers. Received: an array of type {positions.dtype}"
        )
    if positions.min() < -1:
        raise ValueError(
            "`order` must be positions from 0, or -1 for none. "
            f"Received: {positions.min()} among them"
        )
    return positions

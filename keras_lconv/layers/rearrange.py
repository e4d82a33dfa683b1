"""A reordering of positions."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import take
from keras_lconv._layout import flatten, unflatten
from keras_lconv._typing import ArrayLike, Shape, Tensor
from keras_lconv._validation import integer_array, positive_ints, spatial_shape
from keras_lconv.layers.base import FeatureLayer


@keras.saving.register_keras_serializable(package="keras_lconv")
class Rearrange(FeatureLayer):
    """Positions in another order, on another grid: `y(x) = f(order(x))`.

    It puts scrambled data on the grid, so that generators such as `"rotation"` can act.
    `infer_grid` finds the order.

    Args:
        order: Integers `(d',)`: for each position of the output, in C order, the position
            of the input; -1 for none, which gives zero.
        output_dim: Spatial shape of the output, with `d'` positions. By default `(d',)`.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, *spatial, channels)`; with `data_format="channels_first"`
        `(batch, channels, *spatial)`; or `(batch, d)`, which gets one channel. Masked
        positions count as zero; the output has no mask.

    Output shape:
        `(batch, *output_dim, channels)`, or with the channels first.

    Raises:
        TypeError: If `order` or `output_dim` are not integers.
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

    _keeps_vectors = False

    def __init__(
        self,
        order: ArrayLike,
        *,
        output_dim: int | Sequence[int] | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.order = _checked_order(order)
        if output_dim is None:
            output_dim = len(self.order)
        self.output_dim = positive_ints("output_dim", output_dim)
        if math.prod(self.output_dim) != len(self.order):
            raise ValueError(
                f"`output_dim` must have the {len(self.order)} positions of `order`. "
                f"Received: output_dim={output_dim}"
            )

    def build(self, input_shape: Shape) -> None:
        """Checks that the order fits the input."""
        shape = spatial_shape(self._feature_shape(tuple(input_shape)), self._owner)
        if self.order.max() >= math.prod(shape):
            raise ValueError(
                f"`order` of {self._owner} needs an input with at least "
                f"{self.order.max() + 1} positions. Received: {math.prod(shape)} "
                f"positions, an input of shape {tuple(input_shape)}"
            )

    def _feature_output_shape(self, feature_shape: Shape) -> Shape:
        return (feature_shape[0], *self.output_dim, feature_shape[-1])

    def _transform(self, f: Tensor, mask: Tensor | None) -> Tensor:
        f = take(flatten(f), np.maximum(self.order, 0), axis=1)
        if np.any(self.order < 0):
            # A product with zeros would turn infinite values into NaN.
            f = ops.where(self.order[:, None] >= 0, f, ops.zeros_like(f))
        return unflatten(f, self.output_dim)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> None:
        """`None`: the positions change."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "order": self.order.tolist(),
            "output_dim": list(self.output_dim),
        }


def _checked_order(order: object) -> np.ndarray:
    positions = integer_array("order", order)
    if positions.ndim != 1 or not positions.size:
        raise ValueError(f"`order` must have shape `(d',)`. Received: {positions.shape}")
    if positions.min() < -1:
        raise ValueError(
            "`order` must hold positions from 0 on, or -1 for none. Received: "
            f"{positions.min()} among them"
        )
    return positions

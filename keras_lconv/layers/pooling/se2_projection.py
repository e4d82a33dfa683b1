"""From features on positions and orientations back to images."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_lconv._ops import largest, mean
from keras_lconv._typing import Shape, Tensor
from keras_lconv._validation import one_of, require_channels
from keras_lconv.layers.base import FeatureLayer

REDUCTIONS: dict[str, Callable[..., Tensor]] = {"average": mean, "max": largest}


@keras.saving.register_keras_serializable(package="keras_lconv")
class SE2Projection(FeatureLayer):
    """Removes the orientations: the maximum or the average over `theta`.

    **Equivariance.** A turn shifts the features in `theta`, which changes neither the
    maximum nor the average: what is left turns in the plane only, as an image does. Without
    positions, after a global pooling, it is invariant. With `n` orientations that is exact
    for the turns by multiples of `2 pi / n` that are exact in the plane. For angles between
    the orientations the average is exact up to the angular frequency `n` of the features,
    and the maximum as far as it does not fall between two samples. Where the axis holds
    mirror images too, as of `SE2Lift` with `reflections`, flips leave it invariant as well.

    Args:
        reduction: `"max"` or `"average"`.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Input shape:
        `(batch, theta, y, x, channels)`, or `(batch, channels, theta, y, x)` with
        `data_format="channels_first"`. Also with another number of axes after `theta`, as
        `(batch, theta, channels)`. Masked positions count as zero.

    Output shape:
        That of the input without `theta`.

    Raises:
        ValueError: If an argument has a wrong value, or the input has no axis `theta`.

    Example:
    ```python
    import numpy as np
    from keras_lconv import SE2Projection

    f = np.random.default_rng(0).normal(size=(2, 8, 5, 5, 3))
    assert tuple(SE2Projection()(f).shape) == (2, 5, 5, 3)
    ```

    Reference:
        T. Cohen, M. Welling, "Group equivariant convolutional networks", ICML 2016, where
        it is called pooling over a subgroup.
    """

    def __init__(
        self, *, reduction: str = "max", data_format: str | None = None, **kwargs: Any
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.reduction = one_of("reduction", reduction, tuple(REDUCTIONS))

    def build(self, input_shape: Shape) -> None:
        """Checks that there is an axis to remove."""
        self.compute_output_shape(input_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the output."""
        if len(input_shape) < 3:
            raise ValueError(
                f"{self._owner} expects features of shape (batch, theta, ..., channels), "
                "or (batch, channels, theta, ...) with `data_format='channels_first'`. "
                f"Received: an input of shape {tuple(input_shape)}"
            )
        require_channels(self._feature_shape(tuple(input_shape)), self._owner)
        return super().compute_output_shape(input_shape)

    def _feature_output_shape(self, feature_shape: Shape) -> Shape:
        return (feature_shape[0], *feature_shape[2:])

    def _transform(self, f: Tensor, mask: Tensor | None) -> Tensor:
        return REDUCTIONS[self.reduction](f, axis=1)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        """The positions that have any orientation, if the mask tells them."""
        if previous_mask is None or len(previous_mask.shape) < 3:
            return None
        return ops.any(previous_mask, axis=1)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {**super().get_config(), "reduction": self.reduction}

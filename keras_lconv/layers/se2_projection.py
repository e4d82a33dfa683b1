"""From features on positions and orientations back to images."""

from typing import Any

import keras
from keras import ops

from keras_lconv._validation import one_of
from keras_lconv.layers.base import DATA_FORMATS, expand_to_rank


def _average(f: Any, axis: int) -> Any:
    """The mean in the precision of `f`; Keras' is that of float32 on PyTorch."""
    return ops.sum(f / f.shape[axis], axis=axis)


REDUCTIONS = {"average": _average, "max": ops.max}


@keras.saving.register_keras_serializable(package="keras_lconv")
class SE2Projection(keras.layers.Layer):
    """Removes the orientations: the maximum or the average over `theta`.

    **Equivariance.** A turn shifts the features in `theta`, which changes neither the
    maximum nor the average: what is left turns in the plane only, as an image does. Without
    positions, after a global pooling, it is invariant. With `n` orientations that is exact
    for the turns by multiples of `2 pi / n` that are exact in the plane. For angles between
    the orientations the average is exact up to the angular frequency `n` of the features,
    and the maximum as far as it does not fall between two samples.

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
    assert tuple(SE2Projection("max")(f).shape) == (2, 5, 5, 3)
    ```

    Reference:
        T. Cohen, M. Welling, "Group equivariant convolutional networks", ICML 2016, where
        it is called pooling over a subgroup.
    """

    def __init__(
        self, reduction: str = "max", *, data_format: str | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.reduction = one_of("reduction", reduction, tuple(REDUCTIONS))
        self.data_format = one_of(
            "data_format", data_format or keras.config.image_data_format(), DATA_FORMATS
        )
        self.supports_masking = True

    @property
    def _axis(self) -> int:
        """Where `theta` is."""
        return 1 if self.data_format == "channels_last" else 2

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Checks that there is an axis to remove."""
        self.compute_output_shape(input_shape)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Shape of the output."""
        if len(input_shape) < 3:
            raise ValueError(
                f"{type(self).__name__} {self.name!r} expects features of shape "
                "(batch, theta, ..., channels), or (batch, channels, theta, ...) with "
                "`data_format='channels_first'`. "
                f"Received: an input of shape {tuple(input_shape)}"
            )
        return (*input_shape[: self._axis], *input_shape[self._axis + 1 :])

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Applies the layer."""
        if mask is not None:
            mask = ops.cast(mask, inputs.dtype)
            if self.data_format == "channels_first":
                mask = ops.expand_dims(mask, 1)
            inputs = inputs * expand_to_rank(mask, len(inputs.shape))
        return REDUCTIONS[self.reduction](inputs, axis=self._axis)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The positions that have any orientation, if the mask tells them."""
        if previous_mask is None or len(previous_mask.shape) < 3:
            return None
        return ops.any(previous_mask, axis=1)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "reduction": self.reduction,
            "data_format": self.data_format,
        }

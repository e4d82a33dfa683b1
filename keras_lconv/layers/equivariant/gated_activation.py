"""The nonlinearity for any representation."""

from typing import Any

import keras
from keras import ops

from keras_lconv._layout import (
    channels_last_shape,
    from_channels_last,
    masked,
    to_channels_last,
    to_floats,
)
from keras_lconv._typing import Activation, Shape, Tensor
from keras_lconv.layers.base import FeatureLayer


@keras.saving.register_keras_serializable(package="keras_lconv")
class GatedActivation(FeatureLayer):
    """Features that transform, each multiplied by a function of an invariant number:
    `v a(s)`.

    A pointwise function of the components of a vector does not commute with rotations, but
    its product with a number does. The numbers `s` come from invariant features, by a
    `keras.layers.Dense` layer or by `EquivariantDense(units, generators, "trivial")`.

    **Equivariance.** Exact for any representation of any algebra or group, if the gates are
    invariant. If the group moves points of a grid, this means one gate for a whole feature
    map.

    Args:
        activation: The function `a`, pointwise. By default the logistic function.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `activity_regularizer`.

    Input shape:
        A list of two: features `(batch, *spatial, channels)` and gates `(batch, channels)`,
        or `(batch, *positions, channels)` with the first of the spatial axes, for fields
        `(batch, *positions, m, channels)`. With `data_format="channels_first"` channels are
        the second axis.

    Output shape:
        That of the features. Masked positions count as zero.

    Raises:
        ValueError: If there are not two inputs, or not one gate for each channel.

    Example:
    ```python
    import keras
    from keras_lconv import EquivariantDense, GatedActivation
    from keras_lconv.algebra import so

    vectors = keras.Input((3, 4))
    scalars = keras.Input((10,))
    mixed = EquivariantDense(8, so(3))(vectors)
    gated = GatedActivation()([mixed, keras.layers.Dense(8)(scalars)])
    assert gated.shape == (None, 3, 8)
    ```

    Reference:
        M. Weiler, M. Geiger, M. Welling, W. Boomsma, T. Cohen, "3D Steerable CNNs", NeurIPS
        2018.
    """

    def __init__(
        self,
        *,
        activation: Activation = "sigmoid",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: Any) -> None:
        """Checks the shapes."""
        self.compute_output_shape(input_shape)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Shape of the output."""
        shapes = [tuple(shape) for shape in input_shape if isinstance(shape, (list, tuple))]
        last = [channels_last_shape(shape, self.data_format) for shape in shapes]
        fits = len(last) == 2 and 2 <= len(last[1]) <= len(last[0])
        if not fits or (*last[0][1 : len(last[1]) - 1], last[0][-1]) != last[1][1:]:
            raise ValueError(
                f"{self._owner} expects features of shape `(batch, *spatial, channels)` "
                "and one gate for each of their channels, `(batch, channels)` or `(batch, "
                "*positions, channels)` with the first of the spatial axes. Received: "
                f"{input_shape}"
            )
        return shapes[0]

    def call(self, inputs: Any, mask: Any = None) -> Tensor:
        """The gated features. Masked positions count as zero."""
        features, gates = (to_floats(each, self.compute_dtype) for each in inputs)
        f = to_channels_last(features, self.data_format)
        f = masked(f, mask[0] if isinstance(mask, (list, tuple)) else mask)
        gates = to_channels_last(gates, self.data_format)
        factor = ops.cast(self.activation(gates), f.dtype)
        for _ in range(len(f.shape) - len(gates.shape)):
            factor = ops.expand_dims(factor, -2)
        return from_channels_last(f * factor, self.data_format)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the features."""
        return previous_mask[0] if isinstance(previous_mask, (list, tuple)) else None

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "activation": keras.activations.serialize(self.activation),
        }

"""The non-linearity that respects any representation."""

from typing import Any

import keras
from keras import ops

from keras_lconv._validation import one_of
from keras_lconv.layers.base import DATA_FORMATS


@keras.saving.register_keras_serializable(package="keras_lconv")
class GatedActivation(keras.layers.Layer):
    """Features that transform, each times a function of a number that does not: `v a(s)`.

    A pointwise function of the components of a vector does not commute with rotations, but
    its product with a number does. The numbers `s` come from invariant features, by a
    `keras.layers.Dense` layer or by `EquivariantDense(units, generators, "trivial")`.

    **Equivariance.** For any representation of any algebra, exactly, if the gates
    are invariant. Where the group moves points of a grid, that is one gate for a whole
    feature map.

    Args:
        activation: The function `a`, pointwise. By default the logistic one.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `activity_regularizer`.

    Input shape:
        A list of two: features `(batch, *spatial, channels)` and gates
        `(batch, channels)`. With `data_format="channels_first"` channels of the
        features are the second axis.

    Output shape:
        That of the features.

    Raises:
        ValueError: If there are not two inputs, or there is not one gate a channel.

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
        self, activation: Any = "sigmoid", data_format: str | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.activation = keras.activations.get(activation)
        self.data_format = one_of(
            "data_format", data_format or keras.config.image_data_format(), DATA_FORMATS
        )
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Checks the shapes."""
        self.compute_output_shape(input_shape)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Shape of the output."""
        shapes = [tuple(shape) for shape in input_shape if isinstance(shape, (list, tuple))]
        axis = 1 if self.data_format == "channels_first" else -1
        fits = len(shapes) == 2 and len(shapes[0]) >= 2 and len(shapes[1]) == 2
        if not fits or shapes[0][axis] != shapes[1][1]:
            raise ValueError(
                f"{type(self).__name__} {self.name!r} expects features of shape "
                "`(batch, *spatial, channels)` and one gate for each of their channels, "
                f"`(batch, channels)`. Received: {input_shape}"
            )
        return shapes[0]

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """The gated features."""
        features, gates = inputs
        factor = self.activation(gates)
        for _ in range(len(features.shape) - 2):
            last = self.data_format == "channels_first"
            factor = ops.expand_dims(factor, -1 if last else 1)
        return features * ops.cast(factor, features.dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the features."""
        return previous_mask[0] if isinstance(previous_mask, (list, tuple)) else None

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "activation": keras.activations.serialize(self.activation),
            "data_format": self.data_format,
        }

"""What layers that act by generators and mix channels have in common."""

from typing import Any

import keras
from keras import ops

from keras_lconv._typing import (
    Activation,
    Constraint,
    GeneratorsLike,
    Initializer,
    Regularizer,
    Shape,
    Tensor,
)
from keras_lconv._validation import boolean, positive_int
from keras_lconv.layers.base import GeneratorLayer


class KernelLayer(GeneratorLayer):
    """Base of layers with a kernel, a bias and an activation beside their generators.

    A subclass implements `_add_kernel(channels)`, which creates its weights but the bias,
    and `_act(f)`, which maps `f` of shape `(batch, d, channels)` to `(batch, d', filters)`,
    the bias included (`_add_bias`).

    Args:
        filters: Number of output channels.
        generators: What `keras_lconv.generators.get` takes.
        rank: Rank of learned generators.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        activation: Activation of the output.
        use_bias: Whether there is a bias.
        kernel_initializer: Initializer of the kernel.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel.
        bias_regularizer: Regularizer of the bias.
        activity_regularizer: Regularizer of the output.
        kernel_constraint: Constraint on the kernel.
        bias_constraint: Constraint on the bias.
        **kwargs: `name`, `dtype`, `trainable`.
    """

    _keeps_vectors = False

    def __init__(
        self,
        filters: int,
        generators: GeneratorsLike,
        *,
        rank: Any = None,
        data_format: str | None,
        activation: Activation,
        use_bias: bool,
        kernel_initializer: Initializer,
        bias_initializer: Initializer,
        kernel_regularizer: Regularizer,
        bias_regularizer: Regularizer,
        activity_regularizer: Regularizer,
        kernel_constraint: Constraint,
        bias_constraint: Constraint,
        **kwargs: Any,
    ):
        super().__init__(
            generators,
            rank=rank,
            data_format=data_format,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.filters = positive_int("filters", filters)
        self.activation = keras.activations.get(activation)
        self.use_bias = boolean("use_bias", use_bias)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)

    # ---------------------------------------------------------------- shapes

    def _output_spatial_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.generators.output_spatial_shape(shape)

    def _feature_output_shape(self, feature_shape: Shape) -> Shape:
        return (*super()._feature_output_shape(feature_shape)[:-1], self.filters)

    def _build(self, feature_shape: Shape) -> None:
        channels = feature_shape[-1]
        if channels is None:
            raise ValueError(
                f"{self._owner} needs a defined number of channels. "
                f"Received: an input of shape {feature_shape}, channels last"
            )
        self._add_kernel(channels)
        self.bias = None
        shape = self._bias_shape()
        if self.use_bias and 0 not in shape:
            self.bias = self.add_weight(
                name="bias",
                shape=shape,
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def _add_kernel(self, channels: int) -> None:
        raise NotImplementedError

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.filters,)

    # ------------------------------------------------------------------ call

    def _transform(self, f: Tensor, mask: Tensor | None) -> Tensor:
        return self.activation(super()._transform(f, mask))

    def _add_bias(self, output: Tensor) -> Tensor:
        if self.bias is None:
            return output
        return output + ops.cast(self.bias, output.dtype)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": self.kernel_initializer
            and keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": keras.regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
            "bias_constraint": keras.constraints.serialize(self.bias_constraint),
        }

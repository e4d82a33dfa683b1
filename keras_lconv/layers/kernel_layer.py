"""What layers that act by generators and mix channels have in common."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_lconv._validation import positive_int
from keras_lconv.layers.base import GeneratorLayer


class KernelLayer(GeneratorLayer):
    """Base of layers with a kernel, a bias and an activation beside their generators.

    A subclass implements `_add_kernel(owner, channels)`, which creates its weights but the
    bias, and `_mix(f, mask)`, which maps `f` of shape `(batch, *spatial, channels)` to
    `(batch, *spatial', filters)`, the bias included (`_add_bias`).

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
        generators: Any,
        rank: int | Sequence[int] | None,
        *,
        data_format: str | None,
        activation: Any,
        use_bias: bool,
        kernel_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        bias_regularizer: Any,
        activity_regularizer: Any,
        kernel_constraint: Any,
        bias_constraint: Any,
        **kwargs: Any,
    ):
        super().__init__(
            generators,
            rank,
            data_format=data_format,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.filters = positive_int("filters", filters)
        self.activation = keras.activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)

    def _feature_output_shape(self, feature_shape: tuple) -> tuple:
        batch, *spatial, _, _ = self.generators.compute_output_shape(feature_shape)
        return (batch, *spatial, self.filters)

    def _build(self, owner: str, feature_shape: tuple) -> None:
        channels = feature_shape[-1] if len(feature_shape) > 2 else None
        if channels is None:
            raise ValueError(
                f"{owner} needs a defined number of channels. "
                f"Received: an input of shape {feature_shape}, channels last"
            )
        self._add_kernel(owner, channels)
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

    def _add_kernel(self, owner: str, channels: int) -> None:
        raise NotImplementedError

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.filters,)

    def _act(self, f: Any, mask: Any) -> Any:
        return self.activation(self._mix(f, mask))

    def _mix(self, f: Any, mask: Any) -> Any:
        raise NotImplementedError

    def _add_bias(self, output: Any) -> Any:
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

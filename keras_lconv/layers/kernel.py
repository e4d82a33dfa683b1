"""The base of layers that mix channels by a kernel."""

from typing import Any

import keras

from keras_lconv._typing import Activation, Constraint, Initializer, Regularizer, Shape
from keras_lconv._validation import boolean, positive_int
from keras_lconv.layers.base import FeatureLayer


class KernelOwner(FeatureLayer):
    """Base of layers with a kernel, a bias and an activation.

    Args:
        filters: Number of output channels.
        activation: Activation of the output.
        use_bias: Whether there is a bias.
        kernel_initializer: Initializer of the kernel. `None` if the layer has its own.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel.
        bias_regularizer: Regularizer of the bias.
        kernel_constraint: Constraint on the kernel.
        bias_constraint: Constraint on the bias.
        **kwargs: Arguments of the base class.
    """

    def __init__(
        self,
        filters: int,
        *,
        activation: Activation,
        use_bias: bool,
        kernel_initializer: Initializer,
        bias_initializer: Initializer,
        kernel_regularizer: Regularizer,
        bias_regularizer: Regularizer,
        kernel_constraint: Constraint,
        bias_constraint: Constraint,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters = positive_int("filters", filters)
        self.activation = keras.activations.get(activation)
        self.use_bias = boolean("use_bias", use_bias)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)

    def _add_kernel_weight(
        self, shape: Shape, initializer: Initializer = None
    ) -> keras.Variable:
        """The weight `kernel`, from the given initializer or from that of the layer."""
        return self.add_weight(
            name="kernel",
            shape=shape,
            initializer=initializer or self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )

    def _add_bias_weight(self, shape: Shape) -> keras.Variable:
        """The weight `bias`, or `None` if there is none, or it has no entries."""
        if not self.use_bias or 0 in shape:
            return None
        return self.add_weight(
            name="bias",
            shape=shape,
            initializer=self.bias_initializer,
            regularizer=self.bias_regularizer,
            constraint=self.bias_constraint,
        )

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

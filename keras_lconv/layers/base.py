"""What layers that act by generators and mix channels have in common."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_lconv import generators as generators_lib
from keras_lconv._serialization import serialize_shared
from keras_lconv._validation import one_of, positive_int

DATA_FORMATS = ("channels_first", "channels_last")


class GeneratorLayer(keras.layers.Layer):
    """Base of layers that own generators, a kernel, a bias and a data format.

    A subclass implements `_add_kernel(owner, channels)`, which creates its weights but the
    bias, and `_act(f, mask)`, which maps `f` of shape `(batch, *spatial, channels)` to
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
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = positive_int("filters", filters)
        self.data_format = one_of(
            "data_format", data_format or keras.config.image_data_format(), DATA_FORMATS
        )
        self.activation = keras.activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.generators = generators_lib.get(generators, rank, dtype=self.dtype_policy)
        self.supports_masking = True

    # ---------------------------------------------------------------- shapes

    def _to_channels_last(self, shape: tuple[int | None, ...]) -> tuple:
        """The shape of the feature map; a vector `(batch, d)` gets one channel."""
        if len(shape) == 2:
            return (*shape, 1)
        if self.data_format == "channels_first" and len(shape) > 2:
            return (shape[0], *shape[2:], shape[1])
        return tuple(shape)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Shape of the output."""
        feature_shape = self._to_channels_last(tuple(input_shape))
        batch, *spatial, _, _ = self.generators.compute_output_shape(feature_shape)
        if self.data_format == "channels_first":
            return (batch, self.filters, *spatial)
        return (batch, *spatial, self.filters)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Builds the generators, if they are not yet, and creates the weights."""
        feature_shape = self._to_channels_last(tuple(input_shape))
        owner = f"{type(self).__name__} {self.name!r}"
        channels = feature_shape[-1] if len(feature_shape) > 2 else None
        self.generators.build_for(feature_shape, owner)
        if channels is None:
            raise ValueError(
                f"{owner} needs a defined number of channels. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        self._add_kernel(owner, channels)
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.filters,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = keras.layers.InputSpec(
            ndim=len(input_shape),
            axes={axis: size for axis, size in enumerate(input_shape) if axis},
        )

    def _add_kernel(self, owner: str, channels: int) -> None:
        raise NotImplementedError

    # ------------------------------------------------------------------ call

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Applies the layer."""
        f = inputs
        if len(f.shape) == 2:
            f = ops.expand_dims(f, -1)
        elif self.data_format == "channels_first":
            f = ops.moveaxis(f, 1, -1)
        if mask is not None:
            mask = _expand_to_rank(ops.cast(mask, f.dtype), len(f.shape))
        f = self.activation(self._act(f, mask))
        if self.data_format == "channels_first":
            f = ops.moveaxis(f, -1, 1)
        return f

    def _act(self, f: Any, mask: Any) -> Any:
        raise NotImplementedError

    def _add_bias(self, output: Any) -> Any:
        if self.bias is None:
            return output
        return output + ops.cast(self.bias, output.dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the input, where the output has the same positions."""
        return previous_mask if self.generators.is_square else None

    # ----------------------------------------------------------- persistence

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer. The generators carry their rank."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "generators": serialize_shared(self.generators),
            "data_format": self.data_format,
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


def _expand_to_rank(mask: Any, rank: int) -> Any:
    """Appends axes of size one."""
    while len(mask.shape) < rank:
        mask = ops.expand_dims(mask, -1)
    return mask

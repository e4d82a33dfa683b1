"""The common arguments of layers with a kernel, a bias and an activation."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._typing import Tensor
from keras_lconv.convert.block_diagonal import BlockDiagonal

# Sums over entries, which do not depend on the shape of a kernel.
REGULARIZERS = (keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2)
# Conditions on single entries, or on the axes of the channels.
CONSTRAINTS = (keras.constraints.NonNeg, BlockDiagonal)


def common_settings(layer: keras.layers.Layer) -> dict[str, Any]:
    """The arguments of a layer that keep their meaning if the kernel changes its shape.

    Raises:
        ValueError: If the layer has no weights yet, or settings that cannot be carried
            over.
    """
    owner = f"{type(layer).__name__} {layer.name!r}"
    if not layer.built:
        raise ValueError(
            f"{owner} must be built, because its weights are copied. Received: a layer "
            "without weights. Call it on an input first"
        )
    if isinstance(layer.dtype_policy, keras.dtype_policies.QuantizedDTypePolicy):
        raise ValueError(
            f"{owner} must not be quantized, because a quantized kernel cannot be trained. "
            f"Received: dtype={layer.dtype_policy.name!r}. Convert the layer before it is "
            "quantized"
        )
    regularizer, constraint = layer.kernel_regularizer, layer.kernel_constraint
    if regularizer is not None and type(regularizer) not in REGULARIZERS:
        raise ValueError(
            f"The `kernel_regularizer` of {owner} may depend on the shape of the kernel, "
            "which changes in the conversion. Expected: L1, L2 or L1L2. Received: "
            f"{type(regularizer).__name__}"
        )
    if constraint is not None and type(constraint) not in CONSTRAINTS:
        raise ValueError(
            f"The `kernel_constraint` of {owner} may depend on the shape of the kernel, "
            "which changes in the conversion. Expected: NonNeg or BlockDiagonal. "
            f"Received: {type(constraint).__name__}"
        )
    return {
        "activation": layer.activation,
        "use_bias": layer.use_bias,
        "kernel_initializer": layer.kernel_initializer,
        "bias_initializer": layer.bias_initializer,
        "kernel_regularizer": regularizer,
        "bias_regularizer": layer.bias_regularizer,
        "activity_regularizer": layer.activity_regularizer,
        "kernel_constraint": constraint,
        "bias_constraint": layer.bias_constraint,
        "dtype": layer.dtype_policy,
        "trainable": layer.trainable,
    }


def values(weight: Tensor) -> np.ndarray:
    """A copy of the values of a weight.

    A weight that is assigned to another weight may share its memory, which a training step
    on JAX frees.
    """
    return np.array(ops.convert_to_numpy(weight))


def take_over(layer: keras.layers.Layer, kernel: np.ndarray, bias: Any) -> None:
    """Sets the weights of a built layer."""
    layer.kernel.assign(kernel)
    if layer.use_bias:
        layer.bias.assign(values(bias))

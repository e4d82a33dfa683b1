"""Values and input derivatives of a function, in NumPy."""

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import jacobian

DIFFERENTIABLE = "must be written with `keras.ops`, not with NumPy: it is differentiated."


def derivatives_of(
    function: Callable[[Any], Any],
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Values and derivatives, in float64, for a batch of samples.

    Where a Keras distribution shares batches out to devices, each computes its share.

    Args:
        function: A model or layer, which is called in inference mode, or a function of a
            tensor.

    Returns:
        A function from samples `(batch, *inputs)` to the values `(batch, *outputs)` and the
        derivatives `(batch, m, *inputs)` of all `m` components of the output.
    """
    if not callable(function):
        raise TypeError(
            "`function` must be a model, a layer or a function. "
            f"Received: {function!r} (of type {type(function).__name__})"
        )
    if isinstance(function, keras.layers.Layer):
        function = functools.partial(function, training=False)
    output_shape: list[tuple[int, ...]] = []

    def flat(x: Any) -> Any:
        try:
            y = function(x)
        except Exception as error:
            # What all backends say of a tensor that is differentiated.
            if "numpy" not in str(error).lower():
                raise
            raise TypeError(
                f"`function` {DIFFERENTIABLE} Received: a function that asks for "
                "an array in place of a tensor"
            ) from error
        if not ops.is_tensor(y) or len(y.shape) == 0:
            raise TypeError(
                f"`function` must return one tensor `(batch, ...)`, and {DIFFERENTIABLE} "
                f"Received: {type(y).__name__}"
            )
        output_shape[:] = [tuple(y.shape[1:])]
        return ops.reshape(y, (-1, math.prod(y.shape[1:])))

    derivatives = jacobian(flat)

    def evaluate(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = [ops.convert_to_numpy(each) for each in derivatives(_on_devices(x))]
        # Without the samples that only fill up the last device.
        values, slopes = (each[: len(x)].astype("float64") for each in found)
        if not (np.all(np.isfinite(values)) and np.all(np.isfinite(slopes))):
            raise ValueError(
                "`function` must have finite values and derivatives at all samples. "
                "Received: some that are NaN or infinite"
            )
        return values.reshape(len(x), *output_shape[0]), slopes

    return evaluate


def _on_devices(x: np.ndarray) -> Any:
    """A batch as a tensor, spread over the devices of a Keras distribution if there is one.

    All devices get as many samples: the last one is repeated where they do not divide.
    """
    distribution = keras.distribution.distribution()
    if distribution is None:
        return ops.convert_to_tensor(x, dtype=keras.config.floatx())
    mesh = distribution.device_mesh
    shares = mesh.shape[mesh.axis_names.index(distribution.batch_dim_name)]
    missing = -len(x) % shares
    x = np.concatenate([x, np.repeat(x[-1:], missing, axis=0)])
    tensor = ops.convert_to_tensor(x, dtype=keras.config.floatx())
    layout = distribution.get_data_layout(tensor.shape)
    return keras.distribution.distribute_tensor(tensor, layout)

"""Values and input derivatives of a function, in NumPy."""

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import jacobian
from keras_lconv._validation import finite_array

DIFFERENTIABLE = (
    "must be written with `keras.ops`, not with NumPy: it is differentiated. For functions "
    "of NumPy arrays there is `derivatives='finite'`, and for models that jump "
    "`fit_symmetries(x, function(x))`."
)

# Steps of central differences, in units of the spread of a column.
STEP = 1e-5


def derivatives_of(
    function: Any,
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
        tensor = _on_devices(x)
        try:
            found = [ops.convert_to_numpy(each) for each in derivatives(tensor)]
        except Exception as error:
            # Not where `function` is called: in a graph its errors are raised anew, without
            # their notes.
            if DIFFERENTIABLE not in str(error):
                # Before what JAX notes about its traceback.
                notes = getattr(error, "__notes__", ())
                error.__notes__ = [f"`function` {DIFFERENTIABLE}", *notes]
            raise
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


def values_of_arrays(function: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Values `(batch, ...)` of a function of NumPy arrays, of batches or of single rows."""

    def call(x: np.ndarray) -> np.ndarray:
        try:
            values = np.asarray(function(x), dtype="float64")
            is_batch = values.ndim > 0 and len(values) == len(x)
        except (TypeError, ValueError, IndexError):
            is_batch = False
        if not is_batch:
            values = np.array([np.asarray(function(row), dtype="float64") for row in x])
        return values

    return call


def finite_differences(
    function: Any, samples: np.ndarray
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Values and central differences of a function of NumPy arrays.

    Args:
        function: Maps `(batch, n)` to `(batch, ...)`, or a row `(n,)` to `(...)`.
        samples: All samples, whose spread is the unit of the steps.

    Returns:
        A function as that of `derivatives_of`.
    """
    spread = np.std(samples, axis=0)
    steps = STEP * np.where(spread > 0, spread, 1.0)
    values_of = values_of_arrays(function)

    def call(x: np.ndarray) -> np.ndarray:
        return finite_array("the values of `function`", values_of(x))

    def evaluate(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = call(x)
        slopes = np.zeros((len(x), math.prod(values.shape[1:]), *x.shape[1:]))
        for index in np.ndindex(x.shape[1:]):
            step = np.zeros(x.shape[1:])
            step[index] = steps[index]
            change = (call(x + step) - call(x - step)) / (2 * steps[index])
            slopes[(..., *index)] = change.reshape(len(x), -1)
        if not np.any(slopes):
            raise ValueError(
                "`function` must change with its input. Received: a function that is "
                "constant near all samples, as trees are; `fit_symmetries(x, function(x))` "
                "fits a smooth network to it"
            )
        return values, slopes

    return evaluate


def given_derivatives(
    function: Any, derivatives: Any, samples: np.ndarray
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Values of a function, if there is one, and derivatives that are known.

    Args:
        function: Maps an array `(batch, n)` to `(batch, ...)`; or `None`.
        derivatives: Array `(batch, n)` or `(batch, m, n)`.
        samples: The samples that they belong to, `(batch, n)`.

    Returns:
        A function as that of `derivatives_of`.
    """
    slopes = finite_array("derivatives", derivatives)
    slopes = slopes[:, None] if slopes.shape == samples.shape else slopes
    if slopes.ndim != samples.ndim + 1 or slopes[:, 0].shape != samples.shape:
        raise ValueError(
            f"`derivatives` must be 'finite', or have shape {samples.shape} or "
            f"({len(samples)}, m, ...). Received: shape {np.shape(derivatives)}"
        )
    rows = {sample.tobytes(): number for number, sample in enumerate(samples)}

    def evaluate(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        own = slopes[[rows[sample.tobytes()] for sample in x]]
        if function is None:
            return np.zeros((len(x), own.shape[1])), own
        values = ops.convert_to_numpy(function(x))
        return np.asarray(values, dtype="float64"), own

    return evaluate

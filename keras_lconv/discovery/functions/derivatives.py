"""Values and input derivatives of a function, in NumPy."""

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from keras_lconv._backend import jacobian
from keras_lconv._typing import Function
from keras_lconv._validation import finite_array, require_function

DIFFERENTIABLE = (
    "must be written with `keras.ops`, not with NumPy, because it is differentiated. For "
    "functions of NumPy arrays give `derivatives='finite'`, and for models that jump use "
    "`fit_symmetries(x, function(x))`."
)

BY_DIFFERENCES = "`function` takes NumPy arrays: its derivatives are central differences"
# A function with derivatives changes at least at this share of the samples.
LEAST_CHANGING = 0.5


class JumpsError(ValueError):
    """A function is constant near most samples, as trees are."""


def derivatives_of(
    function: Function,
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Values and derivatives, in float64, for a batch of samples.

    If a Keras distribution divides batches among devices, each computes its share.

    Args:
        function: A model or layer, which is called in inference mode, or a function of a
            tensor.

    Returns:
        A function from samples `(batch, *inputs)` to the values `(batch, *outputs)` and the
        derivatives `(batch, m, *inputs)` of all `m` components of the output.
    """
    require_function(function)
    if isinstance(function, keras.layers.Layer):
        function = functools.partial(function, training=False)
    output_shape: list[tuple[int, ...]] = []

    def flat(x: Any) -> Any:
        try:
            y = function(x)
        except (AttributeError, RuntimeError, TypeError) as error:
            # The backends' messages about arrays of differentiated tensors contain one of
            # these words.
            if "numpy" not in str(error).lower():
                raise
            raise TypeError(
                f"`function` {DIFFERENTIABLE} Received: a function that converts a tensor "
                "to an array"
            ) from error
        if not ops.is_tensor(y) or len(y.shape) == 0:
            raise TypeError(
                f"`function` must return one tensor `(batch, ...)`, and {DIFFERENTIABLE} "
                f"Received: {type(y).__name__}"
            )
        if y.shape[0] != x.shape[0] and None not in (y.shape[0], x.shape[0]):
            raise ValueError(
                "`function` must return a value for each sample. Received: shape "
                f"{tuple(y.shape)} for {x.shape[0]} samples"
            )
        output_shape[:] = [tuple(y.shape[1:])]
        return ops.reshape(y, (-1, math.prod(y.shape[1:])))

    derivatives = jacobian(flat)

    def evaluate(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        tensor = _on_devices(x)
        try:
            found = [ops.convert_to_numpy(each) for each in derivatives(tensor)]
        except Exception as error:
            # This is not where `function` is called: in a graph its errors are raised again
            # without their notes.
            if DIFFERENTIABLE not in str(error):
                # This goes before JAX's note about its traceback.
                notes = getattr(error, "__notes__", ())
                error.__notes__ = [f"`function` {DIFFERENTIABLE}", *notes]
            raise
        # Samples that only fill up the last device are dropped.
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

    All devices get the same number of samples. If necessary the last sample is repeated.
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


def values_of_arrays(function: Function) -> Callable[[np.ndarray], np.ndarray]:
    """Values `(batch, ...)` of a function of NumPy arrays, of batches or of single rows.

    They have the precision in which the function computes, single or double.
    """

    def call(x: np.ndarray) -> np.ndarray:
        found: tuple[int, ...] | None = None
        try:
            values = np.asarray(function(x))
            found = values.shape
        except (TypeError, ValueError, IndexError):
            pass
        if found is None:
            values = np.array([np.asarray(function(row)) for row in x])
        elif found[:1] != x.shape[:1]:
            try:
                values = np.array([np.asarray(function(row)) for row in x])
            except Exception as error:
                raise ValueError(
                    "`function` must return a value for each sample. Received: shape "
                    f"{found} for {len(x)} samples"
                ) from error
        return values.astype("float32" if values.dtype == np.float32 else "float64")

    return call


def finite_differences(
    function: Function, samples: np.ndarray
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Values and central differences of a function of NumPy arrays.

    Args:
        function: Maps `(batch, n)` to `(batch, ...)`, or a row `(n,)` to `(...)`.
        samples: All samples. Their spread is the unit of the steps.

    Returns:
        A function as that of `derivatives_of`.
    """
    spread = np.std(samples, axis=0)
    spread = np.where(spread > 0, spread, 1.0)

    def evaluate(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = values_of(function, x)
        # With these steps the errors of rounding and of the series are equal.
        steps = np.finfo(values.dtype).eps ** (1 / 3) * spread
        slopes = np.zeros((len(x), math.prod(values.shape[1:]), *x.shape[1:]))
        for index in np.ndindex(x.shape[1:]):
            step = np.zeros(x.shape[1:])
            step[index] = steps[index]
            change = values_of(function, x + step) - values_of(function, x - step)
            slopes[(..., *index)] = change.reshape(len(x), -1) / (2 * steps[index])
        if not np.any(slopes):
            raise JumpsError(
                "`function` must change with its input. Received: a function that is "
                "constant near all samples, as trees are. Use `fit_symmetries(x, "
                "function(x))`, which fits a smooth network to it"
            )
        return values.astype("float64"), slopes

    return evaluate


def values_of(function: Function, x: np.ndarray) -> np.ndarray:
    """Values of a function of NumPy arrays at samples `(batch, n)`, with a check that they
    are finite.
    """
    values = values_of_arrays(function)(x)
    finite_array("the values of `function`", values)
    return values


class AnyDerivatives:
    """Derivatives by the backend, or by differences if a function needs arrays.

    Args:
        function: As for `derivatives_of`, or as for `finite_differences`.
        samples: All samples.

    Attributes:
        notes: A note, if the backend does not differentiate.
    """

    def __init__(self, function: Function, samples: np.ndarray):
        self._function, self._samples = function, samples
        self._evaluate = derivatives_of(function)
        self.notes: tuple[str, ...] = ()

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and derivatives, as from `derivatives_of`."""
        try:
            values, slopes = self._evaluate(x)
        except Exception:
            if self.notes or not self._takes_arrays():
                raise
            self._evaluate = finite_differences(self._function, self._samples)
            self.notes = (BY_DIFFERENCES,)
            values, slopes = self._evaluate(x)
        if self.notes and np.mean(np.any(slopes != 0, axis=(1, 2))) < LEAST_CHANGING:
            raise JumpsError(
                "`function` must change with its input. Received: a function that is "
                "constant near most samples"
            )
        return values, slopes

    def _takes_arrays(self) -> bool:
        """Whether the function accepts an array."""
        if isinstance(self._function, keras.layers.Layer) or self._samples.ndim != 2:
            return False
        try:
            values_of(self._function, self._samples[:2])
        except Exception:
            return False
        return True


def given_derivatives(
    function: Function | None, derivatives: ArrayLike, samples: np.ndarray
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Given derivatives, with values of a function if there is one.

    Args:
        function: Maps an array `(batch, n)` to `(batch, ...)`, or `None`.
        derivatives: Array `(batch, n)` or `(batch, m, n)`.
        samples: The samples to which they belong, `(batch, n)`.

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

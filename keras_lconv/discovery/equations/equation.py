"""Equations for jets, as functions with named arguments or as expressions of SymPy."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import jacobian
from keras_lconv.discovery.equations.expressions import NamedFunction, from_expression
from keras_lconv.discovery.equations.jets import JetSpace
from keras_lconv.discovery.equations.names import columns_of, jet_space
from keras_lconv.discovery.equations.taylor import Taylor

# With this step, in units of a coordinate, central differences of fourth order have equal
# errors from rounding and from the series.
STEP = 1e-3
# The number of jets that are moved at a time.
MOST_ROWS = 4_000
# Relative to the largest derivative of a jet, smaller numbers are rounding: for
# differences, and for exact derivatives.
DEPENDS, DEPENDS_EXACTLY = 1e-6, 1e-60


class Equations:
    """One or more equations `Delta = 0` for jets.

    Args:
        functions: Functions of some coordinates, each with one value or several.
        space: The space of the jets.
    """

    def __init__(self, functions: Sequence[NamedFunction], space: JetSpace):
        self.space = space
        self._functions = [(columns_of(f.names, space), f.call) for f in functions]
        # : Whether it computes with tensors of the backend, which then differentiates it.
        self.is_tensor = False
        sample = np.ones((2, space.size))
        try:
            found = self._all(sample)
            self.is_tensor = any(ops.is_tensor(each) for each in found)
        except (TypeError, RuntimeError, ValueError, AttributeError, NameError) as error:
            # Each backend refuses operations of arrays with tensors by its own errors.
            found = self._of_tensors(sample, error)
            self.is_tensor = True
        self.size = len(found)
        is_single = self.is_tensor and keras.config.floatx() != "float64"
        # : The relative precision of values.
        self.precision = 1e-5 if is_single else 1e-9
        self._is_exact = self._has_rules(sample)
        # : The error of zero values that derivatives of the equations may cause.
        self.rounding = 1e-9 if self._is_exact else 1e-4 if is_single else 1e-6

    def values(self, jets: np.ndarray) -> np.ndarray:
        """`Delta` at jets `(n, size)`, of shape `(n, equations)`. It is NaN where it has no
        value.
        """
        with np.errstate(all="ignore"):
            found = self._all(_tensor(jets) if self.is_tensor else jets)
            return np.stack([_array(each, jets) for each in found], axis=1)

    def influences(self, jets: np.ndarray, scales: np.ndarray) -> np.ndarray:
        """How much each coordinate of a jet matters, relative to the one that matters most.

        Args:
            jets: Array `(n, size)`.
            scales: The size of each coordinate, `(size,)`.

        Returns:
            Array `(n, equations, size)`. It is zero for coordinates that an equation does
            not contain, and NaN at jets where it has no derivatives.
        """
        slopes = np.abs(self.gradients(jets, scales)) * scales
        with np.errstate(all="ignore"):
            slopes = slopes / np.max(slopes, axis=2, keepdims=True)
        limit = DEPENDS_EXACTLY if self._is_exact or self.is_tensor else DEPENDS
        return np.where(slopes < limit, 0.0, slopes)

    def gradients(self, jets: np.ndarray, scales: np.ndarray) -> np.ndarray:
        """Derivatives by the coordinates of jets, `(n, equations, size)`.

        Args:
            jets: Array `(n, size)`.
            scales: The size of each coordinate, `(size,)`, the unit of differences.
        """
        if self._is_exact:
            return self._exact_gradients(jets)
        if not self.is_tensor:
            return differences(self.values, jets, np.diag(scales)) / scales

        def flat(x: Any) -> Any:
            columns = [ops.reshape(each, (-1, 1)) for each in self._all(x)]
            return ops.concatenate(columns, axis=1)

        return ops.convert_to_numpy(jacobian(flat)(_tensor(jets))[1]).astype("float64")

    def _exact_gradients(self, jets: np.ndarray) -> np.ndarray:
        """Derivatives by the rules of differentiation, if all functions consist of known
        ones.
        """
        number = self.space.size
        first = JetSpace(tuple(map(str, range(number))), (), 1)
        series = np.zeros((number, len(jets), 1 + number))
        series[..., 0] = jets.T
        series[np.arange(number), :, 1 + np.arange(number)] = 1.0
        given = [Taylor(first, each) for each in series]
        with np.errstate(all="ignore"):
            found = [given[0].of(each).coefficients for each in self._called(given)]
        return np.stack(found, axis=1)[..., 1:]

    def _has_rules(self, jets: np.ndarray) -> bool:
        """Whether all functions consist of those with rules of differentiation."""
        try:
            self._exact_gradients(jets)
        except (TypeError, AttributeError, ValueError):
            return False
        return not self.is_tensor

    def _all(self, jets: Any) -> list[Any]:
        """The values of all functions at jets, an array or a tensor."""
        return self._called([jets[:, column] for column in range(self.space.size)])

    def _of_tensors(self, jets: np.ndarray, error: Exception) -> list[Any]:
        """The values of functions that refuse arrays.

        Args:
            jets: Array `(n, size)`.
            error: The error that they raise for arrays.
        """
        try:
            return self._all(_tensor(jets))
        except Exception:
            raise ValueError(
                "`equation` must compute for many jets at a time, with functions of NumPy "
                "or of `keras.ops`: `np.where(u > 0, a, b)` in place of `if`, `np.sin` in "
                "place of `math.sin`. Received: a function that raises "
                f"{type(error).__name__}: {error}"
            ) from error

    def _called(self, coordinates: list[Any]) -> list[Any]:
        """The values of all functions of the coordinates of jets."""
        values: list[Any] = []
        for columns, call in self._functions:
            found = call(*(coordinates[column] for column in columns))
            values += found if isinstance(found, (list, tuple)) else [found]
        return values


def _tensor(jets: np.ndarray) -> Any:
    return ops.convert_to_tensor(jets, dtype=keras.config.floatx())


def _array(value: Any, jets: np.ndarray) -> np.ndarray:
    array = ops.convert_to_numpy(value) if ops.is_tensor(value) else np.asarray(value)
    if array.shape not in ((), (len(jets),)) or array.dtype.kind not in "iuf":
        raise ValueError(
            "`equation` must return a real number for each jet, or a tuple of these, "
            "zero for solutions, such as `u_t - u_xx`. "
            f"Received: shape {array.shape} of type {array.dtype} for {len(jets)} jets"
        )
    return np.broadcast_to(array.astype("float64"), (len(jets),))


def differences(
    function: Callable[[np.ndarray], np.ndarray], jets: np.ndarray, directions: np.ndarray
) -> np.ndarray:
    """Derivatives of `function`, `(n, ...)`, along each direction, as the last axis.

    Args:
        function: Of jets `(n, size)`, one by one.
        jets: Array `(n, size)`.
        directions: Array `(k, size)`.
    """
    number = len(directions)
    found = []
    for some in np.array_split(jets, max(1, len(jets) * number // MOST_ROWS)):
        tiled = np.tile(directions, (len(some), 1))
        slopes = along(function, np.repeat(some, number, axis=0), tiled)
        shaped = slopes.reshape(len(some), number, *slopes.shape[1:])
        found.append(np.moveaxis(shaped, 1, -1))
    return np.concatenate(found)


def along(
    function: Callable[[np.ndarray], np.ndarray], jets: np.ndarray, directions: np.ndarray
) -> np.ndarray:
    """The derivative of `function` along directions `(n, size)`, by differences of fourth
    order.
    """
    moved = [jets + k * STEP * directions for k in (-2, -1, 1, 2)]
    values = function(np.concatenate(moved))
    before, left, right, after = values.reshape(4, len(jets), *values.shape[1:])
    return (8 * (right - left) - (after - before)) / (12 * STEP)


def read_equations(
    equation: Any, independent: Sequence[str] | None, dependent: Sequence[str] | None
) -> Equations:
    """The argument `equation` of a user as `Equations`, with the space of its jets.

    Args:
        equation: A function, an expression of SymPy, or a list of these.
        independent: As for `jet_space`. By default, functions of SymPy determine them as
            well.
        dependent: As for `jet_space`.
    """
    given = list(equation) if isinstance(equation, (list, tuple)) else [equation]
    if not given:
        raise ValueError(
            "`equation` must hold at least one equation. Received: an empty list"
        )
    functions, listed = [], [*(independent or ()), *(dependent or ())]
    for each in given:
        function, variables = named_function("equation", each, listed)
        independent = (variables or None) if independent is None else independent
        functions.append(function)
    names = [name for function in functions for name in function.names]
    return Equations(functions, jet_space(names, independent, dependent))


def named_function(
    argument: str, given: Any, listed: Sequence[str] = ()
) -> tuple[NamedFunction, list[str]]:
    """A function or an expression, and the variables of its functions of SymPy.

    Args:
        argument: The name of the argument that holds it.
        given: The value from the user.
        listed: Names of variables that the user lists.
    """
    if hasattr(given, "free_symbols"):
        return from_expression(argument, given, listed)
    return _from_function(argument, given), []


def _from_function(argument: str, function: Any) -> NamedFunction:
    if not callable(function):
        raise TypeError(
            f"`{argument}` must hold functions with named arguments, such as "
            "`lambda u_t, u_xx: u_t - u_xx`, or expressions of SymPy. "
            f"Received: {function!r} (of type {type(function).__name__})"
        )
    parameters = inspect.signature(function).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    # An argument with a default value is a constant.
    named = [each for each in parameters if each.default is each.empty]
    if not named or any(each.kind not in kinds for each in named):
        raise ValueError(
            f"`{argument}` must name the coordinates that it takes, such as "
            f"`lambda u_t, u_xx: u_t - u_xx`. Received: a function of {list(parameters)}"
        )
    return NamedFunction(tuple(each.name for each in named), function)

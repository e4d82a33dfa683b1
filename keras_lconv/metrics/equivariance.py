"""How far a model is from being equivariant or invariant."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._layout import data_format_of
from keras_lconv._ops import to_numpy, working_dtype
from keras_lconv._typing import ArrayLike, Data, GeneratorsLike, Tensor
from keras_lconv._validation import finite_array, one_of, require_function
from keras_lconv.algebra import MatrixGroup, Representation
from keras_lconv.generators import Generators, MatrixGenerators
from keras_lconv.metrics.elements import (
    Acting,
    Flow,
    RandomElements,
    acting_by,
    checked_parameters,
)
from keras_lconv.metrics.report import EquivarianceReport

UNITS = ("generators", "data")


def equivariance_error(
    function: Callable[[Tensor], Tensor],
    generators: GeneratorsLike | MatrixGroup | Representation,
    x: Data,
    parameters: ArrayLike | int,
    *,
    generators_out: GeneratorsLike | MatrixGroup | Representation | None = None,
    unit: str = "generators",
    data_format: str | None = None,
) -> EquivarianceReport:
    """Relative error of `F(g x) = g F(x)`, for `g = exp(sum_i t_i L_i)`, or of a group.

    For each parameter `t` it is `|F(g x) - g F(x)| / |g F(x)|`, with the norm over all
    entries of the whole batch. `emlp_errors` of the report divides by `|F(g x)| + |g F(x)|`
    instead, as EMLP does. This is between 0 and 1, and about half of the relative error if
    that is small.

    Generators act by `Generators.transform`, in the precision of its input. So the error is
    that of the group on the grid, which these generators generate exactly.

    Args:
        function: `F`, a Keras layer or model, which is called in inference mode, or
            any function of a tensor. It has one input and one output.
        generators: How the input transforms: what `keras_lconv.generators.get` takes, but
            for an integer; or a `keras_lconv.algebra.MatrixGroup` or a `Representation`.
        x: One batch of inputs, `(batch, *spatial, channels)` or `(batch, d)`.
        parameters: Group parameters `t`, `(n, k)`; `(n,)` is enough for one generator. For
            a group, the number of random elements, those of `random_elements`.
        generators_out: How the output transforms: one generator for each generator of the
            input, or a representation of the same group. By default the same generators,
            which needs an output of the same spatial shape.
        unit: The unit of parameters. `"generators"`: 1 is the element `exp(L)`. `"data"`:
            for each generator the parameter is divided by the distance that it moves the
            samples, in units of their spread (root mean squares, over the columns of a
            table or over whole images). Steps then have the same size for all units of the
            data. The random elements of a group have no parameters, and no unit.
        data_format: Where the channels of input and output are, `"channels_last"` or
            `"channels_first"`. By default the `data_format` of the layer, otherwise that of
            the Keras configuration.

    Returns:
        An `EquivarianceReport`.

    Raises:
        TypeError: If generators are an integer, the output is not a tensor, or a parameter
            is not a real number.
        ValueError: If shapes do not fit, or a parameter is not finite.

    Example:
    ```python
    import numpy as np
    from keras_lconv import LConv
    from keras_lconv.metrics import equivariance_error

    images = np.random.default_rng(0).normal(size=(2, 9, 9, 1))
    layer = LConv(4, "rotation")
    report = equivariance_error(layer, "rotation", images, np.linspace(0.1, 3, 4))
    assert report.max < 1e-5
    ```

    With reflections, under which the cross product of two vectors is a pseudovector:

    ```python
    import numpy as np
    from keras import ops
    from keras_lconv.algebra import O
    from keras_lconv.metrics import equivariance_error

    V = O(3).standard
    pairs = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")

    def cross(x):
        return ops.cross(x[:, :3], x[:, 3:])

    assert equivariance_error(cross, 2 * V, pairs, 8, generators_out=V.pseudo).max < 1e-5
    assert equivariance_error(cross, 2 * V, pairs, 8, generators_out=V).max > 1
    ```

    Reference:
        M. Finzi, M. Welling, A. G. Wilson, "A practical method for constructing
        equivariant multilayer perceptrons for arbitrary matrix groups", ICML 2021.
    """
    problem = _Problem(function, generators, x, parameters, unit, data_format)
    acting = problem.output_action(generators_out)
    return problem.report("equivariance", acting)


def invariance_error(
    function: Callable[[Tensor], Tensor],
    generators: GeneratorsLike | MatrixGroup | Representation | Flow,
    x: Data,
    parameters: ArrayLike | int,
    *,
    unit: str = "generators",
    data_format: str | None = None,
) -> EquivarianceReport:
    """Relative error of `F(g x) = F(x)`, for `g = exp(sum_i t_i L_i)`, or of a group.

    For each parameter `t` it is `|F(g x) - F(x)| / |F(x)|`, as in `equivariance_error`
    with an output that does not transform.

    Args:
        function: `F`, a Keras layer or model, which is called in inference mode, or
            any function of a tensor. It has one input and one output.
        generators: How the input transforms: what `keras_lconv.generators.get` takes, but
            for an integer; or a `keras_lconv.algebra.MatrixGroup` or a `Representation`;
            or, for tables, an object with a flow: a `keras_lconv.discovery.FieldReport` or
            `keras_lconv.algebra.VectorFields`.
        x: One batch of inputs, `(batch, *spatial, channels)` or `(batch, d)`.
        parameters: Group parameters `t`, `(n, k)`; `(n,)` is enough for one generator. For
            a group, the number of random elements, those of `random_elements`.
        unit: As for `equivariance_error`. Use `"data"` for steps in units of the data, for
            example for generators found in a table whose columns have different units.
        data_format: Where the channels of the input are, as in `equivariance_error`.

    Returns:
        An `EquivarianceReport`.

    Raises:
        TypeError: If generators are an integer, the output is not a tensor, or a parameter
            is not a real number.
        ValueError: If shapes do not fit, or a parameter is not finite.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_lconv.algebra import so
    from keras_lconv.metrics import invariance_error

    rng = np.random.default_rng(0)
    points, turns = rng.normal(size=(8, 3)), rng.normal(size=(4, 3))
    report = invariance_error(lambda x: ops.sum(x**2, axis=1), so(3), points, turns)
    assert report.max < 1e-5
    ```
    """
    problem = _Problem(function, generators, x, parameters, unit, data_format)
    return problem.report("invariance", lambda y, _: y)


class _Problem:
    """A model, its input and the group elements that move it."""

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        generators: Any,
        x: Data,
        parameters: ArrayLike | int,
        unit: str,
        data_format: str | None,
    ):
        require_function(function)
        self._model = function
        self._acting = acting_by("generators", generators, parameters)
        self._data_format = data_format_of(function, data_format)
        finite_array("x", to_numpy(x))
        self._x = ops.convert_to_tensor(x)
        if not keras.backend.is_float_dtype(self._x.dtype):
            self._x = ops.cast(self._x, self._acting.compute_dtype)
        if len(self._x.shape) < 2:
            raise ValueError(
                "`x` must have shape `(batch, *spatial, channels)` or `(batch, d)`. "
                f"Received: shape {tuple(self._x.shape)}"
            )
        self._parameters = checked_parameters(parameters, self._acting)
        self._steps = self._parameters
        self._moved: Callable[[np.ndarray], Any] = partial(
            self._move, self._acting, self._x
        )
        if one_of("unit", unit, UNITS) == "data":
            if not isinstance(self._acting, Generators):
                raise ValueError(
                    "`unit` must be 'generators' for flows, and for random elements of a "
                    "group, which have no parameters. Received: unit='data'"
                )
            self._steps = self._parameters / self._moves(self._acting)
            if len(self._x.shape) == 2:
                self._moved = self._moved_in_units(self._acting)
        self._output = self._apply(self._x)
        finite_array("the output for `x`", self._output)

    def _spread(self) -> np.ndarray:
        """The spread of each column of a table, 1 if there is none."""
        spread = np.std(ops.convert_to_numpy(self._x).astype("float64"), axis=0)
        return np.where(spread > 0, spread, 1.0)

    def _moves(self, generators: Generators) -> np.ndarray:
        """How far each generator moves the samples, in units of their spread, `(k,)`."""
        x = self._x
        if not self._channels_last(tuple(x.shape)):
            x = ops.moveaxis(x, 1, -1)
        moved = ops.convert_to_numpy(generators(x)).astype("float64")
        if len(x.shape) == 2:
            moved = moved.reshape(*x.shape, -1) / self._spread()[:, None]
        else:
            spread = np.std(ops.convert_to_numpy(x).astype("float64")) or 1.0
            moved = np.moveaxis(moved, -2, -1) / spread
        sizes = np.sqrt(np.mean(moved**2, axis=tuple(range(moved.ndim - 1))))
        return np.where(sizes > 0, sizes, 1.0)

    def _moved_in_units(self, generators: Generators) -> Callable[[np.ndarray], Any]:
        """The motion in units in which all columns have spread 1, so that the series is
        short.
        """
        spread = self._spread()
        balanced = MatrixGenerators(generators.matrices() * spread / spread[:, None])
        units = ops.convert_to_tensor(spread, dtype=self._x.dtype)
        scaled = self._x / units
        return lambda t: balanced.transform(scaled, t) * units

    def _apply(self, x: Tensor) -> np.ndarray:
        if isinstance(self._model, keras.layers.Layer):
            output = self._model(x, training=False)
        else:
            output = self._model(x)
        if not (ops.is_tensor(output) or isinstance(output, np.ndarray)):
            raise TypeError(
                "`function` must return one tensor. Received: an output of type "
                f"{type(output).__name__}. Wrap it in a function that picks one of several "
                "outputs"
            )
        # The action on the output must not be rounded to half precision.
        output = ops.convert_to_tensor(output)
        return ops.convert_to_numpy(ops.cast(output, working_dtype(output)))

    def _channels_last(self, shape: tuple[int, ...]) -> bool:
        return len(shape) == 2 or self._data_format == "channels_last"

    def _move(self, acting: Acting, f: Tensor, t: np.ndarray) -> Tensor:
        f = ops.convert_to_tensor(f)
        if self._channels_last(tuple(f.shape)):
            return acting.transform(f, t)
        return ops.moveaxis(acting.transform(ops.moveaxis(f, 1, -1), t), -1, 1)

    def _spatial(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(shape) <= 2:
            return tuple(shape[1:])
        return tuple(shape[1:-1] if self._channels_last(shape) else shape[2:])

    def output_action(self, generators_out: Any) -> Callable[[Any, np.ndarray], Any]:
        """How group elements act on the output."""
        inner, outer = self._spatial(self._x.shape), self._spatial(self._output.shape)
        if generators_out is None:
            if inner != outer:
                raise ValueError(
                    "`generators_out` must state how the output transforms if its spatial "
                    "shape differs from that of the input. Received: spatial shapes "
                    f"{inner} and {outer}, and no `generators_out`. If the output should "
                    "not change, use `invariance_error`"
                )
            return lambda y, t: self._move(self._acting, y, t)
        acting = acting_by("generators_out", generators_out, len(self._parameters))
        is_group = isinstance(self._acting, RandomElements)
        fits = acting.num_generators == self._acting.num_generators
        if not fits or isinstance(acting, RandomElements) != is_group:
            raise ValueError(
                "`generators_out` must be as many as `generators`, "
                f"{self._acting.num_generators}, or act for the same group. "
                f"Received: {acting.num_generators} generators of {acting!r}"
            )
        return lambda y, t: self._move(acting, y, t)

    def report(
        self, kind: str, acting: Callable[[Any, np.ndarray], Any]
    ) -> EquivarianceReport:
        """The errors for all parameters."""
        errors = np.array(
            [
                _relative_errors(
                    self._apply(self._moved(t)),
                    ops.convert_to_numpy(acting(self._output, t)),
                )
                for t in self._steps
            ]
        )
        return EquivarianceReport(kind, self._parameters, errors[:, 0], errors[:, 1])


def _relative_errors(value: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """The distance relative to the expected output, and to the sum of both norms."""
    value, expected = value.astype("float64"), expected.astype("float64")
    difference = float(np.linalg.norm(value - expected))
    if difference == 0:
        return 0.0, 0.0
    scale = float(np.linalg.norm(expected))
    relative = difference / scale if scale else float("inf")
    return relative, difference / (scale + float(np.linalg.norm(value)))

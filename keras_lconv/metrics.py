"""How far a model is from being equivariant, or invariant."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._layout import data_format_of, flatten, to_features
from keras_lconv._ops import to_numpy, working_dtype
from keras_lconv._typing import ArrayLike, Data, GeneratorsLike
from keras_lconv._validation import finite_array, one_of, positive_int
from keras_lconv.algebra import MatrixGroup, Representation
from keras_lconv.generators import Generators, MatrixGenerators
from keras_lconv.generators.registry import get_known
from keras_lconv.report import Report

__all__ = ["EquivarianceReport", "equivariance_error", "invariance_error"]

UNITS = ("generators", "data")


@dataclass(frozen=True, eq=False, repr=False)
class EquivarianceReport(Report):
    """Errors of a model under group elements, one for each parameter.

    Args:
        kind: `"equivariance"` or `"invariance"`.
        parameters: The group parameters, `(n, k)`; for random elements of a group their
            numbers, `(n, 1)`.
        errors: Relative errors, `(n,)`.
        emlp_errors: The same, relative to the sum of both norms, `(n,)`.

    Attributes:
        mean: Mean of `errors`.
        max: Largest of `errors`.

    Example:
    ```python
    import numpy as np
    from keras_lconv.metrics import invariance_error

    turns = np.linspace(0, np.pi, 5)
    images = np.random.default_rng(0).normal(size=(2, 9, 9, 1))
    report = invariance_error(lambda f: f, "rotation", images, turns)
    assert report.errors[0] < 1e-6 and report.max > 1
    ```
    """

    kind: str
    parameters: np.ndarray
    errors: np.ndarray
    emlp_errors: np.ndarray

    @property
    def mean(self) -> float:
        """The mean of the relative errors."""
        return float(np.mean(self.errors))

    @property
    def max(self) -> float:
        """The largest relative error."""
        return float(np.max(self.errors))

    def summary(self) -> str:
        """The result in words."""
        number = len(self.errors)
        return (
            f"{self.kind}: mean error {self.mean:.2e}, largest {self.max:.2e}, "
            f"over {number} group element{'s' if number > 1 else ''}"
        )

    def plot(self) -> Any:
        """Draws the errors against the parameter, or its length if there are several.

        Returns:
            The figure.
        """
        from keras_lconv.visualization import plot_errors

        title = f"{self.kind} error"
        return plot_errors(self.parameters, self.errors, title=title).figure


def equivariance_error(
    function: Callable[[Any], Any],
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
    entries of the whole batch. `emlp_errors` of the report divides by
    `|F(g x)| + |g F(x)|` instead, as EMLP does: that is between 0 and 1, and about half of
    the relative error where this is small.

    Generators act by `Generators.transform`, in the precision of its input. What is
    measured is the symmetry of the group on the grid, exact for the generators at hand.

    Args:
        function: `F`, a Keras layer or model, which is called in inference mode, or
            any function of a tensor. It has one input and one output.
        generators: How the input transforms: what `keras_lconv.generators.get` takes, but
            for an integer; or a `keras_lconv.algebra.MatrixGroup` or a `Representation`.
        x: One batch of inputs, `(batch, *spatial, channels)` or `(batch, d)`.
        parameters: Group parameters `t`, `(n, k)`; `(n,)` will do for one generator. For a
            group, how many random elements there shall be, those of `random_elements`.
        generators_out: How the output transforms, as many generators as for the input, or
            a representation of the same group. By default the same, which needs an output
            of the same spatial shape.
        unit: What a parameter of 1 is. `"generators"`: the element `exp(L)`. `"data"`: for
            each generator the parameter is divided by how far it moves the samples, in
            units of their spread (root mean squares, over the columns of a table or over
            whole images). Steps are then of one size whatever units the data have. The
            random elements of a group have no parameters, and no unit.
        data_format: Where the channels of input and output are, `"channels_last"` or
            `"channels_first"`. By default as the layer says in its own `data_format`, and
            else as the Keras configuration does.

    Returns:
        An `EquivarianceReport`.

    Raises:
        TypeError: If generators are an integer, the output is no tensor or a parameter no
            real number.
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

    With reflections, which the cross product of two vectors does not survive as a vector:

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
    function: Callable[[Any], Any],
    generators: GeneratorsLike | MatrixGroup | Representation,
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
            for an integer; or a `keras_lconv.algebra.MatrixGroup` or a `Representation`.
        x: One batch of inputs, `(batch, *spatial, channels)` or `(batch, d)`.
        parameters: Group parameters `t`, `(n, k)`; `(n,)` will do for one generator. For a
            group, how many random elements there shall be, those of `random_elements`.
        unit: As for `equivariance_error`: `"data"` for steps in units of the data, as for
            generators that were found in a table whose columns have different units.
        data_format: Where the channels of the input are, as in `equivariance_error`.

    Returns:
        An `EquivarianceReport`.

    Raises:
        TypeError: If generators are an integer, the output is no tensor or a parameter no
            real number.
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
        function: Callable[[Any], Any],
        generators: Any,
        x: Any,
        parameters: Any,
        unit: str,
        data_format: str | None,
    ):
        if not callable(function):
            raise TypeError(
                "`function` must be a layer, a model or a function. "
                f"Received: {function!r} (of type {type(function).__name__})"
            )
        self._model = function
        self._acting = _acting("generators", generators, parameters)
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
            if isinstance(self._acting, _RandomElements):
                raise ValueError(
                    "`unit` must be 'generators' for random elements of a group, which "
                    "have no parameters. Received: unit='data'"
                )
            self._steps = self._parameters / self._moves(self._acting)
            if len(self._x.shape) == 2:
                self._moved = self._moved_in_units(self._acting)
        self._output = self._apply(self._x)
        finite_array("the output for `x`", self._output)

    def _spread(self) -> np.ndarray:
        """The spread of each column of a table, 1 where there is none."""
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
        """Moves in units in which all columns have spread 1: the series is short there."""
        spread = self._spread()
        balanced = MatrixGenerators(generators.matrices() * spread / spread[:, None])
        units = ops.convert_to_tensor(spread, dtype=self._x.dtype)
        scaled = self._x / units
        return lambda t: balanced.transform(scaled, t) * units

    def _apply(self, x: Any) -> np.ndarray:
        if isinstance(self._model, keras.layers.Layer):
            output = self._model(x, training=False)
        else:
            output = self._model(x)
        if not (ops.is_tensor(output) or isinstance(output, np.ndarray)):
            raise TypeError(
                "`function` must return one tensor; wrap it in a function that picks "
                f"one of several outputs. Received: an output of type "
                f"{type(output).__name__}"
            )
        # Half precision would round what the group makes of the output.
        output = ops.convert_to_tensor(output)
        return ops.convert_to_numpy(ops.cast(output, working_dtype(output)))

    def _channels_last(self, shape: tuple[int, ...]) -> bool:
        return len(shape) == 2 or self._data_format == "channels_last"

    def _move(self, acting: "Generators | _RandomElements", f: Any, t: np.ndarray) -> Any:
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
                    "The output has another spatial shape than the input, so that "
                    "`generators_out` must say how it transforms (or, if it shall not "
                    "change, use `invariance_error`). Received: spatial shapes "
                    f"{inner} and {outer}"
                )
            return lambda y, t: self._move(self._acting, y, t)
        acting = _acting("generators_out", generators_out, len(self._parameters))
        is_group = isinstance(self._acting, _RandomElements)
        fits = acting.num_generators == self._acting.num_generators
        if not fits or isinstance(acting, _RandomElements) != is_group:
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


class _RandomElements:
    """Random elements of a group, in one of its representations.

    Those of two representations of one group belong together.
    """

    def __init__(self, representation: Representation, number: int):
        self.num_generators = len(representation.generators) + len(representation.elements)
        self._matrices = representation.random_elements(number)
        self.numbers = np.arange(number)[:, None]
        self.compute_dtype = keras.config.floatx()

    def transform(self, f: Any, t: np.ndarray) -> Any:
        """The element with the number `t` on features `(batch, *spatial, channels)`."""
        matrix = self._matrices[int(t[0])]
        features = to_features(f, f.dtype)
        flat = flatten(features)
        if flat.shape[1] != len(matrix):
            raise ValueError(
                f"The group acts on {len(matrix)} components. Received: an input or output "
                f"with {flat.shape[1]}, of shape {tuple(f.shape)}"
            )
        moved = ops.einsum("ij,bjc->bic", ops.cast(matrix, f.dtype), flat)
        return ops.reshape(moved, f.shape)


def _acting(name: str, value: Any, parameters: Any) -> "Generators | _RandomElements":
    """Generators with parameters, or random elements of a group."""
    if not isinstance(value, (MatrixGroup, Representation)):
        return get_known(name, value)
    representation = value.standard if isinstance(value, MatrixGroup) else value
    return _RandomElements(representation, positive_int("parameters", parameters))


def checked_parameters(
    parameters: Any, acting: "Generators | _RandomElements"
) -> np.ndarray:
    """Parameters `(n, k)` of group elements, as a float64 array."""
    if isinstance(acting, _RandomElements):
        return acting.numbers
    array = finite_array("parameters", parameters)
    k = acting.num_generators
    if array.ndim == 1 and k == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != k or not len(array):
        raise ValueError(
            f"`parameters` must have shape `(n, k)` with k={k} generators and n > 0. "
            f"Received: shape {np.shape(parameters)}"
        )
    return array


def _relative_errors(value: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """The distance relative to what is expected, and to the sum of both norms."""
    value, expected = value.astype("float64"), expected.astype("float64")
    difference = float(np.linalg.norm(value - expected))
    if difference == 0:
        return 0.0, 0.0
    scale = float(np.linalg.norm(expected))
    relative = difference / scale if scale else float("inf")
    return relative, difference / (scale + float(np.linalg.norm(value)))

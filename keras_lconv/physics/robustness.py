"""How much a model depends on small deformations of its input."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import compiled
from keras_lconv._layout import (
    data_format_of,
    flatten,
    from_channels_last,
    to_channels_last,
)
from keras_lconv._ops import sample_means, to_numpy, working_dtype
from keras_lconv._typing import Data, Figure, Tensor
from keras_lconv._validation import finite_array, positive_int, progress, require_function
from keras_lconv.generators import Generators
from keras_lconv.generators.exponential import linear_combination
from keras_lconv.generators.registry import get_known
from keras_lconv.report import Report

# The plot follows the loss up to this relative change of the input.
LARGEST_DRAWN_CHANGE = 0.1


@dataclass(frozen=True, eq=False, repr=False)
class RobustnessReport(Report):
    """What `robustness` measured, for `n` samples and `k` generators.

    A parameter `t` is in the unit of its generator: radians, or grid steps. What has no
    unit, and does not depend on the scale of a generator, is `gain`.

    Args:
        names: Names of the generators.
        loss: The loss of each sample, `(n,)`.
        first: `d/dt` of the loss of `exp(t L_i) x`, at `t = 0`, `(n, k)`.
        second: `d^2/dt^2` of it, `(n, k)`.
        sensitivity: `rms |dF/dt| / rms |F|` of the outputs `F` of the model, `(k,)`.
        input_change: `rms |L_i x| / rms |x|` of the inputs, `(k,)`.

    Attributes:
        gain: `sensitivity / input_change`, `(k,)`.
        ranking: The generators from the largest gain to the smallest.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_lconv.physics import robustness

    points = np.random.default_rng(0).normal(size=(50, 2))
    turn, stretch = [[0, -1], [1, 0]], [[1, 0], [0, 1]]
    length = lambda x: ops.sum(x**2, axis=1, keepdims=True)
    report = robustness(length, points, [turn, stretch], names=["turn", "stretch"])
    print(report.summary())
    assert report.ranking == ("stretch", "turn")
    assert np.allclose(report.gain, [0, 2], atol=1e-5)
    ```
    """

    names: tuple[str, ...]
    loss: np.ndarray
    first: np.ndarray
    second: np.ndarray
    sensitivity: np.ndarray
    input_change: np.ndarray

    @property
    def gain(self) -> np.ndarray:
        """Relative change of the outputs for one of the inputs, `(k,)`.

        Zero for generators that leave the inputs as they are.
        """
        return _ratio(self.sensitivity, self.input_change)

    @property
    def ranking(self) -> tuple[str, ...]:
        """Names of the generators, from the largest gain to the smallest."""
        return tuple(self.names[i] for i in np.argsort(-self.gain, kind="stable"))

    def summary(self) -> str:
        """The result as a table, by rank. Derivatives are means over the samples."""
        width = max(9, *(len(name) for name in self.names))
        lines = [
            f"{len(self.loss)} samples, mean loss {np.mean(self.loss):.4g}",
            f"{'generator':<{width}}  {'gain':>9}  {'sensitivity':>11}  "
            f"{'rms dloss/dt':>12}  {'mean d2loss/dt2':>15}",
        ]
        for name in self.ranking:
            i = self.names.index(name)
            slope = np.sqrt(np.mean(self.first[:, i] ** 2))
            lines.append(
                f"{name:<{width}}  {self.gain[i]:9.3g}  {self.sensitivity[i]:11.3g}  "
                f"{slope:12.3g}  {np.mean(self.second[:, i]):15.3g}"
            )
        return "\n".join(lines)

    def plot(self) -> Figure:
        """Draws the gains, and the mean loss to second order in the deformation.

        Returns:
            The figure.
        """
        import matplotlib.pyplot as plt

        figure, (bars, curves) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
        order = [self.names.index(name) for name in self.ranking]
        bars.barh([self.names[i] for i in order], self.gain[order])
        bars.invert_yaxis()
        bars.set_xlabel("relative change of the output by that of the input")
        change = np.linspace(-LARGEST_DRAWN_CHANGE, LARGEST_DRAWN_CHANGE, 101)
        for i in order:
            t = _ratio(change, self.input_change[i])
            slope, curvature = np.mean(self.first[:, i]), np.mean(self.second[:, i])
            expected = np.mean(self.loss) + t * slope + t**2 / 2 * curvature
            curves.plot(change, expected, label=self.names[i])
        curves.set_xlabel("relative change of the input")
        curves.set_ylabel("mean loss, to second order")
        curves.legend()
        return figure


def robustness(
    function: Callable[[Tensor], Tensor],
    x: Data,
    generators: Any,
    y: Data | None = None,
    *,
    loss: Any = None,
    names: Sequence[str] | None = None,
    batch_size: int = 32,
    data_format: str | None = None,
    verbose: bool | None = None,
) -> RobustnessReport:
    """Change of a model's loss under small deformations of its input.

    For each sample and each generator, the first and the second derivative at `t = 0` of
    `t -> loss(F(exp(t L_i) x))`, without any finite differences: forward derivatives of
    forward derivatives along `x + t L x + t^2/2 L^2 x`.

    Without `y` and `loss` the loss is the squared output, summed: for one linear L-conv the
    action, whose first derivative is `euler_lagrange(x) . (L x)`, see `Lagrangian`. At a
    minimum of the training loss the first derivatives are about zero in the mean, and it
    is the second ones that say how far the loss rises.

    Generators are ranked by how much the outputs change for a given change of the input.

    Args:
        function: `F`, a Keras layer or model, which is called in inference mode, or a
            function of a tensor whose samples do not mix. It has one input and one output.
        x: Inputs, `(n, *spatial, channels)` or `(n, d)`.
        generators: How the input is deformed: what `keras_lconv.generators.get` takes, but
            for an integer. Or a dictionary of such, by their names.
        y: Targets, for `loss`.
        loss: A Keras loss, its name or a function of `(y_true, y_pred)`.
        names: Names of the generators, in their order.
        batch_size: Number of samples that are computed at once.
        data_format: Where the channels of the input are: `"channels_last"` or
            `"channels_first"`. By default as the model says in its own `data_format`, and
            else as the Keras configuration does.
        verbose: Whether to show a progress bar. By default for 20 steps and more.

    Returns:
        A `RobustnessReport`.

    Raises:
        TypeError: If `function` is no function, or generators are an integer.
        ValueError: If shapes do not fit, only one of `y` and `loss` is given, or values are
            not finite.

    Example:
    ```python
    import numpy as np
    import keras
    from keras_lconv.physics import robustness

    model = keras.Sequential([
        keras.Input((12, 12, 1)),
        keras.layers.Conv2D(4, 3, activation="tanh"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(3),
    ])
    images = np.random.default_rng(0).normal(size=(8, 12, 12, 1))
    labels = np.arange(8) % 3
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    report = robustness(
        model, images, {"turn": "rotation", "zoom": "scaling"}, labels, loss=loss
    )
    assert report.first.shape == report.second.shape == (8, 2)
    ```
    """
    require_function(function)
    positive_int("batch_size", batch_size)
    data_format = data_format_of(function, data_format)
    x = _checked_inputs(x)
    targets = _checked_targets(y, loss, len(x))
    families = _by_name(generators)
    names = _checked_names(names, families)

    derivatives = compiled(_derivatives(_in_inference_mode(function, x), _by_sample(loss)))
    starts = range(0, len(x), batch_size)
    verbose = progress(verbose)
    if verbose is None:
        verbose = len(starts) >= 20
    bar = keras.utils.Progbar(len(starts), verbose=int(verbose), unit_name="batch")
    parts = []
    for start in starts:
        batch = ops.convert_to_tensor(x[start : start + batch_size])
        target = ops.convert_to_tensor(targets[start : start + batch_size])
        found = [
            [ops.convert_to_numpy(each) for each in derivatives(batch, *lie, target)]
            for family in families.values()
            for lie in _lie_derivatives(family, batch, data_format)
        ]
        # From one tuple for each generator to one array for each quantity, `(n, k)`.
        parts.append([np.stack(each, axis=1) for each in zip(*found, strict=True)])
        bar.add(1)
    return _report(names, [np.concatenate(each) for each in zip(*parts, strict=True)])


def _report(names: tuple[str, ...], found: list[np.ndarray]) -> RobustnessReport:
    found = [each.astype("float64") for each in found]
    if not all(np.all(np.isfinite(each)) for each in found):
        raise ValueError(
            "The loss and its derivatives must be finite for all samples. "
            "Received: some that are NaN or infinite"
        )
    loss, first, second, outputs, changes, inputs, moves = found
    sensitivity, input_change = (
        np.sqrt(_ratio(moved.mean(axis=0), size.mean(axis=0)))
        for moved, size in ((changes, outputs), (moves, inputs))
    )
    return RobustnessReport(names, loss[:, 0], first, second, sensitivity, input_change)


def _derivatives(
    model: Callable[[Tensor], Tensor], loss: Callable[[Tensor, Tensor], Tensor]
) -> Callable[..., tuple[Tensor, ...]]:
    """A function of `x`, `L x`, `L^2 x` and the target, with values `(batch,)`.

    These are the loss, its two derivatives, and the squares of the output, of its
    derivative, of `x` and of `L x`.
    """

    def evaluate(
        x: Tensor, once: Tensor, twice: Tensor, target: Tensor
    ) -> tuple[Tensor, ...]:
        def along(t: Tensor) -> tuple[Tensor, Tensor]:
            t = ops.reshape(t, (-1, *[1] * (len(x.shape) - 1)))
            output = model(x + t * once + t**2 / 2 * twice)
            return loss(target, output), output

        def slope(t: Tensor) -> Tensor:
            return ops.jvp(along, (t,), (ops.ones_like(t),))

        t = ops.zeros_like(ops.reshape(x, (ops.shape(x)[0], -1))[:, 0])
        values, slopes = ops.jvp(slope, (t,), (ops.ones_like(t),))
        (value, output), (first, change) = values
        second = slopes[1][0]
        squares = (_sum_of_squares(each) for each in (output, change, x, once))
        return value, first, second, *squares

    return evaluate


def _sum_of_squares(values: Tensor) -> Tensor:
    values = ops.cast(values, working_dtype(values))
    return ops.sum(ops.square(values), axis=tuple(range(1, len(values.shape))))


def _lie_derivatives(
    generators: Generators, x: Tensor, data_format: str
) -> Iterator[tuple[Tensor, ...]]:
    """For each generator the pair `L x`, `L^2 x`."""
    f = to_channels_last(x, data_format)
    f = ops.expand_dims(f, -1) if len(x.shape) == 2 else f
    if not generators.is_square:
        raise ValueError(
            "`generators` of deformations must be square. Received: generators "
            f"{generators.name!r} between different spaces"
        )
    generators.build_for(tuple(f.shape), "robustness")
    for direction in np.eye(generators.num_generators):
        t = ops.convert_to_tensor(direction, dtype=f.dtype)
        act = linear_combination(generators, t)
        once = act(flatten(f))
        pair = (ops.reshape(each, (-1, *f.shape[1:])) for each in (once, act(once)))
        yield tuple(
            each[..., 0] if len(x.shape) == 2 else from_channels_last(each, data_format)
            for each in pair
        )


def _in_inference_mode(
    model: Callable[[Tensor], Tensor], x: np.ndarray
) -> Callable[[Tensor], Tensor]:
    """The model as a function that leaves no traces in its state."""
    if not isinstance(model, keras.layers.Layer):
        return model
    if not model.built:
        model(x[:1], training=False)

    def stateless(x: Tensor) -> Tensor:
        with keras.StatelessScope(collect_losses=True):
            return model(x, training=False)

    return stateless


def _by_sample(loss: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """A loss of each sample, from one that is a mean over a batch."""
    if loss is None:
        return lambda target, output: _sum_of_squares(output)
    loss = keras.losses.get(loss)
    function = loss.call if isinstance(loss, keras.losses.Loss) else loss

    return lambda target, output: sample_means(function(target, output))


def _by_name(generators: Any) -> dict[str, Generators]:
    if isinstance(generators, Mapping) and "class_name" not in generators:
        if not generators:
            raise ValueError("`generators` must not be empty. Received: generators={}")
        return {str(name): get_known(str(name), each) for name, each in generators.items()}
    known = get_known("generators", generators)
    return {known.name: known}


def _checked_names(
    names: Sequence[str] | None, families: dict[str, Generators]
) -> tuple[str, ...]:
    expected = [
        name if family.num_generators == 1 else f"{name}_{i + 1}"
        for name, family in families.items()
        for i in range(family.num_generators)
    ]
    if names is None:
        return tuple(expected)
    if isinstance(names, str) or len(names) != len(expected):
        raise ValueError(
            f"`names` must be {len(expected)}, one for each generator. "
            f"Received: names={names!r}"
        )
    if len(set(names)) != len(names):
        raise ValueError(f"`names` must differ. Received: names={names!r}")
    return tuple(str(name) for name in names)


def _checked_inputs(x: Data) -> np.ndarray:
    x = to_numpy(x)
    finite_array("x", x)
    x = np.asarray(x)
    if x.ndim < 2 or not len(x):
        raise ValueError(
            "`x` must have shape `(n, *spatial, channels)` or `(n, d)` with n > 0. "
            f"Received: shape {x.shape}"
        )
    is_float = keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype))
    return x if is_float else x.astype(keras.config.floatx())


def _checked_targets(y: Data | None, loss: object, num: int) -> np.ndarray:
    if (y is None) != (loss is None):
        raise ValueError(
            "`y` and `loss` belong together: give both, or none for the squared output. "
            f"Received: y={'None' if y is None else 'given'}, loss={loss!r}"
        )
    if y is None:
        return np.zeros(num)
    y = np.asarray(to_numpy(y))
    if len(y) != num:
        raise ValueError(
            f"`y` must have as many entries as `x`, {num}. Received: shape {y.shape}"
        )
    return y


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """The ratio, and zero where the denominator is."""
    zero = np.zeros(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)))
    return np.divide(numerator, denominator, out=zero, where=np.asarray(denominator) > 0)

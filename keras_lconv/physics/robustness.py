"""The dependence of a model on small deformations of its input."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from keras_lconv._typing import Data, Tensor
from keras_lconv._validation import (
    finite_array,
    one_of,
    positive_int,
    positive_number,
    progress,
    require_function,
)
from keras_lconv.generators import Generators
from keras_lconv.generators.exponential import linear_combination
from keras_lconv.generators.registry import get_known
from keras_lconv.physics.robustness_report import RobustnessReport, ratio

# Second derivatives agree to this with differences extrapolated to a step of zero.
AGREEMENT = 0.05
# The bound of `h |L|` for differences, even if `L x` is small.
LARGEST_EXPONENT = 100.0


def robustness(
    function: Callable[[Tensor], Tensor],
    x: Data,
    generators: Any,
    y: Data | None = None,
    *,
    loss: Any = None,
    names: Sequence[str] | None = None,
    second_order: str = "auto",
    step: float = 0.1,
    rank_by: str = "auto",
    batch_size: int = 32,
    data_format: str | None = None,
    verbose: bool | None = None,
) -> RobustnessReport:
    """Change of a model's loss under small deformations of its input.

    For each sample and each generator, the first and the second derivative at `t = 0` of
    `t -> loss(F(exp(t L_i) x))`: forward derivatives of forward derivatives along
    `x + t L x + t^2/2 L^2 x`. The first is right for any differentiable model.

    The second is right for twice differentiable models only. ReLU and max pooling have
    kinks. These contribute to the second derivative of the mean loss, but to no derivative
    at a point: the mean of `relu(u)` over normally distributed `u` has the second
    derivative 0.399 under shifts of `u`, and each sample has zero. By default the second
    differences of the loss at `exp(h L) x` and `exp(-h L) x` are computed as well. They are
    the mean of the second derivative, kinks included, over parameters from `-h` to `h`,
    with the weight `(h - |t|) / h^2`. If the two differ in the mean by more than 5%,
    extrapolated to `h = 0`, the report contains the differences, and its summary says so.

    Without `y` and `loss` the loss is the squared output, summed: for one linear L-conv the
    action, whose first derivative is `euler_lagrange(x) . (L x)`, see `Lagrangian`. At a
    minimum of the training loss the first derivatives are about zero in the mean, and the
    second ones determine how far the loss rises.

    Generators are ranked by how much the outputs change for a given change of the input. An
    output with spatial axes may move with its input, as in an equivariant layer. Then they
    are ranked by the change of the loss. Targets do not move.

    Args:
        function: `F`, a Keras layer or model, which is called in inference mode, or a
            function of a tensor whose samples do not mix. It has one input and one output.
        x: Inputs, `(n, *spatial, channels)` or `(n, d)`.
        generators: The deformations of the input: what `keras_lconv.generators.get` takes,
            except an integer. Or a dictionary of these, by name.
        y: Targets, for `loss`.
        loss: A Keras loss, its name or a function of `(y_true, y_pred)`.
        names: Names of the generators, in their order.
        second_order: How second derivatives are computed: `"derivative"` at the samples,
            the cheapest, `"difference"` over a step, or `"auto"`, which compares both.
        step: The relative change of the inputs, `h |L x| / |x|`, by the step `h`.
        rank_by: `"output"`, `"loss"` or `"auto"`.
        batch_size: Number of samples that are computed at once.
        data_format: Where the channels of the input are: `"channels_last"` or
            `"channels_first"`. By default the `data_format` of the model if it has one,
            otherwise that of the Keras configuration.
        verbose: Whether to show a progress bar. By default for 20 steps and more.

    Returns:
        A `RobustnessReport`.

    Raises:
        TypeError: If `function` is not a function, or generators are an integer.
        ValueError: If shapes do not fit, only one of `y` and `loss` is given, values are
            not finite, `step` is not positive, or `second_order` or `rank_by` is unknown.

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
    one_of("second_order", second_order, ("auto", "derivative", "difference"))
    positive_number("step", step)
    one_of("rank_by", rank_by, ("auto", "loss", "output"))
    data_format = data_format_of(function, data_format)
    x = _checked_inputs(x)
    targets = _checked_targets(y, loss, len(x))
    families = _by_name(generators)
    names = _checked_names(names, families)

    model, by_sample = _in_inference_mode(function, x), _by_sample(loss)
    starts = range(0, len(x), batch_size)
    passes = 1 if second_order == "derivative" else 2
    verbose = progress(verbose)
    if verbose is None:
        verbose = passes * len(starts) >= 20
    bar = keras.utils.Progbar(passes * len(starts), verbose=int(verbose), unit_name="batch")

    def in_batches(rows: Callable[[Tensor, Tensor], Iterator[Any]]) -> list[np.ndarray]:
        """Joins the values of each batch for each generator to arrays `(n, k)`."""
        parts: list[list[np.ndarray]] = []
        for start in starts:
            batch = ops.convert_to_tensor(x[start : start + batch_size])
            target = ops.convert_to_tensor(targets[start : start + batch_size])
            columns = zip(*rows(batch, target), strict=True)
            parts.append([np.stack(each, axis=1) for each in columns])
            bar.add(1)
        found = [
            np.concatenate(each).astype("float64") for each in zip(*parts, strict=True)
        ]
        if not all(np.all(np.isfinite(each)) for each in found):
            raise ValueError(
                "The loss of `model` and its derivatives must be finite for all samples "
                "of `x`. Received: some that are NaN or infinite"
            )
        return found

    derivatives = compiled(_derivatives(model, by_sample))
    losses, first, second, outputs, changes, inputs, moves = in_batches(
        lambda batch, target: (
            [ops.convert_to_numpy(each) for each in derivatives(batch, *lie, target)]
            for family in families.values()
            for lie in _lie_derivatives(family, batch, data_format)
        )
    )
    sensitivity, input_change = (
        np.sqrt(ratio(moved.mean(axis=0), size.mean(axis=0)))
        for moved, size in ((changes, outputs), (moves, inputs))
    )
    steps: np.ndarray | None = None
    if second_order != "derivative":
        lengths = _steps(step, input_change, families)
        moved_loss = compiled(lambda x, target: by_sample(target, model(x)))
        moved = in_batches(
            lambda batch, target: _moved_losses(
                moved_loss, families, batch, target, lengths, data_format
            )
        )
        differences, halved = _second_differences(moved, losses, lengths)
        precision = _precision(function, x.dtype)
        rounding = 100 * precision * np.mean(np.abs(losses)) / lengths**2
        if second_order == "difference" or not _agree(
            second, differences, halved, rounding
        ):
            second, steps = differences, lengths
    if rank_by == "auto":
        output = model(ops.convert_to_tensor(x[:1]))
        rank_by = "loss" if len(output.shape) > 2 else "output"
    return RobustnessReport(
        names, losses[:, 0], first, second, sensitivity, input_change, rank_by, steps
    )


def _steps(
    step: float, input_change: np.ndarray, families: Mapping[str, Generators]
) -> np.ndarray:
    """Parameters `h` with `h |L x| / |x|` of a given size, limited if `x` hardly moves."""
    bounds = [ops.convert_to_numpy(family.norm_bounds()) for family in families.values()]
    norms = np.concatenate(bounds).astype("float64")
    smallest = np.maximum(input_change, step * norms / LARGEST_EXPONENT)
    return np.where(smallest > 0, ratio(np.array(step), smallest), 1.0)


def _moved_losses(
    loss: Callable[[Tensor, Tensor], Tensor],
    families: Mapping[str, Generators],
    x: Tensor,
    target: Tensor,
    steps: np.ndarray,
    data_format: str,
) -> Iterator[list[np.ndarray]]:
    """For each generator the losses at the parameters `h`, `-h`, `h/2` and `-h/2`."""
    f = to_channels_last(x, data_format)
    remaining = iter(steps)
    for family in families.values():
        for direction in np.eye(family.num_generators):
            largest = next(remaining)
            yield [
                ops.convert_to_numpy(
                    loss(
                        from_channels_last(family.transform(f, t * direction), data_format),
                        target,
                    )
                )
                for t in (largest, -largest, largest / 2, -largest / 2)
            ]


def _second_differences(
    moved: list[np.ndarray], losses: np.ndarray, steps: np.ndarray
) -> list[np.ndarray]:
    """Second differences `(n, k)` of the losses, for the steps and for half of them."""
    pairs = (moved[:2], steps), (moved[2:], steps / 2)
    return [(up + down - 2 * losses) / h**2 for (up, down), h in pairs]


def _agree(
    derivatives: np.ndarray,
    differences: np.ndarray,
    halved: np.ndarray,
    rounding: np.ndarray,
) -> bool:
    """Whether second derivatives are the limit of second differences, in the mean."""
    # The error of differences falls with the square of the step.
    limit, given = np.mean(4 * halved - differences, axis=0) / 3, np.mean(derivatives, 0)
    size = np.maximum(np.abs(given), np.abs(np.mean(differences, axis=0)))
    return bool(np.all(np.abs(limit - given) <= AGREEMENT * size + rounding))


def _precision(function: Any, dtype: np.dtype) -> float:
    """The relative rounding error of the outputs of a model."""
    name = str(getattr(function, "compute_dtype", None) or dtype)
    return 2.0**-8 if "16" in name else float(np.finfo(name).eps)


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
    """The model as a function that does not change its state."""
    if not isinstance(model, keras.layers.Layer):
        return model
    if not model.built:
        model(x[:1], training=False)

    def stateless(x: Tensor) -> Tensor:
        with keras.StatelessScope(collect_losses=True):
            return model(x, training=False)

    return stateless


def _by_sample(loss: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of each sample, from a loss that is a mean over a batch."""
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
            f"`names` must hold one name for each generator, {len(expected)} in all. "
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
            "`y` and `loss` must be given together, or neither for the squared output. "
            f"Received: y={'None' if y is None else 'given'}, loss={loss!r}"
        )
    if y is None:
        return np.zeros(num)
    y = np.asarray(to_numpy(y))
    if len(y) != num:
        raise ValueError(
            f"`y` must have the {num} entries of `x`. Received: shape {y.shape}"
        )
    return y

"""From data alone to symmetries: a smooth network in between."""

import dataclasses
import math
from typing import Any

import keras
import numpy as np

from keras_lconv._validation import finite_array, fraction, positive_int
from keras_lconv.discovery.functions.find import find_symmetries
from keras_lconv.discovery.report import SymmetryReport

# Three smooth layers: derivatives are what counts, and those of ReLU jump.
WIDTH, DEPTH, ACTIVATION = 256, 3, "swish"
LEARNING_RATE = 2e-3
LEAST_EPOCHS, LEAST_STEPS = 30, 2400
# So many samples are enough for the null space of a network.
MOST_SAMPLES = 8192


def fit_symmetries(
    x: Any,
    y: Any,
    *,
    kind: str = "invariance",
    blocks: int = 1,
    scalars: int = 0,
    search: Any = None,
    output: Any = "free",
    dimension: int | None = None,
    model: keras.Model | None = None,
    epochs: int | None = None,
    batch_size: int = 256,
    validation_split: float = 0.1,
    verbose: Any = "auto",
) -> SymmetryReport:
    """Finds the symmetries of data `y = F(x)`, by a network that is trained on them.

    A network is trained to predict `y`, with a learning rate that falls to zero, and the
    weights with the smallest error on a validation split are kept. Then `find_symmetries`
    is asked about it. The result is as good as the fit: look at `report.fit_error`, and
    take more data, more epochs or a better `model` if it is large.

    Args:
        x: Inputs `(batch, n)`.
        y: Outputs `(batch,)` or `(batch, ...)`.
        kind: As for `find_symmetries`.
        blocks: As for `find_symmetries`.
        scalars: As for `find_symmetries`.
        search: As for `find_symmetries`.
        output: As for `find_symmetries`.
        dimension: As for `find_symmetries`.
        model: A model of one's own, smooth, from `(batch, n)` to the shape of `y`. It is
            compiled and trained here. By default three hidden layers of 256 swish units.
        epochs: Largest number of epochs; training stops before where the validation error
            has not fallen for a third of them. By default 30, or as many more as make 2,400
            steps.
        batch_size: Number of samples in a step.
        validation_split: Share of the samples, taken at random, that is not trained on.
        verbose: As for `keras.Model.fit`.

    Returns:
        A `SymmetryReport`, with `model` and `fit_error`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If a value or a shape does not fit, or `y` is constant.

    Example:
    ```python
    import numpy as np
    from keras_lconv.discovery import fit_symmetries

    x = np.random.default_rng(0).normal(size=(2000, 2))
    y = np.exp(-np.sum(x**2, axis=1))
    report = fit_symmetries(x, y, epochs=30, verbose=0)
    assert report.dimension == 1
    ```
    """
    x, y = finite_array("x", x), finite_array("y", y)
    if x.ndim != 2 or y.ndim < 1 or len(x) != len(y) or 0 in (*x.shape, *y.shape):
        raise ValueError(
            "`x` must have shape `(batch, n)` and `y` the same number of samples. "
            f"Received: shapes {x.shape} and {y.shape}"
        )
    spread = float(np.std(y))
    if spread == 0:
        raise ValueError("`y` must not be constant. Received: the same number everywhere")
    held_out = round(len(x) * fraction("validation_split", validation_split))
    if not 0 < held_out < len(x):
        raise ValueError(
            "`validation_split` must leave samples on both sides. "
            f"Received: validation_split={validation_split!r} of {len(x)} samples"
        )
    order = np.random.default_rng(0).permutation(len(x))
    x = x[order].astype("float32")
    # Only scaled: a shift would be no output of an equivariant function any more.
    targets = (y[order] / spread).astype("float32")
    if model is None:
        model = _smooth_network(x[held_out:], y.shape[1:])
    if tuple(model.output_shape[1:]) != (y.shape[1:] or (1,)):
        raise ValueError(
            f"`model` must have the output shape {y.shape[1:] or (1,)} of `y`. "
            f"Received: {tuple(model.output_shape[1:])}"
        )
    targets = targets.reshape(-1, *model.output_shape[1:])
    steps = -(-(len(x) - held_out) // batch_size)
    if epochs is None:
        epochs = max(LEAST_EPOCHS, -(-LEAST_STEPS // steps))
    rate = keras.optimizers.schedules.CosineDecay(
        LEARNING_RATE, positive_int("epochs", epochs) * steps
    )
    model.compile(keras.optimizers.Adam(rate), "mse")
    model.fit(
        x[held_out:],
        targets[held_out:],
        batch_size=batch_size,
        epochs=epochs,
        validation_data=(x[:held_out], targets[:held_out]),
        callbacks=[
            keras.callbacks.EarlyStopping(
                patience=max(epochs // 3, 5), restore_best_weights=True
            )
        ],
        verbose=verbose,
    )
    predicted = model.predict(x[:held_out], batch_size=batch_size, verbose=0)
    variation = targets[:held_out] - np.mean(targets[:held_out], axis=0)
    fit_error = np.sqrt(np.mean((predicted - targets[:held_out]) ** 2))
    report = find_symmetries(
        model,
        x[:MOST_SAMPLES],
        kind=kind,
        blocks=blocks,
        scalars=scalars,
        search=search,
        output=output,
        dimension=dimension,
    )
    scale = np.sqrt(np.mean(variation**2))
    return dataclasses.replace(report, model=model, fit_error=float(fit_error / scale))


def _smooth_network(x: np.ndarray, output_shape: tuple[int, ...]) -> keras.Model:
    normalization = keras.layers.Normalization()
    normalization.adapt(x)
    hidden = [keras.layers.Dense(WIDTH, activation=ACTIVATION) for _ in range(DEPTH)]
    outputs = keras.layers.Dense(math.prod(output_shape))
    return keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            normalization,
            *hidden,
            outputs,
            keras.layers.Reshape(output_shape or (1,)),
        ]
    )

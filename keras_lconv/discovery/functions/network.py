"""Smooth networks in place of the function behind a table of data."""

import math

import keras
import numpy as np
from keras import ops

from keras_lconv._ops import mean
from keras_lconv._typing import Tensor

# Three smooth layers, because derivatives matter, and those of ReLU jump.
WIDTH, DEPTH, ACTIVATION = 256, 3, "swish"
# This many networks are trained at once. Their mean is the function, their spread an error
# bar.
MEMBERS = 2
LEARNING_RATE = 2e-3
# The least number of steps between two measurements of the validation error.
STEPS_BETWEEN = 40
# If the largest deviations of a column from the median are this many times the usual ones,
# the network also gets it on a scale that is logarithmic for large values.
HEAVY_TAIL = 12.0


def network(
    x: np.ndarray, output_shape: tuple[int, ...], activation: str | None
) -> keras.Model:
    """Networks side by side, from `(batch, n)` to `(batch, members, *output_shape)`."""
    inputs = keras.Input(x.shape[1:])
    scaled = _scaled(inputs, x)
    outputs = []
    for _ in range(MEMBERS):
        flat = scaled
        for _ in range(DEPTH):
            flat = keras.layers.Dense(WIDTH, activation=ACTIVATION)(flat)
        flat = keras.layers.Dense(math.prod(output_shape), activation=activation)(flat)
        outputs.append(keras.layers.Reshape((1, *(output_shape or (1,))))(flat))
    return keras.Model(inputs, keras.layers.Concatenate(axis=1)(outputs))


def has_heavy_tails(x: np.ndarray) -> np.ndarray:
    """Whether each column of `(batch, n)` has a few values that are much larger
    than usual.
    """
    deviations = np.abs(x - np.median(x, axis=0))
    usual, largest = np.quantile(deviations, (0.5, 0.99), axis=0)
    return largest > HEAVY_TAIL * usual


def _scaled(inputs: Tensor, x: np.ndarray) -> Tensor:
    """Inputs of mean zero and spread 1, and those with heavy tails on another scale as
    well.

    Columns that do not vary are left out.
    """
    varying = np.flatnonzero(np.ptp(x, axis=0) > 0)
    if 0 < len(varying) < x.shape[1]:
        inputs, x = ops.take(inputs, varying.tolist(), axis=1), x[:, varying]
    heavy = np.flatnonzero(has_heavy_tails(x))
    spread = np.std(x, axis=0)
    centred = keras.layers.Normalization(
        mean=np.mean(x, axis=0), variance=np.where(spread > 0, spread, 1.0) ** 2
    )(inputs)
    if not len(heavy):
        return centred
    middle = np.median(x, axis=0)
    usual = np.median(np.abs(x - middle), axis=0)
    usual = np.where(usual > 0, usual, np.where(spread > 0, spread, 1.0))
    other = keras.layers.Normalization(mean=middle, variance=usual**2)(inputs)
    return keras.layers.Concatenate()([centred, ops.arcsinh(other)])


class _Best(keras.callbacks.Callback):
    """Keeps the weights with the smallest validation error, and shows one bar.

    Args:
        x: Samples outside of the training data, an array for each member.
        targets: Their targets.
        patience: Training stops after this many epochs without a smaller error.
        bar: The progress bar.
    """

    def __init__(
        self,
        x: list[np.ndarray],
        targets: list[np.ndarray],
        patience: int,
        bar: keras.utils.Progbar,
    ):
        super().__init__()
        self._x, self._targets, self._patience, self._bar = x, targets, patience, bar
        self.error, self._weights, self._since, self._rounds = np.inf, None, 0, 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Measures the error of each member on its own samples."""
        error = float(np.mean(self._errors()))
        self._bar.add(1)
        self._rounds = epoch + 1
        self._since += 1
        if error < self.error:
            self.error, self._since = error, 0
            self._weights = self.model.get_weights()
        if self._since >= self._patience:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Restores the best weights, and ends a bar that is not full."""
        if self.model.stop_training:
            self._bar.update(self._rounds, finalize=True)
        if self._weights is not None:
            self.model.set_weights(self._weights)

    def _errors(self) -> list[float]:
        predicted = ops.convert_to_numpy(
            self.model(ops.convert_to_tensor(np.concatenate(self._x)), training=False)
        )
        found, start = [], 0
        for member, targets in enumerate(self._targets):
            own = predicted[start : start + len(targets)]
            own = own[:, member] if len(self._targets) > 1 else own
            found.append(float(np.mean((own.reshape(targets.shape) - targets) ** 2)))
            start += len(targets)
        return found


def train(
    model: keras.Model,
    x: np.ndarray,
    targets: np.ndarray,
    *,
    members: int,
    held_out: int,
    epochs: int,
    batch_size: int,
    bar: keras.utils.Progbar,
    passes: int,
) -> float:
    """Trains a model, and returns the mean squared error on held-out samples.

    Args:
        model: From `(batch, n)` to `(batch, members, *outputs)`, or `(batch, *outputs)`.
        x: Samples, in random order.
        targets: Their targets, `(batch, *outputs)`.
        members: Number of networks in the model. Each leaves out its own samples.
        held_out: The number of these.
        epochs: Number of epochs.
        batch_size: Number of samples in a step.
        bar: The progress bar, with one step for each epoch.
        passes: Passes through the data in one epoch.
    """
    number = len(x)
    weights = np.ones((number, members), "float32")
    left_out = [slice(m * held_out, (m + 1) * held_out) for m in range(members)]
    for member, rows in enumerate(left_out):
        weights[rows, member] = 0.0
    trained = np.any(weights > 0, axis=1)
    copies = np.tile(np.flatnonzero(trained), passes)
    repeated = targets[:, None] if members > 1 else targets
    repeated = np.repeat(repeated, members, axis=1) if members > 1 else repeated
    steps = epochs * -(-len(copies) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)

    def squares(true: Tensor, predicted: Tensor) -> Tensor:
        """The squared error of each network, `(batch, members)`."""
        lead = (-1, members) if members > 1 else (-1,)
        size = math.prod(targets.shape[1:])
        return mean(ops.reshape((true - predicted) ** 2, (*lead, size)), -1)

    model.compile(keras.optimizers.Adam(rate), squares)
    best = _Best(
        [x[rows] for rows in left_out],
        [targets[rows] for rows in left_out],
        max(epochs // 3, 5),
        bar,
    )
    model.fit(
        x[copies],
        repeated[copies],
        sample_weight=weights[copies] if members > 1 else None,
        batch_size=batch_size,
        epochs=epochs,
        callbacks=[best],
        verbose=0,
    )
    return best.error

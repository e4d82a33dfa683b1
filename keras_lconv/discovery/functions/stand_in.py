"""Stand-ins for the function behind a table: a polynomial, a Gaussian process, or
networks.
"""

import math
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_lconv._ops import mean
from keras_lconv.discovery.functions.effects import seemingly_idle, without
from keras_lconv.discovery.functions.gaussian_process import Process, process_fit
from keras_lconv.discovery.functions.network import (
    MEMBERS,
    STEPS_BETWEEN,
    has_heavy_tails,
    network,
    train,
)
from keras_lconv.discovery.functions.quadratic import Quadratic, quadratic_fit
from keras_lconv.discovery.functions.targets import Targets

LEAST_EPOCHS, LEAST_STEPS = 30, 2400
# Networks take more samples or columns than this.
MOST_OF_A_PROCESS, MOST_COLUMNS = 3000, 20
# With a smaller error of derivatives no network is needed.
CLEAR_SLOPES, SAMPLES_TO_JUDGE = 0.15, 300
# Residuals are not noise if their prediction is this many standard errors from zero.
CLEAR_GAIN = 3.0
ROUGH = "its error is more than noise, so missing terms may hide or break symmetries"
BY_A_PROCESS = "a Gaussian process was fitted: no network was needed"


class StandIn(NamedTuple):
    """A stand-in for the function behind a table.

    Args:
        model: A function of samples.
        error: Its error on left-out samples, relative to the spread.
        notes: What was done, in words.
        members: The number of functions in it, side by side.
        idle: Columns without measurable effect, which it does not use.
        quadratic: The polynomial, if it is one.
        process: The Gaussian process, if it is one.
        missed: For networks, the part of the error that is not noise.
    """

    model: keras.Model
    error: float
    notes: tuple[str, ...]
    members: int = 1
    idle: tuple[int, ...] = ()
    quadratic: Quadratic | None = None
    process: Process | None = None
    missed: float = 0.0

    def is_clear(self, x: np.ndarray) -> bool:
        """Whether derivatives are known well enough without networks."""
        if self.process is None:
            return True
        some = without(x, self.idle)[:: -(-len(x) // SAMPLES_TO_JUDGE)]
        drawn = self.process.drawn(some, np.random.default_rng(0))
        size = float(np.linalg.norm(self.process.slopes(some)))
        return float(np.linalg.norm(drawn)) < CLEAR_SLOPES * size

    @property
    def mean(self) -> keras.Model:
        """One model, the mean of the functions."""
        if self.members == 1:
            return self.model
        return keras.Model(self.model.inputs, mean(self.model.outputs[0], 1))


def closed_fit(x: np.ndarray, targets: Targets, held_out: int) -> StandIn | None:
    """A polynomial of degree 2 of columns or of their logarithms, if one fits."""
    if targets.outputs is None:
        return None
    found = quadratic_fit(x, targets.outputs, held_out)
    if found is None:
        return None
    told = (found.note, *([ROUGH] if found.is_rough else []))
    return StandIn(found.model, found.error, told, idle=found.idle, quadratic=found)


def smooth_fit(x: np.ndarray, targets: Targets, is_plain: bool) -> StandIn | None:
    """A Gaussian process, unless there are too many samples for one.

    For outputs over many decades, the better fit of the outputs or of their logarithms.

    Args:
        x: Samples `(batch, n)`, in random order.
        targets: Their targets.
        is_plain: Whether columns without effect may be left out.
    """
    is_small = len(x) <= MOST_OF_A_PROCESS and x.shape[1] <= MOST_COLUMNS
    if not is_small or targets.activation or np.any(has_heavy_tails(x)):
        return None
    values = targets.values.reshape(len(x), -1)
    if not np.any(np.ptp(x, axis=0)) or not np.all(np.ptp(values, axis=0)):
        return None
    each = [targets, targets.plain] if targets.are_logarithms else [targets]
    return min((_process(x, own, is_plain) for own in each), key=lambda found: found.error)


def _process(x: np.ndarray, targets: Targets, is_plain: bool) -> StandIn:
    """A Gaussian process, without columns that it does not need."""
    values = targets.values.reshape(len(x), -1)
    process = process_fit(x, values)
    idle: tuple[int, ...] = ()
    if is_plain and 0 < len(process.idle) < np.sum(np.ptp(x, axis=0) > 0):
        other = process_fit(without(x, process.idle), values)
        if other.error <= process.error:
            idle, process = process.idle, other
    return StandIn(
        process.model(targets.values.shape[1:] or (1,)),
        process.error,
        (*targets.notes, BY_A_PROCESS),
        idle=idle,
        process=process,
    )


def networks(
    x: np.ndarray,
    targets: Targets,
    model: keras.Model | None,
    is_plain: bool,
    *settings: Any,
) -> StandIn:
    """Networks, trained on samples in random order.

    Args:
        x: Samples `(batch, n)`.
        targets: Their targets.
        model: A model to train, or `None` for the default networks.
        is_plain: Whether columns that networks do not need may be left out.
        *settings: Numbers of samples to hold out, of epochs and of samples in a step, and
            whether to show a bar.
    """
    found = _trained(x, targets, model, *settings)
    if model is None and is_plain:
        found = _simplest(found, x, targets, *settings)
    return found


def _simplest(found: StandIn, x: np.ndarray, targets: Targets, *settings: Any) -> StandIn:
    """Networks without the columns that they do not need, if their error does not grow."""
    values, held_out = targets.values.astype("float32"), settings[0]
    idle = seemingly_idle(found.model, x.astype("float32"), values, MEMBERS, held_out)
    if not 0 < len(idle) < np.sum(np.ptp(x, axis=0) > 0):
        return found
    other = _trained(without(x, idle), targets, None, *settings)
    return other._replace(idle=idle) if other.error <= found.error else found


def _trained(
    x: np.ndarray,
    targets: Targets,
    model: keras.Model | None,
    held_out: int,
    epochs: int | None,
    batch_size: int,
    verbose: bool,
) -> StandIn:
    """A network, trained on samples in random order."""
    x, values = x.astype("float32"), targets.values.astype("float32")
    members, notes = (1, targets.notes) if model is not None else (MEMBERS, targets.notes)
    output_shape = values.shape[1:]
    if model is None:
        model = network(x, output_shape, targets.activation)
        if np.any(has_heavy_tails(x)):
            notes += ("columns with heavy tails were also given on a logarithmic scale",)
    values = values.reshape(len(x), *(output_shape or (1,)))
    steps = -(-(len(x) - held_out) // batch_size)
    if epochs is None:
        epochs = max(LEAST_EPOCHS, -(-LEAST_STEPS // steps))
    # An epoch has several passes, because the work after each epoch takes longer than a
    # step.
    passes = min(epochs, max(1, -(-STEPS_BETWEEN // steps)))
    rounds = -(-epochs // passes)
    error = train(
        model,
        x,
        values,
        members=members,
        held_out=held_out,
        epochs=rounds,
        batch_size=batch_size,
        bar=keras.utils.Progbar(rounds, verbose=int(verbose), unit_name="round"),
        passes=passes,
    )
    variance = float(np.mean((values - np.mean(values, axis=0)) ** 2))
    error = math.sqrt(error / variance)
    missed = error * _foretold(model, x, values, members, held_out)
    return StandIn(model, error, notes, members, missed=missed)


def _foretold(
    model: keras.Model, x: np.ndarray, values: np.ndarray, members: int, held_out: int
) -> float:
    """The part of the errors on held-out samples that a smooth function predicts.

    Noise cannot be predicted. The predicted part belongs to the function, and networks miss
    it even if they agree with each other.
    """
    rows = np.arange(members * held_out)[:MOST_OF_A_PROCESS]
    predicted = ops.convert_to_numpy(model(x[rows], training=False))
    if members > 1:
        predicted = predicted[rows, rows // held_out]
    rest = (predicted.reshape(len(rows), -1) - values[rows].reshape(len(rows), -1)).astype(
        "float64"
    )
    varies = np.ptp(rest, axis=0) > 0
    if len(rows) < 3 or not np.any(varies):
        return 0.0
    squares = np.sum(rest**2, axis=1)
    left = process_fit(x[rows].astype("float64"), rest[:, varies]).left_out
    gains = squares - np.sum(left**2, axis=1)
    doubt = CLEAR_GAIN * float(np.std(gains)) / math.sqrt(len(gains))
    if np.mean(gains) < doubt:
        return 0.0
    return math.sqrt(float(np.mean(gains) / np.mean(squares)))

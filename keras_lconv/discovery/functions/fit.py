"""From data alone to symmetries: smooth networks in between."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._ops import mean
from keras_lconv._typing import Columns, Data, Search
from keras_lconv._validation import (
    any_array,
    fraction,
    optional,
    positive_int,
    progress,
)
from keras_lconv.discovery.fields.report import FieldReport
from keras_lconv.discovery.functions.effects import seemingly_idle, without
from keras_lconv.discovery.functions.network import (
    MEMBERS,
    STEPS_BETWEEN,
    has_heavy_tails,
    network,
    train,
)
from keras_lconv.discovery.functions.quadratic import Quadratic, quadratic_fit
from keras_lconv.discovery.functions.question import Question
from keras_lconv.discovery.functions.solve import (
    equations_for,
    require_output,
    symmetries_of,
)
from keras_lconv.discovery.functions.targets import Targets, targets_of
from keras_lconv.discovery.gap import LARGEST_NULL_VALUE
from keras_lconv.discovery.null_space import jackknife_errors, tilt
from keras_lconv.discovery.report import SymmetryReport

LEAST_EPOCHS, LEAST_STEPS = 30, 2400
# So many samples are enough for the null space of a network.
MOST_SAMPLES = 8192
# What a polynomial is worth that leaves more than noise.
HALF_SURE = 0.5
ROUGH = "it leaves more than noise: other terms may hide symmetries, or break these"


def fit_symmetries(
    x: Data,
    y: Data,
    *,
    kind: str = "invariance",
    blocks: int = 1,
    scalars: int | Sequence[str] = 0,
    columns: Columns = None,
    search: Search = None,
    degree: int | None = None,
    output: ArrayLike = "free",
    dimension: int | None = None,
    model: keras.Model | None = None,
    epochs: int | None = None,
    batch_size: int = 256,
    validation_split: float = 0.1,
    verbose: bool = True,
) -> SymmetryReport:
    """Finds the symmetries of data `y = F(x)`, by networks that are trained on them.

    Two networks are trained to predict `y`, with a learning rate that falls to zero. Each
    keeps the weights with the smallest error on samples that are left out of its training.
    `find_symmetries` then searches the symmetries of their mean. Their difference measures
    noise, and enters the thresholds, the confidence and the error bars. The result is as
    good as the fit: if `report.fit_error` is large, use more data, more epochs or a better
    `model`.

    **Polynomials.** If the output is one number, and it or its square is a polynomial of
    degree 2 of `x` to a percent of its spread, the polynomial is used and no network is
    trained. It contains terms only in directions in which noise does not explain them as
    well. The same holds for positive outputs whose logarithm is a polynomial of degree 2 of
    the logarithms of positive columns, such as products of powers. Noise up to a fifth of
    the spread is allowed there, if terms of degree 3 explain no more than chance.

    **Columns without effect.** If networks are as good with a column at its mean, others
    are trained without it. If these are as good, the column is left out, and so are columns
    that a polynomial of logarithms does not need. `report.notes` states this, and the
    column is `unidentified`. With `blocks` or `scalars` no column is left out.

    **Labels.** One column of strings, truth values or at most ten different whole numbers
    counts as labels. The search is then for invariance of the class probabilities.

    **Scales.** Positive outputs over more than two decades are fitted by their logarithm,
    which has the same symmetries; columns of `x` with heavy tails are also given to the
    network on a logarithmic scale. For counts, whole numbers from 0 on, the square roots
    are fitted, whose noise does not depend on their size. `report.notes` states this.

    Args:
        x: Inputs `(batch, n)`, also a pandas `DataFrame`.
        y: Outputs `(batch,)` or `(batch, ...)`, or labels `(batch,)`.
        kind: As for `find_symmetries`.
        blocks: As for `find_symmetries`.
        scalars: As for `find_symmetries`.
        columns: As for `find_symmetries`.
        search: As for `find_symmetries`.
        degree: As for `find_symmetries`.
        output: As for `find_symmetries`.
        dimension: As for `find_symmetries`.
        model: A smooth model of your own, from `(batch, n)` to the shape of `y`. It is
            compiled and trained here, and no second one is made. By default each of two has
            three hidden layers of 256 swish units.
        epochs: Largest number of epochs. Training stops earlier if the validation error has
            not fallen for a third of them. By default 30, or as many more as make 2,400
            steps.
        batch_size: Number of samples in a step.
        validation_split: Fraction of the samples, drawn at random, that a network is not
            trained on.
        verbose: Whether to show a progress bar, and another one if networks are trained
            again.

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
    require_output(kind, output)
    table, question = Question(
        kind, blocks, scalars, columns, search, output, dimension, degree
    ).about(x)
    x = table.values
    shape = any_array("y", y).shape
    if x.ndim != 2 or shape[:1] != x.shape[:1] or 0 in x.shape:
        raise ValueError(
            "`x` must have shape `(batch, n)` and `y` the same number of samples. "
            f"Received: shapes {x.shape} and {shape}"
        )
    targets = targets_of(y, kind)
    held_out = round(len(x) * fraction("validation_split", validation_split))
    members = MEMBERS if model is None else 1
    if not 0 < members * held_out < len(x):
        raise ValueError(
            "`validation_split` must leave samples on both sides. "
            f"Received: validation_split={validation_split!r} of {len(x)} samples"
        )
    if model is not None:
        _require_fit(model, x, targets.values.shape[1:] or (1,))
    batch_size = positive_int("batch_size", batch_size)
    epochs = optional(positive_int, "epochs", epochs)
    # Before the networks are trained, which takes long.
    number = targets.values[0].size
    equations_for(x, question, "channels_last", num_outputs=number)
    order = np.random.default_rng(0).permutation(len(x))
    x, targets = x[order], targets.at(order)
    # Vectors are compared with each other, and none loses a component.
    is_plain = question.blocks == 1 and not question.scalars
    quadratic = None
    if model is None and targets.outputs is not None:
        quadratic = quadratic_fit(x, targets.outputs, held_out)
    if quadratic is not None:
        members = 1
        told = (quadratic.note, *([ROUGH] if quadratic.is_rough else []))
        found = _Fit(quadratic.model, quadratic.error, told, quadratic.idle)
    else:
        settings = held_out, epochs, batch_size, bool(progress(verbose))
        found = _trained(x, targets, model, *settings)
        if model is None and is_plain:
            found = _simplest(found, x, targets, *settings)
    if is_plain and found.idle:
        x = without(x, found.idle)
        found = found._replace(notes=(*found.notes, _left_out(found.idle, table.names)))
    samples = x[:MOST_SAMPLES].astype("float64")
    report = symmetries_of(
        found.model,
        samples,
        question,
        members=members,
        fit_error=found.error,
        names=table.names,
    )
    is_affine = not isinstance(report, FieldReport)
    if quadratic is not None and report.dimension and is_affine:
        report = _as_sure_as_the_fit(report, quadratic, samples, question)
    if not is_affine:
        # Some field comes near to any function: what a fit does not know may decide.
        is_rough = quadratic is not None and quadratic.is_rough
        known = HALF_SURE if is_rough else 1.0 if quadratic else _known(found.error)
        report = dataclasses.replace(report, confidence=report.confidence * known)
    return dataclasses.replace(
        report,
        model=_mean(found.model, members),
        fit_error=found.error,
        notes=(*report.notes, *found.notes),
        names=table.names,
    )


class _Fit(NamedTuple):
    """What stands for the function behind a table.

    Args:
        model: A function of samples.
        error: Its relative error.
        notes: What was done, in words.
        idle: Columns without measurable effect, which it does not take.
    """

    model: keras.Model
    error: float
    notes: tuple[str, ...]
    idle: tuple[int, ...] = ()


def _simplest(found: _Fit, x: np.ndarray, targets: Targets, *settings: Any) -> _Fit:
    """Networks without the columns that they do not need, if these err no more."""
    values, held_out = targets.values.astype("float32"), settings[0]
    idle = seemingly_idle(found.model, x.astype("float32"), values, MEMBERS, held_out)
    if not 0 < len(idle) < np.sum(np.ptp(x, axis=0) > 0):
        return found
    other = _trained(without(x, idle), targets, None, *settings)
    return other._replace(idle=idle) if other.error <= found.error else found


def _left_out(idle: tuple[int, ...], names: tuple[str, ...] | None) -> str:
    told = ", ".join(names[n] if names else f"x{n}" for n in idle)
    return (
        f"without measurable effect: {told}. The error of the fit is no larger without, so "
        "this was left out, and nothing is said of it"
    )


def _as_sure_as_the_fit(
    report: SymmetryReport, quadratic: Quadratic, samples: np.ndarray, question: Question
) -> SymmetryReport:
    """A report about a polynomial that knows how far its coefficients are known."""
    asked = dataclasses.replace(question, dimension=report.dimension)
    again = [symmetries_of(other, samples, asked) for other in quadratic.others]
    errors = np.hypot(report.errors, _errors_of_refits(report, again))
    # Generators that turn with the samples are none.
    known = math.cos(min(float(np.max(errors)), math.pi / 2)) ** 2
    if quadratic.is_rough:
        known *= HALF_SURE
    if quadratic.untidied is not None:
        known *= _held_by(quadratic.untidied, samples, question, report)
    return dataclasses.replace(report, errors=errors, confidence=report.confidence * known)


def _require_fit(model: object, x: np.ndarray, outputs: tuple[int, ...]) -> None:
    """Raises unless a model takes samples to outputs of a shape."""
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"`model` must be a `keras.Model`. Received: {model!r} "
            f"(of type {type(model).__name__})"
        )
    try:
        found = tuple(model(x[:1].astype("float32"), training=False).shape[1:])
    except Exception as error:
        raise ValueError(
            f"`model` must take samples of shape {x.shape[1:]} to a tensor. Received: one "
            f"that raises {type(error).__name__}: {error}"
        ) from error
    if found != outputs:
        raise ValueError(
            f"`model` must have the output shape {outputs} of `y`. Received: {found}"
        )


def _errors_of_refits(report: SymmetryReport, again: list[SymmetryReport]) -> np.ndarray:
    """Error bars of generators, from fits without each of some groups of samples."""
    found = [_orthonormal_columns(each) for each in (report, *again)]
    return jackknife_errors(np.array([tilt(found[0], span) for span in found[1:]]))


def _held_by(
    function: keras.Model, samples: np.ndarray, question: Question, report: SymmetryReport
) -> float:
    """How clearly the symmetries that were found are those of another function, too.

    Of the polynomial with the terms that are taken for noise: what these may hide.
    """
    inside = dataclasses.replace(question, search=report.basis, dimension=report.dimension)
    return _known(float(symmetries_of(function, samples, inside).singular_values[-1]))


def _known(error: float) -> float:
    """How clear an answer is if values are wrong by so much."""
    return LARGEST_NULL_VALUE**2 / (LARGEST_NULL_VALUE**2 + error**2)


def _orthonormal_columns(report: SymmetryReport) -> np.ndarray:
    """The algebra in standard coordinates, one column for each generator."""
    matrices = np.asarray(report.standard)
    return np.linalg.qr(matrices.reshape(len(matrices), -1).T)[0]


def _trained(
    x: np.ndarray,
    targets: Targets,
    model: keras.Model | None,
    held_out: int,
    epochs: int | None,
    batch_size: int,
    verbose: bool,
) -> _Fit:
    """A network that is trained on samples in random order."""
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
    # A few passes at a time: what comes after each epoch takes longer than a step.
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
    return _Fit(model, math.sqrt(error / variance), notes)


def _mean(model: keras.Model, members: int) -> keras.Model:
    """The mean of the networks in a model."""
    if members == 1:
        return model
    return keras.Model(model.inputs, mean(model.outputs[0], 1))

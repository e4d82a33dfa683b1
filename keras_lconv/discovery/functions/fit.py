"""Finds symmetries of data, by a smooth function that is fitted to them."""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._typing import Columns, Data, Search
from keras_lconv._validation import (
    any_array,
    fraction,
    optional,
    positive_int,
    progress,
)
from keras_lconv.discovery.functions.certainty import sure_symmetries
from keras_lconv.discovery.functions.effects import without
from keras_lconv.discovery.functions.network import MEMBERS
from keras_lconv.discovery.functions.question import Question
from keras_lconv.discovery.functions.solve import equations_for, require_output
from keras_lconv.discovery.functions.stand_in import (
    closed_fit,
    networks,
    smooth_fit,
)
from keras_lconv.discovery.functions.targets import targets_of
from keras_lconv.discovery.report import SymmetryReport

# This number of samples is enough for the null space of a network.
MOST_SAMPLES = 8192


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
    """Finds the symmetries of data `y = F(x)`, by a smooth function that is fitted to them.

    `find_symmetries` searches the symmetries of what was fitted: a polynomial where one is
    enough, else a Gaussian process, else two networks. What the fit does not know enters
    the thresholds, the confidence and the error bars. The result is as good as the fit: if
    `report.fit_error` is large, use more data, more epochs or a better `model`.

    **Gaussian processes.** Up to 3,000 samples of at most 20 columns are fitted by a
    Gaussian process, with a length of each column and the noise of the largest likelihood.
    Functions are drawn that fit as well: how far generators turn in these is an error bar.
    Where they leave more than 15% of the derivatives open, networks are trained as well,
    and what errs less on samples that were left out is used. Labels and columns with heavy
    tails are left to networks.

    **Networks.** Two networks are trained to predict `y`, with a learning rate that falls
    to zero. Each keeps the weights with the smallest error on samples that it leaves out.
    Their mean is asked, and their difference measures noise. If a smooth function foretells
    their errors on samples that they were not trained on, they miss a part of the function:
    its size lowers the confidence.

    **Polynomials.** If the output is one number, and it or its square is a polynomial of
    degree 2 of `x` to a percent of its spread, the polynomial is used and no network is
    trained. It contains terms only in directions in which noise does not explain them as
    well. The same holds for positive outputs whose logarithm is a polynomial of degree 2 of
    the logarithms of positive columns, such as products of powers. Noise up to a fifth of
    the spread is allowed there, if terms of degree 3 explain no more than chance.

    **Columns without effect.** If networks are as good with a column at its mean, or a
    Gaussian process has a length for it of 30 times its spread, another fit does without.
    If this is as good, the column is left out, and so are columns that a polynomial of
    logarithms does not need. `report.notes` states this, and the column is `unidentified`.
    With `blocks` or `scalars` no column is left out.

    **Labels.** One column of strings, truth values or at most ten different whole numbers
    counts as labels. The search is then for invariance of the class probabilities.

    **Scales.** Positive outputs over more than two decades are fitted by their logarithm,
    which has the same symmetries, unless a Gaussian process fits them better as they are.
    Columns of `x` with heavy tails are also given to the network on a logarithmic scale.
    For counts, whole numbers from 0 on, the square roots are fitted, whose noise does not
    depend on their size. `report.notes` states this.

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
            compiled and trained here, and nothing else is fitted. By default networks have
            three hidden layers of 256 swish units.
        epochs: Largest number of epochs, if networks are trained. Training stops earlier if
            the validation error has not fallen for a third of them. By default 30, or as
            many more as make 2,400 steps.
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
    if not 0 < (MEMBERS if model is None else 1) * held_out < len(x):
        raise ValueError(
            "`validation_split` must leave samples on both sides. "
            f"Received: validation_split={validation_split!r} of {len(x)} samples"
        )
    if model is not None:
        _require_fit(model, x, targets.values.shape[1:] or (1,))
    batch_size = positive_int("batch_size", batch_size)
    epochs = optional(positive_int, "epochs", epochs)
    # This check comes before the training of networks, which takes long.
    number = targets.values[0].size
    equations_for(x, question, "channels_last", num_outputs=number)
    order = np.random.default_rng(0).permutation(len(x))
    x, targets = x[order], targets.at(order)
    # Vectors transform alike, so none may lose a component.
    is_plain = question.blocks == 1 and not question.scalars
    settings = held_out, epochs, batch_size, bool(progress(verbose))
    found = closed_fit(x, targets, held_out) if model is None else None
    if found is None and model is None:
        found = smooth_fit(x, targets, is_plain)
    if found is None or not found.is_clear(x):
        other = networks(x, targets, model, is_plain, *settings)
        found = other if found is None or other.error < found.error else found
    if is_plain and found.idle:
        x = without(x, found.idle)
        found = found._replace(notes=(*found.notes, _left_out(found.idle, table.names)))
    samples = x[:MOST_SAMPLES].astype("float64")
    report = sure_symmetries(found, samples, question, table.names)
    return dataclasses.replace(
        report,
        model=found.mean,
        fit_error=found.error,
        notes=(*report.notes, *found.notes),
        names=table.names,
    )


def _left_out(idle: tuple[int, ...], names: tuple[str, ...] | None) -> str:
    told = ", ".join(names[n] if names else f"x{n}" for n in idle)
    return (
        f"without measurable effect: {told}. The fit is as good without, so this was left "
        "out of the search"
    )


def _require_fit(model: object, x: np.ndarray, outputs: tuple[int, ...]) -> None:
    """Raises an error unless a model maps samples to outputs of a shape."""
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"`model` must be a `keras.Model`. Received: {model!r} "
            f"(of type {type(model).__name__})"
        )
    try:
        found = tuple(model(x[:1].astype("float32"), training=False).shape[1:])
    except Exception as error:
        raise ValueError(
            f"`model` must map samples of shape {x.shape[1:]} to a tensor. Received: a "
            f"model that raises {type(error).__name__}: {error}"
        ) from error
    if found != outputs:
        raise ValueError(
            f"`model` must have the output shape {outputs} of `y`. Received: {found}"
        )

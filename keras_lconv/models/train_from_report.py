"""A network with the symmetry of a report, compared with one without."""

import time
from typing import Any

import keras
import numpy as np

from keras_lconv._typing import Data
from keras_lconv._validation import (
    any_array,
    count,
    finite_array,
    fraction,
    positive_int,
    positive_number,
    progress,
)
from keras_lconv.discovery import GeneratorReport, SymmetryReport
from keras_lconv.discovery.functions.targets import classes_of
from keras_lconv.models.from_report import (
    checked_report,
    features_and_positions,
    from_report,
    is_of_points,
)
from keras_lconv.models.network_report import NetworkReport
from keras_lconv.models.plain_twins import (
    plain_images,
    plain_points,
    plain_rows,
    trained_weights,
)
from keras_lconv.models.symmetric_network import normalized, rescaled, spread

# The number of times that validation samples are drawn again for the error bar.
RESAMPLED = 200


def train_from_report(
    report: SymmetryReport | GeneratorReport,
    x: Data,
    y: Any,
    *,
    validation_split: float = 0.2,
    epochs: int = 30,
    batch_size: int = 32,
    learning_rate: float = 3e-3,
    seed: int = 0,
    verbose: bool | None = None,
    **settings: Any,
) -> NetworkReport:
    """Trains a network with a symmetry, and one without, on the same samples.

    The first is `from_report(report, x)`. The other has at least as many weights: a
    perceptron for tables; three convolutions for images; for points a perceptron for each
    point that sees the average of the others. Both train for the same epochs on the same
    samples, with the same learning rates. The errors are on new samples.

    Args:
        report: As for `from_report`. For a strict comparison, its search must not use the
            validation samples.
        x: The data, as for `from_report`.
        y: The output of each sample: labels, as integers, Booleans or strings; or numbers,
            `(batch,)` or `(batch, m)`. For tables, whole numbers are labels where
            `fit_symmetries` takes them for labels: at most ten different ones.
        validation_split: The fraction of the samples for validation, drawn at random.
        epochs: Number of epochs.
        batch_size: Number of samples in a batch.
        learning_rate: The first learning rate; it falls to zero as a cosine.
        seed: Seed of the split, the weights and the order of samples.
        verbose: Whether to show the progress of training.
        **settings: Further arguments of the network with the symmetry.

    Returns:
        A `NetworkReport`, with both networks and both errors.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or there is no network with the
            symmetry.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_lconv.discovery import find_symmetries
    from keras_lconv.models import train_from_report

    x = np.random.default_rng(0).normal(size=(300, 4))
    report = find_symmetries(lambda x: ops.sum(x**2, axis=1), x)
    y = np.sum(x**2, axis=1)
    result = train_from_report(report, x, y, hidden_units=(16,), epochs=10)
    print(result.summary())
    assert result.error < result.plain_error
    ```
    """
    checked_report(report)
    epochs = positive_int("epochs", epochs)
    batch_size = positive_int("batch_size", batch_size)
    rate = positive_number("learning_rate", learning_rate)
    split = fraction("validation_split", validation_split)
    is_shown = bool(progress(verbose))
    keras.utils.set_random_seed(count("seed", seed))
    arrays = _arrays(report, x)
    labels, targets, shift, scale = _targets(report, y, arrays)
    train, check = _split(len(targets), split, seed)
    outputs = targets.shape[1] if labels is None else len(labels)
    model = from_report(report, _like(arrays), outputs=outputs, **settings)
    is_equivariant = getattr(report, "kind", None) == "equivariance"
    trained = model
    if is_equivariant:
        # Its outputs are already in units of the data.
        trained = keras.Model(model.inputs, normalized(model.outputs[0], shift, scale))
    plain = _plain(report, arrays, outputs, trained_weights(model))
    wrong, seconds = [], []
    for network in (trained, plain):
        start = time.process_time()
        _fit(
            network,
            _like([each[train] for each in arrays]),
            targets[train],
            are_labels=labels is not None,
            rate=rate,
            epochs=epochs,
            batch_size=batch_size,
            verbose=int(is_shown),
        )
        seconds.append(time.process_time() - start)
        inputs = _like([each[check] for each in arrays])
        found = np.asarray(network.predict(inputs, verbose=0, batch_size=256))
        wrong.append(_squares(found, targets[check], labels is not None))
    if labels is None:
        plain = keras.Model(plain.inputs, rescaled(plain.outputs[0], scale, shift))
        if not is_equivariant:
            model = keras.Model(model.inputs, rescaled(model.outputs[0], scale, shift))
    root = 0.5 if labels is None else 1.0
    errors = [float(np.mean(each) ** root) for each in wrong]
    return NetworkReport(
        model=model,
        plain=plain,
        error=errors[0],
        plain_error=errors[1],
        difference=errors[1] - errors[0],
        difference_error=_error_bar(wrong[0], wrong[1], root),
        metric="relative error" if labels is None else "wrong labels",
        seconds=(seconds[0], seconds[1]),
        num_validation=len(check),
        symmetry=_name(report),
        labels=labels,
    )


def _fit(
    network: keras.Model,
    x: Any,
    targets: np.ndarray,
    *,
    are_labels: bool,
    rate: float,
    epochs: int,
    batch_size: int,
    verbose: int,
) -> None:
    """Trains a network with a rate that falls to zero."""
    steps = epochs * -(-len(targets) // batch_size)
    decay = keras.optimizers.schedules.CosineDecay(rate, steps)
    loss: Any = "mse"
    if are_labels:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(decay), loss)
    network.fit(x, targets, batch_size=batch_size, epochs=epochs, verbose=verbose)


def _name(report: Any) -> str:
    """The name of the symmetry."""
    if isinstance(report, GeneratorReport):
        return report.algebra.identify().name
    return report.name


def _arrays(report: Any, x: Any) -> list[np.ndarray]:
    """The inputs of the networks."""
    if isinstance(report, SymmetryReport) and report.generators is None and is_of_points(x):
        features, positions = features_and_positions(report, x)
        return [positions] if features is None else [features, positions]
    return [finite_array("x", x)]


def _like(arrays: list[np.ndarray]) -> Any:
    """One array, or a list."""
    return arrays[0] if len(arrays) == 1 else arrays


def _targets(
    report: Any, y: Any, arrays: list[np.ndarray]
) -> tuple[tuple | None, np.ndarray, np.ndarray, np.ndarray]:
    """Labels, targets of networks, and mean and spread of numbers."""
    values, number = any_array("y", y), len(arrays[0])
    if values.shape[:1] != (number,):
        raise ValueError(
            f"`y` must have {number} entries, one for each sample. "
            f"Received: shape {values.shape}"
        )
    is_equivariant = getattr(report, "kind", None) == "equivariance"
    # For tables this is the rule of `fit_symmetries`, which must distinguish labels from
    # counts.
    is_table = arrays[-1].ndim == 2 and values.dtype.kind in "iuf"
    are_labels = values.dtype.kind not in "fc"
    if is_table and values.ndim == 1 and len(np.unique(values)) > 1:
        are_labels = classes_of(values) is not None
    if values.ndim == 1 and are_labels and not is_equivariant:
        found, targets = np.unique(values, return_inverse=True)
        if len(found) < 2:
            raise ValueError("`y` must have at least two different labels. Received: one")
        return tuple(found.tolist()), targets, np.zeros(1), np.ones(1)
    numbers = finite_array("y", y).reshape(number, -1)
    shift, scale = np.mean(numbers, axis=0), spread(numbers)
    return None, (numbers - shift) / scale, shift, scale


def _split(number: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The samples for training and those for validation."""
    order = np.random.default_rng(seed).permutation(number)
    kept = round(share * number)
    if not 0 < kept < number:
        raise ValueError(
            "`validation_split` must leave samples for training and for validation. "
            f"Received: validation_split={share} of {number} samples"
        )
    return order[kept:], order[:kept]


def _plain(report: Any, arrays: list, outputs: int, least: int) -> keras.Model:
    """The network without the symmetry, for the same data."""
    if arrays[-1].ndim == 2:
        return plain_rows(arrays[0], outputs, least)
    if getattr(report, "generators", None) is not None:
        return plain_images(arrays[0], outputs, least)
    features = arrays[0] if len(arrays) == 2 else None
    return plain_points(features, arrays[-1], outputs, least)


def _squares(found: np.ndarray, targets: np.ndarray, are_labels: bool) -> np.ndarray:
    """The squared error of each sample, `(batch,)`, or whether its label is wrong."""
    if are_labels:
        return (np.argmax(found, axis=1) != targets).astype("float64")
    return np.mean((found.reshape(targets.shape) - targets) ** 2, axis=1)


def _error_bar(first: np.ndarray, second: np.ndarray, root: float) -> float:
    """The variation of the difference of two errors if samples are drawn again."""
    rng = np.random.default_rng(0)
    draws = rng.integers(len(first), size=(RESAMPLED, len(first)))
    return float(
        np.std(
            np.mean(second[draws], axis=1) ** root - np.mean(first[draws], axis=1) ** root
        )
    )

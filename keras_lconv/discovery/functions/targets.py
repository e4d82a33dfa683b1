"""The targets of a network: outputs, their logarithms or roots, or labels."""

from dataclasses import dataclass, replace

import numpy as np

from keras_lconv._ops import to_numpy
from keras_lconv._typing import Data
from keras_lconv._validation import any_array, finite_array

# At most this many different whole numbers count as labels of classes, with this many
# samples each.
MOST_CLASSES = 10
SAMPLES_OF_A_CLASS = 10
# Positive outputs over this many decades are fitted on a logarithmic scale.
DECADES = 2.0
# A mean that is this many times the spread is subtracted.
LARGE_CONSTANT = 1e4


@dataclass(frozen=True)
class Targets:
    """Targets of a network.

    Args:
        values: Array `(batch, *outputs)`, of spread 1 unless they are labels.
        activation: The activation of the last layer.
        notes: What was done, in words.
        outputs: For invariance of one number that is no label: the original outputs,
            `(batch,)`.
        are_logarithms: Whether the values are logarithms of these outputs.
    """

    values: np.ndarray
    activation: str | None
    notes: tuple[str, ...] = ()
    outputs: np.ndarray | None = None
    are_logarithms: bool = False

    def at(self, order: np.ndarray) -> "Targets":
        """The targets of samples in another order."""
        outputs = None if self.outputs is None else self.outputs[order]
        return replace(self, values=self.values[order], outputs=outputs)

    @property
    def plain(self) -> "Targets":
        """The targets without logarithms."""
        if not self.are_logarithms or self.outputs is None:
            return self
        return Targets(self.outputs / float(np.std(self.outputs)), None)


def targets_of(y: Data, kind: str) -> Targets:
    """The targets for outputs `y`.

    A function of an invariant is invariant. So the logarithm of an invariant output, or the
    probability of a class, has the same symmetries.
    """
    raw = _of_one_kind(any_array("y", to_numpy(y)))
    if kind == "invariance" and (classes := classes_of(raw)) is not None:
        return _labels(raw.ravel(), classes)
    values = finite_array("y", raw)
    if values.ndim < 1 or 0 in values.shape:
        raise ValueError(
            "`y` must have shape `(batch,)` or `(batch, ...)`. "
            f"Received: shape {values.shape}"
        )
    if np.ptp(values) == 0:
        raise ValueError("`y` must not be constant. Received: the same number everywhere")
    notes: tuple[str, ...] = ()
    are_logarithms = False
    if kind == "invariance":
        values = _without_large_constant(values)
    is_number = kind == "invariance" and values.size == len(values)
    outputs = values.ravel() if is_number else None
    if kind == "invariance" and np.all(values > 0):
        low, high = np.quantile(values, (0.01, 0.99))
        if np.log10(high / low) > DECADES:
            values, are_logarithms = np.log(values), True
            notes = (
                "the logarithm of `y` was fitted, which has the same symmetries: `y` "
                f"spans {np.log10(high / low):.1f} decades",
            )
    if kind == "invariance" and not notes and _are_counts(values):
        # The noise of counts grows with their root. The noise of the roots does not grow.
        values = np.sqrt(values + 0.375)
        notes = (
            "`y` was taken for counts. The fit is to their square roots, which have the "
            "same symmetries and noise of equal size",
        )
    # Targets are scaled only. A shifted output would not be that of an equivariant
    # function.
    spread = float(np.std(values))
    return Targets(values / spread, None, notes, outputs, are_logarithms)


def _without_large_constant(values: np.ndarray) -> np.ndarray:
    """Outputs `(batch, ...)`, minus a mean that would hide changes in float32."""
    mean, spread = np.mean(values, axis=0), np.std(values, axis=0)
    return values - np.where(np.abs(mean) > LARGE_CONSTANT * spread, mean, 0.0)


def _of_one_kind(y: np.ndarray) -> np.ndarray:
    """Outputs of Python objects as numbers, or as strings."""
    if y.dtype != object:
        return y
    are_strings = np.array([isinstance(each, str) for each in y.ravel()])
    if not np.any(are_strings):
        return finite_array("y", y)
    if not np.all(are_strings):
        other = y.ravel()[np.argmin(are_strings)]
        raise ValueError(
            f"`y` must hold a label for each sample. Received: {np.sum(~are_strings)} "
            f"values that are not strings, such as {other!r}. Drop these samples from `x` "
            "and `y`"
        )
    return y.astype(str)


def _are_counts(values: np.ndarray) -> bool:
    return bool(np.all(values >= 0) and np.all(values == np.round(values)))


def classes_of(y: np.ndarray) -> np.ndarray | None:
    """The different labels, if outputs are labels: strings, truth values, or few numbers.

    At most ten different whole numbers, with ten samples each on average.
    """
    if y.ndim < 1 or y.size != len(y) or not len(y):
        return None
    is_number = np.issubdtype(y.dtype, np.number)
    if is_number and not (np.all(np.isfinite(y)) and np.all(y == np.round(y))):
        return None
    found = np.unique(y)
    if len(found) < 2:
        return None
    if is_number and len(found) > min(MOST_CLASSES, len(y) / SAMPLES_OF_A_CLASS):
        return None
    return found


def _labels(y: np.ndarray, classes: np.ndarray) -> Targets:
    """Targets are probabilities, because their squared errors do not trust a wrong label
    too much.
    """
    notes = (f"`y` was taken for labels of {len(classes)} classes",)
    if len(classes) == 2:
        return Targets((y == classes[1]).astype("float64"), "sigmoid", notes)
    return Targets((y[:, None] == classes).astype("float64"), "softmax", notes)

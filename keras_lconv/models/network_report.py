"""The result of `train_from_report`."""

from dataclasses import dataclass

import keras

from keras_lconv._typing import Figure
from keras_lconv.models.plain_twins import trained_weights
from keras_lconv.report import Report

# In standard errors. A smaller difference may be chance.
CLEAR = 2.0


@dataclass(frozen=True, eq=False, repr=False)
class NetworkReport(Report):
    """A network with a symmetry and one without, compared on new samples.

    Args:
        model: The network that has the symmetry, trained, with outputs in units of `y`, or
            logits.
        plain: The network without it.
        error: The error of `model`, as `metric` states it.
        plain_error: The error of `plain`.
        difference: `plain_error - error`.
        difference_error: The standard error of the difference, by resampling the validation
            samples. It does not include the effect of other initial weights.
        metric: `"relative error"`: the root mean square of the errors, in units of the
            standard deviation of each output; the mean as a guess gives 1. Or
            `"wrong labels"`: the fraction of samples.
        seconds: The processor time of both trainings.
        num_validation: Number of samples for the errors.
        symmetry: The name of the symmetry.
        labels: The labels that the logits stand for, or `None`.

    Example:
    ```python
    import numpy as np
    from keras_lconv.discovery import find_symmetries
    from keras_lconv.models import train_from_report

    x = np.random.default_rng(0).normal(size=(200, 3))
    report = find_symmetries(lambda x: x[:, 0] ** 2 + x[:, 1] ** 2 + x[:, 2], x)
    y = x[:, 0] ** 2 + x[:, 1] ** 2 + x[:, 2]
    result = train_from_report(report, x, y, epochs=2, hidden_units=(8,))
    assert result.num_validation == 40 and result.metric == "relative error"
    ```
    """

    model: keras.Model
    plain: keras.Model
    error: float
    plain_error: float
    difference: float
    difference_error: float
    metric: str
    seconds: tuple[float, float]
    num_validation: int
    symmetry: str
    labels: tuple | None = None

    def summary(self) -> str:
        """The result in words."""
        verdict = "the symmetry helps"
        if abs(self.difference) < CLEAR * self.difference_error:
            verdict = "no clear difference"
        elif self.difference < 0:
            verdict = "the symmetry hurts: it may be wrong, or training too short"
        lines = [
            f"{self.metric} on {self.num_validation} validation samples: {verdict}",
            f"  with {self.symmetry}: {self.error:.4g}, "
            f"{trained_weights(self.model)} weights, {self.seconds[0]:.0f} s",
            f"  without: {self.plain_error:.4g}, "
            f"{trained_weights(self.plain)} weights, {self.seconds[1]:.0f} s",
            f"difference {self.difference:.4g} +- {self.difference_error:.2g}, from one "
            "split and one training of each",
        ]
        return "\n".join(lines)

    def plot(self) -> Figure:
        """Draws both errors, with the error bar of their difference.

        Returns:
            The figure.
        """
        import matplotlib.pyplot as plt

        figure, axis = plt.subplots(figsize=(4.5, 3), layout="constrained")
        names = [f"with {self.symmetry}", "without"]
        bars = [0.0, self.difference_error]
        axis.bar(names, [self.error, self.plain_error], yerr=bars, capsize=6)
        axis.set_ylabel(f"{self.metric}, {self.num_validation} samples")
        axis.set_title("bar: standard error of the difference", fontsize=9)
        return figure

"""The result of `robustness`: how much deformations of the input change a model."""

from dataclasses import dataclass

import numpy as np

from keras_lconv._typing import Figure
from keras_lconv.report import Report

# The plot follows the loss up to this relative change of the input.
LARGEST_DRAWN_CHANGE = 0.1


@dataclass(frozen=True, eq=False, repr=False)
class RobustnessReport(Report):
    """The result of `robustness`, for `n` samples and `k` generators.

    A parameter `t` is in the unit of its generator: radians, or grid steps. `gain` has no
    unit, and does not depend on the scale of a generator.

    Args:
        names: Names of the generators.
        loss: The loss of each sample, `(n,)`.
        first: `d/dt` of the loss of `exp(t L_i) x`, at `t = 0`, `(n, k)`.
        second: `d^2/dt^2` of it, `(n, k)`.
        sensitivity: `rms |dF/dt| / rms |F|` of the outputs `F` of the model, `(k,)`.
        input_change: `rms |L_i x| / rms |x|` of the inputs, `(k,)`.
        ranked_by: `"output"` or `"loss"`: the change that `ranking` compares.
        steps: The parameters `h` of the central differences in `second`, `(k,)`; `None` if
            `second` holds derivatives at `t = 0`.

    Attributes:
        gain: `sensitivity / input_change`, `(k,)`.
        loss_gain: The same for the loss: `rms |first| / rms |loss| / input_change`, `(k,)`.
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
    ranked_by: str = "output"
    steps: np.ndarray | None = None

    @property
    def gain(self) -> np.ndarray:
        """Relative change of the outputs for one of the inputs, `(k,)`.

        It is zero for generators that do not change the inputs.
        """
        return ratio(self.sensitivity, self.input_change)

    @property
    def loss_gain(self) -> np.ndarray:
        """Relative change of the loss for one of the inputs, `(k,)`.

        It is zero for symmetries of the loss, even if the outputs move with the inputs.
        """
        return ratio(ratio(_rms(self.first), _rms(self.loss)), self.input_change)

    @property
    def ranking(self) -> tuple[str, ...]:
        """Names of the generators, from the largest change to the smallest.

        They are sorted by `loss_gain` if `ranked_by` is `"loss"`, otherwise by `gain`.
        """
        return tuple(self.names[i] for i in np.argsort(-self._ranked, kind="stable"))

    @property
    def _ranked(self) -> np.ndarray:
        return self.loss_gain if self.ranked_by == "loss" else self.gain

    def summary(self) -> str:
        """The result as a table, by rank. Derivatives are means over the samples."""
        width = max(9, *(len(name) for name in self.names))
        lines = [
            f"{len(self.loss)} samples, mean loss {np.mean(self.loss):.4g}, "
            f"by change of the {self.ranked_by}",
            f"{'generator':<{width}}  {'gain':>9}  {'loss gain':>9}  {'sensitivity':>11}  "
            f"{'rms dloss/dt':>12}  {'mean d2loss/dt2':>15}",
        ]
        slopes = _rms(self.first)
        for name in self.ranking:
            i = self.names.index(name)
            lines.append(
                f"{name:<{width}}  {self.gain[i]:9.3g}  {self.loss_gain[i]:9.3g}  "
                f"{self.sensitivity[i]:11.3g}  {slopes[i]:12.3g}  "
                f"{np.mean(self.second[:, i]):15.3g}"
            )
        if self.steps is not None:
            lines.append(
                "d2loss/dt2 are central differences: the model has kinks, or is not smooth "
                "within the step"
            )
        return "\n".join(lines)

    def plot(self) -> Figure:
        """Draws the gains of the ranking, and the mean loss to second order.

        Returns:
            The figure.
        """
        import matplotlib.pyplot as plt

        figure, (bars, curves) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
        order = [self.names.index(name) for name in self.ranking]
        bars.barh([self.names[i] for i in order], self._ranked[order])
        bars.invert_yaxis()
        bars.set_xlabel(f"relative change of the {self.ranked_by} by that of the input")
        change = np.linspace(-LARGEST_DRAWN_CHANGE, LARGEST_DRAWN_CHANGE, 101)
        for i in order:
            t = ratio(change, self.input_change[i])
            slope, curvature = np.mean(self.first[:, i]), np.mean(self.second[:, i])
            expected = np.mean(self.loss) + t * slope + t**2 / 2 * curvature
            curves.plot(change, expected, label=self.names[i])
        curves.set_xlabel("relative change of the input")
        curves.set_ylabel("mean loss, to second order")
        curves.legend()
        return figure


def _rms(values: np.ndarray) -> np.ndarray:
    """Root mean square over samples."""
    return np.sqrt(np.mean(values**2, axis=0))


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """The ratio, or zero if the denominator is zero."""
    zero = np.zeros(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)))
    return np.divide(numerator, denominator, out=zero, where=np.asarray(denominator) > 0)

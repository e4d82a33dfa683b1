"""The equivariance of a model during training."""

from typing import Any

import keras
import numpy as np

from keras_lconv._layout import checked_data_format
from keras_lconv._ops import to_numpy
from keras_lconv._typing import ArrayLike, Data, Figure, GeneratorsLike
from keras_lconv._validation import finite_array, one_of, positive_int
from keras_lconv.generators.registry import get_known
from keras_lconv.metrics import EquivarianceReport, equivariance_error, invariance_error
from keras_lconv.metrics.elements import checked_parameters


class EquivarianceMonitor(keras.callbacks.Callback):
    """Measures the equivariance, or the invariance, of a model during training.

    At the end of an epoch the mean relative error over the parameters is added to the logs,
    as `"equivariance_error"` or `"invariance_error"`. So it is printed, it is in the
    history that `fit` returns, and callbacks after this one, such as `EarlyStopping`, can
    use it. The model is called in inference mode.

    Args:
        generators: How the input transforms, as in `keras_lconv.metrics`.
        x: One batch of inputs to measure with.
        parameters: Group parameters, `(n, k)`; `(n,)` is enough for one generator.
        kind: `"equivariance"` or `"invariance"`.
        every: The number of epochs from one measurement to the next. The measurement is
            after the last of them.
        generators_out: How the output transforms, if not as the input does.
        data_format: Where the channels are, as in `keras_lconv.metrics`.
        name: Name in the logs, to have several monitors.

    Attributes:
        history: The measurements of the last call of `fit`: a dictionary with the lists
            `"epoch"`, `"mean"` and `"max"`.
        report: The last `EquivarianceReport`, or `None`.

    Raises:
        TypeError: If `every` is not an integer.
        ValueError: If `kind` is unknown, `every` is not positive, or `generators_out`
            are given for invariance.

    Example:
    ```python
    import keras
    import numpy as np
    from keras_lconv.callbacks import EquivarianceMonitor

    x = np.random.default_rng(0).normal(size=(16, 2)).astype("float32")
    y = (x**2).sum(axis=1, keepdims=True)
    model = keras.Sequential([keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    turn = [[0.0, -1.0], [1.0, 0.0]]
    monitor = EquivarianceMonitor(turn, x, [0.5, 1.0], kind="invariance")
    model.fit(x, y, epochs=2, callbacks=[monitor], verbose=0)
    assert monitor.history["epoch"] == [0, 1]
    ```
    """

    def __init__(
        self,
        generators: GeneratorsLike,
        x: Data,
        parameters: ArrayLike,
        *,
        kind: str = "equivariance",
        every: int = 1,
        generators_out: GeneratorsLike | None = None,
        data_format: str | None = None,
        name: str | None = None,
    ):
        super().__init__()
        self.kind = one_of("kind", kind, ("equivariance", "invariance"))
        self.every = positive_int("every", every)
        if kind == "invariance" and generators_out is not None:
            raise ValueError(
                "`generators_out` apply to `kind='equivariance'` only: an invariant "
                f"output does not transform. Received: generators_out={generators_out!r}"
            )
        self.name = name or f"{kind}_error"
        finite_array("x", to_numpy(x))
        self._x = x
        self._generators = get_known("generators", generators)
        self._parameters = checked_parameters(parameters, self._generators)
        self._generators_out = None
        if generators_out is not None:
            self._generators_out = get_known("generators_out", generators_out)
        if data_format is not None:
            checked_data_format(data_format)
        self._data_format = data_format
        self._forget()

    def _forget(self) -> None:
        self.history: dict[str, list] = {"epoch": [], "mean": [], "max": []}
        self.report: EquivarianceReport | None = None

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Starts a new history."""
        self._forget()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measures, and adds the mean error to the logs."""
        if (epoch + 1) % self.every:
            return
        self.report = self._measure()
        for key, value in (
            ("epoch", epoch),
            ("mean", self.report.mean),
            ("max", self.report.max),
        ):
            self.history[key].append(value)
        if logs is not None:
            logs[self.name] = self.report.mean

    def _measure(self) -> EquivarianceReport:
        arguments = (self.model, self._generators, self._x, self._parameters)
        if self.kind == "invariance":
            return invariance_error(*arguments, data_format=self._data_format)
        return equivariance_error(
            *arguments,
            generators_out=self._generators_out,
            data_format=self._data_format,
        )

    def plot(self) -> Figure:
        """Draws the mean error against the epoch.

        Returns:
            The figure.
        """
        from keras_lconv.visualization import plot_errors

        epochs = np.array(self.history["epoch"], dtype="float64")[:, None]
        ax = plot_errors(epochs, self.history["mean"], title=f"{self.kind} error")
        ax.set_xlabel("epoch")
        return ax.figure

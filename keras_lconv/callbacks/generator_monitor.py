"""The development of learned generators during training."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._typing import Figure, GeneratorsLike
from keras_lconv._validation import positive_int
from keras_lconv.algebra import correlation, principal_angles
from keras_lconv.generators import Generators
from keras_lconv.generators.registry import get_known

# The largest number of generators in a picture.
MOST_PICTURES = 6


class GeneratorMonitor(keras.callbacks.Callback):
    """Records generators while they are learned, and how close they are to an algebra.

    At the end of an epoch it stores the generators and measures the closure error of their
    span, as `LieAlgebra.closure_error`. If a reference is given, it also measures the
    largest principal angle and the correlation between the spans of the matrices, which
    depend neither on the basis nor on the scale. The measurements are added to the logs, so
    they are printed, and callbacks after this one can use them.

    Args:
        generators: The learned generators: an instance of square `Generators` which the
            model uses, as `layer.generators`.
        reference: The expected generators: what `keras_lconv.generators.get` takes, except
            an integer.
        every: The number of epochs from one measurement to the next. The measurement is
            after the last of them.
        name: The beginning of the names in the logs: `"generator_closure_error"`,
            `"generator_angle"` and `"generator_correlation"` by default.

    Attributes:
        history: The measurements of the last call of `fit`: a dictionary with the lists
            `"epoch"` and `"closure_error"`, and with a reference `"angle"` (radians) and
            `"correlation"`. The closure error is NaN if generators are linearly dependent.
        snapshots: The generators at these epochs: vector fields `(k, *spatial, ndim)` of
            `VectorFieldGenerators`, otherwise matrices `(k, d, d)`.

    Raises:
        TypeError: If `generators` are not `Generators`, `reference` is an integer, or
            `every` is not an integer.
        ValueError: If `every` is not positive, the generators are not square, or a
            reference acts on another grid.

    Example:
    ```python
    import keras
    import numpy as np
    from keras_lconv import LConv
    from keras_lconv.callbacks import GeneratorMonitor

    x = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
    layer = LConv(1, 2)
    model = keras.Sequential([keras.Input((3, 1)), layer])
    model.compile("adam", "mse")
    monitor = GeneratorMonitor(layer.generators)
    model.fit(x[..., None], x[..., None], epochs=2, callbacks=[monitor], verbose=0)
    assert monitor.snapshots[1].shape == (2, 3, 3)
    ```
    """

    def __init__(
        self,
        generators: Generators,
        *,
        reference: GeneratorsLike | None = None,
        every: int = 1,
        name: str = "generator",
    ):
        super().__init__()
        if not isinstance(generators, Generators):
            raise TypeError(
                "`generators` must be an instance of `keras_lconv.generators.Generators`, "
                "such as `layer.generators`. "
                f"Received: {generators!r} (of type {type(generators).__name__})"
            )
        self._generators = generators
        self._reference = None
        if reference is not None:
            self._reference = get_known("reference", reference)
        self.every = positive_int("every", every)
        self.name = name
        self._forget()

    def _forget(self) -> None:
        names = ["epoch", "closure_error"]
        if self._reference is not None:
            names += ["angle", "correlation"]
        self.history: dict[str, list] = {name: [] for name in names}
        self.snapshots: list[np.ndarray] = []

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Starts a new history."""
        if not self._generators.is_square:
            raise ValueError(
                "`generators` must be square, because others span no algebra. Received: "
                f"{self._generators.name!r}"
            )
        self._forget()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measures, and adds what it measures to the logs."""
        if (epoch + 1) % self.every:
            return
        measured = self._measure()
        self.history["epoch"].append(epoch)
        for key, value in measured.items():
            self.history[key].append(value)
            if logs is not None:
                logs[f"{self.name}_{key}"] = value
        self.snapshots.append(self._picture())

    def _measure(self) -> dict[str, float]:
        measured = {"closure_error": self._closure_error()}
        if self._reference is not None:
            matrices = ops.convert_to_numpy(self._generators.to_dense())
            shape = self._generators.spatial_shape
            assert shape is not None
            self._reference.build_for((None, *shape, 1), "`reference`")
            expected = ops.convert_to_numpy(self._reference.to_dense())
            measured["angle"] = float(principal_angles(matrices, expected)[0])
            measured["correlation"] = correlation(matrices, expected)
        return measured

    def _closure_error(self) -> float:
        try:
            return self._generators.algebra().closure_error
        except ValueError:
            # Generators may be linearly dependent for a while.
            return float("nan")

    def _picture(self) -> np.ndarray:
        fields = self._generators.vector_fields()
        if fields is not None:
            return fields
        return ops.convert_to_numpy(self._generators.to_dense())

    def plot(self) -> Figure:
        """Draws the measurements against the epoch, and the last generators.

        Fields on images are drawn as arrows, others as matrices.

        Returns:
            The figure.

        Raises:
            ValueError: If nothing was measured yet, or the fields have more than two axes.
        """
        import matplotlib.pyplot as plt

        from keras_lconv.visualization import plot_errors, plot_matrix, plot_vector_field

        if not self.snapshots:
            raise ValueError(
                "There is nothing to draw yet, because no epoch was "
                "measured. Give the callback to `fit` first"
            )
        is_field = self._generators.vector_fields() is not None
        draw: Any = plot_vector_field if is_field else plot_matrix
        pictures = self.snapshots[-1][:MOST_PICTURES]
        columns = 2 + (len(pictures) + 1) // 2
        figure = plt.figure(figsize=(2.2 * columns, 4.4), layout="constrained")
        grid = figure.add_gridspec(2, columns)
        axes = figure.add_subplot(grid[:, :2])
        epochs = np.array(self.history["epoch"], dtype="float64")[:, None]
        for key, label in (("closure_error", "closure error"), ("angle", "angle")):
            if key in self.history:
                errors = np.array(self.history[key])
                # Dependent generators have no closure error.
                known = np.isfinite(errors)
                plot_errors(epochs[known], errors[known], axes)
                axes.lines[-1].set_label(label)
        axes.set_xlabel("epoch")
        axes.set_ylabel("error")
        axes.legend()
        for number, picture in enumerate(pictures):
            place = figure.add_subplot(grid[number % 2, 2 + number // 2])
            draw(picture, place, f"$L_{{{number + 1}}}$")
        return figure

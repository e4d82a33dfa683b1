"""A mean squared error with derivatives."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._precision import sample_means, working_dtype
from keras_lconv._validation import not_negative, one_of
from keras_lconv.generators.registry import get_known
from keras_lconv.layers._action import action_density, invariant_metric
from keras_lconv.layers.base import DATA_FORMATS
from keras_lconv.layers.form_layer import checked_form


@keras.saving.register_keras_serializable(package="keras_lconv")
class InvariantLoss(keras.losses.Loss):
    """The group-invariant mean squared error, `mean(m^2 e^2 + B^ij (L_i e) (L_j e))`.

    `e = y_pred - y_true`, the mean is over positions and channels, and `B` is an invariant
    metric on the algebra. With `mass=1` and without the second term it is the mean squared
    error; the second term compares derivatives, and so edges and textures. With
    translations it is the squared Sobolev norm.

    **Invariance.** The loss is the same for `exp(t L) y_true` and `exp(t L) y_pred` where
    the `L_i` are antisymmetric, as translations and rotations are, and close under brackets
    on the grid: exactly for commuting ones. Scalings change areas, and with them the loss.

    A model that learns the metric takes `keras_lconv.ActionRegularization`.

    Args:
        generators: What `keras_lconv.generators.get` takes, but for an integer.
        mass: The number `m`.
        metric: `B^ij`, a symmetric invariant matrix `(k, k)`. By default the one that
            `NormPooling` takes for gradients: the inverse of `-tr(L_i L_j) / 2` for
            semisimple algebras, the identity for generators that commute.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        reduction: As for every Keras loss.
        name: Name of the loss.
        dtype: The dtype of the loss, as for every Keras loss.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, there is no invariant metric, or it is
            negative in some direction.

    Example:
    ```python
    import numpy as np
    from keras_lconv.physics import InvariantLoss

    loss = InvariantLoss("translation")
    image = np.random.default_rng(0).normal(size=(2, 8, 8, 1))
    assert np.allclose(loss(image, image), 0)
    assert float(loss(image, 0 * image)) > np.mean(image**2)
    ```
    """

    def __init__(
        self,
        generators: Any,
        mass: float = 1.0,
        metric: Any = None,
        *,
        data_format: str | None = None,
        reduction: str = "sum_over_batch_size",
        name: str = "invariant_loss",
        dtype: Any = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.generators = get_known("generators", generators)
        self.mass = not_negative("mass", mass)
        self.data_format = one_of(
            "data_format", data_format or keras.config.image_data_format(), DATA_FORMATS
        )
        self._given_metric = checked_form(metric, name="metric")
        self.metric = invariant_metric(self.generators, self._given_metric)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each sample, `(batch,)`."""
        error = ops.convert_to_tensor(y_pred)
        error = error - ops.cast(y_true, error.dtype)
        error = ops.cast(error, working_dtype(error))
        if len(error.shape) == 2:
            error = ops.expand_dims(error, -1)
        elif self.data_format == "channels_first":
            error = ops.moveaxis(error, 1, -1)
        self.generators.build_for(tuple(error.shape), f"InvariantLoss {self.name!r}")
        metric = ops.convert_to_tensor(self.metric, dtype=error.dtype)
        return sample_means(action_density(self.generators, error, self.mass, metric))

    def get_config(self) -> dict[str, Any]:
        """The configuration of the loss."""
        given = self._given_metric
        return {
            **super().get_config(),
            "generators": keras.saving.serialize_keras_object(self.generators),
            "mass": self.mass,
            "metric": given.tolist() if isinstance(given, np.ndarray) else given,
            "data_format": self.data_format,
        }

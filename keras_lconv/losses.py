"""Losses: a mean squared error with derivatives."""

import warnings
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._layout import (
    checked_data_format,
    flatten,
    to_channels_last,
    to_features,
)
from keras_lconv._ops import sample_means, working_dtype
from keras_lconv._typing import ArrayLike, DTypeLike, GeneratorsLike, Tensor
from keras_lconv._validation import not_negative
from keras_lconv.generators.registry import get_known
from keras_lconv.layers.base import serialize_shared
from keras_lconv.layers.forms import (
    action_density,
    checked_form,
    positive_form_of_gradients,
)

__all__ = ["InvariantLoss"]


@keras.saving.register_keras_serializable(package="keras_lconv")
class InvariantLoss(keras.losses.Loss):
    """The group-invariant mean squared error, `mean(m^2 e^2 + B^ij (L_i e) (L_j e))`.

    `e = y_pred - y_true`, the mean is over positions and channels, and `B` is an invariant
    form on the algebra. With `mass=1` and without the second term it is the mean squared
    error. The second term compares derivatives, and so edges and textures. For translations
    it is the squared Sobolev norm.

    **Invariance.** The loss is the same for `exp(t L) y_true` and `exp(t L) y_pred` if the
    `L_i` are antisymmetric, as for translations and rotations, and close under brackets on
    the grid. This is exact for generators that commute. Scalings change areas, and with
    them the loss. The loss warns of generators that are not antisymmetric.

    For a learned form use `keras_lconv.ActionRegularization`.

    Args:
        generators: What `keras_lconv.generators.get` takes, except an integer.
        mass: The number `m`.
        form: `B^ij`, a symmetric invariant matrix `(k, k)`. By default the form of
            `GradientNorm`: the inverse of `-tr(L_i L_j) / 2` for semisimple algebras, the
            identity for generators that commute.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        reduction: As for every Keras loss.
        name: Name of the loss.
        dtype: The dtype of the loss, as for every Keras loss.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, there is no invariant form, or it is
            negative in some direction.

    Example:
    ```python
    import numpy as np
    from keras_lconv.losses import InvariantLoss

    loss = InvariantLoss("translation")
    image = np.random.default_rng(0).normal(size=(2, 8, 8, 1))
    assert np.allclose(loss(image, image), 0)
    assert float(loss(image, 0 * image)) > np.mean(image**2)
    ```
    """

    def __init__(
        self,
        generators: GeneratorsLike,
        *,
        mass: float = 1.0,
        form: ArrayLike | None = None,
        data_format: str | None = None,
        reduction: str = "sum_over_batch_size",
        name: str = "invariant_loss",
        dtype: DTypeLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.generators = get_known("generators", generators)
        self.mass = not_negative("mass", mass)
        self.data_format = checked_data_format(data_format)
        self._given_form = checked_form(form, (), may_vanish=True)
        # Errors that are known before the generators are built are raised here.
        self.form = positive_form_of_gradients(self.generators, self._given_form)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of each sample, `(batch,)`."""
        y_pred, y_true = (
            to_features(to_channels_last(y, self.data_format), self.dtype)
            for y in (ops.convert_to_tensor(y_pred), ops.convert_to_tensor(y_true))
        )
        dtype = working_dtype(y_pred)
        error = ops.cast(y_pred, dtype) - ops.cast(y_true, dtype)
        if not self.generators.built:
            self.generators.build(tuple(error.shape))
            self.form = positive_form_of_gradients(self.generators, self._given_form)
            self._warn_unless_invariant()
        self.generators.build_for(tuple(error.shape), f"InvariantLoss {self.name!r}")
        form = ops.convert_to_tensor(self.form, dtype=dtype)
        return sample_means(
            action_density(self.generators, flatten(error), self.mass, form)
        )

    def _warn_unless_invariant(self) -> None:
        if not self.generators.is_antisymmetric:
            warnings.warn(
                f"The loss {self.name!r} changes under `exp(t L)`, because its generators "
                f"{self.generators.name!r} are not antisymmetric (scalings, for example, "
                "are not). It still compares values and derivatives",
                stacklevel=3,
            )

    def get_config(self) -> dict[str, Any]:
        """The configuration of the loss."""
        given = self._given_form
        return {
            **super().get_config(),
            "generators": serialize_shared(self.generators),
            "mass": self.mass,
            "form": given.tolist() if isinstance(given, np.ndarray) else given,
            "data_format": self.data_format,
        }

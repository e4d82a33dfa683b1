"""A penalty on features by their invariant action."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._layout import to_floats
from keras_lconv._ops import mean, working_dtype
from keras_lconv._typing import FormLike, GeneratorsLike, Shape, Tensor
from keras_lconv._validation import not_negative
from keras_lconv.generators.registry import require_known
from keras_lconv.layers.base import GeneratorLayer
from keras_lconv.layers.forms import (
    action_density,
    checked_form,
    positive_form_of_gradients,
)

LEARNED = "learned"


@keras.saving.register_keras_serializable(package="keras_lconv")
class ActionRegularization(GeneratorLayer):
    """Adds the action of its input to the loss, and passes the input on.

    The loss is `weight` times the mean of `m^2 f^2 + B^ij (L_i f) (L_j f)` over samples,
    positions and channels. It keeps features small, by `m`, and smooth along the
    generators, by the form `B` on the algebra: with translations it is a penalty on the
    gradient, with a rotation one on changes along circles.

    Given two inputs, the loss is the action of their difference, and the layer returns the
    first. This is a mean squared error with derivatives, between two tensors of a model.
    For targets of `fit` see `keras_lconv.losses.InvariantLoss`.

    **Learned form.** With `form="learned"` the form is a weight, `B = A A^T / tr(A A^T)`.
    It is trained with the model. Training shifts its weight to the directions of the
    algebra along which the features change least, so it shows which generators are
    symmetries of the features. The trace 1 keeps it from vanishing.

    **Invariance.** With a given form, the loss is the same for `exp(t L) f` where the
    `L_i` are antisymmetric, as translations and rotations are, and close under brackets on
    the grid. A learned form is invariant where generators commute.

    Args:
        generators: The generators, as for `LConv`, except an integer: a penalty alone
            would make learned generators vanish. Those of another layer may be shared.
        weight: Factor of the loss.
        mass: The number `m`.
        form: `B^ij`, a symmetric invariant matrix `(k, k)`, or `"learned"`. By default
            the one that `GradientNorm` takes for gradients.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape:
        `(batch, *spatial, channels)`, or `(batch, d)`; or a pair of such tensors, of one
        shape. With `data_format="channels_first"` channels are the second axis.

    Output shape:
        That of the input, or of the first input.

    Attributes:
        generators: The generators, a Keras layer.
        form: `B^ij`, an array.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, there is no invariant form, or it is
            negative in some direction.

    Example:
    ```python
    import keras
    from keras_lconv import ActionRegularization

    model = keras.Sequential([
        keras.Input((12, 12, 1)),
        keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
        ActionRegularization("translation", weight=0.01, mass=0.0),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(3),
    ])
    ```
    """

    def __init__(
        self,
        generators: GeneratorsLike,
        *,
        weight: float = 1.0,
        mass: float = 1.0,
        form: FormLike = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            require_known("generators", generators), data_format=data_format, **kwargs
        )
        self._require_square("their action is on the positions of the input")
        self.weight = not_negative("weight", weight)
        self.mass = not_negative("mass", mass)
        self._given_form = checked_form(form, (LEARNED,), may_vanish=True)
        self._form = None
        if not self._is_learned:
            # Errors that are known before a build are raised here.
            self._form = positive_form_of_gradients(self.generators, self._given_form)

    @property
    def _is_learned(self) -> bool:
        return isinstance(self._given_form, str)

    @property
    def form(self) -> np.ndarray:
        """The form `B^ij`, an array `(k, k)`. It is not available while a graph is traced.

        Raises:
            ValueError: If it is learned and the layer is not built yet.
        """
        if self._form is not None:
            return self._form
        if not self.built:
            raise ValueError(
                f"`form` of {self.name!r} is learned, and not known before "
                "the layer is built. Call the layer on an input first"
            )
        return ops.convert_to_numpy(self._form_tensor(working_dtype(self._form_root)))

    def _form_tensor(self, dtype: str) -> Tensor:
        if self._form is not None:
            return ops.convert_to_tensor(self._form, dtype=dtype)
        root = ops.cast(self._form_root, dtype)
        size = ops.sum(ops.square(root)) + keras.config.epsilon()
        return ops.einsum("ia,ja->ij", root, root) / size

    def build(self, input_shape: Any) -> None:
        """Builds the generators if necessary, and creates a learned form."""
        if not _is_pair(input_shape):
            super().build(input_shape)
            return
        first, second = (tuple(shape) for shape in input_shape)
        if first[1:] != second[1:]:
            raise ValueError(
                f"The two inputs of {self.name!r} must have the same shape. "
                f"Received: shapes {first} and {second}"
            )
        super().build(first)
        self.input_spec = [self.input_spec, self.input_spec]

    def _build(self, feature_shape: Shape) -> None:
        if self._is_learned:
            k = self.generators.num_generators
            self._form_root = self.add_weight(
                name="form", shape=(k, k), initializer="identity"
            )
            return
        self._form = positive_form_of_gradients(self.generators, self._given_form)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Shape of the output."""
        return tuple(input_shape[0] if _is_pair(input_shape) else input_shape)

    def call(self, inputs: Any, mask: Any = None) -> Tensor:
        """Adds the loss. Masked positions count as zero."""
        if isinstance(inputs, (list, tuple)):
            passed, other = (to_floats(each, self.compute_dtype) for each in inputs)
            mask = mask[0] if isinstance(mask, (list, tuple)) else mask
            super().call(passed - other, mask)
            return passed
        super().call(inputs, mask)
        return to_floats(inputs, self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the output: that of the input, or of the first input."""
        is_pair = isinstance(previous_mask, (list, tuple))
        return previous_mask[0] if is_pair else previous_mask

    def _act(self, f: Tensor) -> Tensor:
        dtype = working_dtype(f)
        difference = ops.cast(f, dtype)
        form = self._form_tensor(dtype)
        density = action_density(self.generators, difference, self.mass, form)
        self.add_loss(self.weight * mean(density))
        return f

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        given = self._given_form
        return {
            **super().get_config(),
            "weight": self.weight,
            "mass": self.mass,
            "form": given.tolist() if isinstance(given, np.ndarray) else given,
        }


def _is_pair(shape: Any) -> bool:
    return len(shape) == 2 and isinstance(shape[0], (list, tuple))

"""A nonlinearity of vectors that depends on their length only."""

from typing import Any

import keras
from keras import ops

from keras_lconv._ops import signed_length
from keras_lconv._typing import (
    Activation,
    Constraint,
    FormLike,
    GeneratorsLike,
    Initializer,
    Regularizer,
    Shape,
    Tensor,
)
from keras_lconv._validation import boolean, positive_number
from keras_lconv.algebra import MatrixGroup, Representation
from keras_lconv.layers.fibre_layer import FibreLayer


@keras.saving.register_keras_serializable(package="keras_lconv")
class NormActivation(FibreLayer):
    """Vectors, each multiplied by a function of its invariant length: `v a(|v| + b)`.

    `|v| = sign(q) sqrt(|q|)` with `q = v^T M v`, where `M` is the invariant form of the
    generators, found as for `FibreNorm`: the Euclidean product for orthogonal
    representations, Minkowski's for the Lorentz group. If it is indefinite, the length has
    both signs. It is smoothed at `q = 0`.

    **Equivariance.** Exact for `exp(t L)` on the fibres. The positions do not change. A
    representation without an invariant form has no lengths; `GatedActivation` works for
    every representation.

    Args:
        generators: Of the fibres: matrices `(k, n, n)`, a `LieAlgebra`,
            `MatrixGenerators`, or learned ones; or a `keras_lconv.algebra.MatrixGroup`, or
            a `Representation` of one.
        activation: The function `a`, pointwise; a bounded function keeps vectors from
            growing. By default the logistic function.
        rank: Rank of learned generators, or the hidden sizes of a chain of factors.
        form: `M`, a symmetric invariant matrix `(n, n)`. By default the only invariant
            form, with the norm of the identity. If there are several, such as for sums of
            representations, `"nearest"` chooses the one nearest to the identity.
        use_bias: Whether there is a `b` for each channel.
        bias_initializer: Initializer of the bias.
        bias_regularizer: Regularizer of the bias.
        bias_constraint: Constraint on the bias.
        epsilon: Length below which the root is smoothed.
        tolerance: Threshold for invariance, as for `invariant_forms`.
        defect_weight: With learned generators: weight of the loss that makes the learned
            form invariant.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Input shape:
        `(batch, *spatial, n, channels)`, where channels count vectors, or `(batch, n)`.
        With `data_format="channels_first"` channels are the second axis. With a mask,
        masked positions count as zero.

    Output shape:
        That of the input.

    Attributes:
        generators: The generators, a Keras layer.
        form: `M`, an array.
        defect: `|L^T M + M L| / (2 |L| |M|)`.
        bias: `b`, of shape `(channels,)`, or `None`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, there is no invariant form, or more
            than one and no choice.

    Example:
    ```python
    import numpy as np
    from keras_lconv import NormActivation
    from keras_lconv.algebra import so

    momenta = np.random.default_rng(0).normal(size=(2, 4, 5))  # five vectors of spacetime
    assert tuple(NormActivation(so(3, 1))(momenta).shape) == (2, 4, 5)
    ```

    Reference:
        D. Worrall, S. Garbin, D. Turmukhambetov, G. Brostow, "Harmonic Networks: Deep
        Translation and Rotation Equivariance", CVPR 2017.
    """

    def __init__(
        self,
        generators: GeneratorsLike | MatrixGroup | Representation,
        *,
        activation: Activation = "sigmoid",
        rank: int | None = None,
        form: FormLike = None,
        use_bias: bool = True,
        bias_initializer: Initializer = "zeros",
        bias_regularizer: Regularizer = None,
        bias_constraint: Constraint = None,
        epsilon: float = 1e-3,
        tolerance: float | None = None,
        defect_weight: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            generators,
            rank=rank,
            form=form,
            tolerance=tolerance,
            defect_weight=defect_weight,
            data_format=data_format,
            **kwargs,
        )
        self.activation = keras.activations.get(activation)
        self.use_bias = boolean("use_bias", use_bias)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.epsilon = positive_number("epsilon", epsilon)

    def _build(self, feature_shape: Shape) -> None:
        super()._build(feature_shape)
        self.bias = None
        if not self.use_bias:
            return
        if feature_shape[-1] is None:
            raise ValueError(
                f"{self._owner} needs a defined number of channels. "
                f"Received: an input of shape {feature_shape}, channels last"
            )
        self.bias = self.add_weight(
            name="bias",
            shape=(feature_shape[-1],),
            initializer=self.bias_initializer,
            regularizer=self.bias_regularizer,
            constraint=self.bias_constraint,
        )

    def _transform(self, f: Tensor, mask: Tensor | None) -> Tensor:
        length = signed_length(f, self._square, self.epsilon)
        if self.bias is not None:
            length = length + ops.cast(self.bias, length.dtype)
        factor = ops.expand_dims(self.activation(length), -2)
        return f * ops.cast(factor, f.dtype)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
            "bias_constraint": keras.constraints.serialize(self.bias_constraint),
            "epsilon": self.epsilon,
        }

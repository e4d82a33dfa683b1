"""The invariant length of vectors."""

from typing import Any

import keras
from keras import ops

from keras_lconv._ops import signed_length
from keras_lconv._typing import FormLike, GeneratorsLike, Shape, Tensor
from keras_lconv._validation import one_of, positive_number
from keras_lconv.algebra import MatrixGroup, Representation
from keras_lconv.layers.fibre_layer import FibreLayer
from keras_lconv.layers.pooling.gradient_norm import KINDS


@keras.saving.register_keras_serializable(package="keras_lconv")
class FibreNorm(FibreLayer):
    """The length of vectors, by the form that the generators leave invariant.

    `y = sign(q) sqrt(|q|)` with `q = v^T M v`, at each position and for each channel. `v`
    is the vector at a position, called the fibre, on which the generators act as `n x n`
    matrices. `M` is the solution of `L_i^T M + M L_i = 0`, found as a null space
    (`keras_lconv.algebra.invariant_forms`). For rotations it is the Euclidean product, for
    the Lorentz group Minkowski's, in any basis.

    If `M` is indefinite, `q` and `y` have both signs. The root has no derivative at
    `q = 0`, the value for light-like vectors, so it is smoothed:
    `y = q / (q^2 + epsilon^4)^(1/4)`, as in `GradientNorm`. `kind="square"` omits the root.

    **Invariance.** `y` is exactly the same for `v` and `exp(t L) v`. The positions do not
    change.

    Args:
        generators: Matrices `(k, n, n)`, a `LieAlgebra`, fixed generators, or learned ones,
            as in `LConv`; or a `keras_lconv.algebra.MatrixGroup`, or a `Representation` of
            one.
        rank: Rank of learned generators, or the hidden sizes of a chain of factors.
        kind: `"length"`, or `"square"` for `q` itself.
        form: `M`, a symmetric invariant matrix `(n, n)`. By default the only invariant
            form, with the norm of the identity; if there are several, there is an error.
            `"nearest"` chooses the one nearest to the identity.
        epsilon: Length below which the root is smoothed.
        tolerance: Threshold for invariance, as for `invariant_forms`. For generators found
            in data it has to be larger than their noise.
        defect_weight: Weight of the loss `defect^2`, for learned generators. Their form is
            then a weight, and the loss makes it invariant.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Input shape:
        `(batch, *spatial, n, channels)`, where channels count vectors, or `(batch, n)`.
        With `data_format="channels_first"` channels are the second axis. With a mask,
        masked positions count as zero.

    Output shape:
        `(batch, *spatial, channels)`; for `(batch, n)` it is `(batch, 1)`.

    Attributes:
        generators: The generators, a Keras layer.
        form: `M`, an array.
        defect: `|L^T M + M L| / (2 |L| |M|)`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, there is no invariant form, or more
            than one and no choice.

    Example:
    ```python
    import numpy as np
    from keras_lconv import FibreNorm
    from keras_lconv.algebra import so

    masses = FibreNorm(so(3, 1))
    events = np.array([[3.0, 0.0, 0.0, 5.0]])  # x, y, z, t
    assert np.allclose(masses(events), -4.0)
    ```

    Reference:
        M. Weiler, G. Cesa, "General E(2)-equivariant steerable CNNs", NeurIPS 2019, for
        norms of fibres of compact groups.
    """

    _keeps_vectors = False

    def __init__(
        self,
        generators: GeneratorsLike | MatrixGroup | Representation,
        *,
        rank: int | None = None,
        kind: str = "length",
        form: FormLike = None,
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
        self.kind = one_of("kind", kind, KINDS)
        self.epsilon = positive_number("epsilon", epsilon)

    def _feature_output_shape(self, feature_shape: Shape) -> Shape:
        return (*feature_shape[:-2], feature_shape[-1])

    def _transform(self, f: Tensor, mask: Tensor | None) -> Tensor:
        if self.kind == "square":
            return ops.cast(self._square(f), f.dtype)
        return ops.cast(signed_length(f, self._square, self.epsilon), f.dtype)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        """The mask of the input, if it masks positions instead of parts of a fibre."""
        if previous_mask is None or len(previous_mask.shape) > len(inputs.shape) - 2:
            return None
        return previous_mask

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {**super().get_config(), "kind": self.kind, "epsilon": self.epsilon}

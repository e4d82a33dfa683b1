"""The invariant length of Lie gradients."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._ops import signed_length, working_dtype
from keras_lconv._typing import FormLike, GeneratorsLike, Shape, Tensor
from keras_lconv._validation import fraction, one_of, optional, positive_number
from keras_lconv.layers.base import GeneratorLayer
from keras_lconv.layers.forms import checked_form, form_of_gradients

KINDS = ("length", "square")


@keras.saving.register_keras_serializable(package="keras_lconv")
class GradientNorm(GeneratorLayer):
    """The length of Lie gradients, by an invariant form on the algebra.

    `y = sign(q) sqrt(|q|)` with `q = B^ij (L_i f) (L_j f)`, at each position and for each
    channel. For translations this is the length of the gradient.

    If `B` is indefinite, `q` and `y` have both signs. The root has no derivative at
    `q = 0`, so it is smoothed: `y = q / (q^2 + epsilon^4)^(1/4)`. This is `q / epsilon` for
    small `q`, and `sign(q) sqrt(|q|) (1 - epsilon^4 / (4 q^2) + ...)` for large `q`. Its
    derivative with respect to `q` is at most `1 / epsilon`. `kind="square"` omits the root.

    **Equivariance.** Conjugation by a group element mixes the `L_i` and leaves the form
    unchanged, so `y` moves with the feature map. This is exact for maps that move points to
    points, such as quarter turns, or whole steps on a periodic grid. For others it holds up
    to the error of the grid. Generators that act on the components of a vector move no
    points; for these use `FibreNorm`.

    Args:
        generators: As in `LConv`.
        rank: Rank of learned generators, or the hidden sizes of a chain of factors.
        kind: `"length"`, or `"square"` for `q` itself.
        form: `B^ij`, a symmetric invariant matrix `(k, k)`. By default the identity if
            generators commute, are learned, or have no matrices of at most 64 rows for
            their algebra; the inverse of `-tr(L_i L_j) / 2` if this is not degenerate; and
            otherwise the invariant form nearest to the identity, as in `CasimirPooling`.
            For se(2) this gives the length of the gradient.
        epsilon: Length below which the root is smoothed.
        tolerance: Threshold for invariance, as for `invariant_forms`. For generators found
            in data it has to be larger than their noise.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Input shape:
        `(batch, *spatial, channels)`, or `(batch, d)`. With `data_format="channels_first"`
        channels are the second axis. With a mask, masked positions count as zero.

    Output shape:
        That of the input.

    Attributes:
        generators: The generators, a Keras layer.
        form: `B`, an array, once the layer is built.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or there is no invariant form.

    Example:
    ```python
    import numpy as np
    from keras_lconv import GradientNorm

    lengths = GradientNorm("translation")(np.ones((2, 9, 9, 3)))
    assert tuple(lengths.shape) == (2, 9, 9, 3)
    ```

    Reference:
        N. Dehmamy et al., "Automatic Symmetry Discovery with Lie Algebra Convolutional
        Network", NeurIPS 2021, for the form.
    """

    def __init__(
        self,
        generators: GeneratorsLike,
        *,
        rank: int | None = None,
        kind: str = "length",
        form: FormLike = None,
        epsilon: float = 1e-3,
        tolerance: float | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(generators, rank=rank, data_format=data_format, **kwargs)
        self.kind = one_of("kind", kind, KINDS)
        self.epsilon = positive_number("epsilon", epsilon)
        self.tolerance = optional(fraction, "tolerance", tolerance)
        self._given_form = checked_form(form)
        # Errors that are known before a build are raised here.
        self.form = form_of_gradients(self.generators, self._given_form, tolerance)

    def _build(self, feature_shape: Shape) -> None:
        self.form = form_of_gradients(self.generators, self._given_form, self.tolerance)

    def _output_spatial_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.generators.output_spatial_shape(shape)

    def _act(self, f: Tensor) -> Tensor:
        vectors = self.generators.apply(f)
        if self.kind == "square":
            vectors = ops.cast(vectors, working_dtype(vectors))
            return ops.cast(self._square(vectors), f.dtype)
        return ops.cast(signed_length(vectors, self._square, self.epsilon), f.dtype)

    def _square(self, v: Tensor) -> Tensor:
        """`B^ij v_i v_j` for `v` of shape `(batch, d, k, channels)`."""
        form = ops.convert_to_tensor(self.form, dtype=v.dtype)
        return ops.sum(v * ops.einsum("ij,bdjc->bdic", form, v), axis=-2)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        form = self._given_form
        return {
            **super().get_config(),
            "kind": self.kind,
            "form": form.tolist() if isinstance(form, np.ndarray) else form,
            "epsilon": self.epsilon,
            "tolerance": self.tolerance,
        }

"""The invariant length of Lie gradients and of vectors."""

from typing import Any

import keras
from keras import ops

from keras_lconv._validation import one_of, positive_number
from keras_lconv.layers._norms import signed_length
from keras_lconv.layers.form_layer import FormLayer

SOURCES = ("gradient", "fibre")
OUTPUTS = ("length", "square")


@keras.saving.register_keras_serializable(package="keras_lconv")
class NormPooling(FormLayer):
    """The length of vectors, by the form that the generators leave invariant.

    `y = sign(q) sqrt(|q|)` with `q = v^T M v`, at each position and for each channel.

    - `of="gradient"`, for feature maps of scalars: `v = (L_1 f, ..., L_k f)` is the Lie
      gradient and `M = B^ij` an invariant metric on the algebra, so that
      `q = B^ij (L_i f) (L_j f)`. For translations this is the length of the gradient.
    - `of="fibre"`, for feature maps of vectors: `v` is the fibre at a position, on which
      the generators act as `n x n` matrices, and `M` the solution of
      `L_i^T M + M L_i = 0`, found as a null space (`keras_lconv.algebra.invariant_forms`).
      For rotations it is the Euclidean product; for the Lorentz group Minkowski's, also
      where the basis is random.

    Where `M` is indefinite `q` has both signs, and so has `y`. The root has no gradient at
    `q = 0`, which light-like vectors meet, so that it is smoothed: `y = q / (q^2 +
    epsilon^4)^(1/4)`. This is `q / epsilon` for small `q`, and
    `sign(q) sqrt(|q|) (1 - epsilon^4 / (4 q^2) + ...)` for large `q`. Its derivative with
    respect to `q` is at most `1 / epsilon`. `output="square"` leaves the root out.

    **Equivariance.** `of="fibre"`: `y` is invariant under `exp(t L)` on the fibres,
    exactly; the positions are left as they are. `of="gradient"`: conjugation by a group
    element mixes the `L_i`, and the metric stays as it is, so that `y` moves as the feature
    map does. That is exact for maps that move points to points, such as quarter turns, or
    whole steps on a periodic grid, and holds up to the resolution of the grid for others.
    Generators that act on the components of a vector move no points: for these take
    `of="fibre"`.

    Args:
        generators: As in `LConv`. Of fibres: matrices `(k, n, n)`, a `LieAlgebra`,
            `MatrixGenerators`, or learned ones.
        rank: Rank of learned generators, or the hidden sizes of a chain of factors.
        of: `"gradient"` or `"fibre"`.
        form: `M`, a symmetric invariant matrix: `(k, k)` of gradients, `(n, n)` of fibres.
            By default, for fibres, the one that there is, of the norm of the identity; it
            is an error if there are several. For gradients the identity if generators
            commute, are learned or have an algebra that is not known before the layer is
            built; the inverse of `-tr(L_i L_j) / 2` where that is not degenerate; and
            otherwise the invariant form that is nearest to the identity, as in
            `CasimirPooling`. For se(2) that is the length of the gradient.
        output: `"length"`, or `"square"` for `q` itself.
        epsilon: Length below which the root is smoothed.
        tolerance: What counts as invariant, as for `invariant_forms`: more than the noise
            of generators that were found in data.
        defect_weight: For fibres with learned generators, whose form is a weight that is
            learned with them: weight of the loss `defect^2`, which makes it invariant.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Input shape:
        Gradients: `(batch, *spatial, channels)`, or `(batch, d)`. Fibres:
        `(batch, *spatial, n, channels)`, where channels count vectors, or `(batch, n)`.
        With `data_format="channels_first"` channels are the second axis. Where a mask
        is given, masked positions count as zero.

    Output shape:
        That of the input, for gradients. `(batch, *spatial, channels)` for fibres; for
        `(batch, n)` it is `(batch, 1)`.

    Attributes:
        generators: The generators, a Keras layer.
        form: `M`, an array.
        defect: `|L^T M + M L| / (2 |L| |M|)`, for fibres.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, there is no invariant form, or more
            than one and no choice.

    Example:
    ```python
    import numpy as np
    from keras_lconv import NormPooling
    from keras_lconv.algebra import so

    lengths = NormPooling("translation")(np.ones((2, 9, 9, 3)))
    assert tuple(lengths.shape) == (2, 9, 9, 3)

    masses = NormPooling(so(3, 1), of="fibre")
    events = np.array([[3.0, 0.0, 0.0, 5.0]])  # x, y, z, t
    assert np.allclose(masses(events), -4.0)
    ```

    Reference:
        M. Weiler, G. Cesa, "General E(2)-equivariant steerable CNNs", NeurIPS 2019, for
        norms of fibres of compact groups.
    """

    def __init__(
        self,
        generators: Any,
        rank: Any = None,
        *,
        of: str = "gradient",
        form: Any = None,
        output: str = "length",
        epsilon: float = 1e-3,
        tolerance: float | None = None,
        defect_weight: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            generators,
            rank,
            on_fibres=one_of("of", of, SOURCES) == "fibre",
            form=form,
            tolerance=tolerance,
            defect_weight=defect_weight,
            data_format=data_format,
            **kwargs,
        )
        self.of = of
        self.output_kind = one_of("output", output, OUTPUTS)
        self.epsilon = positive_number("epsilon", epsilon)
        self._keeps_vectors = not self._on_fibres

    def _feature_output_shape(self, feature_shape: tuple) -> tuple:
        if self._on_fibres:
            return (*feature_shape[:-2], feature_shape[-1])
        batch, *spatial, _, channels = self.generators.compute_output_shape(feature_shape)
        return (batch, *spatial, channels)

    def _act(self, f: Any, mask: Any) -> Any:
        self._add_defect()
        if mask is not None:
            f = f * mask
        vectors = f if self._on_fibres else self.generators.call(f)
        if self.output_kind == "square":
            return ops.cast(self._square(vectors), f.dtype)
        return ops.cast(signed_length(vectors, self._square, self.epsilon), f.dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the input, where it masks positions and not parts of a fibre."""
        if not self._on_fibres:
            return super().compute_mask(inputs, previous_mask)
        if previous_mask is None or len(previous_mask.shape) > len(inputs.shape) - 2:
            return None
        return previous_mask

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "of": self.of,
            "output": self.output_kind,
            "epsilon": self.epsilon,
        }

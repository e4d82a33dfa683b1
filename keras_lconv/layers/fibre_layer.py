"""The base of layers that measure vectors by an invariant form."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._ops import working_dtype
from keras_lconv._typing import FormLike, GeneratorsLike, Shape, Tensor
from keras_lconv._validation import fraction, not_negative, optional
from keras_lconv.algebra import MatrixGroup, Representation
from keras_lconv.algebra.constraints import Acting
from keras_lconv.generators.domain import if_known
from keras_lconv.generators.families.group import with_groups
from keras_lconv.layers.base import GeneratorOwner
from keras_lconv.layers.forms import (
    checked_form,
    form_of_fibres,
    matching_form,
)


class FibreLayer(GeneratorOwner):
    """Base of layers of vectors: the generators act on fibres, as `n x n` matrices.

    Features are `(batch, *positions, n, channels)`, where channels count vectors. The
    quadratic form `q = v^T M v` is invariant under the generators. NumPy finds `M` when the
    layer is made or built. For learned generators it is a weight. A subclass implements
    `_transform(v, mask)`.

    Args:
        generators: As for `keras_lconv.generators.get`, or a group or its representation.
        rank: Rank of learned generators.
        form: `None`, `"nearest"` or a matrix.
        tolerance: Threshold for invariance, as for `invariant_forms`.
        defect_weight: Weight of the loss that makes a learned form invariant.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`.
    """

    def __init__(
        self,
        generators: GeneratorsLike | MatrixGroup | Representation,
        *,
        rank: int | None,
        form: FormLike,
        tolerance: float | None,
        defect_weight: float,
        data_format: str | None,
        **kwargs: Any,
    ):
        super().__init__(
            with_groups(generators), rank=rank, data_format=data_format, **kwargs
        )
        self._given_form = checked_form(form)
        self.tolerance = optional(fraction, "tolerance", tolerance)
        self.defect_weight = not_negative("defect_weight", defect_weight)
        self._require_square("they act on the components of a vector")
        is_given = isinstance(self._given_form, np.ndarray)
        self._form_is_learned = self.generators.is_learned and not is_given
        if self.defect_weight and not self._form_is_learned:
            raise ValueError(
                "`defect_weight` applies only to learned generators, whose form is "
                f"learned too. Received: defect_weight={defect_weight!r} with a form that "
                "is not learned"
            )
        self._form = self._given_form if self.generators.is_learned and is_given else None
        if not self.generators.is_learned:
            acting = if_known(self.generators, self.generators.acting)
            if acting is not None:
                self._form = self._invariant_form(acting)

    # ------------------------------------------------------------------ form

    def _invariant_form(self, acting: Acting) -> np.ndarray:
        if isinstance(self._given_form, np.ndarray):
            return matching_form(self._given_form, acting, self.tolerance)
        return form_of_fibres(acting, self._given_form, self.tolerance)

    @property
    def form(self) -> np.ndarray:
        """The matrix `M`, an array. It is not available while a graph is traced.

        Raises:
            ValueError: If the layer is not built yet, and its form is learned or belongs to
                generators that are built with the layer.
        """
        if self._form is not None:
            return self._form
        self._require_built("form")
        return ops.convert_to_numpy(self._form_tensor(working_dtype(self._form_weight)))

    def _form_tensor(self, dtype: str) -> Tensor:
        if self._form is not None:
            return ops.convert_to_tensor(self._form, dtype=dtype)
        weight = ops.cast(self._form_weight, dtype)
        symmetric = (weight + ops.transpose(weight)) / 2
        # The norm is fixed, because a form that shrinks to zero would be invariant as well.
        size = ops.sum(symmetric**2) + keras.config.epsilon()
        return symmetric * ops.sqrt(weight.shape[0] / size)

    @property
    def defect(self) -> float:
        """How far the form is from being invariant: 0 for an invariant form, at most 1.

        It is `|L^T M + M L| / (2 |L| |M|)`, where norms are taken over all generators.

        Raises:
            ValueError: If the layer is not built yet.
        """
        self._require_built("defect")
        return float(ops.convert_to_numpy(ops.sqrt(self._squared_defect())))

    def _squared_defect(self) -> Tensor:
        matrices = self.generators.to_dense()
        dtype = working_dtype(matrices)
        matrices, form = ops.cast(matrices, dtype), self._form_tensor(dtype)
        right = ops.einsum("ab,kbc->kac", form, matrices)
        change = right + ops.transpose(right, (0, 2, 1))
        if self.generators.num_elements:
            # `h^T M h - M` with `h - 1` for `L`.
            first = len(matrices) - self.generators.num_elements
            is_element = np.arange(len(matrices)) >= first
            moved = ops.cast(is_element[:, None, None], form.dtype) * matrices
            change = change + ops.einsum("kba,kbc->kac", moved, right)
        scale = 4 * ops.sum(matrices**2) * ops.sum(form**2) + keras.config.epsilon() ** 2
        return ops.sum(change**2) / scale

    def find_form(self, tolerance: float | None = None) -> np.ndarray:
        """Sets a learned form to the invariant form of the current generators.

        Args:
            tolerance: Threshold for invariance, as for
                `keras_lconv.algebra.invariant_forms`. By default that of the layer. Learned
                generators have noise, so they need a larger one.

        Returns:
            The form, `(n, n)`.

        Raises:
            ValueError: If the form is not learned, the layer is not built yet, or there is
                not exactly one such form.
        """
        if not self._form_is_learned:
            raise ValueError(
                "`find_form` needs a learned form. Received: a layer with a fixed form, "
                "which `form` returns"
            )
        self._require_built("find_form")
        matrices = ops.convert_to_numpy(self.generators.to_dense())
        form = form_of_fibres(matrices, self._given_form, tolerance or self.tolerance)
        self._form_weight.assign(form)
        return form

    def _require_built(self, method: str) -> None:
        if not self.built:
            raise ValueError(
                f"`{method}` of {self.name!r} is not known before the layer "
                "is built. Call the layer on an input first"
            )

    # ---------------------------------------------------------------- shapes

    def _generator_shape(self, feature_shape: Shape) -> Shape:
        return (feature_shape[0], *feature_shape[-2:])

    def _build(self, feature_shape: Shape) -> None:
        size = feature_shape[-2]
        if self._form is None and not self._form_is_learned:
            self._form = self._invariant_form(self.generators.matrices())
        if self._form is not None and len(self._form) != size:
            raise ValueError(
                f"The fibre axis of {self._owner} must have the {len(self._form)} "
                f"components of its form. Received: an input with {size} components"
            )
        if self._form_is_learned:
            self._form_weight = self.add_weight(
                name="form", shape=(size, size), initializer="identity"
            )

    # ------------------------------------------------------------------ call

    def _square(self, v: Tensor) -> Tensor:
        """`v^T M v` for `v` of shape `(batch, ..., n, channels)`, in at least float32."""
        dtype = working_dtype(v)
        v = ops.cast(v, dtype)
        form = self._form_tensor(dtype)
        return ops.sum(v * ops.einsum("ij,b...jc->b...ic", form, v), axis=-2)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """Applies the layer."""
        if self.defect_weight:
            self.add_loss(self.defect_weight * self._squared_defect())
        return super().call(inputs, mask)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        form = self._given_form
        return {
            **super().get_config(),
            "form": form.tolist() if isinstance(form, np.ndarray) else form,
            "tolerance": self.tolerance,
            "defect_weight": self.defect_weight,
        }

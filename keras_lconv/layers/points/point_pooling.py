"""Pooling from the features of points to those of a whole sample."""

from typing import Any

import keras
from keras import ops

from keras_lconv._layout import expand_to_rank
from keras_lconv._ops import largest, maximum, working_dtype
from keras_lconv._typing import Shape, Tensor
from keras_lconv._validation import one_of, require_channels
from keras_lconv.layers.base import FeatureLayer

REDUCTIONS = ("sum", "average", "max")


@keras.saving.register_keras_serializable(package="keras_lconv")
class PointPooling(FeatureLayer):
    """Features of a sample from those of its points, in any order.

    **Equivariance.** Sum and average are linear: the output transforms like the features of
    the points, in any representation. The maximum is for invariant numbers.

    Args:
        reduction: `"sum"`, for quantities that grow with the number of points, such as an
            energy; `"average"`; or `"max"`.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, n, m, channels)`, or `(batch, n, channels)`. With a mask `(batch, n)` only
        its points count; a sample without points gives zeros.

    Output shape:
        `(batch, m, channels)` or `(batch, channels)`.

    Raises:
        ValueError: If `reduction` is unknown, or the input has another number of axes.

    Example:
    ```python
    import numpy as np
    from keras_lconv import PointPooling

    forces = np.random.default_rng(0).normal(size=(2, 5, 3, 1))
    total = np.asarray(PointPooling(reduction="sum", data_format="channels_last")(forces))
    assert np.allclose(total, forces.sum(axis=1), atol=1e-5)
    ```

    Reference:
        M. Zaheer, S. Kottur, S. Ravanbakhsh, B. Poczos, R. Salakhutdinov, A. Smola, "Deep
        sets", NeurIPS 2017.
    """

    _keeps_vectors = False

    def __init__(
        self,
        *,
        reduction: str = "average",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.reduction = one_of("reduction", reduction, REDUCTIONS)

    def build(self, input_shape: Shape) -> None:
        """Checks the shape."""
        self.compute_output_shape(input_shape)

    def _feature_output_shape(self, feature_shape: Shape) -> Shape:
        require_channels(feature_shape, self._owner)
        if len(feature_shape) not in (3, 4) or (
            self.reduction == "max" and len(feature_shape) == 4
        ):
            fibre = "" if self.reduction == "max" else "m, "
            raise ValueError(
                f"{self._owner} expects features of shape (batch, n, {fibre}channels), for "
                f"reduction={self.reduction!r}. Received: shape {feature_shape}, channels "
                "last"
            )
        return (feature_shape[0], *feature_shape[2:])

    def _transform(self, f: Tensor, mask: Tensor | None) -> Tensor:
        there = ops.ones_like(f[(..., *[0] * (len(f.shape) - 2))], dtype="bool")
        if mask is not None:
            there = ops.cast(mask, "bool") & there
        if self.reduction == "max":
            low = ops.full_like(f, -float("inf"))
            top = largest(ops.where(expand_to_rank(there, len(f.shape)), f, low), 1)
            is_any = expand_to_rank(ops.any(there, axis=1), len(top.shape))
            return ops.where(is_any, top, ops.zeros_like(top))
        # Sums, and numbers of points, may be too large for half precision.
        wide = working_dtype(f)
        total = ops.sum(ops.cast(f, wide), axis=1)
        if self.reduction == "average":
            number = ops.sum(ops.cast(there, wide), axis=1)
            total = total / expand_to_rank(maximum(number, 1.0), len(total.shape))
        return ops.cast(total, f.dtype)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> None:
        """`None`: the output has no points."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {**super().get_config(), "reduction": self.reduction}

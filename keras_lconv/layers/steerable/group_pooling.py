"""Pooling from fields to numbers that the group does not change."""

from typing import Any

import keras
from keras import ops

from keras_lconv._ops import largest, mean, safe_sqrt, working_dtype
from keras_lconv._typing import Shape, Tensor
from keras_lconv._validation import one_of
from keras_lconv.layers.steerable.field_layer import FieldLayer
from keras_lconv.layers.steerable.fields import FieldArgument, GroupArgument

REDUCTIONS = ("max", "average", "norm")
POSITIONS = (None, "average", "max")


@keras.saving.register_keras_serializable(package="keras_lconv")
class GroupPooling(FieldLayer):
    """One invariant number for each field.

    **Equivariance.** The output is a trivial field: its positions turn, its values do not.
    With `positions` it is an invariant vector, for elements that map the grid onto itself.

    Args:
        group: As for `SteerableConv`.
        representation: How the fields turn.
        reduction: `"max"` or `"average"` over the components, if the group permutes them,
            as for regular fields; `"norm"`, the length of the vector, for any
            representation by orthogonal matrices.
        positions: `"average"` or `"max"` over all positions, or `None`. It comes before the
            reduction, so the result depends on which orientations occur together.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, *spatial, m, channels)`, without the axis of `m` for trivial fields.
        Masked positions count as zero.

    Output shape:
        `(batch, *spatial, channels)`; with `positions` `(batch, channels)`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or the reduction does not suit the
            representation.

    Example:
    ```python
    import numpy as np
    from keras_lconv import GroupPooling

    fields = np.random.default_rng(0).normal(size=(2, 9, 9, 8, 5))
    assert tuple(GroupPooling("c8", "regular")(fields).shape) == (2, 9, 9, 5)
    flat = GroupPooling("c8", "regular", positions="average")(fields)
    assert tuple(flat.shape) == (2, 5)
    ```

    Reference:
        T. Cohen, M. Welling, "Group equivariant convolutional networks", ICML 2016.
    """

    def __init__(
        self,
        group: GroupArgument,
        representation: FieldArgument,
        *,
        reduction: str = "max",
        positions: str | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(group, representation, data_format=data_format, **kwargs)
        self.reduction = one_of("reduction", reduction, REDUCTIONS)
        self.positions = one_of("positions", positions, POSITIONS)
        suits = (
            self.representation.is_orthogonal
            if reduction == "norm"
            else self.representation.permutes_components
        )
        if not suits:
            need = "orthogonal" if reduction == "norm" else "permutation"
            raise ValueError(
                f"`reduction={reduction!r}` needs a representation by {need} matrices"
                f"{'' if reduction == 'norm' else '; others have a norm'}. "
                f"Received: {self.representation!r}"
            )

    def _feature_output_shape(self, feature_shape: Shape) -> Shape:
        shape = self._field_shape(feature_shape)
        positions = () if self.positions else shape[1:-2]
        return (shape[0], *positions, shape[-1])

    def _transform(self, f: Tensor, mask: Tensor | None) -> Tensor:
        f = ops.cast(f, self.compute_dtype)
        if self._is_scalar:
            f = ops.expand_dims(f, -2)
        axes = tuple(range(1, self.rank + 1))
        if self.positions == "average":
            f = mean(f, axes)
        elif self.positions == "max":
            for axis in reversed(axes):
                f = largest(f, axis)
        if self.reduction == "max":
            return largest(f, -2)
        if self.reduction == "average":
            return mean(f, -2)
        wide = ops.cast(f, working_dtype(f))
        return ops.cast(safe_sqrt(ops.sum(wide**2, axis=-2)), f.dtype)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        """The mask of the positions, if they remain."""
        return None if self.positions else previous_mask

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "reduction": self.reduction,
            "positions": self.positions,
        }

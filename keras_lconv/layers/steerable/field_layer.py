"""The base of layers from fields to fields of one group."""

from typing import Any

from keras import ops

from keras_lconv._typing import Shape, Tensor
from keras_lconv._validation import require_channels
from keras_lconv.layers.base import FeatureLayer
from keras_lconv.layers.steerable.fields import (
    FieldArgument,
    GroupArgument,
    configuration,
    field_shape,
    group_of,
    is_scalar,
    representation_of,
)


class FieldLayer(FeatureLayer):
    """Base of layers of fields `(batch, *spatial, m, channels)`.

    A subclass implements `_transform_fields(f)`, for features that have the axis of `m`,
    which is of size 1 for trivial fields. `_field_output_shape(shape)` returns the
    shape of the output if it differs.

    Args:
        group: As for `SteerableConv`.
        representation: How the fields turn.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.
    """

    _keeps_vectors = False

    def __init__(
        self,
        group: GroupArgument,
        representation: FieldArgument,
        *,
        data_format: str | None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self._given_group = configuration(group)
        self._given_representation = configuration(representation)
        self.group = group_of(group)
        self.representation = representation_of(
            "representation", representation, self.group
        )
        self.rank = self.group.matrix_size
        self._is_scalar = is_scalar(self.representation)

    # ---------------------------------------------------------------- shapes

    def _field_shape(self, feature_shape: Shape) -> Shape:
        """The shape with the axis of `m`, checked."""
        require_channels(feature_shape, self._owner)
        return field_shape(feature_shape, self.representation, self._owner)

    def build(self, input_shape: Shape) -> None:
        """Checks the shape and creates the weights."""
        shape = self._field_shape(self._feature_shape(tuple(input_shape)))
        self._build(shape)
        if self.weights:
            self._fix_channels(input_shape, shape[-1])

    def _build(self, field_shape: Shape) -> None:
        """Creates the weights. By default there are none."""

    def _channels(self, field_shape: Shape) -> int:
        """The number of channels, which must be known to create weights."""
        if field_shape[-1] is None:
            raise ValueError(
                f"{self._owner} needs a defined number of channels. "
                f"Received: an input of shape {field_shape}, channels last"
            )
        return field_shape[-1]

    def _feature_output_shape(self, feature_shape: Shape) -> Shape:
        shape = self._field_output_shape(self._field_shape(feature_shape))
        return (*shape[:-2], shape[-1]) if self._is_scalar else shape

    def _field_output_shape(self, field_shape: Shape) -> Shape:
        return field_shape

    # ------------------------------------------------------------------ call

    def _transform(self, f: Tensor, mask: Tensor | None) -> Tensor:
        f = ops.cast(f, self.compute_dtype)
        if not self._is_scalar:
            return self._transform_fields(f)
        return ops.squeeze(self._transform_fields(ops.expand_dims(f, -2)), -2)

    def _transform_fields(self, f: Tensor) -> Tensor:
        """The output for fields `(batch, *spatial, m, channels)`, zero where masked."""
        name = type(self).__name__
        raise NotImplementedError(f"{name} does not implement `_transform_fields`")

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "group": self._given_group,
            "representation": self._given_representation,
        }

"""The common parts of steerable networks: fields, and a layer with its activation."""

from collections.abc import Sequence
from typing import Any, Literal

import keras

from keras_lconv._typing import Tensor
from keras_lconv._validation import positive_ints
from keras_lconv.algebra import Representation
from keras_lconv.layers import FieldNormalization, FourierActivation, SteerableConv
from keras_lconv.layers.steerable.fields import (
    FieldArgument,
    GroupArgument,
    group_of,
    representation_of,
)

# The product of components and channels in each layer of fields.
SIZES = {
    "tiny": (32, 48, 64),
    "small": (64, 96, 128),
    "medium": (96, 128, 256),
    "large": (128, 256, 512),
}
# The largest degree of functions on the circle or sphere, if the group has an algebra.
DEGREES = {2: 3, 3: 2}
Kind = Literal["regular"] | int


class SteerableBlocks:
    """Convolutions of one group, each with a normalization and an activation.

    For finite groups of the line and the plane, networks have regular fields and ReLUs. In
    space the groups of solids have many elements, so networks have functions on the sphere
    instead. For groups of the plane with an algebra they have functions on the circle.

    Args:
        group: As for `SteerableConv`.
    """

    def __init__(self, group: GroupArgument):
        self.group = group
        self.acting = group_of(group)
        self.rank = self.acting.matrix_size
        if self.rank > 3:
            raise ValueError(
                "`group` must act on 1, 2 or 3 spatial axes. "
                f"Received: {self.acting!r}, of {self.rank} dimensions"
            )
        is_regular = self.rank < 3 and self.acting.is_finite
        self.kind: Kind = "regular" if is_regular else DEGREES[self.rank]
        self.fields = representation_of("fields", self.kind, self.acting)

    def channels(self, width: int) -> int:
        """The channels of fields with a given number of components in all."""
        return max(width // self.fields.size, 1)

    def input_shape(self, value: object) -> tuple[int, ...]:
        """Checks a shape of images or volumes on which the group acts."""
        shape = positive_ints("input_shape", value)
        if len(shape) != self.rank + 1:
            raise ValueError(
                f"`input_shape` must have {self.rank} spatial axes and one of channels, "
                f"since {self.acting!r} acts on {self.rank} axes. "
                f"Received: input_shape={value}"
            )
        return shape

    def after(self, other: "SteerableBlocks") -> Representation:
        """The fields of a network of a larger group as fields of this group."""
        return other.fields.restrict(self.acting)

    def apply(
        self,
        x: Tensor,
        filters: int,
        kernel_size: int | Sequence[int],
        number: Any,
        *,
        before: FieldArgument | None = None,
        strides: int = 1,
    ) -> Tensor:
        """New fields from fields `before`, by default those of this network."""
        x = SteerableConv(
            filters,
            kernel_size,
            group=self.group,
            representation_in=self.kind if before is None else before,
            representation_out=self.kind,
            strides=strides,
            use_bias=False,  # the normalization has a bias
            name=f"conv_{number}",
        )(x)
        x = FieldNormalization(self.group, self.kind, name=f"normalization_{number}")(x)
        if self.kind == "regular":
            return keras.layers.ReLU(name=f"activation_{number}")(x)
        return FourierActivation(self.group, self.kind, name=f"activation_{number}")(x)


def spatial_sizes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of the spatial axes of a shape without the batch."""
    first = keras.config.image_data_format() == "channels_first"
    return shape[1:] if first else shape[:-1]

"""The base of layers with kernels from one representation to another."""

from typing import Any

from keras_lconv.layers.kernel import KernelOwner
from keras_lconv.layers.steerable.fields import (
    FieldArgument,
    GroupArgument,
    configuration,
    group_of,
    representation_of,
)


class FieldKernel(KernelOwner):
    """Base of layers whose kernels lead from one representation of a group to another.

    Args:
        filters: Number of output fields.
        group: As for `SteerableConv`.
        representation_in: The representation of the input.
        representation_out: The representation of the output.
        **kwargs: Arguments of the base class.
    """

    def __init__(
        self,
        filters: int,
        *,
        group: GroupArgument,
        representation_in: FieldArgument,
        representation_out: FieldArgument,
        **kwargs: Any,
    ):
        super().__init__(filters, **kwargs)
        self._given = {
            "group": configuration(group),
            "representation_in": configuration(representation_in),
            "representation_out": configuration(representation_out),
        }
        self.group = group_of(group)
        self.representation_in = representation_of(
            "representation_in", representation_in, self.group
        )
        self.representation_out = representation_of(
            "representation_out", representation_out, self.group
        )

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {**super().get_config(), **self._given}

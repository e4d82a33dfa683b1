"""The constraint that lets channels mix only within groups."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._typing import Tensor
from keras_lconv._validation import positive_int


@keras.saving.register_keras_serializable(package="keras_lconv")
class BlockDiagonal(keras.constraints.Constraint):
    """Keeps kernels `(..., channels, filters)` block diagonal, as groups of channels are.

    The channels and the filters are `groups` equal, contiguous groups, and only channels
    of a group reach its filters. All other entries are set to zero after each step of an
    optimizer.

    Args:
        groups: Number of groups.

    Raises:
        TypeError: If `groups` is not an integer.
        ValueError: If `groups` is not positive, or does not divide the numbers of channels
            and of filters.

    Example:
    ```python
    import numpy as np
    from keras_lconv.convert import BlockDiagonal

    kernel = BlockDiagonal(2)(np.ones((1, 4, 2)))
    assert np.array_equal(kernel, [[[1, 0], [1, 0], [0, 1], [0, 1]]])
    ```
    """

    def __init__(self, groups: int):
        self.groups = positive_int("groups", groups)

    def __call__(self, w: Tensor) -> Tensor:
        """The kernel with zeros between groups."""
        w = ops.convert_to_tensor(w)
        return w * ops.convert_to_tensor(self.mask(*w.shape[-2:]), dtype=w.dtype)

    def mask(self, channels: int, filters: int) -> np.ndarray:
        """Whether each channel reaches each filter.

        Args:
            channels: Number of channels.
            filters: Number of filters.

        Returns:
            Boolean array `(channels, filters)`.

        Raises:
            ValueError: If `groups` does not divide both.
        """
        if channels % self.groups or filters % self.groups:
            raise ValueError(
                f"`groups={self.groups}` must divide the numbers of channels and of "
                f"filters. Received: {channels} channels, {filters} filters"
            )
        group_of_channel = np.arange(channels) // (channels // self.groups)
        group_of_filter = np.arange(filters) // (filters // self.groups)
        return group_of_channel[:, None] == group_of_filter

    def get_config(self) -> dict[str, Any]:
        """The configuration of the constraint."""
        return {"groups": self.groups}

"""From features on positions and frames back to positions."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_lconv._ops import largest, mean
from keras_lconv._typing import Shape, Tensor
from keras_lconv._validation import (
    MOST_AXES,
    one_of,
    positive_int,
    require_channels,
)
from keras_lconv.layers.base import FeatureLayer

REDUCTIONS: dict[str, Callable[..., Tensor]] = {"average": mean, "max": largest}


@keras.saving.register_keras_serializable(package="keras_lconv")
class GroupProjection(FeatureLayer):
    """Removes the frames: the maximum or the average over their coordinates.

    **Equivariance.** An element of the group shifts the features of `GroupLift` along the
    coordinates of frames, which changes neither the maximum nor the average over all of
    them. So the output moves as positions do. Without positions, after a global pooling, it
    is invariant. On circles this is exact for whole steps. On lines, such as sizes,
    features enter and leave at the ends: the maximum stays the same if it lies inside, and
    the average if the features vanish at both ends.

    Args:
        num_coordinates: Number of coordinates of frames, the axes that are removed.
        reduction: `"max"` or `"average"`.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Input shape:
        `(batch, *coordinates, *positions, channels)`, or
        `(batch, channels, *coordinates, *positions)` with `data_format="channels_first"`.
        Positions may be missing. Masked positions count as zero.

    Output shape:
        That of the input without the coordinates.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or the input has too few axes.

    Example:
    ```python
    import numpy as np
    from keras_lconv import GroupProjection

    f = np.random.default_rng(0).normal(size=(2, 8, 4, 5, 5, 3))
    assert tuple(GroupProjection(num_coordinates=2)(f).shape) == (2, 5, 5, 3)
    ```

    Reference:
        T. Cohen, M. Welling, "Group equivariant convolutional networks", ICML 2016, where
        it is called pooling over a subgroup.
    """

    def __init__(
        self,
        *,
        num_coordinates: int = 1,
        reduction: str = "max",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.num_coordinates = positive_int(
            "num_coordinates", num_coordinates, most=MOST_AXES
        )
        self.reduction = one_of("reduction", reduction, tuple(REDUCTIONS))

    @property
    def _coordinates(self) -> str:
        """The removed axes, for messages."""
        return ", ".join(f"s_{i + 1}" for i in range(self.num_coordinates))

    def build(self, input_shape: Shape) -> None:
        """Checks that there are axes to remove."""
        self.compute_output_shape(input_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the output."""
        if len(input_shape) < 2 + self.num_coordinates:
            removed = self._coordinates
            raise ValueError(
                f"{self._owner} expects features of shape (batch, {removed}, ..., "
                f"channels), or (batch, channels, {removed}, ...) with "
                "`data_format='channels_first'`. Received: an input of shape "
                f"{tuple(input_shape)}"
            )
        require_channels(self._feature_shape(tuple(input_shape)), self._owner)
        return super().compute_output_shape(input_shape)

    def _feature_output_shape(self, feature_shape: Shape) -> Shape:
        return (feature_shape[0], *feature_shape[1 + self.num_coordinates :])

    def _transform(self, f: Tensor, mask: Tensor | None) -> Tensor:
        for _ in range(self.num_coordinates):
            f = REDUCTIONS[self.reduction](f, axis=1)
        return f

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        """The positions with at least one frame, if the mask has them."""
        removed = self.num_coordinates
        if previous_mask is None or len(previous_mask.shape) < 2 + removed:
            return None
        return ops.any(previous_mask, axis=tuple(range(1, 1 + removed)))

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "num_coordinates": self.num_coordinates,
            "reduction": self.reduction,
        }

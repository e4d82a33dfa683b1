"""Interpolation of fields on a finer grid."""

from typing import Any

import keras
import numpy as np

from keras_lconv._typing import Shape, Tensor
from keras_lconv._validation import (
    MOST_WINDOW,
    one_of,
    positive_int,
    spatial_shape,
)
from keras_lconv.layers.steerable.field_layer import FieldLayer
from keras_lconv.layers.steerable.fields import FieldArgument, GroupArgument
from keras_lconv.layers.steerable.resampling import resampled

INTERPOLATIONS = ("linear", "nearest")


@keras.saving.register_keras_serializable(package="keras_lconv")
class SteerableUpSampling(FieldLayer):
    """Interpolates fields on a finer grid with the same centre, the reverse of a pooling.

    Each axis has `size` times as many positions, which cover the same pixels. With a
    `SteerableConv` after it, it replaces a transposed convolution, whose windows overlap
    unevenly.

    **Equivariance.** Exact for elements that map the grid onto itself. For others the error
    is that of the grid, smaller for `"linear"`.

    Args:
        group: As for `SteerableConv`.
        representation: How the fields turn.
        size: Factor by which the output is finer, at most 100.
        interpolation: `"linear"` between the nearest positions along each axis, or the
            value at the `"nearest"`. Beyond the outermost positions fields are constant.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, *spatial, m, channels)`, without the axis of `m` for trivial fields.
        Spatial sizes must be defined. Masked positions count as zero.

    Output shape:
        The same with spatial sizes `size` times as large.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value.

    Example:
    ```python
    import numpy as np
    from keras_lconv import SteerableUpSampling

    fields = np.random.default_rng(0).normal(size=(1, 7, 7, 8, 3))
    assert tuple(SteerableUpSampling("c8", "regular")(fields).shape) == (1, 14, 14, 8, 3)
    ```

    Reference:
        A. Odena, V. Dumoulin, C. Olah, "Deconvolution and checkerboard artifacts", Distill
        2016.
    """

    def __init__(
        self,
        group: GroupArgument,
        representation: FieldArgument,
        *,
        size: int = 2,
        interpolation: str = "linear",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(group, representation, data_format=data_format, **kwargs)
        self.size = positive_int("size", size, most=MOST_WINDOW)
        self.interpolation = one_of("interpolation", interpolation, INTERPOLATIONS)

    def _field_output_shape(self, field_shape: Shape) -> Shape:
        sizes = spatial_shape(field_shape[:-1], self._owner)
        return (field_shape[0], *(self.size * n for n in sizes), *field_shape[-2:])

    def _transform_fields(self, f: Tensor) -> Tensor:
        sizes = f.shape[1 : self.rank + 1]
        matrices = [interpolation_matrix(n, self.size, self.interpolation) for n in sizes]
        return resampled(f, matrices)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        """`None`: the output has other positions."""

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        config = {"size": self.size, "interpolation": self.interpolation}
        return {**super().get_config(), **config}


def interpolation_matrix(number: int, size: int, interpolation: str) -> np.ndarray:
    """Values at `size * number` positions from those at `number`, with the same centre."""
    places = (np.arange(size * number) + 0.5) / size - 0.5
    if interpolation == "nearest":
        # Each place lies within half a step of one position.
        return np.eye(number)[np.round(places).astype(int)]
    distances = np.abs(np.clip(places, 0, number - 1)[:, None] - np.arange(number))
    return np.maximum(1 - distances, 0)

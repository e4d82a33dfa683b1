"""From features on positions and orientations back to images."""

from typing import Any

import keras

from keras_lconv.layers.pooling.group_projection import GroupProjection


@keras.saving.register_keras_serializable(package="keras_lconv")
class SE2Projection(GroupProjection):
    """Removes the orientations: the maximum or the average over `theta`.

    **Equivariance.** A turn shifts the features in `theta`, which changes neither the
    maximum nor the average. So the output turns in the plane, as an image does. Without
    positions, after a global pooling, it is invariant. With `n` orientations this is exact
    for those turns by multiples of `2 pi / n` that are exact in the plane. For angles
    between the orientations the average is exact if the angular frequencies of the features
    are below `n`; a maximum between two samples is missed. If the axis also contains mirror
    images (`SE2Lift` with `reflections`), the output flips with the image.

    Args:
        reduction: `"max"` or `"average"`.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Input shape:
        `(batch, theta, y, x, channels)`, or `(batch, channels, theta, y, x)` with
        `data_format="channels_first"`. The number of axes after `theta` may differ, as in
        `(batch, theta, channels)`. Masked positions count as zero.

    Output shape:
        That of the input without `theta`.

    Raises:
        ValueError: If an argument has a wrong value, or the input has no axis `theta`.

    Example:
    ```python
    import numpy as np
    from keras_lconv import SE2Projection

    f = np.random.default_rng(0).normal(size=(2, 8, 5, 5, 3))
    assert tuple(SE2Projection()(f).shape) == (2, 5, 5, 3)
    ```

    Reference:
        T. Cohen, M. Welling, "Group equivariant convolutional networks", ICML 2016, where
        it is called pooling over a subgroup.
    """

    _coordinates = "theta"

    def __init__(
        self, *, reduction: str = "max", data_format: str | None = None, **kwargs: Any
    ):
        super().__init__(
            num_coordinates=1, reduction=reduction, data_format=data_format, **kwargs
        )

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        config = super().get_config()
        del config["num_coordinates"]
        return config

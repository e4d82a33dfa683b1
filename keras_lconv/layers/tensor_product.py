"""Products of features that transform, channel by channel."""

import math
from typing import Any

import keras
from keras import ops

from keras_lconv._validation import one_of
from keras_lconv.layers.base import DATA_FORMATS


@keras.saving.register_keras_serializable(package="keras_lconv")
class TensorProduct(keras.layers.Layer):
    """All products of the components of two inputs: `y_ab = u_a v_b`, in each channel.

    If the algebra acts on `u` by `L_i` and on `v` by `M_i`, then it acts on `y` by
    `L_i (x) 1 + 1 (x) M_i`, which is `keras_lconv.algebra.tensor_product(L, M)`. No
    function of one vector that is linear gives its length, or the dot product with
    another. This layer is the nonlinear one that does, with an `EquivariantDense` layer
    after it, which takes the invariants of the products, and whatever else transforms.

    **Equivariance.** For any algebra, compact or not:
    `(exp(t L) u) (x) (exp(t M) v) = exp(t (L (x) 1 + 1 (x) M)) y`, exactly.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`.

    Input shape:
        A list of two: `(batch, *spatial, channels)` and `(batch, *spatial', channels)`,
        with the same number of channels. With `data_format="channels_first"` channels
        are the second axis.

    Output shape:
        `(batch, n * n', channels)` with `n = prod(spatial)` and `n' = prod(spatial')`, in
        C order, or `(batch, channels, n * n')`.

    Raises:
        ValueError: If there are not two inputs, or their shapes do not fit.

    Example:
    ```python
    import numpy as np
    from keras_lconv import TensorProduct

    u, v = np.random.default_rng(0).normal(size=(2, 8, 3, 4))
    products = np.asarray(TensorProduct(data_format="channels_last")([u, v]))
    assert products.shape == (8, 9, 4)
    assert np.allclose(products[0, :, 1], np.kron(u[0, :, 1], v[0, :, 1]), atol=1e-6)
    ```
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = one_of(
            "data_format", data_format or keras.config.image_data_format(), DATA_FORMATS
        )

    def build(self, input_shape: Any) -> None:
        """Checks the shapes."""
        self.compute_output_shape(input_shape)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Shape of the output."""
        shapes = [tuple(shape) for shape in input_shape if isinstance(shape, (list, tuple))]
        if len(shapes) != 2 or any(len(shape) < 3 for shape in shapes):
            raise ValueError(
                f"{type(self).__name__} {self.name!r} expects two inputs of shape "
                f"`(batch, *spatial, channels)`. Received: {input_shape}"
            )
        first = self.data_format == "channels_first"
        channels = [shape[1 if first else -1] for shape in shapes]
        spatial = [shape[2:] if first else shape[1:-1] for shape in shapes]
        if channels[0] != channels[1] or any(None in sizes for sizes in spatial):
            raise ValueError(
                f"{type(self).__name__} {self.name!r} needs inputs with the same number "
                f"of channels, and with defined other axes. Received: {input_shape}"
            )
        size = math.prod(spatial[0]) * math.prod(spatial[1])
        batch = shapes[0][0]
        return (batch, channels[0], size) if first else (batch, size, channels[0])

    def call(self, inputs: Any) -> Any:
        """The products."""
        first = self.data_format == "channels_first"
        u, v = (ops.moveaxis(x, 1, -1) if first else x for x in inputs)
        channels = u.shape[-1]
        u, v = (ops.reshape(x, (-1, math.prod(x.shape[1:-1]), channels)) for x in (u, v))
        products = ops.einsum("bpc,bqc->bpqc", u, v)
        products = ops.reshape(products, (-1, u.shape[1] * v.shape[1], channels))
        return ops.moveaxis(products, -1, 1) if first else products

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {**super().get_config(), "data_format": self.data_format}

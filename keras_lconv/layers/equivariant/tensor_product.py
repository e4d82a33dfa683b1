"""Products of features that transform, channel by channel."""

import math
from typing import Any

import keras
from keras import ops

from keras_lconv._layout import (
    channels_last_shape,
    flatten,
    from_channels_last,
    masked,
    to_channels_last,
    to_floats,
)
from keras_lconv._memory import require_memory
from keras_lconv._typing import Shape, Tensor
from keras_lconv._validation import require_channels
from keras_lconv.layers.base import FeatureLayer


@keras.saving.register_keras_serializable(package="keras_lconv")
class TensorProduct(FeatureLayer):
    """All products of the components of two inputs: `y_ab = u_a v_b`, in each channel.

    If the algebra acts on `u` by `L_i` and on `v` by `M_i`, then it acts on `y` by
    `L_i (x) 1 + 1 (x) M_i`, which is `keras_lconv.algebra.tensor_product(L, M)`. Linear
    functions of vectors give no lengths and no dot products. This layer makes the products,
    and an `EquivariantDense` layer after it takes their invariants, or the parts that
    transform in another way.

    **Equivariance.** Exact for any algebra, compact or not:
    `(exp(t L) u) (x) (exp(t M) v) = exp(t (L (x) 1 + 1 (x) M)) y`, exactly. For a group
    with further elements, such as `keras_lconv.algebra.O(3)`, inputs in the representations
    `V` and `W` give an output in `V * W`.

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

    def __init__(self, *, data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format=data_format, **kwargs)

    def build(self, input_shape: Any) -> None:
        """Checks the shapes."""
        size = math.prod(n for n in self.compute_output_shape(input_shape)[1:] if n)
        require_memory(
            f"The products of one sample, from the inputs {input_shape} of {self._owner},",
            2 * size,
            "All components are multiplied with all others. Fewer components need less",
            itemsize=4,
        )

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Shape of the output."""
        shapes = [tuple(shape) for shape in input_shape if isinstance(shape, (list, tuple))]
        if len(shapes) != 2 or any(len(shape) < 3 for shape in shapes):
            raise ValueError(
                f"{self._owner} expects two inputs of shape `(batch, *spatial, channels)`. "
                f"Received: {input_shape}"
            )
        u, v = (channels_last_shape(shape, self.data_format) for shape in shapes)
        sizes = [n for n in (*u[1:-1], *v[1:-1]) if n is not None]
        if u[-1] != v[-1] or len(sizes) < len(u) + len(v) - 4:
            raise ValueError(
                f"{self._owner} needs inputs with the same number of channels, and with "
                f"defined other axes. Received: {input_shape}"
            )
        require_channels(u, self._owner)
        size = math.prod(sizes)
        if self.data_format == "channels_first":
            return (u[0], u[-1], size)
        return (u[0], size, u[-1])

    def call(self, inputs: Any, mask: Any = None) -> Tensor:
        """The products. Masked positions count as zero."""
        form = self.data_format
        masks = mask if isinstance(mask, (list, tuple)) else (mask, mask)
        u, v = (
            flatten(masked(to_channels_last(to_floats(x, self.compute_dtype), form), m))
            for x, m in zip(inputs, masks, strict=True)
        )
        products = ops.einsum("bpc,bqc->bpqc", u, v)
        products = ops.reshape(products, (-1, u.shape[1] * v.shape[1], u.shape[-1]))
        return from_channels_last(products, form)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """`None`: each product has two positions."""
        return None

"""Dense layers as L-convs with elementary matrices."""

from typing import Any

import keras
import numpy as np

from keras_lconv.convert.settings import common_settings, take_over, values
from keras_lconv.generators import ShiftGenerators
from keras_lconv.layers import LConv


def from_dense(layer: keras.layers.Dense) -> LConv:
    """A dense layer on vectors as an L-conv with elementary matrices.

    A matrix is a sum of elementary ones, `f W = sum_ab W_ba E_ab f`, and `E_ab = e_a e_b^T`
    has two factors. `e_b^T`, which reads the component `b`, is a generator here: it leads
    from `d` positions to one. `e_a`, which writes the component `a`, is a channel of the
    output. So there are `d` generators, not `d * units`, and none of them is stored:
    reading a component is a shift to it. The cost is that of the dense layer.

    As a convolution, its window is the whole input. The result is exact, up to rounding,
    and trains like the dense layer.

    Args:
        layer: A built `Dense`, for inputs `(batch, d)`.

    Returns:
        A built `LConv` from `(batch, d)` to `(batch, 1, units)`: `units` channels at the
        one remaining position, which `keras.layers.Flatten` removes. Its kernel
        `(d, 1, units)` holds that of the dense layer.

    Raises:
        TypeError: If `layer` is not a `Dense`.
        ValueError: If it is not built or is quantized, or its kernel has a constraint or a
            regularizer that depends on the shape of the kernel.

    Example:
    ```python
    import keras
    import numpy as np
    from keras_lconv.convert import from_dense

    x = np.random.default_rng(0).normal(size=(4, 10)).astype("float32")
    dense = keras.layers.Dense(3, activation="tanh")
    expected = dense(x)
    lconv = from_dense(dense)
    assert keras.ops.max(keras.ops.abs(lconv(x)[:, 0] - expected)) < 1e-5
    ```
    """
    if not isinstance(layer, keras.layers.Dense):
        raise TypeError(
            "`layer` must be a Dense layer. "
            f"Received: layer={layer!r} (of type {type(layer).__name__})"
        )
    settings: dict[str, Any] = common_settings(layer)
    kernel = values(layer.kernel)
    size, units = kernel.shape
    reading = ShiftGenerators(np.arange(size), boundary="valid", dtype=layer.dtype_policy)
    # With channels last, activations such as softmax act on the same axis as in `Dense`.
    lconv = LConv(
        units,
        reading,
        self_interaction=None,
        data_format="channels_last",
        **settings,
    )
    lconv.build((None, size))
    take_over(lconv, kernel[:, None], layer.bias)
    return lconv

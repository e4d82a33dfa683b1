"""Group convolutions as stacks of L-convs."""

import math

import keras
import numpy as np

from keras_lconv._validation import MOST_STEPS, positive_int
from keras_lconv.convert.settings import values
from keras_lconv.layers import LConv, LieBlock, LieExponential


def from_lie_exponential(
    layer: LieExponential, num_layers: int, order: int = 1
) -> keras.Sequential:
    """A group convolution as a stack of L-convs that share its generators.

    The convolution is `Q[f] = sum_j exp(X_j) f W_j + b` with `X_j = sum_i t_ji L_i`. With
    `order=1` each layer of the stack multiplies the copy `j` of the features by
    `1 + X_j / n`. `n` layers multiply it by `(1 + X_j / n)^n = exp(X_j) + O(1 / n)`. One
    layer is the first-order term, `W_0 = sum_j W_j` and `W_i = sum_j t_ji W_j`.

    With a higher order `p`, `p` layers together are the Taylor polynomial of degree `p`
    of `exp(p X_j / n)`, by its roots, `prod_q (1 + a_q p X_j / n)`. These are complex, and
    so are the features: two real channels for each. The error falls as `n^-p`, once `n`
    exceeds `p |X_j|`.

    All layers but the last are linear. They have `m` or `2 m` copies of the channels for
    the `m` elements of the convolution.

    Args:
        layer: A built `LieExponential`.
        num_layers: Number `n` of layers, a multiple of `order`.
        order: The order `p`, from 1 to 8.

    Returns:
        A built model: a `LieBlock` of `n - 1` layers, if there are any, and an `LConv`
        with the bias and the activation. All share the generators of `layer`, and can be
        trained.

    Raises:
        TypeError: If `layer` is not a `LieExponential`, or a number is not an integer.
        ValueError: If it is not built, or a number has a wrong value.

    Example:
    ```python
    import keras
    import numpy as np
    from keras_lconv import LieExponential
    from keras_lconv.convert import from_lie_exponential
    from keras_lconv.generators import translation

    signal = np.random.default_rng(0).normal(size=(1, 9, 2)).astype("float32")
    layer = LieExponential(3, translation(1, derivative="fourier"), num_elements=4)
    expected = layer(signal)
    stack = from_lie_exponential(layer, num_layers=24, order=4)
    assert keras.ops.max(keras.ops.abs(stack(signal) - expected)) < 0.01
    ```

    Reference:
        N. Dehmamy et al., "Automatic Symmetry Discovery with Lie Algebra Convolutional
        Network", NeurIPS 2021, theorem 1.
    """
    if not isinstance(layer, LieExponential):
        raise TypeError(
            "`layer` must be a LieExponential. "
            f"Received: layer={layer!r} (of type {type(layer).__name__})"
        )
    if not layer.built:
        raise ValueError(
            "`layer` must be built, because its weights are copied. Received: "
            f"LieExponential {layer.name!r} without weights. Call it on an input first"
        )
    num_layers = positive_int("num_layers", num_layers, most=MOST_STEPS)
    order = positive_int("order", order)
    if order > 8 or num_layers % order:
        raise ValueError(
            "`order` must be from 1 to 8, and `num_layers` a multiple of it. "
            f"Received: order={order}, num_layers={num_layers}"
        )

    kernels = _kernels(layer, num_layers, order)
    shared = {
        "generators": layer.generators,
        "data_format": layer.data_format,
        "dtype": layer.dtype_policy,
    }
    last = LConv(
        layer.filters,
        activation=layer.activation,
        use_bias=layer.use_bias,
        **shared,
    )
    stack = keras.Sequential([keras.Input(_input_shape(layer))])
    convolutions = [last]
    if num_layers > 1:
        width = kernels[0].shape[-1]
        block = LieBlock(width, num_layers=num_layers - 1, use_bias=False, **shared)
        stack.add(block)
        convolutions = [*block.layers, last]
    stack.add(last)
    for convolution, kernel in zip(convolutions, kernels, strict=True):
        convolution.kernel.assign(kernel)
    if last.bias is not None:
        last.bias.assign(values(layer.bias))
    return stack


def _kernels(layer: LieExponential, num_layers: int, order: int) -> list[np.ndarray]:
    """The kernel `(k + 1, channels, filters)` of each layer."""
    parameters = values(layer.parameters).astype("float64")
    weights = values(layer.kernel).astype("float64")
    elements, channels, _ = weights.shape
    factors = _factors(order)
    parts = 2 if order > 1 else 1
    # The channels are ordered by real and imaginary part, then by element, then by input
    # channel.
    copy = np.tile(np.eye(channels), (1, elements))
    copy = np.pad(copy, ((0, 0), (0, (parts - 1) * copy.shape[1])))
    add_up = weights.reshape(elements * channels, -1)
    add_up = np.pad(add_up, ((0, (parts - 1) * len(add_up)), (0, 0)))

    each = np.repeat(parameters, channels, axis=0).T * order / num_layers
    kernels = []
    for number in range(num_layers):
        a = factors[number % order]
        # The matrix that multiplies a complex number, as a row of two real ones, by `a`.
        product = np.array([[a.real, a.imag], [-a.imag, a.real]])[:parts, :parts]
        moves = [np.kron(product, np.diag(t)) for t in each]
        kernels.append(np.stack([np.eye(parts * elements * channels), *moves]))
    kernels[0] = copy @ kernels[0]
    kernels[-1] = kernels[-1] @ add_up
    return kernels


def _factors(order: int) -> np.ndarray:
    """Numbers `a_q` with `prod_q (1 + a_q x)` the Taylor polynomial of `exp(x)`."""
    coefficients = [1 / math.factorial(n) for n in range(order, -1, -1)]
    factors = -1 / np.roots(coefficients)
    # Conjugates are side by side, so pairs of factors are real and grow least.
    return factors[np.lexsort((factors.imag, np.abs(factors.imag).round(9)))]


def _input_shape(layer: LieExponential) -> tuple[int, ...]:
    """The shape of an input, without the batch."""
    shape = layer.generators.spatial_shape or ()
    if layer.input_spec.ndim == 2:
        return shape
    channels = layer.kernel.shape[1]
    if layer.data_format == "channels_first":
        return (channels, *shape)
    return (*shape, channels)

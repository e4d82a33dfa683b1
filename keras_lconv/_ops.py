"""Operations in the precision of their input, if those of Keras have less.

On PyTorch, `mean`, `average`, `var`, `maximum`, `minimum`, `matmul`, `tensordot` and `norm`
of `keras.ops` compute in float32 even for float64, because Keras' rules of promotion have
no 64 bits there: https://github.com/keras-team/keras/issues/23223 and
https://github.com/keras-team/keras/issues/23704. The package uses `einsum`, `sum` and the
functions of this module instead, and a test bans the others.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_lconv._backend import loses_nan_in_maxima
from keras_lconv._typing import Tensor

# Keeps the fourth power of a smoothing length from vanishing in float32.
SMALLEST_FOURTH_POWER = 1e-30


def working_dtype(tensor: Tensor) -> str:
    """The dtype of `tensor`, but float32 for half precision.

    It is used for long series and squares, which half precision would round away or let
    overflow.
    """
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    return "float32" if dtype in ("float16", "bfloat16") else dtype


def to_numpy(value: Any) -> Any:
    """A tensor on any device as an array. Anything else stays unchanged."""
    return ops.convert_to_numpy(value) if ops.is_tensor(value) else value


def mean(x: Tensor, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """The mean over some axes, or over all."""
    axes = range(len(x.shape)) if axis is None else axis
    axes = (axes,) if isinstance(axes, int) else tuple(axes)
    sizes = [x.shape[a] for a in axes]
    if None in sizes:
        # The size of a batch is unknown while a graph is traced.
        shape = ops.shape(x)
        count = ops.cast(math.prod(n for n in sizes if n is not None), x.dtype)
        for a in axes:
            if x.shape[a] is None:
                count = count * ops.cast(shape[a], x.dtype)
        return ops.sum(x, axis=axes) / count
    return ops.sum(x, axis=axes) / math.prod(sizes) if axes else x


def sample_means(x: Tensor) -> Tensor:
    """The mean of each sample, `(batch,)`."""
    axes = tuple(range(1, len(x.shape)))
    return mean(x, axes) if axes else x


def maximum(a: Tensor, b: Tensor | float) -> Tensor:
    """The larger of two, entry by entry, and NaN if one of them is NaN."""
    b = ops.convert_to_tensor(b, dtype=a.dtype)
    return ops.where((a >= b) | ops.isnan(a), a, b)


def largest(x: Tensor, axis: int, keepdims: bool = False) -> Tensor:
    """The maximum along an axis. It accepts an empty batch, for which Keras' raises an
    error.

    It is NaN if an entry is NaN, which some compilers ignore. A sum with NaN is NaN; the
    constant NaN is what an exporter to ONNX multiplies by zero to leave it out.
    """
    reduce = ops.sum if 0 in x.shape else ops.max
    top = reduce(x, axis=axis, keepdims=keepdims)
    if not loses_nan_in_maxima():
        return top
    is_nan = ops.any(ops.isnan(x), axis=axis, keepdims=keepdims)
    return ops.where(is_nan, ops.sum(x, axis=axis, keepdims=keepdims), top)


def safe_sqrt(x: Tensor) -> Tensor:
    """`sqrt(x)` for `x >= 0`, with the gradient 0 at 0. NaN stays NaN.

    So the root of a sum of squares has a gradient of norm at most 1, and the subgradient
    zero if all squares vanish.
    """
    is_zero = x <= 0
    root = ops.sqrt(ops.where(is_zero, ops.ones_like(x), x))
    return ops.where(is_zero, ops.zeros_like(x), root)


def signed_length(
    vectors: Tensor, square: Callable[[Tensor], Tensor], epsilon: float
) -> Tensor:
    """`q / (q^2 + epsilon^4)^(1/4)`: the root of `|q|` with the sign of `q`, smoothed at 0.

    Args:
        vectors: Tensor `(batch, ..., n, channels)`.
        square: The quadratic form `q`, from such a tensor to `(batch, ..., channels)`.
        epsilon: Length below which the root is smoothed.

    Returns:
        Tensor `(batch, ..., channels)`, in at least float32.
    """
    vectors = ops.cast(vectors, working_dtype(vectors))
    # In units of the largest component `q` does not overflow. The result does not depend on
    # the unit, so the unit needs no gradient.
    unit = largest(ops.abs(vectors), axis=-2, keepdims=True)
    unit = ops.stop_gradient(1 + ops.relu(unit - 1))
    values = square(vectors / unit)
    unit = ops.squeeze(unit, -2)
    smoothing = (epsilon / unit) ** 4 + SMALLEST_FOURTH_POWER
    return unit * values / ops.sqrt(ops.sqrt(values**2 + smoothing))

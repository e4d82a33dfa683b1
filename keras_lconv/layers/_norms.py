"""Norms whose gradients are finite everywhere."""

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_lconv._precision import working_dtype

# Keeps the fourth power of a smoothing length from vanishing in float32.
SMALLEST_FOURTH_POWER = 1e-30


def safe_sqrt(x: Any) -> Any:
    """`sqrt(x)` for `x >= 0`, with the gradient 0 at 0.

    The root of a sum of squares then has a gradient of norm 1 at most, and the subgradient
    zero where all squares vanish.
    """
    positive = x > 0
    root = ops.sqrt(ops.where(positive, x, ops.ones_like(x)))
    return ops.where(positive, root, ops.zeros_like(x))


def signed_length(vectors: Any, square: Callable[[Any], Any], epsilon: float) -> Any:
    """`q / (q^2 + epsilon^4)^(1/4)`: the root of `|q|` with the sign of `q`, smoothed at 0.

    Args:
        vectors: Tensor `(batch, ..., n, channels)`.
        square: The quadratic form `q`, from such a tensor to `(batch, ..., channels)`.
        epsilon: Length below which the root is smoothed.

    Returns:
        Tensor `(batch, ..., channels)`, in float32 at least.
    """
    vectors = ops.cast(vectors, working_dtype(vectors))
    # In units of the largest component, `q` does not overflow. The result does not
    # depend on the unit, so that no gradient is due to it.
    unit = ops.max(ops.abs(vectors), axis=-2, keepdims=True)
    # Not `ops.maximum`, which returns float32 for float64 on PyTorch.
    unit = ops.stop_gradient(1 + ops.relu(unit - 1))
    values = square(vectors / unit)
    unit = ops.squeeze(unit, -2)
    smoothing = (epsilon / unit) ** 4 + SMALLEST_FOURTH_POWER
    return unit * values / ops.sqrt(ops.sqrt(values**2 + smoothing))

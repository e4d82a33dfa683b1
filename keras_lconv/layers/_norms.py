"""Norms whose gradients are finite everywhere."""

from typing import Any

from keras import ops


def safe_sqrt(x: Any) -> Any:
    """`sqrt(x)` for `x >= 0`, with the gradient 0 at 0.

    The root of a sum of squares then has a gradient of norm 1 at most, and the subgradient
    zero where all squares vanish.
    """
    positive = x > 0
    root = ops.sqrt(ops.where(positive, x, ops.ones_like(x)))
    return ops.where(positive, root, ops.zeros_like(x))

"""Resampling of fields to other positions."""

import math
from collections.abc import Sequence

import numpy as np
from keras import ops

from keras_lconv._layout import integer_sizes
from keras_lconv._typing import Tensor


def resampled(f: Tensor, matrices: Sequence[np.ndarray]) -> Tensor:
    """The product of a matrix with the positions along each axis.

    Args:
        f: Fields `(batch, *spatial, m, channels)`.
        matrices: For each axis a matrix `(positions after, positions before)`.
    """
    *sizes, size, channels = integer_sizes(f.shape[1:])
    if channels is None:
        channels = ops.shape(f)[-1]
    for axis, matrix in enumerate(matrices):
        # The batch and all earlier axes are merged into one, and so are all later axes.
        following = math.prod(sizes[axis + 1 :]) * size * channels
        rows = ops.reshape(f, (-1, sizes[axis], following))
        weights = ops.convert_to_tensor(matrix, dtype=f.dtype)
        f = ops.einsum("on,bnr->bor", weights, rows)
    return ops.reshape(f, (-1, *(len(matrix) for matrix in matrices), size, channels))

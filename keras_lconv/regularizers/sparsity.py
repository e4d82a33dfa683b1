"""Generators with few entries."""

import math

import keras
from keras import ops

from keras_lconv._typing import Tensor
from keras_lconv.regularizers.base import (
    SMALLEST_SQUARE,
    GeneratorRegularizer,
    squared_norms,
)


@keras.saving.register_keras_serializable(package="keras_lconv")
class Sparsity(GeneratorRegularizer):
    """Draws learned generators to matrices with few entries.

    `factor` times the mean of `(|L_i|_1 / |L_i| - 1) / (sqrt(n) - 1)`, with the sum of the
    `n` absolute entries over the Frobenius norm: 0 for a single entry, 1 for `n` of the
    same size. Unlike an L1 penalty it does not depend on the size of a generator, and is
    not lowered by a smaller one. Together with `Orthogonality` it chooses, of all bases of
    an algebra, one that a person can read.

    Args:
        factor: The factor of the penalty.

    Input shape:
        `(k, rows, columns)`: matrices, or coefficients of vector fields.

    Raises:
        ValueError: If `factor` is negative, or a shape does not fit.

    Example:
    ```python
    import numpy as np
    from keras_lconv.algebra import so
    from keras_lconv.regularizers import Sparsity

    dense = np.random.default_rng(0).normal(size=(3, 3, 3))
    assert float(Sparsity()(so(3).basis)) < float(Sparsity()(dense))
    ```

    Reference:
        P. Hoyer, "Non-negative matrix factorization with sparseness constraints", JMLR 5
        (2004).
    """

    def penalty(self, matrices: Tensor) -> Tensor:
        """One minus the mean sparseness of Hoyer."""
        size = max(math.sqrt(math.prod(matrices.shape[1:])), 1.0)
        lengths = ops.sqrt(squared_norms(matrices) + SMALLEST_SQUARE)
        ratios = ops.sum(ops.abs(matrices), axis=(1, 2)) / lengths
        excess = ops.sum(ops.relu(ratios - 1)) / matrices.shape[0]
        return excess / max(size - 1, 1.0)

"""Generators that differ."""

import keras
from keras import ops

from keras_lconv._typing import Tensor
from keras_lconv.regularizers.base import (
    SMALLEST_SQUARE,
    GeneratorRegularizer,
    inner_products,
    squared_norms,
)


@keras.saving.register_keras_serializable(package="keras_lconv")
class Orthogonality(GeneratorRegularizer):
    """Keeps learned generators from becoming alike.

    `factor` times the mean over pairs `i < j` of the squared cosine
    `<L_i, L_j>^2 / (|L_i|^2 |L_j|^2)` in the Frobenius inner product: 0 for orthogonal
    generators, 1 for parallel ones, whatever their norms.

    Args:
        factor: The factor of the penalty.

    Input shape:
        `(k, rows, columns)`: matrices, or coefficients of vector fields. Of
        `LowRankGenerators` each factor is held orthogonal for itself.

    Raises:
        ValueError: If `factor` is negative, or a shape does not fit.

    Example:
    ```python
    import numpy as np
    from keras_lconv.algebra import so
    from keras_lconv.regularizers import Orthogonality

    assert float(Orthogonality()(so(3).basis)) < 1e-8
    assert np.isclose(float(Orthogonality(1.0)(np.ones((2, 3, 3)))), 1.0)
    ```
    """

    def penalty(self, matrices: Tensor) -> Tensor:
        """The mean squared cosine of the angles between generators."""
        k = matrices.shape[0]
        lengths = ops.sqrt(squared_norms(matrices) + SMALLEST_SQUARE)
        cosines = inner_products(matrices / lengths[:, None, None])
        others = 1 - ops.eye(k, dtype=cosines.dtype)
        return ops.sum(cosines * cosines * others) / max(k * (k - 1), 1)

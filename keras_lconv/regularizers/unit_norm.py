"""Generators of a known size."""

from typing import Any

import keras
from keras import ops

from keras_lconv._typing import Tensor
from keras_lconv._validation import positive_number
from keras_lconv.regularizers.base import GeneratorRegularizer, squared_norms


@keras.saving.register_keras_serializable(package="keras_lconv")
class UnitNorm(GeneratorRegularizer):
    """Draws the norms of learned generators to one size.

    `factor` times the mean of `(|L_i|^2 / norm^2 - 1)^2`, with the Frobenius norm. The
    scale of a generator is arbitrary where a kernel multiplies it: this fixes it, and keeps
    generators from vanishing.

    Args:
        factor: The factor of the penalty.
        norm: The Frobenius norm to reach.

    Input shape:
        `(k, rows, columns)`: matrices, or coefficients of vector fields. Of
        `LowRankGenerators` each factor has the norm.

    Raises:
        ValueError: If `factor` is negative, `norm` is not positive, or a shape does not
            fit.

    Example:
    ```python
    import numpy as np
    from keras_lconv.algebra import so
    from keras_lconv.regularizers import UnitNorm

    assert float(UnitNorm(norm=np.sqrt(2))(so(3).basis)) < 1e-8
    assert float(UnitNorm()(np.zeros((2, 3, 3)))) > 0
    ```
    """

    def __init__(self, factor: float = 0.01, norm: float = 1.0):
        super().__init__(factor)
        self.norm = positive_number("norm", norm)

    def penalty(self, matrices: Tensor) -> Tensor:
        """The mean squared deviation of the squared norms."""
        deviations = squared_norms(matrices) / self.norm**2 - 1
        return ops.sum(deviations * deviations) / matrices.shape[0]

    def get_config(self) -> dict[str, Any]:
        """The configuration of the regularizer."""
        return {**super().get_config(), "norm": self.norm}

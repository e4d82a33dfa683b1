"""Brackets that stay in the span."""

import keras
from keras import ops

from keras_lconv._typing import Tensor
from keras_lconv.regularizers.base import (
    SMALLEST_SQUARE,
    GeneratorRegularizer,
    inner_products,
)

# Relative to the mean square of a generator. This avoids a division by zero for a span with
# nearly a smaller dimension.
DAMPING = 1e-5


@keras.saving.register_keras_serializable(package="keras_lconv")
class Closure(GeneratorRegularizer):
    """Draws learned generators to a span that is closed under brackets, an algebra.

    `factor * sum_{i<j} |[E_i, E_j] - P [E_i, E_j]|^2 / (k (k - 1) / 2)`, for an orthonormal
    frame `E_i` of the span and the projection `P` onto it. It is 0 for an algebra, at most
    2, and depends on the span only. So smaller or more similar generators do not lower it:
    both would make brackets small without an algebra.

    It costs `k^2` products of `d x d` matrices in each step.

    Args:
        factor: The factor of the penalty.

    Input shape:
        Generators as matrices `(k, d, d)`: the weight of `DenseGenerators` or
        `MatrixGenerators`, or the `coefficients` of linear `VectorFieldGenerators`; or
        affine fields `(k, n, n + 1)`, as the `coefficients` of affine ones. The factors of
        other families are not generators: for these call it on `generators.to_dense()` in a
        training step of one's own.

    Raises:
        ValueError: If `factor` is negative, or a shape does not fit.

    Example:
    ```python
    import numpy as np
    from keras_lconv.algebra import so
    from keras_lconv.generators import DenseGenerators
    from keras_lconv.regularizers import Closure

    assert float(Closure()(so(3).basis)) < 1e-8
    assert float(Closure()(np.random.default_rng(0).normal(size=(3, 4, 4)))) > 1e-3
    generators = DenseGenerators(3, regularizer=Closure(0.1))
    ```
    """

    def penalty(self, matrices: Tensor) -> Tensor:
        """The mean square of the part of brackets that is outside of the span."""
        k, rows, columns = matrices.shape
        if columns == rows + 1:
            # Affine fields `[b | A]` have the brackets of `[[A, b], [0, 0]]`.
            matrices = ops.roll(matrices, -1, axis=2)
            matrices = ops.pad(matrices, ((0, 0), (0, 1), (0, 0)))
        elif columns != rows:
            raise ValueError(
                "Closure needs generators `(k, d, d)` or affine fields `(k, n, n + 1)`. "
                f"Received: shape {(k, rows, columns)}"
            )
        frame = _orthonormal(matrices)
        products = ops.einsum("iab,jbc->ijac", frame, frame)
        brackets = products - ops.transpose(products, (1, 0, 2, 3))
        inside = ops.einsum("ijac,lac->ijl", brackets, frame)
        outside = brackets - ops.einsum("ijl,lac->ijac", inside, frame)
        return ops.sum(outside * outside) / max(k * (k - 1), 1)


def _orthonormal(matrices: Tensor) -> Tensor:
    """A frame of the span by Cholesky's factor of the inner products."""
    k = matrices.shape[0]
    products = inner_products(matrices)
    damping = DAMPING * ops.trace(products) / k + SMALLEST_SQUARE
    factor = ops.cholesky(products + damping * ops.eye(k, dtype=matrices.dtype))
    flat = ops.reshape(matrices, (k, -1))
    flat = ops.solve_triangular(factor, flat, lower=True)
    return ops.reshape(flat, matrices.shape)

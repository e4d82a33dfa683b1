"""Generators given as an array."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_lconv._typing import ArrayLike, Constraint, Regularizer
from keras_lconv._validation import MOST_GENERATORS, finite_array
from keras_lconv.algebra import LieAlgebra
from keras_lconv.generators.dense_form import are_antisymmetric, matrix_norm_bounds
from keras_lconv.generators.families.dense import DenseGenerators


@keras.saving.register_keras_serializable(package="keras_lconv")
class MatrixGenerators(DenseGenerators):
    """Given matrices, fixed or as initial values of learned matrices.

    Args:
        matrices: Array `(k, d', d)`, one matrix `(d', d)`, or a `LieAlgebra`.
        trainable: Whether the matrices are learned, starting from the given values.
        output_dim: Spatial shape of the output, if the `d'` positions form a grid. By
            default it is that of the input if `d' = d`, and `(d',)` otherwise.
        regularizer: Regularizer of `L`.
        constraint: Constraint on `L`.
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, *spatial, channels)` or `(batch, d)`, with `d = prod(spatial)`.

    Output shape:
        `(batch, *spatial', k, channels)`.

    Raises:
        TypeError: If `matrices` is not an array of real numbers.
        ValueError: If it is not finite or not a stack of matrices, or if `d` or `d'` does
            not fit the input or `output_dim`.

    Example:
    ```python
    import numpy as np
    from keras_lconv.generators import MatrixGenerators

    boost = MatrixGenerators([[0.0, 1.0], [1.0, 0.0]])  # as is so(1, 1)
    event = boost.transform(np.array([[1.0, 0.0]]), 0.5)
    assert np.allclose(event, [[np.cosh(0.5), np.sinh(0.5)]], atol=1e-6)
    ```
    """

    def __init__(
        self,
        matrices: ArrayLike | LieAlgebra,
        *,
        trainable: bool = False,
        output_dim: int | Sequence[int] | None = None,
        regularizer: Regularizer = None,
        constraint: Constraint = None,
        **kwargs: Any,
    ):
        array = finite_array("matrices", matrices)
        if array.ndim == 2:
            array = array[None]
        if array.ndim and not 0 < len(array) <= MOST_GENERATORS:
            raise ValueError(
                "`matrices` must hold at least one generator and at most "
                f"{MOST_GENERATORS:,}. An algebra of dimension 0 has none. Received: shape "
                f"{np.shape(matrices)}"
            )
        if array.ndim != 3 or 0 in array.shape:
            raise ValueError(
                "`matrices` must have shape `(k, d', d)` or `(d', d)`. "
                f"Received: shape {np.shape(matrices)}"
            )
        rows, columns = array.shape[1:]
        if output_dim is None and rows != columns:
            output_dim = rows
        super().__init__(
            len(array),
            output_dim=output_dim,
            regularizer=regularizer,
            constraint=constraint,
            trainable=trainable,
            **kwargs,
        )
        if self._output_shape and math.prod(self._output_shape) != rows:
            raise ValueError(
                f"`output_dim` must hold the d'={rows} rows of the matrices. "
                f"Received: output_dim={output_dim}"
            )
        self._matrices = array

    def _default_initializer(
        self, rows: int, columns: int, num_factors: int
    ) -> keras.initializers.Initializer:
        if columns != self._matrices.shape[2]:
            raise ValueError(
                f"The matrices of {self.name!r} act on d={self._matrices.shape[2]} "
                f"positions. Received: an input of spatial shape "
                f"{self.spatial_shape}, which has {columns}"
            )
        return lambda shape, dtype=None: keras.ops.convert_to_tensor(
            self._matrices, dtype=dtype
        )

    def initial_norm_bounds(self) -> np.ndarray:
        """Bounds of the spectral norms of the given matrices, of shape `(k,)`."""
        return matrix_norm_bounds(self._matrices, np)

    @property
    def is_antisymmetric(self) -> bool:
        """Whether the matrices are fixed, and antisymmetric to the rounding of float32."""
        if self.is_learned or not self.is_square:
            return False
        return are_antisymmetric(self._matrices)

    def matrices(self) -> np.ndarray:
        """The given matrices `(k, d', d)`, if they are fixed. It works before a
        build, too.
        """
        return super().matrices() if self.is_learned else self._matrices

    def algebra(self, tolerance: float | None = None) -> LieAlgebra:
        """The Lie algebra that the matrices span. It works before the generators are built,
        too.

        Args:
            tolerance: Threshold for zero, as for `LieAlgebra`.

        Returns:
            A `LieAlgebra` of `d x d` matrices.

        Raises:
            ValueError: If the matrices are not square, or linearly dependent.
        """
        if self.built:
            return super().algebra(tolerance)
        return LieAlgebra(self._matrices, tolerance)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer, with the given values."""
        config = super().get_config()
        del config["num"], config["initializer"]
        # A configuration with an array cannot be loaded, one with a list can.
        return {**config, "matrices": self._matrices.tolist()}

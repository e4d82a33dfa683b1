"""The common base of regularizers of generators."""

from typing import Any

import keras
from keras import ops

from keras_lconv._ops import working_dtype
from keras_lconv._typing import Tensor
from keras_lconv._validation import not_negative

# This is added to squares before a root or a quotient, so that zero generators do not give
# NaN.
SMALLEST_SQUARE = 1e-12


class GeneratorRegularizer(keras.regularizers.Regularizer):
    """Base of regularizers on weights `(k, rows, columns)`, one matrix for each generator.

    A subclass implements `penalty(matrices)`.

    Args:
        factor: The factor of the penalty.
    """

    def __init__(self, factor: float = 0.01):
        self.factor = not_negative("factor", factor)

    def __call__(self, x: Tensor) -> Tensor:
        """The penalty of generators, a scalar."""
        x = ops.convert_to_tensor(x)
        if len(x.shape) != 3:
            raise ValueError(
                f"{type(self).__name__} needs generators as matrices, of shape `(k, rows, "
                f"columns)`. Received: shape {tuple(x.shape)}"
            )
        # Squares in half precision overflow, and the penalty may, too.
        return self.factor * self.penalty(ops.cast(x, working_dtype(x)))

    def penalty(self, matrices: Tensor) -> Tensor:
        """The penalty for `factor=1`.

        Args:
            matrices: Tensor `(k, rows, columns)`.

        Returns:
            A scalar.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement `penalty`")

    def get_config(self) -> dict[str, Any]:
        """The configuration of the regularizer."""
        return {"factor": self.factor}


def inner_products(matrices: Tensor) -> Tensor:
    """The Frobenius inner products `<L_i, L_j>`, a tensor `(k, k)`."""
    return ops.einsum("iab,jab->ij", matrices, matrices)


def squared_norms(matrices: Tensor) -> Tensor:
    """The squared Frobenius norms `|L_i|^2`, a tensor `(k,)`."""
    return ops.einsum("iab,iab->i", matrices, matrices)

"""Regularizers that draw learned generators to an algebra."""

from keras_lconv.regularizers.closure import Closure
from keras_lconv.regularizers.orthogonality import Orthogonality
from keras_lconv.regularizers.sparsity import Sparsity
from keras_lconv.regularizers.unit_norm import UnitNorm

__all__ = ["Closure", "Orthogonality", "Sparsity", "UnitNorm"]

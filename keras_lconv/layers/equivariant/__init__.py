"""Layers for vectors and tensors on which an algebra acts."""

from keras_lconv.layers.equivariant.equivariant_dense import EquivariantDense
from keras_lconv.layers.equivariant.gated_activation import GatedActivation
from keras_lconv.layers.equivariant.norm_activation import NormActivation
from keras_lconv.layers.equivariant.tensor_product import TensorProduct

__all__ = [
    "EquivariantDense",
    "GatedActivation",
    "NormActivation",
    "TensorProduct",
]

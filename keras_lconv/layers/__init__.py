"""Layers to build models with."""

from keras_lconv.layers.action_regularization import ActionRegularization
from keras_lconv.layers.casimir_pooling import CasimirPooling
from keras_lconv.layers.coarse_pooling import CoarsePooling
from keras_lconv.layers.equivariant_dense import EquivariantDense
from keras_lconv.layers.gated_activation import GatedActivation
from keras_lconv.layers.invariant_pooling import InvariantPooling
from keras_lconv.layers.lconv import LConv
from keras_lconv.layers.lie_block import LieBlock
from keras_lconv.layers.lie_exponential import LieExponential
from keras_lconv.layers.lie_max_pooling import LieMaxPooling
from keras_lconv.layers.norm_activation import NormActivation
from keras_lconv.layers.norm_max_pooling import NormMaxPooling
from keras_lconv.layers.norm_pooling import NormPooling
from keras_lconv.layers.orbit_pooling import OrbitPooling
from keras_lconv.layers.rearrange import Rearrange
from keras_lconv.layers.se2_lift import SE2Lift
from keras_lconv.layers.se2_projection import SE2Projection
from keras_lconv.layers.tensor_product import TensorProduct

__all__ = [
    "ActionRegularization",
    "CasimirPooling",
    "CoarsePooling",
    "EquivariantDense",
    "GatedActivation",
    "InvariantPooling",
    "LConv",
    "LieBlock",
    "LieExponential",
    "LieMaxPooling",
    "NormActivation",
    "NormMaxPooling",
    "NormPooling",
    "OrbitPooling",
    "Rearrange",
    "SE2Lift",
    "SE2Projection",
    "TensorProduct",
]

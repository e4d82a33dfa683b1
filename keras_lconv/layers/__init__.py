"""Layers to build models with."""

from keras_lconv.layers.action_regularization import ActionRegularization
from keras_lconv.layers.convolution.lconv import LConv
from keras_lconv.layers.convolution.lie_block import LieBlock
from keras_lconv.layers.convolution.lie_exponential import LieExponential
from keras_lconv.layers.convolution.se2_lift import SE2Lift
from keras_lconv.layers.equivariant.equivariant_dense import EquivariantDense
from keras_lconv.layers.equivariant.gated_activation import GatedActivation
from keras_lconv.layers.equivariant.norm_activation import NormActivation
from keras_lconv.layers.equivariant.tensor_product import TensorProduct
from keras_lconv.layers.pooling.casimir_pooling import CasimirPooling
from keras_lconv.layers.pooling.cluster_pooling import ClusterPooling
from keras_lconv.layers.pooling.fibre_norm import FibreNorm
from keras_lconv.layers.pooling.gradient_norm import GradientNorm
from keras_lconv.layers.pooling.invariant_pooling import InvariantPooling
from keras_lconv.layers.pooling.learned_pooling import LearnedPooling
from keras_lconv.layers.pooling.lie_max_pooling import LieMaxPooling
from keras_lconv.layers.pooling.norm_max_pooling import NormMaxPooling
from keras_lconv.layers.pooling.orbit_pooling import OrbitPooling
from keras_lconv.layers.pooling.se2_projection import SE2Projection
from keras_lconv.layers.pooling.strided_pooling import StridedPooling
from keras_lconv.layers.rearrange import Rearrange
from keras_lconv.layers.steerable.field_dropout import FieldDropout
from keras_lconv.layers.steerable.field_normalization import FieldNormalization
from keras_lconv.layers.steerable.fourier_activation import FourierActivation
from keras_lconv.layers.steerable.group_pooling import GroupPooling
from keras_lconv.layers.steerable.steerable_conv import SteerableConv
from keras_lconv.layers.steerable.steerable_pool import SteerablePool
from keras_lconv.layers.steerable.steerable_up_sampling import SteerableUpSampling

__all__ = [
    "ActionRegularization",
    "CasimirPooling",
    "ClusterPooling",
    "EquivariantDense",
    "FibreNorm",
    "FieldDropout",
    "FieldNormalization",
    "FourierActivation",
    "GatedActivation",
    "GradientNorm",
    "GroupPooling",
    "InvariantPooling",
    "LConv",
    "LearnedPooling",
    "LieBlock",
    "LieExponential",
    "LieMaxPooling",
    "NormActivation",
    "NormMaxPooling",
    "OrbitPooling",
    "Rearrange",
    "SE2Lift",
    "SE2Projection",
    "SteerableConv",
    "SteerablePool",
    "SteerableUpSampling",
    "StridedPooling",
    "TensorProduct",
]

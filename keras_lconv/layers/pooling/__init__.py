"""Pooling: equivariant, to fewer positions, or to invariants."""

from keras_lconv.layers.pooling.casimir_pooling import CasimirPooling
from keras_lconv.layers.pooling.cluster_pooling import ClusterPooling
from keras_lconv.layers.pooling.fibre_norm import FibreNorm
from keras_lconv.layers.pooling.gradient_norm import GradientNorm
from keras_lconv.layers.pooling.group_projection import GroupProjection
from keras_lconv.layers.pooling.invariant_pooling import InvariantPooling
from keras_lconv.layers.pooling.learned_pooling import LearnedPooling
from keras_lconv.layers.pooling.lie_max_pooling import LieMaxPooling
from keras_lconv.layers.pooling.norm_max_pooling import NormMaxPooling
from keras_lconv.layers.pooling.orbit_pooling import OrbitPooling
from keras_lconv.layers.pooling.se2_projection import SE2Projection
from keras_lconv.layers.pooling.strided_pooling import StridedPooling

__all__ = [
    "CasimirPooling",
    "ClusterPooling",
    "FibreNorm",
    "GradientNorm",
    "GroupProjection",
    "InvariantPooling",
    "LearnedPooling",
    "LieMaxPooling",
    "NormMaxPooling",
    "OrbitPooling",
    "SE2Projection",
    "StridedPooling",
]

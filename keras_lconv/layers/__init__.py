"""Layers to build models with."""

from keras_lconv.layers.casimir_pooling import CasimirPooling
from keras_lconv.layers.coarse_pooling import CoarsePooling
from keras_lconv.layers.invariant_pooling import InvariantPooling
from keras_lconv.layers.lconv import LConv
from keras_lconv.layers.lie_block import LieBlock
from keras_lconv.layers.lie_exponential import LieExponential
from keras_lconv.layers.lie_max_pooling import LieMaxPooling
from keras_lconv.layers.norm_max_pooling import NormMaxPooling
from keras_lconv.layers.norm_pooling import NormPooling
from keras_lconv.layers.orbit_pooling import OrbitPooling
from keras_lconv.layers.rearrange import Rearrange

__all__ = [
    "CasimirPooling",
    "CoarsePooling",
    "InvariantPooling",
    "LConv",
    "LieBlock",
    "LieExponential",
    "LieMaxPooling",
    "NormMaxPooling",
    "NormPooling",
    "OrbitPooling",
    "Rearrange",
]

"""Layers to build models with."""

from keras_lconv.layers.coarse_pooling import CoarsePooling
from keras_lconv.layers.lconv import LConv
from keras_lconv.layers.lie_block import LieBlock
from keras_lconv.layers.lie_exponential import LieExponential
from keras_lconv.layers.lie_max_pooling import LieMaxPooling
from keras_lconv.layers.norm_max_pooling import NormMaxPooling
from keras_lconv.layers.norm_pooling import NormPooling

__all__ = [
    "CoarsePooling",
    "LConv",
    "LieBlock",
    "LieExponential",
    "LieMaxPooling",
    "NormMaxPooling",
    "NormPooling",
]

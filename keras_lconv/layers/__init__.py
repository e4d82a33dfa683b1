"""Layers to build models with."""

from keras_lconv.layers.invariant_pooling import InvariantPooling
from keras_lconv.layers.lconv import LConv
from keras_lconv.layers.lie_block import LieBlock
from keras_lconv.layers.lie_exponential import LieExponential

__all__ = ["InvariantPooling", "LConv", "LieBlock", "LieExponential"]

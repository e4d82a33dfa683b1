"""Layers to build models with."""

from keras_lconv.layers.lconv import LConv
from keras_lconv.layers.lie_block import LieBlock

__all__ = ["LConv", "LieBlock"]

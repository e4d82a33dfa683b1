"""Convolutions by generators and by group elements."""

from keras_lconv.layers.convolution.group_lift import GroupLift
from keras_lconv.layers.convolution.lconv import LConv
from keras_lconv.layers.convolution.lie_block import LieBlock
from keras_lconv.layers.convolution.lie_exponential import LieExponential
from keras_lconv.layers.convolution.se2_lift import SE2Lift

__all__ = [
    "GroupLift",
    "LConv",
    "LieBlock",
    "LieExponential",
    "SE2Lift",
]

"""Exact conversion of other layers, with their weights, to L-convs and back."""

from keras_lconv.convert.block_diagonal import BlockDiagonal
from keras_lconv.convert.conv import from_conv, to_conv
from keras_lconv.convert.dense import from_dense
from keras_lconv.convert.graph_conv import from_graph_conv
from keras_lconv.convert.lie_exponential import from_lie_exponential

__all__ = [
    "BlockDiagonal",
    "from_conv",
    "from_dense",
    "from_graph_conv",
    "from_lie_exponential",
    "to_conv",
]

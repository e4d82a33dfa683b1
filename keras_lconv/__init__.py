"""Lie algebra convolutions for Keras 3.

The layers are re-exported here. Generators, mathematics, data and plots live in the
submodules `generators`, `algebra`, `metrics`, `callbacks`, `datasets` and
`visualization`.
"""

from keras_lconv import generators
from keras_lconv._version import __version__
from keras_lconv.layers import (
    CasimirPooling,
    CoarsePooling,
    InvariantPooling,
    LConv,
    LieBlock,
    LieExponential,
    LieMaxPooling,
    NormMaxPooling,
    NormPooling,
    OrbitPooling,
    Rearrange,
)

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
    "__version__",
    "generators",
]

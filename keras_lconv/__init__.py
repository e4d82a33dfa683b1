"""Lie algebra convolutions for Keras 3.

The layers are re-exported here. Generators, mathematics, data and plots live in the
submodules `generators`, `algebra`, `physics`, `metrics`, `callbacks`, `datasets` and
`visualization`.
"""

from keras_lconv import generators
from keras_lconv._version import __version__
from keras_lconv.layers import (
    ActionRegularization,
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
)

__all__ = [
    "ActionRegularization",
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
    "__version__",
    "generators",
]

"""Lie algebra convolutions for Keras 3.

The layers are re-exported here. Generators, mathematics, models, discovery, physics, data
and plots live in the submodules `generators`, `algebra`, `models`, `convert`, `discovery`,
`physics`, `metrics`, `regularizers`, `callbacks`, `datasets` and `visualization`.
"""

from keras_lconv import generators
from keras_lconv._version import __version__
from keras_lconv.layers import (
    ActionRegularization,
    CasimirPooling,
    CoarsePooling,
    EquivariantDense,
    GatedActivation,
    InvariantPooling,
    LConv,
    LieBlock,
    LieExponential,
    LieMaxPooling,
    NormActivation,
    NormMaxPooling,
    NormPooling,
    OrbitPooling,
    Rearrange,
    SE2Lift,
    SE2Projection,
    TensorProduct,
)

__all__ = [
    "ActionRegularization",
    "CasimirPooling",
    "CoarsePooling",
    "EquivariantDense",
    "GatedActivation",
    "InvariantPooling",
    "LConv",
    "LieBlock",
    "LieExponential",
    "LieMaxPooling",
    "NormActivation",
    "NormMaxPooling",
    "NormPooling",
    "OrbitPooling",
    "Rearrange",
    "SE2Lift",
    "SE2Projection",
    "TensorProduct",
    "__version__",
    "generators",
]

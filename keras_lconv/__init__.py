"""Lie algebra convolutions for Keras 3.

The layers are re-exported here. Generators, mathematics, models, discovery, physics, data
and plots live in the submodules `generators`, `algebra`, `models`, `convert`, `discovery`,
`physics`, `losses`, `metrics`, `initializers`, `regularizers`, `callbacks`, `datasets`,
`estimators` (for scikit-learn) and `visualization`, which are attributes, imported when
they are first used.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from keras_lconv import generators, layers
from keras_lconv._version import __version__ as __version__
from keras_lconv.layers import *  # noqa: F403

if not TYPE_CHECKING:  # Type checkers cannot read a computed list, and need none.
    __all__ = ["__version__", "generators", *layers.__all__]
_SUBMODULES = (
    "algebra",
    "callbacks",
    "convert",
    "datasets",
    "discovery",
    "estimators",
    "initializers",
    "losses",
    "metrics",
    "models",
    "physics",
    "regularizers",
    "visualization",
)


def __getattr__(name: str) -> ModuleType:
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES})

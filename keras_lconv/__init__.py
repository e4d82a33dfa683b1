"""Lie algebra convolutions for Keras 3.

The layers are re-exported here. Generators, mathematics, models, discovery, physics, data
and plots live in the submodules `generators`, `algebra`, `models`, `convert`, `discovery`,
`physics`, `losses`, `metrics`, `initializers`, `regularizers`, `callbacks`, `datasets` and
`visualization`.
"""

from keras_lconv import generators, layers
from keras_lconv._version import __version__
from keras_lconv.layers import *  # noqa: F403

__all__ = ["__version__", "generators", *layers.__all__]

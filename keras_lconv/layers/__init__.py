"""Layers to build models with."""

from typing import TYPE_CHECKING

from keras_lconv.layers import convolution, equivariant, points, pooling, steerable
from keras_lconv.layers.action_regularization import ActionRegularization
from keras_lconv.layers.convolution import *  # noqa: F403
from keras_lconv.layers.equivariant import *  # noqa: F403
from keras_lconv.layers.points import *  # noqa: F403
from keras_lconv.layers.pooling import *  # noqa: F403
from keras_lconv.layers.rearrange import Rearrange
from keras_lconv.layers.steerable import *  # noqa: F403

if not TYPE_CHECKING:  # Type checkers cannot read a computed list, and need none.
    __all__ = [
        "ActionRegularization",
        "Rearrange",
        *convolution.__all__,
        *equivariant.__all__,
        *points.__all__,
        *pooling.__all__,
        *steerable.__all__,
    ]

"""Weights that are refused before they are allocated, if they do not fit."""

import math
from typing import Any

import keras

from keras_lconv._memory import require_memory


class BoundedWeights(keras.layers.Layer):
    """A layer whose weights have to fit, with what training holds beside them."""

    def add_weight(self, shape: Any = None, *args: Any, **kwargs: Any) -> keras.Variable:
        """Creates a weight, as every Keras layer does.

        Raises:
            ValueError: If it would take more than the share of the memory.
        """
        sizes = (shape,) if isinstance(shape, int) else tuple(shape or ())
        # A gradient and the two moments of Adam beside each number.
        copies = 4 if kwargs.get("trainable", True) else 1
        require_memory(
            f"A weight of {type(self).__name__} {self.name!r} of shape {sizes}",
            copies * math.prod(sizes),
            "Fewer positions, channels, generators or units need less",
            itemsize=4,
        )
        return super().add_weight(shape, *args, **kwargs)

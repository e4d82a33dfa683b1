"""Refuses weights that do not fit into memory, before they are allocated."""

import math
from typing import Any

import keras

from keras_lconv._memory import require_memory


class BoundedWeights(keras.layers.Layer):
    """A layer whose weights must fit into memory, including the copies for training."""

    def add_weight(self, shape: Any = None, *args: Any, **kwargs: Any) -> keras.Variable:
        """Creates a weight, as every Keras layer does.

        Raises:
            ValueError: If it would take more than the share of the memory.
        """
        sizes = (shape,) if isinstance(shape, int) else tuple(shape or ())
        # Each number also needs a gradient and the two moments of Adam.
        copies = 4 if kwargs.get("trainable", True) else 1
        require_memory(
            f"A weight of {type(self).__name__} {self.name!r} of shape {sizes}",
            copies * math.prod(sizes),
            "Fewer positions, channels, generators or units need less",
            itemsize=4,
        )
        return super().add_weight(shape, *args, **kwargs)

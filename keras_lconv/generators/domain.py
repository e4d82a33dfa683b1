"""The number of generators and their positions, with a check that these fit."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import keras

from keras_lconv._typing import Shape
from keras_lconv._validation import MOST_GENERATORS, boolean, positive_int, spatial_shape
from keras_lconv._weights import BoundedWeights

T = TypeVar("T")


class OnGrid(BoundedWeights):
    """A layer of `k` operators on the positions of the grid for which it is built.

    Args:
        num_generators: Number `k` of generators.
        learned: Whether they are learned.
        **kwargs: `name` and `dtype`, as for every Keras layer.
    """

    def __init__(self, num_generators: int, *, learned: bool, **kwargs: Any):
        super().__init__(**kwargs)
        self._num_generators = positive_int(
            "num_generators", num_generators, most=MOST_GENERATORS
        )
        self._learned = boolean("trainable", learned)
        self._spatial_shape: tuple[int, ...] | None = None

    @property
    def num_generators(self) -> int:
        """The number `k` of generators."""
        return self._num_generators

    @property
    def is_learned(self) -> bool:
        """Whether the generators are learned, rather than given."""
        return self._learned

    @property
    def spatial_shape(self) -> tuple[int, ...] | None:
        """Spatial shape of the inputs; `None` before the generators are built."""
        return self._spatial_shape

    @property
    def is_square(self) -> bool:
        """Whether the generators map the positions of the input to themselves."""
        return True

    def output_spatial_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Spatial shape of `L_i f` for `f` of spatial shape `shape`."""
        return shape

    @property
    def size(self) -> int:
        """The number `d` of positions of the input.

        Raises:
            ValueError: If the generators are not built yet.
        """
        return math.prod(self.require_built("size"))

    @property
    def output_size(self) -> int:
        """The number `d'` of positions of `L_i f`.

        Raises:
            ValueError: If the generators are not built yet.
        """
        return math.prod(self.output_spatial_shape(self.require_built("output_size")))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of `call(f)`."""
        shape = spatial_shape(input_shape, type(self).__name__)
        channels = input_shape[-1] if len(input_shape) > 2 else 1
        output = self.output_spatial_shape(shape)
        return (input_shape[0], *output, self.num_generators, channels)

    def build(self, input_shape: Shape) -> None:
        """Fixes the grid. Subclasses call it first and then create their weights."""
        shape = spatial_shape(input_shape, type(self).__name__)
        self._spatial_shape = shape
        axes = {axis + 1: size for axis, size in enumerate(shape)}
        self.input_spec = keras.layers.InputSpec(
            min_ndim=2 if len(shape) == 1 else len(shape) + 2,
            max_ndim=len(shape) + 2,
            axes=axes,
        )

    def build_for(self, input_shape: Shape, owner: str) -> None:
        """Builds the generators for a layer, or checks that they fit it.

        Args:
            input_shape: Shape of the channels-last input of the layer.
            owner: Name of the layer, for the message.

        Raises:
            ValueError: If the generators were built for another spatial shape.
        """
        shape = spatial_shape(input_shape, owner)
        if not self.built:
            self.build(input_shape)
        elif shape != self._spatial_shape:
            raise ValueError(
                f"The generators {self.name!r} of {owner} were built for inputs of "
                f"spatial shape {self._spatial_shape}, and can only be shared by "
                f"layers with the same one. Received: spatial shape {shape}"
            )

    def require_built(self, method: str) -> tuple[int, ...]:
        """The spatial shape, which `method` needs.

        Args:
            method: Name of the method that asks, for the message.

        Returns:
            The spatial shape.

        Raises:
            ValueError: If the generators are not built yet.
        """
        if self._spatial_shape is None:
            raise ValueError(
                f"`{method}` needs the spatial shape, which {self.name!r} does not know "
                "yet. Call it on an input, or `build((None, *spatial, channels))`, first"
            )
        return self._spatial_shape


def if_known(generators: OnGrid, ask: Callable[[], T]) -> T | None:
    """The result of a method of fixed generators, or `None` if they must be built first."""
    try:
        return ask()
    except ValueError:
        if generators.built:
            raise
        return None

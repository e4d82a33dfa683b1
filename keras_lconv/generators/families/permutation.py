"""Elements of groups that permute components, for layers whose maps commute with them."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import take
from keras_lconv._typing import ArrayLike, Shape, Tensor
from keras_lconv._validation import integer_array
from keras_lconv.algebra.constraints import Acting
from keras_lconv.algebra.permutations import Permutations, are_permutations, matrices_of
from keras_lconv.generators.base import Generators


@keras.saving.register_keras_serializable(package="keras_lconv")
class PermutationGenerators(Generators):
    """`h_l - 1` for elements `h_l` of a group that permute components, as integers.

    They correspond to `GroupGenerators` of other groups, but have no weights: the elements
    move components, and matrices are made on request.

    Args:
        images: Integers `(m, n)`: the element `l` takes the component `j` to
            `images[l, j]`.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: If `images` is not an array of integers.
        ValueError: If a row is not a permutation.
    """

    def __init__(self, images: ArrayLike, **kwargs: Any):
        array = integer_array("images", images)
        if array.ndim != 2 or not array.size or not are_permutations(array):
            raise ValueError(
                "`images` must have shape `(m, n)`, with all numbers below `n` in each "
                f"row. Received: an array of shape {array.shape}"
            )
        super().__init__(len(array), **{**kwargs, "trainable": False})
        self.images = array
        # The component from which each component of the result comes, `(n, m)`.
        self._sources = np.argsort(array, axis=1).T.astype("int32")

    def build(self, input_shape: Shape) -> None:
        """Checks the number of components."""
        super().build(input_shape)
        number = self.images.shape[1]
        if self.size != number:
            raise ValueError(
                f"The elements of {self.name!r} permute {number} components. Received: "
                f"an input of spatial shape {self.spatial_shape}, which has {self.size}"
            )

    def apply(self, f: Tensor) -> Tensor:
        """All `h_l f - f`, of shape `(batch, n, m, channels)`."""
        moved = take(f, self._sources.ravel(), axis=1)
        moved = ops.reshape(moved, (-1, *self._sources.shape, f.shape[-1]))
        return moved - ops.expand_dims(f, 2)

    def matrices(self) -> np.ndarray:
        """The matrices `h_l - 1`, `(m, n, n)`. It works before a build, too."""
        return matrices_of(self.images) - np.eye(self.images.shape[1])

    @property
    def is_antisymmetric(self) -> bool:
        """False. Keras reads all properties when it saves, so this makes no matrix."""
        return False

    @property
    def num_elements(self) -> int:
        """The number of elements."""
        return self.num_generators

    @property
    def permutes_components(self) -> bool:
        """True: all elements permute the components."""
        return True

    def acting(self) -> Acting:
        """The elements, whose matrices are made on request."""
        return Permutations(self.images)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {**super().get_config(), "images": self.images.tolist()}

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

    They are what `GroupGenerators` are for other groups, and have no weights: the elements
    take components elsewhere, and matrices are made when they are asked for.

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
                "`images` must have shape `(m, n)`, and all numbers below `n` in each of "
                f"its rows. Received: an array of shape {array.shape}"
            )
        super().__init__(len(array), **{**kwargs, "trainable": False})
        self.images = array
        # Where each component of the result comes from, `(n, m)`.
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
        """The matrices `h_l - 1`, `(m, n, n)`, also before a build."""
        return matrices_of(self.images) - np.eye(self.images.shape[1])

    @property
    def is_antisymmetric(self) -> bool:
        """No, and no matrix is made for it: Keras asks for all properties when it saves."""
        return False

    @property
    def num_elements(self) -> int:
        """The number of elements."""
        return self.num_generators

    @property
    def permutes_components(self) -> bool:
        """Whether all elements permute the components: they do."""
        return True

    def acting(self) -> Acting:
        """The elements, whose matrices are made when they are asked for."""
        return Permutations(self.images)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {**super().get_config(), "images": self.images.tolist()}

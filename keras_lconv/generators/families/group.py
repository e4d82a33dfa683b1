"""Groups with further elements, for layers whose maps commute with them."""

from typing import Any

import keras
import numpy as np

from keras_lconv._typing import ArrayLike, GeneratorsLike
from keras_lconv._validation import square_matrices
from keras_lconv.algebra import MatrixGroup, Representation
from keras_lconv.algebra.constraints import Acting, action_of
from keras_lconv.algebra.permutations import images_of
from keras_lconv.generators.base import Generators
from keras_lconv.generators.families.matrix import MatrixGenerators
from keras_lconv.generators.families.permutation import PermutationGenerators


@keras.saving.register_keras_serializable(package="keras_lconv")
class GroupGenerators(MatrixGenerators):
    """The generators `L_i` of a representation, and `h_l - 1` for its further elements.

    A map commutes with the group if and only if it commutes with these matrices, and a
    vector is invariant if and only if they map it to zero. `exp(t (h - 1))` is not an
    element of the group, so these matrices serve only layers that solve such conditions.

    Args:
        generators: Matrices `(k, n, n)` of the generators.
        elements: Matrices `(m, n, n)` of the further elements.
        **kwargs: `name`, `dtype`.
    """

    def __init__(self, generators: ArrayLike, elements: ArrayLike, **kwargs: Any):
        given = [np.asarray(part, "float64") for part in (generators, elements)]
        parts = [square_matrices("generators", part) for part in given if part.size]
        self._elements = parts[-1] if given[1].size else np.zeros((0, *parts[0].shape[1:]))
        one = np.eye(parts[0].shape[1])
        if given[1].size:
            parts[-1] = self._elements - one
        super().__init__(np.concatenate(parts), **kwargs)

    @property
    def generators(self) -> np.ndarray:
        """The matrices of the generators, `(k, n, n)`."""
        return self._matrices[: self.num_generators - self.num_elements]

    @property
    def elements(self) -> np.ndarray:
        """The matrices of the further elements, `(m, n, n)`."""
        return self._elements

    @property
    def num_elements(self) -> int:
        """The number of further elements."""
        return len(self._elements)

    @property
    def permutes_components(self) -> bool:
        """Whether all elements permute the components, as pointwise functions allow."""
        return not np.any(self.generators) and images_of(self._elements) is not None

    def acting(self) -> Acting:
        """The object itself, which has generators and elements."""
        return self

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        config = super().get_config()
        del config["matrices"]
        return {
            **config,
            "generators": self.generators.tolist(),
            "elements": self._elements.tolist(),
        }


def with_groups(identifier: "GeneratorsLike | MatrixGroup | Representation") -> Any:
    """Turns a group into its generators, so that `keras_lconv.generators.get` takes it."""
    if isinstance(identifier, MatrixGroup):
        identifier = identifier.standard
    if not isinstance(identifier, Representation):
        return identifier
    if identifier.images is not None and not identifier.group.dimension:
        return PermutationGenerators(identifier.images)
    return GroupGenerators(*action_of("generators", identifier))


def matrices_or_images(generators: Generators) -> np.ndarray:
    """Matrices `(k, d, d)` of generators, or images `(k, d)` of elements that permute
    components.
    """
    if isinstance(generators, PermutationGenerators):
        return generators.images
    return generators.matrices()

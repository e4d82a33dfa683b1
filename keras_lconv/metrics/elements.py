"""The group elements that move the input and the output of a model."""

from typing import Protocol, TypeAlias, runtime_checkable

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from keras_lconv._layout import flatten, to_features
from keras_lconv._ops import to_numpy
from keras_lconv._typing import GeneratorsLike, Tensor
from keras_lconv._validation import finite_array, positive_int
from keras_lconv.algebra import MatrixGroup, Representation
from keras_lconv.generators import Generators
from keras_lconv.generators.registry import get_known


class RandomElements:
    """Random elements of a group, in one of its representations.

    The elements of two representations of one group correspond to each other.
    """

    def __init__(self, representation: Representation, number: int):
        group = representation.group
        self.num_generators = group.dimension + len(group.elements)
        self._matrices = representation.random_elements(number)
        self.numbers = np.arange(number)[:, None]
        self.compute_dtype = keras.config.floatx()

    def transform(self, f: Tensor, t: np.ndarray) -> Tensor:
        """The element with the number `t` on features `(batch, *spatial, channels)`."""
        matrix = self._matrices[int(t[0])]
        features = to_features(f, f.dtype)
        flat = flatten(features)
        if flat.shape[1] != len(matrix):
            raise ValueError(
                f"The group acts on {len(matrix)} components. Received: an input or output "
                f"with {flat.shape[1]}, of shape {tuple(f.shape)}"
            )
        moved = ops.einsum("ij,bjc->bic", ops.cast(matrix, f.dtype), flat)
        return ops.reshape(moved, f.shape)


@runtime_checkable
class Flow(Protocol):
    """An object that moves points along vector fields, such as `FieldReport` and
    `VectorFields`.
    """

    @property
    def dimension(self) -> int:
        """The number of fields."""
        ...

    def flow(self, x: ArrayLike, t: ArrayLike) -> np.ndarray:
        """Points `(batch, n)` after the time 1 along `sum_i t_i v_i`."""
        ...


class Flows:
    """The flows of vector fields, on tables.

    Args:
        fields: An object with `flow` and `dimension`.
    """

    def __init__(self, fields: Flow):
        self.num_generators, self._fields = fields.dimension, fields
        self.compute_dtype = keras.config.floatx()

    def transform(self, f: Tensor, t: np.ndarray) -> Tensor:
        """Samples `(batch, n)` after the time 1 along `sum_i t_i v_i`."""
        moved = self._fields.flow(to_numpy(f), t)
        if not np.all(np.isfinite(moved)):
            left = np.sum(~np.all(np.isfinite(moved), axis=1))
            raise ValueError(
                f"`parameters` must keep all samples finite. Received: {t.tolist()}, which "
                f"move {left} of {len(moved)} samples to infinity. Take smaller ones"
            )
        return ops.convert_to_tensor(moved, dtype=f.dtype)


Acting: TypeAlias = Generators | RandomElements | Flows


def acting_by(name: str, value: GeneratorsLike | Flow, parameters: ArrayLike) -> Acting:
    """Generators with parameters, random elements of a group, or flows of fields."""
    if isinstance(value, Flow):
        return Flows(value)
    if not isinstance(value, (MatrixGroup, Representation)):
        return get_known(name, value)
    representation = value.standard if isinstance(value, MatrixGroup) else value
    return RandomElements(representation, positive_int("parameters", parameters))


def checked_parameters(parameters: ArrayLike, acting: Acting) -> np.ndarray:
    """Parameters `(n, k)` of group elements, as a float64 array."""
    if isinstance(acting, RandomElements):
        return acting.numbers
    array = finite_array("parameters", parameters)
    k = acting.num_generators
    if array.ndim == 1 and k == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != k or not len(array):
        raise ValueError(
            f"`parameters` must have shape `(n, k)` with k={k} generators and n > 0. "
            f"Received: shape {np.shape(parameters)}"
        )
    return array

"""How a symmetry changes the field of a linear L-conv layer."""

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import concrete_value
from keras_lconv._typing import GeneratorsLike, Tensor
from keras_lconv._validation import finite_array
from keras_lconv.algebra import LieAlgebra
from keras_lconv.generators import Generators
from keras_lconv.generators.registry import get_known
from keras_lconv.layers import LConv
from keras_lconv.physics.action_symmetries import ActionSymmetries


def variation(
    layer: LConv,
    f: Tensor,
    symmetry: GeneratorsLike | ActionSymmetries,
    has_target: bool,
) -> tuple[Tensor, Tensor | None]:
    """`K f` of symmetries `K f = -xi^a d_a f + M f`, and `xi`.

    Args:
        layer: The layer, with vector fields.
        f: Tensor `(batch, *spatial, c)`.
        symmetry: Fields, matrices on channels, or both.
        has_target: Whether there is a source besides the bias.

    Returns:
        Tensors `(batch, *spatial, k, c)` and `(k, *spatial, ndim)`, or `None` for `xi = 0`.
    """
    if isinstance(symmetry, ActionSymmetries):
        if not symmetry.dimension:
            raise ValueError("`symmetry` must not be empty. Received: no symmetries")
        change, moves = variation(layer, f, symmetry.to_generators(), has_target)
        matrices = ops.convert_to_tensor(symmetry.matrices, dtype=f.dtype)
        return change + ops.einsum("kcd,b...d->b...kc", matrices, f), moves
    if isinstance(symmetry, (str, Generators)):
        moves = _fields_of(layer, symmetry, f.dtype)
        # This uses the derivative of the layer, whatever derivative the symmetry has.
        axes = range(len(f.shape) - 2)
        slopes = ops.stack([layer.generators.differentiate(f, a) for a in axes], axis=-2)
        return -ops.einsum("k...a,b...ac->b...kc", moves, slopes), moves
    matrices = symmetry.basis if isinstance(symmetry, LieAlgebra) else symmetry
    array = finite_array("symmetry", matrices)
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[1:] != (f.shape[-1],) * 2:
        raise ValueError(
            f"`symmetry` must be generators with vector fields, or matrices of the "
            f"{f.shape[-1]} channels, of shape `(k, c, c)`. "
            f"Received: shape {array.shape}"
        )
    bias = concrete_value(layer.bias) if layer.use_bias else None
    if has_target or (bias is not None and np.any(bias)):
        raise ValueError(
            "`symmetry` must not be a matrix on channels if there is a bias or a target, "
            "because these are sources in a fixed direction. Received: a layer with one "
            "of them. Take `use_bias=False` or a bias of zeros, and no target"
        )
    matrices = ops.convert_to_tensor(array, dtype=f.dtype)
    return ops.einsum("kcd,b...d->b...kc", matrices, f), None


def _fields_of(layer: LConv, symmetry: GeneratorsLike, dtype: str) -> Tensor:
    """The vector fields of a symmetry of space, on the grid of the layer."""
    generators = get_known("symmetry", symmetry)
    generators.build_for((None, *(layer.generators.spatial_shape or ()), 1), "Lagrangian")
    fields = generators.vector_field_tensor(dtype)
    if fields is None:
        raise ValueError(
            "A `symmetry` of space must have vector fields, such as "
            f"`VectorFieldGenerators`. Received: {type(generators).__name__} "
            f"{generators.name!r}"
        )
    return fields


def check_layer(layer: object) -> None:
    """Raises an error unless a layer is a built linear `LConv` of first order."""
    if not isinstance(layer, LConv):
        raise TypeError(
            f"`layer` must be an `LConv`. Received: {layer!r} (of type "
            f"{type(layer).__name__})"
        )
    if not layer.built:
        raise ValueError(
            f"`layer` must be built. Received: {layer.name!r}, which has no weights yet. "
            "Call it on an input first"
        )
    if layer.activation is not keras.activations.linear:
        raise ValueError(
            "`layer` must be linear, so that its squared output is the action of a free "
            f"field. Received: {layer.name!r} with activation={layer.activation!r}"
        )
    if (layer.num_steps, layer.order, layer.smoothing) != (1, 1, None):
        raise ValueError(
            "`layer` must be of first order in its generators. "
            f"Received: {layer.name!r} with num_steps={layer.num_steps}, "
            f"order={layer.order}, smoothing={layer.smoothing}"
        )

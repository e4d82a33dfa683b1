"""Generators of any family as matrices, and properties read from their entries."""

from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from keras_lconv._backend import concrete_value, outside_of_graphs
from keras_lconv._memory import require_memory
from keras_lconv._typing import Tensor

if TYPE_CHECKING:
    from keras_lconv.generators.base import Generators

# The number of columns computed at a time.
COLUMNS = 4096
# Relative to the largest entry. Smaller entries are rounding of float32.
ROUNDING = 1e-7


def applied(generators: "Generators", f: Tensor) -> Tensor:
    """The result of `apply`, with a check of its shape.

    Raises:
        ValueError: If `apply` returns another shape.
    """
    moved = generators.apply(f)
    expected = (generators.output_size, generators.num_generators, f.shape[2])
    if tuple(moved.shape[1:]) != expected:
        raise ValueError(
            f"`apply` of {generators.name!r} must return `(batch, d', k, channels)` = "
            f"(batch, {', '.join(map(str, expected))}). "
            f"Received: shape {tuple(moved.shape)}"
        )
    return moved


def dense_form(generators: "Generators") -> Tensor:
    """All `L_i` as a tensor `(k, d', d)`, from the action on unit vectors."""
    size, k = generators.size, generators.num_generators
    columns = []
    for start in range(0, size, COLUMNS):
        number = min(COLUMNS, size - start)
        unit = np.eye(number, size, k=start)[..., None]
        unit = ops.convert_to_tensor(unit, dtype=generators.variable_dtype)
        columns.append(ops.reshape(applied(generators, unit), (number, -1, k)))
    return ops.transpose(ops.concatenate(columns, axis=0), (2, 1, 0))


def present_form(generators: "Generators") -> np.ndarray:
    """The matrices `(k, d', d)` that the generators have now, in NumPy.

    Raises:
        ValueError: If their values are not known while a graph is traced.
    """
    with outside_of_graphs():
        matrices = concrete_value(generators.to_dense())
    if matrices is None:
        raise ValueError(
            f"The values of the generators {generators.name!r} are not known while a graph "
            "is traced. Build the layer or its model before that"
        )
    return matrices.astype("float64")


def require_room(generators: "Generators", method: str) -> None:
    """Raises an error if matrices `(k, d', d)` do not fit into memory, or there
    is no grid.
    """
    shape = generators.require_built(method)
    require_memory(
        f"`{method}` of the generators {generators.name!r} on positions {shape}",
        generators.num_generators * generators.output_size * generators.size,
        "`LConv`, `transform` and `CasimirPooling` act without matrices. Use these, or "
        "an input with fewer positions",
    )


def matrix_norm_bounds(matrices: Tensor, xp: Any = ops) -> Any:
    """Bounds `sqrt(|L|_1 |L|_inf)` of spectral norms, `(k,)`, which need sums only.

    With NumPy for `xp` it takes arrays, and works while a graph is traced.
    """
    sizes = xp.abs(matrices)
    columns = xp.max(xp.sum(sizes, axis=1), axis=1)
    rows = xp.max(xp.sum(sizes, axis=2), axis=1)
    return xp.sqrt(columns * rows)


def are_antisymmetric(matrices: np.ndarray) -> bool:
    """Whether all square matrices `(k, d, d)` are antisymmetric to the rounding
    of float32.
    """
    sums = np.abs(matrices + np.swapaxes(matrices, 1, 2))
    return bool(np.max(sums) <= ROUNDING * np.max(np.abs(matrices)))

"""Operators that refine the eigenspaces of a Casimir operator."""

import numpy as np

from keras_lconv._validation import finite_array, names_or_matrices
from keras_lconv.algebra import invariants
from keras_lconv.generators import Generators, derivative_matrix


def _radius(shape: tuple[int, ...], derivative: str) -> np.ndarray:
    """The squared distance from the centre of the grid, a diagonal matrix."""
    squares = [(np.arange(n) - (n - 1) / 2) ** 2 for n in shape]
    return np.diag(np.sum(np.meshgrid(*squares, indexing="ij"), axis=0).ravel())


def _wavenumber(shape: tuple[int, ...], derivative: str) -> np.ndarray:
    """The squared length of the gradient, minus the Laplacian."""
    total: np.ndarray = np.zeros((1, 1))
    for n in shape:
        slope = derivative_matrix(n, derivative)
        total = np.kron(total, np.eye(n)) + np.kron(np.eye(len(total)), slope.T @ slope)
    return total


NAMED = {"radius": _radius, "wavenumber": _wavenumber}


def checked_operators(refine: object) -> tuple[str | np.ndarray, ...]:
    """Names and symmetric matrices, from one of them or several."""
    return names_or_matrices("refine", refine, _checked)


def _checked(operator: object) -> str | np.ndarray:
    if isinstance(operator, str):
        if operator not in NAMED:
            raise ValueError(
                f"`refine` must be one of {sorted(NAMED)}, or a matrix. "
                f"Received: refine={operator!r}"
            )
        return operator
    array = finite_array("refine", operator)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ValueError(
            "`refine` must be a matrix of shape `(d, d)`. "
            f"Received: an array of shape {array.shape}"
        )
    if invariants.asymmetry(array, 1) > invariants.PRECISION:
        raise ValueError(
            "`refine` must be a symmetric matrix, so that its eigenspaces are orthogonal. "
            f"Received: |R - R^T| / |R| = {invariants.asymmetry(array, 1):.1e}"
        )
    return array


def operator_on(
    generators: Generators, operator: str | np.ndarray, owner: str
) -> np.ndarray:
    """The matrix of an operator on the grid of built generators."""
    shape = generators.spatial_shape or ()
    size = int(np.prod(shape))
    if not isinstance(operator, str):
        if len(operator) != size:
            raise ValueError(
                f"`refine` of {owner} must be a matrix of shape {(size, size)}. "
                f"Received: shape {operator.shape}"
            )
        return operator
    if generators.num_generators != 1 or len(shape) < 2:
        raise ValueError(
            f"`refine={operator!r}` of {owner} needs one generator, a rotation of images. "
            f"Received: {generators.num_generators} generators on the spatial shape {shape}"
        )
    return NAMED[operator](shape, generators.derivative)

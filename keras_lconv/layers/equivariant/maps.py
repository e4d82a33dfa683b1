"""The spaces of linear maps whose coefficients `EquivariantDense` learns."""

import math
from collections.abc import Callable

import numpy as np
from keras import ops

from keras_lconv._typing import Tensor
from keras_lconv.algebra import intertwiners, trivial
from keras_lconv.algebra.all_permutations import tensor_orders
from keras_lconv.algebra.characters import (
    Characters,
    commute_and_are_normal,
    shared_characters,
)
from keras_lconv.algebra.invariants import acts_orthogonally
from keras_lconv.algebra.permutations import (
    images_of,
    invariant_of_permutations,
    matrices_of,
)
from keras_lconv.layers.equivariant.permutation_maps import PermutationMaps

# The tolerance for commuting is above the rounding of float32. That for eigenvalues is
# smaller, because the eigenvalues of large grids lie close together.
MAP_TOLERANCE, CHARACTER_TOLERANCE = 1e-5, 1e-7

# A variance of the output below this share of the largest one is zero.
NO_VARIANCE = 1e-9


class DenseMaps:
    """Maps with a basis of matrices, `W = sum_m B_m w_m`.

    The basis is scaled such that coefficients with the variance `1 / (m c)` keep the
    variance of an input with `c` channels. For orthogonal representations this holds in
    each entry of the output, for others in the mean over all entries.

    Args:
        basis: Orthonormal intertwiners `(m, d', d)`.
        orthogonal: Whether both representations are orthogonal.
    """

    def __init__(self, basis: np.ndarray, orthogonal: bool):
        basis = basis * math.sqrt(basis.shape[1])
        self.num_maps = len(basis)
        self._values = _whitened(basis) if orthogonal and len(basis) else basis

    def add_to(self, add_constant: Callable[[str, np.ndarray], Tensor]) -> None:
        """Stores what is computed with as weights.

        A null space has many bases, so a saved layer must contain its own basis.
        """
        self._basis = add_constant("basis", self._values)

    def apply(self, f: Tensor, kernel: Tensor) -> Tensor:
        """`W f` for `f` of shape `(batch, d, channels)` and coefficients `(m, ...)`."""
        # The sum over the basis comes first, because it does not grow with the batch.
        matrices = ops.einsum("mij,mcu->ijcu", ops.cast(self._basis, f.dtype), kernel)
        return ops.einsum("ijcu,bjc->biu", matrices, f)


class CharacterMaps:
    """Maps between joint eigenvectors of commuting generators, never written out as
    matrices.

    They keep the variance, like `DenseMaps`.

    Args:
        characters: The characters that both representations contain.
    """

    def __init__(self, characters: Characters):
        self.num_maps = sum(block.num_maps for block in characters.blocks)
        self._characters = characters

    def add_to(self, add_constant: Callable[[str, np.ndarray], Tensor]) -> None:
        """Stores what is computed with as weights."""
        self._source = add_constant("basis_in", self._characters.source)
        self._target = add_constant("basis_out", self._characters.target)

    def apply(self, f: Tensor, kernel: Tensor) -> Tensor:
        """`W f` for `f` of shape `(batch, d, channels)` and coefficients `(m, ...)`."""
        channels, units = kernel.shape[1:]
        coordinates = ops.einsum("dr,bdc->brc", ops.cast(self._source, f.dtype), f)
        outputs = []
        used = read = 0
        for block in self._characters.blocks:
            parts = 1 if block.is_real else 2
            width = block.count * parts * block.inputs
            z = ops.reshape(
                coordinates[:, read : read + width],
                (-1, block.count, parts * block.inputs, channels),
            )
            shape = (block.count, parts, block.outputs, block.inputs, channels, units)
            scale = math.sqrt(self.num_maps / (parts * block.inputs))
            weights = scale * ops.reshape(kernel[used : used + block.num_maps], shape)
            matrix = weights[:, 0] if block.is_real else _real_matrix(weights)
            y = ops.einsum("bnpc,nqpcu->bnqu", z, matrix)
            outputs.append(ops.reshape(y, (-1, block.count * parts * block.outputs, units)))
            read += width
            used += block.num_maps
        y = ops.concatenate(outputs, axis=1)
        return ops.einsum("dr,bru->bdu", ops.cast(self._target, f.dtype), y)


def equivariant_maps(
    source: np.ndarray, target: np.ndarray, tolerance: float | None
) -> DenseMaps | CharacterMaps | PermutationMaps:
    """The maps from one representation to another that commute with the algebra.

    A map commutes with a matrix `h - 1` exactly if it commutes with `h`.

    Args:
        source: The result of `matrices_or_images` for the inputs.
        target: The same for the outputs.
        tolerance: Threshold for commuting.
    """
    images = _images(source), _images(target)
    if images[0] is not None and images[1] is not None:
        orders = tensor_orders(images[0], images[1])
        if orders is not None:
            return PermutationMaps(*orders)
    source, target = _matrices(source), _matrices(target)
    if all(commute_and_are_normal(matrices) for matrices in (source, target)):
        characters = shared_characters(source, target, tolerance or CHARACTER_TOLERANCE)
        return CharacterMaps(characters)
    orthogonal = all(map(acts_orthogonally, (*source, *target)))
    basis = intertwiners(source, target, tolerance or MAP_TOLERANCE)
    return DenseMaps(basis, orthogonal)


def invariant_vectors(target: np.ndarray, tolerance: float | None) -> np.ndarray:
    """An orthonormal basis `(s, d)` of the invariant vectors of the algebra."""
    images = _images(target)
    if images is not None:
        return invariant_of_permutations(images)
    maps = intertwiners(trivial(len(target)), target, tolerance or MAP_TOLERANCE)
    return maps[..., 0]


def _images(acting: np.ndarray) -> np.ndarray | None:
    """The images of components under `1 + L_i`, `(k, d)`, if all of these are
    permutations.
    """
    return acting if acting.ndim == 2 else images_of(acting + np.eye(acting.shape[1]))


def _matrices(acting: np.ndarray) -> np.ndarray:
    """The matrices `L_i`, `(k, d, d)`."""
    return acting if acting.ndim == 3 else matrices_of(acting) - np.eye(acting.shape[1])


def _real_matrix(weights: Tensor) -> Tensor:
    """`(n, 2, q, p, ...)` of complex numbers as real matrices `(n, 2q, 2p, ...)`."""
    real, imaginary = weights[:, 0], weights[:, 1]
    upper = ops.concatenate([real, -imaginary], axis=2)
    lower = ops.concatenate([imaginary, real], axis=2)
    return ops.concatenate([upper, lower], axis=1)


def _whitened(basis: np.ndarray) -> np.ndarray:
    """A basis of the same space that spreads the variance over all entries.

    `S = sum_m B_m B_m^T / m` is the covariance of the output for a white input, in the mean
    over coefficients. It commutes with an orthogonal representation, and so does its root.
    """
    covariance = np.einsum("mij,mkj->ik", basis, basis) / len(basis)
    values, vectors = np.linalg.eigh(covariance)
    kept = values > NO_VARIANCE * values[-1]
    roots = np.zeros_like(values)
    roots[kept] = values[kept] ** -0.5
    return np.einsum("ij,mjk->mik", (vectors * roots) @ vectors.T, basis)

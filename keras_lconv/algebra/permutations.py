"""Permutations as integers: the place that each thing goes to.

An array `(..., n)` of images stands for matrices `(..., n, n)` with an entry 1 in the row
`images[j]` of each column `j`, and zeros.
"""

from dataclasses import dataclass

import numpy as np

from keras_lconv._memory import require_memory
from keras_lconv.algebra.invariants import PRECISION


@dataclass(frozen=True)
class Permutations:
    """Elements that permute components, as an `Action` without an algebra.

    Args:
        images: Integers `(m, n)`.
    """

    images: np.ndarray

    @property
    def generators(self) -> np.ndarray:
        """No matrices, `(0, n, n)`."""
        return np.zeros((0, *[self.images.shape[1]] * 2))

    @property
    def elements(self) -> np.ndarray:
        """The matrices of the elements, `(m, n, n)`."""
        return matrices_of(self.images)


def images_of(matrices: np.ndarray, precision: float = PRECISION) -> np.ndarray | None:
    """Where matrices `(..., n, n)` take components, or `None` if one does not permute."""
    images = np.argmax(matrices, axis=-2)
    others = np.abs(matrices - matrices_of(images))
    if not are_permutations(images) or np.max(others, initial=0) > precision:
        return None
    return images


def are_permutations(images: np.ndarray) -> bool:
    """Whether each row of integers `(..., n)` holds all numbers below `n`."""
    return bool(np.all(np.sort(images, axis=-1) == np.arange(images.shape[-1])))


def matrices_of(images: np.ndarray) -> np.ndarray:
    """The matrices `(..., n, n)` of permutations."""
    size = images.shape[-1]
    require_memory(
        f"Matrices of permutations of {size} components",
        images.size * size,
        "Maps between tensors of a symmetric group need no matrices",
    )
    result = np.zeros((*images.shape, size))
    np.put_along_axis(result, images[..., None, :], 1.0, axis=-2)
    return result


def of_sum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The images of pairs of vectors, as by `products.block_diagonal` of the matrices."""
    return np.concatenate([a, b + a.shape[-1]], axis=-1)


def of_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The images of pairs of components, as by `products.kronecker` of the matrices."""
    pairs = a[..., :, None] * b.shape[-1] + b[..., None, :]
    return pairs.reshape(*pairs.shape[:-2], a.shape[-1] * b.shape[-1])


def compose(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The images `(..., n)` of products, as of the matrices: `b` moves first."""
    return np.take_along_axis(a, b, axis=-1)


def is_transitive_on_pairs(images: np.ndarray) -> bool:
    """Whether permutations `(m, n)` take each pair of two things to all others."""
    # The orbits are the diagonal, and all other pairs.
    return int(np.max(_orbits(of_product(images, images)))) == 1


def invariant_of_permutations(images: np.ndarray) -> np.ndarray:
    """An orthonormal basis `(s, n)` of the vectors that permutations leave as they are."""
    label = _orbits(images)
    members = (label == np.arange(np.max(label) + 1)[:, None]).astype("float64")
    return members / np.sqrt(members.sum(axis=1, keepdims=True))


def _orbits(images: np.ndarray) -> np.ndarray:
    """The number of the orbit of each thing, for permutations `(m, n)`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = images.shape[1]
    start = np.tile(np.arange(size), len(images))
    entries = (np.ones(len(start)), (start, images.ravel()))
    return connected_components(coo_array(entries, shape=(size, size)))[1]

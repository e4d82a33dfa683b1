"""Invariants of permutations, and tensors that the full symmetric group permutes."""

import numpy as np

from keras_lconv.algebra.invariants import are_permutations


def tensor_orders(source: np.ndarray, target: np.ndarray) -> tuple[int, int, int] | None:
    """`n`, `p` and `q` if elements of S_n generate it, and act on `V**p` and on `V**q`.

    Orders up to 2 are told. That a group is all of S_n is told by Jordan's theorem: it is
    transitive on pairs, and has an exchange of two.

    Args:
        source: Matrices `(m, n**p, n**p)`.
        target: Matrices of the same elements, `(m, n**q, n**q)`.
    """
    first, second = _base(source), _base(target)
    if first is None or second is None:
        return None
    (p, moved), (q, moved_out) = first, second
    permuted = [each for order, each in ((p, moved), (q, moved_out)) if order]
    if not permuted or any(not np.array_equal(permuted[0], each) for each in permuted):
        return None
    n = permuted[0].shape[1]
    if n < p + q or not _is_symmetric_group(permuted[0]):
        return None
    return n, p, q


def _base(matrices: np.ndarray) -> tuple[int, np.ndarray] | None:
    """The order of tensors that permutations act on, and the permutations of vectors."""
    if not are_permutations(matrices):
        return None
    matrices = np.round(matrices)
    size = matrices.shape[1]
    if size == 1:
        return 0, matrices
    root = round(np.sqrt(size))
    if root**2 == size and root > 1:
        diagonal = np.arange(root) * (root + 1)
        base = matrices[:, diagonal][:, :, diagonal]
        if are_permutations(base) and all(
            np.array_equal(whole, np.kron(each, each))
            for whole, each in zip(matrices, base, strict=True)
        ):
            return 2, base
    return 1, matrices


def _is_symmetric_group(permutations: np.ndarray) -> bool:
    """Whether permutations of `n` things generate all of them, told by Jordan's theorem."""
    n = permutations.shape[1]
    has_exchange = np.any(np.trace(permutations, axis1=1, axis2=2) == n - 2)
    pairs = np.arange(n * n).reshape(n, n)
    images = [pairs[image][:, image].ravel() for image in np.argmax(permutations, axis=1)]
    # The diagonal, and all other pairs.
    return bool(has_exchange) and int(np.max(_orbits(np.array(images)))) == 1


def invariant_of_permutations(matrices: np.ndarray) -> np.ndarray:
    """An orthonormal basis `(s, n)` of the vectors that permutations leave as they are."""
    label = _orbits(np.argmax(matrices, axis=1))
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

"""Invariants of an algebra of matrices, and whether matrices commute."""

from itertools import combinations

import numpy as np

# Matrices commute, or are symmetric or antisymmetric, up to this relative error.
PRECISION = 1e-6


def commutator_size(a: np.ndarray, b: np.ndarray) -> float:
    """`|ab - ba|` in units of `|a| |b|`, in the Frobenius norm times `sqrt(d)`."""
    scale = np.linalg.norm(a) * np.linalg.norm(b) / np.sqrt(len(a))
    return float(np.linalg.norm(a @ b - b @ a) / scale) if scale else 0.0


def asymmetry(matrix: np.ndarray, sign: int) -> float:
    """`|A - sign A^T| / |A|`: zero for symmetric (1) or antisymmetric (-1) matrices."""
    size = np.linalg.norm(matrix)
    return float(np.linalg.norm(matrix - sign * matrix.T) / size) if size else 0.0


def acts_orthogonally(matrix: np.ndarray) -> bool:
    """Whether a matrix is antisymmetric, or `h - 1` for an orthogonal matrix `h`."""
    defect = matrix + matrix.T
    size = PRECISION * np.linalg.norm(matrix)
    others = (defect, defect + matrix.T @ matrix)
    return any(np.linalg.norm(other) <= size for other in others)


def commute(matrices: np.ndarray, precision: float = PRECISION) -> bool:
    """Whether all matrices commute with each other."""
    return all(commutator_size(a, b) <= precision for a, b in combinations(matrices, 2))


def invariant_functionals(matrices: np.ndarray, tolerance: float) -> np.ndarray:
    """The left null space of all matrices.

    Args:
        matrices: Array `(k, d, d)`.
        tolerance: Singular values up to this, relative to the largest, are zero.

    Returns:
        Orthonormal columns `(d, m)`. They depend on the space only, and not on the way it
        was computed: the positions with the largest share come first, in the order of the
        grid.
    """
    from scipy.linalg import qr

    gram = sum(matrix @ matrix.T for matrix in matrices)
    values, vectors = np.linalg.eigh(gram)
    largest = np.sqrt(max(values[-1], 0.0))
    # Roots of eigenvalues lose half of the digits. Directions that may be zero are computed
    # again.
    candidates = vectors[:, np.sqrt(np.maximum(values, 0.0)) <= 1e-3 * largest]
    if not candidates.shape[1]:
        return candidates
    images = np.concatenate([matrix.T @ candidates for matrix in matrices])
    _, sizes, rows = np.linalg.svd(images, full_matrices=False)
    space = candidates @ rows[sizes <= tolerance * largest].T
    if not space.shape[1]:
        return space
    projector = space @ space.T
    pivots = qr(projector, mode="r", pivoting=True)[1][: space.shape[1]]
    basis, triangle = np.linalg.qr(projector[:, np.sort(pivots)])
    return basis * np.sign(np.diag(triangle))

"""Connected groups that contain the transpose of each element, such as the classical ones.

An element is `k exp(p)`, with `k` in the compact group of the antisymmetric matrices of the
algebra, and `p` a symmetric matrix of the algebra. This polar decomposition is unique, so
it tells whether a matrix is an element (A. W. Knapp, "Lie Groups Beyond an Introduction",
2002, 7.14).
"""

import numpy as np

from keras_lconv.algebra.torus import is_in_torus

# Errors of a matrix grow at most by this factor in its polar factors.
LARGEST_GROWTH = 1e3


def polar_parts(
    frame: np.ndarray, precision: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Orthonormal antisymmetric and symmetric matrices that span an algebra.

    Args:
        frame: Orthonormal matrices `(k, n, n)`.
        precision: How far transposes may be from the span.

    Returns:
        Two arrays, or `None` if the transpose of a matrix is not in the algebra.
    """
    rows, turned = (each.reshape(len(frame), -1) for each in (frame, frame.swapaxes(1, 2)))
    if np.linalg.norm(turned - turned @ rows.T @ rows) > precision * np.sqrt(len(frame)):
        return None
    # Transposition maps the algebra to itself, so the sizes are zero and one.
    parts = []
    for part in (rows - turned, rows + turned):
        _, sizes, right = np.linalg.svd(part / 2, full_matrices=False)
        parts.append(right[sizes > 0.5].reshape(-1, *frame.shape[1:]))
    return parts[0], parts[1]


def has_polar_factors(
    matrix: np.ndarray, parts: tuple[np.ndarray, np.ndarray], precision: float
) -> bool:
    """Whether the polar factors of an invertible matrix are those of an element.

    Args:
        matrix: Array `(n, n)`.
        parts: From `polar_parts`.
        precision: How far an element may be from the matrix, and its inverse from that of
            the matrix, relative to the norms.
    """
    antisymmetric, symmetric = parts
    left, sizes, right = np.linalg.svd(matrix)
    logarithm = right.T @ (np.log(sizes)[:, None] * right)
    inside = np.tensordot(np.tensordot(symmetric, logarithm, 2), symmetric, ((0,), (0,)))
    values, vectors = np.linalg.eigh(inside)
    for sign in (1, -1):
        nearest = vectors @ (np.exp(sign * values)[:, None] * vectors.T)
        factor = right.T @ (sizes[:, None] ** sign * right)
        if np.linalg.norm(nearest - factor) > precision * np.linalg.norm(factor):
            return False
    turn, one = left @ right, np.eye(len(matrix))
    for growth in (1.0, min(sizes[0] / sizes[-1], LARGEST_GROWTH)):
        bound = growth * precision
        if np.linalg.norm(turn - one) <= bound or is_in_torus(turn, antisymmetric, bound):
            return True
    return False

"""Angles between spans of matrices: how two Lie algebras are compared.

Sign, scale and the choice of basis of learned generators are arbitrary, so only their spans
can be compared. Matrices are vectors in the Frobenius inner product.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._validation import finite_array, not_negative


def _as_columns(name: str, value: ArrayLike) -> np.ndarray:
    """Matrices `(k, d', d)`, or one `(d', d)`, as `k` columns."""
    array = finite_array(name, value)
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3:
        raise ValueError(
            f"`{name}` must be a matrix or a stack of matrices, of shape `(k, d', d)`. "
            f"Received: shape {array.shape}"
        )
    if not len(array):
        raise ValueError(f"`{name}` must hold a matrix. Received: shape {array.shape}")
    columns = array.reshape(len(array), -1).T
    # Each column to unit length first, so that the scale of a generator cannot hide
    # it from the rank decision of the angles.
    norms = np.linalg.norm(columns, axis=0)
    if np.any(norms == 0):
        raise ValueError(
            f"`{name}` must not hold a zero matrix, which has no direction. "
            f"Received: matrix number {int(np.argmin(norms))} (from 0), "
            "which is zero"
        )
    return columns / norms


def _columns_of_both(
    a: ArrayLike, b: ArrayLike, name: str = "b"
) -> tuple[np.ndarray, np.ndarray]:
    left, right = _as_columns("a", a), _as_columns(name, b)
    if len(left) != len(right):
        raise ValueError(
            f"`a` and `{name}` must hold matrices of one shape. "
            f"Received: {np.shape(a)} and {np.shape(b)}"
        )
    return left, right


def principal_angles(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Principal angles between the spans of two sets of matrices.

    Args:
        a: A `LieAlgebra`, an array `(k, d', d)`, or one matrix `(d', d)`.
        b: A `LieAlgebra`, an array `(l, d', d)`, or one matrix `(d', d)`.

    Returns:
        Array `(min(rank a, rank b),)` of angles in radians, largest first. All are
        zero when one span contains the other.

    Raises:
        TypeError: If an argument is not an array of real numbers.
        ValueError: If an entry is not finite, a matrix is zero, or shapes differ.

    Example:
    ```python
    import numpy as np
    from keras_lconv.algebra import principal_angles

    x_to_y = np.array([[0.0, -1.0], [1.0, 0.0]])
    assert np.allclose(principal_angles(x_to_y, -3 * x_to_y), 0.0)
    ```

    Reference:
        A. Knyazev, M. Argentati, "Principal angles between subspaces in an A-based
        scalar product", SIAM J. Sci. Comput. 23 (2002), the algorithm of
        `scipy.linalg.subspace_angles`.
    """
    from scipy.linalg import subspace_angles

    left, right = _columns_of_both(a, b)
    return subspace_angles(left, right)


def correlation(a: ArrayLike, b: ArrayLike) -> float:
    """The largest absolute cosine between an element of one span and of the other.

    For two matrices this is `|<a, b>| / (|a| |b|)` in the Frobenius inner product.

    Args:
        a: A `LieAlgebra`, an array `(k, d', d)`, or one matrix `(d', d)`.
        b: A `LieAlgebra`, an array `(l, d', d)`, or one matrix `(d', d)`.

    Returns:
        A number between 0 (orthogonal spans) and 1 (a common direction).

    Raises:
        TypeError: If an argument is not an array of real numbers.
        ValueError: If an entry is not finite, a matrix is zero, or shapes differ.

    Example:
    ```python
    import numpy as np
    from keras_lconv.algebra import correlation

    rotation = np.array([[0.0, -1.0], [1.0, 0.0]])
    assert np.isclose(correlation(rotation, -2 * rotation), 1.0)
    assert np.isclose(correlation(rotation, np.eye(2)), 0.0)
    ```
    """
    return float(np.cos(principal_angles(a, b)[-1]))


def closest(
    a: ArrayLike, candidates: Mapping[str, ArrayLike] | Sequence[ArrayLike]
) -> tuple[str | int, float]:
    """The candidate whose span is the closest to a given one.

    The distance is the largest principal angle, and a right angle between spans of
    different dimensions. Unlike `LieAlgebra.identify` this depends on the matrices: it
    distinguishes rotations about different points.

    Args:
        a: A `LieAlgebra`, an array `(k, d', d)`, or one matrix `(d', d)`.
        candidates: Mapping from names to such sets of matrices, or a sequence of them.

    Returns:
        The name of the closest candidate (in a sequence its index), and the distance in
        radians.

    Raises:
        TypeError: If a set of matrices is not an array of real numbers.
        ValueError: If there is no candidate, or one with matrices of another shape.

    Example:
    ```python
    from keras_lconv.algebra import closest, so

    name, angle = closest(so(3, 1), {"rotations": so(4), "Lorentz": so(3, 1)})
    assert name == "Lorentz"
    assert angle < 1e-12
    ```
    """
    is_listed = isinstance(candidates, (Mapping, Sequence, np.ndarray))
    if not is_listed or not getattr(candidates, "ndim", 1):
        raise TypeError(
            "`candidates` must be a mapping or a sequence of matrices. "
            f"Received: {candidates!r} (of type {type(candidates).__name__})"
        )
    named = candidates if isinstance(candidates, Mapping) else dict(enumerate(candidates))
    if not named:
        raise ValueError(f"`candidates` must not be empty. Received: {candidates!r}")
    distances = {key: _distance(a, candidate) for key, candidate in named.items()}
    name = min(distances, key=lambda key: distances[key])
    return name, distances[name]


def _distance(a: ArrayLike, b: ArrayLike) -> float:
    left, right = _columns_of_both(a, b, "candidates")
    if np.linalg.matrix_rank(left) != np.linalg.matrix_rank(right):
        return np.pi / 2
    return float(principal_angles(a, b)[0])


def align(a: ArrayLike, b: ArrayLike, tolerance: float = 1e-6) -> np.ndarray:
    """The change of basis between two bases of one span.

    Args:
        a: A `LieAlgebra`, an array `(k, d', d)`, or one matrix `(d', d)`.
        b: Another set of as many matrices, with the same span.
        tolerance: The largest principal angle, in radians, between spans that count as
            the same.

    Returns:
        Array `(k, k)` with `b_i = sum_j M[i, j] a_j`, by least squares.

    Raises:
        TypeError: If an argument is not an array of real numbers.
        ValueError: If shapes differ, or the spans do.

    Example:
    ```python
    import numpy as np
    from keras_lconv.algebra import align, so

    mixed = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 3.0]])
    b = np.tensordot(mixed, so(3).basis, 1)
    assert np.allclose(align(so(3), b), mixed)
    ```
    """
    tolerance = not_negative("tolerance", tolerance)
    left, right = _columns_of_both(a, b)
    if left.shape != right.shape:
        raise ValueError(
            "`a` and `b` must hold as many matrices. "
            f"Received: {left.shape[1]} and {right.shape[1]}"
        )
    angle = _distance(a, b)
    if angle > tolerance:
        raise ValueError(
            "`a` and `b` must span the same space. Received: spans with a principal "
            f"angle of {angle:.2e} radians, above tolerance={tolerance:.1e}"
        )
    a_rows, b_rows = (
        np.asarray(m, dtype="float64").reshape(left.shape[1], -1) for m in (a, b)
    )
    # Solved for unit vectors, so that the scales of the matrices do not matter.
    a_norms = np.linalg.norm(a_rows, axis=1)
    return np.linalg.lstsq(left, b_rows.T, rcond=None)[0].T / a_norms

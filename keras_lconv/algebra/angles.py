"""Angles between spans of matrices: how two Lie algebras are compared.

Sign, scale and the choice of basis of learned generators are arbitrary, so that only
their spans can be compared. Matrices are vectors in the Frobenius inner product.
"""

from typing import Any

import numpy as np

from keras_lconv._validation import finite_array


def _as_columns(name: str, value: Any) -> np.ndarray:
    """Matrices `(k, d', d)`, or one `(d', d)`, as `k` columns."""
    array = finite_array(name, value)
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3:
        raise ValueError(
            f"`{name}` must be a matrix or a stack of matrices, of shape `(k, d', d)`. "
            f"Received: shape {array.shape}"
        )
    columns = array.reshape(len(array), -1).T
    # Each column to unit length first, so that the scale of a generator cannot hide
    # it from the rank decision of the angles.
    norms = np.linalg.norm(columns, axis=0)
    if np.any(norms == 0):
        raise ValueError(f"`{name}` holds a zero matrix, which has no direction")
    return columns / norms


def _columns_of_both(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    left, right = _as_columns("a", a), _as_columns("b", b)
    if len(left) != len(right):
        raise ValueError(
            "`a` and `b` must hold matrices of one shape. "
            f"Received: {np.shape(a)} and {np.shape(b)}"
        )
    return left, right


def principal_angles(a: Any, b: Any) -> np.ndarray:
    """Principal angles between the spans of two sets of matrices.

    Args:
        a: Array `(k, d', d)`, or one matrix `(d', d)`.
        b: Array `(l, d', d)`, or one matrix `(d', d)`.

    Returns:
        Array `(min(rank a, rank b),)` of angles in radians, largest first. All are
        zero when one span contains the other.

    Raises:
        TypeError: If an argument is no array of real numbers.
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


def correlation(a: Any, b: Any) -> float:
    """The largest absolute cosine between an element of one span and of the other.

    For two matrices this is `|<a, b>| / (|a| |b|)` in the Frobenius inner product.

    Args:
        a: Array `(k, d', d)`, or one matrix `(d', d)`.
        b: Array `(l, d', d)`, or one matrix `(d', d)`.

    Returns:
        A number between 0 (orthogonal spans) and 1 (a common direction).

    Raises:
        TypeError: If an argument is no array of real numbers.
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

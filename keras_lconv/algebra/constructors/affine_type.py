"""Algebras of maps of space with translations, in homogeneous coordinates.

A map `x -> A x + b` of n-dimensional space is the matrix `[[A, b], [0, 0]]`.
"""

import numpy as np

from keras_lconv._validation import positive_int
from keras_lconv.algebra.constructors.classical import gl, require_room, so
from keras_lconv.algebra.lie_algebra import LieAlgebra


def _with_translations(linear: np.ndarray) -> LieAlgebra:
    """Linear maps `(k, n, n)` and all translations, the translations first."""
    k, n, _ = linear.shape
    basis = np.zeros((n + k, n + 1, n + 1))
    basis[:n, :n, n] = np.eye(n)
    basis[n:, :n, :n] = linear
    return LieAlgebra(basis)


def _rotations(n: int) -> np.ndarray:
    n = positive_int("n", n)
    require_room(f"n={n}", n * (n + 1) // 2, n + 1)
    return so(n).basis


def se(n: int) -> LieAlgebra:
    """The Euclidean algebra se(n): translations and rotations.

    Args:
        n: Dimension of space.

    Returns:
        A `LieAlgebra` of dimension `n (n + 1) / 2`, of `(n + 1) x (n + 1)` matrices
        `[[A, b], [0, 0]]`, the translations first.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is below 1.

    Example:
    ```python
    from keras_lconv.algebra import se

    assert se(3).identify().name == "se(3)"
    assert se(3).levi_factor.identify().name == "so(3)"
    ```

    Reference:
        B. C. Hall, "Lie Groups, Lie Algebras, and Representations" (2015), 3.4.
    """
    return _with_translations(_rotations(n))


def sim(n: int) -> LieAlgebra:
    """The algebra of similarities sim(n): translations, dilation and rotations.

    Args:
        n: Dimension of space.

    Returns:
        A `LieAlgebra` of dimension `n (n + 1) / 2 + 1`, of `(n + 1) x (n + 1)` matrices
        `[[A, b], [0, 0]]`: translations, the dilation, rotations.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is below 1.
    """
    rotations = _rotations(n)
    return _with_translations(np.concatenate([np.eye(n)[None], rotations]))


def aff(n: int) -> LieAlgebra:
    """The affine algebra aff(n): translations and all linear maps.

    Args:
        n: Dimension of space.

    Returns:
        A `LieAlgebra` of dimension `n (n + 1)`, of `(n + 1) x (n + 1)` matrices
        `[[A, b], [0, 0]]`, the translations first.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is below 1.

    Example:
    ```python
    from keras_lconv.algebra import aff

    assert aff(2).dimension == 6
    assert aff(1).is_solvable
    ```
    """
    return _with_translations(gl(positive_int("n", n)).basis)

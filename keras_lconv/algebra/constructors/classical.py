"""The classical Lie algebras, as matrices."""

from collections.abc import Iterable, Iterator
from itertools import combinations, product

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._memory import require_memory
from keras_lconv._validation import count, finite_array, positive_int
from keras_lconv.algebra.lie_algebra import LieAlgebra


def unit(n: int, i: int, j: int) -> np.ndarray:
    """The matrix unit `E_ij`."""
    matrix = np.zeros((n, n))
    matrix[i, j] = 1.0
    return matrix


def _stack(matrices: Iterable[np.ndarray], n: int) -> np.ndarray:
    """A stack of matrices, which may be empty."""
    return np.array(list(matrices)).reshape(-1, n, n)


def require_room(argument: str, dimension: int, size: int) -> None:
    """Raises an error if these matrices, and a frame of them, do not fit into memory."""
    require_memory(
        f"The basis for {argument}, {dimension} matrices of {size} x {size},",
        4 * dimension * size**2,
        "Smaller matrices are needed",
    )


def _signature(p: int, q: int) -> tuple[int, int]:
    return positive_int("p", p), count("q", q)


def realify(matrices: ArrayLike) -> np.ndarray:
    """Real matrices for complex ones: `A + i B` becomes `[[A, -B], [B, A]]`.

    Args:
        matrices: Complex array `(..., m, n)`.

    Returns:
        Real array `(..., 2 m, 2 n)`. Sums, products and brackets are preserved.

    Raises:
        TypeError: If `matrices` is not an array of numbers.
        ValueError: If an entry is not finite, or there are less than 2 axes.

    Example:
    ```python
    import numpy as np
    from keras_lconv.algebra import LieAlgebra, realify

    pauli = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
    assert LieAlgebra(realify(0.5j * pauli)).identify().name == "so(3)"
    ```
    """
    try:
        array = np.asarray(matrices)
    except ValueError:
        # Rows of different lengths do not form an array. The check below reports them.
        array = np.asarray(None)
    real, imaginary = (
        finite_array("matrices", part) for part in (np.real(array), np.imag(array))
    )
    if array.ndim < 2:
        raise ValueError(
            "`matrices` must have at least the two axes of a matrix. "
            f"Received: shape {array.shape}"
        )
    return np.block([[real, -imaginary], [imaginary, real]])


def so(p: int, q: int = 0) -> LieAlgebra:
    """The (pseudo-)orthogonal algebra so(n), or so(p, q).

    The matrices `L` with `L^T g + g L = 0` for `g = diag(1, ..., 1, -1, ..., -1)`, with
    `p` times 1 and `q` times -1. The basis, for `i < j`, is `E_ji - E_ij` where the two
    axes have the same sign (it turns axis i to axis j) and `E_ij + E_ji` where they differ
    (a boost).

    Args:
        p: Number of positive signs; the `n` of so(n).
        q: Number of negative signs.

    Returns:
        A `LieAlgebra` of dimension `n (n - 1) / 2`, `n = p + q`.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If `p` is below 1 or `q` below 0.

    Example:
    ```python
    from keras_lconv.algebra import so

    assert so(5).dimension == 10
    assert so(3, 1).identify().name == "so(3,1)"
    ```

    Reference:
        B. C. Hall, "Lie Groups, Lie Algebras, and Representations" (2015), 3.4.
    """
    p, q = _signature(p, q)
    n = p + q
    require_room(f"p={p}, q={q}", n * (n - 1) // 2, n)
    return LieAlgebra(
        _stack(
            (
                unit(n, j, i) + (1 if (i < p) != (j < p) else -1) * unit(n, i, j)
                for i, j in combinations(range(n), 2)
            ),
            n,
        )
    )


def _su_matrices(p: int, q: int) -> Iterator[np.ndarray]:
    n = p + q
    for i, j in combinations(range(n), 2):
        sign = 1 if (i < p) != (j < p) else -1
        yield unit(n, j, i) + sign * unit(n, i, j)
        yield 1j * (unit(n, j, i) - sign * unit(n, i, j))
    for i in range(n - 1):
        yield 1j * (unit(n, i, i) - unit(n, i + 1, i + 1))


def su(p: int, q: int = 0) -> LieAlgebra:
    """The special (pseudo-)unitary algebra su(n), or su(p, q), as real matrices.

    The complex `n x n` matrices `L` of trace 0 with `L^* g + g L = 0` for
    `g = diag(1, ..., 1, -1, ..., -1)`, written as real `2n x 2n` matrices by `realify`.

    Args:
        p: Number of positive signs; the `n` of su(n).
        q: Number of negative signs.

    Returns:
        A `LieAlgebra` of dimension `n^2 - 1`, `n = p + q`, of `2n x 2n` matrices.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If `p` is below 1 or `q` below 0.

    Example:
    ```python
    from keras_lconv.algebra import su

    assert su(3).dimension == 8
    assert su(2).identify().name == "so(3)"
    ```

    Reference:
        B. C. Hall, "Lie Groups, Lie Algebras, and Representations" (2015), 3.4.
    """
    p, q = _signature(p, q)
    n = p + q
    require_room(f"p={p}, q={q}", n**2 - 1, 2 * n)
    return LieAlgebra(_stack((realify(m) for m in _su_matrices(p, q)), 2 * n))


def gl(n: int) -> LieAlgebra:
    """The general linear algebra gl(n, R): all matrices.

    Args:
        n: Size of the matrices.

    Returns:
        A `LieAlgebra` of dimension `n^2`, with the elementary matrices as basis.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is below 1.

    Reference:
        B. C. Hall, "Lie Groups, Lie Algebras, and Representations" (2015), 3.4.
    """
    n = positive_int("n", n)
    require_room(f"n={n}", n**2, n)
    return LieAlgebra(np.eye(n * n).reshape(-1, n, n))


def sl(n: int) -> LieAlgebra:
    """The special linear algebra sl(n, R): matrices of trace 0.

    The basis is `E_ij` for `i != j`, and `E_ii - E_(i+1)(i+1)`.

    Args:
        n: Size of the matrices.

    Returns:
        A `LieAlgebra` of dimension `n^2 - 1`.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is below 1.

    Reference:
        B. C. Hall, "Lie Groups, Lie Algebras, and Representations" (2015), 3.4.
    """
    n = positive_int("n", n)
    require_room(f"n={n}", n**2 - 1, n)
    mixed = [unit(n, i, j) for i, j in product(range(n), repeat=2) if i != j]
    diagonal = [unit(n, i, i) - unit(n, i + 1, i + 1) for i in range(n - 1)]
    return LieAlgebra(_stack(mixed + diagonal, n))


def sp(n: int) -> LieAlgebra:
    """The symplectic algebra sp(n, R) of matrices of even size `n = 2 m`.

    The matrices `L` with `L^T J + J L = 0` for `J = [[0, 1], [-1, 0]]` in blocks of size
    `m`: they are `[[A, B], [C, -A^T]]` with symmetric `B` and `C`.

    Args:
        n: Size of the matrices, an even number.

    Returns:
        A `LieAlgebra` of dimension `n (n + 1) / 2`.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is below 1, or odd.

    Example:
    ```python
    from keras_lconv.algebra import sp

    assert sp(4).dimension == 10
    assert sp(2).identify().name == "sl(2,R)"
    ```

    Reference:
        B. C. Hall, "Lie Groups, Lie Algebras, and Representations" (2015), 3.4.
    """
    n = positive_int("n", n)
    if n % 2:
        raise ValueError(f"`n` must be even. Received: n={n}")
    require_room(f"n={n}", n * (n + 1) // 2, n)
    m = n // 2
    matrices = [
        unit(n, i, j) - unit(n, m + j, m + i) for i, j in product(range(m), repeat=2)
    ]
    for i in range(m):
        for j in range(i, m):
            symmetric = unit(m, i, j) + (unit(m, j, i) if i != j else 0)
            for block in (unit(2, 0, 1), unit(2, 1, 0)):
                matrices.append(np.kron(block, symmetric))
    return LieAlgebra(matrices)

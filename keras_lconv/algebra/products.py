"""Representations of one Lie algebra, built from smaller ones.

A representation is an array `(k, n, n)`: the matrices by which the `k` elements of one
basis of the algebra act on a space of `n` dimensions. Representations belong together if
they are of the same basis, in the same order.
"""

from collections.abc import Callable
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._memory import require_memory
from keras_lconv._validation import MOST_GENERATORS, positive_int, square_matrices


def trivial(num_generators: int, size: int = 1) -> np.ndarray:
    """The representation on numbers that the group does not change.

    Args:
        num_generators: The number `k` of generators.
        size: The number `n` of such numbers.

    Returns:
        Zeros of shape `(k, n, n)`.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If it is not positive.

    Example:
    ```python
    from keras_lconv.algebra import direct_sum, so, trivial

    # A number and a vector.
    assert direct_sum(trivial(3), so(3)).shape == (3, 4, 4)
    ```
    """
    size = positive_int("size", size)
    number = positive_int("num_generators", num_generators, most=MOST_GENERATORS)
    require_memory(f"Matrices of size={size}", number * size**2, "Fewer numbers will do")
    return np.zeros((number, size, size))


def direct_sum(*representations: ArrayLike) -> np.ndarray:
    """The representation on lists `(x_1, x_2, ...)`, with a representation for each part.

    `L_i = diag(A_i, B_i, ...)`, so that `exp(t L) = diag(exp(t A), exp(t B), ...)`. All
    parts are of one algebra: `LieAlgebra.direct_sum` joins two algebras instead.

    Args:
        *representations: Arrays `(k, n, n)`, or `LieAlgebra` objects, with one `k`.

    Returns:
        Array `(k, n, n)`, where `n` is the sum of the sizes.

    Raises:
        TypeError: If an argument is not an array of real numbers.
        ValueError: If there is none, or they do not have the same number of generators.

    Example:
    ```python
    from keras_lconv.algebra import direct_sum, so

    assert direct_sum(so(3), so(3)).shape == (3, 6, 6)
    ```
    """
    return reduce(block_diagonal, _checked(representations))


def tensor_product(*representations: ArrayLike) -> np.ndarray:
    """The representation on products `x_a y_b ...`, such as the entries of `x y^T`.

    `L_i = A_i (x) 1 + 1 (x) B_i`, so that `exp(t L) = exp(t A) (x) exp(t B)`. Tensors are
    flattened in C order, as by `numpy.kron`.

    Args:
        *representations: Arrays `(k, n, n)`, or `LieAlgebra` objects, with one `k`.

    Returns:
        Array `(k, n, n)`, where `n` is the product of the sizes.

    Raises:
        TypeError: If an argument is not an array of real numbers.
        ValueError: If there is none, or they do not have the same number of generators.

    Example:
    ```python
    from keras_lconv.algebra import intertwiners, so, tensor_product

    # One product of two vectors is a vector: the cross product.
    assert len(intertwiners(tensor_product(so(3), so(3)), so(3))) == 1
    ```
    """
    return reduce(kronecker_sum, _checked(representations))


def dual(representation: ArrayLike) -> np.ndarray:
    """The representation on linear functions of vectors: `-L_i^T`.

    A row `u` becomes `u exp(-t L)`, so that `u x` does not change. For rotations it is the
    representation itself.

    Args:
        representation: Array `(k, n, n)`, or a `LieAlgebra`.

    Returns:
        Array `(k, n, n)`.

    Raises:
        TypeError: If the argument is not an array of real numbers.
        ValueError: If it does not hold square matrices.

    Example:
    ```python
    import numpy as np
    from keras_lconv.algebra import dual, so

    assert np.allclose(dual(so(3)), so(3).basis)
    ```
    """
    matrices = square_matrices("representation", representation)
    return -np.swapaxes(matrices, 1, 2)


def _checked(representations: tuple) -> list[np.ndarray]:
    parts = [square_matrices("representations", part) for part in representations]
    if len({len(part) for part in parts}) != 1:
        raise ValueError(
            "`representations` must be of one basis of an algebra, with one matrix for "
            f"each of its elements. Received: {[len(part) for part in parts]} matrices"
        )
    return parts


# ------------------------------------------------------- also of stacks, `(..., n, n)`


def block_diagonal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Both matrices, one after the other on the diagonal."""
    (n, m), total = (a.shape[-1], b.shape[-1]), a.shape[-1] + b.shape[-1]
    result = np.zeros((*a.shape[:-2], total, total))
    result[..., :n, :n] = a
    result[..., n : n + m, n : n + m] = b
    return result


def kronecker(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`A (x) B`, in the order of `numpy.kron`."""
    size = a.shape[-1] * b.shape[-1]
    product = np.einsum("...ij,...kl->...ikjl", a, b)
    return product.reshape(*a.shape[:-2], size, size)


def kronecker_sum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`A (x) 1 + 1 (x) B`."""
    left = np.broadcast_to(np.eye(a.shape[-1]), a.shape)
    right = np.broadcast_to(np.eye(b.shape[-1]), b.shape)
    return kronecker(a, right) + kronecker(left, b)


def copies_of(number: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function that makes block diagonal matrices with this many equal blocks."""
    one = np.eye(number)
    return lambda x: kronecker(np.broadcast_to(one, (*x.shape[:-2], number, number)), x)

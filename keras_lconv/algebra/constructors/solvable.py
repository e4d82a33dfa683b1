"""Abelian and nilpotent algebras, and all real algebras of dimension 3."""

import numpy as np

from keras_lconv._validation import one_of, positive_int, real_number
from keras_lconv.algebra.constructors.affine_type import se
from keras_lconv.algebra.constructors.classical import require_room, so
from keras_lconv.algebra.lie_algebra import LieAlgebra


def abelian(n: int) -> LieAlgebra:
    """The abelian algebra R^n, as diagonal matrices.

    Args:
        n: The dimension.

    Returns:
        A `LieAlgebra` of dimension `n`, of `n x n` matrices.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is below 1.
    """
    n = positive_int("n", n)
    require_room(f"n={n}", n, n)
    return LieAlgebra(np.eye(n)[:, :, None] * np.eye(n)[:, None, :])


def heisenberg(n: int) -> LieAlgebra:
    """The Heisenberg algebra of odd dimension `n = 2 m + 1`.

    Positions `X_a`, momenta `P_a` and the center `Z`, with `[X_a, P_a] = Z`: the matrices
    `E_(1,a+1)`, `E_(a+1,m+2)` and `E_(1,m+2)`.

    Args:
        n: The dimension, an odd number of at least 3.

    Returns:
        A `LieAlgebra` of dimension `n`, of strictly upper triangular matrices of size
        `m + 2`.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is even or below 3.

    Example:
    ```python
    from keras_lconv.algebra import heisenberg

    assert heisenberg(5).center.dimension == 1
    ```

    Reference:
        B. C. Hall, "Lie Groups, Lie Algebras, and Representations" (2015), 3.4.
    """
    n = positive_int("n", n)
    if n < 3 or n % 2 == 0:
        raise ValueError(f"`n` must be odd and at least 3. Received: n={n}")
    m = n // 2
    require_room(f"n={n}", n, m + 2)
    basis = np.zeros((n, m + 2, m + 2))
    for a in range(m):
        basis[a, 0, a + 1] = 1
        basis[m + a, a + 1, m + 1] = 1
    basis[2 * m, 0, m + 1] = 1
    return LieAlgebra(basis)


TYPES = ("I", "II", "III", "IV", "V", "VI_0", "VI_h", "VII_0", "VII_h", "VIII", "IX")


def bianchi(kind: str, h: float | None = None) -> LieAlgebra:
    """A real Lie algebra of dimension 3, by its type in Bianchi's classification.

    Types II to VII are matrices `[[M, b], [0, 0]]`: a plane of translations `b`, and one
    linear map `M` of the plane, with the eigenvalues below.

    | type | `M` | name |
    | --- | --- | --- |
    | I | | R^3 |
    | II | nilpotent | heisenberg(3) |
    | III | 1 and 0 | aff(1) + R |
    | IV | 1 and 1, one eigenvector | |
    | V | 1 and 1 | |
    | VI_0 | 1 and -1 | iso(1,1) |
    | VI_h, h < 0, h != -1 | `1 + nu` and `1 - nu`, `nu = 1 / sqrt(-h)` | |
    | VII_0 | `i` and `-i` | se(2) |
    | VII_h, h > 0 | `1 + i nu` and `1 - i nu`, `nu = 1 / sqrt(h)` | |
    | VIII | | sl(2,R) |
    | IX | | so(3) |

    Args:
        kind: One of `"I"`, `"II"`, `"III"`, `"IV"`, `"V"`, `"VI_0"`, `"VI_h"`, `"VII_0"`,
            `"VII_h"`, `"VIII"`, `"IX"`.
        h: The parameter of `"VI_h"` and `"VII_h"`.

    Returns:
        A `LieAlgebra` of dimension 3.

    Raises:
        ValueError: If the type is unknown, or `h` is missing, out of range or given for a
            type without it.

    Example:
    ```python
    from keras_lconv.algebra import bianchi

    assert bianchi("VII_h", 0.25).identify().name == "Bianchi VII_h, h=0.25"
    ```

    Reference:
        G. F. R. Ellis, M. A. H. MacCallum, "A class of homogeneous cosmological models",
        Commun. Math. Phys. 12 (1969).
    """
    one_of("kind", kind, TYPES)
    h = _parameter(kind, h)
    if kind == "I":
        return abelian(3)
    if kind == "VII_0":
        return se(2)
    if kind == "VIII":
        return so(2, 1)
    if kind == "IX":
        return so(3)
    traceless = np.array([[0.0, -np.sign(h)], [1.0, 0.0]])
    linear = {
        "II": np.array([[0.0, 1.0], [0.0, 0.0]]),
        "III": np.diag([1.0, 0.0]),
        "IV": np.array([[1.0, 1.0], [0.0, 1.0]]),
        "V": np.eye(2),
        "VI_0": np.array([[0.0, 1.0], [1.0, 0.0]]),
    }.get(kind, np.eye(2) + traceless / np.sqrt(abs(h) or 1.0))
    basis = np.zeros((3, 3, 3))
    basis[0, 0, 2] = basis[1, 1, 2] = 1
    basis[2, :2, :2] = linear
    return LieAlgebra(basis)


def _parameter(kind: str, h: float | None) -> float:
    """The parameter, or 0 for the types that have none."""
    if kind not in ("VI_h", "VII_h"):
        if h is not None:
            raise ValueError(f"Type {kind} has no parameter. Received: h={h!r}")
        return 0.0
    value = float("nan") if h is None else real_number("h", h)
    wanted = "negative, and not -1" if kind == "VI_h" else "positive"
    fits = (value < 0 and value != -1) if kind == "VI_h" else value > 0
    if not fits:
        raise ValueError(
            f"The parameter `h` of type {kind} must be {wanted}. Received: h={h!r}"
        )
    return value

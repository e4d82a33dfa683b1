"""Matrices of an algebra that is given by brackets or by generating matrices."""

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._validation import finite_array, positive_int
from keras_lconv.algebra.balance import unit_ratios
from keras_lconv.algebra.structure import DRAWS, StructureConstants, null_space
from keras_lconv.algebra.tolerance import Tolerance


def faithful_matrices(constants: ArrayLike) -> np.ndarray:
    """Matrices whose brackets have given structure constants.

    Without a center the adjoint representation `ad(x)` is faithful. With one, a derivation
    `D` that is injective on the center is added as a column: `[[ad(x), D x], [0, 0]]`.
    These matrices have the same brackets, since `D [x, y] = ad(x) D y - ad(y) D x`, and
    vanish for `x = 0` only.

    Args:
        constants: Array `(k, k, k)` with `[e_i, e_j] = sum_k c[i, j, k] e_k`.

    Returns:
        Array `(k, n, n)`, with `n = k`, or `n = k + 1` if there is a center.

    Raises:
        ValueError: If the numbers are not structure constants, or if no derivation is
            injective on the center.
    """
    c = _checked_constants(constants)
    k = len(c)
    adjoint = np.swapaxes(c, 1, 2)
    scale = float(np.max(np.linalg.norm(adjoint, 2, axis=(1, 2)), initial=0.0)) or 1.0
    tolerance = Tolerance(float(np.sqrt(np.finfo("float64").eps)))
    center = StructureConstants(c / scale, tolerance).center
    if not center.shape[1]:
        return adjoint
    column = scale * _derivation(c / scale, center, tolerance)
    matrices = np.zeros((k, k + 1, k + 1))
    matrices[:, :k, :k] = adjoint
    matrices[:, :k, k] = column.T
    return matrices


def _checked_constants(constants: ArrayLike) -> np.ndarray:
    c = finite_array("constants", constants)
    if c.ndim != 3 or not 0 < len(c) == c.shape[1] == c.shape[2]:
        raise ValueError(
            "`constants` must have the shape `(k, k, k)`, with `[e_i, e_j] = sum_k "
            f"constants[i, j, k] e_k`. Received: shape {c.shape}"
        )
    rounding = np.sqrt(np.finfo("float64").eps)
    largest = np.max(np.abs(c))
    odd = np.max(np.abs(c + np.swapaxes(c, 0, 1)))
    if odd > rounding * largest:
        raise ValueError(
            "`constants` must change sign if the first two indices are exchanged, because "
            f"[x, y] = -[y, x]. Received: constants with a deviation of {odd:.2g}"
        )
    twice = np.einsum("ija,abk->ijbk", c, c)
    cyclic = twice + np.einsum("jbik->ijbk", twice) + np.einsum("bijk->ijbk", twice)
    jacobi = np.max(np.abs(cyclic))
    if jacobi > rounding * largest**2:
        raise ValueError(
            "`constants` must obey Jacobi's identity [[x, y], z] + [[y, z], x] + "
            f"[[z, x], y] = 0. Received: constants with a deviation of {jacobi:.2g}"
        )
    return c


def _derivation(
    constants: np.ndarray, center: np.ndarray, tolerance: Tolerance
) -> np.ndarray:
    """A linear map with `D [x, y] = [D x, y] + [x, D y]`, injective on the center."""
    k = len(constants)
    unit = np.eye(k)
    # Unknowns D[c, d], the coordinate c of D e_d; equation (i, j, c).
    system = (
        np.einsum("ijd,cm->ijcmd", constants, unit)
        - np.einsum("mjc,id->ijcmd", constants, unit)
        - np.einsum("imc,jd->ijcmd", constants, unit)
    )
    found = null_space(system.reshape(k**3, k * k), tolerance).T.reshape(-1, k, k)
    rng = np.random.default_rng(0)
    draws = [np.tensordot(rng.normal(size=len(found)), found, 1) for _ in range(DRAWS)]
    draws = [draw / (np.linalg.norm(draw, 2) or 1.0) for draw in draws]
    # A map is injective on the center if its smallest singular value there is large.
    sizes = [np.linalg.svd(draw @ center, compute_uv=False)[-1] for draw in draws]
    best = int(np.argmax(sizes))
    if tolerance.is_zero(float(sizes[best])):
        raise ValueError(
            "`constants` must have a derivation that is injective on the center, to make "
            f"faithful matrices. Received: constants of shape {constants.shape} with a "
            f"center of dimension {center.shape[1]}, which have none. Give matrices "
            "instead: `LieAlgebra(basis)`"
        )
    return draws[best]


def generated_matrices(matrices: ArrayLike, max_dimension: int | None) -> np.ndarray:
    """Matrices and all their repeated brackets, as far as they are independent.

    Args:
        matrices: Array `(m, n, n)`, or `(n, n)` for one.
        max_dimension: The largest dimension, or `None` for that of all matrices.

    Returns:
        Array `(k, n, n)`, with the given matrices first, except those that depend on
        earlier ones.

    Raises:
        ValueError: If all matrices are zero, or if the dimension is exceeded.
    """
    given = finite_array("matrices", matrices)
    given = given[None] if given.ndim == 2 else given
    if given.ndim != 3 or given.shape[1] != given.shape[2] or not np.any(given):
        raise ValueError(
            "`matrices` must be square matrices of one size, `(m, n, n)`, at least one of "
            f"them not zero. Received: shape {np.shape(matrices)}"
        )
    limit = given.shape[1] ** 2
    if max_dimension is not None:
        limit = positive_int("max_dimension", max_dimension)
    ratios = unit_ratios(given)
    given = given / ratios
    precision = float(np.sqrt(np.finfo("float64").eps))
    kept: list[np.ndarray] = []
    rows = np.zeros((0, given[0].size))
    waiting = list(given)
    while waiting:
        matrix = waiting.pop(0)
        row = matrix.ravel() / (np.linalg.norm(matrix) or 1.0)
        for _ in range(2):  # the second time removes the rounding of the first
            row = row - rows.T @ (rows @ row)
        rest = float(np.linalg.norm(row))
        if rest <= precision:
            continue
        if len(kept) == limit:
            raise ValueError(
                f"`matrices` must generate an algebra of at most {limit} dimensions. "
                "Received: matrices that generate a larger one, with "
                f"max_dimension={max_dimension}. Matrices with errors generate all "
                "matrices: use `LieAlgebra(matrices).nearest_closed()` for these"
            )
        rows = np.vstack([rows, row / rest])
        kept.append(matrix)
        # Brackets with the given ones generate all others.
        for each in given:
            bracket = each @ matrix - matrix @ each
            size = np.linalg.norm(bracket)
            if size > precision * np.linalg.norm(each) * np.linalg.norm(matrix):
                waiting.append(bracket / size)
    return np.stack(kept) * ratios

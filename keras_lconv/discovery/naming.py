"""Names of algebras of any size, within seconds."""

import numpy as np

from keras_lconv.algebra import LieAlgebra

# Up to this dimension the structure of an algebra names it.
LARGEST_STRUCTURE = 40
# Relative sizes that count as zero in the tests of large algebras.
TOLERANCE = 0.05


def name_of(algebra: LieAlgebra) -> str:
    """The name of an algebra, or its description where it has none.

    Large algebras of `v x v` matrices are named where their dimension leaves no choice: all
    matrices that keep a form are as many as the algebra has.

    Args:
        algebra: The algebra, in coordinates in which its matrices have similar entries.

    Returns:
        A name such as `"so(20)"`, or words.
    """
    if algebra.dimension <= LARGEST_STRUCTURE:
        return str(algebra.identify())
    v, k = algebra.matrix_size, algebra.dimension
    traces = np.trace(algebra.basis, axis1=1, axis2=2)
    is_traceless = bool(np.max(np.abs(traces)) < TOLERANCE * np.sqrt(v))
    if k == v * v:
        return f"gl({v},R)"
    if k == v * v - 1 and is_traceless:
        return f"sl({v},R)"
    for dilation in (0, 1):
        for sign, size in ((1, v * (v - 1) // 2), (-1, v * (v + 1) // 2)):
            if k == size + dilation and (form := _kept_form(algebra, sign)) is not None:
                return _name_of_form(form, sign) + (" + R" if dilation else "")
    return f"unnamed, dimension {k}"


def _kept_form(algebra: LieAlgebra, sign: int) -> np.ndarray | None:
    """The form `M^T = sign M` with `L^T M + M L = c M`, if there is one, not degenerate."""
    v = algebra.matrix_size
    identity = np.eye(v)
    basis = algebra.basis / np.linalg.norm(algebra.basis, axis=(1, 2), keepdims=True)
    # A dilation keeps a form up to its scale: its trace is left out.
    traces = np.trace(basis, axis1=1, axis2=2)
    basis = basis - traces[:, None, None] * identity / v
    first, second = np.triu_indices(v, 0 if sign > 0 else 1)
    forms = np.zeros((len(first), v, v))
    numbers = np.arange(len(first))
    forms[numbers, first, second] = 1.0
    forms[numbers, second, first] = sign
    total = np.zeros((len(first), len(first)))
    for matrix in basis:
        moved = (matrix.T @ forms + forms @ matrix).reshape(len(forms), -1)
        total += moved @ moved.T
    values, vectors = np.linalg.eigh(total)
    if values[0] > TOLERANCE**2 * values[-1]:
        return None
    form = np.tensordot(vectors[:, 0], forms, 1)
    sizes = np.abs(np.linalg.eigvals(form))
    return form if np.min(sizes) > TOLERANCE * np.max(sizes) else None


def _name_of_form(form: np.ndarray, sign: int) -> str:
    v = len(form)
    if sign < 0:
        return f"sp({v},R)" if v % 2 == 0 else f"unnamed, dimension {v * (v + 1) // 2}"
    positive = int(np.sum(np.linalg.eigvalsh(form) > 0))
    p, q = max(positive, v - positive), min(positive, v - positive)
    return f"so({p},{q})" if q else f"so({p})"

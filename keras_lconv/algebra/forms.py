"""Bilinear forms that a Lie algebra leaves invariant."""

from typing import Any

import numpy as np

from keras_lconv._validation import one_of, square_matrices
from keras_lconv.algebra.tolerance import default_tolerance

# Which forms there are, by what `M^T` is.
SYMMETRIES = {"symmetric": 1, "antisymmetric": -1}


def invariant_forms(
    generators: Any, symmetry: str = "symmetric", tolerance: float | None = None
) -> np.ndarray:
    """All bilinear forms `x^T M y` that are invariant under `exp(t L_i)`.

    They are the matrices with `L_i^T M + M L_i = 0`: the null space of a linear map, which
    the singular value decomposition finds for any generators, compact or not, in any
    basis, known or learned. For rotations it is the Euclidean product, for the Lorentz
    group Minkowski's form, for sp(2n) an antisymmetric form. A representation that is a
    sum of several may have several; one without any is possible too, as that of gl(n).

    The decomposition is of a matrix with `n (n + 1) / 2` columns: a fraction of a second up
    to n = 30.

    Args:
        generators: Array `(k, n, n)`, one matrix `(n, n)`, or a `LieAlgebra`.
        symmetry: `"symmetric"` or `"antisymmetric"` forms.
        tolerance: Forms count as invariant if `|L_i^T M + M L_i|` is up to this, with
            matrices scaled to norm 1. By default the root of the rounding errors of the
            type that the generators come in: `1.5e-8` for float64, `3.5e-4` for float32.
            Generators with noise need more than their noise.

    Returns:
        Array `(m, n, n)`: an orthonormal basis, in the Frobenius product, of the `m`
        dimensional space of forms. The sign of each makes more of its eigenvalues
        positive than negative where these numbers differ, and else its largest entry.

    Raises:
        TypeError: If `generators` is no array of real numbers.
        ValueError: If it is not finite or not square, `symmetry` is unknown, or
            `tolerance` is not between 0 and 1.

    Example:
    ```python
    import numpy as np
    from keras_lconv.algebra import invariant_forms, so

    form = invariant_forms(so(3, 1))[0]
    assert np.allclose(2 * form, np.diag([1, 1, 1, -1]))
    assert len(invariant_forms(np.eye(3))) == 0  # a dilation leaves no form invariant
    ```
    """
    matrices = square_matrices("generators", generators)
    sign = SYMMETRIES[one_of("symmetry", symmetry, tuple(SYMMETRIES))]
    tolerance = default_tolerance(tolerance, generators)
    basis = _basis(matrices.shape[1], sign)
    # A zero generator leaves everything invariant.
    norms = np.linalg.norm(matrices, axis=(1, 2))
    matrices = matrices[norms > 0] / norms[norms > 0, None, None]
    found = basis
    if len(matrices) and len(basis):
        right = np.einsum("qab,kbc->qkac", basis, matrices)
        # `L^T M` is the transpose of `M^T L`, and so of `M L` up to the sign.
        change = right + sign * np.swapaxes(right, 2, 3)
        columns = change.reshape(len(basis), -1).T
        _, values, rows = np.linalg.svd(columns, full_matrices=True)
        small = np.ones(len(basis), dtype=bool)
        small[: len(values)] = values <= tolerance * np.sqrt(len(matrices))
        found = np.tensordot(rows[small], basis, 1)
    return np.array([_signed(form) for form in found]).reshape(-1, *basis.shape[1:])


def _basis(size: int, sign: int) -> np.ndarray:
    """An orthonormal basis of the symmetric or the antisymmetric matrices."""
    upper = np.triu_indices(size, 0 if sign > 0 else 1)
    basis = np.zeros((len(upper[0]), size, size))
    numbers = np.arange(len(basis))
    basis[numbers, upper[0], upper[1]] = 1.0
    basis += sign * np.swapaxes(basis, 1, 2)
    return basis / np.linalg.norm(basis, axis=(1, 2), keepdims=True)


def _signed(form: np.ndarray) -> np.ndarray:
    """The form or its negative, the same one however it was computed."""
    eigenvalues = np.linalg.eigvalsh((form + form.T) / 2)
    noise = 1e-6 * np.max(np.abs(form))
    surplus = np.sum(eigenvalues > noise) - np.sum(eigenvalues < -noise)
    if surplus == 0:
        surplus = form.flat[np.argmax(np.abs(form) > 0.999 * np.max(np.abs(form)))]
    return form if surplus > 0 else -form

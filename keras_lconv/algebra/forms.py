"""Bilinear forms that a Lie algebra leaves invariant, on vectors and on itself."""

import numpy as np

from keras_lconv._validation import one_of
from keras_lconv.algebra.constraints import Acting, action_of, tolerance_of
from keras_lconv.algebra.invariants import PRECISION, commute
from keras_lconv.algebra.structure import StructureConstants, complement, null_space
from keras_lconv.algebra.tolerance import Tolerance

# The kinds of forms, by the sign of `M^T`.
SYMMETRIES = {"symmetric": 1, "antisymmetric": -1}

# The search for a positive form stops after this many steps, or when steps are this short.
# A form below the last number, where the identity has entries 1, counts as zero.
MOST_STEPS, SHORTEST_STEP, SMALLEST = 1000, 1e-13, 1e-3
# A form is positive definite if its eigenvalues are at least this part of the largest one.
# This many changes of coordinates are tried to see it.
FLOOR, ROUNDS = 0.1, 30


def invariant_forms(
    generators: Acting, symmetry: str = "symmetric", tolerance: float | None = None
) -> np.ndarray:
    """All symmetric bilinear forms `x^T M y` that a group leaves invariant.

    `symmetry` selects antisymmetric forms instead. Forms are the matrices with
    `L_i^T M + M L_i = 0` for the generators, and `h^T M h = M` for further elements of a
    group: the null space of a linear map. The singular value decomposition finds it for any
    generators, compact or not, in any basis, known or learned. For rotations it is the
    Euclidean product, for the Lorentz group Minkowski's form, for sp(2n) an antisymmetric
    form. A sum of representations may have several forms, and some representations have
    none, such as that of gl(n).

    The matrix of the decomposition has `n (n + 1) / 2` columns, which takes a fraction of a
    second up to n = 30.

    Args:
        generators: Array `(k, n, n)`, one matrix `(n, n)`, a `LieAlgebra`, a `MatrixGroup`
            or a `Representation`.
        symmetry: `"symmetric"` or `"antisymmetric"` forms.
        tolerance: Forms count as invariant if `|L_i^T M + M L_i|` is at most this, with
            matrices scaled to norm 1. By default the root of the rounding error of the type
            of the generators: `1.5e-8` for float64, `3.5e-4` for float32; 1e-5 for groups
            with further elements. For generators with noise it has to be larger than the
            noise.

    Returns:
        Array `(m, n, n)`: an orthonormal basis, in the Frobenius product, of the
        `m`-dimensional space of forms. The sign of each is such that more eigenvalues are
        positive than negative; if their numbers are equal, the largest entry is positive.

    Raises:
        TypeError: If `generators` is not an array of real numbers.
        ValueError: If it is not finite or not square, `symmetry` is unknown, or
            `tolerance` is not between 0 and 1.

    Example:
    ```python
    import numpy as np
    from keras_lconv.algebra import invariant_forms, so, symmetric

    form = invariant_forms(so(3, 1))[0]
    assert np.allclose(2 * form, np.diag([1, 1, 1, -1]))
    assert len(invariant_forms(np.eye(3))) == 0  # a dilation leaves no form invariant
    # Permutations: the sum of squares, and the square of the sum.
    assert len(invariant_forms(symmetric(4))) == 2
    ```
    """
    matrices, elements = action_of("generators", generators)
    sign = SYMMETRIES[one_of("symmetry", symmetry, tuple(SYMMETRIES))]
    tolerance = tolerance_of(tolerance, generators)
    basis = _basis(matrices.shape[1], sign)
    # A zero generator leaves everything invariant.
    norms = np.linalg.norm(matrices, axis=(1, 2))
    matrices = matrices[norms > 0] / norms[norms > 0, None, None]
    found = basis
    number = len(matrices) + len(elements)
    if number and len(basis):
        # `L^T M` is the transpose of `M^T L`, and so of `M L` up to the sign.
        right = basis[:, None] @ matrices[None]
        squares = np.linalg.norm(elements, 2, axis=(1, 2)) ** 2
        moved = elements.swapaxes(1, 2)[None] @ basis[:, None] @ elements[None]
        changes = [
            right + sign * np.swapaxes(right, 2, 3),
            (moved - basis[:, None]) / squares[:, None, None],
        ]
        columns = np.concatenate(changes, axis=1).reshape(len(basis), -1).T
        _, values, rows = np.linalg.svd(columns, full_matrices=True)
        small = np.ones(len(basis), dtype=bool)
        small[: len(values)] = values <= tolerance * np.sqrt(number)
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
    """The form or its negative, by a rule that does not depend on how it was computed."""
    eigenvalues = np.linalg.eigvalsh((form + form.T) / 2)
    noise = 1e-6 * np.max(np.abs(form))
    surplus = np.sum(eigenvalues > noise) - np.sum(eigenvalues < -noise)
    if surplus == 0:
        surplus = form.flat[np.argmax(np.abs(form) > 0.999 * np.max(np.abs(form)))]
    return form if surplus > 0 else -form


# ---------------------------------------------------------------- of the algebra itself


def trace_form(basis: np.ndarray) -> np.ndarray:
    """`T_ij = tr(L_i L_j)` of matrices `(k, n, n)`."""
    return np.einsum("iab,jba->ij", basis, basis)


def casimir_form(
    basis: np.ndarray, unit: float | None = None, tolerance: float = PRECISION
) -> np.ndarray:
    """The form `h` of the quadratic Casimir operator `C = -sum_ij h_ij L_i L_j`.

    `C` commutes with all `L_m`, in every representation, if `ad(L_m) h + h ad(L_m)^T = 0`.

    - If `B_ij = -tr(L_i L_j)` is not degenerate, the inverse of `B / unit` is such a form.
      With the mean size of the eigenvalues of `B` as unit, `C` has the unit of a squared
      parameter: multiplying all generators by a number does not change `h`. A number as
      unit makes `C` independent of the basis.
    - Otherwise the form is the one nearest to the identity in an orthonormal frame of the
      span, among the positive semidefinite ones if there are any. In the given basis its
      largest eigenvalue becomes 1. For se(n) it is 1 on translations and 0 on rotations, so
      `C` is minus the Laplacian.

    Args:
        basis: Independent matrices `(k, n, n)` with the brackets of the generators.
        unit: The unit of `B`. By default the mean size of its eigenvalues.
        tolerance: Numbers up to this count as zero: sizes of eigenvalues of `B` relative
            to the largest, and defects of invariance.

    Returns:
        A symmetric matrix `(k, k)`.

    Raises:
        ValueError: If there is no invariant form, or the matrices are dependent.
    """
    if not len(basis):
        return np.zeros((0, 0))
    columns, triangle = np.linalg.qr(basis.reshape(len(basis), -1).T)
    independent = np.abs(np.diag(triangle)) > tolerance * np.linalg.norm(basis, axis=(1, 2))
    if not np.all(independent):
        raise ValueError(
            "The generators must be linearly independent to have a Casimir form. "
            "Received: dependent ones. Leave out those that depend on others"
        )
    frame = columns.T.reshape(basis.shape)
    sizes = np.abs(np.linalg.eigvalsh(trace_form(frame)))
    # In an orthonormal frame the sizes are at most 1, and rounding if all matrices are
    # nilpotent.
    if sizes.min() > tolerance * sizes.max() and sizes.max() > tolerance:
        form = -trace_form(basis)
        mean = np.abs(np.linalg.eigvalsh(form)).mean()
        return (mean if unit is None else unit) * np.linalg.inv(form)
    inverse = np.linalg.inv(triangle)
    form = inverse @ _nearest_form(_constants(frame, tolerance)) @ inverse.T
    return form / np.max(np.abs(np.linalg.eigvalsh(form)))


def smoothing_form(basis: np.ndarray) -> np.ndarray:
    """As `casimir_form`, but the identity if the generators commute.

    Every form is invariant under commuting generators. With the identity in the given
    basis, each direction counts by its own parameter.
    """
    return np.eye(len(basis)) if commute(basis) else casimir_form(basis)


def casimir_matrix(matrices: np.ndarray, form: np.ndarray) -> np.ndarray:
    """`C = -sum_ij h_ij L_i L_j`, `(d, d)`."""
    mixed = np.tensordot(form, matrices, 1)
    return -np.einsum("iab,ibc->ac", matrices, mixed, optimize=True)


def nearest_to_identity(forms: np.ndarray) -> np.ndarray:
    """The projection of the identity onto the span of orthonormal forms."""
    return np.tensordot(np.trace(forms, axis1=1, axis2=2), forms, 1)


def _constants(frame: np.ndarray, tolerance: float) -> StructureConstants:
    """Brackets of orthonormal matrices, in their span."""
    products = frame[:, None] @ frame[None]
    brackets = products - products.swapaxes(0, 1)
    constants = np.tensordot(brackets, frame, ((2, 3), (1, 2)))
    outside = np.linalg.norm(brackets - np.tensordot(constants, frame, 1))
    if outside > np.sqrt(tolerance) * np.linalg.norm(brackets):
        raise ValueError(
            "The generators must close under brackets, or have a trace form tr(L_i L_j) "
            "that is not degenerate, to have a Casimir operator. Received: generators "
            "with a degenerate trace form, whose brackets lie outside of their span by a "
            f"relative part of {outside / np.linalg.norm(brackets):.1e}"
        )
    return StructureConstants(constants, Tolerance(tolerance))


def _nearest_form(structure: StructureConstants) -> np.ndarray:
    """The form on an algebra, invariant under it, that stands for the inverse of `B`."""
    coadjoint = structure.constants
    forms = invariant_forms(coadjoint, tolerance=structure.tolerance.value)
    if not len(forms):
        raise ValueError(
            "The generators have no quadratic Casimir operator: no symmetric form h on "
            "their span is invariant, ad(L) h + h ad(L)^T = 0. There is one for rotations, "
            "so(p, q) and other semisimple algebras, for se(n), and for generators that "
            "commute; there is none for dilations with translations"
        )
    positive = _nearest_positive(_that_may_be_positive(forms, structure))
    for form in (positive, nearest_to_identity(forms)):
        if np.linalg.norm(form) > SMALLEST:
            return form
    return forms[0]


def _that_may_be_positive(forms: np.ndarray, structure: StructureConstants) -> np.ndarray:
    """The forms that may be positive: those on the elements that commute with `[g, r]`,
    where `r` is the radical.

    On the support of a positive invariant form the algebra acts by antisymmetric matrices.
    There `[g, r]` also acts by nilpotent matrices, and so by zero.
    """
    moved = structure.bracket_span(structure.everything, structure.radical)
    commuting = null_space(
        structure.brackets(structure.everything, moved)
        .reshape(len(structure.everything), -1)
        .T,
        structure.tolerance,
    )
    outside = complement(commuting)
    rows = np.einsum("mab,bc->mac", forms, outside).reshape(len(forms), -1)
    kept = null_space(rows.T, structure.tolerance)
    return np.tensordot(kept.T, forms, 1)


def positive_form(forms: np.ndarray) -> np.ndarray | None:
    """A positive definite form in a span, near to the identity.

    It is the projection of the identity, in the given basis if that is positive definite.
    Otherwise coordinates are changed so that the form becomes rounder, and the identity is
    projected again.

    Args:
        forms: Independent forms `(m, n, n)`.

    Returns:
        A form, or `None` if none is found.
    """
    size = forms.shape[1]
    change = np.eye(size)
    for _ in range(ROUNDS if len(forms) else 0):
        moved = (change.T @ forms @ change).reshape(len(forms), -1)
        frame = np.linalg.qr(moved.T)[0].T.reshape(forms.shape)
        form = nearest_to_identity(frame)
        values, vectors = np.linalg.eigh(form)
        largest = np.abs(values).max()
        if largest <= PRECISION:
            break
        if values[0] > FLOOR * largest:
            inverse = np.linalg.inv(change)
            return inverse.T @ form @ inverse
        change = change @ vectors / np.sqrt(np.maximum(values, FLOOR * largest))
    return None


def _nearest_positive(forms: np.ndarray) -> np.ndarray:
    """The positive semidefinite form in a span that is nearest to the identity.

    Dykstra's algorithm projects onto the span and onto the cone of positive forms in turn.
    The projections onto the cone remember what they took away.
    """
    positive = nearest_to_identity(forms)
    taken = np.zeros_like(positive)
    for _ in range(MOST_STEPS):
        values, vectors = np.linalg.eigh(positive + taken)
        clipped = (vectors * np.maximum(values, 0.0)) @ vectors.T
        taken = positive + taken - clipped
        step = np.tensordot(np.einsum("mab,ab->m", forms, clipped), forms, 1) - positive
        positive = positive + step
        if np.linalg.norm(step) <= SHORTEST_STEP:
            break
    return positive

"""Invariant quadratic forms on vectors and on Lie gradients."""

import math
from typing import Any

import numpy as np
from keras import ops

from keras_lconv._typing import FormLike, Tensor
from keras_lconv._validation import finite_array
from keras_lconv.algebra import LieAlgebra, invariant_forms
from keras_lconv.algebra.constraints import Acting, action_of
from keras_lconv.algebra.forms import casimir_form, nearest_to_identity
from keras_lconv.generators import Generators
from keras_lconv.generators.domain import if_known

NEAREST = "nearest"
# `-tr(L L)` of an elementary rotation. With this unit its length on the algebra is 1.
TRACE_UNIT = 2.0
# For larger matrices the invariant forms of the algebra would take minutes, so they are not
# computed.
LARGEST_REPRESENTATION = 64


def checked_form(
    form: FormLike, choices: tuple[str, ...] = (NEAREST,), *, may_vanish: bool = False
) -> Any:
    """Returns `None`, a named choice, or a symmetric matrix.

    A zero matrix is accepted for an action, which then has no derivatives, but not for
    lengths.
    """
    if form is None:
        return None
    if isinstance(form, str):
        if form in choices:
            return form
        named = "".join(f", {choice!r}" for choice in choices)
        raise ValueError(f"`form` must be None{named} or a matrix. Received: form={form!r}")
    matrix = finite_array("form", form)
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]
    if not square or not np.allclose(matrix, matrix.T):
        raise ValueError(
            "`form` must be a symmetric matrix. "
            f"Received: {'one that is not symmetric' if square else matrix.shape}"
        )
    if not may_vanish and not np.any(matrix):
        raise ValueError(
            "`form` must not vanish: all lengths would be zero. Received: a matrix of zeros"
        )
    return matrix


def matching_form(
    form: np.ndarray, representation: Acting, tolerance: float | None
) -> np.ndarray:
    """The given form, if it is invariant under a representation on vectors."""
    size = action_of("generators", representation)[0].shape[1]
    if form.shape != (size, size):
        raise ValueError(
            f"`form` must have shape {(size, size)}. Received: shape {form.shape}"
        )
    forms = invariant_forms(representation, tolerance=tolerance)
    invariant = np.tensordot(np.einsum("mab,ab->m", forms, form), forms, 1)
    size = float(np.linalg.norm(form))
    error = float(np.linalg.norm(form - invariant)) / size if size else 0.0
    if error > max(tolerance or 0.0, 1e-3):
        raise ValueError(
            "`form` must be invariant under the generators. Received: a form with a "
            f"relative part of {error:.1e} outside of the {len(forms)}-dimensional space "
            "of invariant forms"
        )
    return form


def form_of_fibres(
    matrices: Acting, choice: str | None, tolerance: float | None
) -> np.ndarray:
    """The only form `M` with `L_i^T M + M L_i = 0`, or the one that `choice` selects."""
    forms = invariant_forms(matrices, tolerance=tolerance)
    if not len(forms):
        raise ValueError(
            "`generators` must have an invariant symmetric bilinear form. Received: "
            "generators without one, so vectors have no norm. If they are noisy, give a "
            "`tolerance` above their noise"
        )
    if choice is None and len(forms) > 1:
        raise ValueError(
            f"The invariant form of the `generators` is not unique: there is a space of "
            f"{len(forms)} dimensions (`keras_lconv.algebra.invariant_forms`). Give one of "
            f"them as `form`, or form={NEAREST!r} for the one nearest to the identity"
        )
    if choice is None:
        # The form gets the norm of the identity, so that Minkowski's form has entries of 1.
        return forms[0] * math.sqrt(forms.shape[1])
    form = nearest_to_identity(forms)
    if np.linalg.norm(form) < 1e-6:
        raise ValueError(
            f"form={NEAREST!r} does not choose between the invariant forms of the "
            "`generators`: all are orthogonal to the identity. Give one as `form`"
        )
    return form


def form_of_gradients(
    generators: Generators, given: FormLike, tolerance: float | None
) -> np.ndarray:
    """The form `B^ij` that makes `B^ij (L_i f) (L_j f)` a scalar."""
    k = generators.num_generators
    algebra = _known_algebra(generators) if k > 1 else None
    if isinstance(given, np.ndarray):
        coadjoint = np.zeros((1, k, k)) if algebra is None else _coadjoint(algebra)
        return matching_form(given, coadjoint, tolerance)
    if algebra is None or algebra.is_abelian:
        return np.eye(k)
    try:
        return casimir_form(algebra.basis, TRACE_UNIT, tolerance or algebra.tolerance)
    except ValueError as error:
        raise ValueError(
            "The Lie gradient of the `generators` has no length: no form on the algebra "
            f"{algebra.identify().name} is invariant. Take fewer generators, or give a "
            "`form`"
        ) from error


def positive_form_of_gradients(generators: Generators, given: FormLike) -> np.ndarray:
    """`B^ij`, if it is not negative in any direction.

    Raises:
        ValueError: If the form is not invariant, has a wrong shape or a negative direction.
    """
    form = form_of_gradients(generators, given, None)
    values = np.linalg.eigvalsh(form)
    if values[0] < -1e-6 * np.abs(values).max():
        raise ValueError(
            "`form` must not be negative in any direction, or the action has no minimum. "
            f"Received: {'a' if given is not None else 'by default a'} form with the "
            f"eigenvalues {np.round(values, 4).tolist()}. Some non-compact algebras have "
            "no positive invariant form. Take fewer generators"
        )
    return form


def action_density(generators: Generators, f: Tensor, mass: float, form: Tensor) -> Tensor:
    """`m^2 f^2 + B^ij (L_i f) (L_j f)`, of the shape of `f`.

    Args:
        generators: Built generators.
        f: Tensor `(batch, d, channels)`.
        mass: The number `m`.
        form: `B^ij`, a tensor `(k, k)` of the dtype of `f`.
    """
    gradient = generators.apply(f)
    raised = ops.einsum("ij,bdjc->bdic", form, gradient)
    return mass**2 * ops.square(f) + ops.sum(gradient * raised, axis=-2)


def _known_algebra(generators: Generators) -> LieAlgebra | None:
    """The algebra of fixed generators, if its matrices are known and not too large."""
    if generators.is_learned or not generators.is_square:
        return None
    representation = if_known(generators, generators.representation)
    if representation is None or representation.shape[1] > LARGEST_REPRESENTATION:
        return None
    return LieAlgebra(representation)


def _coadjoint(algebra: LieAlgebra) -> np.ndarray:
    """`ad^T`: a form `B^ij` is invariant if `ad B + B ad^T = 0`."""
    return np.swapaxes(algebra.adjoint(), 1, 2)

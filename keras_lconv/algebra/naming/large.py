"""A name for a large Lie algebra, from the form that its matrices preserve.

The structure constants of an algebra of dimension `k` have `k^3` entries, and the matrices
that commute with the adjoint ones have `k^2` unknowns. For matrices `(v, v)` of a classical
algebra the dimension and one form determine the name.
"""

from dataclasses import replace

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from keras_lconv.algebra.naming.identification import Identification

# Relative sizes that count as zero.
TOLERANCE = 0.05
# This many elements in general position generate an algebra, with noise as well.
DRAWS = 20


def identify_large(
    basis: np.ndarray, closure_error: float, tolerance: float
) -> Identification:
    """Names the algebra of all matrices, of those without trace, or of those that preserve
    a form.

    Args:
        basis: Independent matrices `(k, v, v)`, with entries of similar size.
        closure_error: The closure error of their span.
        tolerance: Up to this error it counts as closed.

    Returns:
        An `Identification`. For any other algebra it has a description and no name.
    """
    k, v = basis.shape[:2]
    size = f"{v}x{v} matrices"
    everything = f"all such {size}"
    if closure_error > tolerance:
        what = f"{size}, not closed under brackets"
        return _identified("not closed", basis, closure_error, what)
    traces = np.trace(basis, axis1=1, axis2=2) / np.linalg.norm(basis, axis=(1, 2))
    trace = float(np.max(np.abs(traces))) / np.sqrt(v)
    if k == v * v:
        found = _identified(f"gl({v},R)", basis, closure_error, everything, 0.0)
        return replace(found, isomorphic_to=(f"sl({v},R) + R",))
    if k == v * v - 1 and trace < TOLERANCE:
        return _identified(f"sl({v},R)", basis, closure_error, everything, trace)
    for dilation in (0, 1):
        for sign, number in ((1, v * (v - 1) // 2), (-1, v * (v + 1) // 2)):
            if k == number + dilation and (kept := _kept_form(basis, sign)) is not None:
                form, change = kept
                name = _name_of_form(form, sign) + (" + R" if dilation else "")
                return _identified(name, basis, closure_error, everything, change)
    reason = "too large to name by its structure, and not all matrices that keep a form"
    what = f"{size}, {reason}"
    return _identified(f"unnamed, dimension {k}", basis, closure_error, what)


def _identified(
    name: str,
    basis: np.ndarray,
    closure_error: float,
    what: str,
    largest_zero: float | None = None,
) -> Identification:
    """An identification whose confidence follows from what counts as zero."""
    confidence = 0.0
    if largest_zero is not None:
        confidence = max(0.0, 1 - max(largest_zero, closure_error) / TOLERANCE)
    return Identification(
        name=name,
        isomorphic_to=(),
        description=f"dimension {len(basis)}, {what}",
        is_unique=largest_zero is not None,
        confidence=confidence,
        tolerance=TOLERANCE,
        closure_error=closure_error,
    )


def _kept_form(basis: np.ndarray, sign: int) -> tuple[np.ndarray, float] | None:
    """The form `M^T = sign M` with `L^T M + M L = c M`, and its relative change.

    `None` where there is no such form, or only degenerate ones.
    """
    k, v = basis.shape[:2]
    basis = basis / np.linalg.norm(basis, axis=(1, 2), keepdims=True)
    # A form that some elements in general position preserve is preserved by all.
    rng = np.random.default_rng(0)
    drawn = np.tensordot(rng.normal(size=(DRAWS, k)), basis, 1)
    # A dilation preserves a form up to its scale, so its trace is left out.
    traces = np.trace(drawn, axis1=1, axis2=2)
    drawn -= traces[:, None, None] * np.eye(v) / v
    transposed = np.swapaxes(drawn, 1, 2)
    scale = float(np.sum(drawn**2)) / v

    def squares(entries: np.ndarray) -> np.ndarray:
        given = entries.reshape(v, v)
        form = (given + sign * given.T) / 2
        change = transposed @ form + form @ drawn
        back = np.sum(drawn @ change + change @ transposed, axis=0)
        # Forms of the other sign have no small singular values.
        return (back + scale * (given - form)).ravel()

    operator = LinearOperator((v * v, v * v), matvec=squares, dtype="float64")
    start = rng.normal(size=v * v)
    values, vectors = eigsh(operator, 1, which="SA", v0=start)
    largest = eigsh(operator, 1, which="LA", v0=start, return_eigenvectors=False)[0]
    change = float(np.sqrt(max(values[0], 0.0) / largest))
    form = vectors[:, 0].reshape(v, v)
    sizes = np.abs(np.linalg.eigvals(form))
    is_kept = change < TOLERANCE and np.min(sizes) > TOLERANCE * np.max(sizes)
    return (form, change) if is_kept else None


def _name_of_form(form: np.ndarray, sign: int) -> str:
    v = len(form)
    if sign < 0:
        return f"sp({v},R)"
    positive = int(np.sum(np.linalg.eigvalsh(form) > 0))
    p, q = max(positive, v - positive), min(positive, v - positive)
    return f"so({p},{q})" if q else f"so({p})"

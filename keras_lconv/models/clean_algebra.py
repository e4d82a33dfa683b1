"""Makes maps with errors an exact algebra with exact invariants."""

import numpy as np

from keras_lconv.algebra import (
    LieAlgebra,
    direct_sum,
    intertwiners,
    invariant_forms,
    tensor_product,
    trivial,
)

# Relative to the largest, smaller singular values are zero.
ROUNDING = 1e-6
# A form with smaller singular values, relative to the largest, is blind to some directions.
# The best of this many mixtures of forms is taken.
LEAST_CONDITION, MIXTURES = 0.01, 50
# Closing the algebra and preserving the form take turns until nothing moves by more than
# this, at most this many times.
AT_REST, MOST_TURNS = 1e-12, 50


def clean_algebra(maps: np.ndarray, error: float) -> LieAlgebra:
    """The algebra of maps with errors.

    It is closed, and it leaves a quadratic form invariant if the maps do so up to their
    errors. (A rotation with a trace of 0.001 is a spiral, which has no invariant
    polynomials.)

    Args:
        maps: Independent matrices `(k, v, v)`, of length 1.
        error: The largest error of a map.

    Returns:
        A `LieAlgebra` of the same dimension.

    Raises:
        ValueError: If there is no algebra nearby.
    """
    found = algebra = LieAlgebra(maps).nearest_closed()
    form = _nearly_invariant_form(found.basis, max(ROUNDING, 2 * error))
    if form is None:
        return found
    for _ in range(MOST_TURNS):
        kept = keeping(form, algebra.basis)
        if np.max(np.abs(kept - algebra.basis)) < AT_REST * np.max(np.abs(kept)):
            return algebra
        algebra = LieAlgebra(kept).nearest_closed()
    return found


def keeping(form: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """The parts of maps that leave a form invariant: `M L + L^T M = 0`."""
    moved = form @ maps
    return maps - np.linalg.solve(form, moved + np.swapaxes(moved, 1, 2)) / 2


def _nearly_invariant_form(maps: np.ndarray, error: float) -> np.ndarray | None:
    """An invertible symmetric form that maps leave invariant up to errors."""
    forms = invariant_forms(maps, tolerance=min(error, 0.5))
    mixtures = np.random.default_rng(0).normal(size=(MIXTURES, len(forms)))
    mixed = np.tensordot(mixtures, forms, 1)
    values = np.linalg.svd(mixed, compute_uv=False)
    conditions = values[:, -1] / np.maximum(values[:, 0], ROUNDING)
    best = int(np.argmax(conditions))
    return mixed[best] if conditions[best] > LEAST_CONDITION else None


def has_enough_invariants(matrices: np.ndarray, blocks: int) -> bool:
    """Whether invariant polynomials of degree 2 distinguish nearby orbits of most
    vectors.
    """
    k, v = matrices.shape[:2]
    source = direct_sum(matrices, tensor_product(matrices, matrices))
    functionals = intertwiners(source, trivial(k))[:, 0]
    points = np.random.default_rng(0).normal(size=(blocks, v))
    gradients = [np.kron(np.eye(blocks), functionals[:, None, :v]).reshape(-1, blocks * v)]
    for form in functionals[:, v:].reshape(-1, v, v):
        for i in range(blocks):
            for j in range(blocks):
                gradient = np.zeros((blocks, v))
                gradient[i] += form @ points[j]
                gradient[j] += form.T @ points[i]
                gradients.append(gradient.reshape(1, -1))
    orbit = (points @ np.swapaxes(matrices, 1, 2)).reshape(k, -1)
    needed = points.size - np.linalg.matrix_rank(orbit, rtol=ROUNDING)
    return bool(np.linalg.matrix_rank(np.concatenate(gradients), rtol=ROUNDING) >= needed)

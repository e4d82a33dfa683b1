"""Phase space, and the affine maps that preserve its symplectic form."""

import numpy as np

from keras_lconv._ops import to_numpy
from keras_lconv._typing import Data, MatricesLike
from keras_lconv._validation import finite_array
from keras_lconv.generators.registry import given_matrices
from keras_lconv.physics.conservation.quantities import symplectic_form

ACTIONS = ("affine", "linear")


def phase_space(name: str, value: Data, ndim: int, is_canonical: bool = True) -> np.ndarray:
    """Checks points of phase space, `(batch, 2n)` or `(times, 2n)`."""
    points = finite_array(name, to_numpy(value))
    if points.ndim != ndim or 0 in points.shape or (is_canonical and points.shape[-1] % 2):
        shape = "(batch, 2n)" if name == "x" else "(times, 2n)"
        raise ValueError(
            f"`{name}` must have shape `{shape}`: n positions, then n momenta. "
            f"Received: shape {points.shape}"
        )
    return points


def canonical_maps(search: MatricesLike | None, size: int, action: str) -> np.ndarray:
    """Affine canonical maps `[L | b]` that span the search, `(p, 2n, 2n + 1)`."""
    if search is not None:
        linear = on_phase_space(search, size)
    else:
        upper = [(a, b) for a in range(size) for b in range(a, size)]
        symmetric = np.zeros((len(upper), size, size))
        for matrix, (a, b) in zip(symmetric, upper, strict=True):
            matrix[a, b] = matrix[b, a] = 1.0
        linear = symplectic_form(size // 2) @ symmetric
    count = len(linear)
    translations = size if action == "affine" and search is None else 0
    candidates = np.zeros((count + translations, size, size + 1))
    candidates[:count, :, :size] = linear
    candidates[count:, :, size] = np.eye(size)[:translations]
    return candidates


def on_phase_space(search: MatricesLike, size: int) -> np.ndarray:
    """Given matrices as maps of phase space that preserve its symplectic form."""
    n = size // 2
    matrices = given_matrices("search", search, n)
    if (
        matrices.ndim != 3
        or not len(matrices)
        or matrices.shape[1:] not in ((n, n), (size, size))
    ):
        raise ValueError(
            f"`search` must be matrices of shape `(k, {n}, {n})` on positions, or "
            f"`(k, {size}, {size})` on phase space. Received: shape {matrices.shape}"
        )
    if matrices.shape[1] == n:
        lifted = np.zeros((len(matrices), size, size))
        lifted[:, :n, :n] = matrices
        # Momenta transform by the dual, so that p . dq is invariant.
        lifted[:, n:, n:] = -np.swapaxes(matrices, 1, 2)
        return lifted
    lowered = symplectic_form(n) @ matrices
    defect = np.linalg.norm(lowered - np.swapaxes(lowered, 1, 2))
    if defect > 1e-6 * np.linalg.norm(lowered):
        raise ValueError(
            "`search` on phase space must preserve its symplectic form: `J L` must be "
            "symmetric. Received: matrices with a relative defect of "
            f"{defect / np.linalg.norm(lowered):.1e}"
        )
    return matrices

"""Flows of vector fields, which move points for a time."""

from collections.abc import Callable

import numpy as np

# Tolerances of the integrator: relative, and in units of the points.
RELATIVE_ERROR, ABSOLUTE_ERROR = 1e-9, 1e-12
# A point that gets this many times further away than the start leaves for infinity.
FAR = 1e6


def affine_flow(matrix: np.ndarray, offset: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Points `(batch, n)` after the time 1 along `A x + b`."""
    from scipy.linalg import expm

    size = len(matrix)
    whole = np.zeros((size + 1, size + 1))
    whole[:size, :size], whole[:size, size] = matrix, offset
    element = expm(whole)
    return x @ element[:size, :size].T + element[:size, size]


def integrated(field: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """Points `(batch, n)` after the time 1 along a field of such points.

    Points that leave for infinity before that time are NaN.
    """
    from scipy.integrate import solve_ivp

    if not len(x):
        return x.copy()

    def velocity(_: float, z: np.ndarray) -> np.ndarray:
        return field(z.reshape(x.shape)).ravel()

    limit = FAR * (1.0 + float(np.max(np.abs(x))))

    def is_near(_: float, z: np.ndarray) -> float:
        return limit - float(np.max(np.abs(z)))

    is_near.terminal = True  # type: ignore[attr-defined]
    with np.errstate(over="ignore", invalid="ignore"):
        solution = solve_ivp(
            velocity,
            (0.0, 1.0),
            x.ravel(),
            method="DOP853",
            rtol=RELATIVE_ERROR,
            atol=ABSOLUTE_ERROR,
            t_eval=[1.0],
            events=is_near,
        )
    if solution.status == 0 and np.all(np.isfinite(solution.y)):
        return solution.y[:, -1].reshape(x.shape)
    if len(x) == 1:
        return np.full_like(x, np.nan)
    # A point that leaves stops the integration of all. So the points are split in halves
    # until the ones that stay are found.
    half = len(x) // 2
    return np.concatenate([integrated(field, x[:half]), integrated(field, x[half:])])

"""Solutions moved along symmetries, on a grid."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from keras_lconv.algebra import VectorFields
from keras_lconv.discovery.equations.samples import Grid
from keras_lconv.discovery.fields.library import LibraryFields

# A function from points `(n, p + q)` to the points to which they move.
Flow: TypeAlias = Callable[[np.ndarray], np.ndarray]
# The precision of the places that move to the points of the grid, relative to its width.
PRECISION, MAX_STEPS = 1e-8, 30
# The degree of splines, and the number of points by which a periodic axis is continued for
# them.
DEGREE, WRAPPED = 5, 8


class Flows:
    """The flows of fields, prepared for many parameters.

    Args:
        fields: On all variables, `(p + q)`.
    """

    def __init__(self, fields: VectorFields | LibraryFields):
        self.fields, self._matrices = fields, None
        if not isinstance(fields, VectorFields):
            return
        # Without monomials whose coefficients are zero, affine fields are recognised.
        used = np.any(fields.coefficients != 0, axis=(0, 1))
        fields = VectorFields(fields.powers[used], fields.coefficients[..., used])
        self.fields, n = fields, fields.size
        if fields.degree > 1:
            return
        self._matrices = np.zeros((len(fields), n + 1, n + 1))
        self._matrices[:, :n, :n] = fields.jacobian(np.zeros(n))
        self._matrices[:, :n, n] = fields(np.zeros(n))

    def along(self, t: np.ndarray) -> Flow:
        """The map of points `(n, p + q)` by the time 1."""
        from scipy.linalg import expm

        if self._matrices is None:
            return lambda z: self.fields.flow(z, t)
        element = expm(np.tensordot(t, self._matrices, 1))[:-1].T
        return lambda z: z @ element[:-1] + element[-1]


def moved_along(
    fields: VectorFields | LibraryFields, t: np.ndarray, grid: Grid
) -> np.ndarray:
    """The fields of a grid after the time 1 along `sum_i t_i v_i`, at its points.

    A point `(x, u(x))` of the graph moves to `(y, w)`. For each point `y` of the grid,
    iteration finds the place `x` that moves there. It is known at once if the motion of the
    points does not depend on `u`.

    Args:
        fields: On all variables, `(p + q)`.
        t: Parameters `(k,)`.
        grid: The fields.

    Returns:
        Array `(q, runs, *axes)`: NaN where a point comes from outside of the grid.
    """
    meshes = np.meshgrid(*grid.axes, indexing="ij")
    targets = np.stack([mesh.ravel() for mesh in meshes], axis=1)
    moved = np.full(grid.values.shape, np.nan)
    flows = Flows(fields)
    back, forth = flows.along(-t), flows.along(t)
    for run in range(grid.values.shape[1]):
        values = grid.values[:, run].reshape(len(grid.dependent), -1).T
        found = moved_graph(back, forth, targets, values, interpolated(grid, run))
        moved[:, run] = found.T.reshape(moved[:, run].shape)
    return moved


def moved_graph(
    back: Flow,
    forth: Flow,
    targets: np.ndarray,
    values: np.ndarray,
    field: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Values `(n, q)` of the moved graph at the targets `(n, p)`.

    Args:
        back: The motion for the time -1.
        forth: The motion.
        targets: Points of the grid.
        values: The values at these points before the motion.
        field: The fields at any points.
    """
    p, widths = targets.shape[1], np.ptp(targets, axis=0)
    result = np.full(values.shape, np.nan)
    places = back(np.concatenate([targets, values], axis=1))[:, :p]
    left = np.arange(len(targets))
    for _ in range(MAX_STEPS):
        own = field(places[left])
        known = np.all(np.isfinite(own), axis=1)
        left, own = left[known], own[known]
        if not len(left):
            break
        arrived = forth(np.concatenate([places[left], own], axis=1))
        misses = arrived[:, :p] - targets[left]
        is_there = np.all(np.abs(misses) <= PRECISION * widths, axis=1)
        result[left[is_there]] = arrived[is_there, p:]
        left, misses = left[~is_there], misses[~is_there]
        places[left] -= misses
    return result


def interpolated(grid: Grid, run: int) -> Callable[[np.ndarray], np.ndarray]:
    """The fields of a run at any points `(n, p)`, by splines. They are NaN outside of the
    grid.
    """
    from scipy.interpolate import NdBSpline, make_interp_spline

    values = np.moveaxis(grid.values[:, run], 0, -1)
    knots, periods = [], []
    for number, (axis, is_periodic) in enumerate(
        zip(grid.axes, grid.is_periodic, strict=True)
    ):
        step = axis[1] - axis[0]
        periods.append(len(axis) * step)
        if is_periodic:
            more = step * np.arange(1, WRAPPED + 1)
            axis = np.concatenate([axis[0] - more[::-1], axis, axis[-1] + more])
            around = [(0, 0)] * values.ndim
            around[number] = (WRAPPED, WRAPPED)
            values = np.pad(values, around, mode="wrap")
        spline = make_interp_spline(axis, values, DEGREE, axis=number)
        knots.append(spline.t)
        values = np.moveaxis(spline.c, 0, number)
    curve = NdBSpline(tuple(knots), np.ascontiguousarray(values), DEGREE, extrapolate=False)
    low, high = (np.array([axis[end] for axis in grid.axes]) for end in (0, -1))
    wraps = np.array(grid.is_periodic)

    def field(points: np.ndarray) -> np.ndarray:
        # Rounding must not put a point of the border outside.
        inside = np.clip(points, low, high)
        is_near = np.abs(points - inside) <= PRECISION * (high - low)
        inside = np.where(is_near, inside, points)
        with np.errstate(invalid="ignore"):
            around = low + np.mod(points - low, np.array(periods))
        return np.asarray(curve(np.where(wraps, around, inside)))

    return field

"""Motions that take solutions on a grid to solutions on the same grid."""

import numpy as np

from keras_lconv.algebra import VectorFields
from keras_lconv.discovery.equations.samples import Grid
from keras_lconv.discovery.equations.transport import DEGREE

# The number of points at both ends of an axis where splines are not judged.
RIM = 2


def keeping_space(fields: VectorFields, grid: Grid, tolerance: float) -> VectorFields:
    """The fields of a span along which no point of space comes from outside of the grid.

    Along a periodic axis they are periodic: the polynomials do not contain its coordinate.
    They leave the ends of other axes in place, except those of the first axis, time.

    Args:
        fields: Fields on all variables, those of the axes first.
        grid: The grid.
        tolerance: Fields count as staying if they leave by less than this, in units in
            which all variables have mean 0 and spread 1.

    Returns:
        A sparse basis, which may be empty.
    """
    points = grid.points()
    origin, scales = np.mean(points, axis=0), np.std(points, axis=0)
    standard = fields.in_coordinates(np.diag(scales), origin, np.diag(1 / scales))
    sizes = np.linalg.norm(standard.coefficients.reshape(len(fields), -1), axis=1)
    standard = standard.combined(np.diag(1 / np.where(sizes > 0, sizes, 1.0)))
    leaving = _leaving(standard, grid, (points - origin) / scales)
    mixtures, sizes, _ = np.linalg.svd(leaving)
    kept = np.ones(len(fields), dtype=bool)
    kept[: len(sizes)] = sizes <= tolerance
    if not np.any(kept):
        return VectorFields(fields.powers, fields.coefficients[:0])
    inside = standard.combined(mixtures[:, kept].T)
    inside = inside.in_coordinates(np.diag(1 / scales), -origin / scales, np.diag(scales))
    inside = inside.canonical(scales, tolerance)
    changes = np.any(inside.powers[:, : len(grid.axes)][:, list(grid.is_periodic)], axis=1)
    return VectorFields(inside.powers, np.where(changes, 0.0, inside.coefficients))


def _leaving(fields: VectorFields, grid: Grid, points: np.ndarray) -> np.ndarray:
    """The numbers that must vanish, a row for each field."""
    rows = [np.zeros((len(fields), 1))]
    for axis, is_periodic in enumerate(grid.is_periodic):
        if is_periodic:
            moving = fields.coefficients[..., fields.powers[:, axis] > 0]
            rows.append(moving.reshape(len(fields), -1))
        elif axis > 0:
            for end in (np.min(points[:, axis]), np.max(points[:, axis])):
                there = points[:: max(1, len(points) // (4 * len(fields.powers)))].copy()
                there[:, axis] = end
                speeds = fields(there)[:, :, axis].T
                rows.append(speeds / np.sqrt(len(there)))
    return np.concatenate(rows, axis=1)


def error_between_points(grid: Grid, axis: int) -> float:
    """The error of splines along an axis between points, relative to the fields.

    It follows from splines through every other point, whose error is larger by a known
    power.
    """
    from scipy.interpolate import make_interp_spline

    values = np.moveaxis(grid.values, axis + 2, 0)
    points = grid.axes[axis]
    coarse = make_interp_spline(points[::2], values[::2], DEGREE)
    inner = slice(1 + 2 * RIM, -1 - 2 * RIM, 2)
    misses = coarse(points[inner]) - values[inner]
    spreads = np.std(grid.values, axis=tuple(range(1, grid.values.ndim)))
    sizes = np.sqrt(np.mean(misses**2, axis=(0, *range(2, misses.ndim))))
    return float(np.max(sizes / spreads)) / 2 ** (DEGREE + 1)

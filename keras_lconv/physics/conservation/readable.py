"""A span of conserved quantities in a basis that is easy to read."""

from dataclasses import replace
from typing import Any

import numpy as np

from keras_lconv.algebra import LieAlgebra
from keras_lconv.algebra.sparse_basis import sparse_basis
from keras_lconv.physics.conservation.quantities import (
    ConservationReport,
    ConservedQuantity,
)

# In a sparse basis, entries up to this multiple of their error bar count as zero. The
# threshold lies between these two parts of the largest entry.
CLEAR, EXACT, LARGEST_TOLERANCE = 3.0, 1e-4, 0.1
# Coordinates whose mean is this many times their spread are far from the origin.
FAR = 3.0
# Directions with a smaller curvature, relative to the largest one, have no centre.
SMALLEST_CURVATURE = 0.05


def conservation_report(
    quantities: list[ConservedQuantity],
    points: np.ndarray,
    action: str,
    found: dict[str, Any],
) -> ConservationReport:
    """The result, in a basis that is easy to read."""
    units, size = _units(points), points.shape[1]
    errors = float(np.max(found["errors"], initial=0.0))
    readable = readable_basis(quantities, points, CLEAR * errors)
    maps = np.array([each.generator[:-1] for each in readable])
    maps = maps.reshape(-1, size, size + 1)
    scaled = maps * np.append(units, 1.0) / units[:, None]
    origin = points.mean(axis=0) / units
    # The search is about the mean of the points, where translations are not larger than the
    # rest.
    scaled[..., -1] += scaled[..., :-1] @ origin
    return ConservationReport(
        algebra=_algebra(maps, action),
        quantities=tuple(readable),
        standard=_algebra(scaled, action),
        **found,
    )


def _algebra(maps: np.ndarray, action: str) -> LieAlgebra:
    if action == "linear":
        return LieAlgebra(maps[..., :-1])
    return LieAlgebra(np.pad(maps, ((0, 0), (0, 1), (0, 0))))


def readable_basis(
    quantities: list[ConservedQuantity], points: np.ndarray, tolerance: float
) -> list[ConservedQuantity]:
    """A basis with many zeros in units of the spread.

    It is about the origin, or about the mean if that is far away. Far from the origin
    quantities have large terms that nearly cancel, so each formula has its own centre.
    """
    if not quantities:
        return []
    units = _units(points)
    mean = points.mean(axis=0)
    is_far = np.any(np.abs(mean) > FAR * units)
    origin = mean if is_far else np.zeros_like(mean)
    tables = []
    for each in quantities:
        quadratic = each.quadratic * units[:, None] * units
        linear = (each.linear + each.quadratic @ origin) * units
        tables.append(np.concatenate([quadratic, linear[:, None]], axis=1))
    flat = np.array(tables).reshape(len(tables), -1)
    frame = np.linalg.qr(flat.T)[0].T.reshape(np.shape(tables))
    limit = float(np.clip(tolerance, EXACT, LARGEST_TOLERANCE))
    readable = []
    for table in sparse_basis(frame, limit):
        quadratic = (table[:, :-1] + table[:, :-1].T) / 2 / units[:, None] / units
        linear = table[:, -1] / units - quadratic @ origin
        centre = _centre(table, origin / units) * units if is_far else None
        readable.append(_scaled(ConservedQuantity(quadratic, linear, units, centre)))
    return readable


def _centre(table: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """The point nearest to the mean about which a quantity has the fewest linear terms.

    It is in units of the spread. Coordinates whose mean is near zero keep zero as their
    origin.
    """
    step = np.linalg.pinv(table[:, :-1], rcond=SMALLEST_CURVATURE, hermitian=True)
    point = mean - step @ table[:, -1]
    return np.where(np.abs(point) > FAR, point, 0.0)


def _scaled(quantity: ConservedQuantity) -> ConservedQuantity:
    """Scales a quantity: the first coefficient is positive, and the largest one is 1.

    So energies are positive, and angular momenta start with `q1 p2`.
    """
    quadratic, linear = quantity.quadratic, quantity.linear
    shown = linear if quantity.centre is None else linear + quadratic @ quantity.centre
    terms = np.concatenate([quadratic[np.triu_indices(len(linear))], shown])
    scale = np.sign(terms[np.flatnonzero(terms)[0]]) * np.max(np.abs(terms))
    return replace(quantity, quadratic=quadratic / scale + 0.0, linear=linear / scale + 0.0)


def _units(points: np.ndarray) -> np.ndarray:
    """The spread of each coordinate, `(2n,)`, 1 where there is none."""
    spread = np.std(points, axis=0)
    return np.where(spread > 0, spread, 1.0)

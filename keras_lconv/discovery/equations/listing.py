"""Symmetries set apart: those of superposition, trivial ones, and the rest."""

from typing import NamedTuple

import numpy as np

from keras_lconv.algebra import VectorFields
from keras_lconv.algebra.field_formulas import whole_numbers

# Of a field this part must lie outside of what has been listed to be new.
NEW = 1e-2
# Coefficients up to this size, where the largest is 1, are zero.
ZERO = 1e-5


class Listing(NamedTuple):
    """Fields in the units of the data, in bases that a person can read."""

    generators: VectorFields
    superposition: VectorFields
    trivial: VectorFields


def set_apart(
    found: VectorFields,
    trivial: np.ndarray,
    num_independent: int,
    is_linear: bool,
    origin: np.ndarray,
    scales: np.ndarray,
    tolerance: float,
) -> Listing:
    """The symmetries of an equation in three parts.

    Args:
        found: All of them, in coordinates of mean zero and spread 1.
        trivial: Mixtures `(m, k)` of these that move no solution.
        num_independent: The first so many variables are independent ones.
        is_linear: Whether the equation is linear, so that solutions may be added.
        origin: The mean of the variables, in the units of the data.
        scales: Their spread.
        tolerance: Coefficients up to this size, where the largest is 1, become zero.
    """
    if not len(found):
        return Listing(found, found, found)
    mixtures = _adding(found, num_independent)
    own = found.combined(mixtures if is_linear else mixtures[:0])
    along = found.combined(trivial)
    fields, own, along = (
        _readable(each, origin, scales, tolerance) for each in (found, own, along)
    )
    # Those of lowest degree that are new beside what is set apart, and each other.
    degrees = [
        int(np.max(fields.powers[np.any(c, axis=0)].sum(1))) for c in fields.coefficients
    ]
    listed = _rows(own, scales) + _rows(along, scales)
    chosen = []
    for number in np.argsort(degrees, kind="stable"):
        row = _rows(fields[int(number)], scales)[0]
        rest = row.copy()
        if listed:
            frame = np.linalg.qr(np.array(listed).T)[0]
            rest = row - frame @ (frame.T @ row)
        if np.linalg.norm(rest) > NEW * np.linalg.norm(row):
            listed.append(row)
            chosen.append(int(number))
    return Listing(VectorFields(fields.powers, fields.coefficients[chosen]), own, along)


def _adding(found: VectorFields, num_independent: int) -> np.ndarray:
    """Orthonormal mixtures of fields `b(x) d/du`."""
    others = found.coefficients.copy()
    of_points = ~np.any(found.powers[:, num_independent:], axis=1)
    others[:, num_independent:, of_points] = 0.0
    mixtures, sizes, _ = np.linalg.svd(others.reshape(len(found), -1))
    kept = np.ones(len(found), dtype=bool)
    kept[: len(sizes)] = sizes < ZERO * np.max(np.abs(found.coefficients), initial=0.0)
    return mixtures[:, kept].T


def _readable(
    fields: VectorFields, origin: np.ndarray, scales: np.ndarray, tolerance: float
) -> VectorFields:
    """In the units of the data."""
    if not len(fields):
        return fields
    raw = fields.in_coordinates(np.diag(1 / scales), -origin / scales, np.diag(scales))
    readable = raw.canonical(scales, tolerance)
    scaled = [_as_written(field, tolerance) for field in readable.coefficients]
    return VectorFields(readable.powers, np.array(scaled))


def _as_written(field: np.ndarray, tolerance: float) -> np.ndarray:
    """A multiple of a field with the sign and the size that its formula has."""
    written = whole_numbers(field, tolerance)
    first = field.T[field.T != 0][0]
    return field * np.sign(first) * np.sum(written * field) / np.sum(field**2)


def _rows(fields: VectorFields, scales: np.ndarray) -> list[np.ndarray]:
    """Coefficients in units of the variables."""
    units = np.prod(scales**fields.powers, axis=1) / scales[:, None]
    return [field.ravel() for field in fields.coefficients * units]

"""Sorts symmetries: those of superposition, trivial ones, and the rest."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from keras_lconv.algebra import VectorFields
from keras_lconv.algebra.field_formulas import whole_numbers
from keras_lconv.discovery.equations.terms import Terms
from keras_lconv.discovery.equations.units import Units

# A field is new if at least this part of it lies outside of the listed ones.
NEW = 1e-2
# Coefficients up to this size, where the largest is 1, are zero.
ZERO = 1e-5


class Listing(NamedTuple):
    """Fields in the units of the data, in sparse bases.

    They depend on the variables and on the functions of a library.
    """

    generators: VectorFields
    superposition: VectorFields
    trivial: VectorFields


def set_apart(
    terms: Terms,
    coefficients: np.ndarray,
    trivial: np.ndarray,
    num_independent: int,
    is_linear: bool,
    units: Units,
    scales: np.ndarray,
    tolerance: float,
    simpler: Callable[[VectorFields], VectorFields],
) -> Listing:
    """The symmetries of an equation in three parts.

    Args:
        terms: The terms of the components.
        coefficients: All symmetries, in units, `(k, p + q, terms)`.
        trivial: Mixtures `(m, k)` of these that move no solution.
        num_independent: The number of independent variables, which come first.
        is_linear: Whether the equation is linear, so that solutions may be added.
        units: Units of the variables.
        scales: How much the variables and functions vary.
        tolerance: Coefficients up to this size, where the largest is 1, become zero.
        simpler: Finds fields with fewer terms.
    """
    found = terms.fields(coefficients)
    if not len(found):
        return Listing(found, found, found)
    mixtures = _adding(found, terms.of_points(num_independent), num_independent)
    own = found.combined(mixtures if is_linear else mixtures[:0])
    along = found.combined(trivial)
    fields, own, along = (
        _readable(terms.in_data(each, units), scales, tolerance, simpler)
        for each in (found, own, along)
    )
    # The symmetries of lowest degree that are independent of the others and of each other.
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


def _adding(found: VectorFields, of_points: np.ndarray, num_independent: int) -> np.ndarray:
    """Orthonormal mixtures of fields `b(x) d/du`, with the terms that depend on
    `x` only.
    """
    others = found.coefficients.copy()
    others[:, num_independent:, of_points] = 0.0
    mixtures, sizes, _ = np.linalg.svd(others.reshape(len(found), -1))
    kept = np.ones(len(found), dtype=bool)
    kept[: len(sizes)] = sizes < ZERO * np.max(np.abs(found.coefficients), initial=0.0)
    return mixtures[:, kept].T


def _readable(
    raw: VectorFields,
    scales: np.ndarray,
    tolerance: float,
    simpler: Callable[[VectorFields], VectorFields],
) -> VectorFields:
    """Fields with few terms."""
    if not len(raw):
        return raw
    readable = simpler(raw.canonical(scales, tolerance))
    scaled = [_as_written(field, tolerance) for field in readable.coefficients]
    return VectorFields(readable.powers, np.array(scaled))


def _as_written(field: np.ndarray, tolerance: float) -> np.ndarray:
    """The multiple of a field that has the sign and the size of its formula."""
    written = whole_numbers(field, tolerance)
    first = field.T[field.T != 0][0]
    return field * np.sign(first) * np.sum(written * field) / np.sum(field**2)


def _rows(fields: VectorFields, scales: np.ndarray) -> list[np.ndarray]:
    """Coefficients in units of the variables."""
    units = np.prod(scales**fields.powers, axis=1) / scales[:, None]
    return [field.ravel() for field in fields.coefficients * units]
